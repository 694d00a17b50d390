/* spread: who gives way to whom, and for whom nobody waits. */
#include "../unit.h"
#include "base/clock.h"
#include "base/text.h"
#include "frontend/spread.h"

enum { PEERS = 4 };

static spread_t spread;
static spread_peer_t peers[PEERS];
static int64_t now = CLOCK_SECOND;

static int fresh(void **state)
{
    (void)state;
    memset(&spread, 0, sizeof(spread));
    memset(peers, 0, sizeof(peers));
    return 0;
}

static bool gives_way(int64_t own)
{
    return spread_gives_way(&spread, peers, PEERS, own, now);
}

static void time_over(void)
{
    now += SPREAD_MILLISECONDS * CLOCK_MILLISECOND;
    spread_look(&spread, peers, PEERS, now);
}

/* Gives way until it is our turn; how often that was. */
static int ways_given(int64_t own)
{
    int given = 0;
    for (; gives_way(own); given++)
        time_over();
    return given;
}

static void alone(void **state)
{
    (void)state;
    assert_false(gives_way(1000)); /* others are not ready */
    assert_false(spread_gives_way(&spread, peers, 0, 1000, now));
}

static void by_number(void **state)
{
    static const struct {
        int64_t own, others[3]; /* -1: not ready */
        bool gives;
    } cases[] = {
        {0, {0, 0, 0}, false},
        {1, {0, 0, 0}, false},
        {2, {0, 5, 5}, true},
        {2, {-1, 1, 1}, false},
        {32, {-1, -1, 28}, true},
        {32, {-1, -1, 29}, false},
        {32, {0, 500, 500}, true},
        {32, {500, 500, 500}, false},
        {1600, {-1, -1, 1498}, true},
        {1600, {-1, -1, 1499}, false},
        {500, {-1, -1, -1}, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        for (int k = 0; k < 3; k++)
            peers[k + 1] = (spread_peer_t){
                .ready = cases[i].others[k] >= 0, .connections = cases[i].others[k], .accepted = 7};
        if (gives_way(cases[i].own) != cases[i].gives)
            fail_msg("case %zu", i);
    }
}

/* A frontend that takes nothing costs each connection one wait, and after some no connection any. */
static void deaf(void **state)
{
    (void)state;
    peers[1] = (spread_peer_t){.ready = true, .accepted = 3};
    for (int i = 0; i < SPREAD_PATIENCE; i++)
        assert_int_equal(ways_given(50 + i), 1);
    int64_t since = now;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(ways_given(60 + i), 0);
    now = since + (SPREAD_DEAF_MILLISECONDS - 1) * CLOCK_MILLISECOND;
    assert_int_equal(ways_given(1060), 0);
    now = since + SPREAD_DEAF_MILLISECONDS * CLOCK_MILLISECOND;
    for (int i = 0; i < SPREAD_PATIENCE; i++)
        assert_int_equal(ways_given(1060 + i), 1);
    assert_int_equal(ways_given(1080), 0);
    peers[1].accepted++; /* it lives */
    peers[1].connections++;
    assert_int_equal(ways_given(1080), 1);
}

/* Patience is for each stretch of silence. */
static void slow(void **state)
{
    (void)state;
    peers[1] = (spread_peer_t){.ready = true};
    for (int i = 0; i < 5 * SPREAD_PATIENCE; i++) {
        assert_int_equal(ways_given(1000), 1);
        if (i % 3 == 0)
            peers[1].accepted++;
    }
}

/* Somebody else was faster than the one that was waited for: that proves nothing. */
static void others_are_faster(void **state)
{
    (void)state;
    peers[1] = (spread_peer_t){.ready = true, .accepted = 3};
    peers[2] = (spread_peer_t){.ready = true, .connections = 10, .accepted = 10};
    for (int i = 0; i < 2 * SPREAD_PATIENCE; i++) {
        assert_true(gives_way(100));
        peers[2].accepted++;
        peers[2].connections++;
        time_over();
    }
    for (int i = 0; i < SPREAD_PATIENCE; i++)
        assert_int_equal(ways_given(100), 1); /* nobody was: it is ours */
    assert_int_equal(ways_given(100), 0);
    peers[2].accepted++;
    assert_int_equal(ways_given(100), 1); /* for the second, not for the first */
    peers[2].connections = 99;
    assert_int_equal(ways_given(100), 0);
}

/* Started again: its counters begin anew. */
static void replaced(void **state)
{
    (void)state;
    peers[1] = (spread_peer_t){.ready = true, .accepted = 3};
    for (int i = 0; i < SPREAD_PATIENCE; i++)
        assert_int_equal(ways_given(50), 1);
    assert_int_equal(ways_given(50), 0);
    peers[1] = (spread_peer_t){.ready = false};
    assert_int_equal(ways_given(50), 0);
    peers[1] = (spread_peer_t){.ready = true};
    assert_int_equal(ways_given(50), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(alone, fresh),
        cmocka_unit_test_setup(by_number, fresh), cmocka_unit_test_setup(deaf, fresh),
        cmocka_unit_test_setup(slow, fresh), cmocka_unit_test_setup(others_are_faster, fresh),
        cmocka_unit_test_setup(replaced, fresh)};
    return cmocka_run_group_tests_name("frontend/spread", tests, NULL, NULL);
}
