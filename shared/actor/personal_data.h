/* personal_data: how an actor answers for what it holds of a person (operations.h). It lists its sections; the pages, which are
 * small, so that neither side ever holds a person's whole life in its memory, are made here. */
#pragma once
#include "actor.h"
#include "operations.h"

typedef struct {
    const char *name; /* "sessions": what the section is called in the export */
    /* Rows of user $1 after the row $2, in the order of what their message has first (a uuid; zero: from the beginning), $3 at
     * most. Every field of the message is shown to the person, sealed ones opened. */
    const statement_t *statement;
    /* Or, of what stands in no table: one such row, or NULL. */
    const message_t *message;
    const void *(*held)(call_t *, uuid_t user);
} personal_section_t;

/* The handler of an actor's row "ACTOR.personal_data". */
void personal_data_reply(call_t *, const personal_section_t *sections, int count);

/* That row. */
#define PERSONAL_DATA_ROW(actor, function)                                                                         \
    {                                                                                                              \
        .operation = actor ".personal_data", .internal = true, .handler = (function),                              \
        .summary = "What is held of a person, a page at a time", .input = &person_message,                         \
        .output = &personal_data_message                                                                           \
    }
