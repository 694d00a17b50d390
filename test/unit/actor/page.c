/* page: windows of lists, what is known of the total without counting, when there is a next page. */
#include "../unit.h"
#include "actor/page.h"

static void windows(void **state)
{
    (void)state;
    window_t window = window_of(0, 0, (text_t){0});
    assert_int_equal(window.page, 1);
    assert_int_equal(window.limit, 20);
    assert_int_equal(window.fetch, 21);
    assert_int_equal(window.offset, 0);
    window = window_of(3, 50, (text_t){0});
    assert_int_equal(window.offset, 100);
    assert_int_equal(window.fetch, 51);
    assert_int_equal(window_of(3, 50, TEXT("x")).offset, 0);
}

static void totals(void **state)
{
    static const struct {
        int64_t page, limit;
        bool cursor;
        int found; /* rows that came, one more than a page holds at most */
        size_t shown;
        bool next, count;
        int64_t total;
    } cases[] = {
        {1, 20, false, 0, 0, false, false, 0},
        {1, 20, false, 3, 3, false, false, 3},
        {1, 20, false, 20, 20, false, false, 20},
        {1, 20, false, 21, 20, true, true, -1},
        {3, 20, false, 4, 4, false, false, 44},
        {3, 20, false, 21, 20, true, true, -1},
        {9, 20, false, 0, 0, false, true, -1}, /* beyond the end: how far beyond is not known */
        {1, 20, true, 3, 3, false, false, -1},
        {1, 20, true, 21, 20, true, false, -1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        rows_t rows = {.count = cases[i].found};
        window_t window = window_of(cases[i].page, cases[i].limit, cases[i].cursor ? TEXT("x") : (text_t){0});
        if (window_shown(&window, &rows) != cases[i].shown || window_has_next(&window, &rows) != cases[i].next ||
            window_needs_count(&window, &rows) != cases[i].count || window_total(&window, &rows) != cases[i].total)
            fail_msg("case %zu", i);
    }
}

static void pages(void **state)
{
    (void)state;
    window_t window = window_of(2, 2, (text_t){0});
    rows_t rows = {.count = 3};
    page_t page = window_page(&window, &rows, 10001, TEXT("next"));
    assert_true(page.total_capped);
    assert_int_equal(page.total, 10001);
    assert_text(page.next_cursor, "next");
    rows.count = 2;
    page = window_page(&window, &rows, 4, TEXT("next"));
    assert_false(page.total_capped);
    assert_null(page.next_cursor.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(windows), cmocka_unit_test(totals), cmocka_unit_test(pages)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
