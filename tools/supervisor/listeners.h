/* listeners: the sockets that clients connect to. They belong to the supervisor, so that no connection is
 * refused while a frontend is replaced. */
#pragma once
#include "supervisor.h"

/* Makes those that the configuration names and that are not there yet. 0, or -1 with a reason. */
int listeners_open(supervisor_t *, char *error, size_t error_size);
/* The address for people: "https://localhost:8443"; empty: not listened on. */
void listener_url(const config_t *, bool https, char *out, size_t out_size);
