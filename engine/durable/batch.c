#include "durable/batch.h"

#include "base/hash.h"

/* The position is part of the seed as well as of the header: bytes at another place are noise. */
static u64 batch_checksum(const struct batch *batch)
{
    u64 seed = hash_u64(batch->segment) ^ hash_u64(~batch->offset) ^ batch->store_id;
    return hash64((const u8 *)batch + sizeof batch->checksum, batch->bytes - sizeof batch->checksum, seed);
}

/* Ops and batches count from 1, and never come to an end. */
static bool counts(u64 number) { return number != 0 && number < U64_NONE / 2; }

enum batch_verdict batch_check(const struct batch *batch, u64 available, const struct batch_place *place)
{
    ASSERT(available >= BLOCK_BYTES && (uintptr_t)batch % 8 == 0);
    if (batch->magic != BATCH_MAGIC) return BATCH_DAMAGED;
    if (batch->segment != place->segment || batch->offset != place->offset) return BATCH_DAMAGED;
    if (batch->bytes < sizeof *batch || batch->bytes > BATCH_BYTES_MAX || batch->bytes % 8 != 0)
        return BATCH_DAMAGED;
    if (batch_bytes_on_disk(batch->bytes) > place->bytes_max) return BATCH_DAMAGED;
    if (batch->bytes > available) return BATCH_SHORT;
    if (batch_checksum(batch) != batch->checksum) return BATCH_DAMAGED;
    if (!counts(batch->first_op) || !counts(batch->seq)) return BATCH_DAMAGED;
    if (batch->format_version != LOG_FORMAT_VERSION) return BATCH_FORMAT;
    if (place->store_id != 0 && batch->store_id != place->store_id) return BATCH_FOREIGN;
    return BATCH_VALID;
}

void batch_seal(struct batch *batch)
{
    ASSERT(batch->bytes >= sizeof *batch && batch->bytes % 8 == 0);
    memset((u8 *)batch + batch->bytes, 0, batch_bytes_on_disk(batch->bytes) - batch->bytes);
    batch->checksum = batch_checksum(batch);
}

u64 batch_entry_checksum(const struct batch_entry *entry, u64 previous)
{
    return hash64((const u8 *)entry + sizeof entry->checksum,
                  sizeof *entry - sizeof entry->checksum + entry->bytes, previous);
}

u64 batch_entry_fill(struct batch_entry *entry, u64 previous, u64 op, u64 time_ms, const void *frame,
                     u32 bytes)
{
    ASSERT(bytes % 8 == 0);
    *entry = (struct batch_entry){.op = op, .time_ms = time_ms, .bytes = bytes};
    memcpy(entry + 1, frame, bytes);
    entry->checksum = batch_entry_checksum(entry, previous);
    return entry->checksum;
}

const struct batch_entry *batch_entry_next(const struct batch *batch, const struct batch_entry *entry)
{
    const u8 *end = (const u8 *)batch + batch->bytes;
    const u8 *at = entry == NULL ? (const u8 *)(batch + 1) : (const u8 *)(entry + 1) + entry->bytes;
    if ((u64)(end - at) < sizeof *entry) return NULL;
    const struct batch_entry *next = (const struct batch_entry *)(const void *)at;
    if (next->bytes % 8 != 0 || next->bytes > (u64)(end - at) - sizeof *next) return NULL;
    if (next->bytes < TKD_FRAME_BYTES) return NULL;
    return next;
}

bool batch_entries_fit(const struct batch *batch)
{
    u64 op = batch->first_op;
    const u8 *end = (const u8 *)(batch + 1);
    u32 count = 0;
    const struct batch_entry *entry = NULL;
    while ((entry = batch_entry_next(batch, entry)) != NULL) {
        if (entry->op != op++) return false;
        if (((const struct tkd_frame *)(const void *)(entry + 1))->size != entry->bytes) return false;
        end = (const u8 *)(entry + 1) + entry->bytes;
        count++;
    }
    return count == batch->entries && end == (const u8 *)batch + batch->bytes;
}
