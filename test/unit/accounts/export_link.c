/* actors/accounts/export_link.c: a signature holds for its key, export and time, and for no other. The expected one was computed
 * by Python's hmac. */
#include "../../../actors/accounts/export_link.h"
#include "../unit.h"

static const uint8_t key[32] = "a key of thirty-two bytes, yes..";
static const uuid_t id = {{0x01, 0x89, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1}};
enum { EXPIRES = 1800000000 };

static int arena_setup(void **state)
{
    *state = arena_create(1 << 20, NULL, NULL);
    return 0;
}

static int arena_teardown(void **state)
{
    arena_destroy((arena_t **)state);
    return 0;
}

static void test_known(void **state)
{
    text_t signature = export_link_sign(*state, key, id, EXPIRES);
    assert_true(text_equal(signature, TEXT("V-y69E-kLd7UAytqfJZ_EI4f94zk3CloI6VNCYsqAJI")));
    assert_true(export_link_is_signed(*state, key, id, EXPIRES, signature));
}

static void test_others(void **state)
{
    text_t signature = export_link_sign(*state, key, id, EXPIRES);
    uint8_t other_key[32];
    memcpy(other_key, key, sizeof(key));
    other_key[31] ^= 1;
    uuid_t other = id;
    other.bytes[15] ^= 1;
    assert_false(export_link_is_signed(*state, other_key, id, EXPIRES, signature));
    assert_false(export_link_is_signed(*state, key, other, EXPIRES, signature));
    assert_false(export_link_is_signed(*state, key, id, EXPIRES + 1, signature));
    assert_false(export_link_is_signed(*state, key, id, EXPIRES - (INT64_C(1) << 32), signature));
    for (size_t i = 0; i < signature.length; i++) {
        text_t changed = arena_copy(*state, signature);
        ((char *)(uintptr_t)changed.data)[i] ^= 1;
        assert_false(export_link_is_signed(*state, key, id, EXPIRES, changed));
    }
    assert_false(export_link_is_signed(*state, key, id, EXPIRES, (text_t){.data = signature.data, .length = signature.length - 1}));
    assert_false(export_link_is_signed(*state, key, id, EXPIRES, TEXT("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, arena_setup, arena_teardown);
}
