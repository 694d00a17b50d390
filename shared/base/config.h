/* config: every limit and address of the system, from one YAML file (h2o-conf/) and a few environment variables.
 * The table in config_table.c is the documentation: name, type, default, range, meaning. An unknown name, a value of the wrong
 * type or out of range is refused with file, line and reason. The supervisor reads the file and hands its text to each
 * child on a descriptor, so that what was checked is what runs. */
#pragma once
#include "text.h"
#include <stdio.h>

typedef struct {
    const char **items; /* NUL-terminated strings */
    int count;
} config_list_t;

/* A company whose users may log in here; those without a client id may not. What a provider has no use for is NULL. */
typedef struct {
    const char *client_id, *scope;
    const char *authorization_url, *token_url; /* as the browser is sent there; as we ask there */
    const char *keys_url, *issuer;             /* of those that sign ID tokens */
    const char *user_url;                      /* of those that tell who it is on request */
    const char *team_id, *key_id;              /* apple: whose key signs our secret */
} oauth_config_t;

/* Durations are milliseconds, sizes bytes. */
typedef struct config {
    struct {
        const char *https_address, *http_address; /* IPv4 or IPv6 literals */
        int64_t https_port, http_port;            /* 0: not listened on */
        const char *tls_certificate, *tls_key;    /* PEM paths; empty: made at first run below var/tls */
        config_list_t trusted_proxies;            /* CIDR; their X-Forwarded-For is believed */
        bool proxy_protocol;                      /* HAProxy's PROXY v1 on the plain port, from trusted proxies only */
    } listen;
    struct {
        int64_t request_timeout;      /* a request's whole deadline */
        int64_t idle_timeout;         /* a connection without a request */
        int64_t drain_timeout;        /* the hard deadline of a graceful stop */
        int64_t max_body;             /* 413 above it */
        int64_t max_header;           /* all header fields of a request together: 431 above it */
        int64_t max_url;              /* 414 above it */
        int64_t max_json_depth;
        int64_t max_pending;          /* requests waiting for actors; a full table answers 503 */
        int64_t max_pending_instance; /* of these, for one actor instance */
        int64_t max_pending_connection;
        int64_t max_pending_address;
        int64_t patience; /* a request waits this long for a service whose last instance was lost just now */
        int64_t max_connections;         /* per frontend */
        int64_t max_connections_address; /* per client address, at all frontends together */
        int64_t header_timeout; /* from the first byte of a request to the end of its header; also of a TLS handshake */
        int64_t send_timeout;   /* an answer that its client hardly reads */
        int64_t losses_most; /* a request whose instances died so often is given up */
    } http;
    struct {
        config_list_t origins; /* allowed origins, exactly as browsers send them */
        int64_t max_age;
    } cors;
    struct {
        bool enabled;
        int64_t api_per_minute, poll_per_minute, login_per_minute, upload_per_hour, mail_per_hour;
    } rate;
    struct {
        bool enabled;
        int64_t ban, ban_most;
        /* each in ten seconds, on one connection */
        int64_t resets, pings, settings, continuations, small_data, window_updates, priorities, other_frames, bad_requests;
        int64_t connections; /* new ones of an address in ten seconds */
        int64_t fields;      /* of one request */
        int64_t pipelined;   /* HTTP/1.1 requests that came at once */
        int64_t read_rate;   /* bytes a second, see http.send_timeout */
        int64_t memory, memory_address; /* bytes of bodies and answers that one frontend holds */
    } abuse;
    struct {
        const char *issuer, *audience;
        int64_t access_lifetime, refresh_lifetime;
        int64_t bcrypt_cost;
        int64_t max_hashing; /* calls of one accounts instance that wait for a hash */
        int64_t verification_lifetime, reset_lifetime; /* of the tokens in mails */
        int64_t restore_within; /* a deleted account comes back by a login; then it is erased */
    } auth;
    struct {
        config_list_t redirect_uris; /* where a provider may send a user's browser back to */
        int64_t state_lifetime;      /* from the beginning of a log-in to its end */
        int64_t timeout;             /* of one question to a provider */
        int64_t keys_lifetime;       /* a provider's keys are asked for again after this */
        int64_t transfers;           /* questions to providers at a time, of one instance */
        bool plain_loopback;         /* plain http to this machine is fine: tests, development */
        oauth_config_t google, kakao, naver, apple;
    } oauth;
    struct {
        int64_t every;            /* between two looks */
        int64_t sessions, tokens; /* after their end */
        int64_t mails;
        int64_t notifications;    /* after they were written, read or not */
        int64_t assessments;      /* unfinished ones, after they expired */
        int64_t pushes;           /* those that could not be delivered */
    } retention;
    struct {
        bool loopback;           /* this machine may read /metrics */
        config_list_t addresses; /* and so may these networks */
    } metrics;
    struct {
        int64_t hsts_max_age; /* 0: no Strict-Transport-Security */
    } security;
    struct {
        const char *level;
        int64_t slow_request; /* access lines of requests slower than this are always written */
        int64_t sample_one_in;
        int64_t max_size, keep_files; /* rotation of each file below var/log */
    } log;
    struct {
        int64_t connections;      /* of all processes of this machine together */
        int64_t write_connections; /* per instance */
        int64_t write_groups;      /* of those, at most so many are used by calls that share a transaction */
        int64_t read_timeout, write_timeout, slow_timeout; /* statement_timeout of each lane */
        int64_t slow_log;         /* statements that take longer are logged; 0: none is */
        int64_t idle_close;       /* a write connection unused this long is closed */
        bool demo;                /* tools/run loads demo data */
    } database;
    struct {
        int64_t max_coroutines, coroutine_stack;
        int64_t request_memory; /* an arena's limit */
        int64_t drain_timeout;
        int64_t event_wait; /* for those whom a direct event goes to */
    } actor;
    struct {
        int64_t lifetime; /* of the file and its link */
        int64_t pause;    /* between two of one user */
    } export;
    struct {
        int64_t max_guardians;          /* of one child, those who are invited included */
        int64_t invitation_lifetime;
        int64_t max_invitations;        /* by one user in a day */
    } children;
    struct {
        int64_t view_pause; /* a viewer's second look at a video within this is no second view */
        int64_t candidates; /* videos that are compared for a child */
    } videos;
    struct {
        bool check;
        int64_t look, pause, timeout;
        const char *youtube, *vimeo; /* what is asked of a link of theirs, "url=…" appended; empty: the link itself */
        bool plain_loopback;         /* plain http to this machine is fine: tests */
    } links;
    struct {
        int64_t lifetime;      /* an attempt can be gone on with so long */
        int64_t reminder_at;   /* hour of Seoul's day */
        int64_t max_questions; /* at one age */
    } assessments;
    struct {
        int64_t broadcast_batch; /* users of one transaction */
        int64_t broadcast_after; /* milliseconds until the first of them */
        int64_t max_devices;     /* of one user */
    } notifications;
    struct {
        int64_t ping_interval, ping_timeout;
        int64_t connect_timeout;  /* a session must say whose it is within */
        int64_t max_payload;      /* bytes of a message, and of a poll */
        int64_t max_sessions;     /* of one frontend */
        int64_t strangers;        /* of these, that have not said whose they are */
        int64_t sessions_address; /* new ones of an address in ten seconds */
        int64_t admission;        /* new ones of one frontend in a second */
        int64_t messages;         /* of one session in ten seconds */
        int64_t queue_bytes, queue_messages; /* that wait for a slow reader */
        int64_t recovery;         /* who was away for no longer is told what was missed */
        config_list_t turn_urls;  /* "turn:host:3478" */
        int64_t turn_lifetime;    /* of credentials for them */
        int64_t presence_keep;    /* when somebody was last seen is forgotten after this */
        int64_t presence_lease;   /* a machine that says nothing for so long has nobody online */
        bool conformance;         /* serve what the protocols' test suites expect, and nothing else */
    } realtime;
    struct {
        const char *subject;      /* who runs this, for push services: mailto: or https: */
        const char *web_hosts;    /* of push services that browsers may name, separated by spaces; *.NAME: all below it */
        bool plain_loopback;      /* plain http to this machine is fine: tests, development */
        int64_t ttl;              /* later a push is worth nothing */
        int64_t timeout, attempts, retry_first, retry_most;
        struct {
            const char *url, *token_url, *project, *client_email;
        } fcm;
        struct {
            const char *url, *topic, *team_id, *key_id;
        } apns;
    } push;
    struct {
        const char *url;
    } redis;
    struct {
        bool enabled;       /* other machines run over the same PostgreSQL and Redis */
        int64_t public_most; /* a cached public answer lives no longer then; personal ones are not cached */
        int64_t beat;       /* a broker tells the others that it is there, and how far it is */
        int64_t silence;    /* a broker that hears nothing through Redis for so long connects again */
    } cluster;
    struct {
        int64_t topics;  /* that a process follows */
        int64_t pending; /* bytes of hints that wait for Redis */
    } broker;
    struct {
        int64_t size;      /* bytes of shared memory; 0: no cache */
        int64_t hot;       /* bytes that each frontend copies for itself */
        int64_t max_age;   /* of an entry whose row says nothing */
        int64_t stale;     /* a public entry may be sent this long after its time, while it is filled again */
        int64_t fill_wait; /* a request waits this long for another's fill, then asks itself */
        int64_t max_waiting; /* requests of one frontend that wait so */
        int64_t compress_from, compress_personal_from; /* shorter bodies are not compressed */
        int64_t public_max_age, public_shared_max_age; /* Cache-Control of public answers; 0, 0: none may keep them */
        bool redis;         /* public answers are shared in Redis, where redis.url names one */
        int64_t redis_wait; /* who fills waits this long for it */
    } cache;
    struct {
        const char *transport;       /* "smtp" or "file" */
        const char *host;            /* of the SMTP server */
        int64_t port;
        const char *tls;             /* "starttls", "tls" or "none" */
        const char *ca_file;         /* PEM; empty: the system's */
        const char *user;            /* empty: no AUTH; its password is the secret smtp_password */
        const char *from, *from_name;
        const char *base_url;        /* what links in mails begin with */
        int64_t timeout;             /* of one mail's way to the server */
        int64_t attempts;            /* refusals until a mail is dead */
        int64_t retry_first, retry_most;
        int64_t requeue;             /* a job not fetched from Redis for so long is put there again */
    } mail;
    struct {
        /* instances of each service at start */
        int64_t broker, frontend, accounts, accounts_hash, children, videos, admin, mailer, assessments, notifications;
    } instances;
    struct {
        const char *user;         /* children's user when started as root */
        int64_t start_timeout;    /* READY=1 must come within */
        int64_t watchdog;         /* WATCHDOG=1 must come within; 0: none */
        int64_t stop_timeout;     /* SIGTERM to SIGKILL */
        int64_t backoff_first, backoff_most;
        int64_t intensity, intensity_window; /* more early deaths than this within the window: FAILED */
        int64_t failed_retry;
    } supervisor;
} config_t;

/* Reads the file; returns 0, or -1 with "file:line: reason" in error. The config lives until the process ends. */
int config_load(const char *path, config_t *out, char *error, size_t error_size);
/* Same, from a descriptor that the supervisor handed over (read from its beginning); `name` stands in messages. */
int config_load_fd(int fd, const char *name, config_t *out, char *error, size_t error_size);
/* When a changed setting counts: in what runs, as soon as it is told (aipotenctl reload); in a process that starts; only when the
 * whole system starts. */
enum config_reach { CONFIG_LIVE, CONFIG_AT_RESTART, CONFIG_AT_START };
/* Calls `differs` for each setting whose value is another one. */
void config_compare(const config_t *former, const config_t *fresh,
    void (*differs)(void *argument, const char *name, enum config_reach), void *argument);
/* Copies the live settings; what they point to belongs to both. */
void config_take_live(config_t *running, const config_t *fresh);
/* Panics when the table of live settings names one that does not exist; for tests. */
void config_live_check(void);

/* A setting as it is shown: values as they would be written in a file, without users and passwords of URLs. */
enum config_form {
    CONFIG_FORM_TEXT,
    CONFIG_FORM_QUANTITY, /* a size or a duration: "64K", "15s" */
    CONFIG_FORM_PLAIN,    /* a whole number, true, false: so it stands in JSON too */
    CONFIG_FORM_LIST,     /* of texts */
};
typedef struct {
    const char *name, *meaning;
    const char *wanted;       /* "a size like 64K or 1M" */
    const char *environment;  /* the variable that overrides it; NULL: none */
    const char *least, *most; /* of what is a number; NULL: no range */
    enum config_form form;
    int count;
    const char *const *values; /* a list's items; of others the one value */
} config_shown_t;
/* Each setting in its turn, with its value in force, or, without a config, its default; what is shown goes with `see`. */
void config_walk(const config_t *config, void (*see)(void *argument, const config_shown_t *), void *argument);
/* Prints the whole table with defaults and meanings (aipotenctl config defaults). */
void config_describe(FILE *out);
/* All settings with their values in force, "name: value" a line. */
void config_print(const config_t *config, FILE *out);
/* Instances at start of a service by its name ("accounts-hash"); 0 when unknown. */
int config_instances(const config_t *config, const char *service);
