-- The statements of accounts. Their form: shared/pg/statement.h. Times of rows are aipoten.app_now(); the expiry of a session
-- is given, because its token's lifetime is the configuration's.

-- --- registering and logging in ---------------------------------------------------------------------------------------------

-- email_find: read -> only_id
-- Is the address taken? A deleted user keeps it until purge.
SELECT id FROM accounts.users WHERE lower(email) = lower($1);

-- user_create: write -> user
INSERT INTO accounts.users (id, email, password_hash, name, phone, phone_index, role, language)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
RETURNING id, email, name, phone, role, status, language, email_verified_at IS NOT NULL AS email_verified,
    email_verified_at, created_at, updated_at;

-- credentials_find: read -> credentials
-- A deleted account as it was before, as long as it may come back: deleted after $2.
SELECT id, password_hash, password_version, role, coalesce(deleted_from, status) AS status, status = 'deleted' AS deleted
FROM accounts.users
WHERE lower(email) = lower($1) AND (status IN ('active', 'suspended') OR (status = 'deleted' AND deleted_at > $2));

-- credentials_get: read -> credentials
SELECT id, password_hash, password_version, role, status, false AS deleted
FROM accounts.users WHERE id = $1 AND status = 'active';

-- password_rehash: write
-- The same password at another cost. One that somebody else did meanwhile is left.
UPDATE accounts.users SET password_hash = $3 WHERE id = $1 AND password_hash = $2;

-- session_create: write -> user
-- The user's row is locked against a suspension or a new password that runs beside this: either that one sees this session
-- and ends it, or this one sees that it may not begin.
WITH who AS (
    SELECT * FROM accounts.users WHERE id = $1 AND password_version = $2 AND status = 'active' FOR SHARE
), opened AS (
    INSERT INTO accounts.auth_sessions (id, user_id, refresh_hash, delivery, user_agent, expires_at)
    SELECT $3, who.id, $4, $5, $6, $7 FROM who
)
SELECT id, email, name, phone, role, status, language, email_verified_at IS NOT NULL AS email_verified,
    email_verified_at, created_at, updated_at FROM who;

-- --- logging in by another company ------------------------------------------------------------------------------------------------

-- oauth_state_create: write
-- Each takes away a few that nobody can use any more, so that there are never many of those.
WITH gone AS (
    DELETE FROM accounts.oauth_states
    WHERE state_hash IN (SELECT state_hash FROM accounts.oauth_states WHERE expires_at < aipoten.app_now()
                         ORDER BY expires_at LIMIT 5 FOR UPDATE SKIP LOCKED)
)
INSERT INTO accounts.oauth_states (state_hash, provider, redirect_uri, nonce, challenge, user_id, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- oauth_state_take: write -> oauth_state
-- By one call, and by the same call again when the instance died in which it ran.
UPDATE accounts.oauth_states SET taken_by = $2
WHERE state_hash = $1 AND expires_at > aipoten.app_now() AND (taken_by IS NULL OR taken_by = $2)
RETURNING provider, redirect_uri, nonce, challenge, user_id;

-- identity_find: write -> credentials
-- Like credentials_find: of a deleted account as long as it may come back, deleted after $3.
SELECT u.id, u.password_hash, u.password_version, u.role, coalesce(u.deleted_from, u.status) AS status, u.status = 'deleted' AS deleted
FROM accounts.user_identities i JOIN accounts.users u ON u.id = i.user_id
WHERE i.provider = $1 AND i.subject = $2
    AND (u.status IN ('active', 'suspended') OR (u.status = 'deleted' AND u.deleted_at > $3));

-- identity_seen: write
UPDATE accounts.user_identities SET last_login_at = aipoten.app_now() WHERE provider = $1 AND subject = $2;

-- identity_create: write -> only_id
-- Nothing when it belongs to somebody, or the user has another of this provider, or is no longer active.
INSERT INTO accounts.user_identities (id, user_id, provider, subject)
SELECT $1, u.id, $3, $4 FROM accounts.users u WHERE u.id = $2 AND u.status = 'active' FOR SHARE
ON CONFLICT DO NOTHING
RETURNING id;

-- session_live: write -> only_id
SELECT id FROM accounts.auth_sessions WHERE id = $1 AND revoked_at IS NULL AND expires_at > aipoten.app_now();

-- email_owner: write -> email_owner
SELECT id, status = 'active' AND email_verified_at IS NOT NULL AS verified FROM accounts.users WHERE lower(email) = lower($1);

-- oauth_user_create: write -> mailbox
-- Without a password; $5: the provider has verified the address. Nothing when somebody has it.
INSERT INTO accounts.users (id, email, name, role, language, email_verified_at)
VALUES ($1, $2, $3, 'parent', $4, CASE WHEN $5 THEN aipoten.app_now() END)
ON CONFLICT DO NOTHING
RETURNING id, email, name, language, email_verified_at IS NOT NULL AS email_verified;

-- --- sessions -----------------------------------------------------------------------------------------------------------------

-- session_lock: write -> family
SELECT s.id, s.user_id, s.refresh_hash, s.rotation, s.delivery, s.expires_at, s.revoked_at IS NOT NULL AS revoked, u.role, u.status
FROM accounts.auth_sessions s JOIN accounts.users u ON u.id = s.user_id
WHERE s.id = $1
FOR UPDATE OF s;

-- session_rotate: write
UPDATE accounts.auth_sessions
SET refresh_hash = $2, rotation = $3, delivery = $4, expires_at = $5, last_used_at = aipoten.app_now()
WHERE id = $1;

-- session_end: write -> session_ended
UPDATE accounts.auth_sessions SET revoked_at = aipoten.app_now(), revoked_reason = $2
WHERE id = $1 AND revoked_at IS NULL
RETURNING id, user_id;

-- session_end_own: write -> only_id
-- Somebody else's, and one that is over, is not there.
UPDATE accounts.auth_sessions SET revoked_at = aipoten.app_now(), revoked_reason = 'user'
WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL AND expires_at > aipoten.app_now()
RETURNING id;

-- sessions_end_others: write -> only_id
UPDATE accounts.auth_sessions SET revoked_at = aipoten.app_now(), revoked_reason = 'password'
WHERE user_id = $1 AND id <> $2 AND revoked_at IS NULL AND expires_at > aipoten.app_now()
RETURNING id;

-- sessions_end_all: write
UPDATE accounts.auth_sessions SET revoked_at = aipoten.app_now(), revoked_reason = $2
WHERE user_id = $1 AND revoked_at IS NULL;

-- sessions_of_user: read -> session
SELECT id, id = $2 AS current, user_agent, delivery, created_at, last_used_at, expires_at
FROM accounts.auth_sessions
WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > aipoten.app_now()
ORDER BY created_at DESC, id DESC
LIMIT 100;

-- sessions_ended_since: slow -> only_id
SELECT id FROM accounts.auth_sessions WHERE revoked_at > $1;

-- --- users --------------------------------------------------------------------------------------------------------------------

-- user_get: read -> user
SELECT id, email, name, phone, role, status, language, email_verified_at IS NOT NULL AS email_verified,
    email_verified_at, created_at, updated_at
FROM accounts.users WHERE id = $1 AND status = 'active';

-- user_update: write -> user
-- $3: does the phone change? $7 and $8: the version of the password that was checked and the new hash, or both null.
UPDATE accounts.users
SET name = coalesce($2, name),
    phone = CASE WHEN $3 THEN $4 ELSE phone END,
    phone_index = CASE WHEN $3 THEN $5 ELSE phone_index END,
    language = coalesce($6, language),
    password_hash = coalesce($8, password_hash),
    password_version = password_version + ($8::text IS NOT NULL)::integer,
    updated_at = aipoten.app_now()
WHERE id = $1 AND status = 'active' AND ($7::integer IS NULL OR password_version = $7)
RETURNING id, email, name, phone, role, status, language, email_verified_at IS NOT NULL AS email_verified,
    email_verified_at, created_at, updated_at;

-- phones_stale: write -> sealed_phone
-- The next users after $2 whose number is sealed with another key than the newest: $1 is how its values begin. Those
-- that somebody has locked are left for the next pass.
SELECT id, phone
FROM accounts.users
WHERE id > $2 AND substring(phone FROM 1 FOR octet_length($1::bytea)) <> $1
ORDER BY id
LIMIT 100
FOR NO KEY UPDATE SKIP LOCKED;

-- phones_stale_count: slow -> total
SELECT count(*) AS total
FROM accounts.users
WHERE substring(phone FROM 1 FOR octet_length($1::bytea)) <> $1;

-- phone_reseal: write
UPDATE accounts.users SET phone = $2 WHERE id = $1;

-- --- mails and their tokens ---------------------------------------------------------------------------------------------------

-- mailbox_lock: write -> mailbox
-- Whoever changes a user's tokens locks the user first.
SELECT id, email, name, language, email_verified_at IS NOT NULL AS email_verified
FROM accounts.users WHERE id = $1 AND status = 'active' FOR NO KEY UPDATE;

-- mailbox_find: write -> mailbox
-- Also of a deleted account that may come back: by a login, with the new password.
SELECT id, email, name, language, email_verified_at IS NOT NULL AS email_verified
FROM accounts.users
WHERE lower(email) = lower($1) AND (status = 'active' OR (status = 'deleted' AND deleted_from = 'active' AND deleted_at > $2))
FOR NO KEY UPDATE;

-- verifications_spend: write
UPDATE accounts.email_verifications SET spent_at = aipoten.app_now() WHERE user_id = $1 AND spent_at IS NULL;

-- verification_create: write
INSERT INTO accounts.email_verifications (id, user_id, token_hash, expires_at) VALUES ($1, $2, $3, $4);

-- verification_find: read -> owner
SELECT user_id FROM accounts.email_verifications
WHERE token_hash = $1 AND spent_at IS NULL AND expires_at > aipoten.app_now();

-- verification_use: write -> owner
UPDATE accounts.email_verifications SET spent_at = aipoten.app_now()
WHERE token_hash = $1 AND spent_at IS NULL AND expires_at > aipoten.app_now()
RETURNING user_id;

-- email_verified_set: write
UPDATE accounts.users
SET email_verified_at = coalesce(email_verified_at, aipoten.app_now()), updated_at = aipoten.app_now()
WHERE id = $1;

-- resets_spend: write
UPDATE accounts.password_resets SET spent_at = aipoten.app_now() WHERE user_id = $1 AND spent_at IS NULL;

-- reset_create: write
INSERT INTO accounts.password_resets (id, user_id, token_hash, expires_at) VALUES ($1, $2, $3, $4);

-- reset_find: read -> owner
SELECT user_id FROM accounts.password_resets
WHERE token_hash = $1 AND spent_at IS NULL AND expires_at > aipoten.app_now();

-- password_set: write -> only_id
-- First of its transaction: a login that runs beside it either sees the new version, or is seen and ended.
UPDATE accounts.users
SET password_hash = $2, password_version = password_version + 1, updated_at = aipoten.app_now()
WHERE id = $1 AND (status = 'active' OR (status = 'deleted' AND deleted_from = 'active' AND deleted_at > $3))
RETURNING id;

-- reset_use: write -> owner
UPDATE accounts.password_resets SET spent_at = aipoten.app_now()
WHERE token_hash = $1 AND spent_at IS NULL AND expires_at > aipoten.app_now()
RETURNING user_id;

-- address_shown: write
-- For the first time. Who came in by another company until now has never shown that the address is theirs, and may be somebody
-- who waited for its owner.
WITH shown AS (
    UPDATE accounts.users SET email_verified_at = aipoten.app_now()
    WHERE id = $1 AND email_verified_at IS NULL
    RETURNING id
)
DELETE FROM accounts.user_identities WHERE user_id IN (SELECT id FROM shown);

-- --- deletion -----------------------------------------------------------------------------------------------------------------

-- user_delete: write -> mailbox
UPDATE accounts.users
SET status = 'deleted', deleted_from = status, deleted_at = aipoten.app_now(), updated_at = aipoten.app_now()
WHERE id = $1 AND status IN ('active', 'suspended')
RETURNING id, email, name, language, email_verified_at IS NOT NULL AS email_verified;

-- user_restore: write -> only_id
-- $2: the version of the password that was shown, $3: deleted before then it is too late.
UPDATE accounts.users
SET status = 'active', deleted_from = NULL, deleted_at = NULL, updated_at = aipoten.app_now()
WHERE id = $1 AND password_version = $2 AND status = 'deleted' AND deleted_from = 'active' AND deleted_at > $3
RETURNING id;

-- users_erase: write -> only_id
-- The next $2 users who were deleted before $1. One who logs in at this moment is left for the next look. From here on no
-- other company lets them in.
WITH erased AS (
    UPDATE accounts.users
    SET status = 'erasing', updated_at = aipoten.app_now()
    WHERE id IN (SELECT id FROM accounts.users WHERE status = 'deleted' AND deleted_at <= $1
                 ORDER BY deleted_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING id
), identities AS (
    DELETE FROM accounts.user_identities WHERE user_id IN (SELECT id FROM erased)
), states AS (
    DELETE FROM accounts.oauth_states WHERE user_id IN (SELECT id FROM erased)
)
SELECT id FROM erased;

-- --- what is kept for a time only -----------------------------------------------------------------------------------------------

-- sessions_purge: write
DELETE FROM accounts.auth_sessions
WHERE id IN (SELECT id FROM accounts.auth_sessions WHERE revoked_at < $1 OR expires_at < $1 LIMIT $2);

-- verifications_purge: write
DELETE FROM accounts.email_verifications
WHERE id IN (SELECT id FROM accounts.email_verifications WHERE spent_at < $1 OR expires_at < $1 LIMIT $2);

-- resets_purge: write
DELETE FROM accounts.password_resets
WHERE id IN (SELECT id FROM accounts.password_resets WHERE spent_at < $1 OR expires_at < $1 LIMIT $2);

-- --- consents -----------------------------------------------------------------------------------------------------------------

-- consents_of_user: read -> consent
-- $2: what is asked for, consent_rules_json().
SELECT asked.kind, asked.current_version, newest.version, coalesce(newest.granted, false) AS granted, newest.created_at
FROM ROWS FROM (json_to_recordset($2::text::json) AS (kind text, current_version bigint))
        WITH ORDINALITY AS asked (kind, current_version, place)
    LEFT JOIN LATERAL (
        SELECT c.version, c.granted, c.created_at
        FROM accounts.consents c
        WHERE c.user_id = $1 AND c.kind = asked.kind
        ORDER BY c.created_at DESC, c.id DESC
        LIMIT 1
    ) newest ON true
ORDER BY asked.place;

-- consent_create: write -> consent
INSERT INTO accounts.consents (id, user_id, kind, version, granted)
VALUES ($1, $2, $3, $4, $5)
RETURNING kind, version AS current_version, version, granted, created_at;

-- --- administration -------------------------------------------------------------------------------------------------------------

-- users_list: slow -> admin_user
SELECT id, email, name, role, status, language, email_verified_at, created_at, updated_at
FROM accounts.users
WHERE ($1::text IS NULL OR role = $1) AND ($2::text IS NULL OR status = $2)
    AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4))
ORDER BY created_at DESC, id DESC
LIMIT $5 OFFSET $6;

-- users_count: slow -> total
SELECT count(*) AS total
FROM (SELECT FROM accounts.users
    WHERE ($1::text IS NULL OR role = $1) AND ($2::text IS NULL OR status = $2)
    LIMIT 10001) counted;

-- users_search: slow -> admin_user
-- $7: an e-mail address's pattern, $8: part of a name, $9: the index of a phone number.
SELECT id, email, name, role, status, language, email_verified_at, created_at, updated_at
FROM accounts.users
WHERE ($1::text IS NULL OR role = $1) AND ($2::text IS NULL OR status = $2)
    AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4))
    AND (lower(email) LIKE $7
        OR (aipoten.bigrams(name) @> aipoten.bigrams($8) AND strpos(lower(name), lower($8)) > 0)
        OR phone_index = $9)
ORDER BY created_at DESC, id DESC
LIMIT $5 OFFSET $6;

-- users_search_count: slow -> total
SELECT count(*) AS total
FROM (SELECT FROM accounts.users
    WHERE ($1::text IS NULL OR role = $1) AND ($2::text IS NULL OR status = $2)
        AND (lower(email) LIKE $3
            OR (aipoten.bigrams(name) @> aipoten.bigrams($4) AND strpos(lower(name), lower($4)) > 0)
            OR phone_index = $5)
    LIMIT 10001) counted;

-- admins_lock: write -> only_id
SELECT id FROM accounts.users WHERE role = 'admin' AND status = 'active' ORDER BY id FOR NO KEY UPDATE;

-- user_lock: write -> standing
SELECT id, password_version, role, status FROM accounts.users WHERE id = $1 FOR NO KEY UPDATE;

-- user_standing_update: write -> admin_user
-- $4: false writes nothing new, only gives the row.
UPDATE accounts.users
SET status = $2, role = $3, updated_at = CASE WHEN $4 THEN aipoten.app_now() ELSE updated_at END
WHERE id = $1
RETURNING id, email, name, role, status, language, email_verified_at, created_at, updated_at;

-- --- what is held of a person (shared/actor/personal_data.h) --------------------------------------------------------------------

-- person_user: slow -> user
SELECT id, email, name, phone, role, status, language, email_verified_at IS NOT NULL AS email_verified,
    email_verified_at, created_at, updated_at
FROM accounts.users
WHERE id = $1 AND id > $2
LIMIT $3;

-- person_sessions: slow -> personal_session
SELECT id, user_agent, delivery, created_at, last_used_at, expires_at, revoked_at
FROM accounts.auth_sessions
WHERE user_id = $1 AND id > $2
ORDER BY id
LIMIT $3;

-- person_identities: slow -> personal_identity
SELECT id, provider, subject, created_at, last_login_at
FROM accounts.user_identities
WHERE user_id = $1 AND id > $2
ORDER BY id
LIMIT $3;

-- person_consents: slow -> personal_consent
SELECT id, kind, version, granted, created_at
FROM accounts.consents
WHERE user_id = $1 AND id > $2
ORDER BY id
LIMIT $3;

-- --- exports ------------------------------------------------------------------------------------------------------------------

-- export_latest: read -> export_row
SELECT id, user_id, file, state, created_at, ready_at, expires_at, size
FROM accounts.exports
WHERE user_id = $1
ORDER BY created_at DESC, id DESC
LIMIT 1;

-- export_create: write -> export_row
-- One at a time: exports_running_key.
INSERT INTO accounts.exports (id, user_id) VALUES ($1, $2)
RETURNING id, user_id, file, state, created_at, ready_at, expires_at, size;

-- export_find: read -> export_row
SELECT id, user_id, file, state, created_at, ready_at, expires_at, size
FROM accounts.exports
WHERE id = $1 AND state = 'ready' AND expires_at > aipoten.app_now();

-- export_due: read -> total
SELECT count(*) AS total
FROM (SELECT FROM accounts.exports WHERE state = 'collecting' AND taken_until <= aipoten.app_now() LIMIT 1) AS waiting;

-- export_take: write -> export_taken
-- The next one that nobody works at, or whose process died: it begins anew, in the file $1. $2: for so many seconds at first.
WITH next AS (
    SELECT id, file FROM accounts.exports
    WHERE state = 'collecting' AND taken_until <= aipoten.app_now()
    ORDER BY created_at, id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
UPDATE accounts.exports e
SET file = $1, taken_until = aipoten.app_now() + $2::integer * interval '1 second'
FROM next
WHERE e.id = next.id
RETURNING e.id, e.user_id, next.file AS before;

-- export_keep: write -> only_id
-- No row: somebody else works at it, or nobody wants it any more.
UPDATE accounts.exports SET taken_until = aipoten.app_now() + $3::integer * interval '1 second'
WHERE id = $1 AND file = $2 AND state = 'collecting'
RETURNING id;

-- export_lock: write -> export_row
SELECT id, user_id, file, state, created_at, ready_at, expires_at, size
FROM accounts.exports
WHERE id = $1 AND file = $2
FOR UPDATE;

-- export_finish: write
UPDATE accounts.exports SET state = 'ready', ready_at = aipoten.app_now(), expires_at = $2, size = $3 WHERE id = $1;

-- export_fail: write
-- Again after $3 seconds, $4 times at most.
UPDATE accounts.exports
SET failures = failures + 1, taken_until = aipoten.app_now() + $3::integer * interval '1 second',
    state = CASE WHEN failures + 1 < $4::integer THEN state ELSE 'failed' END
WHERE id = $1 AND file = $2 AND state = 'collecting';

-- export_reader: write -> export_reader
SELECT id, email, name, language FROM accounts.users WHERE id = $1 AND status = 'active';

-- exports_over: write -> export_file
-- Their hour is over, or a day since they failed.
DELETE FROM accounts.exports
WHERE (state = 'ready' AND expires_at <= aipoten.app_now() - interval '1 minute')
   OR (state = 'failed' AND created_at <= aipoten.app_now() - interval '1 day')
RETURNING id, file;

-- --- erasure ------------------------------------------------------------------------------------------------------------------

-- exports_forget: write -> export_file
DELETE FROM accounts.exports WHERE user_id = $1 RETURNING id, file;

-- sessions_forget: write
DELETE FROM accounts.auth_sessions WHERE user_id = $1;

-- verifications_forget: write
DELETE FROM accounts.email_verifications WHERE user_id = $1;

-- oauth_states_forget: write
DELETE FROM accounts.oauth_states WHERE user_id = $1;

-- resets_forget: write
DELETE FROM accounts.password_resets WHERE user_id = $1;

-- erasures_due: read -> total
-- Is there one of whom all have acknowledged? $1: who subscribes to user.erased.
SELECT count(*) AS total
FROM (SELECT FROM accounts.users u
      WHERE u.status = 'erasing'
        AND NOT EXISTS (SELECT FROM accounts.deliveries d JOIN accounts.events e ON e.position = d.position
                        WHERE d.subscriber = ANY (string_to_array($1::text, ' ')) AND d.aggregate = u.id
                          AND e.type = 'user.erased')
      LIMIT 1) AS due;

-- erasures_finish: write -> only_id
-- What others refer to stays, as a tombstone that says nothing about anybody. Its address is one that nobody can have registered
-- before: ids are known to others.
UPDATE accounts.users
SET status = 'erased', email = gen_random_uuid() || '@erased.invalid', name = '', phone = NULL, phone_index = NULL,
    password_hash = NULL, email_verified_at = NULL, updated_at = aipoten.app_now()
WHERE id IN (SELECT u.id FROM accounts.users u
             WHERE u.status = 'erasing'
               AND NOT EXISTS (SELECT FROM accounts.deliveries d JOIN accounts.events e ON e.position = d.position
                               WHERE d.subscriber = ANY (string_to_array($1::text, ' ')) AND d.aggregate = u.id
                                 AND e.type = 'user.erased')
             LIMIT 100
             FOR NO KEY UPDATE SKIP LOCKED)
RETURNING id;

-- user_standing: read -> admin_user_row
SELECT id, email, name, role, status, language, email_verified_at, created_at, updated_at, deleted_at
FROM accounts.users WHERE id = $1;

-- erasure_waiting: read -> erasure_delivery
SELECT d.subscriber, d.dead_at IS NOT NULL AS dead
FROM accounts.deliveries d JOIN accounts.events e ON e.position = d.position
WHERE d.subscriber = ANY (string_to_array($2::text, ' ')) AND d.aggregate = $1 AND e.type = 'user.erased';
