/* paths: where everything of one system lives, below AIPOTEN_VAR.
 *
 *     var/run       control.sock, supervisor.lock, state, history          the supervisor's
 *     var/run/ipc   sockets of the actors, notify                           the children's user's, 0700
 *     var/log       supervisor.log, SERVICE.N.log, the access logs
 *     var/files     files that are sent to clients, below exports and the like; the children's user's, 0700
 *     var/mail      mails as files, where mail.transport is file; the children's user's, 0700
 *     var/secrets   keys and passwords, 0700        var/tls   the certificate of the first run
 *
 * Children reach var/run/ipc, var/log and var/files by a descriptor (CHILD_IPC_FD …) whenever the path
 * itself may be out of their reach (a clone below /root) or too long for a socket's address. */
#pragma once
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

/* A unix socket's path has 107 bytes; "/SERVICE.N.GENERATION" needs its share of them. */
enum { PATHS_NAME_ROOM = 48 };

typedef struct {
    char var[PATH_MAX], run[PATH_MAX], ipc[PATH_MAX], log[PATH_MAX], files[PATH_MAX], mail[PATH_MAX], secrets[PATH_MAX],
        tls[PATH_MAX];
    int run_fd, ipc_fd, log_fd, files_fd, mail_fd; /* the directories, close-on-exec */
    uid_t uid;                                     /* children run as this user */
    gid_t gid;
    bool switch_user; /* we are root, they are not */
    bool adoptable; /* children must let a later supervisor at their descriptors: we have no CAP_SYS_PTRACE */
    char user[64];
    char child_run[PATH_MAX], child_log[PATH_MAX], child_files[PATH_MAX],
        child_mail[PATH_MAX]; /* how children name them */
} paths_t;

/* The directories' names only. 0, or -1 with a reason. */
int paths_name(paths_t *, const char *var, char *error, size_t error_size);
/* Makes what is missing and opens it; `user` is whom the children run as when we are root. 0, or -1 with a
 * reason. */
int paths_open(paths_t *, const char *user, char *error, size_t error_size);
/* Removes the sockets of processes that are no more; before anything is started. */
void paths_clear_sockets(const paths_t *);
/* "directory/name"; false, and an empty string, when it is too long. */
bool paths_join(char *out, size_t out_size, const char *directory, const char *name);
/* The address of a socket in an open directory, whatever the length of its path. */
struct sockaddr_un paths_socket(int directory_fd, const char *name);
