/* report_words: what a report says, in Korean and English, and how it writes numbers, ages and days. Nothing here calls a result more
 * than what a family saw (product.md, section 4). Pure. */
#pragma once
#include "../../shared/base/development.h"
#include "../../shared/base/memory.h"
#include "../../shared/wire/errors.h"

enum report_word {
    WORD_TITLE,
    WORD_PRINT,
    WORD_NAME,
    WORD_BIRTH,
    WORD_ASSESSED,
    WORD_CHRONOLOGICAL,
    WORD_CORRECTED,
    WORD_NOT_CORRECTED,
    WORD_USED,
    WORD_WHAT_IS,     /* what the page is */
    WORD_WHAT_IS_NOT, /* and what it is not */
    WORD_GLANCE,
    WORD_RADAR_TITLE,
    WORD_THIS,
    WORD_BEFORE,
    WORD_LEVELS,
    WORD_TALK,
    WORD_TALK_WHY,
    WORD_TALK_NONE,
    WORD_AREAS,
    WORD_AREA,
    WORD_SCORE,
    WORD_LEVEL,
    WORD_CHANGE,
    WORD_FEEDBACK,
    WORD_RECOMMENDATION,
    WORD_BY_CRITICAL, /* why the level is the lowest */
    WORD_NO_RESULT,
    WORD_FIRST_TIME,
    WORD_TREND,
    WORD_TREND_TITLE,
    WORD_TREND_HOW,
    WORD_TREND_ONE,
    WORD_TREND_CUT,
    WORD_ANSWERS,
    WORD_QUESTION,
    WORD_ANSWER,
    WORD_YES,
    WORD_NO,
    WORD_NO_ANSWER,
    WORD_CRITICAL,
    WORD_CRITICAL_KEY,
    WORD_FOOT,
    REPORT_WORDS
};

text_t report_word(enum language, enum report_word);
text_t report_area_name(enum language, enum development_area);
text_t report_level_name(enum language, enum development_level);
/* "80–100", "60 to 79": where a level lies. */
text_t report_level_range(enum language, enum development_level);
/* 8550 is "85.50". */
text_t report_score(arena_t *, int64_t hundredths);
/* "+5.50", "−3.25", "0.00". */
text_t report_change(arena_t *, int64_t hundredths);
text_t report_months(arena_t *, enum language, int64_t months);
/* "2025년 3월 20일", "20 Mar 2025". */
text_t report_day(arena_t *, enum language, int32_t day);
/* "25.03.20", for drawings, in both languages. */
text_t report_short_day(arena_t *, int32_t day);
/* "5 of 6 answered". */
text_t report_answered(arena_t *, enum language, int64_t answered, int64_t asked);
