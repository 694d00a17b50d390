/* Messages of the videos actor: what its clients send, what its statements read, what it answers.
 *
 * What many files share is put together from the same pieces: VIDEO_ITEM is what lists show, VIDEO_DETAIL and ADMIN_VIDEO
 * begin with it. VIDEO_FACTS is what admins say of a video. */
#pragma once
#include "reasons.h"
#include "../../shared/actor/actor.h"

enum video_platform { PLATFORM_YOUTUBE, PLATFORM_NAVER_TV, PLATFORM_KAKAO_TV, PLATFORM_VIMEO, PLATFORM_OTHER, PLATFORMS };
static const char *const video_platforms[] = {"youtube", "naver_tv", "kakao_tv", "vimeo", "other", NULL};
static const char *const video_difficulties[] = {"easy", "medium", "hard", NULL};
enum video_sort { SORT_PRIORITY, SORT_NEWEST, SORT_POPULAR };
static const char *const video_sorts[] = {"priority", "newest", "popular", NULL};

/* --- what a video is shown as ------------------------------------------------------------------------------------- */

#define VIDEO_CATEGORY(FIELD)                                                                                      \
    FIELD(uuid, id, .required = true)                                                                              \
    FIELD(text, name, .required = true)                                                                            \
    FIELD(text, slug, .required = true)
MESSAGE(video_category, VIDEO_CATEGORY);

#define VIDEO_AREA(FIELD) FIELD(choice, area, .required = true, .names = development_areas)
MESSAGE_BARE(video_area, VIDEO_AREA);
#define VIDEO_TAG(FIELD) FIELD(text, tag, .required = true, .min = 1, .max = 30, .format = FORMAT_LINE)
MESSAGE_BARE(video_tag, VIDEO_TAG);

#define VIDEO_ITEM_OF(FIELD, draft)                                                                                \
    FIELD(uuid, id, .required = true)                                                                              \
    FIELD(text, title, .required = true)                                                                           \
    FIELD(text, description, .required = true)                                                                     \
    FIELD(text, video_url, .required = true)                                                                       \
    FIELD(choice, video_platform, .required = true, .names = video_platforms)                                      \
    FIELD(text, thumbnail_url, .nullable = true)                                                                   \
    FIELD(integer, duration, .required = true, .meaning = "Seconds")                                               \
    FIELD(integer, target_age_min, .required = true, .meaning = "Months")                                          \
    FIELD(integer, target_age_max, .required = true, .meaning = "Months")                                          \
    FIELD(choice, difficulty, .required = true, .names = video_difficulties)                                       \
    FIELD(integer, priority, .required = true, .meaning = "1 to 10, recommended first")                            \
    FIELD(integer, view_count, .required = true)                                                                   \
    FIELD(integer, bookmark_count, .required = true)                                                               \
    FIELD(integer, completion_count, .required = true)                                                             \
    FIELD(time, published_at, .required = !(draft), .nullable = (draft))                                           \
    FIELD(json, categories, .required = true, .message = &video_category_message)                                  \
    FIELD(json, areas, .required = true, .message = &video_area_message)                                           \
    FIELD(json, tags, .required = true, .message = &video_tag_message)
#define VIDEO_ITEM(FIELD) VIDEO_ITEM_OF(FIELD, false)
MESSAGE(video_item, VIDEO_ITEM);

#define VIDEO_TEXTS(FIELD)                                                                                         \
    FIELD(text, embed_code, .nullable = true, .meaning = "An iframe of the platform's player")                     \
    FIELD(text, play_method, .nullable = true)                                                                     \
    FIELD(text, expected_effects, .nullable = true)                                                                \
    FIELD(text, materials_needed, .nullable = true)                                                                \
    FIELD(text, precautions, .nullable = true)                                                                     \
    FIELD(time, created_at, .required = true)                                                                      \
    FIELD(time, updated_at, .required = true)
#define VIDEO_DETAIL(FIELD) VIDEO_ITEM(FIELD) VIDEO_TEXTS(FIELD)
MESSAGE(video_detail, VIDEO_DETAIL);

/* --- asking for them ---------------------------------------------------------------------------------------------- */

#define VIDEO_FILTERS(FIELD)                                                                                       \
    FIELD(integer, age, .min = 0, .max = 240, .meaning = "Months: target_age_min to target_age_max contain it")    \
    FIELD(choice, area, .names = development_areas)                                                                      \
    FIELD(choice, difficulty, .names = video_difficulties)                                                         \
    FIELD(text, q, .max = 100,                                                                                     \
        .meaning = "Words of title and tags, each of which must be found; Hangul also by initial consonants: 블ㄹ")     \
    FIELD(choice, sort, .names = video_sorts, .meaning = "priority when absent; ties: newest first")               \
    PAGE_PARAMS(FIELD)
#define VIDEOS_PARAMS(FIELD)                                                                                       \
    FIELD(text, category, .max = 50, .format = FORMAT_SLUG, .meaning = "A category's slug") VIDEO_FILTERS(FIELD)
MESSAGE(videos_params, VIDEOS_PARAMS);
#define CATEGORY_VIDEOS_PARAMS(FIELD)                                                                              \
    FIELD(text, slug, .required = true, .max = 50, .format = FORMAT_SLUG) VIDEO_FILTERS(FIELD)
MESSAGE(category_videos_params, CATEGORY_VIDEOS_PARAMS);

/* --- what somebody does with a video ------------------------------------------------------------------------------ */

#define WATCHER(FIELD) FIELD(uuid, child_id, .nullable = true, .meaning = "With which of one's children; null: none")
MESSAGE(watcher, WATCHER);

#define VIEW_ANSWER(FIELD)                                                                                         \
    FIELD(uuid, video_id, .required = true)                                                                        \
    FIELD(boolean, counted, .required = true, .meaning = "false: this viewer's last view is too recent")           \
    FIELD(integer, view_count, .required = true)
MESSAGE(view_answer, VIEW_ANSWER);

#define BOOKMARK_ANSWER(FIELD)                                                                                     \
    FIELD(uuid, video_id, .required = true)                                                                        \
    FIELD(boolean, is_bookmarked, .required = true)                                                                \
    FIELD(integer, bookmark_count, .required = true)
MESSAGE(bookmark_answer, BOOKMARK_ANSWER);

#define COMPLETION_ANSWER(FIELD)                                                                                   \
    FIELD(uuid, video_id, .required = true)                                                                        \
    FIELD(boolean, first, .required = true, .meaning = "Only the first completion is counted")                     \
    FIELD(integer, completion_count, .required = true)
MESSAGE(completion_answer, COMPLETION_ANSWER);

#define INTERVAL(FIELD)                                                                                            \
    FIELD(integer, start, .required = true, .min = 0, .max = 86400, .meaning = "Seconds from the video's beginning") \
    FIELD(integer, end, .required = true, .min = 0, .max = 86400, .meaning = "After start; beyond the video's end it is cut")
MESSAGE(interval, INTERVAL);

#define PROGRESS_PUT(FIELD)                                                                                        \
    FIELD(list, intervals, .required = true, .max = 100, .message = &interval_message,                             \
        .meaning = "Parts that were seen, in any order; added to those already known")                             \
    WATCHER(FIELD)
MESSAGE(progress_put, PROGRESS_PUT);

#define PROGRESS(FIELD)                                                                                            \
    FIELD(uuid, video_id, .required = true)                                                                        \
    FIELD(uuid, child_id, .nullable = true)                                                                        \
    FIELD(integer, duration, .required = true, .meaning = "Of the video, seconds")                                 \
    FIELD(integer, watch_time, .required = true, .meaning = "Seconds of it that were seen at least once")          \
    FIELD(boolean, is_completed, .required = true, .meaning = "Reached 90 %, or was said to be complete")          \
    FIELD(list, intervals, .required = true, .message = &interval_message, .meaning = "All parts seen, in order")
MESSAGE(progress, PROGRESS);

#define BOOKMARKED_VIDEO(FIELD) VIDEO_ITEM(FIELD) FIELD(time, bookmarked_at, .required = true)
MESSAGE(bookmarked_video, BOOKMARKED_VIDEO);

#define WATCHED_PARAMS(FIELD)                                                                                      \
    FIELD(uuid, child_id, .meaning = "Only what was watched with this child")                                      \
    FIELD(boolean, is_completed)                                                                                   \
    PAGE_PARAMS(FIELD)
MESSAGE(watched_params, WATCHED_PARAMS);
#define WATCHED_VIDEO(FIELD)                                                                                       \
    FIELD(uuid, id, .required = true)                                                                              \
    FIELD(uuid, video_id, .required = true)                                                                        \
    FIELD(uuid, child_id, .nullable = true)                                                                        \
    FIELD(text, title, .required = true)                                                                           \
    FIELD(text, thumbnail_url, .nullable = true)                                                                   \
    FIELD(integer, duration, .required = true, .meaning = "Seconds")                                               \
    FIELD(integer, watch_time, .required = true, .meaning = "Seconds of it that were seen at least once")          \
    FIELD(boolean, is_bookmarked, .required = true)                                                                \
    FIELD(boolean, is_completed, .required = true)                                                                 \
    FIELD(time, last_watched_at, .required = true)                                                                 \
    FIELD(time, completed_at, .nullable = true)
MESSAGE(watched_video, WATCHED_VIDEO);

/* --- what is recommended for a child ------------------------------------------------------------------------------ */

#define RECOMMENDED_PARAMS(FIELD)                                                                                  \
    FIELD(uuid, child_id, .required = true)                                                                        \
    FIELD(choice, area, .names = development_areas, .meaning = "Only those of this area")
MESSAGE(recommended_params, RECOMMENDED_PARAMS);

/* Without counters: what changes with everybody's views would keep it from the cache. */
#define RECOMMENDED_VIDEO(FIELD)                                                                                   \
    FIELD(uuid, id, .required = true)                                                                              \
    FIELD(uuid, assessment_id, .required = true, .meaning = "The latest completed one")                            \
    FIELD(uuid, child_id, .required = true)                                                                        \
    FIELD(uuid, video_id, .required = true)                                                                        \
    FIELD(integer, position, .required = true, .meaning = "From 1; what was withdrawn leaves a gap")               \
    FIELD(choice, development_area, .required = true, .names = development_areas)                                        \
    FIELD(choice, area_level, .required = true, .names = development_levels)                                             \
    FIELD(text, recommendation_reason, .required = true, .meaning = "In the reader's language")                    \
    FIELD(integer, priority_score, .required = true, .meaning = "0 to 100")                                        \
    FIELD(boolean, is_viewed, .required = true, .meaning = "With this child")                                      \
    FIELD(time, created_at, .required = true)                                                                      \
    FIELD(text, title, .required = true)                                                                           \
    FIELD(text, description, .required = true)                                                                     \
    FIELD(text, video_url, .required = true)                                                                       \
    FIELD(choice, video_platform, .required = true, .names = video_platforms)                                      \
    FIELD(text, thumbnail_url, .nullable = true)                                                                   \
    FIELD(integer, duration, .required = true, .meaning = "Seconds")                                               \
    FIELD(integer, target_age_min, .required = true, .meaning = "Months")                                          \
    FIELD(integer, target_age_max, .required = true, .meaning = "Months")                                          \
    FIELD(choice, difficulty, .required = true, .names = video_difficulties)                                       \
    FIELD(json, categories, .required = true, .message = &video_category_message)                                  \
    FIELD(json, areas, .required = true, .message = &video_area_message)                                           \
    FIELD(json, tags, .required = true, .message = &video_tag_message)
MESSAGE(recommended_video, RECOMMENDED_VIDEO);

/* --- administration ----------------------------------------------------------------------------------------------- */

#define ADMIN_VIDEO(FIELD)                                                                                         \
    VIDEO_ITEM_OF(FIELD, true) VIDEO_TEXTS(FIELD)                                                                  \
    FIELD(boolean, is_published, .required = true)                                                                 \
    FIELD(time, url_last_checked_at, .nullable = true, .meaning = "When the link checker looked")                  \
    FIELD(integer, url_failed_days, .required = true, .meaning = "Days on which the link failed, one after the other") \
    FIELD(boolean, is_alive, .required = true, .meaning = "False after three of them: it is not recommended")
MESSAGE(admin_video, ADMIN_VIDEO);

#define ADMIN_VIDEOS_PARAMS(FIELD)                                                                                 \
    FIELD(boolean, is_published, .meaning = "Both when absent")                                                    \
    FIELD(text, q, .max = 100, .meaning = "As in the public list")                                                 \
    PAGE_PARAMS(FIELD)
MESSAGE(admin_videos_params, ADMIN_VIDEOS_PARAMS);

#define VIDEO_FACTS(FIELD, needed)                                                                                 \
    FIELD(text, title, .required = needed, .min = 1, .max = 200, .format = FORMAT_LINE)                            \
    FIELD(text, description, .required = needed, .min = 1, .max = 2000)                                            \
    FIELD(text, video_url, .required = needed, .min = 1, .max = 2000, .format = FORMAT_TOKEN, .meaning = "https://") \
    FIELD(choice, video_platform, .required = needed, .names = video_platforms)                                    \
    FIELD(text, embed_code, .nullable = true, .max = 2000, .meaning = "One iframe with an https source")           \
    FIELD(text, thumbnail_url, .nullable = true, .max = 2000, .format = FORMAT_TOKEN, .meaning = "https://")       \
    FIELD(integer, duration, .required = needed, .min = 1, .max = 86400, .meaning = "Seconds")                     \
    FIELD(integer, target_age_min, .required = needed, .min = 0, .max = 240, .meaning = "Months")                  \
    FIELD(integer, target_age_max, .required = needed, .min = 0, .max = 240, .meaning = "Months, not below target_age_min") \
    FIELD(choice, difficulty, .required = needed, .names = video_difficulties)                                     \
    FIELD(text, play_method, .nullable = true, .max = 5000)                                                        \
    FIELD(text, expected_effects, .nullable = true, .max = 5000)                                                   \
    FIELD(text, materials_needed, .nullable = true, .max = 5000)                                                   \
    FIELD(text, precautions, .nullable = true, .max = 5000)                                                        \
    FIELD(boolean, is_published, .meaning = "false when absent at creation")                                       \
    FIELD(integer, priority, .min = 1, .max = 10, .meaning = "5 when absent at creation")

#define CATEGORY_ID(FIELD) FIELD(uuid, category_id, .required = true)
MESSAGE_BARE(category_id, CATEGORY_ID);
#define VIDEO_LISTS(FIELD, needed)                                                                                 \
    FIELD(list, areas, .required = needed, .min = 1, .max = 6, .message = &video_area_message)                     \
    FIELD(list, tags, .max = 20, .message = &video_tag_message)                                                    \
    FIELD(list, category_ids, .max = 10, .message = &category_id_message)

#define VIDEO_CREATE(FIELD) VIDEO_FACTS(FIELD, true) VIDEO_LISTS(FIELD, true)
#define VIDEO_PATCH(FIELD) VIDEO_FACTS(FIELD, false) VIDEO_LISTS(FIELD, false)
MESSAGE(video_create, VIDEO_CREATE);
MESSAGE(video_patch, VIDEO_PATCH);

/* A video between its row and a change of it. The row begins it; the lists are given when they are to be written. */
#define VIDEO_RECORD(FIELD) FIELD(uuid, id) VIDEO_FACTS(FIELD, false)
#define VIDEO_CHANGE(FIELD) VIDEO_RECORD(FIELD) VIDEO_LISTS(FIELD, false)
MESSAGE(video_record, VIDEO_RECORD);
MESSAGE(video_change, VIDEO_CHANGE);

#define CATEGORY_FACTS(FIELD, needed)                                                                              \
    FIELD(text, name, .required = needed, .min = 1, .max = 50, .format = FORMAT_LINE)                              \
    FIELD(text, slug, .required = needed, .min = 1, .max = 50, .format = FORMAT_SLUG)
#define CATEGORY_CREATE(FIELD) CATEGORY_FACTS(FIELD, true)
#define CATEGORY_PATCH(FIELD) CATEGORY_FACTS(FIELD, false)
MESSAGE(category_create, CATEGORY_CREATE);
MESSAGE(category_patch, CATEGORY_PATCH);
#define ADMIN_CATEGORY(FIELD)                                                                                      \
    VIDEO_CATEGORY(FIELD)                                                                                          \
    FIELD(integer, videos, .required = true, .meaning = "How many videos are in it, unpublished ones included")    \
    FIELD(time, created_at, .required = true)
MESSAGE(admin_category, ADMIN_CATEGORY);

/* --- what is held of a person -------------------------------------------------------------------------------------- */

#define PERSONAL_INTERACTION(FIELD)                                                                                \
    FIELD(uuid, id)                                                                                                \
    FIELD(uuid, video_id)                                                                                          \
    FIELD(text, title)                                                                                             \
    FIELD(uuid, child_id, .nullable = true)                                                                        \
    FIELD(boolean, is_bookmarked)                                                                                  \
    FIELD(boolean, is_completed)                                                                                   \
    FIELD(integer, watch_time)                                                                                     \
    FIELD(text, watched, .meaning = "Seconds of the video: {[from,to) …}")                                         \
    FIELD(time, last_watched_at, .nullable = true)                                                                 \
    FIELD(time, bookmarked_at, .nullable = true)                                                                   \
    FIELD(time, completed_at, .nullable = true)                                                                    \
    FIELD(time, created_at)
MESSAGE(personal_interaction, PERSONAL_INTERACTION);

#define PERSONAL_VIEW(FIELD)                                                                                       \
    FIELD(uuid, video_id)                                                                                          \
    FIELD(time, counted_at)
MESSAGE(personal_view, PERSONAL_VIEW);

#define PERSONAL_RECOMMENDATION(FIELD)                                                                             \
    FIELD(uuid, id)                                                                                                \
    FIELD(uuid, child_id)                                                                                          \
    FIELD(uuid, assessment_id)                                                                                     \
    FIELD(uuid, video_id)                                                                                          \
    FIELD(text, title)                                                                                             \
    FIELD(text, development_area)                                                                                  \
    FIELD(text, area_level)                                                                                        \
    FIELD(text, recommendation_reason)                                                                             \
    FIELD(integer, priority_score)                                                                                 \
    FIELD(integer, position)                                                                                       \
    FIELD(boolean, is_viewed)                                                                                      \
    FIELD(time, created_at)
MESSAGE(personal_recommendation, PERSONAL_RECOMMENDATION);

#define PERSONAL_PRESCRIPTION(FIELD)                                                                               \
    FIELD(uuid, id)                                                                                                \
    FIELD(uuid, prescription_id)                                                                                   \
    FIELD(uuid, child_id)                                                                                          \
    FIELD(uuid, video_id)                                                                                          \
    FIELD(text, title)                                                                                             \
    FIELD(time, created_at)
MESSAGE(personal_prescription, PERSONAL_PRESCRIPTION);

/* --- rows that only handlers see ---------------------------------------------------------------------------------- */

#define TOTAL_ROW(FIELD) FIELD(integer, total)
MESSAGE(total_row, TOTAL_ROW);

#define KEY_ROW(FIELD) FIELD(uuid, id)
MESSAGE(key_row, KEY_ROW);

#define WATCHED_ROW(FIELD)                                                                                         \
    FIELD(uuid, id)                                                                                                \
    FIELD(text, watched)                                                                                           \
    FIELD(boolean, is_completed)                                                                                   \
    FIELD(integer, duration)                                                                                       \
    FIELD(boolean, fresh, .meaning = "Never watched with this child by this user before")
MESSAGE(watched_row, WATCHED_ROW);

#define TOUCHED_ROW(FIELD) FIELD(boolean, fresh, .meaning = "As in watched_row")
MESSAGE(touched_row, TOUCHED_ROW);

#define LOCKED_ROW(FIELD) FIELD(integer, locks)
MESSAGE(locked_row, LOCKED_ROW);

/* A child that may be seen. */
#define READABLE_ROW(FIELD) FIELD(boolean, ranked, .meaning = "What is recommended to it is by its latest attempt")
MESSAGE(readable_row, READABLE_ROW);

/* What an attempt found in one area. */
#define RUN_ROW(FIELD)                                                                                             \
    FIELD(uuid, assessment_id)                                                                                     \
    FIELD(integer, age)                                                                                            \
    FIELD(choice, area, .names = development_areas)                                                                      \
    FIELD(integer, score)                                                                                          \
    FIELD(choice, level, .names = development_levels)
MESSAGE(run_row, RUN_ROW);

/* A video that ranks, in a catalogue of this version; none: the catalogue is empty. */
#define CATALOGUE_ROW(FIELD)                                                                                       \
    FIELD(uuid, version)                                                                                           \
    FIELD(boolean, uncommitted)                                                                                    \
    FIELD(uuid, id, .nullable = true)                                                                              \
    FIELD(integer, areas, .nullable = true, .meaning = "A bit for each")                                           \
    FIELD(integer, target_age_min, .nullable = true)                                                               \
    FIELD(integer, target_age_max, .nullable = true)                                                               \
    FIELD(integer, priority, .nullable = true)                                                                     \
    FIELD(choice, difficulty, .nullable = true, .names = video_difficulties)                                       \
    FIELD(integer, view_count, .nullable = true)                                                                   \
    FIELD(integer, completion_count, .nullable = true)                                                             \
    FIELD(time, published_at, .nullable = true)
MESSAGE(catalogue_row, CATALOGUE_ROW);

/* A video with which the child has a history, beside the version of the catalogue; none: it has no history. */
#define HISTORY_ROW(FIELD)                                                                                         \
    FIELD(uuid, version)                                                                                           \
    FIELD(uuid, video_id, .nullable = true)                                                                        \
    FIELD(time, completed_at, .nullable = true)                                                                    \
    FIELD(boolean, viewed)                                                                                         \
    FIELD(boolean, prescribed)
MESSAGE(history_row, HISTORY_ROW);

/* A recommendation as its row says it, with what its reason is made of in another language. */
#define RECOMMENDED_ROW(FIELD)                                                                                     \
    RECOMMENDED_VIDEO(FIELD)                                                                                       \
    FIELD(choice, reason_code, .names = reason_codes)                                                              \
    FIELD(integer, reason_age)                                                                                     \
    FIELD(integer, reason_age_min)                                                                                 \
    FIELD(integer, reason_age_max)                                                                                 \
    FIELD(choice, reason_difficulty, .names = video_difficulties)
MESSAGE(recommended_row, RECOMMENDED_ROW);

/* --- what is written as JSON in a statement ----------------------------------------------------------------------- */

#define REASON_PARAMETERS(FIELD)                                                                                   \
    FIELD(integer, age)                                                                                            \
    FIELD(integer, age_min)                                                                                        \
    FIELD(integer, age_max)                                                                                        \
    FIELD(choice, difficulty, .names = video_difficulties)
MESSAGE(reason_parameters, REASON_PARAMETERS);
#define PLACE(FIELD)                                                                                               \
    FIELD(uuid, id)                                                                                                \
    FIELD(uuid, video_id)                                                                                          \
    FIELD(choice, development_area, .names = development_areas)                                                          \
    FIELD(choice, area_level, .names = development_levels)                                                               \
    FIELD(text, recommendation_reason)                                                                             \
    FIELD(choice, reason_code, .names = reason_codes)                                                              \
    FIELD(object, reason_parameters, .message = &reason_parameters_message)                                        \
    FIELD(integer, priority_score)                                                                                 \
    FIELD(boolean, is_viewed)
MESSAGE(place, PLACE);
#define PLACES(FIELD) FIELD(list, places, .message = &place_message)
MESSAGE(places, PLACES);

#define PRESCRIBED(FIELD)                                                                                          \
    FIELD(uuid, id)                                                                                                \
    FIELD(uuid, video_id)
MESSAGE(prescribed, PRESCRIBED);
#define PRESCRIPTION(FIELD) FIELD(list, videos, .message = &prescribed_message)
MESSAGE(prescription, PRESCRIPTION);

#define LINK_ROW(FIELD)                                                                                            \
    FIELD(uuid, id)                                                                                                \
    FIELD(text, video_url)                                                                                         \
    FIELD(choice, video_platform, .names = video_platforms)
MESSAGE(link_row, LINK_ROW);

#define LINK_SETTLED(FIELD)                                                                                        \
    FIELD(text, title)                                                                                             \
    FIELD(boolean, was_alive)                                                                                      \
    FIELD(boolean, is_alive)
MESSAGE(link_settled, LINK_SETTLED);
