/* cached: see the header. A fill stands here for each answer that is being made and that somebody waits for: by a request of this
 * frontend (it ends by cached_end_fill), or by another frontend's (it is looked at each WATCH_MILLISECONDS). Those who wait stand
 * in the fill's list, and all together in the order of their deadlines. */
#include "cached.h"
#include "accept.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/panic.h"
#include "cache_name.h"
#include "counters.h"
#include "crypto/etag.h"
#include "hot.h"
#include "request.h"
#include "response.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    FILL_CHAINS = 512,
    WATCH_MILLISECONDS = 2,
    COPY_TRIES = 3,
    PROBLEM_BYTES = 64 << 10,
    WAITS_MOST = 3, /* a request waits for so many fills, if each comes to nothing */
};

typedef struct waiter {
    exchange_t *exchange;
    fill_t *fill; /* NULL: it does not wait any more */
    int64_t deadline; /* clock_monotonic() */
    struct waiter *next, *previous;  /* of the fill */
    struct waiter *later, *earlier; /* of all */
} waiter_t;

struct fill {
    cache_key_t key;
    bool ours, ended;
    waiter_t *waiters;
    struct fill *next;       /* in its chain */
    struct fill *next_ended;
};

static struct {
    cache_t *cache;
    loop_t *loop;
    arena_t *arena; /* for problems that are not shown; emptied after each */
    fill_t *chains[FILL_CHAINS];
    fill_t *ended; /* whose waiters go on when the turn ends */
    waiter_t *first, *last;
    int waiting, watched; /* watched: fills of other frontends */
    loop_timer_t *timer;
    char control[80]; /* Cache-Control of public answers */
    char vary[2][64]; /* of answers that are one in all languages, and of others */
} cached;

/* --- keys --------------------------------------------------------------------------------------------------------- */

/* False: it has no name. */
static bool key_make(exchange_t *exchange)
{
    char name[CACHE_NAME_MOST];
    const cache_asked_t asked = {.destination = exchange->destination,
        .params = exchange->params,
        .query = exchange->query,
        .language = (int)exchange->language,
        .role = (int)exchange->token.role,
        .user = exchange->token.user};
    size_t length = cache_name_make(&asked, cached.arena, name);
    if (length > 0)
        exchange->cache_key = cache_key_of(cached.cache, (text_t){.data = name, .length = length});
    return length > 0;
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

static const h2o_iovec_t cache_tag_name = {H2O_STRLIT("cache-tag")};

/* What every answer of such a row has, whoever made it. */
static void add_headers(exchange_t *exchange, text_t etag, enum cache_form form, text_t tags)
{
    const destination_t *destination = exchange->destination;
    response_header(exchange, &H2O_TOKEN_ETAG->buf, etag);
    response_header(exchange, &H2O_TOKEN_VARY->buf, text_of(cached.vary[destination->by_language]));
    if (form == CACHE_GZIP)
        response_header(exchange, &H2O_TOKEN_CONTENT_ENCODING->buf, TEXT("gzip"));
    else if (form == CACHE_BROTLI)
        response_header(exchange, &H2O_TOKEN_CONTENT_ENCODING->buf, TEXT("br"));
    if (destination->cache != CACHE_PUBLIC)
        return;
    response_header(exchange, &H2O_TOKEN_CACHE_CONTROL->buf, text_of(cached.control));
    if (tags.length > 0)
        response_header(exchange, &cache_tag_name, tags);
}

static text_t room_for(exchange_t *exchange, size_t length)
{
    return (text_t){.data = h2o_mem_alloc_pool(&exchange->req->pool, length ? length : 1), .length = length};
}

/* False: the entry was replaced while it was being copied. */
static bool send_found(exchange_t *exchange, const cache_found_t *found)
{
    text_t none = {.data = NULL}, tags = none, body = {.data = "", .length = found->body_length};
    text_t etag = response_copy(exchange, text_of(found->etag));
    bool unchanged = accept_has(exchange->headers[HEADER_IF_NONE_MATCH], etag);
    if (found->header_length > 0) {
        tags = room_for(exchange, found->header_length);
        if (!cache_copy_headers(cached.cache, found, (char *)(uintptr_t)tags.data))
            return false;
    }
    if (!unchanged && exchange->method != METHOD_HEAD) {
        body = hot_body(&exchange->req->pool, cached.cache, found);
        if (body.data == NULL) {
            body = room_for(exchange, found->body_length);
            if (!cache_copy_body(cached.cache, found, (char *)(uintptr_t)body.data))
                return false;
        }
    }
    if (unchanged)
        count(COUNTER_CACHE_NOT_MODIFIED, 1);
    add_headers(exchange, etag, found->form, tags);
    response_send(exchange, unchanged ? 304 : 200, TYPE_JSON, none, body);
    return true;
}

/* Whose answers may be kept: on several machines nobody's, since a write elsewhere is heard of too late (architecture.md, "Shared
 * memory"). */
static bool applies(const exchange_t *exchange)
{
    const destination_t *destination = exchange->destination;
    if (destination->cache == CACHE_NEVER || !cache_enabled(cached.cache))
        return false;
    return destination->cache == CACHE_PUBLIC ||
           (!frontend.config.cluster.enabled && (destination->cache_roles >> exchange->token.role & 1));
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

static fill_t **chain_of(const cache_key_t *key)
{
    return &cached.chains[key->words[0] % FILL_CHAINS];
}

static fill_t *fill_find(const cache_key_t *key)
{
    fill_t *fill = *chain_of(key);
    while (fill != NULL && memcmp(&fill->key, key, sizeof(*key)) != 0)
        fill = fill->next;
    return fill;
}

static void watch_begin(void);

static fill_t *fill_create(const cache_key_t *key, bool ours)
{
    fill_t *fill = memory_zeroed(1, sizeof(*fill)), **chain = chain_of(key);
    fill->key = *key;
    fill->ours = ours;
    fill->next = *chain;
    *chain = fill;
    cached.watched += !ours;
    return fill;
}

/* Its waiters go on when the turn ends: not before, since whoever ends it may be walking through the pending table. */
static void fill_end(fill_t *fill)
{
    fill_t **at = chain_of(&fill->key);
    while (*at != fill)
        at = &(*at)->next;
    *at = fill->next;
    cached.watched -= !fill->ours;
    fill->ended = true;
    fill->next_ended = cached.ended;
    cached.ended = fill;
}

static void waiter_unlink(waiter_t *waiter)
{
    if (waiter->previous != NULL)
        waiter->previous->next = waiter->next;
    else
        waiter->fill->waiters = waiter->next;
    if (waiter->next != NULL)
        waiter->next->previous = waiter->previous;
    *(waiter->earlier != NULL ? &waiter->earlier->later : &cached.first) = waiter->later;
    *(waiter->later != NULL ? &waiter->later->earlier : &cached.last) = waiter->earlier;
    waiter->fill = NULL;
    cached.waiting--;
    count(COUNTER_CACHE_WAITING, -1);
}

/* libh2o disposes of the request: its client went away, or it was answered. */
static void on_waiter_gone(void *argument)
{
    waiter_t *waiter = argument;
    if (waiter->fill == NULL)
        return;
    fill_t *fill = waiter->fill;
    waiter_unlink(waiter);
    response_abandoned(waiter->exchange);
    if (!fill->ours && !fill->ended && fill->waiters == NULL)
        fill_end(fill);
}

static void wait_for(exchange_t *exchange, fill_t *fill)
{
    int64_t wait = frontend.config.cache.fill_wait * CLOCK_MILLISECOND;
    waiter_t *waiter = h2o_mem_alloc_shared(&exchange->req->pool, sizeof(*waiter), on_waiter_gone);
    *waiter = (waiter_t){.exchange = exchange,
        .fill = fill,
        .deadline = clock_monotonic() + wait,
        .next = fill->waiters,
        .earlier = cached.last};
    if (fill->waiters != NULL)
        fill->waiters->previous = waiter;
    fill->waiters = waiter;
    *(cached.last != NULL ? &cached.last->later : &cached.first) = waiter;
    cached.last = waiter;
    cached.waiting++;
    exchange->cache_waits++;
    count(COUNTER_CACHE_WAITS, 1);
    count(COUNTER_CACHE_WAITING, 1);
    watch_begin();
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

static void fill_begin(exchange_t *exchange)
{
    fill_t *known = fill_find(&exchange->cache_key);
    if (known != NULL && known->ours) { /* it took longer than it had: both go on, and its waiters look once more */
        exchange->cache_files = true;
        return;
    }
    if (known != NULL)
        fill_end(known);
    exchange->fill = fill_create(&exchange->cache_key, true);
    exchange->cache_files = true;
}

/* False: ask the actor. */
static bool wait_or_ask(exchange_t *exchange)
{
    if (exchange->cache_waits == WAITS_MOST || cached.waiting >= frontend.config.cache.max_waiting)
        return false;
    fill_t *fill = fill_find(&exchange->cache_key);
    wait_for(exchange, fill != NULL ? fill : fill_create(&exchange->cache_key, false));
    return true;
}

static bool look(exchange_t *exchange, bool claims)
{
    int64_t claim_for = claims ? frontend.config.cache.fill_wait * CLOCK_MILLISECOND : 0;
    int64_t now = claims && exchange->cache_waits == 0 ? exchange->started : clock_monotonic();
    unsigned accept = accept_forms(exchange->headers[HEADER_ACCEPT_ENCODING]);
    cache_found_t found;
    for (int try = 0; try < COPY_TRIES; try++) {
        cache_look(cached.cache, &exchange->cache_key, accept, now, claim_for, &found);
        switch (found.outcome) {
        case CACHE_HIT:
        case CACHE_STALE:
            if (send_found(exchange, &found)) {
                if (claims)
                    count(found.outcome == CACHE_HIT ? COUNTER_CACHE_HITS : COUNTER_CACHE_STALE, 1);
                return true;
            }
            continue;
        case CACHE_STALE_FILL: /* this one makes it anew, the others need not wait */
        case CACHE_FILL:
            count(COUNTER_CACHE_MISSES, 1);
            fill_begin(exchange);
            return false;
        case CACHE_BUSY:
            if (claims && wait_or_ask(exchange))
                return true;
            break;
        case CACHE_NONE:
            break;
        }
        break;
    }
    if (claims)
        count(COUNTER_CACHE_MISSES, 1);
    return false;
}

bool cached_answer(exchange_t *exchange)
{
    exchange->cache_files = false;
    return applies(exchange) && key_make(exchange) && look(exchange, true);
}

text_t cached_key(const exchange_t *exchange)
{
    return exchange->cache_files
               ? (text_t){.data = (const char *)&exchange->cache_key, .length = sizeof(exchange->cache_key)}
               : (text_t){.data = NULL};
}

/* --- what an actor answered --------------------------------------------------------------------------------------- */

/* Tags as they travel, "child:… videos", in the form of the header. */
static text_t tags_header(exchange_t *exchange, text_t tags)
{
    text_t copy = response_copy(exchange, tags);
    for (size_t i = 0; i < copy.length; i++)
        if (copy.data[i] == ' ')
            ((char *)(uintptr_t)copy.data)[i] = ',';
    return copy;
}

void cached_reply(exchange_t *exchange, const reply_t *reply)
{
    /* In the cache it may stand compressed, too. */
    if (exchange->cache_files && look(exchange, false))
        return;
    const destination_t *destination = exchange->destination;
    bool personal = destination->cache == CACHE_PERSONAL;
    text_t none = {.data = NULL}, user = {(const char *)exchange->token.user.bytes, sizeof(uuid_t)};
    char made[ETAG_SIZE];
    etag_make(personal ? user : none, reply->body, '\0', made);
    text_t etag = response_copy(exchange, text_of(made));
    bool unchanged = accept_has(exchange->headers[HEADER_IF_NONE_MATCH], etag);
    if (unchanged)
        count(COUNTER_CACHE_NOT_MODIFIED, 1);
    add_headers(exchange, etag, CACHE_IDENTITY, personal ? none : tags_header(exchange, reply->tags));
    response_send(exchange, unchanged ? 304 : 200, TYPE_JSON, none, response_copy(exchange, reply->body));
}

fill_t *cached_take_fill(exchange_t *exchange)
{
    fill_t *fill = exchange->fill;
    exchange->fill = NULL;
    return fill;
}

void cached_end_fill(fill_t *fill)
{
    if (fill == NULL)
        return;
    cache_release(cached.cache, &fill->key);
    fill_end(fill);
}

/* --- the loop ----------------------------------------------------------------------------------------------------- */

static void waiter_wake(waiter_t *waiter)
{
    exchange_t *exchange = waiter->exchange;
    waiter_unlink(waiter);
    request_continue(exchange);
}

static bool on_turn(void *argument)
{
    (void)argument;
    bool any = cached.ended != NULL;
    while (cached.ended != NULL) {
        fill_t *fill = cached.ended;
        cached.ended = fill->next_ended;
        while (fill->waiters != NULL)
            waiter_wake(fill->waiters);
        free(fill);
    }
    return any;
}

/* Is another frontend's fill over? */
static void fill_watch(fill_t *fill)
{
    cache_found_t found;
    cache_look(cached.cache, &fill->key, CACHE_ACCEPT_IDENTITY, clock_monotonic(), 0, &found);
    if (found.outcome != CACHE_BUSY)
        fill_end(fill);
}

static void on_watch_time(void *argument)
{
    (void)argument;
    int64_t now = clock_monotonic();
    for (int i = 0; i < FILL_CHAINS && cached.watched > 0; i++)
        for (fill_t *fill = cached.chains[i], *next; fill != NULL; fill = next) {
            next = fill->next;
            if (!fill->ours)
                fill_watch(fill);
        }
    while (cached.first != NULL && cached.first->deadline <= now) {
        waiter_t *waiter = cached.first;
        fill_t *fill = waiter->fill;
        waiter->exchange->cache_waits = WAITS_MOST; /* whatever it finds now, it does not wait again */
        waiter_wake(waiter);
        if (!fill->ours && !fill->ended && fill->waiters == NULL)
            fill_end(fill);
    }
    if (cached.first == NULL && cached.watched == 0)
        cached.loop->timer_stop(&cached.timer);
}

static void watch_begin(void)
{
    if (cached.timer == NULL)
        cached.timer = cached.loop->timer(cached.loop, WATCH_MILLISECONDS, on_watch_time, NULL);
}

static _Noreturn void on_arena_limit(void *argument)
{
    (void)argument;
    panic("the problems of one query take more than %d bytes", PROBLEM_BYTES);
}

void cached_configure(const config_t *config)
{
    const char *origin = config->cors.origins.count > 0 ? ", Origin" : ""; /* as all answers then (response.c) */
    snprintf(cached.vary[0], sizeof(cached.vary[0]), "Accept-Encoding%s", origin);
    hot_open((size_t)config->cache.hot);
    snprintf(cached.vary[1], sizeof(cached.vary[1]), "Accept-Encoding, Accept-Language%s", origin);
}

void cached_open(loop_t *loop, process_t *process)
{
    const config_t *config = &process->config;
    cached.cache = cache_open(process->segment, process->self);
    cached.loop = loop;
    cached.arena = arena_create(PROBLEM_BYTES, on_arena_limit, NULL);
    long long age = config->cache.public_max_age / 1000, shared_age = config->cache.public_shared_max_age / 1000;
    snprintf(cached.control, sizeof(cached.control),
        age + shared_age > 0 ? "public, max-age=%lld, s-maxage=%lld" : "no-cache", age, shared_age);
    cached_configure(config);
    loop->add_turn_hook(loop, on_turn, NULL);
}
