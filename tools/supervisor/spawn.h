/* spawn: makes the process of an instance: descriptors at fixed places, an environment of its own, no
 * privileges. */
#pragma once
#include "supervisor.h"

/* Where a child finds what it inherits; a later supervisor takes them from there (adopt.c). */
enum {
    CHILD_SEGMENT_FD = 3,
    CHILD_CONFIG_FD,
    CHILD_SECRETS_FD,
    CHILD_IPC_FD,
    CHILD_LOG_FD,
    CHILD_HTTPS_FD,
    CHILD_HTTP_FD,
    CHILD_FILES_FD, /* last: places never change, a later supervisor takes what stands before it from there */
    CHILD_MAIL_FD,
    CHILD_FD_END
};

/* Starts it and fills pid, pidfd and start_ticks. 0, or -1 with a reason. */
int spawn(instance_t *, char *error, size_t error_size);
/* When this process started, in the kernel's ticks; 0: there is none, or it is a zombie. */
uint64_t process_start_ticks(pid_t pid);
