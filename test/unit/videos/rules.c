/* Links and embedded players, who is one viewer, and cursors. */
#include "../unit.h"
#include "../../../actors/videos/cursor.h"
#include "../../../actors/videos/rules.h"

static arena_t *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_create(1 << 20, NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_destroy(&arena);
    return 0;
}

static void test_links(void **state)
{
    (void)state;
    static const char *const sound[] = {"https://a", "https://video.example.com/watch?v=x&t=1#a", "https://a:8443/",
        "https://a/%EC%98%81?q='()*+,;=!$&~-_.[]@:"};
    static const char *const wrong[] = {"", "https://", "http://a", "HTTPS://a", "https:/a", "//a", "javascript:alert(1)",
        "https:///a", "https://?a", "https://#", "https://:80", "https://@a", "https://a/\"", "https://a/<b>", "https://a b", "https://a\\b",
        "https://a/{x}", "ftp://a"};
    for (size_t i = 0; i < ARRAY_SIZE(sound); i++)
        if (!link_is_sound(text_of(sound[i])))
            fail_msg("%s is refused", sound[i]);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        if (link_is_sound(text_of(wrong[i])))
            fail_msg("%s is taken", wrong[i]);
}

static void test_link_states(void **state)
{
    (void)state;
    static const struct {
        int status;
        enum link_state state;
    } cases[] = {{200, LINK_ALIVE}, {204, LINK_ALIVE}, {301, LINK_ALIVE}, {308, LINK_ALIVE}, {400, LINK_FAILED}, {401, LINK_FORBIDDEN},
        {403, LINK_FORBIDDEN}, {404, LINK_FAILED}, {408, LINK_UNTOLD}, {410, LINK_FAILED}, {429, LINK_REFUSED}, {500, LINK_REFUSED},
        {503, LINK_REFUSED}, {0, LINK_FAILED}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (link_state_of(cases[i].status) != cases[i].state)
            fail_msg("status %d", cases[i].status);
}

static void test_embeds(void **state)
{
    (void)state;
    static const char *const sound[] = {"<iframe src=\"https://a/b\"></iframe>",
        "<iframe width=\"640\" src=\"https://a/b\" title=\"놀이\" allowfullscreen></iframe>"};
    static const char *const wrong[] = {"", "<iframe ></iframe>", "<iframe src=\"http://a\"></iframe>",
        "<iframe src=https://a></iframe>", "<iframe data-src=\"https://a\"></iframe>", "<iframe src=\"https://a\">x</iframe>",
        "<iframe src=\"https://a\"></iframe><b></iframe>", "<iframe src=\"https://a\" onload=\"x\"></iframe>",
        "<iframe src=\"https://a\" ONLOAD=\"x\"></iframe>", "<iframe src=\"https://a\" srcdoc=\"x\"></iframe>",
        "<iframe src=\"https://a\" href=\"JavaScript:x\"></iframe>", "<script src=\"https://a\"></script>",
        " <iframe src=\"https://a\"></iframe>", "<iframe src=\"https://a\"></iframe> ", "></iframe>", "<iframe "};
    for (size_t i = 0; i < ARRAY_SIZE(sound); i++)
        if (!embed_is_sound(text_of(sound[i])))
            fail_msg("%s is refused", sound[i]);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        if (embed_is_sound(text_of(wrong[i])))
            fail_msg("%s is taken", wrong[i]);
}

static void test_viewers(void **state)
{
    (void)state;
    static const struct {
        const char *one, *other;
        bool same;
    } pairs[] = {{"192.0.2.1", "192.0.2.1", true}, {"192.0.2.1", "192.0.2.2", false}, {"2001:db8::1", "2001:db8::2", true},
        {"2001:db8:0:1::1", "2001:db8:0:2::1", false}, {"2001:db8:0:1::1", "2001:db8:0:1:ffff::1", true},
        {"2001:db8:0:1::1", "2001:DB8:0000:0001:0::2", true}};
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
        assert_int_equal(
            text_equal(viewer_address(arena, text_of(pairs[i].one)), viewer_address(arena, text_of(pairs[i].other))), pairs[i].same);
    assert_text(viewer_address(arena, TEXT("2001:db8:0:1:2::1")), "2001:db8:0:1::"); /* no NUL, which would end it in a format */
}

static void test_cursors(void **state)
{
    (void)state;
    cursor_t cursor = {.rank = 7, .time = 1767225600000000, .id = {{1, 2, 3}}}, again;
    assert_true(cursor_read(arena, cursor_build(arena, cursor), &again));
    assert_true(again.rank == cursor.rank && again.time == cursor.time && uuid_equal(again.id, cursor.id));
    assert_true(cursor_read(arena, cursor_build(arena, cursor_first), &again));
    static const cursor_t wrong[] = {{.rank = -1}, {.rank = INT64_C(1) << 31}, {.time = -1}, {.time = INT64_C(253402300800000000)}};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_false(cursor_read(arena, cursor_build(arena, wrong[i]), &again));
    text_t whole = cursor_build(arena, cursor);
    for (size_t length = 0; length < whole.length; length++)
        assert_false(cursor_read(arena, (text_t){whole.data, length}, &again));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_link_states),
        cmocka_unit_test(test_embeds),
        cmocka_unit_test(test_viewers),
        cmocka_unit_test(test_cursors),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
