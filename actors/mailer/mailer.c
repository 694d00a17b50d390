/* mailer: mails to people.
 *
 * Owns mailer.mail_jobs. A mail begins as the event mail.requested of another actor, written in the transaction that is its
 * reason; its job's row commits with the inbox. From there the way is: queue.c (the row's id into Redis), deliver.c (claimed,
 * rendered, sent, settled). Words stand in templates/.
 *
 * What always holds: PostgreSQL is the truth, and a job is done only when its row says so; Redis, logs and the
 * server's texts that we keep hold nothing personal; an address and its mail are sealed, and emptied when the mail was sent or is worth
 * nothing any more. */
#include "mailer.h"
#include "../../shared/actor/erasure.h"
#include "../../shared/actor/personal_data.h"
#include "../../shared/actor/retention.h"
#include "../../shared/base/clock.h"

enum { EXPIRE_EVERY = 5000 /* milliseconds */ };

/* --- what others ask for -------------------------------------------------------------------------------------------- */

static text_t content_pack(call_t *call, const mail_requested_t *in)
{
    mail_content_t content = {0};
    buffer_t packed = {0};
    message_set(&content, to, in->to);
    if (message_has(in, name))
        message_set(&content, name, in->name);
    if (message_has(in, fields))
        message_set(&content, fields, in->fields);
    message_pack(&mail_content_message, &content, &packed);
    text_t copy = arena_copy(call->arena, buffer_text(&packed));
    buffer_free(&packed);
    return copy;
}

static void mail_requested(call_t *call)
{
    const mail_requested_t *in = call->input;
    uuid_t id = uuid_new();
    db_query(call, &SQL_job_create, bind_uuid(id), bind_text(text_of(mail_templates[in->template])),
        bind_text(text_of(mail_languages[in->language])), BIND(mail_requested, in, user),
        bind_sealed(call, "mailer.mail_jobs", "content", id, content_pack(call, in)), BIND(mail_requested, in, not_after),
        bind_text(in->to));
    reply_nothing(call);
}

/* Of jobs, rows of job_id, that are gone or emptied: a mail that was sent as a file goes with them. */
static void files_remove(call_t *call, const rows_t *rows)
{
    for (int i = 0; i < rows->count; i++)
        sink_remove(call_mail_directory(call), ((const job_id_t *)row_at(call, rows, i))->id);
}

static void user_erased(call_t *call)
{
    const user_erased_t *in = call->input;
    files_remove(call, db_query(call, &SQL_user_forget, bind_uuid(in->user)));
    person_forget(call, in->user);
    reply_nothing(call);
}

static void mailer_personal_data(call_t *call)
{
    static const personal_section_t sections[] = {{"mails", &SQL_user_mails}};
    personal_data_reply(call, sections, ARRAY_SIZE(sections));
}

/* --- background ----------------------------------------------------------------------------------------------------- */

static void mailer_start(call_t *call)
{
    queue_open(call);
    deliver_open(call);
}

static int64_t mails_purge(call_t *call, int64_t before, int64_t most)
{
    const rows_t *rows = db_query(call, &SQL_jobs_purge, bind_time(before), bind_integer(most));
    files_remove(call, rows);
    return rows->count;
}

static void expire_now_and_then(call_t *call)
{
    static int64_t next;
    int64_t now = clock_monotonic();
    if (now < next)
        return;
    db_query(call, &SQL_jobs_expire);
    call_commit(call);
    next = now + EXPIRE_EVERY * CLOCK_MILLISECOND;
}

static int64_t mailer_chore(call_t *call)
{
    static int64_t reseal_at;
    expire_now_and_then(call);
    if (clock_monotonic() >= reseal_at) {
        int64_t wait = mailer_reseal(call);
        call_commit(call);
        reseal_at = wait < 0 ? INT64_MAX : clock_monotonic() + wait * CLOCK_MILLISECOND;
    }
    return queue_fill(call);
}

/* --- the rows ------------------------------------------------------------------------------------------------------- */

static const endpoint_t endpoints[] = {
    {.operation = "mailer.mail_requested", .event = "mail.requested", .handler = mail_requested,
        .summary = "Keep a mail that is to be sent", .input = &mail_requested_message, .shape = SHAPE_NOTHING, .writes = true},
    {.operation = "mailer.user_erased", .event = "user.erased", .handler = user_erased,
        .summary = "Empty the mails of an erased user", .input = &user_erased_message, .shape = SHAPE_NOTHING, .writes = true},
    PERSONAL_DATA_ROW("mailer", mailer_personal_data),
};

static const retention_t retentions[] = {
    {"mails", offsetof(config_t, retention.mails), .step = mails_purge},
};

const actor_t mailer_actor = {.name = "mailer",
    .endpoints = endpoints,
    .endpoint_count = ARRAY_SIZE(endpoints),
    .statements = mailer_statements,
    .statement_count = mailer_statement_count,
    .data_keys = "data_keys.mailer",
    .start = mailer_start,
    .chore = mailer_chore,
    .worker = deliver_work,
    .workers = MAILER_WORKERS,
    .retentions = retentions,
    .retention_count = ARRAY_SIZE(retentions)};
