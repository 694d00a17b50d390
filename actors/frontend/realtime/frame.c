/* frame: see the header. */
#include "frame.h"
#include "base/panic.h"
#include <openssl/evp.h>
#include <stdlib.h>

enum { HEADER_MOST = 10, FINAL = 0x80, OPCODE_TEXT = 1, OPCODE_BINARY = 2, SHORT_MOST = 125 };

struct frame {
    uint32_t references, length; /* of the packet */
    uint8_t header;              /* bytes of it, which end where the packet begins */
    bool binary;
    char bytes[];
};

struct queued {
    frame_t *frame;
    queued_t *next;
};

static uint8_t header_write(char *end, uint8_t opcode, size_t length)
{
    uint8_t header[HEADER_MOST] = {(uint8_t)(FINAL | opcode)};
    uint8_t size = 2;
    if (length <= SHORT_MOST) {
        header[1] = (uint8_t)length;
    } else {
        int digits = length <= UINT16_MAX ? 2 : 8;
        header[1] = digits == 2 ? 126 : 127;
        for (int i = 0; i < digits; i++)
            header[size++] = (uint8_t)(length >> 8 * (digits - 1 - i));
    }
    memcpy(end - size, header, size);
    return size;
}

static frame_t *make(text_t bytes)
{
    insist(bytes.length <= UINT32_MAX);
    frame_t *frame = memory_allocate(sizeof(*frame) + HEADER_MOST + bytes.length);
    *frame = (frame_t){.references = 1, .length = (uint32_t)bytes.length};
    if (bytes.length > 0)
        memcpy(frame->bytes + HEADER_MOST, bytes.data, bytes.length);
    return frame;
}

frame_t *frame_make(text_t packet, bool binary)
{
    frame_t *frame = make(packet);
    frame->binary = binary;
    frame->header = header_write(frame->bytes + HEADER_MOST, binary ? OPCODE_BINARY : OPCODE_TEXT, packet.length);
    return frame;
}

frame_t *frame_raw(text_t wire)
{
    return make(wire);
}

frame_t *frame_hold(frame_t *frame)
{
    frame->references++;
    return frame;
}

void frame_release(frame_t **frame)
{
    if (*frame != NULL && --(*frame)->references == 0)
        free(*frame);
    *frame = NULL;
}

text_t frame_wire(const frame_t *frame)
{
    return (text_t){frame->bytes + HEADER_MOST - frame->header, (size_t)frame->header + frame->length};
}

text_t frame_packet(const frame_t *frame)
{
    return (text_t){frame->bytes + HEADER_MOST, frame->length};
}

bool frame_is_binary(const frame_t *frame)
{
    return frame->binary;
}

void frame_accept_key(const char *client_key, char out[static ACCEPT_KEY_SIZE])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char both[CLIENT_KEY_LENGTH + sizeof(guid) - 1];
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length;
    memcpy(both, client_key, CLIENT_KEY_LENGTH);
    memcpy(both + CLIENT_KEY_LENGTH, guid, sizeof(guid) - 1);
    if (EVP_Digest(both, sizeof(both), digest, &length, EVP_sha1(), NULL) != 1)
        panic("OpenSSL has no SHA-1");
    EVP_EncodeBlock((unsigned char *)out, digest, (int)length);
}

void queue_add(queue_t *queue, frame_t *frame)
{
    queued_t *queued = memory_allocate(sizeof(*queued));
    *queued = (queued_t){.frame = frame_hold(frame)};
    if (queue->last != NULL)
        queue->last->next = queued;
    else
        queue->first = queued;
    queue->last = queued;
    queue->count++;
    queue->bytes += frame->length;
}

frame_t *queue_first(const queue_t *queue)
{
    return queue->first != NULL ? queue->first->frame : NULL;
}

frame_t *queue_take(queue_t *queue)
{
    queued_t *queued = queue->first;
    if (queued == NULL)
        return NULL;
    frame_t *frame = queued->frame;
    queue->first = queued->next;
    if (queue->first == NULL)
        queue->last = NULL;
    queue->count--;
    queue->bytes -= frame->length;
    free(queued);
    return frame;
}

void queue_clear(queue_t *queue)
{
    for (frame_t *frame; (frame = queue_take(queue)) != NULL;)
        frame_release(&frame);
}
