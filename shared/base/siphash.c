/* siphash: the 64-bit words are little-endian, on every machine. */
#include "siphash.h"
#include <endian.h>

typedef struct {
    uint64_t a, b, c, d;
} state_t;

static uint64_t rotate(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

static uint64_t read_word(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return le64toh(word);
}

static void rounds(state_t *s, int count)
{
    while (count-- > 0) {
        s->a += s->b;
        s->c += s->d;
        s->b = rotate(s->b, 13) ^ s->a;
        s->d = rotate(s->d, 16) ^ s->c;
        s->a = rotate(s->a, 32);
        s->c += s->b;
        s->a += s->d;
        s->b = rotate(s->b, 17) ^ s->c;
        s->d = rotate(s->d, 21) ^ s->a;
        s->c = rotate(s->c, 32);
    }
}

static void absorb(state_t *s, uint64_t word)
{
    s->d ^= word;
    rounds(s, 2);
    s->a ^= word;
}

static state_t absorb_all(const uint8_t *key, const void *data, size_t length, uint64_t variant)
{
    uint64_t low = read_word(key), high = read_word(key + 8);
    state_t s = {low ^ UINT64_C(0x736f6d6570736575), high ^ UINT64_C(0x646f72616e646f6d) ^ variant,
        low ^ UINT64_C(0x6c7967656e657261), high ^ UINT64_C(0x7465646279746573)};
    const uint8_t *bytes = data;
    uint8_t tail[8] = {0};

    for (size_t left = length; left >= 8; left -= 8, bytes += 8)
        absorb(&s, read_word(bytes));
    if (length % 8 > 0)
        memcpy(tail, bytes, length % 8);
    tail[7] = (uint8_t)length;
    absorb(&s, read_word(tail));
    return s;
}

uint64_t siphash(const uint8_t key[static SIPHASH_KEY_SIZE], const void *data, size_t length)
{
    state_t s = absorb_all(key, data, length, 0);
    s.c ^= 0xff;
    rounds(&s, 4);
    return s.a ^ s.b ^ s.c ^ s.d;
}

void siphash_128(const uint8_t key[static SIPHASH_KEY_SIZE], const void *data, size_t length, uint64_t out[static 2])
{
    state_t s = absorb_all(key, data, length, 0xee);
    s.c ^= 0xee;
    rounds(&s, 4);
    out[0] = s.a ^ s.b ^ s.c ^ s.d;
    s.b ^= 0xdd;
    rounds(&s, 4);
    out[1] = s.a ^ s.b ^ s.c ^ s.d;
}
