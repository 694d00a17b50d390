/* Messages of the notifications actor: what clients send, what rows have, what is answered. What other actors ask for stands in
 * shared/actor/events.h and operations.h. */
#pragma once
#include "../../shared/actor/actor.h"
#include "../../shared/actor/events.h"

#define NOTIFICATION(FIELD)                                                                                        \
    FIELD(uuid, id)                                                                                                \
    FIELD(choice, type, .names = notification_types)                                                               \
    FIELD(text, title)                                                                                             \
    FIELD(text, message)                                                                                           \
    FIELD(text, link_url, .nullable = true, .meaning = "A relative path")                                          \
    FIELD(boolean, is_read)                                                                                        \
    FIELD(integer, seq, .meaning = "Grows with each notification of this user")                                    \
    FIELD(time, created_at)                                                                                        \
    FIELD(time, read_at, .nullable = true)
MESSAGE(notification, NOTIFICATION);

#define NOTIFICATIONS_PARAMS(FIELD)                                                                                \
    FIELD(uuid, after, .meaning = "Everything that came after this notification, oldest first")                    \
    FIELD(boolean, unread, .meaning = "Only those that are not read")                                              \
    PAGE_PARAMS(FIELD)
MESSAGE(notifications_params, NOTIFICATIONS_PARAMS);

#define NOTIFICATION_STATE(FIELD)                                                                                  \
    FIELD(uuid, id)                                                                                                \
    FIELD(boolean, is_read)                                                                                        \
    FIELD(time, read_at, .nullable = true)                                                                         \
    FIELD(integer, unread, .meaning = "How many are not read now")
MESSAGE(notification_state, NOTIFICATION_STATE);

#define READ_ALL(FIELD)                                                                                            \
    FIELD(integer, changed, .meaning = "How many were not read before")                                            \
    FIELD(integer, unread)
MESSAGE(read_all, READ_ALL);

/* --- rows that only this actor sees --------------------------------------------------------------------------------- */

#define UNREAD_ROW(FIELD) FIELD(integer, unread)
MESSAGE(unread_row, UNREAD_ROW);

#define SEQ_ROW(FIELD) FIELD(integer, seq)
MESSAGE(seq_row, SEQ_ROW);

#define TOTAL_ROW(FIELD) FIELD(integer, total)
MESSAGE(total_row, TOTAL_ROW);

#define KEY_ROW(FIELD) FIELD(uuid, id)
MESSAGE(key_row, KEY_ROW);

/* A notification that was just written, for those who are to hear of it. */
#define WRITTEN(FIELD)                                                                                             \
    FIELD(uuid, id)                                                                                                \
    FIELD(uuid, user_id)                                                                                           \
    FIELD(integer, seq)                                                                                            \
    FIELD(integer, unread)                                                                                         \
    FIELD(boolean, in_app)                                                                                         \
    FIELD(choice, language, .names = mail_languages)                                                               \
    FIELD(time, created_at)
MESSAGE(written, WRITTEN);

/* --- what is told to whom it belongs -------------------------------------------------------------------------------- */

#define OWN_NOTIFICATION(FIELD)                                                                                    \
    FIELD(uuid, id)                                                                                                \
    FIELD(text, type)                                                                                              \
    FIELD(text, title)                                                                                             \
    FIELD(text, message)                                                                                           \
    FIELD(text, link_url, .nullable = true)                                                                        \
    FIELD(boolean, is_read)                                                                                        \
    FIELD(time, created_at)                                                                                        \
    FIELD(time, read_at, .nullable = true)
MESSAGE(own_notification, OWN_NOTIFICATION);
