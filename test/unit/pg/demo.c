/* The people of the demo data without a database: the same ones each time, families that add up, growth that
 * is plausible. */
#include "../unit.h"
#include "pg/demo.h"
#include "pg/demo_people.h"

static demo_lists_t lists;

static int lists_load(void **state)
{
    (void)state;
    return demo_lists_read(SOURCE_ROOT "/schema", &lists, stderr) ? 0 : -1;
}

static int lists_drop(void **state)
{
    (void)state;
    demo_lists_free(&lists);
    return 0;
}

static void dice_are_the_same_everywhere(void **state)
{
    (void)state;
    dice_t dice = {.state = 0}; /* the first values of SplitMix64 for seed 0 */
    assert_true(dice_bits(&dice) == UINT64_C(0xe220a8397b1dcdaf));
    assert_true(dice_bits(&dice) == UINT64_C(0x6e789e6aa1b965f4));
    dice_t one = dice_of("user", 1), again = dice_of("user", 1), other = dice_of("child", 1);
    assert_true(dice_bits(&one) == dice_bits(&again));
    assert_true(dice_bits(&one) != dice_bits(&other));
}

static void dice_stay_in_range(void **state)
{
    (void)state;
    dice_t dice = dice_of("range", 0);
    int seen[6] = {0};
    int64_t sum = 0;
    for (int i = 0; i < 6000; i++) {
        int value = dice_range(&dice, -2, 3), normal = dice_normal(&dice);
        assert_in_range(value + 2, 0, 5);
        assert_in_range(normal + 2400, 0, 4800);
        seen[value + 2]++;
        sum += normal;
    }
    for (int i = 0; i < 6; i++)
        assert_in_range(seen[i], 850, 1150);
    assert_in_range(sum / 6000 + 100, 0, 200);
}

static void uuids_are_of_version_7(void **state)
{
    (void)state;
    dice_t dice = dice_of("uuid", 0);
    uuid_t id = dice_uuid(&dice, INT64_C(0x0123456789ab) * 1000 + 999);
    char text[UUID_TEXT_SIZE];
    uuid_format(id, text);
    assert_memory_equal(text, "01234567-89ab-7", 15);
    assert_non_null(strchr("89ab", text[19]));
}

static void families_add_up(void **state)
{
    (void)state;
    static const struct {
        int users, children;
        bool fits;
    } cases[] = {{3, 2, true}, {3, 3, false}, {3, 1, false}, {2, 2, false}, {4, 8, true}, {4, 9, false},
        {200, 320, true}, {200, 2, true}, {10000, 16000, true}, {100, 500, true}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        demo_people_t people;
        FILE *silent = fopen("/dev/null", "w");
        assert_true(
            demo_people_plan(&people, &lists, cases[i].users, cases[i].children, silent) == cases[i].fits);
        fclose(silent);
        int sum = 0;
        for (int user = 0; cases[i].fits && user < cases[i].users; user++) {
            assert_true(people.families[user] <= (demo_is_parent(user) ? DEMO_FAMILY_MAX : 0));
            sum += people.families[user];
        }
        assert_int_equal(sum, cases[i].fits ? cases[i].children : 0);
        demo_people_free(&people);
    }
}

static void named_people_are_known(void **state)
{
    (void)state;
    demo_people_t people;
    assert_true(demo_people_plan(&people, &lists, 50, 60, stderr));
    demo_user_t parent = demo_user(&people, DEMO_PARENT);
    assert_string_equal(parent.email, "parent@example.com");
    assert_string_equal(parent.role, "parent");
    assert_string_equal(demo_user(&people, DEMO_ADMIN).role, "admin");
    assert_string_equal(demo_user(&people, DEMO_THERAPIST).role, "therapist");
    assert_int_equal(people.families[DEMO_PARENT], 2);
    assert_int_equal(demo_child(&people, &parent, 1).gestational_weeks, 32);
    demo_people_free(&people);
}

static void children_are_plausible(void **state)
{
    (void)state;
    demo_people_t people;
    assert_true(demo_people_plan(&people, &lists, 2000, 3200, stderr));
    int64_t end = demo_today() * CLOCK_DAY;
    for (int i = 0; i < people.users; i++) {
        demo_user_t user = demo_user(&people, i);
        assert_true(user.created_at < end);
        int32_t before = 0;
        for (int k = 0; k < people.families[i]; k++) {
            demo_child_t child = demo_child(&people, &user, k);
            assert_true(strncmp(child.name, user.surname, strlen(user.surname)) == 0);
            assert_true(child.birth_date >= before && child.birth_date < demo_today());
            assert_true(child.created_at >= child.birth_date * CLOCK_DAY && child.created_at < end);
            assert_true(!child.birth_weight || (child.birth_weight > 70 && child.birth_weight < 500));
            before = child.birth_date;
        }
    }
    demo_people_free(&people);
}

static void growth_goes_up(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        dice_t dice = dice_of("growth", (uint64_t)i);
        demo_build_t build = demo_build(&dice);
        demo_size_t before = {0};
        for (int days = 0; days < 3200; days += 120) {
            demo_size_t size =
                demo_growth_at(i % 2 ? SEX_MALE : SEX_FEMALE, build, i % 5 ? 40 : 30, days, &dice);
            assert_in_range(size.height, 420, 1420);
            assert_in_range(size.weight, 200, 3200);
            assert_in_range(size.head, 300, 570);
            /* After the table's end and before the term nothing is added, and tapes err. */
            assert_true(size.height + 12 >= before.height);
            before = size;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dice_are_the_same_everywhere),
        cmocka_unit_test(dice_stay_in_range),
        cmocka_unit_test(uuids_are_of_version_7),
        cmocka_unit_test(families_add_up),
        cmocka_unit_test(named_people_are_known),
        cmocka_unit_test(children_are_plausible),
        cmocka_unit_test(growth_goes_up),
    };
    return cmocka_run_group_tests(tests, lists_load, lists_drop);
}
