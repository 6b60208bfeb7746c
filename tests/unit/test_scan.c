#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/directory.h"
#include "tests/support/log.h"
#include "durable/batch.h"
#include "durable/segment.h"

static struct log_fixture log_;

static void setup(void) { log_setup(&log_); }

static void teardown(void) { log_teardown(&log_); }

TestSuite(scan, .init = setup, .fini = teardown);

/* One segment as it lies on the disk. */
static char path[4096];
static u8 *image;
static u64 image_bytes;

static void load(u64 segment)
{
    cr_assert_eq(segment_path(path, log_.directory, segment), 0);
    free(image);
    image = file_slurp(path, &image_bytes);
}

static void store(void) { file_spill(path, image, image_bytes); }

struct found {
    u64 offset;
    u64 bytes; /* on the disk */
    u64 op_last;
    u32 entries;
};

/* The batches of the image, in order. */
static u32 batches(struct found *found, u32 max)
{
    u32 count = 0;
    for (u64 at = 0; at + BLOCK_BYTES <= image_bytes && count < max;) {
        const struct batch *batch = (const struct batch *)(const void *)(image + at);
        if (batch->magic != BATCH_MAGIC || batch->offset != at) break;
        found[count++] = (struct found){.offset = at,
                                        .bytes = batch_bytes_on_disk(batch->bytes),
                                        .op_last = batch->first_op + batch->entries - 1,
                                        .entries = batch->entries};
        at += batch_bytes_on_disk(batch->bytes);
    }
    return count;
}

static void write_log(u64 ops, u32 per_batch)
{
    cr_assert_eq(log_open(&log_, 0), 0, "%s", log_.error);
    log_write_until(&log_, ops, per_batch);
    log_close(&log_);
}

static void expect_cut_at(u64 op)
{
    cr_assert_eq(log_open(&log_, 0), 0, "%s", log_.error);
    cr_assert_not(log_.replay_wrong);
    cr_assert_eq(log_.ops_replayed, op);
    cr_assert_eq(wal_last_op(log_.wal), op);
    /* It goes on from there, and the next reader agrees. */
    log_write_until(&log_, op + 3, 2);
    log_close(&log_);
    cr_assert_eq(log_open(&log_, 0), 0, "%s", log_.error);
    cr_assert_not(log_.replay_wrong);
    cr_assert_eq(log_.ops_replayed, op + 3);
    log_close(&log_);
}

static void expect_damage(u64 segment, u64 offset)
{
    cr_assert_eq(log_open(&log_, 0), -EIO);
    char place[64];
    snprintf(place, sizeof place, "%016llx.log at offset %llu", (unsigned long long)segment,
             (unsigned long long)offset);
    cr_assert(strstr(log_.error, "the log is damaged"), "%s", log_.error);
    cr_assert(strstr(log_.error, place), "%s, not %s", log_.error, place);
}

/* ---- The last batch: torn in every way it can be ---- */

Test(scan, a_tail_cut_at_any_block_is_torn)
{
    write_log(24, 4);
    load(1);
    u8 *whole = malloc(image_bytes);
    memcpy(whole, image, image_bytes);
    struct found found[16];
    u32 count = batches(found, 16);
    cr_assert_eq(count, 6);
    u64 end = found[5].offset + found[5].bytes;
    for (u64 cut = 0; cut < end; cut += BLOCK_BYTES) {
        memcpy(image, whole, image_bytes);
        memset(image + cut, 0, image_bytes - cut);
        store();
        u64 expected = 0;
        for (u32 i = 0; i < count; i++) {
            if (found[i].offset + found[i].bytes <= cut) expected = found[i].op_last;
        }
        if (expected > 0) {
            expect_cut_at(expected);
        } else {
            cr_assert_eq(log_open(&log_, 0), -EIO);
            cr_assert(strstr(log_.error, "nothing verifies in segment 0000000000000001.log at offset 0"), "%s",
                      log_.error);
        }
    }
    /* Nor had anything been acknowledged of one that was never used. */
    memset(image, 0, image_bytes);
    store();
    cr_assert_eq(segments_unused_make(log_.directory), 0);
    expect_cut_at(0);
    free(whole);
}

Test(scan, a_garbled_block_of_the_last_batch_is_torn)
{
    write_log(24, 4);
    load(1);
    u8 *whole = malloc(image_bytes);
    memcpy(whole, image, image_bytes);
    struct found found[16];
    u32 count = batches(found, 16);
    struct found last = found[count - 1];
    u64 used = ((struct batch *)(void *)(image + last.offset))->bytes;
    for (u64 at = 0; at < last.bytes; at += BLOCK_BYTES) {
        memcpy(image, whole, image_bytes);
        u64 byte = last.offset + min_u64(at + 100, used - 1);
        image[byte] ^= 0x40;
        store();
        expect_cut_at(found[count - 2].op_last);
    }
    free(whole);
}

/* ---- Anything before it was known to be durable ---- */

Test(scan, a_garbled_block_before_the_last_batch_is_damage)
{
    write_log(24, 4);
    load(1);
    struct found found[16];
    u32 count = batches(found, 16);
    for (u32 i = 0; i + 1 < count; i++) {
        for (u64 at = 0; at < found[i].bytes; at += BLOCK_BYTES) {
            u64 used = ((struct batch *)(void *)(image + found[i].offset))->bytes;
            u64 byte = found[i].offset + min_u64(at + 100, used - 1);
            image[byte] ^= 0x40;
            store();
            expect_damage(1, found[i].offset);
            image[byte] ^= 0x40;
        }
    }
    store();
    expect_cut_at(24);
}

Test(scan, a_lost_batch_in_the_middle_is_damage)
{
    write_log(24, 4);
    load(1);
    struct found found[16];
    batches(found, 16);
    memset(image + found[2].offset, 0, found[2].bytes);
    store();
    expect_damage(1, found[2].offset);
}

Test(scan, a_mark_covers_a_quiet_tail)
{
    cr_assert_eq(log_open(&log_, 0), 0, "%s", log_.error);
    log_write_until(&log_, 8, 4);
    log_wait_marks(&log_, wal_marks(log_.wal) + 1);
    log_close(&log_);
    load(1);
    struct found found[16];
    cr_assert_eq(batches(found, 16), 3);
    cr_assert_eq(found[2].entries, 0);
    image[found[1].offset + 200] ^= 1;
    store();
    expect_damage(1, found[1].offset);
    /* The mark itself may be lost. */
    image[found[1].offset + 200] ^= 1;
    image[found[2].offset + 20] ^= 1;
    store();
    expect_cut_at(8);
}

Test(scan, damage_is_seen_over_segments)
{
    write_log(300, 10);
    load(2);
    struct found found[64];
    u32 count = batches(found, 64);
    cr_assert_gt(count, 2);
    image[found[0].offset + 300] ^= 1;
    store();
    load(1);
    struct found before[64];
    u32 before_count = batches(before, 64);
    u64 end = before[before_count - 1].offset + before[before_count - 1].bytes;
    expect_damage(1, end); /* there the log would have gone on */
    cr_assert_eq(remove(path), 0);
    cr_assert_eq(log_open(&log_, 0), -EIO);
}

Test(scan, damage_where_the_log_begins_is_named)
{
    write_log(300, 10);
    load(1);
    image[300] ^= 1;
    store();
    expect_damage(1, 0);
}

Test(scan, a_missing_segment_is_damage)
{
    write_log(300, 10);
    cr_assert_eq(segment_path(path, log_.directory, 2), 0);
    cr_assert_eq(remove(path), 0);
    cr_assert_eq(log_open(&log_, 0), -EIO);
    cr_assert(strstr(log_.error, "damaged"), "%s", log_.error);
}

/* Its reserve is there, so it was begun: not an end that a crash could have left. */
Test(scan, a_missing_last_segment_is_damage)
{
    cr_assert_eq(log_open(&log_, 0), 0, "%s", log_.error);
    log_write_until(&log_, 300, 10);
    log_wait_reserve(&log_);
    log_close(&log_);
    u64 reserve = 1;
    for (struct found found; load(reserve), batches(&found, 1) > 0;) reserve++;
    cr_assert_gt(reserve, 2);
    cr_assert_eq(segment_path(path, log_.directory, reserve - 1), 0);
    cr_assert_eq(remove(path), 0);
    cr_assert_eq(log_open(&log_, 0), -EIO);
    char name[64];
    snprintf(name, sizeof name, "segment %016llx.log is missing", (unsigned long long)reserve - 1);
    cr_assert(strstr(log_.error, name), "%s", log_.error);
}

/* What another program has written is left to it, wherever it stands. */
Test(scan, sound_batches_of_another_store_or_format_are_never_cut)
{
    write_log(24, 4);
    load(1);
    u8 *whole = malloc(image_bytes);
    memcpy(whole, image, image_bytes);
    struct found found[16];
    u32 count = batches(found, 16);
    for (u32 i = 0; i < count; i++) {
        struct batch *batch = (struct batch *)(void *)(image + found[i].offset);
        batch->format_version++;
        batch_seal(batch);
        store();
        cr_assert_eq(log_open(&log_, 0), -EPROTONOSUPPORT, "%u: %s", i, log_.error);
        cr_assert(strstr(log_.error, "another format version"), "%s", log_.error);
        memcpy(image, whole, image_bytes);
        batch->store_id++;
        batch_seal(batch);
        store();
        cr_assert_eq(log_open(&log_, 0), -EINVAL, "%u: %s", i, log_.error);
        cr_assert(strstr(log_.error, "another store"), "%s", log_.error);
        memcpy(image, whole, image_bytes);
    }
    store();
    expect_cut_at(24);
    free(whole);
}

Test(scan, a_truncated_last_segment_is_torn_and_left)
{
    write_log(24, 4);
    load(1);
    struct found found[16];
    batches(found, 16);
    image_bytes = found[4].offset + BLOCK_BYTES; /* the file ends in the middle of a batch */
    store();
    expect_cut_at(found[3].op_last);
}

Test(scan, a_batch_of_another_place_is_noise)
{
    write_log(24, 4);
    load(1);
    struct found found[16];
    u32 count = batches(found, 16);
    u64 end = found[count - 1].offset + found[count - 1].bytes;
    memcpy(image + end, image + found[1].offset, found[1].bytes); /* a misdirected write */
    store();
    expect_cut_at(24);
}

/* Without WAL_SYNC a later batch may have reached the disk while an earlier one has not; nobody was told that
 * either is durable. */
Test(scan, unsynced_batches_may_be_lost_in_any_order)
{
    log_.config.durability = WAL_OFF;
    cr_assert_eq(log_open(&log_, 0), 0, "%s", log_.error);
    log_write_until(&log_, 8, 4);
    wal_sync(log_.wal);
    while (wal_synced_op(log_.wal) < 8) io_run(log_.io, true);
    log_write_until(&log_, 24, 4);
    log_close(&log_);
    load(1);
    struct found found[16];
    u32 count = batches(found, 16);
    cr_assert_eq(found[2].op_last > 8 ? found[2].op_last : found[3].op_last, 12);
    u32 lost = found[2].op_last > 8 ? 2 : 3; /* a mark may stand in between */
    memset(image + found[lost].offset, 0, BLOCK_BYTES);
    store();
    expect_cut_at(8);
    (void)count;
}

Test(scan, files_that_are_no_segments_are_left_alone)
{
    write_log(8, 4);
    char other[4096];
    cr_assert(snprintf(other, sizeof other, "%.4000s/README", log_.directory) > 0);
    file_spill(other, "hello", 5);
    expect_cut_at(8);
    u64 bytes;
    free(file_slurp(other, &bytes));
    cr_assert_eq(bytes, 5);
}
