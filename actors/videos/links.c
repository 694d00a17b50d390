/* links: visits each published video's link once a day, the one that waits longest first (product.md, section 5). After failures on three
 * different days the video leaves recommendations and admins are told; when its link answers again, it is back.
 *
 * What always holds: a link is noted as looked at before it is asked, so whoever dies, it is asked once a day; what its answer means is
 * kept together with the word to the admins. No link is judged while none answers at all: then it is this machine that does not
 * reach the outside. */
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

enum { ANSWER_MOST = 64 << 10 };

static struct {
    int64_t answered, complained; /* clock_monotonic(), when any last did; when that none does was last said; 0: never */
} links;

void links_open(call_t *call)
{
    static bool opened;
    if (!opened)
        transfer_open(call_loop(call), 1);
    opened = true;
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

/* What is asked: the platform's service, which knows what its pages do not say, or the link itself. */
static const char *question_of(call_t *call, const link_row_t *link)
{
    const config_t *config = call_config(call);
    const char *services[PLATFORMS] = {[PLATFORM_YOUTUBE] = config->links.youtube, [PLATFORM_VIMEO] = config->links.vimeo};
    const char *service = services[link->video_platform];
    if (service == NULL || service[0] == '\0')
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
    bool by_service = !text_equal(text_of(request.url), link->video_url);
    call_leave(call);
    enum http_outcome outcome = http_run(call->arena, &request, &answer);
    call_return(call);
    call_renew(call);
    bool answered = outcome == HTTP_ANSWERED || outcome == HTTP_TOO_LARGE;
    *reason = answered ? arena_format(call->arena, "status %d%c", answer.status, '\0').data : answer.reason;
    if (answered)
        links.answered = clock_monotonic();
    return outcome == HTTP_BUSY ? LINK_UNTOLD : link_state_of(answered ? answer.status : 0, by_service);
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

static void settle(call_t *call, const link_row_t *link, bool failed, const char *reason)
{
    const link_settled_t *settled = row_first(call, db_query(call, &SQL_link_settle, bind_uuid(link->id), bind_text(link->video_url),
        bind_boolean(failed)));
    if (settled == NULL || settled->was_alive == settled->is_alive) { /* NULL: it is another link by now, or gone */
        call_commit(call);
        return;
    }
    char id[UUID_TEXT_SIZE];
    uuid_format(link->id, id);
    call_tag(call, TAG_VIDEO, link->id);
    call_tag(call, TAG_VIDEOS, (uuid_t){{0}});
    if (!settled->is_alive)
        admins_tell(call, link->id, settled->title);
    call_commit(call);
    log_event(settled->is_alive ? LOG_INFO : LOG_WARNING, settled->is_alive ? "link_alive" : "link_dead", LOG_S("video", id),
        LOG_S("reason", reason));
}

/* --- one after the other ------------------------------------------------------------------------------------------ */

int64_t links_work(call_t *call, int worker)
{
    const config_t *config = call_config(call);
    (void)worker;
    if (call_instance(call) != 1)
        return -1;
    if (!config->links.check)
        return config->links.look; /* it may be switched on: aipotenctl reload */
    const link_row_t *link = row_first(call, db_query(call, &SQL_link_take));
    call_commit(call);
    if (link == NULL)
        return config->links.look;
    fault_point("links.taken");
    const char *reason;
    enum link_state state = ask(call, link, &reason);
    if (state == LINK_ALIVE || (state == LINK_FAILED && outside_reached()))
        settle(call, link, state == LINK_FAILED, reason);
    return config->links.pause;
}
