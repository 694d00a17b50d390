/* auth: verified tokens are kept in a set-associative table under a keyed hash of their signature; a hit compares the whole text, so
 * a token is never taken for another one. An entry is good until the token expires; when the table of revocations has changed
 * since it was last looked at, it is asked again before the entry is believed. */
#include "auth.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/siphash.h"
#include "counters.h"
#include "crypto/hash.h"
#include "shm/process.h"
#include "shm/revocation.h"
#include <stdlib.h>

enum { SETS = 1024, WAYS = 4, TOKEN_LONGEST = 1024, SIGNATURE = 43 }; /* characters of an HMAC-SHA256 at a token's end */

typedef struct {
    uint64_t hash, version; /* version of the revocations it was checked against */
    token_t token;
    size_t length;
    char text[];
} verified_t;

static struct {
    segment_t *segment;
    key_ring_t ring;
    token_rules_t rules;
    uint8_t hash_key[16];
    verified_t *cache[SETS][WAYS]; /* [0] was used last */
} auth;

void auth_open(segment_t *segment, const config_t *config)
{
    auth.segment = segment;
    process_ring("jwt_keys", &auth.ring);
    auth.rules = (token_rules_t){.ring = &auth.ring, .issuer = config->auth.issuer, .audience = config->auth.audience};
    random_bytes(auth.hash_key, sizeof(auth.hash_key));
}

/* The token of "Bearer token"; data NULL when the scheme is another one. */
static text_t bearer(text_t authorization)
{
    text_t scheme = TEXT("Bearer ");
    if (authorization.length <= scheme.length ||
        !text_equal_nocase((text_t){authorization.data, scheme.length}, scheme))
        return (text_t){.data = NULL};
    return text_trim((text_t){authorization.data + scheme.length, authorization.length - scheme.length});
}

/* Not revoked since, by the table as it is now. */
static bool still_stands(const token_t *token, int64_t now)
{
    return token->issued >= revocation_not_before(auth.segment, token->session, token->user, now);
}

static void evict(verified_t **place)
{
    if (*place == NULL)
        return;
    free(*place);
    *place = NULL;
    count(COUNTER_TOKENS_CACHED, -1);
}

/* The set's entry with this text, moved to its front; NULL: none. */
static verified_t *cache_find(verified_t **set, uint64_t hash, text_t text)
{
    for (int way = 0; way < WAYS && set[way] != NULL; way++) {
        verified_t *entry = set[way];
        if (entry->hash != hash || entry->length != text.length || memcmp(entry->text, text.data, text.length) != 0)
            continue;
        memmove(set + 1, set, (size_t)way * sizeof(*set));
        set[0] = entry;
        return entry;
    }
    return NULL;
}

static void cache_forget_first(verified_t **set)
{
    evict(&set[0]);
    memmove(set, set + 1, (WAYS - 1) * sizeof(*set));
    set[WAYS - 1] = NULL;
}

static void cache_put(verified_t **set, uint64_t hash, text_t text, const token_t *token, uint64_t version)
{
    verified_t *entry = memory_allocate(sizeof(*entry) + text.length);
    *entry = (verified_t){.hash = hash, .version = version, .token = *token, .length = text.length};
    memcpy(entry->text, text.data, text.length);
    evict(&set[WAYS - 1]);
    memmove(set + 1, set, (WAYS - 1) * sizeof(*set));
    set[0] = entry;
    count(COUNTER_TOKENS_CACHED, 1);
}

/* Signatures are as good as random; other tokens under the same one are refused and never stand in the table. */
static uint64_t hash_of(text_t text)
{
    size_t length = text.length < SIGNATURE ? text.length : SIGNATURE;
    return siphash(auth.hash_key, text.data + text.length - length, length);
}

static bool token_check(text_t text, int64_t now, token_t *out, const char **reason)
{
    /* Read before the table itself: a revocation that comes in between is seen on the next request. */
    uint64_t version = revocation_version(auth.segment), hash = hash_of(text);
    verified_t **set = auth.cache[hash % SETS], *entry = cache_find(set, hash, text);
    if (entry != NULL) {
        count(COUNTER_TOKEN_HITS, 1);
        *reason = entry->token.expires <= now ? "expired" : "revoked";
        if (entry->token.expires <= now || (entry->version != version && !still_stands(&entry->token, now))) {
            cache_forget_first(set);
            return false;
        }
        entry->version = version;
        *out = entry->token;
        return true;
    }
    count(COUNTER_TOKEN_MISSES, 1);
    if (!token_verify(&auth.rules, text, now, out, reason))
        return false;
    if (!still_stands(out, now)) {
        *reason = "revoked";
        return false;
    }
    cache_put(set, hash, text, out, version);
    return true;
}

bool auth_check_token(text_t text, int64_t now, token_t *out, const char **reason)
{
    *reason = "too long";
    if (text.length > 0 && text.length <= TOKEN_LONGEST && token_check(text, now, out, reason))
        return true;
    count(COUNTER_TOKEN_REFUSED, 1);
    return false;
}

enum auth_result auth_check(text_t authorization, int64_t now, token_t *out, const char **reason)
{
    if (authorization.data == NULL)
        return AUTH_ABSENT;
    text_t text = bearer(authorization);
    if (text.data == NULL || text.length == 0 || text.length > TOKEN_LONGEST) {
        *reason = text.length > TOKEN_LONGEST ? "too long" : "scheme";
        count(COUNTER_TOKEN_REFUSED, 1);
        return AUTH_REFUSED;
    }
    if (token_check(text, now, out, reason))
        return AUTH_OK;
    count(COUNTER_TOKEN_REFUSED, 1);
    return AUTH_REFUSED;
}
