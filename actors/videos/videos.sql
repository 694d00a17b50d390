-- videos.sql: the statements of the videos actor. What the public sees is published and not deleted: each statement says so itself.

-- --- lists: one for each order, so that each reads its own index from where the page begins -------------------------------------
-- A page begins behind its cursor; the first one behind what comes before everything (video_list.c).

-- item_columns: part
-- What stands of a video in any list (message video_item).
v.id, v.title, v.description, v.video_url, v.video_platform, v.thumbnail_url, v.duration, v.target_age_min, v.target_age_max,
       v.difficulty, v.priority, v.view_count, v.bookmark_count, v.completion_count, v.published_at, v.categories, v.areas,
       v.tags;

-- wanted: part
-- The public's, and what was asked for: $1 age, $2 category (slug), $3 area, $4 difficulty: null for any.
v.is_published AND v.deleted_at IS NULL
  AND ($1::integer IS NULL OR $1 BETWEEN v.target_age_min AND v.target_age_max)
  AND ($2::text IS NULL OR EXISTS (
      SELECT FROM videos.video_category_mapping m
      WHERE m.video_id = v.id AND m.category_id = (SELECT c.id FROM videos.video_categories c WHERE c.slug = $2)))
  AND ($3::text IS NULL OR EXISTS (
      SELECT FROM videos.video_development_areas a WHERE a.video_id = v.id AND a.area = $3))
  AND ($4::text IS NULL OR v.difficulty = $4);

-- videos_page: read batched -> video_item
SELECT {item_columns}
FROM videos.videos v
WHERE {wanted}
  AND (v.priority, v.published_at, v.id) < ($5::integer, $6::timestamptz, $7::uuid)
ORDER BY v.priority DESC, v.published_at DESC, v.id DESC
LIMIT $8 OFFSET $9;

-- videos_page_newest: read batched -> video_item
SELECT {item_columns}
FROM videos.videos v
WHERE {wanted}
  AND (v.published_at, v.id) < ($5::timestamptz, $6::uuid)
ORDER BY v.published_at DESC, v.id DESC
LIMIT $7 OFFSET $8;

-- videos_page_popular: read batched -> video_item
-- Without an index: one on a counter would have to follow each view.
SELECT {item_columns}
FROM videos.videos v
WHERE {wanted}
  AND (v.view_count, v.published_at, v.id) < ($5::integer, $6::timestamptz, $7::uuid)
ORDER BY v.view_count DESC, v.published_at DESC, v.id DESC
LIMIT $8 OFFSET $9;

-- videos_count: read batched -> total_row
SELECT count(*) AS total
FROM (SELECT FROM videos.videos v
      WHERE {wanted}
      LIMIT 10001) AS few;

-- videos_found: read -> video_item
-- By words ($5), in the order $6: its rank is what the cursor ($7, $8, $9) begins with.
SELECT {item_columns}
FROM videos.videos v
    CROSS JOIN LATERAL (SELECT CASE $6::text WHEN 'popular' THEN v.view_count WHEN 'newest' THEN 0 ELSE v.priority END AS rank) r
WHERE {wanted}
  AND aipoten.search_keys(v.searched) @> (SELECT aipoten.search_terms($5))
  AND aipoten.search_has(v.searched, (SELECT aipoten.search_words($5)))
  AND (r.rank, v.published_at, v.id) < ($7::integer, $8::timestamptz, $9::uuid)
ORDER BY r.rank DESC, v.published_at DESC, v.id DESC
LIMIT $10 OFFSET $11;

-- videos_found_count: read -> total_row
SELECT count(*) AS total
FROM (SELECT FROM videos.videos v
      WHERE {wanted}
        AND aipoten.search_keys(v.searched) @> (SELECT aipoten.search_terms($5))
        AND aipoten.search_has(v.searched, (SELECT aipoten.search_words($5)))
      LIMIT 10001) AS few;

-- --- one video, categories ------------------------------------------------------------------------------------------------------

-- video_get: read batched -> video_detail
SELECT {item_columns},
       v.embed_code, v.play_method, v.expected_effects, v.materials_needed, v.precautions, v.created_at, v.updated_at
FROM videos.videos v
WHERE v.id = $1 AND v.is_published AND v.deleted_at IS NULL;

-- categories_all: read -> video_category
SELECT id, name, slug FROM videos.video_categories ORDER BY created_at, id LIMIT 1000;

-- category_known: read batched -> key_row
SELECT id FROM videos.video_categories WHERE slug = $1;

-- --- what somebody does with a video ---------------------------------------------------------------------------------------------
-- All of these take their locks in this order: the interaction, the video. A counter changes in the statement that found out that
-- it must, so two devices at once count once.

-- child_of_user: read batched -> key_row
SELECT child_id AS id FROM children.guardians WHERE child_id = $1 AND user_id = $2;

-- watched_before: part
-- By user $2, video $3, with child $4.
EXISTS (SELECT FROM videos.user_video_interactions b
                WHERE b.user_id = $2 AND b.video_id = $3 AND b.child_id = $4 AND b.last_watched_at IS NOT NULL);

-- interaction_touch: write -> touched_row
INSERT INTO videos.user_video_interactions (id, user_id, video_id, child_id, last_watched_at)
SELECT $1::uuid, $2::uuid, v.id, $4::uuid, aipoten.app_now()
FROM videos.videos v
WHERE v.id = $3 AND v.is_published AND v.deleted_at IS NULL
ON CONFLICT ON CONSTRAINT user_video_interactions_key DO UPDATE SET last_watched_at = excluded.last_watched_at
RETURNING NOT {watched_before} AS fresh;

-- video_view: write -> view_answer
-- By viewer $2, whose view before must be at least $3 seconds old.
WITH fresh AS (
    INSERT INTO videos.video_views (video_id, viewer, counted_at)
    SELECT v.id, $2::uuid, aipoten.app_now()
    FROM videos.videos v
    WHERE v.id = $1::uuid AND v.is_published AND v.deleted_at IS NULL
    ON CONFLICT (video_id, viewer) DO UPDATE SET counted_at = excluded.counted_at
        WHERE video_views.counted_at <= excluded.counted_at - $3::integer * interval '1 second'
    RETURNING video_id
), counted AS (
    UPDATE videos.videos v SET view_count = v.view_count + 1 FROM fresh WHERE v.id = fresh.video_id RETURNING v.id, v.view_count
)
SELECT v.id AS video_id, counted.id IS NOT NULL AS counted, coalesce(counted.view_count, v.view_count) AS view_count
FROM videos.videos v LEFT JOIN counted ON counted.id = v.id
WHERE v.id = $1 AND v.is_published AND v.deleted_at IS NULL;

-- views_forget: write
-- Those that no longer keep another one from being counted.
DELETE FROM videos.video_views
WHERE (video_id, viewer) IN (SELECT video_id, viewer FROM videos.video_views WHERE counted_at < $1 LIMIT $2);

-- bookmark_set: write -> bookmark_answer
WITH changed AS (
    INSERT INTO videos.user_video_interactions (id, user_id, video_id, is_bookmarked, bookmarked_at)
    SELECT $1::uuid, $2::uuid, v.id, true, aipoten.app_now()
    FROM videos.videos v
    WHERE v.id = $3::uuid AND v.is_published AND v.deleted_at IS NULL
    ON CONFLICT ON CONSTRAINT user_video_interactions_key DO UPDATE
        SET is_bookmarked = true, bookmarked_at = excluded.bookmarked_at
        WHERE NOT user_video_interactions.is_bookmarked
    RETURNING video_id
), counted AS (
    UPDATE videos.videos v SET bookmark_count = v.bookmark_count + 1
    FROM changed WHERE v.id = changed.video_id
    RETURNING v.id, v.bookmark_count
)
SELECT v.id AS video_id, true AS is_bookmarked, coalesce(counted.bookmark_count, v.bookmark_count) AS bookmark_count
FROM videos.videos v LEFT JOIN counted ON counted.id = v.id
WHERE v.id = $3 AND v.is_published AND v.deleted_at IS NULL;

-- bookmark_clear: write -> bookmark_answer
-- Also of a video that is not published any more.
WITH changed AS (
    UPDATE videos.user_video_interactions SET is_bookmarked = false, bookmarked_at = NULL
    WHERE user_id = $1 AND video_id = $2 AND child_id IS NULL AND is_bookmarked
    RETURNING video_id
), counted AS (
    UPDATE videos.videos v SET bookmark_count = v.bookmark_count - 1
    FROM changed WHERE v.id = changed.video_id
    RETURNING v.id, v.bookmark_count
)
SELECT v.id AS video_id, false AS is_bookmarked, coalesce(counted.bookmark_count, v.bookmark_count) AS bookmark_count
FROM videos.videos v LEFT JOIN counted ON counted.id = v.id
WHERE v.id = $2 AND (counted.id IS NOT NULL OR v.is_published AND v.deleted_at IS NULL);

-- completion_first: write -> completion_answer
WITH changed AS (
    INSERT INTO videos.user_video_interactions (id, user_id, video_id, child_id, is_completed, completed_at, last_watched_at)
    SELECT $1::uuid, $2::uuid, v.id, $4::uuid, true, aipoten.app_now(), aipoten.app_now()
    FROM videos.videos v
    WHERE v.id = $3::uuid AND v.is_published AND v.deleted_at IS NULL
    ON CONFLICT ON CONSTRAINT user_video_interactions_key DO UPDATE
        SET is_completed = true, completed_at = excluded.completed_at, last_watched_at = excluded.last_watched_at
        WHERE NOT user_video_interactions.is_completed
    RETURNING video_id
), counted AS (
    UPDATE videos.videos v SET completion_count = v.completion_count + 1
    FROM changed WHERE v.id = changed.video_id
    RETURNING v.id, v.completion_count
)
SELECT v.id AS video_id, counted.id IS NOT NULL AS first, coalesce(counted.completion_count, v.completion_count) AS completion_count
FROM videos.videos v LEFT JOIN counted ON counted.id = v.id
WHERE v.id = $3 AND v.is_published AND v.deleted_at IS NULL;

-- completion_again: write
UPDATE videos.user_video_interactions SET completed_at = aipoten.app_now(), last_watched_at = aipoten.app_now()
WHERE user_id = $1 AND video_id = $2 AND child_id IS NOT DISTINCT FROM $3::uuid;

-- progress_lock: write -> watched_row
-- What was seen so far, locked until the end of the transaction.
WITH mine AS (
    INSERT INTO videos.user_video_interactions (id, user_id, video_id, child_id, last_watched_at)
    SELECT $1::uuid, $2::uuid, v.id, $4::uuid, aipoten.app_now()
    FROM videos.videos v
    WHERE v.id = $3 AND v.is_published AND v.deleted_at IS NULL
    ON CONFLICT ON CONSTRAINT user_video_interactions_key DO UPDATE SET last_watched_at = excluded.last_watched_at
    RETURNING id, video_id, watched, is_completed
)
SELECT mine.id, mine.watched::text AS watched, mine.is_completed, v.duration, NOT {watched_before} AS fresh
FROM mine JOIN videos.videos v ON v.id = mine.video_id;

-- progress_save: write
-- $4: with this it is completed for the first time.
WITH saved AS (
    UPDATE videos.user_video_interactions
    SET watched = $2::text::int4multirange, watch_time = $3, is_completed = is_completed OR $4::boolean,
        completed_at = CASE WHEN $4 THEN aipoten.app_now() ELSE completed_at END
    WHERE id = $1
    RETURNING video_id
)
UPDATE videos.videos v SET completion_count = v.completion_count + 1 FROM saved WHERE v.id = saved.video_id AND $4;

-- bookmarks_page: read batched -> bookmarked_video
-- Newest first, before ($2, $3).
SELECT {item_columns}, i.bookmarked_at
FROM videos.user_video_interactions i JOIN videos.videos v ON v.id = i.video_id
WHERE i.user_id = $1 AND i.is_bookmarked AND (i.bookmarked_at, i.video_id) < ($2::timestamptz, $3::uuid)
  AND v.is_published AND v.deleted_at IS NULL
ORDER BY i.bookmarked_at DESC, i.video_id DESC
LIMIT $4 OFFSET $5;

-- bookmarks_count: read batched -> total_row
SELECT count(*) AS total
FROM (SELECT FROM videos.user_video_interactions i JOIN videos.videos v ON v.id = i.video_id
      WHERE i.user_id = $1 AND i.is_bookmarked AND v.is_published AND v.deleted_at IS NULL LIMIT 10001) AS few;

-- watched_page: read batched -> watched_video
-- Last watched first, before ($4, $5); $2 a child, $3 completed: null for any.
SELECT i.id, i.video_id, i.child_id, v.title, v.thumbnail_url, v.duration, i.watch_time, i.is_bookmarked, i.is_completed,
       i.last_watched_at, i.completed_at
FROM videos.user_video_interactions i JOIN videos.videos v ON v.id = i.video_id
WHERE i.user_id = $1 AND i.last_watched_at IS NOT NULL AND (i.last_watched_at, i.id) < ($4::timestamptz, $5::uuid)
  AND ($2::uuid IS NULL OR i.child_id = $2) AND ($3::boolean IS NULL OR i.is_completed = $3)
  AND v.is_published AND v.deleted_at IS NULL
ORDER BY i.last_watched_at DESC, i.id DESC
LIMIT $6 OFFSET $7;

-- watched_count: read batched -> total_row
SELECT count(*) AS total
FROM (SELECT FROM videos.user_video_interactions i JOIN videos.videos v ON v.id = i.video_id
      WHERE i.user_id = $1 AND i.last_watched_at IS NOT NULL
        AND ($2::uuid IS NULL OR i.child_id = $2) AND ($3::boolean IS NULL OR i.is_completed = $3)
        AND v.is_published AND v.deleted_at IS NULL LIMIT 10001) AS few;

-- --- recommendations: writing (recommend.c) -----------------------------------------------------------------------------------------
-- Locks: what somebody does with a video first (interaction, video), then the child's recommendations.

-- recommended_lock: write -> locked_row
-- Until the end of the transaction nobody else writes what is recommended or prescribed for the child, nor forgets it.
SELECT count(pg_advisory_xact_lock(hashtextextended('videos.recommended ' || $1::uuid::text, 0))) AS locks;

-- child_known: write -> key_row
SELECT child_id AS id FROM children.guardians WHERE child_id = $1 LIMIT 1;

-- child_history: part
-- What was done with videos together with child $1, and what was prescribed to it.
SELECT k.video_id, max(k.completed_at) AS completed_at, bool_or(k.viewed) AS viewed, bool_or(k.prescribed) AS prescribed
    FROM (SELECT i.video_id, i.completed_at, i.last_watched_at IS NOT NULL, false
          FROM videos.user_video_interactions i WHERE i.child_id = $1
          UNION ALL
          SELECT p.video_id, NULL, false, true FROM videos.prescriptions p WHERE p.child_id = $1
         ) AS k (video_id, completed_at, viewed, prescribed)
    GROUP BY k.video_id;

-- history_columns: part
c.version, h.video_id, h.completed_at, coalesce(h.viewed, false) AS viewed, coalesce(h.prescribed, false) AS prescribed;

-- run_put: write -> history_row
-- The attempt that is ranked by from now on, and, for the ranking, the catalogue's version and the child's history. No row: a newer
-- attempt was here before, or the child was deleted.
WITH put AS (
    INSERT INTO videos.recommendation_runs AS r (child_id, assessment_id, completed_at, age, areas)
    SELECT $1::uuid, $2::uuid, $3::timestamptz, $4::smallint, $5::text::jsonb -> 'areas'
    WHERE EXISTS (SELECT FROM children.guardians g WHERE g.child_id = $1)
    ON CONFLICT (child_id) DO UPDATE
        SET assessment_id = excluded.assessment_id, completed_at = excluded.completed_at, age = excluded.age, areas = excluded.areas
        WHERE (r.completed_at, r.assessment_id) < (excluded.completed_at, excluded.assessment_id)
    RETURNING r.child_id
)
SELECT {history_columns}
FROM put CROSS JOIN videos.catalogue c LEFT JOIN ({child_history}) AS h ON true;

-- run_put_latest: write -> key_row
-- The same of the latest attempt, behind recommended_lock, before its event came. No row: it was ranked meanwhile.
INSERT INTO videos.recommendation_runs AS r (child_id, assessment_id, completed_at, age, areas)
SELECT c.child_id, c.assessment_id, c.completed_at, c.age_in_months, c.areas
FROM assessments.completions c
WHERE c.child_id = $1 AND EXISTS (SELECT FROM children.guardians g WHERE g.child_id = c.child_id)
ORDER BY c.completed_at DESC, c.assessment_id DESC
LIMIT 1
ON CONFLICT (child_id) DO UPDATE
    SET assessment_id = excluded.assessment_id, completed_at = excluded.completed_at, age = excluded.age, areas = excluded.areas
    WHERE (r.completed_at, r.assessment_id) < (excluded.completed_at, excluded.assessment_id)
RETURNING r.assessment_id AS id;

-- run_get: write -> run_row
-- A row for each area of the attempt; none: nothing was recommended yet.
SELECT r.assessment_id, r.age, a.area, a.score, a.level
FROM videos.recommendation_runs r CROSS JOIN LATERAL jsonb_to_recordset(r.areas) AS a (area text, score integer, level text)
WHERE r.child_id = $1;

-- history: write -> history_row
SELECT {history_columns}
FROM videos.catalogue c LEFT JOIN ({child_history}) AS h ON true;

-- catalogue_read: write -> catalogue_row
-- All that may be recommended to anybody, and the version of that; `uncommitted`: this transaction itself has changed it. A row without a
-- video: there is none.
SELECT c.version, coalesce(current_setting('aipoten.catalogue_changed', true), '') = 'true' AS uncommitted, v.*
FROM videos.catalogue c LEFT JOIN (
    SELECT id, area_set AS areas, target_age_min, target_age_max, priority, difficulty, view_count, completion_count, published_at
    FROM videos.videos
    WHERE is_published AND deleted_at IS NULL AND is_alive AND area_set <> 0
    ORDER BY priority DESC, published_at DESC, id
    LIMIT $1
) AS v ON true;

-- recommendations_write: write
-- These ($3: a JSON object with the list) and no others are the recommendations of child $1, by attempt $2.
WITH wanted AS (
    SELECT w.*, ordinality AS position
    FROM ROWS FROM (jsonb_to_recordset($3::text::jsonb -> 'places') AS (
             id uuid, video_id uuid, development_area text, area_level text, recommendation_reason text, reason_code text,
             reason_parameters jsonb, priority_score smallint, is_viewed boolean)) WITH ORDINALITY AS w
), gone AS (
    DELETE FROM videos.recommended_videos r
    WHERE r.child_id = $1 AND NOT EXISTS (SELECT FROM wanted w WHERE w.video_id = r.video_id)
)
INSERT INTO videos.recommended_videos AS r (id, assessment_id, child_id, video_id, development_area, area_level,
    recommendation_reason, reason_code, reason_parameters, priority_score, position, is_viewed)
SELECT w.id, $2::uuid, $1::uuid, w.video_id, w.development_area, w.area_level, w.recommendation_reason, w.reason_code,
       w.reason_parameters, w.priority_score, w.position, w.is_viewed
FROM wanted w
ON CONFLICT ON CONSTRAINT recommended_videos_key DO UPDATE
    SET assessment_id = excluded.assessment_id, development_area = excluded.development_area, area_level = excluded.area_level,
        recommendation_reason = excluded.recommendation_reason, reason_code = excluded.reason_code,
        reason_parameters = excluded.reason_parameters, priority_score = excluded.priority_score, position = excluded.position,
        is_viewed = excluded.is_viewed,
        created_at = CASE WHEN r.assessment_id = excluded.assessment_id THEN r.created_at ELSE excluded.created_at END;

-- prescriptions_write: write
-- Those of the videos ($4: a JSON object with the list) that there are; of a child that was deleted none.
INSERT INTO videos.prescriptions (id, prescription_id, child_id, video_id, therapist_user_id)
SELECT w.id, $1::uuid, $2::uuid, v.id, $3::uuid
FROM jsonb_to_recordset($4::text::jsonb -> 'videos') AS w (id uuid, video_id uuid) JOIN videos.videos v ON v.id = w.video_id
WHERE EXISTS (SELECT FROM children.guardians g WHERE g.child_id = $2)
ON CONFLICT ON CONSTRAINT prescriptions_key DO NOTHING;

-- --- recommendations: reading (recommended.c) ---------------------------------------------------------------------------------------

-- child_readable: read batched -> readable_row
-- By its guardians, by an admin ($3), and by a therapist who works with it while its owner consents (product.md, section 2).
SELECT NOT EXISTS (SELECT FROM assessments.completions c
                   WHERE c.child_id = g.child_id
                     AND NOT EXISTS (SELECT FROM videos.recommendation_runs r
                                     WHERE r.child_id = c.child_id
                                       AND (r.completed_at, r.assessment_id) >= (c.completed_at, c.assessment_id))) AS ranked
FROM children.guardians g
WHERE g.child_id = $1 AND g.relation = 'owner'
  AND ($3::boolean
       OR EXISTS (SELECT FROM children.guardians m WHERE m.child_id = $1 AND m.user_id = $2)
       OR EXISTS (SELECT FROM aipoten.therapist_relations t
                  WHERE t.therapist_user_id = $2 AND t.child_id = $1 AND t.ends_at > aipoten.app_now())
          AND EXISTS (SELECT FROM accounts.current_consents c
                      WHERE c.user_id = g.user_id AND c.kind = 'sharing' AND c.granted));

-- recommended: read batched -> recommended_row
SELECT r.id, r.assessment_id, r.child_id, r.video_id, r.position, r.development_area, r.area_level, r.recommendation_reason,
       r.priority_score, r.is_viewed, r.created_at, v.title, v.description, v.video_url, v.video_platform, v.thumbnail_url,
       v.duration, v.target_age_min, v.target_age_max, v.difficulty, v.categories, v.areas, v.tags, r.reason_code,
       (r.reason_parameters ->> 'age')::integer AS reason_age, (r.reason_parameters ->> 'age_min')::integer AS reason_age_min,
       (r.reason_parameters ->> 'age_max')::integer AS reason_age_max, r.reason_parameters ->> 'difficulty' AS reason_difficulty
FROM videos.recommended_videos r JOIN videos.videos v ON v.id = r.video_id
WHERE r.child_id = $1 AND ($2::text IS NULL OR r.development_area = $2) AND v.is_published AND v.deleted_at IS NULL AND v.is_alive
ORDER BY r.position;

-- --- administration: videos -----------------------------------------------------------------------------------------------------

-- admin_videos_page: read -> admin_video
-- Newest first, before ($2, $3); $1: published ones or the others; null for any.
SELECT {item_columns},
       v.embed_code, v.play_method, v.expected_effects, v.materials_needed, v.precautions, v.created_at, v.updated_at,
       v.is_published, v.url_last_checked_at, v.url_failed_days, v.is_alive
FROM videos.videos v
WHERE v.deleted_at IS NULL AND ($1::boolean IS NULL OR v.is_published = $1) AND (v.created_at, v.id) < ($2::timestamptz, $3::uuid)
ORDER BY v.created_at DESC, v.id DESC
LIMIT $4 OFFSET $5;

-- admin_videos_count: read -> total_row
SELECT count(*) AS total
FROM (SELECT FROM videos.videos v WHERE v.deleted_at IS NULL AND ($1::boolean IS NULL OR v.is_published = $1) LIMIT 10001) AS few;

-- admin_videos_found: read -> admin_video
-- The same by words ($6).
SELECT {item_columns},
       v.embed_code, v.play_method, v.expected_effects, v.materials_needed, v.precautions, v.created_at, v.updated_at,
       v.is_published, v.url_last_checked_at, v.url_failed_days, v.is_alive
FROM videos.videos v
WHERE v.deleted_at IS NULL AND ($1::boolean IS NULL OR v.is_published = $1) AND (v.created_at, v.id) < ($2::timestamptz, $3::uuid)
  AND aipoten.search_keys(v.searched) @> (SELECT aipoten.search_terms($6))
  AND aipoten.search_has(v.searched, (SELECT aipoten.search_words($6)))
ORDER BY v.created_at DESC, v.id DESC
LIMIT $4 OFFSET $5;

-- admin_videos_found_count: read -> total_row
SELECT count(*) AS total
FROM (SELECT FROM videos.videos v
      WHERE v.deleted_at IS NULL AND ($1::boolean IS NULL OR v.is_published = $1)
        AND aipoten.search_keys(v.searched) @> (SELECT aipoten.search_terms($2))
        AND aipoten.search_has(v.searched, (SELECT aipoten.search_words($2)))
      LIMIT 10001) AS few;

-- admin_video_get: read -> admin_video
SELECT {item_columns},
       v.embed_code, v.play_method, v.expected_effects, v.materials_needed, v.precautions, v.created_at, v.updated_at,
       v.is_published, v.url_last_checked_at, v.url_failed_days, v.is_alive
FROM videos.videos v
WHERE v.id = $1 AND v.deleted_at IS NULL;

-- video_insert: write
INSERT INTO videos.videos (id, title, description, video_url, video_platform, embed_code, thumbnail_url, duration, target_age_min,
                           target_age_max, difficulty, play_method, expected_effects, materials_needed, precautions,
                           is_published, priority, published_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, CASE WHEN $16 THEN aipoten.app_now() END);

-- video_lock: write -> video_record
SELECT id, title, description, video_url, video_platform, embed_code, thumbnail_url, duration, target_age_min, target_age_max,
       difficulty, play_method, expected_effects, materials_needed, precautions, is_published, priority
FROM videos.videos
WHERE id = $1 AND deleted_at IS NULL
FOR NO KEY UPDATE;

-- video_update: write
UPDATE videos.videos
SET title = $2, description = $3, video_url = $4, video_platform = $5, embed_code = $6, thumbnail_url = $7, duration = $8,
    target_age_min = $9, target_age_max = $10, difficulty = $11, play_method = $12, expected_effects = $13,
    materials_needed = $14, precautions = $15, is_published = $16, priority = $17,
    published_at = CASE WHEN $16 THEN coalesce(published_at, aipoten.app_now()) ELSE published_at END,
    url_last_checked_at = CASE WHEN video_url = $4 THEN url_last_checked_at END,
    url_failed_days = CASE WHEN video_url = $4 THEN url_failed_days ELSE 0 END,
    url_failed_on = CASE WHEN video_url = $4 THEN url_failed_on END,
    updated_at = aipoten.app_now()
WHERE id = $1;

-- areas_clear: write
DELETE FROM videos.video_development_areas WHERE video_id = $1;

-- areas_write: write
-- $2: a JSON object with the list, in its order.
INSERT INTO videos.video_development_areas (video_id, area)
SELECT $1::uuid, area
FROM jsonb_array_elements_text($2::text::jsonb -> 'areas') WITH ORDINALITY AS given (area, place)
ORDER BY place
ON CONFLICT DO NOTHING;

-- tags_clear: write
DELETE FROM videos.video_tags WHERE video_id = $1;

-- tags_write: write
INSERT INTO videos.video_tags (video_id, tag_name)
SELECT $1::uuid, tag
FROM jsonb_array_elements_text($2::text::jsonb -> 'tags') WITH ORDINALITY AS given (tag, place)
ORDER BY place
ON CONFLICT DO NOTHING;

-- categories_unmap: write
DELETE FROM videos.video_category_mapping WHERE video_id = $1;

-- categories_map: write
-- Those of the given ones that there are.
INSERT INTO videos.video_category_mapping (video_id, category_id)
SELECT $1::uuid, c.id
FROM jsonb_array_elements_text($2::text::jsonb -> 'category_ids') AS given (category_id)
    JOIN videos.video_categories c ON c.id = given.category_id::uuid
ON CONFLICT DO NOTHING;

-- videos_before_categories: write -> locked_row
-- Who writes a video locks it, and then its categories; who writes a category locks it, and then its videos. So that neither waits
-- for the other with a lock in its hand, each begins with this one: many who write videos,
SELECT count(pg_advisory_xact_lock_shared(hashtextextended('videos.video_categories', 0))) AS locks;

-- categories_before_videos: write -> locked_row
-- or one who writes categories.
SELECT count(pg_advisory_xact_lock(hashtextextended('videos.video_categories', 0))) AS locks;

-- categories_hold: write -> key_row
-- Those of the video, so that none changes its name before the video that shows it is written.
SELECT c.id
FROM videos.video_category_mapping m JOIN videos.video_categories c ON c.id = m.category_id
WHERE m.video_id = $1
ORDER BY c.id
FOR SHARE OF c;

-- video_show: write -> admin_video
-- What lists show and what it is found by, from the tables that say so.
UPDATE videos.videos v
SET areas = coalesce((SELECT json_agg(a.area ORDER BY a.id) FROM videos.video_development_areas a WHERE a.video_id = v.id), '[]'),
    tags = coalesce((SELECT json_agg(t.tag_name ORDER BY t.id) FROM videos.video_tags t WHERE t.video_id = v.id), '[]'),
    categories = coalesce((SELECT jsonb_agg(jsonb_build_object('id', c.id, 'name', c.name, 'slug', c.slug)
                                            ORDER BY c.created_at, c.id)::json
                           FROM videos.video_category_mapping m JOIN videos.video_categories c ON c.id = m.category_id
                           WHERE m.video_id = v.id), '[]'),
    searched = v.title || coalesce((SELECT ' ' || string_agg(t.tag_name, ' ' ORDER BY t.id)
                                    FROM videos.video_tags t WHERE t.video_id = v.id), '')
WHERE v.id = $1
RETURNING
       {item_columns},
       v.embed_code, v.play_method, v.expected_effects, v.materials_needed, v.precautions, v.created_at, v.updated_at,
       v.is_published, v.url_last_checked_at, v.url_failed_days, v.is_alive;

-- video_delete: write -> key_row
-- The row stays for those who watched it; it is in no category any more, so that these can be deleted.
WITH gone AS (
    UPDATE videos.videos SET deleted_at = aipoten.app_now(), updated_at = aipoten.app_now(), is_published = false
    WHERE id = $1 AND deleted_at IS NULL
    RETURNING id
), unmapped AS (
    DELETE FROM videos.video_category_mapping WHERE video_id IN (SELECT id FROM gone)
)
SELECT id FROM gone;

-- --- administration: categories -------------------------------------------------------------------------------------------------

-- admin_categories: read -> admin_category
SELECT c.id, c.name, c.slug, count(m) AS videos, c.created_at
FROM videos.video_categories c LEFT JOIN videos.video_category_mapping m ON m.category_id = c.id
GROUP BY c.id
ORDER BY c.created_at, c.id
LIMIT 1000;

-- category_insert: write -> admin_category
INSERT INTO videos.video_categories (id, name, slug) VALUES ($1, $2, $3)
RETURNING id, name, slug, 0::bigint AS videos, created_at;

-- category_update: write -> admin_category
UPDATE videos.video_categories c SET name = coalesce($2, name), slug = coalesce($3, slug)
WHERE id = $1
RETURNING id, name, slug, (SELECT count(*) FROM videos.video_category_mapping m WHERE m.category_id = c.id) AS videos, created_at;

-- category_show: write
-- The videos of a category, as lists show it. Who writes several videos locks them in the order of their ids.
WITH held AS (
    SELECT v.id
    FROM videos.videos v
    WHERE v.id IN (SELECT m.video_id FROM videos.video_category_mapping m WHERE m.category_id = $1)
    ORDER BY v.id
    FOR NO KEY UPDATE
)
UPDATE videos.videos v
SET categories = (SELECT jsonb_agg(jsonb_build_object('id', c.id, 'name', c.name, 'slug', c.slug) ORDER BY c.created_at, c.id)::json
                  FROM videos.video_category_mapping m JOIN videos.video_categories c ON c.id = m.category_id
                  WHERE m.video_id = v.id)
FROM held
WHERE v.id = held.id;

-- category_delete: write -> key_row
DELETE FROM videos.video_categories WHERE id = $1 RETURNING id;

-- --- what is held of a person (shared/actor/personal_data.h) --------------------------------------------------------------------

-- person_interactions: slow -> personal_interaction
SELECT i.id, i.video_id, v.title, i.child_id, i.is_bookmarked, i.is_completed, i.watch_time, i.watched::text AS watched,
       i.last_watched_at, i.bookmarked_at, i.completed_at, i.created_at
FROM videos.user_video_interactions i JOIN videos.videos v ON v.id = i.video_id
WHERE i.user_id = $1 AND i.id > $2
ORDER BY i.id
LIMIT $3;

-- person_views: slow -> personal_view
SELECT video_id, counted_at FROM videos.video_views WHERE viewer = $1 AND video_id > $2 ORDER BY video_id LIMIT $3;

-- person_recommendations: slow -> personal_recommendation
-- Of the children that the person guards.
SELECT r.id, r.child_id, r.assessment_id, r.video_id, v.title, r.development_area, r.area_level, r.recommendation_reason,
       r.priority_score, r.position, r.is_viewed, r.created_at
FROM children.guardians g JOIN videos.recommended_videos r ON r.child_id = g.child_id JOIN videos.videos v ON v.id = r.video_id
WHERE g.user_id = $1 AND r.id > $2
ORDER BY r.id
LIMIT $3;

-- person_prescriptions: slow -> personal_prescription
-- For those children, or by the person.
SELECT p.id, p.prescription_id, p.child_id, p.video_id, v.title, p.created_at
FROM videos.prescriptions p JOIN videos.videos v ON v.id = p.video_id
WHERE (p.therapist_user_id = $1 OR p.child_id IN (SELECT g.child_id FROM children.guardians g WHERE g.user_id = $1)) AND p.id > $2
ORDER BY p.id
LIMIT $3;

-- person_interactions_erase: write
-- What was watched goes without a trace; what was bookmarked is bookmarked by one less.
WITH gone AS (
    DELETE FROM videos.user_video_interactions
    WHERE id IN (SELECT i.id FROM videos.user_video_interactions i WHERE i.user_id = $1 ORDER BY i.id FOR UPDATE)
    RETURNING video_id, is_bookmarked
), held AS (
    SELECT v.id
    FROM videos.videos v
    WHERE v.id IN (SELECT gone.video_id FROM gone WHERE gone.is_bookmarked)
    ORDER BY v.id
    FOR NO KEY UPDATE
)
UPDATE videos.videos v SET bookmark_count = v.bookmark_count - 1
FROM held WHERE v.id = held.id;

-- child_interactions_erase: write
-- In the order of person_interactions_erase: an account and its child may go at once.
DELETE FROM videos.user_video_interactions
WHERE id IN (SELECT i.id FROM videos.user_video_interactions i WHERE i.child_id = $1 ORDER BY i.id FOR UPDATE);

-- person_views_erase: write
DELETE FROM videos.video_views WHERE viewer = $1;

-- person_prescriptions_erase: write
UPDATE videos.prescriptions SET therapist_user_id = NULL WHERE therapist_user_id = $1;

-- child_run_erase: write
DELETE FROM videos.recommendation_runs WHERE child_id = $1;

-- child_recommendations_erase: write
DELETE FROM videos.recommended_videos WHERE child_id = $1;

-- child_prescriptions_erase: write
DELETE FROM videos.prescriptions WHERE child_id = $1;

-- --- links ------------------------------------------------------------------------------------------------------------------------

-- link_take: write -> link_row
-- The one that waits longest, if it is due; looked at from now on.
UPDATE videos.videos v
SET url_last_checked_at = aipoten.app_now()
FROM (SELECT id FROM videos.videos
      WHERE is_published AND deleted_at IS NULL
        AND (url_last_checked_at IS NULL OR url_last_checked_at <= aipoten.app_now() - interval '1 day')
      ORDER BY url_last_checked_at NULLS FIRST, id
      LIMIT 1
      FOR NO KEY UPDATE SKIP LOCKED) AS due
WHERE v.id = due.id
RETURNING v.id, v.video_url, v.video_platform;

-- link_settle: write -> link_settled
-- What was found ($3: it failed) at the link $2 of video $1; a second failure on the same day of Seoul is none. The lock keeps out
-- nobody whose rows only refer to the video: who recommends it may hold the catalogue's version, for which this may wait.
WITH was AS (
    SELECT id, is_alive, (aipoten.app_now() AT TIME ZONE 'Asia/Seoul')::date AS today
    FROM videos.videos
    WHERE id = $1 AND video_url = $2 AND deleted_at IS NULL
    FOR NO KEY UPDATE
)
UPDATE videos.videos v
SET url_failed_days = CASE WHEN NOT $3::boolean THEN 0
                           WHEN v.url_failed_on = was.today THEN v.url_failed_days
                           ELSE least(v.url_failed_days + 1, 1000) END,
    url_failed_on = CASE WHEN $3 THEN was.today END
FROM was
WHERE v.id = was.id
RETURNING v.title, was.is_alive AS was_alive, v.is_alive;
