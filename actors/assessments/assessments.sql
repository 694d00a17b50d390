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
