-- What every schema stands on: who may enter the database at all, the clock, and the index of Korean text.
-- The schema aipoten and its table migrations were made by the migrator before this file ran (shared/pg/migrate.c).

DO $$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO aipoten_accounts, aipoten_children', current_database());
END
$$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON SCHEMA aipoten FROM PUBLIC;
GRANT USAGE ON SCHEMA aipoten TO aipoten_accounts, aipoten_children;

-- The one source of time in SQL: now(), shifted by the setting aipoten.clock_shift (seconds) where a test sets it.
CREATE FUNCTION aipoten.app_now() RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
        SELECT now() + coalesce(nullif(current_setting('aipoten.clock_shift', true), '')::double precision, 0) * interval '1 second'
    $$;
REVOKE ALL ON FUNCTION aipoten.app_now() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aipoten.app_now() TO aipoten_accounts, aipoten_children;

-- Every single character and every pair of neighbours of a text, in lower case. A GIN index over it finds Hangul by one or
-- two syllables, which a trigram index cannot:
--     WHERE aipoten.bigrams(name) @> aipoten.bigrams($1) AND strpos(lower(name), lower($1)) > 0
CREATE FUNCTION aipoten.bigrams(value text) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    DECLARE
        folded text := lower(value);
        found text[] := '{}';
    BEGIN
        FOR i IN 1 .. length(folded) LOOP
            found := found || substr(folded, i, 1);
            IF i < length(folded) THEN
                found := found || substr(folded, i, 2);
            END IF;
        END LOOP;
        RETURN found;
    END
    $$;
REVOKE ALL ON FUNCTION aipoten.bigrams(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aipoten.bigrams(text) TO aipoten_accounts;

-- Which demo data was loaded (aipotenctl db demo): one row at most.
CREATE TABLE aipoten.demo_data (
    id        boolean     PRIMARY KEY DEFAULT true CONSTRAINT demo_data_one_row_check CHECK (id),
    users     integer     NOT NULL,
    children  integer     NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT aipoten.app_now()
);
