/* spread: the rule alone, without sockets and clocks. */
#include "spread.h"
#include "base/clock.h"
#include "base/panic.h"

/* Does it take connections, as far as we know? One that took some since the last time does, and one that
 * starts. */
static bool hears(spread_t *spread, const spread_peer_t *peer, int index, int64_t now)
{
    if (!peer->ready || peer->accepted != spread->peers[index].accepted)
        spread->peers[index].vain = 0;
    else if (spread->peers[index].vain >= SPREAD_PATIENCE && now < spread->peers[index].deaf_until)
        return false;
    else if (spread->peers[index].vain >= SPREAD_PATIENCE)
        spread->peers[index].vain = 0;
    return peer->ready;
}

bool spread_gives_way(spread_t *spread, const spread_peer_t *peers, int count, int64_t own, int64_t now)
{
    int64_t ahead = SPREAD_AHEAD + own / SPREAD_AHEAD_SHARE;
    bool gives = false;
    insist(count <= SPREAD_PEERS_MAX);
    if (spread->ours) {
        spread->ours = false;
        return false;
    }
    for (int i = 0; i < count; i++) {
        bool hearing = hears(spread, &peers[i], i, now);
        spread->peers[i].waited_for = hearing && peers[i].connections + ahead <= own;
        spread->peers[i].accepted = peers[i].accepted;
        gives = gives || spread->peers[i].waited_for;
    }
    return gives;
}

void spread_look(spread_t *spread, const spread_peer_t *peers, int count, int64_t now)
{
    for (int i = 0; i < count; i++)
        if (peers[i].accepted != spread->peers[i].accepted)
            return; /* somebody accepts: it may have been faster than the one we waited for */
    spread->ours = true;
    for (int i = 0; i < count; i++)
        if (spread->peers[i].waited_for && ++spread->peers[i].vain == SPREAD_PATIENCE)
            spread->peers[i].deaf_until = now + SPREAD_DEAF_MILLISECONDS * CLOCK_MILLISECOND;
}
