#include <criterion/criterion.h>
#include <stdlib.h>

#include "durable/batch.h"
#include "tests/support/log.h"

enum { BYTES = 65536 };

static struct batch *batch;
static struct batch_place place;

static void setup(void)
{
    batch = aligned_alloc(BLOCK_BYTES, BYTES);
    memset(batch, 0xee, BYTES);
    *batch = (struct batch){.magic = BATCH_MAGIC,
                            .format_version = LOG_FORMAT_VERSION,
                            .store_id = 5,
                            .segment = 9,
                            .offset = 8192,
                            .seq = 3,
                            .first_op = 100,
                            .previous = 42,
                            .bytes = sizeof *batch};
    place = (struct batch_place){.store_id = 5, .segment = 9, .offset = 8192, .bytes_max = BYTES};
}

static void teardown(void) { free(batch); }

TestSuite(batch, .init = setup, .fini = teardown);

static void add(u64 op)
{
    const struct tkd_frame *frame = log_frame(op);
    struct batch_entry *entry = (struct batch_entry *)(void *)((u8 *)batch + batch->bytes);
    batch_entry_fill(entry, op, op, op * 2, frame, frame->size);
    batch->bytes += (u32)sizeof *entry + frame->size;
    batch->entries++;
}

Test(batch, what_was_sealed_is_valid)
{
    add(100);
    add(101);
    batch_seal(batch);
    u64 bytes = batch_bytes_on_disk(batch->bytes);
    cr_assert_eq(bytes % BLOCK_BYTES, 0);
    cr_assert_eq(((u8 *)batch)[bytes - 1], 0); /* no memory leaks to the disk */
    cr_assert_eq(batch_check(batch, bytes, &place), BATCH_VALID);
    cr_assert(batch_entries_fit(batch));
    const struct batch_entry *entry = batch_entry_next(batch, NULL);
    cr_assert_eq(entry->op, 100);
    cr_assert_eq(memcmp(entry + 1, log_frame(100), entry->bytes), 0);
    entry = batch_entry_next(batch, entry);
    cr_assert_eq(entry->time_ms, 202);
    cr_assert_null(batch_entry_next(batch, entry));
}

Test(batch, a_mark_has_no_entries)
{
    batch_seal(batch);
    cr_assert_eq(batch_check(batch, BLOCK_BYTES, &place), BATCH_VALID);
    cr_assert(batch_entries_fit(batch));
    cr_assert_null(batch_entry_next(batch, NULL));
}

Test(batch, every_changed_bit_shows)
{
    add(100);
    batch_seal(batch);
    for (u32 bit = 0; bit < batch->bytes * 8; bit += 3) {
        u8 *byte = (u8 *)batch + bit / 8;
        *byte ^= (u8)(1u << bit % 8);
        cr_assert_neq(batch_check(batch, BYTES, &place), BATCH_VALID, "bit %u", bit);
        *byte ^= (u8)(1u << bit % 8);
    }
    cr_assert_eq(batch_check(batch, BYTES, &place), BATCH_VALID);
}

Test(batch, it_belongs_to_one_place)
{
    add(100);
    batch_seal(batch);
    struct batch_place other = place;
    other.segment++;
    cr_assert_eq(batch_check(batch, BYTES, &other), BATCH_DAMAGED);
    other = place;
    other.offset += BLOCK_BYTES;
    cr_assert_eq(batch_check(batch, BYTES, &other), BATCH_DAMAGED);
    other = place;
    other.store_id++;
    cr_assert_eq(batch_check(batch, BYTES, &other), BATCH_FOREIGN);
    other.store_id = 0;
    cr_assert_eq(batch_check(batch, BYTES, &other), BATCH_VALID);
    other.bytes_max = batch_bytes_on_disk(batch->bytes) - BLOCK_BYTES; /* it would not have fitted here */
    cr_assert_eq(batch_check(batch, BYTES, &other), BATCH_DAMAGED);
    /* Rewriting the header for another place is not enough: the checksum knows the place. */
    batch->offset += BLOCK_BYTES;
    other = place;
    other.offset += BLOCK_BYTES;
    cr_assert_eq(batch_check(batch, BYTES, &other), BATCH_DAMAGED);
}

Test(batch, more_bytes_are_asked_for)
{
    while (batch->bytes < BLOCK_BYTES) add(100 + batch->entries);
    batch_seal(batch);
    cr_assert_eq(batch_check(batch, BLOCK_BYTES, &place), BATCH_SHORT);
    cr_assert_eq(batch_check(batch, batch_bytes_on_disk(batch->bytes), &place), BATCH_VALID);
}

Test(batch, another_format_is_told_apart)
{
    batch->format_version++;
    batch_seal(batch);
    cr_assert_eq(batch_check(batch, BYTES, &place), BATCH_FORMAT);
}

Test(batch, sizes_from_outside_are_not_believed)
{
    add(100);
    batch_seal(batch);
    struct batch sound = *batch;
    u32 sizes[] = {0, 8, sizeof *batch - 8, BATCH_BYTES_MAX + 8, UINT32_MAX, 129};
    for (u32 i = 0; i < ARRAY_COUNT(sizes); i++) {
        batch->bytes = sizes[i];
        cr_assert_eq(batch_check(batch, BYTES, &place), BATCH_DAMAGED, "%u", sizes[i]);
    }
    *batch = sound;
    struct batch_entry *entry = (struct batch_entry *)(void *)(batch + 1);
    u32 bytes = entry->bytes;
    u32 wrong[] = {0, 8, bytes - 8, bytes + 8, UINT32_MAX - 7, 12};
    for (u32 i = 0; i < ARRAY_COUNT(wrong); i++) {
        entry->bytes = wrong[i];
        cr_assert_not(batch_entries_fit(batch), "%u", wrong[i]);
    }
    entry->bytes = bytes;
    entry->op++;
    cr_assert_not(batch_entries_fit(batch));
}

Test(batch, ops_and_batches_count_from_one)
{
    batch->first_op = 0;
    batch_seal(batch);
    cr_assert_eq(batch_check(batch, BYTES, &place), BATCH_DAMAGED);
    batch->first_op = 1;
    batch->seq = 0;
    batch_seal(batch);
    cr_assert_eq(batch_check(batch, BYTES, &place), BATCH_DAMAGED);
    batch->seq = U64_NONE;
    batch_seal(batch);
    cr_assert_eq(batch_check(batch, BYTES, &place), BATCH_DAMAGED);
    batch->seq = 1;
    batch_seal(batch);
    cr_assert_eq(batch_check(batch, BYTES, &place), BATCH_VALID);
}

Test(batch, the_chain_runs_through_entries)
{
    const struct tkd_frame *frame = log_frame(1);
    struct batch_entry *entry = (struct batch_entry *)(void *)(batch + 1);
    u64 first = batch_entry_fill(entry, 7, 1, 10, frame, frame->size);
    cr_assert_eq(batch_entry_checksum(entry, 7), first);
    cr_assert_neq(batch_entry_checksum(entry, 8), first);
    cr_assert_neq(batch_entry_fill(entry, 7, 2, 10, frame, frame->size), first);
    cr_assert_neq(batch_entry_fill(entry, 7, 1, 11, frame, frame->size), first);
    cr_assert_eq(batch_entry_fill(entry, 7, 1, 10, frame, frame->size), first);
}
