/* demo_lists: see the header. A line is words separated by a space; "#" begins a remark. Each file's reader
 * is a function that takes one line's words; a line it does not understand is refused with its number. */
#include "demo_lists.h"
#include "../base/panic.h"
#include "admin_files.h"
#include <stdlib.h>

enum { LIST_BYTES_MAX = 1 << 20, LINE_WORDS = 5 };

static const char *const era_names[ERAS] = {"1970", "1980", "1990", "2020"};
static const char *const sex_names[SEXES] = {"f", "m"};
static const char *const history_names[HISTORIES] = {"medical", "preterm", "family", "treatment", "notes"};

static int name_index(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

static bool list_add(demo_list_t *list, const char *text, const char *roman, const char *weight)
{
    int64_t number;
    if (!text_to_int(text_of(weight), &number) || number < 1 || number > 10000)
        return false;
    list->items = memory_resize(list->items, (size_t)(list->count + 1) * sizeof *list->items);
    list->items[list->count++] = (demo_word_t){.text = text, .roman = roman, .weight = (int)number};
    list->weight += (int)number;
    return true;
}

static bool surname_add(demo_lists_t *lists, char **words, int count)
{
    return count == 3 && list_add(&lists->surnames, words[0], words[1], words[2]);
}

static bool given_name_add(demo_lists_t *lists, char **words, int count)
{
    if (count != 5)
        return false;
    int era = name_index(era_names, ERAS, words[0]), sex = name_index(sex_names, SEXES, words[1]);
    return era >= 0 && sex >= 0 && list_add(&lists->given[era][sex], words[2], words[3], words[4]);
}

static bool history_add(demo_lists_t *lists, char **words, int count)
{
    int kind = count == 2 ? name_index(history_names, HISTORIES, words[0]) : -1;
    return kind >= 0 && list_add(&lists->histories[kind], words[1], NULL, "1");
}

/* The last word takes the rest of the line. */
typedef struct {
    const char *name;
    int words;
    bool (*add)(demo_lists_t *, char **words, int count);
} list_file_t;
static const list_file_t list_files[] = {
    {.name = "surnames.txt", .words = 3, .add = surname_add},
    {.name = "given_names.txt", .words = 5, .add = given_name_add},
    {.name = "histories.txt", .words = 2, .add = history_add},
};
_Static_assert(ARRAY_SIZE(list_files) == ARRAY_SIZE(((demo_lists_t *)0)->files), "a buffer per file");

static bool line_read(const list_file_t *file, demo_lists_t *lists, char *line)
{
    char *words[LINE_WORDS], *rest = line;
    int count = 0;
    while (count < file->words - 1 && (words[count] = strsep(&rest, " ")) && rest)
        count++;
    if (!rest || !*rest)
        return false;
    words[count++] = rest;
    return file->add(lists, words, count);
}

static bool file_parse(
    const list_file_t *file, const char *path, demo_lists_t *lists, buffer_t *bytes, FILE *out)
{
    if (!file_read(path, LIST_BYTES_MAX, bytes, out))
        return false;
    buffer_add_char(bytes, '\0');
    char *rest = bytes->data, *line;
    for (int number = 1; (line = strsep(&rest, "\n")); number++) {
        if (!*line || *line == '#')
            continue;
        if (!line_read(file, lists, line)) {
            fprintf(out, "%s:%d: not as the other lines are\n", path, number);
            return false;
        }
    }
    return true;
}

static bool lists_full(const demo_lists_t *lists)
{
    bool full = lists->surnames.count > 0;
    for (int era = 0; era < ERAS; era++)
        for (int sex = 0; sex < SEXES; sex++)
            full = full && lists->given[era][sex].count > 0;
    for (int kind = 0; kind < HISTORIES; kind++)
        full = full && lists->histories[kind].count > 0;
    return full;
}

bool demo_lists_read(const char *schema_directory, demo_lists_t *lists, FILE *out)
{
    *lists = (demo_lists_t){0};
    for (size_t i = 0; i < ARRAY_SIZE(list_files); i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/demo/%s", schema_directory ? schema_directory : "schema",
            list_files[i].name);
        if (!file_parse(&list_files[i], path, lists, &lists->files[i], out))
            return false;
    }
    if (!lists_full(lists))
        fprintf(out, "the lists of the demo data lack a kind of word\n");
    return lists_full(lists);
}

void demo_lists_free(demo_lists_t *lists)
{
    free(lists->surnames.items);
    for (int era = 0; era < ERAS; era++)
        for (int sex = 0; sex < SEXES; sex++)
            free(lists->given[era][sex].items);
    for (int kind = 0; kind < HISTORIES; kind++)
        free(lists->histories[kind].items);
    for (size_t i = 0; i < ARRAY_SIZE(list_files); i++)
        buffer_free(&lists->files[i]);
    *lists = (demo_lists_t){0};
}

const demo_word_t *demo_list_pick(const demo_list_t *list, dice_t *dice)
{
    int left = dice_range(dice, 0, list->weight - 1);
    for (int i = 0; i < list->count; i++)
        if ((left -= list->items[i].weight) < 0)
            return &list->items[i];
    panic("weights of a list do not add up");
}
