/* record_read: see the header. A page of many is an aggregate of its reader, so that pages of one reader keep their order and
 * those of several do not wait for each other. */
#include "record_read.h"
#include "actor.h"
#include "events.h"
#include "../base/clock.h"
#include "../base/panic.h"

void record_read_emit(call_t *call, const char *kind, uuid_t record, int64_t records)
{
    const endpoint_t *endpoint = call->endpoint;
    if (endpoint->cache && !(endpoint->logged >> call->principal.role & 1))
        panic("%s is read from the cache, unseen by the access log: its row lacks .logged", endpoint->operation);
    record_read_t read = {0};
    message_set(&read, reader, call->principal.user);
    message_set(&read, reader_role, text_of(role_name(call->principal.role)));
    if (call->address.length > 0)
        message_set(&read, address, call->address);
    message_set(&read, record_kind, text_of(kind));
    message_set(&read, record, record);
    message_set(&read, records, records);
    message_set(&read, operation, text_of(call->endpoint->operation));
    message_set(&read, at, clock_now());
    event_emit(call, "record.read", uuid_is_zero(record) ? call->principal.user : record, &record_read_message, &read);
}
