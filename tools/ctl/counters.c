/* counters and routes: what the processes count, from shared memory, and what the actors' rows declare, from
 * the build. */
#include "../../shared/actor/route.h"
#include "../../shared/shm/segment.h"
#include "../../shared/shm/services.h"
#include "client.h"
#include "command.h"

#include <string.h>

enum { ANSWER_MILLISECONDS = 10000 };

static void json_print_take(json_t *take_value)
{
    json_dumpf(take_value, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(take_value);
}

/* The supervisor hands out no other descriptor than a read-only one. */
segment_t *segment_get(enum exit_status *status)
{
    client_t client;
    char error[256];
    segment_t *segment = NULL;
    *status = CTL_OK;
    if (!client_connect(&client)) {
        *status = complain(CTL_NOT_RUNNING, "not running; next: aipotenctl start");
        return NULL;
    }
    json_decref(client_ask(&client, json_pack("{s:s}", "request", "segment"), ANSWER_MILLISECONDS));
    if (client.received_fd < 0)
        *status = complain(CTL_FAILED, "the supervisor did not hand over its segment");
    else if ((segment = segment_attach(client.received_fd, error, sizeof(error))) == NULL)
        *status = complain(CTL_FAILED, "%s; use the aipotenctl of the running build", error);
    client_close(&client);
    return segment;
}

/* "accounts" means all its instances. */
static bool asked_for(const invocation_t *invocation, const char *service, int number)
{
    char name[64];
    snprintf(name, sizeof(name), "%s.%d", service, number);
    return invocation->count == 0 || strcmp(invocation->arguments[0], service) == 0 ||
           strcmp(invocation->arguments[0], name) == 0;
}

static void counter_print(const char *service, int number, const segment_counter_t *counter, json_t *list)
{
    long long value = (long long)atomic_load(&counter->value);
    if (list != NULL)
        json_array_append_new(list, json_pack("{s:s s:i s:s s:I s:s s:s}", "service", service, "instance",
                                        number, "name", counter->name, "value", (json_int_t)value, "unit",
                                        counter->unit, "meaning", counter->meaning));
    else
        printf("%s.%-3d %-36s %14lld %-10s %s\n", service, number, counter->name, value, counter->unit,
            counter->meaning);
}

static void instance_print(segment_instance_t *row, const invocation_t *invocation, json_t *list)
{
    if (!atomic_load(&row->used) || row->service < 0 || row->service >= service_count)
        return;
    const char *service = services[row->service].name;
    if (!asked_for(invocation, service, row->number))
        return;
    uint32_t count = atomic_load_explicit(&row->counter_count, memory_order_acquire);
    for (uint32_t i = 0; i < count && i < SEGMENT_COUNTERS; i++)
        counter_print(service, row->number, &row->counters[i], list);
}

enum exit_status run_counters(const invocation_t *invocation)
{
    enum exit_status status;
    segment_t *segment = segment_get(&status);
    if (segment == NULL)
        return status;
    json_t *list = invocation->given[OPTION_JSON] ? json_array() : NULL;
    for (int slot = 0; slot < SEGMENT_INSTANCES; slot++)
        instance_print(segment_instance(segment, slot), invocation, list);
    if (list != NULL)
        json_print_take(json_pack("{s:o}", "counters", list));
    return CTL_OK;
}

/* --- routes ------------------------------------------------------------------------------------------------------- */

static const char *const rate_names[] = {
    [RATE_API] = "api", [RATE_LOGIN] = "login", [RATE_UPLOAD] = "upload", [RATE_MAIL] = "mail", [RATE_POLL] = "poll",
    [RATE_NONE] = "none"};

static void roles_text(unsigned roles, char *out, size_t out_size)
{
    size_t length = 0;
    snprintf(out, out_size, "%s", roles == ANYONE ? "anyone" : "member");
    if (roles == ANYONE || roles == MEMBER)
        return;
    for (int role = ROLE_PARENT; role < ROLES && length < out_size; role++)
        if (roles & 1u << role)
            length += (size_t)snprintf(
                out + length, out_size - length, "%s%s", length ? "," : "", role_name((enum role)role));
}

static json_t *roles_json(unsigned roles)
{
    json_t *list = json_array();
    for (int role = ROLE_PARENT; role < ROLES; role++)
        if (roles & 1u << role)
            json_array_append_new(list, json_string(role_name((enum role)role)));
    return list;
}

enum exit_status run_routes(const invocation_t *invocation)
{
    json_t *list = json_array();
    bool as_json = invocation->given[OPTION_JSON];
    for (int i = 0; i < route_count; i++) {
        const route_t *route = &routes[i];
        char roles[64];
        roles_text(route->roles, roles, sizeof(roles));
        if (as_json)
            json_array_append_new(list,
                json_pack("{s:s s:s s:s s:s s:o s:s s:b}", "operation", route->operation, "method",
                    route->method, "path", route->path, "service", route->service, "roles",
                    roles_json(route->roles), "rate", rate_names[route->rate], "writes", route->writes));
        else
            printf("%-7s %-44s %-28s %-15s %-16s %s%s\n", route->method, route->path, route->operation,
                route->service, roles, rate_names[route->rate], route->writes ? ", writes" : "");
    }
    if (as_json)
        json_print_take(json_pack("{s:o}", "routes", list));
    else
        json_decref(list);
    return CTL_OK;
}
