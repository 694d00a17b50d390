/* feedback: there are words for each area, level and language, no two of them alike, and none that names a condition. */
#include "../unit.h"
#include "../../../actors/assessments/feedback.h"

enum { TONES = LEVELS + 1, TEXTS = AREAS * TONES * LANGUAGES * 2, LONGEST = 260 /* characters */ };

static feedback_t tone(int area, int tone, int language)
{
    bool critical = tone == LEVELS;
    enum development_level level = critical ? LEVEL_NEEDS_OBSERVATION : (enum development_level)tone;
    return feedback_of((enum development_area)area, level, critical, (enum language)language);
}

static int all(const char *out[static TEXTS])
{
    int count = 0;
    for (int area = 0; area < AREAS; area++)
        for (int level = 0; level < TONES; level++)
            for (int language = 0; language < LANGUAGES; language++) {
                out[count++] = tone(area, level, language).feedback;
                out[count++] = tone(area, level, language).recommendations;
            }
    return count;
}

static void whole(void **state)
{
    (void)state;
    const char *texts[TEXTS];
    int count = all(texts);
    assert_int_equal(count, TEXTS);
    for (int i = 0; i < count; i++) {
        text_t text = text_of(texts[i]);
        assert_non_null(text.data);
        assert_true(text_is_utf8(text));
        assert_in_range(text_characters(text), 30, LONGEST);
        assert_int_equal(text.data[text.length - 1], '.');
        assert_null(strstr(texts[i], "  "));
        for (int k = 0; k < i; k++)
            if (strcmp(texts[i], texts[k]) == 0)
                fail_msg("twice: %s", texts[i]);
    }
}

static void languages(void **state)
{
    (void)state;
    for (int area = 0; area < AREAS; area++)
        for (int level = 0; level < TONES; level++) {
            feedback_t korean = tone(area, level, LANGUAGE_KO), english = tone(area, level, LANGUAGE_EN);
            assert_non_null(strstr(korean.feedback, "요."));
            assert_true((unsigned char)korean.recommendations[0] >= 0x80);
            for (const char *c = english.feedback; *c; c++)
                assert_in_range(*c, 1, 0x7e);
            for (const char *c = english.recommendations; *c; c++)
                assert_in_range(*c, 1, 0x7e);
        }
}

/* product.md: a result is never called a diagnosis. */
static void words(void **state)
{
    static const char *const never[] = {"진단", "장애", "지연", "지체", "정상", "환자", "치료", "질환", "결함", "뒤처",
        "iagnos", "isorder", "delay", "Delay", "normal", "isabil", "etard", "atient", "therap", "symptom", "defici"};
    const char *texts[TEXTS];
    int count = all(texts);
    (void)state;
    for (int i = 0; i < count; i++)
        for (size_t k = 0; k < ARRAY_SIZE(never); k++)
            if (strstr(texts[i], never[k]) != NULL)
                fail_msg("\"%s\" in: %s", never[k], texts[i]);
}

/* Where somebody should look, the words say who. */
static void whom_to_ask(void **state)
{
    (void)state;
    for (int area = 0; area < AREAS; area++)
        for (int level = 0; level < TONES; level++) {
            bool ask = level == LEVEL_NEEDS_OBSERVATION || level == LEVELS;
            assert_int_equal(strstr(tone(area, level, LANGUAGE_KO).recommendations, "소아청소년과") != NULL, ask);
            assert_int_equal(strstr(tone(area, level, LANGUAGE_EN).recommendations, "paediatrician") != NULL, ask);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(whole), cmocka_unit_test(languages), cmocka_unit_test(words),
        cmocka_unit_test(whom_to_ask)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
