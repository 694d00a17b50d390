#include "../unit.h"
#include "crypto/hash.h"
#include "crypto/seal.h"

static arena_t *arena;
static key_ring_t old_ring, new_ring; /* the new one has the old key second */
static seal_place_t place;

static int make(void **state)
{
    (void)state;
    arena = arena_create(1 << 26, NULL, NULL);
    old_ring.count = 1;
    memcpy(old_ring.keys[0].id, "k1", 3);
    random_bytes(old_ring.keys[0].key, KEY_BYTES);
    new_ring.count = 2;
    memcpy(new_ring.keys[0].id, "k2", 3);
    random_bytes(new_ring.keys[0].key, KEY_BYTES);
    new_ring.keys[1] = old_ring.keys[0];
    place = (seal_place_t){.table = "children.children", .column = "notes", .row = uuid_new()};
    return 0;
}

static int destroy(void **state)
{
    (void)state;
    arena_destroy(&arena);
    return 0;
}

static void sizes(void **state)
{
    static const size_t lengths[] = {0, 1, 15, 16, 17, 1000, 1 << 20};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        char *bytes = malloc(lengths[i] + 1);
        text_t opened;
        random_bytes(bytes, lengths[i]);
        text_t sealed = seal(arena, &old_ring, place, (text_t){bytes, lengths[i]});
        assert_int_equal(sealed.length, 1 + 2 + 12 + lengths[i] + 16);
        assert_memory_equal(sealed.data, "\x02k1", 3);
        assert_true(seal_open(arena, &old_ring, place, sealed, &opened));
        assert_int_equal(opened.length, lengths[i]);
        assert_memory_equal(opened.data, bytes, lengths[i]);
        free(bytes);
    }
    /* The same text twice looks different. */
    text_t first = seal(arena, &old_ring, place, TEXT("notes")),
           second = seal(arena, &old_ring, place, TEXT("notes"));
    assert_false(text_equal(first, second));
}

static void rotation(void **state)
{
    text_t opened, by_old = seal(arena, &old_ring, place, TEXT("notes")),
                   by_new = seal(arena, &new_ring, place, TEXT("notes"));
    (void)state;
    assert_true(seal_open(arena, &new_ring, place, by_old, &opened));
    assert_text(opened, "notes");
    assert_false(seal_open(arena, &old_ring, place, by_new, &opened));
    assert_true(seal_is_current(&old_ring, by_old));
    assert_true(seal_is_current(&new_ring, by_new));
    assert_false(seal_is_current(&new_ring, by_old));
    assert_false(seal_is_current(&new_ring, TEXT("")));
    assert_false(seal_is_current(&new_ring, (text_t){0}));
}

/* A value opens only where it was sealed. */
static void places(void **state)
{
    text_t opened = {0}, sealed = seal(arena, &old_ring, place, TEXT("notes"));
    seal_place_t other;
    (void)state;
    other = place;
    other.row = uuid_new();
    assert_false(seal_open(arena, &old_ring, other, sealed, &opened));
    other = place;
    other.column = "medical_history";
    assert_false(seal_open(arena, &old_ring, other, sealed, &opened));
    other = place;
    other.table = "accounts.users";
    assert_false(seal_open(arena, &old_ring, other, sealed, &opened));
    assert_null(opened.data);
    assert_true(seal_open(arena, &old_ring, place, sealed, &opened));
}

/* Each changed bit and each missing end is noticed. */
static void damage(void **state)
{
    text_t opened = {0}, sealed = seal(arena, &new_ring, place, TEXT("a secret note"));
    char *copy = malloc(sealed.length);
    (void)state;
    for (size_t bit = 0; bit < sealed.length * 8; bit++) {
        memcpy(copy, sealed.data, sealed.length);
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        if (seal_open(arena, &new_ring, place, (text_t){copy, sealed.length}, &opened))
            fail_msg("bit %zu", bit);
    }
    free(copy);
    for (size_t length = 0; length < sealed.length; length++) {
        copy = malloc(length ? length : 1);
        memcpy(copy, sealed.data, length);
        assert_false(seal_open(arena, &new_ring, place, (text_t){copy, length}, &opened));
        seal_is_current(&new_ring, (text_t){copy, length});
        free(copy);
    }
    assert_false(seal_open(arena, &new_ring, place, (text_t){0}, &opened));
    assert_null(opened.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes), cmocka_unit_test(rotation),
        cmocka_unit_test(places), cmocka_unit_test(damage)};
    return cmocka_run_group_tests_name("crypto/seal", tests, make, destroy);
}
