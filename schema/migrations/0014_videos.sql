-- videos: play videos, how they are sorted and found, and who watched which. Written by the videos actor alone.

SELECT aipoten.make_actor('videos');

-- --- finding Korean words ------------------------------------------------------------------------------------------------------

-- How texts are compared when something is looked for: composed (NFC), in lower case, without white space, and leading consonants
-- that stand alone as the letters that keyboards write (U+3131 …, not the conjoining U+1100 …).
CREATE FUNCTION aipoten.search_form(value text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
        SELECT translate(regexp_replace(lower(normalize(value, NFC)), '\s+', '', 'g'),
                         U&'\1100\1101\1102\1103\1104\1105\1106\1107\1108\1109\110A\110B\110C\110D\110E\110F\1110\1111\1112',
                         'ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ')
    $$;
REVOKE ALL ON FUNCTION aipoten.search_form(text) FROM PUBLIC;

-- Each Hangul syllable becomes its initial consonant, everything else stays: 블록 A becomes ㅂㄹ A. A syllable's number counts
-- initial, vowel and final: 21 · 28 to an initial (The Unicode Standard, 3.12).
CREATE FUNCTION aipoten.initials(value text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    DECLARE
        consonants CONSTANT text[] := string_to_array('ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ', NULL);
        letters text[] := string_to_array(value, NULL);
        code integer;
    BEGIN
        FOR i IN 1 .. cardinality(letters) LOOP
            code := ascii(letters[i]) - 44032;
            IF code BETWEEN 0 AND 11171 THEN
                letters[i] := consonants[1 + code / 588];
            END IF;
        END LOOP;
        RETURN array_to_string(letters, '');
    END
    $$;
REVOKE ALL ON FUNCTION aipoten.initials(text) FROM PUBLIC;

-- What a text is found by: every character and every pair of neighbours, each syllable as itself and as its initial consonant, so
-- that 블록, 블ㄹ and ㅂㄹ all find 블록. For a GIN index:
--     WHERE aipoten.search_keys(words) @> aipoten.search_terms($1) AND (length($1) <= 2 OR aipoten.search_matches(words, $1))
CREATE FUNCTION aipoten.search_keys(value text) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 1000
    AS $$
    DECLARE
        form text := aipoten.search_form(value);
        letters text[] := string_to_array(form, NULL);
        initials text[] := string_to_array(aipoten.initials(form), NULL);
        found text[] := '{}';
        last integer := cardinality(letters);
    BEGIN
        FOR i IN 1 .. last LOOP
            found := found || letters[i] || initials[i];
            IF i < last THEN
                found := found || ARRAY[letters[i] || letters[i + 1], letters[i] || initials[i + 1],
                                        initials[i] || letters[i + 1], initials[i] || initials[i + 1]];
            END IF;
        END LOOP;
        RETURN found;
    END
    $$;
REVOKE ALL ON FUNCTION aipoten.search_keys(text) FROM PUBLIC;

-- The keys that a text must have to be found by these words: the pairs of each word, or the character that it is.
CREATE FUNCTION aipoten.search_terms(words text) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    DECLARE
        word text;
        found text[] := '{}';
    BEGIN
        FOREACH word IN ARRAY regexp_split_to_array(words, '\s+') LOOP
            word := aipoten.search_form(word);
            IF length(word) = 1 THEN
                found := found || word;
            END IF;
            FOR i IN 1 .. length(word) - 1 LOOP
                found := found || substr(word, i, 2);
            END LOOP;
        END LOOP;
        RETURN found;
    END
    $$;
REVOKE ALL ON FUNCTION aipoten.search_terms(text) FROM PUBLIC;

-- Does the text have each word as it stands? Its keys may have all pairs of a longer word and yet not the word.
CREATE FUNCTION aipoten.search_matches(value text, words text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 1000
    AS $$
    DECLARE
        form text := aipoten.search_form(value);
        initials text := aipoten.initials(form);
        word text;
        here boolean;
    BEGIN
        FOREACH word IN ARRAY regexp_split_to_array(words, '\s+') LOOP
            word := aipoten.search_form(word);
            IF strpos(form, word) > 0 OR strpos(initials, word) > 0 THEN
                CONTINUE;
            END IF;
            -- Syllables and initials mixed: each letter is what stands there, or its initial.
            here := false;
            FOR place IN 1 .. length(form) - length(word) + 1 LOOP
                here := true;
                FOR i IN 1 .. length(word) LOOP
                    here := substr(word, i, 1) IN (substr(form, place + i - 1, 1), substr(initials, place + i - 1, 1));
                    EXIT WHEN NOT here;
                END LOOP;
                EXIT WHEN here;
            END LOOP;
            IF NOT here THEN
                RETURN false;
            END IF;
        END LOOP;
        RETURN true;
    END
    $$;
REVOKE ALL ON FUNCTION aipoten.search_matches(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aipoten.search_form(text), aipoten.initials(text), aipoten.search_keys(text),
    aipoten.search_terms(text), aipoten.search_matches(text, text) TO aipoten_videos;

-- --- videos ---------------------------------------------------------------------------------------------------------------------

-- One that was deleted stays as a row, because those who watched it refer to it.
--
-- `areas`, `tags` and `categories` are what the three tables below say, as lists show it, and `searched` is what it is found by:
-- written from them whenever they change (actors/videos/admin.c), so that a list of twenty reads twenty rows.
CREATE TABLE videos.videos (
    id                  uuid        PRIMARY KEY,
    title               text        NOT NULL,
    description         text        NOT NULL,
    video_url           text        NOT NULL,
    video_platform      text        NOT NULL,
    embed_code          text,
    thumbnail_url       text,
    duration            integer     NOT NULL,            -- seconds
    target_age_min      smallint    NOT NULL,            -- months
    target_age_max      smallint    NOT NULL,
    difficulty          text        NOT NULL,
    play_method         text,
    expected_effects    text,
    materials_needed    text,
    precautions         text,
    is_published        boolean     NOT NULL DEFAULT false,
    priority            smallint    NOT NULL DEFAULT 5,
    view_count          integer     NOT NULL DEFAULT 0,
    bookmark_count      integer     NOT NULL DEFAULT 0,
    completion_count    integer     NOT NULL DEFAULT 0,
    areas               json        NOT NULL DEFAULT '[]',
    tags                json        NOT NULL DEFAULT '[]',
    categories          json        NOT NULL DEFAULT '[]',
    searched            text        NOT NULL DEFAULT '',
    created_at          timestamptz NOT NULL DEFAULT aipoten.app_now(),
    updated_at          timestamptz NOT NULL DEFAULT aipoten.app_now(),
    published_at        timestamptz,                     -- the first time
    deleted_at          timestamptz,
    url_last_checked_at timestamptz,
    CONSTRAINT videos_platform_check   CHECK (video_platform IN ('youtube', 'naver_tv', 'kakao_tv', 'vimeo', 'other')),
    CONSTRAINT videos_duration_check   CHECK (duration BETWEEN 1 AND 86400),
    CONSTRAINT videos_ages_check       CHECK (target_age_min >= 0 AND target_age_min <= target_age_max),
    CONSTRAINT videos_difficulty_check CHECK (difficulty IN ('easy', 'medium', 'hard')),
    CONSTRAINT videos_priority_check   CHECK (priority BETWEEN 1 AND 10),
    CONSTRAINT videos_counts_check     CHECK (view_count >= 0 AND bookmark_count >= 0 AND completion_count >= 0),
    CONSTRAINT videos_published_check  CHECK (published_at IS NOT NULL OR NOT is_published)
) WITH (fillfactor = 80); -- a view changes no indexed column: there is room to stay on the page
-- The public lists: by priority, newest first, for an age; and what is found by words. Admins see all, newest first.
CREATE INDEX idx_videos_listed ON videos.videos (priority DESC, published_at DESC, id DESC)
    INCLUDE (target_age_min, target_age_max, difficulty) WHERE is_published AND deleted_at IS NULL;
CREATE INDEX idx_videos_published_at ON videos.videos (published_at DESC, id DESC) WHERE is_published AND deleted_at IS NULL;
CREATE INDEX idx_videos_age_published ON videos.videos (target_age_min, target_age_max, is_published);
CREATE INDEX idx_videos_created_at ON videos.videos (created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX idx_videos_searched ON videos.videos USING gin (aipoten.search_keys(searched)) WHERE deleted_at IS NULL;
GRANT SELECT, INSERT, UPDATE ON videos.videos TO aipoten_videos;

CREATE TABLE videos.video_categories (
    id         uuid        PRIMARY KEY,
    name       text        NOT NULL,
    slug       text        NOT NULL CONSTRAINT video_categories_slug_key UNIQUE,
    created_at timestamptz NOT NULL DEFAULT aipoten.app_now(),
    CONSTRAINT video_categories_slug_check CHECK (slug ~ '^[a-z0-9-]+$')
);
GRANT SELECT, INSERT, UPDATE, DELETE ON videos.video_categories TO aipoten_videos;

CREATE TABLE videos.video_category_mapping (
    video_id    uuid NOT NULL REFERENCES videos.videos,
    category_id uuid NOT NULL REFERENCES videos.video_categories,
    PRIMARY KEY (video_id, category_id)
);
CREATE INDEX idx_video_category_mapping_category_id ON videos.video_category_mapping (category_id);
GRANT SELECT, INSERT, DELETE ON videos.video_category_mapping TO aipoten_videos;

CREATE TABLE videos.video_development_areas (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- the order in which they were given
    video_id uuid   NOT NULL REFERENCES videos.videos,
    area     text   NOT NULL,
    CONSTRAINT video_development_areas_key UNIQUE (video_id, area),
    CONSTRAINT video_development_areas_area_check
        CHECK (area IN ('gross_motor', 'fine_motor', 'cognitive', 'language', 'social', 'emotional'))
);
CREATE INDEX idx_video_development_areas_area ON videos.video_development_areas (area, video_id);
GRANT SELECT, INSERT, DELETE ON videos.video_development_areas TO aipoten_videos;

CREATE TABLE videos.video_tags (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    video_id uuid   NOT NULL REFERENCES videos.videos,
    tag_name text   NOT NULL,
    CONSTRAINT video_tags_key UNIQUE (video_id, tag_name)
);
GRANT SELECT, INSERT, DELETE ON videos.video_tags TO aipoten_videos;

-- --- who watched what -----------------------------------------------------------------------------------------------------------

-- What a user did with a video, by itself or with one of the children: a row for each. A bookmark is the user's own.
CREATE TABLE videos.user_video_interactions (
    id              uuid           PRIMARY KEY,
    user_id         uuid           NOT NULL REFERENCES accounts.users,
    video_id        uuid           NOT NULL REFERENCES videos.videos,
    child_id        uuid           REFERENCES children.children,
    is_bookmarked   boolean        NOT NULL DEFAULT false,
    is_completed    boolean        NOT NULL DEFAULT false,
    watch_time      integer        NOT NULL DEFAULT 0,      -- seconds of the video that were seen at least once
    watched         int4multirange NOT NULL DEFAULT '{}',   -- which (actors/videos/watch.c)
    last_watched_at timestamptz,
    bookmarked_at   timestamptz,
    completed_at    timestamptz,                            -- the last time
    created_at      timestamptz    NOT NULL DEFAULT aipoten.app_now(),
    CONSTRAINT user_video_interactions_key UNIQUE NULLS NOT DISTINCT (user_id, video_id, child_id),
    CONSTRAINT user_video_interactions_bookmark_check
        CHECK (is_bookmarked = (bookmarked_at IS NOT NULL) AND (child_id IS NULL OR NOT is_bookmarked)),
    CONSTRAINT user_video_interactions_completed_check CHECK (is_completed = (completed_at IS NOT NULL)),
    CONSTRAINT user_video_interactions_watch_time_check CHECK (watch_time >= 0)
);
CREATE INDEX idx_user_video_interactions_bookmarks ON videos.user_video_interactions (user_id, bookmarked_at DESC, video_id DESC)
    WHERE is_bookmarked;
CREATE INDEX idx_user_video_interactions_watched ON videos.user_video_interactions (user_id, last_watched_at DESC, id DESC)
    WHERE last_watched_at IS NOT NULL;
CREATE INDEX idx_user_video_interactions_video_id ON videos.user_video_interactions (video_id);
CREATE INDEX idx_user_video_interactions_child_id ON videos.user_video_interactions (child_id) WHERE child_id IS NOT NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON videos.user_video_interactions TO aipoten_videos;

-- Whose view was counted when, for as long as it is not counted again. `viewer` is a user, or the keyed digest of a client's address.
CREATE TABLE videos.video_views (
    video_id   uuid        NOT NULL REFERENCES videos.videos,
    viewer     uuid        NOT NULL,
    counted_at timestamptz NOT NULL DEFAULT aipoten.app_now(),
    PRIMARY KEY (video_id, viewer)
);
CREATE INDEX idx_video_views_counted_at ON videos.video_views (counted_at);
CREATE INDEX idx_video_views_viewer ON videos.video_views (viewer);
GRANT SELECT, INSERT, UPDATE, DELETE ON videos.video_views TO aipoten_videos;

-- Whose child it is that watched.
GRANT USAGE ON SCHEMA children TO aipoten_videos;
GRANT SELECT ON children.guardians TO aipoten_videos;

-- How many videos the demo data has; null: none were loaded.
ALTER TABLE aipoten.demo_data ADD COLUMN videos integer;
