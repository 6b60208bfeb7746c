#include <criterion/criterion.h>

#include "base/histogram.h"
#include "base/prng.h"

#include <stdlib.h>

Test(histogram, buckets_cover_all_values_without_gap)
{
    u64 next = 0;
    for (u32 bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        u64 last = histogram_bucket_max(bucket);
        cr_assert_geq(last, next);
        cr_assert_eq(histogram_bucket(next), bucket);
        cr_assert_eq(histogram_bucket(last), bucket);
        cr_assert_leq(last - next, last / 1000, "bucket %u is too wide", bucket);
        next = last + 1;
    }
    cr_assert_eq(next, 0, "the last bucket ends with the largest u64");
}

Test(histogram, small_values_are_exact)
{
    struct histogram histogram;
    histogram_reset(&histogram);
    for (u64 value = 0; value < 2048; value++) histogram_add(&histogram, value);
    cr_assert_eq(histogram_quantile(&histogram, 0), 0);
    cr_assert_eq(histogram_quantile(&histogram, 500000), 1023);
    cr_assert_eq(histogram_quantile(&histogram, 1000000), 2047);
    cr_assert_eq(histogram.min, 0);
    cr_assert_eq(histogram.max, 2047);
    cr_assert_eq(histogram_mean(&histogram), 1023);
}

Test(histogram, empty)
{
    struct histogram histogram;
    histogram_reset(&histogram);
    cr_assert_eq(histogram_quantile(&histogram, 990000), 0);
    cr_assert_eq(histogram_mean(&histogram), 0);
    cr_assert_eq(histogram.min, U64_NONE);
}

static int by_value(const void *a, const void *b)
{
    u64 left = *(const u64 *)a, right = *(const u64 *)b;
    return left < right ? -1 : left > right;
}

Test(histogram, quantiles_are_near_those_of_the_sorted_list)
{
    enum { COUNT = 20000 };
    static u64 values[COUNT];
    static const u32 quantiles[] = {1, 10000, 250000, 500000, 900000, 990000, 999000, 999900, 1000000};
    struct prng prng = prng_seeded(3);
    struct histogram histogram;
    histogram_reset(&histogram);
    for (u32 i = 0; i < COUNT; i++) {
        values[i] = prng_next(&prng) >> prng_below(&prng, 64);
        histogram_add(&histogram, values[i]);
    }
    qsort(values, COUNT, sizeof(values[0]), by_value);
    for (u32 i = 0; i < ARRAY_COUNT(quantiles); i++) {
        u64 rank = max_u64(1, ((u64)COUNT * quantiles[i] + 999999) / 1000000);
        u64 exact = values[rank - 1];
        u64 found = histogram_quantile(&histogram, quantiles[i]);
        cr_assert(found >= exact && found - exact <= exact / 1000, "quantile %u ppm", quantiles[i]);
    }
}

Test(histogram, merged_equals_added_together)
{
    struct histogram one, other, both;
    histogram_reset(&one);
    histogram_reset(&other);
    histogram_reset(&both);
    struct prng prng = prng_seeded(4);
    for (u32 i = 0; i < 1000; i++) {
        u64 value = prng_below(&prng, 1000000);
        histogram_add(i % 3 ? &one : &other, value);
        histogram_add(&both, value);
    }
    histogram_merge(&one, &other);
    cr_assert_arr_eq(&one, &both, sizeof(both));
}
