/* audit_chain: the hashes that chain the rows of the access log. Pure; the admin actor appends by it, aipotenctl audit verify
 * computes the same again.
 *
 *     hash = SHA-256(hash of the row before || canonical fields)      32 zero bytes stand before the first row
 *
 * Canonical: the byte 1 (this form's version), then the fields in the order of the struct; numbers as 8 bytes, highest first;
 * ids as their 16 bytes; texts as their length, 8 bytes, and themselves. So no two rows have the same bytes. */
#pragma once
#include "../base/uuid.h"
#include "hash.h"

typedef struct {
    int64_t position; /* from 1 */
    uuid_t id, reader;
    text_t reader_role, record_kind;
    uuid_t record;
    int64_t records;
    text_t operation;
    int64_t read_at, created_at; /* microseconds since 1970 */
} audit_entry_t;

digest_t audit_hash(digest_t before, const audit_entry_t *);
/* As bytes of a column; borrows its digest. */
static inline text_t audit_hash_text(const digest_t *hash)
{
    return (text_t){.data = (const char *)hash->bytes, .length = sizeof(hash->bytes)};
}
/* false: these are not the bytes of a hash. */
bool audit_hash_read(text_t bytes, digest_t *out);
