/* mailer: what the files of this actor share. */
#pragma once
#include "../../shared/net/stream.h"
#include "mailer.sql.h"
#include "messages.h"

enum { MAILER_WORKERS = 4 /* mails that one instance sends at a time */ };

/* queue.c: ids of jobs in Redis. */
void queue_open(call_t *);
/* False: there is no redis.url, and the workers look at the table themselves. */
bool queue_is_used(void);
/* Waits a moment for a job; what it gives is done away by queue_done when its row was settled. False: none came, or no Redis. */
bool queue_take(call_t *, int worker, stream_item_t *out);
/* After queue_take gave none: milliseconds until it is worth another try. */
int64_t queue_pause(int worker);
void queue_done(call_t *, int worker, const stream_item_t *);
/* The chore's part: puts what is due into Redis. Milliseconds until the next time. */
int64_t queue_fill(call_t *);

/* deliver.c: one job from its claim to its end. */
void deliver_open(call_t *);
int64_t deliver_work(call_t *, int worker);

/* sink.c: the mail as a file below var/mail. False: it could not be written, which was logged. */
bool sink_write(const char *directory, uuid_t id, text_t mail);
/* When its reader is erased. One that is not there is as good. */
void sink_remove(const char *directory, uuid_t id);

int64_t mailer_reseal(call_t *);
