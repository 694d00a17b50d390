/* audit_chain: the bytes that are hashed never change, every field matters, and so do the row before and the position. */
#include "../unit.h"
#include "crypto/audit_chain.h"

static const digest_t zero;

static audit_entry_t entry(void)
{
    return (audit_entry_t){.position = 7,
        .id = {{1}},
        .reader = {{2}},
        .reader_role = TEXT("admin"),
        .record_kind = TEXT("child"),
        .record = {{3}},
        .records = 1,
        .operation = TEXT("children.get"),
        .read_at = INT64_C(1760000000000001),
        .created_at = INT64_C(1760000000000002)};
}

static bool same(digest_t a, digest_t b)
{
    return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

/* The digest of these bytes put together by hand. */
static void form_is_fixed(void **state)
{
    (void)state;
    static const char bytes[] = "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                "\1"
                                "\0\0\0\0\0\0\0\7"
                                "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                "\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                "\0\0\0\0\0\0\0\5" "admin"
                                "\0\0\0\0\0\0\0\5" "child"
                                "\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                "\0\0\0\0\0\0\0\1"
                                "\0\0\0\0\0\0\0\14" "children.get"
                                "\x00\x06\x40\xb5\x53\x5f\x80\x01"
                                "\x00\x06\x40\xb5\x53\x5f\x80\x02";
    audit_entry_t row = entry();
    row.read_at = INT64_C(0x000640b5535f8001);
    row.created_at = INT64_C(0x000640b5535f8002);
    assert_true(same(audit_hash(zero, &row), hash_sha256((text_t){bytes, sizeof(bytes) - 1})));
}

#define CHANGED(...)                                                                                               \
    do {                                                                                                           \
        audit_entry_t other = entry();                                                                             \
        __VA_ARGS__;                                                                                               \
        assert_false(same(audit_hash(zero, &other), hash));                                                        \
    } while (0)

static void every_field_matters(void **state)
{
    (void)state;
    audit_entry_t row = entry();
    digest_t hash = audit_hash(zero, &row);
    assert_true(same(audit_hash(zero, &row), hash));
    assert_false(same(audit_hash(hash, &row), hash));
    CHANGED(other.position++);
    CHANGED(other.id.bytes[15] = 1);
    CHANGED(other.reader.bytes[15] = 1);
    CHANGED(other.reader_role = TEXT("parent"));
    CHANGED(other.record_kind = TEXT("user"));
    CHANGED(other.record.bytes[15] = 1);
    CHANGED(other.records++);
    CHANGED(other.operation = TEXT("children.list"));
    CHANGED(other.read_at++);
    CHANGED(other.created_at--);
}

/* What one text loses the next does not win. */
static void texts_do_not_flow(void **state)
{
    (void)state;
    audit_entry_t a = entry(), b = entry();
    a.reader_role = TEXT("admin");
    a.record_kind = TEXT("child");
    b.reader_role = TEXT("adminc");
    b.record_kind = TEXT("hild");
    assert_false(same(audit_hash(zero, &a), audit_hash(zero, &b)));
}

static void hashes_are_read(void **state)
{
    (void)state;
    audit_entry_t row = entry();
    digest_t hash = audit_hash(zero, &row), read;
    assert_true(audit_hash_read(audit_hash_text(&hash), &read) && same(hash, read));
    assert_false(audit_hash_read(TEXT("short"), &read));
    assert_false(audit_hash_read((text_t){0}, &read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(form_is_fixed),
        cmocka_unit_test(every_field_matters),
        cmocka_unit_test(texts_do_not_flow),
        cmocka_unit_test(hashes_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
