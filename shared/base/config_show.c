/* config_show: settings and what is to be known of them, as people and programs read it. Users and passwords of URLs are not shown: who shows
 * settings takes them from here. */
#include "config.h"
#include "config_value.h"
#include "memory.h"
#include "panic.h"

enum { SHOWN_BYTES = 1 << 20, NUMBER_SIZE = 32 };

static _Noreturn void on_limit(void *argument)
{
    (void)argument;
    panic("one setting takes more than %d bytes", SHOWN_BYTES);
}

static const char *masked(arena_t *arena, const char *text)
{
    const char *scheme = strstr(text, "://"), *at = strrchr(text, '@');

    if (scheme == NULL || at == NULL || at < scheme)
        return text;
    return arena_format(arena, "%.*s***%s%c", (int)(scheme + 3 - text), text, at, '\0').data;
}

static const char *number_text(arena_t *arena, enum config_type type, int64_t value)
{
    char *text = arena_allocate(arena, NUMBER_SIZE);
    config_number_format(type, value, text, NUMBER_SIZE);
    return text;
}

static const enum config_form forms[CONFIG_TYPES] = {[CONFIG_TEXT] = CONFIG_FORM_TEXT,
    [CONFIG_INTEGER] = CONFIG_FORM_PLAIN,
    [CONFIG_SIZE] = CONFIG_FORM_QUANTITY,
    [CONFIG_DURATION] = CONFIG_FORM_QUANTITY,
    [CONFIG_SWITCH] = CONFIG_FORM_PLAIN,
    [CONFIG_LIST] = CONFIG_FORM_LIST};

static void values_show(arena_t *arena, const config_row_t *row, const config_t *config, config_shown_t *out)
{
    const void *member = (const char *)config + row->offset;
    const config_list_t *list = member;
    int count = row->type == CONFIG_LIST ? list->count : 1;
    const char **values = arena_allocate(arena, ((size_t)count + 1) * sizeof(char *));

    if (row->type == CONFIG_LIST)
        for (int i = 0; i < count; i++)
            values[i] = masked(arena, list->items[i]);
    else if (row->type == CONFIG_TEXT)
        values[0] = masked(arena, *(const char *const *)member);
    else
        values[0] = number_text(arena, row->type, row->type == CONFIG_SWITCH ? *(const bool *)member : *(const int64_t *)member);
    out->values = values;
    out->count = count;
}

void config_walk(const config_t *config, void (*see)(void *argument, const config_shown_t *), void *argument)
{
    arena_t *arena = arena_create(SHOWN_BYTES, on_limit, NULL);

    for (int i = 0; i < config_row_count; i++) {
        const config_row_t *row = &config_rows[i];
        bool ranged = row->type == CONFIG_INTEGER || row->type == CONFIG_SIZE || row->type == CONFIG_DURATION;
        config_shown_t shown = {.name = row->name,
            .meaning = row->meaning,
            .wanted = config_type_wanted(row->type),
            .environment = row->environment,
            .least = ranged ? number_text(arena, row->type, row->min) : NULL,
            .most = ranged ? number_text(arena, row->type, row->max) : NULL,
            .form = forms[row->type]};
        if (config != NULL) {
            values_show(arena, row, config, &shown);
        } else {
            shown.values = &row->standard;
            shown.count = row->type == CONFIG_LIST ? 0 : 1;
        }
        see(argument, &shown);
        arena_reset(arena);
    }
    arena_destroy(&arena);
}

static void describe_one(void *argument, const config_shown_t *shown)
{
    FILE *out = argument;

    fprintf(out, "%s: %s\n    %s\n    %s", shown->name,
        shown->form == CONFIG_FORM_LIST ? "[]"
        : shown->values[0][0]           ? shown->values[0]
                                        : "\"\"",
        shown->meaning, shown->wanted);
    if (shown->least != NULL)
        fprintf(out, "; %s to %s", shown->least, shown->most);
    if (shown->environment != NULL)
        fprintf(out, "; the environment's %s overrides it", shown->environment);
    fputs("\n\n", out);
}

void config_describe(FILE *out)
{
    config_walk(NULL, describe_one, out);
}

/* As YAML. */
static void text_print(const char *text, FILE *out)
{
    fputc('"', out);
    for (; *text != '\0'; text++)
        fprintf(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    fputc('"', out);
}

static void print_one(void *argument, const config_shown_t *shown)
{
    FILE *out = argument;
    bool list = shown->form == CONFIG_FORM_LIST;

    fprintf(out, "%s: %s", shown->name, list ? "[" : "");
    for (int i = 0; i < shown->count; i++) {
        fputs(i > 0 ? ", " : "", out);
        if (list || shown->form == CONFIG_FORM_TEXT)
            text_print(shown->values[i], out);
        else
            fputs(shown->values[i], out);
    }
    fputs(list ? "]\n" : "\n", out);
}

void config_print(const config_t *config, FILE *out)
{
    config_walk(config, print_one, out);
}
