/* trace: see the header. */
#include "trace.h"

enum { TRACEPARENT_LENGTH = 55, REQUEST_ID_LONGEST = 64 };

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool is_id(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.';
}

static bool is_hex_but_zero(const char *text, size_t length)
{
    bool zero = true;
    for (size_t i = 0; i < length; i++) {
        if (!is_hex(text[i]))
            return false;
        zero &= text[i] == '0';
    }
    return !zero;
}

/* 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 */
static bool is_traceparent(text_t text)
{
    const char *t = text.data;
    return text.length == TRACEPARENT_LENGTH && memcmp(t, "00-", 3) == 0 && t[35] == '-' && t[52] == '-' &&
           is_hex_but_zero(t + 3, 32) && is_hex_but_zero(t + 36, 16) && is_hex(t[53]) && is_hex(t[54]);
}

text_t trace_of(text_t traceparent, text_t request_id)
{
    if (is_traceparent(traceparent))
        return (text_t){.data = traceparent.data + 3, .length = 32};
    if (request_id.length == 0 || request_id.length > REQUEST_ID_LONGEST)
        return (text_t){.data = NULL};
    for (size_t i = 0; i < request_id.length; i++)
        if (!is_id(request_id.data[i]))
            return (text_t){.data = NULL};
    return request_id;
}

text_t trace_new(uuid_t call, char out[static 33])
{
    static const char hex[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        out[2 * i] = hex[call.bytes[i] >> 4];
        out[2 * i + 1] = hex[call.bytes[i] & 15];
    }
    out[32] = '\0';
    return (text_t){.data = out, .length = 32};
}
