/* schema_hash: one number over everything that the two ends of a service must agree on. The frontend's routes carry the
 * number of the build they came from, an actor reports its own, and requests go only where both are equal, so that a rolling
 * upgrade never sends a message to a process that would read it differently.
 *
 * What always holds: the order of the rows does not matter; every name is hashed with its end, so that moving a letter from
 * one name to the next changes the number; texts for people (summary, meaning) do not count. */
#include "actor.h"

/* FNV-1a, 64 bits (draft-eastlake-fnv). Nobody attacks it: all input is our own source. */
static const uint64_t fnv_basis = 0xcbf29ce484222325, fnv_prime = 0x100000001b3;

static uint64_t bytes_mix(uint64_t hash, const void *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const uint8_t *)data)[i]) * fnv_prime;
    return hash;
}

/* Little-endian by hand: the number is the same on every machine of a cluster. */
static uint64_t number_mix(uint64_t hash, int64_t number)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)number >> (8 * i));
    return bytes_mix(hash, bytes, sizeof(bytes));
}

/* A NULL string differs from an empty one. */
static uint64_t string_mix(uint64_t hash, const char *string)
{
    return string == NULL ? number_mix(hash, -1) : bytes_mix(hash, string, strlen(string) + 1);
}

static uint64_t message_mix(uint64_t hash, const message_t *message);

static uint64_t field_mix(uint64_t hash, const field_t *field)
{
    hash = string_mix(hash, field->name);
    const int64_t numbers[] = {field->type, field->required, field->nullable, field->min, field->max, field->scale,
        field->format, field->secret};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        hash = number_mix(hash, numbers[i]);
    for (int i = 0; field->names != NULL && field->names[i] != NULL; i++)
        hash = string_mix(hash, field->names[i]);
    return message_mix(hash, field->message);
}

static uint64_t message_mix(uint64_t hash, const message_t *message)
{
    if (message == NULL)
        return number_mix(hash, -1);
    hash = string_mix(hash, message->name);
    hash = number_mix(hash, message->positional | message->bare << 1);
    for (int i = 0; i < message->count; i++)
        hash = field_mix(hash, &message->fields[i]);
    return number_mix(hash, message->count);
}

static uint64_t endpoint_hash(const endpoint_t *row)
{
    uint64_t hash = fnv_basis;
    const char *const strings[] = {row->operation, row->method, row->path, row->rate_field, row->headers, row->event};
    for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
        hash = string_mix(hash, strings[i]);
    const int64_t numbers[] = {row->roles, row->shape, row->status, row->other_status, row->body, row->rate, row->writes,
        row->internal, row->cache, row->by_language, row->logged};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        hash = number_mix(hash, numbers[i]);
    hash = message_mix(hash, row->params);
    hash = message_mix(hash, row->input);
    return message_mix(hash, row->output);
}

uint64_t actor_schema_hash(const actor_t *actor)
{
    /* Request and reply themselves are part of the agreement. */
    uint64_t sum = message_mix(message_mix(number_mix(fnv_basis, ENVELOPE_VERSION), &request_message), &reply_message);
    for (int i = 0; i < actor->endpoint_count; i++)
        sum += endpoint_hash(&actor->endpoints[i]); /* a sum, so that the order of rows does not matter */
    return string_mix(sum, actor->name);
}
