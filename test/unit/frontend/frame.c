/* Frames have the header that their length wants, and live as long as somebody holds them; a queue keeps their order. */
#include "../unit.h"
#include "frontend/realtime/frame.h"
#include <stdlib.h>

static void test_header(void **state)
{
    (void)state;
    static const struct {
        size_t length, header;
    } rows[] = {{0, 2}, {1, 2}, {125, 2}, {126, 4}, {65535, 4}, {65536, 10}, {1000000, 10}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char *bytes = calloc(1, rows[i].length + 1);
        frame_t *frame = frame_make((text_t){bytes, rows[i].length}, i % 2 == 1);
        text_t wire = frame_wire(frame);
        assert_int_equal(wire.length, rows[i].length + rows[i].header);
        assert_int_equal((uint8_t)wire.data[0], i % 2 == 1 ? 0x82 : 0x81);
        size_t length = (uint8_t)wire.data[1];
        if (length >= 126) {
            size_t digits = length == 126 ? 2 : 8;
            length = 0;
            for (size_t d = 0; d < digits; d++)
                length = length << 8 | (uint8_t)wire.data[2 + d];
        }
        assert_int_equal(length, rows[i].length);
        assert_ptr_equal(frame_packet(frame).data, wire.data + rows[i].header);
        frame_release(&frame);
        free(bytes);
    }
}

static void test_queue(void **state)
{
    (void)state;
    queue_t queue = {0};
    frame_t *frames[3];
    for (int i = 0; i < 3; i++) {
        char text[2] = {'4', (char)('a' + i)};
        frames[i] = frame_make((text_t){text, 2}, false);
        queue_add(&queue, frames[i]);
    }
    assert_int_equal(queue.count, 3);
    assert_int_equal(queue.bytes, 6);
    for (int i = 0; i < 2; i++) {
        frame_t *frame = queue_take(&queue);
        assert_ptr_equal(frame, frames[i]);
        frame_release(&frame);
        frame_release(&frames[i]);
    }
    assert_ptr_equal(queue_first(&queue), frames[2]);
    queue_clear(&queue);
    assert_null(queue_take(&queue));
    assert_int_equal(queue.bytes, 0);
    assert_true(text_equal(frame_packet(frames[2]), TEXT("4c")));
    frame_release(&frames[2]);
}

static void test_raw(void **state)
{
    (void)state;
    frame_t *frame = frame_raw(TEXT("\x88\x02\x03\xe8"));
    assert_true(text_equal(frame_wire(frame), TEXT("\x88\x02\x03\xe8")));
    frame_release(&frame);
}

static void test_accept_key(void **state)
{
    (void)state;
    char accept[ACCEPT_KEY_SIZE];
    frame_accept_key("dGhlIHNhbXBsZSBub25jZQ==", accept); /* the example of RFC 6455, 1.3 */
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_raw),
        cmocka_unit_test(test_accept_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
