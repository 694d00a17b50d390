/* config_table: all settings: name, type, place, default, range, meaning. `aipotenctl config
 * defaults` prints it. */
#include "config.h"
#include "config_value.h"

#ifdef AIPOTEN_TEST
#define STACK_STANDARD "256K" /* AddressSanitizer's frames are larger */
#define BCRYPT_LEAST 4        /* tests need not wait */
#else
#define STACK_STANDARD "64K"
#define BCRYPT_LEAST 10 /* product.md, section 3 */
#endif

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define YEAR (365 * DAY)
#define K INT64_C(1024)
#define M (1024 * K)
#define G (1024 * M)
#define AT(member) .offset = offsetof(config_t, member)

const config_row_t config_rows[] = {
    {"listen.https_address", CONFIG_TEXT, AT(listen.https_address), "0.0.0.0",
        .refuse = config_refuse_address, .meaning = "where TLS is listened on"},
    {"listen.https_port", CONFIG_INTEGER, AT(listen.https_port), "8443", 0, 65535,
        .environment = "AIPOTEN_HTTPS_PORT",
        .meaning = "TLS 1.3 and 1.2, HTTP/2 and HTTP/1.1; 0: not listened on"},
    {"listen.http_address", CONFIG_TEXT, AT(listen.http_address), "127.0.0.1",
        .refuse = config_refuse_address,
        .meaning =
            "where plain HTTP is listened on: loopback, or a network that only a load balancer reaches"},
    {"listen.http_port", CONFIG_INTEGER, AT(listen.http_port), "8080", 0, 65535,
        .environment = "AIPOTEN_HTTP_PORT", .meaning = "plain HTTP/2 (h2c) and HTTP/1.1; 0: not listened on"},
    {"listen.tls_certificate", CONFIG_TEXT, AT(listen.tls_certificate), "",
        .meaning = "path of the PEM certificate chain; empty: a self-signed one is made at first run"},
    {"listen.tls_key", CONFIG_TEXT, AT(listen.tls_key), "",
        .meaning = "path of the PEM key; empty exactly when tls_certificate is"},
    {"listen.trusted_proxies", CONFIG_LIST, AT(listen.trusted_proxies), "", .refuse = config_refuse_network,
        .meaning = "networks of load balancers whose X-Forwarded-For is believed"},
    {"listen.proxy_protocol", CONFIG_SWITCH, AT(listen.proxy_protocol), "false",
        .meaning = "expect HAProxy's PROXY protocol on the plain port, from trusted proxies only"},

    {"http.request_timeout", CONFIG_DURATION, AT(http.request_timeout), "10s", 100, 10 * MINUTE,
        .meaning = "a request's whole deadline; what is late is answered 504"},
    {"http.idle_timeout", CONFIG_DURATION, AT(http.idle_timeout), "60s", SECOND, HOUR,
        .meaning = "a connection without a request is closed after this"},
    {"http.drain_timeout", CONFIG_DURATION, AT(http.drain_timeout), "10s", 0, 10 * MINUTE,
        .meaning = "the hard deadline of a frontend's graceful stop"},
    {"http.max_body", CONFIG_SIZE, AT(http.max_body), "1M", K, 64 * M,
        .meaning = "larger bodies are answered 413"},
    {"http.max_header", CONFIG_SIZE, AT(http.max_header), "16K", K, 256 * K,
        .meaning = "all header fields of a request together; more is answered 431"},
    {"http.max_url", CONFIG_SIZE, AT(http.max_url), "4K", 256, 64 * K,
        .meaning = "longer ones are answered 414"},
    {"http.max_json_depth", CONFIG_INTEGER, AT(http.max_json_depth), "32", 2, 256,
        .meaning = "levels of nesting in a body, its outermost object being the first"},
    {"http.max_pending", CONFIG_INTEGER, AT(http.max_pending), "4096", 1, 65536,
        .meaning = "requests of one frontend waiting for actors; more are answered 503 at once"},
    {"http.max_pending_instance", CONFIG_INTEGER, AT(http.max_pending_instance), "512", 1, 65536,
        .meaning = "of these, for one actor instance"},
    {"http.max_pending_connection", CONFIG_INTEGER, AT(http.max_pending_connection), "100", 1, 65536,
        .meaning = "of these, from one client connection"},
    {"http.patience", CONFIG_DURATION, AT(http.patience), "1s", 0, 60000,
        .meaning = "a request waits this long for a service whose last instance was lost just now"},
    {"http.losses_most", CONFIG_INTEGER, AT(http.losses_most), "3", 1, 1000,
        .meaning = "a request that lost so many instances may be why they die: it is answered 503, not sent to another one"},
    {"http.max_connections", CONFIG_INTEGER, AT(http.max_connections), "10000", 1, 1000000,
        .meaning = "client connections of one frontend"},
    {"http.max_connections_address", CONFIG_INTEGER, AT(http.max_connections_address), "1000", 1, 1000000,
        .meaning = "of these, from one address (IPv6: one /64)"},

    {"cors.origins", CONFIG_LIST, AT(cors.origins), "", .refuse = config_refuse_origin,
        .meaning = "web origins that may call the API from a browser, exactly as browsers send them"},
    {"cors.max_age", CONFIG_DURATION, AT(cors.max_age), "10m", 0, DAY,
        .meaning = "how long a browser may keep the answer to a preflight request"},

    {"rate.enabled", CONFIG_SWITCH, AT(rate.enabled), "true", .environment = "AIPOTEN_RATE_LIMITS",
        .meaning =
            "count requests per client and refuse those over the limits with 429; off for benches only"},
    {"rate.api_per_minute", CONFIG_INTEGER, AT(rate.api_per_minute), "100", 1, 1000000,
        .meaning = "requests of one address"},
    {"rate.login_per_minute", CONFIG_INTEGER, AT(rate.login_per_minute), "5", 1, 1000000,
        .meaning = "log-ins of one address, and into one account"},
    {"rate.upload_per_hour", CONFIG_INTEGER, AT(rate.upload_per_hour), "10", 1, 1000000,
        .meaning = "uploads of one user"},

    {"auth.issuer", CONFIG_TEXT, AT(auth.issuer), "aipoten", .refuse = config_refuse_name,
        .meaning = "iss of access tokens"},
    {"auth.audience", CONFIG_TEXT, AT(auth.audience), "aipoten-api", .refuse = config_refuse_name,
        .meaning = "aud of access tokens"},
    {"auth.access_lifetime", CONFIG_DURATION, AT(auth.access_lifetime), "15m", SECOND, DAY,
        .meaning = "of an access token"},
    {"auth.refresh_lifetime", CONFIG_DURATION, AT(auth.refresh_lifetime), "7d", SECOND, YEAR,
        .meaning = "of a refresh token"},
    {"auth.bcrypt_cost", CONFIG_INTEGER, AT(auth.bcrypt_cost), "10", BCRYPT_LEAST, 15,
        .meaning = "each step doubles the time of a log-in (10: 55 ms)"},

    {"security.hsts_max_age", CONFIG_DURATION, AT(security.hsts_max_age), "1y", 0, 10 * YEAR,
        .meaning = "of Strict-Transport-Security over TLS; 0: not sent"},

    {"log.level", CONFIG_TEXT, AT(log.level), "info", .refuse = config_refuse_level,
        .environment = "AIPOTEN_LOG_LEVEL",
        .meaning = "the least level that is written: debug, info, warning or error"},
    {"log.slow_request", CONFIG_DURATION, AT(log.slow_request), "500ms", 0, HOUR,
        .meaning = "access lines of requests at least this slow are always written"},
    {"log.sample_one_in", CONFIG_INTEGER, AT(log.sample_one_in), "100", 1, 1000000,
        .meaning = "of quick and successful reads, one access line in so many is written"},
    {"log.max_size", CONFIG_SIZE, AT(log.max_size), "64M", 64 * K, 16 * G,
        .meaning = "a larger log file is rotated"},
    {"log.keep_files", CONFIG_INTEGER, AT(log.keep_files), "5", 1, 100,
        .meaning = "rotated files that are kept of each"},

    {"database.connections", CONFIG_INTEGER, AT(database.connections), "90", 4, 10000,
        .meaning = "of all processes of this machine together; stay below PostgreSQL's max_connections"},
    {"database.write_connections", CONFIG_INTEGER, AT(database.write_connections), "8", 1, 100,
        .meaning = "most of one actor instance; commits overlap in them"},
    {"database.read_timeout", CONFIG_DURATION, AT(database.read_timeout), "200ms", 1, MINUTE,
        .meaning = "statement_timeout of the read lane"},
    {"database.write_timeout", CONFIG_DURATION, AT(database.write_timeout), "2s", 1, 5 * MINUTE,
        .meaning = "statement_timeout of the write lane"},
    {"database.slow_timeout", CONFIG_DURATION, AT(database.slow_timeout), "5s", 1, HOUR,
        .meaning = "statement_timeout of the slow lane: exports, analytics"},
    {"database.idle_close", CONFIG_DURATION, AT(database.idle_close), "30s", SECOND, HOUR,
        .meaning = "a write connection unused this long is closed"},

    {"actor.max_coroutines", CONFIG_INTEGER, AT(actor.max_coroutines), "256", 1, 10000,
        .meaning = "requests that one actor instance works on at a time; the rest wait in its queue"},
    {"actor.coroutine_stack", CONFIG_SIZE, AT(actor.coroutine_stack), STACK_STANDARD, 32 * K, 8 * M,
        .meaning = "stack of each"},
    {"actor.request_memory", CONFIG_SIZE, AT(actor.request_memory), "8M", 64 * K, G,
        .meaning = "a request that needs more is answered 503"},
    {"actor.drain_timeout", CONFIG_DURATION, AT(actor.drain_timeout), "10s", 0, 10 * MINUTE,
        .meaning = "the hard deadline of an actor's graceful stop"},

    {"children.max_guardians", CONFIG_INTEGER, AT(children.max_guardians), "4", 1, 100,
        .meaning = "of one child, those who are invited included"},
    {"children.invitation_lifetime", CONFIG_DURATION, AT(children.invitation_lifetime), "7d", SECOND, 90 * DAY,
        .meaning = "an invitation to guard a child can be accepted this long"},
    {"children.max_invitations", CONFIG_INTEGER, AT(children.max_invitations), "10", 1, 10000,
        .meaning = "invitations that one user may send in a day"},

    {"redis.url", CONFIG_TEXT, AT(redis.url), "", .refuse = config_refuse_redis, .environment = "REDIS_URL",
        .meaning = "what several machines share; empty: a single machine goes on without"},

    {"instances.frontend", CONFIG_INTEGER, AT(instances.frontend), "2", 0, 32,
        .meaning = "frontends at start"},
    {"instances.accounts", CONFIG_INTEGER, AT(instances.accounts), "2", 0, 32,
        .meaning = "accounts actors at start"},
    {"instances.accounts-hash", CONFIG_INTEGER, AT(instances.accounts_hash), "2", 0, 32,
        .meaning = "accounts actors that only hash passwords, at start"},
    {"instances.children", CONFIG_INTEGER, AT(instances.children), "2", 0, 32,
        .meaning = "children actors at start"},
    {"instances.admin", CONFIG_INTEGER, AT(instances.admin), "2", 0, 32,
        .meaning = "admin actors at start: access log"},

    {"supervisor.user", CONFIG_TEXT, AT(supervisor.user), "aipoten", .refuse = config_refuse_user,
        .meaning = "whom the children run as when the supervisor was started as root"},
    {"supervisor.start_timeout", CONFIG_DURATION, AT(supervisor.start_timeout), "15s", 100, 10 * MINUTE,
        .meaning = "a child must report READY=1 within this"},
    {"supervisor.watchdog", CONFIG_DURATION, AT(supervisor.watchdog), "10s", 0, 10 * MINUTE,
        .meaning = "a ready child must report WATCHDOG=1 within this, again and again; 0: need not"},
    {"supervisor.stop_timeout", CONFIG_DURATION, AT(supervisor.stop_timeout), "12s", 100, 10 * MINUTE,
        .meaning = "from SIGTERM to SIGKILL; longer than the drain_timeouts"},
    {"supervisor.backoff_first", CONFIG_DURATION, AT(supervisor.backoff_first), "1s", 10, 10 * MINUTE,
        .meaning = "wait after the first early death; each further one doubles it"},
    {"supervisor.backoff_most", CONFIG_DURATION, AT(supervisor.backoff_most), "60s", 10, HOUR,
        .meaning = "where the doubling ends"},
    {"supervisor.intensity", CONFIG_INTEGER, AT(supervisor.intensity), "5", 1, 1000,
        .meaning = "more early deaths of a service than this within intensity_window: FAILED"},
    {"supervisor.intensity_window", CONFIG_DURATION, AT(supervisor.intensity_window), "60s", SECOND, HOUR,
        .meaning = "the window of intensity"},
    {"supervisor.failed_retry", CONFIG_DURATION, AT(supervisor.failed_retry), "60s", 100, DAY,
        .meaning = "a FAILED service is tried again after this"},
};

const int config_row_count = ARRAY_SIZE(config_rows);
_Static_assert(ARRAY_SIZE(config_rows) <= CONFIG_ROWS_MAX, "reader_t keeps a line for each");

/* Settings of which the first must not exceed the second. */
const char *const config_ordered[][2] = {
    {"http.max_pending_instance", "http.max_pending"},
    {"http.max_pending_connection", "http.max_pending"},
    {"http.max_connections_address", "http.max_connections"},
    {"http.drain_timeout", "supervisor.stop_timeout"},
    {"actor.drain_timeout", "supervisor.stop_timeout"},
    {"auth.access_lifetime", "auth.refresh_lifetime"},
    {"database.write_connections", "database.connections"},
    {"supervisor.backoff_first", "supervisor.backoff_most"},
};
const int config_ordered_count = ARRAY_SIZE(config_ordered);
