/* retention: one row of the actor's table after the other, each until less than a batch is left of it. */
#include "retention.h"
#include "internal.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../base/panic.h"

enum { NEXT_BATCH = 50 /* milliseconds: others write meanwhile */ };

/* Where the pass stands. A batch that failed is tried again. */
static struct {
    int row;
    int64_t removed; /* of the row */
} pass;

static int64_t batch(call_t *call, const retention_t *row)
{
    int64_t keep = *(const int64_t *)((const char *)call_config(call) + row->keep);
    int64_t before = clock_now() - keep * CLOCK_MILLISECOND;
    int64_t removed = row->step
                          ? row->step(call, before, RETENTION_BATCH)
                          : db_query(call, row->statement, bind_time(before), bind_integer(RETENTION_BATCH))->affected;
    call_commit(call); /* only what is committed is counted */
    return removed;
}

static void row_end(const retention_t *row)
{
    if (pass.removed > 0)
        log_event(LOG_INFO, "retention", LOG_S("what", row->what), LOG_I("rows", pass.removed));
    pass.removed = 0;
    pass.row++;
}

int64_t retention_step(call_t *call)
{
    const actor_t *actor = context.actor;
    const retention_t *row = &actor->retentions[pass.row];
    int64_t removed = batch(call, row);
    counter_add(context.counters.removed, removed);
    pass.removed += removed;
    if (removed >= RETENTION_BATCH)
        return NEXT_BATCH;
    row_end(row);
    if (pass.row < actor->retention_count)
        return NEXT_BATCH;
    pass.row = 0;
    return call_config(call)->retention.every;
}
