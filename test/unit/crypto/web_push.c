/* web_push: the example of RFC 8291 byte for byte; what is no key is refused; a token is one, and its point is stable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/hash.h"
#include "crypto/web_push.h"

#define PUBLIC "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
#define RESULT                                                                                                     \
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_" \
    "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"

static arena_t *arena;

static text_t decoded(const char *text)
{
    text_t out;
    assert_true(base64url_decode(arena, text_of(text), &out));
    return out;
}

/* A number that gives this private key: it is made by adding one. */
static web_push_key_t key_of(const char *text)
{
    web_push_key_t key;
    text_t bytes = decoded(text);
    assert_int_equal(bytes.length, sizeof key.bytes);
    memcpy(key.bytes, bytes.data, sizeof key.bytes);
    key.bytes[31]--; /* none of these ends with a zero */
    return key;
}

static void example_of_the_rfc(void **state)
{
    (void)state;
    web_push_once_t once = {.key = key_of("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")};
    memcpy(once.salt, decoded("DGv6ra1nlYgDCS1FRnbzlw").data, sizeof once.salt);
    assert_true(text_equal(web_push_public(arena, &once.key),
        decoded("BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8")));
    text_t body = web_push_encrypt(arena, decoded(PUBLIC), decoded("BTBZMqHH6r4Tts7J_aSIgg"),
        TEXT("When I grow up, I want to be a watermelon"), &once);
    assert_true(text_equal(base64url_encode(arena, body), TEXT(RESULT)));
}

static void what_is_no_key(void **state)
{
    (void)state;
    static const char zeros[WEB_PUSH_PLAIN_MOST + 1];
    text_t point = decoded(PUBLIC), auth = decoded("BTBZMqHH6r4Tts7J_aSIgg");
    char other[WEB_PUSH_POINT];
    memcpy(other, point.data, sizeof other);
    other[40] ^= 1;
    text_t off = {other, sizeof other};
    assert_true(web_push_point(point));
    assert_false(web_push_point(off));
    assert_false(web_push_point((text_t){point.data, 64}));
    assert_false(web_push_point((text_t){zeros, 65}));
    assert_false(web_push_point(TEXT("")));
    assert_null(web_push_encrypt(arena, off, auth, TEXT("x"), NULL).data);
    assert_null(web_push_encrypt(arena, point, (text_t){auth.data, 15}, TEXT("x"), NULL).data);
    assert_null(web_push_encrypt(arena, point, auth, (text_t){zeros, sizeof zeros}, NULL).data);
    assert_int_equal(web_push_encrypt(arena, point, auth, (text_t){zeros, sizeof zeros - 1}, NULL).length, 86 + 3800 + 17);
}

static void numbers_at_the_ends(void **state)
{
    (void)state;
    web_push_key_t least = {{0}}, most;
    memset(most.bytes, 0xff, sizeof most.bytes);
    assert_true(web_push_point(web_push_public(arena, &least)));
    assert_true(web_push_point(web_push_public(arena, &most)));
    assert_false(text_equal(web_push_public(arena, &least), web_push_public(arena, &most)));
}

static void two_are_not_alike(void **state)
{
    (void)state;
    text_t point = decoded(PUBLIC), auth = decoded("BTBZMqHH6r4Tts7J_aSIgg");
    assert_false(text_equal(web_push_encrypt(arena, point, auth, TEXT("x"), NULL), web_push_encrypt(arena, point, auth, TEXT("x"), NULL)));
}

static void token(void **state)
{
    (void)state;
    web_push_key_t key = {{1, 2, 3}};
    text_t made = web_push_token(arena, &key, TEXT("https://push.example"), "mailto:a@b.example", INT64_C(1700000000000000)), part;
    assert_true(text_split(&made, '.', &part));
    assert_true(text_equal(decoded(arena_string(arena, part)), TEXT("{\"typ\":\"JWT\",\"alg\":\"ES256\"}")));
    assert_true(text_split(&made, '.', &part));
    assert_true(text_equal(decoded(arena_string(arena, part)),
        TEXT("{\"aud\":\"https://push.example\",\"exp\":1700000000,\"sub\":\"mailto:a@b.example\"}")));
    assert_int_equal(decoded(arena_string(arena, made)).length, 64); /* whether it holds is asked of another library in 71-push_test.py */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(example_of_the_rfc),
        cmocka_unit_test(what_is_no_key),
        cmocka_unit_test(numbers_at_the_ends),
        cmocka_unit_test(two_are_not_alike),
        cmocka_unit_test(token),
    };
    arena = arena_create(1 << 20, NULL, NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_destroy(&arena);
    return failed;
}
