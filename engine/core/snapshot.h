/* The rows as of one op, copied out in slices while commands go on.
 *
 * begin() turns every table's dirty chunks into pending ones. A command that is about to change a pending chunk copies
 * it into a slot first; then it is dirty, too. Slices copy each pending chunk once, from where it is as it was at
 * begin(), in the order of tables and chunks: so the store changes each of its pages once. The slots in use always lie
 * side by side, so their memory is used again, and what of it is no longer needed can be given back.
 */
#ifndef CORE_SNAPSHOT_H
#define CORE_SNAPSHOT_H

#include "base/base.h"
#include "base/chunk.h"
#include "core/table.h"

/* A chunk that changed before its slice came, and waits for it. */
struct slot {
    u32 *owner; /* the table's, which says where this is */
    u32 bytes;
    u8 chunk[TABLE_CHUNK_BYTES_MAX];
};

struct snapshot {
    struct slot *slots;
    u32 slots_max;
    u32 slots_used;
    u32 table; /* the slice goes on here */
    u32 chunk;
    u32 pending; /* chunks that are still to be copied */
    bool running;
};

/* Lays out slots in memory at *memory, as many as there are chunks, and moves it on. */
void snapshot_init(struct snapshot *snapshot, u32 slots, u8 **memory);

void snapshot_begin(struct snapshot *snapshot, struct table *tables, u32 tables_count);
u64 snapshot_slice(struct snapshot *snapshot, struct table *tables, u32 tables_count, u8 *buffer, u64 bytes_max,
                   u32 chunks_max, bool *finished);
/* Called by table_edit() for a pending chunk. */
void snapshot_save(struct snapshot *snapshot, struct table *table, u32 chunk);

#endif
