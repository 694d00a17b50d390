/* probes: a list in the order of their coming. */
#include "probes.h"
#include "base/clock.h"
#include "base/panic.h"

static struct {
    probe_t *first, *last;
    int count;
} probes;

bool probes_room(address_t client, int64_t now, probe_t **gives_way)
{
    address_t address = address_client(client);
    probe_t *oldest = NULL, *oldest_own = NULL;
    int own = 0;
    for (probe_t *probe = probes.first; probe != NULL; probe = probe->next) {
        bool same = address_equal(probe->client, address);
        bool idle = !probe->taking && now - probe->since >= PROBES_YOUNG * CLOCK_MILLISECOND;
        own += same;
        if (idle && oldest == NULL)
            oldest = probe;
        if (idle && same && oldest_own == NULL)
            oldest_own = probe;
    }
    bool full = own >= PROBES_ADDRESS || probes.count >= PROBES_MOST;
    *gives_way = !full ? NULL : own >= PROBES_ADDRESS ? oldest_own : oldest;
    return !full || *gives_way != NULL;
}

void probes_add(probe_t *probe, address_t client, int64_t now)
{
    *probe = (probe_t){.previous = probes.last, .client = address_client(client), .since = now};
    if (probes.last != NULL)
        probes.last->next = probe;
    else
        probes.first = probe;
    probes.last = probe;
    probes.count++;
    insist(probes.count <= PROBES_MOST);
}

void probes_remove(probe_t *probe)
{
    if (probe->previous != NULL)
        probe->previous->next = probe->next;
    else
        probes.first = probe->next;
    if (probe->next != NULL)
        probe->next->previous = probe->previous;
    else
        probes.last = probe->previous;
    probe->previous = probe->next = NULL;
    probes.count--;
}
