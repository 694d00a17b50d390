-- accounts: exports of what is held of a person. The file itself lies below var/files, named by `file`, as long as its row is here.
CREATE TABLE accounts.exports (
    id          uuid        PRIMARY KEY,
    user_id     uuid        NOT NULL REFERENCES accounts.users,
    state       text        NOT NULL DEFAULT 'collecting',
    file        uuid,                                        -- a new one each time that a process begins with it
    taken_until timestamptz NOT NULL DEFAULT aipoten.app_now(), -- a process works at it
    failures    integer     NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL DEFAULT aipoten.app_now(),
    ready_at    timestamptz,
    expires_at  timestamptz,
    size        bigint,
    CONSTRAINT exports_state_check CHECK (state IN ('collecting', 'ready', 'failed')),
    CONSTRAINT exports_ready_check CHECK ((state = 'ready') = (num_nonnulls(ready_at, expires_at, size) = 3))
);
CREATE UNIQUE INDEX exports_running_key ON accounts.exports (user_id) WHERE state = 'collecting';
CREATE INDEX idx_exports_user_id ON accounts.exports (user_id, created_at);
CREATE INDEX idx_exports_taken_until ON accounts.exports (taken_until) WHERE state = 'collecting';
CREATE INDEX idx_exports_expires_at ON accounts.exports (expires_at) WHERE state <> 'collecting';
GRANT SELECT, INSERT, UPDATE, DELETE ON accounts.exports TO aipoten_accounts;
