/* loop_h2o: base/loop.h over libh2o's event loop. */
#pragma once
#include <h2o.h>
#include "base/loop.h"

loop_t *loop_h2o_create(h2o_evloop_t *);
/* One turn: sleeps until something is ready or a timer is due (not at all when hooks or libh2o have work
 * left, a second at most), then events, timers, turn hooks. A signal ends the sleep. */
void loop_h2o_turn(loop_t *);
/* The next turn comes without sleeping: something was left to do after the hook that does it. */
void loop_h2o_again(loop_t *);
