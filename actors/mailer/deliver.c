/* deliver: one job from its claim to its end.
 *
 * A claim is a lease: the job is this worker's until next_at, which is later than any way to the server can take. Who dies with a job
 * leaves it to the next claim after that. Between the server's last word and the row that says so lies the only moment in
 * which a death makes a mail arrive twice; both have the same Message-ID, so mail programs that look at it show one. */
#include "../../shared/base/clock.h"
#include "../../shared/base/fault.h"
#include "../../shared/base/log.h"
#include "../../shared/net/smtp.h"
#include "../../shared/net/transfer.h"
#include "../../shared/shm/process.h"
#include "compose.h"
#include "mailer.h"
#include "render.h"
#include <stdlib.h>

enum {
    LEASE_MARGIN = 15000, /* milliseconds beyond mail.timeout: for the statements around it */
    IDLE_PAUSE = 250,     /* without Redis, or while it is away */
    OWN_TIME = 5000,      /* milliseconds in which a worker says by itself that its mail was taken; within LEASE_MARGIN */
    TRANSFERS_MAX = MAILER_WORKERS,
};

static struct {
    bool opened, to_files;
    smtp_server_t server;
} way;

/* Of the claimed job, clock_monotonic(): nothing is said to a server after it. It counts from before the claim, as the lease does: a
 * process that was stopped, or a COMMIT that took long, shortens the way and not the distance to the lease's end. */
static int64_t send_until[MAILER_WORKERS];

/* What a server has taken and no row says yet: PostgreSQL was away. The worker's next step begins with it, and nothing is claimed
 * here before: the lease may be over. */
static struct {
    bool open;
    int64_t at; /* clock_monotonic() */
    uuid_t id;
    int64_t attempts;
} accepted[MAILER_WORKERS];

static const struct {
    const char *name;
    enum smtp_tls tls;
} tls_modes[] = {{"starttls", SMTP_STARTTLS}, {"tls", SMTP_TLS}, {"none", SMTP_PLAIN}};

void deliver_open(call_t *call)
{
    const config_t *config = call_config(call);
    if (way.opened)
        return;
    const char *wrong = render_check();
    if (wrong != NULL) {
        log_event(LOG_ERROR, "mail_template", LOG_S("reason", wrong), LOG_S("next", "mend actors/mailer/templates and build"));
        call_fail(call, ERROR_INTERNAL);
    }
    way.to_files = strcmp(config->mail.transport, "file") == 0;
    way.server = (smtp_server_t){.host = config->mail.host,
        .port = (int)config->mail.port,
        .ca_file = config->mail.ca_file,
        .user = config->mail.user,
        .password = process_secret("smtp_password").data, /* a NUL follows it */
        .from = config->mail.from,
        .domain = compose_domain(config->mail.from)};
    for (size_t i = 0; i < ARRAY_SIZE(tls_modes); i++)
        if (strcmp(tls_modes[i].name, config->mail.tls) == 0)
            way.server.tls = tls_modes[i].tls;
    if (!way.to_files && way.server.user[0] != '\0' && way.server.password[0] == '\0') {
        log_event(LOG_ERROR, "smtp_password", LOG_S("next", "put mail.user's password into var/secrets/smtp_password"));
        call_fail(call, ERROR_INTERNAL);
    }
    transfer_open(call_loop(call), TRANSFERS_MAX);
    way.opened = true;
}

/* --- the mail ----------------------------------------------------------------------------------------------------- */

static int name_index(const char *const *names, text_t name)
{
    for (int i = 0; names[i] != NULL; i++)
        if (text_equal(text_of(names[i]), name))
            return i;
    return -1;
}

/* The whole mail into `out`, and its address; NULL, or why it cannot be made. */
static const char *mail_make(call_t *call, const mail_job_t *job, text_t *to, buffer_t *out)
{
    const config_t *config = call_config(call);
    mail_content_t *content = arena_allocate(call->arena, sizeof *content);
    problems_t *problems = arena_allocate(call->arena, sizeof *problems);
    problems->arena = call->arena;
    int template = name_index(mail_templates, job->template), language = name_index(mail_languages, job->language);
    words_t words;
    if (template < 0 || language < 0 || !message_read(&mail_content_message, job->content, SOURCE_PEER, content, problems))
        return "written by another release";
    const char *missing = render(call->arena, (enum mail_template)template, (enum language)language, content,
        config->mail.base_url, &words);
    if (missing != NULL)
        return arena_format(call->arena, "no field %s%c", missing, '\0').data;
    letter_t letter = {.id = job->id,
        .at = clock_now(),
        .from = config->mail.from,
        .from_name = config->mail.from_name,
        .to = content->to,
        .to_name = content->name,
        .language = mail_languages[language],
        .subject = words.subject,
        .text = words.text,
        .html = words.html};
    compose(&letter, out);
    *to = content->to;
    return NULL;
}

/* Nothing here may end the call before the mail's memory is freed. */
static smtp_result_t mail_send(call_t *call, int worker, const mail_job_t *job, text_t to, text_t mail)
{
    if (way.to_files) {
        bool good = sink_write(call_mail_directory(call), job->id, mail);
        return (smtp_result_t){good ? SMTP_ACCEPTED : SMTP_UNREACHABLE, "no file could be written"};
    }
    call_leave(call);
    smtp_result_t result = smtp_send(&way.server, to, mail, send_until[worker]);
    call_return(call);
    return result;
}

/* --- its job ------------------------------------------------------------------------------------------------------ */

static int64_t pause_after(const config_t *config, int64_t attempts)
{
    int64_t pause = config->mail.retry_first;
    for (int64_t i = 1; i < attempts && pause < config->mail.retry_most; i++)
        pause *= 2;
    return pause < config->mail.retry_most ? pause : config->mail.retry_most;
}

static void job_end(call_t *call, uuid_t id, int64_t attempts, const char *state)
{
    db_query(call, &SQL_job_done, bind_uuid(id), bind_integer(attempts), bind_text(text_of(state)));
    call_commit(call);
}

static void accepted_end(call_t *call, int worker)
{
    if (!accepted[worker].open)
        return;
    uuid_t id = accepted[worker].id;
    int64_t attempts = accepted[worker].attempts;
    job_end(call, id, attempts, "sent");
    if (uuid_equal(accepted[worker].id, id) && accepted[worker].attempts == attempts) /* and not its next one meanwhile */
        accepted[worker].open = false;
}

static void accepted_end_all(call_t *call)
{
    for (int i = 0; i < MAILER_WORKERS; i++)
        if (clock_monotonic() - accepted[i].at > OWN_TIME * CLOCK_MILLISECOND)
            accepted_end(call, i);
}

/* `final`: another try would not help. `counts`: it was refused, and not just unreachable. */
static void job_fail(call_t *call, const mail_job_t *job, const char *reason, bool final, bool counts)
{
    const config_t *config = call_config(call);
    const rows_t *rows = db_query(call, &SQL_job_fail, bind_uuid(job->id), bind_integer(job->attempts), bind_integer(counts),
        bind_integer(final ? 0 : config->mail.attempts), bind_integer(pause_after(config, job->attempts)),
        bind_text(text_of(reason)));
    const job_failed_t *failed = row_first(call, rows);
    call_commit(call);
    if (failed == NULL) /* its lease had ended, or its user was erased meanwhile */
        return;
    char id[UUID_TEXT_SIZE];
    uuid_format(job->id, id);
    log_event(failed->dead ? LOG_ERROR : LOG_WARNING, failed->dead ? "mail_dead" : "mail_failed", LOG_S("job", id),
        LOG_T("template", job->template), LOG_I("attempt", job->attempts), LOG_S("reason", reason),
        LOG_S("next", failed->dead ? "mend the reason, then: aipotenctl mail retry, or mail skip" : "it is tried again"));
}

static void job_send(call_t *call, int worker, const mail_job_t *job)
{
    buffer_t mail = {0};
    text_t to;
    const char *wrong = mail_make(call, job, &to, &mail);
    if (wrong != NULL) {
        buffer_free(&mail);
        job_fail(call, job, wrong, true, true);
        return;
    }
    fault_point("mail.claimed");
    smtp_result_t result = mail_send(call, worker, job, to, buffer_text(&mail));
    buffer_free(&mail);
    call_renew(call);
    fault_point("mail.accepted"); /* the one moment in which a death makes it arrive twice */
    accepted[worker].open = result.outcome == SMTP_ACCEPTED;
    accepted[worker].at = clock_monotonic();
    accepted[worker].id = job->id;
    accepted[worker].attempts = job->attempts;
    if (accepted[worker].open)
        accepted_end(call, worker);
    else
        job_fail(call, job, result.reason, result.outcome == SMTP_REFUSED, result.outcome != SMTP_UNREACHABLE);
}

/* NULL: it is done, or somebody else's, or not due yet. Committed before it is opened: one that cannot be (its key is missing) ends the call
 * here, and must not be the next one that is due again. */
static const mail_job_t *job_claim(call_t *call, const stream_item_t *item)
{
    uuid_t id;
    param_t lease = bind_integer(call_config(call)->mail.timeout + LEASE_MARGIN);
    if (item != NULL && uuid_parse(text_of(item->id), &id) != 0)
        return NULL;
    const rows_t *rows =
        item != NULL ? db_query(call, &SQL_job_claim, bind_uuid(id), lease) : db_query(call, &SQL_job_claim_next, lease);
    call_commit(call);
    return row_first(call, rows);
}

static void job_run(call_t *call, int worker, const mail_job_t *job)
{
    if (job->late)
        job_end(call, job->id, job->attempts, "expired");
    else if (job->failures >= call_config(call)->mail.attempts)
        job_fail(call, job, "its workers died with it", true, false);
    else
        job_send(call, worker, job);
}

int64_t deliver_work(call_t *call, int worker)
{
    stream_item_t item;
    accepted_end(call, worker);
    if (queue_is_used() && !queue_take(call, worker, &item))
        return queue_pause(worker);
    fault_point("mail.fetched");
    accepted_end_all(call);
    send_until[worker] = clock_monotonic() + call_config(call)->mail.timeout * CLOCK_MILLISECOND;
    const mail_job_t *job = job_claim(call, queue_is_used() ? &item : NULL);
    if (job != NULL)
        job_run(call, worker, job);
    fault_point("mail.settled");
    if (queue_is_used())
        queue_done(call, worker, &item);
    return job != NULL || queue_is_used() ? 0 : IDLE_PAUSE;
}
