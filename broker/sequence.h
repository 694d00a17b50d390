/* sequence: has everything been heard that the brokers of other machines said? The rule alone, without sockets and clocks.
 *
 * A broker has an id of its own, new at each start, and numbers its news 1, 2, 3 …; in between it says what its last number was (a
 * beat). So what was lost is noticed with the next news, or with the next beat; and a broker that nobody knows is one that was
 * started now, or that we have not heard yet: what it, or the one before it, said until now was not heard either. */
#pragma once
#include "base/uuid.h"

enum { SEQUENCE_BROKERS_MAX = 64 };

enum sequence_verdict {
    SEQUENCE_NEXT,     /* news, and none is missing before it */
    SEQUENCE_KNOWN,    /* a beat, and nothing is missing */
    SEQUENCE_GAP,      /* something is missing */
    SEQUENCE_STRANGER, /* not heard of before */
};

typedef struct {
    struct {
        uuid_t broker;
        int64_t last;  /* number of its last news */
        int64_t heard; /* clock_monotonic() */
    } items[SEQUENCE_BROKERS_MAX];
    int count;
} sequences_t;

/* `number` is that of the news, or of a beat's last news. When there are too many brokers the one that is silent longest is
 * forgotten: it will be a stranger. */
enum sequence_verdict sequence_take(sequences_t *, uuid_t broker, int64_t number, bool is_news, int64_t now);
