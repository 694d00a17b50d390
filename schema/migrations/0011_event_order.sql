-- The first delivery of an aggregate alone is due; those behind it wait, and are looked at again only when it is done. Before, each
-- round of a dispatcher compared all that were due with one another, and a long row of one aggregate outlasted every time limit.
--
-- Whoever emits, finishes or gives up a delivery holds the advisory lock of its aggregate meanwhile (shared/actor/event.c), so
-- none is left waiting behind nobody, and positions of an aggregate come in the order of the commits.
CREATE FUNCTION aipoten.order_events(actor text) RETURNS void
    LANGUAGE plpgsql
    AS $$
    BEGIN
        EXECUTE format('ALTER TABLE %I.deliveries ADD COLUMN waits boolean NOT NULL DEFAULT false', actor);
        EXECUTE format('UPDATE %1$I.deliveries d SET waits = true FROM (SELECT subscriber, position, min(position)
            OVER (PARTITION BY subscriber, aggregate) AS first FROM %1$I.deliveries) AS p
            WHERE p.subscriber = d.subscriber AND p.position = d.position AND p.first < p.position', actor);
        EXECUTE format('CREATE INDEX idx_deliveries_due ON %I.deliveries (next_at, position) WHERE dead_at IS NULL AND NOT waits',
            actor);
        EXECUTE format('DROP INDEX %I.idx_deliveries_next_at', actor);
    END
    $$;
REVOKE ALL ON FUNCTION aipoten.order_events(text) FROM PUBLIC;

-- How the migration of every later actor begins.
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
    END
    $$;

SELECT aipoten.order_events(nspname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'deliveries' AND c.relkind = 'r' AND nspname NOT LIKE 'pg\_%';
