#include "reload.h"
#include "base/clock.h"
#include "cached.h"
#include "crypto/hash.h"
#include "exchange.h"
#include "listener.h"
#include "response.h"
#include "shm/process_reload.h"
#include "tls.h"

enum { FORMER_MOST = 16, LOOK_MILLISECONDS = 1000 };

static h2o_globalconf_t *library;
static bool tls_wanted;

/* libh2o makes a connection's TLS object with its first bytes: former contexts are freed when no handshake can begin any more. */
static struct {
    SSL_CTX *context;
    int64_t since;
} former[FORMER_MOST];

static int64_t handshake_longest(void)
{
    return (int64_t)library->handshake_timeout;
}

static void former_free(void *argument)
{
    int64_t now = clock_monotonic();
    (void)argument;
    for (size_t i = 0; i < ARRAY_SIZE(former); i++)
        if (former[i].context != NULL && now - former[i].since > 2 * handshake_longest() * CLOCK_MILLISECOND) {
            SSL_CTX_free(former[i].context);
            former[i].context = NULL;
        }
}

static digest_t in_force; /* of the certificate and its key */

static digest_t pair_digest(text_t certificate, text_t key)
{
    digest_t digest = hash_sha256(certificate);
    return hash_hmac(digest.bytes, key);
}

static bool tls_change(text_t certificate, text_t key, char *error, size_t error_size)
{
    size_t place = 0;
    digest_t digest = pair_digest(certificate, key);
    if (memcmp(&digest, &in_force, sizeof(digest)) == 0)
        return true;
    former_free(NULL);
    while (place < FORMER_MOST && former[place].context != NULL)
        place++;
    if (place == FORMER_MOST) {
        snprintf(error, error_size, "more than %d certificates within %d s; reload again in a moment", FORMER_MOST,
            (int)(2 * handshake_longest() / 1000));
        return false;
    }
    SSL_CTX *fresh = tls_make(certificate, key, frontend.segment, error, error_size);
    if (fresh == NULL)
        return false;
    former[place].context = listeners_use(fresh);
    former[place].since = clock_monotonic();
    in_force = digest;
    return true;
}

static bool on_reload(const config_t *fresh, const process_secrets_t *secrets, char *error, size_t error_size)
{
    if (secrets != NULL && tls_wanted &&
        !tls_change(process_secrets_get(secrets, "tls_certificate"), process_secrets_get(secrets, "tls_key"), error, error_size))
        return false;
    library->max_request_entity_size = (size_t)fresh->http.max_body + BODY_EXCESS;
    responses_configure(fresh);
    cached_configure(fresh);
    return true;
}

void reload_open(loop_t *loop, h2o_globalconf_t *globalconf, bool tls)
{
    library = globalconf;
    tls_wanted = tls;
    if (tls)
        in_force = pair_digest(process_secret("tls_certificate"), process_secret("tls_key"));
    loop->timer(loop, LOOK_MILLISECONDS, former_free, NULL);
    process_reload_watch(loop, on_reload);
}
