/* demo_questions: see the header. */
#include "demo_questions.h"
#include "../base/clock.h"
#include "admin_files.h"
#include "demo_people.h"
#include "demo_random.h"
#include <stdlib.h>

enum { FILE_BYTES_MAX = 1 << 20, AGE_FIRST = 4, AGE_LAST = 71, WEIGHT_MAX = 1000000, SCORE_WHOLE = 1000, WRITTEN_DAYS = 700 };

const char *const demo_answer_names[DEMO_ANSWERS] = {"yes_no", "scale", "multiple_choice"};

static const struct {
    const char *name;
    bool critical, reverse;
} flags[] = {{"-", false, false}, {"critical", true, false}, {"reverse", false, true}, {"critical,reverse", true, true}};

int64_t demo_questions_written(void)
{
    return (int64_t)(demo_today() - WRITTEN_DAYS) * CLOCK_DAY;
}

static bool number_read(const char *text, int least, int most, int *out)
{
    int64_t number;
    if (!text || !text_to_int(text_of(text), &number) || number < least || number > most)
        return false;
    *out = (int)number;
    return true;
}

/* "0", "1", "0.5", "0.25" in thousandths. */
static bool score_read(const char *text, int *out)
{
    int score = 0, unit = SCORE_WHOLE;
    if ((text[0] != '0' && text[0] != '1') || (text[1] != '\0' && (text[1] != '.' || text[2] == '\0')))
        return false;
    score = (text[0] - '0') * SCORE_WHOLE;
    for (const char *digit = text[1] ? text + 2 : text + 1; *digit; digit++) {
        unit /= 10;
        if (*digit < '0' || *digit > '9' || unit == 0)
            return false;
        score += (*digit - '0') * unit;
    }
    *out = score;
    return score <= SCORE_WHOLE;
}

/* Cuts `rest` at the first " / "; NULL when there is none more. */
static char *part_cut(char **rest)
{
    char *part = *rest, *end = part ? strstr(part, " / ") : NULL;
    if (end) {
        *end = '\0';
        *rest = end + 3;
    } else
        *rest = NULL;
    return part;
}

static bool option_read(char *part, demo_question_t *out)
{
    char *score = strstr(part, " = ");
    if (!score || score == part || out->option_count == DEMO_OPTIONS_MAX)
        return false;
    *score = '\0';
    out->options[out->option_count].label = part;
    return score_read(score + 3, &out->options[out->option_count++].score);
}

static bool band_read(char *line, demo_band_t *band)
{
    char *first = strsep(&line, "-");
    int before = band->last_month;
    band->order = 0;
    return number_read(first, AGE_FIRST, AGE_LAST, &band->first_month) &&
           number_read(line, band->first_month, AGE_LAST, &band->last_month) && band->first_month > before;
}

static bool kind_read(const char *name, demo_question_t *out)
{
    for (int i = 0; i < DEMO_ANSWERS; i++)
        if (name && strcmp(name, demo_answer_names[i]) == 0) {
            out->answer = (enum demo_answer)i;
            return true;
        }
    return false;
}

static bool flags_read(const char *name, demo_question_t *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        if (name && strcmp(name, flags[i].name) == 0) {
            out->critical = flags[i].critical;
            out->reverse = flags[i].reverse;
            return true;
        }
    return false;
}

static bool options_read(char *rest, demo_question_t *out)
{
    bool wanted = out->answer == DEMO_MULTIPLE_CHOICE;
    for (char *part; (part = part_cut(&rest)) != NULL;)
        if (!wanted || !option_read(part, out))
            return false;
    return !wanted || out->option_count >= 2;
}

bool demo_question_line(char *line, enum development_area area, demo_band_t *band, demo_question_t *out, bool *is_question)
{
    *is_question = false;
    if (*line == '\0' || *line == '#')
        return true;
    if (strncmp(line, "@ ", 2) == 0)
        return band_read(line + 2, band);
    if (strpbrk(line, "\"\\\t\r") || band->first_month == 0) /* the labels become JSON as they stand */
        return false;
    *out = (demo_question_t){.area = area, .first_month = band->first_month, .last_month = band->last_month};
    if (!kind_read(strsep(&line, " "), out) || !number_read(strsep(&line, " "), 1, WEIGHT_MAX, &out->weight) ||
        !flags_read(strsep(&line, " "), out))
        return false;
    out->text = part_cut(&line);
    if (!out->text || !*out->text || !options_read(line, out))
        return false;
    out->order_index = ++band->order;
    dice_t dice = dice_of(out->text, (uint64_t)area);
    out->id = dice_uuid(&dice, demo_questions_written());
    *is_question = true;
    return true;
}

static bool area_read(const char *schema_directory, enum development_area area, demo_questions_t *questions, FILE *out)
{
    char path[4096];
    demo_band_t band = {0};
    buffer_t *file = &questions->files[area];
    snprintf(path, sizeof path, "%s/demo/questions/%s.txt", schema_directory ? schema_directory : "schema",
        development_areas[area]);
    if (!file_read(path, FILE_BYTES_MAX, file, out))
        return false;
    buffer_add_char(file, '\0');
    char *rest = file->data, *line;
    for (int number = 1; (line = strsep(&rest, "\n")); number++) {
        demo_question_t question;
        bool is_question;
        if (!demo_question_line(line, area, &band, &question, &is_question)) {
            fprintf(out, "%s:%d: not as the file's head says\n", path, number);
            return false;
        }
        if (!is_question)
            continue;
        questions->items = memory_resize(questions->items, (size_t)(questions->count + 1) * sizeof *questions->items);
        questions->items[questions->count++] = question;
    }
    return true;
}

bool demo_questions_read(const char *schema_directory, demo_questions_t *questions, FILE *out)
{
    *questions = (demo_questions_t){0};
    for (int area = 0; area < AREAS; area++)
        if (!area_read(schema_directory, (enum development_area)area, questions, out))
            return false;
    return true;
}

void demo_questions_free(demo_questions_t *questions)
{
    for (int i = 0; i < AREAS; i++)
        buffer_free(&questions->files[i]);
    free(questions->items);
    *questions = (demo_questions_t){0};
}
