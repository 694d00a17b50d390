/* smtp: giving one mail to a server: libcurl connects (EHLO, STARTTLS, AUTH), and MAIL, RCPT, DATA follow.
 *
 * What always holds: with TLS asked for, nothing of the mail and no password travels before the server has shown a certificate
 * that is valid for its name; an address that could break out of its command is refused here; no word of the server's is kept but
 * its numbers, for its texts quote addresses. */
#pragma once
#include "../base/text.h"

enum smtp_tls { SMTP_STARTTLS, SMTP_TLS, SMTP_PLAIN };

typedef struct {
    const char *host;
    int port;
    enum smtp_tls tls;
    const char *ca_file; /* empty: the system's */
    const char *user, *password; /* user empty: no AUTH */
    const char *from, *domain; /* the sender's address; what EHLO says */
} smtp_server_t;

enum smtp_outcome {
    SMTP_ACCEPTED,    /* the server has taken it over */
    SMTP_REFUSED,     /* 5xx about this mail: trying again would not help */
    SMTP_DEFERRED,    /* 4xx */
    SMTP_UNREACHABLE, /* no server, no TLS, no log-in, or an end in the middle: of the last one it may have taken it */
};

typedef struct {
    enum smtp_outcome outcome;
    char reason[80]; /* "answered 550", "Couldn't connect to server"; holds nothing personal */
} smtp_result_t;

/* Inside a coroutine, after transfer_open. `deadline` is clock_monotonic(): nothing is said after it. The message has CRLF line
 * ends. */
smtp_result_t smtp_send(const smtp_server_t *, text_t to, text_t message, int64_t deadline);
