/* Transfers against a small server of our own in another process: what is answered, refused, late, too much at a time. */
#include "../unit.h"
#include "base/clock.h"
#include "base/coroutine.h"
#include "base/text.h"
#include "net/transfer.h"
#include <arpa/inet.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAXIMUM = 3, LATE = 150 /* milliseconds */ };

static loop_t *loop;
static int port, closed_port, running;
static pid_t server;

/* --- the server: /good answers, /slow takes its time, /cut closes --------------------------------------------------- */

static void serve_one(int fd)
{
    char request[2048];
    ssize_t got = read(fd, request, sizeof request - 1);
    request[got > 0 ? got : 0] = '\0';
    if (strncmp(request, "GET /slow", 9) == 0)
        sleep(20);
    const char *answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    if (strncmp(request, "GET /cut", 8) != 0 && write(fd, answer, strlen(answer)) < 0)
        _exit(1);
    _exit(0);
}

static int listen_anywhere(int *fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(*fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(*fd, (struct sockaddr *)&address, &length), 0);
    return ntohs(address.sin_port);
}

static int start(void **state)
{
    (void)state;
    int fd, closed;
    port = listen_anywhere(&fd);
    closed_port = listen_anywhere(&closed); /* bound, but nobody listens */
    assert_int_equal(listen(fd, 16), 0);
    server = fork();
    if (server == 0) {
        signal(SIGCHLD, SIG_IGN);
        setpgid(0, 0);
        for (;;) {
            int one = accept(fd, NULL, NULL);
            if (one >= 0 && fork() == 0)
                serve_one(one);
            close(one);
        }
    }
    setpgid(server, server);
    close(fd);
    loop = loop_ev_create();
    coroutine_configure(16, 256 << 10);
    transfer_open(loop, MAXIMUM);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    kill(-server, SIGKILL);
    waitpid(server, NULL, 0);
    return 0;
}

/* --- one transfer in a coroutine ------------------------------------------------------------------------------------ */

typedef struct {
    const char *path;
    int milliseconds, to;
    char body[64];
    size_t length;
    enum transfer_status status;
    CURLcode code;
    int64_t took;
} run_t;

static size_t keep(char *data, size_t size, size_t count, void *argument)
{
    run_t *run = argument;
    if (run->length + size * count > sizeof run->body)
        return 0;
    memcpy(run->body + run->length, data, size * count);
    run->length += size * count;
    return size * count;
}

static void run_one(void *argument)
{
    run_t *run = argument;
    char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", run->to, run->path);
    CURL *easy = transfer_handle("http");
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, run);
    int64_t began = clock_monotonic();
    run->status = transfer_run(easy, began + run->milliseconds * CLOCK_MILLISECOND, &run->code);
    run->took = clock_monotonic() - began;
    curl_easy_cleanup(easy);
    if (--running == 0)
        loop_ev_stop(loop);
}

static void give_up(void *argument)
{
    (void)argument;
    fail_msg("the loop waited too long");
}

static void run_all(run_t *runs, int count)
{
    loop_timer_t *limit = loop->timer(loop, 15000, give_up, NULL);
    running = count;
    for (int i = 0; i < count; i++) {
        runs[i].to = runs[i].to ? runs[i].to : port;
        coroutine_start(run_one, &runs[i]);
    }
    if (running > 0)
        loop_ev_run(loop);
    loop->timer_stop(&limit);
    assert_int_equal(transfer_count(), 0);
}

static void answered(void **state)
{
    (void)state;
    run_t runs[MAXIMUM] = {{"/good", 5000}, {"/good", 5000}, {"/good", 5000}};
    run_all(runs, MAXIMUM);
    for (int i = 0; i < MAXIMUM; i++) {
        assert_int_equal(runs[i].status, TRANSFER_OVER);
        assert_int_equal(runs[i].code, CURLE_OK);
        assert_text(((text_t){runs[i].body, runs[i].length}), "hello");
    }
}

static void failed(void **state)
{
    (void)state;
    run_t runs[] = {{"/cut", 5000}, {.path = "/good", .milliseconds = 5000, .to = closed_port}};
    run_all(runs, 2);
    assert_int_equal(runs[0].status, TRANSFER_OVER);
    assert_int_equal(runs[0].code, CURLE_GOT_NOTHING);
    assert_int_equal(runs[1].status, TRANSFER_OVER);
    assert_int_equal(runs[1].code, CURLE_COULDNT_CONNECT);
}

static void late(void **state)
{
    (void)state;
    run_t runs[] = {{"/slow", LATE}, {"/good", 5000}};
    run_all(runs, 2);
    assert_int_equal(runs[0].status, TRANSFER_TIMEOUT);
    assert_true(runs[0].took >= LATE * CLOCK_MILLISECOND && runs[0].took < 10 * LATE * CLOCK_MILLISECOND);
    assert_int_equal(runs[1].code, CURLE_OK);
    assert_text(((text_t){runs[1].body, runs[1].length}), "hello");
}

static void too_many(void **state)
{
    (void)state;
    run_t runs[MAXIMUM + 2] = {{"/good", 5000}, {"/good", 5000}, {"/good", 5000}, {"/good", 5000}, {"/good", 5000}};
    run_all(runs, MAXIMUM + 2);
    for (int i = 0; i < MAXIMUM + 2; i++)
        assert_int_equal(runs[i].status, i < MAXIMUM ? TRANSFER_OVER : TRANSFER_BUSY);
}

static void other_protocols_are_refused(void **state)
{
    (void)state;
    CURL *easy = transfer_handle("https");
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, "file:///etc/passwd");
    assert_int_equal(code, CURLE_OK);
    assert_int_equal(curl_easy_perform(easy), CURLE_UNSUPPORTED_PROTOCOL);
    curl_easy_cleanup(easy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answered), cmocka_unit_test(failed), cmocka_unit_test(late),
        cmocka_unit_test(too_many), cmocka_unit_test(answered), cmocka_unit_test(other_protocols_are_refused)};
    return cmocka_run_group_tests(tests, start, stop);
}
