#include "requests.h"
#include "../../shared/base/clock.h"
#include "../../shared/base/log.h"
#include "bundle.h"
#include "footprint.h"
#include "handover.h"
#include "instance.h"
#include "listeners.h"
#include "reload.h"
#include "roll.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_MOST_MILLISECONDS = 3600 * 1000, WAIT_DEFAULT_MILLISECONDS = 60 * 1000, ROLL_GRACE_MILLISECONDS = 5000 };

typedef struct {
    supervisor_t *supervisor;
    const json_t *request;
    wait_t *wait;
    int *send_fd;
    target_t target; /* of its "target" */
} context_t;

static json_t *string_or_null(const char *string)
{
    json_t *value = string != NULL && string[0] != '\0' ? json_string(string) : NULL;
    return value != NULL ? value : json_null();
}

json_t *request_refuse(const char *format, ...)
{
    char sentence[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    return json_pack("{s:b s:o}", "ok", 0, "error", string_or_null(sentence));
}

static json_t *accept_plain(void)
{
    return json_pack("{s:b}", "ok", 1);
}

/* --- status ------------------------------------------------------------------------------------------------------- */

static json_t *now_to_json(const instance_t *instance)
{
    segment_now_t now;
    char call[UUID_TEXT_SIZE];
    if (!now_get(instance->row, &now) || now.operation[0] == '\0')
        return json_null();
    uuid_format(now.call, call);
    return json_pack("{s:o s:s s:o s:f}", "operation", string_or_null(now.operation), "call", call, "trace",
        string_or_null(now.trace), "seconds", (double)(clock_now() - now.since) / CLOCK_SECOND);
}

static json_t *instance_to_json(const instance_t *instance)
{
    int64_t now = clock_monotonic();
    char schema[17], log[96];
    snprintf(schema, sizeof(schema), "%016llx", (unsigned long long)atomic_load(&instance->row->schema));
    snprintf(log, sizeof(log), "%s.log", instance_name(instance));
    json_t *object =
        json_pack("{s:s s:i s:s s:b s:I s:s s:I s:I s:s}", "service", services[instance->service].name,
            "instance", instance->number, "state", instance_state_name(instance_state(instance)), "wanted",
            instance->wanted, "generation", (json_int_t)atomic_load(&instance->row->generation), "schema",
            schema, "restarts", (json_int_t)instance->restarts, "connections",
            (json_int_t)atomic_load(&instance->row->database_connections), "log", log);
    bool alive = instance->pid != 0;
    json_object_set_new(object, "pid", alive ? json_integer(instance->pid) : json_null());
    json_object_set_new(
        object, "uptime", alive ? json_real((double)(now - instance->launched) / CLOCK_SECOND) : json_null());
    json_object_set_new(object, "adopted", json_boolean(instance->adopted));
    json_object_set_new(object, "held", json_boolean(instance->held));
    json_object_set_new(object, "slot", json_integer(instance->slot));
    json_object_set_new(object, "successor", json_boolean(instance->successor));
    json_object_set_new(object, "status", string_or_null(instance->status));
    json_object_set_new(object, "reason", string_or_null(instance->reason));
    enum instance_state state = instance_state(instance);
    bool retries = (state == INSTANCE_BACKOFF || state == INSTANCE_FAILED) && instance->deadline != 0;
    json_object_set_new(object, "retry_in",
        retries ? json_real((double)(instance->deadline - now) / CLOCK_SECOND) : json_null());
    json_object_set_new(object, "now", now_to_json(instance));
    json_object_set_new(object, "last_death",
        instance->last_death.time != 0 ? death_to_json(&instance->last_death) : json_null());
    return object;
}

static const char *redis_place(const char *url)
{
    const char *at = url != NULL ? strrchr(url, '@') : NULL;
    const char *scheme = url != NULL ? strstr(url, "://") : NULL;
    return at != NULL ? at + 1 : scheme != NULL ? scheme + 3 : "";
}

static json_t *run_status(context_t *context)
{
    supervisor_t *supervisor = context->supervisor;
    char https[256], http[256], database[256];
    json_t *list = json_array();
    for (int service = 0; service < service_count; service++)
        for (int number = 1; number <= SEGMENT_INSTANCES; number++)
            EACH_INSTANCE (supervisor, instance)
                if (instance->service == service && instance->number == number)
                    json_array_append_new(list, instance_to_json(instance));
    listener_url(&supervisor->config, true, https, sizeof(https));
    listener_url(&supervisor->config, false, http, sizeof(http));
    bundle_database_place(supervisor->database_url, database, sizeof(database));
    const char *state = supervisor->stopping         ? "STOPPING"
                        : plan_all_ready(supervisor) ? "READY"
                        : supervisor->was_ready      ? "DEGRADED"
                                                     : "STARTING";
    return json_pack("{s:b s:{s:i s:I s:s s:f s:s s:s s:s} s:o s:o s:s s:o s:o}", "ok", 1, "supervisor", "pid",
        (int)getpid(), "memory", (json_int_t)footprint_of(getpid()), "state", state, "uptime",
        (double)(clock_monotonic() - supervisor->started) / CLOCK_SECOND, "var", supervisor->paths.var,
        "config", supervisor->config_path, "programs", supervisor->program_directory, "https", string_or_null(https), "http", string_or_null(http),
        "database", database, "redis", string_or_null(redis_place(supervisor->config.redis.url)), "instances",
        list);
}

static json_t *run_history(context_t *context)
{
    json_int_t count = json_integer_value(json_object_get(context->request, "count"));
    return json_pack("{s:b s:o}", "ok", 1, "deaths",
        history_list(count > 0 && count < HISTORY_MOST ? (int)count : HISTORY_MOST));
}

/* --- commands ----------------------------------------------------------------------------------------------------- */

static bool target_exists(const context_t *context)
{
    EACH_INSTANCE (context->supervisor, instance)
        if (target_has(context->target, instance))
            return true;
    return false;
}

/* What runs is being replaced: nothing else may change it meanwhile but a stop. */
static json_t *refuse_while_rolling(void)
{
    char what[256];
    roll_describe(what, sizeof(what));
    return roll_active() ? request_refuse("a restart or an upgrade is under way (%s); aipotenctl wait", what) : NULL;
}

static json_t *run_start(context_t *context)
{
    if (!target_exists(context))
        return request_refuse("there is no such instance; aipotenctl scale SERVICE N makes more");
    if (roll_active())
        return refuse_while_rolling();
    plan_start(context->supervisor, context->target);
    return accept_plain();
}

static json_t *run_stop(context_t *context)
{
    if (!target_exists(context))
        return request_refuse("there is no such instance");
    if (context->target.service < 0)
        plan_stop_all(context->supervisor);
    else
        plan_stop(context->supervisor, context->target);
    return accept_plain();
}

static json_t *wait_begin(context_t *context, bool down)
{
    json_int_t timeout = json_integer_value(json_object_get(context->request, "timeout"));
    if (timeout <= 0 || timeout > WAIT_MOST_MILLISECONDS)
        timeout = WAIT_DEFAULT_MILLISECONDS;
    *context->wait = (wait_t){.what = down ? WAIT_DOWN : WAIT_READY,
        .target = context->target,
        .deadline = clock_monotonic() + timeout * CLOCK_MILLISECOND,
        .failures = context->supervisor->restart_failures};
    return NULL;
}

static json_t *run_wait(context_t *context)
{
    const char *what = json_string_value(json_object_get(context->request, "for"));
    if (!target_exists(context))
        return request_refuse("there is no such instance");
    wait_begin(context, what != NULL && strcmp(what, "down") == 0);
    context->wait->failures = -1; /* somebody else's restart is not its matter */
    return NULL;
}

/* The rest of its time is for those that drain. */
static json_t *roll(context_t *context, bool together)
{
    char error[256];
    wait_begin(context, false);
    if (roll_begin(context->supervisor, context->target, together, context->wait->deadline, error, sizeof(error)) != 0) {
        context->wait->what = WAIT_NOTHING;
        return request_refuse("%s", error);
    }
    context->wait->deadline += (ROLL_GRACE_MILLISECONDS + context->supervisor->config.supervisor.stop_timeout) * CLOCK_MILLISECOND;
    return NULL;
}

/* Answered when it is over: by then it has gone well or not. */
static json_t *run_restart(context_t *context)
{
    char error[512];
    if (!target_exists(context))
        return request_refuse("there is no such instance");
    if (roll_active())
        return refuse_while_rolling();
    if (plan_configure(context->supervisor, error, sizeof(error)) != 0)
        return request_refuse("%s; what runs stays as it is", error);
    if (json_is_true(json_object_get(context->request, "rolling")))
        return roll(context, false);
    plan_restart(context->supervisor, context->target);
    return wait_begin(context, false);
}

static json_t *run_reload(context_t *context)
{
    char error[512];
    if (roll_active())
        return refuse_while_rolling();
    if (reload_deadline() != 0)
        return request_refuse("a reload is under way");
    if (reload_begin(context->supervisor, error, sizeof(error)) != 0)
        return request_refuse("%s; what runs stays as it is", error);
    wait_begin(context, false);
    context->wait->what = WAIT_RELOADED;
    return NULL;
}

/* The second half of aipotenctl upgrade: this supervisor is the new release's, what runs may be of the old one. */
static json_t *run_upgrade(context_t *context)
{
    if (context->target.service >= 0)
        return request_refuse("an upgrade is of the whole system");
    return roll_active() ? refuse_while_rolling() : roll(context, true);
}

/* The first half: the supervisor becomes that of another directory. */
static json_t *run_handover(context_t *context)
{
    char error[512];
    const char *directory = json_string_value(json_object_get(context->request, "directory"));
    if (roll_active())
        return refuse_while_rolling();
    if (context->supervisor->restart_count > 0)
        return request_refuse("a restart is under way; aipotenctl wait");
    if (directory == NULL || handover_prepare(context->supervisor, directory, error, sizeof(error)) != 0)
        return request_refuse("%s", directory == NULL ? "a directory is wanted" : error);
    return accept_plain();
}

static json_t *run_drain(context_t *context)
{
    const target_t target = context->target;
    instance_t *instance =
        target.number != 0 ? instance_find(context->supervisor, target.service, target.number) : NULL;
    if (instance == NULL)
        return request_refuse("drain wants one instance that exists: SERVICE.NUMBER");
    if (services[target.service].listens)
        return request_refuse(
            "%s takes its connections from a shared socket, it drains when it is stopped: aipotenctl stop %s",
            instance_name(instance), instance_name(instance));
    if (roll_active())
        return refuse_while_rolling();
    if (instance_state(instance) != INSTANCE_READY)
        return request_refuse("%s is %s, only READY instances can be drained", instance_name(instance),
            instance_state_name(instance_state(instance)));
    instance_event(instance, EVENT_HOLD);
    return accept_plain();
}

static json_t *run_scale(context_t *context)
{
    char error[256];
    const json_t *count = json_object_get(context->request, "count");
    if (context->target.service < 0 || context->target.number != 0 || !json_is_integer(count))
        return request_refuse("scale wants a service and a number of instances");
    if (roll_active())
        return refuse_while_rolling();
    json_int_t number = json_integer_value(count);
    if (number < 0 || number > SEGMENT_INSTANCES)
        return request_refuse(
            "%lld instances are not between 0 and %d", (long long)number, SEGMENT_INSTANCES);
    if (plan_scale(context->supervisor, context->target.service, (int)number, error, sizeof(error)) != 0)
        return request_refuse("%s", error);
    return accept_plain();
}

/* Read-only, whoever gets it: opened anew from the descriptor. */
static json_t *run_segment(context_t *context)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", context->supervisor->segment_fd);
    *context->send_fd = open(path, O_RDONLY | O_CLOEXEC);
    return *context->send_fd >= 0 ? accept_plain()
                                  : request_refuse("the segment cannot be opened for reading");
}

/* "child:UUID", "videos"; which names there are is the asker's business: another one invalidates nothing. */
static json_t *run_cache_flush(context_t *context)
{
    const char *tag = json_string_value(json_object_get(context->request, "tag"));
    text_t rest = text_of(tag), part;
    char name[64];
    uuid_t id = {{0}};
    if (tag == NULL) {
        cache_flush(context->supervisor->cache);
        log_event(LOG_INFO, "cache_flushed");
        return accept_plain();
    }
    text_split(&rest, ':', &part);
    if (part.length == 0 || part.length >= sizeof(name) || (rest.data != NULL && uuid_parse(rest, &id) != 0))
        return request_refuse("%s is no tag", tag);
    snprintf(name, sizeof(name), "%.*s", TEXT_ARG(part));
    cache_invalidate_named(context->supervisor->cache, name, &id);
    log_event(LOG_INFO, "cache_flushed", LOG_S("tag", tag));
    return accept_plain();
}

static const struct {
    const char *name;
    json_t *(*run)(context_t *);
} rows[] = {
    {"status", run_status},
    {"history", run_history},
    {"start", run_start},
    {"stop", run_stop},
    {"restart", run_restart},
    {"reload", run_reload},
    {"upgrade", run_upgrade},
    {"handover", run_handover},
    {"drain", run_drain},
    {"scale", run_scale},
    {"wait", run_wait},
    {"segment", run_segment},
    {"cache_flush", run_cache_flush},
};

json_t *request_run(supervisor_t *supervisor, const json_t *request, wait_t *wait, int *send_fd)
{
    char error[512];
    context_t context = {.supervisor = supervisor, .request = request, .wait = wait, .send_fd = send_fd};
    const char *name = json_string_value(json_object_get(request, "request"));
    if (target_parse(json_string_value(json_object_get(request, "target")), &context.target, error,
            sizeof(error)) != 0)
        return request_refuse("%s", error);
    for (size_t i = 0; name != NULL && i < ARRAY_SIZE(rows); i++)
        if (strcmp(name, rows[i].name) == 0)
            return rows[i].run(&context);
    return request_refuse("there is no request %s", name != NULL ? name : "without a name");
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

/* What keeps the target from being ready, in words; false: nothing. */
static bool not_ready(supervisor_t *supervisor, target_t target, char *out, size_t out_size, bool *hopeless)
{
    bool found = false;
    *hopeless = false;
    EACH_INSTANCE (supervisor, instance) {
        enum instance_state state = instance_state(instance);
        if (!target_has(target, instance) || !instance->wanted || instance->successor || state == INSTANCE_READY)
            continue;
        const char *why = instance->reason[0] ? instance->reason : instance->status;
        if (!found || state == INSTANCE_FAILED)
            snprintf(out, out_size, "%s is %s%s%s%s%s", instance_name(instance), instance_state_name(state),
                why[0] ? ": " : "", why, instance->reason[0] && instance->last_death.log[0] ? ": " : "",
                instance->reason[0] ? instance->last_death.log : "");
        found = true;
        *hopeless = *hopeless || state == INSTANCE_FAILED;
    }
    return found;
}

static bool in_restart(supervisor_t *supervisor, target_t target)
{
    EACH_INSTANCE (supervisor, instance)
        if (instance->stand_in && target_has((target_t){.service = target.service}, instance))
            return true;
    if (roll_active())
        return true;
    for (int i = 0; i < supervisor->restart_count; i++)
        if (target_has(target, &supervisor->instances[supervisor->restart_queue[i]]))
            return true;
    return false;
}

static bool still_up(const supervisor_t *supervisor, target_t target, char *out, size_t out_size)
{
    EACH_INSTANCE ((supervisor_t *)supervisor, instance)
        if (target_has(target, instance) && (!instance->wanted || instance->leaving) &&
            instance_state(instance) != INSTANCE_DOWN) {
            snprintf(out, out_size, "%s is %s", instance_name(instance),
                instance_state_name(instance_state(instance)));
            return true;
        }
    return false;
}

json_t *request_wait_over(supervisor_t *supervisor, const wait_t *wait)
{
    char what[1024] = "";
    bool hopeless = false, pending;
    if (wait->what == WAIT_RELOADED)
        return reload_outcome(supervisor);
    if (wait->failures >= 0 && wait->failures != supervisor->restart_failures)
        return request_refuse("%s", supervisor->restart_error);
    if (wait->what == WAIT_DOWN)
        pending = still_up(supervisor, wait->target, what, sizeof(what));
    else
        pending = not_ready(supervisor, wait->target, what, sizeof(what), &hopeless) ||
                  in_restart(supervisor, wait->target);
    if (!pending)
        return accept_plain();
    if (hopeless)
        return request_refuse("%s", what);
    if (!what[0])
        roll_describe(what, sizeof(what));
    if (clock_monotonic() >= wait->deadline)
        return request_refuse("not within the time: %s", what[0] ? what : "the restart goes on");
    return NULL;
}
