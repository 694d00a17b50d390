/* Messages of the children actor: what its clients send, what its statements read, what it answers.
 *
 * Answers extend rows: CHILD_SUMMARY begins with the fields of CHILD_ROW, CHILD_DETAIL with those of CHILD_RECORD, so that a
 * row's struct is the beginning of the answer's (children.c copies it as a whole). */
#pragma once
#include "../../shared/actor/actor.h"

static const char *const gender_names[] = {"male", "female", "unknown", NULL};

/* --- a child ------------------------------------------------------------------------------------------------------ */

/* Without a unit in their names: kilograms and centimetres, as the columns. */
#define CHILD_ROW(FIELD)                                                                                           \
    FIELD(uuid, id, .required = true)                                                                              \
    FIELD(text, name, .required = true)                                                                            \
    FIELD(date, birth_date, .required = true)                                                                      \
    FIELD(choice, gender, .required = true, .names = gender_names)                                                 \
    FIELD(integer, gestational_weeks, .nullable = true, .meaning = "Completed weeks of pregnancy at birth")        \
    FIELD(decimal, birth_weight, .nullable = true, .scale = 2, .meaning = "kg")                                    \
    FIELD(decimal, current_height, .nullable = true, .scale = 1, .meaning = "cm")                                  \
    FIELD(decimal, current_weight, .nullable = true, .scale = 2, .meaning = "kg")                                  \
    FIELD(time, created_at, .required = true)                                                                      \
    FIELD(time, updated_at, .required = true)

/* Kept encrypted, each bound to its table, column and row. */
#define CHILD_HISTORIES(FIELD)                                                                                     \
    FIELD(text, medical_history, .nullable = true, .sealed = "children.children")                                  \
    FIELD(text, family_history, .nullable = true, .sealed = "children.children")                                   \
    FIELD(text, treatment_history, .nullable = true, .sealed = "children.children")                                \
    FIELD(text, notes, .nullable = true, .sealed = "children.children")

#define CHILD_AGES(FIELD)                                                                                          \
    FIELD(integer, chronological_age_months, .required = true, .meaning = "Completed months today in Asia/Seoul")  \
    FIELD(integer, corrected_age_months, .required = true,                                                         \
        .meaning = "Since the due date for a child born before 37 weeks and under 24 months old")                  \
    FIELD(integer, used_age_months, .required = true, .meaning = "The age that questions and videos go by")

#define CHILD_SUMMARY(FIELD) CHILD_ROW(FIELD) CHILD_AGES(FIELD)
#define CHILD_RECORD(FIELD) CHILD_ROW(FIELD) CHILD_HISTORIES(FIELD)
#define CHILD_DETAIL(FIELD) CHILD_RECORD(FIELD) CHILD_AGES(FIELD)
MESSAGE(child_row, CHILD_ROW);
MESSAGE(child_summary, CHILD_SUMMARY);
MESSAGE(child_record, CHILD_RECORD);
MESSAGE(child_detail, CHILD_DETAIL);

/* What a client says of a child; `needed` are the fields that a child cannot be without. */
#define CHILD_FACTS(FIELD, needed)                                                                                 \
    FIELD(text, name, .required = needed, .min = 1, .max = 50, .format = FORMAT_LINE)                              \
    FIELD(date, birth_date, .required = needed, .meaning = "Not in the future, not before 19 years ago")           \
    FIELD(choice, gender, .required = needed, .names = gender_names)                                               \
    FIELD(integer, gestational_weeks, .nullable = true, .min = 20, .max = 44)                                      \
    FIELD(decimal, birth_weight, .nullable = true, .scale = 2, .min = 20, .max = 1000, .meaning = "kg")            \
    FIELD(decimal, current_height, .nullable = true, .scale = 1, .min = 200, .max = 2500, .meaning = "cm")         \
    FIELD(decimal, current_weight, .nullable = true, .scale = 2, .min = 20, .max = 30000, .meaning = "kg")         \
    FIELD(text, medical_history, .nullable = true, .max = 5000)                                    \
    FIELD(text, family_history, .nullable = true, .max = 5000)                                     \
    FIELD(text, treatment_history, .nullable = true, .max = 5000)                                  \
    FIELD(text, notes, .nullable = true, .max = 5000)
#define CHILD_CREATE(FIELD) CHILD_FACTS(FIELD, true)
#define CHILD_PATCH(FIELD) CHILD_FACTS(FIELD, false)
MESSAGE(child_create, CHILD_CREATE);
MESSAGE(child_patch, CHILD_PATCH);

/* --- measurements ------------------------------------------------------------------------------------------------- */

#define MEASUREMENT(FIELD)                                                                                         \
    FIELD(uuid, id, .required = true)                                                                              \
    FIELD(date, measured_on, .required = true)                                                                     \
    FIELD(decimal, height, .nullable = true, .scale = 1, .meaning = "cm")                                          \
    FIELD(decimal, weight, .nullable = true, .scale = 2, .meaning = "kg")                                          \
    FIELD(decimal, head_circumference, .nullable = true, .scale = 1, .meaning = "cm")                              \
    FIELD(time, created_at, .required = true)
MESSAGE(measurement, MEASUREMENT);

#define MEASUREMENT_CREATE(FIELD)                                                                                  \
    FIELD(date, measured_on, .required = true, .meaning = "From the day of birth to today; one a day")             \
    FIELD(decimal, height, .nullable = true, .scale = 1, .min = 200, .max = 2500, .meaning = "cm")                 \
    FIELD(decimal, weight, .nullable = true, .scale = 2, .min = 20, .max = 30000, .meaning = "kg")                 \
    FIELD(decimal, head_circumference, .nullable = true, .scale = 1, .min = 100, .max = 800, .meaning = "cm")
MESSAGE(measurement_create, MEASUREMENT_CREATE);

#define MEASUREMENT_PARAMS(FIELD) ID_PARAMS(FIELD) PAGE_PARAMS(FIELD)
MESSAGE(measurement_params, MEASUREMENT_PARAMS);

/* --- guardians ---------------------------------------------------------------------------------------------------- */

#define GUARDIAN(FIELD)                                                                                            \
    FIELD(uuid, user_id, .required = true)                                                                         \
    FIELD(text, name, .required = true)                                                                            \
    FIELD(text, relation, .required = true, .meaning = "owner: may invite, remove others, and delete the child; guardian") \
    FIELD(time, created_at, .required = true)
MESSAGE(guardian, GUARDIAN);

#define GUARDIAN_PARAMS(FIELD) ID_PARAMS(FIELD) FIELD(uuid, user_id, .required = true)
MESSAGE(guardian_params, GUARDIAN_PARAMS);

#define INVITATION(FIELD)                                                                                          \
    FIELD(uuid, id, .required = true)                                                                              \
    FIELD(text, email, .required = true, .sealed = "children.guardian_invitations")                                \
    FIELD(time, created_at, .required = true)                                                                      \
    FIELD(time, expires_at, .required = true)
MESSAGE(invitation, INVITATION);

#define INVITATION_CREATE(FIELD)                                                                                   \
    FIELD(text, email, .required = true, .max = 254, .format = FORMAT_EMAIL,                                       \
        .meaning = "Who has no account with this address yet can register one")
MESSAGE(invitation_create, INVITATION_CREATE);

#define INVITATION_PARAMS(FIELD) ID_PARAMS(FIELD) FIELD(uuid, invitation_id, .required = true)
MESSAGE(invitation_params, INVITATION_PARAMS);

#define INVITATION_TOKEN(FIELD)                                                                                    \
    FIELD(text, token, .required = true, .min = 1, .max = 100, .format = FORMAT_TOKEN, .secret = true,             \
        .meaning = "From the mail")
MESSAGE(invitation_token, INVITATION_TOKEN);

/* --- what is held of a person -------------------------------------------------------------------------------------- */

#define PERSONAL_GUARDIANSHIP(FIELD)                                                                               \
    FIELD(uuid, child_id)                                                                                          \
    FIELD(text, relation)                                                                                          \
    FIELD(time, created_at)
MESSAGE(personal_guardianship, PERSONAL_GUARDIANSHIP);

#define PERSONAL_MEASUREMENT(FIELD)                                                                                \
    FIELD(uuid, id)                                                                                                \
    FIELD(uuid, child_id)                                                                                          \
    FIELD(date, measured_on)                                                                                       \
    FIELD(decimal, height, .nullable = true, .scale = 1)                                                           \
    FIELD(decimal, weight, .nullable = true, .scale = 2)                                                           \
    FIELD(decimal, head_circumference, .nullable = true, .scale = 1)                                               \
    FIELD(time, created_at)
MESSAGE(personal_measurement, PERSONAL_MEASUREMENT);

#define PERSONAL_INVITATION(FIELD)                                                                                 \
    FIELD(uuid, id)                                                                                                \
    FIELD(uuid, child_id)                                                                                          \
    FIELD(text, email, .sealed = "children.guardian_invitations")                                                  \
    FIELD(time, created_at)                                                                                        \
    FIELD(time, expires_at)
MESSAGE(personal_invitation, PERSONAL_INVITATION);

/* --- rows that only handlers see ---------------------------------------------------------------------------------- */

#define TOTAL_ROW(FIELD) FIELD(integer, total)
MESSAGE(total_row, TOTAL_ROW);

#define KEY_ROW(FIELD) FIELD(uuid, id)
MESSAGE(key_row, KEY_ROW);

#define BIRTH_ROW(FIELD) FIELD(date, birth_date)
MESSAGE(birth_row, BIRTH_ROW);

#define CONSENT_ROW(FIELD) FIELD(text, kind)
MESSAGE(consent_row, CONSENT_ROW);

#define RELATION_ROW(FIELD) FIELD(text, relation)
MESSAGE(relation_row, RELATION_ROW);

#define GUARDIAN_COUNTS(FIELD)                                                                                     \
    FIELD(integer, guardians)                                                                                      \
    FIELD(integer, invited)                                                                                        \
    FIELD(integer, invited_today)
MESSAGE(guardian_counts, GUARDIAN_COUNTS);

#define KNOWN_ADDRESS(FIELD)                                                                                       \
    FIELD(uuid, id)                                                                                                \
    FIELD(boolean, guards)
MESSAGE(known_address, KNOWN_ADDRESS);

#define OPEN_INVITATION(FIELD)                                                                                     \
    FIELD(uuid, id)                                                                                                \
    FIELD(boolean, theirs)                                                                                         \
    FIELD(boolean, verified)
MESSAGE(open_invitation, OPEN_INVITATION);

#define SEALED_INVITATION(FIELD)                                                                                   \
    FIELD(uuid, id)                                                                                                \
    FIELD(bytes, email)
MESSAGE(sealed_invitation, SEALED_INVITATION);

/* The stored bytes themselves, for sealing them anew. */
#define SEALED_ROW(FIELD)                                                                                          \
    FIELD(uuid, id)                                                                                                \
    FIELD(bytes, medical_history)                                                                                  \
    FIELD(bytes, family_history)                                                                                   \
    FIELD(bytes, treatment_history)                                                                                \
    FIELD(bytes, notes)
MESSAGE(sealed_row, SEALED_ROW);
