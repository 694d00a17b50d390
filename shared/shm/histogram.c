#include "histogram.h"
#include <math.h>

int64_t histogram_upper(int bucket)
{
    if (bucket < 100)
        return bucket + 1;
    if (bucket >= HISTOGRAM_BUCKETS - 1)
        return INT64_MAX;
    int64_t power = 1;
    for (int i = (bucket - 10) / 90; i > 0; i--)
        power *= 10;
    return ((bucket - 10) % 90 + 11) * power;
}

void histogram_add(histogram_sum_t *sum, const histogram_t *histogram)
{
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        sum->buckets[i] += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
}

uint64_t histogram_total(const histogram_sum_t *sum)
{
    uint64_t total = 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        total += sum->buckets[i];
    return total;
}

/* What stands for all that a bucket counts: below 100 µs they are all the same. */
static int64_t middle(int bucket)
{
    if (bucket < 100)
        return histogram_upper(bucket);
    if (bucket == HISTOGRAM_BUCKETS - 1)
        return histogram_upper(bucket - 1);
    return (histogram_upper(bucket - 1) + histogram_upper(bucket)) / 2;
}

int64_t histogram_percentile(const histogram_sum_t *sum, double share)
{
    uint64_t total = histogram_total(sum), seen = 0;
    uint64_t rank = (uint64_t)ceil(share * (double)total);
    if (rank == 0)
        rank = 1;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += sum->buckets[i];
        if (seen >= rank)
            return middle(i);
    }
    return 0;
}
