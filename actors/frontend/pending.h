/* pending: the bounded table of requests that wait for an actor. A place is named by a ticket (generation and
 * index), never by a pointer, since the request may die while its answer travels. Places are ordered by
 * deadline. The table does not look at what its entries stand for. */
#pragma once
#include "base/memory.h"

typedef struct {
    void *exchange;   /* NULL: the client went away; the place stays taken until the answer or the deadline */
    void *connection; /* on whose account it is counted */
    void *upstream;   /* who is to answer */
    void *fill;       /* others wait for the answer; NULL: none */
    void *question;   /* it is one of our own, without exchange and connection; NULL: a client's */
    int64_t deadline; /* clock_monotonic() */
    uint32_t generation, previous, next;
    bool taken;
} pending_entry_t;

typedef struct {
    pending_entry_t *entries;       /* [0] is the ring's anchor: next is the earliest deadline */
    uint32_t capacity, count, free; /* free: first of a list through next, 0: none */
} pending_t;

void pending_create(pending_t *, uint32_t capacity);
void pending_destroy(pending_t *);
/* A place for a request; its ticket in *ticket. NULL when the table is full. */
pending_entry_t *pending_take(pending_t *, int64_t deadline, int64_t *ticket);
/* NULL when the ticket's request was answered or given up. */
pending_entry_t *pending_find(pending_t *, int64_t ticket);
int64_t pending_ticket(const pending_t *, const pending_entry_t *);
/* Frees the place; its ticket is void from now on. */
void pending_release(pending_t *, pending_entry_t *);
/* The one with the earliest deadline, then the one after it; NULL at the end. Take the next one before
 * releasing. */
pending_entry_t *pending_first(pending_t *);
pending_entry_t *pending_next(pending_t *, const pending_entry_t *);
