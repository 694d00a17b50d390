/* demo_videos: see the header. */
#include "demo_videos.h"
#include "../base/clock.h"
#include "../base/panic.h"
#include "admin_files.h"
#include "demo_people.h"
#include "demo_random.h"
#include <stdlib.h>

enum { FILE_BYTES_MAX = 1 << 20, PARTS = 11 };
enum { UNPUBLISHED_EACH = 10, AGE_FIRST = 4, AGE_LAST = 71, SPREAD_DAYS = 600 };

/* --- reading the texts -------------------------------------------------------------------------------------------- */

/* A line's parts, of which the last takes the rest. -1: it has more or fewer than wanted. */
static bool parts_split(char *line, char **parts, int wanted)
{
    int count = 0;
    while (count < wanted && (parts[count] = strsep(&line, "|")))
        count++;
    return count == wanted && line == NULL;
}

static int list_split(char *list, const char **items, int most)
{
    int count = 0;
    for (char *item; count < most && (item = strsep(&list, ","));)
        items[count++] = item;
    return list ? -1 : count;
}

static bool months_read(const char *first, const char *last, demo_play_t *play)
{
    int64_t from, to;
    bool good = text_to_int(text_of(first), &from) && text_to_int(text_of(last), &to) && AGE_FIRST <= from && from + 6 <= to &&
                to <= AGE_LAST;
    if (good) {
        play->first_month = (int)from;
        play->last_month = (int)to;
    }
    return good;
}

#define ADD(array, count, ...)                                                                                     \
    ((array) = memory_resize((array), (size_t)((count) + 1) * sizeof *(array)), (array)[(count)++] = (__VA_ARGS__))

static bool category_add(demo_video_lists_t *lists, char **parts)
{
    int number = lists->category_count;
    int64_t at = (int64_t)(demo_today() - SPREAD_DAYS - 10) * CLOCK_DAY + number * CLOCK_SECOND;
    dice_t dice = dice_of("category", (uint64_t)number);
    ADD(lists->categories, lists->category_count,
        (demo_category_t){.slug = parts[0], .name = parts[1], .id = dice_uuid(&dice, at), .created_at = at});
    return true;
}

static bool setting_add(demo_video_lists_t *lists, char **parts)
{
    ADD(lists->settings, lists->setting_count, (demo_setting_t){.words = parts[0], .not_with = parts[1]});
    return true;
}

static bool tag_add(demo_video_lists_t *lists, char **parts)
{
    ADD(lists->tags, lists->tag_count, parts[0]);
    return true;
}

static bool caution_add(demo_video_lists_t *lists, char **parts)
{
    int64_t month;
    if (!text_to_int(text_of(parts[0]), &month))
        return false;
    ADD(lists->cautions, lists->caution_count, (demo_caution_t){.from_month = (int)month, .words = parts[1]});
    return true;
}

static bool play_add(demo_video_lists_t *lists, char **parts)
{
    demo_play_t play = {.category = -1, .title = parts[4], .description = parts[5], .how = parts[6], .effect = parts[7],
        .beside = parts[8]};
    for (int i = 0; i < lists->category_count; i++)
        if (strcmp(lists->categories[i].slug, parts[0]) == 0)
            play.category = i;
    play.area_count = list_split(parts[1], play.areas, DEMO_AREAS_MAX);
    play.thing_count = list_split(parts[9], play.things, DEMO_THINGS_MAX);
    if (play.category < 0 || play.area_count < 1 || play.thing_count < 1 || !months_read(parts[2], parts[3], &play))
        return false;
    ADD(lists->plays, lists->play_count, play);
    return true;
}

static const struct {
    const char *kind;
    int parts;
    bool (*add)(demo_video_lists_t *, char **parts);
} kinds[] = {
    {"category", 2, category_add},
    {"setting", 2, setting_add},
    {"tag", 1, tag_add},
    {"caution", 2, caution_add},
    {"play", 10, play_add},
};

static bool line_read(demo_video_lists_t *lists, char *line)
{
    char *kind = strsep(&line, "|"), *parts[PARTS];
    for (size_t i = 0; line && i < ARRAY_SIZE(kinds); i++)
        if (strcmp(kinds[i].kind, kind) == 0)
            return parts_split(line, parts, kinds[i].parts) && kinds[i].add(lists, parts);
    return false;
}

static bool setting_fits(const demo_video_lists_t *lists, const demo_play_t *play, const demo_setting_t *setting)
{
    text_t rest = text_of(setting->not_with), part, slug = text_of(lists->categories[play->category].slug);
    while (text_split(&rest, ',', &part))
        if (text_equal(part, slug))
            return false;
    return true;
}

static void combinations_count(demo_video_lists_t *lists)
{
    for (int i = 0; i < lists->play_count; i++) {
        demo_play_t *play = &lists->plays[i];
        play->before = lists->combinations;
        for (int k = 0; k < lists->setting_count; k++)
            if (setting_fits(lists, play, &lists->settings[k]))
                play->combinations += play->thing_count;
        lists->combinations += play->combinations;
    }
}

bool demo_video_lists_read(const char *schema_directory, demo_video_lists_t *lists, FILE *out)
{
    char path[4096];
    *lists = (demo_video_lists_t){0};
    snprintf(path, sizeof path, "%s/demo/videos.txt", schema_directory ? schema_directory : "schema");
    if (!file_read(path, FILE_BYTES_MAX, &lists->file, out))
        return false;
    buffer_add_char(&lists->file, '\0');
    char *rest = lists->file.data, *line;
    for (int number = 1; (line = strsep(&rest, "\n")); number++)
        if (*line && *line != '#' && !line_read(lists, line)) {
            fprintf(out, "%s:%d: not as the file's head says\n", path, number);
            return false;
        }
    combinations_count(lists);
    bool full = lists->combinations > 0 && lists->tag_count >= DEMO_TAGS_MAX && lists->caution_count > 0;
    if (!full)
        fprintf(out, "%s lacks a kind of word\n", path);
    return full;
}

void demo_video_lists_free(demo_video_lists_t *lists)
{
    free(lists->categories);
    free(lists->settings);
    free(lists->tags);
    free(lists->cautions);
    free(lists->plays);
    buffer_free(&lists->file);
    *lists = (demo_video_lists_t){0};
}

/* --- a thing and its particle --------------------------------------------------------------------------------------- */

/* Which of the 28 finals the last syllable has; 0: none, or it is no syllable (The Unicode Standard, 3.12). */
static int final_of(const char *word)
{
    size_t length = strlen(word);
    if (length < 3)
        return 0;
    const uint8_t *last = (const uint8_t *)word + length - 3;
    int code = (last[0] & 0x0f) << 12 | (last[1] & 0x3f) << 6 | (last[2] & 0x3f);
    return code >= 0xac00 && code <= 0xd7a3 ? (code - 0xac00) % 28 : 0;
}

static const struct {
    const char *mark, *closed, *open;
} particles[] = {{"{}", "", ""}, {"{을}", "을", "를"}, {"{은}", "은", "는"}, {"{이}", "이", "가"}, {"{과}", "과", "와"},
    {"{으로}", "으로", "로"}};

void demo_thing_write(buffer_t *out, const char *pattern, const char *thing)
{
    enum { FINAL_L = 8 };
    while (*pattern) {
        size_t plain = strcspn(pattern, "{"), i = 0;
        buffer_add(out, pattern, plain);
        pattern += plain;
        if (!*pattern)
            return;
        while (i < ARRAY_SIZE(particles) && strncmp(pattern, particles[i].mark, strlen(particles[i].mark)) != 0)
            i++;
        if (i == ARRAY_SIZE(particles))
            panic("no particle at \"%s\"", pattern);
        bool to = strcmp(particles[i].open, "로") == 0; /* which ㄹ takes as if the syllable were open */
        int final = final_of(thing);
        buffer_add_string(out, thing);
        buffer_add_string(out, final == 0 || (to && final == FINAL_L) ? particles[i].open : particles[i].closed);
        pattern += strlen(particles[i].mark);
    }
}

/* --- a video ---------------------------------------------------------------------------------------------------------- */

/* Numbers that follow each other are far apart in the lists: a step that shares no factor with their number reaches all. */
static int combination_of(const demo_video_lists_t *lists, int index)
{
    int64_t step = lists->combinations * INT64_C(618) / 1000, a, b;
    do {
        step++;
        for (a = step, b = lists->combinations; b; ) {
            int64_t left = a % b;
            a = b;
            b = left;
        }
    } while (a != 1);
    return (int)(index % lists->combinations * step % lists->combinations);
}

static void texts_make(const demo_video_lists_t *lists, int combination, int part, demo_video_t *video)
{
    const demo_play_t *play = lists->plays;
    while (combination >= play->before + play->combinations)
        play++;
    int left = combination - play->before, setting = 0;
    while (!setting_fits(lists, play, &lists->settings[setting]) || left >= play->thing_count) {
        left -= setting_fits(lists, play, &lists->settings[setting]) ? play->thing_count : 0;
        setting++;
    }
    const char *thing = play->things[left], *before = lists->settings[setting].words;
    video->play = play;
    buffer_t *texts[] = {&video->title, &video->description, &video->how, &video->beside};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        texts[i]->length = 0;
    buffer_add_string(&video->title, before);
    buffer_add_string(&video->title, *before ? " " : "");
    demo_thing_write(&video->title, play->title, thing);
    if (part > 0)
        buffer_format(&video->title, " %d편", part + 1);
    demo_thing_write(&video->description, play->description, thing);
    demo_thing_write(&video->how, play->how, thing);
    buffer_add_string(&video->beside, thing);
    if (strcmp(play->beside, "없음") != 0)
        buffer_format(&video->beside, ", %s", play->beside);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        buffer_add_char(texts[i], '\0');
}

static void ages_make(const demo_video_lists_t *lists, demo_video_t *video, dice_t *dice)
{
    const demo_play_t *play = video->play;
    video->age_min = dice_range(dice, play->first_month, play->last_month - 6);
    video->age_max = video->age_min + dice_range(dice, 6, 24);
    video->age_max = video->age_max > play->last_month ? play->last_month : video->age_max;
    video->caution = NULL;
    for (int i = 0; i < lists->caution_count; i++)
        if (lists->cautions[i].from_month <= video->age_min)
            video->caution = lists->cautions[i].words;
    /* Early in a play's months it is easy, later on harder forms of it are shown. */
    int place = (video->age_min - play->first_month) * 3 / (play->last_month - play->first_month);
    static const char *const difficulties[] = {"easy", "medium", "hard"};
    video->difficulty = difficulties[dice_chance(dice, 600) ? place : dice_range(dice, 0, 2)];
}

static void tags_make(const demo_video_lists_t *lists, demo_video_t *video, dice_t *dice)
{
    video->tag_count = dice_range(dice, 2, DEMO_TAGS_MAX);
    int first = dice_range(dice, 0, lists->tag_count - 1);
    for (int i = 0; i < video->tag_count; i++)
        video->tags[i] = lists->tags[(first + i * 5) % lists->tag_count];
}

static void counts_make(demo_video_t *video, dice_t *dice)
{
    int liked = dice_range(dice, 1, 100);
    video->view_count = liked * liked * dice_range(dice, 1, 5);
    video->bookmark_count = video->view_count * dice_range(dice, 5, 40) / 1000;
    video->completion_count = video->view_count * dice_range(dice, 80, 450) / 1000;
}

void demo_video_make(const demo_video_lists_t *lists, int index, int count, demo_video_t *video)
{
    static const char *const platforms[] = {"youtube", "youtube", "youtube", "youtube", "naver_tv", "naver_tv", "kakao_tv",
        "vimeo", "other"};
    static const char letters[] = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    dice_t dice = dice_of("video", (uint64_t)index);
    texts_make(lists, combination_of(lists, index), index / lists->combinations, video);
    int64_t step = SPREAD_DAYS * CLOCK_DAY / count;
    video->index = index;
    video->created_at = (int64_t)(demo_today() - SPREAD_DAYS - 3) * CLOCK_DAY + step * index +
                        (int64_t)(dice_bits(&dice) % (uint64_t)step);
    video->id = dice_uuid(&dice, video->created_at);
    video->is_published = index % UNPUBLISHED_EACH != UNPUBLISHED_EACH - 1;
    video->published_at = video->created_at + dice_range(&dice, 1, 48 * 3600) * CLOCK_SECOND;
    video->checked_at = (int64_t)(demo_today() - 1) * CLOCK_DAY + dice_range(&dice, 0, 86399) * CLOCK_SECOND;
    video->duration = dice_range(&dice, 90, 780);
    video->priority = dice_range(&dice, 1, 10);
    video->platform = platforms[dice_range(&dice, 0, ARRAY_SIZE(platforms) - 1)];
    for (size_t i = 0; i + 1 < sizeof video->code; i++)
        video->code[i] = letters[dice_range(&dice, 0, (int)sizeof letters - 2)];
    video->code[sizeof video->code - 1] = '\0';
    ages_make(lists, video, &dice);
    tags_make(lists, video, &dice);
    if (video->is_published)
        counts_make(video, &dice);
    else
        video->view_count = video->bookmark_count = video->completion_count = 0;
}

void demo_video_free(demo_video_t *video)
{
    buffer_free(&video->title);
    buffer_free(&video->description);
    buffer_free(&video->how);
    buffer_free(&video->beside);
}
