/* tags: their table. */
#include "tags.h"
#include "../base/panic.h"

static const struct {
    const char *name, *owner;
} rows[TAGS] = {
    [TAG_CHILD] = {"child", "children"},
    [TAG_GUARDIAN] = {"guardian", "children"},
    [TAG_USER] = {"user", "accounts"},
    [TAG_CONSENTS] = {"consents", "accounts"},
    [TAG_VIDEO] = {"video", "videos"},
    [TAG_VIDEOS] = {"videos", "videos"},
    [TAG_QUESTIONS] = {"questions", "assessments"},
    [TAG_ATTEMPTS] = {"attempts", "assessments"},
    [TAG_RECOMMENDED] = {"recommended", "videos"},
};

const char *tag_name(enum tag tag)
{
    insist(tag < TAGS);
    return rows[tag].name;
}

const char *tag_owner(enum tag tag)
{
    insist(tag < TAGS);
    return rows[tag].owner;
}

int tag_find(text_t name)
{
    for (int i = 0; i < TAGS; i++)
        if (text_equal(name, text_of(rows[i].name)))
            return i;
    return -1;
}

cache_tag_t tag_place(const cache_t *cache, enum tag tag, uuid_t id)
{
    return cache_tag_of(cache, tag_name(tag), &id, rows[tag].owner);
}

void tag_write(buffer_t *out, enum tag tag, uuid_t id)
{
    char text[UUID_TEXT_SIZE];
    buffer_add_string(out, tag_name(tag));
    if (uuid_is_zero(id))
        return;
    uuid_format(id, text);
    buffer_add_char(out, ':');
    buffer_add(out, text, UUID_TEXT_SIZE - 1);
}

bool tag_read(text_t text, enum tag *tag, uuid_t *id)
{
    text_t name;
    *id = (uuid_t){{0}};
    text_split(&text, ':', &name);
    int found = tag_find(name);
    if (found < 0 || (text.data != NULL && uuid_parse(text, id) != 0))
        return false;
    *tag = (enum tag)found;
    return true;
}
