-- Erasure: what each actor removes of a person when user.erased comes (shared/actor/erasure.h).

-- Recorded answers of one principal can be forgotten before their time. The actors that are there, and those to come.
CREATE FUNCTION aipoten.make_erasable(actor text) RETURNS void
    LANGUAGE plpgsql
    AS $$
    BEGIN
        EXECUTE format('CREATE INDEX IF NOT EXISTS idx_keyed_calls_principal ON %I.keyed_calls (principal)'
                       ' WHERE principal IS NOT NULL', actor);
        EXECUTE format('GRANT DELETE ON %I.calls TO %I', actor, 'aipoten_' || actor);
    END
    $$;
REVOKE ALL ON FUNCTION aipoten.make_erasable(text) FROM PUBLIC;
SELECT aipoten.make_erasable(nspname) FROM pg_namespace
WHERE EXISTS (SELECT FROM pg_class WHERE relnamespace = pg_namespace.oid AND relname = 'keyed_calls');

CREATE OR REPLACE FUNCTION aipoten.make_actor(actor text) RETURNS void
    LANGUAGE plpgsql
    AS $$
    DECLARE
        role text := 'aipoten_' || actor;
    BEGIN
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role);
        EXECUTE format('GRANT USAGE ON SCHEMA aipoten TO %I', role);
        EXECUTE format('GRANT EXECUTE ON FUNCTION aipoten.app_now() TO %I', role);
        EXECUTE format('CREATE SCHEMA %I', actor);
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', actor, role);
        PERFORM aipoten.make_calls(actor);
        PERFORM aipoten.make_events(actor);
        PERFORM aipoten.order_events(actor);
        PERFORM aipoten.make_erasable(actor);
    END
    $$;

-- accounts: those who are not yet a tombstone.
CREATE INDEX idx_users_erasing ON accounts.users (id) WHERE status = 'erasing';

-- admin: where an erased user read from is forgotten, also when word of the read comes later. The log itself keeps ids only.
GRANT DELETE ON admin.access_addresses TO aipoten_admin;
CREATE TABLE admin.erased_readers (
    id uuid PRIMARY KEY                          -- of a user who is no more
);
GRANT SELECT, INSERT ON admin.erased_readers TO aipoten_admin;

-- mailer: whose address a mail goes to, by a digest, for those who had no account when it was asked for. Published: the digest of
-- each account's address.
CREATE VIEW accounts.address_digests AS
    SELECT id AS user_id, aipoten.address_digest(email) AS address_digest FROM accounts.users;
GRANT USAGE ON SCHEMA accounts TO aipoten_mailer;
GRANT SELECT ON accounts.address_digests TO aipoten_accounts, aipoten_mailer;
GRANT EXECUTE ON FUNCTION aipoten.address_digest(text) TO aipoten_mailer;
ALTER TABLE mailer.mail_jobs ADD COLUMN address_digest bytea;
CREATE INDEX idx_mail_jobs_address_digest ON mailer.mail_jobs (address_digest) WHERE address_digest IS NOT NULL;
