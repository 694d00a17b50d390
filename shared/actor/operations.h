/* operations: the messages of what actors ask each other (calls.h), because both sides must know them. */
#pragma once
#include "../wire/message.h"

/* ACTOR.personal_data: everything that the actor holds of a person, for the person (product.md, section 3, export). Offered by
 * each actor that holds any; operation_offered("personal_data", …) finds them all. */
#define PERSON(FIELD) FIELD(uuid, user, .required = true)
MESSAGE(person, PERSON);
#define PERSONAL_DATA(FIELD) FIELD(json, data, .required = true, .meaning = "an object, opened and readable")
MESSAGE(personal_data, PERSONAL_DATA);
