/* The report: whatever stands in it, the page is well-formed, says what it must and nothing that it must not, and its drawings lie
 * where the numbers say. */
#include "../unit.h"
#include "../../../actors/assessments/report_page.h"
#include "../../../actors/assessments/report_words.h"
#include "base/clock.h"
#include <ctype.h>

static arena_t *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_create(64 << 20, NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_destroy(&arena);
    return 0;
}

/* --- a report ----------------------------------------------------------------------------------------------------- */

static report_attempt_t attempts[REPORT_ATTEMPTS_MOST];
static report_answer_t answers[2 * AREAS];

/* Of a child of 12 months, with so many attempts, `gap` days apart, all areas; the last one is this one. */
static report_t sample(int count, int gap)
{
    report_t report = {.language = LANGUAGE_KO,
        .name = TEXT("김하늘"),
        .birth_date = date_of(2024, 1, 15),
        .day = date_of(2025, 3, 20),
        .chronological = 14,
        .corrected = 12,
        .used = 12,
        .attempts = attempts,
        .attempt_count = count,
        .answers = answers,
        .answer_count = ARRAY_SIZE(answers)};
    for (int i = 0; i < count; i++) {
        attempts[i] = (report_attempt_t){.day = report.day - (count - 1 - i) * gap};
        for (int area = 0; area < AREAS; area++)
            attempts[i].scores[area] = (i * 1700 + area * 1300) % 10001;
    }
    for (int area = 0; area < AREAS; area++)
        report.areas[area] = (report_area_t){.score = attempts[count - 1].scores[area],
            .level = (enum development_level)(area % LEVELS),
            .asked = 6,
            .answered = 5,
            .feedback = TEXT("느낌"),
            .recommendation = TEXT("놀이")};
    for (int i = 0; i < (int)ARRAY_SIZE(answers); i++)
        answers[i] = (report_answer_t){.area = (enum development_area)(i % AREAS), .question = TEXT("질문인가요?"), .answer = TEXT("네")};
    return report;
}

static int count_of(text_t text, const char *part)
{
    int count = 0;
    for (const char *at = text.data, *end = text.data + text.length;
         (at = memmem(at, (size_t)(end - at), part, strlen(part))) != NULL; at++)
        count++;
    return count;
}

static void expect(text_t page, const char *part, int times)
{
    if (count_of(page, part) != times)
        fail_msg("\"%s\" stands %d times, not %d", part, count_of(page, part), times);
}

/* --- every page --------------------------------------------------------------------------------------------------- */

/* Start and end tags pair up, attributes are quoted, no '<' or bare '&' in texts. */
static void well_formed(text_t page)
{
    const char *open[32];
    size_t lengths[32];
    int depth = 0;
    const char *at = page.data + strlen("<!DOCTYPE html>\n"), *end = page.data + page.length;
    while (at < end) {
        if (*at == '&') {
            const char *stop = memchr(at, ';', 8);
            assert_non_null(stop);
        }
        if (*at != '<') {
            at++;
            continue;
        }
        bool closing = at[1] == '/';
        const char *name = at + 1 + closing, *name_end = name;
        while (isalnum((unsigned char)*name_end))
            name_end++;
        assert_true(name_end > name);
        for (at = name_end; *at != '>'; at++) {
            if (*at == '"')
                for (at++; *at != '"'; at++)
                    assert_true(*at != '<' && at < end);
            assert_true(*at != '<' && at < end);
        }
        if (closing) {
            assert_true(depth > 0 && lengths[depth - 1] == (size_t)(name_end - name));
            depth--;
            assert_memory_equal(open[depth], name, lengths[depth]);
        } else if (at[-1] != '/') {
            assert_true(depth < 32);
            open[depth] = name;
            lengths[depth++] = (size_t)(name_end - name);
        }
        at++;
    }
    assert_int_equal(depth, 0);
}

/* No script, no style but ours, nothing from elsewhere, and nothing that a result is never called. */
static void harmless(text_t page)
{
    static const char *const never[] = {"<script", " style=", "javascript:", "href=", "src=", "url(", "@import", "진단", "iagnos",
        "비정상", "abnormal"};
    for (size_t i = 0; i < ARRAY_SIZE(never); i++)
        expect(page, never[i], 0);
    expect(page, "://", 3); /* namespaces */
    expect(page, "xmlns=\"http://www.w3.org/", 3);
    expect(page, "<style>", 1);
    assert_non_null(memmem(page.data, page.length, report_style().data, report_style().length));
}

static text_t page_of(const report_t *report)
{
    text_t page = text_of(arena_string(arena, report_page(arena, report)));
    assert_true(text_starts_with(page, TEXT("<!DOCTYPE html>\n<html ")));
    assert_true(text_is_utf8(page));
    well_formed(page);
    harmless(page);
    expect(page, "<svg ", 2);
    expect(page, "<title id=", 2);
    expect(page, "<desc id=", 2);
    expect(page, "scope=\"row\"", AREAS);
    return page;
}

/* Each coordinate of a drawing lies in its view box. */
static void inside(text_t page, const char *element, const char *attribute, double low, double high)
{
    char begin[32], name[16];
    snprintf(begin, sizeof(begin), "<%s ", element);
    snprintf(name, sizeof(name), " %s=\"", attribute);
    for (const char *at = page.data; (at = strstr(at, begin)) != NULL; at++) {
        const char *value = strstr(at, name), *stop = strchr(at, '>');
        if (value == NULL || value > stop)
            continue;
        double number = strtod(value + strlen(name), NULL);
        if (number < low || number > high)
            fail_msg("%s of %s is %f", attribute, element, number);
    }
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *written;
    } cases[] = {
        {"김하늘", "<bdi>김하늘</bdi>"},
        {"<script>alert(1)</script>", "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>"},
        {"\"><img src=x onerror='a'>", "<bdi>&quot;&gt;&lt;img"},
        {"</bdi></style>&amp;", "<bdi>&lt;/bdi&gt;&lt;/style&gt;&amp;amp;</bdi>"},
        {"\xE2\x80\xAE" "abc \xD7\xA9\xD7\x9C", "<bdi>\xE2\x80\xAE" "abc \xD7\xA9\xD7\x9C</bdi>"},
        {"\xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7", "<bdi>\xF0\x9F\x91\xA8\xE2\x80\x8D"},
        {"가나다라마바사아자차카타파하가나다라마바사아자차카타파하가나다라마바사아자차카타파하가나다라마바사아",
            "<bdi>가나다라마바사아자차카타파하가나다라마바사아자차카타파하가나다라마바사아자차카타파하가나다라마바사아</bdi>"},
        {"{name} %s %n", "<bdi>{name} %s %n</bdi>"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        report_t report = sample(1, 0);
        report.name = text_of(cases[i].name);
        text_t page = report_page(arena, &report);
        well_formed(page);
        expect(page, cases[i].written, 1);
        expect(page, "<script", 0);
        expect(page, "<img", 0);
    }
}

/* Questions, answers and feedback come from tables; they are escaped like a name. */
static void test_texts_are_escaped(void **state)
{
    (void)state;
    report_t report = sample(1, 0);
    answers[0] = (report_answer_t){AREA_GROSS_MOTOR, TEXT("<b>?"), TEXT("<i>&"), true, true};
    report.areas[0].feedback = TEXT("<u>");
    report.areas[0].recommendation = TEXT("\"<s>\"");
    text_t page = page_of(&report);
    expect(page, "&lt;b&gt;?", 2); /* among what to talk about, and among all answers */
    expect(page, "&lt;i&gt;&amp;", 2);
    expect(page, "&lt;u&gt;", 1);
    expect(page, "&quot;&lt;s&gt;&quot;", 1);
}

static void test_attempts(void **state)
{
    (void)state;
    static const int gaps[] = {0, 1, 61};
    for (int count = 1; count <= REPORT_ATTEMPTS_MOST; count++)
        for (size_t i = 0; i < ARRAY_SIZE(gaps); i++) {
            report_t report = sample(count, gaps[i]);
            text_t page = page_of(&report);
            const char *const circles[] = {"cx", "cy"};
            expect(page, "<circle class=\"dot now\"", AREAS);
            expect(page, "<circle class=\"dot\"", AREAS + AREAS * (count - 1)); /* the radar's, and the others' */
            expect(page, "<polyline ", count > 1 ? AREAS : 0);
            expect(page, "<polygon class=\"before\"", count > 1);
            for (size_t a = 0; a < ARRAY_SIZE(circles); a++)
                inside(page, "circle", circles[a], 15, a == 0 ? 580 : 250);
            inside(page, "text", "x", 0, 580);
            inside(page, "text", "y", 8, 312);
            expect(page, "다음번부터 변화를", count == 1);
            expect(page, "지난번 (", count > 1);
        }
}

static void test_changes(void **state)
{
    (void)state;
    static const struct {
        int before, now;
        const char *written;
    } cases[] = {
        {5000, 4325, "<span class=\"down\">\xE2\x88\x92" "6.75</span>"},
        {4325, 5000, "<span class=\"up\">+6.75</span>"},
        {0, 10000, "<span class=\"up\">+100.00</span>"},
        {7777, 7777, "<span class=\"same\">0.00</span>"},
        {REPORT_NONE, 5000, "<span class=\"quiet\">첫 결과</span>"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        report_t report = sample(4, 60);
        attempts[2].scores[AREA_LANGUAGE] = cases[i].before;
        report.areas[AREA_LANGUAGE].score = attempts[3].scores[AREA_LANGUAGE] = cases[i].now;
        for (int area = 0; area < AREAS; area++)
            if (area != AREA_LANGUAGE)
                report.areas[area].score = REPORT_NONE;
        expect(page_of(&report), cases[i].written, 1);
    }
    report_t first = sample(1, 0);
    expect(page_of(&first), "첫 결과", AREAS);
}

static void test_missing_areas(void **state)
{
    (void)state;
    for (unsigned missing = 0; missing < 1u << AREAS; missing++) {
        report_t report = sample(3, 60);
        int gone = 0, neighbours = 0;
        for (int area = 0; area < AREAS; area++)
            if (missing >> area & 1) {
                report.areas[area].score = attempts[2].scores[area] = REPORT_NONE;
                gone++;
            } else {
                neighbours += !(missing >> (area + 1) % AREAS & 1);
            }
        text_t page = page_of(&report);
        expect(page, "colspan=\"5\"", gone);
        expect(page, "<polygon class=\"this\"", gone == 0);
        expect(page, "<line class=\"this\"", gone == 0 ? 0 : neighbours);
        expect(page, "<circle class=\"dot now\"", AREAS - gone);
    }
}

static void test_radar_lies_where_the_scores_are(void **state)
{
    (void)state;
    static const struct {
        int scores[AREAS];
        const char *points;
    } cases[] = {
        {{10000, 10000, 10000, 10000, 10000, 10000}, "points=\"200.0,50.0 286.6,100.0 286.6,200.0 200.0,250.0 113.4,200.0 113.4,100.0\""},
        {{0, 0, 0, 0, 0, 0}, "points=\"200.0,150.0 200.0,150.0 200.0,150.0 200.0,150.0 200.0,150.0 200.0,150.0\""},
        {{5000, 0, 7999, 8000, 0, 1}, "points=\"200.0,100.0 200.0,150.0 269.1,189.9 200.0,230.0 200.0,150.0 200.0,150.0\""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        report_t report = sample(1, 0);
        for (int area = 0; area < AREAS; area++)
            report.areas[area].score = cases[i].scores[area];
        char polygon[256];
        snprintf(polygon, sizeof(polygon), "<polygon class=\"this\" %s>", cases[i].points);
        expect(page_of(&report), polygon, 1);
    }
}

static void test_trend_goes_by_days(void **state)
{
    (void)state;
    report_t report = sample(3, 0);
    static const int offsets[] = {-100, -75, 0};
    for (int i = 0; i < 3; i++) {
        attempts[i].day = report.day + offsets[i];
        attempts[i].scores[AREA_GROSS_MOTOR] = i * 5000;
    }
    /* The panel of the first area: 22 to 186 wide with 8 on each side, its zero at 84, its hundred at 22. */
    expect(page_of(&report), "<polyline class=\"line\" points=\"30.0,84.0 67.0,53.0 178.0,22.0\">", 1);
    attempts[1].scores[AREA_GROSS_MOTOR] = REPORT_NONE; /* one without this area: no line leads over it */
    expect(page_of(&report), "<polyline ", AREAS - 1);
}

static void test_answers(void **state)
{
    (void)state;
    report_t report = sample(1, 0);
    answers[2].critical = true;
    answers[3] = (report_answer_t){.area = AREA_LANGUAGE, .question = TEXT("이름을 부르면 돌아보나요?"), .answer = TEXT("아니요"),
        .critical = true, .talk = true};
    answers[4].answer = (text_t){.data = NULL};
    text_t page = page_of(&report);
    expect(page, "class=\"star\"", 3);
    expect(page, "이름을 부르면 돌아보나요?", 2);
    expect(page, "class=\"to-talk\"", 1);
    expect(page, "<td class=\"given quiet\">답하지 않음</td>", 1);
    expect(page, "따로 표시된 답이 없습니다", 0);
    answers[3].talk = false;
    expect(page_of(&report), "따로 표시된 답이 없습니다", 1);
    report.answer_count = 0;
    expect(page_of(&report), "<caption>", 0);
}

static void test_languages(void **state)
{
    (void)state;
    report_t report = sample(2, 30);
    text_t page = page_of(&report);
    expect(page, "lang=\"ko\"", 1);
    expect(page, "<dd><bdi>2024년 1월 15일</bdi></dd>", 1);
    expect(page, "<dd><bdi>14개월</bdi></dd>", 1);
    expect(page, "대신하지 않으며", 1);
    report.language = LANGUAGE_EN;
    report.corrected = REPORT_NONE;
    page = page_of(&report);
    expect(page, "lang=\"en\"", 1);
    expect(page, "<dd><bdi>15 Jan 2024</bdi></dd>", 1);
    expect(page, "<dd><bdi>not applicable</bdi></dd>", 1);
    expect(page, "It does not replace", 1);
    expect(page, "Needs observation", 3); /* two of the six, the key, and none in between */
    expect(page, "결과", 0);
    expect(page, "<td lang=\"ko\">질문인가요?</td>", ARRAY_SIZE(answers));
}

static void test_words(void **state)
{
    (void)state;
    static const struct {
        int hundredths;
        const char *score, *change;
    } numbers[] = {{0, "0.00", "0.00"}, {5, "0.05", "+0.05"}, {10000, "100.00", "+100.00"}, {7999, "79.99", "+79.99"}};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        assert_text(report_score(arena, numbers[i].hundredths), numbers[i].score);
        assert_text(report_change(arena, numbers[i].hundredths), numbers[i].change);
    }
    assert_text(report_change(arena, -10000), "\xE2\x88\x92" "100.00");
    assert_text(report_change(arena, -1), "\xE2\x88\x92" "0.01");
    assert_text(report_months(arena, LANGUAGE_EN, 1), "1 month");
    assert_text(report_months(arena, LANGUAGE_EN, 12), "12 months");
    assert_text(report_months(arena, LANGUAGE_KO, 71), "71개월");
    assert_text(report_day(arena, LANGUAGE_KO, date_of(2024, 2, 29)), "2024년 2월 29일");
    assert_text(report_day(arena, LANGUAGE_EN, date_of(2024, 12, 31)), "31 Dec 2024");
    assert_text(report_short_day(arena, date_of(2009, 1, 2)), "09.01.02");
    assert_text(report_answered(arena, LANGUAGE_EN, 5, 6), "5 of 6 answered");
    for (int language = 0; language < LANGUAGES; language++)
        for (int word = 0; word < REPORT_WORDS; word++)
            assert_true(report_word((enum language)language, (enum report_word)word).length > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_texts_are_escaped),
        cmocka_unit_test(test_attempts),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_missing_areas),
        cmocka_unit_test(test_radar_lies_where_the_scores_are),
        cmocka_unit_test(test_trend_goes_by_days),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_languages),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
