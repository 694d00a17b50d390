#include "../unit.h"
#include "frontend/trace.h"

static void traces(void **state)
{
    static const struct {
        const char *traceparent, *request_id, *trace; /* NULL: made anew */
    } cases[] = {
        {NULL, NULL, NULL},
        {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", NULL, "4bf92f3577b34da6a3ce929d0e0e4736"},
        {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "mine",
            "4bf92f3577b34da6a3ce929d0e0e4736"},
        {"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "mine", "mine"},
        {"00-00000000000000000000000000000000-00f067aa0ba902b7-01", NULL, NULL},
        {"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", NULL, NULL},
        {"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", NULL, NULL},
        {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g", NULL, NULL},
        {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x", NULL, NULL},
        {"", "", NULL},
        {NULL, "b2a7-X_1.9", "b2a7-X_1.9"},
        {NULL, "with space", NULL},
        {NULL, "mail@example.com", NULL},
        {NULL, "\"quoted\"", NULL},
        {NULL, "line\nbreak", NULL},
        {NULL, "0123456789012345678901234567890123456789012345678901234567890123",
            "0123456789012345678901234567890123456789012345678901234567890123"},
        {NULL, "01234567890123456789012345678901234567890123456789012345678901234", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        text_t trace = trace_of(text_of(cases[i].traceparent), text_of(cases[i].request_id));
        if ((trace.data == NULL) != (cases[i].trace == NULL))
            fail_msg("case %zu", i);
        if (cases[i].trace != NULL)
            assert_text(trace, cases[i].trace);
    }
}

static void new_trace(void **state)
{
    uuid_t call = {
        {0x00, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xff, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60}};
    char bytes[33];
    (void)state;
    assert_text(trace_new(call, bytes), "000123456789abcdefff102030405060");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(traces), cmocka_unit_test(new_trace)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
