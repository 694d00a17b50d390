#include "tally.h"

bool tally_add(tally_t *tally, int64_t now, int64_t window, int64_t intensity)
{
    tally->times[tally->next] = now;
    tally->next = (tally->next + 1) % TALLY_MOST;
    int64_t within = 0;
    for (int i = 0; i < TALLY_MOST; i++)
        within += tally->times[i] != 0 && now - tally->times[i] < window;
    return within > intensity;
}

void tally_clear(tally_t *tally)
{
    *tally = (tally_t){.next = 0};
}

int64_t backoff_wait(int deaths, int64_t first, int64_t most)
{
    int64_t wait = first;
    for (int i = 1; i < deaths && wait < most; i++)
        wait *= 2;
    return wait < most ? wait : most;
}
