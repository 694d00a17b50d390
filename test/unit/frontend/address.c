#include "../unit.h"
#include "frontend/address.h"

static void addresses(void **state)
{
    static const struct {
        const char *text, *shown; /* NULL: refused */
        const char *client;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", "192.0.2.1"},
        {"0.0.0.0", "0.0.0.0", "0.0.0.0"},
        {"2001:db8::1", "2001:db8::1", "2001:db8::"},
        {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
        {"::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1"},
        {"::1", "::1", "::"},
        {"", NULL, NULL},
        {"192.0.2", NULL, NULL},
        {"192.0.2.256", NULL, NULL},
        {" 192.0.2.1", NULL, NULL},
        {"192.0.2.1 ", NULL, NULL},
        {"192.0.2.1:80", NULL, NULL},
        {"fe80::1%eth0", NULL, NULL},
        {"unknown", NULL, NULL},
        {"2001:db8:1:2:3:4:5:6:7:8:9:a:b:c:d:e:f:0:1:2:3:4", NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        address_t address;
        char shown[ADDRESS_TEXT];
        if (address_parse(text_of(cases[i].text), &address) != (cases[i].shown != NULL))
            fail_msg("address_parse(\"%s\")", cases[i].text);
        if (cases[i].shown == NULL)
            continue;
        assert_int_equal(address_format(address, shown), strlen(cases[i].shown));
        assert_string_equal(shown, cases[i].shown);
        address_format(address_client(address), shown);
        assert_string_equal(shown, cases[i].client);
    }
    address_t address;
    assert_false(address_parse((text_t){"1.2.3.4\0x", 9}, &address));
}

static void networks(void **state)
{
    static const struct {
        const char *network, *address;
        int inside; /* -1: no network */
    } cases[] = {
        {"10.0.0.0/8", "10.255.0.1", 1},
        {"10.0.0.0/8", "11.0.0.0", 0},
        {"10.1.2.3/8", "10.9.9.9", 1},
        {"192.0.2.128/25", "192.0.2.127", 0},
        {"192.0.2.128/25", "192.0.2.128", 1},
        {"192.0.2.1", "192.0.2.1", 1},
        {"192.0.2.1", "192.0.2.2", 0},
        {"0.0.0.0/0", "203.0.113.9", 1},
        {"0.0.0.0/0", "2001:db8::1", 0},
        {"::/0", "2001:db8::1", 1},
        {"::/0", "192.0.2.1", 1},
        {"2001:db8::/33", "2001:db8:7fff::1", 1},
        {"2001:db8::/33", "2001:db8:8000::1", 0},
        {"::1", "::1", 1},
        {"::ffff:10.0.0.0/104", "10.1.1.1", 1},
        {"10.0.0.0/33", "10.0.0.0", -1},
        {"2001:db8::/129", "::", -1},
        {"10.0.0.0/", "10.0.0.0", -1},
        {"10.0.0.0/-1", "10.0.0.0", -1},
        {"10.0.0.0/8/8", "10.0.0.0", -1},
        {"example.com", "10.0.0.0", -1},
        {"/8", "10.0.0.0", -1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        networks_t list = {.count = 1};
        address_t address;
        assert_true(address_parse(text_of(cases[i].address), &address));
        bool good = network_parse(text_of(cases[i].network), &list.items[0]);
        if (good != (cases[i].inside >= 0) ||
            (good && networks_contain(&list, address) != (cases[i].inside == 1)))
            fail_msg("%s in %s", cases[i].address, cases[i].network);
    }
}

/* Trusted: 10.0.0.0/8 and 2001:db8:ffff::/48. */
static void proxies(void **state)
{
    static const struct {
        const char *peer, *forwarded[3], *client;
    } cases[] = {
        {"203.0.113.1", {NULL}, "203.0.113.1"},
        {"203.0.113.1", {"198.51.100.7"}, "203.0.113.1"}, /* anybody can write it */
        {"10.0.0.1", {NULL}, "10.0.0.1"},
        {"10.0.0.1", {"198.51.100.7"}, "198.51.100.7"},
        {"10.0.0.1", {"192.0.2.66, 198.51.100.7"},
            "198.51.100.7"}, /* what is left of the client's own address is a lie */
        {"10.0.0.1", {"198.51.100.7, 10.0.0.9"}, "198.51.100.7"},
        {"10.0.0.1", {"198.51.100.7", "10.0.0.9"}, "198.51.100.7"},
        {"10.0.0.1", {"192.0.2.66", "198.51.100.7,10.0.0.9", "10.0.0.8"}, "198.51.100.7"},
        {"10.0.0.1", {"10.0.0.3, 10.0.0.2"}, "10.0.0.3"}, /* all of them trusted: the farthest */
        {"10.0.0.1", {"unknown, 10.0.0.2"}, "10.0.0.2"},
        {"10.0.0.1", {"198.51.100.7, unknown"}, "10.0.0.1"},
        {"10.0.0.1", {""}, "10.0.0.1"},
        {"10.0.0.1", {","}, "10.0.0.1"},
        {"10.0.0.1", {"198.51.100.7:4711"}, "198.51.100.7"},
        {"10.0.0.1", {"[2001:db8::7]:4711"}, "2001:db8::7"},
        {"10.0.0.1", {"[2001:db8::7"}, "10.0.0.1"},
        {"10.0.0.1", {"2001:db8::7"}, "2001:db8::7"},
        {"2001:db8:ffff::1", {" 2001:db8::7 ,\t10.0.0.1"}, "2001:db8::7"},
    };
    networks_t trusted = {.count = 2};
    (void)state;
    assert_true(network_parse(TEXT("10.0.0.0/8"), &trusted.items[0]));
    assert_true(network_parse(TEXT("2001:db8:ffff::/48"), &trusted.items[1]));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        text_t fields[3];
        int count = 0;
        address_t peer;
        char shown[ADDRESS_TEXT];
        while (count < 3 && cases[i].forwarded[count] != NULL) {
            fields[count] = text_of(cases[i].forwarded[count]);
            count++;
        }
        assert_true(address_parse(text_of(cases[i].peer), &peer));
        address_format(address_resolve(&trusted, peer, fields, count), shown);
        if (strcmp(shown, cases[i].client) != 0)
            fail_msg("case %zu: %s instead of %s", i, shown, cases[i].client);
    }
}

/* A list that never ends is not walked to its end. */
static void proxies_endless(void **state)
{
    static char list[100000];
    networks_t trusted = {.count = 1};
    address_t peer;
    (void)state;
    assert_true(network_parse(TEXT("::/0"), &trusted.items[0]));
    assert_true(address_parse(TEXT("10.0.0.1"), &peer));
    for (size_t i = 0; i + 10 < sizeof(list); i += 10)
        memcpy(list + i, "10.0.0.22,", 10);
    address_resolve(&trusted, peer, &(text_t){list, sizeof(list) - 10}, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(addresses), cmocka_unit_test(networks),
        cmocka_unit_test(proxies), cmocka_unit_test(proxies_endless)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
