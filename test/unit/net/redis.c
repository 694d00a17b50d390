/* The connection to Redis against a server of our own that also answers late, wrongly, or not at all. */
#include "../unit.h"
#include "base/clock.h"
#include "base/coroutine.h"
#include "base/log.h"
#include "net/redis.h"
#include <arpa/inet.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static loop_t *loop;
static redis_t *redis;
static pid_t server;
static char url[128];

/* --- the server: what it answers to which word --------------------------------------------------------------------------- */

static const struct {
    const char *word, *answer; /* NULL: it closes the connection; "": silence */
} words[] = {
    {"AUTH\r\n$2\r\nme\r\n$6\r\np@ss:w\r\n", "+OK\r\n"},
    {"SELECT\r\n$1\r\n3\r\n", "+OK\r\n"},
    {"PING", "+PONG\r\n"},
    {"INCR", ":42\r\n"},
    {"GET", "$5\r\na\r\nbc\r\n"},
    {"NONE", "$-1\r\n"},
    {"TREE", "*2\r\n$1\r\nx\r\n*2\r\n:1\r\n*1\r\n$1\r\ny\r\n"},
    {"WRONG", "-ERR no\r\n"},
    {"SILENCE", ""},
    {"CLOSE", NULL},
    {"SUBSCRIBE\r\n$4\r\nnews\r\n", "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n"
                                      "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n"},
    {"SUBSCRIBE\r\n$6\r\nsecret\r\n", "-NOPERM no\r\n"},
};

static _Noreturn void serve(int fd)
{
    char chunk[4096];
    for (ssize_t got; (got = read(fd, chunk, sizeof chunk - 1)) > 0;) {
        chunk[got] = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
            if (strstr(chunk, words[i].word) == NULL)
                continue;
            if (words[i].answer == NULL || write(fd, words[i].answer, strlen(words[i].answer)) < 0)
                _exit(0);
        }
    }
    _exit(0);
}

static int start(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&address, length) != 0 || getsockname(fd, (struct sockaddr *)&address, &length) != 0 ||
        listen(fd, 16) != 0)
        return 1;
    server = fork();
    if (server == 0) {
        signal(SIGCHLD, SIG_IGN);
        setpgid(0, 0);
        for (int one; (one = accept(fd, NULL, NULL)) >= 0; close(one))
            if (fork() == 0)
                serve(one);
        _exit(0);
    }
    setpgid(server, server);
    close(fd);
    signal(SIGPIPE, SIG_IGN);
    loop = loop_ev_create();
    coroutine_configure(16, 256 << 10);
    snprintf(url, sizeof url, "redis://me:p%%40ss%%3aw@127.0.0.1:%d/3", ntohs(address.sin_port));
    redis = redis_open(loop, url);
    return redis == NULL;
}

static int stop(void **state)
{
    (void)state;
    kill(-server, SIGKILL);
    waitpid(server, NULL, 0);
    return 0;
}

/* --- the loop ------------------------------------------------------------------------------------------------------------- */

static void give_up(void *argument)
{
    (void)argument;
    fail_msg("the loop waited too long");
}

static void look(void *argument)
{
    (void)argument;
    if (redis_ready(redis))
        loop_ev_stop(loop);
}

static void wait_ready(void)
{
    loop_timer_t *limit = loop->timer(loop, 10000, give_up, NULL), *often = loop->timer(loop, 5, look, NULL);
    while (!redis_ready(redis))
        loop_ev_run(loop);
    loop->timer_stop(&often);
    loop->timer_stop(&limit);
}

typedef struct {
    const char *word;
    int milliseconds;
    enum redis_status status;
    redis_reply_t reply;
} run_t;

static int running;

static void run_one(void *argument)
{
    run_t *run = argument;
    const text_t arguments[] = {text_of(run->word)};
    run->status = redis_command(redis, arguments, 1, clock_monotonic() + run->milliseconds * CLOCK_MILLISECOND, &run->reply);
    if (--running == 0)
        loop_ev_stop(loop);
}

static void run_all(run_t *runs, int count)
{
    loop_timer_t *limit = loop->timer(loop, 10000, give_up, NULL);
    running = count;
    for (int i = 0; i < count; i++)
        coroutine_start(run_one, &runs[i]);
    while (running > 0)
        loop_ev_run(loop);
    loop->timer_stop(&limit);
}

/* --- the cases -------------------------------------------------------------------------------------------------------------- */

static void urls(void **state)
{
    static const char *const wrong[] = {"", "http://127.0.0.1", "redis://", "redis://:x@", "redis://h:0", "redis://h:70000",
        "redis://h:1x", "redis://h/x", "redis://h/-1", "unix://relative"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_null(redis_open(loop, wrong[i]));
}

static void replies(void **state)
{
    (void)state;
    wait_ready(); /* and so: user, password and database came as they should */
    run_t runs[] = {{"PING", 2000}, {"INCR", 2000}, {"GET", 2000}, {"NONE", 2000}, {"TREE", 2000}, {"WRONG", 2000}};
    static const int kinds[] = {REPLY_STATUS, REPLY_INTEGER, REPLY_TEXT, REPLY_NOTHING, REPLY_LIST, REPLY_ERROR};
    for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
        run_all(&runs[i], 1);
        assert_int_equal(runs[i].status, REDIS_ANSWERED);
        assert_int_equal(runs[i].reply.kind, kinds[i]);
    }
    assert_text(runs[0].reply.text, "PONG");
    assert_int_equal(runs[1].reply.integer, 42);
    assert_text(runs[2].reply.text, "a\r\nbc");
    assert_text(runs[5].reply.text, "ERR no");
    const redis_reply_t *tree = &runs[4].reply;
    assert_int_equal(tree->count, 2);
    assert_text(tree->items[1].items[1].items[0].text, "y");
    for (size_t i = 0; i < ARRAY_SIZE(runs); i++)
        redis_reply_free(&runs[i].reply);
}

/* A late answer and a closed connection fail what waits, at once refuse what comes next, and are got over. */
static void losses(void **state)
{
    static const char *const ends[] = {"SILENCE", "CLOSE"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        wait_ready();
        run_t lost = {ends[i], 150}, next = {"PING", 2000};
        run_all(&lost, 1);
        assert_int_equal(lost.status, REDIS_LOST);
        assert_int_equal(lost.reply.kind, REPLY_NOTHING);
        assert_false(redis_ready(redis));
        run_all(&next, 1);
        assert_int_equal(next.status, REDIS_UNAVAILABLE);
        wait_ready();
        run_all(&next, 1);
        assert_int_equal(next.status, REDIS_ANSWERED);
        redis_reply_free(&next.reply);
    }
}

/* Those behind a late one are lost with it, and nobody waits for ever. */
static void those_behind(void **state)
{
    (void)state;
    wait_ready();
    run_t runs[] = {{"SILENCE", 100}, {"SILENCE", 5000}, {"SILENCE", 5000}};
    int64_t began = clock_monotonic();
    run_all(runs, 3);
    assert_true(clock_monotonic() - began < 3 * CLOCK_SECOND);
    for (int i = 0; i < 3; i++)
        assert_int_equal(runs[i].status, REDIS_LOST);
}

static void past_deadline(void **state)
{
    (void)state;
    wait_ready();
    run_t run = {"PING", 0};
    run_all(&run, 1);
    assert_int_equal(run.status, REDIS_UNAVAILABLE);
}

/* --- a subscription ---------------------------------------------------------------------------------------------------------- */

static int subscribed, heard;

static void on_subscribed(void *argument)
{
    assert_ptr_equal(argument, &subscribed);
    subscribed++;
}

static void on_message(void *argument, text_t message)
{
    (void)argument;
    assert_text(message, "hello");
    if (++heard == 3)
        loop_ev_stop(loop);
}

/* The server says something once and is silent then: the connection is made anew, and each time we know that we missed something. */
static void subscription(void **state)
{
    (void)state;
    const redis_listener_t listener = {on_subscribed, on_message, &subscribed};
    assert_null(redis_subscribe(loop, "http://127.0.0.1", "news", 100, &listener));
    assert_non_null(redis_subscribe(loop, url, "news", 100, &listener));
    redis_t *refused = redis_subscribe(loop, url, "secret", 100, &listener);
    loop_timer_t *limit = loop->timer(loop, 20000, give_up, NULL);
    while (heard < 3)
        loop_ev_run(loop);
    loop->timer_stop(&limit);
    assert_int_equal(subscribed, 3);
    assert_false(redis_ready(refused));
}

int main(void)
{
    log_set_level("error");
    const struct CMUnitTest tests[] = {cmocka_unit_test(urls), cmocka_unit_test(replies), cmocka_unit_test(losses),
        cmocka_unit_test(those_behind), cmocka_unit_test(past_deadline), cmocka_unit_test(subscription)};
    return cmocka_run_group_tests(tests, start, stop);
}
