/* http: see the header. Everything is filled in before the transfer and taken down after it on the caller's stack, where libcurl
 * does not touch the network; and the answer has its room in the arena from the start, so that nothing can end the call between
 * the two. */
#include "http.h"
#include "../base/panic.h"
#include "transfer.h"
#include <arpa/inet.h>
#include <ctype.h>

/* Where the answer goes, on the loop's stack. */
typedef struct {
    char *bytes;
    size_t length, max;
    bool too_large;
} sink_t;

static size_t on_bytes(char *bytes, size_t size, size_t count, void *argument)
{
    sink_t *sink = argument;
    size_t length = size * count;
    if (length > sink->max - sink->length) {
        sink->too_large = true;
        return CURL_WRITEFUNC_ERROR;
    }
    memcpy(sink->bytes + sink->length, bytes, length);
    sink->length += length;
    return length;
}

bool http_url_allowed(const char *url, bool plain_loopback)
{
    static const char *const loopback[] = {"http://127.0.0.1", "http://localhost", "http://[::1]"};
    if (strncmp(url, "https://", 8) == 0)
        return url[8] != '\0';
    for (size_t i = 0; i < ARRAY_SIZE(loopback); i++) {
        size_t length = strlen(loopback[i]);
        if (plain_loopback && strncmp(url, loopback[i], length) == 0 &&
            (url[length] == ':' || url[length] == '/' || url[length] == '\0'))
            /* "http://localhost:x@elsewhere" would be a user's name */
            return memchr(url, '@', strcspn(url + 7, "/?#") + 7) == NULL;
    }
    return false;
}

/* --- addresses ---------------------------------------------------------------------------------------------------- */

typedef struct {
    const char *prefix;
    int bits;
} network_t;

static bool within(const uint8_t *address, const uint8_t *prefix, int bits)
{
    int whole = bits / 8, rest = bits % 8;
    return memcmp(address, prefix, (size_t)whole) == 0 &&
           (rest == 0 || ((address[whole] ^ prefix[whole]) & (0xff << (8 - rest)) & 0xff) == 0);
}

static bool within_any(int family, const uint8_t *address, const network_t *networks, size_t count)
{
    uint8_t prefix[16];
    for (size_t i = 0; i < count; i++)
        if (inet_pton(family, networks[i].prefix, prefix) == 1 && within(address, prefix, networks[i].bits))
            return true;
    return false;
}

/* Those of the IANA registries of special purpose addresses that name one's own machine or network, and multicast. */
static bool ipv4_is_public(const uint8_t *address)
{
    static const network_t own[] = {{"0.0.0.0", 8}, {"10.0.0.0", 8}, {"100.64.0.0", 10}, {"127.0.0.0", 8}, {"169.254.0.0", 16},
        {"172.16.0.0", 12}, {"192.0.0.0", 24}, {"192.168.0.0", 16}, {"198.18.0.0", 15}, {"224.0.0.0", 3}};
    return !within_any(AF_INET, address, own, ARRAY_SIZE(own));
}

static bool ipv6_is_public(const uint8_t *address)
{
    static const network_t holding_ipv4[] = {{"::ffff:0:0", 96}, {"64:ff9b::", 96}}, global[] = {{"2000::", 3}}, tunnels[] = {{"2002::", 16}};
    if (within_any(AF_INET6, address, holding_ipv4, ARRAY_SIZE(holding_ipv4)))
        return ipv4_is_public(address + 12);
    return within_any(AF_INET6, address, global, ARRAY_SIZE(global)) && !within_any(AF_INET6, address, tunnels, ARRAY_SIZE(tunnels));
}

bool http_address_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ipv4_is_public((const uint8_t *)&((const struct sockaddr_in *)address)->sin_addr);
    return address->sa_family == AF_INET6 && ipv6_is_public(((const struct sockaddr_in6 *)address)->sin6_addr.s6_addr);
}

/* After the name was resolved, so that no name leads elsewhere. */
static curl_socket_t socket_to_public(void *argument, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)argument, (void)purpose;
    if (!http_address_public(&address->addr))
        return CURL_SOCKET_BAD;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* --- a request ---------------------------------------------------------------------------------------------------- */

static struct curl_slist *headers_of(const http_request_t *request)
{
    struct curl_slist *list = curl_slist_append(NULL, "accept: application/json");
    for (int i = 0; list != NULL && i < HTTP_HEADERS_MAX && request->headers[i] != NULL; i++)
        list = curl_slist_append(list, request->headers[i]);
    if (list == NULL)
        panic("out of memory: headers");
    return list;
}

static CURL *handle_of(const http_request_t *request, struct curl_slist *headers, sink_t *sink)
{
    CURL *easy = transfer_handle(request->plain_loopback ? "https,http" : "https");
    bool good = curl_easy_setopt(easy, CURLOPT_URL, request->url) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_USERAGENT, "aipoten") == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_WRITEDATA, sink) == CURLE_OK;
    if (request->public_only && !request->plain_loopback)
        good = good && curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, socket_to_public) == CURLE_OK;
    text_t posted = request->body.data != NULL ? request->body : request->form;
    if (posted.data != NULL)
        good = good && curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)posted.length) == CURLE_OK &&
               curl_easy_setopt(easy, CURLOPT_POSTFIELDS, posted.data) == CURLE_OK;
    if (!good)
        panic("libcurl refuses a request");
    return easy;
}

static enum http_outcome outcome_of(enum transfer_status status, CURLcode code, const sink_t *sink)
{
    if (status == TRANSFER_BUSY)
        return HTTP_BUSY;
    if (status == TRANSFER_TIMEOUT)
        return HTTP_TIMEOUT;
    if (code == CURLE_OK)
        return HTTP_ANSWERED;
    return sink->too_large ? HTTP_TOO_LARGE : code == CURLE_OPERATION_TIMEDOUT ? HTTP_TIMEOUT : HTTP_FAILED;
}

static const char *reason_of(enum http_outcome outcome, CURLcode code)
{
    static const char *const reasons[] = {[HTTP_TIMEOUT] = "no answer in time",
        [HTTP_TOO_LARGE] = "the answer is too large",
        [HTTP_BUSY] = "too many transfers at a time",
        [HTTP_REFUSED] = "neither https nor the loopback"};
    return outcome == HTTP_ANSWERED ? NULL : outcome == HTTP_FAILED ? curl_easy_strerror(code) : reasons[outcome];
}

enum http_outcome http_run(arena_t *arena, const http_request_t *request, http_answer_t *answer)
{
    *answer = (http_answer_t){.reason = reason_of(HTTP_REFUSED, CURLE_OK)};
    if (!http_url_allowed(request->url, request->plain_loopback))
        return HTTP_REFUSED;
    sink_t sink = {.bytes = arena_allocate(arena, request->max_bytes + 1), .max = request->max_bytes};
    struct curl_slist *headers = headers_of(request);
    CURL *easy = handle_of(request, headers, &sink);
    CURLcode code;
    long status = 0;
    enum transfer_status ended = transfer_run(easy, request->deadline, &code);
    enum http_outcome outcome = outcome_of(ended, code, &sink);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    answer->status = (int)status;
    answer->body = (text_t){sink.bytes, sink.length};
    answer->reason = reason_of(outcome, code);
    return outcome;
}

void http_form_add(buffer_t *out, const char *name, text_t value)
{
    if (out->length > 0 && out->data[out->length - 1] != '?')
        buffer_add_char(out, '&');
    buffer_add_string(out, name);
    buffer_add_char(out, '=');
    for (size_t i = 0; i < value.length; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if (isalnum(c) || memchr("-._~", c, 4) != NULL)
            buffer_add_char(out, (char)c);
        else
            buffer_format(out, "%%%02X", c);
    }
}
