/* abuse: what clients do only to make work, kind by kind: how much of it is borne, and what happens then. What a kind is, its setting
 * and its counter stand in one table (abuse.c); where it is noticed: frames.c (HTTP/2 frames), connection.c (time, memory),
 * request.c (requests).
 *
 * Frames and resets are counted three times. On the connection, as a leaky bucket: the setting's number at once, and again as many
 * in ten seconds; above that the connection ends and its address is banned. For the address, in shared memory for all frontends
 * (rate.h), at four times that, whatever connections it opens anew. And for everybody together, at 64 times: nobody is banned by
 * that, but as long as it is exceeded each single one may have an eighth. The other kinds end the connection, and a strike is
 * counted; ten strikes in a minute are a ban. Trusted proxies are never struck: they carry many clients.
 *
 * What it cannot see: TLS records that hold nothing (OpenSSL ends 32 empty ones in a row), and who stands behind a trusted proxy
 * except by its requests. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum abuse {
    ABUSE_RESETS, /* by the client, and those that it makes us send */
    ABUSE_PINGS,
    ABUSE_SETTINGS,
    ABUSE_CONTINUATIONS,
    ABUSE_DATA, /* frames without data, or with next to nothing */
    ABUSE_WINDOWS,
    ABUSE_PRIORITIES,
    ABUSE_FRAMES, /* of other types */
    ABUSE_REQUESTS, /* that are no HTTP */
    ABUSE_COUNTED,
    ABUSE_FIELDS = ABUSE_COUNTED, /* header bombs */
    ABUSE_PIPELINE,
    ABUSE_SLOW_HEADER, /* or TLS handshake */
    ABUSE_SLOW_BODY,
    ABUSE_SLOW_READER,
    ABUSE_MEMORY,
    ABUSE_NOISE, /* bytes, and no request */
    ABUSE_IDLE,  /* closed to make room: no abuse by itself, and no strike */
    ABUSES
};

typedef struct {
    uint32_t debt[ABUSE_COUNTED];
    uint32_t uncharged[ABUSE_COUNTED]; /* of the debts: what the address was not charged with yet */
    int64_t drained;                   /* clock_monotonic() */
} abuse_budget_t;

struct connection;
struct client;

/* Counts `amount` of a counted kind. False: it is too much; the connection has been condemned (connection_condemn). */
bool abuse_count(struct connection *, enum abuse, uint32_t amount);
/* A request has come, which is what the rest is for. */
void abuse_request(struct connection *);
/* A strike for one of the other kinds, when the connection ends anyhow. */
void abuse_strike(struct connection *, enum abuse);
/* The same, and ends it. */
void abuse_end(struct connection *, enum abuse);
/* The connection closes: its address is charged with the rest. */
void abuse_settle(struct connection *);
