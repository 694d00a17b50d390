/* message: reading (from peers, clients and queries), every kind of problem, writing, the round trip, merging a patch. */
#include "../unit.h"
#include "wire/json.h"
#include "wire/message.h"

static const char *const colours[] = {"red", "green", NULL};
#define ITEM(FIELD) FIELD(text, name, .required = true, .max = 5) FIELD(integer, size)
MESSAGE(item, ITEM);
#define WORD(FIELD) FIELD(text, word, .required = true, .min = 1, .max = 3)
MESSAGE_BARE(word, WORD);
#define EVERYTHING(FIELD)                                                                                          \
    FIELD(text, name, .required = true, .min = 1, .max = 4)                                                        \
    FIELD(integer, count, .min = -5, .max = 10)                                                                    \
    FIELD(integer, many, .min = 1)                                                                    \
    FIELD(boolean, flag)                                                                                           \
    FIELD(decimal, weight, .scale = 2, .min = 10, .max = 9999)                                                     \
    FIELD(date, day)                                                                                               \
    FIELD(time, at)                                                                                                \
    FIELD(uuid, id)                                                                                                \
    FIELD(choice, colour, .names = colours)                                                                        \
    FIELD(text, note, .nullable = true)                                                                            \
    FIELD(object, first, .message = &item_message)                                                                 \
    FIELD(list, items, .message = &item_message, .max = 3)                                                         \
    FIELD(text, email, .format = FORMAT_EMAIL)                                                                     \
    FIELD(text, phone, .format = FORMAT_PHONE)                                                                     \
    FIELD(text, password, .format = FORMAT_PASSWORD)                                                               \
    FIELD(text, line, .format = FORMAT_LINE)                                                                       \
    FIELD(list, words, .message = &word_message, .max = 2)                                                         \
    FIELD(json, answer, .scalar = true, .max = 3)
MESSAGE(everything, EVERYTHING);
#define EVERYTHING_PATCH(FIELD) FIELD(text, note, .nullable = true) FIELD(integer, count)
MESSAGE(everything_patch, EVERYTHING_PATCH);

static arena_t *arena;

static bool read_json(const char *json, everything_t *out, problems_t *problems)
{
    buffer_t packed = {0};
    *problems = (problems_t){.arena = arena};
    assert_true(json_to_msgpack(text_of(json), 32, &packed, problems));
    text_t copy = arena_copy(arena, buffer_text(&packed));
    buffer_free(&packed);
    return message_read(&everything_message, copy, SOURCE_CLIENT, out, problems);
}

/* --- what is wrong is named, all of it ---------------------------------------------------------------------------- */

static const struct {
    const char *json, *field;
    enum problem_kind kind;
} bad[] = {
    {"{}", "name", PROBLEM_REQUIRED},
    {"{\"name\":null}", "name", PROBLEM_NULL},
    {"{\"name\":1}", "name", PROBLEM_TYPE},
    {"{\"name\":\"\"}", "name", PROBLEM_EMPTY},
    {"{\"name\":\"가나다라마\"}", "name", PROBLEM_TOO_LONG},
    {"{\"name\":\"a\",\"other\":1}", "other", PROBLEM_UNKNOWN},
    {"{\"name\":\"a\",\"count\":11}", "count", PROBLEM_TOO_LARGE},
    {"{\"name\":\"a\",\"count\":-6}", "count", PROBLEM_TOO_SMALL},
    {"{\"name\":\"a\",\"many\":0}", "many", PROBLEM_TOO_SMALL},
    {"{\"name\":\"a\",\"count\":1.5}", "count", PROBLEM_TYPE},
    {"{\"name\":\"a\",\"count\":\"1\"}", "count", PROBLEM_TYPE},
    {"{\"name\":\"a\",\"flag\":\"true\"}", "flag", PROBLEM_TYPE},
    {"{\"name\":\"a\",\"weight\":3.255}", "weight", PROBLEM_FORMAT},
    {"{\"name\":\"a\",\"weight\":1e300}", "weight", PROBLEM_TOO_LARGE},
    {"{\"name\":\"a\",\"weight\":9223372036854775807}", "weight", PROBLEM_TOO_LARGE},
    {"{\"name\":\"a\",\"weight\":0.09}", "weight", PROBLEM_TOO_SMALL},
    {"{\"name\":\"a\",\"day\":\"2025-02-29\"}", "day", PROBLEM_FORMAT},
    {"{\"name\":\"a\",\"at\":\"2025-02-28\"}", "at", PROBLEM_FORMAT},
    {"{\"name\":\"a\",\"id\":\"0f8fad5b\"}", "id", PROBLEM_FORMAT},
    {"{\"name\":\"a\",\"colour\":\"blue\"}", "colour", PROBLEM_CHOICE},
    {"{\"name\":\"a\",\"colour\":0}", "colour", PROBLEM_TYPE},
    {"{\"name\":\"a\",\"first\":[]}", "first", PROBLEM_TYPE},
    {"{\"name\":\"a\",\"first\":{\"size\":1}}", "first.name", PROBLEM_REQUIRED},
    {"{\"name\":\"a\",\"items\":[{\"name\":\"a\"},{\"name\":\"toolong\"}]}", "items.1.name", PROBLEM_TOO_LONG},
    {"{\"name\":\"a\",\"items\":[{\"name\":\"a\"},{\"name\":\"a\"},{\"name\":\"a\"},{\"name\":\"a\"}]}", "items",
        PROBLEM_TOO_LONG},
    {"{\"name\":\"a\",\"email\":\"a@b\"}", "email", PROBLEM_FORMAT},
    {"{\"name\":\"a\",\"email\":\"a b@example.com\"}", "email", PROBLEM_FORMAT},
    {"{\"name\":\"a\",\"email\":\"a@-example.com\"}", "email", PROBLEM_FORMAT},
    {"{\"name\":\"a\",\"email\":\"a@example..com\"}", "email", PROBLEM_FORMAT},
    {"{\"name\":\"a\",\"email\":\"<a@example.com>\"}", "email", PROBLEM_FORMAT},
    {"{\"name\":\"a\",\"phone\":\"010-12\"}", "phone", PROBLEM_FORMAT},
    {"{\"name\":\"a\",\"password\":\"1234567\"}", "password", PROBLEM_TOO_SHORT},
    {"{\"name\":\"a\",\"password\":\"가가가가가가가가가가가가가가가가가가가가가가가가a\"}", "password", PROBLEM_TOO_LONG},
    {"{\"name\":\"a\",\"line\":\"a\\nb\"}", "line", PROBLEM_FORMAT},
    {"{\"name\":\"a\",\"words\":\"a\"}", "words", PROBLEM_TYPE},
    {"{\"name\":\"a\",\"words\":[\"a\",1]}", "words.1", PROBLEM_TYPE},
    {"{\"name\":\"a\",\"words\":[\"a\",null]}", "words.1", PROBLEM_NULL},
    {"{\"name\":\"a\",\"words\":[\"long\"]}", "words.0", PROBLEM_TOO_LONG},
    {"{\"name\":\"a\",\"answer\":[]}", "answer", PROBLEM_TYPE},
    {"{\"name\":\"a\",\"answer\":{}}", "answer", PROBLEM_TYPE},
    {"{\"name\":\"a\",\"answer\":1.5}", "answer", PROBLEM_TYPE},
    {"{\"name\":\"a\",\"answer\":null}", "answer", PROBLEM_NULL},
    {"{\"name\":\"a\",\"answer\":\"가나다라\"}", "answer", PROBLEM_TOO_LONG},
    {"{\"name\":\"a\",\"words\":[{\"word\":\"a\"}]}", "words.0", PROBLEM_TYPE},
};

static void test_problems(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        everything_t value;
        problems_t problems;
        if (read_json(bad[i].json, &value, &problems) || problems.count != 1 ||
            !text_equal(problems.items[0].field, text_of(bad[i].field)) || problems.items[0].kind != bad[i].kind)
            fail_msg("%s: %d problems, first %.*s kind %d", bad[i].json, problems.count,
                TEXT_ARG(problems.items[0].field), problems.items[0].kind);
    }
}

static void test_all_problems_at_once(void **state)
{
    (void)state;
    everything_t value;
    problems_t problems;
    assert_false(read_json("{\"count\":99,\"flag\":1,\"nonsense\":1,\"day\":\"x\"}", &value, &problems));
    assert_int_equal(problems.count, 5);
}

static void test_problem_bound(void **state)
{
    (void)state;
    buffer_t json = {0};
    buffer_add_string(&json, "{\"name\":\"a\"");
    for (int i = 0; i < 500; i++)
        buffer_format(&json, ",\"unknown%d\":1", i);
    buffer_add_string(&json, "}");
    everything_t value;
    problems_t problems;
    assert_false(read_json(arena_string(arena, buffer_text(&json)), &value, &problems));
    assert_int_equal(problems.count, PROBLEMS_MAX);
    buffer_free(&json);
}

/* --- good values: read, packed, read again, written --------------------------------------------------------------- */

static const char *const good =
    "{\"name\":\"가나다\",\"count\":-5,\"many\":9000000000,\"flag\":true,\"weight\":3.25,\"day\":\"2024-02-29\",\"at\":\"2025-03-20T10:00:00Z\","
    "\"id\":\"0f8fad5b-d9cb-469f-a165-70867728950e\",\"colour\":\"green\",\"note\":null,\"first\":{\"name\":\"x\"},"
    "\"items\":[{\"name\":\"a\",\"size\":1},{\"name\":\"b\"}],\"email\":\"kim.a+b@example.co.kr\",\"phone\":\"+82 10-1234-5678\","
    "\"password\":\"12345678\",\"line\":\"a b\",\"words\":[\"가\",\"나\"],\"answer\":true}";

static void test_round_trip(void **state)
{
    (void)state;
    everything_t value, again;
    problems_t problems;
    assert_true(read_json(good, &value, &problems));
    assert_int_equal(value.weight, 325);
    assert_int_equal(value.colour, 1);
    assert_true(message_is_null(&value, note));
    assert_true(message_has(&value, flag));
    assert_int_equal(value.items.count, 2);
    buffer_t packed = {0}, json = {0};
    message_pack(&everything_message, &value, &packed);
    problems = (problems_t){.arena = arena};
    assert_true(message_read(&everything_message, buffer_text(&packed), SOURCE_PEER, &again, &problems));
    message_json(&everything_message, &again, &json);
    assert_text(buffer_text(&json), good);
    buffer_free(&packed);
    buffer_free(&json);
}

/* A single value stays what it was, as JSON. */
static void test_scalars(void **state)
{
    (void)state;
    static const char *const values[] = {"true", "false", "0", "-3", "9223372036854775807", "\"\"",
        "\"a\"", "\"가\\\"\"", "\"\\n\""};
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        everything_t value;
        problems_t problems;
        text_t json = arena_format(arena, "{\"name\":\"a\",\"answer\":%s}", values[i]);
        assert_true(read_json(arena_string(arena, json), &value, &problems));
        assert_text(value.answer, values[i]);
    }
}

/* JSON from our own processes has a bound as well, in bytes, when its field says so. */
static void test_json_is_bounded(void **state)
{
    (void)state;
#define PASSED_ON(FIELD) FIELD(json, whole, .max = 8) FIELD(json, endless)
    MESSAGE(passed_on, PASSED_ON);
    static const struct {
        const char *whole, *endless;
        bool good;
    } cases[] = {{"[\"abcd\"]", "1", true}, {"[\"abcde\"]", "1", false}, {"[]", "[\"abcdefghijkl\"]", true}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        passed_on_t value = {0}, read;
        buffer_t packed = {0};
        problems_t problems = {.arena = arena};
        message_set(&value, whole, text_of(cases[i].whole));
        message_set(&value, endless, text_of(cases[i].endless));
        message_pack(&passed_on_message, &value, &packed);
        assert_int_equal(message_read(&passed_on_message, buffer_text(&packed), SOURCE_PEER, &read, &problems), cases[i].good);
        assert_true(cases[i].good || problems.items[0].kind == PROBLEM_TOO_LONG);
        buffer_free(&packed);
    }
}

static void test_decimals(void **state)
{
    (void)state;
#define DECIMAL(FIELD) FIELD(decimal, value, .scale = 3)
    MESSAGE(decimal, DECIMAL);
    static const struct {
        int64_t value;
        const char *json;
    } cases[] = {{0, "{\"value\":0}"}, {1, "{\"value\":0.001}"}, {-1, "{\"value\":-0.001}"}, {3250, "{\"value\":3.25}"},
        {-12000, "{\"value\":-12}"}, {100, "{\"value\":0.1}"}, {9999999, "{\"value\":9999.999}"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        decimal_t value = {0};
        buffer_t json = {0};
        message_set(&value, value, cases[i].value);
        message_json(&decimal_message, &value, &json);
        assert_text(buffer_text(&json), cases[i].json);
        buffer_free(&json);
    }
}

static void test_query_strings(void **state)
{
    (void)state;
    static const char packed[] = "\x85\xa4name\xa1x\xa5"
                                 "count\xa1"
                                 "7\xa4"
                                 "flag\xa4true\xa6"
                                 "colour\xa3red\xa6weight\xa3"
                                 "1.5";
    everything_t value;
    problems_t problems = {.arena = arena};
    /* decimals do not occur in queries: a string is the wrong type there, and only there */
    assert_false(message_read(&everything_message, (text_t){packed, sizeof packed - 1}, SOURCE_QUERY, &value, &problems));
    assert_int_equal(problems.count, 1);
    assert_int_equal(value.count, 7);
    assert_true(value.flag);
    assert_int_equal(value.colour, 0);
}

/* --- hostile bytes ------------------------------------------------------------------------------------------------ */

static void test_broken_bytes(void **state)
{
    (void)state;
    everything_t value;
    problems_t problems;
    buffer_t packed = {0};
    assert_true(read_json(good, &value, &problems));
    message_pack(&everything_message, &value, &packed);
    for (size_t length = 0; length < packed.length; length++) { /* cut anywhere */
        problems = (problems_t){.arena = arena};
        char *copy = malloc(length + 1); /* exactly sized, so that reading beyond the end is seen */
        memcpy(copy, packed.data, length);
        assert_false(message_read(&everything_message, (text_t){copy, length}, SOURCE_PEER, &value, &problems));
        free(copy);
        arena_reset(arena);
    }
    unsigned seed = 7;
    for (int round = 0; round < 20000; round++) { /* any byte changed */
        problems = (problems_t){.arena = arena};
        char *copy = malloc(packed.length);
        memcpy(copy, packed.data, packed.length);
        for (int i = 0; i < 3; i++)
            copy[(size_t)rand_r(&seed) % packed.length] = (char)rand_r(&seed);
        if (message_read(&everything_message, (text_t){copy, packed.length}, SOURCE_PEER, &value, &problems)) {
            buffer_t json = {0};
            message_json(&everything_message, &value, &json);
            buffer_free(&json);
        }
        free(copy);
        arena_reset(arena);
    }
    buffer_free(&packed);
}

static void test_deep(void **state)
{
    (void)state;
    everything_t value;
    char packed[4096];
    memset(packed, 0x91, sizeof packed); /* arrays in arrays */
    problems_t problems = {.arena = arena};
    assert_false(message_read(&everything_message, (text_t){packed, sizeof packed}, SOURCE_CLIENT, &value, &problems));
    static const char huge[] = "\xdd\xff\xff\xff\xff"; /* an array that says it has 4 billion items */
    problems = (problems_t){.arena = arena};
    assert_false(message_read(&everything_message, (text_t){huge, 5}, SOURCE_CLIENT, &value, &problems));
}

/* What json.c lets through as deep enough, the unpacker must be able to read. */
static void test_deepest_json(void **state)
{
    (void)state;
    char json[256] = "{\"name\":\"a\",\"other\":";
    for (int i = 0; i < 31; i++)
        strcat(json, "[");
    for (int i = 0; i < 31; i++)
        strcat(json, "]");
    strcat(json, "}");
    everything_t value;
    problems_t problems;
    assert_false(read_json(json, &value, &problems));
    assert_int_equal(problems.count, 1);
    assert_int_equal(problems.items[0].kind, PROBLEM_UNKNOWN);
}

/* --- patches ------------------------------------------------------------------------------------------------------ */

static void test_merge(void **state)
{
    (void)state;
    everything_t target = {0};
    everything_patch_t patch = {0};
    message_set(&target, name, TEXT("n"));
    message_set(&target, note, TEXT("old"));
    message_set(&target, count, 3);
    message_set_null(&patch, note);
    message_merge(&everything_patch_message, &patch, &everything_message, &target);
    assert_true(message_is_null(&target, note));
    assert_false(message_has(&target, note));
    assert_int_equal(target.count, 3); /* absent keeps */
    message_set(&patch, note, TEXT("new"));
    message_set(&patch, count, 4);
    message_merge(&everything_patch_message, &patch, &everything_message, &target);
    assert_text(target.note, "new");
    assert_int_equal(target.count, 4);
}

static int setup(void **state)
{
    (void)state;
    arena = arena_create(64 << 20, NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_destroy(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_all_problems_at_once),
        cmocka_unit_test(test_problem_bound),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_json_is_bounded),
        cmocka_unit_test(test_decimals),
        cmocka_unit_test(test_query_strings),
        cmocka_unit_test(test_broken_bytes),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_deepest_json),
        cmocka_unit_test(test_merge),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
