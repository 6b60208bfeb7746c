#include "core/snapshot.h"

#include "base/bitset.h"
#include "base/hash.h"
#include "base/mark.h"

void snapshot_init(struct snapshot *snapshot, u8 *saved, u64 saved_max)
{
    *snapshot = (struct snapshot){.saved = saved, .saved_max = saved_max};
}

static u64 record_bytes(u64 chunk_bytes) { return sizeof(struct store_chunk) + round_up(chunk_bytes, 8); }

static struct store_chunk chunk_head(const struct table *table, u32 chunk)
{
    u32 bytes = table_chunk_bytes(table);
    return (struct store_chunk){.table = table->number,
                                .chunk = chunk,
                                .bytes = bytes,
                                .checksum = (u32)hash64(table_chunk(table, chunk), bytes, 0)};
}

static void record_write(u8 *to, const struct store_chunk *head, const void *data)
{
    memcpy(to, head, sizeof *head);
    memcpy(to + sizeof *head, data, head->bytes);
}

void snapshot_begin(struct snapshot *snapshot, struct table *tables, u32 tables_count)
{
    ASSERT(!snapshot->running);
    for (u32 i = 0; i < tables_count; i++) {
        struct table *table = &tables[i];
        u64 words = table_chunks(table) / 64 + 1;
        for (u64 word = 0; word < words; word++) ASSERT(table->pending[word] == 0);
        memcpy(table->pending, table->dirty, words * sizeof(u64));
        memset(table->dirty, 0, words * sizeof(u64));
    }
    snapshot->running = true;
    snapshot->table = 0;
    snapshot->chunk = 0;
    ASSERT(snapshot->saved_bytes == 0);
}

void snapshot_save(struct snapshot *snapshot, struct table *table, u32 chunk)
{
    ASSERT(snapshot->running);
    MARK("row copied before change");
    struct store_chunk head = chunk_head(table, chunk);
    u8 *to = snapshot->saved + snapshot->saved_bytes;
    snapshot->saved_bytes += record_bytes(head.bytes);
    ASSERT(snapshot->saved_bytes <= snapshot->saved_max);
    memcpy(to, table_chunk(table, chunk), head.bytes);
    memcpy(snapshot->saved + snapshot->saved_bytes - sizeof head, &head, sizeof head);
    bit_clear(table->pending, chunk);
}

static u64 slice_saved(struct snapshot *snapshot, u8 *buffer, u64 bytes_max)
{
    u64 used = 0;
    while (snapshot->saved_bytes > 0) {
        const u8 *end = snapshot->saved + snapshot->saved_bytes;
        const struct store_chunk *head = (const struct store_chunk *)(end - sizeof *head);
        u64 bytes = record_bytes(head->bytes);
        MARK_IF(used + bytes > bytes_max, "slice full of saved rows");
        if (used + bytes > bytes_max) break;
        record_write(buffer + used, head, end - bytes);
        used += bytes;
        snapshot->saved_bytes -= bytes;
    }
    return used;
}

/* The next pending chunk of the table from `chunk` on, or U32_NONE. */
static u32 pending_next(const struct table *table, u32 chunk)
{
    u64 words = table_chunks(table) / 64 + 1;
    for (u64 word = chunk / 64; word < words; word++) {
        u64 bits = table->pending[word];
        if (word == chunk / 64) bits &= UINT64_MAX << (chunk % 64);
        if (bits != 0) return (u32)(word * 64 + bit_lowest(bits));
    }
    return U32_NONE;
}

u64 snapshot_slice(struct snapshot *snapshot, struct table *tables, u32 tables_count, u8 *buffer, u64 bytes_max,
                   u32 chunks_max, bool *finished)
{
    ASSERT(snapshot->running && bytes_max >= 4096);
    *finished = false;
    u64 used = slice_saved(snapshot, buffer, bytes_max);
    while (snapshot->table < tables_count && chunks_max > 0) {
        struct table *table = &tables[snapshot->table];
        u32 chunk = pending_next(table, snapshot->chunk);
        if (chunk == U32_NONE) {
            snapshot->table++;
            snapshot->chunk = 0;
            continue;
        }
        u64 bytes = record_bytes(table_chunk_bytes(table));
        MARK_IF(used + bytes > bytes_max, "slice full");
        if (used + bytes > bytes_max) return used;
        struct store_chunk head = chunk_head(table, chunk);
        record_write(buffer + used, &head, table_chunk(table, chunk));
        bit_clear(table->pending, chunk);
        used += bytes;
        snapshot->chunk = chunk + 1;
        chunks_max--;
    }
    if (snapshot->table == tables_count && snapshot->saved_bytes == 0) {
        snapshot->running = false;
        *finished = true;
    }
    return used;
}
