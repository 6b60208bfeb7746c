/* The rows as of one op, copied out in slices while commands go on.
 *
 * begin() turns every table's dirty chunks into pending ones. A command that is about to change a pending chunk saves
 * it first, in the same place of a second copy of the table that is touched only there; then it is dirty, too. Slices
 * copy each pending chunk once, from where it is as it was at begin(), in the order of tables and chunks: so the store
 * changes each of its pages once. What the slices have passed of the second copy may be given back.
 */
#ifndef CORE_SNAPSHOT_H
#define CORE_SNAPSHOT_H

#include "base/base.h"
#include "base/chunk.h"
#include "core/table.h"

#define SNAPSHOT_PIECE_BYTES LIMIT(1u << 20, 16u << 10)

struct snapshot {
    u64 saved_bytes; /* chunks that changed before their slice came, and wait for it */
    u32 table;       /* the slice goes on here */
    u32 chunk;
    u32 passed_table; /* up to here the memory of what was saved has been named */
    u64 passed_bytes;
    bool running;
};

void snapshot_begin(struct snapshot *snapshot, struct table *tables, u32 tables_count);
u64 snapshot_slice(struct snapshot *snapshot, struct table *tables, u32 tables_count, u8 *buffer, u64 bytes_max,
                   u32 chunks_max, bool *finished);
/* Names the next piece of memory of saved chunks that have been copied out; returns its bytes, 0: none so far. */
u64 snapshot_passed(struct snapshot *snapshot, const struct table *tables, u32 tables_count, void **memory);
/* Called by table_edit() for a pending chunk. */
void snapshot_save(struct snapshot *snapshot, struct table *table, u32 chunk);

#endif
