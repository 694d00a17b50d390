/* uuid: 128-bit identifiers. Ids of rows are UUIDv7 (RFC 9562): ordered by creation, so that an index grows at its end. */
#pragma once
#include "text.h"

typedef struct {
    uint8_t bytes[16];
} uuid_t;

#define UUID_TEXT_SIZE 37

/* 48 bits of milliseconds, 74 random bits. */
uuid_t uuid_new(void);
/* 128 random bits, no version: a call id. */
uuid_t uuid_random(void);
/* Lower case with hyphens, NUL-terminated. */
void uuid_format(uuid_t id, char out[static UUID_TEXT_SIZE]);
/* The 36-character form, either case; 0 or -1. */
int uuid_parse(text_t text, uuid_t *out);
static inline bool uuid_equal(uuid_t a, uuid_t b)
{
    return memcmp(a.bytes, b.bytes, 16) == 0;
}
static inline bool uuid_is_zero(uuid_t id)
{
    return uuid_equal(id, (uuid_t){{0}});
}
