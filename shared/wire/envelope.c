/* envelope: packed maps of strings, built and walked in place. */
#include "envelope.h"
#include "packed.h"
#include <msgpack.h>

static int append(void *out, const char *data, size_t length)
{
    buffer_add(out, data, length);
    return 0;
}

void pairs_begin(buffer_t *out, int count)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, out, append);
    msgpack_pack_map(&packer, (size_t)count);
}

void pairs_add(buffer_t *out, text_t name, text_t value)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, out, append);
    msgpack_pack_str(&packer, name.length);
    msgpack_pack_str_body(&packer, name.data, name.length);
    msgpack_pack_str(&packer, value.length);
    msgpack_pack_str_body(&packer, value.data, value.length);
}

static bool is_string(const msgpack_object *object)
{
    return object->type == MSGPACK_OBJECT_STR;
}

bool pairs_walk(text_t packed, void (*each)(void *argument, text_t name, text_t value), void *argument)
{
    if (!packed.length)
        return true;
    if (!packed_is_sane(packed))
        return false;
    msgpack_zone zone;
    if (!msgpack_zone_init(&zone, 1024))
        return false;
    msgpack_object object;
    size_t offset = 0;
    bool good = msgpack_unpack(packed.data, packed.length, &offset, &zone, &object) == MSGPACK_UNPACK_SUCCESS &&
                object.type == MSGPACK_OBJECT_MAP;
    for (uint32_t i = 0; good && i < object.via.map.size; i++) {
        const msgpack_object_kv *pair = &object.via.map.ptr[i];
        good = is_string(&pair->key) && is_string(&pair->val);
        if (good)
            each(argument, (text_t){pair->key.via.str.ptr, pair->key.via.str.size},
                (text_t){pair->val.via.str.size ? pair->val.via.str.ptr : "", pair->val.via.str.size});
    }
    msgpack_zone_destroy(&zone);
    return good;
}

typedef struct {
    text_t name, value;
} wanted_t;

static void take_wanted(void *argument, text_t name, text_t value)
{
    wanted_t *wanted = argument;
    if (text_equal(name, wanted->name))
        wanted->value = value;
}

text_t pairs_get(text_t packed, text_t name)
{
    wanted_t wanted = {.name = name};
    pairs_walk(packed, take_wanted, &wanted);
    return wanted.value;
}
