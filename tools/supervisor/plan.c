/* Stages open one after the other at the start and stay open: the gate is for the order of the start alone, a
 * later death of an actor never holds back a frontend. A stage opens when each instance before it is READY or
 * has failed once; a broken actor must not keep the rest of the platform from serving. */
#include "plan.h"
#include "../../shared/base/clock.h"
#include "../../shared/base/log.h"
#include "../../shared/base/memory.h"
#include "certificate.h"
#include "instance.h"
#include "reload.h"
#include "roll.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CONFIG_MOST = 1 << 20 };

int target_parse(const char *text, target_t *out, char *error, size_t error_size)
{
    *out = (target_t){.service = -1};
    if (text == NULL)
        return 0;
    char name[64];
    snprintf(name, sizeof(name), "%s", text);
    char *dot = strrchr(name, '.');
    int64_t number = 0;
    if (dot != NULL) {
        *dot = '\0';
        if (!text_to_int(text_of(dot + 1), &number) || number < 1 || number > INT16_MAX) {
            snprintf(error, error_size, "%s: an instance is named SERVICE.NUMBER", text);
            return -1;
        }
    }
    out->service = service_find(name);
    out->number = (int)number;
    if (out->service >= 0)
        return 0;
    int length = snprintf(error, error_size, "there is no service %s; there are", name);
    for (int i = 0; i < service_count && length < (int)error_size; i++)
        length += snprintf(error + length, error_size - (size_t)length, " %s", services[i].name);
    return -1;
}

bool target_has(target_t target, const instance_t *instance)
{
    return (target.service < 0 || target.service == instance->service) &&
           (target.number == 0 || target.number == instance->number);
}

static int count_of(const supervisor_t *supervisor, int service)
{
    int count = 0;
    EACH_INSTANCE ((supervisor_t *)supervisor, instance)
        count += instance->service == service && !instance->leaving && !instance->stand_in && !instance->successor;
    return count;
}

int plan_populate(supervisor_t *supervisor, char *error, size_t error_size)
{
    for (int service = 0; service < service_count; service++)
        if (count_of(supervisor, service) == 0 &&
            plan_scale(supervisor, service, config_instances(&supervisor->config, services[service].name),
                error, error_size) != 0)
            return -1;
    return 0;
}

/* --- the configuration -------------------------------------------------------------------------------------------- */

/* The file's text in a memfd that nobody can change; -1 with a reason. */
static int config_copy(const char *path, char *error, size_t error_size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    int copy = file < 0 ? -1 : memfd_create("aipoten-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ssize_t copied = copy < 0 ? -1 : 0, length = 0;
    char bytes[4096];
    while (copied >= 0 && length <= CONFIG_MOST && (copied = read(file, bytes, sizeof(bytes))) > 0) {
        length += copied;
        if (write(copy, bytes, (size_t)copied) != copied)
            copied = -1;
    }
    if (copied != 0 ||
        fcntl(copy, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        snprintf(error, error_size, "%s: %s", path,
            copied > 0 ? "longer than a configuration can be" : strerror(errno));
        if (copy >= 0)
            close(copy);
        copy = -1;
    }
    if (file >= 0)
        close(file);
    return copy;
}

/* The sockets are made once: what they were made from stays in force, and stays shown. */
static void listen_keep(config_t *fresh, const config_t *former)
{
    if (fresh->listen.https_port != former->listen.https_port ||
        fresh->listen.http_port != former->listen.http_port ||
        strcmp(fresh->listen.https_address, former->listen.https_address) != 0 ||
        strcmp(fresh->listen.http_address, former->listen.http_address) != 0)
        log_event(LOG_WARNING, "listen_kept",
            LOG_S("reason", "addresses and ports are taken at the start only"),
            LOG_S("next", "aipotenctl stop, then aipotenctl start"));
    fresh->listen.https_port = former->listen.https_port;
    fresh->listen.http_port = former->listen.http_port;
    fresh->listen.https_address = former->listen.https_address;
    fresh->listen.http_address = former->listen.http_address;
}

int plan_configure(supervisor_t *supervisor, char *error, size_t error_size)
{
    config_t fresh;
    int fd = config_copy(supervisor->config_path, error, error_size);
    if (fd < 0)
        return -1;
    if (config_load_fd(fd, supervisor->config_path, &fresh, error, error_size) != 0) {
        close(fd);
        return -1;
    }
    config_t former = supervisor->config;
    bool first = supervisor->config_fd < 0;
    if (!first && certificate_check(&fresh, supervisor->paths.tls, error, error_size) != 0) {
        close(fd);
        return -1;
    }
    if (!first) {
        close(supervisor->config_fd);
        listen_keep(&fresh, &former);
    }
    supervisor->config = fresh;
    supervisor->config_fd = fd;
    for (int service = 0; !first && service < service_count; service++) {
        int count = config_instances(&fresh, services[service].name);
        if (count != config_instances(&former, services[service].name) &&
            plan_scale(supervisor, service, count, error, error_size) != 0)
            log_event(LOG_WARNING, "scale_failed", LOG_S("reason", error),
                LOG_S("next", "lower instances in the configuration"));
    }
    return 0;
}

/* --- commands ----------------------------------------------------------------------------------------------------- */

static void queue_remove(supervisor_t *supervisor, int index)
{
    memmove(supervisor->restart_queue + index, supervisor->restart_queue + index + 1,
        (size_t)(supervisor->restart_count - index - 1) * sizeof(int));
    supervisor->restart_count--;
    if (index == 0)
        supervisor->restart_generation = 0;
}

static void queue_forget(supervisor_t *supervisor, int slot)
{
    for (int i = supervisor->restart_count - 1; i >= 0; i--)
        if (supervisor->restart_queue[i] == slot)
            queue_remove(supervisor, i);
}

void plan_start(supervisor_t *supervisor, target_t target)
{
    EACH_INSTANCE (supervisor, instance)
        if (target_has(target, instance) && !instance->leaving) {
            instance->wanted = true;
            instance_event(instance, EVENT_START);
        }
    supervisor->dirty = true;
}

void plan_stop(supervisor_t *supervisor, target_t target)
{
    roll_cancel(supervisor, "something was stopped");
    EACH_INSTANCE (supervisor, instance)
        if (target_has(target, instance)) {
            instance->wanted = false;
            queue_forget(supervisor, instance->slot);
            instance_event(instance, EVENT_STOP);
        }
    supervisor->dirty = true;
}

/* Stage by stage, number by number: of two instances one always serves. */
void plan_restart(supervisor_t *supervisor, target_t target)
{
    for (int service = 0; service < service_count; service++)
        for (int number = 1; number <= SEGMENT_INSTANCES; number++) {
            instance_t *instance = instance_find(supervisor, service, number);
            if (instance == NULL || !target_has(target, instance) || instance->leaving)
                continue;
            queue_forget(supervisor, instance->slot);
            instance->wanted = true;
            supervisor->restart_queue[supervisor->restart_count++] = instance->slot;
        }
}

int plan_scale(supervisor_t *supervisor, int service, int count, char *error, size_t error_size)
{
    int more = count - count_of(supervisor, service), free_places = SEGMENT_INSTANCES;
    EACH_INSTANCE (supervisor, instance)
        free_places--;
    if (count < 0 || more > free_places) {
        snprintf(error, error_size, "%s cannot have %d instances: the table has %d places, %d are free",
            services[service].name, count, SEGMENT_INSTANCES, free_places);
        return -1;
    }
    for (int number = 1; number <= count; number++) {
        instance_t *instance = instance_find(supervisor, service, number);
        if (instance == NULL)
            instance = instance_create(supervisor, service, number);
        instance->leaving = false;
        instance->wanted = true;
    }
    EACH_INSTANCE (supervisor, instance)
        if (instance->service == service && instance->number > count) {
            instance->leaving = true;
            instance->wanted = false;
            queue_forget(supervisor, instance->slot);
            instance_event(instance, EVENT_STOP);
        }
    supervisor->dirty = true;
    return 0;
}

void plan_stop_all(supervisor_t *supervisor)
{
    if (supervisor->stopping)
        return;
    log_event(LOG_INFO, "stopping", LOG_I("pid", getpid()));
    roll_cancel(supervisor, "the system is stopped");
    supervisor->stopping = true;
    supervisor->restart_count = 0;
    EACH_INSTANCE (supervisor, instance)
        instance->wanted = false;
}

/* --- once per turn ------------------------------------------------------------------------------------------------ */

static void step_deadlines(supervisor_t *supervisor)
{
    int64_t now = clock_monotonic();
    EACH_INSTANCE (supervisor, instance)
        if (instance->deadline != 0 && instance->deadline <= now) {
            instance->deadline = 0;
            instance_event(instance, EVENT_TIME);
        }
}

/* The highest stage with something that is not down; -1: all is. */
static int highest_stage(const supervisor_t *supervisor)
{
    int stage = -1;
    EACH_INSTANCE ((supervisor_t *)supervisor, instance)
        if (instance_state(instance) != INSTANCE_DOWN && services[instance->service].stage > stage)
            stage = services[instance->service].stage;
    return stage;
}

static void step_stopping(supervisor_t *supervisor)
{
    int stage, next = highest_stage(supervisor);
    do { /* again when a stage had no process at all */
        stage = next;
        EACH_INSTANCE (supervisor, instance)
            if (services[instance->service].stage == stage)
                instance_event(instance, EVENT_STOP);
        next = highest_stage(supervisor);
    } while (next != stage);
    supervisor->ended = stage < 0;
}

/* It runs, or it has had its chance. */
static bool settled(const instance_t *instance)
{
    enum instance_state state = instance_state(instance);
    return !instance->wanted || instance->successor || state == INSTANCE_READY || state == INSTANCE_FAILED || instance->restarts > 0;
}

static void step_stages(supervisor_t *supervisor)
{
    int last = 0;
    for (int i = 0; i < service_count; i++)
        last = services[i].stage > last ? services[i].stage : last;
    for (; supervisor->open_stage < last; supervisor->open_stage++)
        EACH_INSTANCE (supervisor, instance)
            if (services[instance->service].stage <= supervisor->open_stage && !settled(instance))
                return;
}

static void step_instances(supervisor_t *supervisor)
{
    EACH_INSTANCE (supervisor, instance) {
        if (instance_state(instance) != INSTANCE_DOWN)
            continue;
        if (instance->leaving) {
            atomic_store(&instance->row->used, 0);
            segment_touch(supervisor->segment);
            instance->row = NULL;
            supervisor->dirty = true;
        } else if (instance->wanted && services[instance->service].stage <= supervisor->open_stage) {
            instance_event(instance, EVENT_START);
        }
    }
}

/* --- restarts: one instance at a time. Where no other one of its service is READY, a stand-in is started
 * first, so that somebody always answers; when that fails (a new program, a new configuration) the old one
 * was not touched. */

static void queue_end(supervisor_t *supervisor, const instance_t *culprit)
{
    log_event(LOG_ERROR, "restart_ended", LOG_S("instance", instance_name(culprit)),
        LOG_S("reason", culprit->reason), LOG_S("next", "the instances after it were left as they are"));
    snprintf(supervisor->restart_error, sizeof(supervisor->restart_error), "%s did not come up: %s%s%s; %s",
        instance_name(culprit), culprit->reason, culprit->last_death.log[0] ? ": " : "",
        culprit->last_death.log,
        culprit->stand_in ? "it was to stand in, what runs stays as it is"
                          : "the others were left as they are");
    supervisor->restart_failures++;
    supervisor->restart_count = 0;
    supervisor->restart_generation = 0;
}

/* Stand-ins leave when the restart they stand in for is over. */
static void stand_ins_dismiss(supervisor_t *supervisor)
{
    const instance_t *head =
        supervisor->restart_count > 0 ? &supervisor->instances[supervisor->restart_queue[0]] : NULL;
    EACH_INSTANCE (supervisor, instance)
        if (instance->stand_in && !instance->leaving &&
            (head == NULL || head->service != instance->service)) {
            instance->leaving = true;
            instance->wanted = false;
            instance_event(instance, EVENT_STOP);
        }
}

static bool served_without(supervisor_t *supervisor, const instance_t *instance)
{
    EACH_INSTANCE (supervisor, other)
        if (other != instance && other->service == instance->service && !other->leaving &&
            instance_state(other) == INSTANCE_READY)
            return true;
    return false;
}

static instance_t *stand_in_find(supervisor_t *supervisor, int service)
{
    EACH_INSTANCE (supervisor, instance)
        if (instance->stand_in && instance->service == service)
            return instance;
    return NULL;
}

/* May the head be stopped now? */
static bool stand_in_ready(supervisor_t *supervisor, const instance_t *head)
{
    if (instance_state(head) != INSTANCE_READY || served_without(supervisor, head))
        return true;
    instance_t *stand_in = stand_in_find(supervisor, head->service);
    if (stand_in == NULL) {
        int number = 1;
        while (instance_find(supervisor, head->service, number) != NULL)
            number++;
        stand_in = instance_create(supervisor, head->service, number);
        if (stand_in == NULL)
            return true; /* no place for one */
        stand_in->stand_in = stand_in->wanted = true;
    } else if (instance_state(stand_in) == INSTANCE_BACKOFF || instance_state(stand_in) == INSTANCE_FAILED) {
        queue_end(supervisor, stand_in);
    }
    return false;
}

static void restart_begin(supervisor_t *supervisor, instance_t *head)
{
    enum instance_state state = instance_state(head);
    bool waiting = state == INSTANCE_DOWN || state == INSTANCE_BACKOFF || state == INSTANCE_FAILED;
    supervisor->restart_generation = atomic_load(&head->row->generation) + 1; /* never 0 */
    instance_event(head, waiting ? EVENT_START : EVENT_STOP);
}

/* Has the head of the queue come back? */
static void step_restarts(supervisor_t *supervisor)
{
    while (supervisor->restart_count > 0) {
        instance_t *head = &supervisor->instances[supervisor->restart_queue[0]];
        enum instance_state state = instance_state(head);
        if (supervisor->restart_generation == 0) {
            if (stand_in_ready(supervisor, head))
                restart_begin(supervisor, head);
            break;
        }
        if (atomic_load(&head->row->generation) + 1 == supervisor->restart_generation)
            break; /* the old one still */
        if (state == INSTANCE_READY) {
            queue_remove(supervisor, 0);
            continue;
        }
        if (state == INSTANCE_BACKOFF || state == INSTANCE_FAILED)
            queue_end(supervisor, head);
        break;
    }
    stand_ins_dismiss(supervisor);
}

void plan_step(supervisor_t *supervisor)
{
    step_deadlines(supervisor);
    if (supervisor->stopping) {
        step_stopping(supervisor);
        return;
    }
    reload_step(supervisor);
    step_restarts(supervisor);
    step_stages(supervisor);
    do
        step_instances(supervisor);
    while (roll_step(supervisor));
}

int64_t plan_deadline(const supervisor_t *supervisor)
{
    int64_t first = roll_deadline(), other = reload_deadline();
    if (first == 0 || (other != 0 && other < first))
        first = other;
    EACH_INSTANCE ((supervisor_t *)supervisor, instance)
        if (instance->deadline != 0 && (first == 0 || instance->deadline < first))
            first = instance->deadline;
    return first;
}

bool plan_all_ready(const supervisor_t *supervisor)
{
    EACH_INSTANCE ((supervisor_t *)supervisor, instance)
        if (instance->wanted && !instance->successor && instance_state(instance) != INSTANCE_READY)
            return false;
    return true;
}
