/* exposition: all that the segment counts, and what the kernel tells of the processes, in Prometheus' text format (version 0.0.4).
 * Whoever asks, any frontend answers the same, for all processes of this machine.
 *
 * Label values come from our own tables only: services, operations, statuses, names of counters. What a client sends never makes a
 * series. Requests, calls, starts and deaths are sums that outlive the processes (metrics.h); what has a label `process` begins at 0
 * with its process, which aipoten_process_start_time_seconds shows. */
#pragma once
#include "../base/memory.h"
#include "segment.h"

/* Appends the text. */
void exposition_write(segment_t *, buffer_t *out);
