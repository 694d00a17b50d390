/* demo: see the header. Everything is loaded in one transaction, by COPY, table after table; each table's
 * rows follow from the people (demo_people.h). aipoten.demo_data remembers the sizes. */
#include "demo.h"
#include "../crypto/hash.h"
#include "../crypto/seal.h"
#include "../crypto/secrets.h"
#include "admin_sql.h"
#include "demo_copy.h"
#include "demo_people.h"
#include "demo_question_rows.h"
#include "demo_video_rows.h"
#include <inttypes.h>
#include <stdlib.h>

enum { WAIT_SECONDS = 60, PASSWORD_COST = 10, CONSENT_VERSION = 1, ARENA_BYTES = 1 << 20 };
enum { SPOUSE_PER_MILLE = 40, MARKETING_PER_MILLE = 350, WITHDRAWN_PER_MILLE = 50, SHARING_PER_MILLE = 250 };
enum { MEASURED_PER_MILLE = 850 };

typedef struct {
    demo_people_t people;
    key_ring_t accounts_keys, children_keys;
    uint8_t index_key[KEY_BYTES];
    const char *password_hash;
    arena_t *arena; /* emptied after each user */
    copy_t copy;
} demo_t;

/* --- accounts --- */

static digest_t phone_digest(const demo_t *demo, const char *phone)
{
    char digits[16];
    size_t count = 0;
    for (; *phone && count < sizeof digits; phone++)
        if (*phone != '-')
            digits[count++] = *phone;
    return hash_hmac(demo->index_key, (text_t){digits, count});
}

static void users_rows(demo_t *demo, const demo_user_t *user)
{
    copy_t *copy = &demo->copy;
    digest_t digest = phone_digest(demo, user->phone);
    seal_place_t place = {.table = "accounts.users", .column = "phone", .row = user->id};
    copy_uuid(copy, user->id);
    copy_string(copy, user->email);
    copy_string(copy, demo->password_hash);
    copy_string(copy, user->name);
    copy_bytes(copy, seal(demo->arena, &demo->accounts_keys, place, text_of(user->phone)));
    copy_bytes(copy, (text_t){(const char *)digest.bytes, sizeof digest.bytes});
    copy_string(copy, user->role);
    copy_string(copy, user->status);
    copy_string(copy, user->language);
    if (user->verified)
        copy_time(copy, user->created_at + 5 * 60 * CLOCK_SECOND);
    else
        copy_null(copy);
    copy_time(copy, user->created_at);
    copy_time(copy, user->created_at);
    copy_row_end(copy);
}

static void consent_row(
    demo_t *demo, const demo_user_t *user, dice_t *dice, const char *kind, bool granted, int64_t at)
{
    copy_uuid(&demo->copy, dice_uuid(dice, at));
    copy_uuid(&demo->copy, user->id);
    copy_string(&demo->copy, kind);
    copy_integer(&demo->copy, CONSENT_VERSION);
    copy_boolean(&demo->copy, granted);
    copy_time(&demo->copy, at);
    copy_row_end(&demo->copy);
}

static void consents_rows(demo_t *demo, const demo_user_t *user)
{
    static const char *const given_by_all[] = {"terms", "privacy"};
    static const char *const given_by_parents[] = {"child_health", "child_guardian"};
    dice_t dice = dice_of("consents", (uint64_t)user->index);
    for (size_t i = 0; i < ARRAY_SIZE(given_by_all); i++)
        consent_row(demo, user, &dice, given_by_all[i], true, user->created_at);
    if (!demo_is_parent(user->index))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(given_by_parents); i++)
        consent_row(demo, user, &dice, given_by_parents[i], true, user->created_at + 60 * CLOCK_SECOND);
    bool marketing = dice_chance(&dice, MARKETING_PER_MILLE);
    consent_row(demo, user, &dice, "marketing", marketing, user->created_at);
    if (marketing && dice_chance(&dice, WITHDRAWN_PER_MILLE))
        consent_row(demo, user, &dice, "marketing", false,
            user->created_at + dice_range(&dice, 1, 20) * 3600 * CLOCK_SECOND);
    if (dice_chance(&dice, SHARING_PER_MILLE) && user->index != DEMO_PARENT)
        consent_row(demo, user, &dice, "sharing", true, user->created_at + 3600 * CLOCK_SECOND);
}

/* --- children --- */

/* The rounds of the national check-ups, in days of life. */
typedef struct {
    int from, to;
} round_t;
static const round_t rounds[] = {
    {14, 35}, {120, 200}, {270, 380}, {540, 730}, {900, 1100}, {1260, 1470}, {1620, 1830}, {1980, 2160}};

typedef struct {
    uuid_t id;
    int32_t day;
    demo_size_t size;
    int64_t created_at;
} measurement_t;

/* The child's measurements, oldest first. */
static int measurements_of(const demo_child_t *child, measurement_t out[static ARRAY_SIZE(rounds)])
{
    dice_t dice = dice_of("measurements", child->number);
    int count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(rounds); i++) {
        int age = dice_range(&dice, rounds[i].from, rounds[i].to);
        bool measured = dice_chance(&dice, MEASURED_PER_MILLE);
        int weeks = child->gestational_weeks ? child->gestational_weeks : 40;
        demo_size_t size = demo_growth_at(child->sex, child->build, weeks, age, &dice);
        measurement_t *next = &out[count];
        *next = (measurement_t){.day = child->birth_date + age, .size = size};
        if (!measured || next->day >= demo_today())
            continue;
        int64_t evening = next->day * CLOCK_DAY + 10 * 3600 * CLOCK_SECOND;
        next->created_at =
            (evening > child->created_at ? evening : child->created_at) + (count + 2) * 60 * CLOCK_SECOND;
        next->id = dice_uuid(&dice, next->created_at);
        count++;
    }
    return count;
}

static void history_column(demo_t *demo, const demo_child_t *child, const char *column, const char *text)
{
    seal_place_t place = {.table = "children.children", .column = column, .row = child->id};
    if (text)
        copy_bytes(&demo->copy, seal(demo->arena, &demo->children_keys, place, text_of(text)));
    else
        copy_null(&demo->copy);
}

static void optional_decimal(copy_t *copy, int value, int scale)
{
    if (value)
        copy_decimal(copy, value, scale);
    else
        copy_null(copy);
}

static void child_row(demo_t *demo, const demo_user_t *parent, const demo_child_t *child)
{
    copy_t *copy = &demo->copy;
    measurement_t measured[ARRAY_SIZE(rounds)] = {0};
    int count = measurements_of(child, measured);
    const measurement_t *newest = &measured[count ? count - 1 : 0];
    copy_uuid(copy, child->id);
    copy_uuid(copy, parent->id);
    copy_string(copy, child->name);
    copy_date(copy, child->birth_date);
    copy_string(copy, child->sex_unknown ? "unknown" : child->sex == SEX_MALE ? "male" : "female");
    if (child->gestational_weeks)
        copy_integer(copy, child->gestational_weeks);
    else
        copy_null(copy);
    optional_decimal(copy, child->birth_weight, 2);
    optional_decimal(copy, count ? newest->size.height : 0, 1);
    optional_decimal(copy, count ? newest->size.weight : 0, 2);
    history_column(demo, child, "medical_history", child->histories[HISTORY_MEDICAL]);
    history_column(demo, child, "family_history", child->histories[HISTORY_FAMILY]);
    history_column(demo, child, "treatment_history", child->histories[HISTORY_TREATMENT]);
    history_column(demo, child, "notes", child->histories[HISTORY_NOTES]);
    copy_time(copy, child->created_at);
    copy_time(copy, child->created_at);
    copy_row_end(copy);
}

static void children_rows(demo_t *demo, const demo_user_t *user)
{
    for (int i = 0; i < demo->people.families[user->index]; i++) {
        demo_child_t child = demo_child(&demo->people, user, i);
        child_row(demo, user, &child);
    }
}

static void guardian_row(demo_t *demo, uuid_t child, uuid_t user, const char *relation, int64_t at)
{
    copy_uuid(&demo->copy, child);
    copy_uuid(&demo->copy, user);
    copy_string(&demo->copy, relation);
    copy_time(&demo->copy, at);
    copy_row_end(&demo->copy);
}

/* In a few families the next parent of the list is the other guardian of the children. */
static void guardians_rows(demo_t *demo, const demo_user_t *user)
{
    dice_t dice = dice_of("guardians", (uint64_t)user->index);
    int other = user->index + 1;
    bool shared = dice_chance(&dice, SPOUSE_PER_MILLE) && user->index != DEMO_PARENT &&
                  other < demo->people.users && demo_is_parent(other);
    for (int i = 0; i < demo->people.families[user->index]; i++) {
        demo_child_t child = demo_child(&demo->people, user, i);
        guardian_row(demo, child.id, user->id, "owner", child.created_at);
        if (!shared)
            continue;
        demo_user_t spouse = demo_user(&demo->people, other);
        int64_t since = child.created_at > spouse.created_at ? child.created_at : spouse.created_at;
        guardian_row(demo, child.id, spouse.id, "guardian", since + 3600 * CLOCK_SECOND);
    }
}

static void measurements_rows(demo_t *demo, const demo_user_t *user)
{
    for (int i = 0; i < demo->people.families[user->index]; i++) {
        demo_child_t child = demo_child(&demo->people, user, i);
        measurement_t measured[ARRAY_SIZE(rounds)];
        int count = measurements_of(&child, measured);
        for (int k = 0; k < count; k++) {
            copy_uuid(&demo->copy, measured[k].id);
            copy_uuid(&demo->copy, child.id);
            copy_date(&demo->copy, measured[k].day);
            copy_decimal(&demo->copy, measured[k].size.height, 1);
            copy_decimal(&demo->copy, measured[k].size.weight, 2);
            copy_decimal(&demo->copy, measured[k].size.head, 1);
            copy_time(&demo->copy, measured[k].created_at);
            copy_row_end(&demo->copy);
        }
    }
}

/* --- loading --- */

typedef struct {
    const char *what, *copy_sql, *vacuum_sql;
    void (*rows)(demo_t *, const demo_user_t *); /* those that hang on one user */
} demo_table_t;

static const demo_table_t tables[] = {
    {.what = "users",
        .copy_sql =
            "COPY accounts.users (id, email, password_hash, name, phone, phone_index, role, status, language,"
            " email_verified_at, created_at, updated_at) FROM STDIN",
        .vacuum_sql = "VACUUM (ANALYZE) accounts.users",
        .rows = users_rows},
    {.what = "consents",
        .copy_sql = "COPY accounts.consents (id, user_id, kind, version, granted, created_at) FROM STDIN",
        .vacuum_sql = "VACUUM (ANALYZE) accounts.consents",
        .rows = consents_rows},
    {.what = "children",
        .copy_sql =
            "COPY children.children (id, user_id, name, birth_date, gender, gestational_weeks, birth_weight,"
            " current_height, current_weight, medical_history, family_history, treatment_history, notes,"
            " created_at, updated_at) FROM STDIN",
        .vacuum_sql = "VACUUM (ANALYZE) children.children",
        .rows = children_rows},
    {.what = "guardians",
        .copy_sql = "COPY children.child_guardians (child_id, user_id, relation, created_at) FROM STDIN",
        .vacuum_sql = "VACUUM (ANALYZE) children.child_guardians",
        .rows = guardians_rows},
    {.what = "measurements",
        .copy_sql =
            "COPY children.child_measurements (id, child_id, measured_on, height, weight, head_circumference,"
            " created_at) FROM STDIN",
        .vacuum_sql = "VACUUM (ANALYZE) children.child_measurements",
        .rows = measurements_rows},
};

static bool table_load(demo_t *demo, PGconn *connection, const demo_table_t *table, FILE *out)
{
    if (!copy_begin(&demo->copy, connection, out, table->copy_sql))
        return false;
    for (int i = 0; i < demo->people.users && !demo->copy.failed; i++) {
        demo_user_t user = demo_user(&demo->people, i);
        table->rows(demo, &user);
        arena_reset(demo->arena);
    }
    return copy_end(&demo->copy);
}

static bool sizes_record(PGconn *connection, const demo_people_t *people, FILE *out)
{
    char users[16], children[16];
    snprintf(users, sizeof users, "%d", people->users);
    snprintf(children, sizeof children, "%d", people->children);
    PGresult *result = admin_query(connection, out, "could not record the demo data",
        "INSERT INTO aipoten.demo_data (users, children) VALUES ($1, $2)", 2,
        (const char *const[]){users, children});
    PQclear(result);
    return result != NULL;
}

static bool tables_load(demo_t *demo, PGconn *connection, FILE *out)
{
    int64_t began = clock_monotonic(), rows[ARRAY_SIZE(tables)];
    bool good = admin_execute(connection, out, "could not begin", "SET statement_timeout = 0; BEGIN");
    for (size_t i = 0; good && i < ARRAY_SIZE(tables); i++) {
        good = table_load(demo, connection, &tables[i], out);
        rows[i] = demo->copy.rows;
    }
    good = good && sizes_record(connection, &demo->people, out) &&
           admin_execute(connection, out, "could not commit", "COMMIT");
    /* Statistics, and the visibility that index-only scans need, before the first request. */
    for (size_t i = 0; good && i < ARRAY_SIZE(tables); i++)
        good = admin_execute(connection, out, "could not vacuum", tables[i].vacuum_sql);
    if (!good)
        return false;
    fprintf(out, "loaded");
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
        fprintf(out, "%s %" PRId64 " %s", i ? "," : "", rows[i], tables[i].what);
    fprintf(out, " in %.1f s\n", (double)(clock_monotonic() - began) / CLOCK_SECOND);
    return true;
}

/* --- what must be there before --- */

static bool secret_text(const char *directory, const char *name, buffer_t *value, FILE *out)
{
    char error[256];
    if (secrets_read(directory, name, value, error, sizeof error) == 0)
        return true;
    fprintf(out, "no secret %s: %s\n", name, error);
    return false;
}

static bool ring_load(const char *directory, const char *name, key_ring_t *ring, FILE *out)
{
    buffer_t value = {0};
    bool good = secret_text(directory, name, &value, out);
    if (good && key_ring_parse(buffer_text(&value), ring) != 0) {
        fprintf(out, "the secret %s is no ring of keys\n", name);
        good = false;
    }
    if (value.data)
        explicit_bzero(value.data, value.length);
    buffer_free(&value);
    return good;
}

static bool index_key_load(const char *directory, uint8_t key[static KEY_BYTES], FILE *out)
{
    buffer_t value = {0};
    bool good = secret_text(directory, "index_key", &value, out);
    if (good && value.length != KEY_BYTES) {
        fprintf(out, "the secret index_key has not %d bytes\n", KEY_BYTES);
        good = false;
    }
    if (good)
        memcpy(key, value.data, KEY_BYTES);
    if (value.data)
        explicit_bzero(value.data, value.length);
    buffer_free(&value);
    return good;
}

enum state { STATE_FAILED, STATE_EMPTY, STATE_LOADED };

static enum state state_compare(
    PGresult *result, const demo_options_t *asked, const demo_people_t *people, FILE *out)
{
    int users = atoi(PQgetvalue(result, 0, 0)), children = atoi(PQgetvalue(result, 0, 1));
    if ((!asked->users || users == asked->users) && (!asked->children || children == asked->children)) {
        fprintf(out, "the demo data is there already: %d users, %d children\n", users, children);
        return STATE_LOADED;
    }
    fprintf(out,
        "demo data of another size is there: %d users, %d children. To start over, make the database anew "
        "(tools/stop, remove the data below AIPOTEN_VAR, tools/run), then load %d users, %d children\n",
        users, children, people->users, people->children);
    return STATE_FAILED;
}

static enum state state_read(PGconn *connection, const demo_options_t *asked, const demo_people_t *people)
{
    FILE *out = asked->out;
    int64_t migrated, users;
    if (!admin_number(connection, out, "could not look at the schema",
            "SELECT (to_regclass('aipoten.demo_data') IS NOT NULL)::int", &migrated))
        return STATE_FAILED;
    if (!migrated) {
        fprintf(out, "the database has no schema yet: run aipotenctl db migrate first\n");
        return STATE_FAILED;
    }
    PGresult *result = admin_query(connection, out, "could not look for demo data",
        "SELECT users, children FROM aipoten.demo_data", 0, NULL);
    if (!result)
        return STATE_FAILED;
    enum state state = PQntuples(result) ? state_compare(result, asked, people, out) : STATE_EMPTY;
    PQclear(result);
    if (state != STATE_EMPTY)
        return state;
    if (!admin_number(connection, out, "could not look for users",
            "SELECT count(*) FROM (SELECT FROM accounts.users LIMIT 1) u", &users))
        return STATE_FAILED;
    if (users)
        fprintf(out, "the database has users of its own: demo data, whose passwords everybody knows, "
                     "only goes into an empty one (tools/run: AIPOTEN_DEMO_USERS=0)\n");
    return users ? STATE_FAILED : STATE_EMPTY;
}

static bool keys_load(demo_t *demo, const char *directory, FILE *out)
{
    return ring_load(directory, "data_keys.accounts", &demo->accounts_keys, out) &&
           ring_load(directory, "data_keys.children", &demo->children_keys, out) &&
           index_key_load(directory, demo->index_key, out);
}

static bool load_connected(demo_t *demo, PGconn *connection, const demo_options_t *asked)
{
    if (!admin_lock(connection, asked->out, WAIT_SECONDS))
        return false;
    enum state state = state_read(connection, asked, &demo->people);
    if (state != STATE_EMPTY)
        return state == STATE_LOADED;
    if (!keys_load(demo, asked->secrets_directory, asked->out))
        return false;
    arena_t *password_arena = arena_create(ARENA_BYTES, NULL, NULL);
    text_t hash = password_hash(password_arena, TEXT(DEMO_PASSWORD), PASSWORD_COST);
    demo->password_hash = arena_string(password_arena, hash);
    demo->arena = arena_create(ARENA_BYTES, NULL, NULL);
    bool loaded = tables_load(demo, connection, asked->out);
    arena_destroy(&demo->arena);
    arena_destroy(&password_arena);
    return loaded;
}

static int children_for(int users)
{
    int64_t usual = (int64_t)users * DEMO_CHILDREN / DEMO_USERS, most = demo_children_most(users);
    return (int)(usual < DEMO_NAMED_CHILDREN ? DEMO_NAMED_CHILDREN : usual > most ? most : usual);
}

int demo_load(const demo_options_t *options)
{
    FILE *out = options->out;
    demo_t demo = {0};
    demo_lists_t lists = {0};
    int users = options->users ? options->users : DEMO_USERS;
    int children = options->children ? options->children : children_for(users);
    bool loaded = false;
    if (demo_lists_read(options->schema_directory, &lists, out) &&
        demo_people_plan(&demo.people, &lists, users, children, out)) {
        PGconn *connection = admin_connect(options->url, out);
        loaded = connection && load_connected(&demo, connection, options) && demo_videos_load(connection, options) &&
                 demo_questions_load(connection, options);
        PQfinish(connection);
    }
    demo_people_free(&demo.people);
    demo_lists_free(&lists);
    explicit_bzero(&demo, sizeof demo);
    return loaded ? 0 : 1;
}
