#include "../unit.h"
#include "wire/json.h"
#include <msgpack.h>

/* Converts; the msgpack comes back as text in msgpack-c's own notation, or "KIND field bound". */
static const char *const kinds[PROBLEM_KINDS] = {[PROBLEM_TYPE] = "TYPE",
    [PROBLEM_TOO_LONG] = "TOO_LONG",
    [PROBLEM_TOO_SMALL] = "TOO_SMALL",
    [PROBLEM_TOO_LARGE] = "TOO_LARGE",
    [PROBLEM_FORMAT] = "FORMAT",
    [PROBLEM_DUPLICATE] = "DUPLICATE",
    [PROBLEM_SYNTAX] = "SYNTAX",
    [PROBLEM_TOO_DEEP] = "TOO_DEEP",
    [PROBLEM_ENCODING] = "ENCODING",
    [PROBLEM_NUL] = "NUL",
    [PROBLEM_EMPTY] = "EMPTY"};

static char *convert(const char *json, size_t length, int max_depth)
{
    static char shown[4096];
    /* A block of its own, so that a read past the end is found. */
    char *exact = malloc(length ? length : 1);
    memcpy(exact, json, length);
    arena_t *arena = arena_create(1 << 20, NULL, NULL);
    problems_t problems = {.arena = arena};
    buffer_t out = {0};

    bool good = json_to_msgpack((text_t){exact, length}, max_depth, &out, &problems);
    if (good) {
        msgpack_unpacked unpacked;
        size_t offset = 0;
        assert_int_equal(problems.count, 0);
        msgpack_unpacked_init(&unpacked);
        assert_int_equal(
            msgpack_unpack_next(&unpacked, out.data, out.length, &offset), MSGPACK_UNPACK_SUCCESS);
        assert_int_equal(offset, out.length);
        msgpack_object_print_buffer(shown, sizeof(shown), unpacked.data);
        msgpack_unpacked_destroy(&unpacked);
    } else {
        assert_int_equal(problems.count, 1);
        assert_int_equal(out.length, 0);
        const problem_t *problem = &problems.items[0];
        assert_true(text_is_utf8(problem->field));
        assert_non_null(kinds[problem->kind]);
        snprintf(shown, sizeof(shown), "%s %.*s %lld", kinds[problem->kind], TEXT_ARG(problem->field),
            (long long)problem->bound);
    }
    buffer_free(&out);
    arena_destroy(&arena);
    free(exact);
    return shown;
}

#define CASE(json, shown)                                                                                    \
    {                                                                                                        \
        "" json "", sizeof(json) - 1, shown                                                                  \
    }

static void cases(void **state)
{
    static const struct {
        const char *json;
        size_t length;
        const char *shown; /* for problems the beginning */
    } table[] = {
        CASE("{}", "{}"),
        CASE(" \n{ \"a\" : 1 , \"b\":[true,false,null,\"\xea\xb0\x80\"] }\r\n",
            "{\"a\"=>1, \"b\"=>[true, false, nil, \"\xea\xb0\x80\"]}"),
        CASE("{\"i\":9223372036854775807,\"j\":-9223372036854775808}",
            "{\"i\"=>9223372036854775807, \"j\"=>-9223372036854775808}"),
        CASE("{\"r\":0.5,\"e\":1e3,\"z\":-0}", "{\"r\"=>0.500000, \"e\"=>1000.000000, \"z\"=>0}"),
        CASE("{\"tiny\":1e-999}", "{\"tiny\"=>0.000000}"),
        CASE("{\"x\":{\"y\":{}},\"l\":[[],[{}]]}", "{\"x\"=>{\"y\"=>{}}, \"l\"=>[[], [{}]]}"),
        CASE("{\"a\\u0041\":\"\\ud83d\\ude00\"}", "{\"aA\"=>\"\xf0\x9f\x98\x80\"}"),
        CASE("{\"a\":\"}{][,:\\\"\"}", "{\"a\"=>\"}{][,:\""),

        /* what is no object */
        CASE("", "EMPTY body 0"),
        CASE(" \t\r\n", "EMPTY body 0"),
        CASE("[]", "TYPE body"),
        CASE("1", "TYPE body"),
        CASE("\"a\"", "TYPE body"),
        CASE("null", "TYPE body"),
        CASE("[{\"a\":1}]", "TYPE body"),

        /* syntax */
        CASE("{", "SYNTAX body 1"),
        CASE("}", "SYNTAX body"),
        CASE("{\"a\"}", "SYNTAX body"),
        CASE("{\"a\":}", "SYNTAX body"),
        CASE("{\"a\":1,}", "SYNTAX body"),
        CASE("{'a':1}", "SYNTAX body"),
        CASE("{a:1}", "SYNTAX body"),
        CASE("{\"a\":1} x", "SYNTAX body"),
        CASE("{}{}", "SYNTAX body"),
        CASE("{\"a\":01}", "SYNTAX body"),
        CASE("{\"a\":+1}", "SYNTAX body"),
        CASE("{\"a\":-}", "SYNTAX body"),
        CASE("{\"a\":1.}", "SYNTAX body"),
        CASE("{\"a\":.5}", "SYNTAX body"),
        CASE("{\"a\":1e}", "SYNTAX body"),
        CASE("{\"a\":1e+}", "SYNTAX body"),
        CASE("{\"a\":--1111111111111111111111}", "SYNTAX body"),
        CASE("{\"a\":1-1111111111111111111111}", "SYNTAX body"),
        CASE("{\"a\":NaN}", "SYNTAX body"),
        CASE("{\"a\":Infinity}", "SYNTAX body"),
        CASE("{\"a\":tru}", "SYNTAX body"),
        CASE("{\"a\":\"", "SYNTAX body"),
        CASE("{\"a\":\"\\", "SYNTAX body"),
        CASE("{\"a\":\"\\\"", "SYNTAX body"),
        CASE("{\"a\":\"\\x\"}", "SYNTAX body"),
        CASE("{\"a\":\"\\u12\"}", "SYNTAX body"),
        CASE("{\"a\":\"\\ud800\"}", "SYNTAX body"),
        CASE("{\"a\":\"line\nbreak\"}", "SYNTAX body"),
        CASE("\xef\xbb\xbf{}", "SYNTAX body"), /* a byte order mark (RFC 8259, 8.1) */
        CASE("/* c */{}", "SYNTAX body"),

        /* numbers out of every range */
        CASE("{\"a\":9223372036854775808}", "TOO_LARGE a 9223372036854775807"),
        CASE("{\"a\":{\"b\":[0,{\"c\":-9223372036854775809}]}}", "TOO_SMALL a.b.1.c -9223372036854775808"),
        CASE("{\"a\":1e999}", "TOO_LARGE a"),
        CASE("{\"a\":[1,2,-1e999]}", "TOO_SMALL a.2"),

        /* duplicates */
        CASE("{\"a\":1,\"a\":2}", "DUPLICATE a"),
        CASE("{\"a\":1,\"\\u0061\":2}", "DUPLICATE"),
        CASE("{\"list\":[{},{\"name\":1,\"b\":2,\"name\":3}]}", "DUPLICATE list.1.name"),

        /* NUL and encoding are not syntax */
        CASE("{\"a\":\"x\0y\"}", "NUL a"),
        CASE("{}\0", "NUL body"),
        CASE("\0", "NUL body"),
        CASE("{\"a\":\"\\u0000\"}", "NUL a"),
        CASE("{\"b\":[\"\\u0000\"]}", "NUL b.0"),
        CASE("{\"a\\u0000\":1}", "NUL"),
        CASE("{\"a\":\"\xff\"}", "ENCODING a"),
        CASE("{\"b\":{\"a\":\"x\xed\xa0\x80\"}}", "ENCODING b.a"),
        CASE("{\"\xc3\":1}", "ENCODING body"),
        CASE("\xfe\xff{}", "ENCODING body"),

        /* depth 4: the outermost object is level 1 */
        CASE("{\"a\":{\"b\":{\"c\":{}}}}", "{\"a\"=>{\"b\"=>{\"c\"=>{}}}}"),
        CASE("{\"a\":[[[1]]]}", "{\"a\"=>[[[1]]]}"),
        CASE("{\"a\":{\"b\":{\"c\":{\"d\":1,\"e\":{}}}}}", "TOO_DEEP body 4"),
        CASE("{\"a\":[[[[]]]]}", "TOO_DEEP body 4"),
        CASE("{\"a\":\"[[[[[[[[[[\"}", "{\"a\"=>\"[[[[[[[[[[\"}"),
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        const char *shown = convert(table[i].json, table[i].length, 4);
        if (strncmp(shown, table[i].shown, strlen(table[i].shown)) != 0)
            fail_msg("%s\n-> %s\nwanted: %s", table[i].json, shown, table[i].shown);
    }
}

/* Each prefix of a document, and each single byte changed, gives one clear answer. */
static void damaged(void **state)
{
    static const char whole[] =
        "{\"name\":\"\xea\xb0\x80\\n\\u00e9\",\"n\":-12.5e3,\"l\":[1,{\"k\":null}],\"t\":true}";
    char copy[sizeof(whole)];
    (void)state;
    for (size_t i = 0; i < sizeof(whole) - 1; i++)
        convert(whole, i, 32);
    for (size_t i = 0; i < sizeof(whole) - 1; i++)
        for (int c = 0; c < 256; c++) {
            memcpy(copy, whole, sizeof(whole));
            copy[i] = (char)c;
            convert(copy, sizeof(whole) - 1, 32);
        }
}

static void huge(void **state)
{
    enum { SIZE = 1 << 20 };
    char *json = malloc(SIZE);
    (void)state;
    memset(json, '[', SIZE);
    assert_string_equal(convert(json, SIZE, 256), "TOO_DEEP body 256");
    memset(json, '}', SIZE);
    assert_memory_equal(convert(json, SIZE, 32), "SYNTAX", 6);
    memset(json, '9', SIZE);
    assert_memory_equal(convert(json, SIZE, 32), "FORMAT", 6);
    memset(json, '"', SIZE);
    assert_memory_equal(convert(json, SIZE, 32), "SYNTAX", 6);
    memset(json, '\\', SIZE);
    assert_memory_equal(convert(json, SIZE, 32), "SYNTAX", 6);
    memset(json, '-', SIZE);
    assert_memory_equal(convert(json, SIZE, 32), "FORMAT", 6);
    memset(json, ',', SIZE);
    assert_string_equal(convert(json, SIZE, 32), "TOO_LONG body 65536");
    /* A key of a megabyte is no field's name. */
    memset(json, 'a', SIZE);
    memcpy(json, "{\"", 2);
    memcpy(json + SIZE - 8, "\":1e999}", 8);
    assert_memory_equal(convert(json, SIZE, 32), "TOO_LARGE body", 14);
    free(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases), cmocka_unit_test(damaged), cmocka_unit_test(huge)};
    return cmocka_run_group_tests_name("wire/json", tests, NULL, NULL);
}
