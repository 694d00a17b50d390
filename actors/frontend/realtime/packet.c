/* packet: see the header. */
#include "packet.h"
#include <openssl/evp.h>

enum { IDS_MOST = 9007199254740991 / 1000 }; /* what a client's number holds, and far less than it counts to */

/* --- Engine.IO ---------------------------------------------------------------------------------------------------- */

bool engine_read(text_t message, bool binary, engine_packet_t *out)
{
    if (binary) {
        *out = (engine_packet_t){.type = ENGINE_MESSAGE, .binary = true, .data = message};
        return true;
    }
    if (message.length == 0 || message.data[0] < '0' || message.data[0] >= '0' + ENGINE_TYPES)
        return false;
    *out = (engine_packet_t){.type = (enum engine_type)(message.data[0] - '0'), .data = {message.data + 1, message.length - 1}};
    return true;
}

/* Whole groups of four, padded, nothing else (RFC 4648, 4). */
static bool base64_is_sane(text_t text)
{
    size_t padding = 0;
    if (text.length % 4 != 0)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
        padding += c == '=';
        if (!letter && (c != '=' || i + 2 < text.length))
            return false;
        if (letter && padding > 0)
            return false;
    }
    return true;
}

static bool base64_decode(text_t text, buffer_t *out)
{
    out->length = 0;
    if (!base64_is_sane(text))
        return false;
    buffer_reserve(out, text.length + 1);
    int length = EVP_DecodeBlock((unsigned char *)out->data, (const unsigned char *)text.data, (int)text.length);
    if (length < 0)
        return false;
    out->length = (size_t)length;
    for (size_t i = text.length; i > 0 && text.data[i - 1] == '='; i--)
        out->length--;
    return true;
}

bool engine_payload_next(text_t *rest, buffer_t *scratch, engine_packet_t *out)
{
    text_t packet;
    if (!text_split(rest, ENGINE_SEPARATOR, &packet) || packet.length == 0)
        return false;
    if (packet.data[0] != 'b')
        return engine_read(packet, false, out);
    if (!base64_decode((text_t){packet.data + 1, packet.length - 1}, scratch))
        return false;
    return engine_read(buffer_text(scratch), true, out);
}

size_t engine_payload_size(size_t length, bool binary)
{
    return binary ? 2 + (length + 2) / 3 * 4 : 1 + length;
}

void engine_payload_add(buffer_t *payload, text_t packet, bool binary)
{
    if (payload->length > 0)
        buffer_add_char(payload, ENGINE_SEPARATOR);
    if (!binary) {
        buffer_add_text(payload, packet);
        return;
    }
    buffer_add_char(payload, 'b');
    buffer_reserve(payload, (packet.length + 2) / 3 * 4 + 1);
    payload->length += (size_t)EVP_EncodeBlock(
        (unsigned char *)payload->data + payload->length, (const unsigned char *)packet.data, (int)packet.length);
}

/* --- Socket.IO ---------------------------------------------------------------------------------------------------- */

/* Digits at the beginning; -1: there are none. False: too many. */
static bool number_take(text_t *rest, int64_t most, int64_t *out)
{
    size_t i = 0;
    int64_t number = 0;
    for (; i < rest->length && rest->data[i] >= '0' && rest->data[i] <= '9'; i++) {
        number = number * 10 + (rest->data[i] - '0');
        if (number > most)
            return false;
    }
    *out = i > 0 ? number : SOCKET_NO_ID;
    *rest = (text_t){rest->data + i, rest->length - i};
    return true;
}

static bool has_attachments(enum socket_type type)
{
    return type == SOCKET_BINARY_EVENT || type == SOCKET_BINARY_ACK;
}

static bool namespace_take(text_t *rest, text_t *out)
{
    *out = TEXT("/");
    if (rest->length == 0 || rest->data[0] != '/')
        return true;
    const char *comma = memchr(rest->data, ',', rest->length);
    size_t length = comma != NULL ? (size_t)(comma - rest->data) : rest->length;
    const char *query = memchr(rest->data, '?', length);
    *out = (text_t){rest->data, query != NULL ? (size_t)(query - rest->data) : length};
    size_t taken = comma != NULL ? length + 1 : length;
    *rest = (text_t){rest->data + taken, rest->length - taken};
    return out->length <= SOCKET_NAMESPACE_MOST;
}

bool socket_read(text_t data, socket_packet_t *out)
{
    int64_t attachments = 0;
    if (data.length == 0 || data.data[0] < '0' || data.data[0] >= '0' + SOCKET_TYPES)
        return false;
    *out = (socket_packet_t){.type = (enum socket_type)(data.data[0] - '0'), .id = SOCKET_NO_ID};
    text_t rest = {data.data + 1, data.length - 1};
    if (has_attachments(out->type)) {
        if (!number_take(&rest, SOCKET_ATTACHMENTS_MOST, &attachments) || attachments < 0 || rest.length == 0 ||
            rest.data[0] != '-')
            return false;
        rest = (text_t){rest.data + 1, rest.length - 1};
    }
    out->attachments = (int)attachments;
    if (!namespace_take(&rest, &out->namespace) || !number_take(&rest, IDS_MOST, &out->id))
        return false;
    out->data = rest;
    return true;
}

/* Names that a client's library says by itself: from outside they would be taken for its own. */
static bool is_reserved(const char *name)
{
    static const char *const reserved[] = {
        "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"};
    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
        if (strcmp(name, reserved[i]) == 0)
            return true;
    return false;
}

static bool placeholders_fit(const json_t *value, int attachments)
{
    size_t i;
    const char *name;
    json_t *item;
    if (json_is_array(value)) {
        json_array_foreach(value, i, item)
            if (!placeholders_fit(item, attachments))
                return false;
        return true;
    }
    if (!json_is_object(value))
        return true;
    if (json_is_true(json_object_get(value, "_placeholder"))) {
        const json_t *number = json_object_get(value, "num");
        return json_is_integer(number) && json_integer_value(number) >= 0 && json_integer_value(number) < attachments;
    }
    json_object_foreach((json_t *)(uintptr_t)value, name, item)
        if (!placeholders_fit(item, attachments))
            return false;
    return true;
}

static bool data_fits(const socket_packet_t *packet, const json_t *data)
{
    const json_t *first = json_array_get(data, 0);
    switch (packet->type) {
    case SOCKET_CONNECT:
        return data == NULL || json_is_object(data);
    case SOCKET_DISCONNECT:
        return data == NULL;
    case SOCKET_EVENT:
    case SOCKET_BINARY_EVENT:
        return json_is_string(first) && !is_reserved(json_string_value(first)) && placeholders_fit(data, packet->attachments);
    case SOCKET_ACK:
    case SOCKET_BINARY_ACK:
        return json_is_array(data) && packet->id != SOCKET_NO_ID && placeholders_fit(data, packet->attachments);
    default:
        return false; /* is said by servers only */
    }
}

bool socket_read_data(const socket_packet_t *packet, json_t **out)
{
    *out = NULL;
    if (packet->data.length > 0) {
        *out = json_loadb(packet->data.data, packet->data.length, JSON_DECODE_ANY, NULL);
        if (*out == NULL)
            return false;
    }
    if (data_fits(packet, *out))
        return true;
    json_decref(*out);
    *out = NULL;
    return false;
}

void socket_write(buffer_t *out, const socket_packet_t *packet)
{
    buffer_add_char(out, '0' + ENGINE_MESSAGE);
    buffer_add_char(out, (char)('0' + packet->type));
    if (has_attachments(packet->type))
        buffer_format(out, "%d-", packet->attachments);
    if (packet->namespace.length > 1) {
        buffer_add_text(out, packet->namespace);
        buffer_add_char(out, ',');
    }
    if (packet->id != SOCKET_NO_ID)
        buffer_add_integer(out, packet->id);
    buffer_add_text(out, packet->data);
}
