/* config_value: one table of units per type, one function per kind of text. */
#include "config_value.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>

typedef struct {
    const char *name;
    int64_t factor;
} unit_t;

/* Ascending; each table ends with a row without a name. */
static const unit_t plain_units[] = {{"", 1}, {NULL, 0}};
static const unit_t size_units[] = {
    {"", 1}, {"K", 1024}, {"M", 1024 * 1024}, {"G", 1024 * 1024 * 1024}, {NULL, 0}};
static const unit_t duration_units[] = {{"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000},
    {"d", 86400 * 1000}, {"y", INT64_C(365) * 86400 * 1000}, {NULL, 0}};

static const struct {
    const unit_t *units;
    const char *wanted;
} types[CONFIG_TYPES] = {
    [CONFIG_TEXT] = {NULL, "a text"},
    [CONFIG_INTEGER] = {plain_units, "a whole number"},
    [CONFIG_SIZE] = {size_units, "a size like 512, 64K or 1M"},
    [CONFIG_DURATION] = {duration_units, "a duration with its unit, like 200ms, 15s, 15m or 7d"},
    [CONFIG_SWITCH] = {NULL, "true or false"},
    [CONFIG_LIST] = {NULL, "a list like [\"a\", \"b\"]"},
};

static const struct {
    const char *name;
    bool value;
} switches[] = {{"true", true}, {"false", false}, {"on", true}, {"off", false}, {"yes", true}, {"no", false}};

const char *config_type_wanted(enum config_type type)
{
    return types[type].wanted;
}

static bool switch_read(text_t text, int64_t *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(switches); i++)
        if (text_equal_nocase(text, text_of(switches[i].name))) {
            *out = switches[i].value;
            return true;
        }
    return false;
}

static bool quantity_read(const unit_t *units, text_t text, int64_t *out)
{
    size_t digits = 0;
    int64_t number;

    while (digits < text.length && isdigit((unsigned char)text.data[digits]))
        digits++;
    if (!text_to_int((text_t){text.data, digits}, &number))
        return false;
    text_t unit = {text.data + digits, text.length - digits};
    if (number == 0 && unit.length == 0) {
        *out = 0;
        return true;
    }
    for (; units->name != NULL; units++)
        if (text_equal(unit, text_of(units->name)))
            return !__builtin_mul_overflow(number, units->factor, out);
    return false;
}

int config_number_read(
    const config_row_t *row, const char *text, int64_t *out, char *error, size_t error_size)
{
    char low[32], high[32];
    int64_t number;
    bool good = row->type == CONFIG_SWITCH ? switch_read(text_of(text), &number)
                                           : quantity_read(types[row->type].units, text_of(text), &number);

    if (!good) {
        snprintf(error, error_size, "\"%.60s\" is not %s", text, types[row->type].wanted);
        return -1;
    }
    if (row->type != CONFIG_SWITCH && (number < row->min || number > row->max)) {
        config_number_format(row->type, row->min, low, sizeof(low));
        config_number_format(row->type, row->max, high, sizeof(high));
        snprintf(error, error_size, "%.60s is out of range (%s to %s)", text, low, high);
        return -1;
    }
    *out = number;
    return 0;
}

void config_number_format(enum config_type type, int64_t value, char *out, size_t out_size)
{
    if (type == CONFIG_SWITCH) {
        snprintf(out, out_size, "%s", value ? "true" : "false");
        return;
    }
    const unit_t *best = types[type].units;
    if (value != 0)
        for (const unit_t *unit = best; unit->name != NULL; unit++)
            if (value % unit->factor == 0)
                best = unit;
    snprintf(out, out_size, "%lld%s", (long long)(value / best->factor), value != 0 ? best->name : "");
}

const char *config_refuse_address(const char *value)
{
    unsigned char address[sizeof(struct in6_addr)];
    bool good = inet_pton(AF_INET, value, address) == 1 || inet_pton(AF_INET6, value, address) == 1;
    return good ? NULL : "an IPv4 or IPv6 address";
}

const char *config_refuse_network(const char *value)
{
    static const char wanted[] = "a network like 10.0.0.0/8 or fd00::/8, or one address";
    char address[64];
    const char *slash = strchr(value, '/');
    size_t length = slash ? (size_t)(slash - value) : strlen(value);
    int64_t bits = 0;

    if (length >= sizeof(address))
        return wanted;
    memcpy(address, value, length);
    address[length] = '\0';
    if (config_refuse_address(address) != NULL)
        return wanted;
    if (slash &&
        (!text_to_int(text_of(slash + 1), &bits) || bits < 0 || bits > (strchr(address, ':') ? 128 : 32)))
        return wanted;
    return NULL;
}

/* scheme "://" host [":" port], without path: what browsers send (RFC 6454, section 7). */
const char *config_refuse_origin(const char *value)
{
    static const char wanted[] =
        "an origin like https://app.example.com or http://localhost:3000, without a path";
    text_t rest = text_of(value);
    text_t scheme = text_starts_with(rest, TEXT("https://")) ? TEXT("https://") : TEXT("http://");

    if (!text_starts_with(rest, scheme) || rest.length == scheme.length)
        return wanted;
    for (const char *p = value + scheme.length; *p != '\0'; p++)
        if (isupper((unsigned char)*p) || (!isalnum((unsigned char)*p) && strchr("-.:[]", *p) == NULL))
            return wanted;
    return NULL;
}

/* Printable, without a fragment. */
static bool is_absolute(const char *value)
{
    for (const char *p = value; *p != '\0'; p++)
        if (!isgraph((unsigned char)*p) || strchr("#\"<>\\^`{|}", *p) != NULL)
            return false;
    return strlen(value) <= 1000;
}

const char *config_refuse_url(const char *value)
{
    static const char wanted[] = "a URL like https://id.example.com/token, or http:// on the loopback";
    static const char *const begins[] = {"https://", "http://127.0.0.1", "http://localhost", "http://[::1]"};
    for (size_t i = 0; i < ARRAY_SIZE(begins); i++) {
        const char *rest = value + strlen(begins[i]);
        if (text_starts_with(text_of(value), text_of(begins[i])) && (i == 0 ? isalnum((unsigned char)*rest) : *rest == ':' || *rest == '/'))
            return is_absolute(value) && strchr(value, '@') == NULL ? NULL : wanted;
    }
    return wanted;
}

/* An app's own scheme is fine (RFC 8252, section 7.1); what runs in a browser is not. */
const char *config_refuse_redirect(const char *value)
{
    static const char wanted[] = "a redirect URI like https://app.example.com/login or com.example.app:/login";
    size_t scheme = strcspn(value, ":");
    if (!islower((unsigned char)value[0]) || value[scheme] == '\0' || value[scheme + 1] != '/' || !is_absolute(value))
        return wanted;
    for (size_t i = 0; i < scheme; i++)
        if (!islower((unsigned char)value[i]) && !isdigit((unsigned char)value[i]) && strchr("+-.", value[i]) == NULL)
            return wanted;
    return NULL;
}

static const char *refuse_unless(const char *const *words, const char *value, const char *wanted)
{
    for (; *words != NULL; words++)
        if (strcmp(value, *words) == 0)
            return NULL;
    return wanted;
}

const char *config_refuse_level(const char *value)
{
    static const char *const levels[] = {"debug", "info", "warning", "error", NULL};
    return refuse_unless(levels, value, "debug, info, warning or error");
}

const char *config_refuse_transport(const char *value)
{
    static const char *const transports[] = {"smtp", "file", NULL};
    return refuse_unless(transports, value, "smtp or file");
}

const char *config_refuse_mail_tls(const char *value)
{
    static const char *const modes[] = {"starttls", "tls", "none", NULL};
    return refuse_unless(modes, value, "starttls, tls or none");
}

/* What may stand between "smtp://" and ":587". */
const char *config_refuse_host(const char *value)
{
    for (const char *p = value; *p != '\0'; p++)
        if (!isalnum((unsigned char)*p) && strchr("-.:[]", *p) == NULL)
            return "the name or the address of a server";
    return NULL;
}

/* Stands in the header of every mail: nothing that would have to be quoted there. */
const char *config_refuse_email(const char *value)
{
    const char *at = strchr(value, '@');
    bool good = at != NULL && at != value && at[1] != '\0' && config_refuse_host(at + 1) == NULL;
    for (const char *p = value; good && p < at; p++)
        good = isalnum((unsigned char)*p) || strchr("-._+=", *p) != NULL;
    return good ? NULL : "an e-mail address like noreply@example.com";
}

const char *config_refuse_line(const char *value)
{
    for (const char *p = value; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return "one line without control characters";
    return NULL;
}

const char *config_refuse_token(const char *value)
{
    for (const char *p = value; *p != '\0'; p++)
        if (*p <= ' ' || *p > '~' || *p == '"' || *p == '\\')
            return "printable ASCII without spaces and quotes";
    return NULL;
}

const char *config_refuse_redis(const char *value)
{
    text_t url = text_of(value);
    if (url.length == 0 || text_starts_with(url, TEXT("redis://")) || text_starts_with(url, TEXT("unix://")))
        return NULL;
    return "empty, or like redis://127.0.0.1:6379/0 or unix:///run/redis.sock";
}

const char *config_refuse_user(const char *value)
{
    size_t length = strlen(value);
    bool good = length > 0 && length <= 32 && (islower((unsigned char)value[0]) || value[0] == '_');

    for (size_t i = 0; i < length; i++)
        good = good && (islower((unsigned char)value[i]) || isdigit((unsigned char)value[i]) ||
                           strchr("_-", value[i]));
    return good ? NULL : "the name of a user";
}

const char *config_refuse_name(const char *value)
{
    return value[0] != '\0' ? NULL : "a text that is not empty";
}
