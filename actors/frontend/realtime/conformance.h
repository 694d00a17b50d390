/* conformance: what the public test suites of both protocols expect of a server (realtime.conformance): echoes on top of the same
 * sessions, transports and parsers that the realtime API has. */
#pragma once
#include "socket.h"

/* Engine.IO alone, below /engine.io/. */
extern const service_t echo_service;
extern const namespace_t conformance_namespaces[];
extern const int conformance_namespace_count;
void conformance_open(loop_t *);
