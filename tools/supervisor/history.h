/* history: the last deaths, in memory and in var/run/history (NDJSON, oldest first), so that they outlive the
 * supervisor. */
#pragma once
#include "../../shared/shm/segment.h"
#include <jansson.h>

enum { HISTORY_MOST = 100 };

typedef struct {
    int64_t time; /* clock_now(); 0: no death */
    char service[32];
    int number;
    pid_t pid;
    int64_t uptime; /* microseconds since its start */
    bool known;     /* false: it was not our child (adopted), nobody told us its status */
    int signal;     /* 0: none */
    int status;     /* exit status, when there was no signal */
    char cause[32]; /* "crash", "exit", "configuration", "watchdog", "start_timeout", "stop_timeout",
                       "unwatched" */
    char operation[48], call[UUID_TEXT_SIZE], trace[40]; /* what it was doing; empty: idle */
    char log[320];                                       /* its last words */
} death_t;

/* Reads what an earlier supervisor kept. */
void history_open(int run_fd);
void history_add(const death_t *);
/* A new array of the last `most` deaths, newest first. */
json_t *history_list(int most);
/* A new object. */
json_t *death_to_json(const death_t *);
/* One clause: "signal 9 (Killed) after 3 s, in children.get". */
void death_describe(const death_t *, char *out, size_t out_size);
