/* address: parsing and comparing; see the header for the rules. */
#include "address.h"
#include <arpa/inet.h>
#include <netinet/in.h>

enum { HOPS_MAX = 32 };

static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};

static bool is_v4(address_t address)
{
    return memcmp(address.bytes, mapped, sizeof(mapped)) == 0;
}

bool address_parse(text_t text, address_t *out)
{
    char copy[ADDRESS_TEXT];
    if (text.length == 0 || text.length >= sizeof(copy) || memchr(text.data, '\0', text.length))
        return false;
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    memcpy(out->bytes, mapped, sizeof(mapped));
    return inet_pton(AF_INET, copy, out->bytes + sizeof(mapped)) == 1 ||
           inet_pton(AF_INET6, copy, out->bytes) == 1;
}

address_t address_of_socket(const struct sockaddr *address)
{
    address_t out = {{0}};
    if (address->sa_family == AF_INET) {
        memcpy(out.bytes, mapped, sizeof(mapped));
        memcpy(out.bytes + sizeof(mapped), &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        memcpy(out.bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    }
    return out;
}

size_t address_format(address_t address, char out[static ADDRESS_TEXT])
{
    bool v4 = is_v4(address);
    const char *written =
        inet_ntop(v4 ? AF_INET : AF_INET6, address.bytes + (v4 ? sizeof(mapped) : 0), out, ADDRESS_TEXT);
    return written ? strlen(out) : 0;
}

address_t address_client(address_t address)
{
    if (!is_v4(address))
        memset(address.bytes + 8, 0, 8);
    return address;
}

bool network_parse(text_t text, network_t *out)
{
    text_t rest = text, base;
    int64_t bits;
    if (!text_split(&rest, '/', &base) || !address_parse(base, &out->base))
        return false;
    int most = is_v4(out->base) && !memchr(base.data, ':', base.length) ? 32 : 128;
    if (rest.data == NULL) {
        bits = most;
    } else if (rest.length == 0 || rest.length > 3 || !text_to_int(rest, &bits) || bits < 0 || bits > most) {
        return false;
    }
    out->bits = (int)bits + 128 - most;
    return true;
}

static bool network_contains(const network_t *network, address_t address)
{
    int whole = network->bits / 8, rest = network->bits % 8;
    if (memcmp(network->base.bytes, address.bytes, (size_t)whole) != 0)
        return false;
    return rest == 0 || (network->base.bytes[whole] ^ address.bytes[whole]) >> (8 - rest) == 0;
}

bool networks_contain(const networks_t *networks, address_t address)
{
    for (int i = 0; i < networks->count; i++)
        if (network_contains(&networks->items[i], address))
            return true;
    return false;
}

/* One element of X-Forwarded-For; some proxies add a port: "192.0.2.1:4711", "[2001:db8::1]:4711". */
static bool hop_parse(text_t hop, address_t *out)
{
    hop = text_trim(hop);
    if (hop.length > 1 && hop.data[0] == '[') {
        const char *end = memchr(hop.data, ']', hop.length);
        if (end == NULL)
            return false;
        return address_parse((text_t){.data = hop.data + 1, .length = (size_t)(end - hop.data - 1)}, out);
    }
    const char *colon = hop.length ? memchr(hop.data, ':', hop.length) : NULL;
    if (colon && !memchr(colon + 1, ':', hop.length - (size_t)(colon + 1 - hop.data)))
        hop.length = (size_t)(colon - hop.data);
    return address_parse(hop, out);
}

/* Cuts the last element off *list; false when nothing is left. */
static bool take_last(text_t *list, text_t *hop)
{
    if (list->data == NULL)
        return false;
    size_t at = list->length;
    while (at > 0 && list->data[at - 1] != ',')
        at--;
    *hop = (text_t){.data = list->data + at, .length = list->length - at};
    if (at == 0)
        list->data = NULL;
    else
        list->length = at - 1;
    return true;
}

address_t address_resolve(const networks_t *trusted, address_t peer, const text_t *forwarded, int count)
{
    address_t client = peer;
    if (!networks_contain(trusted, peer))
        return client;
    for (int i = count - 1, hops = 0; i >= 0; i--) {
        text_t list = forwarded[i], hop;
        while (take_last(&list, &hop)) {
            address_t next;
            if (++hops > HOPS_MAX || !hop_parse(hop, &next))
                return client;
            client = next;
            if (!networks_contain(trusted, client))
                return client;
        }
    }
    return client;
}
