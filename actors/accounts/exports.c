/* exports: everything that all actors hold of a person, as one JSON file that the person fetches by a link.
 *
 * What always holds: one export of a user is under way at a time; a link works as long as its file lies there
 * (export.lifetime), and no longer; a file that no row names is removed or will be by who removes the row.
 * The work itself: export_job.c. */
#include "exports.h"
#include "actor/events.h"
#include "base/clock.h"
#include "base/log.h"
#include "export_link.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define LINK_PATH "/api/v1/exports/"

/* --- files -------------------------------------------------------------------------------------------------------- */

void export_name(uuid_t file, char out[static EXPORT_NAME_SIZE])
{
    char id[UUID_TEXT_SIZE];
    uuid_format(file, id);
    snprintf(out, EXPORT_NAME_SIZE, "export-%s.json", id);
}

void export_remove(call_t *call, uuid_t file)
{
    char name[EXPORT_NAME_SIZE], path[PATH_MAX];
    export_name(file, name);
    snprintf(path, sizeof(path), "%s/%s", call_files(call), name);
    if (unlink(path) != 0 && errno != ENOENT)
        log_event(LOG_ERROR, "export_not_removed", LOG_S("file", name), LOG_S("reason", strerror(errno)),
            LOG_S("next", "remove it below var/files by hand"));
}

/* --- asking for one ----------------------------------------------------------------------------------------------- */

static text_t link_of(call_t *call, const export_row_t *export)
{
    char id[UUID_TEXT_SIZE], link[sizeof(LINK_PATH) + UUID_TEXT_SIZE + 120];
    int64_t expires = export->expires_at / CLOCK_SECOND;
    text_t signature = export_link_sign(call->arena, accounts_keys()->token, export->id, expires);
    uuid_format(export->id, id);
    snprintf(link, sizeof(link), LINK_PATH "%s?expires=%lld&signature=%.*s", id, (long long)expires,
        TEXT_ARG(signature));
    return arena_copy(call->arena, text_of(link));
}

static void status_reply(call_t *call, const export_row_t *export)
{
    export_status_t status = {0};
    message_set(&status, state, export->state);
    message_set(&status, created_at, export->created_at);
    if (export->state == EXPORT_READY) {
        bool over = export->expires_at <= clock_now();
        message_set(&status, state, over ? EXPORT_EXPIRED : EXPORT_READY);
        message_set(&status, ready_at, export->ready_at);
        message_set(&status, expires_at, export->expires_at);
        message_set(&status, size, export->size);
        if (!over)
            message_set(&status, link, link_of(call, export));
    }
    reply_value(call, &status);
}

void export_start(call_t *call)
{
    param_t user = bind_uuid(call->principal.user);
    const export_row_t *latest = row_first(call, db_query(call, &SQL_export_latest, user));
    int64_t pause = call_config(call)->export.pause * CLOCK_MILLISECOND;
    if (latest != NULL && latest->state == EXPORT_COLLECTING)
        call_fail(call, ERROR_IN_PROGRESS);
    if (latest != NULL && latest->state == EXPORT_READY && latest->created_at > clock_now() - pause)
        call_fail(call, ERROR_RATE_LIMITED);
    db_on_violation(call, "exports_running_key", ERROR_IN_PROGRESS);
    status_reply(call, row_first(call, db_query(call, &SQL_export_create, bind_uuid(uuid_new()), user)));
}

void export_show(call_t *call)
{
    status_reply(call, row_or_404(call, db_query(call, &SQL_export_latest, bind_uuid(call->principal.user))));
}

/* --- fetching it -------------------------------------------------------------------------------------------------- */

/* The signature comes first: without it nothing is looked up. Who is logged in as somebody else has got the link by
 * mistake. */
void export_download(call_t *call)
{
    const export_params_t *in = call->params;
    if (!export_link_is_signed(call->arena, accounts_keys()->token, in->id, in->expires, in->signature))
        call_fail(call, ERROR_FORBIDDEN);
    if (in->expires * CLOCK_SECOND <= clock_now())
        call_fail(call, ERROR_FORBIDDEN);
    const export_row_t *export = row_or_404(call, db_query(call, &SQL_export_find, bind_uuid(in->id)));
    if (!uuid_is_zero(call->principal.user) && !uuid_equal(call->principal.user, export->user_id))
        call_fail(call, ERROR_NOT_FOUND);
    char name[EXPORT_NAME_SIZE];
    export_name(export->file, name);
    reply_file(call, name, "aipoten-export.json");
}

/* --- what is over ------------------------------------------------------------------------------------------------- */

void exports_tidy(call_t *call)
{
    const rows_t *rows = db_query(call, &SQL_exports_over);
    for (int i = 0; i < rows->count; i++) {
        const export_file_t *over = row_at(call, rows, i);
        if (message_has(over, file))
            export_remove(call, over->file);
    }
}
