-- The link checker (product.md, section 5; actors/videos/links.c): after failures on three different days a video is not alive, and
-- leaves recommendations until its link answers again, or is another one.
ALTER TABLE videos.videos
    ADD COLUMN url_failed_days smallint NOT NULL DEFAULT 0, -- one after the other, of those on which it was looked at
    ADD COLUMN url_failed_on   date,                        -- the last of them, in Seoul
    ADD COLUMN is_alive        boolean  NOT NULL GENERATED ALWAYS AS (url_failed_days < 3) STORED,
    ADD CONSTRAINT videos_failed_check CHECK (url_failed_days >= 0 AND (url_failed_days = 0) = (url_failed_on IS NULL));
-- One of the facts by which videos are ranked (0020).
CREATE TRIGGER videos_change_catalogue_alive AFTER UPDATE ON videos.videos
    FOR EACH ROW WHEN (OLD.is_alive IS DISTINCT FROM NEW.is_alive) EXECUTE FUNCTION videos.change_catalogue();
-- The one that waits longest.
CREATE INDEX idx_videos_link_due ON videos.videos (url_last_checked_at NULLS FIRST, id) WHERE is_published AND deleted_at IS NULL;

-- What the system itself says to a role (event notification.broadcast) was asked for by nobody.
ALTER TABLE notifications.broadcasts ALTER COLUMN created_by DROP NOT NULL;
