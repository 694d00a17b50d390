/* home: where this release's files are (h2o-conf/, schema/): AIPOTEN_ROOT, or the first directory above the
 * program that has them. And where its data is: AIPOTEN_VAR, or var beside them. */
#pragma once
#include <limits.h>

/* The directory of the running program; panics when /proc is missing. */
void home_programs(char out[static PATH_MAX]);
/* The release's root; the working directory when none is found. */
void home_root(char out[static PATH_MAX]);
void home_var(char out[static PATH_MAX]);
