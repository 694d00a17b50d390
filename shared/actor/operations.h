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

/* passwords.hash: a password as it is stored. passwords.matches: is it the password of that hash? Without one it is not, in the same
 * time (crypto/hash.h). */
#define PASSWORD_WISH(FIELD) FIELD(text, password, .required = true, .format = FORMAT_PASSWORD, .secret = true)
MESSAGE(password_wish, PASSWORD_WISH);
#define PASSWORD_HASHED(FIELD) FIELD(text, hash, .required = true, .secret = true)
MESSAGE(password_hashed, PASSWORD_HASHED);
#define PASSWORD_SHOWN(FIELD)                                                                                      \
    FIELD(text, password, .required = true, .max = 256, .secret = true)                                            \
    FIELD(text, hash, .nullable = true, .secret = true)
MESSAGE(password_shown, PASSWORD_SHOWN);
#define PASSWORD_JUDGED(FIELD) FIELD(boolean, right, .required = true)
MESSAGE(password_judged, PASSWORD_JUDGED);

/* notifications.missed: what the principal was told after the notification of this number, as its sockets would have got it. */
enum { MISSED_MOST = 100 };
#define MISSED_AFTER(FIELD)                                                                                        \
    FIELD(integer, seq, .nullable = true, .min = 0, .meaning = "0: from the beginning; null: no events, only the newest number")
MESSAGE(missed_after, MISSED_AFTER);
#define MISSED_EVENT(FIELD)                                                                                        \
    FIELD(uuid, id, .required = true)                                                                              \
    FIELD(integer, seq, .required = true)                                                                          \
    FIELD(json, arguments, .required = true, .meaning = "of new_notification")
MESSAGE(missed_event, MISSED_EVENT);
#define MISSED(FIELD)                                                                                              \
    FIELD(boolean, complete, .required = true, .meaning = "false: there are more than MISSED_MOST")                \
    FIELD(integer, newest, .required = true, .meaning = "number of the user's newest notification; 0: there is none") \
    FIELD(list, events, .required = true, .max = MISSED_MOST, .message = &missed_event_message, .meaning = "oldest first")
MESSAGE(missed, MISSED);

/* notifications.may_join_call: is the principal one of the two parties of this consultation? */
#define CALL_WISH(FIELD) FIELD(uuid, consultation, .required = true)
MESSAGE(call_wish, CALL_WISH);
#define CALL_LEAVE_GIVEN(FIELD)                                                                                    \
    FIELD(uuid, consultation, .required = true)                                                                    \
    FIELD(boolean, allowed, .required = true)
MESSAGE(call_leave_given, CALL_LEAVE_GIVEN);

/* notifications.presence: is this user online, and when were they last? 404: that is none of the principal's business. */
#define PRESENCE_WISH(FIELD) FIELD(uuid, user, .required = true)
MESSAGE(presence_wish, PRESENCE_WISH);
#define PRESENCE_TOLD(FIELD)                                                                                       \
    FIELD(uuid, user, .required = true)                                                                            \
    FIELD(boolean, online, .required = true)                                                                       \
    FIELD(time, last_seen, .nullable = true, .meaning = "null: not as far as is remembered")
MESSAGE(presence_told, PRESENCE_TOLD);
