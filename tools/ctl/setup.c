/* db, events, mail and audit: what is done to the database, whether the system runs or not. */
#include "../../shared/pg/audit.h"
#include "../../shared/pg/check.h"
#include "../../shared/pg/demo.h"
#include "../../shared/pg/migrate.h"
#include "../../shared/pg/mails.h"
#include "../../shared/pg/outbox.h"
#include "../supervisor/home.h"
#include "../supervisor/paths.h"
#include "client.h"
#include "command.h"

#include <limits.h>
#include <stdlib.h>

static char schema[PATH_MAX], secrets[PATH_MAX];

/* Sets both paths; false: they are too long. */
static bool paths_find(void)
{
    char root[PATH_MAX], var[PATH_MAX];
    home_root(root);
    home_var(var);
    return paths_join(schema, sizeof(schema), root, "schema") &&
           paths_join(secrets, sizeof(secrets), var, "secrets");
}

static const char *database_url(void)
{
    const char *url = getenv("DATABASE_URL");
    if (url != NULL && url[0] != '\0')
        return url;
    complain(CTL_FAILED, "DATABASE_URL is not set (postgresql://owner:password@host:port/database)");
    return NULL;
}

static migrate_options_t migrate_options(const invocation_t *invocation, const char *url)
{
    return (migrate_options_t){.url = url,
        .schema_directory = schema,
        .secrets_directory = secrets,
        .out = stdout,
        .wait_seconds = (int)invocation->number[OPTION_TIMEOUT],
        .dry = invocation->given[OPTION_DRY],
        .json = invocation->given[OPTION_JSON]};
}

enum exit_status run_db_migrate(const invocation_t *invocation)
{
    const char *url = database_url();
    if (url == NULL || !paths_find())
        return CTL_FAILED;
    migrate_options_t options = migrate_options(invocation, url);
    return migrate_run(&options) == 0 ? CTL_OK : CTL_FAILED;
}

enum exit_status run_db_status(const invocation_t *invocation)
{
    const char *url = database_url();
    if (url == NULL || !paths_find())
        return CTL_FAILED;
    migrate_options_t options = migrate_options(invocation, url);
    return migrate_status(&options) == 0 ? CTL_OK : CTL_FAILED;
}

enum exit_status run_db_check(const invocation_t *invocation)
{
    const char *url = database_url();
    if (url == NULL || !paths_find())
        return CTL_FAILED;
    check_options_t options = {.url = url,
        .schema_directory = schema,
        .secrets_directory = secrets,
        .out = stdout,
        .json = invocation->given[OPTION_JSON]};
    return check_run(&options) == 0 ? CTL_OK : CTL_FAILED;
}

enum exit_status run_events(const invocation_t *invocation)
{
    const char *url = database_url();
    return url != NULL && outbox_status(url, stdout, invocation->given[OPTION_JSON]) == 0 ? CTL_OK : CTL_FAILED;
}

static enum exit_status events_resolve(const invocation_t *invocation, bool skip)
{
    const char *url = database_url();
    int64_t position = 0;
    if (invocation->count > 1 && (!text_to_int(text_of(invocation->arguments[1]), &position) || position < 1))
        return complain(CTL_USAGE, "POSITION must be a whole number from 1");
    return url != NULL && outbox_resolve(url, stdout, invocation->arguments[0], position, skip) == 0 ? CTL_OK : CTL_FAILED;
}

enum exit_status run_events_retry(const invocation_t *invocation)
{
    return events_resolve(invocation, false);
}

enum exit_status run_events_skip(const invocation_t *invocation)
{
    return events_resolve(invocation, true);
}

enum exit_status run_mail(const invocation_t *invocation)
{
    const char *url = database_url();
    return url != NULL && mails_status(url, stdout, invocation->given[OPTION_JSON]) == 0 ? CTL_OK : CTL_FAILED;
}

static enum exit_status mail_resolve(const invocation_t *invocation, bool skip)
{
    const char *url = database_url(), *id = invocation->count > 0 ? invocation->arguments[0] : NULL;
    uuid_t parsed;
    if (id != NULL && uuid_parse(text_of(id), &parsed) != 0)
        return complain(CTL_USAGE, "ID must be one that aipotenctl mail shows");
    return url != NULL && mails_resolve(url, stdout, id, skip) == 0 ? CTL_OK : CTL_FAILED;
}

enum exit_status run_mail_retry(const invocation_t *invocation)
{
    return mail_resolve(invocation, false);
}

enum exit_status run_mail_skip(const invocation_t *invocation)
{
    return mail_resolve(invocation, true);
}

enum exit_status run_db_demo(const invocation_t *invocation)
{
    const char *url = database_url();
    if (url == NULL || !paths_find())
        return CTL_FAILED;
    demo_options_t options = {.url = url,
        .schema_directory = schema,
        .secrets_directory = secrets,
        .out = stdout,
        .users = (int)invocation->number[OPTION_USERS],
        .children = (int)invocation->number[OPTION_CHILDREN],
        .videos = (int)invocation->number[OPTION_VIDEOS]};
    if (demo_load(&options) != 0)
        return CTL_FAILED;
    cache_forget();
    return CTL_OK;
}

enum exit_status run_audit_verify(const invocation_t *invocation)
{
    const char *url = database_url();
    if (url == NULL)
        return CTL_FAILED;
    audit_options_t options = {.url = url,
        .out = stdout,
        .json = invocation->given[OPTION_JSON],
        .anchor = invocation->count > 0 ? invocation->arguments[0] : NULL};
    return audit_verify(&options) == 0 ? CTL_OK : CTL_FAILED;
}
