/* links: visits each published video's link once a day, the one that waits longest first (product.md, section 5). After failures on three
 * different days the video leaves recommendations and admins are told; when its link answers again, it is back.
 *
 * What always holds: a link is noted as looked at before it is asked, so whoever dies, it is asked once a day; what its answer means is
 * kept together with the word to the admins, and remembered here until it is kept, whatever PostgreSQL says meanwhile. No link is
 * judged while none answers at all: then it is this machine that does not reach the outside. And none by a refusal, which may be about
 * us; when a platform refuses one after the other, the log tells.
 *
 * But what a platform's service forbids (401, 403) is what it says of a video that is private or may not be embedded (oEmbed 1.0, 2.3.4;
 * YouTube and Vimeo say so of both). Such a link is in doubt: once the same service has answered for another video, it is asked again, and
 * when that is forbidden as well it is the video's own, and a failure. Doubts last an hour and are nobody's memory but ours: another day
 * has its own. */
#include "links.h"
#include "rules.h"
#include "videos.h"
#include "../../shared/actor/events.h"
#include "../../shared/base/clock.h"
#include "../../shared/base/config.h"
#include "../../shared/base/fault.h"
#include "../../shared/base/log.h"
#include "../../shared/net/http.h"
#include "../../shared/net/transfer.h"
#include <stdio.h>

enum { ANSWER_MOST = 64 << 10, REFUSED_MANY = 5 /* one after the other */, REASON_SIZE = 128, DOUBTED_MOST = 32 /* more wait for another day */ };

static struct {
    int64_t answered, complained; /* clock_monotonic(), when any last did; when that none does was last said; 0: never */
    struct {
        int count;    /* refusals since it last said something of a video */
        int64_t told; /* clock_monotonic(); 0: not of these */
    } refusals[PLATFORMS];
} links;

/* What a link has answered and no row says yet: PostgreSQL refused it, or was away. The next step begins with it. */
static struct {
    bool open, failed;
    uuid_t video;
    buffer_t url;
    char reason[REASON_SIZE];
} found;

/* What its platform's service forbade. */
static struct {
    bool open, due; /* due: to be asked again, the service has answered since */
    int64_t at;     /* clock_monotonic() */
    link_row_t link;
    buffer_t url;
} doubted[DOUBTED_MOST];

void links_open(call_t *call)
{
    static bool opened;
    if (!opened)
        transfer_open(call_loop(call), 1);
    opened = true;
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

/* NULL: its platform has none. */
static const char *service_of(call_t *call, const link_row_t *link)
{
    const config_t *config = call_config(call);
    const char *services[PLATFORMS] = {[PLATFORM_YOUTUBE] = config->links.youtube, [PLATFORM_VIMEO] = config->links.vimeo};
    const char *service = services[link->video_platform];
    return service != NULL && service[0] != '\0' ? service : NULL;
}

/* What is asked: the platform's service, which knows what its pages do not say, or the link itself. */
static const char *question_of(call_t *call, const link_row_t *link)
{
    const char *service = service_of(call, link);
    if (service == NULL)
        return arena_string(call->arena, link->video_url);
    buffer_t url = {0};
    buffer_add_string(&url, service);
    http_form_add(&url, "url", link->video_url);
    const char *copy = arena_string(call->arena, buffer_text(&url));
    buffer_free(&url);
    return copy;
}

static enum link_state ask(call_t *call, const link_row_t *link, const char **reason)
{
    const config_t *config = call_config(call);
    http_answer_t answer;
    http_request_t request = {.url = question_of(call, link),
        .max_bytes = ANSWER_MOST,
        .deadline = clock_monotonic() + config->links.timeout * CLOCK_MILLISECOND,
        .plain_loopback = config->links.plain_loopback,
        .public_only = true};
    call_leave(call);
    enum http_outcome outcome = http_run(call->arena, &request, &answer);
    call_return(call);
    call_renew(call);
    bool answered = outcome == HTTP_ANSWERED || outcome == HTTP_TOO_LARGE;
    *reason = answered ? arena_format(call->arena, "status %d%c", answer.status, '\0').data : answer.reason;
    if (answered)
        links.answered = clock_monotonic();
    return outcome == HTTP_BUSY ? LINK_UNTOLD : link_state_of(answered ? answer.status : 0);
}

/* Has any link answered in the last day? */
static bool outside_reached(void)
{
    int64_t now = clock_monotonic();
    if (links.answered != 0 && now - links.answered < CLOCK_DAY)
        return true;
    if (links.complained == 0 || now - links.complained > CLOCK_DAY / 24)
        log_event(LOG_WARNING, "links_unreachable", LOG_S("next", "no link of any video answers: let this machine reach the outside, or "
                                                                   "set links.check to false"));
    links.complained = now;
    return false;
}

/* Of its platform, whether it refuses us. A day later it is told again. */
static void refusals_note(int64_t platform, enum link_state state, const char *reason)
{
    int64_t now = clock_monotonic(), told = links.refusals[platform].told;
    int count = state == LINK_REFUSED || state == LINK_FORBIDDEN ? ++links.refusals[platform].count : 0;
    if (state == LINK_ALIVE || state == LINK_FAILED) {
        links.refusals[platform].count = 0;
        links.refusals[platform].told = 0;
    }
    if (count < REFUSED_MANY || (told != 0 && now - told < CLOCK_DAY))
        return;
    links.refusals[platform].told = now;
    log_event(LOG_WARNING, "links_refused", LOG_S("platform", video_platforms[platform]), LOG_I("in_a_row", count),
        LOG_S("reason", reason), LOG_S("next", "its links are not judged by that; ask it why, or raise links.pause"));
}

/* --- doubts ------------------------------------------------------------------------------------------------------- */

static void doubt(const link_row_t *link)
{
    int64_t now = clock_monotonic();
    int place = -1;
    for (int i = 0; i < DOUBTED_MOST; i++) {
        if (doubted[i].open && uuid_equal(doubted[i].link.id, link->id))
            doubted[i].open = false;
        if (place < 0 && (!doubted[i].open || now - doubted[i].at > CLOCK_DAY / 24))
            place = i;
    }
    if (place < 0)
        return;
    doubted[place].url.length = 0;
    buffer_add_text(&doubted[place].url, link->video_url);
    doubted[place].link = *link;
    doubted[place].link.video_url = buffer_text(&doubted[place].url);
    doubted[place].at = now;
    doubted[place].open = true;
    doubted[place].due = false;
}

/* The service has answered for this one: what it says of the others now is about them. */
static void doubts_due(const link_row_t *answered)
{
    for (int i = 0; i < DOUBTED_MOST; i++) {
        if (uuid_equal(doubted[i].link.id, answered->id))
            doubted[i].open = false;
        doubted[i].due |= doubted[i].link.video_platform == answered->video_platform;
    }
}

/* One that is to be asked again, no longer in doubt; NULL: none. Good until the next doubt. */
static const link_row_t *doubt_take(void)
{
    int64_t now = clock_monotonic();
    for (int i = 0; i < DOUBTED_MOST; i++) {
        bool good = doubted[i].open && doubted[i].due && now - doubted[i].at <= CLOCK_DAY / 24;
        doubted[i].open &= good || !doubted[i].due;
        if (good) {
            doubted[i].open = false;
            return &doubted[i].link;
        }
    }
    return NULL;
}

/* --- what it means ------------------------------------------------------------------------------------------------ */

static void admins_tell(call_t *call, uuid_t video, text_t title)
{
    notification_broadcast_t notice = {0};
    char id[UUID_TEXT_SIZE];
    uuid_format(video, id);
    message_set(&notice, role, BROADCAST_ADMIN);
    message_set(&notice, title, TEXT("열리지 않는 영상이 있어요"));
    message_set(&notice, title_en, TEXT("A video's link is dead"));
    message_set(&notice, message, arena_format(call->arena, "‘%.*s’의 링크가 사흘 동안 열리지 않아 추천에서 빠졌어요. 링크를 확인해 주세요.",
                                      TEXT_ARG(title)));
    message_set(&notice, message_en, arena_format(call->arena, "The link of “%.*s” failed on three days; it is not recommended any more. "
                                                               "Please check it.",
                                         TEXT_ARG(title)));
    message_set(&notice, link_url, arena_format(call->arena, "/admin/videos/%s", id));
    event_emit(call, "notification.broadcast", video, &notification_broadcast_message, &notice);
}

static void found_keep(const link_row_t *link, bool failed, const char *reason)
{
    found.video = link->id;
    found.failed = failed;
    found.url.length = 0;
    buffer_add_text(&found.url, link->video_url);
    snprintf(found.reason, sizeof found.reason, "%s", reason);
    found.open = true;
}

static void settle(call_t *call)
{
    const link_settled_t *settled = row_first(call, db_query(call, &SQL_link_settle, bind_uuid(found.video),
        bind_text(buffer_text(&found.url)), bind_boolean(found.failed)));
    bool changed = settled != NULL && settled->was_alive != settled->is_alive; /* NULL: it is another link by now, or gone */
    if (changed) {
        call_tag(call, TAG_VIDEO, found.video);
        call_tag(call, TAG_VIDEOS, (uuid_t){{0}});
        if (!settled->is_alive)
            admins_tell(call, found.video, settled->title);
    }
    call_commit(call);
    found.open = false;
    char id[UUID_TEXT_SIZE];
    uuid_format(found.video, id);
    if (changed)
        log_event(settled->is_alive ? LOG_INFO : LOG_WARNING, settled->is_alive ? "link_alive" : "link_dead", LOG_S("video", id),
            LOG_S("reason", found.reason));
}

/* --- one after the other ------------------------------------------------------------------------------------------ */

/* `again`: it was in doubt. */
static void look_at(call_t *call, const link_row_t *link, bool again)
{
    const char *reason;
    enum link_state state = ask(call, link, &reason);
    bool own = again && state == LINK_FORBIDDEN;
    if (!own)
        refusals_note(link->video_platform, state, reason);
    if (state == LINK_FORBIDDEN && !again && service_of(call, link) != NULL)
        doubt(link);
    if (state == LINK_ALIVE)
        doubts_due(link);
    if (state == LINK_ALIVE || own || (state == LINK_FAILED && outside_reached())) {
        found_keep(link, state != LINK_ALIVE, reason);
        settle(call);
    }
}

int64_t links_work(call_t *call, int worker)
{
    const config_t *config = call_config(call);
    (void)worker;
    if (call_instance(call) != 1)
        return -1;
    if (found.open)
        settle(call);
    if (!config->links.check)
        return config->links.look; /* it may be switched on: aipotenctl reload */
    const link_row_t *again = doubt_take();
    if (again != NULL) {
        look_at(call, again, true);
        return config->links.pause;
    }
    const link_row_t *link = row_first(call, db_query(call, &SQL_link_take));
    call_commit(call);
    if (link == NULL)
        return config->links.look;
    fault_point("links.taken");
    look_at(call, link, false);
    return config->links.pause;
}
