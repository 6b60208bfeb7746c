#include "core/snapshot.h"

#include "base/bitset.h"
#include "base/hash.h"
#include "base/mark.h"

#define PAGE_BYTES 4096u

static u64 record_bytes(u64 chunk_bytes) { return sizeof(struct store_chunk) + round_up(chunk_bytes, 8); }

void snapshot_begin(struct snapshot *snapshot, struct table *tables, u32 tables_count)
{
    ASSERT(!snapshot->running && snapshot->saved_bytes == 0);
    for (u32 i = 0; i < tables_count; i++) {
        struct table *table = &tables[i];
        u64 words = table_chunks(table) / 64 + 1;
        for (u64 word = 0; word < words; word++) ASSERT(table->pending[word] == 0);
        memcpy(table->pending, table->dirty, words * sizeof(u64));
        memset(table->dirty, 0, words * sizeof(u64));
    }
    *snapshot = (struct snapshot){.running = true};
}

static u8 *saved_chunk(const struct table *table, u32 chunk)
{
    return table->saved + (u64)chunk * table_chunk_bytes(table);
}

void snapshot_save(struct snapshot *snapshot, struct table *table, u32 chunk)
{
    ASSERT(snapshot->running && !bit_test(table->dirty, chunk));
    MARK("row copied before change");
    memcpy(saved_chunk(table, chunk), table_chunk(table, chunk), table_chunk_bytes(table));
    snapshot->saved_bytes += table_chunk_bytes(table);
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

/* As it was at the begin. */
static void chunk_copy(struct snapshot *snapshot, struct table *table, u32 chunk, u8 *to)
{
    u32 bytes = table_chunk_bytes(table);
    bool saved = bit_test(table->dirty, chunk);
    const void *data = saved ? saved_chunk(table, chunk) : table_chunk(table, chunk);
    struct store_chunk head = {
        .table = table->number, .chunk = chunk, .bytes = bytes, .checksum = (u32)hash64(data, bytes, 0)};
    memcpy(to, &head, sizeof head);
    memcpy(to + sizeof head, data, bytes);
    if (saved) snapshot->saved_bytes -= bytes;
    bit_clear(table->pending, chunk);
}

u64 snapshot_slice(struct snapshot *snapshot, struct table *tables, u32 tables_count, u8 *buffer, u64 bytes_max,
                   u32 chunks_max, bool *finished)
{
    ASSERT(snapshot->running && bytes_max >= 4096);
    *finished = false;
    u64 used = 0;
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
        chunk_copy(snapshot, table, chunk, buffer + used);
        used += bytes;
        snapshot->chunk = chunk + 1;
        chunks_max--;
    }
    if (snapshot->table == tables_count) {
        ASSERT(snapshot->saved_bytes == 0);
        snapshot->running = false;
        *finished = true;
    }
    return used;
}

/* Whole pages between the last piece and where the slices are: a large piece, or the last one of a table. */
u64 snapshot_passed(struct snapshot *snapshot, const struct table *tables, u32 tables_count, void **memory)
{
    while (snapshot->passed_table < min_u32(snapshot->table + 1, tables_count)) {
        const struct table *table = &tables[snapshot->passed_table];
        bool whole = snapshot->passed_table < snapshot->table;
        u64 chunks = whole ? table_chunks(table) : snapshot->chunk;
        u64 begin = round_up((u64)(uintptr_t)table->saved + snapshot->passed_bytes, PAGE_BYTES);
        u64 end = ((u64)(uintptr_t)table->saved + chunks * table_chunk_bytes(table)) / PAGE_BYTES * PAGE_BYTES;
        u64 bytes = min_u64(sat_sub(end, begin), SNAPSHOT_PIECE_BYTES);
        if (bytes == SNAPSHOT_PIECE_BYTES || (whole && bytes > 0)) {
            snapshot->passed_bytes = begin + bytes - (u64)(uintptr_t)table->saved;
            *memory = (void *)(uintptr_t)begin;
            return bytes;
        }
        if (!whole) return 0;
        snapshot->passed_table++;
        snapshot->passed_bytes = 0;
    }
    return 0;
}
