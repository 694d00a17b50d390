/* mails: the mailer's jobs, for the operator (aipotenctl mail): what waits, what is dead and why. As the migrator. No address and no
 * word of a mail is shown. */
#pragma once
#include <stdbool.h>
#include <stdio.h>

/* How many are in each state, the oldest that waits, the newest dead ones. 0, or -1 with a sentence in `out`. */
int mails_status(const char *url, FILE *out, bool json);
/* A dead mail, or with `id` NULL all of them, is tried again; with `skip` it is emptied and given up, as is one that waits. Says how
 * many. -1 as well when there was none with that id. */
int mails_resolve(const char *url, FILE *out, const char *id, bool skip);
