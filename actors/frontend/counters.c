/* counters: their table. */
#include "counters.h"

_Atomic int64_t *counters[COUNTERS];
static metrics_block_t *answers;

static const struct {
    const char *name, *unit, *meaning;
} rows[COUNTERS] = {
    [COUNTER_REQUESTS] = {"requests", "count", "requests that reached the router"},
    [COUNTER_STATUS_2XX] = {"status_2xx", "count", "answers that succeeded"},
    [COUNTER_STATUS_3XX] = {"status_3xx", "count", "answers 304 and the like"},
    [COUNTER_STATUS_4XX] = {"status_4xx", "count", "answers that blame the client"},
    [COUNTER_STATUS_5XX] = {"status_5xx", "count", "answers that blame us"},
    [COUNTER_ABANDONED] = {"abandoned", "count", "requests whose client went away before the answer"},
    [COUNTER_MICROSECONDS] = {"request_time", "us", "time from request to answer, summed"},
    [COUNTER_BYTES_OUT] = {"bytes_out", "bytes", "bodies of answers, summed"},
    [COUNTER_CONNECTIONS] = {"connections", "now", "client connections"},
    [COUNTER_ACCEPTED] = {"accepted", "count", "client connections accepted"},
    [COUNTER_ACCEPT_PAUSES] = {"accept_pauses", "count", "times accepting stopped: all connections in use"},
    [COUNTER_STEPPED_BACK] = {"stepped_back", "count", "times a connection was left to a frontend with fewer"},
    [COUNTER_PENDING] = {"pending", "now", "requests that wait for an actor"},
    [COUNTER_PENDING_FULL] = {"pending_full", "count", "503: the table of waiting requests was full"},
    [COUNTER_CONNECTION_FULL] = {"connection_full", "count",
        "503: too many requests of one connection waited"},
    [COUNTER_INSTANCE_FULL] = {"instance_full", "count", "503: too many requests waited for each instance"},
    [COUNTER_NO_INSTANCE] = {"no_instance", "count", "503: the service had no ready instance"},
    [COUNTER_RESENT] = {"resent", "count", "requests sent again after their instance was lost"},
    [COUNTER_HELD] = {"held", "count", "requests that waited for an instance that was coming back"},
    [COUNTER_INSTANCE_LOST] = {"instance_lost", "count", "503: the instance was lost before it answered"},
    [COUNTER_TIMEOUTS] = {"timeouts", "count", "504: no answer within the deadline"},
    [COUNTER_LATE_REPLIES] = {"late_replies", "count", "answers to requests that were given up"},
    [COUNTER_BAD_REPLIES] = {"bad_replies", "count", "answers that could not be read"},
    [COUNTER_LINK_DROPPED] = {"link_dropped", "count", "batches to or from actors that were dropped"},
    [COUNTER_TOKEN_HITS] = {"token_hits", "count", "tokens found in the cache of verified ones"},
    [COUNTER_TOKEN_MISSES] = {"token_misses", "count", "tokens that had to be verified"},
    [COUNTER_TOKEN_REFUSED] = {"token_refused", "count", "tokens that were not valid"},
    [COUNTER_TOKENS_CACHED] = {"tokens_cached", "now", "verified tokens in the cache"},
    [COUNTER_RATE_REFUSED] = {"rate_refused", "count", "429: requests over a rate limit"},
    [COUNTER_RATE_REFUSED_API] = {"rate_refused_api", "count", "429: too many requests of an address"},
    [COUNTER_RATE_REFUSED_LOGIN] = {"rate_refused_login", "count", "429: too many log-ins of an address"},
    [COUNTER_RATE_REFUSED_ACCOUNT] = {"rate_refused_account", "count", "429: too many log-ins into an account"},
    [COUNTER_RATE_REFUSED_PASSWORD] = {"rate_refused_password", "count", "429: too many passwords tried by a user"},
    [COUNTER_RATE_REFUSED_UPLOAD] = {"rate_refused_upload", "count", "429: too many uploads of a user"},
    [COUNTER_RATE_REFUSED_MAIL] = {"rate_refused_mail", "count", "429: too many mails asked for by a user"},
    [COUNTER_RATE_REFUSED_POLL] = {"rate_refused_poll", "count", "429: too many realtime polls of an address"},
    [COUNTER_CACHE_HITS] = {"cache_hits_memory", "count", "answers from the cache in shared memory"},
    [COUNTER_CACHE_STALE] = {"cache_hits_stale", "count", "of public answers whose time was over, while one was made anew"},
    [COUNTER_CACHE_MISSES] = {"cache_misses", "count", "requests that asked an actor for what the cache might have had"},
    [COUNTER_CACHE_WAITS] = {"cache_waits", "count", "requests that waited for an answer which another one was making"},
    [COUNTER_CACHE_WAITING] = {"cache_waiting", "now", "requests that wait so"},
    [COUNTER_CACHE_NOT_MODIFIED] = {"cache_not_modified", "count", "304: the client had it (cacheable rows)"},
    [COUNTER_ACCESS_LINES] = {"access_lines", "count", "lines written to the access log"},
    [COUNTER_ACCESS_DROPPED] = {"access_dropped", "count", "lines of the access log lost: disk full or slow"},
    [COUNTER_LOG_DROPPED] = {"log_dropped", "count", "lines of the log lost: its reader was slow"},
    [COUNTER_FOREIGN_ERRORS] = {"protocol_errors", "count",
        "requests refused before they reached the router"},
    [COUNTER_ADDRESS_FULL] = {"address_full", "count", "503: too many requests of one address waited"},
    [COUNTER_BANS] = {"bans", "count", "addresses banned for some seconds"},
    [COUNTER_HELD_BYTES] = {"held_bytes", "now", "bytes of requests and answers in memory, for clients"},
    [COUNTER_REJECTED_BANNED] = {"rejected_banned", "count", "connections closed: their address is banned"},
    [COUNTER_REJECTED_CONNECTIONS] = {"rejected_connections", "count",
        "connections closed: too many open from one address"},
    [COUNTER_REJECTED_CONNECTION_RATE] = {"rejected_connection_rate", "count",
        "connections closed: too many new ones from one address"},
    [COUNTER_REJECTED_RAPID_RESET] = {"rejected_rapid_reset", "count", "connections closed: streams reset"},
    [COUNTER_REJECTED_PING_FLOOD] = {"rejected_ping_flood", "count", "connections closed: PING frames"},
    [COUNTER_REJECTED_SETTINGS_FLOOD] = {"rejected_settings_flood", "count",
        "connections closed: SETTINGS frames"},
    [COUNTER_REJECTED_CONTINUATION_FLOOD] = {"rejected_continuation_flood", "count",
        "connections closed: CONTINUATION frames"},
    [COUNTER_REJECTED_DATA_FLOOD] = {"rejected_data_flood", "count", "connections closed: empty DATA frames"},
    [COUNTER_REJECTED_WINDOW_FLOOD] = {"rejected_window_flood", "count",
        "connections closed: WINDOW_UPDATE frames"},
    [COUNTER_REJECTED_PRIORITY_FLOOD] = {"rejected_priority_flood", "count",
        "connections closed: PRIORITY frames"},
    [COUNTER_REJECTED_FRAME_FLOOD] = {"rejected_frame_flood", "count", "connections closed: other frames"},
    [COUNTER_REJECTED_BAD_REQUESTS] = {"rejected_bad_requests", "count",
        "connections closed: requests that are no HTTP"},
    [COUNTER_REJECTED_HEADER_BOMB] = {"rejected_header_bomb", "count",
        "connections closed: a header too large for an answer"},
    [COUNTER_REJECTED_PIPELINE] = {"rejected_pipeline", "count",
        "connections closed: too many HTTP/1.1 requests at once"},
    [COUNTER_REJECTED_SLOW_HEADER] = {"rejected_slow_header", "count",
        "connections closed: a header, or TLS handshake, took too long"},
    [COUNTER_REJECTED_SLOW_BODY] = {"rejected_slow_body", "count",
        "connections closed: a request took too long to arrive"},
    [COUNTER_REJECTED_SLOW_READER] = {"rejected_slow_reader", "count",
        "connections closed: what was asked for was not read"},
    [COUNTER_REJECTED_MEMORY] = {"rejected_memory", "count", "connections closed: too much held in memory"},
    [COUNTER_REJECTED_NOISE] = {"rejected_noise", "count", "connections closed: bytes, and no request"},
    [COUNTER_REJECTED_IDLE] = {"rejected_idle", "count",
        "connections closed: idle, while nearly all were in use"},
    [COUNTER_REALTIME_SESSIONS] = {"realtime_sessions", "now", "realtime sessions"},
    [COUNTER_REALTIME_OPENED] = {"realtime_opened", "count", "realtime sessions that began"},
    [COUNTER_REALTIME_UPGRADED] = {"realtime_upgraded", "count", "of these, that went on from polls to a WebSocket"},
    [COUNTER_REALTIME_PASSED] = {"realtime_passed", "count", "polls passed on to the frontend that has their session"},
    [COUNTER_REALTIME_FETCHED] = {"realtime_fetched", "count", "sessions fetched from another frontend by a WebSocket"},
    [COUNTER_REALTIME_SENT] = {"realtime_sent", "count", "realtime messages to clients"},
    [COUNTER_REALTIME_RECEIVED] = {"realtime_received", "count", "realtime messages from clients"},
    [COUNTER_REALTIME_SLOW] = {"realtime_slow", "count", "realtime sessions ended: what they were told waited too long"},
    [COUNTER_REALTIME_TIMEOUTS] = {"realtime_timeouts", "count", "realtime sessions ended: no sign of life, or no token, in time"},
    [COUNTER_REALTIME_BAD] = {"realtime_bad", "count", "realtime sessions ended: what came was no frame or no packet"},
    [COUNTER_REALTIME_PROBES] = {"realtime_probes_refused", "count", "WebSockets that may not take a session over: too many wait to"},
    [COUNTER_REALTIME_WAITED] = {"realtime_waited", "count", "sessions that could not go to another frontend at once"},
    [COUNTER_REALTIME_FLOODS] = {"realtime_floods", "count", "realtime sessions ended: too many messages came"},
    [COUNTER_REALTIME_FULL] = {"realtime_full", "count", "503: as many realtime sessions as there may be, or a stop"},
    [COUNTER_REALTIME_STRANGERS] = {"realtime_strangers", "count", "503: too many realtime sessions without a token"},
    [COUNTER_REALTIME_ADDRESS] = {"realtime_address", "count", "503: too many new realtime sessions of one address"},
    [COUNTER_REALTIME_REFUSED] = {"realtime_refused", "count", "connects to the realtime API without a valid token"},
    [COUNTER_REALTIME_EXPIRED] = {"realtime_expired", "count", "realtime sessions ended: their token expired"},
    [COUNTER_REALTIME_ENDED] = {"realtime_ended", "count", "realtime sessions ended: logged out, suspended, deleted"},
    [COUNTER_REALTIME_SHOWN] = {"realtime_shown", "count", "events of topics that sockets were told"},
    [COUNTER_REALTIME_ASKED] = {"realtime_asked", "count", "times that the notifications actor was asked what was missed"},
    [COUNTER_REALTIME_UNANSWERED] = {"realtime_unanswered", "count", "of these, without an answer"},
    [COUNTER_REALTIME_RECOVERED] = {"realtime_recovered", "count", "sockets that came back and were told what they missed"},
    [COUNTER_REALTIME_LOST] = {"realtime_lost", "count", "times that hints may have been lost, and all were asked for"},
    [COUNTER_REALTIME_UNREADABLE] = {"realtime_unreadable", "count", "hints of topics that could not be read"},
    [COUNTER_PRESENCE_SOCKETS] = {"presence_sockets", "now", "sockets whose users are online by them"},
    [COUNTER_PRESENCE_FULL] = {"presence_full", "count", "sockets whose users are not seen online: too many are"},
    [COUNTER_REALTIME_ADMISSION] = {"realtime_admission", "count", "503: too many new realtime sessions at once"},
};

int counters_operation(text_t operation)
{
    return metrics_row(answers, METRICS_REQUESTS, operation.data != NULL ? operation : TEXT("none"));
}

void count_answer(int row, int status, int64_t microseconds)
{
    metrics_count(answers, row, status, microseconds);
}

void counters_declare(segment_t *segment, segment_instance_t *self)
{
    answers = metrics_join(segment, self);
    for (int i = 0; i < COUNTERS; i++)
        counters[i] = counter_declare(self, rows[i].name, rows[i].unit, rows[i].meaning);
}
