/* A histogram over all of u64 with a bounded relative error, for latencies and other long-tailed figures.
 *
 * Values below 2,048 have a bucket each; above, every power of two is divided into 1,024 of them, so a bucket is
 * less than a thousandth of its value wide. Fixed size (440 KiB), no allocation; histograms of one kind add up. */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include "base/base.h"

#define HISTOGRAM_SUB_BITS 10u
#define HISTOGRAM_BUCKETS ((64u - HISTOGRAM_SUB_BITS + 1u) << HISTOGRAM_SUB_BITS)

struct histogram {
    u64 counts[HISTOGRAM_BUCKETS];
    u64 count;
    u64 sum;
    u64 min; /* of an empty one: U64_NONE */
    u64 max;
};

void histogram_reset(struct histogram *histogram);
void histogram_add(struct histogram *histogram, u64 value);
void histogram_merge(struct histogram *into, const struct histogram *from);
/* The value that `parts_per_million` of all values do not exceed: the upper end of its bucket, at most `max`;
 * 0 when nothing was added. */
u64 histogram_quantile(const struct histogram *histogram, u32 parts_per_million);
u64 histogram_mean(const struct histogram *histogram);

/* Index of the bucket that holds a value, and the largest value that a bucket holds. */
u32 histogram_bucket(u64 value);
u64 histogram_bucket_max(u32 bucket);

#endif
