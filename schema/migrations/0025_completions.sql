-- assessments: what others are shown of a completed attempt, for whoever works by it. An event tells of it as well (assessment.completed);
-- the view is for who must not be late.
CREATE VIEW assessments.completions AS
SELECT a.child_id, a.id AS assessment_id, a.completed_at, a.age_in_months,
       (SELECT jsonb_agg(jsonb_build_object('area', r.category, 'score', (r.score * 100)::integer, 'level', r.level) ORDER BY r.id)
        FROM assessments.assessment_results r WHERE r.assessment_id = a.id) AS areas
FROM assessments.development_assessments a
WHERE a.status = 'completed' AND a.deleted_at IS NULL
  AND EXISTS (SELECT FROM assessments.assessment_results r WHERE r.assessment_id = a.id);
GRANT USAGE ON SCHEMA assessments TO aipoten_videos;
GRANT SELECT ON assessments.completions TO aipoten_videos;
