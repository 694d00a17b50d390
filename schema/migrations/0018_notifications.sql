-- notifications: what everybody is told, how, and when. Written by the notifications actor alone.

SELECT aipoten.make_actor('notifications');

-- --- what it reads of others ----------------------------------------------------------------------------------------------------

-- Published: whom a notification can reach, in which language; and the address, for mails to those who have verified it.
CREATE VIEW accounts.recipients AS
    SELECT id AS user_id, role, language, name, email, email_verified_at IS NOT NULL AS email_verified
    FROM accounts.users
    WHERE status = 'active';
GRANT SELECT ON accounts.recipients TO aipoten_accounts, aipoten_notifications;
GRANT USAGE ON SCHEMA accounts TO aipoten_notifications;

-- Who the two parties of a consultation by video are. Nobody is, until the migration of consultations puts its own view in the place
-- of this one.
CREATE VIEW aipoten.call_parties AS
    SELECT NULL::uuid AS consultation_id, NULL::uuid AS user_id WHERE false;
GRANT SELECT ON aipoten.call_parties TO aipoten_notifications;

-- --- notifications --------------------------------------------------------------------------------------------------------------

-- A user's numbers. Who writes a notification, reads or deletes one locks this row first: so seq grows in the order of the commits, and
-- unread is exact.
CREATE TABLE notifications.counters (
    user_id uuid   PRIMARY KEY REFERENCES accounts.users,
    seq     bigint NOT NULL DEFAULT 0,  -- of the user's latest notification
    unread  bigint NOT NULL DEFAULT 0,
    CONSTRAINT counters_unread_check CHECK (unread >= 0)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON notifications.counters TO aipoten_notifications;

-- A deleted one stays as an empty row, so that a device whose last one it was can ask for what came after it.
CREATE TABLE notifications.notifications (
    id         uuid        PRIMARY KEY,
    user_id    uuid        NOT NULL REFERENCES accounts.users,
    seq        bigint      NOT NULL,
    type       text        NOT NULL,
    title      text        NOT NULL,
    message    text        NOT NULL,
    title_en   text,                               -- null: as in Korean
    message_en text,
    link_url   text,                               -- a relative path
    subject_id uuid,                               -- what it is about: a child, a consultation
    in_app     boolean     NOT NULL DEFAULT true,  -- false: the user wants its type by other channels only; it is in no list
    is_read    boolean     NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT aipoten.app_now(),
    read_at    timestamptz,
    deleted_at timestamptz,
    CONSTRAINT notifications_seq_key    UNIQUE (user_id, seq),
    CONSTRAINT notifications_type_check
        CHECK (type IN ('assessment_reminder', 'new_video', 'matching_update', 'consultation_reminder', 'payment', 'refund', 'report',
                        'schedule_change', 'settlement', 'therapist_approval', 'system')),
    CONSTRAINT notifications_link_check CHECK (link_url LIKE '/%' AND link_url NOT LIKE '//%'),
    CONSTRAINT notifications_read_check CHECK (is_read = (read_at IS NOT NULL))
);
CREATE INDEX idx_notifications_user_unread ON notifications.notifications (user_id, seq DESC)
    WHERE NOT is_read AND in_app AND deleted_at IS NULL;
CREATE INDEX idx_notifications_subject_id ON notifications.notifications (subject_id) WHERE subject_id IS NOT NULL;
CREATE INDEX idx_notifications_created_at ON notifications.notifications (created_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON notifications.notifications TO aipoten_notifications;

-- What a user has chosen; without a row it is as kinds.c says.
CREATE TABLE notifications.notification_preferences (
    user_id uuid    NOT NULL REFERENCES accounts.users,
    type    text    NOT NULL,
    in_app  boolean NOT NULL,
    email   boolean NOT NULL,
    push    boolean NOT NULL,
    PRIMARY KEY (user_id, type)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON notifications.notification_preferences TO aipoten_notifications;

-- When nobody wants mails and pushes: minutes of the day in Seoul; from 1320 until 420 is over midnight.
CREATE TABLE notifications.quiet_hours (
    user_id     uuid     PRIMARY KEY REFERENCES accounts.users,
    quiet_from  smallint NOT NULL,
    quiet_until smallint NOT NULL,
    CONSTRAINT quiet_hours_check
        CHECK (quiet_from BETWEEN 0 AND 1439 AND quiet_until BETWEEN 0 AND 1439 AND quiet_from <> quiet_until)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON notifications.quiet_hours TO aipoten_notifications;

-- The moment itself, or the end of the quiet hours in which it lies. Nulls: there are none. Seoul has no daylight saving.
CREATE FUNCTION notifications.after_quiet(moment timestamptz, quiet_from integer, quiet_until integer) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE
        WHEN quiet_from IS NULL OR quiet_until IS NULL THEN moment
        WHEN quiet_from < quiet_until AND m >= quiet_from AND m < quiet_until THEN day + quiet_until * interval '1 minute'
        WHEN quiet_from > quiet_until AND m < quiet_until THEN day + quiet_until * interval '1 minute'
        WHEN quiet_from > quiet_until AND m >= quiet_from THEN day + (quiet_until + 1440) * interval '1 minute'
        ELSE moment END
    FROM (SELECT date_trunc('day', moment, 'Asia/Seoul') AS day,
                 (extract(epoch FROM moment - date_trunc('day', moment, 'Asia/Seoul')) / 60)::numeric AS m) AS local
    $$;
REVOKE ALL ON FUNCTION notifications.after_quiet(timestamptz, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION notifications.after_quiet(timestamptz, integer, integer) TO aipoten_notifications;

-- --- channels -------------------------------------------------------------------------------------------------------------------

-- Mails that are to be asked for at their time; the row goes in the transaction that asks.
CREATE TABLE notifications.emails (
    notification_id uuid        PRIMARY KEY REFERENCES notifications.notifications,
    next_at         timestamptz NOT NULL
);
CREATE INDEX idx_emails_next_at ON notifications.emails (next_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON notifications.emails TO aipoten_notifications;

-- Where a user's devices are reached. `token` (of the Web: the subscription's endpoint), `p256dh` and `auth` are sealed.
CREATE TABLE notifications.devices (
    id           uuid        PRIMARY KEY,
    user_id      uuid        NOT NULL REFERENCES accounts.users,
    platform     text        NOT NULL,
    token        bytea       NOT NULL,
    token_digest bytea       NOT NULL,
    p256dh       bytea,
    auth         bytea,
    name         text,
    created_at   timestamptz NOT NULL DEFAULT aipoten.app_now(),
    updated_at   timestamptz NOT NULL DEFAULT aipoten.app_now(),
    CONSTRAINT devices_platform_check CHECK (platform IN ('web', 'fcm', 'apns')),
    CONSTRAINT devices_keys_check     CHECK ((platform = 'web') = (p256dh IS NOT NULL) AND (platform = 'web') = (auth IS NOT NULL)),
    CONSTRAINT devices_token_key      UNIQUE (token_digest)
);
CREATE INDEX idx_devices_user_id ON notifications.devices (user_id, created_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON notifications.devices TO aipoten_notifications;

-- A notification on its way to a device. It is done when its row is gone; what stands in Redis are numbers that say "look at it now".
-- `next_at` is when it may be claimed: of a waiting one the end of its pause, of one that is being sent the end of its lease.
CREATE TABLE notifications.push_jobs (
    id              bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    notification_id uuid        NOT NULL REFERENCES notifications.notifications,
    device_id       uuid        NOT NULL REFERENCES notifications.devices,
    state           text        NOT NULL DEFAULT 'waiting',
    attempts        integer     NOT NULL DEFAULT 0,
    failures        integer     NOT NULL DEFAULT 0,
    next_at         timestamptz NOT NULL,
    queued_at       timestamptz,
    last_error      text,
    created_at      timestamptz NOT NULL DEFAULT aipoten.app_now(),
    CONSTRAINT push_jobs_state_check CHECK (state IN ('waiting', 'sending', 'dead')),
    CONSTRAINT push_jobs_key         UNIQUE (notification_id, device_id)
);
CREATE INDEX idx_push_jobs_next_at ON notifications.push_jobs (next_at) WHERE state <> 'dead';
CREATE INDEX idx_push_jobs_device_id ON notifications.push_jobs (device_id);
CREATE INDEX idx_push_jobs_dead ON notifications.push_jobs (created_at) WHERE state = 'dead';
GRANT SELECT, INSERT, UPDATE, DELETE ON notifications.push_jobs TO aipoten_notifications;

-- --- later, and to many ---------------------------------------------------------------------------------------------------------

-- What is to be said at a time; the row goes in the transaction that says it. PostgreSQL's clock decides.
CREATE TABLE notifications.reminders (
    id         uuid        PRIMARY KEY,  -- made by whoever asked for it
    user_id    uuid        NOT NULL REFERENCES accounts.users,
    due_at     timestamptz NOT NULL,
    not_after  timestamptz,              -- later it is worth nothing
    body       bytea       NOT NULL,     -- the notification (message notification_requested), sealed
    created_at timestamptz NOT NULL DEFAULT aipoten.app_now()
);
CREATE INDEX idx_reminders_due_at ON notifications.reminders (due_at);
CREATE INDEX idx_reminders_user_id ON notifications.reminders (user_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON notifications.reminders TO aipoten_notifications;

-- One word to everybody in a role, written user by user in the order of their ids; `after_user` is how far it is.
CREATE TABLE notifications.broadcasts (
    id          uuid        PRIMARY KEY,
    created_by  uuid        NOT NULL REFERENCES accounts.users,
    role        text        NOT NULL,
    title       text        NOT NULL,
    message     text        NOT NULL,
    title_en    text,
    message_en  text,
    link_url    text,
    after_user  uuid        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    total       bigint      NOT NULL,                -- whom it was meant for when it was asked for
    sent        bigint      NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL DEFAULT aipoten.app_now(),
    finished_at timestamptz,
    CONSTRAINT broadcasts_role_check CHECK (role IN ('parent', 'therapist', 'admin', 'all')),
    CONSTRAINT broadcasts_link_check CHECK (link_url LIKE '/%' AND link_url NOT LIKE '//%')
);
CREATE INDEX idx_broadcasts_open ON notifications.broadcasts (id) WHERE finished_at IS NULL;
CREATE INDEX idx_broadcasts_created_by ON notifications.broadcasts (created_by);
GRANT SELECT, INSERT, UPDATE ON notifications.broadcasts TO aipoten_notifications;
