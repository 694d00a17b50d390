/* preferences: which types of notifications a user wants by which channel, and the hours in which mails and pushes wait. What was not
 * chosen is as kinds.c says; nothing of that is stored, so a later release may say it otherwise. */
#include "notifications.h"
#include <ctype.h>

enum { MINUTES_OF_DAY = 24 * 60 };

/* "22:00" as minutes; -1: it is none. */
static int64_t minutes_of(text_t text)
{
    int64_t hours, minutes;
    bool good = text.length == 5 && text.data[2] == ':' && isdigit((unsigned char)text.data[0]) &&
                isdigit((unsigned char)text.data[3]) && text_to_int((text_t){text.data, 2}, &hours) &&
                text_to_int((text_t){text.data + 3, 2}, &minutes) && minutes < 60 && hours * 60 + minutes < MINUTES_OF_DAY;
    return good ? hours * 60 + minutes : -1;
}

static text_t minutes_text(call_t *call, int64_t minutes)
{
    return arena_format(call->arena, "%02d:%02d", (int)(minutes / 60), (int)(minutes % 60));
}

/* Every type, chosen or not. */
static preference_t *types_of(call_t *call, const preference_t *chosen, size_t count)
{
    preference_t *types = arena_allocate(call->arena, NOTIFICATION_TYPES * sizeof(*types));
    for (int i = 0; i < NOTIFICATION_TYPES; i++) {
        message_set(&types[i], type, i);
        message_set(&types[i], in_app, kinds[i].in_app);
        message_set(&types[i], email, kinds[i].email);
        message_set(&types[i], push, kinds[i].push);
    }
    for (size_t i = 0; i < count; i++)
        types[chosen[i].type] = chosen[i];
    return types;
}

static void answer(call_t *call, const preference_t *chosen, size_t count, const quiet_row_t *quiet)
{
    preferences_t preferences = {0};
    if (quiet != NULL) {
        message_set(&preferences, quiet_from, minutes_text(call, quiet->quiet_from));
        message_set(&preferences, quiet_until, minutes_text(call, quiet->quiet_until));
    }
    message_set(&preferences, types, (list_t){.items = types_of(call, chosen, count), .count = NOTIFICATION_TYPES});
    reply_value(call, &preferences);
}

void preferences_get(call_t *call)
{
    param_t user = bind_uuid(call->principal.user);
    const rows_t *rows = db_query(call, &SQL_preferences_of, user);
    preference_t *chosen = arena_allocate(call->arena, ((size_t)rows->count + 1) * sizeof(*chosen));
    for (int i = 0; i < rows->count; i++)
        chosen[i] = *(const preference_t *)row_at(call, rows, i);
    answer(call, chosen, (size_t)rows->count, row_first(call, db_query(call, &SQL_quiet_of, user)));
}

/* False: there are none. */
static bool quiet_read(call_t *call, const preferences_put_t *in, quiet_row_t *out)
{
    if (!message_has(in, quiet_from) && !message_has(in, quiet_until))
        return false;
    if (!message_has(in, quiet_from) || !message_has(in, quiet_until))
        call_fail_field(call, ERROR_VALIDATION, message_has(in, quiet_from) ? "quiet_until" : "quiet_from", PROBLEM_REQUIRED);
    int64_t from = minutes_of(in->quiet_from), until = minutes_of(in->quiet_until);
    if (from < 0)
        call_fail_field(call, ERROR_VALIDATION, "quiet_from", PROBLEM_FORMAT);
    if (until < 0 || until == from) /* from 22:00 until 22:00 is nothing or always: neither is meant */
        call_fail_field(call, ERROR_VALIDATION, "quiet_until", PROBLEM_FORMAT);
    message_set(out, quiet_from, from);
    message_set(out, quiet_until, until);
    return true;
}

static void types_check(call_t *call, const preference_t *types, size_t count)
{
    unsigned seen = 0;
    for (size_t i = 0; i < count; i++) {
        if (seen >> types[i].type & 1)
            call_fail_field(call, ERROR_VALIDATION, arena_format(call->arena, "types.%zu.type%c", i, '\0').data, PROBLEM_DUPLICATE);
        seen |= 1u << types[i].type;
    }
}

void preferences_put(call_t *call)
{
    const preferences_put_t *in = call->input;
    param_t user = bind_uuid(call->principal.user);
    const preference_t *types = in->types.items;
    quiet_row_t quiet = {0};
    bool has_quiet = quiet_read(call, in, &quiet);
    types_check(call, types, in->types.count);
    db_query(call, &SQL_preferences_clear, user);
    for (size_t i = 0; i < in->types.count; i++)
        db_send(call, &SQL_preference_set, user, BIND(preference, &types[i], type), BIND(preference, &types[i], in_app),
            BIND(preference, &types[i], email), BIND(preference, &types[i], push));
    if (has_quiet)
        db_send(call, &SQL_quiet_set, user, bind_integer(quiet.quiet_from), bind_integer(quiet.quiet_until));
    answer(call, types, in->types.count, has_quiet ? &quiet : NULL);
}
