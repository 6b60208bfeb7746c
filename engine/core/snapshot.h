/* The rows as of one op, copied out in slices while commands go on.
 *
 * begin() turns every table's dirty chunks into pending ones. A pending chunk is copied either by a slice or,
 * when a command is about to change it first, into the saved area; both clear the bit, so each is copied
 * exactly once, as it was at begin(). What was saved last is sliced first, so the area is touched no further than
 * what waits in it at a time.
 */
#ifndef CORE_SNAPSHOT_H
#define CORE_SNAPSHOT_H

#include "base/base.h"
#include "base/chunk.h"
#include "core/table.h"

struct snapshot {
    u8 *saved; /* chunks that changed before their slice came, each with its struct store_chunk behind it */
    u64 saved_max;
    u64 saved_bytes;
    u32 table; /* the slice goes on here */
    u32 chunk;
    bool running;
};

void snapshot_init(struct snapshot *snapshot, u8 *saved, u64 saved_max);
void snapshot_begin(struct snapshot *snapshot, struct table *tables, u32 tables_count);
u64 snapshot_slice(struct snapshot *snapshot, struct table *tables, u32 tables_count, u8 *buffer, u64 bytes_max,
                   u32 chunks_max, bool *finished);
/* Called by table_edit() for a pending chunk. */
void snapshot_save(struct snapshot *snapshot, struct table *table, u32 chunk);

#endif
