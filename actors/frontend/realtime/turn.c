/* turn: see the header. */
#include "turn.h"
#include "base/panic.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

void turn_credential(text_t secret, uuid_t user, int64_t expires, char name[static TURN_NAME_SIZE], char password[static TURN_PASSWORD_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    char id[UUID_TEXT_SIZE];
    uuid_format(user, id);
    int written = snprintf(name, TURN_NAME_SIZE, "%lld:%s", (long long)expires, id);
    insist(written > 0 && written < TURN_NAME_SIZE);
    if (HMAC(EVP_sha1(), secret.data, (int)secret.length, (const unsigned char *)name, (size_t)written, digest, &length) == NULL)
        panic("OpenSSL has no HMAC-SHA1");
    insist(EVP_EncodeBlock((unsigned char *)password, digest, (int)length) < TURN_PASSWORD_SIZE);
}
