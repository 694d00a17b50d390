/* push_services: see the header. What always holds: a worker is held by one service at most, and a service's row in the table stays while it
 * holds one. There are more rows than workers, so that a new service always finds one: the oldest that holds nobody. */
#include "push.h"
#include "../../shared/base/log.h"
#include "../../shared/base/panic.h"

enum { SERVICES_MOST = 32 };
_Static_assert(SERVICES_MOST > (int)PUSH_WORKERS, "a new service must find a row");

typedef struct {
    char name[PUSH_SERVICE_SIZE]; /* "": none */
    bool silent;                  /* it did not answer last */
    int64_t used;                 /* when it was last given a worker, counted */
} service_t;

static service_t services[SERVICES_MOST], *held[PUSH_WORKERS];
static int64_t uses;

/* NULL: that are free. */
static int workers_of(const service_t *service)
{
    int count = 0;
    for (int i = 0; i < PUSH_WORKERS; i++)
        count += held[i] == service;
    return count;
}

/* A first one is always granted, so a further one leaves as many as there are others to get a first: none of them may ever find all held
 * by services of which nobody knows yet that they fell silent. */
bool push_service_may_hold(int holds, bool silent, int free, int without)
{
    if (silent)
        return holds == 0 && free > PUSH_SPEAKING_KEEP;
    return free > 0 && (holds == 0 || (holds < PUSH_SERVICE_WORKERS && free > without));
}

/* Those that hold a worker. */
static int services_holding(void)
{
    int count = 0;
    for (int i = 0; i < SERVICES_MOST; i++)
        count += workers_of(&services[i]) > 0;
    return count;
}

static bool is_full(const service_t *service, int named)
{
    int holds = workers_of(service), others = services_holding() - (holds > 0);
    return !push_service_may_hold(holds, service->silent, workers_of(NULL), named - 1 - others);
}

text_t push_services_full(call_t *call)
{
    buffer_t names = {0};
    int named = push_services_named(call);
    for (int i = 0; i < SERVICES_MOST; i++)
        if (services[i].name[0] && is_full(&services[i], named))
            buffer_format(&names, "%s%s", names.length > 0 ? " " : "", services[i].name);
    text_t copy = arena_copy(call->arena, buffer_text(&names));
    buffer_free(&names);
    return copy;
}

/* Its row, or one that is anybody's. */
static service_t *service_row(text_t name)
{
    service_t *free_row = NULL;
    for (int i = 0; i < SERVICES_MOST; i++) {
        if (text_equal(text_of(services[i].name), name))
            return &services[i];
        if (workers_of(&services[i]) == 0 && (free_row == NULL || services[i].used < free_row->used))
            free_row = &services[i];
    }
    insist(free_row != NULL && name.length < sizeof free_row->name);
    *free_row = (service_t){0};
    memcpy(free_row->name, name.data, name.length);
    return free_row;
}

void push_service_hold(int worker, text_t service)
{
    insist(held[worker] == NULL);
    held[worker] = service_row(service);
    held[worker]->used = ++uses;
}

void push_service_let_go(int worker)
{
    held[worker] = NULL;
}

void push_service_judge(int worker, bool answered)
{
    service_t *service = held[worker];
    held[worker] = NULL;
    if (service->silent == !answered)
        return;
    service->silent = !answered;
    log_event(answered ? LOG_INFO : LOG_WARNING, answered ? "push_service_answers" : "push_service_silent",
        LOG_S("service", service->name),
        LOG_S("next", answered ? "its pushes go out again" : "one push at a time tries it until it answers; can this machine reach it?"));
}
