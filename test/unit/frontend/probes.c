/* Whose WebSockets may want to take sessions over, when many want to. */
#include "../unit.h"
#include "base/clock.h"
#include "frontend/realtime/probes.h"

enum { LATER = 2 * PROBES_YOUNG * CLOCK_MILLISECOND };

static probe_t all[PROBES_MOST];
static int count;
static int64_t now;

static address_t address(const char *text)
{
    address_t out;
    assert_true(address_parse(text_of(text), &out));
    return out;
}

static int begin(void **state)
{
    (void)state;
    while (count > 0)
        probes_remove(&all[--count]);
    now += 100 * CLOCK_SECOND;
    return 0;
}

static void add(const char *client, int times)
{
    probe_t *gives_way;
    while (times-- > 0) {
        assert_true(probes_room(address(client), now, &gives_way));
        assert_null(gives_way);
        probes_add(&all[count++], address(client), now++);
    }
}

static void expect(const char *client, bool room, const probe_t *expected)
{
    probe_t *gives_way;
    assert_int_equal(probes_room(address(client), now, &gives_way), room);
    assert_ptr_equal(gives_way, expected);
}

static void test_an_address_has_its_share(void **state)
{
    (void)state;
    add("192.0.2.9", 1);
    add("192.0.2.1", PROBES_ADDRESS);
    expect("192.0.2.1", false, NULL); /* all are young */
    expect("192.0.2.2", true, NULL);
    now += LATER;
    expect("192.0.2.1", true, &all[1]); /* its own oldest one, not the oldest of all */
    all[1].taking = true;
    expect("192.0.2.1", true, &all[2]);
}

static void test_a_home_is_one_address(void **state)
{
    (void)state;
    add("2001:db8::1", PROBES_ADDRESS);
    expect("2001:db8::2:3:4", false, NULL);
    expect("2001:db8:0:1::1", true, NULL);
}

static void test_all_together_have_a_bound(void **state)
{
    (void)state;
    for (int i = 0; i < PROBES_MOST / 2; i++) {
        char text[ADDRESS_TEXT];
        snprintf(text, sizeof(text), "198.51.100.%d", i);
        add(text, 2);
    }
    expect("192.0.2.1", false, NULL);
    now += LATER;
    expect("192.0.2.1", true, &all[0]);
    for (int i = 0; i < count; i++)
        all[i].taking = true;
    expect("192.0.2.1", false, NULL);
    probes_remove(&all[--count]);
    expect("192.0.2.1", true, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_an_address_has_its_share, begin),
        cmocka_unit_test_setup(test_a_home_is_one_address, begin),
        cmocka_unit_test_setup(test_all_together_have_a_bound, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
