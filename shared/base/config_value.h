/* config_value: the types a setting can have, each with its text form: what may be written, and how it is
 * shown. Only config*.c include this. */
#pragma once
#include "text.h"

enum config_type {
    CONFIG_TEXT,     /* const char * */
    CONFIG_INTEGER,  /* int64_t */
    CONFIG_SIZE,     /* int64_t, bytes: "512", "64K", "1M", "2G" */
    CONFIG_DURATION, /* int64_t, milliseconds: "200ms", "15s", "15m", "12h", "7d", "1y" (365 days); only 0
                        needs no unit */
    CONFIG_SWITCH,   /* bool: true, false, on, off, yes, no */
    CONFIG_LIST,     /* config_list_t, a YAML sequence of texts */
    CONFIG_TYPES
};

typedef struct {
    const char *name; /* "http.max_body" */
    enum config_type type;
    size_t offset;        /* in config_t */
    const char *standard; /* the default as it would be written; lists have none */
    int64_t min, max;     /* of numbers, both inclusive */
    /* Of a text or a list's item: NULL, or what is wanted instead ("an IP address"). */
    const char *(*refuse)(const char *value);
    const char *environment; /* this variable overrides the file; NULL: none */
    const char *meaning;
} config_row_t;

enum { CONFIG_ROWS_MAX = 256 };
extern const config_row_t config_rows[];
extern const int config_row_count;
/* Settings of which the first must not exceed the second. */
extern const char *const config_ordered[][2];
extern const int config_ordered_count;

/* "a size like 64K or 1M", for messages and for the table of all settings. */
const char *config_type_wanted(enum config_type type);
/* Reads a number or a switch (0, 1) and checks its range. 0, or -1 with a reason. */
int config_number_read(
    const config_row_t *row, const char *text, int64_t *out, char *error, size_t error_size);
/* Writes a number as it would be written in a file, in the largest unit that divides it. */
void config_number_format(enum config_type type, int64_t value, char *out, size_t out_size);

/* What a text may be: values of config_row_t.refuse. */
const char *config_refuse_address(const char *value);
const char *config_refuse_network(const char *value);
const char *config_refuse_origin(const char *value);
const char *config_refuse_url(const char *value);
const char *config_refuse_redirect(const char *value);
const char *config_refuse_level(const char *value);
const char *config_refuse_redis(const char *value);
const char *config_refuse_user(const char *value);
const char *config_refuse_name(const char *value);
const char *config_refuse_transport(const char *value);
const char *config_refuse_mail_tls(const char *value);
const char *config_refuse_host(const char *value);
const char *config_refuse_email(const char *value);
const char *config_refuse_line(const char *value);
const char *config_refuse_token(const char *value);
