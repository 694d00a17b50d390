/* session: a client's Engine.IO session from handshake to end: its id, its transport (WebSocket, or polls one after the other), its
 * heartbeat, and the bounded queue of what it has not been given yet.
 *
 * What always holds: a session is in the table until it is closed, and its memory lives until the end of the turn in which it was; a
 * session whose queue is over its bounds ends, since it reads slower than it is told things. */
#pragma once
#include "frontend/exchange.h"
#include "frame.h"
#include "packet.h"

enum { SID_SIZE = 49, SID_NONCE = 12 }; /* hexadecimal: generation of the frontend, place in its table, chance */

typedef struct session session_t;

/* What is spoken on top of Engine.IO. */
typedef struct {
    text_t path; /* "/socket.io/" */
    void (*on_open)(session_t *);
    /* False: the client broke the rules of what is spoken. */
    bool (*on_message)(session_t *, const engine_packet_t *);
    void (*on_slow)(session_t *); /* it reads too slowly: what it is to hear before it ends */
    void (*on_close)(session_t *, const char *reason);
    /* A session goes to another frontend: what it is, and back. NULL: it cannot. False: not just now (when it has been waited for
     * long enough, `hurry`, less is asked of it); it is nothing of ours. */
    bool (*pack)(session_t *, bool hurry, buffer_t *out);
    bool (*unpack)(session_t *, text_t packed);
} service_t;

/* Who waits for an answer to a poll. */
typedef struct asker {
    exchange_t *exchange;      /* NULL: it is at another frontend (forward.c) */
    struct asker_guard *guard; /* tells when the request dies; NULL: none */
    uint32_t peer;             /* of forward.c, likewise */
    int64_t ticket;
} asker_t;

typedef struct session_node {
    struct session_node *previous, *next;
} session_node_t;

struct session {
    uint32_t place;
    uint8_t nonce[SID_NONCE];
    const service_t *service;
    void *spoken;      /* the service's own */
    address_t client;
    enum language language;
    struct websocket *websocket; /* NULL: it polls */
    struct websocket *probing;   /* a WebSocket that wants to take over; NULL: none */
    asker_t *poll;     /* that waits for something to say; NULL: none */
    queue_t queue;
    session_node_t beat, joining; /* by the time of the next ping, or its answer; by the time to join by */
    session_t *next;   /* that is to be written to, or to be freed */
    int64_t due, join_due; /* clock_monotonic() */
    int64_t released;  /* clock_monotonic(): until then polls are answered at once, since a WebSocket takes over */
    int64_t window;    /* seconds of clock_monotonic() / 10, that `messages` are counted in */
    uint32_t messages;
    bool dirty, closed;
    bool pinged;       /* a ping waits for its answer */
    bool moved;        /* it lives on at another frontend */
    bool joined;       /* it is somebody's: no deadline to say whose */
    const char *ending; /* it ends when its queue has left, or at `due`; NULL: it does not */
};

/* NULL: nothing is spoken below this path. */
const service_t *service_of_path(text_t path);

void sessions_open(loop_t *);
/* Told to stop: they end one after the other, so that not all come back at once. */
void sessions_drain(void);
int64_t sessions_count(void);

/* May one more begin, of this client? False: try again later (503). */
bool session_welcome(address_t client);
/* A new one; its first packet is queued. */
session_t *session_create(const service_t *, address_t client, enum language, struct websocket *);
void session_sid(const session_t *, char out[static SID_SIZE]);
/* One that ends is found as well: its client is to hear its last words. NULL: there is none (any more), or it is of another path. */
session_t *session_find(const service_t *, text_t sid);
/* The generation of the frontend that the id names; 0: it is none. */
uint64_t session_owner(text_t sid);

/* Queues it; it leaves at the end of this turn, or one of the next. */
void session_send(session_t *, frame_t *);
void session_send_packet(session_t *, text_t packet, bool binary);
/* What came from the client. False: the session is closed now. */
bool session_receive(session_t *, const engine_packet_t *);
/* It has said who it is in time. */
void session_joined(session_t *);
/* Its queue shall leave first, for a moment at most. */
void session_end(session_t *, const char *reason);
/* At once. */
void session_close(session_t *, const char *reason);
/* The WebSocket that probed takes over. */
void session_upgrade(session_t *);
/* Nothing more is to be written to its WebSocket. */
void session_written(session_t *);

/* With what is queued, for another frontend, which makes it anew for a WebSocket of its own. False: it cannot go now. NULL: it is none. */
bool session_pack(session_t *, bool hurry, buffer_t *out);
session_t *session_unpack(const service_t *, address_t client, enum language, struct websocket *, text_t packed);

/* One of so many parts of all of them, from this place on; `each` may close the one it is given. Gives the next part's place; 0: that was
 * the last. */
uint32_t sessions_some(uint32_t place, uint32_t parts, void (*each)(session_t *, void *argument), void *argument);
