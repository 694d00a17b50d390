#include "../unit.h"
#include "base/memory.h"
#include <unistd.h>
#include <signal.h>
#include <sys/wait.h>

static void buffers(void **state)
{
    buffer_t buffer = {0};
    (void)state;

    assert_int_equal(buffer_text(&buffer).length, 0);
    assert_non_null(buffer_text(&buffer).data);
    buffer_add(&buffer, NULL, 0);
    buffer_add_text(&buffer, (text_t){0});
    assert_null(buffer.data);
    buffer_add_string(&buffer, "abc");
    buffer_add_char(&buffer, '-');
    buffer_add_text(&buffer, TEXT("de\0f"));
    buffer_format(&buffer, "%d:%s", 42, "x");
    assert_int_equal(buffer.length, 12);
    assert_memory_equal(buffer.data, "abc-de\0f42:x", 12);
    buffer_consume(&buffer, 4);
    assert_memory_equal(buffer.data, "de\0f42:x", 8);
    buffer_consume(&buffer, 8);
    assert_int_equal(buffer.length, 0);
    buffer_consume(&buffer, 0);
    /* Larger than what was there, by format and by bytes. */
    for (int i = 0; i < 1000; i++)
        buffer_format(&buffer, "%0200d", i);
    assert_int_equal(buffer.length, 200000);
    assert_memory_equal(buffer.data + 199990, "0000000999", 10);
    buffer_free(&buffer);
    assert_null(buffer.data);
    buffer_add_string(&buffer, "again");
    assert_text(buffer_text(&buffer), "again");
    buffer_free(&buffer);
    static const int64_t numbers[] = {0, 7, -10, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        buffer_add_integer(&buffer, numbers[i]);
        buffer_add_char(&buffer, ' ');
    }
    assert_text(buffer_text(&buffer), "0 7 -10 9223372036854775807 -9223372036854775808 ");
    buffer_free(&buffer);
}

static void arenas(void **state)
{
    arena_t *arena = arena_create(1 << 20, NULL, NULL);
    static const char zeros[70000];
    (void)state;

    for (int round = 0; round < 3; round++) {
        for (size_t size = 0; size < 70000; size = size * 2 + 1) {
            char *bytes = arena_allocate(arena, size);
            assert_int_equal((uintptr_t)bytes % 16, 0);
            assert_memory_equal(bytes, zeros, size);
            memset(bytes, 0xff, size);
        }
        arena_reset(arena);
    }
    text_t copy = arena_copy(arena, TEXT("a\0b"));
    assert_int_equal(copy.length, 3);
    assert_memory_equal(copy.data, "a\0b", 4); /* with a NUL after it */
    assert_null(arena_copy(arena, (text_t){0}).data);
    assert_string_equal(arena_string(arena, (text_t){0}), "");
    assert_text(arena_format(arena, "%s-%05d", "x", 7), "x-00007");
    assert_text(arena_format(arena, "%s", ""), "");
    arena_destroy(&arena);
    assert_null(arena);
    arena_destroy(&arena);
}

static jmp_buf over;

static void on_limit(void *argument)
{
    (*(int *)argument)++;
    longjmp(over, 1);
}

/* However it is asked for, never more than the limit, and the arena stays usable. */
static void limits(void **state)
{
    static const size_t sizes[] = {1, 16, 100, 5000, 9000, 60000};
    (void)state;
    for (volatile size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        static int refused;
        volatile size_t taken = 0;
        refused = 0;
        arena_t *volatile arena = arena_create(64 * 1024, on_limit, &refused);
        if (setjmp(over) == 0)
            for (;;) {
                memset(arena_allocate(arena, sizes[i]), 1, sizes[i]);
                taken += sizes[i];
                assert_true(taken <= 64 * 1024);
            }
        assert_int_equal(refused, 1);
        if (setjmp(over) == 0)
            arena_allocate(arena, SIZE_MAX - 8);
        assert_int_equal(refused, 2);
        arena_reset(arena);
        assert_non_null(arena_allocate(arena, 1000));
        arena_t *done = arena;
        arena_destroy(&done);
    }
    /* Small limits, down to none at all. */
    static int count;
    count = 0;
    arena_t *tiny = arena_create(0, on_limit, &count);
    if (setjmp(over) == 0)
        arena_allocate(tiny, 1);
    assert_int_equal(count, 1);
    arena_destroy(&tiny);
}

/* Runs it in a child with silent standard error; gives its signal. */
static int death(void (*action)(void))
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(STDERR_FILENO);
        action();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void consume_too_much(void)
{
    buffer_t buffer = {0};
    buffer_add_string(&buffer, "abc");
    buffer_consume(&buffer, 4);
}

static void unheard_limit(void)
{
    arena_t *arena = arena_create(100, NULL, NULL);
    arena_allocate(arena, 1000);
}

static void inconsistencies(void **state)
{
    (void)state;
    assert_int_equal(death(consume_too_much), SIGABRT);
    assert_int_equal(death(unheard_limit), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(buffers), cmocka_unit_test(arenas),
        cmocka_unit_test(limits), cmocka_unit_test(inconsistencies)};
    return cmocka_run_group_tests_name("base/memory", tests, NULL, NULL);
}
