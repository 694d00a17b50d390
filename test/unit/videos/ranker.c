/* Ranks what it reads, for test_rank.py: numbers on standard input, a line of places for each case.
 *
 *     age now, then for each area "assessed score level", then a count and for each video
 *     "number areas min max priority difficulty views completions published completed viewed prescribed"
 *
 * A place is "number:area:points:reason". Times are microseconds. */
#include "../../../actors/videos/rank.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int64_t number_read(void)
{
    int64_t number;
    if (scanf("%" SCNd64, &number) != 1)
        exit(1);
    return number;
}

static rank_video_t video_read(void)
{
    rank_video_t video = {.published_at = 0};
    int64_t number = number_read();
    for (int i = 0; i < 8; i++)
        video.id.bytes[8 + i] = (uint8_t)(number >> (56 - 8 * i));
    video.areas = (unsigned)number_read();
    video.age_min = (int)number_read();
    video.age_max = (int)number_read();
    video.priority = (int)number_read();
    video.difficulty = (enum rank_difficulty)number_read();
    video.views = number_read();
    video.completions = number_read();
    video.published_at = number_read();
    video.completed_at = number_read();
    video.viewed = number_read() != 0;
    video.prescribed = number_read() != 0;
    return video;
}

int main(void)
{
    int64_t age;
    while (scanf("%" SCNd64, &age) == 1) {
        int64_t now = number_read();
        rank_child_t child = {.age = (int)age};
        for (int area = 0; area < AREAS; area++) {
            child.areas[area].assessed = number_read() != 0;
            child.areas[area].score = (int)number_read();
            child.areas[area].level = (enum development_level)number_read();
        }
        int count = (int)number_read();
        rank_video_t *videos = calloc((size_t)count + 1, sizeof *videos);
        for (int i = 0; i < count; i++)
            videos[i] = video_read();
        rank_place_t places[RANK_PLACES_MOST];
        int filled = rank_videos(&child, videos, count, now, places);
        for (int i = 0; i < filled; i++)
            printf("%s%d:%d:%d:%d", i ? " " : "", places[i].video->id.bytes[15] | places[i].video->id.bytes[14] << 8,
                (int)places[i].area, places[i].points, (int)places[i].reason);
        putchar('\n');
        free(videos);
    }
    return 0;
}
