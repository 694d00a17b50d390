-- accounts: users, their sessions and consents. Written by the accounts actor alone.
CREATE SCHEMA accounts;
GRANT USAGE ON SCHEMA accounts TO aipoten_accounts, aipoten_children;

-- A user whom others reference is never deleted: the row stays as a tombstone, emptied of personal data.
CREATE TABLE accounts.users (
    id                uuid        PRIMARY KEY,
    email             text        NOT NULL,
    password_hash     text,                   -- bcrypt; null: logs in by a provider only
    name              text        NOT NULL,
    phone             bytea,                  -- sealed
    phone_index       bytea,                  -- HMAC-SHA256 of its digits
    role              text        NOT NULL,
    status            text        NOT NULL DEFAULT 'active',
    language          text        NOT NULL DEFAULT 'ko',
    email_verified_at timestamptz,
    created_at        timestamptz NOT NULL DEFAULT aipoten.app_now(),
    updated_at        timestamptz NOT NULL DEFAULT aipoten.app_now(),
    deleted_at        timestamptz,
    CONSTRAINT users_role_check     CHECK (role IN ('parent', 'therapist', 'admin')),
    CONSTRAINT users_status_check   CHECK (status IN ('active', 'suspended', 'deleted')),
    CONSTRAINT users_language_check CHECK (language IN ('ko', 'en')),
    CONSTRAINT users_phone_check    CHECK ((phone IS NULL) = (phone_index IS NULL)),
    CONSTRAINT users_deleted_check  CHECK ((status = 'deleted') = (deleted_at IS NOT NULL))
);
CREATE UNIQUE INDEX users_email_key ON accounts.users (lower(email));
-- The admins' list: newest first, by itself or within a role or a status; found by e-mail prefix, part of a name, phone.
CREATE INDEX idx_users_created_at ON accounts.users (created_at, id);
CREATE INDEX idx_users_role ON accounts.users (role, created_at, id);
CREATE INDEX idx_users_status ON accounts.users (status, created_at, id);
CREATE INDEX idx_users_email_prefix ON accounts.users (lower(email) text_pattern_ops);
CREATE INDEX idx_users_name_bigrams ON accounts.users USING gin (aipoten.bigrams(name));
CREATE INDEX idx_users_phone_index ON accounts.users (phone_index) WHERE phone_index IS NOT NULL;
GRANT SELECT, INSERT, UPDATE ON accounts.users TO aipoten_accounts;

-- A session is a family of refresh tokens; `rotation` counts how often its token was exchanged.
CREATE TABLE accounts.auth_sessions (
    id             uuid        PRIMARY KEY,
    user_id        uuid        NOT NULL REFERENCES accounts.users,
    refresh_hash   bytea       NOT NULL,      -- of the newest token: the token itself is stored nowhere
    rotation       integer     NOT NULL DEFAULT 0,
    delivery       text        NOT NULL,
    user_agent     text,
    created_at     timestamptz NOT NULL DEFAULT aipoten.app_now(),
    last_used_at   timestamptz NOT NULL DEFAULT aipoten.app_now(),
    expires_at     timestamptz NOT NULL,
    revoked_at     timestamptz,
    revoked_reason text,
    CONSTRAINT auth_sessions_delivery_check CHECK (delivery IN ('body', 'cookie')),
    CONSTRAINT auth_sessions_rotation_check CHECK (rotation >= 0),
    CONSTRAINT auth_sessions_revoked_check  CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL))
) WITH (fillfactor = 85); -- each refresh updates its row: no indexed column changes then, so there is room to stay on the page
CREATE INDEX idx_auth_sessions_user_id ON accounts.auth_sessions (user_id, created_at) WHERE revoked_at IS NULL;
-- What the actor tells a new shared memory at its start: the sessions that ended within the life of an access token.
CREATE INDEX idx_auth_sessions_revoked_at ON accounts.auth_sessions (revoked_at) WHERE revoked_at IS NOT NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON accounts.auth_sessions TO aipoten_accounts;

-- Append-only: a withdrawal is a new row, and nobody may change what was said.
CREATE TABLE accounts.consents (
    id         uuid        PRIMARY KEY,
    user_id    uuid        NOT NULL REFERENCES accounts.users,
    kind       text        NOT NULL,
    version    integer     NOT NULL,
    granted    boolean     NOT NULL,
    created_at timestamptz NOT NULL DEFAULT aipoten.app_now(),
    CONSTRAINT consents_kind_check
        CHECK (kind IN ('terms', 'privacy', 'child_health', 'child_guardian', 'marketing', 'sharing')),
    CONSTRAINT consents_version_check CHECK (version > 0)
);
CREATE INDEX idx_consents_newest ON accounts.consents (user_id, kind, created_at DESC, id DESC) INCLUDE (version, granted);
GRANT SELECT, INSERT ON accounts.consents TO aipoten_accounts;

-- Published: what a user says now, the newest row of each kind. A condition on user_id and kind goes into the index.
CREATE VIEW accounts.current_consents AS
    SELECT DISTINCT ON (user_id, kind) user_id, kind, version, granted
    FROM accounts.consents
    ORDER BY user_id, kind, created_at DESC, id DESC;
GRANT SELECT ON accounts.current_consents TO aipoten_accounts, aipoten_children;
