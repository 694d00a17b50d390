/* demo_question_rows: one table by COPY, in a transaction with the note of it, as demo_video_rows.c does it for videos. */
#include "demo_question_rows.h"
#include "../base/clock.h"
#include "admin_sql.h"
#include "demo_copy.h"
#include "demo_questions.h"
#include <inttypes.h>

/* What an option is called in an answer: "a", "b" … */
static const char *options_json(buffer_t *json, const demo_question_t *question)
{
    json->length = 0;
    for (int i = 0; i < question->option_count; i++)
        buffer_format(json, "%s{\"key\": \"%c\", \"label\": \"%s\", \"score\": %d}", i ? ", " : "[", 'a' + i,
            question->options[i].label, question->options[i].score);
    buffer_add(json, "]", 2); /* with its NUL */
    return json->data;
}

static void scale_columns(copy_t *copy, const demo_question_t *question)
{
    if (question->answer == DEMO_SCALE) {
        copy_integer(copy, DEMO_SCALE_MIN);
        copy_integer(copy, DEMO_SCALE_MAX);
    } else {
        copy_null(copy);
        copy_null(copy);
    }
}

static void question_row(copy_t *copy, buffer_t *json, const demo_question_t *question)
{
    copy_uuid(copy, question->id);
    copy_uuid(copy, question->id); /* the first of its line */
    copy_string(copy, development_areas[question->area]);
    copy_integer(copy, question->first_month);
    copy_integer(copy, question->last_month);
    copy_string(copy, question->text);
    copy_string(copy, demo_answer_names[question->answer]);
    copy_integer(copy, question->weight);
    copy_boolean(copy, question->reverse);
    copy_boolean(copy, question->critical);
    scale_columns(copy, question);
    copy_string(copy, question->option_count ? options_json(json, question) : NULL);
    copy_integer(copy, question->order_index);
    copy_time(copy, demo_questions_written());
    copy_row_end(copy);
}

static bool rows_load(PGconn *connection, const demo_questions_t *questions, FILE *out)
{
    copy_t copy;
    buffer_t json = {0};
    if (!copy_begin(&copy, connection, out,
            "COPY assessments.assessment_questions (id, lineage, category, age_range_start, age_range_end, question_text,"
            " answer_type, weight, reverse, is_critical, scale_min, scale_max, options, order_index, created_at) FROM STDIN"))
        return false;
    for (int i = 0; i < questions->count && !copy.failed; i++)
        question_row(&copy, &json, &questions->items[i]);
    buffer_free(&json);
    return copy_end(&copy);
}

static bool count_record(PGconn *connection, int count, FILE *out)
{
    char number[16];
    snprintf(number, sizeof number, "%d", count);
    PGresult *result = admin_query(connection, out, "could not record the demo data",
        "UPDATE aipoten.demo_data SET questions = $1::integer", 1, (const char *const[]){number});
    PQclear(result);
    return result != NULL;
}

static bool table_load(PGconn *connection, const demo_questions_t *questions, FILE *out)
{
    int64_t began = clock_monotonic();
    bool good = admin_execute(connection, out, "could not begin", "SET statement_timeout = 0; BEGIN") &&
                rows_load(connection, questions, out) && count_record(connection, questions->count, out) &&
                admin_execute(connection, out, "could not commit", "COMMIT") &&
                admin_execute(connection, out, "could not vacuum", "VACUUM (ANALYZE) assessments.assessment_questions");
    if (good)
        fprintf(out, "loaded %d questions in %.1f s\n", questions->count,
            (double)(clock_monotonic() - began) / CLOCK_SECOND);
    return good;
}

bool demo_questions_load(PGconn *connection, const demo_options_t *asked)
{
    FILE *out = asked->out;
    int64_t loaded, own;
    if (!admin_number(connection, out, "could not look for questions",
            "SELECT count(questions) FROM aipoten.demo_data", &loaded) ||
        !admin_number(connection, out, "could not look for questions",
            "SELECT count(*) FROM (SELECT FROM assessments.assessment_questions LIMIT 1) q", &own))
        return false;
    if (!loaded && own)
        fprintf(out, "the database has questions of its own: those of the demo data are not loaded beside them\n");
    if (loaded || own)
        return true;
    demo_questions_t questions;
    bool good = demo_questions_read(asked->schema_directory, &questions, out) && table_load(connection, &questions, out);
    demo_questions_free(&questions);
    return good;
}
