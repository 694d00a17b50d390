-- notifications: which service carries a push, so that one that does not answer holds up none of the others (actors/notifications/push.c).

-- The entry of push.web_hosts that a browser's endpoint fits, 'fcm', 'apns'. What was registered by a release without it is looked at when
-- its next push is claimed.
ALTER TABLE notifications.devices ADD COLUMN service text NOT NULL DEFAULT 'unknown';
ALTER TABLE notifications.push_jobs ADD COLUMN service text NOT NULL DEFAULT 'unknown';

-- Of each service those that are due first, whatever waits for the others.
CREATE INDEX idx_push_jobs_service ON notifications.push_jobs (service, next_at) WHERE state <> 'dead';
DROP INDEX notifications.idx_push_jobs_next_at;
