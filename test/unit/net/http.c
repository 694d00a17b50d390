/* Requests against a small server of our own in another process: what is answered, and what is no answer. */
#include "../unit.h"
#include "base/clock.h"
#include "base/coroutine.h"
#include "net/http.h"
#include "net/transfer.h"
#include <arpa/inet.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAXIMUM = 2, BODY_MAX = 256 };

static loop_t *loop;
static arena_t *arena;
static int port, running;
static bool waits; /* the loop runs */
static pid_t server;

/* --- the server: answers with what it was sent, or as the path says -------------------------------------------------- */

static bool request_whole(const char *request)
{
    const char *end = strstr(request, "\r\n\r\n"), *length = strcasestr(request, "content-length: ");
    return end != NULL && strlen(end + 4) >= (length != NULL ? (size_t)atol(length + 16) : 0);
}

static void serve_one(int fd)
{
    char request[4096] = "", answer[8192];
    size_t got = 0;
    while (!request_whole(request)) {
        ssize_t more = read(fd, request + got, sizeof(request) - 1 - got);
        if (more <= 0)
            _exit(1);
        request[got += (size_t)more] = '\0';
    }
    int large = strncmp(request, "GET /large", 10) == 0 ? BODY_MAX + 1 : BODY_MAX;
    if (strncmp(request, "GET /slow", 9) == 0)
        sleep(20);
    if (strncmp(request, "GET /moved", 10) == 0)
        snprintf(answer, sizeof(answer), "HTTP/1.1 302 Found\r\nLocation: /echo\r\nContent-Length: 5\r\n\r\nmoved");
    else if (strncmp(request, "GET /cut", 8) == 0)
        snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf");
    else if (strstr(request, "/echo") != NULL)
        snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", got, request);
    else /* chunked: its length is not said before */
        snprintf(answer, sizeof(answer),
            "HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%0*d\r\n0\r\n\r\n", large, large, 0);
    _exit(write(fd, answer, strlen(answer)) < 0);
}

/* A socket on a port that nobody has. */
static int bind_anywhere(int *fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(*fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(*fd, (struct sockaddr *)&address, &length), 0);
    return ntohs(address.sin_port);
}

static int port_free(void)
{
    int fd, number = bind_anywhere(&fd);
    close(fd);
    return number;
}

static int start(void **state)
{
    (void)state;
    int fd;
    port = bind_anywhere(&fd);
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
    arena = arena_create(1 << 24, NULL, NULL);
    coroutine_configure(16, 256 << 10);
    transfer_open(loop, MAXIMUM);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    kill(-server, SIGKILL);
    waitpid(server, NULL, 0);
    arena_destroy(&arena);
    return 0;
}

/* --- one request in a coroutine -------------------------------------------------------------------------------------- */

typedef struct {
    const char *path, *header;
    text_t form;
    int milliseconds;
    const char *url; /* instead of the server's */
    bool public_only;
    enum http_outcome outcome;
    http_answer_t answer;
} run_t;

static void run_one(void *argument)
{
    run_t *run = argument;
    text_t url = arena_format(arena, "http://127.0.0.1:%d%s", port, run->path ? run->path : "");
    http_request_t request = {.url = run->url ? run->url : arena_string(arena, url),
        .form = run->form,
        .headers = {run->header},
        .max_bytes = run->path && strcmp(run->path, "/echo") == 0 ? 4096 : BODY_MAX,
        .deadline = clock_monotonic() + (run->milliseconds ? run->milliseconds : 5000) * CLOCK_MILLISECOND,
        .plain_loopback = !run->public_only,
        .public_only = run->public_only};
    run->outcome = http_run(arena, &request, &run->answer);
    if (--running == 0 && waits)
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
    for (int i = 0; i < count; i++)
        coroutine_start(run_one, &runs[i]);
    waits = running > 0;
    if (waits)
        loop_ev_run(loop);
    waits = false;
    loop->timer_stop(&limit);
    assert_int_equal(transfer_count(), 0);
}

static bool echoes(const run_t *run, const char *wanted)
{
    return strcasestr(arena_string(arena, run->answer.body), wanted) != NULL;
}

static void answered(void **state)
{
    (void)state;
    run_t get = {.path = "/echo", .header = "authorization: Bearer t-1"};
    run_all(&get, 1);
    assert_int_equal(get.outcome, HTTP_ANSWERED);
    assert_int_equal(get.answer.status, 200);
    assert_true(echoes(&get, "GET /echo HTTP/1.1\r\n") && echoes(&get, "authorization: Bearer t-1\r\n"));
    assert_true(echoes(&get, "accept: application/json\r\n") && !echoes(&get, "accept-encoding"));
    run_t post = {.path = "/echo", .form = TEXT("a=1&b=%20")};
    run_all(&post, 1);
    assert_int_equal(post.outcome, HTTP_ANSWERED);
    assert_true(echoes(&post, "POST /echo") && echoes(&post, "content-type: application/x-www-form-urlencoded\r\n"));
    assert_true(echoes(&post, "\r\n\r\na=1&b=%20"));
}

static void bounded(void **state)
{
    (void)state;
    run_t whole = {.path = "/whole"}, large = {.path = "/large"}, slow = {.path = "/slow", .milliseconds = 150};
    run_all(&whole, 1);
    assert_int_equal(whole.outcome, HTTP_ANSWERED);
    assert_int_equal(whole.answer.status, 400);
    assert_int_equal(whole.answer.body.length, BODY_MAX);
    run_all(&large, 1);
    assert_int_equal(large.outcome, HTTP_TOO_LARGE);
    int64_t began = clock_monotonic();
    run_all(&slow, 1);
    assert_int_equal(slow.outcome, HTTP_TIMEOUT);
    assert_true(clock_monotonic() - began < 2 * CLOCK_SECOND);
    run_t three[3] = {{.path = "/echo"}, {.path = "/echo"}, {.path = "/echo"}};
    run_all(three, 3);
    assert_int_equal(three[2].outcome, HTTP_BUSY);
    assert_int_equal(three[0].outcome, HTTP_ANSWERED);
}

static void not_answered(void **state)
{
    (void)state;
    run_t moved = {.path = "/moved"}, cut = {.path = "/cut"}, far = {.url = "http://example.com/"};
    run_all(&moved, 1); /* an answer like others: nobody went there */
    assert_int_equal(moved.outcome, HTTP_ANSWERED);
    assert_int_equal(moved.answer.status, 302);
    assert_text(moved.answer.body, "moved");
    run_all(&cut, 1);
    assert_int_equal(cut.outcome, HTTP_FAILED);
    assert_non_null(cut.answer.reason);
    run_all(&far, 1);
    assert_int_equal(far.outcome, HTTP_REFUSED);
}

static void wait_listening(int number)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)number)};
    int64_t limit = clock_monotonic() + 10 * CLOCK_SECOND;
    for (bool listens = false; !listens && clock_monotonic() < limit; usleep(20000)) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        listens = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
        close(fd);
    }
}

/* A server that nobody vouches for is not told anything. */
static void untrusted(void **state)
{
    (void)state;
    char directory[] = "/tmp/unit-http-XXXXXX", command[512], url[64];
    assert_non_null(mkdtemp(directory));
    snprintf(command, sizeof(command),
        "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout k -out c -subj "
        "/CN=localhost"
        " -addext subjectAltName=IP:127.0.0.1 2>/dev/null",
        directory);
    assert_int_equal(system(command), 0);
    int tls_port = port_free();
    snprintf(command, sizeof(command),
        "cd %s && exec openssl s_server -accept 127.0.0.1:%d -cert c -key k -www >s 2>&1", directory, tls_port);
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(1);
    }
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/", tls_port);
    run_t run = {.url = url};
    wait_listening(tls_port);
    run_t own = {.url = url, .public_only = true};
    run_all(&own, 1); /* it is not even connected to */
    assert_int_equal(own.outcome, HTTP_FAILED);
    assert_string_equal(own.answer.reason, curl_easy_strerror(CURLE_COULDNT_CONNECT));
    run_all(&run, 1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(run.outcome, HTTP_FAILED);
    assert_non_null(strcasestr(run.answer.reason, "certificate"));
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    assert_int_equal(system(command), 0);
}

static void urls(void **state)
{
    static const struct {
        const char *url;
        bool strict, loopback;
    } cases[] = {
        {"https://id.example/token", true, true},
        {"https://", false, false},
        {"http://id.example/token", false, false},
        {"http://127.0.0.1:80/x", false, true},
        {"http://127.0.0.1", false, true},
        {"http://localhost/x@y", false, true},
        {"http://[::1]:8080/", false, true},
        {"http://127.0.0.1.example.com/", false, false},
        {"http://localhost:x@example.com/", false, false},
        {"HTTP://127.0.0.1/", false, false},
        {"file:///etc/passwd", false, false},
        {"gopher://127.0.0.1/", false, false},
        {"", false, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(http_url_allowed(cases[i].url, false), cases[i].strict);
        assert_int_equal(http_url_allowed(cases[i].url, true), cases[i].loopback);
    }
}

static void addresses(void **state)
{
    static const struct {
        const char *address;
        bool open;
    } cases[] = {{"8.8.8.8", true}, {"100.63.255.255", true}, {"100.128.0.1", true}, {"172.15.0.1", true}, {"172.32.0.1", true},
        {"192.0.1.1", true}, {"223.255.255.255", true}, {"0.0.0.0", false}, {"10.1.2.3", false}, {"100.64.0.1", false}, {"127.0.0.1", false},
        {"127.255.255.254", false}, {"169.254.169.254", false}, {"172.16.0.1", false}, {"172.31.255.255", false}, {"192.168.0.1", false},
        {"198.19.0.1", false}, {"224.0.0.1", false}, {"255.255.255.255", false}, {"2001:4860:4860::8888", true}, {"::", false},
        {"::1", false}, {"fe80::1", false}, {"fd00::1", false}, {"ff02::1", false}, {"::ffff:127.0.0.1", false},
        {"::ffff:8.8.8.8", true}, {"64:ff9b::a00:1", false}, {"64:ff9b::808:808", true}, {"2002:7f00:1::", false}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct sockaddr_in four = {.sin_family = AF_INET};
        struct sockaddr_in6 six = {.sin6_family = AF_INET6};
        bool is_four = inet_pton(AF_INET, cases[i].address, &four.sin_addr) == 1;
        assert_true(is_four || inet_pton(AF_INET6, cases[i].address, &six.sin6_addr) == 1);
        if (http_address_public(is_four ? (struct sockaddr *)&four : (struct sockaddr *)&six) != cases[i].open)
            fail_msg("%s", cases[i].address);
    }
}

static void forms(void **state)
{
    (void)state;
    buffer_t form = {0};
    http_form_add(&form, "a", TEXT("x y+&=가\0b"));
    http_form_add(&form, "code", TEXT("A-z._~09"));
    assert_text(buffer_text(&form), "a=x%20y%2B%26%3D%EA%B0%80%00b&code=A-z._~09");
    buffer_free(&form);
    buffer_add_string(&form, "https://id.example/?");
    http_form_add(&form, "a", TEXT(""));
    assert_text(buffer_text(&form), "https://id.example/?a=");
    buffer_free(&form);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answered), cmocka_unit_test(bounded),
        cmocka_unit_test(not_answered), cmocka_unit_test(untrusted), cmocka_unit_test(urls), cmocka_unit_test(addresses), cmocka_unit_test(forms)};
    return cmocka_run_group_tests(tests, start, stop);
}
