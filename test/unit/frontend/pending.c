#include "../unit.h"
#include "frontend/pending.h"

static void takes_and_releases(void **state)
{
    pending_t pending;
    int64_t tickets[4];
    (void)state;
    pending_create(&pending, 3);
    for (int i = 0; i < 3; i++) {
        pending_entry_t *entry = pending_take(&pending, 100 + i, &tickets[i]);
        assert_non_null(entry);
        assert_true(tickets[i] > 0);
        assert_int_equal(pending_ticket(&pending, entry), tickets[i]);
        assert_ptr_equal(pending_find(&pending, tickets[i]), entry);
    }
    assert_null(pending_take(&pending, 100, &tickets[3]));
    assert_int_equal(pending.count, 3);

    pending_release(&pending, pending_find(&pending, tickets[1]));
    assert_null(pending_find(&pending, tickets[1]));
    assert_int_equal(pending.count, 2);
    assert_non_null(pending_take(&pending, 50, &tickets[3]));
    /* The same place, another ticket. */
    assert_int_equal(tickets[3] & 0xFFFFFFFF, tickets[1] & 0xFFFFFFFF);
    assert_true(tickets[3] != tickets[1]);
    assert_null(pending_find(&pending, tickets[1]));
    pending_destroy(&pending);
}

static void tickets_of_others(void **state)
{
    static const int64_t strange[] = {
        0, -1, INT64_MIN, INT64_MAX, 1, 4, INT64_C(1) << 32, (INT64_C(1) << 32) + 9};
    pending_t pending;
    int64_t ticket;
    (void)state;
    pending_create(&pending, 3);
    for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++)
        assert_null(pending_find(&pending, strange[i]));
    assert_non_null(pending_take(&pending, 1, &ticket));
    assert_null(pending_find(&pending, ticket + (INT64_C(1) << 32)));
    assert_null(pending_find(&pending, ticket | INT64_MIN));
    pending_destroy(&pending);
}

static void order_of_deadlines(void **state)
{
    static const int64_t deadlines[] = {50, 10, 30, 30, 20, 60, 10};
    enum { COUNT = sizeof(deadlines) / sizeof(deadlines[0]) };
    pending_t pending;
    int64_t tickets[COUNT], last = 0;
    int seen = 0;
    (void)state;
    pending_create(&pending, COUNT);
    for (int i = 0; i < COUNT; i++)
        assert_non_null(pending_take(&pending, deadlines[i], &tickets[i]));
    for (pending_entry_t *entry = pending_first(&pending); entry;
         entry = pending_next(&pending, entry), seen++) {
        assert_true(entry->deadline >= last);
        last = entry->deadline;
    }
    assert_int_equal(seen, COUNT);
    /* Releasing while walking, the next one taken before. */
    for (pending_entry_t *entry = pending_first(&pending), *next; entry; entry = next) {
        next = pending_next(&pending, entry);
        pending_release(&pending, entry);
    }
    assert_null(pending_first(&pending));
    assert_int_equal(pending.count, 0);
    pending_destroy(&pending);
}

/* Long use: a generation passes through all its values and a ticket stays positive. */
static void wears_on(void **state)
{
    pending_t pending;
    int64_t ticket, before = 0;
    (void)state;
    pending_create(&pending, 1);
    pending.entries[1].generation = 0x7FFFFFFE;
    for (int i = 0; i < 4; i++) {
        pending_entry_t *entry = pending_take(&pending, i, &ticket);
        assert_true(ticket > 0 && ticket != before);
        assert_ptr_equal(pending_find(&pending, ticket), entry);
        before = ticket;
        pending_release(&pending, entry);
    }
    pending_destroy(&pending);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(takes_and_releases),
        cmocka_unit_test(tickets_of_others), cmocka_unit_test(order_of_deadlines),
        cmocka_unit_test(wears_on)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
