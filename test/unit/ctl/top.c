/* ctl/top: what two looks at a segment tell together, and how it is shown. */
#include "../unit.h"
#include "../../../tools/ctl/top.h"
#include "base/clock.h"
#include "base/text.h"
#include "shm/services.h"

#include <unistd.h>

static segment_t *segment;
static top_look_t before, after;
static int64_t memory[SEGMENT_INSTANCES];

static int set_up(void **state)
{
    int fd;
    (void)state;
    segment = segment_create(&fd);
    memset(memory, 0, sizeof(memory));
    return segment == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    segment_detach(&segment);
    return 0;
}

static segment_instance_t *instance(int slot, const char *service, int number)
{
    segment_instance_t *row = segment_instance(segment, slot);
    row->service = (int16_t)service_find(service);
    row->number = (int16_t)number;
    atomic_store(&row->used, 1);
    atomic_store(&row->state, INSTANCE_READY);
    atomic_store(&row->generation, segment_next_generation(segment));
    atomic_store(&row->pid, getpid());
    return row;
}

static void answer(int slot, const char *operation, int status, int64_t microseconds, int times)
{
    metrics_block_t *block = metrics_join(segment, segment_instance(segment, slot));
    int row = metrics_row(block, METRICS_REQUESTS, text_of(operation));
    while (times-- > 0)
        metrics_count(block, row, status, microseconds);
}

/* The second look, two seconds later. */
static void look_later(void)
{
    top_look(segment, &after);
    after.at = before.at + 2 * CLOCK_SECOND;
}

static top_rates_t total(void)
{
    return top_total_rates(&before, &after, -1);
}

static void test_only_what_happened_between_the_looks_counts(void **state)
{
    (void)state;
    instance(3, "frontend", 1);
    answer(3, "children.get", 200, 50000, 1000);
    top_look(segment, &before);
    answer(3, "children.get", 200, 1000, 98);
    answer(3, "children.get", 503, 2000, 2);
    look_later();
    top_rates_t rates = top_instance_rates(&before, &after, 3, 7);
    assert_int_equal(rates.answered, 100);
    assert_float_equal(rates.rate, 50, 0.001);
    assert_float_equal(rates.errors, 1, 0.001);
    assert_in_range(rates.p50, 950, 1050);
    assert_in_range(rates.p99, 1900, 2100);
    assert_int_equal(rates.memory, 7);
    assert_int_equal(total().answered, 100);
    assert_string_equal(after.operations[0].name, "children.get");
    assert_int_equal(top_operation_rates(&before, &after, 0).p99, rates.p99);
}

static void test_nothing_happened(void **state)
{
    (void)state;
    instance(3, "frontend", 1);
    top_look(segment, &before);
    look_later();
    assert_float_equal(total().rate, 0, 0);
    assert_int_equal(total().p99, -1);
    assert_true(total().hit_share < 0);
    assert_int_equal(after.operation_count, 0);
}

/* Its successor's own counters begin at 0; the slot's sums go on. */
static void test_a_process_that_was_replaced_meanwhile(void **state)
{
    (void)state;
    segment_instance_t *row = instance(3, "children", 1);
    atomic_store(counter_declare(row, "database_statements_read", "x", "x"), 1000);
    atomic_store(counter_declare(row, "database_time_read", "us", "x"), 900000);
    top_look(segment, &before);
    atomic_store(&row->counter_count, 0);
    instance(3, "children", 1);
    atomic_store(counter_declare(row, "database_statements_read", "x", "x"), 8);
    atomic_store(counter_declare(row, "database_statements_write", "x", "x"), 2);
    atomic_store(counter_declare(row, "database_time_read", "us", "x"), 5000);
    look_later();
    top_rates_t rates = top_instance_rates(&before, &after, 3, -1);
    assert_float_equal(rates.statements, 5, 0.001);
    assert_int_equal(rates.statement_time, 500);
}

static void test_totals_are_what_clients_see(void **state)
{
    (void)state;
    segment_instance_t *one = instance(3, "frontend", 1), *actor = instance(4, "children", 1);
    instance(5, "frontend", 2);
    atomic_store(counter_declare(one, "pending", "now", "x"), 4);
    atomic_store(counter_declare(one, "cache_hits_memory", "count", "x"), 3);
    atomic_store(counter_declare(one, "cache_misses", "count", "x"), 1);
    atomic_store(counter_declare(actor, "calls_in_flight", "now", "x"), 9);
    atomic_store(counter_declare(actor, "calls_queued", "now", "x"), 2);
    before = (top_look_t){.at = clock_monotonic()};
    answer(3, "children.get", 200, 100, 10);
    answer(5, "children.get", 200, 100, 20);
    answer(5, "children.list", 200, 300, 5);
    look_later();
    top_rates_t rates = total();
    assert_int_equal(rates.answered, 35);
    assert_int_equal(rates.in_flight, 4);
    assert_int_equal(rates.queued, 2);
    assert_float_equal(rates.hit_share, 0.75, 0.001);
    assert_int_equal(top_instance_rates(&before, &after, 4, -1).in_flight, 9);
}

static void count(segment_instance_t *row, const char *name, int64_t value)
{
    atomic_store(counter_declare(row, name, "count", "x"), value);
}

static void test_realtime_and_the_broker(void **state)
{
    static const char *const carried[] = {"hints_heard", "hints_told", "link_dropped", "hints_lost_told", "bridge_sent",
        "bridge_heard", "bridge_gaps"};
    (void)state;
    segment_instance_t *broker = instance(1, "broker", 1), *one = instance(3, "frontend", 1), *two = instance(4, "frontend", 2);
    for (size_t i = 0; i < ARRAY_SIZE(carried); i++)
        count(broker, carried[i], 100);
    count(one, "realtime_shown", 7);
    top_look(segment, &before);
    for (size_t i = 0; i < ARRAY_SIZE(carried); i++)
        count(broker, carried[i], 102 + 2 * (int64_t)i);
    count(broker, "subscriptions", 12);
    count(one, "realtime_shown", 27);
    count(one, "link_dropped", 5000); /* its own, not the broker's */
    count(one, "realtime_sessions", 30);
    count(two, "realtime_sessions", 4);
    look_later();
    top_realtime_t now = top_realtime(&before, &after);
    assert_int_equal(now.sockets, 34);
    assert_int_equal(now.subscriptions, 12);
    assert_float_equal(now.shown, 10, 0.001);
    const double rates[] = {now.heard, now.told, now.dropped, now.lost, now.sent, now.far_heard, now.gaps};
    for (size_t i = 0; i < ARRAY_SIZE(rates); i++)
        assert_float_equal(rates[i], 1 + (double)i, 0.001);
    atomic_store(&broker->generation, segment_next_generation(segment)); /* another one, which counts from 0 */
    count(broker, "hints_heard", 50);
    look_later();
    assert_float_equal(top_realtime(&before, &after).heard, 25, 0.001);
}

static void test_the_lines(void **state)
{
    (void)state;
    segment_instance_t *row = instance(9, "children", 1);
    instance(2, "children", 1); /* its successor, while it is renewed */
    instance(7, "accounts", 2);
    instance(4, "frontend", 1);
    now_set(row, TEXT("children.list"), (uuid_t){{0}}, TEXT("t"));
    row->now.since -= 12 * CLOCK_SECOND;
    top_look(segment, &before);
    answer(4, "children.list", 200, 30, 30);
    look_later();
    buffer_t out = {0};
    top_frame_t frame = {.before = &before, .after = &after, .memory = memory, .columns = 120, .rows = 40};
    top_text(&frame, &out);
    static const char *const begins[] = {"\1INSTANCE", "\1total", "accounts.2", "children.1", "children.1", "frontend.1", "",
        "\1REALTIME", "", "", "\1OPERATION", "children.list"};
    text_t lines = buffer_text(&out), line;
    for (size_t i = 0; i < ARRAY_SIZE(begins); i++) {
        assert_true(text_split(&lines, '\n', &line));
        assert_true(line.length <= 121 && text_starts_with(line, text_of(begins[i])));
    }
    out.length = 0;
    frame.columns = 0;
    top_text(&frame, &out);
    buffer_add_char(&out, '\0');
    assert_non_null(strstr(out.data, "in children.list for 12.0 s\n"));
    assert_non_null(strstr(out.data, " 30us "));
    buffer_free(&out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_only_what_happened_between_the_looks_counts),
        TEST(test_nothing_happened),
        TEST(test_a_process_that_was_replaced_meanwhile),
        TEST(test_totals_are_what_clients_see),
        TEST(test_realtime_and_the_broker),
        TEST(test_the_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
