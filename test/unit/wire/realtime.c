/* What is said of a topic: packed and read it is the same; what is no such payload is refused. */
#include "../unit.h"
#include "wire/realtime.h"
#include <string.h>

static void test_event_travels(void **state)
{
    (void)state;
    buffer_t packed = {0};
    realtime_event_t event = {0};
    realtime_t read;
    uuid_t id = uuid_new();
    message_set(&event, name, TEXT("new_notification"));
    message_set(&event, id, id);
    message_set(&event, seq, 42);
    message_set(&event, arguments, TEXT("{\"title\":\"안녕\"}"));
    message_set(&event, except, ((text_t){(const char *)&id, sizeof(id)}));
    realtime_pack_event(&event, &packed);
    assert_true(realtime_read(buffer_text(&packed), &read));
    assert_int_equal(read.kind, REALTIME_EVENT);
    assert_true(text_equal(read.event.name, TEXT("new_notification")));
    assert_true(uuid_equal(read.event.id, id));
    assert_int_equal(read.event.seq, 42);
    assert_true(text_equal(read.event.arguments, TEXT("{\"title\":\"안녕\"}")));
    assert_true(text_equal(read.event.except, (text_t){(const char *)&id, sizeof(id)}));
    buffer_free(&packed);
}

static void test_event_without_row(void **state)
{
    (void)state;
    buffer_t packed = {0};
    realtime_event_t event = {0};
    realtime_t read;
    message_set(&event, name, TEXT("signal"));
    message_set(&event, arguments, TEXT("[]"));
    realtime_pack_event(&event, &packed);
    assert_true(realtime_read(buffer_text(&packed), &read));
    assert_false(message_has(&read.event, id));
    assert_false(message_has(&read.event, seq));
    buffer_free(&packed);
}

static void test_end_travels(void **state)
{
    (void)state;
    buffer_t packed = {0};
    realtime_end_t end = {0};
    realtime_t read;
    uuid_t user = uuid_new();
    message_set(&end, user, user);
    message_set(&end, reason, TEXT("suspended"));
    realtime_pack_end(&end, &packed);
    assert_true(realtime_read(buffer_text(&packed), &read));
    assert_int_equal(read.kind, REALTIME_END);
    assert_true(uuid_equal(read.end.user, user));
    assert_false(message_has(&read.end, session));
    buffer_free(&packed);
}

static void test_call_travels(void **state)
{
    (void)state;
    buffer_t packed = {0};
    realtime_call_t call = {0};
    realtime_t read;
    uuid_t machine = uuid_random(), socket = uuid_random(), user = uuid_new();
    message_set(&call, act, CALL_SIGNAL);
    message_set(&call, machine, machine);
    message_set(&call, generation, 7);
    message_set(&call, socket, socket);
    message_set(&call, user, user);
    message_set(&call, client, -5);
    message_set(&call, data, TEXT("{\"sdp\":1}"));
    realtime_pack_call(&call, &packed);
    assert_true(realtime_read(buffer_text(&packed), &read));
    assert_int_equal(read.kind, REALTIME_CALL);
    assert_true(read.call.act == CALL_SIGNAL && read.call.generation == 7 && read.call.client == -5);
    assert_true(uuid_equal(read.call.machine, machine) && uuid_equal(read.call.socket, socket) && uuid_equal(read.call.user, user));
    assert_true(text_equal(read.call.data, TEXT("{\"sdp\":1}")));
    for (size_t length = 0; length < packed.length; length++)
        assert_false(realtime_read((text_t){packed.data, length}, &read));
    for (int64_t act = -1; act <= CALL_ACTS; act += CALL_ACTS + 1) {
        packed.length = 0;
        call.act = act;
        realtime_pack_call(&call, &packed);
        assert_false(realtime_read(buffer_text(&packed), &read));
    }
    buffer_free(&packed);
}

static void test_home_travels(void **state)
{
    (void)state;
    buffer_t packed = {0};
    realtime_home_t read;
    uuid_t machine = uuid_random();
    realtime_pack_home(machine, 9, true, &packed);
    assert_true(realtime_read_home(buffer_text(&packed), &read));
    assert_true(uuid_equal(read.machine, machine) && read.generation == 9 && read.ended);
    for (size_t length = 0; length < packed.length; length++)
        assert_false(realtime_read_home((text_t){packed.data, length}, &read));
    packed.data[1] = 2; /* another version */
    assert_false(realtime_read_home(buffer_text(&packed), &read));
    buffer_free(&packed);
}

static void test_others_are_refused(void **state)
{
    (void)state;
    buffer_t packed = {0};
    realtime_end_t end = {0};
    realtime_t read;
    message_set(&end, user, uuid_new());
    message_set(&end, reason, TEXT("logout"));
    realtime_pack_end(&end, &packed);
    for (size_t length = 0; length < packed.length; length++)
        assert_false(realtime_read((text_t){packed.data, length}, &read));
    packed.data[1] = 2; /* another version */
    assert_false(realtime_read(buffer_text(&packed), &read));
    packed.data[1] = REALTIME_VERSION;
    packed.data[2] = 9; /* another kind */
    assert_false(realtime_read(buffer_text(&packed), &read));
    buffer_free(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event_travels),
        cmocka_unit_test(test_event_without_row),
        cmocka_unit_test(test_end_travels),
        cmocka_unit_test(test_call_travels),
        cmocka_unit_test(test_home_travels),
        cmocka_unit_test(test_others_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
