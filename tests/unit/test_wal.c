#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/support/directory.h"
#include "tests/support/log.h"
#include "durable/batch.h"
#include "port/file.h"

static struct log_fixture log_;

static void setup(void) { log_setup(&log_); }

static void teardown(void) { log_teardown(&log_); }

TestSuite(wal, .init = setup, .fini = teardown);

static void reopen_expecting(u64 after_op, u64 last)
{
    cr_assert_eq(log_open(&log_, after_op), 0, "%s", log_.error);
    cr_assert_not(log_.replay_wrong);
    cr_assert_eq(wal_last_op(log_.wal), last);
    cr_assert_eq(log_.ops_replayed, last - after_op);
}

Test(wal, a_new_log_is_empty)
{
    reopen_expecting(0, 0);
    cr_assert(wal_idle(log_.wal));
    cr_assert_eq(wal_checksum(log_.wal), 0);
    log_close(&log_);
    reopen_expecting(0, 0);
}

Test(wal, what_was_written_is_replayed)
{
    reopen_expecting(0, 0);
    log_write_until(&log_, 100, 7);
    cr_assert_eq(wal_durable_op(log_.wal), 100);
    cr_assert_eq(wal_synced_op(log_.wal), 100);
    cr_assert_gt(log_.durable_calls, 0);
    u64 checksum = wal_checksum(log_.wal);
    log_close(&log_);
    reopen_expecting(0, 100);
    cr_assert_eq(wal_checksum(log_.wal), checksum);
    log_write_until(&log_, 130, 1);
    log_close(&log_);
    reopen_expecting(0, 130);
    log_close(&log_);
    log_.config.after_checksum = checksum;
    reopen_expecting(100, 130);
}

Test(wal, nothing_is_durable_before_its_write_is_done)
{
    reopen_expecting(0, 0);
    wal_append(log_.wal, 1, 10, log_frame(1));
    cr_assert_eq(wal_durable_op(log_.wal), 0);
    wal_submit(log_.wal);
    wal_append(log_.wal, 2, 20, log_frame(2));
    cr_assert_eq(wal_durable_op(log_.wal), 0);
    cr_assert_not(wal_idle(log_.wal));
    while (wal_durable_op(log_.wal) < 1) io_run(log_.io, true);
    cr_assert_eq(wal_durable_op(log_.wal), 1);
    while (wal_durable_op(log_.wal) < 2) io_run(log_.io, true); /* went out by itself */
    cr_assert(wal_idle(log_.wal));
}

Test(wal, many_segments)
{
    reopen_expecting(0, 0);
    log_write_until(&log_, 1500, 20);
    cr_assert_gt(wal_bytes(log_.wal), 10 * log_.config.segment_bytes);
    u64 all = wal_bytes_since(log_.wal, 0);
    cr_assert_gt(all, 4000 * 1500);
    cr_assert_eq(wal_bytes_since(log_.wal, 1500), 0);
    u64 half = wal_bytes_since(log_.wal, 750);
    cr_assert(half > all / 3 && half < all * 2 / 3);
    log_close(&log_);
    reopen_expecting(0, 1500);
}

Test(wal, segments_are_recycled)
{
    reopen_expecting(0, 0);
    for (u64 op = 100; op <= 6000; op += 100) {
        log_write_until(&log_, op, 20);
        wal_recycle(log_.wal, op - 50);
    }
    cr_assert_lt(wal_bytes(log_.wal), 24 * log_.config.segment_bytes);
    log_write_until(&log_, 6050, 20);
    u64 checksum = wal_checksum(log_.wal);
    log_write_until(&log_, 6120, 3);
    log_close(&log_);
    log_.config.after_checksum = checksum;
    reopen_expecting(6050, 6120);
    /* The stale bytes of the segments' former lives were not taken for anything. */
    log_write_until(&log_, 6300, 11);
    log_close(&log_);
    reopen_expecting(6050, 6300);
}

Test(wal, an_absent_log_continues_behind_the_store)
{
    log_.config.after_checksum = 4711;
    reopen_expecting(500, 500);
    cr_assert_eq(wal_checksum(log_.wal), 4711);
    log_write_until(&log_, 520, 3);
    log_close(&log_);
    reopen_expecting(500, 520);
    log_close(&log_);
    log_.config.after_checksum = 4712;
    cr_assert_eq(log_open(&log_, 500), -EIO);
    cr_assert(strstr(log_.error, "do not belong together"), "%s", log_.error);
}

Test(wal, a_gap_behind_the_store_is_refused)
{
    log_.config.after_checksum = 4711;
    reopen_expecting(500, 500);
    log_write_until(&log_, 520, 3);
    log_close(&log_);
    cr_assert_eq(log_open(&log_, 400), -EIO);
    cr_assert(strstr(log_.error, "segments are missing"), "%s", log_.error);
    cr_assert_eq(log_open(&log_, 600), -EIO);
    cr_assert(strstr(log_.error, "end of the log is missing"), "%s", log_.error);
}

Test(wal, logs_of_others_are_refused)
{
    reopen_expecting(0, 0);
    log_write_until(&log_, 20, 3);
    u64 checksum = wal_checksum(log_.wal);
    log_close(&log_);
    log_.config.store_id++;
    cr_assert_eq(log_open(&log_, 0), -EINVAL);
    cr_assert(strstr(log_.error, "belongs to another store"), "%s", log_.error);
    log_.config.store_id--;
    log_.config.machine_version++;
    cr_assert_eq(log_open(&log_, 0), -EPROTONOSUPPORT);
    cr_assert(strstr(log_.error, "state machine version 3"), "%s", log_.error);
    /* After a graceful stop the store covers all of it. */
    log_.config.after_checksum = checksum;
    reopen_expecting(20, 20);
    log_write_until(&log_, 30, 3);
    log_close(&log_);
    reopen_expecting(20, 30);
}

Test(wal, a_quiet_tail_gets_one_mark)
{
    reopen_expecting(0, 0);
    log_write_until(&log_, 10, 5);
    log_wait_marks(&log_, 1);
    cr_assert_eq(wal_marks(log_.wal), 1);
    log_write_until(&log_, 20, 5);
    log_wait_marks(&log_, 2);
    cr_assert_eq(wal_marks(log_.wal), 2);
    log_close(&log_);
    reopen_expecting(0, 20);
}

Test(wal, a_tail_that_a_start_finds_gets_its_mark)
{
    reopen_expecting(0, 0);
    log_write_until(&log_, 10, 5);
    log_close(&log_);
    reopen_expecting(0, 10);
    log_wait_marks(&log_, 1);
    cr_assert_eq(wal_marks(log_.wal), 1);
}

Test(wal, the_open_batch_has_an_end)
{
    reopen_expecting(0, 0);
    wal_append(log_.wal, 1, 10, log_frame(1));
    wal_submit(log_.wal);
    u64 op = 2, left_bytes = log_.config.batch_bytes - sizeof(struct batch) - sizeof(struct batch_entry);
    while (wal_room(log_.wal, log_frame(op)->size)) {
        cr_assert_not(wal_room(log_.wal, (u32)left_bytes + 8));
        left_bytes -= sizeof(struct batch_entry) + log_frame(op)->size;
        wal_append(log_.wal, op, op * 10, log_frame(op));
        op++;
        cr_assert_lt(op, 2000);
    }
    cr_assert_not(wal_full(log_.wal));
    log_drain(&log_);
    cr_assert(wal_room(log_.wal, log_frame(op)->size));
    log_close(&log_);
    reopen_expecting(0, op - 1);
}

static void mode_writes_and_replays(enum wal_durability mode)
{
    log_.config.durability = mode;
    reopen_expecting(0, 0);
    wal_append(log_.wal, 1, 10, log_frame(1));
    wal_submit(log_.wal);
    cr_assert_eq(wal_durable_op(log_.wal), 0, "still in the memory of the process");
    while (wal_durable_op(log_.wal) < 1) io_run(log_.io, true);
    cr_assert_eq(wal_synced_op(log_.wal), 1, "the first batch of a segment is durable in every mode");
    wal_append(log_.wal, 2, 20, log_frame(2));
    wal_submit(log_.wal);
    while (wal_durable_op(log_.wal) < 2) io_run(log_.io, true);
    cr_assert_eq(wal_synced_op(log_.wal), 1, "replies do not wait for the disk");
    cr_assert_eq(log_.durable_calls, 2);
    log_write_until(&log_, 800, 20);
    wal_sync(log_.wal);
    while (wal_synced_op(log_.wal) < 800) io_run(log_.io, true);
    log_write_until(&log_, 900, 20);
    log_close(&log_);
    reopen_expecting(0, 900);
}

Test(wal, interval_mode) { mode_writes_and_replays(WAL_INTERVAL); }

Test(wal, interval_syncs_by_itself)
{
    log_.config.durability = WAL_INTERVAL;
    reopen_expecting(0, 0);
    log_write_until(&log_, 10, 2);
    while (wal_synced_op(log_.wal) < 10) io_run(log_.io, true);
    log_wait_marks(&log_, 1);
}

Test(wal, interval_syncs_while_commands_keep_coming)
{
    log_.config.durability = WAL_INTERVAL;
    log_.config.segment_bytes = 16 << 20; /* left only when it is durable: not to happen here */
    reopen_expecting(0, 0);
    log_write_until(&log_, 10, 2);
    for (u32 turn = 0; wal_synced_op(log_.wal) < 10; turn++) {
        cr_assert_lt(turn, 1000u);
        for (u32 i = 0; i < 2; i++) { /* one is written, one waits for that */
            u64 op = wal_last_op(log_.wal) + 1;
            wal_append(log_.wal, op, op * 10, log_frame(op));
            wal_submit(log_.wal);
        }
        io_run(log_.io, true);
    }
}

Test(wal, off_mode) { mode_writes_and_replays(WAL_OFF); }

Test(wal, a_close_forgets_what_was_not_submitted)
{
    reopen_expecting(0, 0);
    log_write_until(&log_, 10, 2);
    wal_append(log_.wal, 11, 110, log_frame(11));
    log_close(&log_);
    reopen_expecting(0, 10);
}

Test(wal, a_full_disk_shows_before_anything_is_applied)
{
    reopen_expecting(0, 0);
    log_close(&log_);
    /* The segment in use can be written to its end, but no file as large as the next one can be made. */
    struct rlimit limit, before;
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = log_.config.segment_bytes;
    log_.config.segment_bytes *= 2;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    reopen_expecting(0, 0);
    while (!wal_full(log_.wal)) io_run(log_.io, true);
    /* What must still be logged finds room up to the end of the segment, and not behind it. */
    u64 op = 1;
    for (; wal_room(log_.wal, log_frame(op)->size); op++) {
        wal_append(log_.wal, op, op * 10, log_frame(op));
        log_drain(&log_);
        cr_assert_lt(op, 1000);
    }
    cr_assert_gt(op, 20);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    log_wait_reserve(&log_); /* tried again by itself */
    cr_assert_not(wal_full(log_.wal));
    cr_assert(wal_room(log_.wal, log_frame(op)->size));
    cr_assert_str_empty(log_.failure);
    log_write_until(&log_, op + 200, 20);
    log_close(&log_);
    reopen_expecting(0, op + 200);
}

Test(wal, a_failed_write_is_final)
{
    reopen_expecting(0, 0);
    log_write_until(&log_, 5, 1);
    u64 durable = wal_durable_op(log_.wal);
    struct rlimit limit, before;
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 4096;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    wal_append(log_.wal, 6, 60, log_frame(6));
    log_drain(&log_);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    cr_assert(strstr(log_.failure, "writing log segment"), "%s", log_.failure);
    cr_assert_not(wal_room(log_.wal, 64));
    cr_assert_eq(wal_durable_op(log_.wal), durable);
    log_close(&log_);
    reopen_expecting(0, 5);
}

/* Wherever in a segment the log falls quiet, there is room for the mark behind. */
Test(wal, every_quiet_tail_gets_its_mark)
{
    log_.config.batch_bytes = 32 << 10;
    log_.config.segment_bytes = log_.config.batch_bytes + BLOCK_BYTES;
    cr_assert_eq(log_open(&log_, 0), 0, "%s", log_.error);
    for (u64 op = 1; op <= 120; op++) {
        log_write_until(&log_, op + op % 9, 20);
        op += op % 9;
        u64 marks = wal_marks(log_.wal); /* where it waits for the next segment there may have been one, too */
        log_wait_marks(&log_, marks + 1);
        cr_assert_eq(wal_marks(log_.wal), marks + 1, "op %llu", (unsigned long long)op);
    }
}
