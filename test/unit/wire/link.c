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

/* --- many large answers in one turn ------------------------------------------------------------------------------- */

enum { LARGE_BYTES = 4 << 20, LARGE_COUNT = 17 /* together more than one ZeroMQ message may have */ };

static int large_received;

static void on_large_request(void *argument, text_t value, uint32_t peer)
{
    (void)argument, (void)value;
    char *large = calloc(1, LARGE_BYTES);
    for (int i = 0; i < LARGE_COUNT; i++)
        link_server_send(server, peer, (text_t){large, LARGE_BYTES});
    free(large);
}

static void on_large_reply(void *argument, text_t value, uint32_t peer)
{
    (void)argument, (void)peer;
    assert_int_equal(value.length, LARGE_BYTES);
    if (++large_received == LARGE_COUNT)
        loop_ev_stop(loop);
}

static void never_came(void *argument)
{
    (void)argument;
    fail_msg("%d of %d large answers came", large_received, LARGE_COUNT);
}

static void test_large(void **state)
{
    (void)state;
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "ipc:///tmp/link-large-%d", getpid());
    server = link_server_open(loop, endpoint, on_large_request, NULL);
    link_client_t *client = link_client_open(loop, endpoint, on_large_reply, NULL);
    assert_non_null(server);
    assert_non_null(client);
    loop_timer_t *limit = loop->timer(loop, 30000, never_came, NULL);
    link_client_send(client, TEXT("all"));
    loop_ev_run(loop);
    loop->timer_stop(&limit);
    link_client_close(loop, &client);
    unlink(endpoint + 6);
}

/* --- order -------------------------------------------------------------------------------------------------------- */

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

/* --- a reader that does not read ------------------------------------------------------------------------------------ */

enum { BATCHES_MOST = 8192 /* twice the high-water mark */ };

static int refused, tried;

static void send_batch(void *argument)
{
    link_client_t *client = argument;
    link_client_send(client, TEXT("unread"));
    refused += link_client_lost(client);
    if (++tried == BATCHES_MOST)
        loop_ev_stop(loop);
}

static bool batch_turn(void *argument)
{
    if (tried < BATCHES_MOST)
        send_batch(argument);
    return tried < BATCHES_MOST;
}

/* Nobody has bound the endpoint: what is sent waits in the queue, up to its mark; then it is dropped, counted, and known. */
static void test_bounded(void **state)
{
    (void)state;
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "ipc:///tmp/link-nobody-%d", getpid());
    int64_t before = link_dropped();
    link_client_t *client = link_client_open(loop, endpoint, on_reply, NULL);
    assert_non_null(client);
    loop->add_turn_hook(loop, batch_turn, client);
    loop_timer_t *limit = loop->timer(loop, 60000, too_late, NULL);
    loop_ev_run(loop);
    loop->timer_stop(&limit);
    int64_t dropped = link_dropped() - before;
    assert_in_range(BATCHES_MOST - dropped, 4000, 4200); /* QUEUE_MESSAGES, give or take what was under way */
    assert_in_range(dropped - refused, 0, 1);
    link_client_lost(client); /* of the last turn */
    assert_false(link_client_lost(client));
    link_client_close(loop, &client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_large), cmocka_unit_test(test_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
