/* client: aipotenctl's end of the supervisor's control socket. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct {
    int fd;     /* -1: not connected */
    char *rest; /* read, not yet used */
    size_t length;
    int received_fd; /* came with the last answer; -1: none */
} client_t;

/* False: no supervisor runs for this AIPOTEN_VAR. */
bool client_connect(client_t *);
/* Sends one request (consumed) and waits for its answer, `milliseconds` at most; NULL: the supervisor went
 * away. The caller decrefs it. */
json_t *client_ask(client_t *, json_t *take_request, int milliseconds);
/* Waits until the supervisor closes, `milliseconds` at most; false: it did not. */
bool client_wait_end(client_t *, int milliseconds);
void client_close(client_t *);
/* Are there processes of a supervisor that died? */
bool client_orphans(void);
/* A descriptor to read the segment by, taken from one of the processes themselves, without asking anybody: for when the supervisor
 * is dead or hangs. Only root, or who runs them, may; -1: it cannot be had. */
int client_segment(void);
