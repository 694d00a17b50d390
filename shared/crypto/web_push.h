/* web_push: what a push to a browser needs of cryptography: the message, encrypted for the subscription alone (RFC 8291, in the form of
 * RFC 8188, aes128gcm), and the token by which the push service knows who sends (VAPID, RFC 8292: ES256). */
#pragma once
#include "../base/memory.h"

enum { WEB_PUSH_POINT = 65, WEB_PUSH_AUTH = 16, WEB_PUSH_SALT = 16, WEB_PUSH_PLAIN_MOST = 3800 /* of the 4096 that services take */ };

/* 32 bytes as a private key of P-256: whatever they are, they give one. */
typedef struct {
    uint8_t bytes[32];
} web_push_key_t;

/* The key's point, uncompressed: what browsers subscribe with (applicationServerKey). Bytes in the arena. */
text_t web_push_public(arena_t *, const web_push_key_t *);
/* Is this a point of the curve, as a subscription's p256dh must be? */
bool web_push_point(text_t point);

/* What has to be new for each message; tests give it. */
typedef struct {
    web_push_key_t key;
    uint8_t salt[WEB_PUSH_SALT];
} web_push_once_t;

/* The body to be sent; data NULL: the subscription's keys are none, or the text is too long. `once` NULL: random. */
text_t web_push_encrypt(arena_t *, text_t p256dh, text_t auth, text_t plain, const web_push_once_t *once);

/* "eyJ….….…": for the origin of a push service; `subject` is a mailto: or https: of who runs this; `expires` in microseconds since 1970, at
 * most 24 hours ahead. */
text_t web_push_token(arena_t *, const web_push_key_t *, text_t origin, const char *subject, int64_t expires);
