/* schema_hash: what two processes must agree on changes the number, what they need not agree on does not. */
#include "../unit.h"
#include "actor/actor.h"

#define THING(FIELD) FIELD(text, name, .required = true, .max = 50) FIELD(integer, number)
MESSAGE(thing, THING);
#define THING_SAID(FIELD) FIELD(text, name, .required = true, .max = 50, .meaning = "said") FIELD(integer, number)
#define THING_LONGER(FIELD) FIELD(text, name, .required = true, .max = 51) FIELD(integer, number)
#define THING_SWAPPED(FIELD) FIELD(integer, number) FIELD(text, name, .required = true, .max = 50)
#define THING_MORE(FIELD) THING(FIELD) FIELD(boolean, more)
static const field_t said[] = {THING_SAID(MESSAGE_ROW)}, longer[] = {THING_LONGER(MESSAGE_ROW)},
                     swapped[] = {THING_SWAPPED(MESSAGE_ROW)}, more[] = {THING_MORE(MESSAGE_ROW)};

static const endpoint_t first = {.operation = "a.one", .method = "POST", .path = "/api/v1/a", .input = &thing_message};
static const endpoint_t second = {.operation = "a.two", .method = "GET", .path = "/api/v1/b", .roles = PARENT};

static uint64_t hash_of(const endpoint_t *rows, int count, const char *name)
{
    actor_t actor = {.name = name, .endpoints = rows, .endpoint_count = count};
    return actor_schema_hash(&actor);
}

static uint64_t hash_with_input(const field_t *fields, int count)
{
    message_t message = thing_message;
    message.fields = fields;
    message.count = count;
    endpoint_t row = first;
    row.input = &message;
    return hash_of(&row, 1, "a");
}

static void rows(void **state)
{
    (void)state;
    uint64_t base = hash_of((endpoint_t[]){first, second}, 2, "a");
    assert_true(base == hash_of((endpoint_t[]){second, first}, 2, "a"));
    assert_true(base != hash_of((endpoint_t[]){first}, 1, "a"));
    assert_true(base != hash_of((endpoint_t[]){first, second}, 2, "b"));
    assert_true(hash_of(NULL, 0, "a") != hash_of(NULL, 0, "b"));
}

static void parts_of_a_row(void **state)
{
    (void)state;
    uint64_t base = hash_of(&first, 1, "a");
    endpoint_t changed[] = {first, first, first, first, first, first, first, first, first, first};
    changed[0].operation = "a.on";
    changed[1].method = "PUT";
    changed[2].path = "/api/v1/aa";
    changed[3].roles = ADMIN;
    changed[4].body = BODY_FORM;
    changed[5].input = NULL;
    changed[6].params = &thing_message;
    changed[7].output = &thing_message;
    changed[8].headers = "cookie";
    changed[9].status = 201;
    for (size_t i = 0; i < ARRAY_SIZE(changed); i++)
        for (size_t j = 0; j <= i; j++)
            if (hash_of(&changed[i], 1, "a") == (j == i ? base : hash_of(&changed[j], 1, "a")))
                fail_msg("change %zu looks like %zu", i, j);
    endpoint_t told = first;
    told.summary = "for people";
    assert_true(hash_of(&told, 1, "a") == base);
}

static void fields(void **state)
{
    (void)state;
    uint64_t base = hash_of(&first, 1, "a");
    assert_true(hash_with_input(thing_fields, thing_message.count) == base);
    assert_true(hash_with_input(said, ARRAY_SIZE(said)) == base);
    assert_true(hash_with_input(longer, ARRAY_SIZE(longer)) != base);
    assert_true(hash_with_input(swapped, ARRAY_SIZE(swapped)) != base);
    assert_true(hash_with_input(more, ARRAY_SIZE(more)) != base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows), cmocka_unit_test(parts_of_a_row), cmocka_unit_test(fields)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
