/* What the files of the children actor tell each other. */
#pragma once
#include "messages.h"
#include "children.sql.h"

/* Is it an admin who asks? An admin may read every child; that it was read goes into the log. */
bool viewer_is_admin(const call_t *);
/* One line for each read of personal data by somebody who is not the child's guardian: who, what, whose; no personal data. */
void admin_read_log(const call_t *, uuid_t child);
/* measurements.c */
void measurements_list(call_t *);
void measurements_create(call_t *);
/* reseal.c */
int64_t children_reseal(call_t *);
