/* push: what carries a push (push_ways.c) and what is to be done with it (push.c) tell each other. */
#pragma once
#include "notifications.h"
#include "push_services.h"

enum push_outcome {
    PUSH_SENT,        /* the service has taken it */
    PUSH_GONE,        /* the device is no more */
    PUSH_REFUSED,     /* another try would not help */
    PUSH_LATER,       /* refused for now */
    PUSH_UNREACHABLE, /* the service did not answer: that is not the push's fault */
};

typedef struct {
    enum push_outcome outcome;
    const char *reason; /* holds nothing personal */
} push_result_t;

/* Can this system send to the platform at all? What it needs stands in the configuration (section push) and in var/secrets. */
bool push_way_open(call_t *, enum platform);
/* Asks the device's service; others run meanwhile. `until` is clock_monotonic(). */
push_result_t push_send(call_t *, const push_job_t *, int64_t until);
/* May a message be sent to this endpoint of a browser? */
bool push_endpoint_allowed(call_t *, text_t endpoint);
/* Who carries what goes to this device: the entry of push.web_hosts that a browser's endpoint fits, "fcm", "apns"; "none". No spaces. */
text_t push_service_of(call_t *, enum platform, text_t token);
/* The key by which services of browsers know us. */
text_t push_public_key(call_t *);

/* How many services the configuration names that a push may wait for. */
int push_services_named(call_t *);
