/* link: batches over real ZeroMQ sockets on the real loop: order, many peers, large values, a peer that is gone. */
#include "../unit.h"
#include "wire/link.h"
#include <unistd.h>

enum { CLIENTS = 3, ROUNDS = 2000 };

static loop_t *loop;
static link_server_t *server;
static link_client_t *clients[CLIENTS];
static int received[CLIENTS], sent, served;

/* Each value is answered with itself. */
static void on_request(void *argument, text_t value, uint32_t peer)
{
    (void)argument;
    served++;
    link_server_send(server, peer, value);
}

static void on_reply(void *argument, text_t value, uint32_t peer)
{
    (void)peer;
    int client = (int)(intptr_t)argument, number, from;
    assert_int_equal(sscanf(value.data, "%d %d", &from, &number), 2);
    assert_int_equal(from, client);
    assert_int_equal(number, received[client]); /* in order, none lost, none doubled */
    received[client]++;
    if (received[0] + received[1] + received[2] == CLIENTS * ROUNDS)
        loop_ev_stop(loop);
}

static void send_some(void *argument)
{
    (void)argument;
    static char large[100000];
    for (int i = 0; i < 100 && sent < ROUNDS; i++, sent++)
        for (int client = 0; client < CLIENTS; client++) {
            int length = snprintf(large, sizeof large, "%d %d ", client, sent);
            size_t size = sent % 50 == 0 ? sizeof large : (size_t)length + 1;
            link_client_send(clients[client], (text_t){large, size});
        }
}

static void too_late(void *argument)
{
    (void)argument;
    fail_msg("served %d, received %d %d %d of %d each", served, received[0], received[1], received[2], ROUNDS);
}

static void test_order(void **state)
{
    (void)state;
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "ipc:///tmp/link-test-%d", getpid());
    loop = loop_ev_create();
    server = link_server_open(loop, endpoint, on_request, NULL);
    assert_non_null(server);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = link_client_open(loop, endpoint, on_reply, (void *)(intptr_t)i);
        assert_non_null(clients[i]);
    }
    loop_timer_t *timer = loop->timer(loop, 1, send_some, NULL);
    loop_timer_t *limit = loop->timer(loop, 60000, too_late, NULL);
    loop_ev_run(loop);
    loop->timer_stop(&timer);
    loop->timer_stop(&limit);
    assert_int_equal(served, CLIENTS * ROUNDS);
    assert_int_equal(link_dropped(), 0);
    link_server_send(server, 77 << 16 | 5, TEXT("nobody")); /* a peer that never was */
    assert_int_equal(link_dropped(), 1);
    for (int i = 0; i < CLIENTS; i++)
        link_client_close(loop, &clients[i]);
    link_server_close(loop, &server);
    unlink(endpoint + 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
