/* process_reload: what a running process is told anew by its supervisor (aipotenctl reload): the configuration, of which it takes
 * over the live settings (base/config_live.c), and the secrets that may change meanwhile, the TLS certificate and its key. They
 * come as descriptors in a datagram to RUN/SERVICE.N.GENERATION.reload, from the supervisor's user alone. */
#pragma once
#include "../base/loop.h"
#include "process.h"

/* Called before anything is taken over: `fresh` is whole and checked; `secrets` is NULL where none came. False, and nothing
 * changes: the reason goes to the operator. */
typedef bool (*process_reloaded_t)(
    const config_t *fresh, const process_secrets_t *secrets, char *error, size_t error_size);

/* By process_join; what comes before process_reload_watch waits. */
void process_reload_bind(process_t *);
/* `on_reload` may be NULL. */
void process_reload_watch(loop_t *, process_reloaded_t on_reload);
/* The name of the socket below RUN. */
void process_reload_name(const char *service, const segment_instance_t *, char *out, size_t out_size);
