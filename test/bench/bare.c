/* bare: the limit of a frontend: libh2o that answers every request with the same headers and body, from memory.
 *
 *     bench-bare PORT CERTIFICATE KEY PROCESSES ANSWER
 *
 * ANSWER is a file: header lines as HTTP/1 writes them, an empty line, the body. Header x-request-id gets another value in each answer,
 * as ours does. TLS is set up as in actors/frontend/tls.c. The processes share one listening socket; the first waits for the others,
 * which end with it. What always holds: nothing of a request is looked at, so that what a frontend costs beyond this is its own. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <h2o.h>
#include <h2o/http1.h>
#include <h2o/http2.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES_MAX = 16, HEADERS_MAX = 24, BACKLOG = 1024, AHEAD_MOST = 1 };

/* HPACK's encoder compares names by their address and each header with earlier ones: as in response.c, several places for one name
 * whose value is always another one. */
enum { ID_NAMES = 8 };

static const char id_name[] = "x-request-id";
static struct {
    h2o_header_t headers[HEADERS_MAX];
    size_t header_count;
    h2o_iovec_t body, id; /* id: of the length that ours has */
    const h2o_iovec_t *id_names[ID_NAMES];
} answer;

static int processes, self;
static _Atomic int *connections; /* of each process, shared by them */
static h2o_globalconf_t globalconf;
static h2o_context_t context;
static h2o_accept_ctx_t accepting;

static _Noreturn void refuse(const char *what)
{
    fprintf(stderr, "bare: %s: %s\n", what, errno != 0 ? strerror(errno) : "wrong");
    ERR_print_errors_fp(stderr);
    exit(1);
}

/* --- the answer ----------------------------------------------------------------------------------------------------- */

static h2o_iovec_t file_read(const char *path)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0)
        refuse(path);
    h2o_iovec_t bytes = {h2o_mem_alloc((size_t)status.st_size + 1), (size_t)status.st_size};
    if (read(fd, bytes.base, bytes.len) != (ssize_t)bytes.len)
        refuse(path);
    bytes.base[bytes.len] = '\0';
    close(fd);
    return bytes;
}

/* A name of libh2o's own where it has one; else a new place behind them (response.c tells why). */
static const h2o_iovec_t *name_of(const char *text, size_t length)
{
    const h2o_token_t *known = h2o_lookup_token(text, length);
    if (known != NULL)
        return &known->buf;
    if (h2o__num_tokens >= H2O_MAX_TOKENS)
        refuse("too many names");
    h2o_token_t *token = &h2o__tokens[h2o__num_tokens++];
    *token = (h2o_token_t){.buf = h2o_iovec_init(text, length)};
    return &token->buf;
}

static void header_read(char *line)
{
    char *colon = strchr(line, ':'), *value = colon + 1;
    if (colon == NULL || answer.header_count == HEADERS_MAX)
        refuse("the answer's headers");
    value += strspn(value, " ");
    size_t length = (size_t)(colon - line);
    if (length == strlen(id_name) && memcmp(line, id_name, length) == 0) {
        answer.id = h2o_iovec_init(value, strlen(value));
        for (int i = 0; i < ID_NAMES; i++)
            answer.id_names[i] = name_of(id_name, strlen(id_name));
        return;
    }
    answer.headers[answer.header_count++] = (h2o_header_t){
        .name = (h2o_iovec_t *)(uintptr_t)name_of(line, length), .value = h2o_iovec_init(value, strlen(value))};
}

/* libh2o says date and content-length itself. */
static void answer_read(const char *path)
{
    h2o_iovec_t bytes = file_read(path);
    char *line = bytes.base, *end;
    while ((end = strstr(line, "\r\n")) != NULL && end != line) {
        *end = '\0';
        header_read(line);
        line = end + 2;
    }
    if (end == NULL)
        refuse("the answer has no empty line");
    answer.body = h2o_iovec_init(end + 2, bytes.len - (size_t)(end + 2 - bytes.base));
}

/* The last digits count, over what was there. */
static void id_add(h2o_req_t *req)
{
    static uint64_t number;
    h2o_iovec_t id = h2o_strdup(&req->pool, answer.id.base, answer.id.len);
    uint64_t left = ++number;
    for (size_t i = id.len; i > 0 && i + 12 > id.len; i--, left >>= 4)
        id.base[i - 1] = "0123456789abcdef"[left & 15];
    req->res.headers.entries[req->res.headers.size++] =
        (h2o_header_t){.name = (h2o_iovec_t *)(uintptr_t)answer.id_names[number % ID_NAMES], .value = id};
}

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    static h2o_generator_t generator;
    (void)handler;
    req->res.status = 200;
    req->res.reason = "OK";
    req->res.content_length = answer.body.len;
    h2o_vector_reserve(&req->pool, &req->res.headers, HEADERS_MAX + 1);
    memcpy(req->res.headers.entries, answer.headers, answer.header_count * sizeof(*answer.headers));
    req->res.headers.size = answer.header_count;
    if (answer.id.len > 0)
        id_add(req);
    h2o_iovec_t body = answer.body;
    h2o_start_response(req, &generator);
    h2o_send(req, &body, 1, H2O_SEND_STATE_FINAL);
    return 0;
}

/* --- connections ---------------------------------------------------------------------------------------------------- */

static void on_close(void *data)
{
    (void)data;
    atomic_fetch_sub(&connections[self], 1);
}

/* Each its share, as our frontends do: one that has more than another leaves the next connection to that one. */
static bool gives_way(void)
{
    for (int i = 0; i < processes; i++)
        if (atomic_load(&connections[i]) + AHEAD_MOST <= atomic_load(&connections[self]))
            return true;
    return false;
}

static void on_connection(h2o_socket_t *listener, const char *error)
{
    static const int on = 1;
    if (error != NULL || gives_way())
        return;
    int fd = accept4(h2o_socket_get_fd(listener), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    h2o_socket_t *socket = h2o_evloop_socket_create(context.loop, fd, H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
    atomic_fetch_add(&connections[self], 1);
    socket->on_close.cb = on_close;
    h2o_accept(&accepting, socket);
}

static SSL_CTX *tls_open(const char *certificate, const char *key)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_options(tls,
        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(tls, 1);
    if (SSL_CTX_set_cipher_list(tls, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1 ||
        SSL_CTX_use_certificate_chain_file(tls, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
        refuse("TLS");
    h2o_ssl_register_alpn_protocols(tls, h2o_alpn_protocols);
    return tls;
}

static int listener_open(const char *port)
{
    static const int on = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, BACKLOG) != 0)
        refuse("listening");
    return fd;
}

static _Noreturn void serve(int fd, SSL_CTX *tls)
{
    h2o_config_init(&globalconf);
    globalconf.server_name = (h2o_iovec_t){NULL, 0};
    h2o_hostconf_t *host = h2o_config_register_host(&globalconf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_create_handler(&host->fallback_path, sizeof(h2o_handler_t))->on_req = on_request;
    h2o_context_init(&context, h2o_evloop_create(), &globalconf);
    accepting = (h2o_accept_ctx_t){.ctx = &context, .hosts = globalconf.hosts, .ssl_ctx = tls};
    h2o_socket_read_start(h2o_evloop_socket_create(context.loop, fd, H2O_SOCKET_FLAG_DONT_READ), on_connection);
    for (;;)
        h2o_evloop_run(context.loop, INT32_MAX);
}

int main(int count, char **words)
{
    if (count != 6 || (processes = atoi(words[4])) < 1 || processes > PROCESSES_MAX) {
        fputs("usage: bench-bare PORT CERTIFICATE KEY PROCESSES ANSWER\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    answer_read(words[5]);
    SSL_CTX *tls = tls_open(words[2], words[3]);
    connections =
        mmap(NULL, PROCESSES_MAX * sizeof(*connections), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (connections == MAP_FAILED)
        refuse("memory");
    int fd = listener_open(words[1]);
    for (self = 0; self < processes; self++) {
        pid_t pid = fork();
        if (pid < 0)
            refuse("fork");
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            serve(fd, tls);
        }
    }
    while (wait(NULL) > 0)
        ;
    return 0;
}
