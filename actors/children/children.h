/* What the files of the children actor tell each other. */
#pragma once
#include "messages.h"
#include "children.sql.h"

/* Is it an admin who asks? An admin may read every child; that it was read goes into the access log. */
bool viewer_is_admin(const call_t *);
/* Tells the access log that an admin was shown this child; a guardian's own look is nobody's business. */
void child_read_tell(call_t *, uuid_t child);
/* measurements.c */
void measurements_list(call_t *);
void measurements_create(call_t *);
/* reseal.c */
int64_t children_reseal(call_t *);
