#include "progress.h"
#include "../../shared/base/clock.h"
#include "../../shared/base/log.h"
#include "instance.h"
#include "listeners.h"
#include "notify.h"
#include "plan.h"

#include <stdio.h>

/* A detached start that needs more tries than this of one instance has failed. */
enum { TRIES = 3 };

static void tell(instance_t *instance)
{
    instance->told = true;
    switch (instance_state(instance)) {
    case INSTANCE_STARTING:
        if (instance->status[0] != '\0')
            printf("    %-18s %s\n", instance_name(instance), instance->status);
        break;
    case INSTANCE_READY:
        if (instance->adopted)
            printf("    %-18s adopted, pid %d\n", instance_name(instance), (int)instance->pid);
        else
            printf("    %-18s ready after %lld ms\n", instance_name(instance),
                (long long)((instance->ready - instance->launched) / CLOCK_MILLISECOND));
        break;
    case INSTANCE_BACKOFF:
    case INSTANCE_FAILED:
        printf("    %-18s %s: %s%s%s\n", instance_name(instance),
            instance_state(instance) == INSTANCE_FAILED ? "failed" : "died, tried again soon",
            instance->reason, instance->last_death.log[0] ? ": " : "", instance->last_death.log);
        break;
    default:
        break;
    }
}

static void tell_ready(supervisor_t *supervisor)
{
    char https[256], http[256];
    listener_url(&supervisor->config, true, https, sizeof(https));
    listener_url(&supervisor->config, false, http, sizeof(http));
    double seconds = (double)(clock_monotonic() - supervisor->started) / CLOCK_SECOND;
    printf("ready after %.2f s: %s%s%s\n", seconds, https, https[0] && http[0] ? "  " : "", http);
    log_event(LOG_INFO, "system_ready",
        LOG_I("milliseconds", (clock_monotonic() - supervisor->started) / CLOCK_MILLISECOND));
    notify_parent("READY=1\n");
}

/* Nobody looks at a detached start that never comes to its end. */
static void give_up(supervisor_t *supervisor)
{
    int64_t late = supervisor->started + 2 * supervisor->config.supervisor.start_timeout * CLOCK_MILLISECOND;
    EACH_INSTANCE (supervisor, instance) {
        enum instance_state state = instance_state(instance);
        bool failed = state == INSTANCE_FAILED || instance->early >= TRIES;
        if (!failed && (state == INSTANCE_READY || !instance->wanted || clock_monotonic() < late))
            continue;
        const char *why = instance->reason[0] ? instance->reason : instance->status;
        const char *log = instance->reason[0] ? instance->last_death.log : "";
        printf("aipoten did not start: %s %s%s%s%s%s\n  its log: %s/%s.log\n", instance_name(instance),
            failed ? "failed" : "is not ready", why[0] ? ": " : "", why, log[0] ? ": " : "", log,
            supervisor->paths.log, instance_name(instance));
        supervisor->exit_status = 1;
        supervisor->was_ready = true; /* nothing more to say */
        plan_stop_all(supervisor);
        return;
    }
}

void progress_step(supervisor_t *supervisor)
{
    if (supervisor->was_ready || supervisor->stopping)
        return;
    EACH_INSTANCE (supervisor, instance)
        if (!instance->told)
            tell(instance);
    if (plan_all_ready(supervisor)) {
        tell_ready(supervisor);
        supervisor->was_ready = true;
    } else if (supervisor->detached) {
        give_up(supervisor);
    }
    fflush(stdout);
}
