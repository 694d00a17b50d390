/* config_live: which settings a running system takes over (aipotenctl reload), and which it does not.
 *
 * Live is what every reader reads anew each time it needs it, out of the one config_t of its process; whoever makes a setting
 * live looks for copies of it first. What is in neither list counts for processes that start from then on. */
#include "config.h"
#include "config_value.h"
#include "panic.h"

/* A name, or a whole group: "rate." */
static const char *const live[] = {"rate.", "abuse.", "cors.", "log.", "retention.", "export.", "children.", "assessments.", "notifications.", "links.", "instances.", "realtime.strangers",
    "realtime.sessions_address", "realtime.admission", "realtime.messages", "realtime.queue_bytes", "realtime.queue_messages",
    "listen.tls_certificate", "listen.tls_key", "http.request_timeout", "http.max_body", "http.max_header", "http.max_url",
    "http.max_json_depth", "http.max_pending_instance", "http.max_pending_connection",
    "http.max_pending_address", "http.send_timeout", "http.patience", "http.max_connections",
    "http.max_connections_address", "http.losses_most", "auth.access_lifetime", "auth.refresh_lifetime", "auth.bcrypt_cost", "auth.max_hashing",
    "auth.verification_lifetime", "auth.reset_lifetime", "auth.restore_within", "security.hsts_max_age", "database.connections",
    "database.write_connections", "database.write_groups", "database.slow_log", "database.idle_close",
    "actor.drain_timeout", "mail.timeout", "mail.attempts", "mail.retry_first", "mail.retry_most", "mail.requeue",
    "mail.base_url", "mail.from_name", "cache.hot", "cache.max_age", "cache.stale", "cache.fill_wait", "supervisor.start_timeout",
    "supervisor.stop_timeout", "supervisor.backoff_first", "supervisor.backoff_most", "supervisor.intensity",
    "supervisor.intensity_window", "supervisor.failed_retry"};

/* The sockets, the segment and the user are made once. */
static const char *const at_start[] = {"listen.https_address", "listen.https_port", "listen.http_address", "listen.http_port",
    "cache.size", "supervisor.user"};

static bool is_among(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(list[i]);
        bool group = list[i][length - 1] == '.';
        if (group ? strncmp(name, list[i], length) == 0 : strcmp(name, list[i]) == 0)
            return true;
    }
    return false;
}

static enum config_reach reach_of(const config_row_t *row)
{
    return is_among(row->name, live, ARRAY_SIZE(live))           ? CONFIG_LIVE
           : is_among(row->name, at_start, ARRAY_SIZE(at_start)) ? CONFIG_AT_START
                                                                 : CONFIG_AT_RESTART;
}

static size_t size_of(const config_row_t *row)
{
    return row->type == CONFIG_TEXT     ? sizeof(const char *)
           : row->type == CONFIG_LIST   ? sizeof(config_list_t)
           : row->type == CONFIG_SWITCH ? sizeof(bool)
                                        : sizeof(int64_t);
}

static bool lists_equal(const config_list_t *a, const config_list_t *b)
{
    bool equal = a->count == b->count;
    for (int i = 0; equal && i < a->count; i++)
        equal = strcmp(a->items[i], b->items[i]) == 0;
    return equal;
}

static bool equal(const config_row_t *row, const void *a, const void *b)
{
    if (row->type == CONFIG_TEXT)
        return strcmp(*(const char *const *)a, *(const char *const *)b) == 0;
    return row->type == CONFIG_LIST ? lists_equal(a, b) : memcmp(a, b, size_of(row)) == 0;
}

void config_compare(const config_t *former, const config_t *fresh,
    void (*differs)(void *argument, const char *name, enum config_reach), void *argument)
{
    for (int i = 0; i < config_row_count; i++) {
        const config_row_t *row = &config_rows[i];
        if (!equal(row, (const char *)former + row->offset, (const char *)fresh + row->offset))
            differs(argument, row->name, reach_of(row));
    }
}

void config_take_live(config_t *running, const config_t *fresh)
{
    for (int i = 0; i < config_row_count; i++) {
        const config_row_t *row = &config_rows[i];
        if (reach_of(row) == CONFIG_LIVE)
            memcpy((char *)running + row->offset, (const char *)fresh + row->offset, size_of(row));
    }
}

/* A setting that was renamed must not silently stop being live. */
void config_live_check(void)
{
    const char *const *const lists[] = {live, at_start};
    const size_t counts[] = {ARRAY_SIZE(live), ARRAY_SIZE(at_start)};
    for (size_t list = 0; list < ARRAY_SIZE(lists); list++)
        for (size_t i = 0; i < counts[list]; i++) {
            bool found = false;
            for (int row = 0; row < config_row_count; row++)
                found = found || is_among(config_rows[row].name, &lists[list][i], 1);
            if (!found)
                panic("config_live: there is no setting %s", lists[list][i]);
        }
}
