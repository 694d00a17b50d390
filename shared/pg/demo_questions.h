/* demo_questions: the questions of the demo data, read from schema/demo/questions/AREA.txt; the head of each file says how a line reads.
 * Pure: a question's id follows from its area and its words, so that it stays the same when others come and go around it. */
#pragma once
#include "../base/development.h"
#include "../base/memory.h"
#include "../base/uuid.h"
#include <stdio.h>

enum { DEMO_OPTIONS_MAX = 6, DEMO_SCALE_MIN = 0, DEMO_SCALE_MAX = 3 };

enum demo_answer { DEMO_YES_NO, DEMO_SCALE, DEMO_MULTIPLE_CHOICE, DEMO_ANSWERS };

typedef struct {
    uuid_t id;
    enum development_area area;
    enum demo_answer answer;
    int first_month, last_month, weight; /* weight: thousandths */
    int order_index;                     /* in its area and band, from 1 */
    bool critical, reverse;
    const char *text;
    int option_count;
    struct {
        const char *label;
        int score; /* thousandths */
    } options[DEMO_OPTIONS_MAX];
} demo_question_t;

typedef struct {
    buffer_t files[AREAS]; /* the words point into them */
    demo_question_t *items; /* area after area, each from the youngest band on */
    int count;
} demo_questions_t;

/* The questions actor's name of a way to answer. */
extern const char *const demo_answer_names[DEMO_ANSWERS];
/* When they were all written, microseconds. */
int64_t demo_questions_written(void);
/* Reads the files of SCHEMA/demo/questions. false with file, line and reason in `out`; demo_questions_free in both cases. */
bool demo_questions_read(const char *schema_directory, demo_questions_t *, FILE *out);
void demo_questions_free(demo_questions_t *);
/* One line, which is changed and pointed into. false when it is not one. `band` and `order` are those of the lines before. */
typedef struct {
    int first_month, last_month, order;
} demo_band_t;
bool demo_question_line(char *line, enum development_area area, demo_band_t *band, demo_question_t *out, bool *is_question);
