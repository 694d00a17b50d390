/* command: the table that aipotenctl is: dispatch, help, manual page and completion come from its rows. */
#pragma once
#include "../../shared/shm/segment.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum exit_status { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2, CTL_NOT_RUNNING = 3 };

/* Options have the same name and meaning in every command that takes them. */
enum option {
    OPTION_JSON,
    OPTION_COUNT,
    OPTION_TIMEOUT,
    OPTION_CONFIG,
    OPTION_DRY,
    OPTION_USERS,
    OPTION_CHILDREN,
    OPTION_VIDEOS,
    OPTION_ROLLING,
    OPTION_FORCE,
    OPTIONS
};
#define TAKES(option) (1u << (option))

typedef struct {
    char letter;       /* 0: none */
    const char *name;  /* "timeout": --timeout */
    const char *value; /* what stands for its value in help; NULL: it takes none */
    bool number;       /* the value must be a whole number, not negative */
    const char *meaning;
} option_row_t;
extern const option_row_t option_rows[OPTIONS];

/* What was said on the command line. */
typedef struct {
    int count;
    const char *const *arguments; /* after the command's name */
    bool given[OPTIONS];
    const char *text[OPTIONS];
    int64_t number[OPTIONS];
} invocation_t;

typedef struct {
    const char *name;      /* "status", "config check" */
    const char *arguments; /* "SERVICE[.N]"; "" */
    int least, most;       /* how many */
    unsigned options;      /* a set of TAKES() */
    const char *summary;   /* one line, no full stop */
    const char *details;   /* more for the manual; NULL: nothing */
    enum exit_status (*run)(const invocation_t *);
} command_t;
extern const command_t commands[];
extern const int command_count;

/* "aipotenctl: …" on standard error; gives `status` back. */
enum exit_status complain(enum exit_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What they share. The running system's segment, to read; NULL when there is none, which was said. */
segment_t *segment_get(enum exit_status *status);
/* Asks the supervisor for what may take long (restart, upgrade) and waits for its end; what went wrong was said. */
enum exit_status change_ask(const char *name, const char *target, bool rolling, int milliseconds);
/* Restarts a service or an instance, NULL: all, and waits until it is READY; what went wrong was said. */
enum exit_status service_restart(const char *target, int milliseconds);
/* Who wrote behind the actors' backs makes a running system forget its answers. */
void cache_forget(void);
/* The configuration that was asked for, that of the running system, or the default one. */
void config_path(const invocation_t *invocation, char out[static PATH_MAX]);

/* The commands, each in the file that is named after its subject. */
enum exit_status run_status(const invocation_t *);
enum exit_status run_history(const invocation_t *);
enum exit_status run_start(const invocation_t *);
enum exit_status run_stop(const invocation_t *);
enum exit_status run_restart(const invocation_t *);
enum exit_status run_reload(const invocation_t *);
enum exit_status run_upgrade(const invocation_t *);
enum exit_status run_scale(const invocation_t *);
enum exit_status run_drain(const invocation_t *);
enum exit_status run_wait(const invocation_t *);
enum exit_status run_routes(const invocation_t *);
enum exit_status run_top(const invocation_t *);
enum exit_status run_counters(const invocation_t *);
enum exit_status run_cache(const invocation_t *);
enum exit_status run_cache_flush(const invocation_t *);
enum exit_status run_config_check(const invocation_t *);
enum exit_status run_config_show(const invocation_t *);
enum exit_status run_config_defaults(const invocation_t *);
enum exit_status run_db_migrate(const invocation_t *);
enum exit_status run_db_status(const invocation_t *);
enum exit_status run_db_check(const invocation_t *);
enum exit_status run_db_demo(const invocation_t *);
enum exit_status run_events(const invocation_t *);
enum exit_status run_events_retry(const invocation_t *);
enum exit_status run_events_skip(const invocation_t *);
enum exit_status run_mail(const invocation_t *);
enum exit_status run_mail_retry(const invocation_t *);
enum exit_status run_mail_skip(const invocation_t *);
enum exit_status run_audit_verify(const invocation_t *);
enum exit_status run_secrets_show(const invocation_t *);
enum exit_status run_secrets_stage(const invocation_t *);
enum exit_status run_secrets_promote(const invocation_t *);
enum exit_status run_secrets_rotate(const invocation_t *);
enum exit_status run_secrets_retire(const invocation_t *);
enum exit_status run_help(const invocation_t *);
enum exit_status run_man(const invocation_t *);
enum exit_status run_completion(const invocation_t *);
