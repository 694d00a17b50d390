-- admin.sql: the statements of the admin actor.

-- head_lock: write -> head_row
-- Whoever appends takes its turn here. The turn does not wait for the disk: should PostgreSQL die and forget it, it has forgotten
-- as well that the event was delivered, which it was told later, and the event comes again.
SELECT h.position, h.hash
FROM admin.access_log_head h, (SELECT set_config('synchronous_commit', 'off', true)) AS unhurried
FOR UPDATE OF h;

-- access_append: write
WITH added AS (
    INSERT INTO admin.access_log (position, hash, id, reader, reader_role, record_kind, record, records, operation, read_at,
                                  created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    RETURNING position, hash
)
UPDATE admin.access_log_head h SET position = added.position, hash = added.hash FROM added;

-- address_add: write
-- Not of a reader who was erased meanwhile ($3).
INSERT INTO admin.access_addresses (id, address)
SELECT $1::uuid, $2::bytea WHERE NOT EXISTS (SELECT FROM admin.erased_readers WHERE id = $3);

-- audit_page: slow -> audit_log
-- Newest first; $1 to $4 are filters, $5 the last row of the page before.
SELECT l.position, l.id, l.reader, l.reader_role, a.address, l.record_kind, l.record, l.records, l.operation, l.read_at
FROM admin.access_log l LEFT JOIN admin.access_addresses a ON a.id = l.id
WHERE ($1::uuid IS NULL OR l.reader = $1) AND ($2::uuid IS NULL OR l.record = $2)
  AND ($3::timestamptz IS NULL OR l.read_at >= $3) AND ($4::timestamptz IS NULL OR l.read_at < $4)
  AND ($5::uuid IS NULL OR l.position < (SELECT b.position FROM admin.access_log b WHERE b.id = $5))
ORDER BY l.position DESC
LIMIT $6 OFFSET $7;

-- audit_count: slow -> total_row
SELECT count(*) AS total
FROM (SELECT FROM admin.access_log
      WHERE ($1::uuid IS NULL OR reader = $1) AND ($2::uuid IS NULL OR record = $2)
        AND ($3::timestamptz IS NULL OR read_at >= $3) AND ($4::timestamptz IS NULL OR read_at < $4)
      LIMIT 10001) AS few;

-- guardian_find: read -> key_row
SELECT child_id AS id FROM children.guardians WHERE child_id = $1 AND user_id = $2;

-- child_access_page: read -> child_access
-- Newest first, before the row $2.
SELECT id, reader_role, operation, read_at
FROM admin.access_log
WHERE record = $1 AND record_kind = 'child'
  AND ($2::uuid IS NULL OR position < (SELECT b.position FROM admin.access_log b WHERE b.id = $2))
ORDER BY position DESC
LIMIT $3 OFFSET $4;

-- child_access_count: read -> total_row
SELECT count(*) AS total
FROM (SELECT FROM admin.access_log WHERE record = $1 AND record_kind = 'child' LIMIT 10001) AS few;

-- anchor_add: write -> head_row
-- The first of a day stays.
INSERT INTO admin.anchors (day, position, hash)
SELECT $1, position, hash FROM admin.access_log_head WHERE position > 0
ON CONFLICT (day) DO NOTHING
RETURNING position, hash;

-- addresses_stale: write -> sealed_row
-- The next addresses after $2 that are sealed with another key than the newest: $1 is how its values begin.
SELECT id, address
FROM admin.access_addresses
WHERE id > $2 AND substring(address FROM 1 FOR octet_length($1::bytea)) <> $1
ORDER BY id
LIMIT 50
FOR UPDATE SKIP LOCKED;

-- addresses_stale_count: slow -> total_row
SELECT count(*) AS total
FROM admin.access_addresses
WHERE substring(address FROM 1 FOR octet_length($1::bytea)) <> $1;

-- address_reseal: write
UPDATE admin.access_addresses SET address = $2 WHERE id = $1;

-- person_reads: slow -> personal_read
-- What the person read of others.
SELECT l.id, l.reader_role, a.address, l.record_kind, l.record, l.records, l.operation, l.read_at
FROM admin.access_log l LEFT JOIN admin.access_addresses a ON a.id = l.id
WHERE l.reader = $1 AND l.id > $2
ORDER BY l.id
LIMIT $3;

-- person_read_by: slow -> child_access
-- Who read the person's own record.
SELECT id, reader_role, operation, read_at
FROM admin.access_log
WHERE record = $1 AND record_kind = 'user' AND id > $2
ORDER BY id
LIMIT $3;

-- reader_forget: write
WITH known AS (
    INSERT INTO admin.erased_readers (id) VALUES ($1) ON CONFLICT DO NOTHING
)
DELETE FROM admin.access_addresses WHERE id IN (SELECT id FROM admin.access_log WHERE reader = $1);
