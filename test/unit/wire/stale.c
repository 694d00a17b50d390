/* What is stale: packed and read it is the same; it says what was added or more, never less; what cannot be read is refused. */
#include "../unit.h"
#include "wire/stale.h"
#include <stdio.h>

static stale_t set, other;

static uuid_t id_of(int number)
{
    uuid_t id = {{0}};
    memcpy(id.bytes, &number, sizeof(number));
    return id;
}

static int empty(void **state)
{
    (void)state;
    stale_clear(&set);
    stale_clear(&other);
    return 0;
}

/* `other` is what is read from what is packed of `set`. */
static void travel(void)
{
    buffer_t packed = {0};
    stale_pack(&set, &packed);
    assert_true(stale_read(buffer_text(&packed), &other));
    buffer_free(&packed);
}

static void test_travels(void **state)
{
    (void)state;
    travel();
    assert_true(stale_is_empty(&other));
    stale_add_tag(&set, TEXT("child"), id_of(1));
    stale_add_tag(&set, TEXT("child"), id_of(2));
    stale_add_tag(&set, TEXT("video"), id_of(1));
    stale_add_tag(&set, TEXT("child"), id_of(1)); /* again */
    stale_add_tag(&set, TEXT("videos"), (uuid_t){{0}});
    stale_add_service(&set, TEXT("children"));
    stale_add_service(&set, TEXT("children"));
    travel();
    assert_false(other.all);
    assert_int_equal(other.tag_count, 4);
    assert_int_equal(other.service_count, 1);
    assert_string_equal(other.services[0], "children");
    assert_string_equal(other.tags[1].name, "child");
    assert_true(uuid_equal(other.tags[1].id, id_of(2)));
    assert_string_equal(other.tags[3].name, "videos");
    assert_true(uuid_is_zero(other.tags[3].id));
}

static void test_full_is_all(void **state)
{
    (void)state;
    for (int i = 0; i < STALE_TAGS_MAX; i++)
        stale_add_tag(&set, TEXT("child"), id_of(i));
    assert_false(set.all);
    travel();
    assert_int_equal(other.tag_count, STALE_TAGS_MAX);
    stale_add_tag(&set, TEXT("child"), id_of(STALE_TAGS_MAX));
    assert_true(set.all);
    assert_int_equal(set.tag_count, 0);
    stale_add_tag(&set, TEXT("child"), id_of(1)); /* is said already */
    assert_int_equal(set.tag_count, 0);
    travel();
    assert_true(other.all);

    stale_clear(&set);
    char name[STALE_NAME_SIZE];
    for (int i = 0; i <= STALE_SERVICES_MAX; i++) {
        snprintf(name, sizeof(name), "service%d", i);
        assert_false(set.all);
        stale_add_service(&set, text_of(name));
    }
    assert_true(set.all);
}

/* A name that does not fit, or is none: what it stands for is not known. */
static void test_strange_names(void **state)
{
    (void)state;
    char name[STALE_NAME_SIZE + 1];
    memset(name, 'n', sizeof(name));
    stale_add_tag(&set, (text_t){name, STALE_NAME_SIZE - 1}, id_of(1));
    assert_false(set.all);
    stale_add_tag(&set, (text_t){name, STALE_NAME_SIZE}, id_of(1));
    assert_true(set.all);
    stale_add_service(&other, TEXT(""));
    assert_true(other.all);
}

static void test_merge(void **state)
{
    (void)state;
    stale_add_tag(&set, TEXT("child"), id_of(1));
    stale_add_tag(&other, TEXT("child"), id_of(2));
    stale_add_service(&other, TEXT("videos"));
    stale_add(&set, &other);
    assert_int_equal(set.tag_count, 2);
    assert_int_equal(set.service_count, 1);
    stale_add_all(&other);
    stale_add(&set, &other);
    assert_true(set.all);
    stale_clear(&set);
    assert_true(stale_is_empty(&set));
}

static void test_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
    } wrong[] = {{"", 0}, {"\xC0", 1}, {"\x93\xC2\x90", 3}, {"\x93\xC2\x90\x90\x00", 5}, {"\x94\xC2\x90\x90\xC0", 5},
        {"\x93\xC2\x90\x91\x92\xA0\xC4\x00", 8}, {"\x93\xC2\x91\x91\xA0\x90", 6}, {"\x93\x01\x90\x90", 4}};
    (void)state;
    assert_true(stale_read((text_t){"\x93\xC2\x90\x90", 4}, &other));
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_false(stale_read((text_t){wrong[i].bytes, wrong[i].length}, &other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(test_travels, empty),
        cmocka_unit_test_setup(test_full_is_all, empty), cmocka_unit_test_setup(test_strange_names, empty),
        cmocka_unit_test_setup(test_merge, empty), cmocka_unit_test_setup(test_refused, empty)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
