/* Packets of Engine.IO and Socket.IO: tables of what is one and what is none, and what is written is read again. */
#include "../unit.h"
#include "frontend/realtime/packet.h"

static void test_engine(void **state)
{
    (void)state;
    engine_packet_t packet;
    assert_true(engine_read(TEXT("4hello"), false, &packet));
    assert_int_equal(packet.type, ENGINE_MESSAGE);
    assert_true(text_equal(packet.data, TEXT("hello")));
    assert_true(engine_read(TEXT("2probe"), false, &packet));
    assert_int_equal(packet.type, ENGINE_PING);
    assert_true(engine_read(TEXT("abc"), true, &packet));
    assert_true(packet.binary);
    static const char *const bad[] = {"", "7", "abc", " 4", "/"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(engine_read(text_of(bad[i]), false, &packet));
}

static void test_payload(void **state)
{
    (void)state;
    buffer_t scratch = {0}, again = {0};
    engine_packet_t packet;
    text_t payload = TEXT("4hello\x1e" "bAQIDBA==\x1e" "2"), rest = payload;
    assert_true(engine_payload_next(&rest, &scratch, &packet));
    assert_true(text_equal(packet.data, TEXT("hello")));
    engine_payload_add(&again, TEXT("4hello"), false);
    assert_true(engine_payload_next(&rest, &scratch, &packet));
    assert_true(packet.binary);
    assert_true(text_equal(packet.data, TEXT("\1\2\3\4")));
    engine_payload_add(&again, packet.data, true);
    assert_true(engine_payload_next(&rest, &scratch, &packet));
    assert_int_equal(packet.type, ENGINE_PING);
    engine_payload_add(&again, TEXT("2"), false);
    assert_null(rest.data);
    assert_true(text_equal(buffer_text(&again), payload));
    static const char *const bad[] = {"", "\x1e", "4a\x1e", "bAQ", "bAQI$", "b=AQI", "bA=QI", "b====", "abc"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        bool good = true;
        for (rest = text_of(bad[i]); good && rest.data != NULL;)
            good = engine_payload_next(&rest, &scratch, &packet);
        assert_false(good);
    }
    buffer_free(&scratch);
    buffer_free(&again);
}

static const struct {
    const char *text;
    enum socket_type type;
    int attachments;
    const char *namespace;
    int64_t id;
    const char *data;
} packets[] = {
    {"0", SOCKET_CONNECT, 0, "/", -1, ""},
    {"0{\"token\":\"123\"}", SOCKET_CONNECT, 0, "/", -1, "{\"token\":\"123\"}"},
    {"0/custom,", SOCKET_CONNECT, 0, "/custom", -1, ""},
    {"0/custom", SOCKET_CONNECT, 0, "/custom", -1, ""},
    {"0/custom?a=1,{}", SOCKET_CONNECT, 0, "/custom", -1, "{}"},
    {"1", SOCKET_DISCONNECT, 0, "/", -1, ""},
    {"2[\"a\",1]", SOCKET_EVENT, 0, "/", -1, "[\"a\",1]"},
    {"212[\"a\"]", SOCKET_EVENT, 0, "/", 12, "[\"a\"]"},
    {"2/n,7[\"a\"]", SOCKET_EVENT, 0, "/n", 7, "[\"a\"]"},
    {"3456[1]", SOCKET_ACK, 0, "/", 456, "[1]"},
    {"51-[\"a\",{\"_placeholder\":true,\"num\":0}]", SOCKET_BINARY_EVENT, 1, "/", -1, "[\"a\",{\"_placeholder\":true,\"num\":0}]"},
    {"62-/n,3[]", SOCKET_BINARY_ACK, 2, "/n", 3, "[]"},
};

static void test_socket(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
        socket_packet_t packet, again;
        buffer_t written = {0};
        json_t *data;
        assert_true(socket_read(text_of(packets[i].text), &packet));
        assert_int_equal(packet.type, packets[i].type);
        assert_int_equal(packet.attachments, packets[i].attachments);
        assert_true(text_equal(packet.namespace, text_of(packets[i].namespace)));
        assert_int_equal(packet.id, packets[i].id);
        assert_true(text_equal(packet.data, text_of(packets[i].data)));
        assert_true(socket_read_data(&packet, &data));
        json_decref(data);
        socket_write(&written, &packet);
        assert_int_equal(written.data[0], '4');
        assert_true(socket_read((text_t){written.data + 1, written.length - 1}, &again));
        assert_true(text_equal(packet.data, again.data) && text_equal(packet.namespace, again.namespace));
        assert_true(packet.id == again.id && packet.type == again.type && packet.attachments == again.attachments);
        buffer_free(&written);
    }
}

static void test_socket_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "abc", "7", "5[\"a\"]", "5-[\"a\"]", "565-[\"a\"]", "51[\"a\"]", "2{}", "2", "2[]", "2[1]",
        "2[\"connect\"]", "2abc[\"a\"]", "2[\"a\"", "3[1]", "31{}", "1{}", "0[]", "0\"a\"", "4{}", "299999999999999999999[\"a\"]",
        "51-[\"a\",{\"_placeholder\":true,\"num\":1}]", "51-[\"a\",[{\"b\":{\"_placeholder\":true,\"num\":-1}}]]",
        "51-[\"a\",{\"_placeholder\":true}]", "2[\"a\"]x"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        socket_packet_t packet;
        json_t *data = NULL;
        assert_false(socket_read(text_of(bad[i]), &packet) && socket_read_data(&packet, &data));
        assert_null(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engine),
        cmocka_unit_test(test_payload),
        cmocka_unit_test(test_socket),
        cmocka_unit_test(test_socket_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
