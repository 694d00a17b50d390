/* shm/segment: what processes share: attach, counters, now. The instance table's use is in
 * test/unit/supervisor. */
#include "base/clock.h"
#include "shm/segment.h"
#include "shm/services.h"
#include "../unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static segment_t *segment;
static int segment_fd;

static int set_up(void **state)
{
    (void)state;
    segment = segment_create(&segment_fd);
    return segment == NULL;
}

static void test_generations_are_never_zero_and_never_twice(void **state)
{
    (void)state;
    uint64_t before = segment_next_generation(segment);
    assert_int_not_equal(before, 0);
    assert_true(segment_next_generation(segment) > before);
}

static void test_two_mappings_see_the_same(void **state)
{
    (void)state;
    char error[256], endpoint[128];
    segment_t *other = segment_attach(segment_fd, error, sizeof(error));
    assert_non_null(other);
    segment_instance_t *row = segment_instance(segment, 5);
    row->service = (int16_t)service_find("children");
    row->number = 2;
    atomic_store(&row->generation, 77);
    segment_endpoint(segment_instance(other, 5), "/run/x", endpoint, sizeof(endpoint));
    assert_string_equal(endpoint, "ipc:///run/x/children.2.77");
    uint64_t version = segment_version(other);
    segment_touch(segment);
    assert_true(segment_version(other) > version);
    assert_memory_equal(segment_hash_key(segment), segment_hash_key(other), 16);
}

static void test_another_layout_is_refused(void **state)
{
    (void)state;
    char error[256], path[64];
    int small = memfd_create("small", 0);
    assert_int_equal(ftruncate(small, 4096), 0);
    assert_null(segment_attach(small, error, sizeof(error)));
    assert_non_null(strstr(error, "bytes"));
    /* The same size, but nothing of ours in it. */
    snprintf(path, sizeof(path), "/proc/self/fd/%d", segment_fd);
    off_t size = lseek(segment_fd, 0, SEEK_END);
    assert_int_equal(ftruncate(small, size), 0);
    assert_null(segment_attach(small, error, sizeof(error)));
    assert_non_null(strstr(error, "another build"));
    assert_int_not_equal(ftruncate(segment_fd, 4096), 0); /* sealed */
    /* A segment of ours, cut short or made longer by whoever handed it over. */
    char *bytes = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, segment_fd, 0);
    assert_int_equal(pwrite(small, bytes, (size_t)size, 0), size);
    segment_t *whole = segment_attach(small, error, sizeof(error));
    assert_non_null(whole);
    assert_int_equal(ftruncate(small, size + 4096), 0);
    assert_null(segment_attach(small, error, sizeof(error)));
    munmap(bytes, (size_t)size);
    close(small);
}

/* aipotenctl's way in: a write must not be possible. */
static void test_a_read_only_descriptor_gives_a_read_only_mapping(void **state)
{
    (void)state;
    char error[256], path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", segment_fd);
    int fd = open(path, O_RDONLY);
    segment_t *reader = segment_attach(fd, error, sizeof(error));
    assert_non_null(reader);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL);
        segment_touch(reader);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    close(fd);
}

static void test_counters_describe_themselves(void **state)
{
    (void)state;
    segment_instance_t *row = segment_instance(segment, 7);
    _Atomic int64_t *requests = counter_declare(row, "requests", "requests", "What came");
    counter_add(requests, 3);
    _Atomic int64_t *other =
        counter_declare(row, "a.name.that.is.far.longer.than.its.field.has.room.for", "", "");
    assert_ptr_not_equal(requests, other);
    assert_int_equal(atomic_load(&row->counter_count), 2);
    assert_string_equal(row->counters[0].name, "requests");
    assert_int_equal(strlen(row->counters[1].name), sizeof(row->counters[1].name) - 1);
    assert_int_equal(atomic_load(requests), 3);
    assert_ptr_equal(counter_declare(row, "requests", "requests", "What came"), requests);
    assert_int_equal(atomic_load(requests), 0);
    assert_ptr_equal(
        counter_declare(row, "a.name.that.is.far.longer.than.its.field.has.room.for", "", ""), other);
    for (int i = 2; i < SEGMENT_COUNTERS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "c%d", i);
        counter_declare(row, name, "", "");
    }
    assert_int_equal(atomic_load(&row->counter_count), SEGMENT_COUNTERS);
}

static void test_now_is_read_whole_or_not_at_all(void **state)
{
    (void)state;
    segment_instance_t *row = segment_instance(segment, 9);
    segment_now_t now;
    assert_true(now_get(row, &now));
    assert_string_equal(now.operation, "");
    pid_t writer = fork();
    if (writer == 0) { /* two values that cannot be mixed up */
        uuid_t ones, twos;
        memset(&ones, 0x11, sizeof(ones));
        memset(&twos, 0x22, sizeof(twos));
        for (;;) {
            now_set(row, TEXT("1111111111111111111111111111111111111111"), ones, TEXT("11111111"));
            now_set(row, TEXT("2222222222222222222222222222222222222222"), twos, TEXT("22222222"));
        }
    }
    int64_t until = clock_monotonic() + CLOCK_SECOND / 2;
    int read = 0;
    while (clock_monotonic() < until) {
        if (!now_get(row, &now) || now.operation[0] == '\0')
            continue;
        read++;
        char expected = now.operation[0];
        assert_int_equal(now.operation[39], expected);
        assert_int_equal(now.trace[7], expected);
        assert_int_equal(now.call.bytes[0], expected == '1' ? 0x11 : 0x22);
        assert_int_equal(now.call.bytes[15], expected == '1' ? 0x11 : 0x22);
    }
    kill(writer, SIGKILL);
    waitpid(writer, NULL, 0);
    assert_true(read > 100);
    now_set(row, TEXT(""), (uuid_t){{0}}, TEXT(""));
    assert_true(now_get(row, &now));
    assert_string_equal(now.operation, "");
}

static void test_states_have_names(void **state)
{
    (void)state;
    for (int i = 0; i < INSTANCE_STATES; i++)
        assert_string_not_equal(instance_state_name((enum instance_state)i), "UNKNOWN");
    assert_string_equal(instance_state_name(INSTANCE_BACKOFF), "BACKOFF");
    assert_string_equal(instance_state_name((enum instance_state)99), "UNKNOWN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generations_are_never_zero_and_never_twice),
        cmocka_unit_test(test_two_mappings_see_the_same),
        cmocka_unit_test(test_another_layout_is_refused),
        cmocka_unit_test(test_a_read_only_descriptor_gives_a_read_only_mapping),
        cmocka_unit_test(test_counters_describe_themselves),
        cmocka_unit_test(test_now_is_read_whole_or_not_at_all),
        cmocka_unit_test(test_states_have_names),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
