/* shm/cache: each sentence of the header that one process can show. What needs many processes and kill -9 is
 * cache_torture.c. */
#include "base/clock.h"
#include "base/siphash.h"
#include "shm/cache.h"
#include "shm/services.h"
#include "../unit.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CACHE_SIZE = 16 << 20, FILL = 500000 };

static segment_t *segment;
static cache_t *cache;
static int64_t now = 1000 * CLOCK_SECOND;

static int set_up(void **state)
{
    (void)state;
    int fd;
    segment = segment_create_with_cache(&fd, CACHE_SIZE);
    if (segment == NULL)
        return 1;
    close(fd);
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

static cache_key_t key_of(const char *name)
{
    return cache_key_of(cache, text_of(name));
}

static cache_tag_t tag_of(const char *name)
{
    return cache_tag_of(cache, name, NULL, "children");
}

/* An entry of one tag and one form. */
static cache_entry_t entry_of(const char *key, const cache_tag_t *tag, const char *body)
{
    return (cache_entry_t){.key = key_of(key),
        .stamp = cache_stamp(cache),
        .tags = tag,
        .tag_count = tag == NULL ? 0 : 1,
        .bodies = {text_of(body)},
        .etags = {TEXT("\"1\"")},
        .filled = now,
        .expires = now + 60 * CLOCK_SECOND,
        .stale_until = now + 90 * CLOCK_SECOND,
        .public = true};
}

static enum cache_outcome look(const char *key, cache_found_t *found)
{
    cache_key_t name = key_of(key);
    cache_look(cache, &name, CACHE_ACCEPT_IDENTITY, now, 0, found);
    return found->outcome;
}

static enum cache_outcome look_claiming(const char *key)
{
    cache_found_t found;
    cache_key_t name = key_of(key);
    cache_look(cache, &name, CACHE_ACCEPT_IDENTITY, now, FILL, &found);
    return found.outcome;
}

static void assert_body(const cache_found_t *found, const char *body)
{
    char *copy = malloc(found->body_length + 1);
    assert_true(cache_copy_body(cache, found, copy));
    assert_int_equal(found->body_length, strlen(body));
    assert_memory_equal(copy, body, found->body_length);
    free(copy);
}

static void test_what_was_filed_is_found(void **state)
{
    (void)state;
    cache_found_t found;
    cache_tag_t tag = tag_of("filed");
    cache_entry_t entry = entry_of("filed", &tag, "identity");
    entry.bodies[CACHE_BROTLI] = TEXT("br");
    entry.etags[CACHE_BROTLI] = TEXT("\"1-br\"");
    entry.headers = TEXT("Cache-Tag: x");
    assert_int_equal(look("filed", &found), CACHE_NONE);
    assert_int_equal(cache_put(cache, &entry), CACHE_FILED);
    assert_int_equal(look("filed", &found), CACHE_HIT);
    assert_string_equal(found.etag, "\"1\"");
    assert_int_equal(found.forms, CACHE_ACCEPT_IDENTITY | CACHE_ACCEPT_BROTLI);
    assert_true(found.public);
    assert_body(&found, "identity");
    char headers[64];
    assert_int_equal(found.header_length, 12);
    assert_true(cache_copy_headers(cache, &found, headers));
    assert_memory_equal(headers, "Cache-Tag: x", 12);
    cache_look(cache, &entry.key, CACHE_ACCEPT_GZIP | CACHE_ACCEPT_BROTLI, now, 0, &found);
    assert_int_equal(found.form, CACHE_BROTLI);
    assert_string_equal(found.etag, "\"1-br\"");
    assert_body(&found, "br");
    cache_look(cache, &entry.key, CACHE_ACCEPT_GZIP, now, 0, &found);
    assert_int_equal(found.form, CACHE_IDENTITY); /* it has no gzip */
}

static void test_an_invalidated_tag_ends_it(void **state)
{
    (void)state;
    cache_found_t found;
    cache_tag_t tags[2] = {tag_of("one"), tag_of("two")}, other = tag_of("three");
    cache_entry_t entry = entry_of("tagged", tags, "x");
    entry.tag_count = 2;
    assert_int_equal(cache_put(cache, &entry), CACHE_FILED);
    cache_invalidate(cache, &other, 1);
    assert_int_equal(look("tagged", &found), CACHE_HIT);
    cache_invalidate(cache, &tags[1], 1);
    assert_int_equal(look("tagged", &found), CACHE_NONE); /* though it is public: not even stale */
    assert_int_equal(cache_put(cache, &entry), CACHE_OUTDATED);
    entry.stamp = cache_stamp(cache);
    assert_int_equal(cache_put(cache, &entry), CACHE_FILED);
    assert_int_equal(look("tagged", &found), CACHE_HIT);
}

static void test_a_write_during_the_query_outdates_the_answer(void **state)
{
    (void)state;
    cache_found_t found;
    cache_tag_t tag = tag_of("during");
    cache_entry_t entry = entry_of("during", &tag, "read before the commit");
    cache_invalidate(cache, &tag, 1);
    assert_int_equal(cache_put(cache, &entry), CACHE_OUTDATED);
    assert_int_equal(look("during", &found), CACHE_NONE);
}

static void test_a_death_ends_what_its_program_owns(void **state)
{
    (void)state;
    cache_found_t found;
    cache_tag_t own = tag_of("own"), other = cache_tag_of(cache, "other", NULL, "accounts");
    cache_entry_t first = entry_of("of children", &own, "x"), second = entry_of("of accounts", &other, "y");
    assert_int_equal(cache_put(cache, &first), CACHE_FILED);
    assert_int_equal(cache_put(cache, &second), CACHE_FILED);
    cache_instance_died(cache, 3); /* children */
    assert_int_equal(look("of children", &found), CACHE_NONE);
    assert_int_equal(look("of accounts", &found), CACHE_HIT);
    segment_instance(segment, 4)->service = (int16_t)service_find("accounts-hash");
    cache_instance_died(cache, 4);
    assert_int_equal(look("of accounts", &found), CACHE_NONE);
}

static void test_a_flush_ends_all(void **state)
{
    (void)state;
    cache_found_t found;
    cache_entry_t entry = entry_of("flushed", NULL, "x");
    assert_int_equal(cache_put(cache, &entry), CACHE_FILED);
    cache_flush(cache);
    assert_int_equal(look("flushed", &found), CACHE_NONE);
    assert_int_equal(cache_put(cache, &entry), CACHE_OUTDATED);
}

static void test_a_miss_is_filled_once(void **state)
{
    (void)state;
    cache_found_t found;
    cache_entry_t entry = entry_of("single", NULL, "x");
    assert_int_equal(look("single", &found), CACHE_NONE); /* claims nothing */
    assert_int_equal(look_claiming("single"), CACHE_FILL);
    assert_int_equal(look_claiming("single"), CACHE_BUSY);
    cache_look(cache, &entry.key, CACHE_ACCEPT_IDENTITY, now, 0, &found);
    assert_int_equal(found.outcome, CACHE_NONE);
    assert_int_equal(look_claiming("another"), CACHE_FILL);
    cache_release(cache, &entry.key);
    assert_int_equal(look_claiming("single"), CACHE_FILL);
    now += FILL; /* forgotten */
    assert_int_equal(look_claiming("single"), CACHE_FILL);
    assert_int_equal(cache_put(cache, &entry), CACHE_FILED);
    assert_int_equal(look_claiming("single"), CACHE_HIT);
    assert_int_equal(look_claiming("of the dead"), CACHE_FILL);
    cache_instance_died(cache, 3);
    assert_int_equal(look_claiming("of the dead"), CACHE_FILL);
}

static void test_only_public_ones_are_given_stale(void **state)
{
    (void)state;
    cache_found_t found;
    cache_entry_t public = entry_of("public", NULL, "x"), personal = entry_of("personal", NULL, "y");
    int64_t before = now;
    personal.public = false;
    assert_int_equal(cache_put(cache, &public), CACHE_FILED);
    assert_int_equal(cache_put(cache, &personal), CACHE_FILED);
    now += 60 * CLOCK_SECOND - 1;
    assert_int_equal(look("personal", &found), CACHE_HIT);
    now += 1;
    assert_int_equal(look("personal", &found), CACHE_NONE);
    assert_int_equal(look_claiming("public"), CACHE_STALE_FILL);
    assert_int_equal(look_claiming("public"), CACHE_STALE);
    assert_int_equal(look("public", &found), CACHE_STALE);
    assert_body(&found, "x");
    now += 30 * CLOCK_SECOND;
    assert_int_equal(look("public", &found), CACHE_NONE);
    now = before;
}

static void test_a_new_answer_replaces_the_old(void **state)
{
    (void)state;
    cache_found_t found, before;
    char large[30000];
    memset(large, 'a', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    cache_entry_t small = entry_of("grows", NULL, "small"), grown = entry_of("grows", NULL, large);
    assert_int_equal(cache_put(cache, &small), CACHE_FILED);
    assert_int_equal(look("grows", &before), CACHE_HIT);
    assert_int_equal(cache_put(cache, &grown), CACHE_FILED);
    assert_int_equal(look("grows", &found), CACHE_HIT);
    assert_body(&found, large);
    char copy[8];
    assert_false(cache_copy_body(cache, &before, copy)); /* replaced meanwhile */
    assert_int_equal(cache_put(cache, &small), CACHE_FILED);
    assert_int_equal(look("grows", &found), CACHE_HIT);
    assert_body(&found, "small");
}

static void test_what_does_not_fit_is_refused(void **state)
{
    (void)state;
    char *large = calloc(1, 200000);
    cache_tag_t tags[CACHE_TAGS_MAX + 1];
    for (int i = 0; i <= CACHE_TAGS_MAX; i++)
        tags[i] = tag_of("many");
    cache_entry_t entry = entry_of("large", NULL, "");
    entry.bodies[0] = (text_t){large, 200000};
    assert_int_equal(cache_put(cache, &entry), CACHE_TOO_LARGE);
    entry = entry_of("large", tags, "x");
    entry.tag_count = CACHE_TAGS_MAX;
    assert_int_equal(cache_put(cache, &entry), CACHE_FILED);
    entry.tag_count++;
    assert_int_equal(cache_put(cache, &entry), CACHE_TOO_LARGE);
    entry = entry_of("large", NULL, "x");
    entry.etags[0] = TEXT("\"an ETag of more than 24 bytes\"");
    assert_int_equal(cache_put(cache, &entry), CACHE_TOO_LARGE);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_filed_is_found),
        cmocka_unit_test(test_an_invalidated_tag_ends_it),
        cmocka_unit_test(test_a_write_during_the_query_outdates_the_answer),
        cmocka_unit_test(test_a_death_ends_what_its_program_owns),
        cmocka_unit_test(test_a_flush_ends_all),
        cmocka_unit_test(test_a_miss_is_filled_once),
        cmocka_unit_test(test_only_public_ones_are_given_stale),
        cmocka_unit_test(test_a_new_answer_replaces_the_old),
        cmocka_unit_test(test_what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
