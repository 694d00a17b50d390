/* Who hears of what: each once, until its generation ends; never more than there is room for. */
#include "../unit.h"
#include "wire/topics.h"
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 1000 };

static topics_t topics = {.most = MOST};

static int count(const char *topic)
{
    int found = 0;
    for (const subscription_t *at = NULL; (at = topics_next(&topics, text_of(topic), at)) != NULL;)
        found++;
    return found;
}

static int empty(void **state)
{
    (void)state;
    topics_free(&topics);
    return 0;
}

static void test_each_once(void **state)
{
    (void)state;
    assert_true(topics_subscribe(&topics, TEXT("instances"), 1, 100));
    assert_true(topics_subscribe(&topics, TEXT("instances"), 2, 200));
    assert_true(topics_subscribe(&topics, TEXT("stale"), 1, 100));
    assert_true(topics_subscribe(&topics, TEXT("instances"), 7, 100)); /* it came by another way: told there only */
    assert_int_equal(count("instances"), 2);
    assert_int_equal(count("stale"), 1);
    assert_int_equal(count("instance"), 0); /* a topic is its whole name */
    const subscription_t *first = topics_next(&topics, TEXT("instances"), NULL);
    assert_int_equal(first->peer + topics_next(&topics, TEXT("instances"), first)->peer, 7 + 2);
}

static void test_end(void **state)
{
    (void)state;
    for (uint64_t generation = 1; generation <= 5; generation++) {
        assert_true(topics_subscribe(&topics, TEXT("a"), (uint32_t)generation, generation));
        assert_true(topics_subscribe(&topics, TEXT("b"), (uint32_t)generation, generation));
    }
    topics_end(&topics, 3);
    topics_end(&topics, 99);
    assert_int_equal(count("a"), 4);
    assert_int_equal(count("b"), 4);
    for (const subscription_t *at = NULL; (at = topics_next(&topics, TEXT("a"), at)) != NULL;)
        assert_int_not_equal(at->generation, 3);
}

static void test_bounds(void **state)
{
    (void)state;
    char name[HINT_TOPIC_MAX + 2];
    memset(name, 'x', sizeof(name));
    assert_false(topics_subscribe(&topics, (text_t){name, 0}, 1, 1));
    assert_false(topics_subscribe(&topics, (text_t){name, HINT_TOPIC_MAX + 1}, 1, 1));
    assert_true(topics_subscribe(&topics, (text_t){name, HINT_TOPIC_MAX}, 1, 1));
    for (int i = 1; i < MOST; i++) {
        int length = snprintf(name, sizeof(name), "user:%d", i);
        assert_true(topics_subscribe(&topics, (text_t){name, (size_t)length}, 1, 1));
    }
    assert_false(topics_subscribe(&topics, TEXT("one more"), 1, 1));
    assert_true(topics_subscribe(&topics, TEXT("user:1"), 2, 1)); /* known ones may still move */
    topics_end(&topics, 1);
    assert_true(topics_subscribe(&topics, TEXT("one more"), 1, 2));
    assert_int_equal(topics.count, 1);
}

/* Against a plain list, with many topics of few processes that come and go. */
static void test_like_a_list(void **state)
{
    (void)state;
    enum { NAMES = 150, GENERATIONS = 4 };
    static bool list[NAMES][GENERATIONS];
    memset(list, 0, sizeof(list));
    srand(7);
    for (int step = 0; step < 60000; step++) {
        char name[16];
        int which = rand() % NAMES, whose = rand() % GENERATIONS, act = rand() % 100;
        text_t topic = {name, (size_t)snprintf(name, sizeof(name), "user:%d", which)};
        if (act < 60) {
            assert_true(topics_subscribe(&topics, topic, (uint32_t)whose, (uint64_t)whose + 1));
            list[which][whose] = true;
        } else if (act < 99) {
            assert_int_equal(topics_unsubscribe(&topics, topic, (uint64_t)whose + 1), list[which][whose]);
            list[which][whose] = false;
        } else if (rand() % 10 == 0) {
            topics_end(&topics, (uint64_t)whose + 1);
            for (int i = 0; i < NAMES; i++)
                list[i][whose] = false;
        }
        int expected = 0, total = 0;
        for (int i = 0; i < GENERATIONS; i++)
            expected += list[which][i];
        assert_int_equal(count(name), expected);
        for (int i = 0; step % 1000 == 0 && i < NAMES * GENERATIONS; i++)
            total += list[i / GENERATIONS][i % GENERATIONS];
        if (step % 1000 == 0)
            assert_int_equal(topics.count, total);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(test_each_once, empty), cmocka_unit_test_setup(test_end, empty),
        cmocka_unit_test_setup(test_bounds, empty), cmocka_unit_test_setup(test_like_a_list, empty)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
