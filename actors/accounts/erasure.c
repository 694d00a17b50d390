/* erasure: a deleted account is forgotten. users_erase (deletion.c) closed the way back and emitted user.erased; each actor
 * that holds personal data, this one among them, removes it, and its delivery is gone when that has committed. When none is
 * left, the user's own row becomes a tombstone: until then it says whose data the others still have to find. */
#include "actor/erasure.h"
#include "actor/events.h"
#include "actor/record_read.h"
#include "base/clock.h"
#include "base/log.h"
#include "exports.h"

enum { LOOK = 1000 /* milliseconds */, ACTORS_MOST = 32 };

/* Consents stay: what was agreed to must be shown for as long as anybody may ask, and a row without its person says nothing. */
void accounts_user_erased(call_t *call)
{
    const user_erased_t *in = call->input;
    param_t user = bind_uuid(in->user);
    const rows_t *exports = db_query(call, &SQL_exports_forget, user);
    for (int i = 0; i < exports->count; i++) {
        const export_file_t *export = row_at(call, exports, i);
        if (message_has(export, file))
            export_remove(call, export->file);
    }
    db_query(call, &SQL_sessions_forget, user);
    db_query(call, &SQL_verifications_forget, user);
    db_query(call, &SQL_resets_forget, user);
    password_reset_forget(call, in->user);
    db_query(call, &SQL_oauth_states_forget, user);
    person_forget(call, in->user);
    reply_nothing(call);
}

/* "accounts admin children": who has to acknowledge. */
static text_t subscribers(call_t *call)
{
    buffer_t names = {0};
    const char *name;
    for (int i = 0; (name = event_subscriber("user.erased", i)) != NULL; i++)
        buffer_format(&names, "%s%s", i > 0 ? " " : "", name);
    text_t copy = arena_copy(call->arena, buffer_text(&names));
    buffer_free(&names);
    return copy;
}

int64_t erasures_finish(call_t *call)
{
    param_t who = bind_text(subscribers(call));
    const total_t *due = row_first(call, db_query(call, &SQL_erasures_due, who));
    if (due->total == 0)
        return LOOK;
    const rows_t *rows = db_query(call, &SQL_erasures_finish, who);
    for (int i = 0; i < rows->count; i++) {
        char id[UUID_TEXT_SIZE];
        uuid_t user = ((const only_id_t *)row_at(call, rows, i))->id;
        call_tag(call, TAG_USER, user);
        uuid_format(user, id);
        log_event(LOG_INFO, "user_erased", LOG_S("user", id));
    }
    return LOOK;
}

/* --- its progress ------------------------------------------------------------------------------------------------- */

static enum erasure_part part_of(call_t *call, const rows_t *waiting, const char *actor)
{
    for (int i = 0; i < waiting->count; i++) {
        const erasure_delivery_t *delivery = row_at(call, waiting, i);
        if (text_equal(delivery->subscriber, text_of(actor)))
            return delivery->dead ? PART_STUCK : PART_WAITING;
    }
    return PART_DONE;
}

static list_t actors_of(call_t *call, uuid_t user)
{
    const rows_t *waiting =
        db_query(call, &SQL_erasure_waiting, bind_uuid(user), bind_text(subscribers(call)));
    erasure_actor_t *actors = arena_allocate(call->arena, ACTORS_MOST * sizeof(*actors));
    size_t count = 0;
    const char *name;
    while (count < ACTORS_MOST && (name = event_subscriber("user.erased", (int)count)) != NULL) {
        message_set(&actors[count], actor, text_of(name));
        message_set(&actors[count], state, part_of(call, waiting, name));
        count++;
    }
    return (list_t){.items = actors, .count = count};
}

/* NULL: the account was not deleted. */
static const erasure_t *erasure_of(call_t *call, const admin_user_row_t *user)
{
    if (!message_has(user, deleted_at))
        return NULL;
    erasure_t *erasure = arena_allocate(call->arena, sizeof(*erasure));
    enum erasure_state state = user->status == USER_ERASED    ? ERASURE_DONE
                               : user->status == USER_ERASING ? ERASURE_RUNNING
                                                              : ERASURE_SCHEDULED;
    message_set(erasure, state, state);
    message_set(
        erasure, begins_at, user->deleted_at + call_config(call)->auth.restore_within * CLOCK_MILLISECOND);
    message_set(erasure, actors, state == ERASURE_SCHEDULED ? (list_t){0} : actors_of(call, user->id));
    return erasure;
}

void admin_user_get(call_t *call)
{
    const id_params_t *params = call->params;
    const admin_user_row_t *user = row_or_404(call, db_query(call, &SQL_user_standing, bind_uuid(params->id)));
    admin_user_detail_t detail = {0};
    memcpy(&detail, user, sizeof(*user)); /* it begins with the row */
    const erasure_t *erasure = erasure_of(call, user);
    if (erasure != NULL)
        message_set(&detail, erasure, erasure);
    record_read_emit(call, "user", params->id, 1);
    reply_value(call, &detail);
}

_Static_assert(offsetof(admin_user_detail_t, deleted_at) == offsetof(admin_user_row_t, deleted_at),
    "a detail begins with its row");
