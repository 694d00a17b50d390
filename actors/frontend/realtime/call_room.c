/* call_room: see the header. A peer is a socket in a room, a home the frontend that holds it; each peer stands in the list of its room and
 * in that of its home. The end of a home of this machine is looked for before anything that was said is taken: so nobody who came back is
 * seen to join before the end of what was before. */
#include "call_room.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/panic.h"
#include "frontend/exchange.h"
#include "net/broker.h"
#include <stdlib.h>

enum {
    LOOK = 200,         /* milliseconds */
    BEATS_IN_LEASE = 5,
    ASKED_MOST = 5,     /* times for one that was given up: then it has left */
    ROOMS_PER_LOOK = 20, /* that are asked about when hints may have been lost: 100 in a second */
};

enum peer_state {
    PEER_THERE,
    PEER_SILENT,   /* its home is not heard of: told as gone, perhaps it is not */
    PEER_REPLACED, /* its client came back by another socket: told as gone; its frontend has not noticed yet */
};

typedef struct home home_t;

typedef struct peer {
    uuid_t socket, user;
    int64_t client;
    enum peer_state state;
    int asked;        /* so often since its home is heard of again */
    int64_t doubted;  /* clock_monotonic() when it was asked for, since its leaving may have been lost; 0: it was heard of since */
    topic_t *topic;
    home_t *home;
    struct peer *next;                        /* of the room */
    struct peer *previous_there, *next_there; /* of the home */
} peer_t;

/* Of another machine one that ended is remembered for a lease: what it had said may come behind the word of its end. */
struct home {
    uuid_t machine;
    uint64_t generation;
    int64_t heard; /* clock_monotonic(): last; or of its end */
    bool silent, ended;
    peer_t *peers;
    home_t *next;
};

typedef struct call_room {
    topic_t *topic;
    peer_t *peers;
    int count;
    int64_t since; /* clock_monotonic() */
    bool unsure;     /* something that was said in it may have been lost */
    bool complained; /* that it is full */
    struct call_room *previous, *next;
} call_room_t;

static struct {
    call_room_says_t says;
    uuid_t machine;
    uint64_t seen; /* version of the segment */
    home_t *homes;
    call_room_t *first;
    bool unsure, doubted; /* some of them are; some of their peers are */
    int64_t looked_at; /* clock_monotonic() */
    int64_t beat_at; /* clock_monotonic() */
} rooms;

/* --- peers -------------------------------------------------------------------------------------------------------- */

static peer_t **peer_find(call_room_t *room, uuid_t socket)
{
    peer_t **at = &room->peers;
    while (*at != NULL && !uuid_equal((*at)->socket, socket))
        at = &(*at)->next;
    return at;
}

static void home_leave(peer_t *peer)
{
    if (peer->previous_there != NULL)
        peer->previous_there->next_there = peer->next_there;
    else
        peer->home->peers = peer->next_there;
    if (peer->next_there != NULL)
        peer->next_there->previous_there = peer->previous_there;
}

static void home_enter(peer_t *peer, home_t *home)
{
    peer->home = home;
    peer->previous_there = NULL;
    peer->next_there = home->peers;
    if (home->peers != NULL)
        home->peers->previous_there = peer;
    home->peers = peer;
}

static void peer_end(peer_t **at)
{
    peer_t *peer = *at;
    *at = peer->next;
    peer->topic->call_room->count--;
    home_leave(peer);
    free(peer);
}

/* Of those that nobody expects anything of any more. False: all of them are there. */
static bool peer_give_up(call_room_t *room)
{
    for (peer_t **at = &room->peers; *at != NULL; at = &(*at)->next)
        if ((*at)->state != PEER_THERE) {
            peer_end(at);
            return true;
        }
    return false;
}

/* False: it is not remembered. */
static bool peer_begin(topic_t *topic, home_t *home, const realtime_call_t *call)
{
    call_room_t *room = topic->call_room;
    if (room->count == CALL_ROOM_MOST && !peer_give_up(room)) {
        if (!room->complained)
            log_event(LOG_WARNING, "call_room_full", LOG_S("topic", topic->name), LOG_I("sockets", room->count),
                LOG_S("next", "of more nobody is told when their frontend is killed; whose client opens so many?"));
        room->complained = true;
        return false;
    }
    peer_t *peer = memory_zeroed(1, sizeof(*peer));
    *peer = (peer_t){.socket = call->socket, .user = call->user, .client = call->client, .topic = topic, .next = room->peers};
    room->peers = peer;
    room->count++;
    home_enter(peer, home);
    return true;
}

/* Those here are told that it went, unless they were. */
static void peer_gone(peer_t *peer, enum peer_state state, const uuid_t *except)
{
    bool was_there = peer->state == PEER_THERE;
    peer->state = state;
    if (was_there)
        rooms.says.tell(peer->topic, CALL_LEFT, peer->user, peer->socket, except);
}

/* --- homes -------------------------------------------------------------------------------------------------------- */

static bool is_near(const home_t *home)
{
    return uuid_equal(home->machine, rooms.machine);
}

static bool generation_lives(uint64_t generation)
{
    for (int slot = 0; slot < SEGMENT_INSTANCES; slot++) {
        const segment_instance_t *row = segment_instance(frontend.segment, slot);
        uint32_t state = atomic_load(&row->state);
        if (atomic_load(&row->used) && row->service == frontend.self->service && atomic_load(&row->generation) == generation)
            return state == INSTANCE_STARTING || state == INSTANCE_READY || state == INSTANCE_DRAINING || state == INSTANCE_STOPPING;
    }
    return false;
}

static void home_end(home_t *home)
{
    home->ended = true;
    home->heard = clock_monotonic();
    while (home->peers != NULL) {
        peer_t *peer = home->peers;
        peer_gone(peer, PEER_SILENT, NULL);
        peer_end(peer_find(peer->topic->call_room, peer->socket));
    }
}

/* What was said meanwhile is lost. Those of it are asked for when it is heard of again. */
static void home_falls_silent(home_t *home)
{
    home->silent = true;
    for (peer_t *peer = home->peers; peer != NULL; peer = peer->next_there)
        peer_gone(peer, PEER_SILENT, NULL);
}

static void home_heard(home_t *home)
{
    home->heard = clock_monotonic();
    home->silent = false;
}

/* It says that it is there: so may be those that were given up. */
static void home_beats(home_t *home)
{
    home_heard(home);
    for (peer_t *peer = home->peers, *next; peer != NULL; peer = next) {
        next = peer->next_there;
        if (peer->state == PEER_SILENT && ++peer->asked > ASKED_MOST)
            peer_end(peer_find(peer->topic->call_room, peer->socket));
        else if (peer->state == PEER_SILENT)
            rooms.says.ask(peer->topic);
    }
}

static home_t *home_find(uuid_t machine, uint64_t generation)
{
    home_t *home = rooms.homes;
    while (home != NULL && !(home->generation == generation && uuid_equal(home->machine, machine)))
        home = home->next;
    return home;
}

/* NULL: it has ended. */
static home_t *home_of(const realtime_call_t *call)
{
    uint64_t generation = (uint64_t)call->generation;
    home_t *home = home_find(call->machine, generation);
    if (home != NULL)
        return home->ended ? NULL : home;
    if (uuid_equal(call->machine, rooms.machine) && !generation_lives(generation))
        return NULL;
    home = memory_zeroed(1, sizeof(*home));
    *home = (home_t){.machine = call->machine, .generation = generation, .next = rooms.homes};
    rooms.homes = home;
    return home;
}

/* Those of this machine that have ended, as soon as the instance table says so. */
static void look(void)
{
    uint64_t version = segment_version(frontend.segment);
    if (version == rooms.seen)
        return;
    rooms.seen = version;
    for (home_t *home = rooms.homes; home != NULL; home = home->next)
        if (is_near(home) && !home->ended && !generation_lives(home->generation))
            home_end(home);
}

static bool on_turn(void *argument)
{
    (void)argument;
    look();
    return false;
}

static int64_t lease(void)
{
    return frontend.config.realtime.presence_lease * CLOCK_MILLISECOND;
}

/* While this process stood still nobody could be heard. */
static void homes_look(int64_t now)
{
    int64_t stood = now - rooms.looked_at > lease() / BEATS_IN_LEASE + LOOK * CLOCK_MILLISECOND ? now - rooms.looked_at : 0;
    rooms.looked_at = now;
    for (home_t *home = rooms.homes; stood > 0 && home != NULL; home = home->next) {
        home->heard += stood;
        for (peer_t *peer = home->peers; peer != NULL; peer = peer->next_there)
            peer->doubted += peer->doubted != 0 ? stood : 0;
    }
    for (home_t **at = &rooms.homes; *at != NULL;) {
        home_t *home = *at;
        bool late = !is_near(home) && now - home->heard > lease();
        if (late && !home->ended && !home->silent)
            home_falls_silent(home);
        if (home->peers == NULL && (late || is_near(home))) {
            *at = home->next;
            free(home);
        } else
            at = &home->next;
    }
}

static void rooms_ask(void)
{
    int count = 0;
    for (call_room_t *room = rooms.first; rooms.unsure && room != NULL; room = room->next) {
        if (!room->unsure)
            continue;
        if (count++ == ROOMS_PER_LOOK)
            return;
        room->unsure = false;
        rooms.says.ask(room->topic);
        for (peer_t *peer = room->peers; peer != NULL; peer = peer->next)
            peer->doubted = clock_monotonic();
        rooms.doubted = true;
    }
    rooms.unsure = false;
}

/* Who is asked for and says nothing for so long has left. */
static void doubts_look(int64_t now)
{
    bool any = false;
    for (call_room_t *room = rooms.first; rooms.doubted && room != NULL; room = room->next)
        for (peer_t *peer = room->peers; peer != NULL; peer = peer->next) {
            if (peer->doubted != 0 && now - peer->doubted > lease()) {
                peer->doubted = 0;
                peer_gone(peer, peer->state == PEER_THERE ? PEER_SILENT : peer->state, NULL);
            }
            any |= peer->doubted != 0;
        }
    rooms.doubted = any;
}

static void on_look_time(void *argument)
{
    static buffer_t packed;
    int64_t now = clock_monotonic();
    (void)argument;
    homes_look(now);
    doubts_look(now);
    rooms_ask();
    if (rooms.first == NULL || !frontend.config.cluster.enabled || now < rooms.beat_at)
        return;
    rooms.beat_at = now + lease() / BEATS_IN_LEASE;
    packed.length = 0;
    realtime_pack_home(rooms.machine, frontend.generation, false, &packed);
    broker_publish(TEXT(TOPIC_FRONTENDS), buffer_text(&packed));
}

static void on_frontend(text_t payload)
{
    realtime_home_t said;
    if (!realtime_read_home(payload, &said) || uuid_equal(said.machine, rooms.machine))
        return;
    home_t *home = home_find(said.machine, (uint64_t)said.generation);
    if (home == NULL || home->ended)
        return;
    if (said.ended)
        home_end(home);
    else
        home_beats(home);
}

void call_rooms_lost(void)
{
    for (call_room_t *room = rooms.first; room != NULL; room = room->next)
        rooms.unsure = room->unsure = true;
}

/* --- what is said in a room --------------------------------------------------------------------------------------- */

/* The sockets that its client was in the room by before. */
static void replace_others(call_room_t *room, const realtime_call_t *call)
{
    for (peer_t *peer = room->peers; peer != NULL; peer = peer->next)
        if (call->client != 0 && peer->client == call->client && uuid_equal(peer->user, call->user) &&
            !uuid_equal(peer->socket, call->socket))
            peer_gone(peer, PEER_REPLACED, &call->socket);
}

static bool take_joined(topic_t *topic, home_t *home, peer_t *peer, const realtime_call_t *call)
{
    replace_others(topic->call_room, call);
    if (peer == NULL)
        peer_begin(topic, home, call);
    else
        peer->state = PEER_THERE;
    return true;
}

/* It is there: perhaps at another frontend than before, perhaps after it was given up. */
static bool take_sign(topic_t *topic, home_t *home, peer_t *peer, const realtime_call_t *call)
{
    if (peer == NULL) {
        peer_begin(topic, home, call);
        return true;
    }
    if (peer->home != home) {
        home_leave(peer);
        home_enter(peer, home);
    }
    if (peer->state == PEER_SILENT) {
        peer->state = PEER_THERE;
        peer->asked = 0;
        rooms.says.tell(topic, CALL_JOINED, peer->user, peer->socket, NULL);
    }
    return peer->state == PEER_THERE;
}

/* Of whom nothing is known it is told: better twice than never. */
static bool take_left(topic_t *topic, home_t *home, peer_t *peer, const realtime_call_t *call)
{
    bool was_there = peer == NULL || peer->state == PEER_THERE;
    (void)home;
    if (peer != NULL)
        peer_end(peer_find(topic->call_room, call->socket));
    return was_there;
}

/* Who was in the room before somebody was in it here has answered long ago: of a stranger the joining was lost. */
static bool take_here(topic_t *topic, home_t *home, peer_t *peer, const realtime_call_t *call)
{
    if (peer != NULL)
        take_sign(topic, home, peer, call);
    else if (peer_begin(topic, home, call) && clock_monotonic() - topic->call_room->since > lease())
        rooms.says.tell(topic, CALL_JOINED, call->user, call->socket, &call->socket);
    return false;
}

/* Its next frontend may have been heard before this. */
static bool take_moves(topic_t *topic, home_t *home, peer_t *peer, const realtime_call_t *call)
{
    (void)topic, (void)call;
    if (peer == NULL || peer->home != home)
        return false;
    peer->doubted = clock_monotonic();
    rooms.doubted = true;
    return false;
}

static bool (*const takes[CALL_ACTS])(topic_t *, home_t *, peer_t *, const realtime_call_t *) = {
    [CALL_JOINED] = take_joined,
    [CALL_SIGNAL] = take_sign,
    [CALL_LEFT] = take_left,
    [CALL_HERE] = take_here,
    [CALL_MOVES] = take_moves,
};

bool call_room_take(topic_t *topic, const realtime_call_t *call)
{
    look();
    call_room_begin(topic);
    home_t *home = home_of(call);
    if (home == NULL || takes[call->act] == NULL)
        return false;
    home_heard(home);
    peer_t *peer = *peer_find(topic->call_room, call->socket);
    if (peer != NULL)
        peer->doubted = 0;
    return takes[call->act](topic, home, peer, call);
}

void call_room_begin(topic_t *topic)
{
    if (topic->call_room != NULL)
        return;
    call_room_t *room = memory_zeroed(1, sizeof(*room));
    *room = (call_room_t){.topic = topic, .since = clock_monotonic(), .next = rooms.first};
    if (rooms.first != NULL)
        rooms.first->previous = room;
    rooms.first = topic->call_room = room;
}

void call_room_forget(topic_t *topic)
{
    call_room_t *room = topic->call_room;
    if (room == NULL)
        return;
    while (room->peers != NULL)
        peer_end(&room->peers);
    if (room->previous != NULL)
        room->previous->next = room->next;
    else
        rooms.first = room->next;
    if (room->next != NULL)
        room->next->previous = room->previous;
    free(room);
    topic->call_room = NULL;
}

void call_room_open(loop_t *loop, const call_room_says_t *says)
{
    rooms.says = *says;
    rooms.machine = segment_identity(frontend.segment);
    broker_subscribe(TOPIC_FRONTENDS, on_frontend);
    loop->timer(loop, LOOK, on_look_time, NULL);
    loop->add_turn_hook(loop, on_turn, NULL);
}
