/* audit_chain: see the header. The form of the bytes never changes: rows that were hashed by it are there for good; another form
 * is another version. */
#include "audit_chain.h"

enum { FORM = 1 };

static void add_number(buffer_t *out, int64_t value)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)value >> (56 - 8 * i));
    buffer_add(out, bytes, sizeof(bytes));
}

static void add_text(buffer_t *out, text_t value)
{
    add_number(out, (int64_t)value.length);
    buffer_add_text(out, value);
}

static void add_id(buffer_t *out, uuid_t id)
{
    buffer_add(out, id.bytes, sizeof(id.bytes));
}

digest_t audit_hash(digest_t before, const audit_entry_t *entry)
{
    buffer_t bytes = {0};
    buffer_add(&bytes, before.bytes, sizeof(before.bytes));
    buffer_add_char(&bytes, FORM);
    add_number(&bytes, entry->position);
    add_id(&bytes, entry->id);
    add_id(&bytes, entry->reader);
    add_text(&bytes, entry->reader_role);
    add_text(&bytes, entry->record_kind);
    add_id(&bytes, entry->record);
    add_number(&bytes, entry->records);
    add_text(&bytes, entry->operation);
    add_number(&bytes, entry->read_at);
    add_number(&bytes, entry->created_at);
    digest_t hash = hash_sha256(buffer_text(&bytes));
    buffer_free(&bytes);
    return hash;
}

bool audit_hash_read(text_t bytes, digest_t *out)
{
    if (bytes.length != sizeof(out->bytes))
        return false;
    memcpy(out->bytes, bytes.data, sizeof(out->bytes));
    return true;
}
