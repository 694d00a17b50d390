-- admin: the access log, which says who read whose personal data. Written by the admin actor alone, and only at its end.

SELECT aipoten.make_actor('admin');

-- Append-only. Positions have no gap; `hash` is SHA-256 over the hash of the row before and the row's own fields
-- (shared/crypto/audit_chain.h), so a row that is changed, removed or moved does not fit its neighbours any more.
CREATE TABLE admin.access_log (
    position    bigint      PRIMARY KEY,
    id          uuid        NOT NULL CONSTRAINT access_log_id_key UNIQUE,
    reader      uuid        NOT NULL,            -- the user who read
    reader_role text        NOT NULL,
    record_kind text        NOT NULL,            -- "child", "user", "users"
    record      uuid        NOT NULL,            -- what was read; zero for a page of many
    records     bigint      NOT NULL,            -- how many were shown
    operation   text        NOT NULL,
    read_at     timestamptz NOT NULL,
    created_at  timestamptz NOT NULL,
    hash        bytea       NOT NULL,
    CONSTRAINT access_log_position_check CHECK (position > 0),
    CONSTRAINT access_log_records_check  CHECK (records > 0),
    CONSTRAINT access_log_hash_check     CHECK (octet_length(hash) = 32)
);
CREATE INDEX idx_access_log_record ON admin.access_log (record, position);
CREATE INDEX idx_access_log_reader ON admin.access_log (reader, position);
CREATE INDEX idx_access_log_read_at ON admin.access_log (read_at);
GRANT SELECT, INSERT ON admin.access_log TO aipoten_admin;

-- From where it was read: the reader's personal data, sealed for its row. Not under the chain, so that it can be sealed anew
-- after a change of keys, and forgotten, while the log itself stays as it was written.
CREATE TABLE admin.access_addresses (
    id      uuid  PRIMARY KEY,                   -- of the row of access_log
    address bytea NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON admin.access_addresses TO aipoten_admin;

-- The last row: whoever appends locks it first.
CREATE TABLE admin.access_log_head (
    id       boolean PRIMARY KEY DEFAULT true CONSTRAINT access_log_head_one_row_check CHECK (id),
    position bigint  NOT NULL,
    hash     bytea   NOT NULL
);
INSERT INTO admin.access_log_head (position, hash) VALUES (0, decode(repeat('00', 32), 'hex'));
GRANT SELECT, UPDATE ON admin.access_log_head TO aipoten_admin;

-- The head once a day (Asia/Seoul). The same stands in the actor's log: whoever writes the whole table anew cannot reach that.
CREATE TABLE admin.anchors (
    day        date        PRIMARY KEY,
    position   bigint      NOT NULL,
    hash       bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT aipoten.app_now()
);
GRANT SELECT, INSERT ON admin.anchors TO aipoten_admin;

-- Published: who may ask who looked at a child.
CREATE VIEW children.guardians AS
    SELECT g.child_id, g.user_id
    FROM children.child_guardians g JOIN children.children c ON c.id = g.child_id
    WHERE c.deleted_at IS NULL;
GRANT USAGE ON SCHEMA children TO aipoten_admin;
GRANT SELECT ON children.guardians TO aipoten_admin, aipoten_children;
