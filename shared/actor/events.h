/* events: what actors tell each other (architecture.md, "Events between actors"). An event is written in the transaction of the
 * call that emits it, with a delivery for each actor that subscribes to its type; it is sent as a message until the
 * subscriber's handler has committed, and takes effect there once. Events of one aggregate arrive in their order; one that
 * fails is tried again with back-off and holds up its aggregate only; after DELIVERY_ATTEMPTS it is dead until
 * `aipotenctl events retry` or `skip`.
 *
 * A subscription is a row of the subscriber's table with .event and .input; an event's message stands in this file, because
 * both sides must know it. */
#pragma once
#include "call.h"
#include "../base/development.h"

/* Emits in this call's transaction (which it begins). `value` is a struct of the event's message below. */
void event_emit(call_t *, const char *type, uuid_t aggregate, const message_t *, const void *value);

/* The same, and this process itself delivers it as soon as the reply has left, without a round of the dispatcher: its subscribers
 * hear of it within a millisecond, and it costs a third of the transactions. The reply does not wait for them: what a client may look
 * at next, whoever shows it must make sure of (actors/videos/recommended.c). When an earlier event of the aggregate is still on its
 * way, or the subscriber takes longer than actor.event_wait, the dispatcher delivers it. Not for background work; at most
 * EVENTS_DIRECT_MOST in a call. */
enum { EVENTS_DIRECT_MOST = 4 };
void event_emit_direct(call_t *, const char *type, uuid_t aggregate, const message_t *, const void *value);

/* record.read: somebody read personal data of somebody else. Aggregate: the record that was read. */
#define RECORD_READ(FIELD)                                                                                         \
    FIELD(uuid, reader, .required = true, .meaning = "user who read")                                              \
    FIELD(text, reader_role, .required = true)                                                                     \
    FIELD(text, address, .nullable = true, .meaning = "from where")                                                \
    FIELD(text, record_kind, .required = true, .meaning = "child, user; users: a page of them")                    \
    FIELD(uuid, record, .required = true, .meaning = "zero for a page of many")                                    \
    FIELD(integer, records, .required = true, .min = 1, .max = 100000, .meaning = "how many were shown")           \
    FIELD(text, operation, .required = true)                                                                       \
    FIELD(time, at, .required = true)
MESSAGE(record_read, RECORD_READ);

/* mail.requested: somebody is to get a mail; the mailer subscribes. Aggregate: the user it is about. The template's words are the
 * mailer's, in the reader's language; `fields` are what it puts into them ("token"). */
enum mail_template {
    MAIL_EMAIL_VERIFICATION, MAIL_PASSWORD_RESET, MAIL_ACCOUNT_DELETED,
    MAIL_GUARDIAN_INVITATION, /* fields: "child" (its id), "token" */
    MAIL_EXPORT_READY,        /* no fields: the link is asked for after a log-in */
    MAIL_NOTIFICATION         /* fields: "id" (the notification's), "title", "message" */
};
static const char *const mail_templates[] __attribute__((unused)) = {
    "email_verification", "password_reset", "account_deleted", "guardian_invitation", "export_ready", "notification", NULL};
/* Order of enum language. */
static const char *const mail_languages[] __attribute__((unused)) = {"ko", "en", NULL};

#define MAIL_FIELD(FIELD)                                                                                          \
    FIELD(text, name, .required = true, .min = 1, .max = 50)                                                       \
    FIELD(text, value, .required = true, .max = 2000, .secret = true)
MESSAGE(mail_field, MAIL_FIELD);

#define MAIL_REQUESTED(FIELD)                                                                                      \
    FIELD(choice, template, .required = true, .names = mail_templates)                                             \
    FIELD(uuid, user, .nullable = true, .meaning = "whose data the mail holds; null: of nobody who has an account") \
    FIELD(text, to, .required = true, .min = 3, .max = 254, .format = FORMAT_EMAIL)                                \
    FIELD(text, name, .nullable = true, .max = 50, .meaning = "of the reader")                                     \
    FIELD(choice, language, .required = true, .names = mail_languages)                                             \
    FIELD(list, fields, .max = 20, .message = &mail_field_message)                                                 \
    FIELD(time, not_after, .nullable = true, .meaning = "later it is worth nothing and is not sent any more")
MESSAGE(mail_requested, MAIL_REQUESTED);

/* user.erased: the days in which a deleted account could come back are over (product.md, section 3): everybody who holds
 * personal data of the user removes it. Aggregate: the user. */
#define USER_ERASED(FIELD) FIELD(uuid, user, .required = true)
MESSAGE(user_erased, USER_ERASED);

/* child.deleted: by its owner, or with its last guardian. Its row is empty and stays; everybody who holds something of the child
 * removes it. Aggregate: the child. */
#define CHILD_DELETED(FIELD) FIELD(uuid, child, .required = true)
MESSAGE(child_deleted, CHILD_DELETED);

/* --- assessments ---------------------------------------------------------------------------------------------------- */

/* assessment.completed: a child has results; videos subscribes and recommends by them. Aggregate: the child. */
#define COMPLETED_AREA(FIELD)                                                                                      \
    FIELD(choice, area, .required = true, .names = development_areas)                                              \
    FIELD(integer, score, .required = true, .min = 0, .max = 10000, .meaning = "hundredths")                       \
    FIELD(choice, level, .required = true, .names = development_levels)
MESSAGE(completed_area, COMPLETED_AREA);

#define ASSESSMENT_COMPLETED(FIELD)                                                                                \
    FIELD(uuid, assessment, .required = true)                                                                      \
    FIELD(uuid, child, .required = true)                                                                           \
    FIELD(uuid, user, .required = true, .meaning = "who completed it")                                             \
    FIELD(integer, age, .required = true, .min = 0, .max = 240, .meaning = "used months")                          \
    FIELD(time, completed_at, .required = true)                                                                    \
    FIELD(list, areas, .required = true, .min = 1, .max = AREAS, .message = &completed_area_message)
MESSAGE(assessment_completed, ASSESSMENT_COMPLETED);

/* assessment.due: the child's last results are older than its age asks for; once in a band of ages, by the daily reminder of the
 * assessments actor. Aggregate: the child. */
#define ASSESSMENT_DUE(FIELD)                                                                                      \
    FIELD(uuid, child, .required = true)                                                                           \
    FIELD(uuid, user, .required = true, .meaning = "who is to be reminded")                                        \
    FIELD(integer, age, .required = true, .min = 0, .max = 240, .meaning = "used months")                          \
    FIELD(time, last_completed_at, .nullable = true, .meaning = "null: never")
MESSAGE(assessment_due, ASSESSMENT_DUE);

/* video.prescribed: a therapist's report names videos for a child; videos subscribes. Aggregate: the child. */
#define PRESCRIBED_VIDEO(FIELD) FIELD(uuid, video, .required = true)
MESSAGE_BARE(prescribed_video, PRESCRIBED_VIDEO);

#define VIDEO_PRESCRIBED(FIELD)                                                                                    \
    FIELD(uuid, prescription, .required = true)                                                                    \
    FIELD(uuid, child, .required = true)                                                                           \
    FIELD(uuid, therapist, .required = true)                                                                       \
    FIELD(list, videos, .required = true, .min = 1, .max = 20, .message = &prescribed_video_message)
MESSAGE(video_prescribed, VIDEO_PRESCRIBED);

/* --- notifications -------------------------------------------------------------------------------------------------- */

/* Types of product.md, section 8. */
enum notification_type {
    NOTIFY_ASSESSMENT_REMINDER, NOTIFY_NEW_VIDEO, NOTIFY_MATCHING_UPDATE, NOTIFY_CONSULTATION_REMINDER, NOTIFY_PAYMENT,
    NOTIFY_REFUND, NOTIFY_REPORT, NOTIFY_SCHEDULE_CHANGE, NOTIFY_SETTLEMENT, NOTIFY_THERAPIST_APPROVAL, NOTIFY_SYSTEM,
    NOTIFICATION_TYPES
};
static const char *const notification_types[] __attribute__((unused)) = {"assessment_reminder", "new_video", "matching_update",
    "consultation_reminder", "payment", "refund", "report", "schedule_change", "settlement", "therapist_approval", "system", NULL};

/* notification.requested: somebody is to be told something, by the channels that the person wants. Aggregate: what it is about, so that
 * what is told of one thing is told in its order. A socket event of another name (matching_update) is sent beside new_notification. */
#define NOTIFICATION_REQUESTED(FIELD)                                                                              \
    FIELD(uuid, user, .required = true)                                                                            \
    FIELD(choice, type, .required = true, .names = notification_types)                                             \
    FIELD(text, title, .required = true, .min = 1, .max = 200)                                                     \
    FIELD(text, message, .required = true, .min = 1, .max = 2000)                                                  \
    FIELD(text, title_en, .nullable = true, .max = 200, .meaning = "null: as in Korean")                           \
    FIELD(text, message_en, .nullable = true, .max = 2000)                                                         \
    FIELD(text, link_url, .nullable = true, .max = 500, .meaning = "a relative path")                              \
    FIELD(uuid, subject, .nullable = true, .meaning = "what it is about, a child for one: gone with that")         \
    FIELD(text, event, .nullable = true, .max = 50, .meaning = "a further socket event, matching_update for one")  \
    FIELD(json, arguments, .nullable = true, .max = 16 << 10, .meaning = "what that event carries: an object")
MESSAGE(notification_requested, NOTIFICATION_REQUESTED);

/* notification.broadcast: everybody of a role is to be told something. Aggregate: what it is about. */
static const char *const broadcast_roles[] __attribute__((unused)) = {"parent", "therapist", "admin", "all", NULL};
enum { BROADCAST_PARENT, BROADCAST_THERAPIST, BROADCAST_ADMIN, BROADCAST_ALL };

#define NOTIFICATION_BROADCAST(FIELD)                                                                              \
    FIELD(choice, role, .required = true, .names = broadcast_roles)                                                \
    FIELD(text, title, .required = true, .min = 1, .max = 200)                                                     \
    FIELD(text, message, .required = true, .min = 1, .max = 2000)                                                  \
    FIELD(text, title_en, .nullable = true, .max = 200, .meaning = "null: as in Korean")                           \
    FIELD(text, message_en, .nullable = true, .max = 2000)                                                         \
    FIELD(text, link_url, .nullable = true, .max = 500, .meaning = "a relative path")
MESSAGE(notification_broadcast, NOTIFICATION_BROADCAST);

/* notification.scheduled: the same at a time to come; asked for again under the same id it takes the place of the first.
 * notification.cancelled: it is not said any more. Aggregate: what it is about, for both. */
#define NOTIFICATION_SCHEDULED(FIELD)                                                                              \
    FIELD(uuid, reminder, .required = true, .meaning = "made by whoever asks")                                     \
    FIELD(time, due_at, .required = true)                                                                          \
    FIELD(time, not_after, .nullable = true, .meaning = "later it is worth nothing and is not said any more")      \
    FIELD(object, notification, .required = true, .message = &notification_requested_message)
MESSAGE(notification_scheduled, NOTIFICATION_SCHEDULED);

#define NOTIFICATION_CANCELLED(FIELD) FIELD(uuid, reminder, .required = true)
MESSAGE(notification_cancelled, NOTIFICATION_CANCELLED);
