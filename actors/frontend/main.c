/* frontend: HTTP/2 and HTTP/1.1 for clients, message envelopes for actors. The only process that knows libh2o. One thread, one
 * loop. Its files, in the order of a request's way:
 *
 *     listener.c spread.c                   accept, each frontend its share
 *     tls.c connection.c                    TLS, what is known of a connection and of its address
 *     frames.c abuse.c                      what comes over it besides requests, and how much of that is borne
 *     address.c                             who is behind trusted proxies
 *     request.c request_headers.c trace.c   the checks that a request passes, and its envelope
 *     hpack.c, hpack_token.c                header blocks over HTTP/2: no fields behind a body; what libh2o does slowly
 *     routing.c matcher.c                   the actors' rows, compiled: method and path to a destination
 *     limits.c auth.c query.c body_field.c  rates, tokens, parameters, single fields of a body
 *     cached.c accept.c hot.c               answers from the cache, in the form that the client takes
 *     relay.c pending.c                     waiting for actors: limits, deadlines, instances that come and go
 *     response.c foreign.c builtin.c        how answers look; those that libh2o makes, those that we make ourselves
 *     access_log.c counters.c monitor.c     what is told about it afterwards
 *     realtime/                             Socket.IO: realtime.h has its own list of files
 *     loop_h2o.c                            base/loop.h over libh2o's loop
 *
 * A stop (SIGTERM) accepts nothing more, says so by GOAWAY and "Connection: close", ends idle connections after a moment, and
 * exits with 0 when the last one is gone or http.drain_timeout is over. */
#include "access_log.h"
#include "auth.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/panic.h"
#include "builtin.h"
#include "cached.h"
#include "counters.h"
#include "foreign.h"
#include "frames.h"
#include "hpack.h"
#include "listener.h"
#include "loop_h2o.h"
#include "monitor.h"
#include "realtime/realtime.h"
#include "relay.h"
#include "reload.h"
#include "request.h"
#include "response.h"
#include "tls.h"
#include <h2o/http1.h>
#include <h2o/http2.h>
#include <signal.h>
#include <sys/resource.h>

enum {
    IDLE_GRACE = 1500,     /* milliseconds from the stop until idle HTTP/1 connections end: their next request may be on its way */
    SLOW_LOOK = 1000,
    BAN_LOOK = 100,
    LIBRARY_LATER = 2000, /* milliseconds: libh2o's own timeouts come behind ours, which are counted */
};

process_t frontend;
bool frontend_draining;

static h2o_globalconf_t globalconf;
static h2o_context_t context;
static volatile sig_atomic_t told_to_stop;
static int64_t drain_began; /* clock_monotonic() */

static void on_signal(int signal_number)
{
    (void)signal_number;
    told_to_stop = 1;
}

/* libh2o complains of clients' odd frames on stdio's stderr, which anybody could make it do endlessly. Our log does not use it. */
static void silence_library(void)
{
    FILE *nowhere = fopen("/dev/null", "we");
    if (nowhere != NULL)
        stderr = nowhere;
}

static void signals_open(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

static void descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void library_open(void)
{
    const config_t *config = &frontend.config;
    h2o_config_init(&globalconf);
    globalconf.server_name = (h2o_iovec_t){NULL, 0};
    globalconf.max_request_entity_size = (size_t)config->http.max_body + BODY_EXCESS;
    globalconf.handshake_timeout = (uint64_t)config->http.header_timeout + LIBRARY_LATER;
    globalconf.http1.req_timeout = (uint64_t)config->http.idle_timeout + LIBRARY_LATER;
    globalconf.http2.idle_timeout = (uint64_t)config->http.idle_timeout;
    globalconf.http2.graceful_shutdown_timeout = (uint64_t)config->http.drain_timeout;
    h2o_hostconf_t *host = h2o_config_register_host(&globalconf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    requests_open(&host->fallback_path);
    foreign_open(&host->fallback_path);
    h2o_context_init(&context, h2o_evloop_create(), &globalconf);
}

static void on_watchdog_time(void *argument)
{
    (void)argument;
    process_notify_watchdog();
}

static void on_slow_time(void *argument)
{
    (void)argument;
    connections_look(&context);
    responses_cut_slow();
}

static void on_slow_time_on(void *argument)
{
    (void)argument;
    connections_look_on();
}

static void on_ban_time(void *argument)
{
    (void)argument;
    connections_cut_banned();
}

static void drain_begin(void)
{
    log_event(LOG_INFO, "draining", LOG_I("connections", connections_count()));
    frontend_draining = true;
    drain_began = clock_monotonic();
    process_notify_stopping();
    listeners_close();
    realtime_drain();
    h2o_context_request_shutdown(&context);
}

/* True when nothing is left to wait for. */
static bool drain_is_over(void)
{
    int64_t since = clock_monotonic() - drain_began;
    if (connections_count() == 0)
        return true;
    if (since >= frontend.config.http.drain_timeout * CLOCK_MILLISECOND) {
        log_event(LOG_WARNING, "drain_timeout", LOG_I("connections", connections_count()),
            LOG_S("next", "raise http.drain_timeout when these matter"));
        return true;
    }
    if (since >= IDLE_GRACE * CLOCK_MILLISECOND || since * 2 >= frontend.config.http.drain_timeout * CLOCK_MILLISECOND)
        connections_end_idle();
    return false;
}

int main(void)
{
    process_join(&frontend);
    silence_library();
    signals_open();
    descriptors_raise();
    counters_declare(frontend.segment, frontend.self);
    routing_build(routes, route_count, route_services, route_service_count, builtins, builtin_count);
    auth_open(frontend.segment, &frontend.config);
    limits_open(frontend.segment, &frontend.config);
    responses_open();
    builtins_open();
    monitor_open();
    frames_open();
    hpack_open();
    connections_open();
    library_open();

    loop_t *loop = loop_h2o_create(context.loop);
    access_log_open(loop, frontend.segment, &frontend.config, frontend.log_directory, frontend.number);
    relay_open(loop, &frontend);
    cached_open(loop, &frontend);
    realtime_open(loop);
    SSL_CTX *tls = frontend.https_fd < 0 ? NULL
                                         : tls_open(process_secret("tls_certificate"), process_secret("tls_key"), frontend.segment);
    listeners_open(&context, loop, tls);
    loop->timer(loop, SLOW_LOOK, on_slow_time, NULL);
    loop->timer(loop, CONNECTIONS_LOOK_ON, on_slow_time_on, NULL);
    loop->timer(loop, BAN_LOOK, on_ban_time, NULL);
    if (frontend.config.supervisor.watchdog > 0)
        loop->timer(loop, (int)(frontend.config.supervisor.watchdog / 3), on_watchdog_time, NULL);
    reload_open(loop, &globalconf, frontend.https_fd >= 0);
    process_notify_ready(0);

    while (!frontend_draining || !drain_is_over()) {
        loop_h2o_turn(loop);
        if (told_to_stop && !frontend_draining)
            drain_begin();
    }
    relay_close();
    realtime_close();
    access_log_close();
    log_event(LOG_INFO, "stopped");
    return 0;
}
