-- Logging in by another company: google, kakao, naver, apple (actors/accounts/oauth.c).

-- Who a user is there: the provider's own id of the user, never the e-mail address, which changes hands. One identity belongs to
-- one user, and a user has one of each provider at most.
CREATE TABLE accounts.user_identities (
    id            uuid        PRIMARY KEY,
    user_id       uuid        NOT NULL REFERENCES accounts.users,
    provider      text        NOT NULL,
    subject       text        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT aipoten.app_now(),
    last_login_at timestamptz NOT NULL DEFAULT aipoten.app_now(),
    CONSTRAINT user_identities_provider_check CHECK (provider IN ('google', 'kakao', 'naver', 'apple')),
    CONSTRAINT user_identities_subject_check  CHECK (length(subject) BETWEEN 1 AND 255),
    CONSTRAINT user_identities_subject_key    UNIQUE (provider, subject),
    CONSTRAINT user_identities_user_key       UNIQUE (user_id, provider)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON accounts.user_identities TO aipoten_accounts;

-- Log-ins that began. Only the SHA-256 of the state is kept; the nonce and the challenge are no secrets: they stand in the URL that
-- the browser is sent to. A state is taken once, by the call that shows it.
CREATE TABLE accounts.oauth_states (
    state_hash   bytea       PRIMARY KEY,
    provider     text        NOT NULL,
    redirect_uri text        NOT NULL,
    nonce        text        NOT NULL,
    challenge    text        NOT NULL,
    user_id      uuid        REFERENCES accounts.users, -- who was logged in, and links it; null: nobody
    taken_by     uuid,                                  -- a call's id
    created_at   timestamptz NOT NULL DEFAULT aipoten.app_now(),
    expires_at   timestamptz NOT NULL
);
CREATE INDEX idx_oauth_states_expires_at ON accounts.oauth_states (expires_at);
CREATE INDEX idx_oauth_states_user_id ON accounts.oauth_states (user_id) WHERE user_id IS NOT NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON accounts.oauth_states TO aipoten_accounts;

-- A log-in by a provider is answered with tokens, too, which are forgotten when a session of the user ends.
CREATE OR REPLACE FUNCTION accounts.forget_answers() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
    BEGIN
        DELETE FROM accounts.keyed_calls
        WHERE principal = NEW.user_id AND operation IN ('auth.login', 'auth.refresh', 'auth.oauth.login');
        RETURN NULL;
    END
    $$;
