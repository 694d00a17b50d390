/* kinds: what each type of notification is by default, and the words that this actor itself finds for what others tell it. Pure. */
#pragma once
#include "../../shared/actor/events.h"

typedef struct {
    bool in_app, email, push; /* what a user who has not chosen wants */
    bool urgent;              /* worth nothing after the quiet hours: does not wait for their end */
} kind_t;

extern const kind_t kinds[NOTIFICATION_TYPES];

/* What assessment.due says to a parent; texts in the arena. */
notification_requested_t notice_of_due(arena_t *, const assessment_due_t *);
