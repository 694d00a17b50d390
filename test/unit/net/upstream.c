/* Which instance a request goes to: a table of ready instances, and what is under way at each. */
#include "../unit.h"
#include "base/clock.h"
#include "net/upstream.h"
#include "shm/services.h"
#include <unistd.h>

enum { INSTANCES = 2, MOST = 100 /* requests under way at one instance */, HASH = 7 };

static process_t process;
static bool (*turn_end)(void *argument);
static const upstream_service_t table[] = {{.service = "children", .schema_hash = HASH},
    {.service = "accounts-hash", .schema_hash = HASH, .spread = true}};

/* --- a loop whose turns end when the test says so ----------------------------------------------------------------- */

static loop_watch_t *no_watch(loop_t *loop, int fd, int events, void (*on_ready)(void *, int), void *argument)
{
    (void)loop, (void)fd, (void)events, (void)on_ready, (void)argument;
    return NULL;
}

static void no_unwatch(loop_watch_t **watch)
{
    (void)watch;
}

static loop_timer_t *no_timer(loop_t *loop, int milliseconds, void (*on_time)(void *), void *argument)
{
    (void)loop, (void)milliseconds, (void)on_time, (void)argument;
    return NULL;
}

static void keep_hook(loop_t *loop, bool (*hook)(void *), void *argument)
{
    (void)loop, (void)argument;
    if (!turn_end) /* the first is upstream's own, the second that of its links */
        turn_end = hook;
}

static loop_t loop = {.watch = no_watch, .unwatch = no_unwatch, .timer = no_timer, .add_turn_hook = keep_hook};

static void on_reply(text_t packed)
{
    (void)packed;
}

static void on_lost(upstream_t *upstream)
{
    upstream->in_flight = 0;
}

/* --- choosing ----------------------------------------------------------------------------------------------------- */

static upstream_t *choose(int service)
{
    upstream_t *chosen;
    assert_int_equal(upstream_choose(service, &chosen), UPSTREAM_CHOSEN);
    assert_true(chosen->ready);
    chosen->in_flight++;
    return chosen;
}

/* Chooses `count` times in one turn; how many went to each. */
static void choose_many(int service, int count, upstream_t *out[INSTANCES], int counts[INSTANCES])
{
    memset(out, 0, INSTANCES * sizeof *out);
    memset(counts, 0, INSTANCES * sizeof *counts);
    for (int i = 0; i < count; i++) {
        upstream_t *chosen = choose(service);
        int place = !out[0] || out[0] == chosen ? 0 : 1;
        out[place] = chosen;
        counts[place]++;
    }
}

static void answer_all(upstream_t *const out[INSTANCES])
{
    for (int i = 0; i < INSTANCES; i++)
        if (out[i])
            out[i]->in_flight = 0;
    turn_end(NULL);
}

static void test_turn_goes_together(void **state)
{
    (void)state;
    upstream_t *out[INSTANCES];
    int counts[INSTANCES];
    turn_end(NULL);
    choose_many(0, 20, out, counts);
    assert_int_equal(counts[0], 20);
    turn_end(NULL);
    assert_ptr_not_equal(choose(0), out[0]); /* the next turn goes where fewer are */
    answer_all(out);
    choose_many(0, 2 * MOST - 60, out, counts); /* not too far ahead */
    assert_in_range(abs(counts[0] - counts[1]), 0, 48);
    answer_all(out);
    choose_many(1, 20, out, counts); /* what keeps a processor is spread */
    assert_int_equal(counts[0], 10);
    answer_all(out);
}

/* All are full; in the same turn an answer comes, and there is room again. */
static void test_room_again(void **state)
{
    (void)state;
    upstream_t *out[INSTANCES], *none;
    int counts[INSTANCES];
    choose_many(0, 2 * MOST, out, counts);
    assert_int_equal(counts[0], MOST);
    assert_int_equal(upstream_choose(0, &none), UPSTREAM_ALL_FULL);
    assert_null(none);
    out[1]->in_flight--;
    assert_ptr_equal(choose(0), out[1]);
    assert_int_equal(upstream_choose(0, &none), UPSTREAM_ALL_FULL);
    answer_all(out);
}

/* Who was chosen in this turn and is lost in it is not chosen in the next. */
static void test_lost(void **state)
{
    (void)state;
    upstream_t *first = choose(0);
    segment_instance_t *row = segment_instance(process.segment, first->slot);
    atomic_store(&row->state, INSTANCE_BACKOFF);
    atomic_store(&row->generation, 0);
    segment_touch(process.segment);
    turn_end(NULL);
    for (int i = 0; i < MOST; i++)
        assert_ptr_not_equal(choose(0), first);
    usleep(5000); /* its last words */
    turn_end(NULL);
    upstream_t *none;
    assert_int_equal(upstream_choose(0, &none), UPSTREAM_ALL_FULL);
    assert_int_equal(upstream_ready_count(0, &(int){0}), 1);
}

static int service_number(const char *name)
{
    for (int i = 0; i < service_count; i++)
        if (strcmp(services[i].name, name) == 0)
            return i;
    fail_msg("no service %s", name);
    return -1;
}

static int setup(void **state)
{
    (void)state;
    static char directory[] = "/tmp/aipoten-upstream.XXXXXX";
    assert_non_null(mkdtemp(directory));
    int fd;
    process = (process_t){.service = "test", .number = 1, .segment = segment_create(&fd), .run_directory = directory};
    process.config.http.max_pending_instance = MOST;
    for (int i = 0; i < INSTANCES * (int)ARRAY_SIZE(table); i++) {
        segment_instance_t *row = segment_instance(process.segment, i);
        row->service = service_number(table[i / INSTANCES].service);
        row->number = i % INSTANCES + 1;
        atomic_store(&row->schema, HASH);
        atomic_store(&row->generation, segment_next_generation(process.segment));
        atomic_store(&row->state, INSTANCE_READY);
        atomic_store(&row->used, 1);
    }
    segment_touch(process.segment);
    static const upstream_events_t events = {.on_reply = on_reply, .on_lost = on_lost};
    upstream_open(&loop, &process, table, ARRAY_SIZE(table), &events);
    turn_end(NULL);
    rmdir(directory);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turn_goes_together),
        cmocka_unit_test(test_room_again),
        cmocka_unit_test(test_lost),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
