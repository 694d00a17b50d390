/* upgrade: another release takes over while everything serves. Its own aipotenctl judges whether it can: this one, or the one in
 * the directory that was named. What is refused here was not begun. */
#include "../../shared/base/clock.h"
#include "../../shared/base/config.h"
#include "../../shared/shm/cache.h"
#include "../../shared/shm/services.h"
#include "../supervisor/home.h"
#include "../supervisor/paths.h"
#include "client.h"
#include "command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { UPGRADE_SECONDS = 300, ANSWER_MILLISECONDS = 10000, HANDOVER_SECONDS = 60 };

/* Becomes the aipotenctl of that directory; returns only when it cannot. */
static enum exit_status release_run(const char *directory, const invocation_t *invocation)
{
    char path[PATH_MAX], seconds[32], var[PATH_MAX];
    if (!paths_join(path, sizeof(path), directory, "aipotenctl") || access(path, X_OK) != 0)
        return complain(CTL_FAILED, "%s has no aipotenctl: build the release first", directory);
    snprintf(seconds, sizeof(seconds), "--timeout=%lld",
        (long long)(invocation->given[OPTION_TIMEOUT] ? invocation->number[OPTION_TIMEOUT] : UPGRADE_SECONDS));
    home_var(var);
    setenv("AIPOTEN_VAR", var, 1); /* this system is meant, not one beside that release */
    execl(path, "aipotenctl", "upgrade", seconds, (char *)NULL);
    return complain(CTL_FAILED, "cannot run %s: %s", path, strerror(errno));
}

static json_t *status_ask(void)
{
    client_t client;
    if (!client_connect(&client))
        return NULL;
    json_t *status = client_ask(&client, json_pack("{s:s}", "request", "status"), ANSWER_MILLISECONDS);
    client_close(&client);
    return status;
}

static bool name_is(const json_t *instance, const char *service)
{
    const char *name = json_string_value(json_object_get(instance, "service"));
    return name != NULL && strcmp(name, service) == 0;
}

/* The places of the table of services travel in shared memory: a new release may append rows, nothing else. */
static enum exit_status services_check(segment_t *segment, const json_t *status)
{
    size_t index;
    const json_t *instance;
    json_array_foreach (json_object_get(status, "instances"), index, instance) {
        json_int_t slot = json_integer_value(json_object_get(instance, "slot"));
        if (slot < 0 || slot >= SEGMENT_INSTANCES)
            continue;
        int service = segment_instance(segment, (int)slot)->service;
        if (service < 0 || service >= service_count || !name_is(instance, services[service].name))
            return complain(CTL_FAILED,
                "this release has another table of services (%s): it needs aipotenctl stop, then start",
                json_string_value(json_object_get(instance, "service")));
    }
    return CTL_OK;
}

/* Can this release take over from what runs? */
static enum exit_status release_check(const json_t *status)
{
    config_t config;
    char error[1024];
    enum exit_status result;
    const char *path = json_string_value(json_object_get(json_object_get(status, "supervisor"), "config"));
    if (path == NULL)
        return complain(CTL_FAILED, "the running supervisor is too old to be taken over: aipotenctl stop, then start");
    if (config_load(path, &config, error, sizeof(error)) != 0)
        return complain(CTL_FAILED, "%s; what runs stays as it is", error);
    segment_t *segment = segment_get(&result);
    if (segment == NULL)
        return result == CTL_FAILED
                   ? complain(CTL_FAILED, "the releases share no memory: this one needs aipotenctl stop, then start")
                   : result;
    /* Its actors' writes would end no answer that the frontends which run still give. */
    if (cache_is_foreign(segment))
        return complain(CTL_FAILED, "the releases share no cache: this one needs aipotenctl stop, then start");
    return services_check(segment, status);
}

/* Until the next one answers. */
static enum exit_status successor_wait(void)
{
    int64_t until = clock_monotonic() + HANDOVER_SECONDS * CLOCK_SECOND;
    while (clock_monotonic() < until) {
        json_t *status = status_ask();
        bool answers = json_is_true(json_object_get(status, "ok"));
        json_decref(status);
        if (answers)
            return CTL_OK;
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return complain(CTL_FAILED, "the new supervisor does not answer; what ran serves on; see var/log/supervisor.log, then "
                                "aipotenctl start, which adopts it");
}

static enum exit_status handover(const char *directory)
{
    client_t client;
    if (!client_connect(&client))
        return complain(CTL_NOT_RUNNING, "not running; next: aipotenctl start");
    json_t *answer = client_ask(
        &client, json_pack("{s:s s:s}", "request", "handover", "directory", directory), ANSWER_MILLISECONDS);
    const char *error = json_string_value(json_object_get(answer, "error"));
    enum exit_status status = CTL_OK;
    if (!json_is_true(json_object_get(answer, "ok")))
        status = complain(CTL_FAILED, "%s", error != NULL ? error : "the supervisor does not answer");
    else if (!client_wait_end(&client, HANDOVER_SECONDS * 1000)) /* it ends with the program that answered */
        status = complain(CTL_FAILED, "the supervisor did not hand over; see var/log/supervisor.log");
    json_decref(answer);
    client_close(&client);
    return status == CTL_OK ? successor_wait() : status;
}

enum exit_status run_upgrade(const invocation_t *invocation)
{
    char own[PATH_MAX], directory[PATH_MAX];
    home_programs(own);
    if (invocation->count > 0 && realpath(invocation->arguments[0], directory) == NULL)
        return complain(CTL_FAILED, "%s: %s", invocation->arguments[0], strerror(errno));
    if (invocation->count > 0 && strcmp(own, directory) != 0)
        return release_run(directory, invocation);
    json_t *status = status_ask();
    if (status == NULL)
        return complain(CTL_NOT_RUNNING, "not running; next: aipotenctl start");
    enum exit_status result = release_check(status);
    json_decref(status);
    if (result == CTL_OK)
        result = run_db_migrate(&(invocation_t){.count = 0});
    if (result == CTL_OK)
        result = handover(own);
    if (result != CTL_OK)
        return result;
    int64_t seconds = invocation->given[OPTION_TIMEOUT] ? invocation->number[OPTION_TIMEOUT] : UPGRADE_SECONDS;
    return change_ask("upgrade", NULL, false, (int)seconds * 1000);
}
