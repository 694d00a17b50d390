/* passwords: hashes passwords for the actor accounts, and does nothing else: no tables, no connection to PostgreSQL, no secrets, no
 * clients. Its service is called accounts-hash (shared/shm/services.c).
 *
 * A hash takes 55 ms of a process's only thread and is what a flood of log-ins costs, so these processes give way to everybody else
 * (priority.h); whatever another one waits for must not be done here. Nothing is written: a call whose instance was killed is sent to
 * another one. Each waits for its turn of the loop before it hashes, and gives up when its deadline passed meanwhile: nobody waits
 * for it any more. */
#include "actor/actor.h"
#include "actor/operations.h"
#include "base/fault.h"
#include "crypto/hash.h"

enum { PASSWORD_BYTES_MAX = 72 }; /* bcrypt reads no more */

static int cost_of(const call_t *call)
{
    return (int)call_config(call)->auth.bcrypt_cost;
}

static void hash(call_t *call)
{
    const password_wish_t *in = call->input;
    password_hashed_t hashed = {0};
    call_yield(call);
    fault_point("passwords.hash");
    message_set(&hashed, hash, password_hash(call->arena, in->password, cost_of(call)));
    reply_value(call, &hashed);
}

static void matches(call_t *call)
{
    const password_shown_t *in = call->input;
    password_judged_t judged = {0};
    call_yield(call);
    /* Longer than any password that was ever set: wrong, but not sooner than another wrong one. */
    bool longer = in->password.length > PASSWORD_BYTES_MAX;
    message_set(&judged, right, password_matches(longer ? TEXT("longer") : in->password, longer ? (text_t){0} : in->hash, cost_of(call)));
    reply_value(call, &judged);
}

static const endpoint_t endpoints[] = {
    {.operation = "passwords.hash",
        .internal = true,
        .handler = hash,
        .summary = "Hash a password",
        .input = &password_wish_message,
        .output = &password_hashed_message},
    {.operation = "passwords.matches",
        .internal = true,
        .handler = matches,
        .summary = "Compare a password with a hash",
        .input = &password_shown_message,
        .output = &password_judged_message},
};

const actor_t passwords_actor = {.name = "accounts-hash", .endpoints = endpoints, .endpoint_count = ARRAY_SIZE(endpoints)};
