/* The supervisor's parts that need no process: the tally of deaths, a role's database URL, names of targets,
 * deaths in words. */
#include "../../../tools/supervisor/bundle.h"
#include "../../../tools/supervisor/history.h"
#include "../../../tools/supervisor/plan.h"
#include "../../../tools/supervisor/tally.h"
#include "base/clock.h"
#include "../unit.h"

#include <signal.h>

static void test_backoff_doubles_up_to_its_most(void **state)
{
    (void)state;
    static const int64_t waits[] = {1, 2, 4, 8, 16, 32, 60, 60};
    for (int i = 0; i < (int)ARRAY_SIZE(waits); i++)
        assert_int_equal(backoff_wait(i + 1, 1, 60), waits[i]);
    assert_int_equal(backoff_wait(1000000, 1, 60), 60);
    assert_int_equal(backoff_wait(0, 1, 60), 1);
}

static void test_tally_counts_within_its_window(void **state)
{
    (void)state;
    tally_t tally = {.next = 0};
    for (int i = 0; i < 5; i++)
        assert_false(tally_add(&tally, 1000 + i, 60, 5));
    assert_true(tally_add(&tally, 1005, 60, 5));
    assert_false(tally_add(&tally, 1065, 60, 5)); /* all before are out of the window but the newest */
    tally_clear(&tally);
    for (int i = 0; i < 1000; i++)
        assert_false(tally_add(&tally, 1000 + 100 * i, 60, 5));
}

static void test_database_url_of_a_role(void **state)
{
    (void)state;
    static const struct {
        const char *url, *expected, *place;
    } cases[] = {
        {"postgresql://o:p@db:5432/aipoten", "postgresql://aipoten_children:s%2F%40%3A@db:5432/aipoten",
            "db:5432/aipoten"},
        {"postgres://db/aipoten?user=o&sslmode=require&password=p",
            "postgresql://aipoten_children:s%2F%40%3A@db/aipoten?sslmode=require", "db/aipoten"},
        {"postgresql://o:p%40q@[::1]:5/a?x=1&y=2",
            "postgresql://aipoten_children:s%2F%40%3A@[::1]:5/a?x=1&y=2", "[::1]:5/a"},
        {"postgresql:///aipoten?host=/run/postgresql",
            "postgresql://aipoten_children:s%2F%40%3A@/aipoten?host=/run/postgresql", "local socket/aipoten"},
        {"postgresql://o@a:1,b:2/d", "postgresql://aipoten_children:s%2F%40%3A@a:1,b:2/d", "a:1,b:2/d"},
        {"host=db dbname=aipoten", NULL, "unknown"},
        {"", NULL, "unknown"},
        {NULL, NULL, "unknown"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        buffer_t out = {0};
        char error[256] = "", place[128];
        int result =
            bundle_database_url(cases[i].url, "aipoten_children", TEXT("s/@:"), &out, error, sizeof(error));
        assert_int_equal(result, cases[i].expected ? 0 : -1);
        if (cases[i].expected)
            assert_text(buffer_text(&out), cases[i].expected);
        else
            assert_non_null(strstr(error, "DATABASE_URL"));
        bundle_database_place(cases[i].url, place, sizeof(place));
        assert_string_equal(place, cases[i].place);
        buffer_free(&out);
    }
}

static void test_targets(void **state)
{
    (void)state;
    const struct {
        const char *text;
        int result, service, number;
    } cases[] = {
        {NULL, 0, -1, 0},
        {"accounts", 0, service_find("accounts"), 0},
        {"accounts.2", 0, service_find("accounts"), 2},
        {"frontend.32767", 0, service_find("frontend"), 32767},
        {"accounts.0", -1, 0, 0},
        {"accounts.x", -1, 0, 0},
        {"accounts.", -1, 0, 0},
        {".1", -1, 0, 0},
        {"", -1, 0, 0},
        {"nobody", -1, 0, 0},
        {"nobody-with-a-name-that-is-far-longer-than-any-name-of-a-service-could-ever-be", -1, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        target_t target;
        char error[128];
        assert_int_equal(target_parse(cases[i].text, &target, error, sizeof(error)), cases[i].result);
        if (cases[i].result == 0) {
            assert_int_equal(target.service, cases[i].service);
            assert_int_equal(target.number, cases[i].number);
        }
    }
}

static void test_deaths_in_words(void **state)
{
    (void)state;
    static const struct {
        death_t death;
        const char *words;
    } cases[] = {
        {{.known = true,
             .signal = SIGKILL,
             .cause = "crash",
             .uptime = 3 * CLOCK_SECOND,
             .operation = "children.get"},
            "signal 9 (Killed) after 3.0 s, in children.get"},
        {{.known = true, .status = 1, .cause = "exit", .uptime = CLOCK_SECOND / 2},
            "exit status 1 after 0.5 s"},
        {{.known = true, .status = 78, .cause = "configuration"},
            "configuration: exit status 78 after 0.0 s"},
        {{.known = true, .signal = SIGKILL, .cause = "watchdog"}, "watchdog: signal 9 (Killed) after 0.0 s"},
        {{.known = false, .cause = "unwatched"}, "unwatched: status unknown (it was adopted) after 0.0 s"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char words[256];
        death_describe(&cases[i].death, words, sizeof(words));
        assert_string_equal(words, cases[i].words);
        json_t *object = death_to_json(&cases[i].death);
        assert_non_null(object);
        assert_string_equal(json_string_value(json_object_get(object, "what")), cases[i].words);
        assert_int_equal(json_is_null(json_object_get(object, "signal")), cases[i].death.signal == 0);
        json_decref(object);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backoff_doubles_up_to_its_most),
        cmocka_unit_test(test_tally_counts_within_its_window),
        cmocka_unit_test(test_database_url_of_a_role),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_deaths_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
