/* services: the table itself. Test builds of the supervisor link another table with the same three symbols.
 */
#include "services.h"
#include "../base/text.h"

/* accounts-hash is the actor `passwords`; it has the name it had when it also did a log-in's other work.
 *
 * Secrets are named as in crypto/secrets.h; three more are composed by the supervisor: database_url (host,
 * port and database of DATABASE_URL with the role's own name and password), tls_certificate and tls_key (the
 * PEM texts). */
static const char *const no_secrets[] = {NULL};
static const char *const accounts_secrets[] = {"database_url", "jwt_keys", "data_keys.accounts", "index_key",
    "token_key", "oauth.google", "oauth.kakao", "oauth.naver", "oauth.apple", NULL};
static const char *const children_secrets[] = {"database_url", "data_keys.children", NULL};
static const char *const admin_secrets[] = {"database_url", "data_keys.admin", NULL};
static const char *const videos_secrets[] = {"database_url", "data_keys.videos", NULL};
static const char *const mailer_secrets[] = {"database_url", "data_keys.mailer", "smtp_password", NULL};
static const char *const assessments_secrets[] = {"database_url", "data_keys.assessments", NULL};
static const char *const notifications_secrets[] = {"database_url", "data_keys.notifications", "push_vapid", "push_fcm",
    "push_apns", NULL};
static const char *const frontend_secrets[] = {"jwt_keys", "tls_certificate", "tls_key", "metrics_token", "turn_secret", NULL};

const service_t services[] = {
    {.name = "accounts", .program = "accounts", .stage = 1, .secrets = accounts_secrets, .role = "accounts"},
    {.name = "accounts-hash", .program = "passwords", .stage = 1, .secrets = no_secrets, .nice = 10},
    {.name = "children", .program = "children", .stage = 1, .secrets = children_secrets, .role = "children"},
    {.name = "admin", .program = "admin", .stage = 1, .secrets = admin_secrets, .role = "admin"},
    {.name = "mailer", .program = "mailer", .stage = 1, .secrets = mailer_secrets, .role = "mailer"},
    {.name = "frontend", .program = "frontend", .stage = 2, .listens = true, .secrets = frontend_secrets},
    {.name = "broker", .program = "broker", .stage = 0, .told = true, .secrets = no_secrets},
    {.name = "videos", .program = "videos", .stage = 1, .secrets = videos_secrets, .role = "videos"},
    {.name = "assessments",
        .program = "assessments",
        .stage = 1,
        .secrets = assessments_secrets,
        .role = "assessments"},
    {.name = "notifications",
        .program = "notifications",
        .stage = 1,
        .secrets = notifications_secrets,
        .role = "notifications"},
};
const int service_count = ARRAY_SIZE(services);

int service_find(const char *name)
{
    for (int i = 0; i < service_count; i++)
        if (strcmp(services[i].name, name) == 0)
            return i;
    return -1;
}
