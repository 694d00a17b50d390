/* connection: what is remembered of a client's connection, from accept to close and until the last actor has
 * answered for it; how many each address has, and what is held in memory for it. */
#pragma once
#include <h2o.h>
#include "abuse.h"
#include "address.h"
#include "base/config.h"

enum { CONNECTIONS_LOOK_ON = 25 /* milliseconds */ };

typedef struct connection {
    h2o_socket_t *socket; /* NULL once closed */
    struct connection *previous, *next;
    struct client
        *client; /* whose connections are counted; NULL: a trusted proxy's, which carry many clients */
    address_t peer;
    int64_t in_flight; /* requests that actors work on, also those whose client gave up */
    bool tls, trusted; /* trusted: its X-Forwarded-For is believed */
    bool http2;        /* a request, or a frame, has come over HTTP/2 */
    bool proxied;      /* a PROXY line may have named another peer: ask the socket at the first request */
    bool condemned;    /* it was told to end */
    bool introduced;   /* over TLS: the handshake is done */
    bool upgraded;     /* it is a WebSocket now, whose rules realtime/ keeps */

    struct hpack_token *token; /* hpack.c: the last one; NULL: there was none */

    /* frames.c */
    h2o_socket_cb read;       /* libh2o's, which ours stands before */
    struct arrival *arrivals; /* requests whose bodies are arriving */
    size_t head_bytes;        /* of the header block that is arriving */
    uint32_t last_reset;      /* the stream that we reset last */

    int64_t opened;     /* clock_monotonic(), likewise below */
    int64_t asked;      /* its last request, at first its beginning */
    int64_t header_since; /* when the header that is arriving began; 0: none is */
    size_t noise;       /* bytes since its last request */
    int64_t pipelined;  /* requests since its last bytes */
    int64_t open;       /* requests that libh2o has not disposed of */
    int64_t unread;     /* of these, answered */
    int64_t unread_since, unread_acknowledged; /* of the look before */
    size_t input, owed, bodies; /* held in memory: bytes not parsed; answers; bodies of requests over HTTP/2 */
    size_t sent_before;
    abuse_budget_t budget;
} connection_t;

void connections_open(void);
/* May this peer connect? Asked before anything is made of it. False: close it at once; it was counted why. */
bool connections_welcome(address_t peer);
/* The connection behind a fresh socket. `proxied`: the peer is trusted to say in a PROXY line whom it speaks for. */
void connection_open(h2o_socket_t *, address_t peer, bool tls, bool proxied);
/* The connection of a socket; NULL: it is no client's. */
connection_t *connection_of_socket(h2o_socket_t *);
/* The connection of a request. */
static inline connection_t *connection_of(h2o_req_t *req)
{
    return req->conn->callbacks->get_socket(req->conn)->on_close.data;
}
/* Takes the address from the PROXY line. */
void connection_resolve(connection_t *);
/* What stands for its address in shared memory (IPv6: the /64). */
text_t connection_key(const connection_t *);
/* Ends it: libh2o finds its socket shut; or, gently, ends it by a GOAWAY because of what our functions return. */
void connection_condemn(connection_t *, bool gently);
/* It speaks no HTTP any more. */
void connection_upgrade(connection_t *);
/* Bytes written since the last time that this was asked. */
int64_t connection_sent(connection_t *);

/* One request of it is with an actor; and is there no longer. */
void connection_hold(connection_t *);
void connection_release(connection_t *);
/* It has, or its address has, as many with actors as it may. */
bool connection_is_full(const connection_t *);
bool connection_address_is_full(const connection_t *);
/* A request begins (clock_monotonic()); it is answered with so many bytes; libh2o disposes of it. */
void connection_ask(connection_t *, int64_t now);
void connection_owe(connection_t *, size_t bytes);
void connection_end_request(connection_t *, bool answered, size_t bytes);
/* What is held of its input, and of its requests' bodies, has changed. */
void connection_hold_input(connection_t *, size_t bytes);
void connection_hold_body(connection_t *, ssize_t change);

bool connections_trust(address_t);
/* The client behind a peer, by its X-Forwarded-For fields (address_resolve). */
address_t connections_resolve(address_t peer, const text_t *forwarded, int count);
int64_t connections_count(void);
/* Ends those that wait for a next request over HTTP/1 (nothing else tells them of a stop). */
void connections_end_idle(void);
/* Once a second: closes those whose request arrives too slowly, that do not read what they asked for, and that keep libh2o's idle
 * timeout away without asking anything; and when http.max_connections is near, those that are idle. */
void connections_look(h2o_context_t *);
/* Each CONNECTIONS_LOOK_ON: it goes on with some of them. */
void connections_look_on(void);
/* Ends the connections of addresses that any frontend has banned meanwhile. */
void connections_cut_banned(void);
