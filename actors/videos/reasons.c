/* reasons: see the header. Templates are whole sentences with places for parameters: {area}, {kind} (of the difficulty), {age},
 * {min}, {max}. In Korean no particle follows a parameter, so that each fits whatever stands there. */
#include "reasons.h"
#include "../../shared/base/panic.h"

const char *const reason_codes[RANK_REASONS + 1] = {
    [RANK_FITS] = "fits",
    [RANK_OLDER] = "older",
    [RANK_YOUNGER] = "younger",
    [RANK_AGAIN] = "again",
    [RANK_PRESCRIBED] = "prescribed",
};

static const char *const area_words[AREAS][LANGUAGES] = {
    [AREA_GROSS_MOTOR] = {"대근육", "gross motor"},
    [AREA_FINE_MOTOR] = {"소근육", "fine motor"},
    [AREA_COGNITIVE] = {"인지", "thinking"},
    [AREA_LANGUAGE] = {"언어", "language"},
    [AREA_SOCIAL] = {"사회성", "social"},
    [AREA_EMOTIONAL] = {"정서", "emotional"},
};

static const char *const difficulty_words[RANK_DIFFICULTIES][LANGUAGES] = {
    [RANK_EASY] = {"부담 없이 시작하기 좋은", "an easy game to begin with"},
    [RANK_MEDIUM] = {"조금씩 실력을 키워 가기 좋은", "a game to grow with, step by step"},
    [RANK_HARD] = {"새로운 도전이 되는", "a game that is a new challenge"},
};

static const char *const level_sentences[LEVELS][LANGUAGES] = {
    [LEVEL_EXCELLENT] = {"{area} 영역은 아이의 든든한 강점이에요.", "The {area} area is one of your child's strengths."},
    [LEVEL_GOOD] = {"{area} 영역이 잘 자라고 있어요.", "The {area} area is growing well."},
    [LEVEL_CAUTION] = {"{area} 영역은 놀이로 더 자주 경험하게 해 주면 좋아요.",
        "Your child would enjoy more practice in the {area} area."},
    [LEVEL_NEEDS_OBSERVATION] = {"{area} 영역은 조금 더 자주 함께하며 살펴봐 주세요.",
        "Please spend a little more time together on the {area} area and see how it goes."},
};

static const char *const reason_sentences[RANK_REASONS][LANGUAGES] = {
    [RANK_FITS] = {"{age}개월 아이에게 맞는, {kind} 놀이예요.", "This is {kind}, made for {age} months."},
    [RANK_OLDER] = {"{min}~{max}개월 놀이지만, 옆에서 도와주면 {age}개월 아이도 함께할 수 있어요.",
        "It is made for {min} to {max} months; with your help it also works at {age} months."},
    [RANK_YOUNGER] = {"{min}~{max}개월 놀이로, {age}개월 아이가 자신 있게 즐길 수 있어요.",
        "It is made for {min} to {max} months; at {age} months your child can play it with confidence."},
    [RANK_AGAIN] = {"전에 끝까지 본 놀이예요. 다시 해 보면 더 능숙해져요.",
        "You have finished this one before; playing it again makes it come easier."},
    [RANK_PRESCRIBED] = {"치료사 선생님이 아이를 위해 고른 놀이예요.", "Your therapist chose this one for your child."},
};

/* What stands for {name}. Another name is a template's fault. */
static void parameter_add(buffer_t *out, text_t name, const reason_t *reason, enum language language)
{
    if (text_equal(name, TEXT("area")))
        buffer_add_string(out, area_words[reason->area][language]);
    else if (text_equal(name, TEXT("kind")))
        buffer_add_string(out, difficulty_words[reason->difficulty][language]);
    else if (text_equal(name, TEXT("age")))
        buffer_add_integer(out, reason->age);
    else if (text_equal(name, TEXT("min")))
        buffer_add_integer(out, reason->age_min);
    else if (text_equal(name, TEXT("max")))
        buffer_add_integer(out, reason->age_max);
    else
        panic("a reason's template has the unknown parameter %.*s", TEXT_ARG(name));
}

static void sentence_add(buffer_t *out, const char *template, const reason_t *reason, enum language language)
{
    text_t rest = text_of(template), plain, name;
    while (text_split(&rest, '{', &plain)) {
        buffer_add_text(out, plain);
        if (rest.data == NULL)
            break;
        insist(text_split(&rest, '}', &name));
        parameter_add(out, name, reason, language);
    }
}

text_t reason_text(arena_t *arena, const reason_t *reason, enum language language)
{
    insist(reason->reason < RANK_REASONS && reason->area < AREAS && reason->level < LEVELS &&
           reason->difficulty < RANK_DIFFICULTIES && language < LANGUAGES);
    static buffer_t text; /* reused: nothing here suspends */
    text.length = 0;
    sentence_add(&text, level_sentences[reason->level][language], reason, language);
    buffer_add_char(&text, ' ');
    sentence_add(&text, reason_sentences[reason->reason][language], reason, language);
    return arena_copy(arena, buffer_text(&text));
}
