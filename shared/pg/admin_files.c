/* admin_files: see the header. A file's bytes are read once: what was hashed is what runs. */
#include "admin_files.h"
#include "../crypto/hash.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

enum { MIGRATION_BYTES_MAX = 4 << 20 };

bool file_read(const char *path, size_t limit, buffer_t *out, FILE *report)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        fprintf(report, "could not open %s: %s\n", path, strerror(errno));
        return false;
    }
    char block[16384];
    size_t begin = out->length, got;
    while ((got = fread(block, 1, sizeof block, file)) > 0 && out->length - begin <= limit)
        buffer_add(out, block, got);
    bool failed = ferror(file), long_one = out->length - begin > limit;
    fclose(file);
    if (failed)
        fprintf(report, "could not read %s\n", path);
    else if (long_one)
        fprintf(report, "%s is longer than %zu bytes\n", path, limit);
    return !failed && !long_one;
}

/* "0001_foundation.sql" → 1, "foundation". */
static bool name_parse(const char *file, migration_t *migration)
{
    text_t rest = text_of(file), digits, name;
    int64_t number;
    if (!text_split(&rest, '_', &digits) || digits.length != 4 || !text_to_int(digits, &number) || number < 1)
        return false;
    if (rest.length < 5 || rest.length >= sizeof migration->name)
        return false;
    name = (text_t){rest.data, rest.length - 4};
    for (size_t i = 0; i < name.length; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_", name.data[i]))
            return false;
    migration->number = (int)number;
    memcpy(migration->name, name.data, name.length);
    migration->name[name.length] = '\0';
    return true;
}

static void checksum_write(digest_t digest, char out[static CHECKSUM_SIZE])
{
    for (size_t i = 0; i < sizeof digest.bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", digest.bytes[i]);
}

static bool migration_read(const char *directory, const char *file, migration_t *migration, FILE *report)
{
    if (!name_parse(file, migration)) {
        fprintf(report, "%s/%s is not named as a migration is: NNNN_name.sql\n", directory, file);
        return false;
    }
    char path[4096];
    buffer_t bytes = {0};
    snprintf(path, sizeof path, "%s/%s", directory, file);
    bool good = file_read(path, MIGRATION_BYTES_MAX, &bytes, report);
    if (good && (!text_is_utf8(buffer_text(&bytes)) || !bytes.length)) {
        fprintf(report, "%s is not a text in UTF-8\n", path);
        good = false;
    }
    if (good) {
        checksum_write(hash_sha256(buffer_text(&bytes)), migration->checksum);
        buffer_add_char(&bytes, '\0');
        migration->sql = memory_string(bytes.data);
    }
    buffer_free(&bytes);
    return good;
}

static int by_number(const void *a, const void *b)
{
    return ((const migration_t *)a)->number - ((const migration_t *)b)->number;
}

static bool numbers_check(const char *directory, const migrations_t *migrations, FILE *report)
{
    for (int i = 0; i < migrations->count; i++) {
        const migration_t *migration = &migrations->items[i];
        if (migration->number == i + 1)
            continue;
        if (i && migration->number == migrations->items[i - 1].number)
            fprintf(report, "%s has two migrations %04d: %s and %s\n", directory, migration->number,
                migrations->items[i - 1].name, migration->name);
        else
            fprintf(report, "%s has no migration %04d before %04d_%s\n", directory, i + 1, migration->number,
                migration->name);
        return false;
    }
    if (!migrations->count)
        fprintf(report, "%s has no migrations\n", directory);
    return migrations->count > 0;
}

static bool ends_in_sql(const char *name)
{
    size_t length = strlen(name);
    return name[0] != '.' && length > 4 && strcmp(name + length - 4, ".sql") == 0;
}

bool migrations_read(const char *schema_directory, migrations_t *migrations, FILE *report)
{
    char directory[3072];
    snprintf(directory, sizeof directory, "%s/migrations", schema_directory ? schema_directory : "schema");
    *migrations = (migrations_t){0};
    DIR *entries = opendir(directory);
    if (!entries) {
        fprintf(report, "could not open %s: %s\n", directory, strerror(errno));
        return false;
    }
    bool good = true;
    for (struct dirent *entry; good && (entry = readdir(entries));) {
        if (!ends_in_sql(entry->d_name))
            continue;
        if (migrations->count == MIGRATIONS_MAX) {
            fprintf(report, "%s has more than %d migrations\n", directory, MIGRATIONS_MAX);
            good = false;
            break;
        }
        migrations->items =
            memory_resize(migrations->items, (size_t)(migrations->count + 1) * sizeof *migrations->items);
        migration_t *next = &migrations->items[migrations->count++];
        *next = (migration_t){0};
        good = migration_read(directory, entry->d_name, next, report);
    }
    closedir(entries);
    if (migrations->count)
        qsort(migrations->items, (size_t)migrations->count, sizeof *migrations->items, by_number);
    return good && numbers_check(directory, migrations, report);
}

void migrations_free(migrations_t *migrations)
{
    for (int i = 0; i < migrations->count; i++)
        free(migrations->items[i].sql);
    free(migrations->items);
    *migrations = (migrations_t){0};
}
