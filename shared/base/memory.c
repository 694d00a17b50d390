/* memory: allocation that never gives NULL, the growing buffer, the arena. An allocation failure ends the
 * process: there is no useful answer without memory, and half of a request must not go on. Limits are what
 * keeps it from coming to that.
 *
 * Arena invariants: blocks are a list from the newest to the first; only the newest is filled; `used` is the
 * sum of all blocks' sizes and never exceeds the limit. Under AddressSanitizer what was not handed out is
 * poisoned. */
#include "memory.h"
#include "panic.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
enum { ARENA_GAP = 16 }; /* poisoned bytes between allocations */
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
enum { ARENA_GAP = 0 };
#endif

enum { BUFFER_FIRST = 256, ARENA_ALIGN = 16, ARENA_FIRST_BLOCK = 8192, ARENA_BLOCK_MOST = 256 * 1024 };

void *memory_allocate(size_t size)
{
    void *pointer = malloc(size ? size : 1);
    if (pointer == NULL)
        panic("out of memory: %zu bytes", size);
    return pointer;
}

void *memory_zeroed(size_t count, size_t size)
{
    void *pointer = calloc(count ? count : 1, size ? size : 1);
    if (pointer == NULL)
        panic("out of memory: %zu times %zu bytes", count, size);
    return pointer;
}

void *memory_resize(void *pointer, size_t size)
{
    void *resized = realloc(pointer, size ? size : 1);
    if (resized == NULL)
        panic("out of memory: %zu bytes", size);
    return resized;
}

char *memory_string(const char *string)
{
    size_t size = strlen(string) + 1;
    return memcpy(memory_allocate(size), string, size);
}

void buffer_grow(buffer_t *buffer, size_t more)
{
    size_t needed, capacity = buffer->capacity ? buffer->capacity : BUFFER_FIRST;

    if (__builtin_add_overflow(buffer->length, more, &needed) || needed > PTRDIFF_MAX / 2)
        panic("a buffer of %zu bytes cannot grow by %zu", buffer->length, more);
    while (capacity < needed)
        capacity *= 2;
    buffer->data = memory_resize(buffer->data, capacity);
    buffer->capacity = capacity;
}

void buffer_add_integer(buffer_t *buffer, int64_t number)
{
    char digits[20], *end = digits + sizeof(digits), *p = end;
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;

    do
        *--p = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0)
        *--p = '-';
    buffer_add(buffer, p, (size_t)(end - p));
}

void buffer_format(buffer_t *buffer, const char *format, ...)
{
    va_list arguments, again;

    buffer_reserve(buffer, 64);
    va_start(arguments, format);
    va_copy(again, arguments);
    size_t room = buffer->capacity - buffer->length;
    int length = vsnprintf(buffer->data + buffer->length, room, format, arguments);
    insist(length >= 0);
    if ((size_t)length >= room) {
        buffer_reserve(buffer, (size_t)length + 1);
        vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, again);
    }
    buffer->length += (size_t)length;
    va_end(again);
    va_end(arguments);
}

void buffer_consume(buffer_t *buffer, size_t length)
{
    insist(length <= buffer->length);
    buffer->length -= length;
    if (buffer->length > 0 && length > 0)
        memmove(buffer->data, buffer->data + length, buffer->length);
}

void buffer_free(buffer_t *buffer)
{
    free(buffer->data);
    *buffer = (buffer_t){0};
}

typedef struct arena_block {
    struct arena_block *older;
    size_t size, filled; /* of bytes[] */
    _Alignas(ARENA_ALIGN) char bytes[];
} arena_block_t;

struct arena {
    arena_block_t *newest;
    size_t limit, used;
    void (*on_limit)(void *argument);
    void *argument;
};

static arena_block_t *block_create(size_t size, arena_block_t *older)
{
    arena_block_t *block = memory_allocate(sizeof(arena_block_t) + size);
    block->older = older;
    block->size = size;
    block->filled = 0;
    ASAN_POISON_MEMORY_REGION(block->bytes, size);
    return block;
}

static void block_destroy(arena_block_t *block)
{
    ASAN_UNPOISON_MEMORY_REGION(block->bytes, block->size);
    free(block);
}

arena_t *arena_create(size_t limit_bytes, void (*on_limit)(void *argument), void *argument)
{
    arena_t *arena = memory_allocate(sizeof(arena_t));
    size_t first =
        limit_bytes < ARENA_FIRST_BLOCK ? limit_bytes / ARENA_ALIGN * ARENA_ALIGN : ARENA_FIRST_BLOCK;
    *arena = (arena_t){.newest = block_create(first, NULL),
        .limit = limit_bytes,
        .used = first,
        .on_limit = on_limit,
        .argument = argument};
    return arena;
}

void arena_destroy(arena_t **arena)
{
    if (*arena == NULL)
        return;
    for (arena_block_t *block = (*arena)->newest, *older; block != NULL; block = older) {
        older = block->older;
        block_destroy(block);
    }
    free(*arena);
    *arena = NULL;
}

void arena_reset(arena_t *arena)
{
    while (arena->newest->older != NULL) {
        arena_block_t *older = arena->newest->older;
        block_destroy(arena->newest);
        arena->newest = older;
    }
    arena->newest->filled = 0;
    arena->used = arena->newest->size;
    ASAN_POISON_MEMORY_REGION(arena->newest->bytes, arena->newest->size);
}

static void arena_over_limit(arena_t *arena, size_t size)
{
    if (arena->on_limit != NULL)
        arena->on_limit(arena->argument);
    panic("an arena of %zu bytes was asked for %zu more", arena->limit, size);
}

/* A block with room for `needed` bytes: twice the last one, as far as the limit allows. */
static void arena_grow(arena_t *arena, size_t needed)
{
    size_t left = arena->limit - arena->used, size = arena->newest->size * 2;

    if (needed > left)
        arena_over_limit(arena, needed);
    if (size > ARENA_BLOCK_MOST)
        size = ARENA_BLOCK_MOST;
    if (size < needed)
        size = needed;
    if (size > left)
        size = left / ARENA_ALIGN * ARENA_ALIGN;
    if (size < needed)
        arena_over_limit(arena, needed);
    arena->newest = block_create(size, arena->newest);
    arena->used += size;
}

void *arena_allocate(arena_t *arena, size_t size)
{
    size_t needed = (size + ARENA_GAP + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;

    if (size > arena->limit)
        arena_over_limit(arena, size);
    if (needed > arena->newest->size - arena->newest->filled)
        arena_grow(arena, needed);
    char *pointer = arena->newest->bytes + arena->newest->filled;
    arena->newest->filled += needed;
    ASAN_UNPOISON_MEMORY_REGION(pointer, size);
    return memset(pointer, 0, size);
}

text_t arena_copy(arena_t *arena, text_t text)
{
    if (text.data == NULL)
        return text;
    return (text_t){.data = arena_string(arena, text), .length = text.length};
}

char *arena_string(arena_t *arena, text_t text)
{
    char *copy = arena_allocate(arena, text.length + 1);
    if (text.length > 0)
        memcpy(copy, text.data, text.length);
    return copy;
}

text_t arena_format(arena_t *arena, const char *format, ...)
{
    va_list arguments, again;

    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    insist(length >= 0);
    char *out = arena_allocate(arena, (size_t)length + 1);
    vsnprintf(out, (size_t)length + 1, format, again);
    va_end(again);
    va_end(arguments);
    return (text_t){.data = out, .length = (size_t)length};
}
