/* proc: what the kernel tells everybody about a process (proc(5)), in two reads of a few microseconds. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct {
    int64_t cpu;             /* microseconds of processor time, in user and kernel mode, since its start */
    int64_t resident;        /* bytes; what it shares with others is counted in each of them */
    int64_t resident_shared; /* of these, those that may be shared: files and shared memory */
    char state;              /* 'R', 'S', 'T' … */
} proc_t;

/* False: there is no such process, or it is not shown to us. */
bool proc_read(pid_t pid, proc_t *out);
