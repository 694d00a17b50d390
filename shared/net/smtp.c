/* smtp: see the header. libcurl tells the server's replies as "headers": from them comes what a refusal means.
 *
 * At its end libcurl says QUIT and waits for the answer without giving the loop back. So when the last reply has come, the time that
 * it may wait for another is made short. */
#include "smtp.h"
#include "transfer.h"
#include "../base/clock.h"
#include <stdio.h>
#include <stdlib.h>

enum { GOODBYE_SECONDS = 1, CODE_BEGIN_DATA = 354, CODE_GOODBYE = 221 };

typedef struct {
    CURL *easy;
    text_t rest; /* of the message, to be sent */
    int code;    /* of the last reply but that to QUIT */
    bool data_begun, accepted;
} session_t;

static size_t on_reply_line(char *line, size_t size, size_t count, void *argument)
{
    session_t *session = argument;
    size_t length = size * count;
    bool last = length >= 4 && line[3] == ' '; /* "250-…" goes on */
    if (length < 3 || (length > 3 && !last))
        return length;
    int64_t code;
    if (!text_to_int((text_t){line, 3}, &code) || code == CODE_GOODBYE)
        return length;
    session->code = (int)code;
    session->accepted |= session->data_begun && code / 100 == 2;
    session->data_begun |= code == CODE_BEGIN_DATA;
    if (session->accepted || code >= 400)
        curl_easy_setopt(session->easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)GOODBYE_SECONDS);
    return length;
}

static size_t on_upload(char *out, size_t size, size_t count, void *argument)
{
    session_t *session = argument;
    size_t length = size * count < session->rest.length ? size * count : session->rest.length;
    memcpy(out, session->rest.data, length);
    session->rest.data += length;
    session->rest.length -= length;
    return length;
}

static bool address_is_sound(text_t address)
{
    for (size_t i = 0; i < address.length; i++)
        if (address.data[i] <= ' ' || address.data[i] > '~' || strchr("<>", address.data[i]))
            return false;
    return address.length > 0 && address.length <= 254;
}

static void server_set(CURL *easy, const smtp_server_t *server)
{
    char url[512];
    snprintf(url, sizeof url, "%s://%s:%d/%s", server->tls == SMTP_TLS ? "smtps" : "smtp", server->host, server->port,
        server->domain);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)(server->tls == SMTP_PLAIN ? CURLUSESSL_NONE : CURLUSESSL_ALL));
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (server->ca_file[0] != '\0')
        curl_easy_setopt(easy, CURLOPT_CAINFO, server->ca_file);
    if (server->user[0] != '\0') {
        curl_easy_setopt(easy, CURLOPT_USERNAME, server->user);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, server->password);
    }
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L); /* a reused connection that was closed meanwhile is an error of ours */
}

static smtp_result_t result_make(enum smtp_outcome outcome, const char *reason)
{
    smtp_result_t result = {.outcome = outcome};
    snprintf(result.reason, sizeof result.reason, "%s", reason);
    return result;
}

/* A refused log-in or a sequence error says nothing about the mail. */
static bool is_about_the_mail(int code)
{
    return code / 100 == 5 && code != 503 && code != 530 && code != 534 && code != 535 && code != 538;
}

static smtp_result_t judge(const session_t *session, enum transfer_status status, CURLcode code)
{
    char reason[80];
    if (session->accepted) /* whatever went wrong afterwards */
        return result_make(SMTP_ACCEPTED, "accepted");
    if (status == TRANSFER_BUSY)
        return result_make(SMTP_UNREACHABLE, "too many at a time");
    if (status == TRANSFER_TIMEOUT)
        return result_make(SMTP_UNREACHABLE, "no answer in time");
    bool replied = session->code >= 400 && code != CURLE_LOGIN_DENIED && code != CURLE_USE_SSL_FAILED &&
                   code != CURLE_PEER_FAILED_VERIFICATION;
    if (!replied)
        return result_make(SMTP_UNREACHABLE, curl_easy_strerror(code));
    snprintf(reason, sizeof reason, "answered %d", session->code);
    if (session->code / 100 == 4)
        return result_make(SMTP_DEFERRED, reason);
    return result_make(is_about_the_mail(session->code) ? SMTP_REFUSED : SMTP_UNREACHABLE, reason);
}

smtp_result_t smtp_send(const smtp_server_t *server, text_t to, text_t message, int64_t deadline)
{
    int64_t left = (deadline - clock_monotonic()) / CLOCK_MILLISECOND;
    char address[256];
    if (!address_is_sound(to) || !address_is_sound(text_of(server->from)))
        return result_make(SMTP_REFUSED, "no address that can be mailed to");
    if (left <= 0)
        return result_make(SMTP_UNREACHABLE, "no time left");
    snprintf(address, sizeof address, "%.*s", TEXT_ARG(to));
    session_t session = {.easy = transfer_handle("smtp,smtps"), .rest = message};
    struct curl_slist *recipients = curl_slist_append(NULL, address);
    server_set(session.easy, server);
    curl_easy_setopt(session.easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)(left / 1000 + 1));
    curl_easy_setopt(session.easy, CURLOPT_MAIL_FROM, server->from);
    curl_easy_setopt(session.easy, CURLOPT_MAIL_RCPT, recipients);
    curl_easy_setopt(session.easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(session.easy, CURLOPT_READFUNCTION, on_upload);
    curl_easy_setopt(session.easy, CURLOPT_READDATA, &session);
    curl_easy_setopt(session.easy, CURLOPT_HEADERFUNCTION, on_reply_line);
    curl_easy_setopt(session.easy, CURLOPT_HEADERDATA, &session);
    CURLcode code;
    enum transfer_status status = transfer_run(session.easy, deadline, &code);
    curl_easy_cleanup(session.easy);
    curl_slist_free_all(recipients);
    return judge(&session, status, code);
}
