/* Messages of the mailer: rows that only it sees. What others ask for is mail.requested (shared/actor/events.h). */
#pragma once
#include "../../shared/actor/actor.h"
#include "../../shared/actor/events.h"

/* What of a request is sealed in its row, as a whole. */
#define MAIL_CONTENT(FIELD)                                                                                        \
    FIELD(text, to, .required = true)                                                                              \
    FIELD(text, name, .nullable = true)                                                                            \
    FIELD(list, fields, .message = &mail_field_message)
MESSAGE(mail_content, MAIL_CONTENT);

/* A claimed job. Whoever settles it names the attempt, so that one whose lease has ended changes nothing. */
#define MAIL_JOB(FIELD)                                                                                            \
    FIELD(uuid, id)                                                                                                \
    FIELD(text, template)                                                                                          \
    FIELD(text, language)                                                                                          \
    FIELD(text, content, .sealed = "mailer.mail_jobs")                                                             \
    FIELD(integer, attempts)                                                                                       \
    FIELD(integer, failures)                                                                                       \
    FIELD(boolean, late)
MESSAGE(mail_job, MAIL_JOB);

#define JOB_ID(FIELD) FIELD(uuid, id)
MESSAGE(job_id, JOB_ID);

#define JOB_FAILED(FIELD) FIELD(boolean, dead)
MESSAGE(job_failed, JOB_FAILED);

#define WORK(FIELD) FIELD(boolean, due)
MESSAGE(work, WORK);

/* What is told of it to whom it was sent. */
#define OWN_MAIL(FIELD)                                                                                            \
    FIELD(uuid, id)                                                                                                \
    FIELD(text, template)                                                                                          \
    FIELD(text, language)                                                                                          \
    FIELD(text, state)                                                                                             \
    FIELD(time, created_at)                                                                                        \
    FIELD(time, done_at, .nullable = true)
MESSAGE(own_mail, OWN_MAIL);

#define TOTAL_ROW(FIELD) FIELD(integer, total)
MESSAGE(total_row, TOTAL_ROW);

/* The stored bytes themselves, for sealing them anew. */
#define SEALED_ROW(FIELD)                                                                                          \
    FIELD(uuid, id)                                                                                                \
    FIELD(bytes, content)
MESSAGE(sealed_row, SEALED_ROW);
