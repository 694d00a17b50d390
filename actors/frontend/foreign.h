/* foreign: answers that libh2o makes by itself, before the router sees the request: a body over its hard
 * limit, broken chunks, bad header characters. They leave in our error envelope, with our headers. */
#pragma once
#include <h2o.h>

void foreign_open(h2o_pathconf_t *);
