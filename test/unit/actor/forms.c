/* forms: what was compressed is the same again, and what does not shrink is not kept. tags: as they are written, they are read. */
#include "../unit.h"
#include "actor/forms.h"
#include "actor/tags.h"
#include "crypto/etag.h"
#include <brotli/decode.h>
#include <zlib.h>

static text_t repeated(buffer_t *out, size_t length)
{
    out->length = 0;
    for (int i = 0; out->length < length; i++)
        buffer_format(out, "{\"id\":%d,\"name\":\"김하늘\"},", i * 7919);
    out->length = length;
    return buffer_text(out);
}

static size_t gunzip(text_t packed, char *out, size_t room)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)packed.data, .avail_in = (uInt)packed.length,
        .next_out = (Bytef *)out, .avail_out = (uInt)room};
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    inflateEnd(&stream);
    return stream.total_out;
}

static void same_again(void **state)
{
    (void)state;
    static const size_t lengths[] = {128, 1000, 1024, 14600, 40000, 300000};
    static char back[400000];
    buffer_t body = {0}, packed = {0};
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        text_t plain = repeated(&body, lengths[i]);
        packed.length = 0;
        buffer_add_text(&packed, TEXT("before"));
        assert_true(form_gzip(plain, &packed));
        assert_memory_equal(packed.data, "before", 6);
        size_t length = gunzip((text_t){packed.data + 6, packed.length - 6}, back, sizeof(back));
        assert_true(text_equal((text_t){back, length}, plain));

        packed.length = 0;
        assert_true(form_brotli(plain, &packed));
        length = sizeof(back);
        assert_int_equal(BrotliDecoderDecompress(packed.length, (const uint8_t *)packed.data, &length, (uint8_t *)back), 1);
        assert_true(text_equal((text_t){back, length}, plain));
    }
    buffer_free(&body);
    buffer_free(&packed);
}

static void what_does_not_shrink(void **state)
{
    (void)state;
    static uint8_t noise[4000];
    buffer_t out = {0};
    random_bytes(noise, sizeof(noise));
    text_t texts[] = {{(const char *)noise, sizeof(noise)}, TEXT("short"), TEXT("")};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        assert_false(form_gzip(texts[i], &out) || form_brotli(texts[i], &out));
    assert_int_equal(out.length, 0);
    buffer_free(&out);
}

static void tags(void **state)
{
    (void)state;
    buffer_t out = {0};
    for (enum tag tag = 0; tag < TAGS; tag++)
        for (int with = 0; with < 2; with++) {
            uuid_t id = with ? uuid_new() : (uuid_t){{0}}, read;
            enum tag found;
            out.length = 0;
            tag_write(&out, tag, id);
            assert_true(tag_read(buffer_text(&out), &found, &read));
            assert_true(found == tag && uuid_equal(read, id));
            assert_true(tag_find(text_of(tag_name(tag))) == (int)tag && tag_owner(tag)[0] != '\0');
        }
    static const char *const wrong[] = {"", "child:", "child:1", "nothing", "nothing:0198c0de-0000-7000-8000-000000000000",
        "Child", "child:0198c0de-0000-7000-8000-000000000000x"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        enum tag found;
        uuid_t read;
        assert_false(tag_read(text_of(wrong[i]), &found, &read));
    }
    buffer_free(&out);
}

static void etags(void **state)
{
    (void)state;
    static const struct {
        text_t whose, body;
        char form;
    } cases[] = {{{.data = NULL}, TEXT("a"), 0}, {{.data = NULL}, TEXT("b"), 0}, {{.data = NULL}, TEXT("a"), 'g'},
        {{.data = NULL}, TEXT("a"), 'b'}, {TEXT("one"), TEXT("a"), 0}, {TEXT("two"), TEXT("a"), 0}, {{.data = NULL}, TEXT(""), 0},
        {{.data = NULL}, TEXT("onea"), 0}, {TEXT("o"), TEXT("nea"), 0}};
    char made[ARRAY_SIZE(cases)][ETAG_SIZE], again[ETAG_SIZE];
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        etag_make(cases[i].whose, cases[i].body, cases[i].form, made[i]);
        etag_make(cases[i].whose, cases[i].body, cases[i].form, again);
        assert_string_equal(made[i], again);
        assert_true(made[i][0] == '"' && made[i][strlen(made[i]) - 1] == '"' && strlen(made[i]) <= CACHE_ETAG_SIZE);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(made[i], made[j]);
    }
}

int main(void)
{
    const struct CMUnitTest all[] = {cmocka_unit_test(same_again), cmocka_unit_test(what_does_not_shrink), cmocka_unit_test(tags),
        cmocka_unit_test(etags)};
    return cmocka_run_group_tests(all, NULL, NULL);
}
