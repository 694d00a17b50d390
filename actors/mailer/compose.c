#include "compose.h"
#include "../../shared/base/clock.h"
#include "../../shared/base/panic.h"
#include <openssl/evp.h>

enum { LINE_BYTES = 57 /* 76 characters (RFC 2045, 6.8) */, WORD_BYTES = 39 /* a line of 76 characters with "Subject: =?UTF-8?B?" (RFC 2047, 2) */ };

static void add_base64(buffer_t *out, text_t text)
{
    buffer_reserve(out, (text.length + 2) / 3 * 4 + 1); /* EVP_EncodeBlock ends with a NUL */
    out->length += (size_t)EVP_EncodeBlock(
        (unsigned char *)out->data + out->length, (const unsigned char *)text.data, (int)text.length);
}

static void add_body(buffer_t *out, text_t text)
{
    for (size_t at = 0; at < text.length; at += LINE_BYTES) {
        size_t length = text.length - at < LINE_BYTES ? text.length - at : LINE_BYTES;
        add_base64(out, (text_t){text.data + at, length});
        buffer_add_string(out, "\r\n");
    }
}

/* How many bytes of whole characters fit into one encoded word. */
static size_t word_length(text_t text)
{
    size_t length = 0;
    while (length < text.length) {
        size_t next = text_utf8_next((text_t){text.data + length, text.length - length});
        next = next ? next : 1; /* cannot be: texts of messages are well-formed */
        if (length + next > WORD_BYTES)
            break;
        length += next;
    }
    return length;
}

/* Encoded words, whatever the text is: control characters and quotes of it mean nothing then. */
static void add_words(buffer_t *out, text_t text)
{
    for (size_t length; text.length > 0; text.data += length, text.length -= length) {
        length = word_length(text);
        buffer_add_string(out, "=?UTF-8?B?");
        add_base64(out, (text_t){text.data, length});
        buffer_add_string(out, length < text.length ? "?=\r\n " : "?=");
    }
}

static void add_mailbox(buffer_t *out, const char *field, text_t name, text_t address)
{
    buffer_add_string(out, field);
    if (name.length > 0) {
        add_words(out, name);
        buffer_add_string(out, "\r\n ");
    }
    buffer_add_char(out, '<');
    for (size_t i = 0; i < address.length; i++)
        if (address.data[i] > ' ' && address.data[i] <= '~' && !strchr("<>", address.data[i]))
            buffer_add_char(out, address.data[i]); /* addresses were checked; one that was not gets no line of its own */
    buffer_add_string(out, ">\r\n");
}

/* RFC 5322, 3.3, in UTC. */
static void add_date(buffer_t *out, int64_t at)
{
    static const char *const days[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"}; /* 1970-01-01 was a Thursday */
    static const char *const months[] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t seconds = at / CLOCK_SECOND;
    int32_t day_number = (int32_t)(seconds / 86400);
    int year, month, day, second = (int)(seconds % 86400);
    insist(at >= 0);
    date_split(day_number, &year, &month, &day);
    buffer_format(out, "Date: %s, %02d %s %04d %02d:%02d:%02d +0000\r\n", days[day_number % 7], day, months[month - 1], year,
        second / 3600, second / 60 % 60, second % 60);
}

static void add_part(buffer_t *out, const char *boundary, const char *type, text_t text)
{
    buffer_format(out, "--=_%s\r\nContent-Type: %s; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n", boundary, type);
    add_body(out, text);
}

const char *compose_domain(const char *address)
{
    const char *at = strrchr(address, '@');
    return at ? at + 1 : address;
}

void compose(const letter_t *letter, buffer_t *out)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(letter->id, id);
    add_date(out, letter->at);
    add_mailbox(out, "From: ", text_of(letter->from_name), text_of(letter->from));
    add_mailbox(out, "To: ", letter->to_name, letter->to);
    buffer_add_string(out, "Subject: ");
    add_words(out, letter->subject);
    buffer_format(out, "\r\nMessage-ID: <%s@%s>\r\n", id, compose_domain(letter->from));
    buffer_format(out, "Auto-Submitted: auto-generated\r\nContent-Language: %s\r\n", letter->language); /* RFC 3834, RFC 3282 */
    buffer_format(out, "MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary=\"=_%s\"\r\n\r\n", id);
    add_part(out, id, "text/plain", letter->text);
    add_part(out, id, "text/html", letter->html);
    buffer_format(out, "--=_%s--\r\n", id);
}
