-- assessments: the questions, a child's attempts at them, the answers and what came of them. Written by the assessments actor alone.

SELECT aipoten.make_actor('assessments');

-- --- questions ------------------------------------------------------------------------------------------------------------------

-- A row is one version of a question and never changes what it asks: a new version is a new row of the same lineage, and retires the
-- one before. So an attempt that keeps the ids it began with keeps the questions.
CREATE TABLE assessments.assessment_questions (
    id              uuid        PRIMARY KEY,
    lineage         uuid        NOT NULL,              -- the id of its first version
    version         smallint    NOT NULL DEFAULT 1,
    category        text        NOT NULL,
    age_range_start smallint    NOT NULL,              -- months; asked when the used age is in it, both ends included
    age_range_end   smallint    NOT NULL,
    question_text   text        NOT NULL,
    answer_type     text        NOT NULL,
    weight          integer     NOT NULL DEFAULT 1000, -- thousandths
    reverse         boolean     NOT NULL DEFAULT false,
    is_critical     boolean     NOT NULL DEFAULT false,
    scale_min       smallint,
    scale_max       smallint,
    scale_labels    jsonb,                             -- ["전혀 …", …], one for each step; null: those that 0 to 3 have by default
    options         jsonb,                             -- [{"key": "a", "label": "…", "score": 500}, …], scores in thousandths
    order_index     smallint    NOT NULL DEFAULT 0,    -- within category and ages
    created_at      timestamptz NOT NULL DEFAULT aipoten.app_now(),
    retired_at      timestamptz,
    CONSTRAINT assessment_questions_version_key    UNIQUE (lineage, version),
    CONSTRAINT assessment_questions_version_check  CHECK (version > 0),
    CONSTRAINT assessment_questions_category_check
        CHECK (category IN ('gross_motor', 'fine_motor', 'cognitive', 'language', 'social', 'emotional')),
    CONSTRAINT assessment_questions_ages_check     CHECK (age_range_start BETWEEN 0 AND age_range_end),
    CONSTRAINT assessment_questions_type_check     CHECK (answer_type IN ('yes_no', 'scale', 'multiple_choice')),
    CONSTRAINT assessment_questions_weight_check   CHECK (weight BETWEEN 1 AND 1000000),
    CONSTRAINT assessment_questions_scale_check
        CHECK (num_nonnulls(scale_min, scale_max) = CASE answer_type WHEN 'scale' THEN 2 ELSE 0 END
               AND (scale_min IS NULL OR scale_max - scale_min BETWEEN 1 AND 20) AND (scale_labels IS NULL OR answer_type = 'scale')),
    CONSTRAINT assessment_questions_options_check  CHECK ((options IS NOT NULL) = (answer_type = 'multiple_choice'))
);
CREATE UNIQUE INDEX assessment_questions_live_key ON assessments.assessment_questions (lineage) WHERE retired_at IS NULL;
CREATE INDEX idx_assessment_questions_ages ON assessments.assessment_questions (age_range_start, age_range_end)
    WHERE retired_at IS NULL;
CREATE INDEX idx_assessment_questions_category ON assessments.assessment_questions (category, age_range_start, order_index, id);
GRANT SELECT, INSERT, UPDATE ON assessments.assessment_questions TO aipoten_assessments;

-- --- attempts -------------------------------------------------------------------------------------------------------------------

-- One that is past expires_at is expired, whether or not its status says so already. One of a deleted child stays as an empty row,
-- because others may refer to it.
CREATE TABLE assessments.development_assessments (
    id                       uuid        PRIMARY KEY,
    child_id                 uuid        NOT NULL REFERENCES children.children,
    user_id                  uuid        NOT NULL REFERENCES accounts.users, -- who began it
    assessment_date          date        NOT NULL,                           -- in Seoul
    age_in_months            smallint    NOT NULL,                           -- the used age
    chronological_age_months smallint    NOT NULL,
    corrected_age_months     smallint,                                       -- null: nothing was to be corrected
    status                   text        NOT NULL DEFAULT 'in_progress',
    question_ids             uuid[]      NOT NULL,                           -- in order; those it began with
    notes                    bytea,                                          -- sealed
    expires_at               timestamptz NOT NULL,
    created_at               timestamptz NOT NULL DEFAULT aipoten.app_now(),
    updated_at               timestamptz NOT NULL DEFAULT aipoten.app_now(),
    completed_at             timestamptz,
    deleted_at               timestamptz,
    CONSTRAINT development_assessments_status_check    CHECK (status IN ('in_progress', 'completed', 'expired')),
    CONSTRAINT development_assessments_completed_check CHECK ((status = 'completed') = (completed_at IS NOT NULL)),
    CONSTRAINT development_assessments_deleted_check
        CHECK (deleted_at IS NULL OR (notes IS NULL AND cardinality(question_ids) = 0))
);
CREATE UNIQUE INDEX development_assessments_open_key ON assessments.development_assessments (child_id)
    WHERE status = 'in_progress' AND deleted_at IS NULL;
CREATE INDEX idx_assessments_child_id ON assessments.development_assessments (child_id, id);
CREATE INDEX idx_assessments_user_id ON assessments.development_assessments (user_id, id);
CREATE INDEX idx_assessments_completed ON assessments.development_assessments (child_id, completed_at)
    WHERE status = 'completed' AND deleted_at IS NULL;
CREATE INDEX idx_assessments_expires_at ON assessments.development_assessments (expires_at)
    WHERE status <> 'completed' AND deleted_at IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON assessments.development_assessments TO aipoten_assessments;

-- `response` is true or false, a step of the scale, or the key of an option.
CREATE TABLE assessments.assessment_responses (
    id            uuid        PRIMARY KEY,
    assessment_id uuid        NOT NULL REFERENCES assessments.development_assessments,
    question_id   uuid        NOT NULL REFERENCES assessments.assessment_questions,
    response      jsonb       NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT aipoten.app_now(),
    updated_at    timestamptz NOT NULL DEFAULT aipoten.app_now(),
    CONSTRAINT assessment_responses_key            UNIQUE (assessment_id, question_id),
    CONSTRAINT assessment_responses_response_check CHECK (jsonb_typeof(response) IN ('boolean', 'number', 'string'))
);
CREATE INDEX idx_assessment_responses_question_id ON assessments.assessment_responses (question_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON assessments.assessment_responses TO aipoten_assessments;

-- What was told at completion, in both languages, and stays as it was told.
CREATE TABLE assessments.assessment_results (
    id                 uuid         PRIMARY KEY,
    assessment_id      uuid         NOT NULL REFERENCES assessments.development_assessments,
    category           text         NOT NULL,
    score              numeric(5,2) NOT NULL,
    level              text         NOT NULL,
    critical           boolean      NOT NULL DEFAULT false, -- a critical question decided the level
    answered           smallint     NOT NULL,
    asked              smallint     NOT NULL,
    feedback           text         NOT NULL,
    recommendations    text         NOT NULL,
    feedback_en        text         NOT NULL,
    recommendations_en text         NOT NULL,
    created_at         timestamptz  NOT NULL DEFAULT aipoten.app_now(),
    CONSTRAINT assessment_results_key            UNIQUE (assessment_id, category),
    CONSTRAINT assessment_results_category_check
        CHECK (category IN ('gross_motor', 'fine_motor', 'cognitive', 'language', 'social', 'emotional')),
    CONSTRAINT assessment_results_score_check    CHECK (score BETWEEN 0 AND 100),
    CONSTRAINT assessment_results_level_check    CHECK (level IN ('excellent', 'good', 'caution', 'needs_observation')),
    CONSTRAINT assessment_results_answered_check CHECK (answered BETWEEN 1 AND asked)
);
GRANT SELECT, INSERT, DELETE ON assessments.assessment_results TO aipoten_assessments;

-- That a child's parents were reminded in a band of ages, so that they are once.
CREATE TABLE assessments.assessment_reminders (
    child_id   uuid        NOT NULL REFERENCES children.children,
    band_start smallint    NOT NULL,                        -- months
    created_at timestamptz NOT NULL DEFAULT aipoten.app_now(),
    PRIMARY KEY (child_id, band_start)
);
GRANT SELECT, INSERT, DELETE ON assessments.assessment_reminders TO aipoten_assessments;

-- --- what it reads of others ----------------------------------------------------------------------------------------------------

-- Published: how old the children are.
CREATE VIEW children.ages AS
    SELECT id AS child_id, birth_date, gestational_weeks FROM children.children WHERE deleted_at IS NULL;
GRANT SELECT ON children.ages TO aipoten_children, aipoten_assessments;
-- Published: what they are called, for the page that is taken to a paediatrician.
CREATE VIEW children.names AS
    SELECT id AS child_id, name FROM children.children WHERE deleted_at IS NULL;
GRANT SELECT ON children.names TO aipoten_children, aipoten_assessments;

-- Whose consent counts is the owner's.
CREATE OR REPLACE VIEW children.guardians AS
    SELECT g.child_id, g.user_id, g.relation
    FROM children.child_guardians g JOIN children.children c ON c.id = g.child_id
    WHERE c.deleted_at IS NULL;
GRANT USAGE ON SCHEMA children, accounts TO aipoten_assessments;
GRANT SELECT ON children.guardians, accounts.current_consents TO aipoten_assessments;

-- Which therapist works with which child, and until when that lets the results be seen (product.md, section 2). Nobody does, until the
-- migration of matching puts its own view in the place of this one.
CREATE VIEW aipoten.therapist_relations AS
    SELECT NULL::uuid AS therapist_user_id, NULL::uuid AS child_id, NULL::timestamptz AS ends_at WHERE false;
GRANT SELECT ON aipoten.therapist_relations TO aipoten_assessments;

-- How many questions the demo data has; null: none were loaded.
ALTER TABLE aipoten.demo_data ADD COLUMN questions integer;
