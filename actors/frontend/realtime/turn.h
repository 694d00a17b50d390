/* turn: short-lived credentials for a TURN server, in the form that coturn checks without asking anybody (its REST API,
 * use-auth-secret): the name is "expiry:user", the password its HMAC-SHA1 with the secret that both know, in base64. Pure. */
#pragma once
#include "base/text.h"
#include "base/uuid.h"

enum { TURN_NAME_SIZE = 24 + UUID_TEXT_SIZE, TURN_PASSWORD_SIZE = 29 };

/* `expires` in seconds since 1970. */
void turn_credential(text_t secret, uuid_t user, int64_t expires, char name[static TURN_NAME_SIZE], char password[static TURN_PASSWORD_SIZE]);
