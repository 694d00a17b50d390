#include "../unit.h"
#include "base/log.h"
#include "base/panic.h"
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Standard error is a pipe during a test; kept so that the test's own messages can come out again. */
static int kept, ends[2];

static int redirect(void **state)
{
    (void)state;
    kept = dup(STDERR_FILENO);
    if (kept < 0 || pipe(ends) != 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0)
        return -1;
    return dup2(ends[1], STDERR_FILENO) < 0 ? -1 : 0;
}

static int restore(void **state)
{
    (void)state;
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

/* The one line that was written, as JSON. */
static json_t *line(void)
{
    static char bytes[16384];
    ssize_t length = read(ends[0], bytes, sizeof(bytes));

    assert_true(length > 1);
    assert_int_equal(bytes[length - 1], '\n');
    assert_ptr_equal(memchr(bytes, '\n', (size_t)length), bytes + length - 1);
    json_t *parsed = json_loadb(bytes, (size_t)length, JSON_REJECT_DUPLICATES, NULL);
    if (parsed == NULL)
        fail_msg("no JSON: %.*s", (int)length, bytes);
    return parsed;
}

static const char *value(json_t *parsed, const char *key)
{
    const char *string = json_string_value(json_object_get(parsed, key));
    return string ? string : "(none)";
}

static void fields(void **state)
{
    (void)state;
    log_event(LOG_INFO, "started");
    json_t *parsed = line();
    assert_string_equal(value(parsed, "service"), "aipoten");
    assert_string_equal(value(parsed, "level"), "info");
    assert_string_equal(value(parsed, "event"), "started");
    assert_int_equal(strlen(value(parsed, "time")) >= 20, 1);
    assert_null(json_object_get(parsed, "request"));
    json_decref(parsed);

    log_identify("accounts", 1);
    log_set_request(TEXT("trace-1"));
    log_event(LOG_WARNING, "odd", LOG_S("text", "a\"b\\c\n\x01\x7f\xea\xb0\x80"), LOG_I("number", INT64_MIN),
        LOG_S("absent", NULL), LOG_T("part", ((text_t){"xyz", 2})));
    parsed = line();
    assert_string_equal(value(parsed, "service"), "accounts.1");
    assert_string_equal(value(parsed, "request"), "trace-1");
    assert_string_equal(value(parsed, "text"), "a\"b\\c\n\x01\x7f\xea\xb0\x80");
    assert_true(json_integer_value(json_object_get(parsed, "number")) == INT64_MIN);
    assert_true(json_is_null(json_object_get(parsed, "absent")));
    assert_string_equal(value(parsed, "part"), "xy");
    json_decref(parsed);

    log_set_request((text_t){0});
    log_event(LOG_ERROR, "bytes", LOG_T("bad", TEXT("a\xff\xc3(\xed\xa0\x80z")), LOG_S("a\"key", "v"));
    parsed = line();
    assert_null(json_object_get(parsed, "request"));
    assert_string_equal(value(parsed, "a\"key"), "v");
    assert_memory_equal(value(parsed, "bad"), "a\xef\xbf\xbd\xef\xbf\xbd(", 8);
    json_decref(parsed);

    /* A trace id of a client's own length is cut. */
    char long_id[500];
    memset(long_id, 'x', sizeof(long_id));
    log_set_request((text_t){long_id, sizeof(long_id)});
    log_event(LOG_INFO, "long");
    parsed = line();
    assert_int_equal(strlen(value(parsed, "request")), 64);
    json_decref(parsed);
    log_set_request((text_t){0});
}

static void levels(void **state)
{
    char byte;
    (void)state;
    assert_false(log_set_level("loud"));
    assert_true(log_set_level("warning"));
    log_event(LOG_INFO, "unheard");
    log_event(LOG_DEBUG, "unheard");
    assert_int_equal(read(ends[0], &byte, 1), -1);
    log_event(LOG_WARNING, "heard");
    json_decref(line());
    assert_true(log_set_level("debug"));
    log_event(LOG_DEBUG, "heard");
    json_decref(line());
    assert_true(log_set_level("info"));
}

/* Lines of every length around the limit are JSON, and say when they were cut. */
static void long_lines(void **state)
{
    static char bytes[20000];
    (void)state;
    for (size_t i = 0; i + 3 <= sizeof(bytes); i += 3)
        memcpy(bytes + i, "\xea\xb0\x80", 3);
    for (size_t length = 7900; length < 8300; length++) {
        log_event(LOG_INFO, "long", LOG_S("before", "b"), LOG_T("text", ((text_t){bytes, length})),
            LOG_I("after", 1));
        json_t *parsed = line();
        bool cut = json_is_true(json_object_get(parsed, "truncated"));
        assert_string_equal(value(parsed, "before"), "b");
        assert_true(cut || strlen(value(parsed, "text")) >= length);
        assert_true(cut || json_integer_value(json_object_get(parsed, "after")) == 1);
        assert_true(strlen(value(parsed, "text")) < 8192);
        json_decref(parsed);
    }
    /* Keys and events that are too long, too. */
    memset(bytes, 'k', sizeof(bytes) - 1);
    log_write(LOG_INFO, "long", &(log_field_t){.key = bytes, .kind = LOG_FIELD_INT, .number = 1}, 1);
    json_t *parsed = line();
    assert_true(json_is_true(json_object_get(parsed, "truncated")));
    json_decref(parsed);
    log_event(LOG_INFO, bytes);
    json_decref(line());
}

/* A reader that does not read costs lines, not time; afterwards whole lines come again. */
static void full_pipe(void **state)
{
    static char bytes[6000], drained[200000];
    int64_t before = log_dropped(), written = 0;
    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    alarm(20); /* a write that blocks would end the test */
    for (int i = 0; i < 2000; i++)
        log_event(LOG_INFO, "flood", LOG_T("text", ((text_t){bytes, i % 2 ? sizeof(bytes) : 50})));
    alarm(0);
    int64_t lost = log_dropped() - before;
    assert_true(lost > 0 && lost < 2000);
    ssize_t length = read(ends[0], drained, sizeof(drained));
    for (char *p = drained, *end; p < drained + length; p = end + 1, written++) {
        end = memchr(p, '\n', (size_t)(drained + length - p));
        assert_non_null(end);
        json_t *parsed = json_loadb(p, (size_t)(end - p), 0, NULL);
        assert_non_null(parsed);
        json_decref(parsed);
    }
    assert_int_equal(written + lost, 2000);
    log_event(LOG_INFO, "again");
    json_decref(line());

    /* A full disk. */
    before = log_dropped();
    int full = open("/dev/full", O_WRONLY);
    dup2(full, STDERR_FILENO);
    log_event(LOG_INFO, "unheard");
    assert_int_equal(log_dropped(), before + 1);
    dup2(ends[1], STDERR_FILENO);
    close(full);
}

static void panics(void **state)
{
    int status;
    (void)state;
    pid_t child = fork();
    if (child == 0)
        panic("the count is %d", -3);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    json_t *parsed = line();
    assert_string_equal(value(parsed, "event"), "panic");
    assert_string_equal(value(parsed, "level"), "error");
    assert_string_equal(value(parsed, "reason"), "the count is -3");
    assert_non_null(strstr(value(parsed, "file"), "log.c"));
    json_decref(parsed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(fields, redirect, restore),
        cmocka_unit_test_setup_teardown(levels, redirect, restore),
        cmocka_unit_test_setup_teardown(long_lines, redirect, restore),
        cmocka_unit_test_setup_teardown(full_pipe, redirect, restore),
        cmocka_unit_test_setup_teardown(panics, redirect, restore)};
    return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
