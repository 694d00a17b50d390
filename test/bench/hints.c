/* hints: says events of users and roles to a broker as an actor does after its COMMIT, without the actor's work, so that what is measured is
 * their way from there to the clients.
 *
 *     bench-hints ENDPOINT
 *
 * Each line of standard input is one: topic, name of the event, its argument as JSON, with tabs between. Ends when that does. */
#include "base/loop.h"
#include "base/panic.h"
#include "wire/hint.h"
#include "wire/link.h"
#include "wire/realtime.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { READ = 64 << 10 };

static loop_t *loop;
static link_client_t *broker;
static buffer_t input;

static void heard(void *argument, text_t value, uint32_t peer)
{
    (void)argument, (void)value, (void)peer;
}

static void say(text_t line)
{
    static buffer_t payload, packed;
    text_t topic, name;
    realtime_event_t event = {0};
    hint_t hint = {0};
    if (!text_split(&line, '\t', &topic) || !text_split(&line, '\t', &name))
        panic("a line without two tabs");
    message_set(&event, name, name);
    message_set(&event, arguments, line);
    payload.length = packed.length = 0;
    realtime_pack_event(&event, &payload);
    message_set(&hint, version, HINT_VERSION);
    message_set(&hint, act, HINT_PUBLISH);
    message_set(&hint, topic, topic);
    message_set(&hint, sender, 0);
    message_set(&hint, payload, buffer_text(&payload));
    message_pack(&hint_message, &hint, &packed);
    link_client_send(broker, buffer_text(&packed));
}

static void on_input(void *argument, int events)
{
    char bytes[READ];
    ssize_t got = read(STDIN_FILENO, bytes, sizeof(bytes));
    (void)argument, (void)events;
    if (got <= 0) {
        loop_ev_stop(loop);
        return;
    }
    buffer_add(&input, bytes, (size_t)got);
    size_t begin = 0;
    for (const char *end; (end = memchr(input.data + begin, '\n', input.length - begin)) != NULL; begin = (size_t)(end - input.data) + 1)
        say((text_t){input.data + begin, (size_t)(end - input.data) - begin});
    memmove(input.data, input.data + begin, input.length - begin);
    input.length -= begin;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        panic("usage: bench-hints ENDPOINT");
    loop = loop_ev_create();
    broker = link_client_open(loop, argv[1], heard, NULL);
    if (broker == NULL)
        panic("%s: %s", argv[1], strerror(errno));
    loop->watch(loop, STDIN_FILENO, LOOP_READ, on_input, NULL);
    loop_ev_run(loop);
    link_client_close(loop, &broker);
    return 0;
}
