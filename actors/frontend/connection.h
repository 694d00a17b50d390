/* connection: what is remembered of a client's connection, from accept to close and until the last actor has
 * answered for it; and how many each address has. */
#pragma once
#include <h2o.h>
#include "address.h"
#include "base/config.h"

typedef struct connection {
    h2o_socket_t *socket; /* NULL once closed */
    struct connection *previous, *next;
    struct client
        *client; /* whose connections are counted; NULL: a trusted proxy's, which carry many clients */
    address_t peer;
    int64_t in_flight; /* requests that actors work on, also those whose client gave up */
    bool tls, trusted; /* trusted: its X-Forwarded-For is believed */
    bool http2;        /* a request has come over HTTP/2 */
    bool proxied;      /* a PROXY line may have named another peer: ask the socket at the first request */
} connection_t;

void connections_open(const config_t *);
/* The connection behind a fresh socket; NULL when its address has too many (the caller closes the socket).
 * `proxied`: the peer is trusted to say in a PROXY line whom it speaks for. */
connection_t *connection_open(h2o_socket_t *, address_t peer, bool tls, bool proxied);
/* The connection of a request. */
static inline connection_t *connection_of(h2o_req_t *req)
{
    return req->conn->callbacks->get_socket(req->conn)->on_close.data;
}
/* Takes the address from the PROXY line. */
void connection_resolve(connection_t *);
/* One request of it is with an actor; and is there no longer. */
void connection_hold(connection_t *);
void connection_release(connection_t *);

bool connections_trust(address_t);
/* The client behind a peer, by its X-Forwarded-For fields (address_resolve). */
address_t connections_resolve(address_t peer, const text_t *forwarded, int count);
int64_t connections_count(void);
/* Ends those that wait for a next request over HTTP/1 (nothing else tells them of a stop). */
void connections_end_idle(void);
/* Closes those over HTTP/2 whose request has been arriving for longer than http.idle_timeout; over HTTP/1
 * libh2o itself does. */
void connections_cut_slow(h2o_context_t *);
