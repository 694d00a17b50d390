-- videos: what is not published changes nobody's ranking, so it leaves the catalogue's version (0020) as it is: drafts are made and
-- worked on while thousands rank, and each would read all videos anew.
DROP TRIGGER videos_change_catalogue ON videos.videos;
DROP TRIGGER videos_change_catalogue_facts ON videos.videos;
DROP TRIGGER videos_change_catalogue_alive ON videos.videos;
CREATE TRIGGER videos_change_catalogue_truncate AFTER TRUNCATE ON videos.videos
    FOR EACH STATEMENT EXECUTE FUNCTION videos.change_catalogue();
CREATE TRIGGER videos_change_catalogue_insert AFTER INSERT ON videos.videos
    FOR EACH ROW WHEN (NEW.is_published AND NEW.deleted_at IS NULL) EXECUTE FUNCTION videos.change_catalogue();
CREATE TRIGGER videos_change_catalogue_delete AFTER DELETE ON videos.videos
    FOR EACH ROW WHEN (OLD.is_published AND OLD.deleted_at IS NULL) EXECUTE FUNCTION videos.change_catalogue();
-- The facts of 0020 and 0021, of what was there or is there now.
CREATE TRIGGER videos_change_catalogue_facts AFTER UPDATE ON videos.videos
    FOR EACH ROW WHEN ((OLD.is_published AND OLD.deleted_at IS NULL OR NEW.is_published AND NEW.deleted_at IS NULL)
        AND (OLD.is_published, OLD.deleted_at, OLD.is_alive, OLD.area_set, OLD.target_age_min, OLD.target_age_max, OLD.priority,
             OLD.difficulty, OLD.published_at, 5 * OLD.completion_count::bigint / (OLD.view_count::bigint + 20))
        IS DISTINCT FROM (NEW.is_published, NEW.deleted_at, NEW.is_alive, NEW.area_set, NEW.target_age_min, NEW.target_age_max,
             NEW.priority, NEW.difficulty, NEW.published_at, 5 * NEW.completion_count::bigint / (NEW.view_count::bigint + 20)))
    EXECUTE FUNCTION videos.change_catalogue();
