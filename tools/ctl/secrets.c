/* secrets: how the key of a ring changes while the system serves (shared/crypto/secrets.h has the steps).
 * What always holds without --force: a key seals or signs only when every process that may meet its work
 * knows it, and goes only when nothing needs it any more. No byte of a key is ever shown.
 *
 * Which keys a process knows it says itself, by two counters (shared/shm/process.h): no clock is asked. On
 * several machines each step is done on all of them before the next one: this looks at the processes of its
 * own machine. */
#include "../../shared/crypto/secrets.h"
#include "../../shared/actor/reseal.h"
#include "../../shared/base/clock.h"
#include "../../shared/shm/services.h"
#include "../supervisor/home.h"
#include "../supervisor/paths.h"
#include "client.h"
#include "command.h"

#include <limits.h>
#include <string.h>
#include <time.h>

enum {
    RETIRE_SECONDS = 60,   /* for what older keys sealed to be sealed anew */
    RESTART_SECONDS = 300, /* for the instances of one service, each with its drain */
    LOOK_MILLISECONDS = 50,
};

typedef struct {
    const char *name, *directory;
    ring_ids_t ids;
} ring_t;

static bool signs(const ring_t *ring)
{
    return strcmp(ring->name, "jwt_keys") == 0;
}

static bool ring_read(ring_t *ring, const invocation_t *invocation)
{
    static char var[PATH_MAX], directory[PATH_MAX];
    char error[512] = "the path is too long";
    home_var(var);
    *ring = (ring_t){.name = invocation->arguments[0], .directory = directory};
    if (paths_join(directory, sizeof(directory), var, "secrets") &&
        secrets_ring_ids(directory, ring->name, &ring->ids, error, sizeof(error)) == 0)
        return true;
    complain(CTL_FAILED, "%s", error);
    return false;
}

/* One step, and the ring as it is after it. */
static enum exit_status ring_step(
    ring_t *ring, int (*step)(const char *directory, const char *ring, char *error, size_t error_size))
{
    char error[512];
    if (step(ring->directory, ring->name, error, sizeof(error)) != 0 ||
        secrets_ring_ids(ring->directory, ring->name, &ring->ids, error, sizeof(error)) != 0)
        return complain(CTL_FAILED, "%s", error);
    return CTL_OK;
}

/* --- the processes that hold a ring */

static bool holds(const service_t *service, const char *ring)
{
    for (int i = 0; service->secrets != NULL && service->secrets[i] != NULL; i++)
        if (strcmp(service->secrets[i], ring) == 0)
            return true;
    return false;
}

/* The services that hold it, "accounts children", for sentences. */
static const char *holders_text(const ring_t *ring)
{
    static char text[256];
    size_t length = 0;
    for (int i = 0; i < service_count && length < sizeof(text); i++)
        if (holds(&services[i], ring->name))
            length += (size_t)snprintf(
                text + length, sizeof(text) - length, "%s%s", length > 0 ? " " : "", services[i].name);
    return text;
}

/* -1: it has no such counter, yet. */
static int64_t counter_of(const segment_instance_t *row, const char *name)
{
    uint32_t count = atomic_load_explicit(&row->counter_count, memory_order_acquire);
    for (uint32_t i = 0; i < count && i < SEGMENT_COUNTERS; i++)
        if (strcmp(row->counters[i].name, name) == 0)
            return atomic_load(&row->counters[i].value);
    return -1;
}

/* The next instance from `*slot` on that runs and holds the ring; NULL: there is none. */
static segment_instance_t *holder_next(segment_t *segment, const ring_t *ring, int *slot)
{
    while (*slot < SEGMENT_INSTANCES) {
        segment_instance_t *row = segment_instance(segment, (*slot)++);
        if (atomic_load(&row->used) && row->service >= 0 && row->service < service_count &&
            atomic_load(&row->pid) != 0 && holds(&services[row->service], ring->name))
            return row;
    }
    return NULL;
}

/* Does this process hold the ring as its file is now? */
static bool is_current(const segment_instance_t *row, const ring_t *ring)
{
    char first[RING_COUNTER_SIZE], newest[RING_COUNTER_SIZE];
    int64_t number = 0;
    ring_counter_first(ring->name, first);
    ring_counter_newest(ring->name, newest);
    for (int i = 0; i < ring->ids.count; i++)
        if (key_number(ring->ids.ids[i]) > number)
            number = key_number(ring->ids.ids[i]);
    return counter_of(row, first) == key_number(ring->ids.ids[0]) && counter_of(row, newest) == number;
}

static const segment_instance_t *holder_behind(segment_t *segment, const ring_t *ring)
{
    int slot = 0;
    segment_instance_t *row;
    while ((row = holder_next(segment, ring, &slot)) != NULL)
        if (!is_current(row, ring))
            return row;
    return NULL;
}

/* CTL_NOT_RUNNING without a word when nothing runs at all; then *segment stays NULL. */
static enum exit_status running_get(segment_t **segment)
{
    client_t client;
    enum exit_status status = CTL_OK;
    *segment = NULL;
    if (client_connect(&client)) {
        client_close(&client);
        *segment = segment_get(&status);
        return status == CTL_NOT_RUNNING ? CTL_FAILED : status; /* it ended just now */
    }
    return client_orphans()
               ? complain(CTL_FAILED, "no supervisor runs, but processes of it serve on; aipotenctl "
                                      "start adopts them, aipotenctl stop ends them")
               : CTL_NOT_RUNNING;
}

static enum exit_status holders_check(segment_t *segment, const ring_t *ring)
{
    const segment_instance_t *behind = holder_behind(segment, ring);
    if (behind == NULL)
        return CTL_OK;
    const char *service = services[behind->service].name;
    return complain(CTL_FAILED,
        "%s.%d (pid %d) still holds %s as it was; aipotenctl restart %s, then again (--force does it all the "
        "same)",
        service, behind->number, (int)atomic_load(&behind->pid), ring->name, service);
}

/* --- show */

static const char *role_of_key(const ring_t *ring, int index)
{
    return index == 0 ? "first" : index == ring->ids.staged ? "staged" : "old";
}

static const char *role_text(const ring_t *ring, int index)
{
    if (index == 0)
        return signs(ring) ? "signs, verifies" : "seals, opens";
    if (index == ring->ids.staged)
        return signs(ring) ? "staged: verifies, will sign" : "staged: opens, will seal";
    return signs(ring) ? "verifies" : "opens";
}

enum exit_status run_secrets_show(const invocation_t *invocation)
{
    ring_t ring;
    if (!ring_read(&ring, invocation))
        return CTL_FAILED;
    json_t *list = json_array();
    for (int i = 0; i < ring.ids.count; i++)
        json_array_append_new(
            list, json_pack("{s:s s:s}", "id", ring.ids.ids[i], "role", role_of_key(&ring, i)));
    json_t *all = json_pack("{s:s s:o}", "ring", ring.name, "keys", list);
    if (invocation->given[OPTION_JSON]) {
        json_dumpf(all, stdout, JSON_INDENT(2));
        printf("\n");
    } else {
        for (int i = 0; i < ring.ids.count; i++)
            printf("%-17s %s\n", ring.ids.ids[i], role_text(&ring, i));
        if (ring.ids.staged > 0)
            printf("next: aipotenctl secrets rotate %s\n", ring.name);
    }
    json_decref(all);
    return CTL_OK;
}

/* --- stage, promote */

static enum exit_status stage(ring_t *ring)
{
    enum exit_status status = ring_step(ring, secrets_stage);
    if (status == CTL_OK)
        printf("%s: %s is staged; it %s nothing yet\n", ring->name, ring->ids.ids[ring->ids.staged],
            signs(ring) ? "signs" : "seals");
    return status;
}

static enum exit_status promote(ring_t *ring)
{
    enum exit_status status = ring_step(ring, secrets_promote);
    if (status == CTL_OK)
        printf("%s: %s is the first\n", ring->name, ring->ids.ids[0]);
    return status;
}

enum exit_status run_secrets_stage(const invocation_t *invocation)
{
    ring_t ring;
    if (!ring_read(&ring, invocation))
        return CTL_FAILED;
    enum exit_status status = stage(&ring);
    if (status == CTL_OK)
        printf("next: restart what holds it (%s), then aipotenctl secrets promote %s\n", holders_text(&ring),
            ring.name);
    return status;
}

enum exit_status run_secrets_promote(const invocation_t *invocation)
{
    ring_t ring;
    segment_t *segment = NULL;
    if (!ring_read(&ring, invocation))
        return CTL_FAILED;
    if (!invocation->given[OPTION_FORCE] && ring.ids.staged > 0) {
        enum exit_status status = running_get(&segment);
        if (status == CTL_OK)
            status = holders_check(segment, &ring);
        if (status == CTL_FAILED)
            return status;
    }
    enum exit_status status = promote(&ring);
    if (status == CTL_OK)
        printf("next: restart what holds it (%s); from then on it %s\n", holders_text(&ring),
            signs(&ring) ? "signs" : "seals");
    return status;
}

/* --- rotate */

/* A service whose instances were all scaled away has nothing to restart. */
static bool runs(segment_t *segment, int service)
{
    for (int slot = 0; slot < SEGMENT_INSTANCES; slot++) {
        const segment_instance_t *row = segment_instance(segment, slot);
        if (atomic_load(&row->used) && row->service == service)
            return true;
    }
    return false;
}

static enum exit_status holders_restart(segment_t *segment, const ring_t *ring, int milliseconds)
{
    if (segment == NULL)
        return CTL_OK;
    if (holder_behind(segment, ring) == NULL) {
        printf("every process holds it so already\n");
        return CTL_OK;
    }
    for (int i = 0; i < service_count; i++) {
        if (!holds(&services[i], ring->name) || !runs(segment, i))
            continue;
        int64_t began = clock_monotonic();
        printf("restarting %s … ", services[i].name);
        fflush(stdout);
        enum exit_status status = service_restart(services[i].name, milliseconds);
        if (status != CTL_OK) {
            printf(
                "\nnothing was lost; when that is mended: aipotenctl secrets rotate %s goes on from here\n",
                ring->name);
            return CTL_FAILED;
        }
        printf("ready after %.1f s\n", (double)(clock_monotonic() - began) / CLOCK_SECOND);
    }
    return holders_check(segment, ring);
}

/* What was begun before and broke off is gone on with: a staged key is promoted; after that all is as after
 * the promotion. */
enum exit_status run_secrets_rotate(const invocation_t *invocation)
{
    ring_t ring;
    segment_t *segment;
    int milliseconds =
        (int)(invocation->given[OPTION_TIMEOUT] ? invocation->number[OPTION_TIMEOUT] : RESTART_SECONDS) *
        1000;
    if (!ring_read(&ring, invocation))
        return CTL_FAILED;
    enum exit_status status = running_get(&segment);
    if (status == CTL_FAILED)
        return status;
    if (ring.ids.staged > 0)
        printf("%s: %s is staged already\n", ring.name, ring.ids.ids[ring.ids.staged]);
    else if (stage(&ring) != CTL_OK)
        return CTL_FAILED;
    status = holders_restart(segment, &ring, milliseconds);
    if (status == CTL_OK)
        status = promote(&ring);
    if (status == CTL_OK)
        status = holders_restart(segment, &ring, milliseconds);
    if (status == CTL_OK)
        printf("next: aipotenctl secrets retire %s drops the older key when nothing needs it any more\n",
            ring.name);
    return status;
}

/* --- retire */

/* Tokens that an older key signed live on after the last process that had it first. */
static enum exit_status tokens_check(segment_t *segment, const ring_t *ring)
{
    config_t config;
    char error[1024], path[PATH_MAX], until[28];
    int slot = 0;
    int64_t since = ring->ids.changed;
    const segment_instance_t *row;
    config_path(&(invocation_t){.count = 0}, path);
    if (config_load(path, &config, error, sizeof(error)) != 0)
        return complain(CTL_FAILED, "%s", error);
    while (segment != NULL && (row = holder_next(segment, ring, &slot)) != NULL)
        if (!services[row->service].listens && atomic_load(&row->started) > since)
            since = atomic_load(&row->started);
    since += config.auth.access_lifetime * CLOCK_MILLISECOND;
    if (since <= clock_now())
        return CTL_OK;
    time_format(since - since % CLOCK_SECOND + CLOCK_SECOND, until);
    return complain(CTL_FAILED,
        "tokens that an older key signed may live until %s; then again (--force: their owners have to "
        "refresh them)",
        until);
}

/* The row whose process seals anew what older keys sealed, as far as it has come; NULL: none says so. */
static const segment_instance_t *resealer_find(segment_t *segment, const ring_t *ring)
{
    int slot = 0;
    const segment_instance_t *row;
    while ((row = holder_next(segment, ring, &slot)) != NULL)
        if (counter_of(row, RESEAL_LEFT) >= 0)
            return row;
    return NULL;
}

/* What repeated requests are answered with, and events, are not sealed anew: the ones are forgotten, the others delivered. */
static enum exit_status kept_check(const segment_instance_t *row)
{
    long long kept = (long long)counter_of(row, RESEAL_KEPT), events = (long long)counter_of(row, RESEAL_EVENTS);
    if (events != 0)
        return complain(CTL_FAILED,
            "%lld events that are not delivered yet need an older key; see aipotenctl events, then again "
            "(--force: they can never be delivered)",
            events);
    if (kept == 0)
        return CTL_OK;
    return complain(CTL_FAILED,
        "%lld answers kept for Idempotency-Keys need an older key; each is forgotten after a day, then again "
        "(--force: such a request is answered 500 when it is repeated)",
        kept);
}

/* Waits until a look at all rows that began after the last change of any process found none left. */
static enum exit_status rows_check(segment_t *segment, const ring_t *ring, int64_t milliseconds)
{
    int64_t until = clock_monotonic() + milliseconds * CLOCK_MILLISECOND;
    if (segment == NULL)
        return complain(CTL_FAILED,
            "whether rows still need an older key is known only while the system runs; aipotenctl start "
            "(--force does it all the same)");
    for (;; nanosleep(&(struct timespec){.tv_nsec = LOOK_MILLISECONDS * 1000000L}, NULL)) {
        const segment_instance_t *row = resealer_find(segment, ring);
        if (row != NULL && counter_of(row, RESEAL_SEEN) == (int64_t)segment_version(segment) &&
            counter_of(row, RESEAL_LEFT) == 0)
            return kept_check(row);
        if (clock_monotonic() < until)
            continue;
        if (row == NULL)
            return complain(
                CTL_FAILED, "no process says whether rows still need an older key; see aipotenctl status");
        return complain(CTL_FAILED,
            "rows still need an older key (%lld were left at the last look); %s.%d seals them anew, again "
            "later",
            (long long)counter_of(row, RESEAL_LEFT), services[row->service].name, row->number);
    }
}

static enum exit_status retire_check(const invocation_t *invocation, const ring_t *ring)
{
    segment_t *segment;
    enum exit_status status = running_get(&segment);
    if (status == CTL_OK)
        status = holders_check(segment, ring);
    if (status == CTL_FAILED)
        return status;
    if (signs(ring))
        return tokens_check(segment, ring);
    return rows_check(segment, ring,
        (invocation->given[OPTION_TIMEOUT] ? invocation->number[OPTION_TIMEOUT] : RETIRE_SECONDS) * 1000);
}

enum exit_status run_secrets_retire(const invocation_t *invocation)
{
    ring_t ring;
    if (!ring_read(&ring, invocation))
        return CTL_FAILED;
    bool any = ring.ids.count > (ring.ids.staged > 0 ? 2 : 1);
    if (any && !invocation->given[OPTION_FORCE] && retire_check(invocation, &ring) != CTL_OK)
        return CTL_FAILED;
    ring_ids_t before = ring.ids;
    enum exit_status status = ring_step(&ring, secrets_retire);
    for (int i = 1; status == CTL_OK && i < before.count; i++)
        if (i != before.staged)
            printf("%s: %s is dropped\n", ring.name, before.ids[i]);
    if (status == CTL_OK)
        printf("next: processes forget it when they are restarted (%s)\n", holders_text(&ring));
    return status;
}
