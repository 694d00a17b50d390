/* forward: polls reach any frontend, and a session is at one of them, which its id names. What is somebody else's is passed on to its
 * owner over wire/link, and the answer back. A WebSocket that takes a session over from polls fetches it: from then on it lives here. */
#pragma once
#include "session.h"

void forward_open(loop_t *);
void forward_close(void);

/* Is the frontend there whose session this would be? */
bool forward_reaches(text_t sid);
/* Passes a poll (body data NULL: one that waits) on to the session's owner; an owner that is no more is Engine.IO's error 1. */
void forward_poll(exchange_t *, const service_t *, text_t sid, text_t body);
/* The owner's side: the answer to who asked. */
void forward_answer(uint32_t peer, int64_t ticket, int status, text_t type, text_t body);

/* For a WebSocket that probes: is the session there, and may it take it over? And then: the session itself, packed; its owner has none
 * from that moment on. `done` comes once, with data NULL when it is refused; `argument` must live until then. False: its owner is gone,
 * and it does not come. */
bool forward_probe(const service_t *, text_t sid, void (*done)(void *argument, text_t answer), void *argument);
bool forward_take(const service_t *, text_t sid, void (*done)(void *argument, text_t answer), void *argument);
