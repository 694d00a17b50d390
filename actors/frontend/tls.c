/* tls: modern suites only, HTTP/2 and HTTP/1.1 by ALPN. Session tickets are sealed with keys that all
 * frontends derive alike from the private key and the segment's random key, so that a client may resume at
 * any of them; both together are known to the frontends of this run alone. */
#include "tls.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "shm/process.h"
#include <h2o.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

enum { TICKET_KEYS_SIZE = 80 };

static bool certificate_use(SSL_CTX *context, text_t chain)
{
    BIO *bio = BIO_new_mem_buf(chain.data, (int)chain.length);
    X509 *certificate = bio != NULL ? PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL) : NULL;
    bool good = certificate != NULL && SSL_CTX_use_certificate(context, certificate) == 1;
    X509_free(certificate);
    while (good && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
        good = SSL_CTX_add0_chain_cert(context, certificate) == 1;
    if (good)
        ERR_clear_error(); /* the end of the text is told as an error */
    BIO_free(bio);
    return good;
}

static bool key_use(SSL_CTX *context, text_t key)
{
    BIO *bio = BIO_new_mem_buf(key.data, (int)key.length);
    EVP_PKEY *private = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    bool good =
        private != NULL && SSL_CTX_use_PrivateKey(context, private) == 1 && SSL_CTX_check_private_key(context) == 1;
    EVP_PKEY_free(private);
    BIO_free(bio);
    return good;
}

static bool tickets_share(SSL_CTX *context, text_t key, const segment_t *segment)
{
    uint8_t keys[96];
    digest_t secret = hash_sha256(key);
    for (char i = 0; i < 3; i++) {
        char label[32] = "aipoten tls ticket";
        memcpy(label + 16, segment_hash_key(segment), 15);
        label[31] = i;
        digest_t part = hash_hmac(secret.bytes, (text_t){.data = label, .length = sizeof(label)});
        memcpy(keys + 32 * i, part.bytes, 32);
    }
    bool good = SSL_CTX_set_tlsext_ticket_keys(context, keys, TICKET_KEYS_SIZE) == 1;
    OPENSSL_cleanse(keys, sizeof(keys));
    OPENSSL_cleanse(&secret, sizeof(secret));
    return good;
}

static bool rules_set(SSL_CTX *context)
{
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    /* An idle connection gives its buffers back: 9 instead of 43 KB. */
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 1);
    h2o_ssl_register_alpn_protocols(context, h2o_alpn_protocols);
    return SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
           SSL_CTX_set_session_id_context(context, (const unsigned char *)"aipoten", 7) == 1;
}

SSL_CTX *tls_make(text_t certificate_chain, text_t key, const segment_t *segment, char *error, size_t error_size)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    const char *what = context == NULL                                ? "memory"
                       : !rules_set(context)                          ? "suites"
                       : !certificate_use(context, certificate_chain) ? "certificate"
                       : !key_use(context, key)                       ? "key"
                       : !tickets_share(context, key, segment)        ? "ticket keys"
                                                                      : NULL;
    if (what == NULL)
        return context;
    char reason[256];
    ERR_error_string_n(ERR_get_error(), reason, sizeof(reason));
    snprintf(error, error_size, "%s: %s", what, reason);
    ERR_clear_error();
    SSL_CTX_free(context);
    return NULL;
}

SSL_CTX *tls_open(text_t certificate_chain, text_t key, const segment_t *segment)
{
    char error[320];
    SSL_CTX *context = tls_make(certificate_chain, key, segment, error, sizeof(error));
    if (context != NULL)
        return context;
    log_event(LOG_ERROR, "tls_refused", LOG_S("reason", error),
        LOG_S("next",
            "correct listen.tls_certificate and listen.tls_key, or remove var/tls to have them made again"));
    exit(EXIT_CONFIG);
}
