#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/prng.h"
#include "port/file.h"
#include "tests/support/directory.h"
#include "tests/support/house.h"

static struct house house;
static struct rig *rig;

/* A desk that lives: tickets come, are worked on, are resolved and closed. */
static void script(u32 tickets, u32 seed)
{
    u32 state = seed;
    for (u32 i = 0; i < tickets; i++) {
        state = state * 1664525 + 1013904223;
        char key[32];
        snprintf(key, sizeof key, "k%u-%u", seed, i);
        struct tkd_ticket_create create = {.channel = 1, .queue = (u16)(1 + (state >> 8) % 3)};
        u64 id = rig_create_with(rig, &create, key, key).id;
        rig->now_ms += (state >> 12) % 5000;
        if (id == 0) continue;
        if ((state >> 16) % 3 == 0) rig_verb(rig, id, TKD_VERB_NOTE, 0, "looked at it");
        if ((state >> 20) % 2 == 0) rig_verb(rig, id, TKD_VERB_RESOLVE, 0, "done");
        if ((state >> 22) % 4 == 0) rig_verb(rig, id, TKD_VERB_CLOSE, 0, "");
    }
    rig_settle(rig);
}

static void setup(void)
{
    rig = rig_create();
    rig_small_desk(rig);
    for (u32 agent = 1; agent <= 4; agent++) rig_presence(rig, agent, TKD_PRESENCE_ONLINE);
    house_create(&house);
    cr_assert_eq(house_open(&house), 0, "%s", house.error);
    cr_assert(house.recovery.created);
}

static void teardown(void)
{
    house_destroy(&house);
    rig_destroy(rig);
}

TestSuite(checkpoint, .init = setup, .fini = teardown);

static void reopen(void)
{
    cr_assert_eq(house_open(&house), 0, "%s", house.error);
    cr_assert_not(house.recovery.created);
    state_validate(house.recovery.state);
}

/* What is taken for stored may leave memory. */
static void stored_check(void)
{
    u64 last;
    cr_assert_eq(store_event_last(house.recovery.store, &last), 0);
    cr_assert_leq(state_events_read(house.recovery.state)->stored_seq, last);
}

static void feed_all(u32 per_turn)
{
    while (house_feed(&house, rig, per_turn)) {
        house_turn(&house, false);
        stored_check();
    }
    house_drain(&house);
    cr_assert_str_empty(house.failure);
    cr_assert_eq(state_digest(house.recovery.state, false), state_digest(rig->state, false));
}

Test(checkpoint, without_one_the_log_gives_everything_back)
{
    script(200, 1);
    house.checkpointing.log_bytes = 1ull << 30;
    house_kill(&house);
    reopen();
    feed_all(10);
    u64 digest = house_digest(&house), op = state_op(house.recovery.state);
    house_kill(&house);
    reopen();
    cr_assert_eq(house_digest(&house), digest);
    cr_assert_eq(house.recovery.commands, op);
    cr_assert_eq(house.recovery.root.op, 0);
}

Test(checkpoint, a_requested_one_covers_everything)
{
    script(200, 2);
    feed_all(10);
    u64 digest = house_digest(&house), op = state_op(house.recovery.state);
    cr_assert_eq(house_checkpoint(&house, NULL), 0);
    cr_assert_eq(checkpoint_root(house.checkpoint)->op, op);
    cr_assert_eq(wal_bytes_since(house.recovery.wal, op), 0);
    u64 count = checkpoint_count(house.checkpoint);
    cr_assert_eq(house_checkpoint(&house, NULL), 0); /* nothing to do */
    cr_assert_eq(checkpoint_count(house.checkpoint), count);
    house_check_events(&house);
    house_close(&house);
    reopen();
    cr_assert_eq(house.recovery.commands, 0);
    cr_assert_gt(house.recovery.chunks, 0);
    cr_assert_eq(house_digest(&house), digest);
    script(50, 3);
    feed_all(3);
}

Test(checkpoint, rows_and_events_move_while_the_desk_goes_on)
{
    script(4000, 4);
    house.checkpointing.log_bytes = 200u << 10;
    house_kill(&house);
    reopen();
    feed_all(5);
    cr_assert_gt(checkpoint_count(house.checkpoint), 1); /* by the size of the log */
    house_check_events(&house);
    u64 digest = house_digest(&house);
    house_kill(&house);
    reopen();
    cr_assert_gt(house.recovery.root.op, 0);
    cr_assert_eq(house_digest(&house), digest);
    house_check_events(&house);
}

/* Whoever sends as much as is taken is slowed, not stopped until the checkpoint is done; and the log stays bounded. */
Test(checkpoint, intake_becomes_as_fast_as_rows_are_copied)
{
    script(4000, 14);
    house.checkpointing.log_bytes = 100u << 10;
    house.checkpointing.slice_us = 1;
    house_kill(&house);
    reopen();
    u32 released = 0;
    for (bool more = true; more;) {
        u32 commands = state_snapshot_running(house.recovery.state) ? 2000 : 20;
        for (u32 i = 0; i < commands && more && !checkpoint_slow(house.checkpoint); i++)
            more = house_feed(&house, rig, 1);
        u64 log_bytes = wal_bytes_since(house.recovery.wal, checkpoint_root(house.checkpoint)->op);
        cr_assert_leq(log_bytes, 4 * house.checkpointing.log_bytes);
        bool slow = checkpoint_slow(house.checkpoint);
        house_turn(&house, slow);
        released += slow && !checkpoint_slow(house.checkpoint) && state_snapshot_running(house.recovery.state);
    }
    cr_assert_gt(released, 3 * checkpoint_count(house.checkpoint));
    feed_all(1);
}

Test(checkpoint, killed_anywhere_nothing_acknowledged_is_lost)
{
    script(1500, 5);
    struct prng prng = prng_seeded(5);
    u64 acknowledged = 0;
    bool more = true;
    while (more) {
        u32 turns = (u32)prng_below(&prng, 60);
        for (u32 i = 0; i < turns && more; i++) {
            more = house_feed(&house, rig, 1 + (u32)prng_below(&prng, 12));
            if (prng_below(&prng, 20) == 0) wal_sync(house.recovery.wal);
            house_turn(&house, false);
        }
        acknowledged = house.acknowledged_op;
        house_kill(&house);
        reopen();
        cr_assert_geq(state_op(house.recovery.state), acknowledged);
        more = more || state_op(house.recovery.state) < acknowledged;
        if (!more) more = house_feed(&house, rig, 1);
    }
    feed_all(10);
    house_check_events(&house);
}

Test(checkpoint, killed_in_the_middle_of_a_snapshot_the_old_one_counts)
{
    script(600, 6);
    house_feed(&house, rig, 2000000);
    house_drain(&house);
    u64 digest = house_digest(&house), op = state_op(house.recovery.state);
    for (u32 turns = 0; turns < 40; turns += 3) {
        house.checkpointing.log_bytes = 1; /* begin at once */
        house_kill(&house);
        reopen();
        for (u32 i = 0; i < turns; i++) house_turn(&house, false);
        house_kill(&house);
        reopen();
        cr_assert_eq(state_op(house.recovery.state), op);
        cr_assert_eq(house_digest(&house), digest);
        house_check_events(&house);
    }
}

static void mode_runs(enum wal_durability mode)
{
    house.config.wal.durability = mode;
    house_kill(&house);
    reopen();
    script(1500, 7);
    feed_all(5);
    cr_assert_eq(house_checkpoint(&house, NULL), 0);
    house_check_events(&house);
    u64 digest = house_digest(&house);
    house_close(&house);
    reopen();
    cr_assert_eq(house_digest(&house), digest);
}

Test(checkpoint, with_interval_durability) { mode_runs(WAL_INTERVAL); }

Test(checkpoint, with_durability_off) { mode_runs(WAL_OFF); }

Test(checkpoint, events_are_stored_when_they_have_waited)
{
    script(3, 8);
    house.checkpointing.log_bytes = 1ull << 30;
    house_kill(&house);
    reopen();
    feed_all(100);
    const struct event_log *log = state_events_read(house.recovery.state);
    while (log->stored_seq + 1 < log->seq_next) house_turn(&house, true);
    u64 last;
    cr_assert_eq(store_event_last(house.recovery.store, &last), 0);
    cr_assert_eq(last, log->seq_next - 1);
    cr_assert_eq(checkpoint_root(house.checkpoint)->op, 0); /* the rows were not touched */
    while (checkpoint_running(house.checkpoint)) house_turn(&house, true);
    u64 digest = house_digest(&house);
    house_kill(&house);
    reopen();
    cr_assert_eq(house_digest(&house), digest);
}

Test(checkpoint, a_full_disk_is_seen_before_the_store_is_written)
{
    script(100, 13);
    house.checkpointing.disk_room_bytes = 2 * store_disk_room(house.recovery.store);
    house_kill(&house);
    reopen();
    cr_assert_not(checkpoint_full(house.checkpoint));
    feed_all(10);
    u64 last = 0; /* of what a commit stores that had no room */
    while (!checkpoint_full(house.checkpoint) && last == 0) {
        house_turn(&house, true);
        cr_assert_eq(store_event_last(house.recovery.store, &last), 0);
    }
    cr_assert(checkpoint_full(house.checkpoint));
    cr_assert_eq(house_checkpoint(&house, NULL), -ENOSPC);
    u64 digest = house_digest(&house);
    cr_assert_eq(store_event_last(house.recovery.store, &last), 0);
    cr_assert_eq(last, 0);
    cr_assert_str_empty(house.failure);
    /* When there is room again, the log has everything. */
    house.checkpointing.disk_room_bytes = 1;
    house_kill(&house);
    reopen();
    cr_assert_eq(house_digest(&house), digest);
    cr_assert_eq(house_checkpoint(&house, NULL), 0);
    cr_assert_not(checkpoint_full(house.checkpoint));
}

/* ---- Backups ---- */

static void on_backup(struct checkpoint_request *request, i32 result) { *(i32 *)request->owner = result; }

Test(checkpoint, a_backup_is_a_data_directory)
{
    script(300, 9);
    feed_all(10);
    u64 digest = house_digest(&house), op = state_op(house.recovery.state);
    cr_assert_eq(house_checkpoint(&house, "monday-1.0"), 0);
    cr_assert_eq(house_checkpoint(&house, "monday-1.0"), -EEXIST);
    script(100, 10);
    feed_all(10);
    cr_assert_eq(house_checkpoint(&house, "tuesday"), 0);
    u64 digest_later = house_digest(&house);
    house_close(&house);
    char copy[4096];
    cr_assert_eq(file_join(copy, house.backups, "monday-1.0"), 0);
    house.config.data = copy;
    reopen();
    cr_assert_eq(state_op(house.recovery.state), op);
    cr_assert_eq(house_digest(&house), digest);
    house_check_events(&house);
    /* It lives on. */
    feed_all(10);
    cr_assert_eq(house_digest(&house), digest_later);
    house_kill(&house);
    reopen();
    cr_assert_eq(house_digest(&house), digest_later);
}

Test(checkpoint, backups_under_load_can_be_started)
{
    enum { BACKUPS = 6 };
    struct checkpoint_request requests[BACKUPS];
    i32 results[BACKUPS];
    u32 begun = 0, ended = 0;
    script(4000, 14);
    house.checkpointing.event_flush_bytes = 4096;
    house.checkpointing.slice_us = 1;
    house_kill(&house);
    reopen();
    for (u32 turn = 0; ended < BACKUPS; turn++) {
        if (begun < BACKUPS && turn >= 100 + begun * 10) { /* before the first one is done */
            requests[begun] = (struct checkpoint_request){.done = on_backup, .owner = &results[begun]};
            snprintf(requests[begun].backup, sizeof requests[begun].backup, "copy%u", begun);
            results[begun] = 1;
            checkpoint_request(house.checkpoint, &requests[begun++]);
        }
        bool more = house_feed(&house, rig, 1);
        house_turn(&house, !more);
        ended = 0;
        for (u32 i = 0; i < begun; i++) ended += results[i] != 1;
    }
    house_close(&house);
    for (u32 i = 0; i < BACKUPS; i++) {
        char copy[4096];
        cr_assert_eq(results[i], 0);
        cr_assert_eq(file_join(copy, house.backups, requests[i].backup), 0);
        house.config.data = copy;
        reopen();
        cr_assert_geq(state_op(house.recovery.state), requests[i].op);
        house_check_events(&house);
        house_close(&house);
    }
    house.config.data = house.data;
    reopen();
    feed_all(10);
}

/* However steady the load is: the store stands still at the root that a backup waits for. */
Test(checkpoint, each_backup_takes_one_checkpoint_under_load)
{
    enum { BACKUPS = 8 };
    bool more = true;
    script(4000, 18);
    house.checkpointing.log_bytes = 1ull << 40;
    house.checkpointing.event_flush_bytes = 1;
    house.checkpointing.slice_us = 1;
    house_kill(&house);
    reopen();
    for (u32 backup = 1; backup <= BACKUPS; backup++) {
        i32 result = 1;
        struct checkpoint_request request = {.done = on_backup, .owner = &result};
        snprintf(request.backup, sizeof request.backup, "copy%u", backup);
        for (u32 turn = 0; turn < 200; turn++) {
            more = more && house_feed(&house, rig, 1);
            house_turn(&house, more);
        }
        checkpoint_request(house.checkpoint, &request);
        while (result == 1) {
            more = more && house_feed(&house, rig, 1);
            house_turn(&house, true);
            cr_assert_leq(checkpoint_count(house.checkpoint), backup);
        }
        cr_assert_eq(result, 0);
    }
}

/* The store fails while a copy gets its name, or just before or behind that: who asked for it is told once. */
Test(checkpoint, a_store_that_fails_takes_the_backup_with_it)
{
    script(2000, 16);
    house.checkpointing.event_flush_bytes = 4096;
    for (u32 i = 0; i < 8; i++) {
        i32 result = 1;
        struct checkpoint_request request = {.done = on_backup, .owner = &result};
        struct broken_file broken;
        char path[4096];
        house_kill(&house);
        reopen();
        house_feed(&house, rig, 100);
        snprintf(request.backup, sizeof request.backup, "copy%u", i);
        cr_assert_eq(file_join(path, house.backups, request.backup), 0);
        checkpoint_request(house.checkpoint, &request);
        while (checkpoint_root(house.checkpoint)->op < request.op) house_turn(&house, false);
        house_feed(&house, rig, 200); /* to be stored behind the copy */
        while (file_exists(path) != 1 && result == 1) house_turn(&house, false);
        broken_file_make(&broken, "/store/data.mdb");
        house_feed(&house, rig, 100);
        while (house.failure[0] == 0) house_turn(&house, false);
        house.failure[0] = 0;
        house_kill(&house);
        broken_file_forget(&broken);
        cr_assert_neq(result, 1);
        cr_assert_eq(house_open(&house), 0, "%s", house.error);
    }
}

/* Less room than what a copy may take: it is refused, and the desk goes on. */
Test(checkpoint, a_backup_leaves_the_desk_its_room)
{
    script(3, 15);
    feed_all(10);
    cr_assert_eq(house_checkpoint(&house, NULL), 0);
    house.checkpointing.disk_room_bytes = store_disk_room(house.recovery.store) / 2 * 3;
    house_kill(&house);
    reopen();
    cr_assert_eq(house_checkpoint(&house, "sunday"), -ENOSPC);
    cr_assert_eq(file_exists(house.backups), 0);
    cr_assert_str_empty(house.failure);
}

/* Neither does the copy eat what the desk needs: room for both is asked for. */
Test(checkpoint, a_backup_asks_for_the_room_of_its_copy_too)
{
    struct rlimit before, few;
    script(1000, 17);
    feed_all(10);
    house.checkpointing.disk_room_bytes = 4096;
    house_kill(&house);
    reopen();
    cr_assert_eq(house_checkpoint(&house, NULL), 0);
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    few = before;
    few.rlim_cur = 2 * store_bytes(house.recovery.store); /* the copy would find it */
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &few), 0);
    cr_assert_eq(house_checkpoint(&house, "sunday"), -ENOSPC);
    cr_assert_eq(file_exists(house.backups), 0);
    few.rlim_cur += 64 << 10; /* what the checkpoint of the backup may add */
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &few), 0);
    cr_assert_eq(house_checkpoint(&house, "sunday"), 0);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    cr_assert_str_empty(house.failure);
}

Test(checkpoint, names_of_backups_are_checked)
{
    script(3, 11);
    feed_all(10);
    const char *bad[] = {".",
                         "..",
                         ".hidden",
                         "a/b",
                         "a b",
                         "ä",
                         "12345678901234567890123456789012345678901234567890123456789012345"};
    for (u32 i = 0; i < ARRAY_COUNT(bad); i++)
        cr_assert_eq(house_checkpoint(&house, bad[i]), -EINVAL, "%s", bad[i]);
    cr_assert_eq(file_exists(house.backups), 0);
}

Test(checkpoint, an_interrupted_backup_does_not_block_its_name)
{
    script(3, 12);
    feed_all(10);
    char path[4096];
    cr_assert_eq(file_join(path, house.backups, ".friday.partial/store"), 0);
    cr_assert_eq(file_make_directory(path), 1);
    cr_assert_eq(file_join(path, house.backups, ".friday.partial/store/data.mdb"), 0);
    file_spill(path, "half", 4);
    cr_assert_eq(house_checkpoint(&house, "friday"), 0);
}
