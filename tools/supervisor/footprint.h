/* footprint: how much memory a process holds. */
#pragma once
#include <stdint.h>
#include <sys/types.h>

/* Proportional set size in bytes; -1: not ours to see. The kernel walks every mapping for it: not for a loop's turn. */
int64_t footprint_of(pid_t pid);
