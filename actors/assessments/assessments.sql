-- assessments.sql: the statements of the assessments actor.

-- --- questions ------------------------------------------------------------------------------------------------------------------

-- question_columns: part
-- What stands of a question wherever it is asked (message question_row): labels, but no scores.
q.id, q.category, q.question_text, q.answer_type, q.scale_min, q.scale_max, q.scale_labels,
       (SELECT jsonb_agg(jsonb_build_object('key', o.value -> 'key', 'label', o.value -> 'label') ORDER BY o.ordinality)
        FROM jsonb_array_elements(q.options) WITH ORDINALITY o) AS options,
       q.order_index;

-- question_order: part
-- Area by area in the order of the founding document (events.h, development_areas).
array_position(ARRAY['gross_motor', 'fine_motor', 'cognitive', 'language', 'social', 'emotional'], q.category),
         q.order_index, q.id;

-- questions_of_age: read batched -> question_row
SELECT {question_columns}
FROM assessments.assessment_questions q
WHERE q.retired_at IS NULL AND $1::integer BETWEEN q.age_range_start AND q.age_range_end
ORDER BY {question_order}
LIMIT 500;

-- --- questions: administration -------------------------------------------------------------------------------------------------
-- A version's words never change: a change is a further row, and the one before is asked no more. Nothing is ever deleted here.

-- admin_question_columns: part
-- A version as administrators see it (message question_record): scores and weights as they write them, not in thousandths.
q.id, q.lineage, q.version, q.category, q.age_range_start, q.age_range_end, q.question_text, q.answer_type,
       q.weight * 0.001 AS weight, q.reverse, q.is_critical, q.order_index, q.scale_min, q.scale_max, q.scale_labels,
       (SELECT jsonb_agg(jsonb_build_object('key', o.value -> 'key', 'label', o.value -> 'label',
                                            'score', trim_scale((o.value ->> 'score')::integer * 0.001)) ORDER BY o.ordinality)
        FROM jsonb_array_elements(q.options) WITH ORDINALITY o) AS options_json,
       q.created_at, q.retired_at;

-- admin_question_wanted: part
-- What was asked for: $1 category, $2 age, $3 answer_type, $4 retired, $5 lineage: null for any.
($1::text IS NULL OR q.category = $1) AND ($2::integer IS NULL OR $2 BETWEEN q.age_range_start AND q.age_range_end)
  AND ($3::text IS NULL OR q.answer_type = $3) AND ($4::boolean IS NULL OR (q.retired_at IS NOT NULL) = $4)
  AND ($5::uuid IS NULL OR q.lineage = $5);

-- admin_question_place: part
-- In the order of the founding document, the youngest first.
array_position(ARRAY['gross_motor', 'fine_motor', 'cognitive', 'language', 'social', 'emotional'], q.category),
         q.age_range_start, q.order_index, q.id;

-- admin_questions_page: read -> question_record
-- Behind the row $6, which stays where it is: no version moves or goes.
SELECT {admin_question_columns}
FROM assessments.assessment_questions q
WHERE {admin_question_wanted}
  AND ($6::uuid IS NULL
       OR ({admin_question_place}) > (SELECT {admin_question_place} FROM assessments.assessment_questions q WHERE q.id = $6))
ORDER BY {admin_question_place}
LIMIT $7 OFFSET $8;

-- admin_questions_count: read -> total_row
SELECT count(*) AS total
FROM (SELECT FROM assessments.assessment_questions q WHERE {admin_question_wanted} LIMIT 10001) AS few;

-- admin_question_get: read -> question_record
SELECT {admin_question_columns}
FROM assessments.assessment_questions q
WHERE q.id = $1;

-- question_lock: write -> question_record
SELECT {admin_question_columns}
FROM assessments.assessment_questions q
WHERE q.id = $1
FOR UPDATE OF q;

-- question_retire: write
UPDATE assessments.assessment_questions SET retired_at = aipoten.app_now() WHERE id = $1 AND retired_at IS NULL;

-- question_insert: write -> question_record
INSERT INTO assessments.assessment_questions AS q (id, lineage, version, category, age_range_start, age_range_end, question_text,
    answer_type, weight, reverse, is_critical, order_index, scale_min, scale_max, scale_labels, options)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, ($9::numeric * 1000)::integer, $10, $11, $12, $13, $14, $15::text::jsonb,
    (SELECT jsonb_agg(jsonb_build_object('key', o.value -> 'key', 'label', o.value -> 'label',
                                         'score', ((o.value ->> 'score')::numeric * 1000)::integer) ORDER BY o.ordinality)
     FROM jsonb_array_elements($16::text::jsonb) WITH ORDINALITY o))
RETURNING {admin_question_columns};

-- questions_most: write -> total_row
-- How many are asked at that age of $1 to $2 at which most are.
SELECT coalesce(max(asked.questions), 0) AS total
FROM (SELECT count(*) AS questions
      FROM generate_series($1::integer, $2::integer) AS age
          JOIN assessments.assessment_questions q ON q.retired_at IS NULL AND age BETWEEN q.age_range_start AND q.age_range_end
      GROUP BY age) AS asked;

-- --- attempts -------------------------------------------------------------------------------------------------------------------

-- attempt_status: part
-- One that is past its time is expired, whether or not its row says so already.
CASE WHEN a.status = 'in_progress' AND a.expires_at <= aipoten.app_now() THEN 'expired' ELSE a.status END;

-- attempt_columns: part
-- What stands of an attempt wherever it is shown (message attempt).
a.id, a.child_id, a.user_id, a.assessment_date, a.age_in_months, a.chronological_age_months, a.corrected_age_months,
       {attempt_status} AS status,
       (SELECT count(*) FROM assessments.assessment_responses r WHERE r.assessment_id = a.id) AS answered,
       cardinality(a.question_ids) AS asked, a.expires_at, a.created_at, a.updated_at, a.completed_at;

-- attempt_guarded: part
-- User $2 guards the child.
a.deleted_at IS NULL AND EXISTS (SELECT FROM children.guardians g WHERE g.child_id = a.child_id AND g.user_id = $2);

-- related_children: part
-- Those whose results a therapist ($2) may see: by a relation that has not ended, and the owner's consent (product.md, section 2).
SELECT t.child_id
    FROM aipoten.therapist_relations t
        JOIN children.guardians o ON o.child_id = t.child_id AND o.relation = 'owner'
    WHERE t.therapist_user_id = $2 AND t.ends_at > aipoten.app_now()
      AND (SELECT c.granted FROM accounts.current_consents c WHERE c.user_id = o.user_id AND c.kind = 'sharing');

-- attempt_shown: part
-- User $2 may see all of it; $3: is an admin.
a.deleted_at IS NULL AND EXISTS (SELECT FROM children.ages k WHERE k.child_id = a.child_id)
  AND ($3::boolean OR EXISTS (SELECT FROM children.guardians g WHERE g.child_id = a.child_id AND g.user_id = $2)
       OR a.child_id IN ({related_children}));

-- attempt_birth: read batched -> birth_row
-- Of a child that the user guards.
SELECT k.birth_date, k.gestational_weeks
FROM children.ages k JOIN children.guardians g ON g.child_id = k.child_id
WHERE k.child_id = $1 AND g.user_id = $2;

-- child_hold: write -> locked_row
-- Who begins an attempt holds its child beside others who do, until the end of the transaction.
SELECT count(pg_advisory_xact_lock_shared(hashtextextended('assessments.child ' || $1::uuid::text, 0))) AS locks;

-- child_hold_alone: write -> locked_row
-- Who forgets a deleted child waits for them; who comes later sees that it is gone.
SELECT count(pg_advisory_xact_lock(hashtextextended('assessments.child ' || $1::uuid::text, 0))) AS locks;

-- attempt_insert: write -> attempt_record
-- With the questions that are asked at this age now ($5), as questions_of_age shows them, behind child_hold. No row: one is in progress,
-- there are no questions, or the child was deleted just now.
INSERT INTO assessments.development_assessments AS a (id, user_id, child_id, assessment_date, age_in_months,
    chronological_age_months, corrected_age_months, question_ids, expires_at)
SELECT $1::uuid, $2::uuid, $3::uuid, $4::date, $5::smallint, $6::smallint, $7::smallint, asked.ids,
       aipoten.app_now() + $8::bigint * interval '1 millisecond'
FROM (SELECT array_agg(shown.id ORDER BY shown.place) AS ids
      FROM (SELECT q.id, row_number() OVER (ORDER BY {question_order}) AS place
            FROM assessments.assessment_questions q
            WHERE q.retired_at IS NULL AND $5::smallint BETWEEN q.age_range_start AND q.age_range_end) AS shown
      WHERE shown.place <= 500) AS asked
WHERE asked.ids IS NOT NULL AND EXISTS (SELECT FROM children.guardians g WHERE g.child_id = $3 AND g.user_id = $2)
ON CONFLICT (child_id) WHERE status = 'in_progress' AND deleted_at IS NULL DO NOTHING
RETURNING {attempt_columns}, a.notes;

-- attempt_expire: write -> key_row
-- So that another one can be begun.
UPDATE assessments.development_assessments
SET status = 'expired', updated_at = aipoten.app_now()
WHERE child_id = $1 AND status = 'in_progress' AND deleted_at IS NULL AND expires_at <= aipoten.app_now()
RETURNING id;

-- attempt_open: write -> key_row
SELECT id FROM assessments.development_assessments WHERE child_id = $1 AND status = 'in_progress' AND deleted_at IS NULL;

-- attempt_get: read batched -> attempt_record
SELECT {attempt_columns}, a.notes
FROM assessments.development_assessments a
WHERE a.id = $1 AND {attempt_shown};

-- attempt_question_rows: part
-- The questions of attempt $1 in their order, with what was answered. Its answers are read first: never all that were ever given to
-- its questions.
WITH answers AS MATERIALIZED (
    SELECT r.question_id, r.response FROM assessments.assessment_responses r WHERE r.assessment_id = $1
)
SELECT {question_columns}, answers.response
FROM assessments.development_assessments a
    CROSS JOIN unnest(a.question_ids) WITH ORDINALITY AS asked (id, place)
    JOIN assessments.assessment_questions q ON q.id = asked.id
    LEFT JOIN answers ON answers.question_id = q.id
WHERE a.id = $1
ORDER BY asked.place;

-- attempt_questions: read batched -> attempt_question_row
{attempt_question_rows};

-- attempt_questions_begun: write -> attempt_question_row
-- Of one that nobody else can see yet.
{attempt_question_rows};

-- attempt_note: write grouped -> attempt_record
UPDATE assessments.development_assessments a
SET notes = $3, updated_at = aipoten.app_now()
WHERE a.id = $1 AND a.status = 'in_progress' AND a.expires_at > aipoten.app_now() AND {attempt_guarded}
RETURNING {attempt_columns}, a.notes;

-- --- the history ----------------------------------------------------------------------------------------------------------------

-- seen_ids: part
-- The children of whom user $2 may see attempts; $1: this one alone.
SELECT g.child_id FROM children.guardians g WHERE g.user_id = $2 AND ($1::uuid IS NULL OR g.child_id = $1)
  UNION
  SELECT related.child_id FROM ({related_children}) AS related WHERE $1::uuid IS NULL OR related.child_id = $1;

-- children_seen: read batched -> seen_child
SELECT s.child_id,
       (SELECT a.expires_at FROM assessments.development_assessments a
        WHERE a.child_id = s.child_id AND a.status = 'in_progress' AND a.deleted_at IS NULL
          AND a.expires_at > aipoten.app_now()) AS expires_at
FROM ({seen_ids}) AS s
LIMIT 1000;

-- attempt_child: read batched -> key_row
SELECT child_id AS id FROM children.ages WHERE child_id = $1;

-- attempt_wanted: part
-- $3 status, $4 and $5 the first and last day: null for any.
a.deleted_at IS NULL
  AND ($3::text IS NULL OR {attempt_status} = $3)
  AND ($4::date IS NULL OR a.assessment_date >= $4) AND ($5::date IS NULL OR a.assessment_date <= $5);

-- attempts_page: read batched -> attempt
-- Newest first, behind the attempt $6.
SELECT {attempt_columns}
FROM assessments.development_assessments a
WHERE a.child_id IN ({seen_ids}) AND {attempt_wanted} AND a.id < $6
ORDER BY a.id DESC
LIMIT $7 OFFSET $8;

-- attempts_count: read batched -> total_row
SELECT count(*) AS total
FROM (SELECT FROM assessments.development_assessments a WHERE a.child_id IN ({seen_ids}) AND {attempt_wanted} LIMIT 10001) AS few;

-- of_child: part
-- As attempt_wanted, of child $1, who is not deleted; $2: nothing.
a.child_id = $1 AND $2::uuid IS NOT NULL AND {attempt_wanted};

-- of_all: part
-- As attempt_wanted, of all children that are not deleted; $1, $2: nothing. A child is looked up for each row that is shown: a join could
-- begin with all of them.
$1::uuid IS NULL AND $2::uuid IS NOT NULL AND {attempt_wanted}
  AND (SELECT true FROM children.ages k WHERE k.child_id = a.child_id);

-- attempts_page_child: read batched -> attempt
SELECT {attempt_columns}
FROM assessments.development_assessments a
WHERE {of_child} AND a.id < $6
ORDER BY a.id DESC
LIMIT $7 OFFSET $8;

-- attempts_count_child: read batched -> total_row
SELECT count(*) AS total FROM (SELECT FROM assessments.development_assessments a WHERE {of_child} LIMIT 10001) AS few;

-- attempts_page_all: read -> attempt
SELECT {attempt_columns}
FROM assessments.development_assessments a
WHERE {of_all} AND a.id < $6
ORDER BY a.id DESC
LIMIT $7 OFFSET $8;

-- attempts_count_all: slow -> total_row
SELECT count(*) AS total FROM (SELECT FROM assessments.development_assessments a WHERE {of_all} LIMIT 10001) AS few;

-- --- answers --------------------------------------------------------------------------------------------------------------------

-- response_rules: read batched -> rule_row
-- For each question id of the JSON array $3, in its order: the attempt, and what fits as an answer.
SELECT a.child_id, {attempt_status} AS status, q.answer_type, q.scale_min, q.scale_max,
       (SELECT string_agg(o ->> 'key', ' ') FROM jsonb_array_elements(q.options) o) AS option_keys
FROM assessments.development_assessments a
    CROSS JOIN jsonb_array_elements_text($3::text::jsonb) WITH ORDINALITY AS given (question, place)
    LEFT JOIN assessments.assessment_questions q ON q.id = given.question::uuid AND q.id = ANY (a.question_ids)
WHERE a.id = $1 AND {attempt_guarded}
ORDER BY given.place;

-- responses_put: write -> category_progress
-- $3: [{"id", "question_id", "response"}, …]. All writers take their rows in the order of the questions, and the attempt as others that
-- answer do, but not beside its completion. No row: it is not in progress any more.
WITH open AS (
    SELECT a.id, a.question_ids
    FROM assessments.development_assessments a
    WHERE a.id = $1 AND a.status = 'in_progress' AND a.expires_at > aipoten.app_now() AND {attempt_guarded}
    FOR SHARE OF a
), put AS (
    INSERT INTO assessments.assessment_responses (id, assessment_id, question_id, response)
    SELECT (given.answer ->> 'id')::uuid, open.id, (given.answer ->> 'question_id')::uuid, given.answer -> 'response'
    FROM open CROSS JOIN jsonb_array_elements($3::text::jsonb) AS given (answer)
    ORDER BY (given.answer ->> 'question_id')::uuid
    ON CONFLICT ON CONSTRAINT assessment_responses_key
        DO UPDATE SET response = excluded.response, updated_at = excluded.updated_at
    RETURNING question_id
), answers AS MATERIALIZED (
    SELECT r.question_id FROM assessments.assessment_responses r WHERE r.assessment_id = $1
    UNION ALL
    SELECT put.question_id FROM put
)
SELECT q.category, count(*) AS asked, count(*) FILTER (WHERE q.id IN (SELECT question_id FROM answers)) AS answered
FROM open CROSS JOIN unnest(open.question_ids) AS asked (id) JOIN assessments.assessment_questions q ON q.id = asked.id
GROUP BY q.category
ORDER BY array_position(ARRAY['gross_motor', 'fine_motor', 'cognitive', 'language', 'social', 'emotional'], q.category);

-- attempts_forget: write -> key_row
-- Unfinished ones that expired before $1, $2 at most, with their answers; gives the children. What is completed stays.
WITH old AS (
    SELECT a.id
    FROM assessments.development_assessments a
    WHERE a.status <> 'completed' AND a.deleted_at IS NULL AND a.expires_at < $1
    ORDER BY a.expires_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
), answers AS (
    DELETE FROM assessments.assessment_responses WHERE assessment_id IN (SELECT id FROM old)
)
DELETE FROM assessments.development_assessments a USING old WHERE a.id = old.id RETURNING a.child_id AS id;

-- --- what is held of a person (shared/actor/personal_data.h) --------------------------------------------------------------------

-- person_attempts: slow -> attempt_record
-- Of all children that the person guards.
SELECT {attempt_columns}, a.notes
FROM children.guardians g JOIN assessments.development_assessments a ON a.child_id = g.child_id
WHERE g.user_id = $1 AND a.id > $2 AND a.deleted_at IS NULL
ORDER BY a.id
LIMIT $3;

-- person_responses: slow -> personal_response
SELECT r.id, r.assessment_id, r.question_id, q.question_text, r.response, r.created_at, r.updated_at
FROM children.guardians g
    JOIN assessments.development_assessments a ON a.child_id = g.child_id AND a.deleted_at IS NULL
    JOIN assessments.assessment_responses r ON r.assessment_id = a.id
    JOIN assessments.assessment_questions q ON q.id = r.question_id
WHERE g.user_id = $1 AND r.id > $2
ORDER BY r.id
LIMIT $3;

-- person_results: slow -> personal_result
SELECT s.id, s.assessment_id, s.category, s.score, s.level, s.feedback, s.recommendations, s.feedback_en, s.recommendations_en,
       s.created_at
FROM children.guardians g
    JOIN assessments.development_assessments a ON a.child_id = g.child_id AND a.deleted_at IS NULL
    JOIN assessments.assessment_results s ON s.assessment_id = a.id
WHERE g.user_id = $1 AND s.id > $2
ORDER BY s.id
LIMIT $3;

-- --- a child that is deleted ----------------------------------------------------------------------------------------------------

-- child_attempts_empty: write
-- The rows stay for those that refer to them, emptied of what they said about the child.
UPDATE assessments.development_assessments
SET deleted_at = aipoten.app_now(), updated_at = aipoten.app_now(), notes = NULL, question_ids = '{}', age_in_months = 0,
    chronological_age_months = 0, corrected_age_months = NULL, assessment_date = '1970-01-01'
WHERE child_id = $1 AND deleted_at IS NULL;

-- child_responses_erase: write
DELETE FROM assessments.assessment_responses
WHERE assessment_id IN (SELECT id FROM assessments.development_assessments WHERE child_id = $1);

-- child_results_erase: write
DELETE FROM assessments.assessment_results
WHERE assessment_id IN (SELECT id FROM assessments.development_assessments WHERE child_id = $1);

-- child_reminders_erase: write
DELETE FROM assessments.assessment_reminders WHERE child_id = $1;

-- --- reminders ------------------------------------------------------------------------------------------------------------------

-- reminder_clock: read -> seoul_row
SELECT now.seoul::date AS today, floor(extract(epoch FROM now.seoul::time))::bigint AS second
FROM (SELECT aipoten.app_now() AT TIME ZONE 'Asia/Seoul' AS seoul) AS now;

-- reminder_window: read -> reminded_row
-- The last of the next $2 children after $1; none when fewer are left.
SELECT child_id FROM children.ages WHERE child_id > $1 ORDER BY child_id OFFSET $2::bigint - 1 LIMIT 1;

-- reminder_candidates: read -> candidate_row
-- Of the children after $1, up to $2 (null: all), born after $3: those with results and with a guardian whose account is there, the owner
-- before the others.
SELECT c.child_id, c.birth_date, c.gestational_weeks, l.completed_at,
       (l.completed_at AT TIME ZONE 'Asia/Seoul')::date AS completed_on, r.band_start AS reminded_band, g.user_id
FROM children.ages c
CROSS JOIN LATERAL (
    SELECT a.completed_at FROM assessments.development_assessments a
    WHERE a.child_id = c.child_id AND a.status = 'completed' AND a.deleted_at IS NULL
    ORDER BY a.completed_at DESC LIMIT 1) AS l
CROSS JOIN LATERAL (
    SELECT g.user_id FROM children.guardians g JOIN accounts.active_users u ON u.user_id = g.user_id
    WHERE g.child_id = c.child_id
    ORDER BY g.relation <> 'owner', g.user_id LIMIT 1) AS g
LEFT JOIN LATERAL (
    SELECT r.band_start FROM assessments.assessment_reminders r
    WHERE r.child_id = c.child_id
    ORDER BY r.created_at DESC LIMIT 1) AS r ON true
WHERE c.child_id > $1 AND ($2::uuid IS NULL OR c.child_id <= $2) AND c.birth_date > $3
ORDER BY c.child_id;

-- reminders_note: write -> reminded_row
-- $1: "child:band child:band". Gives those that were not noted before, by anybody, and are not deleted since.
INSERT INTO assessments.assessment_reminders (child_id, band_start)
SELECT c.child_id, split_part(k.pair, ':', 2)::smallint
FROM unnest(string_to_array($1::text, ' ')) AS k (pair) JOIN children.ages c ON c.child_id = split_part(k.pair, ':', 1)::uuid
ORDER BY c.child_id
ON CONFLICT DO NOTHING
RETURNING child_id;

-- --- completing an attempt ------------------------------------------------------------------------------------------------------

-- attempt_hold: write -> held_row
-- Until the end of the transaction: those who save answers hold it as well (responses_put), and wait. The child has no other attempt in
-- progress, so that what was completed before was so when this began.
SELECT a.child_id, a.age_in_months, a.completed_at, {attempt_status} AS status, array_to_string(a.question_ids, ' ') AS questions,
       (SELECT max(l.completed_at)
        FROM assessments.development_assessments l
        WHERE l.child_id = a.child_id AND l.status = 'completed' AND l.deleted_at IS NULL) AS last_completed_at
FROM assessments.development_assessments a
WHERE a.id = $1 AND {attempt_guarded}
FOR NO KEY UPDATE OF a;

-- attempt_answers: write -> answer_row
-- Behind attempt_hold.
SELECT question_id, response FROM assessments.assessment_responses WHERE assessment_id = $1 ORDER BY question_id;

-- question_rules: write -> question_rule_row
-- Of the questions $1, separated by spaces.
SELECT q.id, q.category, q.answer_type, q.weight, q.reverse, q.is_critical, q.scale_min, q.scale_max,
       (SELECT string_agg((o ->> 'key') || ' ' || (o ->> 'score'), ' ') FROM jsonb_array_elements(q.options) o) AS option_scores
FROM assessments.assessment_questions q
WHERE q.id = ANY (string_to_array($1::text, ' ')::uuid[]);

-- results_insert: write
-- $2: a JSON list of kept_result.
INSERT INTO assessments.assessment_results
    (id, assessment_id, category, score, level, critical, answered, asked, feedback, recommendations, feedback_en, recommendations_en)
SELECT r.id, $1::uuid, r.category, r.score, r.level, r.critical, r.answered, r.asked, r.feedback, r.recommendations, r.feedback_en,
       r.recommendations_en
FROM jsonb_to_recordset($2::text::jsonb)
    AS r (id uuid, category text, score numeric, level text, critical boolean, answered smallint, asked smallint, feedback text,
          recommendations text, feedback_en text, recommendations_en text);

-- attempt_complete: write
UPDATE assessments.development_assessments SET status = 'completed', completed_at = $2, updated_at = $2 WHERE id = $1;

-- result_order: part
-- Area by area in the order of the founding document (development.h).
array_position(ARRAY['gross_motor', 'fine_motor', 'cognitive', 'language', 'social', 'emotional'], r.category);

-- results_told: write -> result
-- $2: in English. (In the transaction of a call that completes again.)
SELECT r.category, r.score, r.level, r.critical, r.answered, r.asked,
       CASE WHEN $2 THEN r.feedback_en ELSE r.feedback END AS feedback,
       CASE WHEN $2 THEN r.recommendations_en ELSE r.recommendations END AS recommendations
FROM assessments.assessment_results r
WHERE r.assessment_id = $1
ORDER BY {result_order};

-- --- results --------------------------------------------------------------------------------------------------------------------

-- results_series: read batched -> series_row
-- The results of the completed attempt $1, and of those of the same child that were completed before it, newest first; words of the
-- first alone; $2: in English, $3: so many attempts.
SELECT a.id AS assessment_id, a.assessment_date, a.age_in_months, a.completed_at,
       r.category, r.score, r.level, r.critical, r.answered, r.asked,
       CASE WHEN a.id = $1 THEN CASE WHEN $2 THEN r.feedback_en ELSE r.feedback END END AS feedback,
       CASE WHEN a.id = $1 THEN CASE WHEN $2 THEN r.recommendations_en ELSE r.recommendations END END AS recommendations
FROM (SELECT b.id, b.assessment_date, b.age_in_months, b.completed_at
      FROM assessments.development_assessments s
          JOIN assessments.development_assessments b ON b.child_id = s.child_id
              AND (b.completed_at, b.id) <= (s.completed_at, s.id)
      WHERE s.id = $1 AND b.status = 'completed' AND b.deleted_at IS NULL
      ORDER BY b.completed_at DESC, b.id DESC
      LIMIT $3) AS a
    JOIN assessments.assessment_results r ON r.assessment_id = a.id
ORDER BY a.completed_at DESC, a.id DESC, {result_order};

-- --- the report -----------------------------------------------------------------------------------------------------------------

-- report_facts: read -> report_facts
-- Who may see it was asked before (results_read).
SELECT n.name, b.birth_date, a.assessment_date, a.chronological_age_months, a.corrected_age_months, a.age_in_months
FROM assessments.development_assessments a
     JOIN children.names n ON n.child_id = a.child_id
     JOIN children.ages b ON b.child_id = a.child_id
WHERE a.id = $1 AND a.deleted_at IS NULL;

-- report_answers: read -> report_answer_row
-- The attempt's questions in their order, with the answer in words where there are any: $2 are those of a scale that has none of its
-- own. `talk`: the answer to a critical question has the value 0 (product.md, section 4).
WITH responses AS MATERIALIZED ( -- a plan over all that was ever answered to a question is never wanted
    SELECT question_id, response FROM assessments.assessment_responses WHERE assessment_id = $1
)
SELECT q.category, q.question_text, q.scale_min, q.scale_max, q.is_critical,
       CASE q.answer_type WHEN 'scale' THEN r.response::integer END AS step,
       CASE q.answer_type WHEN 'yes_no' THEN r.response::boolean END AS said,
       CASE q.answer_type
           WHEN 'scale' THEN
               CASE WHEN q.scale_labels IS NULL AND (q.scale_min, q.scale_max) = (0, 3) THEN $2::text::jsonb ELSE q.scale_labels END
               ->> (r.response::integer - q.scale_min)
           WHEN 'multiple_choice' THEN o.value ->> 'label'
       END AS label,
       q.is_critical AND coalesce(
           CASE q.answer_type
               WHEN 'yes_no' THEN r.response::boolean = q.reverse
               WHEN 'scale' THEN r.response::integer = CASE WHEN q.reverse THEN q.scale_max ELSE q.scale_min END
               ELSE (o.value ->> 'score')::integer = CASE WHEN q.reverse THEN 1000 ELSE 0 END
           END, false) AS talk
FROM assessments.development_assessments a
     CROSS JOIN unnest(a.question_ids) WITH ORDINALITY AS s (id, place)
     JOIN assessments.assessment_questions q ON q.id = s.id
     LEFT JOIN responses r ON r.question_id = q.id
     LEFT JOIN LATERAL (SELECT p.value FROM jsonb_array_elements(q.options) AS p (value) WHERE p.value -> 'key' = r.response) o
         ON q.answer_type = 'multiple_choice'
WHERE a.id = $1
ORDER BY s.place;

-- --- sealed notes ---------------------------------------------------------------------------------------------------------------

-- attempts_stale: write -> sealed_row
-- The next attempts after $2 whose notes are sealed with another key than the newest: $1 is how its values begin.
SELECT id, notes
FROM assessments.development_assessments
WHERE id > $2 AND substring(notes FROM 1 FOR octet_length($1::bytea)) <> $1
ORDER BY id
LIMIT 50
FOR UPDATE SKIP LOCKED;

-- attempts_stale_count: slow -> total_row
SELECT count(*) AS total
FROM assessments.development_assessments
WHERE substring(notes FROM 1 FOR octet_length($1::bytea)) <> $1;

-- attempt_reseal: write
UPDATE assessments.development_assessments SET notes = $2 WHERE id = $1;
