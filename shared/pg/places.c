/* places: the machine's budget of connections (database.connections). Each process counts its own in its row of the segment and
 * says there what it waits for, its wish.
 *
 * What always holds: the sum of all rows does not grow above the budget: who takes a place counts himself first and looks then. No
 * process does anything for another's place: the supervisor empties the row of one that died, and a wish that is not said again
 * within WISH_LIFE is nobody's. Who has fewest goes first: a read lane, then the first connection for writing or of the slow lane,
 * then the second …; of equals, who waits longer. Nobody takes a place that is another's by this order, so none waits behind those
 * that always want one more; and who has something to give sees by the same wishes that it is wanted. */
#include "internal.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../base/panic.h"

enum { WISH_LIFE = 500, SHORT_SAID = 1000 /* milliseconds */ };

typedef struct {
    int rank;
    int64_t since; /* clock_monotonic */
    const segment_instance_t *row;
} wish_t;

/* False: it has none, or does not live. */
static bool wish_of(const segment_instance_t *row, int64_t now, wish_t *out)
{
    int64_t wish = atomic_load_explicit(&row->database_wish, memory_order_relaxed);
    if (wish == 0 || atomic_load_explicit(&row->database_wish_said, memory_order_relaxed) < now - WISH_LIFE * CLOCK_MILLISECOND)
        return false;
    *out = (wish_t){.rank = (int)(wish & 255) - 1, .since = wish >> 8, .row = row};
    return true;
}

static bool goes_before(const wish_t *wish, const wish_t *other)
{
    if (wish->rank != other->rank)
        return wish->rank < other->rank;
    return wish->since != other->since ? wish->since < other->since : wish->row < other->row;
}

typedef struct {
    int64_t open;
    int before; /* wishes that go before ours, or, when we have none, all */
    int lowest; /* rank of any of these */
} look_t;

/* What we said ourselves, beside the wish that we look for. Whose lane has no connection at all gives one of its own to it: nobody
 * else may have any. For one more of a kind he has he does not. */
static bool is_passed_over(const wish_t *own, const wish_t *ours)
{
    return ours ? own->rank >= ours->rank : own->rank > PLACE_FIRST;
}

static look_t places_look(const process_t *process, const wish_t *ours)
{
    look_t look = {.lowest = PLACE_NONE};
    int64_t now = clock_monotonic();
    for (int i = 0; i < SEGMENT_INSTANCES; i++) {
        segment_instance_t *row = segment_instance(process->segment, i);
        if (!atomic_load_explicit(&row->used, memory_order_relaxed))
            continue;
        look.open += atomic_load_explicit(&row->database_connections, memory_order_relaxed);
        wish_t wish;
        if (!wish_of(row, now, &wish) || (row == process->self && is_passed_over(&wish, ours)))
            continue;
        look.before += !ours || goes_before(&wish, ours);
        if (wish.rank < look.lowest)
            look.lowest = wish.rank;
    }
    return look;
}

/* What we would wait for, by now: it is older when it was said before. */
static wish_t wish_now(const process_t *process, int rank)
{
    wish_t said = {0};
    int64_t now = clock_monotonic();
    bool same = wish_of(process->self, now, &said) && said.rank == rank;
    return (wish_t){.rank = rank, .since = same ? said.since : now, .row = process->self};
}

int places_free(const process_t *process, int rank)
{
    wish_t wish = wish_now(process, rank);
    look_t look = places_look(process, &wish);
    int64_t left = process->config.database.connections - look.open - look.before;
    return left < 0 ? 0 : left > INT16_MAX ? INT16_MAX : (int)left;
}

bool place_take(process_t *process, int rank)
{
    if (places_free(process, rank) == 0)
        return false;
    counter_add(&process->self->database_connections, 1);
    atomic_thread_fence(memory_order_seq_cst); /* our count is seen before the others' are read */
    wish_t wish = wish_now(process, rank);
    look_t look = places_look(process, &wish);
    if (look.open + look.before <= process->config.database.connections)
        return true;
    counter_add(&process->self->database_connections, -1);
    return false;
}

void place_give(process_t *process)
{
    counter_add(&process->self->database_connections, -1);
    insist(atomic_load_explicit(&process->self->database_connections, memory_order_relaxed) >= 0);
}

void place_wish(process_t *process, int rank)
{
    static bool said;
    segment_instance_t *self = process->self;
    if (rank == PLACE_NONE) {
        if (atomic_load_explicit(&self->database_wish, memory_order_relaxed) != 0)
            atomic_store_explicit(&self->database_wish, 0, memory_order_relaxed);
        said = false;
        return;
    }
    insist(rank >= 0 && rank < PLACE_NONE);
    wish_t wish = wish_now(process, rank);
    int64_t now = clock_monotonic();
    atomic_store_explicit(&self->database_wish, wish.since << 8 | (rank + 1), memory_order_relaxed);
    atomic_store_explicit(&self->database_wish_said, now, memory_order_relaxed);
    if (now - wish.since > SHORT_SAID * CLOCK_MILLISECOND && !said) {
        log_event(LOG_WARNING, "database_short", LOG_I("connections", process->config.database.connections),
            LOG_S("next", "all are in use, calls wait: raise database.connections or run fewer instances"));
        said = true;
    }
}

places_wanted_t places_wanted(const process_t *process)
{
    look_t look = places_look(process, NULL);
    int64_t over = look.open - process->config.database.connections, lacking = look.before + over;
    if (over > 0 && look.lowest > PLACE_FIRST)
        look.lowest = PLACE_FIRST; /* it was made smaller: whoever has several has too many */
    return (places_wanted_t){.count = lacking > 0 ? (int)lacking : 0, .rank = look.lowest};
}
