#include "base/histogram.h"

u32 histogram_bucket(u64 value)
{
    if (value < 1u << HISTOGRAM_SUB_BITS) return (u32)value;
    u32 shift = 63u - (u32)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
    u32 sub = (u32)(value >> shift) - (1u << HISTOGRAM_SUB_BITS);
    u32 bucket = ((shift + 1) << HISTOGRAM_SUB_BITS) + sub;
    ASSERT(bucket < HISTOGRAM_BUCKETS);
    return bucket;
}

u64 histogram_bucket_max(u32 bucket)
{
    ASSERT(bucket < HISTOGRAM_BUCKETS);
    u64 sub = bucket & ((1u << HISTOGRAM_SUB_BITS) - 1);
    u32 octave = bucket >> HISTOGRAM_SUB_BITS;
    if (octave == 0) return sub;
    u64 low = (sub + (1u << HISTOGRAM_SUB_BITS)) << (octave - 1);
    return low + (((u64)1 << (octave - 1)) - 1);
}

void histogram_reset(struct histogram *histogram)
{
    *histogram = (struct histogram){.min = U64_NONE};
}

void histogram_add(struct histogram *histogram, u64 value)
{
    histogram->counts[histogram_bucket(value)]++;
    histogram->count++;
    histogram->sum += value;
    histogram->min = min_u64(histogram->min, value);
    histogram->max = max_u64(histogram->max, value);
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (u32 i = 0; i < HISTOGRAM_BUCKETS; i++) into->counts[i] += from->counts[i];
    into->count += from->count;
    into->sum += from->sum;
    into->min = min_u64(into->min, from->min);
    into->max = max_u64(into->max, from->max);
}

u64 histogram_quantile(const struct histogram *histogram, u32 parts_per_million)
{
    ASSERT(parts_per_million <= 1000000);
    if (histogram->count == 0) return 0;
    /* The rank is rounded up, so that a quantile is never below the share it is named for. */
    u64 whole = histogram->count / 1000000 * parts_per_million;
    u64 part = histogram->count % 1000000 * parts_per_million;
    u64 rank = max_u64(1, whole + (part + 999999) / 1000000);
    u64 seen = 0;
    for (u32 i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen >= rank) return min_u64(histogram_bucket_max(i), histogram->max);
    }
    return histogram->max;
}

u64 histogram_mean(const struct histogram *histogram)
{
    return histogram->count == 0 ? 0 : histogram->sum / histogram->count;
}
