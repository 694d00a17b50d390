#include "../unit.h"
#include "base/clock.h"
#include "base/uuid.h"
#include <sys/wait.h>
#include <unistd.h>

static uint64_t milliseconds_of(uuid_t id)
{
    uint64_t value = 0;
    for (int i = 0; i < 6; i++)
        value = value << 8 | id.bytes[i];
    return value;
}

static void version_7(void **state)
{
    uuid_t last = {{0}};
    (void)state;
    uint64_t begin = (uint64_t)(clock_now() / CLOCK_MILLISECOND);
    /* Far more than one a millisecond: each is greater than the one before. */
    for (int i = 0; i < 200000; i++) {
        uuid_t id = uuid_new();
        assert_int_equal(id.bytes[6] >> 4, 7);
        assert_int_equal(id.bytes[8] >> 6, 2);
        assert_true(memcmp(last.bytes, id.bytes, 16) < 0);
        last = id;
    }
    uint64_t end = (uint64_t)(clock_now() / CLOCK_MILLISECOND);
    assert_true(milliseconds_of(last) >= begin && milliseconds_of(last) <= end + 1);
}

static void random_ids(void **state)
{
    enum { COUNT = 4000 };
    static uuid_t ids[COUNT];
    int ones = 0;
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        ids[i] = uuid_random();
        for (int k = 0; k < i; k++)
            assert_false(uuid_equal(ids[i], ids[k]));
        for (int k = 0; k < 16; k++)
            ones += __builtin_popcount(ids[i].bytes[k]);
    }
    /* Half of the bits, within six standard deviations. */
    assert_in_range(ones, COUNT * 64 - 6 * 358, COUNT * 64 + 6 * 358);
}

/* A forked child must not repeat its parent's ids. */
static void forks(void **state)
{
    int ends[2];
    uuid_t of_child[2];
    (void)state;
    uuid_random();
    uuid_new();
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        of_child[0] = uuid_random();
        of_child[1] = uuid_new();
        _exit(write(ends[1], of_child, sizeof(of_child)) == sizeof(of_child) ? 0 : 1);
    }
    uuid_t random = uuid_random(), new = uuid_new();
    assert_int_equal(read(ends[0], of_child, sizeof(of_child)), sizeof(of_child));
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(ends[0]);
    close(ends[1]);
    assert_false(uuid_equal(random, of_child[0]));
    assert_memory_not_equal(new.bytes + 8, of_child[1].bytes + 8, 8);
}

static void texts(void **state)
{
    static const char *const bad[] = {"", "0190163d-8694-739b-aea5-966c26f8ad9",
        "0190163d-8694-739b-aea5-966c26f8ad910", "0190163d8694739baea5966c26f8ad91",
        "0190163g-8694-739b-aea5-966c26f8ad91", "0190163d_8694-739b-aea5-966c26f8ad91",
        "{190163d-8694-739b-aea5-966c26f8ad9}", "0190163d-8694-739b-aea5-966c26f8ad9 ",
        "0190163d-8694-739ba-ea5-966c26f8ad91", "------------------------------------",
        "0190163d-8694-739b-aea5-966c26f8ad\xc3\xa9"};
    uuid_t id, again;
    char out[UUID_TEXT_SIZE];
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (uuid_parse(text_of(bad[i]), &id) != -1)
            fail_msg("uuid_parse(\"%s\")", bad[i]);
    assert_int_equal(uuid_parse((text_t){0}, &id), -1);
    assert_int_equal(uuid_parse(TEXT("0190163D-8694-739B-aea5-966C26F8AD91"), &id), 0);
    uuid_format(id, out);
    assert_string_equal(out, "0190163d-8694-739b-aea5-966c26f8ad91");
    assert_true(uuid_is_zero((uuid_t){{0}}));
    for (int i = 0; i < 1000; i++) {
        id = uuid_random();
        uuid_format(id, out);
        assert_int_equal(uuid_parse(text_of(out), &again), 0);
        assert_true(uuid_equal(id, again));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(version_7), cmocka_unit_test(random_ids),
        cmocka_unit_test(forks), cmocka_unit_test(texts)};
    return cmocka_run_group_tests_name("base/uuid", tests, NULL, NULL);
}
