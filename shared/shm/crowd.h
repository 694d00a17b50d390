/* crowd: how many connections each address has at the other frontends of this machine, so that a limit for an address is one for
 * all of them together. Each instance writes a table of its own, which is void as soon as its row of the instance table has another
 * generation or no living process: what a killed frontend counted counts no longer, and nobody has to clean up.
 *
 * A table is a sketch (count-min): two places for each address, of which the smaller one is believed. It never says too little of a
 * living instance, and too much only by addresses that share both places. */
#pragma once
#include "segment.h"

/* Empties the table of the instance that runs here; before its first connection. Returns its slot. */
int crowd_begin(segment_t *, const segment_instance_t *self);
/* One connection of the address more (1) or less (-1) at `slot`, which is one's own. */
void crowd_change(segment_t *, int slot, text_t address, int change);
/* Connections of the address at all other living instances. */
int64_t crowd_elsewhere(segment_t *, int slot, text_t address);
