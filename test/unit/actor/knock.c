/* knock: speaks to an actor's socket as a frontend does, or as whoever got at it would:
 *
 *     unit-knock ENDPOINT OPERATION LABEL CALL_ID USER ROLE KEY CALLER new|resent
 *
 * prints the answer's status and body. "-" leaves a text out; exit 1: no answer within four seconds. */
#include "base/clock.h"
#include "base/loop.h"
#include "wire/envelope.h"
#include "wire/link.h"
#include <stdio.h>
#include <stdlib.h>

enum { PATIENCE = 4000, MORE_THAN_ANY = 1 << 20 };

static void heard(void *argument, text_t value, uint32_t peer)
{
    (void)argument;
    (void)peer;
    reply_t reply;
    problems_t problems = {.arena = arena_create(MORE_THAN_ANY, NULL, NULL)};
    if (!message_read(&reply_message, value, SOURCE_PEER, &reply, &problems))
        exit(2);
    printf("%d ", (int)reply.status);
    fwrite(reply.body.data, 1, reply.body.length, stdout);
    fflush(stdout);
    _Exit(0);
}

static void too_late(void *argument)
{
    (void)argument;
    _Exit(1);
}

static uuid_t id_of(const char *text)
{
    uuid_t id = {{0}};
    if (strcmp(text, "-") != 0 && uuid_parse(text_of(text), &id) != 0)
        exit(2);
    return id;
}

int main(int argc, char **argv)
{
    if (argc != 10)
        return 2;
    buffer_t body = {0}, packed = {0};
    pairs_begin(&body, 1);
    pairs_add(&body, TEXT("label"), text_of(argv[3]));
    request_t request = {0};
    message_set(&request, version, ENVELOPE_VERSION);
    message_set(&request, ticket, 1);
    message_set(&request, call_id, id_of(argv[4]));
    message_set(&request, trace, TEXT("knock"));
    message_set(&request, operation, text_of(argv[2]));
    message_set(&request, left, PATIENCE);
    message_set(&request, user, id_of(argv[5]));
    message_set(&request, role, atoi(argv[6]));
    message_set(&request, session, id_of(argv[5]));
    message_set(&request, language, 1);
    if (strcmp(argv[7], "-") != 0)
        message_set(&request, idempotency_key, text_of(argv[7]));
    if (strcmp(argv[8], "-") != 0)
        message_set(&request, caller, text_of(argv[8]));
    message_set(&request, resent, strcmp(argv[9], "resent") == 0);
    message_set(&request, body_kind, BODY_FIELDS);
    message_set(&request, body, buffer_text(&body));
    message_pack(&request_message, &request, &packed);
    loop_t *loop = loop_ev_create();
    link_client_t *link = link_client_open(loop, argv[1], heard, NULL);
    if (!link)
        return 2;
    link_client_send(link, buffer_text(&packed));
    loop->timer(loop, PATIENCE, too_late, NULL);
    loop_ev_run(loop);
    return 2;
}
