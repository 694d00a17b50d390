-- videos: what is recommended for a child after an assessment, and what therapists prescribe.

-- Which areas a video trains, as bits in the order of the founding document (1: gross_motor, 32: emotional), so that what fits a child
-- is found without asking another table.
ALTER TABLE videos.videos ADD COLUMN area_set smallint NOT NULL GENERATED ALWAYS AS ((
    (areas::text LIKE '%"gross_motor"%')::integer + (areas::text LIKE '%"fine_motor"%')::integer * 2 +
    (areas::text LIKE '%"cognitive"%')::integer * 4 + (areas::text LIKE '%"language"%')::integer * 8 +
    (areas::text LIKE '%"social"%')::integer * 16 + (areas::text LIKE '%"emotional"%')::integer * 32)::smallint) STORED;

-- By which attempt a child's recommendations were ranked: the latest completed one. Ranking again needs its age and areas.
CREATE TABLE videos.recommendation_runs (
    child_id      uuid        PRIMARY KEY REFERENCES children.children,
    assessment_id uuid        NOT NULL REFERENCES assessments.development_assessments,
    completed_at  timestamptz NOT NULL,            -- of the attempt: an older one never takes the place of a newer one
    age           smallint    NOT NULL,            -- months: the used age of the attempt
    areas         jsonb       NOT NULL             -- [{"area": "language", "score": 3500, "level": "needs_observation"}, …], hundredths
);
CREATE INDEX idx_recommendation_runs_assessment_id ON videos.recommendation_runs (assessment_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON videos.recommendation_runs TO aipoten_videos;

-- The recommendations of a child's latest attempt, each video once. Ranking again keeps the rows of what stays.
CREATE TABLE videos.recommended_videos (
    id                    uuid        PRIMARY KEY,
    assessment_id         uuid        NOT NULL REFERENCES assessments.development_assessments,
    child_id              uuid        NOT NULL REFERENCES children.children,
    video_id              uuid        NOT NULL REFERENCES videos.videos,
    development_area      text        NOT NULL,
    area_level            text        NOT NULL,
    recommendation_reason text        NOT NULL,    -- in Korean, as it was told
    reason_code           text        NOT NULL,    -- of this and what follows it is told in other languages (actors/videos/reasons.c)
    reason_parameters     jsonb       NOT NULL,    -- {"age": 25, "age_min": 24, "age_max": 36, "difficulty": "easy"}
    priority_score        smallint    NOT NULL,
    position              smallint    NOT NULL,    -- from 1; those of withdrawn videos are missing until it is ranked again
    is_viewed             boolean     NOT NULL DEFAULT false,
    created_at            timestamptz NOT NULL DEFAULT aipoten.app_now(), -- first recommended by this attempt
    CONSTRAINT recommended_videos_key          UNIQUE (child_id, video_id),
    CONSTRAINT recommended_videos_area_check
        CHECK (development_area IN ('gross_motor', 'fine_motor', 'cognitive', 'language', 'social', 'emotional')),
    CONSTRAINT recommended_videos_level_check  CHECK (area_level IN ('excellent', 'good', 'caution', 'needs_observation')),
    CONSTRAINT recommended_videos_reason_check CHECK (reason_code IN ('fits', 'older', 'younger', 'again', 'prescribed')),
    CONSTRAINT recommended_videos_score_check  CHECK (priority_score BETWEEN 0 AND 100 AND position > 0)
);
CREATE INDEX idx_recommended_videos_child ON videos.recommended_videos (child_id, assessment_id, created_at DESC);
CREATE INDEX idx_recommended_videos_assessment_id ON videos.recommended_videos (assessment_id);
CREATE INDEX idx_recommended_videos_video_id ON videos.recommended_videos (video_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON videos.recommended_videos TO aipoten_videos;

-- A therapist's report named the video for the child. Who it was is forgotten with the therapist's account.
CREATE TABLE videos.prescriptions (
    id                uuid        PRIMARY KEY,
    prescription_id   uuid        NOT NULL,        -- the report's own
    child_id          uuid        NOT NULL REFERENCES children.children,
    video_id          uuid        NOT NULL REFERENCES videos.videos,
    therapist_user_id uuid        REFERENCES accounts.users,
    created_at        timestamptz NOT NULL DEFAULT aipoten.app_now(),
    CONSTRAINT prescriptions_key UNIQUE (prescription_id, video_id)
);
CREATE INDEX idx_prescriptions_child_id ON videos.prescriptions (child_id, video_id);
CREATE INDEX idx_prescriptions_video_id ON videos.prescriptions (video_id);
CREATE INDEX idx_prescriptions_therapist_user_id ON videos.prescriptions (therapist_user_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON videos.prescriptions TO aipoten_videos;

-- Who may see a child's recommendations: also a therapist who works with the child, while its owner consents.
GRANT USAGE ON SCHEMA accounts TO aipoten_videos;
GRANT SELECT ON accounts.current_consents, aipoten.therapist_relations TO aipoten_videos;
