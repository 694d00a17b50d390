/* operations: the messages of what actors ask each other (calls.h), because both sides must know them. */
#pragma once
#include "../wire/message.h"

/* ACTOR.personal_data: everything that the actor holds of a person, for the person (product.md, section 3, export), a page at a
 * time: section after section, each with pages of rows until it closes. Offered by each actor that holds any;
 * operation_offered("personal_data", …) finds them all. An actor answers it by personal_data.h. */
#define PERSON(FIELD)                                                                                              \
    FIELD(uuid, user, .required = true)                                                                            \
    FIELD(text, after, .nullable = true, .meaning = "next of the page before; null: from the beginning")
MESSAGE(person, PERSON);
#define PERSONAL_DATA(FIELD)                                                                                       \
    FIELD(text, section, .required = true)                                                                         \
    FIELD(boolean, opens, .required = true, .meaning = "the section's first page")                                 \
    FIELD(boolean, closes, .required = true, .meaning = "its last one")                                            \
    FIELD(json, rows, .required = true, .meaning = "an array of objects, opened and readable")                     \
    FIELD(text, next, .nullable = true, .meaning = "null: that was all that this actor holds")
MESSAGE(personal_data, PERSONAL_DATA);
