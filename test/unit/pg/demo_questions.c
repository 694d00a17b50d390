/* The questions of the demo data without a database: lines and what is none, ids that stay, six or more of each area at every age. */
#include "../unit.h"
#include "pg/demo_questions.h"

static demo_questions_t bank;

static int bank_load(void **state)
{
    (void)state;
    return demo_questions_read(SOURCE_ROOT "/schema", &bank, stderr) ? 0 : -1;
}

static int bank_drop(void **state)
{
    (void)state;
    demo_questions_free(&bank);
    return 0;
}

/* Reads `text` in the band 4-5; the words lie in `line`. */
static bool line_of(const char *text, char line[static 300], demo_question_t *out)
{
    demo_band_t band = {.first_month = 4, .last_month = 5};
    bool is_question;
    strcpy(line, text);
    return demo_question_line(line, AREA_COGNITIVE, &band, out, &is_question) && is_question;
}

static void a_line_says_all(void **state)
{
    (void)state;
    char line[300];
    demo_question_t question;
    assert_true(line_of("yes_no 1500 critical 눈으로 따라가나요?", line, &question));
    assert_int_equal(question.answer, DEMO_YES_NO);
    assert_int_equal(question.weight, 1500);
    assert_true(question.critical && !question.reverse);
    assert_string_equal(question.text, "눈으로 따라가나요?");
    assert_int_equal(question.order_index, 1);
    assert_true(line_of("scale 1000 reverse 얼마나 자주 그런가요?", line, &question));
    assert_true(question.answer == DEMO_SCALE && question.reverse && !question.critical);
    assert_true(line_of("multiple_choice 500 - 어떻게 하나요? / 아직 = 0 / 가끔 = 0.45 / 잘 = 0.125 / 늘 = 1", line, &question));
    static const int scores[] = {0, 450, 125, 1000};
    assert_int_equal(question.option_count, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(question.options[i].score, scores[i]);
    assert_string_equal(question.options[1].label, "가끔");
}

static void what_is_no_line_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"yes_no", "yes_no 1000", "yes_no 1000 -", "yes_no 1000 - ", "yesno 1000 - 무엇?",
        "yes_no 0 - 무엇?", "yes_no 1.5 - 무엇?", "yes_no 1000 kritical 무엇?", "yes_no 1000 - 무엇? / 예 = 1",
        "multiple_choice 1000 - 무엇?", "multiple_choice 1000 - 무엇? / 하나 = 1", "multiple_choice 1000 - 무엇? / 하나 / 둘 = 1",
        "multiple_choice 1000 - 무엇? / 하나 = 0 / 둘 = 1.5", "multiple_choice 1000 - 무엇? / 하나 = 0. / 둘 = 1",
        "multiple_choice 1000 - 무엇? / 하나 = 0.0001 / 둘 = 1", "multiple_choice 1000 - 무엇? / 하나 = 2 / 둘 = 1",
        "multiple_choice 1000 - 무엇? / 하나 = .5 / 둘 = 1", "yes_no 1000 - \"무엇\"?",
        "multiple_choice 1 - 무? / a = 0 / b = 0 / c = 0 / d = 0 / e = 0 / f = 0 / g = 1"};
    char line[300];
    demo_question_t question;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (line_of(bad[i], line, &question))
            fail_msg("taken: %s", bad[i]);
    static const char *const bands[] = {"@ 3-5", "@ 4-72", "@ 9-8", "@ 4", "@ 5-6", "@ x-y"};
    for (size_t i = 0; i < ARRAY_SIZE(bands); i++) {
        demo_band_t band = {.first_month = 4, .last_month = 5};
        bool is_question;
        strcpy(line, bands[i]);
        if (demo_question_line(line, AREA_COGNITIVE, &band, &question, &is_question))
            fail_msg("taken: %s", bands[i]);
    }
    demo_band_t none = {0};
    bool is_question;
    strcpy(line, "yes_no 1000 - 무엇?");
    assert_false(demo_question_line(line, AREA_COGNITIVE, &none, &question, &is_question));
}

static void a_question_keeps_its_id(void **state)
{
    (void)state;
    char line[300];
    demo_question_t first, again, other;
    assert_true(line_of("yes_no 1500 critical 눈으로 따라가나요?", line, &first));
    assert_true(line_of("yes_no 1000 - 눈으로 따라가나요?", line, &again));
    assert_true(line_of("yes_no 1000 - 눈으로 좇나요?", line, &other));
    assert_true(uuid_equal(first.id, again.id));
    assert_false(uuid_equal(first.id, other.id));
}

static int by_id(const void *a, const void *b)
{
    return memcmp(&((const demo_question_t *)a)->id, &((const demo_question_t *)b)->id, sizeof(uuid_t));
}

static void every_age_is_asked_about_every_area(void **state)
{
    (void)state;
    for (int age = 4; age <= 71; age++) {
        int asked[AREAS] = {0};
        for (int i = 0; i < bank.count; i++)
            asked[bank.items[i].area] += bank.items[i].first_month <= age && age <= bank.items[i].last_month;
        for (int area = 0; area < AREAS; area++)
            assert_in_range(asked[area], 6, 7);
    }
    qsort(bank.items, (size_t)bank.count, sizeof *bank.items, by_id);
    for (int i = 1; i < bank.count; i++)
        assert_false(uuid_equal(bank.items[i - 1].id, bank.items[i].id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_all),
        cmocka_unit_test(what_is_no_line_is_refused),
        cmocka_unit_test(a_question_keeps_its_id),
        cmocka_unit_test(every_age_is_asked_about_every_area),
    };
    return cmocka_run_group_tests(tests, bank_load, bank_drop);
}
