/* link: ZeroMQ between processes, batched by the turn (architecture.md, rule 3): everything that one turn has for one peer
 * travels as one ZeroMQ message, a run of msgpack bin values, each with one envelope inside (so that a batch is split without
 * being parsed). ZMQ_FD is edge-triggered, so both kinds read
 * ZMQ_EVENTS and drain after each turn in which they sent (measured.md). High-water marks are set; a full one drops the
 * batch and counts it: deadlines are the sender's. */
#pragma once
#include "../base/loop.h"
#include "../base/memory.h"

/* One value of a batch; points into the received message, good until the callback returns. */
typedef void (*link_receive_t)(void *argument, text_t value, uint32_t peer);

/* The actor's side: a ROUTER bound at `endpoint`. `peer` of a received value is where an answer goes. NULL with errno. */
typedef struct link_server link_server_t;
link_server_t *link_server_open(loop_t *, const char *endpoint, link_receive_t receive, void *argument);
/* Appends to the peer's batch of this turn. */
void link_server_send(link_server_t *, uint32_t peer, text_t value);
/* A peer for whom a batch was dropped since this was last asked; false: there is none. */
bool link_server_lost(link_server_t *, uint32_t *peer);
/* Sends what is left (one second at most) and ends ZeroMQ in this process: the last thing before exit. */
void link_server_close(loop_t *, link_server_t **);

/* The caller's side: a DEALER connected to one instance's endpoint. */
typedef struct link_client link_client_t;
link_client_t *link_client_open(loop_t *, const char *endpoint, link_receive_t receive, void *argument);
void link_client_send(link_client_t *, text_t value);
/* Was a batch dropped since this was last asked? */
bool link_client_lost(link_client_t *);
/* Not from inside its own receive callback. */
void link_client_close(loop_t *, link_client_t **);

/* Batches that found a full queue, since the start. */
int64_t link_dropped(void);
