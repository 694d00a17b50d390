/* Everything that a realtime client sends, and what travels between processes about it: read, and what is a packet is written and
 * read again as the same. What a client may say to the others in a call reaches them as it was said. */
#include "frontend/realtime/packet.h"
#include "wire/realtime.h"
#include <stdlib.h>

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Both are what the same struct came to: packed, read and packed again. */
static void same(buffer_t *first, buffer_t *second)
{
    must(text_equal(buffer_text(first), buffer_text(second)));
    buffer_free(first);
    buffer_free(second);
}

static void said_pack(const realtime_t *said, buffer_t *out)
{
    if (said->kind == REALTIME_EVENT)
        realtime_pack_event(&said->event, out);
    else if (said->kind == REALTIME_END)
        realtime_pack_end(&said->end, out);
    else
        realtime_pack_call(&said->call, out);
}

static void said_try(text_t text)
{
    realtime_t said, again;
    realtime_home_t home, home_again;
    buffer_t first = {0}, second = {0};
    if (realtime_read(text, &said)) {
        said_pack(&said, &first);
        must(realtime_read(buffer_text(&first), &again) && again.kind == said.kind);
        said_pack(&again, &second);
        same(&first, &second);
    }
    if (realtime_read_home(text, &home)) {
        realtime_pack_home(home.machine, (uint64_t)home.generation, home.ended, &first);
        must(realtime_read_home(buffer_text(&first), &home_again));
        realtime_pack_home(home_again.machine, (uint64_t)home_again.generation, home_again.ended, &second);
        same(&first, &second);
    }
}

/* signal {data}, as video_call.c says it to the other frontends, which show it to their clients. */
static void signal_try(const json_t *arguments)
{
    const json_t *data = json_object_get(json_array_get(arguments, 1), "data");
    char *text = data != NULL ? json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    buffer_t packed = {0};
    realtime_call_t call = {0};
    realtime_t heard;
    must((text == NULL) == (data == NULL));
    if (text != NULL && strlen(text) <= REALTIME_ARGUMENTS_MOST) {
        message_set(&call, act, CALL_SIGNAL);
        message_set(&call, machine, (uuid_t){{1}});
        message_set(&call, generation, 1);
        message_set(&call, socket, (uuid_t){{2}});
        message_set(&call, user, (uuid_t){{3}});
        message_set(&call, client, 0);
        message_set(&call, data, text_of(text));
        realtime_pack_call(&call, &packed);
        must(realtime_read(buffer_text(&packed), &heard) && heard.kind == REALTIME_CALL && heard.call.act == CALL_SIGNAL);
        json_t *shown = json_loadb(heard.call.data.data, heard.call.data.length, JSON_DECODE_ANY, NULL);
        must(shown != NULL && json_equal(shown, data));
        json_decref(shown);
    }
    buffer_free(&packed);
    free(text);
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
    signal_try(json);
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
    payload_try(text);
    socket_try(text);
    said_try(text);
    return 0;
}
