/* reload: another certificate and other live settings while the frontend serves (aipotenctl reload). */
#pragma once
#include <h2o.h>
#include "base/loop.h"

enum {
    BODY_EXCESS = 8 << 20, /* over HTTP/2, libh2o resets streams over its own limit: clients that exceed ours get their 413 */
};

/* `tls`: certificates are listened with. */
void reload_open(loop_t *, h2o_globalconf_t *, bool tls);
