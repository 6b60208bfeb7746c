/* Counters by hour and member of a dimension: what reports read. Exact at every instant. */
#ifndef CORE_STATS_H
#define CORE_STATS_H

#include "base/base.h"
#include "core/limits.h"

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

#define STATS_BLOCKS (STATS_MAX / STATS_BLOCK_ROWS + 1)

/* What a member was counted in the rows up to the end of a block in which it was counted. */
struct stats_sum {
    u32 row;    /* its first one of the block */
    u32 before; /* its sum of an earlier block, 0 = none */
    u64 counters[STATS_COUNTERS];
};

/* Sums by member and block of rows, so that a report over a long period is the difference of two. Derived from the
 * rows of hours that are over, which never change: some of them whenever another row is opened. */
struct stats_sums {
    u32 next; /* rows below are in the sums */
    u32 count;
    struct stats_sum *sums;         /* from 1, in the order of their rows; [0] is all zero */
    u32 *blocks[STATS_DIMENSIONS]; /* by member, STATS_BLOCKS each: the number of its sum, 0 = not counted in there */
};

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
/* After loading: derives the index and the sums. */
void stats_loaded(struct state *state);
void stats_validate(const struct state *state);
/* The table whose rows are the members of a dimension; 0: there is none, members are below TKD_PRIORITY_END. */
u32 stats_table(u32 dimension);
/* The highest member. */
u32 stats_member_last(const struct state *state, u32 dimension);
/* Rows are never given back, so they lie in the order of their hours: the first row of those from time_ms on. */
u32 stats_since(const struct state *state, u64 time_ms);
/* The first row of the dimension from `row` on, `end` = none below it. */
u32 stats_seek(const struct state *state, u32 dimension, u32 row, u32 end);
/* Blocks that lie in rows below `end` and have all their sums. */
u32 stats_blocks(const struct state *state, u32 end);
static inline u32 stats_block(u32 row) { return (row - 1) / STATS_BLOCK_ROWS; }
static inline u32 stats_block_row(u32 block) { return block * STATS_BLOCK_ROWS + 1; }
/* The member's rows of the blocks from..to - 1 added up, with the key of the first. false: there are none. */
bool stats_sum(const struct state *state, u32 dimension, u32 member, u32 from, u32 to, struct stats *sum);

#endif
