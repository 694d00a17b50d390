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
