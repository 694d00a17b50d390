/* demo_video_rows: the demo data's videos as rows (demo_videos.h). */
#pragma once
#include "demo.h"
#include <libpq-fe.h>
#include <stdbool.h>

/* Loads them when none are there: true when they are (now, or since an earlier load of as many as were asked for), else false
 * and a sentence in the options' `out`. */
bool demo_videos_load(PGconn *, const demo_options_t *);
