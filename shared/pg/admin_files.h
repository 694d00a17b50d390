/* admin_files: the migrations that this release brings, read from its directory and checked: NNNN_name.sql, names of a-z, 0-9
 * and _, numbers from 0001 without gaps or doubles. */
#pragma once
#include "../base/memory.h"
#include <stdio.h>

enum { MIGRATION_NAME_MAX = 80, CHECKSUM_SIZE = 65, MIGRATIONS_MAX = 9999 };

typedef struct {
    int number;
    char name[MIGRATION_NAME_MAX]; /* "foundation" */
    char checksum[CHECKSUM_SIZE];  /* SHA-256 of the file's bytes, lower-case hexadecimal */
    char *sql;                     /* NUL-terminated */
} migration_t;

typedef struct {
    migration_t *items; /* by number: items[i].number == i + 1 */
    int count;
} migrations_t;

/* Reads SCHEMA/migrations. false with a sentence in `out`; migrations_free in both cases. */
bool migrations_read(const char *schema_directory, migrations_t *out, FILE *report);
void migrations_free(migrations_t *);

/* Reads a whole file of at most `limit` bytes to the end of `out`. false with a sentence in `report`. */
bool file_read(const char *path, size_t limit, buffer_t *out, FILE *report);
