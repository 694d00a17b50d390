-- children.sql: the statements of the children actor. Who may see a child is decided here: its guardians (the owner is one
-- of them), and an admin where $3 says so.

-- children_page: read batched -> child_row
-- The viewer's children after $2, oldest registration first (ids are UUIDv7).
SELECT c.id, c.name, c.birth_date, c.gender, c.gestational_weeks, c.birth_weight, c.current_height, c.current_weight,
       c.created_at, c.updated_at
FROM children.child_guardians g JOIN children.children c ON c.id = g.child_id
WHERE g.user_id = $1 AND g.child_id > $2 AND c.deleted_at IS NULL
ORDER BY g.child_id
LIMIT $3 OFFSET $4;

-- children_count: read batched -> total_row
SELECT count(*) AS total
FROM (SELECT FROM children.child_guardians g JOIN children.children c ON c.id = g.child_id
      WHERE g.user_id = $1 AND c.deleted_at IS NULL LIMIT 10001) AS few;

-- children_page_all: read -> child_row
-- For admins: everybody's.
SELECT id, name, birth_date, gender, gestational_weeks, birth_weight, current_height, current_weight, created_at, updated_at
FROM children.children
WHERE id > $1 AND deleted_at IS NULL
ORDER BY id
LIMIT $2 OFFSET $3;

-- children_count_all: read -> total_row
SELECT count(*) AS total FROM (SELECT FROM children.children WHERE deleted_at IS NULL LIMIT 10001) AS few;

-- child_get: read batched -> child_record
SELECT id, name, birth_date, gender, gestational_weeks, birth_weight, current_height, current_weight, created_at, updated_at,
       medical_history, family_history, treatment_history, notes
FROM children.children c
WHERE id = $1 AND deleted_at IS NULL
  AND ($3::boolean OR EXISTS (SELECT FROM children.child_guardians g WHERE g.child_id = c.id AND g.user_id = $2));

-- child_visible: read batched -> key_row
-- Whether the viewer may see the child at all.
SELECT id
FROM children.children c
WHERE id = $1 AND deleted_at IS NULL
  AND ($3::boolean OR EXISTS (SELECT FROM children.child_guardians g WHERE g.child_id = c.id AND g.user_id = $2));

-- child_insert: write grouped -> child_record
-- The child and its owner, if the owner's consents stand now; no row otherwise.
WITH consented AS (
    SELECT count(*) AS kinds FROM accounts.current_consents
    WHERE user_id = $2::uuid AND kind IN ('child_guardian', 'child_health') AND granted
), added AS (
    INSERT INTO children.children (id, user_id, name, birth_date, gender, gestational_weeks, birth_weight, current_height,
                                   current_weight, medical_history, family_history, treatment_history, notes)
    SELECT $1::uuid, $2::uuid, $3::text, $4::date, $5::text, $6::smallint, $7::numeric, $8::numeric, $9::numeric, $10::bytea,
           $11::bytea, $12::bytea, $13::bytea
    FROM consented WHERE kinds = 2
    RETURNING *
), guarded AS (
    INSERT INTO children.child_guardians (child_id, user_id, relation) SELECT id, user_id, 'owner' FROM added
)
SELECT id, name, birth_date, gender, gestational_weeks, birth_weight, current_height, current_weight, created_at, updated_at,
       medical_history, family_history, treatment_history, notes
FROM added;

-- consents_missing: write -> consent_row
-- Which of the consents that a child needs the user has not given, or has taken back.
SELECT kind
FROM (VALUES ('child_guardian'), ('child_health')) AS needed (kind)
WHERE NOT EXISTS (SELECT FROM accounts.current_consents c WHERE c.user_id = $1 AND c.kind = needed.kind AND c.granted);

-- child_lock: write -> child_record
-- As its guardian sees it, until the end of the transaction.
SELECT id, name, birth_date, gender, gestational_weeks, birth_weight, current_height, current_weight, created_at, updated_at,
       medical_history, family_history, treatment_history, notes
FROM children.children c
WHERE id = $1 AND deleted_at IS NULL
  AND EXISTS (SELECT FROM children.child_guardians g WHERE g.child_id = c.id AND g.user_id = $2)
FOR UPDATE;

-- child_update: write -> child_record
UPDATE children.children
SET name = $2, birth_date = $3, gender = $4, gestational_weeks = $5, birth_weight = $6, current_height = $7,
    current_weight = $8, medical_history = $9, family_history = $10, treatment_history = $11, notes = $12,
    updated_at = aipoten.app_now()
WHERE id = $1
RETURNING id, name, birth_date, gender, gestational_weeks, birth_weight, current_height, current_weight, created_at, updated_at,
          medical_history, family_history, treatment_history, notes;

-- child_delete: write -> key_row
-- By the owner alone; gives all who guarded it. The row stays for those that refer to it, emptied of what it said about the child.
WITH gone AS (
    UPDATE children.children c
    SET deleted_at = aipoten.app_now(), updated_at = aipoten.app_now(), name = '', birth_date = '1970-01-01',
        gender = 'unknown', gestational_weeks = NULL, birth_weight = NULL, current_height = NULL, current_weight = NULL,
        medical_history = NULL, family_history = NULL, treatment_history = NULL, notes = NULL
    WHERE id = $1 AND deleted_at IS NULL
      AND EXISTS (SELECT FROM children.child_guardians g
                  WHERE g.child_id = c.id AND g.user_id = $2 AND g.relation = 'owner')
    RETURNING id
), unguarded AS (
    DELETE FROM children.child_guardians WHERE child_id IN (SELECT id FROM gone) RETURNING user_id
), uninvited AS (
    DELETE FROM children.guardian_invitations WHERE child_id IN (SELECT id FROM gone)
), unmeasured AS (
    DELETE FROM children.child_measurements WHERE child_id IN (SELECT id FROM gone)
)
SELECT user_id AS id FROM unguarded;

-- measurements_page: read batched -> measurement
-- Newest first, before the day $2.
SELECT id, measured_on, height, weight, head_circumference, created_at
FROM children.child_measurements
WHERE child_id = $1 AND measured_on < $2
ORDER BY measured_on DESC
LIMIT $3 OFFSET $4;

-- measurements_count: read batched -> total_row
SELECT count(*) AS total FROM (SELECT FROM children.child_measurements WHERE child_id = $1 LIMIT 10001) AS few;

-- child_birth: write -> birth_row
-- Locks the child, so that two measurements agree on which is newer.
SELECT birth_date
FROM children.children c
WHERE id = $1 AND deleted_at IS NULL
  AND EXISTS (SELECT FROM children.child_guardians g WHERE g.child_id = c.id AND g.user_id = $2)
FOR UPDATE;

-- measurement_insert: write -> measurement
-- One that is newer than all others says how tall and heavy the child is now.
WITH added AS (
    INSERT INTO children.child_measurements (id, child_id, measured_on, height, weight, head_circumference)
    VALUES ($1, $2, $3, $4, $5, $6)
    RETURNING *
), current AS (
    UPDATE children.children c
    SET current_height = coalesce(added.height, c.current_height),
        current_weight = coalesce(added.weight, c.current_weight), updated_at = aipoten.app_now()
    FROM added
    WHERE c.id = added.child_id
      AND NOT EXISTS (SELECT FROM children.child_measurements m
                      WHERE m.child_id = added.child_id AND m.measured_on > added.measured_on)
)
SELECT id, measured_on, height, weight, head_circumference, created_at FROM added;

-- children_stale: write -> sealed_row
-- The next children after $2 of whom something is sealed with another key than the newest: $1 is how its values begin.
-- Those that somebody has locked are left for the next pass.
SELECT id, medical_history, family_history, treatment_history, notes
FROM children.children
WHERE id > $2
  AND (   substring(medical_history FROM 1 FOR octet_length($1::bytea)) <> $1
       OR substring(family_history FROM 1 FOR octet_length($1)) <> $1
       OR substring(treatment_history FROM 1 FOR octet_length($1)) <> $1
       OR substring(notes FROM 1 FOR octet_length($1)) <> $1)
ORDER BY id
LIMIT 50
FOR UPDATE SKIP LOCKED;

-- children_stale_count: slow -> total_row
SELECT count(*) AS total
FROM children.children
WHERE substring(medical_history FROM 1 FOR octet_length($1::bytea)) <> $1
   OR substring(family_history FROM 1 FOR octet_length($1)) <> $1
   OR substring(treatment_history FROM 1 FOR octet_length($1)) <> $1
   OR substring(notes FROM 1 FOR octet_length($1)) <> $1;

-- child_reseal: write
UPDATE children.children
SET medical_history = $2, family_history = $3, treatment_history = $4, notes = $5
WHERE id = $1;

-- --- guardians ----------------------------------------------------------------------------------------------------------------

-- guardians_of: read -> guardian
SELECT g.user_id, f.name, g.relation, g.created_at
FROM children.child_guardians g JOIN accounts.guardian_facts f ON f.user_id = g.user_id
WHERE g.child_id = $1
ORDER BY g.created_at, g.user_id
LIMIT 100;

-- invitations_of: read -> invitation
-- Those that can still be accepted, newest first.
SELECT id, email, created_at, expires_at
FROM children.guardian_invitations
WHERE child_id = $1 AND ended_at IS NULL AND expires_at > aipoten.app_now()
ORDER BY created_at DESC, id DESC
LIMIT 100;

-- guardianship_lock: write -> relation_row
-- What the user is to the child. Whoever changes who guards a child locks it first, so the counts below hold until COMMIT.
SELECT g.relation
FROM children.children c JOIN children.child_guardians g ON g.child_id = c.id
WHERE c.id = $1 AND g.user_id = $2 AND c.deleted_at IS NULL
FOR UPDATE OF c;

-- guardians_count: write -> guardian_counts
-- $2: who invites.
SELECT (SELECT count(*) FROM children.child_guardians WHERE child_id = $1) AS guardians,
       (SELECT count(*) FROM children.guardian_invitations
        WHERE child_id = $1 AND ended_at IS NULL AND expires_at > aipoten.app_now()) AS invited,
       (SELECT count(*) FROM children.guardian_invitations
        WHERE invited_by = $2 AND created_at > aipoten.app_now() - interval '1 day') AS invited_today;

-- address_known: write -> known_address
-- Whose address $2 is, and whether that user guards the child already; no row: of nobody who has an account.
SELECT f.user_id AS id,
       EXISTS (SELECT FROM children.child_guardians g WHERE g.child_id = $1 AND g.user_id = f.user_id) AS guards
FROM accounts.guardian_facts f
WHERE f.address_digest = aipoten.address_digest($2);

-- invitation_replace: write
-- A new invitation of the same address takes the place of the one before.
UPDATE children.guardian_invitations
SET ended_at = aipoten.app_now(), email = NULL, address_digest = NULL, token_hash = NULL
WHERE child_id = $1 AND address_digest = aipoten.address_digest($2) AND ended_at IS NULL;

-- invitation_insert: write -> invitation
-- $4: the address, sealed; $5: the address.
INSERT INTO children.guardian_invitations (id, child_id, invited_by, email, address_digest, token_hash, expires_at)
VALUES ($1, $2, $3, $4, aipoten.address_digest($5), $6, $7)
RETURNING id, email, created_at, expires_at;

-- invitation_open: write -> open_invitation
-- By its token's hash, while it can be accepted; $3: who accepts. The child is locked as by guardianship_lock.
SELECT i.id, coalesce(f.address_digest = i.address_digest, false) AS theirs, coalesce(f.address_verified, false) AS verified
FROM children.guardian_invitations i
    JOIN children.children c ON c.id = i.child_id
    LEFT JOIN accounts.guardian_facts f ON f.user_id = $3
WHERE i.child_id = $1 AND i.token_hash = $2 AND i.expires_at > aipoten.app_now() AND c.deleted_at IS NULL
FOR UPDATE OF c, i;

-- invitation_end: write -> key_row
UPDATE children.guardian_invitations
SET ended_at = aipoten.app_now(), email = NULL, address_digest = NULL, token_hash = NULL
WHERE id = $1 AND child_id = $2 AND ended_at IS NULL
RETURNING id;

-- invitation_decline: write -> key_row
UPDATE children.guardian_invitations
SET ended_at = aipoten.app_now(), email = NULL, address_digest = NULL, token_hash = NULL
WHERE child_id = $1 AND token_hash = $2 AND expires_at > aipoten.app_now()
RETURNING id;

-- guardian_insert: write -> guardian
-- Who guards the child already goes on as before.
WITH added AS (
    INSERT INTO children.child_guardians (child_id, user_id, relation) VALUES ($1, $2, 'guardian')
    ON CONFLICT (child_id, user_id) DO UPDATE SET relation = child_guardians.relation
    RETURNING user_id, relation, created_at
)
SELECT added.user_id, f.name, added.relation, added.created_at
FROM added JOIN accounts.guardian_facts f ON f.user_id = added.user_id;

-- guardian_remove: write -> relation_row
DELETE FROM children.child_guardians WHERE child_id = $1 AND user_id = $2 RETURNING relation;

-- owner_succeed: write
-- A child whose owner left belongs to the guardian who has been one for longest.
UPDATE children.child_guardians SET relation = 'owner'
WHERE child_id = $1 AND user_id = (SELECT o.user_id FROM children.child_guardians o WHERE o.child_id = $1
                                   ORDER BY o.created_at, o.user_id LIMIT 1);

-- invitations_expire: write
-- What nobody can accept any more forgets whom it was for.
UPDATE children.guardian_invitations
SET ended_at = aipoten.app_now(), email = NULL, address_digest = NULL, token_hash = NULL
WHERE ended_at IS NULL AND expires_at <= aipoten.app_now();

-- invitations_forget: write
-- Counted for a day (guardians_count), then gone.
DELETE FROM children.guardian_invitations
WHERE ended_at IS NOT NULL AND created_at < aipoten.app_now() - interval '1 day';

-- invitations_stale: write -> sealed_invitation
SELECT id, email
FROM children.guardian_invitations
WHERE id > $2 AND substring(email FROM 1 FOR octet_length($1::bytea)) <> $1
ORDER BY id
LIMIT 50
FOR UPDATE SKIP LOCKED;

-- invitations_stale_count: slow -> total_row
SELECT count(*) AS total
FROM children.guardian_invitations
WHERE substring(email FROM 1 FOR octet_length($1::bytea)) <> $1;

-- invitation_reseal: write
UPDATE children.guardian_invitations SET email = $2 WHERE id = $1;

-- --- what is held of a person (shared/actor/personal_data.h) --------------------------------------------------------------------

-- person_guardianships: slow -> personal_guardianship
SELECT child_id, relation, created_at
FROM children.child_guardians
WHERE user_id = $1 AND child_id > $2
ORDER BY child_id
LIMIT $3;

-- person_children: slow -> child_record
SELECT c.id, c.name, c.birth_date, c.gender, c.gestational_weeks, c.birth_weight, c.current_height, c.current_weight,
       c.created_at, c.updated_at, c.medical_history, c.family_history, c.treatment_history, c.notes
FROM children.child_guardians g JOIN children.children c ON c.id = g.child_id
WHERE g.user_id = $1 AND c.id > $2 AND c.deleted_at IS NULL
ORDER BY c.id
LIMIT $3;

-- person_measurements: slow -> personal_measurement
SELECT m.id, m.child_id, m.measured_on, m.height, m.weight, m.head_circumference, m.created_at
FROM children.child_guardians g JOIN children.child_measurements m ON m.child_id = g.child_id
WHERE g.user_id = $1 AND m.id > $2
ORDER BY m.id
LIMIT $3;

-- person_invitations: slow -> personal_invitation
-- Those that the person sent.
SELECT id, child_id, email, created_at, expires_at
FROM children.guardian_invitations
WHERE invited_by = $1 AND id > $2 AND ended_at IS NULL
ORDER BY id
LIMIT $3;

-- --- a person who is erased -----------------------------------------------------------------------------------------------------

-- person_lock: write -> key_row
-- The children that the person guards, as by guardianship_lock.
SELECT c.id
FROM children.child_guardians g JOIN children.children c ON c.id = g.child_id
WHERE g.user_id = $1
ORDER BY c.id
FOR UPDATE OF c;

-- person_step_down: write
UPDATE children.child_guardians SET relation = 'guardian' WHERE user_id = $1;

-- person_succeed: write
-- What the person owned belongs to the other guardian who has been one for longest (as by owner_succeed).
UPDATE children.child_guardians heir
SET relation = 'owner'
FROM (SELECT DISTINCT ON (o.child_id) o.child_id, o.user_id
      FROM children.child_guardians mine
          JOIN children.child_guardians o ON o.child_id = mine.child_id AND o.user_id <> mine.user_id
      WHERE mine.user_id = $1
        AND NOT EXISTS (SELECT FROM children.child_guardians p WHERE p.child_id = mine.child_id AND p.relation = 'owner')
      ORDER BY o.child_id, o.created_at, o.user_id) AS first
WHERE heir.child_id = first.child_id AND heir.user_id = first.user_id;

-- person_erase: write -> key_row
-- The person guards nobody any more; a child that has no other guardian is emptied as by child_delete: these are given.
WITH gone AS (
    UPDATE children.children c
    SET deleted_at = aipoten.app_now(), updated_at = aipoten.app_now(), name = '', birth_date = '1970-01-01',
        gender = 'unknown', gestational_weeks = NULL, birth_weight = NULL, current_height = NULL, current_weight = NULL,
        medical_history = NULL, family_history = NULL, treatment_history = NULL, notes = NULL
    WHERE deleted_at IS NULL
      AND id IN (SELECT mine.child_id FROM children.child_guardians mine WHERE mine.user_id = $1)
      AND NOT EXISTS (SELECT FROM children.child_guardians o WHERE o.child_id = c.id AND o.user_id <> $1)
    RETURNING id
), unguarded AS (
    DELETE FROM children.child_guardians WHERE user_id = $1
), unmeasured AS (
    DELETE FROM children.child_measurements WHERE child_id IN (SELECT id FROM gone)
), uninvited AS (
    DELETE FROM children.guardian_invitations WHERE child_id IN (SELECT id FROM gone)
)
SELECT id FROM gone ORDER BY id;

-- person_uninvite: write -> key_row
-- What the person sent, and what was sent to the person's address.
UPDATE children.guardian_invitations
SET ended_at = aipoten.app_now(), email = NULL, address_digest = NULL, token_hash = NULL
WHERE ended_at IS NULL
  AND (invited_by = $1 OR address_digest = (SELECT f.address_digest FROM accounts.guardian_facts f WHERE f.user_id = $1))
RETURNING id;
