#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "durable/segment.h"
#include "port/file.h"
#include "tests/support/directory.h"
#include "tests/support/house.h"

static struct house house;
static struct rig *rig;

static void setup(void)
{
    rig = rig_create();
    rig_small_desk(rig);
    for (u32 i = 0; i < 300; i++) rig_create_ticket(rig, 1 + i % 3, 0);
    house_create(&house);
    cr_assert_eq(house_open(&house), 0, "%s", house.error);
}

static void teardown(void)
{
    house_destroy(&house);
    rig_destroy(rig);
}

TestSuite(recovery, .init = setup, .fini = teardown);

static void fill(void)
{
    while (house_feed(&house, rig, 5)) house_turn(&house, false);
    house_drain(&house);
}

static void expect_refusal(i32 result, const char *reason)
{
    cr_assert_eq(house_open(&house), result, "%s", house.error);
    cr_assert(strstr(house.error, reason), "%s", house.error);
    cr_assert(strstr(house.error, "remedy"), "%s", house.error);
    cr_assert_null(house.recovery.wal);
    cr_assert_null(house.recovery.store);
}

/* The root as a commit of another program would have left it. */
static void job_done(struct store_job *job, i32 result) { *(i32 *)job->owner = result; }

static void job_run(struct store *store, struct store_job job)
{
    i32 result = 1;
    job.done = job_done;
    job.owner = &result;
    store_submit(store, &job);
    while (result == 1) io_run(house.io, true);
    cr_assert_eq(result, 0);
}

static void store_change(void (*change)(struct store_root *root), const struct tkd_event *event)
{
    char path[4096];
    cr_assert_eq(file_join(path, house.data, "store"), 0);
    struct store *store;
    cr_assert_eq(store_open(&store, path, house.io, house.error, sizeof house.error), 0);
    struct store_job commit = {.kind = STORE_COMMIT};
    cr_assert_eq(store_root_read(store, &commit.root), 0);
    if (change != NULL) change(&commit.root);
    if (event != NULL) job_run(store, (struct store_job){.kind = STORE_EVENTS, .data = event, .bytes = event->size});
    job_run(store, commit);
    store_close(store);
}

static void root_change(void (*change)(struct store_root *root)) { store_change(change, NULL); }

static void newer_format(struct store_root *root) { root->format_version++; }

static void newer_machine(struct store_root *root) { root->machine_version++; }

static void other_chain(struct store_root *root) { root->log_checksum ^= 1; }

Test(recovery, a_second_process_is_told_who_holds_it)
{
    struct recovery second;
    char error[1024], expected[64];
    cr_assert_eq(recovery_open(&second, &house.config, house.io, error, sizeof error), -EBUSY);
    snprintf(expected, sizeof expected, "pid %d", getpid());
    cr_assert(strstr(error, expected), "%s", error);
    cr_assert_eq(second.lock_fd, -1);
}

Test(recovery, the_clock_of_a_directory_does_not_change)
{
    house_kill(&house);
    house.config.state.virtual_clock = false;
    expect_refusal(-EINVAL, "--clock virtual");
    house.config.state.virtual_clock = true;
    cr_assert_eq(house_open(&house), 0, "%s", house.error);
}

Test(recovery, other_versions_are_refused)
{
    house_kill(&house);
    root_change(newer_machine);
    char newer[64];
    snprintf(newer, sizeof newer, "state machine version %u", STATE_MACHINE_VERSION + 1);
    expect_refusal(-EPROTONOSUPPORT, newer);
    root_change(newer_format);
    snprintf(newer, sizeof newer, "format version %u", STORE_FORMAT_VERSION + 1);
    expect_refusal(-EPROTONOSUPPORT, newer);
}

/* Missed with and without a checkpoint; who wants to go on without it has to say so. */
Test(recovery, a_store_without_its_log_is_refused)
{
    fill();
    cr_assert_eq(house_checkpoint(&house, NULL), 0);
    u64 digest = house_digest(&house), checksum = wal_checksum(house.recovery.wal);
    house_kill(&house);
    char path[4096];
    cr_assert_eq(file_join(path, house.data, "log"), 0);
    directory_remove(path);
    for (u32 i = 0; i < 2; i++) expect_refusal(-EIO, "the log is missing");
    cr_assert_eq(segments_unused_make(path), 0);
    cr_assert_eq(house_open(&house), 0, "%s", house.error);
    cr_assert_eq(house_digest(&house), digest);
    cr_assert_eq(wal_checksum(house.recovery.wal), checksum); /* the chain goes on */
}

Test(recovery, a_log_without_its_store_is_refused)
{
    fill();
    house_kill(&house);
    char path[4096];
    cr_assert_eq(file_join(path, house.data, "store"), 0);
    directory_remove(path);
    expect_refusal(-EINVAL, "belongs to another store");
}

Test(recovery, a_log_of_another_history_is_refused)
{
    fill();
    cr_assert_eq(house_checkpoint(&house, NULL), 0);
    house_kill(&house);
    root_change(other_chain);
    expect_refusal(-EIO, "do not belong together");
}

Test(recovery, stored_events_that_the_log_does_not_lead_to_are_refused)
{
    house.checkpointing.log_bytes = 1ull << 30;
    house_kill(&house);
    cr_assert_eq(house_open(&house), 0, "%s", house.error);
    fill();
    const struct event_log *log = state_events_read(house.recovery.state);
    while (log->stored_seq + 1 < log->seq_next) house_turn(&house, true); /* events, not rows */
    while (checkpoint_running(house.checkpoint)) house_turn(&house, true);
    house_kill(&house);
    char path[4096];
    cr_assert_eq(file_join(path, house.data, "log"), 0);
    directory_remove(path);
    expect_refusal(-EIO, "the log is missing");
    cr_assert_eq(segments_unused_make(path), 0);
    expect_refusal(-EIO, "the end of the log is missing");
}

/* Every command that was acknowledged is missed when the segment with it is, checkpoint or not. */
Test(recovery, a_log_without_its_segments_is_refused)
{
    char path[4096], unused[4096];
    cr_assert_eq(file_join(path, house.data, "log"), 0);
    cr_assert_eq(file_join(unused, path, SEGMENTS_UNUSED), 0);
    for (u32 checkpoints = 0; checkpoints < 2; checkpoints++) {
        cr_assert_eq(file_exists(unused), checkpoints == 0);
        house_feed(&house, rig, 1);
        house_drain(&house);
        cr_assert_eq(file_exists(unused), 0);
        if (checkpoints > 0) cr_assert_eq(house_checkpoint(&house, NULL), 0);
        u64 digest = house_digest(&house);
        house_kill(&house);
        char first[4096], away[4096];
        cr_assert_eq(segment_path(first, path, 1), 0);
        cr_assert_eq(file_join(away, house.data, "away"), 0);
        cr_assert_eq(file_rename(first, away), 0); /* what is left is the reserve */
        expect_refusal(-EIO, "the log is missing");
        cr_assert_eq(file_rename(away, first), 0);
        cr_assert_eq(house_open(&house), 0, "%s", house.error);
        cr_assert_eq(house_digest(&house), digest);
    }
}

Test(recovery, one_stored_event_more_than_the_log_leads_to_is_refused)
{
    fill();
    cr_assert_eq(house_checkpoint(&house, NULL), 0);
    struct tkd_event event = {.size = sizeof event,
                              .head = sizeof event,
                              .kind = TKD_EVENT_NOTED,
                              .seq = state_events_read(house.recovery.state)->seq_next,
                              .ticket = 1};
    house_kill(&house);
    store_change(NULL, &event);
    expect_refusal(-EIO, "the end of the log is missing");
}

Test(recovery, too_small_a_budget_is_explained)
{
    for (u32 i = 0; i < 20000; i++) rig_create_ticket(rig, 1 + i % 3, 0);
    fill();
    cr_assert_eq(house_checkpoint(&house, NULL), 0);
    house_kill(&house);
    house.config.state.memory_bytes = 1 << 20;
    cr_assert_lt(house_open(&house), 0);
    cr_assert(strstr(house.error, "--memory-budget"), "%s", house.error);
}

Test(recovery, too_small_a_budget_for_the_replay_is_explained)
{
    house_kill(&house);
    house.checkpointing.log_bytes = 1ull << 30;
    cr_assert_eq(house_open(&house), 0, "%s", house.error);
    for (u32 i = 0; i < 20000; i++) rig_create_ticket(rig, 1 + i % 3, 0);
    fill();
    u64 digest = house_digest(&house);
    house_kill(&house);
    house.config.state.memory_bytes = 1 << 20;
    expect_refusal(-ENOMEM, "--memory-budget");
    cr_assert(strstr(house.error, "of the log"), "%s", house.error);
    house.config.state.memory_bytes = 64 << 20;
    cr_assert_eq(house_open(&house), 0, "%s", house.error);
    cr_assert_eq(house_digest(&house), digest);
}

Test(recovery, replay_makes_room_for_events)
{
    char store[4096], before[4096];
    cr_assert_eq(file_join(store, house.data, "store"), 0);
    cr_assert_eq(file_join(before, house.data, "before"), 0);
    house_kill(&house);
    directory_copy(store, before);
    house.config.state.event_ring_bytes = 4u << 20;
    house.checkpointing.log_bytes = 1ull << 30;
    cr_assert_eq(house_open(&house), 0, "%s", house.error);
    char *text = malloc(200001);
    memset(text, 'x', 200000);
    text[200000] = 0;
    u64 ticket = rig_create_ticket(rig, 1, 0);
    for (u32 i = 0; i < 40; i++) rig_verb(rig, ticket, TKD_VERB_NOTE, 0, text);
    free(text);
    fill();
    u64 digest = house_digest(&house);
    house_kill(&house);
    /* None of the events is in the store any more, and they are twice what the ring holds. */
    directory_remove(store);
    cr_assert_eq(file_rename(before, store), 0);
    cr_assert_eq(house_open(&house), 0, "%s", house.error);
    cr_assert_eq(house_digest(&house), digest);
    house_check_events(&house);
}

Test(recovery, a_torn_tail_is_cut_and_counted)
{
    fill();
    u64 op = state_op(house.recovery.state);
    wal_submit(house.recovery.wal);
    house_kill(&house);
    /* The last batch that carries something is garbled, with all behind it. */
    char path[4096], log[4096];
    cr_assert_eq(file_join(log, house.data, "log"), 0);
    cr_assert_eq(segment_path(path, log, 1), 0);
    u64 bytes;
    u8 *image = file_slurp(path, &bytes);
    u64 last = 0;
    for (u64 at = 0; at < bytes; at += BLOCK_BYTES) {
        const struct batch *batch = (const struct batch *)(const void *)(image + at);
        if (batch->magic == BATCH_MAGIC && batch->offset == at && batch->entries > 0) last = at;
    }
    image[last + 200] ^= 1;
    u64 end = last + batch_bytes_on_disk(((struct batch *)(void *)(image + last))->bytes);
    memset(image + end, 0, bytes - end);
    file_spill(path, image, bytes);
    free(image);
    cr_assert_eq(house_open(&house), 0, "%s", house.error);
    cr_assert_lt(state_op(house.recovery.state), op);
    cr_assert_gt(house.recovery.torn_bytes, 0);
}

Test(recovery, a_directory_that_cannot_be_made_is_explained)
{
    house_kill(&house);
    char path[4096];
    cr_assert_eq(file_join(path, house.data, "lock"), 0);
    house.config.data = path; /* a file */
    expect_refusal(-ENOTDIR, "cannot make the data directory");
}
