/* socket: Socket.IO on top of a session: namespaces that a client connects to, events, their acknowledgements, binary attachments. What
 * happens on an event is a namespace's table of handlers. */
#pragma once
#include "crypto/token.h"
#include "session.h"

typedef struct socket socket_t;

/* An event as a handler is given it, which keeps none of it. */
typedef struct {
    socket_t *socket;
    const char *name;
    const json_t *arguments; /* array, without the name */
    const text_t *attachments;
    int attachment_count;
    int64_t id; /* to acknowledge by; SOCKET_NO_ID: nobody waits */
} event_t;

typedef struct {
    const char *name;
    void (*handle)(const event_t *);
} handler_t;

typedef struct namespace {
    const char *name; /* "/" */
    /* True: the socket stays; it is given socket_accept now or later. False: *refusal says why: {"message": …}. */
    bool (*on_connect)(socket_t *, const json_t *auth, buffer_t *refusal);
    void (*on_disconnect)(socket_t *);
    bool (*on_moving)(socket_t *); /* it is to go to another frontend; false: better a little later; NULL: nothing to do */
    void (*on_moved)(socket_t *); /* it came from another frontend, and is in its topics again; NULL: nothing to do */
    const handler_t *handlers;
    int handler_count;
} namespace_t;

struct socket {
    session_t *session;
    const namespace_t *namespace;
    socket_t *next; /* of its session */
    uuid_t id;
    token_t token;             /* who it is; role ROLE_NONE: nobody */
    struct membership *topics; /* topics.c */
    int64_t seq;               /* the newest numbered event that it was shown (news.c); -1: none */
    struct recovery *recovery; /* what it missed is being asked for (news.c); NULL: it is not */
    char *pid;                 /* to be answered with, while it is being recovered (api.c) */
    bool accepted;             /* the client knows of it */
    uint64_t client;           /* the same when it comes back by another socket (api.c); 0: it is not known */
    bool online;               /* counted in shared memory (online.c) */
    bool announced;            /* its therapist wants to be seen */
};

/* The service of a path whose namespaces these are. */
void sockets_open(const namespace_t *namespaces, int count);
extern const service_t socket_service;

/* The socket of a session in a namespace; NULL: it has none there. */
socket_t *socket_of(const session_t *, const namespace_t *);
/* The client may go on. `pid`: what it shows when it comes back; NULL: nothing can be recovered. */
void socket_accept(socket_t *, const char *pid);
/* An event for one client; `arguments` is JSON, what stands behind the name: "1,{}", may be empty. */
void socket_emit(socket_t *, const char *name, text_t arguments, const text_t *attachments, int attachment_count);
/* The frame of such an event without attachments, to be sent to many; the caller holds it. */
frame_t *socket_event_frame(const namespace_t *, const char *name, text_t arguments);
/* Answers an event; `arguments` as above. Nothing when nobody waits. */
void socket_acknowledge(const event_t *, text_t arguments);
/* The same, later: the id that the event had. */
void socket_acknowledge_id(socket_t *, int64_t id, text_t arguments, const text_t *attachments, int attachment_count);
/* The client leaves the namespace, and hears so: its library does not come back by itself then. */
void socket_disconnect(socket_t *);
