/* erasure: what the skeleton keeps of a person besides the actor's own tables. Each actor that holds personal data has a row with
 * .event = "user.erased", whose handler removes or empties all of it, in one transaction, and calls this. The delivery is gone
 * when that has committed, so what still waits is seen in the emitter's deliveries (accounts, erasure.c). */
#pragma once
#include "call.h"

/* Answers recorded for the user, and events about the user that still wait to be delivered; but for those that carry nothing
 * but ids, and must arrive: user.erased itself, record.read. */
void person_forget(call_t *, uuid_t user);
/* Events of another aggregate that hold data of the person: a mail to an address that had no account. */
void events_forget(call_t *, uuid_t aggregate);
/* The index-th subscriber of a type of event; NULL after the last. */
const char *event_subscriber(const char *type, int index);
