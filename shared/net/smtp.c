/* smtp: see the header. libcurl connects, asks for TLS and logs in. The four commands of a mail are spoken here: libcurl would wait for
 * the answer to the mail itself, which may take minutes (RFC 5321, 4.5.3.2.6), without giving the loop back. */
#include "smtp.h"
#include "transfer.h"
#include "../base/clock.h"
#include "../base/memory.h"
#include <stdio.h>
#include <stdlib.h>

enum { GOODBYE_MILLISECONDS = 1000, REPLY_MAX = 8192 /* bytes of one reply, all its lines */ };

typedef struct {
    CURL *easy;
    int64_t deadline;
    enum transfer_status status; /* how it broke off, with `error` */
    CURLcode error;
} session_t;

static bool address_is_sound(text_t address)
{
    for (size_t i = 0; i < address.length; i++)
        if (address.data[i] <= ' ' || address.data[i] > '~' || strchr("<>", address.data[i]))
            return false;
    return address.length > 0 && address.length <= 254;
}

static smtp_result_t result_make(enum smtp_outcome outcome, const char *reason)
{
    smtp_result_t result = {.outcome = outcome};
    snprintf(result.reason, sizeof result.reason, "%s", reason);
    return result;
}

static smtp_result_t broken_off(enum transfer_status status, CURLcode code)
{
    if (status == TRANSFER_BUSY)
        return result_make(SMTP_UNREACHABLE, "too many at a time");
    return result_make(SMTP_UNREACHABLE, status == TRANSFER_TIMEOUT ? "no answer in time" : curl_easy_strerror(code));
}

/* --- one reply ---------------------------------------------------------------------------------------------------- */

/* The code of the last line of a whole reply; 0: it goes on. */
static int reply_code(text_t reply)
{
    text_t line;
    int64_t code = 0;
    if (reply.length == 0 || reply.data[reply.length - 1] != '\n')
        return 0;
    while (text_split(&reply, '\n', &line)) {
        line = text_trim(line);
        bool last = line.length == 3 || (line.length > 3 && line.data[3] == ' '); /* "250-…" goes on */
        if (last && text_to_int((text_t){line.data, 3}, &code) && code >= 100)
            return (int)code;
    }
    return 0;
}

/* 0: it broke off, or what came is no reply. */
static int reply_read(session_t *session)
{
    char reply[REPLY_MAX];
    size_t length = 0;
    for (int code; length < sizeof reply;) {
        size_t got;
        session->status = transfer_receive(
            session->easy, reply + length, sizeof reply - length, &got, session->deadline, &session->error);
        if (session->status != TRANSFER_OVER || session->error != CURLE_OK)
            return 0;
        length += got;
        code = reply_code((text_t){reply, length});
        if (code != 0)
            return code;
    }
    session->error = CURLE_WEIRD_SERVER_REPLY;
    return 0;
}

/* Not after the deadline, whatever has come: a process that was stopped meanwhile would hear the server's answer before any timer,
 * and give it a mail that others have sent since. */
static int say(session_t *session, text_t words)
{
    session->status = TRANSFER_TIMEOUT;
    if (clock_monotonic() >= session->deadline)
        return 0;
    session->status = transfer_send(session->easy, words.data, words.length, session->deadline, &session->error);
    return session->status == TRANSFER_OVER && session->error == CURLE_OK ? reply_read(session) : 0;
}

/* --- the dialogue ------------------------------------------------------------------------------------------------- */

/* A line that begins with a dot gets another one (RFC 5321, 4.5.2), and one alone ends it. */
static void body_make(text_t message, buffer_t *out)
{
    for (size_t i = 0; i < message.length; i++) {
        if (message.data[i] == '.' && (i == 0 || message.data[i - 1] == '\n'))
            buffer_add_char(out, '.');
        buffer_add_char(out, message.data[i]);
    }
    buffer_add_string(out, message.length > 0 && message.data[message.length - 1] == '\n' ? ".\r\n" : "\r\n.\r\n");
}

/* 503 and 530 speak of the session, and not of the mail. */
static smtp_result_t refused(int code)
{
    char reason[32];
    snprintf(reason, sizeof reason, "answered %d", code);
    if (code / 100 == 5 && code != 503 && code != 530)
        return result_make(SMTP_REFUSED, reason);
    return result_make(code / 100 == 4 ? SMTP_DEFERRED : SMTP_UNREACHABLE, reason);
}

static smtp_result_t mail_give(session_t *session, const char *from, text_t to, text_t message)
{
    char mail[300], recipient[300];
    buffer_t body = {0};
    snprintf(mail, sizeof mail, "MAIL FROM:<%s>\r\n", from);
    snprintf(recipient, sizeof recipient, "RCPT TO:<%.*s>\r\n", TEXT_ARG(to));
    body_make(message, &body);
    const struct {
        text_t words;
        int wanted; /* hundreds of the answer */
    } steps[] = {{text_of(mail), 2}, {text_of(recipient), 2}, {TEXT("DATA\r\n"), 3}, {buffer_text(&body), 2}};
    smtp_result_t result = result_make(SMTP_ACCEPTED, "accepted");
    for (size_t i = 0; i < ARRAY_SIZE(steps) && result.outcome == SMTP_ACCEPTED; i++) {
        int code = say(session, steps[i].words);
        if (code == 0)
            result = broken_off(session->status, session->error);
        else if (code / 100 != steps[i].wanted)
            result = refused(code);
    }
    buffer_free(&body);
    return result;
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
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L); /* one that was closed meanwhile would be an error of ours */
}

smtp_result_t smtp_send(const smtp_server_t *server, text_t to, text_t message, int64_t deadline)
{
    if (!address_is_sound(to) || !address_is_sound(text_of(server->from)))
        return result_make(SMTP_REFUSED, "no address that can be mailed to");
    session_t session = {.easy = transfer_handle("smtp,smtps"), .deadline = deadline};
    server_set(session.easy, server);
    smtp_result_t result;
    session.status = transfer_connect(session.easy, deadline, &session.error);
    if (session.status != TRANSFER_OVER || session.error != CURLE_OK) {
        result = broken_off(session.status, session.error);
    } else {
        result = mail_give(&session, server->from, to, message);
        int64_t goodbye = clock_monotonic() + GOODBYE_MILLISECONDS * CLOCK_MILLISECOND;
        session.deadline = goodbye < deadline ? goodbye : deadline;
        say(&session, TEXT("QUIT\r\n"));
    }
    transfer_close(session.easy);
    curl_easy_cleanup(session.easy);
    return result;
}
