/* supervisor: what the files of this directory share: the system as it stands, and its instances. One thread,
 * one loop.
 *
 * What always holds: an instance's state stands in its row of the segment and nowhere else; it changes by
 * instance_event only; whatever changes it calls segment_touch. `wanted` says what the operator wants, the
 * state what is. */
#pragma once
#include "../../shared/base/config.h"
#include "../../shared/base/loop.h"
#include "../../shared/shm/cache.h"
#include "../../shared/shm/segment.h"
#include "../../shared/shm/services.h"
#include "history.h"
#include "paths.h"
#include "tally.h"

enum {
    SERVICES_MOST = 32,
    STAGES_MOST = 2,            /* the highest stage of services.c */
    EARLY_DEATH_SECONDS = 5,    /* a death before READY, or so soon after it, counts */
    ROUTING_MILLISECONDS = 100, /* frontends have seen a changed table after this time */
};

typedef struct supervisor supervisor_t;

typedef struct instance {
    supervisor_t *supervisor;
    segment_instance_t *row; /* NULL: this place is free */
    int slot, service, number;
    bool wanted;   /* the operator wants it to run */
    bool leaving;  /* scaled away: its row is freed when it is down */
    bool stand_in; /* serves while the only instance of its service is restarted, then leaves */
    bool held;     /* drained by hand: alive, not routed to, until start or stop */
    bool successor; /* of the one with its number, which it has not replaced yet (roll.c) */
    int64_t reloaded; /* number of the last reload that it took or was started with */
    bool reported;  /* a successor that said READY=1 and waits in STARTING until it may serve */

    pid_t pid; /* 0: no process */
    int pidfd;
    uint64_t start_ticks; /* /proc/PID/stat: tells it from a later process with its pid */
    bool adopted;         /* not our child */
    loop_watch_t *watch;

    int64_t deadline;               /* clock_monotonic() of EVENT_TIME; 0: none */
    int64_t launched, ready, alive; /* clock_monotonic(): start, READY=1 (0: not yet), last WATCHDOG=1 */
    const char *killed;             /* why we sent SIGKILL; NULL: we did not */
    int early;                      /* early deaths in a row */
    bool failing;                   /* it was FAILED and has not yet lived EARLY_DEATH_SECONDS */
    int64_t restarts;
    char status[200];  /* its last STATUS= */
    bool told;         /* progress.c has said what there is to say of its state and status */
    char reason[320];  /* why it is in BACKOFF or FAILED */
    int64_t log_start; /* where its log stood when it started */
    death_t last_death;
} instance_t;

struct supervisor {
    loop_t *loop;
    const char *config_path;
    config_t config;
    int config_fd; /* the text that was checked */
    paths_t paths;
    char program_directory[PATH_MAX];
    const char *database_url; /* the migrator's, with its password; NULL: not given */

    segment_t *segment;
    cache_t *cache; /* in the segment */
    int segment_fd, https_fd, http_fd; /* -1: not listened on */
    int lock_fd;
    const char *heir; /* directory of the supervisor that we are to become; NULL: none (handover.h) */

    instance_t instances[SEGMENT_INSTANCES];
    tally_t tallies[SERVICES_MOST];
    int open_stage;                                      /* services up to this stage may start */
    bool stopping, ended;                                /* the whole system goes down; it is down */
    bool was_ready;                                      /* all were READY once since the start */
    int restart_queue[SEGMENT_INSTANCES], restart_count; /* slots, one at a time */
    uint64_t restart_generation; /* of the first of them when its turn came; 0: not its turn yet */
    int restart_failures;        /* restarts that came to no good end */
    char restart_error[1024];    /* why the last of them */
    bool dirty;                  /* var/run/state is older than we are */
    bool detached;               /* --detach: a failed start ends everything */
    bool ending;                 /* --end */
    int exit_status;
    int64_t started; /* clock_monotonic() */
};

#define EACH_INSTANCE(supervisor, name)                                                                      \
    for (instance_t *name = (supervisor)->instances; name < (supervisor)->instances + SEGMENT_INSTANCES;     \
         name++)                                                                                             \
        if (name->row != NULL)
