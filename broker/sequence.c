/* sequence: see the header. */
#include "sequence.h"

/* Its place, or a place for it. */
static int place_of(sequences_t *sequences, uuid_t broker, bool *known)
{
    int silent = 0;
    for (int i = 0; i < sequences->count; i++) {
        *known = uuid_equal(sequences->items[i].broker, broker);
        if (*known)
            return i;
        if (sequences->items[i].heard < sequences->items[silent].heard)
            silent = i;
    }
    *known = false;
    return sequences->count < SEQUENCE_BROKERS_MAX ? sequences->count++ : silent;
}

enum sequence_verdict sequence_take(sequences_t *sequences, uuid_t broker, int64_t number, bool is_news, int64_t now)
{
    bool known;
    int place = place_of(sequences, broker, &known);
    int64_t last = sequences->items[place].last;
    sequences->items[place].broker = broker;
    sequences->items[place].last = number;
    sequences->items[place].heard = now;
    if (!known)
        return SEQUENCE_STRANGER;
    if (is_news && last == INT64_MAX) /* a stranger's word: no broker gets so far */
        return SEQUENCE_GAP;
    if (number != last + is_news) /* also a smaller one: what is that? */
        return SEQUENCE_GAP;
    return is_news ? SEQUENCE_NEXT : SEQUENCE_KNOWN;
}
