#include "../unit.h"
#include "base/memory.h"
#include "frontend/matcher.h"

static const char *const paths[] = {
    "/healthz",
    "/api/v1/children",
    "/api/v1/children/:id",
    "/api/v1/children/:id/measurements",
    "/api/v1/children/:id/measurements/:measurement_id",
    "/api/v1/videos/:id",
    "/api/v1/videos/:id/progress",
    "/api/v1/videos/recommended",
    "/api/v1/videos/me/bookmarks",
};

static matcher_t *matcher;

static int make(void **state)
{
    (void)state;
    matcher = matcher_create();
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        void **place = matcher_place(matcher, paths[i]);
        assert_null(*place);
        *place = (void *)(uintptr_t)paths[i];
    }
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    matcher_destroy(&matcher);
    assert_null(matcher);
    return 0;
}

static void finds(void **state)
{
    static const struct {
        const char *path;
        int row; /* -1: none */
        const char *params[2];
    } cases[] = {
        {"/healthz", 0, {NULL}},
        {"/api/v1/children", 1, {NULL}},
        {"/api/v1/children/7", 2, {"7"}},
        {"/api/v1/children/%2e%2e", 2, {"%2e%2e"}},
        {"/api/v1/children/7/measurements", 3, {"7"}},
        {"/api/v1/children/7/measurements/8", 4, {"7", "8"}},
        {"/api/v1/videos/x", 5, {"x"}},
        {"/api/v1/videos/x/progress", 6, {"x"}},
        {"/api/v1/videos/recommended", 7, {NULL}},
        {"/api/v1/videos/me/bookmarks", 8, {NULL}},
        /* Static wins, also where it leads nowhere. */
        {"/api/v1/videos/recommended/progress", -1, {NULL}},
        {"/api/v1/videos/me", -1, {NULL}},
        {"/api/v1/videos/me/progress", -1, {NULL}},
        {"", -1, {NULL}},
        {"/", -1, {NULL}},
        {"*", -1, {NULL}},
        {"healthz", -1, {NULL}},
        {"/healthz/", -1, {NULL}},
        {"//healthz", -1, {NULL}},
        {"/healthzz", -1, {NULL}},
        {"/Healthz", -1, {NULL}},
        {"/api/v1", -1, {NULL}},
        {"/api/v1/children/", -1, {NULL}},
        {"/api/v1//children", -1, {NULL}},
        {"/api/v1/children/.", -1, {NULL}},
        {"/api/v1/children/..", -1, {NULL}},
        {"/api/v1/children/7/..", -1, {NULL}},
        {"/api/v1/./children", -1, {NULL}},
        {"/api/v1/children/...", 2, {"..."}},
        {"/api/v1/children/7/measurements/8/9", -1, {NULL}},
        {"/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v", -1, {NULL}},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        match_t match;
        matcher_find(matcher, text_of(cases[i].path), &match);
        const char *wanted = cases[i].row < 0 ? NULL : paths[cases[i].row];
        if (match.value != wanted)
            fail_msg("%s gives %s", cases[i].path, match.value ? (const char *)match.value : "nothing");
        for (int param = 0; wanted != NULL && param < 2 && cases[i].params[param] != NULL; param++) {
            assert_true(param < match.param_count);
            assert_text(match.params[param], cases[i].params[param]);
        }
    }
}

/* Segments longer than the bits that tell lengths apart, and bytes that no text has. */
static void odd_paths(void **state)
{
    static char longest[5000];
    match_t match;
    (void)state;
    memset(longest, 'x', sizeof(longest));
    memcpy(longest, "/api/v1/children/", 17);
    matcher_find(matcher, (text_t){longest, sizeof(longest)}, &match);
    assert_ptr_equal(match.value, paths[2]);
    assert_int_equal(match.params[0].length, sizeof(longest) - 17);
    matcher_find(matcher, (text_t){"/api/v1/children/\0\xff", 19}, &match);
    assert_ptr_equal(match.value, paths[2]);
    matcher_find(matcher, (text_t){"/healthz\0", 9}, &match);
    assert_null(match.value);
}

/* Many routes: none is taken for another. */
static void many(void **state)
{
    enum { MANY = 1000 };
    static char names[MANY][32];
    matcher_t *large = matcher_create();
    (void)state;
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof(names[i]), "/api/route%d/:id", i);
        *matcher_place(large, names[i]) = names[i];
    }
    for (int i = 0; i < MANY; i++) {
        char path[32];
        match_t match;
        snprintf(path, sizeof(path), "/api/route%d/7", i);
        matcher_find(large, text_of(path), &match);
        assert_ptr_equal(match.value, names[i]);
        assert_ptr_equal(*matcher_place(large, names[i]), names[i]);
    }
    matcher_destroy(&large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds), cmocka_unit_test(odd_paths), cmocka_unit_test(many)};
    return cmocka_run_group_tests(tests, make, unmake);
}
