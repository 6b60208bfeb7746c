/* A table: rows of one fixed size in reserved address space, addressed by a dense row number (0 = none).
 *
 * Invariants:
 *  - a free row is all zero; a used one has a non-zero first word (its id), so which are used is derived;
 *  - take() gives the lowest free row, so where a row lies depends on which rows are used, not on history;
 *  - rows are changed only through edit(), which marks the chunk dirty for the next checkpoint and, while a
 *    snapshot is being copied out, first saves the chunk as it was.
 */
#ifndef CORE_TABLE_H
#define CORE_TABLE_H

#include "base/base.h"
#include "base/bitset.h"

#define TABLE_CHUNK_BYTES_MAX 2000u /* below LMDB's limit for a node, so no overflow pages */
#define TABLE_LEVELS 5u

struct snapshot;

struct table {
    u8 *rows;
    u32 *saved;   /* by chunk: the slot in which the running snapshot has it as it was before it changed */
    u64 *dirty;   /* a bit a chunk: changed since the last snapshot began */
    u64 *pending; /* a bit a chunk: belongs to the running snapshot, not copied yet; dirty, too: it is saved */
    struct snapshot *snapshot;
    u32 row_bytes;
    u32 chunk_shift; /* rows a chunk, as a power of two */
    u32 rows_max;    /* rows 1..rows_max */
    u32 rows_live;
    u32 row_last; /* nothing was ever used above; depends on history, so no command's outcome may depend on it */
    u32 row_loaded; /* no row above came with a chunk */
    u32 number;
    u64 word_open; /* every word of used[0] below is full */
    u64 *used[TABLE_LEVELS]; /* [0]: a bit a row that is used; [n]: a bit a word below that is full */
};

/* Room for the rows and what the table needs besides. */
u64 table_bytes(u32 row_bytes, u32 rows_max);
u32 table_chunks_max(u32 row_bytes, u32 rows_max);
/* Lays the table out in zeroed memory at *memory and moves it on. */
void table_init(struct table *table, u32 number, u32 row_bytes, u32 rows_max, struct snapshot *snapshot,
                u8 **memory);

static inline const void *table_row(const struct table *table, u32 row)
{
    return table->rows + (u64)row * table->row_bytes;
}
/* Is this a row in use? */
static inline bool table_used(const struct table *table, u32 row)
{
    return row != 0 && row <= table->row_last && *(const u64 *)table_row(table, row) != 0;
}
static inline u32 table_free(const struct table *table) { return table->rows_max - table->rows_live; }

/* The first change of a chunk since the last snapshot began: a pending one is saved before. */
void table_soil(struct table *table, u32 chunk);
/* The row is about to be changed. */
static inline void table_touch(struct table *table, u32 row)
{
    ASSERT(row != 0 && row <= table->rows_max);
    u32 chunk = row >> table->chunk_shift;
    if (__builtin_expect(!bit_test(table->dirty, chunk), 0)) table_soil(table, chunk);
}
/* The row, to be changed. */
static inline void *table_edit(struct table *table, u32 row)
{
    table_touch(table, row);
    return table->rows + (u64)row * table->row_bytes;
}
/* The lowest free row, zero and to be filled: the first word must become non-zero. There must be one. */
u32 table_take(struct table *table);
/* This very row, if it is free (catalog: row = id). */
void table_take_at(struct table *table, u32 row);
/* Frees the row and zeroes it. */
void table_give(struct table *table, u32 row);

/* The first used row from `row` on, 0 = none. */
u32 table_next(const struct table *table, u32 row);
u32 table_chunks(const struct table *table); /* chunks that may hold something */
u32 table_chunk_bytes(const struct table *table);
const void *table_chunk(const struct table *table, u32 chunk);
/* Loading: the rows of one chunk, not of rows that the table cannot have; then, when all are there, what follows. */
void table_load(struct table *table, u32 chunk, const void *data);
void table_loaded(struct table *table);
void table_validate(const struct table *table);

#endif
