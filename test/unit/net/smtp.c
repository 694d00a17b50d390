/* The dialogue of a mail with a server that answers as a table says: several lines, refusals, a cut, silence, dots. */
#include "../unit.h"
#include "base/clock.h"
#include "base/coroutine.h"
#include "net/smtp.h"
#include "net/transfer.h"
#include <arpa/inet.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEPS = 6 /* greeting, EHLO, MAIL, RCPT, DATA, body */, SILENCE = 300 /* milliseconds */ };

typedef struct {
    const char *answers[STEPS]; /* NULL: the usual one; "": silence; "-": the connection is closed */
    const char *message;
    enum smtp_outcome outcome;
    const char *reason, *body; /* body: as it came over the wire */
    bool late;                 /* its time is over when it begins */
} case_t;

static const char *const usual[STEPS] = {"220 here\r\n", "250-here\r\n250-PIPELINING\r\n250 SIZE 100000\r\n", "250 2.1.0 OK\r\n",
    "250-first\r\n250 second\r\n", "354 go on\r\n", "250 taken\r\n"};

static const case_t cases[] = {
    {.message = "a\r\n", .outcome = SMTP_ACCEPTED, .reason = "accepted", .body = "a\r\n.\r\n"},
    {.message = "a", .outcome = SMTP_ACCEPTED, .reason = "accepted", .body = "a\r\n.\r\n"},
    {.message = ".\r\n..\r\na.b\r\n.c", .outcome = SMTP_ACCEPTED, .reason = "accepted", .body = "..\r\n...\r\na.b\r\n..c\r\n.\r\n"},
    {.answers = {[3] = "550-5.1.1 somebody@example.com\r\n550 is not here\r\n"}, .message = "a", .outcome = SMTP_REFUSED,
        .reason = "answered 550"},
    {.answers = {[2] = "451 later\r\n"}, .message = "a", .outcome = SMTP_DEFERRED, .reason = "answered 451"},
    {.answers = {[5] = "552 too large\r\n"}, .message = "a", .outcome = SMTP_REFUSED, .reason = "answered 552", .body = "a\r\n.\r\n"},
    {.answers = {[4] = "503 what?\r\n"}, .message = "a", .outcome = SMTP_UNREACHABLE, .reason = "answered 503"},
    {.answers = {[2] = "530 log in first\r\n"}, .message = "a", .outcome = SMTP_UNREACHABLE, .reason = "answered 530"},
    {.answers = {[5] = ""}, .message = "a", .outcome = SMTP_UNREACHABLE, .reason = "no answer in time", .body = "a\r\n.\r\n"},
    {.answers = {[5] = "250-half a reply\r\n"}, .message = "a", .outcome = SMTP_UNREACHABLE, .reason = "no answer in time",
        .body = "a\r\n.\r\n"},
    {.answers = {[0] = ""}, .message = "a", .outcome = SMTP_UNREACHABLE, .reason = "no answer in time"},
    {.answers = {[3] = "-"}, .message = "a", .outcome = SMTP_UNREACHABLE, .reason = "Failure when receiving data from the peer"},
    {.answers = {[0] = "554 go away\r\n"}, .message = "a", .outcome = SMTP_UNREACHABLE, .reason = "Weird server reply"},
    {.message = "a", .outcome = SMTP_UNREACHABLE, .reason = "no answer in time", .late = true},
};

static loop_t *loop;
static struct {
    char commands[1024], body[256];
} *heard; /* shared with the server */

/* --- the server, for one connection ----------------------------------------------------------------------------------- */

static void hear(int fd, char *out, size_t size, const char *end)
{
    size_t begin = strlen(out), length = begin;
    while (length + 1 < size && (length < begin + strlen(end) || strcmp(out + length - strlen(end), end) != 0)) {
        if (read(fd, out + length, 1) != 1)
            _exit(0);
        out[++length] = '\0';
    }
}

static _Noreturn void serve(int listening, const case_t *what)
{
    int fd = accept(listening, NULL, NULL);
    for (int step = 0; step < STEPS; step++) {
        const char *answer = what->answers[step] ? what->answers[step] : usual[step];
        if (step == STEPS - 1)
            hear(fd, heard->body, sizeof heard->body, "\r\n.\r\n");
        else if (step > 0)
            hear(fd, heard->commands, sizeof heard->commands, "\r\n");
        if (*answer == '\0')
            pause();
        if (*answer == '-' || write(fd, answer, strlen(answer)) < 0)
            _exit(0);
    }
    pause();
    _exit(0);
}

/* --- one mail ----------------------------------------------------------------------------------------------------------- */

typedef struct {
    const case_t *what;
    text_t to;
    int port;
    smtp_result_t result;
} run_t;

static void run_one(void *argument)
{
    run_t *run = argument;
    smtp_server_t server = {.host = "127.0.0.1", .port = run->port, .tls = SMTP_PLAIN, .ca_file = "", .user = "", .password = "",
        .from = "from@example.com", .domain = "example.com"};
    int64_t time = run->what->late ? 0 : SILENCE * CLOCK_MILLISECOND;
    run->result = smtp_send(&server, run->to, text_of(run->what->message), clock_monotonic() + time);
    loop_ev_stop(loop);
}

static void give_up(void *argument)
{
    (void)argument;
    fail_msg("the loop waited too long");
}

static void run_case(const case_t *what, text_t to, smtp_result_t *result)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(listen(fd, 4), 0);
    memset(heard, 0, sizeof *heard);
    pid_t server = fork();
    if (server == 0)
        serve(fd, what);
    close(fd);
    loop_timer_t *limit = loop->timer(loop, 10000, give_up, NULL);
    run_t run = {.what = what, .to = to, .port = ntohs(address.sin_port)};
    coroutine_start(run_one, &run);
    loop_ev_run(loop);
    loop->timer_stop(&limit);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    assert_int_equal(transfer_count(), 0);
    *result = run.result;
}

static void answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        smtp_result_t result;
        run_case(&cases[i], TEXT("to@example.com"), &result);
        assert_string_equal(result.reason, cases[i].reason);
        assert_int_equal(result.outcome, cases[i].outcome);
        if (cases[i].body)
            assert_string_equal(heard->body, cases[i].body);
        else
            assert_true(heard->body[0] != 'a'); /* at most QUIT: the mail itself stays here */
        if (cases[i].late)
            assert_null(strstr(heard->commands, "MAIL"));
        if (result.outcome == SMTP_ACCEPTED)
            assert_string_equal(heard->commands,
                "EHLO example.com\r\nMAIL FROM:<from@example.com>\r\nRCPT TO:<to@example.com>\r\nDATA\r\n");
    }
}

/* Nothing is said to a server about an address that would break out of its command. */
static void addresses_that_are_none(void **state)
{
    static const char *const addresses[] = {
        "", "a@b.example>\r\nRCPT TO:<c@d.example", "a b@c.example", "a@b.example\n", "<a@b.example>", "\x80@b.example"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
        smtp_result_t result;
        run_case(&cases[0], text_of(addresses[i]), &result);
        assert_int_equal(result.outcome, SMTP_REFUSED);
        assert_string_equal(heard->commands, "");
    }
}

static int start(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    heard = mmap(NULL, sizeof *heard, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    loop = loop_ev_create();
    coroutine_configure(4, 256 << 10);
    transfer_open(loop, 4);
    return heard == MAP_FAILED;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers), cmocka_unit_test(addresses_that_are_none)};
    return cmocka_run_group_tests(tests, start, NULL);
}
