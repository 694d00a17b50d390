/* json: the way of a client's JSON into msgpack. One walk over the bytes comes first, without recursion and
 * without memory of its own: it bounds depth and number of values before jansson builds anything, and it
 * knows the path of a place, so that a problem names its field. Then jansson judges the syntax, and its tree
 * is packed. */
#include "json.h"
#include "../base/panic.h"
#include <jansson.h>
#include <math.h>
#include <msgpack.h>
#include <stdlib.h>

enum {
    DEPTH_MAX = 256,
    VALUES_MAX = 65536,    /* jansson's tree takes up to a hundred times the bytes it was made of */
    NUMBER_SIZE_MAX = 512, /* longer numbers are nobody's */
    PATH_SIZE_MAX = 128
};

typedef struct {
    bool is_object;
    bool key_next; /* in an object: the next string is a key */
    text_t key;    /* as it is written, escapes and all */
    size_t index;  /* in an array */
} level_t;

typedef struct {
    text_t json;
    size_t at;
    int max_depth, depth;
    size_t values;
    level_t levels[DEPTH_MAX];
    /* What was found to be wrong, if anything. */
    enum problem_kind kind;
    int64_t bound;
} walk_t;

static bool walk_fail(walk_t *walk, enum problem_kind kind, int64_t bound)
{
    walk->kind = kind;
    walk->bound = bound;
    return false;
}

static bool walk_open(walk_t *walk, char c)
{
    if (walk->depth == walk->max_depth)
        return walk_fail(walk, PROBLEM_TOO_DEEP, walk->max_depth);
    walk->levels[walk->depth++] = (level_t){.is_object = c == '{', .key_next = c == '{'};
    walk->values++;
    walk->at++;
    return true;
}

static bool walk_close(walk_t *walk, char c)
{
    (void)c;
    if (walk->depth > 0)
        walk->depth--;
    walk->at++;
    return true;
}

static bool walk_comma(walk_t *walk, char c)
{
    (void)c;
    if (walk->depth > 0) {
        level_t *level = &walk->levels[walk->depth - 1];
        level->key_next = level->is_object;
        level->index++;
    }
    walk->values++;
    walk->at++;
    return true;
}

/* To the end of a string; what is in it is jansson's to judge. */
static bool walk_string(walk_t *walk, char c)
{
    size_t begin = walk->at + 1, end = begin;
    (void)c;

    while (end < walk->json.length && walk->json.data[end] != '"')
        end += walk->json.data[end] == '\\' ? 2 : 1;
    if (end > walk->json.length)
        end = walk->json.length;
    level_t *level = walk->depth > 0 ? &walk->levels[walk->depth - 1] : NULL;
    if (level != NULL && level->key_next) {
        level->key = (text_t){walk->json.data + begin, end - begin};
        level->key_next = false;
    }
    walk->at = end < walk->json.length ? end + 1 : end;
    return true;
}

/* Numbers beyond int64 and double are refused here, because jansson does not say where it met one. Malformed
 * ones are left to jansson. */
static bool walk_number(walk_t *walk, char c)
{
    char number[NUMBER_SIZE_MAX + 1], *end = number;
    size_t length = 0, left = walk->json.length - walk->at;
    bool is_real = false, overflow;
    int64_t integer;

    for (; length < left && memchr("0123456789+-.eE", walk->json.data[walk->at + length], 15) != NULL;
         length++)
        is_real |= memchr(".eE", walk->json.data[walk->at + length], 3) != NULL;
    if (length > NUMBER_SIZE_MAX)
        return walk_fail(walk, PROBLEM_FORMAT, NUMBER_SIZE_MAX);
    memcpy(number, walk->json.data + walk->at, length);
    number[length] = '\0';
    if (is_real) {
        double real = strtod(number, &end);
        overflow = *end == '\0' && isinf(real);
    } else {
        bool digits_only = strspn(number + (c == '-'), "0123456789") == length - (c == '-');
        overflow = digits_only && length > 1 && !text_to_int((text_t){number, length}, &integer);
    }
    if (overflow && c == '-')
        return walk_fail(walk, PROBLEM_TOO_SMALL, INT64_MIN);
    if (overflow)
        return walk_fail(walk, PROBLEM_TOO_LARGE, INT64_MAX);
    walk->at += length;
    return true;
}

static bool (*const steps[256])(walk_t *, char) = {
    ['{'] = walk_open,
    ['['] = walk_open,
    ['}'] = walk_close,
    [']'] = walk_close,
    [','] = walk_comma,
    ['"'] = walk_string,
    ['-'] = walk_number,
    ['0' ... '9'] = walk_number,
};

/* Walks on until `end` is reached or passed. */
static bool walk_to(walk_t *walk, size_t end)
{
    while (walk->at < end) {
        char c = walk->json.data[walk->at];
        if (steps[(unsigned char)c] == NULL)
            walk->at++;
        else if (!steps[(unsigned char)c](walk, c))
            return false;
        if (walk->values > VALUES_MAX) {
            walk->depth = 0; /* the whole body is what is too long */
            return walk_fail(walk, PROBLEM_TOO_LONG, VALUES_MAX);
        }
    }
    return true;
}

/* "items.2.name"; "body" for the whole, and for names that cannot be shown. */
static text_t walk_path(const walk_t *walk, arena_t *arena)
{
    text_t path = TEXT("");

    for (int i = 0; i < walk->depth; i++) {
        const level_t *level = &walk->levels[i];
        const char *point = i ? "." : "";
        if (!level->is_object)
            path = arena_format(arena, "%.*s%s%zu", TEXT_ARG(path), point, level->index);
        else if (level->key.data != NULL && path.length + level->key.length < PATH_SIZE_MAX)
            path = arena_format(arena, "%.*s%s%.*s", TEXT_ARG(path), point, TEXT_ARG(level->key));
        else
            break;
    }
    return path.length > 0 && path.length < PATH_SIZE_MAX && text_is_utf8(path) ? path : TEXT("body");
}

/* Adds the one problem, with the path of the place where the walk stands. */
static bool refuse(const walk_t *walk, problems_t *problems, enum problem_kind kind, int64_t bound)
{
    bool whole =
        kind == PROBLEM_SYNTAX || kind == PROBLEM_TOO_DEEP || kind == PROBLEM_TYPE || kind == PROBLEM_EMPTY;
    problem_add(problems, whole ? TEXT("body") : walk_path(walk, problems->arena), kind, NULL, bound);
    return false;
}

/* Goes to a place from the beginning, for its path. */
static bool refuse_at(walk_t *walk, problems_t *problems, enum problem_kind kind, size_t place)
{
    walk->at = 0;
    walk->depth = 0;
    walk->values = 0;
    walk_to(walk, place < walk->json.length ? place : walk->json.length);
    return refuse(walk, problems, kind, (int64_t)place);
}

static bool bytes_check(walk_t *walk, problems_t *problems)
{
    text_t rest = walk->json;
    size_t length;

    if (text_trim(rest).length == 0)
        return refuse(walk, problems, PROBLEM_EMPTY, 0);
    if (text_is_utf8(rest))
        return true;
    while ((length = text_utf8_next(rest)) > 0) {
        rest.data += length;
        rest.length -= length;
    }
    return refuse_at(walk, problems, rest.data[0] == '\0' ? PROBLEM_NUL : PROBLEM_ENCODING,
        (size_t)(rest.data - walk->json.data) + 1);
}

static bool refuse_parsed(walk_t *walk, problems_t *problems, const json_error_t *error)
{
    size_t place = (size_t)error->position;

    switch (json_error_code(error)) {
    case json_error_out_of_memory:
        panic("out of memory: JSON of %zu bytes", walk->json.length);
    case json_error_duplicate_key:
        return refuse_at(walk, problems, PROBLEM_DUPLICATE, place);
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return refuse_at(walk, problems, PROBLEM_NUL, place);
    default:
        return refuse(walk, problems, PROBLEM_SYNTAX, error->position);
    }
}

static int append(void *out, const char *data, size_t length)
{
    buffer_add(out, data, length);
    return 0;
}

static void pack_string(msgpack_packer *packer, const char *string, size_t length)
{
    msgpack_pack_str(packer, length);
    msgpack_pack_str_body(packer, string, length);
}

/* As deep as the walk allowed. */
static void pack(msgpack_packer *packer, json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;

    switch (json_typeof(value)) {
    case JSON_OBJECT:
        msgpack_pack_map(packer, json_object_size(value));
        json_object_foreach(value, key, item)
        {
            pack_string(packer, key, strlen(key)); /* keys with NUL were refused */
            pack(packer, item);
        }
        break;
    case JSON_ARRAY:
        msgpack_pack_array(packer, json_array_size(value));
        json_array_foreach(value, i, item) pack(packer, item);
        break;
    case JSON_STRING:
        pack_string(packer, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        msgpack_pack_int64(packer, json_integer_value(value));
        break;
    case JSON_REAL:
        msgpack_pack_double(packer, json_real_value(value));
        break;
    case JSON_TRUE:
        msgpack_pack_true(packer);
        break;
    case JSON_FALSE:
        msgpack_pack_false(packer);
        break;
    case JSON_NULL:
        msgpack_pack_nil(packer);
        break;
    }
}

bool json_to_msgpack(text_t json, int max_depth, buffer_t *out, problems_t *problems)
{
    walk_t walk = {.json = json, .max_depth = max_depth};
    json_error_t error;
    msgpack_packer packer;

    insist(max_depth > 0 && max_depth <= DEPTH_MAX);
    if (!bytes_check(&walk, problems))
        return false;
    if (!walk_to(&walk, json.length))
        return refuse(&walk, problems, walk.kind, walk.bound);
    json_t *root = json_loadb(json.data, json.length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (root == NULL)
        return refuse_parsed(&walk, problems, &error);
    bool is_object = json_is_object(root);
    if (is_object) {
        msgpack_packer_init(&packer, out, append);
        pack(&packer, root);
    }
    json_decref(root);
    return is_object || refuse(&walk, problems, PROBLEM_TYPE, 0);
}
