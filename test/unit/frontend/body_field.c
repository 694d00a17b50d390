#include "../unit.h"
#include "frontend/body_field.h"
#include "wire/json.h"

static _Noreturn void no_memory(void *argument)
{
    (void)argument;
    abort();
}

/* Through the same conversion that a client's body takes. */
static void finds(void **state)
{
    static const struct {
        const char *json, *name, *value; /* NULL: not there */
    } cases[] = {
        {"{}", "email", NULL},
        {"{\"email\":\"a@b.c\"}", "email", "a@b.c"},
        {"{\"email\":\"\"}", "email", ""},
        {"{\"\\u0065mail\":\"a@b.c\"}", "email", "a@b.c"},
        {"{\"emails\":\"x\",\"email\":\"y\"}", "email", "y"},
        {"{\"email\":null}", "email", NULL},
        {"{\"email\":1}", "email", NULL},
        {"{\"email\":[\"a@b.c\"]}", "email", NULL},
        {"{\"inner\":{\"email\":\"x\"}}", "email", NULL},
        {"{\"inner\":{\"email\":\"x\"},\"email\":\"y\"}", "email", "y"},
        {"{\"a\":[1,-1,2.5,true,null,\"s\",[],{},[[{\"b\":[]}]]],\"email\":\"y\"}", "email", "y"},
        {"{\"a\":12345678901,\"b\":-12345678901,\"c\":300,\"d\":-300,\"e\":70000,\"f\":-70000,\"email\":"
         "\"y\"}",
            "email", "y"},
        {"{\"remember\":true,\"email\":\"y\"}", "email", "y"},
        {"{\"a\":\"0123456789012345678901234567890123456789\",\"email\":\"y\"}", "email", "y"},
    };
    problems_t problems = {.arena = arena_create(1 << 20, no_memory, NULL)};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        buffer_t packed = {0};
        assert_true(json_to_msgpack(text_of(cases[i].json), 32, &packed, &problems));
        text_t value = body_string(buffer_text(&packed), text_of(cases[i].name));
        if ((value.data == NULL) != (cases[i].value == NULL))
            fail_msg("%s", cases[i].json);
        if (cases[i].value != NULL)
            assert_text(value, cases[i].value);
        buffer_free(&packed);
    }
    arena_destroy(&problems.arena);
}

/* Any bytes: nothing is read beyond them, and the walk ends. */
static void any_bytes(void **state)
{
    uint32_t random = 1;
    (void)state;
    for (int i = 0; i < 200000; i++) {
        size_t length = i % 40;
        char *bytes = malloc(length + 1);
        for (size_t at = 0; at < length; at++) {
            random = random * 1664525 + 1013904223;
            bytes[at] = (char)(random >> 24);
        }
        if (length > 0 && i % 3)
            bytes[0] = (char)(0x80 | (bytes[0] & 15));
        char *exact = malloc(length ? length : 1);
        memcpy(exact, bytes, length);
        body_string((text_t){exact, length}, TEXT("e"));
        free(exact);
        free(bytes);
    }
    /* Containers that promise more than there is, one inside the other. */
    static char deep[100000];
    memset(deep, (char)0x91, sizeof(deep));
    memcpy(deep, "\x82\xa1x", 3);
    assert_null(body_string((text_t){deep, sizeof(deep)}, TEXT("e")).data);
    static const char huge[] = "\x82\xa1x\xdd\xff\xff\xff\xff\xa1\x65";
    assert_null(body_string((text_t){huge, sizeof(huge) - 1}, TEXT("e")).data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds), cmocka_unit_test(any_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
