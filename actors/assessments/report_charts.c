#include "report_charts.h"
#include "report_words.h"

/* All lengths are tenths of a unit; a score of 10000 hundredths is the whole of an axis. */
enum { SCORE_WHOLE = 10000 };
static const int borders[] = {4000, 6000, 8000, SCORE_WHOLE}; /* where levels begin (product.md, section 4), and the end */

typedef struct {
    int x, y;
} point_t;

const report_attempt_t *report_before(const report_t *report)
{
    return report->attempt_count > 1 ? &report->attempts[report->attempt_count - 2] : NULL;
}

/* --- elements ----------------------------------------------------------------------------------------------------- */

static void chart_line(markup_t *out, const char *class, point_t from, point_t to)
{
    markup_open_class(out, "line", class);
    markup_tenths(out, "x1", from.x);
    markup_tenths(out, "y1", from.y);
    markup_tenths(out, "x2", to.x);
    markup_tenths(out, "y2", to.y);
    markup_close(out, "line");
}

static void chart_circle(markup_t *out, const char *class, point_t at, int radius)
{
    markup_open_class(out, "circle", class);
    markup_tenths(out, "cx", at.x);
    markup_tenths(out, "cy", at.y);
    markup_tenths(out, "r", radius);
    markup_close(out, "circle");
}

static void chart_text(markup_t *out, const char *class, const char *anchor, point_t at, text_t text)
{
    markup_open_class(out, "text", class);
    markup_tenths(out, "x", at.x);
    markup_tenths(out, "y", at.y);
    markup_attribute(out, "text-anchor", text_of(anchor));
    markup_text(out, text);
    markup_close(out, "text");
}

/* `shape` is polygon or polyline. */
static void chart_shape(markup_t *out, arena_t *arena, const char *shape, const char *class, const point_t *points, int count)
{
    buffer_t list = {0};
    for (int i = 0; i < count; i++)
        buffer_format(&list, "%s%d.%d,%d.%d", i ? " " : "", points[i].x / 10, points[i].x % 10, points[i].y / 10, points[i].y % 10);
    text_t copy = arena_copy(arena, buffer_text(&list));
    buffer_free(&list);
    markup_open_class(out, shape, class);
    markup_attribute(out, "points", copy);
    markup_close(out, shape);
}

/* An open <svg> with its name and, from `desc`, what it shows. */
static void chart_open(markup_t *out, arena_t *arena, const char *id, const char *view, text_t title, const buffer_t *desc)
{
    markup_open_class(out, "svg", id);
    markup_attribute(out, "xmlns", TEXT("http://www.w3.org/2000/svg"));
    markup_attribute(out, "viewBox", text_of(view));
    markup_attribute(out, "role", TEXT("img"));
    markup_attribute(out, "aria-labelledby", arena_format(arena, "%s-title %s-desc", id, id));
    markup_open(out, "title");
    markup_attribute(out, "id", arena_format(arena, "%s-title", id));
    markup_text(out, title);
    markup_close(out, "title");
    markup_open(out, "desc");
    markup_attribute(out, "id", arena_format(arena, "%s-desc", id));
    markup_text(out, buffer_text(desc));
    markup_close(out, "desc");
}

/* --- the radar ---------------------------------------------------------------------------------------------------- */

enum { RADAR_X = 2000, RADAR_Y = 1500, RADAR_RADIUS = 1000, RADAR_LABEL = 1120 };

/* Axis by axis, clockwise from above, in thousandths: sines of multiples of 60 degrees. */
static const point_t axes[AREAS] = {{0, -1000}, {866, -500}, {866, 500}, {0, 1000}, {-866, 500}, {-866, -500}};

static point_t radar_point(int axis, int length)
{
    return (point_t){RADAR_X + axes[axis].x * length / 1000, RADAR_Y + axes[axis].y * length / 1000};
}

static point_t radar_score(int axis, int score)
{
    return radar_point(axis, score * RADAR_RADIUS / SCORE_WHOLE);
}

static void radar_rings(markup_t *out, arena_t *arena)
{
    for (int ring = (int)ARRAY_SIZE(borders) - 1; ring >= 0; ring--) {
        point_t corners[AREAS];
        for (int axis = 0; axis < AREAS; axis++)
            corners[axis] = radar_score(axis, borders[ring]);
        chart_shape(out, arena, "polygon", ring == (int)ARRAY_SIZE(borders) - 1 ? "ring outer" : "ring", corners, AREAS);
    }
    for (int axis = 0; axis < AREAS; axis++)
        chart_line(out, "axis", (point_t){RADAR_X, RADAR_Y}, radar_point(axis, RADAR_RADIUS));
}

static void radar_marks(markup_t *out, arena_t *arena)
{
    for (size_t i = 0; i < ARRAY_SIZE(borders); i++) {
        point_t a = radar_score(AREA_GROSS_MOTOR, borders[i]), b = radar_score(AREA_FINE_MOTOR, borders[i]);
        chart_text(out, "mark", "middle", (point_t){(a.x + b.x) / 2, (a.y + b.y) / 2 + 32}, /* between two axes, off the dots */ arena_format(arena, "%d", borders[i] / 100));
    }
}

/* A whole ring where all areas have a score; else lines between neighbours that have one. */
static void radar_scores(markup_t *out, arena_t *arena, const char *class, const int scores[AREAS])
{
    point_t points[AREAS];
    bool whole = true;
    for (int axis = 0; axis < AREAS; axis++) {
        whole &= scores[axis] != REPORT_NONE;
        points[axis] = radar_score(axis, scores[axis] == REPORT_NONE ? 0 : scores[axis]);
    }
    if (whole) {
        chart_shape(out, arena, "polygon", class, points, AREAS);
        return;
    }
    for (int axis = 0; axis < AREAS; axis++) {
        int next = (axis + 1) % AREAS;
        if (scores[axis] != REPORT_NONE && scores[next] != REPORT_NONE)
            chart_line(out, class, points[axis], points[next]);
    }
}

static void radar_labels(markup_t *out, arena_t *arena, const report_t *report)
{
    for (int axis = 0; axis < AREAS; axis++) {
        const report_area_t *area = &report->areas[axis];
        point_t at = radar_point(axis, RADAR_LABEL);
        const char *anchor = axes[axis].x > 0 ? "start" : axes[axis].x < 0 ? "end" : "middle";
        at.y += axes[axis].y < -999 ? -120 : axes[axis].y > 999 ? 80 : -30; /* two lines beside the axis, above it or below */
        chart_text(out, "name", anchor, at, report_area_name(report->language, (enum development_area)axis));
        at.y += 145;
        chart_text(out, "value", anchor, at, area->score == REPORT_NONE ? TEXT("\xE2\x80\x93") : report_score(arena, area->score));
    }
}

static void radar_describe(buffer_t *desc, arena_t *arena, const report_t *report)
{
    for (int axis = 0; axis < AREAS; axis++) {
        const report_area_t *area = &report->areas[axis];
        buffer_add_text(desc, report_area_name(report->language, (enum development_area)axis));
        buffer_add_char(desc, ' ');
        if (area->score == REPORT_NONE) {
            buffer_add_text(desc, report_word(report->language, WORD_NO_RESULT));
        } else {
            buffer_add_text(desc, report_score(arena, area->score));
            buffer_add_text(desc, TEXT(" ("));
            buffer_add_text(desc, report_level_name(report->language, area->level));
            buffer_add_char(desc, ')');
        }
        buffer_add_string(desc, axis < AREAS - 1 ? ", " : "");
    }
}

void chart_radar(markup_t *out, arena_t *arena, const report_t *report)
{
    buffer_t desc = {0};
    int scores[AREAS];
    const report_attempt_t *before = report_before(report);
    for (int axis = 0; axis < AREAS; axis++)
        scores[axis] = report->areas[axis].score;
    radar_describe(&desc, arena, report);
    chart_open(out, arena, "radar", "30 10 340 285", report_word(report->language, WORD_RADAR_TITLE), &desc);
    buffer_free(&desc);
    radar_rings(out, arena);
    if (before != NULL)
        radar_scores(out, arena, "before", before->scores);
    radar_scores(out, arena, "this", scores);
    for (int axis = 0; axis < AREAS; axis++)
        if (scores[axis] != REPORT_NONE)
            chart_circle(out, "dot", radar_score(axis, scores[axis]), 32);
    radar_marks(out, arena);
    radar_labels(out, arena, report);
    markup_close(out, "svg");
}

/* --- the trend ---------------------------------------------------------------------------------------------------- */

enum { PANEL_WIDTH = 1640, PANEL_HEIGHT = 620, PANEL_COLUMNS = 3, PANEL_INSET = 80, PANEL_STEP_X = 1940, PANEL_STEP_Y = 1060,
    PANEL_LEFT = 220, PANEL_TOP = 220, CROWDED = 12 };

/* By day, from one side to the other; attempts of a single day stand one after the other. */
static int trend_x(const report_t *report, int attempt)
{
    int32_t first = report->attempts[0].day, span = report->attempts[report->attempt_count - 1].day - first;
    int room = PANEL_WIDTH - 2 * PANEL_INSET;
    if (report->attempt_count == 1)
        return PANEL_WIDTH / 2;
    if (span <= 0)
        return PANEL_INSET + room * attempt / (report->attempt_count - 1);
    return PANEL_INSET + (int)((int64_t)room * (report->attempts[attempt].day - first) / span);
}

static point_t trend_point(const report_t *report, point_t corner, int attempt, int score)
{
    return (point_t){corner.x + trend_x(report, attempt), corner.y + PANEL_HEIGHT - score * PANEL_HEIGHT / SCORE_WHOLE};
}

static void panel_frame(markup_t *out, arena_t *arena, point_t corner, bool marks)
{
    for (int i = -1; i < (int)ARRAY_SIZE(borders); i++) {
        int score = i < 0 ? 0 : borders[i], y = corner.y + PANEL_HEIGHT - score * PANEL_HEIGHT / SCORE_WHOLE;
        chart_line(out, score % SCORE_WHOLE ? "border" : "frame", (point_t){corner.x, y}, (point_t){corner.x + PANEL_WIDTH, y});
        if (marks)
            chart_text(out, "mark", "end", (point_t){corner.x - 40, y + 30}, arena_format(arena, "%d", score / 100));
    }
}

/* A line through neighbours that have a score; where one is missing, there is a gap. */
static void panel_line(markup_t *out, arena_t *arena, const report_t *report, point_t corner, enum development_area area)
{
    point_t points[REPORT_ATTEMPTS_MOST];
    int run = 0;
    for (int i = 0; i <= report->attempt_count; i++) {
        if (i < report->attempt_count && report->attempts[i].scores[area] != REPORT_NONE) {
            points[run++] = trend_point(report, corner, i, report->attempts[i].scores[area]);
            continue;
        }
        if (run > 1)
            chart_shape(out, arena, "polyline", "line", points, run);
        run = 0;
    }
    int now = report->attempt_count - 1, small = report->attempt_count > CROWDED ? 16 : 24;
    for (int i = 0; i <= now; i++)
        if (report->attempts[i].scores[area] != REPORT_NONE)
            chart_circle(out, i == now ? "dot now" : "dot", trend_point(report, corner, i, report->attempts[i].scores[area]),
                i == now ? 40 : small);
}

static void panel_days(markup_t *out, arena_t *arena, const report_t *report, point_t corner)
{
    int last = report->attempt_count - 1, y = corner.y + PANEL_HEIGHT + 130;
    text_t first_day = report_short_day(arena, report->attempts[0].day);
    if (report->attempts[last].day == report->attempts[0].day) {
        chart_text(out, "mark", "middle", (point_t){corner.x + PANEL_WIDTH / 2, y}, first_day);
        return;
    }
    chart_text(out, "mark", "start", (point_t){corner.x, y}, first_day);
    chart_text(out, "mark", "end", (point_t){corner.x + PANEL_WIDTH, y}, report_short_day(arena, report->attempts[last].day));
}

static void trend_panel(markup_t *out, arena_t *arena, const report_t *report, enum development_area area)
{
    int column = area % PANEL_COLUMNS, row = area / PANEL_COLUMNS;
    point_t corner = {PANEL_LEFT + column * PANEL_STEP_X, PANEL_TOP + row * PANEL_STEP_Y};
    int now = report->areas[area].score;
    chart_text(out, "name", "start", (point_t){corner.x, corner.y - 80}, report_area_name(report->language, area));
    chart_text(out, "value", "end", (point_t){corner.x + PANEL_WIDTH, corner.y - 80},
        now == REPORT_NONE ? TEXT("\xE2\x80\x93") : report_score(arena, now));
    panel_frame(out, arena, corner, column == 0);
    panel_line(out, arena, report, corner, area);
    panel_days(out, arena, report, corner);
}

static void trend_describe(buffer_t *desc, arena_t *arena, const report_t *report)
{
    for (int area = 0; area < AREAS; area++) {
        buffer_add_text(desc, report_area_name(report->language, (enum development_area)area));
        for (int i = 0; i < report->attempt_count; i++) {
            int score = report->attempts[i].scores[area];
            buffer_add_string(desc, i ? ", " : ": ");
            buffer_add_text(desc, report_short_day(arena, report->attempts[i].day));
            buffer_add_char(desc, ' ');
            buffer_add_text(desc, score == REPORT_NONE ? TEXT("\xE2\x80\x93") : report_score(arena, score));
        }
        buffer_add_string(desc, area < AREAS - 1 ? "; " : "");
    }
}

void chart_trend(markup_t *out, arena_t *arena, const report_t *report)
{
    buffer_t desc = {0};
    trend_describe(&desc, arena, report);
    chart_open(out, arena, "trend", "0 0 580 206", report_word(report->language, WORD_TREND_TITLE), &desc);
    buffer_free(&desc);
    for (int area = 0; area < AREAS; area++)
        trend_panel(out, arena, report, (enum development_area)area);
    markup_close(out, "svg");
}
