#include "core/snapshot.h"

#include "base/bitset.h"
#include "base/hash.h"
#include "base/mark.h"

static u64 record_bytes(u64 chunk_bytes) { return sizeof(struct store_chunk) + round_up(chunk_bytes, 8); }

void snapshot_init(struct snapshot *snapshot, u32 slots, u8 **memory)
{
    *snapshot = (struct snapshot){.slots = (struct slot *)(void *)*memory, .slots_max = slots};
    *memory += (u64)slots * sizeof(struct slot);
}

void snapshot_begin(struct snapshot *snapshot, struct table *tables, u32 tables_count)
{
    ASSERT(!snapshot->running && snapshot->slots_used == 0 && snapshot->pending == 0);
    for (u32 i = 0; i < tables_count; i++) {
        struct table *table = &tables[i];
        u64 words = table_chunks(table) / 64 + 1;
        for (u64 word = 0; word < words; word++) {
            ASSERT(table->pending[word] == 0);
            snapshot->pending += bit_count(table->dirty[word]);
        }
        memcpy(table->pending, table->dirty, words * sizeof(u64));
        memset(table->dirty, 0, words * sizeof(u64));
    }
    snapshot->running = true;
    snapshot->table = snapshot->chunk = 0;
}

void snapshot_save(struct snapshot *snapshot, struct table *table, u32 chunk)
{
    ASSERT(snapshot->running && !bit_test(table->dirty, chunk));
    ASSERT(snapshot->slots_used < snapshot->slots_max); /* there is one for each chunk */
    MARK("row copied before change");
    struct slot *slot = &snapshot->slots[snapshot->slots_used];
    slot->owner = &table->saved[chunk];
    slot->bytes = table_chunk_bytes(table);
    *slot->owner = snapshot->slots_used++;
    memcpy(slot->chunk, table_chunk(table, chunk), slot->bytes);
}

/* The last one takes its place. */
static void slot_give(struct snapshot *snapshot, u32 number)
{
    struct slot *slot = &snapshot->slots[number], *last = &snapshot->slots[--snapshot->slots_used];
    if (slot == last) return;
    MARK("saved row moved");
    memcpy(slot, last, offsetof(struct slot, chunk) + last->bytes);
    *slot->owner = number;
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
    const void *data = saved ? snapshot->slots[table->saved[chunk]].chunk : table_chunk(table, chunk);
    struct store_chunk head = {
        .table = table->number, .chunk = chunk, .bytes = bytes, .checksum = (u32)hash64(data, bytes, 0)};
    memcpy(to, &head, sizeof head);
    memcpy(to + sizeof head, data, bytes);
    if (saved) slot_give(snapshot, table->saved[chunk]);
    bit_clear(table->pending, chunk);
    snapshot->pending--;
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
        ASSERT(snapshot->slots_used == 0 && snapshot->pending == 0);
        snapshot->running = false;
        *finished = true;
    }
    return used;
}
