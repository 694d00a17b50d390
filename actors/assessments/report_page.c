#include "report_page.h"
#include "report_charts.h"
#include "report_words.h"
#include "../../shared/base/embed.h"
#include "../../shared/base/panic.h"

EMBED(report_css, REPORT_FILES "/report.css");

/* What each part of the page writes with. */
typedef struct {
    markup_t *out;
    arena_t *arena;
    const report_t *report;
    enum language language;
} sheet_t;

text_t report_style(void)
{
    return (text_t){report_css, (size_t)(report_css_end - report_css)};
}

static text_t word(const sheet_t *page, enum report_word name)
{
    return report_word(page->language, name);
}

/* --- small parts -------------------------------------------------------------------------------------------------- */

static void part(const sheet_t *page, const char *name, const char *class, text_t text)
{
    markup_open_class(page->out, name, class);
    markup_text(page->out, text);
    markup_close(page->out, name);
}

/* `rank` of its heading: "h2", "h3" within another one. */
static void section_open(const sheet_t *page, const char *class, const char *rank, enum report_word heading)
{
    markup_open_class(page->out, "section", class);
    markup_element(page->out, rank, word(page, heading));
}

static void column_heading(const sheet_t *page, const char *class, text_t text)
{
    markup_open_class(page->out, "th", class);
    markup_attribute(page->out, "scope", TEXT("col"));
    markup_text(page->out, text);
    markup_close(page->out, "th");
}

static void level_chip(const sheet_t *page, enum development_level level)
{
    static const char *const classes[LEVELS] = {
        [LEVEL_EXCELLENT] = "level excellent",
        [LEVEL_GOOD] = "level good",
        [LEVEL_CAUTION] = "level caution",
        [LEVEL_NEEDS_OBSERVATION] = "level observe",
    };
    part(page, "span", classes[level], report_level_name(page->language, level));
}

/* A critical question's mark, which a screen reader says in words. */
static void star(const sheet_t *page)
{
    markup_open_class(page->out, "span", "star");
    markup_attribute(page->out, "role", TEXT("img"));
    markup_attribute(page->out, "aria-label", word(page, WORD_CRITICAL));
    markup_text(page->out, TEXT("\xE2\x98\x85"));
    markup_close(page->out, "span");
    markup_text(page->out, TEXT(" "));
}

/* Questions are Korean on the English page, too: for who reads it aloud. */
static void question_language(const sheet_t *page)
{
    if (page->language != LANGUAGE_KO)
        markup_attribute(page->out, "lang", TEXT("ko"));
}

/* --- head --------------------------------------------------------------------------------------------------------- */

static void head_write(const sheet_t *page)
{
    markup_t *out = page->out;
    markup_open(out, "head");
    markup_open(out, "meta");
    markup_attribute(out, "charset", TEXT("utf-8"));
    markup_close(out, "meta");
    markup_open(out, "meta");
    markup_attribute(out, "name", TEXT("viewport"));
    markup_attribute(out, "content", TEXT("width=device-width, initial-scale=1"));
    markup_close(out, "meta");
    markup_open(out, "meta");
    markup_attribute(out, "name", TEXT("robots"));
    markup_attribute(out, "content", TEXT("noindex"));
    markup_close(out, "meta");
    markup_element(out, "title", word(page, WORD_TITLE)); /* no name: titles stand in a browser's history */
    markup_style(out, report_style());
    markup_close(out, "head");
}

static void fact(const sheet_t *page, enum report_word name, text_t value)
{
    markup_open(page->out, "div");
    markup_element(page->out, "dt", word(page, name));
    markup_open(page->out, "dd");
    markup_element(page->out, "bdi", value);
    markup_close(page->out, "dd");
    markup_close(page->out, "div");
}

static void facts_write(const sheet_t *page)
{
    const report_t *report = page->report;
    enum language language = page->language;
    markup_open_class(page->out, "dl", "facts");
    fact(page, WORD_NAME, report->name);
    fact(page, WORD_BIRTH, report_day(page->arena, language, report->birth_date));
    fact(page, WORD_ASSESSED, report_day(page->arena, language, report->day));
    fact(page, WORD_CHRONOLOGICAL, report_months(page->arena, language, report->chronological));
    fact(page, WORD_CORRECTED,
        report->corrected == REPORT_NONE ? word(page, WORD_NOT_CORRECTED) : report_months(page->arena, language, report->corrected));
    fact(page, WORD_USED, report_months(page->arena, language, report->used));
    markup_close(page->out, "dl");
}

static void header_write(const sheet_t *page)
{
    markup_open(page->out, "header");
    part(page, "p", "brand", TEXT("aipoten"));
    markup_element(page->out, "h1", word(page, WORD_TITLE));
    facts_write(page);
    markup_open_class(page->out, "p", "what");
    markup_element(page->out, "strong", word(page, WORD_WHAT_IS));
    markup_text(page->out, TEXT(" "));
    markup_text(page->out, word(page, WORD_WHAT_IS_NOT));
    markup_close(page->out, "p");
    markup_close(page->out, "header");
}

/* --- at a glance -------------------------------------------------------------------------------------------------- */

static void radar_write(const sheet_t *page)
{
    const report_attempt_t *before = report_before(page->report);
    markup_open(page->out, "figure");
    chart_radar(page->out, page->arena, page->report);
    markup_open(page->out, "figcaption");
    part(page, "span", "key this", word(page, WORD_THIS));
    if (before != NULL)
        part(page, "span", "key before", arena_format(page->arena, "%.*s (%.*s)", TEXT_ARG(word(page, WORD_BEFORE)),
            TEXT_ARG(report_day(page->arena, page->language, before->day))));
    markup_close(page->out, "figcaption");
    markup_close(page->out, "figure");
}

static void talk_write(const sheet_t *page)
{
    const report_t *report = page->report;
    int count = 0;
    for (int i = 0; i < report->answer_count; i++)
        count += report->answers[i].talk;
    section_open(page, "talk", "h3", WORD_TALK);
    markup_element(page->out, "p", word(page, count > 0 ? WORD_TALK_WHY : WORD_TALK_NONE));
    if (count > 0)
        markup_open(page->out, "ul");
    for (int i = 0; i < report->answer_count; i++) {
        const report_answer_t *answer = &report->answers[i];
        if (!answer->talk)
            continue;
        markup_open(page->out, "li");
        star(page);
        part(page, "span", "of", report_area_name(page->language, answer->area));
        markup_text(page->out, TEXT(" "));
        markup_open(page->out, "span");
        question_language(page);
        markup_text(page->out, answer->question);
        markup_close(page->out, "span");
        markup_text(page->out, TEXT(" "));
        part(page, "b", "given", answer->answer);
        markup_close(page->out, "li");
    }
    if (count > 0)
        markup_close(page->out, "ul");
    markup_close(page->out, "section");
}

static void levels_write(const sheet_t *page)
{
    section_open(page, "levels", "h3", WORD_LEVELS);
    markup_open(page->out, "ul");
    for (int level = 0; level < LEVELS; level++) {
        markup_open(page->out, "li");
        level_chip(page, (enum development_level)level);
        markup_text(page->out, TEXT(" "));
        markup_text(page->out, report_level_range(page->language, (enum development_level)level));
        markup_close(page->out, "li");
    }
    markup_close(page->out, "ul");
    markup_close(page->out, "section");
}

static void glance_write(const sheet_t *page)
{
    section_open(page, "glance", "h2", WORD_GLANCE);
    markup_open_class(page->out, "div", "sides");
    radar_write(page);
    markup_open_class(page->out, "div", "side");
    talk_write(page);
    levels_write(page);
    markup_close(page->out, "div");
    markup_close(page->out, "div");
    markup_close(page->out, "section");
}

/* --- areas -------------------------------------------------------------------------------------------------------- */

static void change_write(const sheet_t *page, enum development_area area)
{
    const report_attempt_t *before = report_before(page->report);
    int now = page->report->areas[area].score;
    markup_open_class(page->out, "td", "change");
    if (before == NULL || before->scores[area] == REPORT_NONE) {
        part(page, "span", "quiet", word(page, WORD_FIRST_TIME));
    } else {
        int change = now - before->scores[area];
        part(page, "span", change > 0 ? "up" : change < 0 ? "down" : "same", report_change(page->arena, change));
    }
    markup_close(page->out, "td");
}

static void area_row(const sheet_t *page, enum development_area name)
{
    const report_area_t *area = &page->report->areas[name];
    markup_t *out = page->out;
    markup_open(out, "tr");
    markup_open(out, "th");
    markup_attribute(out, "scope", TEXT("row"));
    markup_text(out, report_area_name(page->language, name));
    if (area->score != REPORT_NONE)
        part(page, "span", "answered", report_answered(page->arena, page->language, area->answered, area->asked));
    markup_close(out, "th");
    if (area->score == REPORT_NONE) {
        markup_open_class(out, "td", "quiet");
        markup_attribute(out, "colspan", TEXT("5"));
        markup_text(out, word(page, WORD_NO_RESULT));
        markup_close(out, "td");
        markup_close(out, "tr");
        return;
    }
    part(page, "td", "score", report_score(page->arena, area->score));
    markup_open_class(out, "td", "of-level");
    level_chip(page, area->level);
    markup_close(out, "td");
    change_write(page, name);
    markup_open(out, "td");
    markup_text(out, area->feedback);
    if (area->critical)
        part(page, "span", "because", word(page, WORD_BY_CRITICAL));
    markup_close(out, "td");
    markup_element(out, "td", area->recommendation);
    markup_close(out, "tr");
}

static void areas_write(const sheet_t *page)
{
    static const struct {
        enum report_word word;
        const char *class;
    } columns[] = {{WORD_AREA, "narrow"}, {WORD_SCORE, "score"}, {WORD_LEVEL, "of-level"}, {WORD_CHANGE, "change"},
        {WORD_FEEDBACK, "wide"}, {WORD_RECOMMENDATION, "wide"}};
    section_open(page, "areas", "h2", WORD_AREAS);
    markup_open(page->out, "table");
    markup_open(page->out, "thead");
    markup_open(page->out, "tr");
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
        column_heading(page, columns[i].class, word(page, columns[i].word));
    markup_close(page->out, "tr");
    markup_close(page->out, "thead");
    markup_open(page->out, "tbody");
    for (int area = 0; area < AREAS; area++)
        area_row(page, (enum development_area)area);
    markup_close(page->out, "tbody");
    markup_close(page->out, "table");
    markup_close(page->out, "section");
}

/* --- over time ---------------------------------------------------------------------------------------------------- */

static void trend_write(const sheet_t *page)
{
    section_open(page, "over-time", "h2", WORD_TREND);
    markup_open(page->out, "figure");
    chart_trend(page->out, page->arena, page->report);
    markup_open(page->out, "figcaption");
    markup_text(page->out, word(page, WORD_TREND_HOW));
    if (page->report->attempt_count == 1 || page->report->cut) {
        markup_text(page->out, TEXT(" "));
        markup_text(page->out, word(page, page->report->cut ? WORD_TREND_CUT : WORD_TREND_ONE));
    }
    markup_close(page->out, "figcaption");
    markup_close(page->out, "figure");
    markup_close(page->out, "section");
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

static void answer_row(const sheet_t *page, const report_answer_t *answer)
{
    markup_t *out = page->out;
    markup_open(out, "tr");
    if (answer->talk)
        markup_attribute(out, "class", TEXT("to-talk"));
    markup_open(out, "td");
    question_language(page);
    if (answer->critical)
        star(page);
    markup_text(out, answer->question);
    markup_close(out, "td");
    if (answer->answer.data == NULL)
        part(page, "td", "given quiet", word(page, WORD_NO_ANSWER));
    else
        part(page, "td", "given", answer->answer);
    markup_close(out, "tr");
}

static void area_answers(const sheet_t *page, enum development_area area)
{
    const report_t *report = page->report;
    bool any = false;
    for (int i = 0; i < report->answer_count; i++)
        any |= report->answers[i].area == area;
    if (!any)
        return;
    markup_open(page->out, "table");
    markup_element(page->out, "caption", report_area_name(page->language, area));
    markup_open(page->out, "thead");
    markup_open(page->out, "tr");
    column_heading(page, "question", word(page, WORD_QUESTION));
    column_heading(page, "given", word(page, WORD_ANSWER));
    markup_close(page->out, "tr");
    markup_close(page->out, "thead");
    markup_open(page->out, "tbody");
    for (int i = 0; i < report->answer_count; i++)
        if (report->answers[i].area == area)
            answer_row(page, &report->answers[i]);
    markup_close(page->out, "tbody");
    markup_close(page->out, "table");
}

static void answers_write(const sheet_t *page)
{
    section_open(page, "answers", "h2", WORD_ANSWERS);
    part(page, "p", "key-star", word(page, WORD_CRITICAL_KEY));
    markup_open_class(page->out, "div", "columns");
    for (int area = 0; area < AREAS; area++)
        area_answers(page, (enum development_area)area);
    markup_close(page->out, "div");
    markup_close(page->out, "section");
}

/* --- the page ----------------------------------------------------------------------------------------------------- */

static void body_write(const sheet_t *page)
{
    markup_t *out = page->out;
    markup_open(out, "body");
    part(page, "p", "print-how", word(page, WORD_PRINT));
    markup_open(out, "main");
    header_write(page);
    glance_write(page);
    areas_write(page);
    trend_write(page);
    answers_write(page);
    part(page, "p", "foot", word(page, WORD_FOOT));
    markup_close(out, "main");
    markup_close(out, "body");
}

text_t report_page(arena_t *arena, const report_t *report)
{
    markup_t out = {.depth = 0};
    sheet_t page = {&out, arena, report, report->language};
    insist(report->attempt_count >= 1 && report->attempt_count <= REPORT_ATTEMPTS_MOST);
    markup_doctype(&out);
    markup_open(&out, "html");
    markup_attribute(&out, "xmlns", TEXT("http://www.w3.org/1999/xhtml"));
    markup_attribute(&out, "lang", report->language == LANGUAGE_KO ? TEXT("ko") : TEXT("en"));
    head_write(&page);
    body_write(&page);
    markup_close(&out, "html");
    return markup_finish(&out, arena);
}
