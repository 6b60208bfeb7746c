/* Counters by hour and member of a dimension: what reports read. Exact at every instant. */
#ifndef CORE_STATS_H
#define CORE_STATS_H

#include "base/base.h"

enum stats_counter {
#define STATS_ENUM(type, name, doc) STATS_##name,
    TKD_COUNTERS(STATS_ENUM)
#undef STATS_ENUM
        STATS_COUNTERS
};

struct stats {
    u64 key; /* dimension << 56 | hour number << 24 | member; never 0 */
    u64 counters[STATS_COUNTERS];
};

#define STATS_DIMENSIONS TKD_DIMENSION_END
u32 stats_dimension(const struct stats *stats);
u32 stats_member(const struct stats *stats);
u64 stats_hour_ms(const struct stats *stats);

/* Where a member of a dimension is counted now; valid while the hour lasts. */
struct stats_current {
    u32 hour;
    u32 row; /* 0 = never counted */
};

struct state;
struct ticket;
/* The counters of this hour of all dimensions of a ticket: desk, queue, agent, channel, category, priority, tier.
 * Valid until the next command. */
struct stats_rows {
    u64 *counters[STATS_DIMENSIONS];
    u32 count;
};
void stats_rows(struct state *state, const struct ticket *ticket, struct stats_rows *rows);
void stats_add(const struct stats_rows *rows, enum stats_counter counter, u64 amount);
/* Both in one, for a single counter. */
void stats_count(struct state *state, const struct ticket *ticket, enum stats_counter counter, u64 amount);
/* A new desk: the spare rows, one a dimension, that take what finds no row of its own. Member 0; in no report. */
void stats_begin(struct state *state);
/* Loading: are they all there? */
bool stats_spare(const struct state *state);
/* After loading: derives the index. */
void stats_loaded(struct state *state);
/* Rows are never given back, so they lie in the order of their hours: the first row of those from time_ms on. */
u32 stats_since(const struct state *state, u64 time_ms);
/* The first row of the dimension from `row` on, `end` = none below it. */
u32 stats_seek(const struct state *state, u32 dimension, u32 row, u32 end);

#endif
