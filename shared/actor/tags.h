/* tags: what answers in the cache depend on, and who may say that it changed. An answer carries a tag for each thing that was read
 * for it (call_tag in its handler); whoever changes that thing names the same tag, and every answer that carries it is gone. A new
 * kind of thing is a name here and its row below. */
#pragma once
#include "../base/uuid.h"

enum tag {
    TAG_CHILD,     /* id: the child; its row, measurements and guardians */
    TAG_GUARDIAN,  /* id: a user; which children the user guards */
    TAG_USER,      /* id: a user; name, and what else other actors are shown of the user */
    TAG_CONSENTS,  /* id: a user; what the user consents to */
    TAG_VIDEO,     /* id: the video */
    TAG_VIDEOS,    /* without id: which videos there are, and in which order */
    TAGS
};

/* Name: in the header Cache-Tag, in records and logs; lower case letters. Owner: the actor whose tables it is about, and who alone
 * may say that it changed. */
static const struct {
    const char *name, *owner;
} tag_rows[TAGS] __attribute__((unused)) = {
    [TAG_CHILD] = {"child", "children"},
    [TAG_GUARDIAN] = {"guardian", "children"},
    [TAG_USER] = {"user", "accounts"},
    [TAG_CONSENTS] = {"consents", "accounts"},
    [TAG_VIDEO] = {"video", "videos"},
    [TAG_VIDEOS] = {"videos", "videos"},
};
