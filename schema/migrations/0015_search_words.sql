-- How the words of a query are looked for in what their keys have found: made ready once for the query, and compared as they stand
-- before anything dearer is tried.
--
--     WHERE aipoten.search_keys(words) @> (SELECT aipoten.search_terms($1))
--       AND aipoten.search_has(words, (SELECT aipoten.search_words($1)))

-- The words that their keys alone do not prove to be there: those of three characters and more, in the form they are compared in.
CREATE FUNCTION aipoten.search_words(words text) RETURNS text[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
        SELECT coalesce(array_agg(form), '{}')
        FROM regexp_split_to_table(words, '\s+') AS word, LATERAL aipoten.search_form(word) AS form
        WHERE length(form) > 2
    $$;
REVOKE ALL ON FUNCTION aipoten.search_words(text) FROM PUBLIC;

-- Has the text each of these words? Most are there as they are; else the text's form is looked at, and its initials only for a word
-- that has some.
CREATE FUNCTION aipoten.search_has(value text, words text[]) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 1000
    AS $$
    DECLARE
        word text;
        form text;
        initials text;
        here boolean;
    BEGIN
        FOREACH word IN ARRAY words LOOP
            CONTINUE WHEN strpos(value, word) > 0;
            form := coalesce(form, aipoten.search_form(value));
            CONTINUE WHEN strpos(form, word) > 0;
            IF word !~ '[ㄱ-ㅎ]' THEN
                RETURN false;
            END IF;
            initials := coalesce(initials, aipoten.initials(form));
            CONTINUE WHEN strpos(initials, word) > 0;
            -- Syllables and initials mixed: each letter is what stands there, or its initial.
            here := false;
            FOR place IN 1 .. length(form) - length(word) + 1 LOOP
                here := true;
                FOR i IN 1 .. length(word) LOOP
                    here := substr(word, i, 1) IN (substr(form, place + i - 1, 1), substr(initials, place + i - 1, 1));
                    EXIT WHEN NOT here;
                END LOOP;
                EXIT WHEN here;
            END LOOP;
            IF NOT here THEN
                RETURN false;
            END IF;
        END LOOP;
        RETURN true;
    END
    $$;
REVOKE ALL ON FUNCTION aipoten.search_has(text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aipoten.search_words(text), aipoten.search_has(text, text[]) TO aipoten_videos;

-- Its place is taken; no release has used it.
DROP FUNCTION aipoten.search_matches(text, text);
