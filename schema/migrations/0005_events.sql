-- What actors tell each other: events, written in the transaction of the call that emits them, and a delivery for each
-- subscriber, which is gone when the subscriber has done its part (shared/actor/event.c).
--
-- `position` is given while the emitting transaction holds its aggregate, so events of one aggregate are numbered in the
-- order of their commits. `body` is sealed. A delivery with `dead_at` failed too often and holds up its aggregate until
-- aipotenctl events retry or skip.
CREATE FUNCTION aipoten.make_events(actor text) RETURNS void
    LANGUAGE plpgsql
    AS $$
    BEGIN
        EXECUTE format('CREATE TABLE %I.events (
            position   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            id         uuid        NOT NULL,
            type       text        NOT NULL,
            aggregate  uuid        NOT NULL,
            body       bytea       NOT NULL,
            created_at timestamptz NOT NULL DEFAULT aipoten.app_now()
        )', actor);
        EXECUTE format('CREATE TABLE %I.deliveries (
            subscriber text        NOT NULL,
            position   bigint      NOT NULL,
            aggregate  uuid        NOT NULL,
            attempts   integer     NOT NULL DEFAULT 0,
            next_at    timestamptz NOT NULL DEFAULT aipoten.app_now(),
            last_error text,
            dead_at    timestamptz,
            CONSTRAINT deliveries_pkey PRIMARY KEY (subscriber, position)
        )', actor);
        EXECUTE format('CREATE INDEX idx_deliveries_next_at ON %I.deliveries (next_at) WHERE dead_at IS NULL', actor);
        EXECUTE format('CREATE INDEX idx_deliveries_aggregate ON %I.deliveries (subscriber, aggregate, position)', actor);
        EXECUTE format('CREATE INDEX idx_deliveries_position ON %I.deliveries (position)', actor);
        EXECUTE format('GRANT SELECT, INSERT, DELETE ON %I.events TO %I', actor, 'aipoten_' || actor);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I.deliveries TO %I', actor, 'aipoten_' || actor);
    END
    $$;
REVOKE ALL ON FUNCTION aipoten.make_events(text) FROM PUBLIC;

-- How the migration of every later actor begins; 0004 made the first form, without events.
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
    END
    $$;

SELECT aipoten.make_events('accounts'), aipoten.make_events('children');
