/* hints: speaks to a broker's socket as a process of its machine does:
 *
 *     unit-hints ENDPOINT GENERATION COUNT TOPIC…            subscribes, says so, and prints COUNT hints: topic, a space, payload
 *     unit-hints ENDPOINT GENERATION say TOPIC PAYLOAD TIMES   publishes "PAYLOAD 0", "PAYLOAD 1" …
 *     unit-hints ENDPOINT GENERATION once TOPIC…             subscribes, unsubscribes from the last one, then as with 1
 *
 * exit 1: not so many came within ten seconds. */
#include "base/clock.h"
#include "base/loop.h"
#include "wire/hint.h"
#include "wire/link.h"
#include <stdio.h>
#include <stdlib.h>

enum { PATIENCE = 10000, MORE_THAN_ANY = 1 << 20 };

static int wanted;
static arena_t *arena;

static void heard(void *argument, text_t value, uint32_t peer)
{
    hint_t hint;
    problems_t problems = {.arena = arena};
    (void)argument, (void)peer;
    if (!message_read(&hint_message, value, SOURCE_PEER, &hint, &problems))
        exit(2);
    printf("%.*s %.*s\n", TEXT_ARG(hint.topic), TEXT_ARG(hint.payload));
    arena_reset(arena);
    if (--wanted == 0) {
        fflush(stdout);
        _Exit(0);
    }
}

static void too_late(void *argument)
{
    fflush(stdout);
    _Exit(argument == NULL ? 1 : 0);
}

static link_client_t *broker;

static void say(enum hint_act act, const char *topic, const char *payload, const char *generation)
{
    static buffer_t packed;
    hint_t hint = {0};
    message_set(&hint, version, HINT_VERSION);
    message_set(&hint, act, act);
    message_set(&hint, topic, text_of(topic));
    message_set(&hint, sender, atoll(generation));
    if (payload != NULL)
        message_set(&hint, payload, text_of(payload));
    packed.length = 0;
    message_pack(&hint_message, &hint, &packed);
    link_client_send(broker, buffer_text(&packed));
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    loop_t *loop = loop_ev_create();
    arena = arena_create(MORE_THAN_ANY, NULL, NULL);
    broker = link_client_open(loop, argv[1], heard, NULL);
    if (broker == NULL)
        return 2;
    bool saying = strcmp(argv[3], "say") == 0, once = strcmp(argv[3], "once") == 0;
    for (int i = 0; saying && i < atoi(argv[6]); i++) {
        char payload[256];
        snprintf(payload, sizeof(payload), "%s %d", argv[5], i);
        say(HINT_PUBLISH, argv[4], payload, argv[2]);
    }
    for (int i = 4; !saying && i < argc; i++)
        say(HINT_SUBSCRIBE, argv[i], NULL, argv[2]);
    if (once)
        say(HINT_UNSUBSCRIBE, argv[argc - 1], NULL, argv[2]);
    if (!saying) {
        puts("listening");
        fflush(stdout);
    }
    wanted = once ? 1 : atoi(argv[3]);
    loop->timer(loop, saying ? 300 : PATIENCE, too_late, saying ? &wanted : NULL);
    loop_ev_run(loop);
    return 0;
}
