/* probe: two actors that exist for tests of calls between actors (test_calls.py): they take the places of children and admin in
 * a system of their own. The asker asks the answerer to write and then writes itself, or writes and tells the answerer of it. */
#pragma once
#include "actor/actor.h"
#include "actor/calls.h"
#include "actor/events.h"

#define LABEL(FIELD) FIELD(text, label, .required = true, .max = 50)
MESSAGE(label, LABEL);
#define WRITTEN(FIELD) FIELD(uuid, id, .required = true)
MESSAGE(written, WRITTEN);
#define SEEN(FIELD)                                                                                                \
    FIELD(uuid, user, .nullable = true)                                                                            \
    FIELD(text, language, .required = true)                                                                        \
    FIELD(uuid, id, .nullable = true, .meaning = "what the other wrote")
MESSAGE(seen, SEEN);
