#include "../unit.h"
#include "frontend/hpack_token.h"

/* RFC 7541, C.4.1: GET http www.example.com, "/"; then what the test adds. */
#define PSEUDO "\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"
#define SIXTY "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWX"
#define CODED "\xbc" SIXTY /* 60 bytes that say they are Huffman-coded: nothing here decodes them */
#define BLOCK(bytes) {.data = (bytes), .length = sizeof(bytes) - 1}

static void finds(void **state)
{
    static const struct {
        text_t block;
        size_t begin; /* 0: finds none */
    } cases[] = {
        {BLOCK(""), 0},
        {BLOCK(PSEUDO), 0},
        {BLOCK(PSEUDO "\x1f\x08" CODED), sizeof(PSEUDO) + 1},            /* never indexed */
        {BLOCK(PSEUDO "\x0f\x08" CODED "\x84"), sizeof(PSEUDO) + 1},     /* not indexed, and another field behind it */
        {BLOCK("\x3f\x21" PSEUDO "\x1f\x08" CODED), sizeof(PSEUDO) + 3}, /* behind a change of the table's size */
        {BLOCK(PSEUDO "\x57" CODED), 0},                                 /* indexed: libh2o need not decode it again */
        {BLOCK(PSEUDO "\x1f\x09" CODED), 0},                             /* another field */
        {BLOCK(PSEUDO "\x1f\x08\x3c" SIXTY), 0},                         /* plain already */
        {BLOCK(PSEUDO "\x1f\x08\x84WXYZ"), 0},                           /* short */
        {BLOCK(PSEUDO "\x10\x01" "x\x01" "y\x1f\x08" CODED), sizeof(PSEUDO) + 6},
        {BLOCK(PSEUDO "\x1f\x08\xbd" SIXTY), 0},                         /* longer than the block */
        {BLOCK(PSEUDO "\x1f\x80\x80\x80\x80\x80" CODED), 0},             /* no such number */
        {BLOCK(PSEUDO "\x1f"), 0},
        {BLOCK(PSEUDO "\x1f\x08"), 0},
        {BLOCK("\xff"), 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        hpack_string_t found;
        assert_int_equal(hpack_token_find(cases[i].block, &found), cases[i].begin > 0);
        if (cases[i].begin == 0)
            continue;
        assert_int_equal(found.begin, cases[i].begin);
        assert_int_equal(found.bytes, cases[i].begin + 1);
        assert_int_equal(found.length, sizeof(SIXTY) - 1);
    }
}

static void replaces(void **state)
{
    static const char first[] = PSEUDO "\x1f\x08", second[] = "\x90";
    text_t block = BLOCK(PSEUDO "\x1f\x08" CODED "\x90"), other = BLOCK(PSEUDO "\x1f\x08\xbcX" SIXTY);
    char plain[HPACK_TOKEN_MOST + 1], out[HPACK_BLOCK_MOST], large[HPACK_BLOCK_MOST];
    hpack_token_t token = {.coded = 0};
    hpack_string_t found;
    (void)state;
    assert_true(hpack_token_find(block, &found));
    assert_int_equal(hpack_token_replace(&token, block, &found, out), 0); /* nothing is remembered */
    memset(plain, 'p', sizeof(plain));
    static const size_t lengths[] = {0, 1, 126, 127, 128, 254, 255, 256, HPACK_TOKEN_MOST};
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        size_t n = lengths[i], head = n < 127 ? 1 : n < 255 ? 2 : 3;
        hpack_token_remember(&token, TEXT(SIXTY), (text_t){.data = plain, .length = n});
        size_t made = hpack_token_replace(&token, block, &found, out);
        assert_int_equal(made, sizeof(first) - 1 + head + n + sizeof(second) - 1);
        assert_memory_equal(out, first, sizeof(first) - 1);
        const uint8_t *length = (const uint8_t *)out + sizeof(first) - 1;
        assert_int_equal(head == 1 ? length[0] : head == 2 ? 127 + length[1] : 127 + (length[1] & 127) + 128 * length[2], n);
        assert_true(head == 1 || (length[0] == 127 && (length[1] >> 7) == (head == 3)));
        assert_memory_equal(out + sizeof(first) - 1 + head, plain, n);
        assert_memory_equal(out + made - 1, second, 1);
    }
    assert_true(hpack_token_find(other, &found));
    assert_int_equal(hpack_token_replace(&token, other, &found, out), 0); /* it is another */
    hpack_token_remember(&token, TEXT(SIXTY), (text_t){.data = plain, .length = sizeof(plain)});
    assert_true(hpack_token_find(block, &found));
    assert_int_equal(hpack_token_replace(&token, block, &found, out), 0); /* it was too long */
    hpack_token_remember(&token, TEXT(SIXTY), (text_t){.data = plain, .length = 64});
    memset(large, '\x84', sizeof(large));
    memcpy(large, block.data, block.length);
    text_t fits = {.data = large, .length = sizeof(large) - 64}, not = {.data = large, .length = sizeof(large) - 63};
    assert_in_range(hpack_token_replace(&token, fits, &found, out), sizeof(large) - 64, sizeof(large));
    assert_int_equal(hpack_token_replace(&token, not, &found, out), 0);
}

int main(void)
{
    const struct CMUnitTest all[] = {cmocka_unit_test(finds), cmocka_unit_test(replaces)};
    return cmocka_run_group_tests(all, NULL, NULL);
}
