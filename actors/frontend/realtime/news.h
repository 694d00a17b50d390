/* news: what is said of topics is shown to their sockets. A user's notifications have numbers without gaps (product.md, section 8), and
 * the table of their actor is the truth: who finds that a number was left out, or that hints may have been lost, asks for what was
 * missed. So each socket is told each of them once and in order, whatever is lost or doubled on the way. */
#pragma once
#include "topics.h"

/* Everything is shown in this namespace. */
void news_open(loop_t *, const namespace_t *);
/* The socket has joined its user's topic and is to be told what comes from now on. */
void news_begin(socket_t *, topic_t *);
/* It is to go to another frontend, where news_continue will begin behind socket->seq. False: where to begin is not known yet, and what is
 * said on the way would be lost; it is being asked for. */
bool news_move(socket_t *, const topic_t *);
/* The same, and it was told everything up to socket->seq already, at another frontend: what was said on the way is asked for. */
void news_continue(socket_t *, topic_t *);
/* The same, but it was told everything up to this number already, and then was away: it shall be told what it missed first. `done` is
 * called once unless the socket goes: true, and the socket is up to date with the number in socket->seq (its frames are queued after
 * those of `done`); false: too much or too long ago. While nobody can say, it is asked again: the session's time to join ends that, and its
 * client comes back with the same number. */
void news_recover(socket_t *, topic_t *, int64_t seq, void (*done)(socket_t *, bool recovered));
/* To those in the topic here but the sender (NULL: nobody), what has no number. */
void news_show(topic_t *, const char *name, text_t arguments, const uuid_t *sender);
/* The topic goes away. */
void news_forget(topic_t *);
/* The socket goes away. */
void news_forget_socket(socket_t *);
