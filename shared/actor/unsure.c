/* unsure: see the header. */
#include "unsure.h"
#include "cached.h"
#include "../base/clock.h"
#include "../base/log.h"

enum { TAGS_MOST = 1024, LOOKS_MOST = 600 /* that find something under way; then it is something else that never ends */ };

#define UNDER_WAY(FIELD)                                                                                           \
    FIELD(boolean, older, .meaning = "something is under way that began before")                                   \
    FIELD(time, looked_at, .meaning = "by PostgreSQL's clock")
MESSAGE(under_way, UNDER_WAY);

/* All times are PostgreSQL's own, whatever a test has made of ours. The first look (null) asks for everything but itself. */
static const char under_way_sql[] =
    "SELECT EXISTS (SELECT FROM pg_stat_activity a WHERE a.usename = current_user AND a.datname = current_database()"
    " AND a.pid <> pg_backend_pid() AND a.xact_start < coalesce($1::timestamptz, clock_timestamp())) AS older,"
    " clock_timestamp() AS looked_at";

static statement_t find_older = {.name = "unsure_find_older", .sql = under_way_sql, .lane = LANE_READ, .row = &under_way_message};

static struct {
    job_tag_t tags[TAGS_MOST];
    int count;
    bool all;        /* more, or who knows which: whatever this actor changes is unsure */
    int64_t added;   /* how often anything was */
    bool asked;      /* PostgreSQL, since the last of them */
    int64_t before;  /* its time then: what began before may be theirs */
    int64_t look_at; /* clock_monotonic() */
    int looks;
    bool looking;
} unsure;

const statement_t *unsure_statement(void)
{
    return &find_older;
}

static bool is_any(void)
{
    return unsure.count > 0 || unsure.all;
}

bool unsure_any(void)
{
    return unsure.added > 0 && is_any(); /* what it began with others know of */
}

static void tag_add(job_tag_t tag)
{
    for (int i = 0; i < unsure.count; i++)
        if (unsure.tags[i].tag == tag.tag && uuid_equal(unsure.tags[i].id, tag.id))
            return;
    if (unsure.count < TAGS_MOST)
        unsure.tags[unsure.count++] = tag;
    else
        unsure.all = true;
}

void unsure_add(const job_t *job)
{
    if (job->tag_count == 0)
        return;
    for (int i = 0; i < job->tag_count; i++)
        tag_add(job->tags[i]);
    unsure.added++;
    unsure.asked = false;
    unsure.looks = 0;
    if (!unsure.looking)
        unsure.look_at = clock_monotonic() + UNSURE_PAUSE * CLOCK_MILLISECOND;
}

void unsure_start(void)
{
    unsure.all = true; /* and look_at is past */
}

static void tell_again(void)
{
    if (unsure.all)
        cached_tell_all();
    else
        cached_tell(unsure.tags, unsure.count);
}

static void settled(void)
{
    unsure.count = 0;
    unsure.all = unsure.asked = false;
}

/* The first look learns PostgreSQL's time; what begins after it does not matter. */
static void look(call_t *call)
{
    int64_t added = unsure.added;
    bool asked = unsure.asked;
    const under_way_t *found =
        row_first(call, db_query(call, &find_older, asked ? bind_time(unsure.before) : bind_null()));
    tell_again();
    if (added != unsure.added) /* meanwhile: once more from the beginning */
        return;
    if (!asked)
        unsure.before = found->looked_at;
    unsure.asked = true;
    if (!found->older) {
        settled();
    } else if (++unsure.looks == LOOKS_MOST) {
        log_event(LOG_ERROR, "unsure_given_up", LOG_I("tags", unsure.count),
            LOG_S("next", "a transaction of this actor has not ended for long: find it in pg_stat_activity, then aipotenctl cache flush"));
        settled();
    }
}

/* When PostgreSQL could not be asked it is asked again. */
static void looked(void *argument, enum error_code failed)
{
    (void)argument;
    (void)failed;
    unsure.looking = false;
    unsure.look_at = clock_monotonic() + UNSURE_PAUSE * CLOCK_MILLISECOND;
}

void unsure_turn(int64_t now)
{
    if (!is_any() || unsure.looking || now < unsure.look_at || !lanes_ready(context.lanes) || !coroutine_available())
        return;
    unsure.looking = true;
    job_system(look, looked, NULL);
}
