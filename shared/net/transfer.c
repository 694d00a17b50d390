/* transfer: see the header. Handles are given to libcurl, and taken back, at the end of a turn: curl_multi_add_handle and
 * curl_multi_remove_handle may open and close connections, which needs the loop's stack. */
#include "transfer.h"
#include "../base/clock.h"
#include "../base/coroutine.h"
#include "../base/memory.h"
#include "../base/panic.h"
#include <stdlib.h>

enum { TICK_MILLISECONDS = 50, IDLE_CONNECTIONS = 8 };

typedef struct transfer {
    struct transfer *next;
    CURL *easy;
    coroutine_t *waiting;
    int64_t deadline;
    bool given; /* libcurl has it */
    bool keep;  /* transfer_connect: it has it until transfer_close */
    bool done;
    enum transfer_status status;
    CURLcode code;
} transfer_t;

static struct {
    loop_t *loop;
    CURLM *multi;
    size_t maximum, count;
    transfer_t *list;    /* each lies on the stack of its coroutine */
    loop_timer_t *timer; /* what libcurl asked for */
} transfers;

static void multi_insist(CURLMcode code)
{
    if (code != CURLM_OK)
        panic("libcurl: %s", curl_multi_strerror(code));
}

static transfer_t *transfer_of(const CURL *easy)
{
    for (transfer_t *transfer = transfers.list; transfer; transfer = transfer->next)
        if (transfer->easy == easy)
            return transfer;
    return NULL;
}

/* --- libcurl's wishes --------------------------------------------------------------------------------------------- */

static void messages_read(void)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(transfers.multi, &left)) != NULL) {
        transfer_t *transfer = message->msg == CURLMSG_DONE ? transfer_of(message->easy_handle) : NULL;
        if (transfer == NULL)
            continue;
        transfer->code = message->data.result;
        transfer->status = TRANSFER_OVER;
        transfer->done = true;
    }
}

static void act(curl_socket_t socket, int events)
{
    int running;
    multi_insist(curl_multi_socket_action(transfers.multi, socket, events, &running));
    messages_read();
}

/* A socket's watch, and its descriptor: on_ready is not told it. */
typedef struct {
    loop_watch_t *watch;
    curl_socket_t socket;
} socket_watch_t;

static void socket_ready(void *argument, int events)
{
    const socket_watch_t *watch = argument;
    act(watch->socket, (events & LOOP_READ ? CURL_CSELECT_IN : 0) | (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0));
}

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *argument, void *own)
{
    (void)easy, (void)argument;
    socket_watch_t *watch = own;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL) {
            transfers.loop->unwatch(&watch->watch);
            curl_multi_assign(transfers.multi, socket, NULL);
            free(watch);
        }
        return 0;
    }
    int events = (what & CURL_POLL_IN ? LOOP_READ : 0) | (what & CURL_POLL_OUT ? LOOP_WRITE : 0);
    if (watch != NULL) {
        transfers.loop->watch_change(watch->watch, events);
        return 0;
    }
    watch = memory_zeroed(1, sizeof *watch);
    watch->socket = socket;
    watch->watch = transfers.loop->watch(transfers.loop, socket, events, socket_ready, watch);
    curl_multi_assign(transfers.multi, socket, watch);
    return 0;
}

static void timer_due(void *argument)
{
    (void)argument;
    transfers.loop->timer_stop(&transfers.timer); /* once; libcurl asks again when it wants */
    act(CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer(CURLM *multi, long milliseconds, void *argument)
{
    (void)multi, (void)argument;
    transfers.loop->timer_stop(&transfers.timer);
    if (milliseconds >= 0)
        transfers.timer = transfers.loop->timer(transfers.loop, (int)(milliseconds < INT32_MAX ? milliseconds : INT32_MAX),
            timer_due, NULL);
    return 0;
}

/* --- the turn and the tick ---------------------------------------------------------------------------------------- */

static void transfer_end(transfer_t **at)
{
    transfer_t *transfer = *at;
    *at = transfer->next;
    transfers.count--;
    if (transfer->given && !transfer->keep)
        multi_insist(curl_multi_remove_handle(transfers.multi, transfer->easy));
    coroutine_resume(transfer->waiting); /* the transfer lies on its stack: not to be touched after this */
}

/* New ones begin, and those that are over go back to their coroutines. */
static bool turn(void *argument)
{
    (void)argument;
    for (transfer_t *transfer = transfers.list; transfer; transfer = transfer->next)
        if (!transfer->given && !transfer->done) {
            transfer->given = true;
            multi_insist(curl_multi_add_handle(transfers.multi, transfer->easy));
        }
    bool any = false;
    for (transfer_t **at = &transfers.list; *at;) {
        if ((*at)->done) {
            transfer_end(at);
            any = true;
            at = &transfers.list; /* whoever was resumed may have begun another */
        } else {
            at = &(*at)->next;
        }
    }
    return any;
}

static void tick(void *argument)
{
    (void)argument;
    int64_t now = clock_monotonic();
    for (transfer_t *transfer = transfers.list; transfer; transfer = transfer->next)
        if (!transfer->done && transfer->deadline <= now) {
            transfer->status = TRANSFER_TIMEOUT;
            transfer->done = true;
        }
}

void transfer_open(loop_t *loop, size_t maximum)
{
    insist(transfers.loop == NULL);
    transfers.loop = loop;
    transfers.maximum = maximum;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || (transfers.multi = curl_multi_init()) == NULL)
        panic("libcurl does not start");
    multi_insist(curl_multi_setopt(transfers.multi, CURLMOPT_SOCKETFUNCTION, on_socket));
    multi_insist(curl_multi_setopt(transfers.multi, CURLMOPT_TIMERFUNCTION, on_timer));
    multi_insist(curl_multi_setopt(transfers.multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS));
    multi_insist(curl_multi_setopt(transfers.multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)maximum));
    loop->add_turn_hook(loop, turn, NULL);
    loop->timer(loop, TICK_MILLISECONDS, tick, NULL);
}

CURL *transfer_handle(const char *protocols)
{
    CURL *easy = curl_easy_init();
    bool good = easy != NULL && curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK && /* its resolver is not waited for */
                curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, protocols) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, protocols) == CURLE_OK;
    if (!good)
        panic("libcurl refuses a handle for %s", protocols);
    return easy;
}

/* Suspends until it is done. */
static enum transfer_status await(transfer_t *transfer, CURLcode *code)
{
    insist(transfers.loop != NULL && coroutine_current() != NULL && transfer_of(transfer->easy) == NULL);
    *code = CURLE_OK;
    if (transfers.count >= transfers.maximum)
        return TRANSFER_BUSY;
    transfer->waiting = coroutine_current();
    transfer->next = transfers.list;
    transfers.list = transfer;
    transfers.count++;
    coroutine_suspend();
    *code = transfer->code;
    return transfer->status;
}

enum transfer_status transfer_run(CURL *easy, int64_t deadline, CURLcode *code)
{
    transfer_t transfer = {.easy = easy, .deadline = deadline};
    return await(&transfer, code);
}

/* --- only the connection ------------------------------------------------------------------------------------------ */

enum transfer_status transfer_connect(CURL *easy, int64_t deadline, CURLcode *code)
{
    transfer_t transfer = {.easy = easy, .deadline = deadline, .keep = true};
    if (curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L) != CURLE_OK)
        panic("libcurl refuses CURLOPT_CONNECT_ONLY");
    return await(&transfer, code);
}

void transfer_close(CURL *easy)
{
    curl_multi_remove_handle(transfers.multi, easy); /* one that was never added (TRANSFER_BUSY) does no harm */
}

static void connection_ready(void *argument, int events)
{
    transfer_t *transfer = argument;
    (void)events;
    transfer->status = TRANSFER_OVER;
    transfer->done = true;
}

/* Until the socket can be read or written. */
static enum transfer_status await_socket(CURL *easy, int events, int64_t deadline, CURLcode *code)
{
    curl_socket_t socket;
    transfer_t transfer = {.easy = easy, .deadline = deadline, .keep = true, .given = true};
    *code = curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &socket);
    if (*code != CURLE_OK || socket == CURL_SOCKET_BAD) {
        *code = CURLE_COULDNT_CONNECT;
        return TRANSFER_OVER;
    }
    loop_watch_t *watch = transfers.loop->watch(transfers.loop, socket, events, connection_ready, &transfer);
    enum transfer_status status = await(&transfer, code);
    transfers.loop->unwatch(&watch);
    return status;
}

enum transfer_status transfer_send(CURL *easy, const char *data, size_t length, int64_t deadline, CURLcode *code)
{
    while (length > 0) {
        size_t sent = 0;
        *code = curl_easy_send(easy, data, length, &sent);
        data += sent;
        length -= sent;
        if (*code == CURLE_OK)
            continue;
        if (*code != CURLE_AGAIN)
            return TRANSFER_OVER;
        enum transfer_status status = await_socket(easy, LOOP_WRITE, deadline, code);
        if (status != TRANSFER_OVER || *code != CURLE_OK)
            return status;
    }
    *code = CURLE_OK;
    return TRANSFER_OVER;
}

enum transfer_status transfer_receive(CURL *easy, char *out, size_t size, size_t *length, int64_t deadline, CURLcode *code)
{
    for (;;) {
        *length = 0;
        *code = curl_easy_recv(easy, out, size, length);
        if (*code == CURLE_OK && *length == 0)
            *code = CURLE_RECV_ERROR; /* the end of the connection */
        if (*code != CURLE_AGAIN)
            return TRANSFER_OVER;
        enum transfer_status status = await_socket(easy, LOOP_READ, deadline, code);
        if (status != TRANSFER_OVER || *code != CURLE_OK)
            return status;
    }
}

size_t transfer_count(void)
{
    return transfers.count;
}
