/* tags: what answers in the cache depend on, and who may say that it changed. An answer carries a tag for each thing that was read
 * for it (call_tag in its handler); whoever changes that thing names the same tag, and every answer that carries it is gone. A new
 * kind of thing is a name here and its row in tags.c.
 *
 * Between machines, in records and in Cache-Tag a tag is its name and id; in the segment it is a place (shm/cache.h). */
#pragma once
#include "../base/memory.h"
#include "../shm/cache.h"

enum tag {
    TAG_CHILD,     /* id: the child; its row, measurements and guardians */
    TAG_GUARDIAN,  /* id: a user; which children the user guards */
    TAG_USER,      /* id: a user; what other actors are shown of the user (accounts' views) */
    TAG_CONSENTS,  /* id: a user; what the user consents to */
    TAG_VIDEO,     /* id: the video */
    TAG_VIDEOS,    /* without id: which videos there are, and in which order */
    TAG_QUESTIONS, /* without id: what is asked at which age */
    TAG_ATTEMPTS,  /* id: a child; its assessments, their answers and results */
    TAG_RECOMMENDED, /* id: a child; the videos recommended for it */
    TAGS
};

/* "child": lower case letters. */
const char *tag_name(enum tag);
/* The actor whose tables it is about, and who alone may say that it changed: "children". */
const char *tag_owner(enum tag);
/* The tag of this name; -1: none in this build. */
int tag_find(text_t name);
/* The tag's place; the id is zero where it has none. */
cache_tag_t tag_place(const cache_t *, enum tag, uuid_t id);
/* "child:0198…" or "videos"; appended. */
void tag_write(buffer_t *out, enum tag, uuid_t id);
/* Reads that; false: it is none. */
bool tag_read(text_t text, enum tag *tag, uuid_t *id);
