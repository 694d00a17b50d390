/* shm/metrics, histogram and exposition: buckets and their error, percentiles against sorted data, rows and statuses, a writer that
 * is killed, and the text that Prometheus reads. */
#include "base/clock.h"
#include "shm/exposition.h"
#include "shm/metrics.h"
#include "shm/services.h"
#include "../unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static segment_t *segment;

static int set_up(void **state)
{
    int fd;
    (void)state;
    segment = segment_create(&fd);
    return segment == NULL;
}

/* --- histogram ---------------------------------------------------------------------------------------------------- */

static void check_bucket(int64_t value)
{
    int bucket = histogram_bucket(value);
    assert_in_range(bucket, 0, HISTOGRAM_BUCKETS - 1);
    assert_true(value <= histogram_upper(bucket));
    assert_true(bucket == 0 || value > histogram_upper(bucket - 1));
}

static void test_each_duration_has_its_bucket(void **state)
{
    (void)state;
    for (int64_t value = -1; value <= 120000; value++)
        check_bucket(value);
    for (int64_t power = 1000; power <= 100000000; power *= 10)
        for (int64_t digits = 1; digits <= 99; digits++)
            for (int64_t step = -1; step <= 1; step++)
                check_bucket(digits * power + step);
    check_bucket(INT64_MAX);
    assert_int_equal(histogram_bucket(100000000), HISTOGRAM_BUCKETS - 2);
    assert_int_equal(histogram_bucket(100000001), HISTOGRAM_BUCKETS - 1);
}

static void test_the_bounds_of_prometheus_are_bounds_of_buckets(void **state)
{
    (void)state;
    for (int i = 0; i < METRICS_BOUNDS; i++)
        assert_int_equal(histogram_upper(histogram_bucket(metrics_bounds[i])), metrics_bounds[i]);
}

static int compare(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;
    return (one > other) - (one < other);
}

static void test_percentiles_are_those_of_sorted_data(void **state)
{
    enum { VALUES = 20000 };
    static int64_t values[VALUES];
    static histogram_t histogram;
    const double shares[] = {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1};
    (void)state;
    srandom(4711);
    for (int spread = 1; spread <= 7; spread++) { /* powers of ten over which they are strewn */
        histogram_sum_t sum = {{0}};
        memset(&histogram, 0, sizeof(histogram));
        for (int i = 0; i < VALUES; i++) {
            int64_t most = 10;
            for (long power = random() % spread; power > 0; power--)
                most *= 10;
            values[i] = 1 + random() % most;
            histogram_count(&histogram.buckets[histogram_bucket(values[i])], 1);
        }
        qsort(values, VALUES, sizeof(values[0]), compare);
        histogram_add(&sum, &histogram);
        assert_int_equal(histogram_total(&sum), VALUES);
        for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
            double rank = shares[i] * VALUES;
            int64_t exact = values[(int)rank < rank ? (int)rank : (int)rank - 1];
            int64_t told = histogram_percentile(&sum, shares[i]);
            assert_true(llabs(told - exact) * 20 <= exact);
        }
    }
}

static void test_the_percentile_of_nothing(void **state)
{
    histogram_sum_t sum = {{0}};
    (void)state;
    assert_int_equal(histogram_percentile(&sum, 0.99), 0);
}

/* --- rows and statuses -------------------------------------------------------------------------------------------- */

static metrics_block_t *block_of(int slot)
{
    return metrics_join(segment, segment_instance(segment, slot));
}

static void test_a_block_is_nothing_until_a_process_has_it(void **state)
{
    (void)state;
    assert_null(metrics_block(segment, 20));
    metrics_block_t *block = block_of(20);
    assert_ptr_equal(block, metrics_block(segment, 20));
    assert_null(metrics_block(segment, 21));
}

static uint64_t counted(const metrics_block_t *block, int row, const char *status)
{
    for (int i = 0; metrics_status_class(i) < METRICS_CLASSES; i++)
        if (strcmp(metrics_status_name(i), status) == 0)
            return atomic_load(&block->rows[row].statuses[i]);
    fail_msg("no status %s", status);
    return 0;
}

static void test_rows_are_found_by_name_and_kind(void **state)
{
    (void)state;
    metrics_block_t *block = block_of(3);
    assert_ptr_equal(block, metrics_block(segment, 3));
    int get = metrics_row(block, METRICS_REQUESTS, TEXT("children.get"));
    int call = metrics_row(block, METRICS_CALLS, TEXT("children.get"));
    assert_int_not_equal(get, call);
    assert_int_equal(metrics_row(block, METRICS_REQUESTS, TEXT("children.get")), get);
    assert_int_equal(metrics_row(block_of(3), METRICS_CALLS, TEXT("children.get")), call);
    assert_int_equal(atomic_load(&block->count), 2);
}

static void test_a_full_block_counts_the_rest_together(void **state)
{
    (void)state;
    char name[32];
    metrics_block_t *block = block_of(4);
    for (int i = 0; i < METRICS_ROWS - 1; i++) {
        snprintf(name, sizeof(name), "operation.%d", i);
        assert_int_equal(metrics_row(block, METRICS_REQUESTS, text_of(name)), i);
    }
    assert_int_equal(metrics_row(block, METRICS_REQUESTS, TEXT("operation.1000")), METRICS_ROWS - 1);
    assert_int_equal(metrics_row(block, METRICS_REQUESTS, TEXT("operation.1001")), METRICS_ROWS - 1);
    assert_int_equal(metrics_row(block, METRICS_REQUESTS, TEXT("operation.7")), 7);
    assert_string_equal(block->names[METRICS_ROWS - 1], "other");
}

static void test_statuses_have_a_place_each_or_that_of_their_class(void **state)
{
    (void)state;
    metrics_block_t *block = block_of(5);
    int row = metrics_row(block, METRICS_REQUESTS, TEXT("a"));
    for (int status = 100; status < 600; status++)
        metrics_count(block, row, status, 1500);
    assert_int_equal(counted(block, row, "200"), 1);
    assert_int_equal(counted(block, row, "499"), 1);
    assert_int_equal(counted(block, row, "504"), 1);
    assert_true(counted(block, row, "4xx") > 80 && counted(block, row, "4xx") < 100);
    assert_int_equal(metrics_row_total(&block->rows[row]), 500);
    uint64_t all = 0;
    for (int class = 0; class < METRICS_CLASSES; class++)
        for (int i = 0; i <= METRICS_BOUNDS; i++) {
            uint64_t here = atomic_load(&block->rows[row].classes[class].buckets[i]);
            assert_true(here == 0 || metrics_bounds[i] == 2500);
            all += here;
        }
    assert_int_equal(all, 500);
    assert_int_equal(atomic_load(&block->rows[row].classes[METRICS_ABANDONED].microseconds), 1500);
}

/* What a reader sees while somebody writes only grows, and whoever is killed at any instruction leaves it so. */
static void test_writers_that_are_killed(void **state)
{
    (void)state;
    metrics_block_t *block = block_of(6);
    int row = metrics_row(block, METRICS_REQUESTS, TEXT("a"));
    uint64_t before = 0;
    for (int round = 0; round < 20; round++) {
        pid_t writer = fork();
        if (writer == 0)
            for (int64_t i = 0;; i++)
                metrics_count(metrics_join(segment, segment_instance(segment, 6)), row, 200, i % 5000);
        while (metrics_row_total(&block->rows[row]) < before + 1000)
            ;
        kill(writer, SIGKILL);
        waitpid(writer, NULL, 0);
        uint64_t now = metrics_row_total(&block->rows[row]);
        histogram_sum_t sum = {{0}};
        histogram_add(&sum, &block->histograms[row]);
        assert_true(now >= before + 1000);
        assert_true(now - histogram_total(&sum) <= (uint64_t)round + 1); /* at most one of each writer is in part there */
        before = now;
    }
}

/* --- the text ----------------------------------------------------------------------------------------------------- */

static void assert_has(const buffer_t *text, const char *line)
{
    if (strstr(text->data, line) == NULL)
        fail_msg("%s is not in\n%s", line, text->data);
}

static void test_the_text(void **state)
{
    (void)state;
    int fd;
    segment_t *whole = segment;
    segment = segment_create(&fd);
    segment_instance_t *row = segment_instance(segment, 0);
    row->service = (int16_t)service_find("frontend");
    row->number = 2;
    atomic_store(&row->used, 1);
    atomic_store(&row->state, INSTANCE_READY);
    atomic_store(&row->pid, getpid());
    atomic_store(counter_declare(row, "rate_refused_login", "count", "x"), 3);
    atomic_store(counter_declare(row, "pending", "now", "requests that wait"), 4);
    atomic_store(counter_declare(row, "pending_full", "count", "x"), 5);
    atomic_store(counter_declare(row, "request_time", "us", "x"), 1500000);
    atomic_fetch_add(&segment_service(segment, service_find("children"))->deaths, 2);
    for (int slot = 0; slot < 2; slot++) { /* the second has no instance any more: its counts stay */
        metrics_block_t *block = block_of(slot);
        int get = metrics_row(block, METRICS_REQUESTS, TEXT("children.get"));
        metrics_count(block, get, 200, 1000);
        metrics_count(block, get, 200, 1001);
        metrics_count(block, get, 404, 1);
    }
    buffer_t text = {0};
    exposition_write(segment, &text);
    buffer_add_char(&text, '\0');
    assert_has(&text, "aipoten_http_requests_total{operation=\"children.get\",code=\"200\"} 4\n");
    assert_has(&text, "aipoten_http_requests_total{operation=\"children.get\",code=\"404\"} 2\n");
    assert_has(&text,
        "aipoten_http_request_duration_seconds_bucket{operation=\"children.get\",class=\"2xx\",le=\"0.001\"} 2\n");
    assert_has(&text,
        "aipoten_http_request_duration_seconds_bucket{operation=\"children.get\",class=\"2xx\",le=\"0.0025\"} 4\n");
    assert_has(&text, "aipoten_http_request_duration_seconds_bucket{operation=\"children.get\",class=\"2xx\",le=\"+Inf\"} 4\n");
    assert_has(&text, "aipoten_http_request_duration_seconds_sum{operation=\"children.get\",class=\"2xx\"} 0.004002\n");
    assert_has(&text, "aipoten_http_request_duration_seconds_count{operation=\"children.get\",class=\"2xx\"} 4\n");
    assert_has(&text, "aipoten_rate_limited_total{service=\"frontend\",process=\"frontend.2\",class=\"login\"} 3\n");
    assert_has(&text, "# TYPE aipoten_pending gauge\naipoten_pending{service=\"frontend\",process=\"frontend.2\"} 4\n");
    assert_has(&text, "aipoten_rejected_total{service=\"frontend\",process=\"frontend.2\",reason=\"pending_full\"} 5\n");
    assert_has(&text, "aipoten_request_time_seconds_total{service=\"frontend\",process=\"frontend.2\"} 1.500000\n");
    assert_has(&text, "aipoten_instance_state{service=\"frontend\",process=\"frontend.2\",state=\"READY\"} 1\n");
    assert_has(&text, "aipoten_service_deaths_total{service=\"children\"} 2\n");
    assert_has(&text, "# TYPE aipoten_cache_looks_total counter\naipoten_cache_looks_total{outcome=\"hit\"} 0\n");
    assert_has(&text, "aipoten_cache_evicted_total 0\n");
    assert_has(&text, "aipoten_process_cpu_seconds_total{service=\"frontend\",process=\"frontend.2\"} ");
    segment_instance_t *successor = segment_instance(segment, 1); /* is being renewed: still one series each */
    successor->service = row->service;
    successor->number = row->number;
    atomic_store(&successor->used, 1);
    atomic_store(&successor->generation, 9);
    atomic_store(&successor->state, INSTANCE_STARTING);
    atomic_store(counter_declare(successor, "pending", "now", "x"), 7);
    text.length = 0;
    exposition_write(segment, &text);
    buffer_add_char(&text, '\0');
    assert_has(&text, "\naipoten_pending{service=\"frontend\",process=\"frontend.2\"} 4\n");
    assert_null(strstr(text.data, "} 7\n"));
    atomic_store(&successor->state, INSTANCE_READY);
    text.length = 0;
    exposition_write(segment, &text);
    buffer_add_char(&text, '\0');
    assert_has(&text, "\naipoten_pending{service=\"frontend\",process=\"frontend.2\"} 7\n");
    assert_null(strstr(text.data, "frontend.2\"} 4\n"));
    buffer_free(&text);
    segment = whole;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_duration_has_its_bucket),
        cmocka_unit_test(test_the_bounds_of_prometheus_are_bounds_of_buckets),
        cmocka_unit_test(test_percentiles_are_those_of_sorted_data),
        cmocka_unit_test(test_the_percentile_of_nothing),
        cmocka_unit_test(test_a_block_is_nothing_until_a_process_has_it),
        cmocka_unit_test(test_rows_are_found_by_name_and_kind),
        cmocka_unit_test(test_a_full_block_counts_the_rest_together),
        cmocka_unit_test(test_statuses_have_a_place_each_or_that_of_their_class),
        cmocka_unit_test(test_writers_that_are_killed),
        cmocka_unit_test(test_the_text),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
