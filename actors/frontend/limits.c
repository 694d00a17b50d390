/* limits: which bucket each request draws from. */
#include "limits.h"
#include "base/clock.h"
#include "counters.h"

enum { ACCOUNT_LONGEST = 256 };

/* Each with its counter, COUNTER_RATE_REFUSED_API + limit. */
enum limit { LIMIT_API, LIMIT_LOGIN, LIMIT_ACCOUNT, LIMIT_PASSWORD, LIMIT_UPLOAD, LIMIT_MAIL, LIMIT_POLL };
static const char *const names[] = {[LIMIT_API] = "api", [LIMIT_LOGIN] = "login", [LIMIT_ACCOUNT] = "account",
    [LIMIT_PASSWORD] = "password", [LIMIT_UPLOAD] = "upload", [LIMIT_MAIL] = "mail", [LIMIT_POLL] = "poll"};
_Static_assert(COUNTER_RATE_REFUSED_API + (int)LIMIT_POLL == COUNTER_RATE_REFUSED_POLL, "a counter for each limit");

static struct {
    segment_t *segment;
    const config_t *config;
} limits;

void limits_open(segment_t *segment, const config_t *config)
{
    limits.segment = segment;
    limits.config = config;
}

static bool check(limits_t *all, enum limit which, text_t key, int64_t limit, int64_t window, int64_t now)
{
    rate_result_t result = rate_check(limits.segment, names[which], key, limit, window, now);
    if (!all->counted || !result.allowed ||
        (all->tightest.allowed && result.remaining < all->tightest.remaining))
        all->tightest = result;
    all->counted = true;
    if (!result.allowed) {
        count(COUNTER_RATE_REFUSED, 1);
        count((enum counter)(COUNTER_RATE_REFUSED_API + (int)which), 1);
    }
    return result.allowed;
}

bool limits_address(limits_t *all, enum rate_class class, address_t client, int64_t now)
{
    if (!limits.config->rate.enabled || class == RATE_NONE)
        return true;
    text_t key = {.data = (const char *)client.bytes, .length = sizeof(client.bytes)};
    if (class == RATE_POLL)
        return check(all, LIMIT_POLL, key, limits.config->rate.poll_per_minute, 60 * CLOCK_SECOND, now);
    if (!check(all, LIMIT_API, key, limits.config->rate.api_per_minute, 60 * CLOCK_SECOND, now))
        return false;
    return class != RATE_LOGIN ||
           check(all, LIMIT_LOGIN, key, limits.config->rate.login_per_minute, 60 * CLOCK_SECOND, now);
}

/* Accounts are compared as the database compares them: by lower case. What is cut off here is no address that
 * exists. */
bool limits_account(limits_t *all, text_t account, int64_t now)
{
    char lower[ACCOUNT_LONGEST];
    if (!limits.config->rate.enabled || account.data == NULL)
        return true;
    account = text_trim(account);
    size_t length = account.length < sizeof(lower) ? account.length : sizeof(lower);
    for (size_t i = 0; i < length; i++) {
        char c = account.data[i];
        lower[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    return check(all, LIMIT_ACCOUNT, (text_t){lower, length}, limits.config->rate.login_per_minute,
        60 * CLOCK_SECOND, now);
}

bool limits_password(limits_t *all, uuid_t user, int64_t now)
{
    if (!limits.config->rate.enabled)
        return true;
    text_t key = {.data = (const char *)user.bytes, .length = sizeof(user.bytes)};
    return check(all, LIMIT_PASSWORD, key, limits.config->rate.login_per_minute, 60 * CLOCK_SECOND, now);
}

bool limits_upload(limits_t *all, uuid_t user, int64_t now)
{
    if (!limits.config->rate.enabled)
        return true;
    text_t key = {.data = (const char *)user.bytes, .length = sizeof(user.bytes)};
    return check(all, LIMIT_UPLOAD, key, limits.config->rate.upload_per_hour, 3600 * CLOCK_SECOND, now);
}

bool limits_mail(limits_t *all, uuid_t user, int64_t now)
{
    if (!limits.config->rate.enabled)
        return true;
    text_t key = {.data = (const char *)user.bytes, .length = sizeof(user.bytes)};
    return check(all, LIMIT_MAIL, key, limits.config->rate.mail_per_hour, 3600 * CLOCK_SECOND, now);
}
