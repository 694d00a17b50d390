/* monitor: /metrics for Prometheus. Never for the public: a stranger is told 404, as if there were no such path. It may be read
 *
 *     from this machine itself (metrics.loopback) and from metrics.addresses, when the request came straight from there: not
 *     over a trusted proxy, without any word of another proxy in its headers, and not by HTTP/1.0;
 *     from anywhere else, also over a proxy, with the token in var/secrets/metrics_token: "Authorization: Bearer TOKEN".
 */
#pragma once
#include "exchange.h"

/* Panics over a network in the configuration that passed its check and is none. */
void monitor_open(void);
void monitor_answer(exchange_t *);
