/* The videos of the demo data without a database: the same ones each time, each title once, ages and particles right. */
#include "../unit.h"
#include "pg/demo_videos.h"
#include <stdio.h>
#include <stdlib.h>

static demo_video_lists_t lists;

static int lists_load(void **state)
{
    (void)state;
    return demo_video_lists_read(SOURCE_ROOT "/schema", &lists, stderr) ? 0 : -1;
}

static int lists_drop(void **state)
{
    (void)state;
    demo_video_lists_free(&lists);
    return 0;
}

static void particles_fit(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *thing, *text;
    } cases[] = {{"{을} {은} {이} {과} {으로}", "공", "공을 공은 공이 공과 공으로"},
        {"{을} {은} {이} {과} {으로}", "나무", "나무를 나무는 나무가 나무와 나무로"},
        {"{으로} {을}", "연필", "연필로 연필을"}, {"큰 {} 쌓기", "블록", "큰 블록 쌓기"}, {"{을}", "DIY", "DIY를"}, {"없음", "공", "없음"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        buffer_t out = {0};
        demo_thing_write(&out, cases[i].pattern, cases[i].thing);
        assert_text(buffer_text(&out), cases[i].text);
        buffer_free(&out);
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void titles_differ(void **state)
{
    (void)state;
    int count = lists.combinations + 100; /* some are second parts */
    assert_true(lists.combinations >= 2000);
    char **titles = calloc((size_t)count, sizeof *titles);
    demo_video_t video = {0};
    for (int i = 0; i < count; i++) {
        demo_video_make(&lists, i, count, &video);
        titles[i] = strdup(video.title.data);
    }
    qsort(titles, (size_t)count, sizeof *titles, by_text);
    for (int i = 1; i < count; i++)
        assert_string_not_equal(titles[i - 1], titles[i]);
    for (int i = 0; i < count; i++)
        free(titles[i]);
    free(titles);
    demo_video_free(&video);
}

static void videos_are_plausible(void **state)
{
    (void)state;
    demo_video_t video = {0};
    int64_t before = 0;
    int youngest = 99, oldest = 0, published = 0, difficulties[3] = {0};
    for (int i = 0; i < 2000; i++) {
        demo_video_make(&lists, i, 2000, &video);
        assert_true(video.play->first_month <= video.age_min && video.age_min + 6 <= video.age_max && video.age_max <= 71);
        assert_true(video.created_at > before && video.published_at > video.created_at && video.duration > 0);
        assert_in_range(video.tag_count, 2, DEMO_TAGS_MAX);
        assert_null(strchr(video.title.data, '{'));
        for (int k = 1; k < video.tag_count; k++)
            for (int other = 0; other < k; other++)
                assert_string_not_equal(video.tags[k], video.tags[other]);
        before = video.created_at;
        published += video.is_published;
        youngest = video.age_min < youngest ? video.age_min : youngest;
        oldest = video.age_max > oldest ? video.age_max : oldest;
        difficulties[video.difficulty[0] == 'e' ? 0 : video.difficulty[0] == 'm' ? 1 : 2]++;
    }
    assert_int_equal(published, 1800);
    assert_int_equal(youngest, 4);
    assert_int_equal(oldest, 71);
    for (int i = 0; i < 3; i++)
        assert_true(difficulties[i] > 300);
    demo_video_free(&video);
}

static void the_same_again(void **state)
{
    (void)state;
    demo_video_t one = {0}, again = {0};
    demo_video_make(&lists, 7, 2000, &again);
    demo_video_make(&lists, 7, 2000, &one);
    demo_video_make(&lists, 8, 2000, &again);
    demo_video_make(&lists, 7, 2000, &again);
    assert_string_equal(one.title.data, again.title.data);
    assert_memory_equal(one.id.bytes, again.id.bytes, sizeof one.id.bytes);
    assert_string_equal(one.code, again.code);
    demo_video_free(&one);
    demo_video_free(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(particles_fit),
        cmocka_unit_test(titles_differ),
        cmocka_unit_test(videos_are_plausible),
        cmocka_unit_test(the_same_again),
    };
    return cmocka_run_group_tests(tests, lists_load, lists_drop);
}
