/* pending: the table; see the header. */
#include "pending.h"
#include "base/panic.h"
#include <stdlib.h>

enum { GENERATION_MASK = 0x7FFFFFFF }; /* a ticket is a positive int64 */

void pending_create(pending_t *pending, uint32_t capacity)
{
    insist(capacity > 0);
    *pending = (pending_t){.capacity = capacity, .free = 1};
    pending->entries = memory_zeroed((size_t)capacity + 1, sizeof(pending_entry_t));
    for (uint32_t i = 1; i < capacity; i++)
        pending->entries[i].next = i + 1;
}

void pending_destroy(pending_t *pending)
{
    free(pending->entries);
    *pending = (pending_t){0};
}

int64_t pending_ticket(const pending_t *pending, const pending_entry_t *entry)
{
    return (int64_t)entry->generation << 32 | (int64_t)(entry - pending->entries);
}

/* Behind the last one whose deadline is not later; deadlines come nearly in order, so this looks at one or
 * two. */
static void link_by_deadline(pending_t *pending, uint32_t index)
{
    pending_entry_t *entries = pending->entries;
    uint32_t before = entries[0].previous;
    while (before != 0 && entries[before].deadline > entries[index].deadline)
        before = entries[before].previous;
    entries[index].previous = before;
    entries[index].next = entries[before].next;
    entries[entries[index].next].previous = index;
    entries[before].next = index;
}

pending_entry_t *pending_take(pending_t *pending, int64_t deadline, int64_t *ticket)
{
    uint32_t index = pending->free;
    if (index == 0)
        return NULL;
    pending_entry_t *entry = &pending->entries[index];
    insist(!entry->taken);
    pending->free = entry->next;
    pending->count++;
    entry->taken = true;
    entry->deadline = deadline;
    entry->generation = (entry->generation + 1) & GENERATION_MASK;
    link_by_deadline(pending, index);
    *ticket = pending_ticket(pending, entry);
    return entry;
}

pending_entry_t *pending_find(pending_t *pending, int64_t ticket)
{
    uint64_t index = (uint64_t)ticket & 0xFFFFFFFF;
    if (index == 0 || index > pending->capacity)
        return NULL;
    pending_entry_t *entry = &pending->entries[index];
    return entry->taken && entry->generation == (uint64_t)ticket >> 32 ? entry : NULL;
}

void pending_release(pending_t *pending, pending_entry_t *entry)
{
    insist(entry->taken);
    uint32_t index = (uint32_t)(entry - pending->entries);
    pending->entries[entry->previous].next = entry->next;
    pending->entries[entry->next].previous = entry->previous;
    *entry = (pending_entry_t){.generation = entry->generation, .next = pending->free};
    pending->free = index;
    pending->count--;
}

pending_entry_t *pending_first(pending_t *pending)
{
    return pending_next(pending, &pending->entries[0]);
}

pending_entry_t *pending_next(pending_t *pending, const pending_entry_t *entry)
{
    return entry->next ? &pending->entries[entry->next] : NULL;
}
