/* coroutine: see coroutine.h. Stacks are pooled and never given back: their number is bounded and their untouched pages cost
 * nothing. Each is mapped with an inaccessible page below it, so an overflow is a fault at once and not a corruption. */
#include "coroutine.h"
#include "memory.h"
#include "panic.h"
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(start, end) 0
#endif

/* boost-context's C ABI (libboost_context): where to go on, and what was handed over. */
typedef void *fcontext_t;
typedef struct {
    fcontext_t context;
    void *data;
} transfer_t;
extern transfer_t jump_fcontext(fcontext_t to, void *data);
extern fcontext_t make_fcontext(void *stack_top, size_t size, void (*entry)(transfer_t));

struct coroutine {
    struct coroutine *next_free, *next_created;
    char *stack; /* lowest usable byte */
    fcontext_t context;
    void (*entry)(void *);
    void *argument;
    bool alive;
    void *fake_stack; /* AddressSanitizer's, while suspended */
};

static struct {
    size_t maximum, stack_bytes, created, alive;
    coroutine_t *free, *newest, *current;
    fcontext_t loop_context;
    void *loop_fake_stack;
    const void *loop_stack;
    size_t loop_stack_bytes;
} pool = {.maximum = 64, .stack_bytes = 65536};

void coroutine_configure(size_t maximum, size_t stack_bytes)
{
    insist(pool.created == 0);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    pool.maximum = maximum;
    pool.stack_bytes = (stack_bytes + page - 1) / page * page;
}

bool coroutine_available(void)
{
    return pool.alive < pool.maximum;
}

size_t coroutine_count(void)
{
    return pool.alive;
}

coroutine_t *coroutine_current(void)
{
    return pool.current;
}

/* --- the switch: the only place where stacks change, each side telling AddressSanitizer --------------------------- */

static void switch_begin(void **save, const void *stack, size_t bytes)
{
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(save, stack, bytes);
#else
    (void)save, (void)stack, (void)bytes;
#endif
}

static void switch_end(void *saved, const void **from_stack, size_t *from_bytes)
{
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(saved, from_stack, from_bytes);
#else
    (void)saved, (void)from_stack, (void)from_bytes;
#endif
}

static void enter(coroutine_t *coroutine)
{
    pool.current = coroutine;
    switch_begin(&pool.loop_fake_stack, coroutine->stack, pool.stack_bytes);
    transfer_t back = jump_fcontext(coroutine->context, coroutine);
    switch_end(pool.loop_fake_stack, NULL, NULL);
    coroutine->context = back.context;
    pool.current = NULL;
    if (!coroutine->alive) {
        pool.alive--;
        coroutine->next_free = pool.free;
        pool.free = coroutine;
    }
}

void coroutine_suspend(void)
{
    coroutine_t *self = pool.current;
    insist(self != NULL);
    switch_begin(&self->fake_stack, pool.loop_stack, pool.loop_stack_bytes);
    transfer_t back = jump_fcontext(pool.loop_context, NULL);
    switch_end(self->fake_stack, &pool.loop_stack, &pool.loop_stack_bytes);
    pool.loop_context = back.context;
}

/* The bottom of every stack. A coroutine that ended goes back to the pool and later starts here again with other work. */
static void run(transfer_t from)
{
    coroutine_t *self = from.data;
    switch_end(NULL, &pool.loop_stack, &pool.loop_stack_bytes);
    pool.loop_context = from.context;
    for (;;) {
        self->entry(self->argument);
        self->alive = false;
        coroutine_suspend();
    }
}

/* --- starting and resuming ---------------------------------------------------------------------------------------- */

static coroutine_t *create(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *mapping = mmap(NULL, pool.stack_bytes + page, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED || mprotect(mapping, page, PROT_NONE) != 0)
        panic("no memory for a coroutine's stack");
    coroutine_t *coroutine = memory_zeroed(1, sizeof *coroutine);
    coroutine->stack = mapping + page;
    coroutine->context = make_fcontext(coroutine->stack + pool.stack_bytes, pool.stack_bytes, run);
    (void)VALGRIND_STACK_REGISTER(coroutine->stack, coroutine->stack + pool.stack_bytes);
    coroutine->next_created = pool.newest;
    pool.newest = coroutine;
    pool.created++;
    return coroutine;
}

void coroutine_start(void (*entry)(void *), void *argument)
{
    insist(pool.current == NULL && coroutine_available());
    coroutine_t *coroutine = pool.free;
    if (coroutine)
        pool.free = coroutine->next_free;
    else
        coroutine = create();
    coroutine->entry = entry;
    coroutine->argument = argument;
    coroutine->alive = true;
    pool.alive++;
    enter(coroutine);
}

void coroutine_resume(coroutine_t *coroutine)
{
    insist(pool.current == NULL && coroutine->alive);
    enter(coroutine);
}

/* Stacks grow downwards and their pages were never touched before: what the kernel has given is what was used. */
size_t coroutine_stack_peak(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = pool.stack_bytes / page, most = 0;
    unsigned char touched[pages];
    for (const coroutine_t *coroutine = pool.newest; coroutine; coroutine = coroutine->next_created) {
        size_t untouched = 0;
        if (mincore(coroutine->stack, pool.stack_bytes, touched) != 0)
            continue;
        while (untouched < pages && !(touched[untouched] & 1))
            untouched++;
        if (pages - untouched > most)
            most = pages - untouched;
    }
    return most * page;
}
