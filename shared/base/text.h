/* text: a borrowed run of bytes. Owns nothing; data is NULL for SQL NULL, JSON null and "absent". */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const char *data; /* not NUL-terminated in general */
    size_t length;    /* bytes */
} text_t;

/* TEXT("literal"): only for string literals. */
#define TEXT(literal) ((text_t){.data = "" literal "", .length = sizeof(literal) - 1})
/* For printf's "%.*s". */
#define TEXT_ARG(t) (int)(t).length, (t).data ? (t).data : ""
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Borrows a NUL-terminated string; a NULL pointer gives a text whose data is NULL. */
static inline text_t text_of(const char *string)
{
    return (text_t){.data = string, .length = string ? strlen(string) : 0};
}

static inline bool text_equal(text_t a, text_t b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

/* ASCII case only. */
bool text_equal_nocase(text_t a, text_t b);
bool text_starts_with(text_t text, text_t prefix);
/* Without ASCII white space at both ends. */
text_t text_trim(text_t text);
/* Cuts *rest at the first separator and gives what stood before it; false when *rest is used up (data NULL). */
bool text_split(text_t *rest, char separator, text_t *part);
/* A whole decimal number with an optional minus, nothing else, in the range of int64. */
bool text_to_int(text_t text, int64_t *out);
/* Well-formed UTF-8 without NUL (RFC 3629: no surrogates, no overlong forms). */
bool text_is_utf8(text_t text);
/* Bytes of the well-formed character that the text begins with; 0 when it begins with none (or with NUL, or is empty). */
size_t text_utf8_next(text_t text);
/* Unicode code points; the text must be well-formed. */
size_t text_characters(text_t text);
