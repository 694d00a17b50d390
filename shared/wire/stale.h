/* stale: which cached answers must not be given any more, as it is told from machine to machine. Tags travel by their names, since
 * their hashes differ from segment to segment.
 *
 * What always holds: the set is bounded, and what finds it full makes it `all`. So a set says what was added to it, or more. */
#pragma once
#include "../base/memory.h"
#include "../base/uuid.h"

enum { STALE_TAGS_MAX = 512, STALE_SERVICES_MAX = 32, STALE_NAME_SIZE = 32 };

typedef struct {
    bool all;
    int service_count, tag_count;
    char services[STALE_SERVICES_MAX][STALE_NAME_SIZE]; /* all answers of these actors */
    struct {
        char name[STALE_NAME_SIZE];
        uuid_t id; /* all zero: the tag has none */
    } tags[STALE_TAGS_MAX];
} stale_t;

static inline bool stale_is_empty(const stale_t *stale)
{
    return !stale->all && stale->service_count == 0 && stale->tag_count == 0;
}
void stale_clear(stale_t *);
void stale_add_all(stale_t *);
void stale_add_service(stale_t *, text_t name);
void stale_add_tag(stale_t *, text_t name, uuid_t id);
void stale_add(stale_t *to, const stale_t *from);

/* As a msgpack value; and back. False when it is none that this build understands: then anything may be stale. */
void stale_pack(const stale_t *, buffer_t *out);
bool stale_read(text_t packed, stale_t *out);
