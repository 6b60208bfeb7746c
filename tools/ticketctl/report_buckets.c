#include <stdlib.h>
#include <string.h>

#include "report.h"

#define BUCKETS_MIN 4096u

static const char *const names[] = {
#define COUNTER_NAME(type, name, doc) #name,
    TKD_COUNTERS(COUNTER_NAME)
#undef COUNTER_NAME
};

const char *counter_name(u32 counter) { return names[counter]; }

static int bucket_order(const void *left, const void *right)
{
    const struct bucket *a = left, *b = right;
    if (a->begin_ms != b->begin_ms) return a->begin_ms < b->begin_ms ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

void buckets_merge(struct buckets *buckets)
{
    if (buckets->count == 0) return;
    qsort(buckets->buckets, buckets->count, sizeof(struct bucket), bucket_order);
    u64 last = 0;
    for (u64 i = 1; i < buckets->count; i++) {
        struct bucket *into = &buckets->buckets[last], *from = &buckets->buckets[i];
        if (bucket_order(into, from) == 0) {
            for (u32 counter = 0; counter < COUNTERS_COUNT; counter++)
                into->counters[counter] += from->counters[counter];
        } else {
            buckets->buckets[++last] = *from;
        }
    }
    buckets->count = last + 1;
}

void buckets_add(struct buckets *buckets, enum period period, const struct tkd_report_row *row)
{
    /* Hours are many, sums are few: sum before asking for more memory. */
    if (buckets->count == buckets->max) {
        buckets_merge(buckets);
        if (buckets->count * 2 >= buckets->max) {
            buckets->max = buckets->max ? buckets->max * 2 : BUCKETS_MIN;
            buckets->buckets = reallocate(buckets->buckets, buckets->max * sizeof(struct bucket));
        }
    }
    struct bucket *bucket = &buckets->buckets[buckets->count++];
    bucket->begin_ms = period_begin(period, row->hour_ms);
    bucket->id = row->id;
    _Static_assert(sizeof(struct tkd_report_row) - offsetof(struct tkd_report_row, created) ==
                       COUNTERS_COUNT * sizeof(u64),
                   "the counters are the row's last members");
    memcpy(bucket->counters, &row->created, sizeof(bucket->counters));
}

void buckets_free(struct buckets *buckets)
{
    free(buckets->buckets);
    *buckets = (struct buckets){0};
}
