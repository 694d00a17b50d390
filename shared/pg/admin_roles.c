/* admin_roles: see the header. Holds always: an actor's role has no attribute beyond LOGIN; one that was
 * given more by somebody else is refused rather than used. */
#include "admin_roles.h"
#include "../crypto/secrets.h"
#include "../shm/services.h"
#include "admin_sql.h"

/* Connections of one role on the server: one actor gone wild leaves room for the others (of PostgreSQL's
 * 100). */
enum { ROLE_CONNECTIONS = 60, ROLE_NAME_SIZE = 64 };

static const char role_state_sql[] =
    "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls"
    " OR EXISTS (SELECT FROM pg_auth_members WHERE member = pg_roles.oid) FROM pg_roles WHERE rolname = $1";

enum role_state { ROLE_STATE_FAILED, ROLE_STATE_MISSING, ROLE_STATE_FITS, ROLE_STATE_POWERFUL };

/* The name of row i's role; false when it has none, or an earlier row named it. */
static bool role_of_row(int i, char name[static ROLE_NAME_SIZE])
{
    if (!services[i].role)
        return false;
    for (int j = 0; j < i; j++)
        if (services[j].role && strcmp(services[j].role, services[i].role) == 0)
            return false;
    snprintf(name, ROLE_NAME_SIZE, "aipoten_%s", services[i].role);
    return true;
}

static enum role_state role_look(PGconn *connection, const char *role, FILE *out)
{
    PGresult *result = admin_query(connection, out, "could not look at the roles", role_state_sql, 1, &role);
    if (!result)
        return ROLE_STATE_FAILED;
    enum role_state state = PQntuples(result) == 0                       ? ROLE_STATE_MISSING
                            : strcmp(PQgetvalue(result, 0, 0), "f") == 0 ? ROLE_STATE_FITS
                                                                         : ROLE_STATE_POWERFUL;
    PQclear(result);
    return state;
}

static bool role_create(PGconn *connection, const char *role, FILE *out)
{
    /* Another database of this server may be migrated at the same time: who comes second finds the role
     * there. */
    buffer_t sql = {0};
    buffer_format(&sql,
        "DO $$ BEGIN CREATE ROLE %s LOGIN NOINHERIT; EXCEPTION WHEN duplicate_object OR unique_violation "
        "THEN NULL; END $$",
        role);
    buffer_add_char(&sql, '\0');
    bool done = admin_execute(connection, out, "could not create an actor's role", sql.data);
    buffer_free(&sql);
    return done;
}

/* A verifier has no quote in it, but nothing here is built on that. */
static bool role_alter(PGconn *connection, const char *role, const char *verifier, FILE *out)
{
    char *literal = PQescapeLiteral(connection, verifier, strlen(verifier));
    buffer_t sql = {0};
    buffer_format(
        &sql, "ALTER ROLE %s LOGIN CONNECTION LIMIT %d PASSWORD %s;", role, ROLE_CONNECTIONS, literal);
    buffer_format(&sql, "ALTER ROLE %s SET timezone = 'UTC';", role);
    buffer_format(&sql, "ALTER ROLE %s SET search_path = pg_catalog;", role);
    buffer_format(&sql, "ALTER ROLE %s SET idle_in_transaction_session_timeout = '30s'", role);
    buffer_add_char(&sql, '\0');
    bool done = admin_execute(connection, out, "could not set an actor's role up", sql.data);
    PQfreemem(literal);
    buffer_free(&sql);
    return done;
}

static bool role_set_up(
    PGconn *connection, const char *role, const char *secret, const char *directory, FILE *out)
{
    char error[256];
    buffer_t password = {0};
    if (secrets_read(directory, secret, &password, error, sizeof error) != 0) {
        fprintf(out, "no password for %s: %s\n", role, error);
        return false;
    }
    buffer_add_char(&password, '\0');
    char *verifier = PQencryptPasswordConn(connection, password.data, role, "scram-sha-256");
    explicit_bzero(password.data, password.length);
    buffer_free(&password);
    if (!verifier) {
        admin_explain(connection, NULL, out, "could not make a password verifier");
        return false;
    }
    bool done = role_alter(connection, role, verifier, out);
    PQfreemem(verifier);
    return done;
}

static void powerful_say(const char *role, FILE *out)
{
    fprintf(out,
        "role %s has more rights than an actor may have: drop it, or take its attributes and memberships "
        "away\n",
        role);
}

static bool role_ensure(
    PGconn *connection, const char *role, const char *secret, const char *directory, FILE *out)
{
    switch (role_look(connection, role, out)) {
    case ROLE_STATE_FAILED:
        return false;
    case ROLE_STATE_POWERFUL:
        powerful_say(role, out);
        return false;
    case ROLE_STATE_MISSING:
        if (!role_create(connection, role, out))
            return false;
        fprintf(out, "made role %s\n", role);
        break;
    case ROLE_STATE_FITS:
        break;
    }
    return role_set_up(connection, role, secret, directory, out);
}

bool roles_ensure(PGconn *connection, const char *secrets_directory, FILE *out)
{
    char role[ROLE_NAME_SIZE], secret[ROLE_NAME_SIZE];
    for (int i = 0; i < service_count; i++) {
        if (!role_of_row(i, role))
            continue;
        snprintf(secret, sizeof secret, "db.%s", services[i].role);
        if (!role_ensure(connection, role, secret, secrets_directory, out))
            return false;
    }
    return true;
}

/* As the actor does. What the server says of a refusal names the role only. */
static void login_check(const char *url, const char *role, const char *secret, const char *directory, FILE *out)
{
    char error[256];
    buffer_t password = {0};
    if (secrets_read(directory, secret, &password, error, sizeof error) != 0) {
        fprintf(out, "no password for %s: %s\n", role, error);
        return;
    }
    buffer_add_char(&password, '\0');
    const char *const names[] = {"dbname", "user", "password", "connect_timeout", "fallback_application_name", NULL};
    const char *const values[] = {url, role, password.data, "10", "aipotenctl db", NULL};
    PGconn *connection = PQconnectdbParams(names, values, 1);
    if (PQstatus(connection) != CONNECTION_OK) {
        fprintf(out, "role %s cannot log in with the password in %s/%s: aipotenctl db migrate sets it\n", role, directory, secret);
        admin_explain(connection, NULL, out, "it was told");
    }
    PQfinish(connection);
    explicit_bzero(password.data, password.length);
    buffer_free(&password);
}

void roles_check(PGconn *connection, const char *url, const char *secrets_directory, FILE *out)
{
    char role[ROLE_NAME_SIZE], secret[ROLE_NAME_SIZE];
    for (int i = 0; i < service_count; i++) {
        if (!role_of_row(i, role))
            continue;
        snprintf(secret, sizeof secret, "db.%s", services[i].role);
        enum role_state state = role_look(connection, role, out);
        if (state == ROLE_STATE_MISSING)
            fprintf(out, "role %s is missing: aipotenctl db migrate makes it\n", role);
        else if (state == ROLE_STATE_POWERFUL)
            powerful_say(role, out);
        else if (state == ROLE_STATE_FITS)
            login_check(url, role, secret, secrets_directory, out);
    }
}

bool roles_report(PGconn *connection, FILE *out)
{
    char role[ROLE_NAME_SIZE];
    for (int i = 0; i < service_count; i++) {
        if (!role_of_row(i, role))
            continue;
        enum role_state state = role_look(connection, role, out);
        if (state == ROLE_STATE_FAILED)
            return false;
        if (state == ROLE_STATE_MISSING)
            fprintf(out, "would make role %s\n", role);
    }
    return true;
}
