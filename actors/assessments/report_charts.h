/* report_charts: the two drawings of a report, as SVG that says in its <desc> what it shows. Pure, in whole tenths of a unit. */
#pragma once
#include "report_page.h"
#include "../../shared/base/markup.h"

/* This attempt's scores on six axes, and the last one's as a dashed line. */
void chart_radar(markup_t *, arena_t *, const report_t *);
/* A small panel for each area: its scores by day. */
void chart_trend(markup_t *, arena_t *, const report_t *);
/* The attempt before this one; NULL: there is none. */
const report_attempt_t *report_before(const report_t *);
