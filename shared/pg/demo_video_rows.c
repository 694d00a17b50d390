/* demo_video_rows: table after table by COPY, in one transaction, as demo.c does it for people. What a list shows of areas, tags
 * and categories stands in each video's row too, as the videos actor writes it (actors/videos/videos.sql, video_show). */
#include "demo_video_rows.h"
#include "../base/clock.h"
#include "../base/panic.h"
#include "admin_sql.h"
#include "demo_copy.h"
#include "demo_videos.h"
#include <inttypes.h>
#include <stdlib.h>

enum { VIDEOS_MOST = 1000000 };

typedef struct {
    const demo_video_lists_t *lists;
    copy_t copy;
    buffer_t json; /* scratch */
} videos_t;

/* --- columns ------------------------------------------------------------------------------------------------------ */

/* The words are ours, of schema/demo/videos.txt. */
static void quoted(buffer_t *json, const char *word)
{
    insist(strpbrk(word, "\"\\") == NULL);
    buffer_format(json, "\"%s\"", word);
}

static const char *words_json(buffer_t *json, const char *const *words, int count)
{
    json->length = 0;
    buffer_add_char(json, '[');
    for (int i = 0; i < count; i++) {
        buffer_add_string(json, i ? ", " : "");
        quoted(json, words[i]);
    }
    buffer_add(json, "]", 2); /* with its NUL */
    return json->data;
}

static const char *category_json(buffer_t *json, const demo_category_t *category)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(category->id, id);
    json->length = 0;
    buffer_format(json, "[{\"id\": \"%s\", \"name\": ", id);
    quoted(json, category->name);
    buffer_format(json, ", \"slug\": \"%s\"}]", category->slug);
    buffer_add_char(json, '\0');
    return json->data;
}

static const char *searched_text(buffer_t *text, const demo_video_t *video)
{
    text->length = 0;
    buffer_add_string(text, video->title.data);
    for (int i = 0; i < video->tag_count; i++)
        buffer_format(text, " %s", video->tags[i]);
    buffer_add_char(text, '\0');
    return text->data;
}

static void formatted(videos_t *videos, const char *format, const char *code)
{
    char text[200];
    snprintf(text, sizeof text, format, code);
    copy_string(&videos->copy, text);
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

static void links_columns(videos_t *videos, const demo_video_t *video)
{
    formatted(videos, "https://videos.example.com/watch/%s", video->code);
    copy_string(&videos->copy, video->platform);
    formatted(videos, "<iframe src=\"https://videos.example.com/embed/%s\" width=\"640\" height=\"360\" allowfullscreen></iframe>",
        video->code);
    formatted(videos, "https://cdn.example.com/thumbnails/%s.webp", video->code);
}

static void video_row(videos_t *videos, const demo_video_t *video)
{
    copy_t *copy = &videos->copy;
    copy_uuid(copy, video->id);
    copy_string(copy, video->title.data);
    copy_string(copy, video->description.data);
    links_columns(videos, video);
    const int64_t numbers[] = {video->duration, video->age_min, video->age_max};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        copy_integer(copy, numbers[i]);
    const char *const texts[] = {video->difficulty, video->how.data, video->play->effect, video->beside.data, video->caution};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        copy_string(copy, texts[i]);
    copy_boolean(copy, video->is_published);
    const int64_t counts[] = {video->priority, video->view_count, video->bookmark_count, video->completion_count};
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
        copy_integer(copy, counts[i]);
    copy_string(copy, words_json(&videos->json, video->play->areas, video->play->area_count));
    copy_string(copy, words_json(&videos->json, video->tags, video->tag_count));
    copy_string(copy, category_json(&videos->json, &videos->lists->categories[video->play->category]));
    copy_string(copy, searched_text(&videos->json, video));
    copy_time(copy, video->created_at);
    copy_time(copy, video->is_published ? video->published_at : video->created_at);
    if (video->is_published)
        copy_time(copy, video->published_at);
    else
        copy_null(copy);
    copy_time(copy, video->checked_at);
    copy_row_end(copy);
}

static void mapping_rows(videos_t *videos, const demo_video_t *video)
{
    copy_uuid(&videos->copy, video->id);
    copy_uuid(&videos->copy, videos->lists->categories[video->play->category].id);
    copy_row_end(&videos->copy);
}

static void words_rows(videos_t *videos, const demo_video_t *video, const char *const *words, int count)
{
    for (int i = 0; i < count; i++) {
        copy_uuid(&videos->copy, video->id);
        copy_string(&videos->copy, words[i]);
        copy_row_end(&videos->copy);
    }
}

static void areas_rows(videos_t *videos, const demo_video_t *video)
{
    words_rows(videos, video, video->play->areas, video->play->area_count);
}

static void tags_rows(videos_t *videos, const demo_video_t *video)
{
    words_rows(videos, video, video->tags, video->tag_count);
}

/* --- loading ------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *copy_sql, *vacuum_sql;
    void (*rows)(videos_t *, const demo_video_t *);
} tables[] = {
    {"COPY videos.videos (id, title, description, video_url, video_platform, embed_code, thumbnail_url, duration, target_age_min,"
     " target_age_max, difficulty, play_method, expected_effects, materials_needed, precautions, is_published, priority,"
     " view_count, bookmark_count, completion_count, areas, tags, categories, searched, created_at, updated_at, published_at,"
     " url_last_checked_at) FROM STDIN",
        "VACUUM (ANALYZE) videos.videos", video_row},
    {"COPY videos.video_category_mapping (video_id, category_id) FROM STDIN", "VACUUM (ANALYZE) videos.video_category_mapping",
        mapping_rows},
    {"COPY videos.video_development_areas (video_id, area) FROM STDIN", "VACUUM (ANALYZE) videos.video_development_areas",
        areas_rows},
    {"COPY videos.video_tags (video_id, tag_name) FROM STDIN", "VACUUM (ANALYZE) videos.video_tags", tags_rows},
};

static bool categories_load(videos_t *videos, PGconn *connection, FILE *out)
{
    if (!copy_begin(&videos->copy, connection, out,
            "COPY videos.video_categories (id, name, slug, created_at) FROM STDIN"))
        return false;
    for (int i = 0; i < videos->lists->category_count; i++) {
        const demo_category_t *category = &videos->lists->categories[i];
        copy_uuid(&videos->copy, category->id);
        copy_string(&videos->copy, category->name);
        copy_string(&videos->copy, category->slug);
        copy_time(&videos->copy, category->created_at);
        copy_row_end(&videos->copy);
    }
    return copy_end(&videos->copy);
}

static bool table_load(videos_t *videos, PGconn *connection, size_t table, int count, FILE *out)
{
    demo_video_t video = {0};
    if (!copy_begin(&videos->copy, connection, out, tables[table].copy_sql))
        return false;
    for (int i = 0; i < count && !videos->copy.failed; i++) {
        demo_video_make(videos->lists, i, count, &video);
        tables[table].rows(videos, &video);
    }
    demo_video_free(&video);
    return copy_end(&videos->copy);
}

static bool count_record(PGconn *connection, int count, FILE *out)
{
    char number[16];
    snprintf(number, sizeof number, "%d", count);
    PGresult *result = admin_query(connection, out, "could not record the demo data",
        "UPDATE aipoten.demo_data SET videos = $1::integer", 1, (const char *const[]){number});
    PQclear(result);
    return result != NULL;
}

static bool tables_load(videos_t *videos, PGconn *connection, int count, FILE *out)
{
    int64_t began = clock_monotonic();
    bool good = admin_execute(connection, out, "could not begin", "SET statement_timeout = 0; BEGIN") &&
                categories_load(videos, connection, out);
    for (size_t i = 0; good && i < ARRAY_SIZE(tables); i++)
        good = table_load(videos, connection, i, count, out);
    good = good && count_record(connection, count, out) && admin_execute(connection, out, "could not commit", "COMMIT");
    for (size_t i = 0; good && i < ARRAY_SIZE(tables); i++)
        good = admin_execute(connection, out, "could not vacuum", tables[i].vacuum_sql);
    if (good)
        fprintf(out, "loaded %d videos in %.1f s\n", count, (double)(clock_monotonic() - began) / CLOCK_SECOND);
    return good;
}

/* How many the database has: those of an earlier load, or -1 when there was none; -2: it could not be asked. */
static int64_t loaded_before(PGconn *connection, FILE *out)
{
    int64_t count;
    return admin_number(connection, out, "could not look for videos", "SELECT coalesce(max(videos), -1) FROM aipoten.demo_data",
               &count)
               ? count
               : -2;
}

bool demo_videos_load(PGconn *connection, const demo_options_t *asked)
{
    FILE *out = asked->out;
    int count = asked->videos ? asked->videos : DEMO_VIDEOS;
    if (count < 1 || count > VIDEOS_MOST) {
        fprintf(out, "demo data has 1 to %d videos\n", VIDEOS_MOST);
        return false;
    }
    int64_t there = loaded_before(connection, out), own;
    if (there >= 0 && asked->videos && there != asked->videos)
        fprintf(out, "demo data with %" PRId64 " videos is there. To start over, make the database anew\n", there);
    if (there != -1)
        return there >= 0 && (!asked->videos || there == asked->videos);
    if (!admin_number(connection, out, "could not look for videos",
            "SELECT count(*) FROM (SELECT FROM videos.videos LIMIT 1) v", &own))
        return false;
    if (own) {
        fprintf(out, "the database has videos of its own: those of the demo data are not loaded beside them\n");
        return true;
    }
    demo_video_lists_t lists;
    videos_t videos = {.lists = &lists};
    bool loaded = demo_video_lists_read(asked->schema_directory, &lists, out) && tables_load(&videos, connection, count, out);
    buffer_free(&videos.json);
    demo_video_lists_free(&lists);
    return loaded;
}
