/* A member of a roll is an instance and its successor, on its way through these states:
 *
 *     WAITING ──may_start──> STARTING ──READY=1──> REPORTED ──may_serve──> SERVING ──may_retire──> RETIRING ──gone──> DONE
 *
 * One after the other (restart --rolling) the next member begins when the one before retires, and the one before that is gone. Its rows must be those of the
 * old one: frontends route to equal rows only, so that others would leave the frontends that run with nobody.
 *
 * Together (upgrade) the rows may be others, and old processes must find old ones, new ones new ones, at every moment: the new
 * actors start beside the old ones and serve when all of them are there; then come the new frontends; when these accept, the old
 * frontends go, and the old actors when no old frontend is left. Until the first one retires nothing of the old release has
 * changed, so that a failure leaves it whole.
 *
 * A successor that is not yet in force stands in var/run/state as leaving: a supervisor that comes meanwhile drops it. */
#include "roll.h"
#include "../../shared/base/clock.h"
#include "../../shared/base/log.h"
#include "instance.h"

#include <stdio.h>
#include <string.h>

enum { STARTING_MOST = 2 }; /* together: all at once would take the processors from those who serve */

enum member_state { MEMBER_WAITING, MEMBER_STARTING, MEMBER_REPORTED, MEMBER_SERVING, MEMBER_RETIRING, MEMBER_DONE };

typedef struct {
    instance_t *old, *fresh; /* the same one where no process was to be replaced */
    enum member_state state;
    uint64_t rows; /* schema hash of the old one while it served; 0: not known */
} member_t;

static struct {
    member_t members[SEGMENT_INSTANCES];
    int count; /* 0: no roll */
    bool together;
    int64_t until;
} roll;

#define EACH_MEMBER(name) for (member_t *name = roll.members; name < roll.members + roll.count; name++)

bool roll_active(void)
{
    return roll.count > 0;
}

int64_t roll_deadline(void)
{
    return roll.count > 0 ? roll.until : 0;
}

static int stage_of(const member_t *member)
{
    return services[member->old->service].stage;
}

static bool is_in_place(const member_t *member)
{
    return member->old == member->fresh;
}

/* --- what has to be so ------------------------------------------------------------------------------------------------------- */

static bool may_start(const member_t *member)
{
    int starting = 0;
    EACH_MEMBER (other) {
        if (!roll.together && other < member && other->state < (other + 1 == member ? MEMBER_RETIRING : MEMBER_DONE))
            return false;
        if (roll.together && stage_of(other) < stage_of(member) && other->state < MEMBER_SERVING)
            return false;
        starting += other->state == MEMBER_STARTING;
    }
    return starting < STARTING_MOST;
}

/* Actors of a new release call each other: none serves before all can. */
static bool may_serve(const member_t *member)
{
    EACH_MEMBER (other)
        if (roll.together && stage_of(other) == stage_of(member) && other->state < MEMBER_REPORTED)
            return false;
    return true;
}

static bool may_retire(const member_t *member)
{
    EACH_MEMBER (other)
        if (roll.together &&
            (other->state < MEMBER_SERVING || (stage_of(other) > stage_of(member) && other->state != MEMBER_DONE)))
            return false;
    return true;
}

/* The first old one was told to go: from here on it only goes forward. */
static bool has_turned(void)
{
    EACH_MEMBER (member)
        if (roll.together && member->state >= MEMBER_RETIRING && !is_in_place(member))
            return true;
    return false;
}

static bool has_failed(const instance_t *instance)
{
    enum instance_state state = instance_state(instance);
    return state == INSTANCE_BACKOFF || state == INSTANCE_FAILED || state == INSTANCE_STOPPING;
}

/* --- the end ----------------------------------------------------------------------------------------------------------------- */

static void dismiss(member_t *member)
{
    if (is_in_place(member) || member->state == MEMBER_WAITING || member->state >= MEMBER_RETIRING)
        return;
    member->fresh->leaving = true;
    member->fresh->wanted = false;
    instance_event(member->fresh, EVENT_STOP);
}

static void fail(supervisor_t *supervisor, const char *reason, const char *next)
{
    int done = 0;
    EACH_MEMBER (member) {
        done += member->state >= MEMBER_RETIRING;
        dismiss(member);
    }
    log_event(LOG_ERROR, "roll_ended", LOG_S("reason", reason), LOG_I("replaced", done), LOG_S("next", next));
    /* The supervisor is the new release's already. */
    const char *after = roll.together ? "; until then what dies is started again from the new release, which an old one may not "
                                        "find: aipotenctl upgrade with the former release's directory goes back" : "";
    snprintf(supervisor->restart_error, sizeof(supervisor->restart_error),
        "%s; %d of %d were replaced, what runs stays as it is; %s%s", reason, done, roll.count, next, after);
    supervisor->restart_failures++;
    supervisor->dirty = true;
    roll.count = 0;
}

void roll_cancel(supervisor_t *supervisor, const char *reason)
{
    if (roll.count > 0)
        fail(supervisor, reason, "begin it again when that is over");
}

static void fail_of(supervisor_t *supervisor, const instance_t *fresh, const char *what)
{
    char reason[512], next[128], name[64];
    snprintf(name, sizeof(name), "%s", instance_name(fresh));
    const char *why = fresh->reason[0] ? fresh->reason : fresh->status;
    const char *log = fresh->reason[0] ? fresh->last_death.log : "";
    snprintf(reason, sizeof(reason), "the new %s %s%s%s%s%s", name, what, why[0] ? ": " : "", why, log[0] ? ": " : "", log);
    snprintf(next, sizeof(next), "mend it (aipotenctl history, var/log/%s.log), then do this again", name);
    fail(supervisor, reason, next);
}

/* --- the steps ---------------------------------------------------------------------------------------------------------------- */

/* False: the roll has ended. */
static bool start(supervisor_t *supervisor, member_t *member)
{
    enum instance_state state = instance_state(member->old);
    member->state = MEMBER_STARTING;
    if (state == INSTANCE_DOWN || state == INSTANCE_BACKOFF || state == INSTANCE_FAILED) {
        member->fresh = member->old; /* nobody to be replaced */
        member->old->wanted = true;
        instance_event(member->old, EVENT_START);
        return true;
    }
    instance_t *fresh = instance_create(supervisor, member->old->service, member->old->number);
    if (fresh == NULL) {
        member->state = MEMBER_WAITING;
        fail(supervisor, "the table of instances has no free place", "aipotenctl scale a service down first");
        return false;
    }
    fresh->successor = fresh->wanted = true;
    member->fresh = fresh;
    member->rows = atomic_load(&member->old->row->schema);
    log_event(LOG_INFO, "successor", LOG_S("instance", instance_name(fresh)), LOG_I("slot", fresh->slot));
    return true;
}

static bool rows_fit(supervisor_t *supervisor, const member_t *member)
{
    if (roll.together || member->rows == 0 || atomic_load(&member->fresh->row->schema) == member->rows)
        return true;
    char reason[160];
    snprintf(reason, sizeof(reason), "the new %s has other rows than the one that runs", instance_name(member->fresh));
    fail(supervisor, reason, "aipotenctl upgrade brings a new release");
    return false;
}

static void serve(member_t *member)
{
    member->state = MEMBER_SERVING;
    instance_event(member->fresh, EVENT_READY);
}

/* From here on the new one is the instance of this number. */
static void retire(member_t *member)
{
    member->state = MEMBER_RETIRING;
    member->fresh->successor = false;
    member->fresh->restarts = member->old->restarts;
    member->old->leaving = true;
    member->old->wanted = false;
    instance_event(member->old, EVENT_STOP);
}

static bool step_starting(supervisor_t *supervisor, member_t *member)
{
    if (has_failed(member->fresh)) {
        fail_of(supervisor, member->fresh, "did not come up");
        return false;
    }
    if (is_in_place(member)) {
        if (instance_state(member->fresh) == INSTANCE_READY)
            member->state = MEMBER_DONE;
    } else if (member->fresh->reported) {
        if (!rows_fit(supervisor, member))
            return false;
        member->state = MEMBER_REPORTED;
    }
    return true;
}

static bool step_reported(supervisor_t *supervisor, member_t *member)
{
    if (has_failed(member->fresh)) {
        fail_of(supervisor, member->fresh, "died before it could take over");
        return false;
    }
    if (may_serve(member))
        serve(member);
    return true;
}

static bool step_serving(supervisor_t *supervisor, member_t *member)
{
    if (!has_turned() && has_failed(member->fresh)) {
        fail_of(supervisor, member->fresh, "died before it had taken over");
        return false;
    }
    if ((instance_state(member->fresh) == INSTANCE_READY || has_turned()) && may_retire(member))
        retire(member);
    return true;
}

/* False: the roll has ended. */
static bool member_step(supervisor_t *supervisor, member_t *member)
{
    switch (member->state) {
    case MEMBER_WAITING:
        return !may_start(member) || start(supervisor, member);
    case MEMBER_STARTING:
        return step_starting(supervisor, member);
    case MEMBER_REPORTED:
        return step_reported(supervisor, member);
    case MEMBER_SERVING:
        return step_serving(supervisor, member);
    case MEMBER_RETIRING:
        if (member->old->row == NULL)
            member->state = MEMBER_DONE;
        return true;
    default:
        return true;
    }
}

static bool all_done(void)
{
    EACH_MEMBER (member)
        if (member->state != MEMBER_DONE)
            return false;
    return true;
}

/* Only what is not yet READY is given up; old ones that drain have their own deadline. */
static void give_up_late(supervisor_t *supervisor)
{
    if (roll.until == 0 || clock_monotonic() < roll.until)
        return;
    roll.until = 0;
    if (has_turned())
        return;
    EACH_MEMBER (member)
        if (member->state == MEMBER_STARTING) {
            fail_of(supervisor, member->fresh, "is not READY within the time");
            return;
        }
    EACH_MEMBER (member)
        if (member->state == MEMBER_WAITING) {
            fail(supervisor, "the time was over before all were replaced", "do it again with a longer --timeout");
            return;
        }
}

bool roll_step(supervisor_t *supervisor)
{
    bool changed = false;
    give_up_late(supervisor);
    for (int i = 0; i < roll.count; i++) {
        enum member_state before = roll.members[i].state;
        if (!member_step(supervisor, &roll.members[i]))
            return true;
        changed = changed || roll.members[i].state != before;
    }
    if (roll.count > 0 && all_done()) {
        log_event(LOG_INFO, "rolled", LOG_I("instances", roll.count));
        supervisor->dirty = true;
        roll.count = 0;
    }
    return changed;
}

int roll_begin(supervisor_t *supervisor, target_t target, bool together, int64_t until, char *error, size_t error_size)
{
    if (roll.count > 0 || supervisor->restart_count > 0) {
        snprintf(error, error_size, "a restart or an upgrade is under way; aipotenctl wait");
        return -1;
    }
    roll.together = together;
    roll.until = until;
    for (int service = 0, stage = 0; stage <= STAGES_MOST; service = 0, stage++)
        for (; service < service_count; service++)
            for (int number = 1; services[service].stage == stage && number <= SEGMENT_INSTANCES; number++) {
                instance_t *old = instance_find(supervisor, service, number);
                if (old == NULL || !target_has(target, old) || old->leaving || (together && !old->wanted))
                    continue;
                roll.members[roll.count++] = (member_t){.old = old, .state = MEMBER_WAITING};
            }
    log_event(LOG_INFO, together ? "upgrade" : "rolling", LOG_I("instances", roll.count));
    return 0;
}

void roll_describe(char *out, size_t out_size)
{
    static const char *const words[] = {[MEMBER_WAITING] = "waits for its turn", [MEMBER_STARTING] = "is starting",
        [MEMBER_REPORTED] = "waits for the others", [MEMBER_SERVING] = "waits for the others", [MEMBER_RETIRING] = "drains"};
    int done = 0;
    const member_t *first = NULL;
    out[0] = '\0';
    EACH_MEMBER (member) {
        done += member->state == MEMBER_DONE;
        if (first == NULL && member->state != MEMBER_DONE && member->state != MEMBER_WAITING)
            first = member;
    }
    if (first != NULL)
        snprintf(out, out_size, "%d of %d are replaced, %s %s", done, roll.count, instance_name(first->old), words[first->state]);
}
