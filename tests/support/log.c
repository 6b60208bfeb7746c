#include "tests/support/log.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/frame.h"
#include "durable/segment.h"
#include "tests/support/directory.h"

#define MARK_PATIENCE_US 10000000u /* no test waits for this */

static void on_durable(void *owner) { ((struct log_fixture *)owner)->durable_calls++; }

static void on_failed(void *owner, const char *what)
{
    struct log_fixture *fixture = owner;
    snprintf(fixture->failure, sizeof fixture->failure, "%s", what);
}

static i32 on_entry(void *owner, const struct wal_entry *entry)
{
    struct log_fixture *fixture = owner;
    const struct tkd_frame *expected = log_frame(entry->op);
    if (fixture->ops_replayed > 0 && entry->op != fixture->op_replayed_last + 1) fixture->replay_wrong = true;
    if (entry->frame->size != expected->size || memcmp(entry->frame, expected, expected->size) != 0 ||
        entry->time_ms != entry->op * 10) {
        fixture->replay_wrong = true;
    }
    fixture->ops_replayed++;
    fixture->op_replayed_last = entry->op;
    return 0;
}

void log_setup(struct log_fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    directory_make(fixture->root);
    ASSERT(snprintf(fixture->directory, sizeof fixture->directory, "%.4000s/log", fixture->root) > 0);
    ASSERT(io_create(&fixture->io, fixture->error, sizeof fixture->error) == 0);
    ASSERT(segments_unused_make(fixture->directory) == 0);
    fixture->config = (struct wal_config){
        .directory = fixture->directory,
        .store_id = LOG_STORE_ID,
        .machine_version = LOG_MACHINE,
        .segment_bytes = 256 << 10,
        .batch_bytes = 64 << 10,
        .durability = WAL_SYNC,
        .interval_ms = 1,
        .mark_us = 200,
        .durable = on_durable,
        .failed = on_failed,
        .owner = fixture,
    };
}

void log_teardown(struct log_fixture *fixture)
{
    log_close(fixture);
    io_destroy(fixture->io);
    directory_remove(fixture->root);
}

i32 log_open(struct log_fixture *fixture, u64 after_op)
{
    ASSERT(fixture->wal == NULL);
    fixture->ops_replayed = 0;
    fixture->op_replayed_last = after_op;
    fixture->replay_wrong = false;
    fixture->error[0] = 0;
    return wal_open(&fixture->wal, &fixture->config, fixture->io, after_op, on_entry, fixture, fixture->error,
                    sizeof fixture->error);
}

void log_close(struct log_fixture *fixture)
{
    wal_close(fixture->wal);
    fixture->wal = NULL;
}

const struct tkd_frame *log_frame(u64 op)
{
    static _Alignas(8) u8 bytes[TKD_FRAME_BYTES + 8192];
    struct tkd_frame *frame = (struct tkd_frame *)(void *)bytes;
    u32 body = (u32)(op * 2654435761u % 1000) * 8;
    for (u32 i = 0; i < body; i++) bytes[TKD_FRAME_BYTES + i] = (u8)(op * 31 + i * 7);
    *frame = (struct tkd_frame){.magic = TKD_MAGIC,
                                .version = 1,
                                .op = TKD_OP_TICKET_CREATE,
                                .size = TKD_FRAME_BYTES + body,
                                .seq = op};
    frame_seal(frame);
    return frame;
}

void log_drain(struct log_fixture *fixture)
{
    wal_submit(fixture->wal);
    while (!wal_idle(fixture->wal) && fixture->failure[0] == 0) io_run(fixture->io, true);
}

void log_write_until(struct log_fixture *fixture, u64 op, u32 per_batch)
{
    u32 count = 0;
    for (u64 next = wal_last_op(fixture->wal) + 1; next <= op && fixture->failure[0] == 0; next++) {
        const struct tkd_frame *frame = log_frame(next);
        while (!wal_room(fixture->wal, frame->size)) {
            wal_submit(fixture->wal);
            io_run(fixture->io, true);
        }
        wal_append(fixture->wal, next, next * 10, frame);
        if (++count % per_batch == 0) log_drain(fixture);
    }
    log_drain(fixture);
}

static void on_patience_over(struct io_op *op, i32 result) { (void)op, (void)result; }

/* A mark that never comes is a failure, not a test that never ends. */
void log_wait_marks(struct log_fixture *fixture, u64 marks)
{
    struct io_op patience = {.done = on_patience_over};
    io_timeout(fixture->io, &patience, MARK_PATIENCE_US);
    while (wal_marks(fixture->wal) < marks && patience.busy) io_run(fixture->io, true);
    ASSERT(wal_marks(fixture->wal) >= marks);
    io_timeout_cancel(fixture->io, &patience);
    while (patience.busy) io_run(fixture->io, true);
    log_drain(fixture);
}

void log_wait_reserve(struct log_fixture *fixture)
{
    while (!wal_reserve_ready(fixture->wal)) io_run(fixture->io, true);
}
