-- mailer: mails that are to be sent. Written by the mailer alone.

SELECT aipoten.make_actor('mailer');

-- A job is done only when its row is: what stands in Redis are ids that say "look at this row now".
--
-- `next_at` is when it may be claimed: of a waiting job the end of its pause, of one that is being sent the end of its lease.
-- `content` (address, name, fields: sealed) is emptied as soon as nobody needs it any more.
CREATE TABLE mailer.mail_jobs (
    id         uuid        PRIMARY KEY,            -- stands in the mail's Message-ID
    template   text        NOT NULL,
    language   text        NOT NULL,
    user_id    uuid,                               -- whose data it holds
    content    bytea,
    state      text        NOT NULL DEFAULT 'waiting',
    attempts   integer     NOT NULL DEFAULT 0,     -- how often it was claimed
    failures   integer     NOT NULL DEFAULT 0,     -- of these, how often the server refused it or the process died
    next_at    timestamptz NOT NULL DEFAULT aipoten.app_now(),
    queued_at  timestamptz,                        -- when its id was last put into Redis
    not_after  timestamptz,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT aipoten.app_now(),
    done_at    timestamptz,
    CONSTRAINT mail_jobs_language_check CHECK (language IN ('ko', 'en')),
    CONSTRAINT mail_jobs_state_check    CHECK (state IN ('waiting', 'sending', 'sent', 'dead', 'expired', 'skipped')),
    CONSTRAINT mail_jobs_content_check  CHECK (content IS NOT NULL OR state NOT IN ('waiting', 'sending')),
    CONSTRAINT mail_jobs_done_check     CHECK ((done_at IS NULL) = (state IN ('waiting', 'sending')))
);
CREATE INDEX idx_mail_jobs_next_at ON mailer.mail_jobs (next_at) WHERE state IN ('waiting', 'sending');
CREATE INDEX idx_mail_jobs_not_after ON mailer.mail_jobs (not_after) WHERE content IS NOT NULL;
CREATE INDEX idx_mail_jobs_user_id ON mailer.mail_jobs (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX idx_mail_jobs_done_at ON mailer.mail_jobs (done_at) WHERE done_at IS NOT NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON mailer.mail_jobs TO aipoten_mailer;
