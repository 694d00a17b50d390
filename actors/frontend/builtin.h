/* builtin: what the frontend answers itself. Rows of the same kind as the actors': a new one is a row here
 * and a function. */
#pragma once
#include "exchange.h"

extern const builtin_t builtins[];
extern const int builtin_count;
/* Prepares their answers. */
void builtins_open(void);
