/* report_page: the page that a parent prints and takes to a paediatrician (product.md, section 9): who, when, how old; a radar of the
 * six areas; score, level, feedback and recommendation of each; the change over time; what was answered, and what of it is worth
 * talking about; what the page is and is not. One or two sheets of A4.
 *
 * Pure: facts in, HTML out, drawings in whole tenths. Every text comes from markup.h escaped; a name stands in an element of its own
 * that isolates its direction. No script, nothing from elsewhere, no style but report.css. */
#pragma once
#include "../../shared/base/development.h"
#include "../../shared/base/memory.h"
#include "../../shared/wire/errors.h"

enum { REPORT_ATTEMPTS_MOST = 30 /* that are drawn */, REPORT_NONE = -1 };

typedef struct {
    int score; /* hundredths; REPORT_NONE: the area has no result, and nothing else here counts */
    enum development_level level;
    bool critical; /* the level comes from a critical answer */
    int asked, answered;
    text_t feedback, recommendation;
} report_area_t;

/* A completed attempt. */
typedef struct {
    int32_t day;
    int scores[AREAS]; /* hundredths, REPORT_NONE */
} report_attempt_t;

typedef struct {
    enum development_area area;
    text_t question, answer; /* answer's data NULL: none was given */
    bool critical, talk;     /* talk: a critical one whose answer is worth talking about */
} report_answer_t;

typedef struct {
    enum language language;
    text_t name;
    int32_t birth_date, day;
    int chronological, corrected, used; /* months; corrected: REPORT_NONE */
    report_area_t areas[AREAS];
    const report_attempt_t *attempts; /* this one and those before it, oldest first, 1 to REPORT_ATTEMPTS_MOST */
    int attempt_count;
    bool cut;                         /* there may be older ones */
    const report_answer_t *answers;   /* in the order of the questions */
    int answer_count;
} report_t;

/* In the arena. */
text_t report_page(arena_t *, const report_t *);
/* The style that stands in it, for reply_page. */
text_t report_style(void);
