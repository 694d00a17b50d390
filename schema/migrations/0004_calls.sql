-- Exactly once: what every writing call did, so that it is not done again when its answer was lost on the way.
--
-- A call's row is inserted in the call's own transaction, as its last statement before COMMIT: two of the same call cannot both
-- commit. `answer` is the reply as it was sent, sealed. Rows of calls that carried no Idempotency-Key matter for an hour: they
-- stand in a ring of six partitions by the hour in their id (UUIDv7), of which the actor empties those that have passed
-- (shared/actor/once.c). Rows under a client's Idempotency-Key are kept for a day.

-- The record of one actor's calls, in its schema; the role aipoten_ACTOR reads and writes it.
CREATE FUNCTION aipoten.make_calls(actor text) RETURNS void
    LANGUAGE plpgsql
    AS $$
    BEGIN
        EXECUTE format('CREATE TABLE %I.calls (
            slot       smallint    NOT NULL,
            id         uuid        NOT NULL,
            operation  text        NOT NULL,
            principal  uuid,
            body_hash  bytea       NOT NULL,
            answer     bytea       NOT NULL,
            created_at timestamptz NOT NULL DEFAULT aipoten.app_now(),
            CONSTRAINT calls_pkey PRIMARY KEY (slot, id)
        ) PARTITION BY LIST (slot)', actor);
        FOR hour IN 0 .. 5 LOOP
            EXECUTE format('CREATE TABLE %1$I.calls_%2$s PARTITION OF %1$I.calls FOR VALUES IN (%2$s)', actor, hour);
            EXECUTE format('GRANT SELECT, INSERT, TRUNCATE ON %I.calls_%s TO %I', actor, hour, 'aipoten_' || actor);
        END LOOP;
        EXECUTE format('GRANT SELECT, INSERT ON %I.calls TO %I', actor, 'aipoten_' || actor);
        EXECUTE format('CREATE TABLE %I.keyed_calls (
            id         uuid        NOT NULL,
            operation  text        NOT NULL,
            principal  uuid,
            body_hash  bytea       NOT NULL,
            answer     bytea       NOT NULL,
            created_at timestamptz NOT NULL DEFAULT aipoten.app_now(),
            CONSTRAINT keyed_calls_pkey PRIMARY KEY (id)
        )', actor);
        EXECUTE format('CREATE INDEX idx_keyed_calls_created_at ON %I.keyed_calls (created_at)', actor);
        EXECUTE format('GRANT SELECT, INSERT, DELETE ON %I.keyed_calls TO %I', actor, 'aipoten_' || actor);
    END
    $$;
REVOKE ALL ON FUNCTION aipoten.make_calls(text) FROM PUBLIC;

-- How the migration of every later actor begins, SELECT aipoten.make_actor('therapists'): its schema, what its role needs to
-- enter (0001 gave it to the first two), and its record of calls. The migrator made the role before.
CREATE FUNCTION aipoten.make_actor(actor text) RETURNS void
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
    END
    $$;
REVOKE ALL ON FUNCTION aipoten.make_actor(text) FROM PUBLIC;

SELECT aipoten.make_calls('accounts'), aipoten.make_calls('children');
