/* demo_question_rows: the demo data's questions as rows (demo_questions.h). */
#pragma once
#include "demo.h"
#include <libpq-fe.h>
#include <stdbool.h>

/* Loads them when none are there: true when they are (now, or since an earlier load), or when the database has some of its own, else
 * false and a sentence in the options' `out`. */
bool demo_questions_load(PGconn *, const demo_options_t *);
