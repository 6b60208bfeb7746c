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
/* Rows that one event may need: one per dimension, and one for a second queue and agent. */
#define STATS_ROWS_PER_COMMAND 16u

u32 stats_dimension(const struct stats *stats);
u32 stats_member(const struct stats *stats);
u64 stats_hour_ms(const struct stats *stats);

struct state;
struct ticket;
/* Adds to the counters of all dimensions of the ticket: desk, queue, agent, channel, category, priority, tier. */
void stats_count(struct state *state, const struct ticket *ticket, enum stats_counter counter, u64 amount);
/* Adds to one member of one dimension. */
void stats_count_member(struct state *state, u32 dimension, u32 member, enum stats_counter counter, u64 amount);
/* After loading: derives the index. */
void stats_loaded(struct state *state);

#endif
