/* exports: what the files about exports tell each other. */
#pragma once
#include "accounts.h"
#include <limits.h>

enum { EXPORT_NAME_SIZE = 64 };
/* How the file is called below call_files(). */
void export_name(uuid_t file, char out[static EXPORT_NAME_SIZE]);
/* One that is not there is as good. */
void export_remove(call_t *, uuid_t file);
/* Removes what can be fetched no more. */
void exports_tidy(call_t *);
