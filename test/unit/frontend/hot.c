#include <string.h>
#include "../unit.h"
#include "base/clock.h"
#include "frontend/hot.h"
#include "shm/services.h"
#include <unistd.h>

enum { LIMIT = 50000, LONG = 8000, NOW = 1000 };

static segment_t *segment;
static cache_t *cache;

static int set_up(void **state)
{
    int fd;
    (void)state;
    segment = segment_create_with_cache(&fd, 16 << 20);
    cache_format(segment);
    segment_instance_t *row = segment_instance(segment, 3);
    row->service = (int16_t)service_find("children");
    row->number = 1;
    atomic_store(&row->generation, segment_next_generation(segment));
    atomic_store(&row->pid, getpid());
    atomic_store(&row->used, 1);
    cache = cache_open(segment, row);
    return !cache_enabled(cache);
}

static int empty(void **state)
{
    (void)state;
    hot_open(0);
    assert_int_equal(hot_bytes(), 0);
    hot_open(LIMIT);
    cache_flush(cache);
    return 0;
}

static void file(const char *key, char letter, size_t length)
{
    static char body[LONG], packed[LONG];
    memset(body, letter, length);
    memset(packed, letter + 1, length);
    const cache_entry_t entry = {.key = cache_key_of(cache, text_of(key)),
        .stamp = cache_stamp(cache),
        .bodies = {[CACHE_IDENTITY] = {body, length}, [CACHE_GZIP] = {packed, length / 2}},
        .etags = {TEXT("\"1\""), TEXT("\"2\"")},
        .filled = NOW,
        .expires = NOW + CLOCK_SECOND,
        .stale_until = NOW + CLOCK_SECOND,
        .public = true};
    assert_int_equal(cache_put(cache, &entry), CACHE_FILED);
}

static cache_found_t found(const char *key, unsigned accept)
{
    cache_found_t out;
    cache_key_t name = cache_key_of(cache, text_of(key));
    cache_look(cache, &name, accept, NOW, 0, &out);
    assert_int_equal(out.outcome, CACHE_HIT);
    return out;
}

/* What it gives for the key, once; NULL: nothing. */
static const char *ask(h2o_mem_pool_t *pool, const char *key, char letter)
{
    cache_found_t place = found(key, CACHE_ACCEPT_IDENTITY);
    text_t body = hot_body(pool, cache, &place);
    if (body.data == NULL)
        return NULL;
    assert_int_equal(body.length, place.body_length);
    for (size_t i = 0; i < body.length; i++)
        assert_int_equal(body.data[i], letter);
    return body.data;
}

static void one_copy_for_all(void **state)
{
    (void)state;
    h2o_mem_pool_t pools[3];
    const char *bodies[3];
    file("list", 'a', LONG);
    for (int i = 0; i < 3; i++) {
        h2o_mem_init_pool(&pools[i]);
        bodies[i] = ask(&pools[i], "list", 'a');
    }
    assert_null(bodies[0]); /* asked for once only: it may never be again */
    assert_non_null(bodies[1]);
    assert_ptr_equal(bodies[1], bodies[2]);
    assert_int_equal(hot_bytes(), LONG);
    cache_found_t packed = found("list", CACHE_ACCEPT_GZIP);
    hot_body(&pools[0], cache, &packed);
    text_t other = hot_body(&pools[0], cache, &packed);
    assert_int_equal(other.length, LONG / 2);
    assert_int_equal(other.data[0], 'b');
    for (int i = 0; i < 3; i++)
        h2o_mem_clear_pool(&pools[i]);
    assert_int_equal(hot_bytes(), LONG + LONG / 2);
}

/* Filed anew it stands in the same slot; who has the old body keeps it until it is sent. */
static void filed_anew(void **state)
{
    (void)state;
    h2o_mem_pool_t before, after;
    h2o_mem_init_pool(&before);
    h2o_mem_init_pool(&after);
    file("list", 'a', LONG);
    ask(&before, "list", 'a');
    const char *old = ask(&before, "list", 'a');
    cache_found_t was = found("list", CACHE_ACCEPT_IDENTITY);
    file("list", 'c', LONG);
    cache_found_t is = found("list", CACHE_ACCEPT_IDENTITY);
    assert_ptr_equal(was.slot, is.slot);
    assert_int_not_equal(was.sequence, is.sequence);
    const char *new = ask(&after, "list", 'c');
    assert_non_null(new);
    assert_int_equal(hot_bytes(), LONG);
    for (int i = 0; i < LONG; i++)
        assert_int_equal(old[i], 'a');
    /* A look from before that comes only now: its bytes are nowhere, and nothing else is given for them. */
    text_t late = hot_body(&after, cache, &was);
    assert_null(late.data);
    h2o_mem_clear_pool(&before);
    h2o_mem_clear_pool(&after);
}

static void bounded(void **state)
{
    (void)state;
    h2o_mem_pool_t pool;
    char key[32];
    h2o_mem_init_pool(&pool);
    file("short", 'a', HOT_SMALLEST - 1);
    for (int i = 0; i < 5; i++)
        assert_null(ask(&pool, "short", 'a'));
    for (int number = 0; number < 1000; number++) {
        snprintf(key, sizeof(key), "scanned %d", number);
        file(key, (char)('a' + number % 20), LONG / 4);
    }
    for (int round = 0; round < 6; round++)
        for (int number = 0; number < 1000; number++) {
            cache_found_t place;
            snprintf(key, sizeof(key), "scanned %d", number);
            cache_key_t name = cache_key_of(cache, text_of(key));
            cache_look(cache, &name, CACHE_ACCEPT_IDENTITY, NOW, 0, &place);
            if (place.outcome == CACHE_HIT)
                ask(&pool, key, (char)('a' + number % 20));
            assert_in_range(hot_bytes(), 0, LIMIT);
            h2o_mem_clear_pool(&pool);
        }
    /* After the scan, what is asked for without pause has its place again. */
    file("list", 'z', LONG);
    for (int i = 0; i < 300 && ask(&pool, "list", 'z') == NULL; i++)
        ;
    assert_non_null(ask(&pool, "list", 'z'));
    hot_open(LONG);
    assert_in_range(hot_bytes(), 0, LONG);
    hot_open(0);
    assert_int_equal(hot_bytes(), 0);
    assert_null(ask(&pool, "list", 'z'));
    h2o_mem_clear_pool(&pool);
}

int main(void)
{
    const struct CMUnitTest all[] = {cmocka_unit_test_setup(one_copy_for_all, empty), cmocka_unit_test_setup(filed_anew, empty),
        cmocka_unit_test_setup(bounded, empty)};
    return cmocka_run_group_tests(all, set_up, NULL);
}
