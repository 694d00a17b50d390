/* The commands that change what runs: each asks the supervisor and waits until it is so. */
#include "../../shared/base/clock.h"
#include "../supervisor/home.h"
#include "../supervisor/paths.h"
#include "client.h"
#include "command.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    TIMEOUT_SECONDS = 60,
    ROLLING_SECONDS = 300,
    ANSWER_MILLISECONDS = 10000,
    DRAIN_MILLISECONDS = 700000, /* the last old one may drain so long (supervisor.stop_timeout) */
    STOP_SECONDS = 180,
    RELOAD_MILLISECONDS = 15000,
};

extern char **environ;

static enum exit_status not_running(void)
{
    return client_orphans() ? complain(CTL_NOT_RUNNING,
                                  "no supervisor runs, but processes of it serve on; aipotenctl start "
                                  "adopts them, aipotenctl stop ends them")
                            : complain(CTL_NOT_RUNNING, "not running; aipotenctl start");
}

static int timeout_of(const invocation_t *invocation)
{
    return (int)(invocation->given[OPTION_TIMEOUT] ? invocation->number[OPTION_TIMEOUT] : TIMEOUT_SECONDS) *
           1000;
}

static const char *target_of(const invocation_t *invocation)
{
    return invocation->count > 0 ? invocation->arguments[0] : NULL;
}

static json_t *request_of(const char *name, const char *target)
{
    json_t *request = json_pack("{s:s}", "request", name);
    if (target != NULL)
        json_object_set_new(request, "target", json_string(target));
    return request;
}

/* Says why not, when it is not. */
static enum exit_status ask(client_t *client, json_t *take_request, int milliseconds)
{
    json_t *answer = client_ask(client, take_request, milliseconds);
    if (answer == NULL)
        return complain(CTL_FAILED, "the supervisor does not answer; see var/log/supervisor.log");
    enum exit_status status = CTL_OK;
    if (!json_is_true(json_object_get(answer, "ok"))) {
        const char *error = json_string_value(json_object_get(answer, "error"));
        status = complain(CTL_FAILED, "%s", error != NULL ? error : "refused");
    }
    json_decref(answer);
    return status;
}

static enum exit_status ask_wait(client_t *client, const char *target, const char *what, int milliseconds)
{
    json_t *request = request_of("wait", target);
    json_object_set_new(request, "for", json_string(what));
    json_object_set_new(request, "timeout", json_integer(milliseconds > 0 ? milliseconds : 1));
    return ask(client, request, milliseconds + ANSWER_MILLISECONDS);
}

/* Asks, then waits for READY or down. */
static enum exit_status ask_and_wait(const invocation_t *invocation, const char *name, const char *what)
{
    client_t client;
    if (!client_connect(&client))
        return not_running();
    const char *target = target_of(invocation);
    enum exit_status status = ask(&client, request_of(name, target), ANSWER_MILLISECONDS);
    if (status == CTL_OK)
        status = ask_wait(&client, target, what, timeout_of(invocation));
    client_close(&client);
    return status;
}

/* Runs the supervisor beside us; its exit status. */
static int supervisor_run(const char *mode, const char *config)
{
    char directory[PATH_MAX], path[PATH_MAX];
    int status;
    pid_t pid;
    home_programs(directory);
    if (!paths_join(path, sizeof(path), directory, "supervisor"))
        return 127;
    char *arguments[5] = {"supervisor", (char *)mode};
    if (config != NULL) {
        arguments[2] = "--config";
        arguments[3] = (char *)config;
    }
    int reason = posix_spawn(&pid, path, NULL, NULL, arguments, environ);
    if (reason != 0) {
        complain(CTL_FAILED, "cannot start %s: %s", path, strerror(reason));
        return 127;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}

enum exit_status run_start(const invocation_t *invocation)
{
    client_t client;
    bool running = client_connect(&client);
    client_close(&client);
    if (running && invocation->given[OPTION_CONFIG])
        return complain(CTL_FAILED,
            "it runs already; another configuration file is taken by aipotenctl stop, then start");
    if (running)
        return ask_and_wait(invocation, "start", "ready");
    if (invocation->count > 0)
        return not_running();
    return supervisor_run("--detach", invocation->text[OPTION_CONFIG]) == 0 ? CTL_OK : CTL_FAILED;
}

static enum exit_status stop_all(const invocation_t *invocation)
{
    client_t client;
    int milliseconds = invocation->given[OPTION_TIMEOUT] ? timeout_of(invocation) : STOP_SECONDS * 1000;
    if (!client_connect(&client)) {
        if (!client_orphans())
            return not_running();
        return supervisor_run("--end", NULL) == 0 ? CTL_OK : CTL_FAILED;
    }
    enum exit_status status = ask(&client, request_of("stop", NULL), ANSWER_MILLISECONDS);
    if (status == CTL_OK && !client_wait_end(&client, milliseconds))
        status = complain(CTL_FAILED, "it has not stopped yet; see aipotenctl status");
    client_close(&client);
    return status;
}

enum exit_status run_stop(const invocation_t *invocation)
{
    return invocation->count == 0 ? stop_all(invocation) : ask_and_wait(invocation, "stop", "down");
}

enum exit_status change_ask(const char *name, const char *target, bool rolling, int milliseconds)
{
    client_t client;
    if (!client_connect(&client))
        return not_running();
    json_t *request = request_of(name, target);
    json_object_set_new(request, "timeout", json_integer(milliseconds));
    json_object_set_new(request, "rolling", json_boolean(rolling));
    enum exit_status status = ask(&client, request, milliseconds + DRAIN_MILLISECONDS);
    client_close(&client);
    return status;
}

enum exit_status service_restart(const char *target, int milliseconds)
{
    return change_ask("restart", target, false, milliseconds);
}

enum exit_status run_restart(const invocation_t *invocation)
{
    bool rolling = invocation->given[OPTION_ROLLING];
    int milliseconds =
        rolling && !invocation->given[OPTION_TIMEOUT] ? ROLLING_SECONDS * 1000 : timeout_of(invocation);
    return change_ask("restart", target_of(invocation), rolling, milliseconds);
}

static void names_print(const json_t *settings, const char *key, const char *words)
{
    size_t index;
    const json_t *name;
    json_array_foreach (json_object_get(settings, key), index, name)
        printf("%s%s%s", index == 0 ? words : "", index == 0 ? " " : ", ", json_string_value(name));
    if (json_array_size(json_object_get(settings, key)) > 0)
        printf("\n");
}

enum exit_status run_reload(const invocation_t *invocation)
{
    client_t client;
    if (!client_connect(&client))
        return not_running();
    json_t *answer = client_ask(&client, request_of("reload", NULL), ANSWER_MILLISECONDS + RELOAD_MILLISECONDS);
    client_close(&client);
    if (answer == NULL)
        return complain(CTL_FAILED, "the supervisor does not answer; see var/log/supervisor.log");
    const json_t *settings = json_object_get(answer, "settings");
    const char *error = json_string_value(json_object_get(answer, "error"));
    if (invocation->given[OPTION_JSON] && settings != NULL) {
        json_dumpf(settings, stdout, JSON_INDENT(2));
        printf("\n");
    } else if (settings != NULL) {
        printf("the TLS certificate was read again\n");
        names_print(settings, "applied", "applied:");
        names_print(settings, "at_restart", "need aipotenctl restart --rolling:");
        names_print(settings, "at_start", "need aipotenctl stop, then start:");
    }
    enum exit_status status = error == NULL ? CTL_OK : complain(CTL_FAILED, "%s", error);
    json_decref(answer);
    return status;
}

enum exit_status run_drain(const invocation_t *invocation)
{
    client_t client;
    if (!client_connect(&client))
        return not_running();
    enum exit_status status = ask(&client, request_of("drain", target_of(invocation)), ANSWER_MILLISECONDS);
    client_close(&client);
    return status;
}

enum exit_status run_scale(const invocation_t *invocation)
{
    client_t client;
    char *end;
    long count = strtol(invocation->arguments[1], &end, 10);
    if (*end != '\0' || invocation->arguments[1][0] == '\0' || count < 0)
        return complain(CTL_USAGE, "%s is no number of instances", invocation->arguments[1]);
    if (!client_connect(&client))
        return not_running();
    const char *service = invocation->arguments[0];
    json_t *request = request_of("scale", service);
    json_object_set_new(request, "count", json_integer(count));
    enum exit_status status = ask(&client, request, ANSWER_MILLISECONDS);
    if (status == CTL_OK && count > 0)
        status = ask_wait(&client, service, "ready", timeout_of(invocation));
    if (status == CTL_OK && count > 0)
        status = ask_wait(&client, service, "down", timeout_of(invocation));
    client_close(&client);
    return status;
}

/* A supervisor that is about to be started, or started again, is waited for too. */
enum exit_status run_wait(const invocation_t *invocation)
{
    client_t client;
    int64_t until = clock_monotonic() + timeout_of(invocation) * CLOCK_MILLISECOND;
    while (!client_connect(&client)) {
        if (clock_monotonic() >= until)
            return not_running();
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    enum exit_status status = ask_wait(
        &client, target_of(invocation), "ready", (int)((until - clock_monotonic()) / CLOCK_MILLISECOND));
    client_close(&client);
    return status;
}
