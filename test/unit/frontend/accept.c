/* accept: tables of what browsers, caches and strangers send. */
#include "../unit.h"
#include "frontend/accept.h"

enum { I = CACHE_ACCEPT_IDENTITY, G = CACHE_ACCEPT_GZIP, B = CACHE_ACCEPT_BROTLI };

static void forms(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        unsigned forms;
    } cases[] = {
        {NULL, I},
        {"", I},
        {"gzip", I | G},
        {"br", I | B},
        {"gzip, deflate, br", I | G | B},
        {"gzip, deflate, br, zstd", I | G | B},
        {"GZip , BR", I | G | B},
        {"x-gzip", I | G},
        {"deflate", I},
        {"identity", I},
        {"gzip;q=0", I},
        {"gzip;q=0.000, br", I | B},
        {"gzip;q=0.5, br;q=0.4", I | G},
        {"gzip;q=0.4, br;q=0.5", I | B},
        {"gzip ; q=0.8 , br ; Q=0.8", I | G | B},
        {"*", I | G | B},
        {"*;q=0", I},
        {"gzip, *;q=0", I | G},
        {"gzip;q=0, *", I | B},
        {"br;q=0.1, *;q=0.9", I | G},
        {"identity;q=0, gzip", I | G},
        {"identity;q=0", I},
        {"identity;q=0, *;q=0", I},
        {"identity, gzip;q=0.5", I},
        {"identity;q=0.5, gzip", I | G},
        {"identity;q=0.5, gzip;q=0.5", I | G},
        {"gzip;q=2", I | G},
        {"gzip;q=nonsense", I | G},
        {"gzip;q=", I | G},
        {"gzip;level=9;q=0", I},
        {",,gzip,,", I | G},
        {";q=0,gzip", I | G},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (accept_forms(text_of(cases[i].header)) != cases[i].forms)
            fail_msg("%s: %x", cases[i].header, accept_forms(text_of(cases[i].header)));
}

static void etags(void **state)
{
    (void)state;
    text_t etag = TEXT("\"abc-g\"");
    static const struct {
        const char *header;
        bool has;
    } cases[] = {
        {NULL, false},
        {"", false},
        {"*", true},
        {" * ", true},
        {"\"abc-g\"", true},
        {"W/\"abc-g\"", true},
        {"\"abc\"", false},
        {"abc-g", false},
        {"\"x\", \"abc-g\"", true},
        {"\"x\",W/\"abc-g\" , \"y\"", true},
        {"\"a,b\", \"abc-g\"", true},
        {"\"abc-G\"", false},
        {"w/\"abc-g\"", false},
        {"\"abc-g\"x", false},
        {"\"*\"", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (accept_has(text_of(cases[i].header), etag) != cases[i].has)
            fail_msg("%s", cases[i].header);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(forms), cmocka_unit_test(etags)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
