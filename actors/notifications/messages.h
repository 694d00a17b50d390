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

/* --- what a user wants ---------------------------------------------------------------------------------------------- */

#define PREFERENCE(FIELD)                                                                                          \
    FIELD(choice, type, .required = true, .names = notification_types)                                             \
    FIELD(boolean, in_app, .required = true, .meaning = "In the list, and on open pages")                          \
    FIELD(boolean, email, .required = true, .meaning = "To a verified address")                                    \
    FIELD(boolean, push, .required = true, .meaning = "To registered devices")
MESSAGE(preference, PREFERENCE);

#define QUIET "In Seoul, as 22:00; mails and pushes wait until they end, but for what is urgent"
#define PREFERENCES(FIELD)                                                                                         \
    FIELD(text, quiet_from, .nullable = true, .meaning = QUIET)                                                    \
    FIELD(text, quiet_until, .nullable = true)                                                                     \
    FIELD(list, types, .required = true, .message = &preference_message)
MESSAGE(preferences, PREFERENCES);

#define PREFERENCES_PUT(FIELD)                                                                                     \
    FIELD(text, quiet_from, .nullable = true, .min = 5, .max = 5, .format = FORMAT_TOKEN, .meaning = QUIET)        \
    FIELD(text, quiet_until, .nullable = true, .min = 5, .max = 5, .format = FORMAT_TOKEN)                         \
    FIELD(list, types, .max = NOTIFICATION_TYPES, .message = &preference_message,                                  \
        .meaning = "A type that is not among them is as at the beginning")
MESSAGE(preferences_put, PREFERENCES_PUT);

#define QUIET_ROW(FIELD)                                                                                           \
    FIELD(integer, quiet_from)                                                                                     \
    FIELD(integer, quiet_until)
MESSAGE(quiet_row, QUIET_ROW);

/* --- devices -------------------------------------------------------------------------------------------------------- */

enum platform { PLATFORM_WEB, PLATFORM_FCM, PLATFORM_APNS, PLATFORMS };
static const char *const platforms[] __attribute__((unused)) = {"web", "fcm", "apns", NULL};

/* As PushSubscription.toJSON() gives it. */
#define DEVICE_KEYS(FIELD)                                                                                         \
    FIELD(text, p256dh, .required = true, .min = 87, .max = 88, .format = FORMAT_TOKEN, .secret = true)            \
    FIELD(text, auth, .required = true, .min = 22, .max = 24, .format = FORMAT_TOKEN, .secret = true)
MESSAGE(device_keys, DEVICE_KEYS);

#define DEVICE_CREATE(FIELD)                                                                                       \
    FIELD(choice, platform, .required = true, .names = platforms)                                                  \
    FIELD(text, token, .required = true, .min = 8, .max = 1000, .format = FORMAT_TOKEN, .secret = true,            \
        .meaning = "Of FCM or APNs; of a browser the endpoint of its subscription")                                \
    FIELD(object, keys, .message = &device_keys_message, .secret = true, .meaning = "Of a browser's subscription") \
    FIELD(text, name, .min = 1, .max = 50, .format = FORMAT_LINE, .meaning = "For the list of one's devices")
MESSAGE(device_create, DEVICE_CREATE);

#define DEVICE(FIELD)                                                                                              \
    FIELD(uuid, id)                                                                                                \
    FIELD(choice, platform, .names = platforms)                                                                    \
    FIELD(text, name, .nullable = true)                                                                            \
    FIELD(time, created_at)                                                                                        \
    FIELD(time, updated_at)
MESSAGE(device, DEVICE);

#define PUSH_PUBLIC(FIELD)                                                                                         \
    FIELD(text, public_key, .meaning = "applicationServerKey of a browser's subscription, base64url")
MESSAGE(push_public, PUSH_PUBLIC);

/* Whose a device is. */
#define DEVICE_OWNER(FIELD)                                                                                        \
    FIELD(uuid, id)                                                                                                \
    FIELD(uuid, user_id)
MESSAGE(device_owner, DEVICE_OWNER);

/* A claimed push; `id` is the device's. Whoever settles it names the attempt, so that one whose lease has ended changes nothing. */
#define PUSH_JOB(FIELD)                                                                                            \
    FIELD(uuid, id)                                                                                                \
    FIELD(integer, job)                                                                                            \
    FIELD(text, service)                                                                                           \
    FIELD(integer, attempts)                                                                                       \
    FIELD(integer, failures)                                                                                       \
    FIELD(choice, platform, .names = platforms)                                                                    \
    FIELD(text, token, .sealed = "notifications.devices")                                                          \
    FIELD(text, p256dh, .nullable = true, .sealed = "notifications.devices")                                       \
    FIELD(text, auth, .nullable = true, .sealed = "notifications.devices")                                         \
    FIELD(uuid, notification)                                                                                      \
    FIELD(text, type)                                                                                              \
    FIELD(text, title)                                                                                             \
    FIELD(text, message)                                                                                           \
    FIELD(text, link_url, .nullable = true)                                                                        \
    FIELD(time, created_at)                                                                                        \
    FIELD(boolean, wanted, .meaning = "false: read or deleted meanwhile, or its user is gone")
MESSAGE(push_job, PUSH_JOB);

#define PUSH_FAILED(FIELD) FIELD(boolean, dead)
MESSAGE(push_failed, PUSH_FAILED);

#define PUSH_DUE(FIELD) FIELD(boolean, due)
MESSAGE(push_due, PUSH_DUE);

#define SEALED_DEVICE(FIELD)                                                                                       \
    FIELD(uuid, id)                                                                                                \
    FIELD(bytes, token)                                                                                            \
    FIELD(bytes, p256dh, .nullable = true)                                                                         \
    FIELD(bytes, auth, .nullable = true)
MESSAGE(sealed_device, SEALED_DEVICE);

#define OWN_DEVICE(FIELD)                                                                                          \
    FIELD(uuid, id)                                                                                                \
    FIELD(text, platform)                                                                                          \
    FIELD(text, token, .sealed = "notifications.devices")                                                          \
    FIELD(text, name, .nullable = true)                                                                            \
    FIELD(time, created_at)                                                                                        \
    FIELD(time, updated_at)
MESSAGE(own_device, OWN_DEVICE);

#define PERSONAL_PRESENCE(FIELD)                                                                                   \
    FIELD(uuid, user)                                                                                              \
    FIELD(boolean, online)                                                                                         \
    FIELD(time, last_seen, .nullable = true)                                                                       \
    FIELD(time, announced_last, .nullable = true)
MESSAGE(personal_presence, PERSONAL_PRESENCE);

/* --- to many -------------------------------------------------------------------------------------------------------- */

#define BROADCAST_CREATE(FIELD)                                                                                    \
    FIELD(choice, role, .required = true, .names = broadcast_roles)                                                \
    FIELD(text, title, .required = true, .min = 1, .max = 200, .format = FORMAT_LINE)                              \
    FIELD(text, message, .required = true, .min = 1, .max = 2000)                                                  \
    FIELD(text, title_en, .nullable = true, .min = 1, .max = 200, .format = FORMAT_LINE)                           \
    FIELD(text, message_en, .nullable = true, .min = 1, .max = 2000)                                               \
    FIELD(text, link_url, .nullable = true, .min = 1, .max = 500, .format = FORMAT_TOKEN, .meaning = "A relative path")
MESSAGE(broadcast_create, BROADCAST_CREATE);

#define BROADCAST_WORDS(FIELD)                                                                                     \
    FIELD(text, title)                                                                                             \
    FIELD(text, message)                                                                                           \
    FIELD(text, title_en, .nullable = true)                                                                        \
    FIELD(text, message_en, .nullable = true)                                                                      \
    FIELD(text, link_url, .nullable = true)

#define BROADCAST(FIELD)                                                                                           \
    FIELD(uuid, id)                                                                                                \
    FIELD(choice, role, .names = broadcast_roles)                                                                  \
    BROADCAST_WORDS(FIELD)                                                                                         \
    FIELD(integer, total, .meaning = "How many it was meant for when it was asked for")                            \
    FIELD(integer, sent, .meaning = "How many were told so far")                                                   \
    FIELD(time, created_at)                                                                                        \
    FIELD(time, finished_at, .nullable = true)
MESSAGE(broadcast, BROADCAST);

/* What the event `broadcast` carries, to whoever of the role is online. */
#define BROADCAST_SAID(FIELD)                                                                                      \
    FIELD(uuid, id)                                                                                                \
    BROADCAST_WORDS(FIELD)                                                                                         \
    FIELD(time, created_at)
MESSAGE(broadcast_said, BROADCAST_SAID);

#define BROADCAST_WORK(FIELD)                                                                                      \
    FIELD(uuid, id)                                                                                                \
    FIELD(text, role)                                                                                              \
    BROADCAST_WORDS(FIELD)                                                                                         \
    FIELD(uuid, after_user)
MESSAGE(broadcast_work, BROADCAST_WORK);

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
/* What is said, as notifications_write takes it; `place` is what its users are given beside their ids. */
#define NOTICE_ROW(FIELD)                                                                                          \
    FIELD(integer, place)                                                                                          \
    FIELD(choice, type, .names = notification_types)                                                               \
    FIELD(text, title)                                                                                             \
    FIELD(text, message)                                                                                           \
    FIELD(text, title_en)                                                                                          \
    FIELD(text, message_en)                                                                                        \
    FIELD(text, link_url)                                                                                          \
    FIELD(uuid, subject)                                                                                           \
    FIELD(boolean, in_app, .meaning = "What a user who has not chosen wants")                                      \
    FIELD(boolean, email)                                                                                          \
    FIELD(boolean, push)                                                                                           \
    FIELD(boolean, urgent)
MESSAGE(notice_row, NOTICE_ROW);

#define WRITTEN(FIELD)                                                                                             \
    FIELD(integer, place)                                                                                          \
    FIELD(uuid, id)                                                                                                \
    FIELD(uuid, user_id)                                                                                           \
    FIELD(integer, seq)                                                                                            \
    FIELD(boolean, in_app)                                                                                         \
    FIELD(choice, language, .names = mail_languages)                                                               \
    FIELD(time, created_at)
MESSAGE(written, WRITTEN);

#define PRESENCE_RELATED(FIELD) FIELD(boolean, related)
MESSAGE(presence_related, PRESENCE_RELATED);

/* What there is to do in the background. */
#define WORK_DUE(FIELD)                                                                                            \
    FIELD(boolean, broadcasts)                                                                                     \
    FIELD(boolean, emails)                                                                                         \
    FIELD(boolean, reminders)
MESSAGE(work_due, WORK_DUE);

#define EMAIL_ROW(FIELD)                                                                                           \
    FIELD(uuid, id)                                                                                                \
    FIELD(uuid, user_id)                                                                                           \
    FIELD(text, title)                                                                                             \
    FIELD(text, message)                                                                                           \
    FIELD(text, email)                                                                                             \
    FIELD(text, name)                                                                                              \
    FIELD(choice, language, .names = mail_languages)
MESSAGE(email_row, EMAIL_ROW);

#define REMINDER_ROW(FIELD)                                                                                        \
    FIELD(uuid, id)                                                                                                \
    FIELD(text, body, .sealed = "notifications.reminders")                                                         \
    FIELD(boolean, late)
MESSAGE(reminder_row, REMINDER_ROW);

/* The stored bytes themselves, for sealing them anew. */
#define SEALED_REMINDER(FIELD)                                                                                     \
    FIELD(uuid, id)                                                                                                \
    FIELD(bytes, body)
MESSAGE(sealed_reminder, SEALED_REMINDER);

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

/* A sentence for each type that was changed; ordered by an id of its own. */
#define OWN_PREFERENCE(FIELD)                                                                                      \
    FIELD(uuid, id, .meaning = "the user")                                                                         \
    FIELD(json, preferences)                                                                                       \
    FIELD(text, quiet_hours, .nullable = true, .meaning = "minutes of the day in Seoul")
MESSAGE(own_preference, OWN_PREFERENCE);
