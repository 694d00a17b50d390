/* headers: see headers.h. */
#include "headers.h"
#include <inttypes.h>

enum { AGENT_MAX = 200 };

text_t cookie_find(text_t header, text_t name)
{
    text_t pair;
    while (header.data != NULL && text_split(&header, ';', &pair)) {
        text_t key;
        pair = text_trim(pair);
        text_t rest = pair;
        if (!text_split(&rest, '=', &key) || key.length == pair.length || !text_equal(text_trim(key), name))
            continue;
        text_t value =
            text_trim((text_t){.data = pair.data + key.length + 1, .length = pair.length - key.length - 1});
        bool quoted = value.length >= 2 && value.data[0] == '"' && value.data[value.length - 1] == '"';
        return quoted ? (text_t){.data = value.data + 1, .length = value.length - 2} : value;
    }
    return (text_t){0};
}

text_t refresh_cookie(arena_t *arena, text_t token, int64_t max_age_seconds)
{
    return arena_format(arena,
        REFRESH_COOKIE "=%.*s; Max-Age=%" PRId64 "; Path=/api/v1/auth; HttpOnly; Secure; SameSite=Strict",
        TEXT_ARG(token), max_age_seconds);
}

bool origin_allowed(const config_list_t *allowed, text_t origin, text_t host)
{
    static const text_t https = {.data = "https://", .length = 8};
    if (origin.data == NULL || origin.length == 0)
        return false;
    for (int i = 0; i < allowed->count; i++)
        if (text_equal(origin, text_of(allowed->items[i])))
            return true;
    if (host.data == NULL || host.length == 0 || !text_starts_with(origin, https))
        return false;
    return text_equal_nocase(
        (text_t){.data = origin.data + https.length, .length = origin.length - https.length}, host);
}

text_t agent_label(arena_t *arena, text_t user_agent)
{
    if (user_agent.data == NULL)
        return (text_t){0};
    char *label = arena_allocate(arena, AGENT_MAX);
    size_t length = 0;
    for (size_t i = 0; i < user_agent.length && length < AGENT_MAX; i++)
        if (user_agent.data[i] >= ' ' && user_agent.data[i] <= '~')
            label[length++] = user_agent.data[i];
    text_t trimmed = text_trim((text_t){.data = label, .length = length});
    return trimmed.length > 0 ? trimmed : (text_t){0};
}
