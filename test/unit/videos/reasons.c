/* Why a video is recommended: every text there is has its parameters filled in, in both languages, and never judges a child. */
#include "../unit.h"
#include "../../../actors/videos/reasons.h"

static arena_t *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_create(1 << 20, NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_destroy(&arena);
    return 0;
}

static void test_texts(void **state)
{
    (void)state;
    static const struct {
        reason_t reason;
        const char *korean, *english;
    } cases[] = {
        {{RANK_FITS, AREA_LANGUAGE, LEVEL_NEEDS_OBSERVATION, RANK_EASY, 25, 24, 36},
            "언어 영역은 조금 더 자주 함께하며 살펴봐 주세요. 25개월 아이에게 맞는, 부담 없이 시작하기 좋은 놀이예요.",
            "Please spend a little more time together on the language area and see how it goes. This is an easy game to begin "
            "with, made for 25 months."},
        {{RANK_OLDER, AREA_GROSS_MOTOR, LEVEL_CAUTION, RANK_HARD, 25, 27, 36},
            "대근육 영역은 놀이로 더 자주 경험하게 해 주면 좋아요. 27~36개월 놀이지만, 옆에서 도와주면 25개월 아이도 함께할 수 있어요.",
            "Your child would enjoy more practice in the gross motor area. It is made for 27 to 36 months; with your help it also "
            "works at 25 months."},
        {{RANK_YOUNGER, AREA_EMOTIONAL, LEVEL_EXCELLENT, RANK_HARD, 39, 24, 36},
            "정서 영역은 아이의 든든한 강점이에요. 24~36개월 놀이로, 39개월 아이가 자신 있게 즐길 수 있어요.",
            "The emotional area is one of your child's strengths. It is made for 24 to 36 months; at 39 months your child can play it "
            "with confidence."},
        {{RANK_AGAIN, AREA_SOCIAL, LEVEL_GOOD, RANK_MEDIUM, 25, 24, 36},
            "사회성 영역이 잘 자라고 있어요. 전에 끝까지 본 놀이예요. 다시 해 보면 더 능숙해져요.",
            "The social area is growing well. You have finished this one before; playing it again makes it come easier."},
        {{RANK_PRESCRIBED, AREA_COGNITIVE, LEVEL_GOOD, RANK_MEDIUM, 25, 24, 36},
            "인지 영역이 잘 자라고 있어요. 치료사 선생님이 아이를 위해 고른 놀이예요.",
            "The thinking area is growing well. Your therapist chose this one for your child."},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_text(reason_text(arena, &cases[i].reason, LANGUAGE_KO), cases[i].korean);
        assert_text(reason_text(arena, &cases[i].reason, LANGUAGE_EN), cases[i].english);
    }
}

static void assert_sound(const reason_t *reason, enum language language)
{
    static const char *const refused[] = {"{", "}", "진단", "장애", "지연", "치료가", "diagnos", "disorder", "delay", "abnormal"};
    const char *text = arena_string(arena, reason_text(arena, reason, language));
    assert_in_range(strlen(text), 40, 400);
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        if (strstr(text, refused[i]) != NULL)
            fail_msg("%s in: %s", refused[i], text);
    bool korean = false;
    for (const char *c = text; *c; c++)
        korean |= (unsigned char)*c >= 0xea; /* Hangul's first byte */
    assert_int_equal(korean, language == LANGUAGE_KO);
}

static void test_all(void **state)
{
    (void)state;
    reason_t reason = {.age = 25, .age_min = 27, .age_max = 36};
    for (reason.reason = 0; reason.reason < RANK_REASONS; reason.reason++)
        for (reason.area = 0; reason.area < AREAS; reason.area++)
            for (reason.level = 0; reason.level < LEVELS; reason.level++)
                for (reason.difficulty = 0; reason.difficulty < RANK_DIFFICULTIES; reason.difficulty++) {
                    arena_reset(arena);
                    for (enum language language = 0; language < LANGUAGES; language++)
                        assert_sound(&reason, language);
                }
    for (int i = 0; i < RANK_REASONS; i++)
        assert_non_null(reason_codes[i]);
    assert_null(reason_codes[RANK_REASONS]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts), cmocka_unit_test(test_all)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
