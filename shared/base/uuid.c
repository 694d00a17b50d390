/* uuid: identifiers. Random bytes come from the kernel by the page; the page is wiped in a forked child, so
 * that a child never repeats its parent's ids. Ids of one process always grow, also within a millisecond and
 * when the clock steps back (RFC 9562, section 6.2, method 2: the random part is raised by a random step). */
#include "uuid.h"
#include "clock.h"
#include "panic.h"
#include <errno.h>
#include <sys/mman.h>
#include <sys/random.h>

enum { POOL_BYTES = 2048 };

typedef struct {
    uint64_t milliseconds; /* of the last UUIDv7; 0: none yet */
    uint64_t high, low;    /* its random part: 12 and 62 bits */
    uint32_t left;         /* unused bytes at the end of `bytes`; 0 after a fork */
    uint8_t bytes[POOL_BYTES];
} pool_t;

static pool_t *pool_get(void)
{
    static pool_t *pool;

    if (pool == NULL) {
        size_t size = (sizeof(pool_t) + 4095) / 4096 * 4096;
        pool = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pool == MAP_FAILED)
            panic("out of memory: %zu bytes", size);
        if (madvise(pool, size, MADV_WIPEONFORK) != 0)
            panic("madvise: this kernel cannot wipe a page on fork");
    }
    return pool;
}

static void pool_fill(pool_t *pool)
{
    size_t got = 0;
    while (got < POOL_BYTES) {
        ssize_t n = getrandom(pool->bytes + got, POOL_BYTES - got, 0);
        if (n > 0)
            got += (size_t)n;
        else
            insist(n < 0 && errno == EINTR);
    }
    pool->left = POOL_BYTES;
}

static void pool_take(pool_t *pool, void *out, size_t size)
{
    if (pool->left < size)
        pool_fill(pool);
    uint8_t *bytes = pool->bytes + (POOL_BYTES - pool->left);
    memcpy(out, bytes, size);
    /* What was used must not be found in memory later. */
    memset(bytes, 0, size);
    pool->left -= (uint32_t)size;
}

#define LOW_MASK ((UINT64_C(1) << 62) - 1)
#define HIGH_MASK ((UINT64_C(1) << 12) - 1)

static void fresh_random(pool_t *pool)
{
    uint64_t random[2];
    pool_take(pool, random, sizeof(random));
    pool->high = random[0] & HIGH_MASK;
    pool->low = random[1] & LOW_MASK;
}

/* Raises the random part by 1 to 2^32; when that overflows, the next millisecond is borrowed. */
static void next_random(pool_t *pool)
{
    uint32_t step;
    pool_take(pool, &step, sizeof(step));
    pool->low += (uint64_t)step + 1;
    if (pool->low <= LOW_MASK)
        return;
    pool->low &= LOW_MASK;
    if (++pool->high > HIGH_MASK) {
        pool->milliseconds++;
        fresh_random(pool);
    }
}

uuid_t uuid_new(void)
{
    pool_t *pool = pool_get();
    uint64_t now = (uint64_t)(clock_now() / CLOCK_MILLISECOND);
    uuid_t id;

    if (now > pool->milliseconds) {
        pool->milliseconds = now;
        fresh_random(pool);
    } else {
        next_random(pool);
    }
    for (int i = 0; i < 6; i++)
        id.bytes[i] = (uint8_t)(pool->milliseconds >> (40 - 8 * i));
    id.bytes[6] = (uint8_t)(0x70 | pool->high >> 8);
    id.bytes[7] = (uint8_t)pool->high;
    for (int i = 0; i < 8; i++)
        id.bytes[8 + i] = (uint8_t)(pool->low >> (56 - 8 * i));
    id.bytes[8] |= 0x80;
    return id;
}

uuid_t uuid_random(void)
{
    uuid_t id;
    pool_take(pool_get(), id.bytes, sizeof(id.bytes));
    return id;
}

static bool is_hyphen(int position)
{
    return position == 8 || position == 13 || position == 18 || position == 23;
}

void uuid_format(uuid_t id, char out[static UUID_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    static const uint8_t places[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

    for (int i = 0; i < 16; i++) {
        out[places[i]] = digits[id.bytes[i] >> 4];
        out[places[i] + 1] = digits[id.bytes[i] & 15];
    }
    out[8] = out[13] = out[18] = out[23] = '-';
    out[UUID_TEXT_SIZE - 1] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int uuid_parse(text_t text, uuid_t *out)
{
    uuid_t id;
    int position = 0;

    if (text.length != UUID_TEXT_SIZE - 1)
        return -1;
    for (int i = 0; i < 16; i++) {
        if (is_hyphen(position) && text.data[position++] != '-')
            return -1;
        int high = hex_value(text.data[position++]), low = hex_value(text.data[position++]);
        if (high < 0 || low < 0)
            return -1;
        id.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *out = id;
    return 0;
}
