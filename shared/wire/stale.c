/* stale: see the header. */
#include "stale.h"
#include "message.h"

enum { READ_MEMORY = 256 << 10 /* for a full set */ };

#define STALE_SERVICE(FIELD) FIELD(text, name, .required = true, .min = 1, .max = STALE_NAME_SIZE - 1)
MESSAGE_POSITIONAL(stale_service, STALE_SERVICE);

#define STALE_TAG(FIELD)                                                       \
    FIELD(text, name, .required = true, .min = 1, .max = STALE_NAME_SIZE - 1)  \
    FIELD(uuid, id, .required = true)
MESSAGE_POSITIONAL(stale_tag, STALE_TAG);

#define STALE(FIELD)                                                                                               \
    FIELD(boolean, all, .required = true)                                                                          \
    FIELD(list, services, .required = true, .max = STALE_SERVICES_MAX, .message = &stale_service_message)          \
    FIELD(list, tags, .required = true, .max = STALE_TAGS_MAX, .message = &stale_tag_message)
MESSAGE_POSITIONAL(stale_news, STALE);

void stale_clear(stale_t *stale)
{
    stale->all = false;
    stale->service_count = stale->tag_count = 0;
}

void stale_add_all(stale_t *stale)
{
    stale_clear(stale);
    stale->all = true;
}

static bool name_keep(char out[STALE_NAME_SIZE], text_t name)
{
    if (name.length == 0 || name.length >= STALE_NAME_SIZE)
        return false;
    memcpy(out, name.data, name.length);
    out[name.length] = '\0';
    return true;
}

void stale_add_service(stale_t *stale, text_t name)
{
    if (stale->all)
        return;
    for (int i = 0; i < stale->service_count; i++)
        if (text_equal(text_of(stale->services[i]), name))
            return;
    if (stale->service_count < STALE_SERVICES_MAX && name_keep(stale->services[stale->service_count], name))
        stale->service_count++;
    else
        stale_add_all(stale);
}

void stale_add_tag(stale_t *stale, text_t name, uuid_t id)
{
    if (stale->all)
        return;
    for (int i = 0; i < stale->tag_count; i++)
        if (uuid_equal(stale->tags[i].id, id) && text_equal(text_of(stale->tags[i].name), name))
            return;
    if (stale->tag_count < STALE_TAGS_MAX && name_keep(stale->tags[stale->tag_count].name, name))
        stale->tags[stale->tag_count++].id = id;
    else
        stale_add_all(stale);
}

void stale_add(stale_t *to, const stale_t *from)
{
    if (from->all)
        stale_add_all(to);
    for (int i = 0; i < from->service_count; i++)
        stale_add_service(to, text_of(from->services[i]));
    for (int i = 0; i < from->tag_count; i++)
        stale_add_tag(to, text_of(from->tags[i].name), from->tags[i].id);
}

void stale_pack(const stale_t *stale, buffer_t *out)
{
    static stale_service_t services[STALE_SERVICES_MAX];
    static stale_tag_t tags[STALE_TAGS_MAX];
    stale_news_t news = {0};
    for (int i = 0; i < stale->service_count; i++)
        message_set(&services[i], name, text_of(stale->services[i]));
    for (int i = 0; i < stale->tag_count; i++) {
        message_set(&tags[i], name, text_of(stale->tags[i].name));
        message_set(&tags[i], id, stale->tags[i].id);
    }
    message_set(&news, all, stale->all);
    message_set(&news, services, (list_t){services, (size_t)stale->service_count});
    message_set(&news, tags, (list_t){tags, (size_t)stale->tag_count});
    message_pack(&stale_news_message, &news, out);
}

bool stale_read(text_t packed, stale_t *out)
{
    stale_news_t news;
    problems_t problems = {.arena = arena_create(READ_MEMORY, NULL, NULL)};
    bool good = message_read(&stale_news_message, packed, SOURCE_PEER, &news, &problems);
    stale_clear(out);
    if (good && news.all)
        stale_add_all(out);
    for (size_t i = 0; good && i < news.services.count; i++)
        stale_add_service(out, ((const stale_service_t *)news.services.items)[i].name);
    for (size_t i = 0; good && i < news.tags.count; i++) {
        const stale_tag_t *tag = (const stale_tag_t *)news.tags.items + i;
        stale_add_tag(out, tag->name, tag->id);
    }
    arena_destroy(&problems.arena);
    return good;
}
