#include "tests/support/house.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/directory.h"

static void on_failed(void *owner, const char *what)
{
    struct house *house = owner;
    snprintf(house->failure, sizeof house->failure, "%s", what);
}

void house_create(struct house *house)
{
    memset(house, 0, sizeof *house);
    directory_make(house->data);
    ASSERT(snprintf(house->backups, sizeof house->backups, "%.4000s/backups", house->data) > 0);
    house->config = (struct recovery_config){
        .data = house->data,
        .state = {.memory_bytes = 64ull << 20, .event_ring_bytes = 8ull << 20, .virtual_clock = true},
        .wal = {.segment_bytes = 4ull << 20,
                .batch_bytes = 2u << 20,
                .durability = WAL_SYNC,
                .interval_ms = 1,
                .failed = on_failed,
                .owner = house},
    };
    house->checkpointing = (struct checkpoint_config){.log_bytes = 1ull << 20,
                                                      .event_flush_bytes = 128u << 10,
                                                      .event_flush_ms = 2,
                                                      .slice_us = 50,
                                                      .backups = house->backups,
                                                      .failed = on_failed,
                                                      .owner = house};
    ASSERT(io_create(&house->io, house->error, sizeof house->error) == 0);
}

void house_destroy(struct house *house)
{
    house_close(house);
    io_destroy(house->io);
    directory_remove(house->data);
}

i32 house_open(struct house *house)
{
    i32 result =
        recovery_open(&house->recovery, &house->config, house->io, house->error, sizeof house->error);
    if (result < 0) return result;
    house->checkpoint = checkpoint_create(house->recovery.state, house->recovery.wal, house->recovery.store,
                                          house->io, &house->recovery.root, &house->checkpointing);
    ASSERT(house->checkpoint != NULL);
    /* The script goes on behind what was recovered. */
    house->acknowledged_op = state_op(house->recovery.state);
    return 0;
}

void house_close(struct house *house)
{
    if (house->checkpoint == NULL) return;
    house_drain(house);
    house_kill(house);
}

void house_kill(struct house *house)
{
    checkpoint_destroy(house->checkpoint);
    house->checkpoint = NULL;
    recovery_close(&house->recovery);
}

void house_turn(struct house *house, bool wait)
{
    wal_submit(house->recovery.wal);
    bool again = checkpoint_turn(house->checkpoint);
    io_run(house->io, wait && !again);
    house->acknowledged_op = wal_durable_op(house->recovery.wal);
}

void house_drain(struct house *house)
{
    while (wal_durable_op(house->recovery.wal) < state_op(house->recovery.state) && house->failure[0] == 0) {
        house_turn(house, true);
    }
}

/* Where the command behind `op` stands in the script. */
static u64 script_find(const struct rig *rig, u64 op)
{
    u64 at = 0;
    for (u64 i = 0; i < op; i++) {
        u64 head[2];
        memcpy(head, rig->log + at, sizeof head);
        at += sizeof head + head[1];
    }
    return at;
}

bool house_feed(struct house *house, const struct rig *rig, u32 commands)
{
    static struct tkd_result results[TKD_RECORDS_MAX];
    struct state *state = house->recovery.state;
    u64 at = script_find(rig, state_op(state));
    for (u32 i = 0; i < commands && at < rig->log_used; i++) {
        u64 head[2];
        memcpy(head, rig->log + at, sizeof head);
        const struct tkd_frame *frame = (const struct tkd_frame *)(const void *)(rig->log + at + sizeof head);
        const void *reply;
        u32 reply_bytes;
        while (!wal_room(house->recovery.wal, frame->size) || checkpoint_slow(house->checkpoint) ||
               state_admit(state, frame, &reply, &reply_bytes) == TKD_BUSY) {
            house_turn(house, true);
        }
        struct command command = {.op = state_op(state) + 1, .time_ms = head[0], .frame = frame};
        wal_append(house->recovery.wal, command.op, command.time_ms, frame);
        state_apply(state, &command, results);
        at += sizeof head + head[1];
    }
    return at < rig->log_used;
}

static void on_checkpoint(struct checkpoint_request *request, i32 result) { *(i32 *)request->owner = result; }

i32 house_checkpoint(struct house *house, const char *backup)
{
    i32 result = 1;
    struct checkpoint_request request = {.done = on_checkpoint, .owner = &result};
    if (backup != NULL) snprintf(request.backup, sizeof request.backup, "%s", backup);
    checkpoint_request(house->checkpoint, &request);
    while (result == 1) house_turn(house, true);
    return result;
}

u64 house_digest(const struct house *house) { return state_digest(house->recovery.state, true); }

void house_check_events(struct house *house)
{
    static _Alignas(8) u8 buffer[1 << 20];
    const struct event_log *log = state_events_read(house->recovery.state);
    for (u64 seq = 1; seq < log->seq_next; seq++) {
        const struct tkd_event *event = event_at(log, seq);
        if (event == NULL) {
            ASSERT(seq <= log->stored_seq);
            ASSERT(store_event_read(house->recovery.store, seq, buffer, sizeof buffer) == 0);
            event = (const struct tkd_event *)(const void *)buffer;
        } else if (seq <= log->stored_seq) {
            ASSERT(store_event_read(house->recovery.store, seq, buffer, sizeof buffer) == 0);
            ASSERT(memcmp(buffer, event, event->size) == 0);
        }
        ASSERT(event->seq == seq && event->cause > 0 && event->cause <= state_op(house->recovery.state));
    }
}
