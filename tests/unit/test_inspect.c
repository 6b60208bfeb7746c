#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "durable/inspect.h"
#include "durable/segment.h"
#include "tests/support/directory.h"
#include "tests/support/log.h"

static struct log_fixture log_;

static void setup(void) { log_setup(&log_); }

static void teardown(void) { log_teardown(&log_); }

TestSuite(inspect, .init = setup, .fini = teardown);

struct seen {
    u64 segments, batches, entries, op, segment_entries;
    u64 stop_at_op;
    bool wrong;
};

static i32 on_segment(void *owner, const struct inspect_segment *segment)
{
    struct seen *seen = owner;
    seen->segments++;
    seen->segment_entries += segment->entries;
    if (segment->batches > 0 && segment->op_last != seen->op) seen->wrong = true;
    return 0;
}

static i32 on_batch(void *owner, const struct inspect_batch *batch)
{
    struct seen *seen = owner;
    seen->batches++;
    if (batch->first_op != seen->op + 1 || batch->seq != seen->batches) seen->wrong = true;
    if (batch->durable_seq >= batch->seq || batch->store_id != LOG_STORE_ID) seen->wrong = true;
    if (batch->follows != (batch->seq > 1) || batch->machine_version != LOG_MACHINE) seen->wrong = true;
    return 0;
}

static i32 on_entry(void *owner, const struct inspect_entry *entry)
{
    struct seen *seen = owner;
    seen->entries++;
    if (entry->op != ++seen->op || !entry->sound || entry->time_ms != entry->op * 10) seen->wrong = true;
    const struct tkd_frame *expected = log_frame(entry->op);
    if (memcmp(entry->frame, expected, expected->size) != 0) seen->wrong = true;
    return seen->stop_at_op == seen->op ? 7 : 0;
}

static struct inspect_summary summary;

static i32 inspect(struct seen *seen, bool verify)
{
    struct inspect_config config = {.directory = log_.directory,
                                    .verify = verify,
                                    .segment = on_segment,
                                    .batch = on_batch,
                                    .entry = on_entry,
                                    .owner = seen};
    return wal_inspect(&config, &summary, log_.error, sizeof log_.error);
}

static u64 write_log(u64 ops)
{
    cr_assert_eq(log_open(&log_, 0), 0, "%s", log_.error);
    log_write_until(&log_, ops, 7);
    log_wait_marks(&log_, wal_marks(log_.wal) + 1);
    u64 checksum = wal_checksum(log_.wal);
    log_close(&log_);
    return checksum;
}

Test(inspect, everything_is_shown)
{
    u64 checksum = write_log(500);
    struct seen seen = {0};
    cr_assert_eq(inspect(&seen, true), 0, "%s", log_.error);
    cr_assert_not(seen.wrong);
    cr_assert_eq(seen.entries, 500);
    cr_assert_eq(seen.segment_entries, 500);
    cr_assert_eq(summary.entries, 500);
    cr_assert_eq(summary.op_first, 1);
    cr_assert_eq(summary.op_last, 500);
    cr_assert_eq(summary.checksum, checksum);
    cr_assert_geq(summary.marks, 1);
    cr_assert_eq(summary.batches, seen.batches);
    cr_assert_gt(summary.segments, 5);
    cr_assert_eq(summary.unsound, 0);
}

Test(inspect, it_stops_when_told)
{
    write_log(50);
    struct seen seen = {.stop_at_op = 20};
    cr_assert_eq(inspect(&seen, false), 7);
    cr_assert_eq(seen.entries, 20);
}

Test(inspect, without_callbacks_it_counts)
{
    write_log(50);
    struct inspect_config config = {.directory = log_.directory};
    cr_assert_eq(wal_inspect(&config, &summary, log_.error, sizeof log_.error), 0);
    cr_assert_eq(summary.entries, 50);
}

Test(inspect, it_looks_while_the_log_is_in_use)
{
    cr_assert_eq(log_open(&log_, 0), 0, "%s", log_.error);
    log_write_until(&log_, 100, 7);
    struct seen seen = {0};
    cr_assert_eq(inspect(&seen, true), 0, "%s", log_.error);
    cr_assert_eq(seen.entries, 100);
    log_write_until(&log_, 120, 7);
    cr_assert_str_empty(log_.failure);
}

Test(inspect, damage_is_named)
{
    write_log(500);
    char path[4096];
    cr_assert_eq(segment_path(path, log_.directory, 2), 0);
    u64 bytes;
    u8 *image = file_slurp(path, &bytes);
    image[300] ^= 1;
    file_spill(path, image, bytes);
    free(image);
    struct seen seen = {0};
    cr_assert_eq(inspect(&seen, false), 0);
    cr_assert_lt(seen.entries, 500);
    cr_assert_eq(inspect(&seen, true), -EIO);
    cr_assert(strstr(log_.error, "the log is damaged"), "%s", log_.error);
}

Test(inspect, it_compares_with_the_store)
{
    u64 checksum = write_log(50);
    struct inspect_config config = {
        .directory = log_.directory, .verify = true, .after_op = 50, .after_checksum = checksum};
    cr_assert_eq(wal_inspect(&config, &summary, log_.error, sizeof log_.error), 0, "%s", log_.error);
    config.after_checksum++;
    cr_assert_eq(wal_inspect(&config, &summary, log_.error, sizeof log_.error), -EIO);
    config.after_op = 60;
    cr_assert_eq(wal_inspect(&config, &summary, log_.error, sizeof log_.error), -EIO);
    cr_assert(strstr(log_.error, "end of the log is missing"), "%s", log_.error);
}

Test(inspect, no_log_is_explained)
{
    struct inspect_config config = {.directory = "/no/such/log", .verify = true};
    cr_assert_eq(wal_inspect(&config, &summary, log_.error, sizeof log_.error), -ENOENT);
    cr_assert(strstr(log_.error, "cannot open the log"), "%s", log_.error);
    config.directory = log_.directory;
    cr_assert_eq(wal_inspect(&config, &summary, log_.error, sizeof log_.error), 0, "%s", log_.error);
    cr_assert_eq(segments_unused_remove(log_.directory), 0);
    cr_assert_eq(wal_inspect(&config, &summary, log_.error, sizeof log_.error), -EIO);
    cr_assert(strstr(log_.error, "the log is missing"), "%s", log_.error);
}
