/* status and history: what is, at a glance, and what to do next. Memory is read here, not in the supervisor:
 * the kernel walks every mapping for it. Only its own it says itself: nobody but root may look into it. */
#include "../../shared/base/text.h"
#include "../supervisor/footprint.h"
#include "client.h"
#include "command.h"

#include <stdlib.h>
#include <string.h>

enum { ANSWER_MILLISECONDS = 10000, SLOW_SECONDS = 1 };

static const char *string_of(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value != NULL ? value : "";
}

/* What the kernel does not show us stands there already, where the process said it itself. */
static int64_t memory_add(json_t *object)
{
    const json_t *pid = json_object_get(object, "pid"), *said = json_object_get(object, "memory");
    int64_t memory = json_is_integer(pid) ? footprint_of((pid_t)json_integer_value(pid)) : -1;
    if (memory < 0 && json_is_integer(said))
        memory = json_integer_value(said);
    json_object_set_new(object, "memory", memory >= 0 ? json_integer(memory) : json_null());
    return memory > 0 ? memory : 0;
}

static void memory_fill(json_t *status)
{
    size_t index;
    json_t *instance;
    int64_t total = memory_add(json_object_get(status, "supervisor"));
    json_array_foreach (json_object_get(status, "instances"), index, instance)
        total += memory_add(instance);
    json_object_set_new(status, "memory", json_integer(total));
}

static const char *memory_text(const json_t *object, char *out, size_t out_size)
{
    const json_t *memory = json_object_get(object, "memory");
    if (json_is_integer(memory))
        snprintf(out, out_size, "%.1f MB", (double)json_integer_value(memory) / 1e6);
    else
        snprintf(out, out_size, "-");
    return out;
}

static const char *duration_text(double seconds, char *out, size_t out_size)
{
    long long whole = (long long)seconds;
    if (whole < 60)
        snprintf(out, out_size, "%lld s", whole);
    else if (whole < 3600)
        snprintf(out, out_size, "%lld min %lld s", whole / 60, whole % 60);
    else if (whole < 86400)
        snprintf(out, out_size, "%lld h %lld min", whole / 3600, whole % 3600 / 60);
    else
        snprintf(out, out_size, "%lld d %lld h", whole / 86400, whole % 86400 / 3600);
    return out;
}

static void name_text(const json_t *object, char *out, size_t out_size)
{
    snprintf(out, out_size, "%s.%lld", string_of(object, "service"),
        (long long)json_integer_value(json_object_get(object, "instance")));
}

/* --- next: -------------------------------------------------------------------------------------------------------- */

static const char *last_log(const json_t *instance)
{
    return string_of(json_object_get(instance, "last_death"), "log");
}

static void next_failed(const json_t *instance, const char *name)
{
    const json_t *retry = json_object_get(instance, "retry_in");
    const json_t *death = json_object_get(instance, "last_death");
    printf("next: %s failed (%s)", name, string_of(instance, "reason"));
    if (last_log(instance)[0] != '\0')
        printf(": %s", last_log(instance));
    if (strcmp(string_of(death, "cause"), "configuration") == 0)
        printf("; mend what it names, then aipotenctl start %s\n", string_of(instance, "service"));
    else if (json_is_number(retry))
        printf("; it is tried again in %.0f s; see var/log/%s\n", json_number_value(retry),
            string_of(instance, "log"));
    else
        printf("; see var/log/%s, then aipotenctl start %s\n", string_of(instance, "log"),
            string_of(instance, "service"));
}

static void next_backoff(const json_t *instance, const char *name)
{
    printf("next: %s died early (%s)%s%s; it is tried again in %.0f s; see var/log/%s\n", name,
        string_of(instance, "reason"), last_log(instance)[0] ? ": " : "", last_log(instance),
        json_number_value(json_object_get(instance, "retry_in")), string_of(instance, "log"));
}

static void next_starting(const json_t *instance, const char *name)
{
    const char *status = string_of(instance, "status");
    if (strstr(status, "database") != NULL)
        printf("next: %s: %s; is PostgreSQL running? (DATABASE_URL)\n", name, status);
    else
        printf("next: wait: %s is starting%s%s (aipotenctl wait)\n", name, status[0] ? ": " : "", status);
}

static void next_down(const json_t *instance, const char *name)
{
    if (json_is_true(json_object_get(instance, "wanted")))
        printf("next: wait: %s starts when what it needs is ready (aipotenctl wait)\n", name);
    else
        printf("next: %s is stopped; aipotenctl start %s\n", name, name);
}

static void next_draining(const json_t *instance, const char *name)
{
    if (json_is_true(json_object_get(instance, "held")))
        printf(
            "next: %s is drained and waits; aipotenctl start %s gives it back, stop ends it\n", name, name);
    else
        printf("next: wait: %s is on its way out\n", name);
}

/* The worst first; one sentence is enough. */
static const struct {
    const char *state;
    void (*say)(const json_t *instance, const char *name);
} worries[] = {
    {"FAILED", next_failed},
    {"BACKOFF", next_backoff},
    {"STARTING", next_starting},
    {"DOWN", next_down},
    {"DRAINING", next_draining},
    {"STOPPING", next_draining},
};

static void next_print(const json_t *status)
{
    size_t index;
    const json_t *instance;
    char name[64];
    for (size_t i = 0; i < ARRAY_SIZE(worries); i++)
        json_array_foreach (json_object_get(status, "instances"), index, instance)
            if (strcmp(string_of(instance, "state"), worries[i].state) == 0) {
                name_text(instance, name, sizeof(name));
                worries[i].say(instance, name);
                return;
            }
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

static void header_print(const json_t *status)
{
    const json_t *supervisor = json_object_get(status, "supervisor");
    char up[32], memory[32], total[32];
    printf("aipoten is %s, up %s; supervisor pid %lld, %s; all processes %s\n",
        string_of(supervisor, "state"),
        duration_text(json_number_value(json_object_get(supervisor, "uptime")), up, sizeof(up)),
        (long long)json_integer_value(json_object_get(supervisor, "pid")),
        memory_text(supervisor, memory, sizeof(memory)), memory_text(status, total, sizeof(total)));
    const char *https = string_of(status, "https"), *http = string_of(status, "http"),
               *redis = string_of(status, "redis");
    printf("%s%s%s\n", https, https[0] && http[0] ? "  " : "", http);
    printf("database %s, redis %s\n", string_of(status, "database"), redis[0] ? redis : "none");
    printf("configuration %s\ndata %s\n\n", string_of(supervisor, "config"), string_of(supervisor, "var"));
}

/* The rest of an instance's line: the one thing that is worth saying. */
static void note_print(const json_t *instance)
{
    const json_t *now = json_object_get(instance, "now");
    double seconds = json_number_value(json_object_get(now, "seconds"));
    if (json_is_object(now) && seconds >= SLOW_SECONDS)
        printf(
            "  in %s since %.1f s (call %s)", string_of(now, "operation"), seconds, string_of(now, "call"));
    else if (string_of(instance, "status")[0] != '\0')
        printf("  %s", string_of(instance, "status"));
    else if (json_is_object(json_object_get(instance, "last_death")))
        printf("  last death: %s", string_of(json_object_get(instance, "last_death"), "what"));
    if (json_is_true(json_object_get(instance, "adopted")))
        printf("  (adopted)");
}

static void instance_print(const json_t *instance)
{
    char name[64], memory[32], up[32] = "-", pid[16] = "-";
    name_text(instance, name, sizeof(name));
    const json_t *uptime = json_object_get(instance, "uptime"), *process = json_object_get(instance, "pid");
    if (json_is_number(uptime))
        duration_text(json_number_value(uptime), up, sizeof(up));
    if (json_is_integer(process))
        snprintf(pid, sizeof(pid), "%lld", (long long)json_integer_value(process));
    printf("%-18s %-9s %8s %14s %6lld %9lld %10s", name, string_of(instance, "state"), pid, up,
        (long long)json_integer_value(json_object_get(instance, "generation")),
        (long long)json_integer_value(json_object_get(instance, "restarts")),
        memory_text(instance, memory, sizeof(memory)));
    note_print(instance);
    printf("\n");
}

static json_t *ask(json_t *take_request, enum exit_status *status)
{
    client_t client;
    *status = CTL_OK;
    if (!client_connect(&client)) {
        json_decref(take_request);
        *status = client_orphans()
                      ? complain(CTL_NOT_RUNNING, "no supervisor runs, but its processes serve on; next: "
                                                  "aipotenctl start adopts them")
                      : complain(CTL_NOT_RUNNING, "not running; next: aipotenctl start");
        return NULL;
    }
    json_t *answer = client_ask(&client, take_request, ANSWER_MILLISECONDS);
    client_close(&client);
    if (answer == NULL)
        *status = complain(CTL_FAILED, "the supervisor does not answer; see var/log/supervisor.log");
    return answer;
}

static void json_print(const json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2));
    printf("\n");
}

enum exit_status run_status(const invocation_t *invocation)
{
    enum exit_status result;
    json_t *status = ask(json_pack("{s:s}", "request", "status"), &result);
    if (status == NULL)
        return result;
    memory_fill(status);
    json_object_del(status, "ok");
    if (invocation->given[OPTION_JSON]) {
        json_print(status);
    } else {
        size_t index;
        const json_t *instance;
        header_print(status);
        printf("%-18s %-9s %8s %14s %6s %9s %10s\n", "INSTANCE", "STATE", "PID", "UP", "GEN", "RESTARTS",
            "MEMORY");
        json_array_foreach (json_object_get(status, "instances"), index, instance)
            instance_print(instance);
        next_print(status);
    }
    json_decref(status);
    return CTL_OK;
}

static void death_print(const json_t *death)
{
    char name[64];
    name_text(death, name, sizeof(name));
    printf("%s  %-18s pid %-8lld %s", string_of(death, "time"), name,
        (long long)json_integer_value(json_object_get(death, "pid")), string_of(death, "what"));
    if (string_of(death, "call")[0] != '\0')
        printf(", call %s", string_of(death, "call"));
    if (string_of(death, "trace")[0] != '\0')
        printf(", trace %s", string_of(death, "trace"));
    printf("\n");
    if (string_of(death, "log")[0] != '\0')
        printf("    its last words: %s\n", string_of(death, "log"));
}

enum exit_status run_history(const invocation_t *invocation)
{
    enum exit_status result;
    json_int_t count = invocation->given[OPTION_COUNT] ? (json_int_t)invocation->number[OPTION_COUNT] : 0;
    json_t *answer = ask(json_pack("{s:s s:I}", "request", "history", "count", count), &result);
    if (answer == NULL)
        return result;
    json_object_del(answer, "ok");
    if (invocation->given[OPTION_JSON]) {
        json_print(answer);
    } else {
        size_t index;
        const json_t *death;
        json_array_foreach (json_object_get(answer, "deaths"), index, death)
            death_print(death);
        if (json_array_size(json_object_get(answer, "deaths")) == 0)
            printf("nothing has died\n");
    }
    json_decref(answer);
    return CTL_OK;
}
