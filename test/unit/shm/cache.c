/* shm/cache: each sentence of the header that one process can show. What needs many processes and kill -9 is
 * cache_torture.c. */
#include "base/clock.h"
#include "base/siphash.h"
#include "shm/cache_internal.h"
#include "shm/services.h"
#include "../unit.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CACHE_SIZE = 16 << 20, FILL = 500000 };

static segment_t *segment;
static int fd;
static cache_t *cache;
static int64_t now = 1000 * CLOCK_SECOND;

static int set_up(void **state)
{
    (void)state;
    segment = segment_create_with_cache(&fd, CACHE_SIZE);
    if (segment == NULL)
        return 1;
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

static void test_a_death_ends_what_its_service_owns(void **state)
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
    cache_instance_died(cache, 4); /* it owns nothing */
    assert_int_equal(look("of accounts", &found), CACHE_HIT);
    segment_instance(segment, 4)->service = (int16_t)service_find("accounts");
    cache_instance_died(cache, 4);
    assert_int_equal(look("of accounts", &found), CACHE_NONE);
    second.stamp = cache_stamp(cache);
    assert_int_equal(cache_put(cache, &second), CACHE_FILED);
    cache_owner_died(cache, "accounts"); /* on another machine */
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

/* What is looked for again and again stays, though ten times as much as there is room for is asked for once meanwhile. */
static void test_a_scan_does_not_empty_it(void **state)
{
    (void)state;
    cache_found_t found;
    char name[32], body[500];
    int slots = (int)cache->classes[0].slots, hot = slots / 4, kept = 0;
    memset(body, 'x', sizeof(body) - 1);
    body[sizeof(body) - 1] = '\0';
    cache_flush(cache);
    for (int i = 0; i < hot; i++) {
        snprintf(name, sizeof(name), "hot %d", i);
        look_claiming(name);
        cache_entry_t entry = entry_of(name, NULL, body);
        assert_int_equal(cache_put(cache, &entry), CACHE_FILED);
        for (int times = 0; times < 4; times++)
            assert_int_equal(look(name, &found), CACHE_HIT);
    }
    for (int i = 0; i < 10 * slots; i++) {
        snprintf(name, sizeof(name), "scanned %d", i);
        assert_int_equal(look_claiming(name), CACHE_FILL);
        cache_entry_t entry = entry_of(name, NULL, body);
        cache_put(cache, &entry);
        if (i % 10 == 0) { /* one request of eleven is for what is hot */
            snprintf(name, sizeof(name), "hot %d", i / 10 % hot);
            look(name, &found);
        }
    }
    for (int i = 0; i < hot; i++) {
        snprintf(name, sizeof(name), "hot %d", i);
        kept += look(name, &found) == CACHE_HIT;
    }
    assert_true(kept > hot * 9 / 10);
    /* And what becomes hot gets in. */
    int filed = 0;
    for (int i = 0; i < 100; i++)
        for (int times = 0; times < 3; times++) {
            snprintf(name, sizeof(name), "new %d", i);
            if (look_claiming(name) == CACHE_HIT)
                continue;
            cache_entry_t entry = entry_of(name, NULL, body);
            filed += cache_put(cache, &entry) == CACHE_FILED;
        }
    assert_true(filed >= 90);
}

static void test_a_slot_of_a_dead_writer_is_taken(void **state)
{
    (void)state;
    cache_found_t found;
    cache_entry_t entry = entry_of("torn", NULL, "before"), again = entry_of("torn", NULL, "after");
    assert_int_equal(cache_put(cache, &entry), CACHE_FILED);
    assert_int_equal(look("torn", &found), CACHE_HIT);
    slot_head_t *slot = (slot_head_t *)(uintptr_t)found.slot;
    pid_t gone = fork();
    if (gone == 0)
        _exit(0);
    waitpid(gone, NULL, 0);
    /* Killed in the middle of its write. */
    atomic_store(&slot->holder, (uint64_t)gone << 32 | (uint32_t)(cache->self & UINT32_MAX));
    atomic_fetch_add(&slot->sequence, 1);
    assert_int_equal(look("torn", &found), CACHE_NONE);
    assert_int_equal(cache_put(cache, &again), CACHE_FILED);
    assert_int_equal(look("torn", &found), CACHE_HIT);
    assert_body(&found, "after");
    assert_ptr_equal(found.slot, slot);
    assert_int_equal(atomic_load(&slot->holder), 0);
    /* One that lives (the first of all processes does) and whose generation is in the table is left alone. */
    atomic_store(&slot->holder, UINT64_C(1) << 32 | (cache->self & UINT32_MAX));
    again = entry_of("torn", NULL, "elsewhere");
    assert_int_equal(cache_put(cache, &again), CACHE_FILED);
    assert_int_equal(look("torn", &found), CACHE_HIT);
    assert_ptr_not_equal(found.slot, slot);
    assert_body(&found, "elsewhere");
    /* A process number given again: the generation tells. */
    atomic_store(&slot->holder, UINT64_C(1) << 32 | 0xdead);
    again = entry_of("torn", NULL, "x");
    for (uint32_t i = 0; i < cache->classes[0].slots && atomic_load(&slot->holder) != 0; i++) {
        cache_flush(cache);
        again.stamp = cache_stamp(cache);
        char name[32];
        snprintf(name, sizeof(name), "filler %u", i);
        again.key = key_of(name);
        cache_put(cache, &again);
    }
    assert_int_equal(atomic_load(&slot->holder), 0);
}

static void test_rubbish_is_a_miss(void **state)
{
    (void)state;
    int other_fd;
    cache_found_t found;
    cache_stats_t stats;
    segment_t *other = segment_create_with_cache(&other_fd, CACHE_SIZE);
    size_t size;
    uint8_t *part = segment_cache_part(other, &size);
    cache_t *foreign = cache_open(other, segment_instance(other, 0)); /* nobody formatted it */
    assert_false(cache_enabled(foreign));
    assert_true(cache_is_foreign(other));
    free(foreign);
    cache_format(other);
    foreign = cache_open(other, segment_instance(other, 0));
    assert_true(cache_enabled(foreign));
    assert_false(cache_is_foreign(other));
    uint64_t noise = 1;
    for (size_t at = sizeof(cache_head_t); at + 8 <= size; at += 8) {
        noise = noise * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t word = noise >> (noise >> 60); /* small ones, too */
        memcpy(part + at, &word, 8);
    }
    for (int i = 0; i < CACHE_CLASSES; i++)
        atomic_store(&foreign->head->classes[i].touched, noise);
    cache_stats_read(foreign, &stats);
    for (int i = 0; i < 20000; i++) {
        cache_key_t key = {{noise * (uint64_t)i, noise ^ (uint64_t)i << 24}};
        if (i % 2) { /* as the index would have it */
            index_set_t *set = index_set(foreign, &key);
            key.words[1] = atomic_load(&set->words[i % INDEX_WAYS]);
        }
        cache_look(foreign, &key, 7, now, i % 3, &found);
        assert_true(found.outcome == CACHE_FILL || found.outcome == CACHE_BUSY || found.outcome == CACHE_NONE);
    }
    memcpy(part, "rubbish", 8);
    free(foreign);
    foreign = cache_open(other, segment_instance(other, 0));
    assert_false(cache_enabled(foreign));
    cache_key_t key = cache_key_of(foreign, TEXT("x"));
    cache_look(foreign, &key, 7, now, FILL, &found);
    assert_int_equal(found.outcome, CACHE_NONE);
    cache_entry_t entry = entry_of("x", NULL, "x");
    assert_int_equal(cache_put(foreign, &entry), CACHE_IS_OFF);
    cache_invalidate(foreign, &(cache_tag_t){0}, 1);
    cache_release(foreign, &key);
    cache_flush(foreign);
    free(foreign);
    close(other_fd);
}

static void test_lengths_in_a_slot_are_not_believed(void **state)
{
    (void)state;
    cache_found_t found;
    cache_entry_t entry = entry_of("lengths", NULL, "x");
    assert_int_equal(cache_put(cache, &entry), CACHE_FILED);
    assert_int_equal(look("lengths", &found), CACHE_HIT);
    slot_head_t *slot = (slot_head_t *)(uintptr_t)found.slot;
    atomic_store(&slot->lengths[0], UINT32_MAX);
    assert_int_equal(look("lengths", &found), CACHE_NONE);
    atomic_store(&slot->lengths[0], 1);
    atomic_store(&slot->header_length, UINT32_MAX);
    assert_int_equal(look("lengths", &found), CACHE_NONE);
    atomic_store(&slot->header_length, 0);
    assert_int_equal(look("lengths", &found), CACHE_HIT);
    atomic_store(&slot->tag_count, CACHE_TAGS_MAX + 1);
    assert_int_equal(look("lengths", &found), CACHE_NONE);
}

static void test_memory_is_taken_as_it_fills(void **state)
{
    (void)state;
    int other_fd;
    struct stat status;
    cache_stats_t stats;
    segment_t *other = segment_create_with_cache(&other_fd, 64 << 20);
    cache_format(other);
    cache_t *empty = cache_open(other, segment_instance(other, 0));
    cache_stats_read(empty, &stats);
    assert_true(stats.enabled);
    assert_int_equal(stats.size, 64 << 20);
    for (int i = 0; i < CACHE_CLASSES; i++)
        assert_true(stats.classes[i].slots > 20);
    assert_int_equal(fstat(other_fd, &status), 0);
    assert_true(status.st_blocks * 512 < 200000);
    free(empty);
    close(other_fd);
}

/* For copies kept elsewhere. */
static void test_a_tag_tells_when_it_changed(void **state)
{
    (void)state;
    int64_t began = clock_now();
    cache_tag_t tag = tag_of("timed"), other = tag_of("never");
    assert_true(cache_tag_changed(cache, other) <= began);
    uint64_t before = cache_stamp(cache);
    cache_invalidate(cache, &tag, 1);
    assert_true(cache_tag_sequence(cache, tag) > before && cache_tag_sequence(cache, other) <= before);
    int64_t changed = cache_tag_changed(cache, tag);
    assert_true(changed >= began && changed <= clock_now());
    cache_instance_died(cache, 3);
    assert_true(cache_tag_changed(cache, other) >= changed && cache_tag_sequence(cache, other) > before);
    cache_tag_t foreign = cache_tag_of(cache, "never", NULL, "accounts");
    before = cache_stamp(cache);
    assert_true(cache_tag_sequence(cache, foreign) < before);
    cache_flush(cache);
    assert_true(cache_tag_sequence(cache, foreign) > before && cache_tag_changed(cache, foreign) >= changed);
    assert_int_not_equal(cache_segment_id(cache), 0);
}

static void test_stats_count(void **state)
{
    (void)state;
    cache_stats_t before, after;
    cache_found_t found;
    cache_flush(cache);
    cache_stats_read(cache, &before);
    cache_tag_t tag = tag_of("counted");
    cache_entry_t entry = entry_of("counted", &tag, "four");
    now = entry.filled = clock_monotonic();
    entry.expires = now + CLOCK_SECOND * 1000;
    entry.stale_until = entry.expires;
    assert_int_equal(look_claiming("counted"), CACHE_FILL);
    assert_int_equal(look_claiming("counted"), CACHE_BUSY);
    assert_int_equal(cache_put(cache, &entry), CACHE_FILED);
    assert_int_equal(look("counted", &found), CACHE_HIT);
    assert_int_equal(look("counted", &found), CACHE_HIT);
    cache_stats_read(cache, &after);
    assert_int_equal(after.counts.hits - before.counts.hits, 2);
    assert_int_equal(after.counts.misses - before.counts.misses, 1);
    assert_int_equal(after.counts.waits - before.counts.waits, 1);
    assert_int_equal(after.counts.fills - before.counts.fills, 1);
    assert_int_equal(after.classes[0].entries, 1);
    assert_int_equal(after.classes[0].bytes, 4);
    cache_invalidate(cache, &tag, 1);
    cache_stats_read(cache, &after);
    assert_int_equal(after.counts.invalidations - before.counts.invalidations, 1);
    assert_int_equal(after.classes[0].entries, 0);
    assert_true(after.sequence > before.sequence);
    /* A process that ended stays counted. */
    cache_t *later = cache_open(segment, segment_instance(segment, 3));
    cache_stats_read(later, &before);
    assert_int_equal(before.counts.hits, after.counts.hits);
    free(later);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_filed_is_found),
        cmocka_unit_test(test_an_invalidated_tag_ends_it),
        cmocka_unit_test(test_a_write_during_the_query_outdates_the_answer),
        cmocka_unit_test(test_a_death_ends_what_its_service_owns),
        cmocka_unit_test(test_a_flush_ends_all),
        cmocka_unit_test(test_a_miss_is_filled_once),
        cmocka_unit_test(test_only_public_ones_are_given_stale),
        cmocka_unit_test(test_a_new_answer_replaces_the_old),
        cmocka_unit_test(test_what_does_not_fit_is_refused),
        cmocka_unit_test(test_a_scan_does_not_empty_it),
        cmocka_unit_test(test_a_slot_of_a_dead_writer_is_taken),
        cmocka_unit_test(test_rubbish_is_a_miss),
        cmocka_unit_test(test_lengths_in_a_slot_are_not_believed),
        cmocka_unit_test(test_memory_is_taken_as_it_fills),
        cmocka_unit_test(test_a_tag_tells_when_it_changed),
        cmocka_unit_test(test_stats_count),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
