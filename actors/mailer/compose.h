/* compose: a mail as it travels (RFC 5322, RFC 2045): header, and the text in two forms (multipart/alternative). Pure.
 *
 * What always holds: a value that is put into the header is either of characters that mean nothing there, or encoded (RFC 2047), so
 * no value can begin another line; bodies are base64, so no line of theirs is one of SMTP's. */
#pragma once
#include "../../shared/base/memory.h"
#include "../../shared/base/uuid.h"

typedef struct {
    uuid_t id;              /* of the job: the Message-ID and the boundary come from it */
    int64_t at;             /* clock_now() */
    const char *from, *from_name;
    text_t to, to_name;     /* to_name may be empty */
    const char *language;   /* "ko" */
    text_t subject, text, html; /* UTF-8 */
} letter_t;

/* What stands behind the @ of an address. */
const char *compose_domain(const char *address);
/* Appends the whole mail, with CRLF. */
void compose(const letter_t *, buffer_t *out);
