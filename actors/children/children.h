/* What the files of the children actor tell each other. */
#pragma once
#include "messages.h"
#include "children.sql.h"

/* Is it an admin who asks? An admin may read every child; that it was read goes into the access log. */
bool viewer_is_admin(const call_t *);
/* Tells the access log that an admin was shown this child; a guardian's own look is nobody's business. */
void child_read_tell(call_t *, uuid_t child);
/* Ends the call with 422 that names each consent that the caller has not given. */
_Noreturn void consents_fail(call_t *);
/* Tells those who hold something of a child that it was deleted. */
void child_deleted_tell(call_t *, uuid_t child);
/* guardians.c */
void guardian_list(call_t *);
void guardian_invite(call_t *);
void guardian_accept(call_t *);
void guardian_decline(call_t *);
void guardian_remove(call_t *);
void invitation_list(call_t *);
void invitation_withdraw(call_t *);
/* Background work: invitations that are over. Milliseconds until the next time. */
int64_t invitations_tidy(call_t *);
/* measurements.c */
void measurements_list(call_t *);
void measurements_create(call_t *);
/* personal.c */
void children_personal_data(call_t *);
void children_user_erased(call_t *);
/* reseal.c */
int64_t children_reseal(call_t *);
