#include "report_words.h"
#include "../../shared/base/clock.h"
#include "../../shared/base/panic.h"

#define MINUS "\xE2\x88\x92"

static const char *const words[REPORT_WORDS][LANGUAGES] = {
    [WORD_TITLE] = {"발달 체크 결과지", "Development check report"},
    [WORD_PRINT] = {"인쇄하려면 Ctrl+P(맥은 ⌘P)를 누르고, 휴대전화에서는 공유 메뉴의 ‘프린트’를 고르세요. 용지는 A4, ‘배경 그래픽’을 켜면 "
                    "색까지 그대로 나옵니다. 소아청소년과 진료나 영유아 건강검진에 가져가 함께 보셔도 좋습니다.",
        "To print, press Ctrl+P (⌘P on a Mac); on a phone choose Print in the share menu. Paper: A4. Turn on “Background graphics” for "
        "the colours. You may take it to your paediatrician and look at it together."},
    [WORD_NAME] = {"이름", "Name"},
    [WORD_BIRTH] = {"생년월일", "Born"},
    [WORD_ASSESSED] = {"체크한 날", "Checked on"},
    [WORD_CHRONOLOGICAL] = {"달력 나이", "Chronological age"},
    [WORD_CORRECTED] = {"교정 나이", "Corrected age"},
    [WORD_NOT_CORRECTED] = {"해당 없음", "not applicable"},
    [WORD_USED] = {"질문에 쓴 나이", "Age used"},
    [WORD_WHAT_IS] = {"이 결과지는 보호자가 집에서 본 아이의 모습을 여섯 영역으로 정리한 것입니다.",
        "This page sums up, in six areas, what the family sees the child do at home."},
    [WORD_WHAT_IS_NOT] = {"의사나 전문가의 진찰과 검사를 대신하지 않으며, 질환이나 장애가 있는지 없는지를 알려 주지 않습니다. 걱정되는 점이 "
                          "있으면 점수와 상관없이 소아청소년과 의사와 상의하세요.",
        "It does not replace an examination or a test by a doctor or another specialist, and it does not tell whether a child has an "
        "illness, a disorder or a disability. If anything worries you, talk to your paediatrician, whatever the scores."},
    [WORD_GLANCE] = {"한눈에 보기", "At a glance"},
    [WORD_RADAR_TITLE] = {"여섯 영역의 점수", "Scores of the six areas"},
    [WORD_THIS] = {"이번", "This time"},
    [WORD_BEFORE] = {"지난번", "Last time"},
    [WORD_LEVELS] = {"점수 읽는 법", "How to read the scores"},
    [WORD_TALK] = {"진료 때 이야기해 볼 점", "Worth talking about"},
    [WORD_TALK_WHY] = {"한 번의 답으로 단정할 수는 없지만, 소아청소년과 의사에게 보여 주고 함께 살펴보면 좋은 답입니다.",
        "One answer settles nothing, but these are good to show to your paediatrician."},
    [WORD_TALK_NONE] = {"따로 표시된 답이 없습니다. 궁금한 점을 적어 가시면 좋습니다.",
        "No answer stands out. You can still write down what you want to ask."},
    [WORD_AREAS] = {"영역별 결과", "Results by area"},
    [WORD_AREA] = {"영역", "Area"},
    [WORD_SCORE] = {"점수", "Score"},
    [WORD_LEVEL] = {"단계", "Level"},
    [WORD_CHANGE] = {"지난번보다", "Change"},
    [WORD_FEEDBACK] = {"이렇게 보입니다", "What we see"},
    [WORD_RECOMMENDATION] = {"이렇게 해 보세요", "What you can do"},
    [WORD_BY_CRITICAL] = {"★ 답 때문에 이 단계로 표시했습니다.", "At this level because of a ★ answer."},
    [WORD_NO_RESULT] = {"이번에는 결과가 없습니다.", "No result this time."},
    [WORD_FIRST_TIME] = {"첫 결과", "first result"},
    [WORD_TREND] = {"지금까지의 변화", "Over time"},
    [WORD_TREND_TITLE] = {"영역별 점수의 변화", "Scores of each area over time"},
    [WORD_TREND_HOW] = {"점은 체크한 날의 점수(0–100), 큰 점은 이번 결과, 가로 점선은 단계의 경계(40·60·80)입니다.",
        "A dot is the score (0–100) of a day, the large one this result; dashed lines are the borders of the levels (40, 60, 80)."},
    [WORD_TREND_ONE] = {"첫 번째 체크입니다. 다음번부터 변화를 볼 수 있습니다.", "This is the first check; the next one will show the change."},
    [WORD_TREND_CUT] = {"가장 최근의 결과까지만 그렸습니다.", "Only the latest results are drawn."},
    [WORD_ANSWERS] = {"질문과 답", "Questions and answers"},
    [WORD_QUESTION] = {"질문", "Question"},
    [WORD_ANSWER] = {"답", "Answer"},
    [WORD_YES] = {"네", "Yes"},
    [WORD_NO] = {"아니요", "No"},
    [WORD_NO_ANSWER] = {"답하지 않음", "not answered"},
    [WORD_CRITICAL] = {"눈여겨보는 질문", "looked at closely"},
    [WORD_CRITICAL_KEY] = {"★ 눈여겨보는 질문", "★ a question that is looked at closely"},
    [WORD_FOOT] = {"aipoten · 보호자의 답을 정리한 결과지이며 의료 기록이 아닙니다.",
        "aipoten · a summary of the family's answers, not a medical record."},
};

static const char *const areas[AREAS][LANGUAGES] = {
    [AREA_GROSS_MOTOR] = {"대근육 운동", "Gross motor"},
    [AREA_FINE_MOTOR] = {"소근육 운동", "Fine motor"},
    [AREA_COGNITIVE] = {"인지", "Cognition"},
    [AREA_LANGUAGE] = {"언어", "Language"},
    [AREA_SOCIAL] = {"사회성", "Social"},
    [AREA_EMOTIONAL] = {"정서", "Emotional"},
};

/* The founding document's names of the levels. */
static const char *const levels[LEVELS][LANGUAGES] = {
    [LEVEL_EXCELLENT] = {"우수", "Excellent"},
    [LEVEL_GOOD] = {"양호", "Good"},
    [LEVEL_CAUTION] = {"주의", "Caution"},
    [LEVEL_NEEDS_OBSERVATION] = {"관찰 필요", "Needs observation"},
};

static const char *const ranges[LEVELS][LANGUAGES] = {
    [LEVEL_EXCELLENT] = {"80점 이상", "80 or more"},
    [LEVEL_GOOD] = {"60점 이상 80점 미만", "60 to below 80"},
    [LEVEL_CAUTION] = {"40점 이상 60점 미만", "40 to below 60"},
    [LEVEL_NEEDS_OBSERVATION] = {"40점 미만", "below 40"},
};

text_t report_word(enum language language, enum report_word word)
{
    insist(words[word][language] != NULL);
    return text_of(words[word][language]);
}

text_t report_area_name(enum language language, enum development_area area)
{
    return text_of(areas[area][language]);
}

text_t report_level_name(enum language language, enum development_level level)
{
    return text_of(levels[level][language]);
}

text_t report_level_range(enum language language, enum development_level level)
{
    return text_of(ranges[level][language]);
}

text_t report_score(arena_t *arena, int64_t hundredths)
{
    return arena_format(arena, "%d.%02d", (int)(hundredths / 100), (int)(hundredths % 100));
}

text_t report_change(arena_t *arena, int64_t hundredths)
{
    int64_t size = hundredths < 0 ? -hundredths : hundredths;
    const char *sign = hundredths < 0 ? MINUS : hundredths > 0 ? "+" : "";
    return arena_format(arena, "%s%.*s", sign, TEXT_ARG(report_score(arena, size)));
}

text_t report_months(arena_t *arena, enum language language, int64_t months)
{
    if (language == LANGUAGE_KO)
        return arena_format(arena, "%d개월", (int)months);
    return arena_format(arena, months == 1 ? "%d month" : "%d months", (int)months);
}

text_t report_day(arena_t *arena, enum language language, int32_t day)
{
    static const char *const names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int year, month, date;
    date_split(day, &year, &month, &date);
    if (language == LANGUAGE_KO)
        return arena_format(arena, "%d년 %d월 %d일", year, month, date);
    return arena_format(arena, "%d %s %d", date, names[month - 1], year);
}

text_t report_short_day(arena_t *arena, int32_t day)
{
    int year, month, date;
    date_split(day, &year, &month, &date);
    return arena_format(arena, "%02d.%02d.%02d", year % 100, month, date);
}

text_t report_answered(arena_t *arena, enum language language, int64_t answered, int64_t asked)
{
    if (language == LANGUAGE_KO)
        return arena_format(arena, "%d개 중 %d개 답함", (int)asked, (int)answered);
    return arena_format(arena, "%d of %d answered", (int)answered, (int)asked);
}
