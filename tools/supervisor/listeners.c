#include "listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} address_t;

/* Length of the address, 0: it is no IPv4 or IPv6 literal. */
static socklen_t address_parse(const char *text, int64_t port, address_t *out)
{
    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, text, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons((uint16_t)port);
        return sizeof(out->v4);
    }
    if (inet_pton(AF_INET6, text, &out->v6.sin6_addr) == 1) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons((uint16_t)port);
        return sizeof(out->v6);
    }
    return 0;
}

static int listener_open(const char *text, int64_t port, const char *setting, char *error, size_t error_size)
{
    address_t address;
    socklen_t length = address_parse(text, port, &address);
    if (length == 0) {
        snprintf(error, error_size, "listen.%s_address: %s is no IPv4 or IPv6 address", setting, text);
        return -1;
    }
    const int on = 1, off = 0;
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (address.any.sa_family == AF_INET6)
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)); /* :: takes IPv4 too */
        if (bind(fd, &address.any, length) == 0 && listen(fd, BACKLOG) == 0)
            return fd;
    }
    snprintf(error, error_size,
        "cannot listen on %s port %lld: %s; end what listens there, or choose another port with "
        "AIPOTEN_%s_PORT",
        text, (long long)port, strerror(errno), strcmp(setting, "https") == 0 ? "HTTPS" : "HTTP");
    if (fd >= 0)
        close(fd);
    return -1;
}

int listeners_open(supervisor_t *supervisor, char *error, size_t error_size)
{
    const config_t *config = &supervisor->config;
    if (config->listen.https_port != 0 && supervisor->https_fd < 0)
        supervisor->https_fd = listener_open(
            config->listen.https_address, config->listen.https_port, "https", error, error_size);
    if (config->listen.https_port != 0 && supervisor->https_fd < 0)
        return -1;
    if (config->listen.http_port != 0 && supervisor->http_fd < 0)
        supervisor->http_fd =
            listener_open(config->listen.http_address, config->listen.http_port, "http", error, error_size);
    return config->listen.http_port != 0 && supervisor->http_fd < 0 ? -1 : 0;
}

void listener_url(const config_t *config, bool https, char *out, size_t out_size)
{
    const char *address = https ? config->listen.https_address : config->listen.http_address;
    int64_t port = https ? config->listen.https_port : config->listen.http_port;
    static const char *const local[] = {"0.0.0.0", "::", "127.0.0.1", "::1"};
    bool is_local = false;
    out[0] = '\0';
    if (port == 0)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(local); i++)
        is_local = is_local || strcmp(address, local[i]) == 0;
    bool bracket = !is_local && strchr(address, ':') != NULL;
    snprintf(out, out_size, "%s://%s%s%s:%lld", https ? "https" : "http", bracket ? "[" : "",
        is_local ? "localhost" : address, bracket ? "]" : "", (long long)port);
}
