-- children: the children, who may see them, how they grow. Written by the children actor alone.
CREATE SCHEMA children;
GRANT USAGE ON SCHEMA children TO aipoten_children;

CREATE TABLE children.children (
    id                uuid         PRIMARY KEY,
    user_id           uuid         NOT NULL REFERENCES accounts.users, -- who registered the child
    name              text         NOT NULL,
    birth_date        date         NOT NULL,
    gender            text         NOT NULL,
    gestational_weeks smallint,
    birth_weight      numeric(4,2),           -- kg
    current_height    numeric(4,1),           -- cm
    current_weight    numeric(5,2),           -- kg
    medical_history   bytea,                  -- these four are sealed
    family_history    bytea,
    treatment_history bytea,
    notes             bytea,
    created_at        timestamptz  NOT NULL DEFAULT aipoten.app_now(),
    updated_at        timestamptz  NOT NULL DEFAULT aipoten.app_now(),
    deleted_at        timestamptz,
    CONSTRAINT children_gender_check            CHECK (gender IN ('male', 'female', 'unknown')),
    CONSTRAINT children_gestational_weeks_check CHECK (gestational_weeks BETWEEN 20 AND 44),
    CONSTRAINT children_birth_weight_check      CHECK (birth_weight > 0),
    CONSTRAINT children_current_height_check    CHECK (current_height > 0),
    CONSTRAINT children_current_weight_check    CHECK (current_weight > 0)
);
CREATE INDEX idx_children_user_id ON children.children (user_id);
GRANT SELECT, INSERT, UPDATE ON children.children TO aipoten_children;

-- Who may see and change a child: the owner, who registered it, and invited guardians.
CREATE TABLE children.child_guardians (
    child_id   uuid        NOT NULL REFERENCES children.children,
    user_id    uuid        NOT NULL REFERENCES accounts.users,
    relation   text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT aipoten.app_now(),
    PRIMARY KEY (child_id, user_id),
    CONSTRAINT child_guardians_relation_check CHECK (relation IN ('owner', 'guardian'))
);
CREATE INDEX idx_child_guardians_user_id ON children.child_guardians (user_id, child_id);
CREATE UNIQUE INDEX child_guardians_owner_key ON children.child_guardians (child_id) WHERE relation = 'owner';
GRANT SELECT, INSERT, UPDATE, DELETE ON children.child_guardians TO aipoten_children;

CREATE TABLE children.child_measurements (
    id                 uuid         PRIMARY KEY,
    child_id           uuid         NOT NULL REFERENCES children.children,
    measured_on        date         NOT NULL,
    height             numeric(4,1),          -- cm
    weight             numeric(5,2),          -- kg
    head_circumference numeric(3,1),          -- cm
    created_at         timestamptz  NOT NULL DEFAULT aipoten.app_now(),
    CONSTRAINT child_measurements_day_key UNIQUE (child_id, measured_on),
    CONSTRAINT child_measurements_height_check             CHECK (height > 0),
    CONSTRAINT child_measurements_weight_check             CHECK (weight > 0),
    CONSTRAINT child_measurements_head_circumference_check CHECK (head_circumference > 0),
    CONSTRAINT child_measurements_any_check                CHECK (num_nonnulls(height, weight, head_circumference) > 0)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON children.child_measurements TO aipoten_children;
