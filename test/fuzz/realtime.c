/* Everything that a realtime client sends, and what travels between processes about it: read, and what is a packet is written and
 * read again as the same. */
#include "frontend/realtime/packet.h"
#include "wire/realtime.h"
#include <stdlib.h>

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void socket_try(text_t data)
{
    socket_packet_t packet, again;
    buffer_t written = {0};
    json_t *json;
    if (!socket_read(data, &packet))
        return;
    if (!socket_read_data(&packet, &json))
        return;
    json_decref(json);
    socket_write(&written, &packet);
    must(socket_read((text_t){written.data + 1, written.length - 1}, &again));
    must(packet.type == again.type && packet.id == again.id && packet.attachments == again.attachments);
    must(text_equal(packet.data, again.data) && text_equal(packet.namespace, again.namespace));
    buffer_free(&written);
}

static void payload_try(text_t rest)
{
    buffer_t scratch = {0}, again = {0};
    engine_packet_t packet;
    while (rest.data != NULL && engine_payload_next(&rest, &scratch, &packet)) {
        if (packet.type == ENGINE_MESSAGE && !packet.binary)
            socket_try(packet.data);
        size_t before = again.length;
        if (packet.binary) {
            engine_payload_add(&again, packet.data, true);
            must(again.length - before <= engine_payload_size(packet.data.length, true));
        }
    }
    buffer_free(&scratch);
    buffer_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    text_t text = {(const char *)bytes, size};
    realtime_t said;
    payload_try(text);
    socket_try(text);
    realtime_home_t home;
    realtime_read(text, &said);
    realtime_read_home(text, &home);
    return 0;
}
