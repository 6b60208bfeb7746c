/* The counters of a period, summed by member of a dimension and by hour, day, week or month. */
#ifndef TICKETCTL_REPORT_H
#define TICKETCTL_REPORT_H

#include "ticketctl.h"
#include "timefmt.h"

enum counter {
#define COUNTER_MEMBER(type, name, doc) COUNTER_##name,
    TKD_COUNTERS(COUNTER_MEMBER)
#undef COUNTER_MEMBER
        COUNTERS_COUNT
};

struct bucket {
    u64 begin_ms; /* of the period; 0 = the whole time */
    u32 id;       /* member of the dimension */
    u64 counters[COUNTERS_COUNT];
};

struct buckets {
    struct bucket *buckets; /* ascending by (begin_ms, id) after buckets_merge() */
    u64 count;
    u64 max;
};

const char *counter_name(u32 counter);
/* Adds one hour's row of the server. */
void buckets_add(struct buckets *buckets, enum period period, const struct tkd_report_row *row);
/* Sorts, and sums what has the same period and member. */
void buckets_merge(struct buckets *buckets);
void buckets_free(struct buckets *buckets);

#endif
