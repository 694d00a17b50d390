-- An account's life: its e-mail address is verified, its password set anew, it is deleted, comes back, or is erased. The states
-- and the ways between them: actors/accounts/user_state.c.

-- deleted_from: whether a deleted account was suspended, for then no login brings it back. password_version: how often the
-- password was changed; a login holds only while it is the same (the hash also changes when only its cost does).
ALTER TABLE accounts.users ADD COLUMN deleted_from text, ADD COLUMN password_version integer NOT NULL DEFAULT 0;
UPDATE accounts.users SET deleted_from = 'active' WHERE status = 'deleted';
ALTER TABLE accounts.users
    DROP CONSTRAINT users_status_check,
    DROP CONSTRAINT users_deleted_check,
    ADD CONSTRAINT users_status_check CHECK (status IN ('active', 'suspended', 'deleted', 'erasing', 'erased')),
    ADD CONSTRAINT users_deleted_check
        CHECK ((status IN ('deleted', 'erasing', 'erased')) = (deleted_at IS NOT NULL)),
    ADD CONSTRAINT users_deleted_from_check CHECK (deleted_from IN ('active', 'suspended'));
-- What waits for its erasure.
CREATE INDEX idx_users_deleted_at ON accounts.users (deleted_at) WHERE status = 'deleted';

-- Tokens that travel by mail: of each only its SHA-256 is kept, each works once, and a new one ends the one before. So a user has
-- one at most that still works, whoever writes at the same time.
CREATE TABLE accounts.email_verifications (
    id         uuid        PRIMARY KEY,
    user_id    uuid        NOT NULL REFERENCES accounts.users,
    token_hash bytea       NOT NULL CONSTRAINT email_verifications_token_key UNIQUE,
    created_at timestamptz NOT NULL DEFAULT aipoten.app_now(),
    expires_at timestamptz NOT NULL,
    spent_at   timestamptz                    -- used, or replaced by a newer one
);
CREATE UNIQUE INDEX email_verifications_live_key ON accounts.email_verifications (user_id) WHERE spent_at IS NULL;
CREATE INDEX idx_email_verifications_user_id ON accounts.email_verifications (user_id);
CREATE INDEX idx_email_verifications_expires_at ON accounts.email_verifications (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON accounts.email_verifications TO aipoten_accounts;

CREATE TABLE accounts.password_resets (
    id         uuid        PRIMARY KEY,
    user_id    uuid        NOT NULL REFERENCES accounts.users,
    token_hash bytea       NOT NULL CONSTRAINT password_resets_token_key UNIQUE,
    created_at timestamptz NOT NULL DEFAULT aipoten.app_now(),
    expires_at timestamptz NOT NULL,
    spent_at   timestamptz
);
CREATE UNIQUE INDEX password_resets_live_key ON accounts.password_resets (user_id) WHERE spent_at IS NULL;
CREATE INDEX idx_password_resets_user_id ON accounts.password_resets (user_id);
CREATE INDEX idx_password_resets_expires_at ON accounts.password_resets (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON accounts.password_resets TO aipoten_accounts;

-- Sessions whose time was over long ago are removed.
CREATE INDEX idx_auth_sessions_expires_at ON accounts.auth_sessions (expires_at);

-- What was answered to a login or a refresh under an Idempotency-Key is worth nothing once a session of that user has ended: it
-- is forgotten in the transaction that ends it, whichever that is.
CREATE INDEX idx_answers_principal ON accounts.keyed_calls (principal) WHERE principal IS NOT NULL;
CREATE FUNCTION accounts.forget_answers() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
    BEGIN
        DELETE FROM accounts.keyed_calls
        WHERE principal = NEW.user_id AND operation IN ('auth.login', 'auth.refresh');
        RETURN NULL;
    END
    $$;
REVOKE ALL ON FUNCTION accounts.forget_answers() FROM PUBLIC;
CREATE TRIGGER auth_sessions_forget_answers AFTER UPDATE OF revoked_at ON accounts.auth_sessions
    FOR EACH ROW WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL)
    EXECUTE FUNCTION accounts.forget_answers();
