/* What an answer is called in the cache: one name for all ways to ask the same, another one for everything else, none for what is
 * wrong. */
#include "../unit.h"
#include "base/memory.h"
#include "frontend/cache_name.h"

static destination_t row = {.params = {{"id", 2}},
    .param_count = 1,
    .cache = CACHE_PUBLIC,
    .cache_name = {"row", 3},
    .known = {{"age", 3}, {"id", 2}, {"q", 1}},
    .known_count = 3};

typedef struct {
    char bytes[CACHE_NAME_MOST];
    size_t length;
} made_t;

static made_t make_as(const char *id, const char *query, int language, int role)
{
    static arena_t *arena;
    made_t made;
    if (arena == NULL)
        arena = arena_create(1 << 16, NULL, NULL);
    text_t params[] = {text_of(id)};
    cache_asked_t asked = {
        .destination = &row, .params = params, .query = text_of(query), .language = language, .role = role, .user = {{(uint8_t)role}}};
    made.length = cache_name_make(&asked, arena, made.bytes);
    return made;
}

static bool same(made_t a, made_t b)
{
    return a.length > 0 && a.length == b.length && memcmp(a.bytes, b.bytes, a.length) == 0;
}

static made_t make(const char *id, const char *query)
{
    return make_as(id, query, 0, 0);
}

static void test_one_name(void **state)
{
    (void)state;
    assert_true(same(make("7", "age=3&q=a%20b"), make("7", "q=a+b&age=3")));
    assert_true(same(make("%37", ""), make("7", "")));
    assert_true(same(make("7", "q=%ea%b0%80"), make("7", "%71=\xEA\xB0\x80")));
}

static void test_other_names(void **state)
{
    static const char *const asked[][2] = {{"7", ""}, {"8", ""}, {"7", "q="}, {"7", "q=a"}, {"7", "age=a"}, {"7", "q=a&age=1"},
        {"7", "q=1&age=a"}, {"7", "q=a%26age%3D1"}, {"a+b", ""}, {"a%20b", ""}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(asked); i++)
        for (size_t k = 0; k < i; k++) {
            made_t one = make(asked[i][0], asked[i][1]), other = make(asked[k][0], asked[k][1]);
            assert_true(one.length > 0 && other.length > 0);
            assert_false(same(one, other));
        }
}

static void test_no_name(void **state)
{
    static const char *const wrong[] = {"x=1", "q=1&q=2", "q=%zz", "q=%00", "q=%ff", "id=7"};
    char longest[CACHE_NAME_MOST + 16] = "q=";
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_int_equal(make("7", wrong[i]).length, 0);
    assert_int_equal(make("%zz", "").length, 0);
    memset(longest + 2, 'a', 900);
    assert_true(make("7", longest).length > 900);
    memset(longest + 2, 'a', CACHE_NAME_MOST + 8);
    assert_int_equal(make("7", longest).length, 0);
    memset(longest, 'a', CACHE_NAME_MOST + 8);
    assert_int_equal(make(longest, "").length, 0);
}

static void test_whose(void **state)
{
    (void)state;
    assert_true(same(make_as("7", "", 0, 1), make_as("7", "", 1, 2))); /* public, in no language */
    row.by_language = true;
    assert_false(same(make_as("7", "", 0, 1), make_as("7", "", 1, 1)));
    row.by_language = false;
    row.cache = CACHE_PERSONAL;
    assert_true(same(make_as("7", "", 0, 1), make_as("7", "", 1, 1)));
    assert_false(same(make_as("7", "", 0, 1), make_as("7", "", 0, 2)));
    row.cache = CACHE_PUBLIC;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_name), cmocka_unit_test(test_other_names),
        cmocka_unit_test(test_no_name), cmocka_unit_test(test_whose)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
