/* process: how a child of the supervisor comes to life. Everything it may use was inherited as a descriptor:
 *
 *     AIPOTEN_SERVICE=accounts  AIPOTEN_INSTANCE=1  AIPOTEN_SLOT=3  AIPOTEN_RUN=/…/var/run
 *     AIPOTEN_SEGMENT_FD, AIPOTEN_CONFIG_FD, AIPOTEN_SECRETS_FD, AIPOTEN_HTTPS_FD, AIPOTEN_HTTP_FD (-1 or
 * absent: none) AIPOTEN_LOG_DIR=/…/var/log (frontends: the access log), AIPOTEN_FILES_DIR=/…/var/files (what
 * actors write and frontends send), AIPOTEN_MAIL_DIR=/…/var/mail (mails as files), NOTIFY_SOCKET (sd_notify(3))
 *     AIPOTEN_ADOPTABLE=1 (the supervisor may not trace: the next one must be let at the descriptors, see
 * process.c) */
#pragma once
#include "../base/config.h"
#include "../base/memory.h"
#include "../crypto/keys.h"
#include "segment.h"

typedef struct {
    const char *service;
    int number;
    uint64_t generation;
    const char *run_directory, *log_directory, *files_directory, *mail_directory;
    segment_t *segment;
    segment_instance_t *self;
    config_t config;
    int https_fd, http_fd; /* listening sockets, -1: none */
} process_t;

enum { EXIT_CONFIG = 78 }; /* sysexits(3) EX_CONFIG: the supervisor does not try again */

/* Joins; exits with EXIT_CONFIG and a log line when something is missing or wrong. Sets the log's identity
 * and level, ignores SIGPIPE, forbids core dumps of secrets. */
void process_join(process_t *);
/* A secret by name (services.c says who gets which); the text lives until the process ends and a NUL follows
 * it. Exits with EXIT_CONFIG when it was not given. */
text_t process_secret(const char *name);
/* A ring among them. Which of its keys are the first and the newest here is published by two counters: before
 * a key is used or dropped, `aipotenctl secrets` asks whether every process knows. Exits with EXIT_CONFIG
 * when it is no ring. */
void process_ring(const char *name, key_ring_t *out);
/* The names of these counters. */
enum { RING_COUNTER_SIZE = 40 };
void ring_counter_first(const char *ring, char out[static RING_COUNTER_SIZE]);
void ring_counter_newest(const char *ring, char out[static RING_COUNTER_SIZE]);
/* The supervisor's side of it: appends one secret, any bytes, to the text of AIPOTEN_SECRETS_FD. */
void process_secret_add(buffer_t *out, const char *name, text_t value);

/* Another bundle than that of the start, for a moment (process_reload.h). NULL with a reason. */
typedef struct process_secrets process_secrets_t;
process_secrets_t *process_secrets_read(int fd, const char **reason);
/* data NULL: it is not among them. */
text_t process_secrets_get(const process_secrets_t *, const char *name);
void process_secrets_free(process_secrets_t **);

/* sd_notify's words, sent to NOTIFY_SOCKET; nothing happens without one. */
void process_notify_ready(uint64_t schema_hash); /* READY=1 and X_SCHEMA=hex */
void process_notify_status(const char *status);
/* A start that takes longer for a reason from outside: the status, and EXTEND_TIMEOUT_USEC for another
 * second. */
void process_notify_waiting(const char *status);
void process_notify_watchdog(void);
/* X_RELOADED=NUMBER, and why it was refused; an empty reason: it was taken. */
void process_notify_reloaded(int64_t number, const char *reason);
void process_notify_stopping(void);
