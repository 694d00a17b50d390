/* errors: what a client can be told, each once: code, HTTP status, Korean and English (product.md, section 9). */
#pragma once
#include "message.h"

enum language { LANGUAGE_KO, LANGUAGE_EN, LANGUAGES };
/* Best match of an Accept-Language header (RFC 9110, 12.5.4); Korean when nothing fits. */
enum language language_of(text_t accept_language);
const char *language_name(enum language language);

enum error_code {
    ERROR_NONE,
    ERROR_VALIDATION, ERROR_UNAUTHENTICATED, ERROR_INVALID_CREDENTIALS, ERROR_FORBIDDEN, ERROR_NOT_FOUND,
    ERROR_METHOD_NOT_ALLOWED, ERROR_CONFLICT, ERROR_EMAIL_TAKEN, ERROR_INVALID_STATE, ERROR_IN_USE, ERROR_LAST_ADMIN,
    ERROR_CONSENT_REQUIRED, ERROR_UNPROCESSABLE, ERROR_PAYLOAD_TOO_LARGE, ERROR_UNSUPPORTED_MEDIA_TYPE, ERROR_URI_TOO_LONG,
    ERROR_HEADERS_TOO_LARGE, ERROR_RATE_LIMITED, ERROR_UNAVAILABLE, ERROR_TIMEOUT, ERROR_INTERNAL, ERROR_SUSPENDED,
    ERROR_CSRF, ERROR_KEY_REUSED, ERROR_IN_PROGRESS, ERROR_LAST_GUARDIAN, ERROR_AGE_NOT_SUPPORTED,
    ERROR_OAUTH_STATE, ERROR_OAUTH_CODE, ERROR_OAUTH_TOKEN, ERROR_OAUTH_EMAIL, ERROR_OAUTH_LINK_REQUIRED, ERROR_OAUTH_LINKED,
    ERROR_CODES
};
typedef struct {
    const char *code; /* "VALIDATION_ERROR" */
    int status;
    const char *message[LANGUAGES];
} error_row_t;
extern const error_row_t errors[ERROR_CODES];
/* The error of this code ("NOT_FOUND"); ERROR_NONE: there is none. */
enum error_code error_find(text_t code);

/* Appends the founding document's error envelope; `problems` may be NULL. */
void error_json(buffer_t *out, enum error_code code, enum language language, const problems_t *problems);
/* A problem's sentence in a language, for details[].message. */
text_t problem_sentence(arena_t *arena, const problem_t *problem, enum language language);
