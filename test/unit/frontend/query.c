#include "../unit.h"
#include "frontend/query.h"

static _Noreturn void no_memory(void *argument)
{
    (void)argument;
    abort();
}

static problems_t problems;

static int make(void **state)
{
    (void)state;
    problems.arena = arena_create(1 << 20, no_memory, NULL);
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    arena_destroy(&problems.arena);
    return 0;
}

static void decodes(void **state)
{
    static const struct {
        const char *encoded;
        bool plus;
        const char *decoded; /* NULL: refused with `kind` */
        enum problem_kind kind;
    } cases[] = {
        {"", false, "", PROBLEM_KINDS},
        {"abc-123_~.", false, "abc-123_~.", PROBLEM_KINDS},
        {"%EA%B0%80", false, "가", PROBLEM_KINDS},
        {"%ea%b0%80x", false, "가x", PROBLEM_KINDS},
        {"a+b", false, "a+b", PROBLEM_KINDS},
        {"a+b", true, "a b", PROBLEM_KINDS},
        {"a%2Bb", true, "a+b", PROBLEM_KINDS},
        {"%25", false, "%", PROBLEM_KINDS},
        {"가", false, "가", PROBLEM_KINDS},
        {"%", false, NULL, PROBLEM_ENCODING},
        {"%4", false, NULL, PROBLEM_ENCODING},
        {"a%4", false, NULL, PROBLEM_ENCODING},
        {"%zz", false, NULL, PROBLEM_ENCODING},
        {"%4z", false, NULL, PROBLEM_ENCODING},
        {"%-1", false, NULL, PROBLEM_ENCODING},
        {"%00", false, NULL, PROBLEM_NUL},
        {"a%00b", false, NULL, PROBLEM_NUL},
        {"%FF", false, NULL, PROBLEM_ENCODING},
        {"%C0%80", false, NULL, PROBLEM_ENCODING},
        {"%ED%A0%80", false, NULL, PROBLEM_ENCODING},
        {"\xff", false, NULL, PROBLEM_ENCODING},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char scratch[64];
        text_t out;
        enum problem_kind kind = percent_decode(text_of(cases[i].encoded), cases[i].plus, scratch, &out);
        if (kind != cases[i].kind)
            fail_msg("percent_decode(\"%s\")", cases[i].encoded);
        if (cases[i].decoded != NULL)
            assert_text(out, cases[i].decoded);
    }
}

static void reads(void **state)
{
    static const struct {
        const char *query;
        int count;
        pair_t pairs[3];
        const char *wrong; /* the first field that is wrong; NULL: none */
        enum problem_kind kind;
    } cases[] = {
        {"", 0, {{{0}}}, NULL, 0},
        {"a=1", 1, {{{"a", 1}, {"1", 1}}}, NULL, 0},
        {"a=1&b=2", 2, {{{"a", 1}, {"1", 1}}, {{"b", 1}, {"2", 1}}}, NULL, 0},
        {"&&a=1&", 1, {{{"a", 1}, {"1", 1}}}, NULL, 0},
        {"a", 1, {{{"a", 1}, {"", 0}}}, NULL, 0},
        {"a=", 1, {{{"a", 1}, {"", 0}}}, NULL, 0},
        {"a=b=c", 1, {{{"a", 1}, {"b=c", 3}}}, NULL, 0},
        {"%61=%62&c=d+e", 2, {{{"a", 1}, {"b", 1}}, {{"c", 1}, {"d e", 3}}}, NULL, 0},
        {"a=%ff", 0, {{{0}}}, "a", PROBLEM_ENCODING},
        {"a=%00", 0, {{{0}}}, "a", PROBLEM_NUL},
        {"%ff=1", 0, {{{0}}}, "query", PROBLEM_ENCODING},
        {"=1", 0, {{{0}}}, "query", PROBLEM_EMPTY},
        {"a=1&a=2", 1, {{{"a", 1}, {"1", 1}}}, "a", PROBLEM_DUPLICATE},
        {"a=1&%61=2", 1, {{{"a", 1}, {"1", 1}}}, "a", PROBLEM_DUPLICATE},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char scratch[64];
        query_t query;
        problems.count = 0;
        bool good = query_read(text_of(cases[i].query), scratch, &query, &problems);
        if (good != (cases[i].wrong == NULL) || query.count != cases[i].count ||
            (problems.count == 0) != good)
            fail_msg("query_read(\"%s\")", cases[i].query);
        for (int pair = 0; pair < query.count; pair++) {
            assert_true(text_equal(query.items[pair].name, cases[i].pairs[pair].name));
            assert_true(text_equal(query.items[pair].value, cases[i].pairs[pair].value));
        }
        if (!good) {
            assert_text(problems.items[0].field, cases[i].wrong);
            assert_int_equal(problems.items[0].kind, cases[i].kind);
        }
    }
}

static void too_many(void **state)
{
    char text[20 * (QUERY_PAIRS_MAX + 1)], scratch[sizeof(text)];
    size_t length = 0;
    query_t query;
    (void)state;
    for (int i = 0; i <= QUERY_PAIRS_MAX; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "name%d=%d&", i, i);
    problems.count = 0;
    assert_false(query_read((text_t){text, length}, scratch, &query, &problems));
    assert_int_equal(query.count, QUERY_PAIRS_MAX);
    assert_int_equal(problems.items[0].kind, PROBLEM_TOO_LONG);
}

/* What is shown of a client's name ends between two characters. */
static void names(void **state)
{
    char name[100];
    (void)state;
    for (size_t i = 0; i + 3 <= 99; i += 3)
        memcpy(name + i, "가", 3);
    text_t shown = name_shown((text_t){name, 99});
    assert_int_equal(shown.length, 63);
    assert_true(text_is_utf8(shown));
    assert_int_equal(name_shown(TEXT("short")).length, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(decodes), cmocka_unit_test(reads),
        cmocka_unit_test(too_many), cmocka_unit_test(names)};
    return cmocka_run_group_tests(tests, make, unmake);
}
