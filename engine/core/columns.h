/* Columns: what lists filter by, a byte of it an array, in the order of the tickets' sequence numbers.
 *
 * A list wants the newest tickets of a filter. Walking rows costs a cache miss or more each; the columns are walked 64
 * tickets at a time, only those that the filter names, and only a number that matches in all of them is looked at.
 *
 * Invariants:
 *  - derived: each byte follows from the ticket's row, is 0 where no ticket is in memory, and is never persisted;
 *  - a column never hides a ticket: what it lets through is verified on the row, what it does not cannot match;
 *  - `seen` of a block holds every value that one of its columns has. It may hold more: values that tickets had since
 *    the block was last empty. So blocks without a ticket, or without what is wanted, are skipped whole.
 */
#ifndef CORE_COLUMNS_H
#define CORE_COLUMNS_H

#include "base/base.h"
#include "core/limits.h"

enum column {
    COLUMN_QUEUE,   /* the lower byte of its id */
    COLUMN_AGENT,   /* of who has it, or had it last when it is ended */
    COLUMN_STATE,   /* state | priority << 3 | the agent's highest bits << 6 */
    COLUMN_CHANNEL,
    COLUMN_HIGH,    /* the queue's higher bits | the agent's middle ones << 4 */
    COLUMN_TAGS,    /* of 24 bits each tag sets three */
    COLUMN_TAGS_2,
    COLUMN_TAGS_3,
    COLUMNS
};
_Static_assert(COLUMNS == sizeof(u64), "all columns of a ticket are one word, column n its byte n");
_Static_assert(QUEUES_MAX < 1 << 12 && AGENTS_MAX < 1 << 14 && CHANNELS_MAX < 1 << 8, "ids fit");
_Static_assert(TKD_STATE_END <= 8 && TKD_PRIORITY_END <= 8, "state and priority fit");

#define COLUMN_GROUP 64u                                 /* numbers that are compared together: a cache line */
#define COLUMN_BLOCK (LIMIT(64u, 2u) * COLUMN_GROUP)     /* numbers that are skipped together */

struct column_block {
    u64 seen[COLUMNS][4]; /* a bit a value */
    u64 live;             /* tickets in memory */
};

struct columns {
    u8 *bytes[COLUMNS]; /* by sequence number */
    struct column_block *blocks;
};

u64 columns_blocks(u64 numbers);

struct state;
struct ticket;
/* The columns of a ticket, tags apart. Never 0. */
u64 columns_of(const struct state *state, const struct ticket *ticket);
/* The ticket's row has changed; `before`: columns_of() until then, 0 = it was not there. */
void columns_change(struct columns *columns, u64 number, u64 before, u64 after);
/* Its tags have changed. */
void columns_tag(struct state *state, u32 row);
/* It leaves memory. */
void columns_clear(struct columns *columns, u64 number);
/* Asserts that the columns are what the rows say. */
void columns_validate(const struct state *state);

/* What one column must be: one of `values` when only the bits of `mask` count. */
struct column_term {
    u32 column;
    u32 count;
    u8 mask;
    u8 values[7];
    u64 accepts[4]; /* the same, as a bit a value */
};

typedef u8 column_lane __attribute__((vector_size(16), may_alias)); /* a register of any machine */

/* A search for the newest tickets of a filter, block by block. */
struct search {
    const struct columns *columns;
    u32 terms_count;
    struct column_term terms[COLUMNS + 2];
    u64 begin;  /* of the block that was compared last */
    u64 below;  /* nothing from here on downwards was compared yet */
    u64 groups; /* of that block: those in which something is left, a bit each */
    column_lane matches[COLUMN_BLOCK / COLUMN_GROUP][COLUMN_GROUP / sizeof(column_lane)]; /* 0xff: it may match */
};

struct tkd_ticket_list;
/* From number `from` downwards; `tag`: its row, 0 = any. */
void search_begin(struct search *search, const struct columns *columns, const struct tkd_ticket_list *list, u32 tag,
                  u64 from);
/* The newest of those left that may match. 0: there is none; or *work, counted down for each group that is compared
 * and each block, is spent: then the search goes on from search->below, unless that is 0. */
u64 search_next(struct search *search, u32 *work);

#endif
