/* Segments of the log, and the store before them, into the recovery: a desk lives as the input says and its log is
 * written as it would be; then bytes of it are turned, blocks cleared or put elsewhere, files lost or cut, members of
 * headers changed under a checksum that fits. Either the recovery refuses, says what and names the place; or
 *
 *  - nothing is missing that the store, or a batch that is still whole, knew to be durable;
 *  - the desk is the one that a replay of its commands gives, bit for bit;
 *  - the log can be written on, and the next recovery finds the same desk and what was written. */
#include <stdio.h>

#include "core/desk.h"
#include "core/frame.h"
#include "durable/batch.h"
#include "durable/recovery.h"
#include "durable/segment.h"
#include "tests/fuzz/disk.h"
#include "tests/fuzz/kernel.h"

#define SEGMENTS_MAX_HERE 5u
#define SEGMENT_BYTES     (5u * BLOCK_BYTES)
#define SEGMENT_BLOCKS    (SEGMENT_BYTES / BLOCK_BYTES)
#define BATCHES_MAX       40u
#define COMMANDS_MAX      24u
#define LOGGED_MAX        512u
#define BATCH_ROOM        (SEGMENT_BYTES - BLOCK_BYTES) /* a batch leaves room for a mark */
#define STORE_ID          77u
#define DAMAGE_BYTES      6u /* of the input that one takes */

static struct fuzz_desk live, twin, recovered;
static u64 begin_op, begin_time_ms, begin_seq;
static u8 clean[SEGMENTS_MAX_HERE][SEGMENT_BYTES];
static _Alignas(4096) u8 filling[SEGMENT_BYTES];

/* Where each batch was written, and what it knew. */
static struct written {
    u32 segment, offset, bytes;
    u64 op_last;
    u64 durable_seq;
} batches[BATCHES_MAX];

static struct writer {
    u32 batches_count; /* = seq of the last one */
    u32 segment, offset;
    u32 log_at; /* in live.log: what is not in a batch yet */
    u64 op;
    u64 chain;
    u64 chains[LOGGED_MAX]; /* after op begin_op + index */
    u64 seqs[LOGGED_MAX];   /* the next event then */
    bool full;
} writer;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    fuzz_desk_open(&live, true);
    fuzz_desk_open(&twin, true);
    fuzz_desk_open(&recovered, false);
    begin_op = state_op(live.state);
    begin_time_ms = state_time(live.state);
    begin_seq = state_events(live.state)->seq_next - 1;
    return 0;
}

/* ---- A sound log ---- */

static void segment_begin(void)
{
    char name[DISK_NAME_BYTES];
    snprintf(name, sizeof name, "%016x.log", writer.segment + 1);
    disk_add(name, SEGMENT_BYTES);
    writer.offset = 0;
}

static bool room_make(u32 bytes, bool mark)
{
    if (writer.batches_count == BATCHES_MAX) return false;
    if (writer.offset + bytes <= (mark ? SEGMENT_BYTES : BATCH_ROOM)) return true;
    if (writer.segment + 1 == SEGMENTS_MAX_HERE) return false;
    writer.segment++;
    segment_begin();
    return true;
}

/* What was applied since the last batch, as much as fits; with nothing, a mark. */
static void batch_write(u32 lag)
{
    struct batch *batch = (struct batch *)(void *)filling;
    *batch = (struct batch){.magic = BATCH_MAGIC,
                            .format_version = LOG_FORMAT_VERSION,
                            .machine_version = STATE_MACHINE_VERSION,
                            .store_id = STORE_ID,
                            .bytes = sizeof *batch,
                            .previous = writer.chain,
                            .first_op = writer.op + 1};
    u64 chain = writer.chain, op = writer.op;
    u32 at = writer.log_at;
    while (at < live.log_used) {
        u64 time_ms;
        memcpy(&time_ms, live.log + at, sizeof time_ms);
        const struct tkd_frame *frame = (const void *)(live.log + at + sizeof time_ms);
        if (batch->bytes + sizeof(struct batch_entry) + frame->size > BATCH_ROOM) break;
        struct batch_entry *entry = (struct batch_entry *)(void *)(filling + batch->bytes);
        chain = batch_entry_fill(entry, chain, ++op, time_ms, frame, frame->size);
        writer.chains[op - begin_op] = chain;
        batch->bytes += (u32)sizeof *entry + frame->size;
        batch->entries++;
        at += (u32)sizeof time_ms + frame->size;
    }
    u32 bytes = (u32)batch_bytes_on_disk(batch->bytes);
    writer.full = (at == writer.log_at && at < live.log_used) || !room_make(bytes, batch->entries == 0);
    if (writer.full) return;
    batch->segment = writer.segment + 1;
    batch->offset = writer.offset;
    batch->seq = writer.batches_count + 1;
    batch->durable_seq = sat_sub(writer.batches_count, lag);
    batch_seal(batch);
    memcpy(disk.files[writer.segment].data + writer.offset, batch, bytes);
    batches[writer.batches_count++] =
        (struct written){writer.segment, writer.offset, bytes, op, batch->durable_seq};
    writer.offset += bytes;
    writer.log_at = at;
    writer.op = op;
    writer.chain = chain;
}

static void root_write(void)
{
    const struct state *state = live.state;
    u64 op = state_op(state);
    struct store_root root = {.format_version = STORE_FORMAT_VERSION,
                              .machine_version = STATE_MACHINE_VERSION,
                              .store_id = STORE_ID,
                              .op = op,
                              .time_ms = state_time(state),
                              .event_seq = state_events_read(state)->seq_next - 1,
                              .log_checksum = writer.chains[op - begin_op],
                              .virtual_clock = 1,
                              .secret = state->config.secret};
    disk_checkpoint(state, &root);
}

static void live_frame(u32 op, u32 records, u64 now_ms, struct input *input)
{
    static struct tkd_result results[TKD_RECORDS_MAX];
    static struct fuzz_frame frame;
    fuzz_frame_begin(&frame, op);
    for (u32 i = 0; i < records; i++) fuzz_frame_add(&frame, tkd_op_info(op)->request, input);
    frame_seal(&frame.head);
    if (frame_check(&frame.head) == TKD_OK && frame.head.size < BATCH_ROOM / 2)
        fuzz_desk_run(&live, &frame.head, now_ms, results);
}

/* One command of the desk's life, and the deadlines before it. */
static void live_on(struct input *input)
{
    static const u16 ops[] = {TKD_OP_TICKET_UPDATE,   TKD_OP_TICKET_CREATE, TKD_OP_AGENT_PRESENCE,
                              TKD_OP_CUSTOMER_UPDATE, TKD_OP_CATALOG_APPLY, TKD_OP_REGISTER};
    u32 how = input_u8(input), records = how & 0x40 ? 8 : 1;
    u64 now_ms = state_time(live.state) + (how & 0x80 ? input_number(input) % (1ull << 40) : 0);
    live_frame(ops[how % ARRAY_COUNT(ops)], records, now_ms, input);
}

/* Plain commands, a batch each. */
static void live_plainly(u32 count, u32 lag)
{
    struct input none = {0};
    for (u32 i = 0; i < count && !writer.full; i++) {
        live_frame(TKD_OP_TICKET_CREATE, 1, state_time(live.state), &none);
        batch_write(lag);
    }
}

/* Commands, batches, marks, and a checkpoint now and then. What is left over was applied, but never written. */
static void life(struct input *input)
{
    writer = (struct writer){.op = begin_op, .chain = 5};
    writer.chains[0] = 5;
    segment_begin();
    root_write();
    for (u32 i = 0; i < COMMANDS_MAX && input_left(input) > 0 && !writer.full; i++) {
        u32 what = input_u8(input), lag = what >> 3 & 3;
        if (state_op(live.state) - begin_op >= LOGGED_MAX - 64) return;
        if (what >= 0xe0)
            live_plainly(what & 31, 0);
        else
            live_on(input);
        if (what & 4) batch_write(lag);
        if ((what & 0x60) != 0x60) continue;
        while (!writer.full && writer.log_at < live.log_used) batch_write(0);
        if (what & 1 && !writer.full) root_write();
    }
}

/* ---- What happens to it ---- */

static u32 segments(void) { return writer.segment + 1; }

/* Are its commands those that were written? A seal vouches for them: with other ones it does not fit. */
static bool commands_whole(const struct written *batch)
{
    u64 head = sizeof(struct batch) + sizeof(struct batch_entry), at = batch->offset + min_u64(head, batch->bytes);
    return memcmp(disk.files[batch->segment].data + at, clean[batch->segment] + at,
                  batch->offset + batch->bytes - at) == 0;
}

/* Changes a member of a batch's header, or of an entry's, and makes the checksum fit. */
static void forge(struct input *input)
{
    static const struct {
        u8 offset, bytes;
    } members[] = {{8, 8},  {16, 4}, {20, 4}, {24, 8}, {32, 8},  {40, 8},  {48, 8},
                   {56, 8}, {64, 8}, {72, 8}, {80, 4}, {84, 4},  {136, 8}, {152, 4}};
    if (writer.batches_count == 0) return;
    const struct written *which = &batches[input_below(input, writer.batches_count)];
    if (!commands_whole(which)) return;
    struct batch *batch = (struct batch *)(void *)(disk.files[which->segment].data + which->offset);
    u32 member = input_below(input, ARRAY_COUNT(members));
    u64 value = input_number(input), was = 0;
    memcpy(&was, (u8 *)batch + members[member].offset, members[member].bytes);
    if (input_u8(input) & 1) value += was;
    memcpy((u8 *)batch + members[member].offset, &value, members[member].bytes);
    u64 room = SEGMENT_BYTES - which->offset;
    if (batch->bytes < sizeof *batch || batch->bytes % 8 != 0 || batch_bytes_on_disk(batch->bytes) > room) return;
    batch_seal(batch);
}

/* Returns whether a checksum was made to fit. */
static bool damage(struct input *input)
{
    u32 what = input_u8(input) % 11;
    u32 block = input_below(input, SEGMENT_BLOCKS);
    struct disk_file *file = &disk.files[input_below(input, segments())];
    u8 *at = file->data + block * BLOCK_BYTES;
    if (what < 3)
        at[input_number(input) % BLOCK_BYTES] ^= (u8)(1 + input_below(input, 255));
    else if (what == 3)
        memset(at, 0, BLOCK_BYTES);
    else if (what == 4)
        memcpy(at, clean[input_below(input, segments())] + input_below(input, SEGMENT_BLOCKS) * BLOCK_BYTES,
               BLOCK_BYTES);
    else if (what == 5)
        memset(at, 0, SEGMENT_BYTES - block * BLOCK_BYTES);
    else if (what == 6)
        file->name[0] = 0;
    else if (what == 7)
        file->bytes = block * BLOCK_BYTES + input_below(input, 2);
    else
        forge(input);
    return what > 7;
}

/* ---- Judgement ---- */

static bool whole(const struct written *batch)
{
    const struct disk_file *file = &disk.files[batch->segment];
    return file->name[0] != 0 && batch->offset + batch->bytes <= file->bytes &&
           memcmp(file->data + batch->offset, clean[batch->segment] + batch->offset, batch->bytes) == 0;
}

/* The last command that the store, or a batch that is whole, says to be durable. */
static u64 durable_op(void)
{
    u64 seq = 0;
    for (u32 i = 0; i < writer.batches_count; i++)
        if (whole(&batches[i])) seq = max_u64(seq, batches[i].durable_seq);
    return max_u64(disk.root.op, seq == 0 ? 0 : batches[seq - 1].op_last);
}

static void failed(void *owner, const char *what)
{
    (void)owner, (void)what;
    ASSERT(!"nothing fails here");
}

static i32 recover(struct recovery *recovery, char *error, u32 error_bytes)
{
    static u8 io[8];
    struct recovery_config config = {.data = "data",
                                     .state = live.state->config,
                                     .wal = {.segment_bytes = SEGMENT_BYTES,
                                             .batch_bytes = SEGMENT_BYTES - 2 * BLOCK_BYTES,
                                             .durability = WAL_SYNC,
                                             .failed = failed}};
    return recovery_open(recovery, &config, (struct io *)(void *)io, error, error_bytes);
}

/* The first commands of its life alone give the same desk. */
static void same_as_replay(const struct recovery *recovery)
{
    u64 op = state_op(recovery->state);
    fuzz_desk_reset(&twin);
    ASSERT(op <= writer.op || op == disk.root.op);
    fuzz_desk_replay(&twin, &live, op);
    ASSERT(state_op(twin.state) == op);
    ASSERT(state_digest(twin.state, true) == state_digest(recovery->state, true));
}

/* One more command, durable. */
static void write_on(const struct recovery *recovery)
{
    static struct tkd_result results[8];
    struct tkd_frame frame = {.magic = TKD_MAGIC, .op = TKD_OP_PULSE, .size = TKD_FRAME_BYTES};
    const void *reply;
    u32 reply_bytes;
    struct state *state = recovery->state;
    event_stored(state_events(state), state_events(state)->seq_next - 1);
    ASSERT(state_admit(state, &frame, &reply, &reply_bytes) == TKD_OK);
    struct command command = {.op = state_op(state) + 1, .time_ms = state_time(state), .frame = &frame};
    while (!wal_room(recovery->wal, frame.size)) io_run(NULL, true);
    wal_append(recovery->wal, command.op, command.time_ms, &frame);
    state_apply(state, &command, results);
    wal_submit(recovery->wal);
    while (wal_durable_op(recovery->wal) < command.op) io_run(NULL, true);
}

static void judge(struct recovery *recovery, bool forged)
{
    char error[1024];
    state_validate(recovery->state);
    if (!forged) same_as_replay(recovery);
    write_on(recovery);
    u64 op = state_op(recovery->state), digest = state_digest(recovery->state, true);
    recovery_close(recovery);
    ASSERT(recover(recovery, error, sizeof error) == 0);
    ASSERT(state_op(recovery->state) == op && state_digest(recovery->state, true) == digest);
    recovery_close(recovery);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
    struct input input = input_of(data, bytes);
    u32 how = input_u8(&input), damages = how & 7;
    bool forged = false;
    char error[1024] = "";
    struct recovery recovery;
    u32 harm_bytes = damages * DAMAGE_BYTES;
    const u8 *harm = input_take(&input, &harm_bytes);
    fuzz_desk_reset(&live);
    disk_clear(&recovered);
    life(&input);
    for (u32 i = 0; i < segments(); i++) memcpy(clean[i], disk.files[i].data, SEGMENT_BYTES);
    /* A log that says that it was never used may be empty. */
    if (writer.batches_count == 0 || (how & 8)) disk_add("data/log/" SEGMENTS_UNUSED, 0);
    for (u32 i = 0; i < damages; i++) {
        struct input one = input_of(harm + min_u32(i * DAMAGE_BYTES, harm_bytes),
                                    (size_t)min_u64(DAMAGE_BYTES, sat_sub(harm_bytes, i * DAMAGE_BYTES)));
        forged |= damage(&one);
    }
    u64 durable = durable_op();
    i32 result = recover(&recovery, error, sizeof error);
    if (result < 0) {
        ASSERT(damages > 0 && strstr(error, "remedy") != NULL);
        ASSERT(strstr(error, "segment") != NULL || strstr(error, "the log ") != NULL);
        return 0;
    }
    u64 op = state_op(recovery.state);
    ASSERT(forged || op >= durable);
    ASSERT(damages > 0 || op == max_u64(writer.op, disk.root.op));
    judge(&recovery, forged);
    return 0;
}
