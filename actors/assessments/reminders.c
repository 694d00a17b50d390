/* reminders: once a day, from assessments.reminder_at in Seoul on, the children whose last assessment is older than their age asks
 * for (reminder_rule.h); each is told as assessment.due to whoever subscribes, once in a band of ages.
 *
 * What always holds: the note of a reminder (assessment_reminders) and its event are of one transaction, so neither is without the
 * other, whoever dies and however many look; a pass that broke off begins anew and finds its notes. Day and hour are PostgreSQL's. As
 * long as this release has nobody who subscribes, nobody looks and nothing is noted: who subscribes later reminds of all that is
 * due then. */
#include "assessments.h"
#include "reminder_rule.h"
#include "../../shared/actor/erasure.h"
#include "../../shared/actor/events.h"
#include "../../shared/base/clock.h"
#include "../../shared/base/config.h"
#include "../../shared/base/log.h"

enum {
    WINDOW = 500,        /* children that are looked at in one step */
    BATCH = 50,          /* reminders in one transaction */
    NEXT_STEP = 50,      /* milliseconds: others write meanwhile */
    LOOK_AGAIN = 60000,  /* at the clock */
    OLDEST_MONTHS = 73,  /* of those that are looked at; the rule decides */
    MONTH_DAYS_MOST = 31
};

/* The pass of a day; only what was committed counts. */
static struct {
    int32_t day;   /* that it is of; 0: none yet */
    bool done;
    uuid_t after;  /* the child that was looked at last */
    int64_t reminded;
} pass;

typedef struct {
    const candidate_row_t *candidate;
    reminder_t reminder;
} due_t;

/* --- whom --------------------------------------------------------------------------------------------------------- */

static bool is_due(const candidate_row_t *candidate, int32_t today, due_t *out)
{
    int weeks = message_has(candidate, gestational_weeks) ? (int)candidate->gestational_weeks : 0;
    *out = (due_t){candidate, reminder_for(candidate->birth_date, weeks, candidate->completed_on, today)};
    bool told = message_has(candidate, reminded_band) && candidate->reminded_band == out->reminder.band_start;
    return out->reminder.due && !told;
}

/* The next due ones after pass.after, BATCH at most; *until: the child up to which that is all, *last: no child is after it. */
static int due_find(call_t *call, due_t *found, uuid_t *until, bool *last)
{
    const rows_t *window = db_query(call, &SQL_reminder_window, bind_uuid(pass.after), bind_integer(WINDOW));
    *last = window->count == 0;
    if (!*last)
        *until = ((const reminded_row_t *)row_first(call, window))->child_id;
    const rows_t *rows = db_query(call, &SQL_reminder_candidates, bind_uuid(pass.after),
        *last ? bind_null() : bind_uuid(*until), bind_date(pass.day - OLDEST_MONTHS * MONTH_DAYS_MOST));
    int count = 0;
    for (int i = 0; i < rows->count; i++) {
        if (!is_due(row_at(call, rows, i), pass.day, &found[count]) || ++count < BATCH)
            continue;
        *until = found[count - 1].candidate->child_id;
        *last = false;
        break;
    }
    return count;
}

/* --- telling ------------------------------------------------------------------------------------------------------ */

static void due_emit(call_t *call, const due_t *due)
{
    assessment_due_t event = {0};
    message_set(&event, child, due->candidate->child_id);
    message_set(&event, user, due->candidate->user_id);
    message_set(&event, age, due->reminder.age);
    message_set(&event, last_completed_at, due->candidate->completed_at);
    event_emit(call, "assessment.due", event.child, &assessment_due_message, &event);
}

/* "child:band child:band" */
static text_t pairs_of(call_t *call, const due_t *found, int count)
{
    buffer_t pairs = {0};
    for (int i = 0; i < count; i++) {
        char child[UUID_TEXT_SIZE];
        uuid_format(found[i].candidate->child_id, child);
        buffer_format(&pairs, "%s%s:%d", i ? " " : "", child, found[i].reminder.band_start);
    }
    text_t copy = arena_copy(call->arena, buffer_text(&pairs));
    buffer_free(&pairs);
    return copy;
}

/* Notes them, and tells of those that nobody has told of before. */
static int due_tell(call_t *call, const due_t *found, int count)
{
    const rows_t *noted = db_query(call, &SQL_reminders_note, bind_text(pairs_of(call, found, count)));
    for (int i = 0; i < noted->count; i++) {
        const reminded_row_t *row = row_at(call, noted, i);
        for (int k = 0; k < count; k++)
            if (uuid_equal(found[k].candidate->child_id, row->child_id))
                due_emit(call, &found[k]);
    }
    call_commit(call);
    return noted->count;
}

/* --- the day ------------------------------------------------------------------------------------------------------ */

static void step(call_t *call)
{
    due_t found[BATCH];
    uuid_t until = pass.after;
    bool last;
    int count = due_find(call, found, &until, &last);
    int reminded = count > 0 ? due_tell(call, found, count) : 0;
    pass.reminded += reminded;
    pass.after = until;
    pass.done = last;
    if (last)
        log_event(LOG_INFO, "reminders", LOG_I("children", pass.reminded));
}

int64_t reminder_work(call_t *call, int index)
{
    (void)index;
    if (call_instance(call) != 1)
        return -1;
    if (event_subscriber("assessment.due", 0) == NULL) {
        log_event(LOG_INFO, "reminders_unheard", LOG_S("next", "nobody in this release subscribes to assessment.due"));
        return -1;
    }
    const seoul_row_t *now = row_first(call, db_query(call, &SQL_reminder_clock));
    int64_t left = reminder_waits(now->second, call_config(call)->assessments.reminder_at);
    if (left > 0)
        return left < LOOK_AGAIN ? left : LOOK_AGAIN;
    if (pass.day != now->today) {
        pass.day = now->today;
        pass.done = false;
        pass.after = (uuid_t){{0}};
        pass.reminded = 0;
    }
    if (!pass.done)
        step(call);
    return pass.done ? LOOK_AGAIN : NEXT_STEP;
}
