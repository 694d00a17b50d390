/* watch: see the header. */
#include "watch.h"
#include <stdio.h>
#include <stdlib.h>

static int by_start(const void *a, const void *b)
{
    const interval_seen_t *left = a, *right = b;
    return (left->start > right->start) - (left->start < right->start);
}

static int by_length(const void *a, const void *b)
{
    const interval_seen_t *left = a, *right = b;
    int longer = (right->end - right->start) - (left->end - left->start);
    return longer ? longer : by_start(a, b);
}

static int cut(interval_seen_t *intervals, int count, int duration)
{
    int kept = 0;
    for (int i = 0; i < count; i++) {
        interval_seen_t one = intervals[i];
        one.start = one.start < 0 ? 0 : one.start;
        one.end = one.end > duration ? duration : one.end;
        if (one.start < one.end)
            intervals[kept++] = one;
    }
    return kept;
}

static int join(interval_seen_t *sorted, int count)
{
    int last = 0;
    for (int i = 1; i < count; i++) {
        if (sorted[i].start > sorted[last].end)
            sorted[++last] = sorted[i];
        else if (sorted[i].end > sorted[last].end)
            sorted[last].end = sorted[i].end;
    }
    return count > 0 ? last + 1 : 0;
}

int watch_merge(interval_seen_t *intervals, int count, int duration)
{
    count = cut(intervals, count, duration);
    qsort(intervals, (size_t)count, sizeof *intervals, by_start);
    count = join(intervals, count);
    if (count <= WATCH_MOST)
        return count;
    qsort(intervals, (size_t)count, sizeof *intervals, by_length);
    qsort(intervals, WATCH_MOST, sizeof *intervals, by_start);
    return WATCH_MOST;
}

int watch_time(const interval_seen_t *merged, int count)
{
    int seconds = 0;
    for (int i = 0; i < count; i++)
        seconds += merged[i].end - merged[i].start;
    return seconds;
}

bool watch_is_complete(int seconds, int duration)
{
    return duration > 0 && (int64_t)seconds * 10 >= (int64_t)duration * 9;
}

/* "12," → 12, and what follows the separator. */
static bool number_read(text_t *rest, char separator, int *out)
{
    text_t part;
    int64_t number;
    if (!text_split(rest, separator, &part) || !text_to_int(part, &number) || number < 0 || number > INT32_MAX)
        return false;
    *out = (int)number;
    return true;
}

static bool character_read(text_t *rest, char character)
{
    if (rest->data == NULL || rest->length == 0 || rest->data[0] != character)
        return false;
    rest->data++;
    rest->length--;
    return true;
}

bool watch_read(text_t multirange, interval_seen_t *out, int most, int *count)
{
    text_t rest = multirange;
    *count = 0;
    if (!character_read(&rest, '{'))
        return false;
    while (!character_read(&rest, '}')) {
        if (*count == most || (*count > 0 && !character_read(&rest, ',')))
            return false;
        interval_seen_t *one = &out[*count];
        if (!character_read(&rest, '[') || !number_read(&rest, ',', &one->start) || !number_read(&rest, ')', &one->end))
            return false;
        ++*count;
    }
    return rest.length == 0;
}

text_t watch_write(arena_t *arena, const interval_seen_t *merged, int count)
{
    enum { LONGEST = 26 }; /* "[2147483647,2147483647)," */
    size_t size = 3 + (size_t)count * LONGEST, length = 0;
    char *text = arena_allocate(arena, size);
    text[length++] = '{';
    for (int i = 0; i < count; i++)
        length += (size_t)snprintf(text + length, size - length, "%s[%d,%d)", i ? "," : "", merged[i].start, merged[i].end);
    text[length++] = '}';
    return (text_t){text, length};
}
