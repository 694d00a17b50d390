/* notify: what children say in sd_notify(3)'s words, on a datagram socket below var/run/ipc; and our own
 * words to whoever started us that way (systemd). */
#pragma once
#include "supervisor.h"

/* 0, or -1 with a reason. */
int notify_open(supervisor_t *, char *error, size_t error_size);
/* Takes what lies there now: a process that ended may have said something just before. */
void notify_drain(supervisor_t *);
/* To our own NOTIFY_SOCKET, if there is one. */
void notify_parent(const char *message);
