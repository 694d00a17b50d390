/* export_job: collects an export, a page of one actor at each step of the chore, so that no more than a page is ever in memory.
 *
 * What always holds: a process writes to a file only that it made itself, under a name that the export's row bears while the work
 * is its own. So of two that work at one export, because one was thought dead, the row decides, and the other's file is
 * removed. Who died is followed after LEASE seconds by whoever is instance 1 then, from the beginning. */
#include "actor/calls.h"
#include "actor/events.h"
#include "actor/operations.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/panic.h"
#include "exports.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LEASE = 15, /* seconds; longer than a step's deadline */
    RENEW = 5,  /* seconds */
    IDLE = 1000, /* milliseconds between two looks for work */
    TIDY = 30,   /* seconds */
    RETRY = 10,  /* seconds after a failure */
    FAILURES_MOST = 20,
    AFTER_SIZE = 128,
};

static struct {
    bool active;
    uuid_t id, user, file;
    int fd;               /* -1: not yet made */
    int actor;            /* whose pages are being collected: index of operation_offered */
    char after[AFTER_SIZE]; /* the page after this; empty: the first */
    bool section, row;    /* one stands in this actor, in this section, already */
    bool whole;           /* the file's end is written */
    int64_t renewed;      /* clock_monotonic() */
} job;

/* --- the file ----------------------------------------------------------------------------------------------------- */

static bool put(text_t text)
{
    while (text.length > 0) {
        ssize_t written = write(job.fd, text.data, text.length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        text.data += written;
        text.length -= (size_t)written;
    }
    return true;
}

static bool file_begin(call_t *call)
{
    char name[EXPORT_NAME_SIZE], path[PATH_MAX], head[160], time[28], user[UUID_TEXT_SIZE];
    export_name(job.file, name);
    snprintf(path, sizeof(path), "%s/%s", call_files(call), name);
    job.fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (job.fd < 0)
        return false;
    time_format(clock_now(), time);
    uuid_format(job.user, user);
    snprintf(head, sizeof(head), "{\"exported_at\":\"%s\",\"user\":\"%s\",\"data\":{", time, user);
    return put(text_of(head));
}

/* ,"children":{ */
static bool actor_begin(const char *service)
{
    char head[80];
    snprintf(head, sizeof(head), "%s\"%s\":{", job.actor > 0 ? "," : "", service);
    return put(text_of(head));
}

/* ,"measurements":[ … ] as far as this page goes. */
static bool page_add(const personal_data_t *page)
{
    char head[80];
    text_t rows = {.data = page->rows.data + 1, .length = page->rows.length - 2}; /* without its brackets */
    bool good = true;
    if (page->opens) {
        snprintf(head, sizeof(head), "%s\"%.*s\":[", job.section ? "," : "", TEXT_ARG(page->section));
        good = put(text_of(head));
        job.section = true;
        job.row = false;
    }
    if (good && rows.length > 0) {
        good = (!job.row || put(TEXT(","))) && put(rows);
        job.row = true;
    }
    return good && (!page->closes || put(TEXT("]")));
}

/* --- beginning and ending ----------------------------------------------------------------------------------------- */

static void job_drop(call_t *call, bool keep_file)
{
    if (job.fd >= 0)
        close(job.fd);
    if (!keep_file)
        export_remove(call, job.file);
    job.active = false;
    job.fd = -1;
}

static int64_t job_take(call_t *call)
{
    const total_t *due = row_first(call, db_query(call, &SQL_export_due));
    if (due->total == 0)
        return IDLE;
    uuid_t file = uuid_random();
    const export_taken_t *taken =
        row_first(call, db_query(call, &SQL_export_take, bind_uuid(file), bind_integer(LEASE)));
    if (taken == NULL)
        return IDLE;
    if (message_has(taken, before)) /* of a process that died */
        export_remove(call, taken->before);
    job = (typeof(job)){.active = true, .id = taken->id, .user = taken->user_id, .file = file, .fd = -1,
        .renewed = clock_monotonic()};
    return 0;
}

static int64_t job_fail(call_t *call, const char *reason)
{
    log_event(LOG_WARNING, "export_failed", LOG_S("reason", reason),
        LOG_S("next", "it is tried again; see the log of the actor that is named"));
    db_query(call, &SQL_export_fail, bind_uuid(job.id), bind_uuid(job.file), bind_integer(RETRY),
        bind_integer(FAILURES_MOST));
    job_drop(call, false);
    return IDLE;
}

static void mail_ready(call_t *call)
{
    const export_reader_t *reader = row_first(call, db_query(call, &SQL_export_reader, bind_uuid(job.user)));
    if (reader == NULL)
        return;
    mail_requested_t mail = {0};
    message_set(&mail, template, MAIL_EXPORT_READY);
    message_set(&mail, user, job.user);
    message_set(&mail, to, reader->email);
    message_set(&mail, name, reader->name);
    message_set(&mail, language, reader->language);
    message_set(&mail, not_after, clock_now() + call_config(call)->export.lifetime * CLOCK_MILLISECOND);
    event_emit(call, "mail.requested", job.user, &mail_requested_message, &mail);
}

/* All is collected. Run again when its commit failed, or nobody knows whether it did: then the row tells. */
static int64_t job_finish(call_t *call)
{
    struct stat status;
    job.whole = job.whole || put(TEXT("}}"));
    if (!job.whole || fstat(job.fd, &status) != 0 || fsync(job.fd) != 0)
        return job_fail(call, strerror(errno));
    const export_row_t *export =
        row_first(call, db_query(call, &SQL_export_lock, bind_uuid(job.id), bind_uuid(job.file)));
    if (export == NULL || export->state != EXPORT_COLLECTING) {
        job_drop(call, export != NULL && export->state == EXPORT_READY);
        return 0;
    }
    int64_t expires = clock_now() + call_config(call)->export.lifetime * CLOCK_MILLISECOND;
    db_query(call, &SQL_export_finish, bind_uuid(job.id), bind_time(expires), bind_integer(status.st_size));
    mail_ready(call);
    return 0;
}

/* --- collecting --------------------------------------------------------------------------------------------------- */

/* Is it still ours? */
static bool job_keep(call_t *call)
{
    int64_t now = clock_monotonic();
    if (now - job.renewed < RENEW * CLOCK_SECOND)
        return true;
    job.renewed = now;
    return row_first(call, db_query(call, &SQL_export_keep, bind_uuid(job.id), bind_uuid(job.file),
                               bind_integer(LEASE))) != NULL;
}

static bool next_page(const personal_data_t *page)
{
    if (message_has(page, next)) {
        insist(page->next.length < AFTER_SIZE);
        memcpy(job.after, page->next.data, page->next.length);
        job.after[page->next.length] = '\0';
        return true;
    }
    job.actor++;
    job.after[0] = '\0';
    job.section = job.row = false;
    return put(TEXT("}"));
}

static int64_t job_collect(call_t *call, const operation_t *offered)
{
    person_t person = {0};
    message_set(&person, user, job.user);
    if (job.after[0] != '\0')
        message_set(&person, after, text_of(job.after));
    answer_t answer = actor_call(
        call, offered->service, offered->operation, &person_message, &person, &personal_data_message);
    if (answer.error != ERROR_NONE)
        return job_fail(call, offered->operation);
    const personal_data_t *page = answer.value;
    if ((job.after[0] == '\0' && !actor_begin(offered->service)) || !page_add(page) || !next_page(page))
        return job_fail(call, strerror(errno));
    if (!job_keep(call))
        job_drop(call, false);
    return 0;
}

int64_t exports_work(call_t *call)
{
    static int64_t tidied;
    if (clock_monotonic() - tidied >= TIDY * CLOCK_SECOND) {
        tidied = clock_monotonic();
        exports_tidy(call);
        return 0;
    }
    if (!job.active)
        return job_take(call);
    if (job.fd < 0 && !file_begin(call))
        return job_fail(call, strerror(errno));
    const operation_t *offered = operation_offered("personal_data", job.actor);
    if (offered != NULL)
        return job_collect(call, offered);
    return job_finish(call);
}
