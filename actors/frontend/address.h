/* address: who is asking. Client addresses, networks in CIDR form, and the address behind trusted proxies.
 * Knows nothing of sockets' states or of HTTP, so that its rules are tested by tables. */
#pragma once
#include "base/text.h"
#include <sys/socket.h>

/* IPv6, or IPv4 as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2). */
typedef struct {
    uint8_t bytes[16];
} address_t;

enum { ADDRESS_TEXT = 46 }; /* the longest form and a NUL */

/* "192.0.2.1", "2001:db8::1"; nothing before or after it. */
bool address_parse(text_t text, address_t *out);
/* An unknown family (a socket of another kind) gives the unspecified address. */
address_t address_of_socket(const struct sockaddr *);
/* Returns the length. */
size_t address_format(address_t, char out[static ADDRESS_TEXT]);
/* What is counted as one client: an IPv4 address, or the /64 of an IPv6 one, since a single home has 2^64 of
 * those. */
address_t address_client(address_t);
static inline bool address_equal(address_t a, address_t b)
{
    return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

typedef struct {
    address_t base;
    int bits; /* of the 128-bit form */
} network_t;

enum { NETWORKS_MAX = 64 };
typedef struct {
    network_t items[NETWORKS_MAX];
    int count;
} networks_t;

/* "10.0.0.0/8", "2001:db8::/32", or a single address. */
bool network_parse(text_t text, network_t *out);
bool networks_contain(const networks_t *, address_t);

/* The client behind `peer`: when the peer is trusted, the X-Forwarded-For headers (in the order they came)
 * are read from their end, and the first address that is not trusted itself is the client. What cannot be
 * read ends the walk: everything to its left could have been written by anybody. */
address_t address_resolve(const networks_t *trusted, address_t peer, const text_t *forwarded, int count);
