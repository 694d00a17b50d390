-- notifications.sql: the statements of the notifications actor.
-- Whoever writes, reads or deletes a notification locks its user's counter first, several users in the order of their ids.

-- --- lists ----------------------------------------------------------------------------------------------------------------------

-- shown: part
-- As its user sees it; $2: in English.
n.id, n.type, CASE WHEN $2::boolean THEN coalesce(n.title_en, n.title) ELSE n.title END AS title,
       CASE WHEN $2::boolean THEN coalesce(n.message_en, n.message) ELSE n.message END AS message,
       n.link_url, n.is_read, n.seq, n.created_at, n.read_at;

-- listed: part
-- Those of $1; $3: only those not read.
n.user_id = $1 AND n.in_app AND n.deleted_at IS NULL AND (NOT $3::boolean OR NOT n.is_read);

-- notifications_page: read -> notification
-- Newest first, before $4.
SELECT {shown}
FROM notifications.notifications n
WHERE {listed} AND n.seq < $4
ORDER BY n.seq DESC
LIMIT $5 OFFSET $6;

-- notifications_after: read -> notification
-- Oldest first, after $4.
SELECT {shown}
FROM notifications.notifications n
WHERE {listed} AND n.seq > $4
ORDER BY n.seq
LIMIT $5 OFFSET $6;

-- notifications_count: read -> total_row
SELECT count(*) AS total
FROM (SELECT FROM notifications.notifications n
      WHERE n.user_id = $1 AND n.in_app AND n.deleted_at IS NULL AND (NOT $2::boolean OR NOT n.is_read) AND n.seq > $3
      LIMIT 10001) AS few;

-- unread_count: read batched -> unread_row
SELECT coalesce((SELECT c.unread FROM notifications.counters c WHERE c.user_id = $1), 0) AS unread;

-- newest_seq: read batched -> seq_row
SELECT coalesce((SELECT c.seq FROM notifications.counters c WHERE c.user_id = $1), 0) AS seq;

-- notification_seq: read batched -> seq_row
-- Also of one that was deleted.
SELECT seq FROM notifications.notifications WHERE id = $1 AND user_id = $2;

-- --- reading and deleting -------------------------------------------------------------------------------------------------------

-- counter_lock: write
SELECT FROM notifications.counters WHERE user_id = $1 FOR UPDATE;

-- notification_read: write -> notification_state
WITH was AS (
    SELECT id, is_read, read_at
    FROM notifications.notifications
    WHERE id = $1::uuid AND user_id = $2::uuid AND in_app AND deleted_at IS NULL
), changed AS (
    UPDATE notifications.notifications n SET is_read = true, read_at = aipoten.app_now()
    FROM was WHERE n.id = was.id AND NOT was.is_read
    RETURNING n.read_at
), counted AS (
    UPDATE notifications.counters SET unread = unread - 1
    WHERE user_id = $2::uuid AND EXISTS (SELECT FROM changed)
    RETURNING unread
)
SELECT was.id, true AS is_read, coalesce((SELECT read_at FROM changed), was.read_at) AS read_at,
       coalesce((SELECT unread FROM counted), c.unread) AS unread
FROM was JOIN notifications.counters c ON c.user_id = $2::uuid;

-- notifications_read_all: write -> read_all
WITH changed AS (
    UPDATE notifications.notifications SET is_read = true, read_at = aipoten.app_now()
    WHERE user_id = $1::uuid AND in_app AND NOT is_read AND deleted_at IS NULL
    RETURNING id
), counted AS (
    UPDATE notifications.counters SET unread = 0 WHERE user_id = $1::uuid
)
SELECT count(*) AS changed, 0::bigint AS unread FROM changed;

-- notification_delete: write -> key_row
WITH was AS (
    SELECT id, is_read
    FROM notifications.notifications
    WHERE id = $1::uuid AND user_id = $2::uuid AND in_app AND deleted_at IS NULL
), emptied AS (
    UPDATE notifications.notifications n
    SET title = '', message = '', title_en = NULL, message_en = NULL, link_url = NULL, subject_id = NULL,
        deleted_at = aipoten.app_now()
    FROM was WHERE n.id = was.id
), counted AS (
    UPDATE notifications.counters SET unread = unread - 1
    WHERE user_id = $2::uuid AND EXISTS (SELECT FROM was WHERE NOT is_read)
), unmailed AS (
    DELETE FROM notifications.emails WHERE notification_id IN (SELECT id FROM was)
), unpushed AS (
    DELETE FROM notifications.push_jobs WHERE notification_id IN (SELECT id FROM was)
)
SELECT id FROM was;

-- --- writing --------------------------------------------------------------------------------------------------------------------

-- notifications_write: write -> written
-- Of each of the notices $1 (JSON, notice_row) a notification for each of its users: $2 (ids of notifications), $3 (of users) and $4 (places
-- of notices) are of the same number. Those of the users who are there are numbered under the lock of their counters, in this order,
-- and each channel that the user wants is given its work, mails and pushes not before quiet hours end unless it is urgent.
WITH notice AS (
    SELECT * FROM json_to_recordset($1) AS n (place bigint, type text, title text, message text, title_en text, message_en text,
        link_url text, subject uuid, in_app boolean, email boolean, push boolean, urgent boolean)
), recipient AS (
    SELECT i.number, i.id, i.place, r.user_id, r.language
    FROM unnest(string_to_array($2::text, ' ')::uuid[], string_to_array($3::text, ' ')::uuid[], string_to_array($4::text, ' ')::bigint[])
            WITH ORDINALITY AS i (id, user_id, place, number)
        JOIN accounts.recipients r ON r.user_id = i.user_id
), chosen AS (
    SELECT r.number, r.id, r.place, r.user_id, r.language, coalesce(p.in_app, n.in_app) AS in_app, coalesce(p.email, n.email) AS email,
           coalesce(p.push, n.push) AS push,
           CASE WHEN n.urgent THEN aipoten.app_now()
                ELSE notifications.after_quiet(aipoten.app_now(), q.quiet_from, q.quiet_until) END AS send_at
    FROM recipient r
        JOIN notice n ON n.place = r.place
        LEFT JOIN notifications.notification_preferences p ON p.user_id = r.user_id AND p.type = n.type
        LEFT JOIN notifications.quiet_hours q ON q.user_id = r.user_id
), counted AS (
    INSERT INTO notifications.counters (user_id, seq, unread)
    SELECT c.user_id, count(*), count(*) FILTER (WHERE c.in_app) FROM chosen c GROUP BY c.user_id ORDER BY c.user_id
    ON CONFLICT (user_id) DO UPDATE SET seq = counters.seq + excluded.seq, unread = counters.unread + excluded.unread
    RETURNING user_id, seq
), numbered AS (
    SELECT c.number, c.id, c.place, c.user_id, c.language, c.in_app,
           k.seq - row_number() OVER (PARTITION BY c.user_id ORDER BY c.number DESC) + 1 AS seq
    FROM chosen c JOIN counted k ON k.user_id = c.user_id
), added AS (
    INSERT INTO notifications.notifications (id, user_id, seq, type, title, message, title_en, message_en, link_url, subject_id, in_app)
    SELECT c.id, c.user_id, c.seq, n.type, n.title, n.message, n.title_en, n.message_en, n.link_url, n.subject, c.in_app
    FROM numbered c JOIN notice n ON n.place = c.place
    RETURNING id, created_at
), mailed AS (
    INSERT INTO notifications.emails (notification_id, next_at) SELECT c.id, c.send_at FROM chosen c WHERE c.email
), pushed AS (
    INSERT INTO notifications.push_jobs (notification_id, device_id, service, next_at)
    SELECT c.id, d.id, d.service, c.send_at
    FROM chosen c JOIN notifications.devices d ON d.user_id = c.user_id
    WHERE c.push
    FOR KEY SHARE OF d -- as the reference will: one that goes at this moment is left out
)
SELECT c.place, c.id, c.user_id, c.seq, c.in_app, c.language, a.created_at
FROM numbered c JOIN added a ON a.id = c.id
ORDER BY c.number;

-- --- preferences ----------------------------------------------------------------------------------------------------------------

-- preferences_of: read -> preference
SELECT type, in_app, email, push FROM notifications.notification_preferences WHERE user_id = $1;

-- quiet_of: read -> quiet_row
SELECT quiet_from, quiet_until FROM notifications.quiet_hours WHERE user_id = $1;

-- preferences_clear: write
WITH quiet AS (
    DELETE FROM notifications.quiet_hours WHERE user_id = $1
)
DELETE FROM notifications.notification_preferences WHERE user_id = $1;

-- preference_set: write
INSERT INTO notifications.notification_preferences (user_id, type, in_app, email, push) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (user_id, type) DO UPDATE SET in_app = excluded.in_app, email = excluded.email, push = excluded.push;

-- quiet_set: write
INSERT INTO notifications.quiet_hours (user_id, quiet_from, quiet_until) VALUES ($1, $2, $3)
ON CONFLICT (user_id) DO UPDATE SET quiet_from = excluded.quiet_from, quiet_until = excluded.quiet_until;

-- --- broadcasts -----------------------------------------------------------------------------------------------------------------

-- broadcast_columns: part
b.id, b.role, b.title, b.message, b.title_en, b.message_en, b.link_url, b.total, b.sent, b.created_at, b.finished_at;

-- broadcast_create: write -> broadcast
INSERT INTO notifications.broadcasts AS b (id, created_by, role, title, message, title_en, message_en, link_url, total)
SELECT $1, $2, $3::text, $4, $5, $6, $7, $8,
       CASE $3::text WHEN 'all' THEN (SELECT count(*) FROM accounts.recipients)
                     ELSE (SELECT count(*) FROM accounts.recipients WHERE role = $3::text) END
RETURNING {broadcast_columns};

-- broadcast_get: read -> broadcast
SELECT {broadcast_columns} FROM notifications.broadcasts b WHERE b.id = $1;

-- broadcasts_page: read -> broadcast
-- Newest first, before $1.
SELECT {broadcast_columns} FROM notifications.broadcasts b WHERE b.id < $1 ORDER BY b.id DESC LIMIT $2 OFFSET $3;

-- broadcasts_count: read -> total_row
SELECT count(*) AS total FROM (SELECT FROM notifications.broadcasts LIMIT 10001) AS few;

-- broadcast_take: write -> broadcast_work
-- The oldest that is not whole and was ordered $1 milliseconds ago, until the end of the transaction.
SELECT id, role, title, message, title_en, message_en, link_url, after_user
FROM notifications.broadcasts
WHERE finished_at IS NULL AND created_at <= aipoten.app_now() - $1::bigint * interval '1 millisecond'
ORDER BY id
LIMIT 1
FOR UPDATE SKIP LOCKED;

-- broadcast_users: write -> key_row
SELECT user_id AS id FROM accounts.recipients WHERE user_id > $1 AND $2::text IN (role, 'all') ORDER BY user_id LIMIT $3;

-- broadcast_muted: write -> key_row
-- Who of role $1 does not want to be shown such things.
SELECT p.user_id AS id
FROM notifications.notification_preferences p JOIN accounts.recipients r ON r.user_id = p.user_id
WHERE p.type = 'system' AND NOT p.in_app AND $1::text IN (r.role, 'all')
ORDER BY p.user_id
LIMIT $2;

-- broadcast_advance: write
-- $2: the last user who was told; $3: how many more; $4: there are no further ones.
UPDATE notifications.broadcasts
SET after_user = $2, sent = sent + $3, finished_at = CASE WHEN $4::boolean THEN aipoten.app_now() END
WHERE id = $1;

-- --- what is due ----------------------------------------------------------------------------------------------------------------

-- work_look: read -> work_due
-- $1: as for broadcast_take.
SELECT EXISTS (SELECT FROM notifications.broadcasts
               WHERE finished_at IS NULL AND created_at <= aipoten.app_now() - $1::bigint * interval '1 millisecond') AS broadcasts,
       EXISTS (SELECT FROM notifications.emails WHERE next_at <= aipoten.app_now()) AS emails,
       EXISTS (SELECT FROM notifications.reminders WHERE due_at <= aipoten.app_now()) AS reminders;

-- emails_take: write -> email_row
-- The next $1 mails whose time has come are no longer here; those of them that somebody can get, in the order in which their users are
-- locked by whoever settles deliveries (event.c), and each user's in the order of their numbers.
WITH due AS (
    SELECT notification_id
    FROM notifications.emails
    WHERE next_at <= aipoten.app_now()
    ORDER BY next_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM notifications.emails e USING due WHERE e.notification_id = due.notification_id RETURNING e.notification_id
)
SELECT n.id, n.user_id, CASE WHEN r.language = 'en' THEN coalesce(n.title_en, n.title) ELSE n.title END AS title,
       CASE WHEN r.language = 'en' THEN coalesce(n.message_en, n.message) ELSE n.message END AS message,
       r.email, r.name, r.language
FROM gone JOIN notifications.notifications n ON n.id = gone.notification_id JOIN accounts.recipients r ON r.user_id = n.user_id
WHERE r.email_verified AND n.deleted_at IS NULL
ORDER BY n.user_id, n.seq;

-- reminder_set: write
INSERT INTO notifications.reminders (id, user_id, due_at, not_after, body) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (id) DO UPDATE
SET user_id = excluded.user_id, due_at = excluded.due_at, not_after = excluded.not_after, body = excluded.body;

-- reminder_cancel: write
DELETE FROM notifications.reminders WHERE id = $1;

-- reminders_take: write -> reminder_row
-- The next $1 whose time has come, for whoever says them in the same transaction.
SELECT id, body, coalesce(not_after <= aipoten.app_now(), false) AS late
FROM notifications.reminders
WHERE due_at <= aipoten.app_now()
ORDER BY due_at, id
LIMIT $1
FOR UPDATE SKIP LOCKED;

-- reminders_done: write
-- $1: ids, separated by spaces.
DELETE FROM notifications.reminders WHERE id = ANY (string_to_array($1::text, ' ')::uuid[]);

-- reminder_put_off: write
UPDATE notifications.reminders SET due_at = aipoten.app_now() + $2::bigint * interval '1 millisecond' WHERE id = $1;

-- reminders_stale: write -> sealed_reminder
SELECT id, body
FROM notifications.reminders
WHERE id > $2 AND substring(body FROM 1 FOR octet_length($1::bytea)) <> $1
ORDER BY id
LIMIT 50
FOR UPDATE SKIP LOCKED;

-- reminders_stale_count: slow -> total_row
SELECT count(*) AS total FROM notifications.reminders WHERE substring(body FROM 1 FOR octet_length($1::bytea)) <> $1;

-- reminder_reseal: write
UPDATE notifications.reminders SET body = $2 WHERE id = $1;

-- --- devices and pushes ---------------------------------------------------------------------------------------------------------

-- devices_of: read -> device
SELECT id, platform, name, created_at, updated_at FROM notifications.devices WHERE user_id = $1 ORDER BY created_at, id LIMIT 100;

-- device_find: write -> device_owner
-- Whoever had it before, until the end of the transaction.
SELECT id, user_id FROM notifications.devices WHERE token_digest = $1 FOR UPDATE;

-- device_set: write -> device
INSERT INTO notifications.devices AS d (id, user_id, platform, token, token_digest, p256dh, auth, name, service)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (id) DO UPDATE
SET user_id = excluded.user_id, token = excluded.token, p256dh = excluded.p256dh, auth = excluded.auth, name = excluded.name,
    service = excluded.service, updated_at = aipoten.app_now()
RETURNING d.id, d.platform, d.name, d.created_at, d.updated_at;

-- device_forget_pushes: write
-- What was on its way to its user before.
DELETE FROM notifications.push_jobs WHERE device_id = $1;

-- devices_trim: write
-- Those over the $2 that were registered last.
WITH old AS (
    SELECT id FROM notifications.devices WHERE user_id = $1 ORDER BY updated_at DESC, id DESC OFFSET $2
), unpushed AS (
    DELETE FROM notifications.push_jobs WHERE device_id IN (SELECT id FROM old)
)
DELETE FROM notifications.devices WHERE id IN (SELECT id FROM old);

-- device_delete: write -> key_row
WITH theirs AS (
    SELECT id FROM notifications.devices WHERE id = $1 AND user_id = $2 FOR UPDATE
), unpushed AS (
    DELETE FROM notifications.push_jobs WHERE device_id IN (SELECT id FROM theirs)
)
DELETE FROM notifications.devices WHERE id IN (SELECT id FROM theirs) RETURNING id;

-- device_gone: write
-- Its push service knows it no more; unless it was registered again since the time $2.
WITH old AS (
    SELECT id FROM notifications.devices WHERE id = $1 AND updated_at < $2 FOR UPDATE
), unpushed AS (
    DELETE FROM notifications.push_jobs WHERE device_id IN (SELECT id FROM old)
)
DELETE FROM notifications.devices WHERE id IN (SELECT id FROM old);

-- device_service: write
-- It is carried by $2, and so is what is on its way to it, of which $3 was claimed for nothing.
WITH device AS (
    UPDATE notifications.devices SET service = $2 WHERE id = $1 RETURNING id
)
UPDATE notifications.push_jobs j
SET service = $2, state = CASE WHEN j.id = $3 THEN 'waiting' ELSE j.state END,
    next_at = CASE WHEN j.id = $3 THEN aipoten.app_now() ELSE j.next_at END
FROM device
WHERE j.device_id = device.id;

-- push_services: part
-- The services with pushes that are not dead: a step in the index for each, however much waits for it.
(
    (SELECT service FROM notifications.push_jobs WHERE state <> 'dead' ORDER BY service LIMIT 1)
    UNION ALL
    SELECT (SELECT j.service FROM notifications.push_jobs j WHERE j.state <> 'dead' AND j.service > s.service ORDER BY j.service LIMIT 1)
    FROM services s
    WHERE s.service IS NOT NULL
);

-- push_look: read -> push_due
-- Is anything due of another service than $1 (names, separated by spaces)?
WITH RECURSIVE services AS {push_services}
SELECT EXISTS (SELECT
               FROM services s
               WHERE s.service <> ALL (string_to_array($1::text, ' '))
                 AND EXISTS (SELECT FROM notifications.push_jobs j
                             WHERE j.service = s.service AND j.state <> 'dead' AND j.next_at <= aipoten.app_now())) AS due;

-- push_claim: write -> push_job
-- For $1 milliseconds the next one of another service than $2 belongs to who claims it. One whose last claim was never settled died with
-- its process.
WITH RECURSIVE services AS {push_services}, heads AS (
    SELECT h.id, h.next_at
    FROM services s CROSS JOIN LATERAL (
        SELECT j.id, j.next_at
        FROM notifications.push_jobs j
        WHERE j.service = s.service AND j.state <> 'dead' AND j.next_at <= aipoten.app_now()
        ORDER BY j.next_at
        LIMIT 1
        FOR UPDATE SKIP LOCKED) AS h
    WHERE s.service <> ALL (string_to_array($2::text, ' '))
), next AS (
    SELECT id FROM heads ORDER BY next_at LIMIT 1
), taken AS (
    UPDATE notifications.push_jobs j
    SET state = 'sending', attempts = j.attempts + 1, failures = j.failures + (j.state = 'sending')::integer,
        next_at = aipoten.app_now() + $1::bigint * interval '1 millisecond'
    FROM next WHERE j.id = next.id
    RETURNING j.*
)
SELECT d.id, t.id AS job, t.service, t.attempts::bigint, t.failures::bigint, d.platform, d.token, d.p256dh, d.auth, n.id AS notification, n.type,
       CASE WHEN r.language = 'en' THEN coalesce(n.title_en, n.title) ELSE n.title END AS title,
       CASE WHEN r.language = 'en' THEN coalesce(n.message_en, n.message) ELSE n.message END AS message,
       n.link_url, n.created_at,
       r.user_id IS NOT NULL AND d.user_id = n.user_id AND n.deleted_at IS NULL AND NOT n.is_read AS wanted
FROM taken t JOIN notifications.devices d ON d.id = t.device_id JOIN notifications.notifications n ON n.id = t.notification_id
    LEFT JOIN accounts.recipients r ON r.user_id = n.user_id;

-- push_done: write
DELETE FROM notifications.push_jobs WHERE id = $1 AND attempts = $2 AND state = 'sending';

-- push_fail: write -> push_failed
-- $3: counts as a refusal; with $4 of them it is dead. $5: the pause in milliseconds.
UPDATE notifications.push_jobs
SET failures = failures + $3::integer, last_error = $6, next_at = aipoten.app_now() + $5::bigint * interval '1 millisecond',
    state = CASE WHEN failures + $3::integer >= $4::integer THEN 'dead' ELSE 'waiting' END
WHERE id = $1 AND attempts = $2 AND state = 'sending'
RETURNING state = 'dead' AS dead;

-- pushes_purge: write
DELETE FROM notifications.push_jobs
WHERE id IN (SELECT id FROM notifications.push_jobs WHERE state = 'dead' AND created_at < $1 LIMIT $2);

-- devices_stale: write -> sealed_device
SELECT id, token, p256dh, auth
FROM notifications.devices
WHERE id > $2
  AND (substring(token FROM 1 FOR octet_length($1::bytea)) <> $1 OR substring(p256dh FROM 1 FOR octet_length($1::bytea)) <> $1
       OR substring(auth FROM 1 FOR octet_length($1::bytea)) <> $1)
ORDER BY id
LIMIT 50
FOR UPDATE SKIP LOCKED;

-- devices_stale_count: slow -> total_row
SELECT count(*) AS total
FROM notifications.devices
WHERE substring(token FROM 1 FOR octet_length($1::bytea)) <> $1 OR substring(p256dh FROM 1 FOR octet_length($1::bytea)) <> $1
   OR substring(auth FROM 1 FOR octet_length($1::bytea)) <> $1;

-- device_reseal: write
UPDATE notifications.devices SET token = $2, p256dh = $3, auth = $4 WHERE id = $1;

-- --- what other actors ask ------------------------------------------------------------------------------------------------------

-- call_party: read batched -> key_row
SELECT consultation_id AS id FROM aipoten.call_parties WHERE consultation_id = $1 AND user_id = $2;

-- presence_related: read -> presence_related
-- Is user $1 a therapist whom $2 may see online: as a guardian of a child that they work with, or the other party of a consultation?
-- No row: nobody, or not any more.
SELECT r.role = 'therapist' AND (EXISTS (
        SELECT FROM aipoten.therapist_relations t JOIN children.guardians g ON g.child_id = t.child_id
        WHERE t.therapist_user_id = r.user_id AND g.user_id = $2 AND t.ends_at > aipoten.app_now())
    OR EXISTS (
        SELECT FROM aipoten.call_parties own JOIN aipoten.call_parties other ON other.consultation_id = own.consultation_id
        WHERE own.user_id = r.user_id AND other.user_id = $2)) AS related
FROM accounts.recipients r
WHERE r.user_id = $1;

-- --- personal data, erasure, retention ------------------------------------------------------------------------------------------

-- own_notifications: slow -> own_notification
SELECT id, type, title, message, link_url, is_read, created_at, read_at
FROM notifications.notifications
WHERE user_id = $1 AND id > $2 AND deleted_at IS NULL
ORDER BY id
LIMIT $3;

-- notifications_forget: write
-- All that is held of a person.
WITH theirs AS (
    SELECT id FROM notifications.notifications WHERE user_id = $1::uuid
), unmailed AS (
    DELETE FROM notifications.emails WHERE notification_id IN (SELECT id FROM theirs)
), unpushed AS (
    DELETE FROM notifications.push_jobs
    WHERE notification_id IN (SELECT id FROM theirs)
       OR device_id IN (SELECT id FROM notifications.devices WHERE user_id = $1::uuid)
), preferences AS (
    DELETE FROM notifications.notification_preferences WHERE user_id = $1::uuid
), quiet AS (
    DELETE FROM notifications.quiet_hours WHERE user_id = $1::uuid
), reminders AS (
    DELETE FROM notifications.reminders WHERE user_id = $1::uuid
)
DELETE FROM notifications.counters WHERE user_id = $1::uuid;

-- notifications_forget_rest: write
-- What those refer to; after them, because what refers to a row must be gone first.
WITH devices AS (
    DELETE FROM notifications.devices WHERE user_id = $1::uuid
)
DELETE FROM notifications.notifications WHERE user_id = $1::uuid;

-- subject_users: write
-- Locks the counters of those who were told of $1, in order.
SELECT FROM notifications.counters
WHERE user_id IN (SELECT user_id FROM notifications.notifications WHERE subject_id = $1)
ORDER BY user_id
FOR UPDATE;

-- subject_forget: write
-- Notifications about what is no more are emptied as if their users had deleted them.
WITH was AS (
    SELECT id, user_id, is_read, in_app FROM notifications.notifications WHERE subject_id = $1::uuid AND deleted_at IS NULL
), counted AS (
    UPDATE notifications.counters c SET unread = c.unread - u.unread
    FROM (SELECT user_id, count(*) AS unread FROM was WHERE in_app AND NOT is_read GROUP BY user_id) AS u
    WHERE c.user_id = u.user_id
), unmailed AS (
    DELETE FROM notifications.emails WHERE notification_id IN (SELECT id FROM was)
), unpushed AS (
    DELETE FROM notifications.push_jobs WHERE notification_id IN (SELECT id FROM was)
)
UPDATE notifications.notifications n
SET title = '', message = '', title_en = NULL, message_en = NULL, link_url = NULL, subject_id = NULL, deleted_at = aipoten.app_now()
FROM was WHERE n.id = was.id;

-- old_users: write
-- Locks the counters of those whose notifications from before $1 are purged next, $2 of them.
SELECT FROM notifications.counters
WHERE user_id IN (SELECT user_id FROM notifications.notifications WHERE created_at < $1 ORDER BY created_at, id LIMIT $2)
ORDER BY user_id
FOR UPDATE;

-- old_unlink: write
WITH old AS (
    SELECT id FROM notifications.notifications WHERE created_at < $1 ORDER BY created_at, id LIMIT $2
), unmailed AS (
    DELETE FROM notifications.emails WHERE notification_id IN (SELECT id FROM old)
)
DELETE FROM notifications.push_jobs WHERE notification_id IN (SELECT id FROM old);

-- old_purge: write -> total_row
WITH gone AS (
    DELETE FROM notifications.notifications
    WHERE id IN (SELECT id FROM notifications.notifications WHERE created_at < $1 ORDER BY created_at, id LIMIT $2)
    RETURNING user_id, in_app AND NOT is_read AND deleted_at IS NULL AS unread
), counted AS (
    UPDATE notifications.counters c SET unread = c.unread - u.unread
    FROM (SELECT user_id, count(*) AS unread FROM gone WHERE unread GROUP BY user_id) AS u
    WHERE c.user_id = u.user_id
)
SELECT count(*) AS total FROM gone;

-- own_preferences: slow -> own_preference
-- One row, when anything was chosen.
SELECT u.id, coalesce((SELECT jsonb_agg(jsonb_build_object('type', p.type, 'in_app', p.in_app, 'email', p.email, 'push', p.push)
                                        ORDER BY p.type)
                       FROM notifications.notification_preferences p WHERE p.user_id = u.id), '[]') AS preferences,
       (SELECT q.quiet_from || '-' || q.quiet_until FROM notifications.quiet_hours q WHERE q.user_id = u.id) AS quiet_hours
FROM (SELECT $1::uuid AS id) AS u
WHERE u.id > $2 AND $3::bigint > 0
  AND (EXISTS (SELECT FROM notifications.notification_preferences p WHERE p.user_id = u.id)
       OR EXISTS (SELECT FROM notifications.quiet_hours q WHERE q.user_id = u.id));

-- own_devices: slow -> own_device
SELECT id, platform, token, name, created_at, updated_at
FROM notifications.devices
WHERE user_id = $1 AND id > $2
ORDER BY id
LIMIT $3;
