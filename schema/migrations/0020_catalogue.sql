-- videos: what ranks the videos is remembered by those who rank (actors/videos/catalogue.c), as it was at a version.

-- One row. What changes the facts below changes the version in the same transaction, whoever writes them: so who reads the version
-- knows whether what it remembers still stands here. Versions are chance: one that was rolled back, or that a crash or a restore took
-- back, never comes again.
CREATE TABLE videos.catalogue (
    only_one boolean PRIMARY KEY DEFAULT true,
    version  uuid    NOT NULL DEFAULT gen_random_uuid(),
    CONSTRAINT catalogue_only_one_check CHECK (only_one)
);
INSERT INTO videos.catalogue DEFAULT VALUES;
GRANT SELECT, UPDATE ON videos.catalogue TO aipoten_videos;

-- Once in a transaction is enough: until it commits nobody else sees what it writes, and it remembers nothing of that itself
-- (videos.sql, catalogue_read).
CREATE FUNCTION videos.change_catalogue() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
    BEGIN
        IF coalesce(current_setting('aipoten.catalogue_changed', true), '') <> 'true' THEN
            UPDATE videos.catalogue SET version = gen_random_uuid();
            PERFORM set_config('aipoten.catalogue_changed', 'true', true);
        END IF;
        RETURN NULL;
    END
    $$;
REVOKE ALL ON FUNCTION videos.change_catalogue() FROM PUBLIC;
CREATE TRIGGER videos_change_catalogue AFTER INSERT OR DELETE OR TRUNCATE ON videos.videos
    FOR EACH STATEMENT EXECUTE FUNCTION videos.change_catalogue();
-- Of the counters only what product.md, section 5, makes of them: most views change no ranking.
CREATE TRIGGER videos_change_catalogue_facts AFTER UPDATE ON videos.videos
    FOR EACH ROW WHEN ((OLD.is_published, OLD.deleted_at, OLD.area_set, OLD.target_age_min, OLD.target_age_max, OLD.priority,
                        OLD.difficulty, OLD.published_at, 5 * OLD.completion_count::bigint / (OLD.view_count::bigint + 20))
        IS DISTINCT FROM (NEW.is_published, NEW.deleted_at, NEW.area_set, NEW.target_age_min, NEW.target_age_max, NEW.priority,
                          NEW.difficulty, NEW.published_at, 5 * NEW.completion_count::bigint / (NEW.view_count::bigint + 20)))
    EXECUTE FUNCTION videos.change_catalogue();
