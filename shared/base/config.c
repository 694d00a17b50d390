/* config: the reading of settings by the table in config_table.c (config_show.c shows them). Defaults pass through the same checks as
 * what a file says, so that a default out of its own range cannot exist. The order of force: default, file,
 * environment. */
#include "config.h"
#include "config_value.h"
#include "memory.h"
#include "panic.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <yaml.h>

enum { FILE_SIZE_MAX = 256 * 1024, DEPTH_MAX = 4, LIST_MAX = 64, NAME_SIZE = 128, REASON_SIZE = 256 };

typedef struct {
    yaml_parser_t parser;
    const char *file;
    config_t *config;
    int lines[CONFIG_ROWS_MAX]; /* where each row was set; 0: not in the file */
    char *error;
    size_t error_size;
} reader_t;

__attribute__((format(printf, 3, 4))) static int refuse(
    reader_t *reader, size_t line, const char *format, ...)
{
    char reason[REASON_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    for (char *p = reason; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?'; /* one line, whatever a file's quotes hold */
    if (line > 0)
        snprintf(reader->error, reader->error_size, "%s:%zu: %s", reader->file, line, reason);
    else
        snprintf(reader->error, reader->error_size, "%s: %s", reader->file, reason);
    return -1;
}

/* What a config points to lives until the process ends; the list keeps it reachable. */
static void *keep(const void *bytes, size_t size)
{
    typedef struct kept {
        struct kept *next;
        _Alignas(8) char bytes[];
    } kept_t;
    static kept_t *all;
    kept_t *kept = memory_allocate(sizeof(kept_t) + size);

    kept->next = all;
    all = kept;
    return memcpy(kept->bytes, bytes, size);
}

static char *text_keep(const char *text)
{
    return keep(text, strlen(text) + 1);
}

static void *row_member(const config_row_t *row, const config_t *config)
{
    return (char *)(uintptr_t)config + row->offset;
}

static int row_find(const char *name)
{
    for (int i = 0; i < config_row_count; i++)
        if (strcmp(config_rows[i].name, name) == 0)
            return i;
    return -1;
}

/* Is it the name of a group of settings, like "http"? */
static bool is_group(const char *name)
{
    size_t length = strlen(name);
    for (int i = 0; i < config_row_count; i++)
        if (strncmp(config_rows[i].name, name, length) == 0 && config_rows[i].name[length] == '.')
            return true;
    return false;
}

/* Levenshtein's distance; names longer than NAME_SIZE are as far as can be. */
static size_t name_distance(const char *a, const char *b)
{
    size_t row[NAME_SIZE + 1], a_length = strlen(a), b_length = strlen(b);

    if (a_length > NAME_SIZE || b_length > NAME_SIZE)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            best = best < row[j] + 1 ? best : row[j] + 1;
            row[j] = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
        }
    }
    return row[b_length];
}

static int refuse_unknown(reader_t *reader, size_t line, const char *name)
{
    size_t nearest = SIZE_MAX;
    const char *candidate = NULL;

    for (int i = 0; i < config_row_count; i++) {
        size_t distance = name_distance(name, config_rows[i].name);
        if (distance < nearest) {
            nearest = distance;
            candidate = config_rows[i].name;
        }
    }
    if (candidate != NULL && nearest <= 2 + strlen(name) / 4)
        return refuse(reader, line, "%s: no such setting; did you mean %s?", name, candidate);
    return refuse(reader, line, "%s: no such setting", name);
}

/* What a refused text is not; the text itself is not said where it is perhaps a URL with a password. -1. */
static int not_wanted(const char *text, const char *wanted, char *reason, size_t reason_size)
{
    if (strchr(text, '@') != NULL)
        snprintf(reason, reason_size, "is not %s", wanted);
    else
        snprintf(reason, reason_size, "\"%.60s\" is not %s", text, wanted);
    return -1;
}

/* Sets one setting that is no list. */
static int row_set(
    const config_row_t *row, config_t *config, const char *text, char *reason, size_t reason_size)
{
    int64_t number;

    if (row->type == CONFIG_LIST) {
        snprintf(reason, reason_size, "%s is wanted", config_type_wanted(row->type));
        return -1;
    }
    if (row->type == CONFIG_TEXT) {
        const char *wanted = row->refuse ? row->refuse(text) : NULL;
        if (wanted != NULL)
            return not_wanted(text, wanted, reason, reason_size);
        *(const char **)row_member(row, config) = text_keep(text);
        return 0;
    }
    if (strchr(text, '@') != NULL)
        return not_wanted(text, config_type_wanted(row->type), reason, reason_size);
    if (config_number_read(row, text, &number, reason, reason_size) != 0)
        return -1;
    if (row->type == CONFIG_SWITCH)
        *(bool *)row_member(row, config) = number != 0;
    else
        *(int64_t *)row_member(row, config) = number;
    return 0;
}

static int event_next(reader_t *reader, yaml_event_t *event)
{
    if (yaml_parser_parse(&reader->parser, event))
        return 0;
    size_t line = reader->parser.problem_mark.line + 1;
    return refuse(
        reader, line, "broken YAML: %s", reader->parser.problem ? reader->parser.problem : "unreadable");
}

/* A scalar's text; NULL when it holds what a setting cannot: a NUL byte, a tag. */
static const char *scalar_text(const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    bool plain = event->data.scalar.tag == NULL && strlen(text) == event->data.scalar.length;
    return plain ? text : NULL;
}

static bool is_empty_scalar(const yaml_event_t *event)
{
    return event->type == YAML_SCALAR_EVENT && event->data.scalar.length == 0 &&
           event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static int list_refuse(reader_t *reader, size_t line, const config_row_t *row, const char *text, const char *wanted)
{
    char reason[REASON_SIZE];
    not_wanted(text, wanted, reason, sizeof(reason));
    return refuse(reader, line, "%s: %s", row->name, reason);
}

/* The items after a sequence's beginning, to its end. */
static int list_read(reader_t *reader, const config_row_t *row)
{
    const char *items[LIST_MAX];
    config_list_t *list = row_member(row, reader->config);
    int count = 0, result = 0;
    bool end = false;

    while (result == 0 && !end) {
        yaml_event_t event;
        if (event_next(reader, &event) != 0)
            return -1;
        size_t line = event.start_mark.line + 1;
        const char *text = event.type == YAML_SCALAR_EVENT ? scalar_text(&event) : NULL;
        const char *wanted = text && row->refuse ? row->refuse(text) : NULL;
        if (event.type == YAML_SEQUENCE_END_EVENT)
            end = true;
        else if (text == NULL)
            result = refuse(reader, line, "%s: its items are texts", row->name);
        else if (wanted != NULL)
            result = list_refuse(reader, line, row, text, wanted);
        else if (count == LIST_MAX)
            result = refuse(reader, line, "%s: more than %d items", row->name, LIST_MAX);
        else
            items[count++] = text_keep(text);
        yaml_event_delete(&event);
    }
    if (result == 0 && count > 0) {
        list->items = keep(items, (size_t)count * sizeof(char *));
        list->count = count;
    }
    return result;
}

static int map_read(reader_t *reader, const char *prefix, int depth);

/* The value of a setting, whose first event is given. */
static int setting_read(reader_t *reader, int index, const yaml_event_t *event)
{
    const config_row_t *row = &config_rows[index];
    size_t line = event->start_mark.line + 1;
    char reason[REASON_SIZE];

    if (reader->lines[index] != 0)
        return refuse(reader, line, "%s: set twice, first in line %d", row->name, reader->lines[index]);
    reader->lines[index] = (int)line;
    if (event->type == YAML_SEQUENCE_START_EVENT && row->type == CONFIG_LIST)
        return list_read(reader, row);
    if (event->type == YAML_SCALAR_EVENT && row->type == CONFIG_LIST && is_empty_scalar(event))
        return 0;
    if (event->type != YAML_SCALAR_EVENT)
        return refuse(reader, line, "%s: %s is wanted, not a %s", row->name, config_type_wanted(row->type),
            event->type == YAML_MAPPING_START_EVENT ? "map" : "list");
    const char *text = scalar_text(event);
    if (text == NULL)
        return refuse(reader, line, "%s: tags and NUL bytes are not understood", row->name);
    if (row_set(row, reader->config, text, reason, sizeof(reason)) != 0)
        return refuse(reader, line, "%s: %s", row->name, reason);
    return 0;
}

static int value_read(reader_t *reader, const char *name, size_t name_line, int depth)
{
    yaml_event_t event;
    int index = row_find(name), result;

    if (event_next(reader, &event) != 0)
        return -1;
    size_t line = event.start_mark.line + 1;
    if (event.type == YAML_ALIAS_EVENT)
        result = refuse(reader, line, "%s: aliases are not understood", name);
    else if (index >= 0)
        result = setting_read(reader, index, &event);
    else if (!is_group(name))
        result = refuse_unknown(reader, name_line, name);
    else if (event.type == YAML_MAPPING_START_EVENT)
        result = map_read(reader, name, depth + 1);
    else if (is_empty_scalar(&event))
        result = 0; /* a group whose settings are all commented out */
    else
        result = refuse(reader, line, "%s: not a map: its settings stand below it", name);
    yaml_event_delete(&event);
    return result;
}

/* The pairs after a map's beginning, to its end. */
static int map_read(reader_t *reader, const char *prefix, int depth)
{
    char name[NAME_SIZE];
    yaml_event_t event;

    for (;;) {
        if (event_next(reader, &event) != 0)
            return -1;
        size_t line = event.start_mark.line + 1;
        bool end = event.type == YAML_MAPPING_END_EVENT;
        const char *key = event.type == YAML_SCALAR_EVENT ? scalar_text(&event) : NULL;
        size_t colon = key != NULL ? strcspn(key, ":") : 0;
        bool joined = key != NULL && key[colon] != '\0'; /* {url:redis://…}: what follows is perhaps a password */
        if (key != NULL)
            snprintf(name, sizeof(name), "%s%s%.*s", prefix, prefix[0] ? "." : "", (int)colon, key);
        yaml_event_delete(&event);
        if (end)
            return 0;
        if (key == NULL)
            return refuse(reader, line, "a setting's name is wanted");
        if (joined)
            return refuse(reader, line, "%s: a space is wanted after the colon", name);
        if (depth > DEPTH_MAX)
            return refuse(reader, line, "%s: nested too deep", name);
        if (value_read(reader, name, line, depth) != 0)
            return -1;
    }
}

/* The one document: a map, or nothing at all. */
static int document_read(reader_t *reader)
{
    yaml_event_t event;
    bool begun = false;

    for (;;) {
        if (event_next(reader, &event) != 0)
            return -1;
        yaml_event_type_t type = event.type;
        size_t line = event.start_mark.line + 1;
        bool empty = is_empty_scalar(&event);
        yaml_event_delete(&event);
        if (type == YAML_STREAM_END_EVENT)
            return 0;
        if (type == YAML_DOCUMENT_START_EVENT && begun)
            return refuse(reader, line, "more than one YAML document");
        if (type == YAML_DOCUMENT_START_EVENT)
            begun = true;
        else if (type == YAML_MAPPING_START_EVENT && map_read(reader, "", 1) != 0)
            return -1;
        else if (type == YAML_SEQUENCE_START_EVENT || type == YAML_ALIAS_EVENT ||
                 (type == YAML_SCALAR_EVENT && !empty))
            return refuse(reader, line, "not a map: settings are wanted, like \"http: {max_body: 1M}\"");
    }
}

static int environment_read(reader_t *reader)
{
    char reason[REASON_SIZE];

    for (int i = 0; i < config_row_count; i++) {
        const char *value = config_rows[i].environment ? getenv(config_rows[i].environment) : NULL;
        if (value == NULL || value[0] == '\0')
            continue;
        reader->lines[i] = 0;
        if (row_set(&config_rows[i], reader->config, value, reason, sizeof(reason)) != 0) {
            reader->file = "environment";
            return refuse(reader, 0, "%s: %s", config_rows[i].environment, reason);
        }
    }
    return 0;
}

static void defaults_set(config_t *config)
{
    char reason[REASON_SIZE];

    *config = (config_t){0};
    for (int i = 0; i < config_row_count; i++)
        if (config_rows[i].type != CONFIG_LIST &&
            row_set(&config_rows[i], config, config_rows[i].standard, reason, sizeof(reason)) != 0)
            panic("the default of %s: %s", config_rows[i].name, reason);
}

/* Of the section in which this name stands. */
static bool plain_loopback_of(const config_t *config, const char *name)
{
    if (strncmp(name, "push.", 5) == 0)
        return config->push.plain_loopback;
    return strncmp(name, "links.", 6) == 0 ? config->links.plain_loopback : config->oauth.plain_loopback;
}

/* Whom we ask has an address that is safe; a provider that has a client id has all that it needs. */
static int outside_check(reader_t *reader)
{
    const config_t *config = reader->config;
    const char *team = config->oauth.apple.team_id, *key = config->oauth.apple.key_id;

    for (int i = 0; i < config_row_count; i++) {
        const config_row_t *row = &config_rows[i];
        if (row->refuse != config_refuse_url || plain_loopback_of(config, row->name))
            continue;
        if (strncmp(*(const char **)row_member(row, config), "http:", 5) == 0)
            return refuse(reader, (size_t)reader->lines[i], "%s: https is wanted, unless %.*s.plain_loopback is on", row->name,
                (int)strcspn(row->name, "."), row->name);
    }
    if (config->oauth.apple.client_id[0] != '\0' && (team[0] == '\0' || key[0] == '\0'))
        return refuse(reader, (size_t)reader->lines[row_find("oauth.apple.client_id")],
            "oauth.apple.client_id: is of no use without oauth.apple.team_id and key_id");
    return 0;
}

static bool is_this_machine(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 || strncmp(host, "127.", 4) == 0;
}

/* Addresses, links with tokens and the password never travel through a network in clear. */
static int mail_check(reader_t *reader)
{
    const config_t *config = reader->config;
    if (strcmp(config->mail.transport, "smtp") != 0)
        return 0;
    if (config->mail.host[0] == '\0')
        return refuse(reader, (size_t)reader->lines[row_find("mail.transport")],
            "mail.host: is wanted when mail.transport is smtp");
    if (strcmp(config->mail.tls, "none") == 0 && !is_this_machine(config->mail.host))
        return refuse(reader, (size_t)reader->lines[row_find("mail.tls")],
            "mail.tls: none is for a server on this machine only, and mail.host is another");
    return 0;
}

/* What a single row cannot know. */
static int config_check(reader_t *reader)
{
    const config_t *config = reader->config;

    for (int i = 0; i < config_ordered_count; i++) {
        int small = row_find(config_ordered[i][0]), large = row_find(config_ordered[i][1]);
        insist(small >= 0 && large >= 0);
        if (*(int64_t *)row_member(&config_rows[small], config) >
            *(int64_t *)row_member(&config_rows[large], config)) {
            int line = reader->lines[small] ? reader->lines[small] : reader->lines[large];
            return refuse(
                reader, (size_t)line, "%s: must not exceed %s", config_ordered[i][0], config_ordered[i][1]);
        }
    }
    if ((config->listen.tls_certificate[0] == '\0') != (config->listen.tls_key[0] == '\0'))
        return refuse(reader, (size_t)reader->lines[row_find("listen.tls_key")],
            "listen.tls_key: is wanted exactly when listen.tls_certificate is given");
    if (config->listen.https_port != 0 && config->listen.https_port == config->listen.http_port)
        return refuse(reader, (size_t)reader->lines[row_find("listen.http_port")],
            "listen.http_port: the same as listen.https_port");
    if (outside_check(reader) != 0)
        return -1;
    return mail_check(reader);
}

static int config_read(text_t yaml, const char *name, config_t *out, char *error, size_t error_size)
{
    config_t config;
    reader_t reader = {.file = name, .config = &config, .error = error, .error_size = error_size};

    defaults_set(&config);
    if (!yaml_parser_initialize(&reader.parser))
        panic("out of memory: a YAML parser");
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)yaml.data, yaml.length);
    int result = document_read(&reader);
    yaml_parser_delete(&reader.parser);
    if (result != 0 || environment_read(&reader) != 0 || config_check(&reader) != 0)
        return -1;
    *out = config;
    return 0;
}

int config_load_fd(int fd, const char *name, config_t *out, char *error, size_t error_size)
{
    buffer_t file = {0};
    ssize_t got;
    int result;

    do {
        buffer_reserve(&file, 16 * 1024);
        got = pread(fd, file.data + file.length, file.capacity - file.length, (off_t)file.length);
        if (got > 0)
            file.length += (size_t)got;
    } while ((got > 0 && file.length <= FILE_SIZE_MAX) || (got < 0 && errno == EINTR));
    if (got < 0) {
        snprintf(error, error_size, "%s: %s", name, strerror(errno));
        result = -1;
    } else if (file.length > FILE_SIZE_MAX) {
        snprintf(error, error_size, "%s: larger than %d bytes", name, FILE_SIZE_MAX);
        result = -1;
    } else {
        result = config_read(buffer_text(&file), name, out, error, error_size);
    }
    buffer_free(&file);
    return result;
}

int config_load(const char *path, config_t *out, char *error, size_t error_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        snprintf(error, error_size, "%s: %s", path, strerror(errno));
        return -1;
    }
    int result = config_load_fd(fd, path, out, error, error_size);
    close(fd);
    return result;
}

int config_instances(const config_t *config, const char *service)
{
    char name[NAME_SIZE];

    snprintf(name, sizeof(name), "instances.%s", service);
    int index = row_find(name);
    return index < 0 ? 0 : (int)*(int64_t *)row_member(&config_rows[index], config);
}
