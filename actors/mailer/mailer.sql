-- mailer.sql: the statements of the mailer.

-- job_create: write
INSERT INTO mailer.mail_jobs (id, template, language, user_id, content, not_after, address_digest)
VALUES ($1, $2, $3, $4, $5, $6, aipoten.address_digest($7));

-- user_forget: write -> job_id
-- Nothing of an erased user's is sent any more, not even what is on its way; nor what was asked for before the address had an
-- account.
UPDATE mailer.mail_jobs
SET user_id = NULL, address_digest = NULL, content = NULL, done_at = coalesce(done_at, aipoten.app_now()),
    state = CASE WHEN done_at IS NULL THEN 'skipped' ELSE state END
WHERE user_id = $1
   OR address_digest = (SELECT a.address_digest FROM accounts.address_digests a WHERE a.user_id = $1)
RETURNING id;

-- user_mails: slow -> own_mail
SELECT id, template, language, state, created_at, done_at
FROM mailer.mail_jobs
WHERE user_id = $1 AND id > $2
ORDER BY id
LIMIT $3;

-- claimable: part
-- It waits, or the lease of its last claim is over. Not while PostgreSQL has only just begun: it may have been away for longer than the
-- lease, and the one who sent it meanwhile says so first (deliver.c, accepted).
state IN ('waiting', 'sending') AND next_at <= aipoten.app_now()
  AND (state = 'waiting' OR pg_postmaster_start_time() < now() - interval '5 seconds');

-- jobs_look: read -> work
-- Is there anything for the schedule to do?
SELECT EXISTS (SELECT FROM mailer.mail_jobs WHERE {claimable}) AS due;

-- jobs_queue: write -> job_id
-- Up to $2 jobs that may be claimed now and were not put into Redis within the last $1 milliseconds.
WITH due AS (
    SELECT id
    FROM mailer.mail_jobs
    WHERE {claimable}
      AND (queued_at IS NULL OR queued_at <= aipoten.app_now() - $1::bigint * interval '1 millisecond')
    ORDER BY next_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
UPDATE mailer.mail_jobs j SET queued_at = aipoten.app_now() FROM due WHERE j.id = due.id RETURNING j.id;

-- job_claim: write -> mail_job
-- For $2 milliseconds it belongs to who claims it. One whose last claim was never settled died with its process.
UPDATE mailer.mail_jobs
SET state = 'sending', attempts = attempts + 1, failures = failures + (state = 'sending')::integer,
    next_at = aipoten.app_now() + $2::bigint * interval '1 millisecond'
WHERE id = $1 AND {claimable}
RETURNING id, template, language, content, attempts::bigint, failures::bigint,
          coalesce(not_after <= aipoten.app_now(), false) AS late;

-- job_claim_next: write -> mail_job
-- The same for whichever is the first: where there is no Redis.
UPDATE mailer.mail_jobs
SET state = 'sending', attempts = attempts + 1, failures = failures + (state = 'sending')::integer,
    next_at = aipoten.app_now() + $1::bigint * interval '1 millisecond'
WHERE id = (SELECT id
            FROM mailer.mail_jobs
            WHERE {claimable}
            ORDER BY next_at
            LIMIT 1
            FOR UPDATE SKIP LOCKED)
RETURNING id, template, language, content, attempts::bigint, failures::bigint,
          coalesce(not_after <= aipoten.app_now(), false) AS late;

-- job_done: write
UPDATE mailer.mail_jobs
SET state = $3, content = NULL, last_error = NULL, done_at = aipoten.app_now()
WHERE id = $1 AND attempts = $2 AND state = 'sending';

-- job_fail: write -> job_failed
-- $3: counts as a refusal; with $4 of them it is dead. $5: the pause in milliseconds.
UPDATE mailer.mail_jobs
SET failures = failures + $3::integer, last_error = $6, queued_at = NULL,
    next_at = aipoten.app_now() + $5::bigint * interval '1 millisecond',
    state = CASE WHEN failures + $3::integer >= $4::integer THEN 'dead' ELSE 'waiting' END,
    done_at = CASE WHEN failures + $3::integer >= $4::integer THEN aipoten.app_now() END
WHERE id = $1 AND attempts = $2 AND state = 'sending'
RETURNING state = 'dead' AS dead;

-- jobs_expire: write
-- What is worth nothing any more is emptied, sent or not.
UPDATE mailer.mail_jobs
SET content = NULL, done_at = coalesce(done_at, aipoten.app_now()),
    state = CASE WHEN state = 'waiting' THEN 'expired' ELSE state END
WHERE content IS NOT NULL AND not_after <= aipoten.app_now() AND state IN ('waiting', 'dead');

-- jobs_purge: write -> job_id
DELETE FROM mailer.mail_jobs
WHERE id IN (SELECT id FROM mailer.mail_jobs WHERE done_at < $1 ORDER BY done_at LIMIT $2)
RETURNING id;

-- contents_stale: write -> sealed_row
-- The next contents after $2 that are sealed with another key than the newest: $1 is how its values begin.
SELECT id, content
FROM mailer.mail_jobs
WHERE id > $2 AND content IS NOT NULL AND substring(content FROM 1 FOR octet_length($1::bytea)) <> $1
ORDER BY id
LIMIT 50
FOR UPDATE SKIP LOCKED;

-- contents_stale_count: slow -> total_row
SELECT count(*) AS total
FROM mailer.mail_jobs
WHERE content IS NOT NULL AND substring(content FROM 1 FOR octet_length($1::bytea)) <> $1;

-- content_reseal: write
UPDATE mailer.mail_jobs SET content = $2 WHERE id = $1;
