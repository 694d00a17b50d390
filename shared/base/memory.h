/* memory: allocation that aborts when the machine has none, a growing buffer, and the arena of a request.
 * A request's memory is one arena; handlers free nothing. */
#pragma once
#include "text.h"

/* malloc, calloc, realloc and strdup that panic instead of giving NULL. The caller frees. */
void *memory_allocate(size_t size);
void *memory_zeroed(size_t count, size_t size);
void *memory_resize(void *pointer, size_t size);
char *memory_string(const char *string);

/* A growing run of bytes. All zero is a valid empty buffer. */
typedef struct {
    char *data;
    size_t length, capacity;
} buffer_t;

/* Room for `more` bytes after the length. */
void buffer_grow(buffer_t *buffer, size_t more);
/* These are most of what an answer's JSON is made by: in place, so that a literal's length costs nothing. */
static inline void buffer_reserve(buffer_t *buffer, size_t more)
{
    if (more > buffer->capacity - buffer->length)
        buffer_grow(buffer, more);
}
static inline void buffer_add(buffer_t *buffer, const void *data, size_t length)
{
    if (length == 0)
        return;
    buffer_reserve(buffer, length);
    memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
}
static inline void buffer_add_text(buffer_t *buffer, text_t text)
{
    buffer_add(buffer, text.data, text.length);
}
static inline void buffer_add_string(buffer_t *buffer, const char *string)
{
    buffer_add(buffer, string, strlen(string));
}
static inline void buffer_add_char(buffer_t *buffer, char c)
{
    buffer_reserve(buffer, 1);
    buffer->data[buffer->length++] = c;
}
/* In decimal. */
void buffer_add_integer(buffer_t *buffer, int64_t number);
void buffer_format(buffer_t *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Removes the first `length` bytes. */
void buffer_consume(buffer_t *buffer, size_t length);
/* Frees the bytes; the buffer is empty and usable again. */
void buffer_free(buffer_t *buffer);
static inline text_t buffer_text(const buffer_t *buffer)
{
    return (text_t){.data = buffer->data ? buffer->data : "", .length = buffer->length};
}

/* Memory that is freed together. A request over its arena's limit is answered 503: `on_limit` must not return. */
typedef struct arena arena_t;
arena_t *arena_create(size_t limit_bytes, void (*on_limit)(void *argument), void *argument);
void arena_destroy(arena_t **arena);
/* Empties it and keeps the first block, so that a reused arena does not allocate. */
void arena_reset(arena_t *arena);
/* 16-byte aligned, zeroed. Never NULL. */
void *arena_allocate(arena_t *arena, size_t size);
text_t arena_copy(arena_t *arena, text_t text);
/* NUL-terminated copy. */
char *arena_string(arena_t *arena, text_t text);
text_t arena_format(arena_t *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
