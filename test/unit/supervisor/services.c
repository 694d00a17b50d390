/* services: the supervisor's table for its own tests: the names of the real one, so that the configuration
 * fits, and one program that does what a test tells it. */
#include "shm/services.h"
#include "base/text.h"

static const char *const accounts_secrets[] = {"database_url", "token_key", "jwt_keys", NULL};
static const char *const children_secrets[] = {"database_url", "token_key", NULL};
static const char *const frontend_secrets[] = {"jwt_keys", "tls_certificate", "tls_key", NULL};

const service_t services[] = {
    {.name = "accounts",
        .program = "unit-supervisor-child",
        .stage = 1,
        .secrets = accounts_secrets,
        .role = "accounts"},
    {.name = "accounts-hash",
        .program = "unit-supervisor-child",
        .stage = 1,
        .secrets = accounts_secrets,
        .role = "accounts"},
    {.name = "children",
        .program = "unit-supervisor-child",
        .stage = 1,
        .secrets = children_secrets,
        .role = "children"},
    {.name = "admin",
        .program = "unit-supervisor-child",
        .stage = 1,
        .secrets = children_secrets,
        .role = "admin"},
    {.name = "mailer",
        .program = "unit-supervisor-child",
        .stage = 1,
        .secrets = children_secrets,
        .role = "mailer"},
    {.name = "frontend",
        .program = "unit-supervisor-child",
        .stage = 2,
        .listens = true,
        .secrets = frontend_secrets},
#ifdef NEXT_RELEASE
    {.name = "broker",
        .program = "unit-supervisor-child",
        .stage = 1,
        .secrets = accounts_secrets,
        .role = "accounts"},
#endif
};
const int service_count = ARRAY_SIZE(services);

int service_find(const char *name)
{
    for (int i = 0; i < service_count; i++)
        if (strcmp(services[i].name, name) == 0)
            return i;
    return -1;
}
