/* The second level of the cache, against a real Redis that is stopped, killed, emptied and restored. */
#include "../unit.h"
#include "base/clock.h"
#include "base/coroutine.h"
#include "net/redis.h"
#include "net/second_level.h"
#include "shm/services.h"

#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static loop_t *loop;
static segment_t *segment;
static cache_t *cache;
static config_t config;
static char directory[] = "/tmp/second.XXXXXX", url[128], path[128];
static pid_t server;
static redis_t *bare; /* to look at what is there */

static void server_start(void)
{
    server = fork();
    if (server == 0) {
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", path, "--dir", directory, "--save", "",
            "--appendonly", "no", "--logfile", "redis.log", NULL);
        _exit(127);
    }
}

static void server_kill(void)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}

static int start(void **state)
{
    (void)state;
    int fd;
    if (mkdtemp(directory) == NULL)
        return 1;
    snprintf(path, sizeof(path), "%s/redis.sock", directory);
    snprintf(url, sizeof(url), "unix://%s", path);
    signal(SIGPIPE, SIG_IGN);
    server_start();
    segment = segment_create_with_cache(&fd, 16 << 20);
    cache_format(segment);
    cache = cache_open(segment, NULL);
    loop = loop_ev_create();
    coroutine_configure(16, 256 << 10);
    config.redis.url = url;
    config.cache.redis = true;
    config.cache.redis_wait = 300;
    bare = redis_open(loop, url);
    second_open(loop, &config, cache, "children");
    return bare == NULL;
}

static int remove_one(const char *name, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(name);
}

static int stop(void **state)
{
    (void)state;
    server_kill();
    nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}

/* --- the loop ------------------------------------------------------------------------------------------------------ */

static void give_up(void *argument)
{
    (void)argument;
    fail_msg("the loop waited too long");
}

static void (*body)(void);

static void run_body(void *argument)
{
    (void)argument;
    body();
    loop_ev_stop(loop);
}

static void begin(void *argument)
{
    loop_timer_t **timer = argument;
    loop->timer_stop(timer);
    coroutine_start(run_body, NULL);
}

/* In a coroutine on the loop. */
static void run(void (*function)(void))
{
    loop_timer_t *limit = loop->timer(loop, 20000, give_up, NULL), *once;
    body = function;
    once = loop->timer(loop, 1, begin, &once);
    loop_ev_run(loop);
    loop->timer_stop(&limit);
}

static bool (*condition)(void);

static void look(void *argument)
{
    (void)argument;
    if (condition())
        loop_ev_stop(loop);
}

static void wait_until(bool (*holds)(void))
{
    loop_timer_t *limit = loop->timer(loop, 20000, give_up, NULL), *often = loop->timer(loop, 5, look, NULL);
    condition = holds;
    loop_ev_run(loop);
    loop->timer_stop(&often);
    loop->timer_stop(&limit);
}

/* --- what is done there --------------------------------------------------------------------------------------------- */

static struct {
    const char *name, *words;
    second_stamp_t stamp;
    second_answer_t answer;
    bool found;
    int64_t took, until;
    const char *raw[8]; /* a command of the bare connection, NULL-terminated */
    redis_reply_t reply;
} at;

static void fetch_body(void)
{
    int64_t began = clock_monotonic();
    buffer_free(&at.answer.packed);
    at.found = second_fetch(text_of(at.name), &at.stamp, &at.answer);
    at.took = clock_monotonic() - began;
}

static bool fetch(const char *name)
{
    at.name = name;
    run(fetch_body);
    return at.found;
}

static void raw_body(void)
{
    text_t arguments[8];
    int count = 0;
    while (at.raw[count] != NULL) {
        arguments[count] = text_of(at.raw[count]);
        count++;
    }
    redis_reply_free(&at.reply);
    assert_int_equal(redis_command(bare, arguments, count, clock_monotonic() + 10 * CLOCK_SECOND, &at.reply), REDIS_ANSWERED);
}

static bool bare_ready(void)
{
    return redis_ready(bare) && second_ready();
}

static void raw(const char *one, const char *two, const char *three)
{
    wait_until(bare_ready);
    at.raw[0] = one;
    at.raw[1] = two;
    at.raw[2] = two == NULL ? NULL : three;
    at.raw[3] = NULL;
    run(raw_body);
}

static void store(const char *name, const char *words)
{
    cache_entry_t entry = {.bodies = {TEXT("identity"), {.data = NULL}, TEXT("br")},
        .etags = {TEXT("\"1\""), {.data = NULL}, TEXT("\"1b\"")},
        .headers = text_of(words),
        .public = true};
    second_store(text_of(name), &at.stamp, text_of(words), &entry, at.until);
}

static int looks;

static bool looked_enough(void)
{
    return ++looks >= 20;
}

/* Lets the loop run: what was handed over is carried to Redis. */
static void turns(void)
{
    looks = 0;
    wait_until(looked_enough);
}

static void wait_found(const char *name, bool wanted)
{
    int64_t until = clock_monotonic() + 20 * CLOCK_SECOND;
    while (fetch(name) != wanted && clock_monotonic() < until)
        turns();
    assert_int_equal(at.found, wanted);
}

/* --- the cases ------------------------------------------------------------------------------------------------------ */

/* In the one answer there. */
#define SWAP(from, to)                                                                                                    \
    "local key = redis.call('KEYS', 'aipoten:cache:1:*')[1]\n"                                                           \
    "local value = redis.call('HGET', key, 'value')\n"                                                                   \
    "redis.call('HSET', key, 'value', (string.gsub(value, '\"" from "\"', '\"" to "\"')))\n"                             \
    "return 1"

static void what_was_stored_is_found(void **state)
{
    (void)state;
    wait_until(bare_ready);
    at.until = INT64_MAX;
    assert_false(fetch("list"));
    assert_true(at.stamp.good);
    store("list", "videos video:1 @videos");
    wait_found("list", true);
    assert_text(at.answer.words, "videos video:1 @videos");
    assert_text(at.answer.headers, "videos video:1 @videos");
    assert_text(at.answer.bodies[CACHE_IDENTITY], "identity");
    assert_null(at.answer.bodies[CACHE_GZIP].data);
    assert_text(at.answer.bodies[CACHE_BROTLI], "br");
    assert_text(at.answer.etags[CACHE_BROTLI], "\"1b\"");
    assert_true(at.answer.until == INT64_MAX);
    assert_false(fetch("another"));
    raw("EVAL", SWAP("1b", "\\r\\n"), "0"); /* a hostile hand: the ETag becomes a header */
    assert_false(fetch("list"));
    raw("EVAL", SWAP("\\r\\n", "1b"), "0");
    assert_true(fetch("list"));
    raw("EVAL", "return redis.call('PTTL', redis.call('KEYS', 'aipoten:cache:1:*')[1])", "0");
    assert_true(at.reply.integer > 500000 && at.reply.integer <= 600000);
}

static void a_change_makes_it_unusable(void **state)
{
    (void)state;
    second_stamp_t before = at.stamp;
    second_changed(TEXT("video:2"));
    turns();
    assert_true(fetch("list"));
    second_changed(TEXT("video:7 video:1"));
    wait_found("list", false);
    second_stamp_t after = at.stamp;
    at.stamp = before;
    store("list", "videos video:1 @videos"); /* asked before the change, stored after it */
    turns();
    assert_false(fetch("list"));
    at.stamp = after;
    store("list", "videos video:1 @videos");
    wait_found("list", true);
    second_changed(TEXT("@videos"));
    wait_found("list", false);
}

static void a_time_of_its_own(void **state)
{
    (void)state;
    fetch("short");
    at.until = clock_now() + 2 * CLOCK_SECOND;
    store("short", "videos");
    wait_found("short", true);
    wait_found("short", false);
    at.until = INT64_MAX;
}

static void an_emptied_or_restored_redis(void **state)
{
    (void)state;
    fetch("list");
    store("list", "videos");
    wait_found("list", true);
    second_stamp_t before = at.stamp;
    raw("SAVE", NULL, NULL);
    second_changed(TEXT("videos")); /* the copy knows nothing of this */
    wait_found("list", false);
    server_kill();
    server_start();
    wait_until(bare_ready);
    raw("EVAL", "return #redis.call('KEYS', 'aipoten:cache:1:*')", "0");
    assert_true(at.reply.integer >= 1); /* it is there again */
    assert_false(fetch("list"));
    assert_true(at.stamp.good && strtoull(at.stamp.sequence, NULL, 10) > strtoull(before.sequence, NULL, 10));
    store("list", "videos");
    wait_found("list", true);
    before = at.stamp;
    raw("FLUSHALL", NULL, NULL);
    assert_false(fetch("list"));
    assert_true(strtoull(at.stamp.sequence, NULL, 10) > strtoull(before.sequence, NULL, 10));
    at.stamp = before;
    store("list", "videos"); /* a stamp from before */
    turns();
    assert_false(fetch("list"));
}

static void what_is_damaged_is_a_miss(void **state)
{
    (void)state;
    fetch("list");
    store("list", "videos");
    wait_found("list", true);
    raw("EVAL", "for _, key in ipairs(redis.call('KEYS', 'aipoten:cache:1:*')) do local v = redis.call('HGET', key, 'value')\n"
                "redis.call('HSET', key, 'value', string.sub(v, 1, -2)) end return 1",
        "0");
    assert_false(fetch("list"));
    assert_true(at.stamp.good);
    raw("EVAL", "for _, key in ipairs(redis.call('KEYS', 'aipoten:cache:1:*')) do redis.call('HSET', key, 'value', 'x') end return 1",
        "0");
    assert_false(fetch("list"));
}

static bool not_ready(void)
{
    return !second_ready();
}

/* Nobody waits longer than cache.redis_wait, and what was changed meanwhile is told when it is back. */
static void a_redis_that_hangs(void **state)
{
    (void)state;
    fetch("list");
    store("list", "videos video:9");
    wait_found("list", true);
    kill(server, SIGSTOP);
    assert_false(fetch("list"));
    assert_false(at.stamp.good);
    assert_true(at.took < 3 * CLOCK_SECOND); /* ten times cache.redis_wait */
    second_changed(TEXT("video:9"));
    for (int i = 0; i < 2000; i++) /* more than fits: one word for all */
        second_changed(TEXT("video:01890000-0000-7000-8000-000000000000"));
    wait_until(not_ready);
    assert_false(fetch("list"));
    assert_true(at.took < CLOCK_SECOND);
    kill(server, SIGCONT);
    wait_until(bare_ready);
    wait_found("list", true); /* too many words became @children, which this answer does not depend on */
    second_changed(TEXT("video:9"));
    wait_found("list", false);
    raw("HEXISTS", "aipoten:cache:tags", "tag @children");
    assert_int_equal(at.reply.integer, 1);
}

static void what_this_machine_knows(void **state)
{
    (void)state;
    cache_tag_t tag = cache_tag_of(cache, "child", NULL, "children");
    fetch("trusted");
    store("trusted", "child");
    wait_found("trusted", true);
    assert_true(second_trusted(cache, &at.answer, tag));
    second_answer_t foreign = at.answer;
    foreign.segment++;
    assert_true(second_trusted(cache, &foreign, tag)); /* nothing was ever heard */
    cache_invalidate(cache, &tag, 1);                  /* acknowledged here; Redis does not know yet */
    assert_true(fetch("trusted"));
    assert_false(second_trusted(cache, &at.answer, tag));
    foreign.time = clock_now();
    assert_false(second_trusted(cache, &foreign, tag)); /* clocks need not agree so well */
    foreign.time += 3 * CLOCK_SECOND;
    assert_true(second_trusted(cache, &foreign, tag));
    buffer_free(&at.answer.packed);
    redis_reply_free(&at.reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_stored_is_found),
        cmocka_unit_test(a_change_makes_it_unusable),
        cmocka_unit_test(a_time_of_its_own),
        cmocka_unit_test(an_emptied_or_restored_redis),
        cmocka_unit_test(what_is_damaged_is_a_miss),
        cmocka_unit_test(a_redis_that_hangs),
        cmocka_unit_test(what_this_machine_knows),
    };
    return cmocka_run_group_tests_name("net/second_level", tests, start, stop);
}
