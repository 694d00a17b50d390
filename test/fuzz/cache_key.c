/* fuzz: any bytes as the path's parameters and the query of a row that is cached (two lines and the rest). A name that is made says
 * exactly what was asked: it is read back here, asked again with everything encoded and in the opposite order, and must be the same
 * name; and nobody else's name is. */
#include "base/panic.h"
#include "frontend/cache_name.h"
#include "frontend/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { KNOWN = 5, ENCODED_MOST = 8 * CACHE_NAME_MOST };

static const destination_t row = {.params = {{"id", 2}, {"slug", 4}},
    .param_count = 2,
    .cache = CACHE_PERSONAL,
    .by_language = true,
    .cache_name = {"row", 3},
    .known = {{"age", 3}, {"id", 2}, {"q", 1}, {"slug", 4}, {"tag", 3}},
    .known_count = KNOWN};

static void encode(buffer_t *out, text_t value)
{
    for (size_t i = 0; i < value.length; i++)
        buffer_format(out, "%%%02X", (unsigned char)value.data[i]);
}

/* Values by their places; data NULL: not given. All of the name is used up. */
static void read_back(text_t name, text_t values[static KNOWN])
{
    size_t at = 3 + 1 + 1 + sizeof(uuid_t);
    int last = -1;
    while (at < name.length) {
        uint16_t head[2];
        insist(name.length - at >= sizeof(head));
        memcpy(head, name.data + at, sizeof(head));
        at += sizeof(head);
        insist(head[0] < KNOWN && (int)head[0] > last && head[1] <= name.length - at);
        values[head[0]] = (text_t){.data = name.data + at, .length = head[1]};
        insist(text_is_utf8(values[head[0]]));
        last = head[0];
        at += head[1];
    }
}

static void ask_again(cache_asked_t asked, arena_t *arena, text_t name)
{
    text_t values[KNOWN] = {{0}}, params[2];
    char again[CACHE_NAME_MOST];
    buffer_t id = {0}, slug = {0}, query = {0};
    read_back(name, values);
    insist(values[1].data != NULL && values[3].data != NULL); /* the path always has them */
    encode(&id, values[1]);
    encode(&slug, values[3]);
    for (int i = KNOWN - 1; i >= 0; i--) {
        if (values[i].data == NULL || i == 1 || i == 3)
            continue;
        buffer_format(&query, "%s%.*s=", query.length > 0 ? "&" : "", TEXT_ARG(row.known[i]));
        encode(&query, values[i]);
    }
    params[0] = buffer_text(&id);
    params[1] = buffer_text(&slug);
    asked.params = params;
    asked.query = buffer_text(&query);
    size_t length = cache_name_make(&asked, arena, again);
    bool fits = query.length <= CACHE_NAME_MOST && id.length <= CACHE_NAME_MOST && slug.length <= CACHE_NAME_MOST;
    insist(fits ? text_equal((text_t){again, length}, name) : length == 0 || text_equal((text_t){again, length}, name));
    asked.user.bytes[0]++;
    length = cache_name_make(&asked, arena, again);
    insist(!text_equal((text_t){again, length}, name));
    asked.user.bytes[0]--;
    asked.role++;
    length = cache_name_make(&asked, arena, again);
    insist(!text_equal((text_t){again, length}, name));
    buffer_free(&id);
    buffer_free(&slug);
    buffer_free(&query);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static arena_t *arena;
    char out[CACHE_NAME_MOST];
    text_t rest = {.data = (const char *)data, .length = size}, params[2] = {{"", 0}, {"", 0}};
    if (arena == NULL)
        arena = arena_create(1 << 20, NULL, NULL);
    for (int i = 0; i < 2; i++)
        if (!text_split(&rest, '\n', &params[i]))
            return 0;
    cache_asked_t asked = {.destination = &row, .params = params, .query = rest, .language = 1, .role = 2};
    if (rest.data == NULL)
        asked.query = (text_t){.data = "", .length = 0};
    size_t length = cache_name_make(&asked, arena, out);
    insist(length <= CACHE_NAME_MOST);
    if (length > 0)
        ask_again(asked, arena, (text_t){out, length});
    arena_reset(arena);
    return 0;
}
