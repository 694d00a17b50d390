/* abuse: the table of kinds, and the three counts. */
#include "abuse.h"
#include "base/clock.h"
#include "base/log.h"
#include "connection.h"
#include "counters.h"
#include "exchange.h"
#include "shm/bans.h"

enum {
    WINDOW = 10, /* seconds, of all counts of frames */
    LUMPS = 8,   /* an address is charged when its connection has used up an eighth */
    ADDRESS_TIMES = 4,
    ALL_TIMES = 64,
    PRESSED_SHARE = 8, /* what is left to each when all together are too many */
    STRIKES = 10,      /* a minute */
    LOG_SECONDS = 10,
    SENT_PER_WINDOW_UPDATE = 1024,
};

#define SETTING(member) offsetof(config_t, abuse.member)

static const struct {
    const char *name; /* in the log; the class of the address's bucket */
    enum counter counter;
    size_t limit;          /* the setting; 0: not counted */
    uint32_t per_request;  /* is forgiven for each request */
    bool exact;            /* honest clients have next to none: also the rest is charged to the address */
} kinds[ABUSES] = {
    [ABUSE_RESETS] = {"rapid_reset", COUNTER_REJECTED_RAPID_RESET, SETTING(resets), 0, true},
    [ABUSE_PINGS] = {"ping_flood", COUNTER_REJECTED_PING_FLOOD, SETTING(pings), 0, true},
    [ABUSE_SETTINGS] = {"settings_flood", COUNTER_REJECTED_SETTINGS_FLOOD, SETTING(settings), 0, false},
    [ABUSE_CONTINUATIONS] = {"continuation_flood", COUNTER_REJECTED_CONTINUATION_FLOOD, SETTING(continuations), 2, true},
    [ABUSE_DATA] = {"data_flood", COUNTER_REJECTED_DATA_FLOOD, SETTING(small_data), 4, true},
    [ABUSE_WINDOWS] = {"window_flood", COUNTER_REJECTED_WINDOW_FLOOD, SETTING(window_updates), 4, false},
    [ABUSE_PRIORITIES] = {"priority_flood", COUNTER_REJECTED_PRIORITY_FLOOD, SETTING(priorities), 4, false},
    [ABUSE_FRAMES] = {"frame_flood", COUNTER_REJECTED_FRAME_FLOOD, SETTING(other_frames), 4, false},
    [ABUSE_REQUESTS] = {"bad_requests", COUNTER_REJECTED_BAD_REQUESTS, SETTING(bad_requests), 0, true},
    [ABUSE_FIELDS] = {"header_bomb", COUNTER_REJECTED_HEADER_BOMB, 0, 0, false},
    [ABUSE_PIPELINE] = {"pipeline", COUNTER_REJECTED_PIPELINE, 0, 0, false},
    [ABUSE_SLOW_HEADER] = {"slow_header", COUNTER_REJECTED_SLOW_HEADER, 0, 0, false},
    [ABUSE_SLOW_BODY] = {"slow_body", COUNTER_REJECTED_SLOW_BODY, 0, 0, false},
    [ABUSE_SLOW_READER] = {"slow_reader", COUNTER_REJECTED_SLOW_READER, 0, 0, false},
    [ABUSE_MEMORY] = {"memory", COUNTER_REJECTED_MEMORY, 0, 0, false},
    [ABUSE_NOISE] = {"noise", COUNTER_REJECTED_NOISE, 0, 0, false},
    [ABUSE_IDLE] = {"idle", COUNTER_REJECTED_IDLE, 0, 0, false},
};

static struct {
    int64_t pressed_until[ABUSE_COUNTED]; /* clock_monotonic() */
    struct {
        int64_t said_at, unsaid;
    } logs[ABUSES];
} abuse;

/* The setting in force: it may change while we run. */
static int64_t limit_of(enum abuse kind)
{
    return *(const int64_t *)(const void *)((const char *)&frontend.config + kinds[kind].limit);
}

/* Not for each connection: an attack must not fill the disk. */
static void tell(enum abuse kind, bool banned, int64_t now)
{
    count(kinds[kind].counter, 1);
    abuse.logs[kind].unsaid++;
    if (abuse.logs[kind].said_at != 0 && now - abuse.logs[kind].said_at < LOG_SECONDS * CLOCK_SECOND)
        return;
    log_event(LOG_WARNING, "abuse", LOG_S("kind", kinds[kind].name), LOG_S("banned", banned ? "yes" : "no"),
        LOG_I("connections", abuse.logs[kind].unsaid),
        LOG_S("next", "see rejected_* of aipotenctl counters frontend; section abuse has the limits"));
    abuse.logs[kind].said_at = now;
    abuse.logs[kind].unsaid = 0;
}

static bool ban(const connection_t *connection, int64_t now)
{
    const config_t *config = &frontend.config;
    if (config->abuse.ban == 0)
        return false;
    bans_add(frontend.segment, connection_key(connection), now, config->abuse.ban * CLOCK_MILLISECOND,
        config->abuse.ban_most * CLOCK_MILLISECOND);
    count(COUNTER_BANS, 1);
    return true;
}

static bool is_pressed(enum abuse kind, int64_t now)
{
    return now < abuse.pressed_until[kind];
}

/* What the connection did since the last time goes to the account of its address, and to everybody's; false: too much. */
static bool charge(connection_t *connection, enum abuse kind, int64_t now)
{
    uint32_t amount = connection->budget.uncharged[kind];
    int64_t limit = limit_of(kind), window = WINDOW * CLOCK_SECOND, time = clock_now();
    const char *name = kinds[kind].name;
    connection->budget.uncharged[kind] = 0;
    if (!rate_charge(frontend.segment, name, TEXT("everybody"), amount, limit * ALL_TIMES, window, time).allowed)
        abuse.pressed_until[kind] = now + CLOCK_SECOND;
    int64_t share = limit * (is_pressed(kind, now) ? 1 : ADDRESS_TIMES);
    int64_t cost = amount < share ? amount : share;
    return rate_charge(frontend.segment, name, connection_key(connection), cost, share, window, time).allowed;
}

/* Debts sink by the limit in ten seconds; looked at only when one seems too high. What a client reads, it may make room for. */
static void drain(connection_t *connection, int64_t now)
{
    abuse_budget_t *budget = &connection->budget;
    int64_t elapsed = now - budget->drained;
    for (int i = 0; i < ABUSE_COUNTED; i++) {
        int64_t paid = elapsed >= WINDOW * CLOCK_SECOND ? limit_of(i) : limit_of(i) * elapsed / (WINDOW * CLOCK_SECOND);
        if (i == ABUSE_WINDOWS)
            paid += connection_sent(connection) / SENT_PER_WINDOW_UPDATE;
        budget->debt[i] = budget->debt[i] > paid ? budget->debt[i] - (uint32_t)paid : 0;
    }
    budget->drained = now;
}

static bool is_too_much(connection_t *connection, enum abuse kind, int64_t now)
{
    int64_t limit = limit_of(kind);
    if (is_pressed(kind, now))
        limit /= PRESSED_SHARE;
    if (connection->budget.debt[kind] <= limit)
        return false;
    drain(connection, now);
    return connection->budget.debt[kind] > limit;
}

bool abuse_count(connection_t *connection, enum abuse kind, uint32_t amount)
{
    abuse_budget_t *budget = &connection->budget;
    if (!frontend.config.abuse.enabled || connection->client == NULL || connection->condemned)
        return !connection->condemned;
    budget->debt[kind] += amount;
    budget->uncharged[kind] += amount;
    if (budget->uncharged[kind] < limit_of(kind) / LUMPS)
        return true;
    int64_t now = clock_monotonic();
    bool far = !charge(connection, kind, now);
    if (!far && !is_too_much(connection, kind, now))
        return true;
    tell(kind, ban(connection, now), now);
    connection_condemn(connection, true);
    return false;
}

void abuse_request(connection_t *connection)
{
    abuse_budget_t *budget = &connection->budget;
    for (int i = ABUSE_CONTINUATIONS; i <= ABUSE_FRAMES; i++) {
        uint32_t forgiven = kinds[i].per_request;
        budget->debt[i] = budget->debt[i] > forgiven ? budget->debt[i] - forgiven : 0;
        budget->uncharged[i] = budget->uncharged[i] > forgiven ? budget->uncharged[i] - forgiven : 0;
    }
}

void abuse_strike(connection_t *connection, enum abuse kind)
{
    int64_t now = clock_monotonic();
    bool counts = frontend.config.abuse.enabled && connection->client != NULL && kind != ABUSE_IDLE;
    bool out = counts && !rate_check(frontend.segment, "strike", connection_key(connection), STRIKES, 60 * CLOCK_SECOND,
                              clock_now()).allowed;
    tell(kind, out && ban(connection, now), now);
}

void abuse_end(connection_t *connection, enum abuse kind)
{
    if (connection->condemned)
        return;
    abuse_strike(connection, kind);
    connection_condemn(connection, kind == ABUSE_FIELDS);
}

void abuse_settle(connection_t *connection)
{
    int64_t now = 0;
    if (!frontend.config.abuse.enabled || connection->client == NULL || connection->condemned)
        return;
    for (int i = 0; i < ABUSE_COUNTED; i++) {
        if (!kinds[i].exact || connection->budget.uncharged[i] == 0)
            continue;
        now = now != 0 ? now : clock_monotonic();
        if (charge(connection, i, now))
            continue;
        tell(i, ban(connection, now), now);
        return;
    }
}
