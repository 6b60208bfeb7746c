/* Segments of the log into the scan: a sound log is made as the input says, then bytes of it are turned,
 * blocks cleared or put elsewhere, members of headers changed under a checksum that fits. The disk is memory.
 *
 *  - what is given to the replay is what was logged, op by op without a gap;
 *  - if the scan goes through, nothing is missing of what a batch that is still sound knew to be durable;
 *  - if it does not, it says why. */
#include "durable/scan.h"
#include "port/file.h"
#include "tests/fuzz/input.h"

#define SEGMENTS      3u
#define BLOCKS        8u
#define SEGMENT_BYTES (BLOCKS * BLOCK_BYTES)
#define BATCHES_MAX   (SEGMENTS * BLOCKS)
#define OPS_MAX       64u
#define FRAME_MAX     6144u
#define STORE_ID      77u

static _Alignas(BLOCK_BYTES) u8 disk[SEGMENTS][SEGMENT_BYTES], clean[SEGMENTS][SEGMENT_BYTES];
static _Alignas(BLOCK_BYTES) u8 window[32u << 20];

/* Where each batch was written, and what it holds. */
static struct written {
    u32 segment;
    u32 offset;
    u32 bytes;
    u64 durable_seq;
} batches[BATCHES_MAX];
static u32 batches_count;
static const struct tkd_frame *frames[OPS_MAX + 1]; /* by op, in the clean copy */

/* ---- The disk ---- */

i64 file_read_at(i32 fd, void *buffer, u64 bytes, u64 offset)
{
    ASSERT((u32)fd < SEGMENTS && offset + bytes <= SEGMENT_BYTES);
    memcpy(buffer, disk[fd] + offset, bytes);
    return (i64)bytes;
}

void *file_buffer(u64 bytes)
{
    ASSERT(bytes <= sizeof window);
    return window;
}

void file_memory_grows(void *memory, u64 bytes) { (void)memory, (void)bytes; }
void file_buffer_free(void *buffer, u64 bytes) { (void)buffer, (void)bytes; }

/* What only writing needs: the scan must not. */
#define UNUSED(type, name, ...)                                                                              \
    type name(__VA_ARGS__) { assert_failed(__FILE__, __LINE__, #name " of a scan"); }
#pragma clang diagnostic ignored "-Wunused-parameter"
UNUSED(i32, file_join, char *path, const char *directory, const char *name)
UNUSED(i32, file_sync_directory, const char *path)
UNUSED(i32, file_sync, i32 fd)
UNUSED(i32, file_remove, const char *path)
UNUSED(i32, file_rename, const char *from, const char *to)
UNUSED(i32, file_open, const char *path, bool write, bool create, bool *direct)
UNUSED(void, file_close, i32 fd)
UNUSED(i64, file_bytes, i32 fd)
UNUSED(i32, file_allocate, i32 fd, u64 bytes)
UNUSED(i32, file_write_at, i32 fd, const void *buffer, u64 bytes, u64 offset)
UNUSED(i32, file_names, const char *directory, file_name_fn *fn, void *owner)

/* ---- A sound log ---- */

struct writer {
    u32 segment;
    u32 offset;
    u64 op;
    u64 seq;
    u64 chain;
};

static u32 entry_write(struct writer *writer, struct batch *batch, u32 body)
{
    static _Alignas(8) u8 bytes[TKD_FRAME_BYTES + FRAME_MAX];
    struct tkd_frame *frame = (struct tkd_frame *)(void *)bytes;
    u32 size = TKD_FRAME_BYTES + body;
    struct batch_entry *entry = (struct batch_entry *)(void *)((u8 *)batch + batch->bytes);
    *frame = (struct tkd_frame){.magic = TKD_MAGIC, .size = size, .seq = writer->op + 1};
    memset(frame + 1, (int)writer->op, body);
    writer->op++;
    writer->chain = batch_entry_fill(entry, writer->chain, writer->op, writer->op * 10, frame, size);
    batch->bytes += (u32)sizeof *entry + size;
    batch->entries++;
    return size;
}

/* false: the log is full. */
static bool batch_write(struct writer *writer, struct input *input)
{
    u32 entries = input_below(input, 4), body = input_u8(input) * 8u, lag = input_below(input, 3);
    if (body >= 1984) body = FRAME_MAX;
    u64 bytes = batch_bytes_on_disk((u32)sizeof(struct batch) + entries * (32 + TKD_FRAME_BYTES + body));
    if (writer->offset + bytes > SEGMENT_BYTES) {
        writer->segment++;
        writer->offset = 0;
    }
    if (writer->segment == SEGMENTS || bytes > SEGMENT_BYTES || writer->op + entries > OPS_MAX) return false;
    struct batch *batch = (struct batch *)(void *)(clean[writer->segment] + writer->offset);
    u64 first_op = writer->op + 1, previous = writer->chain;
    *batch = (struct batch){.magic = BATCH_MAGIC, .format_version = LOG_FORMAT_VERSION, .store_id = STORE_ID};
    batch->bytes = sizeof *batch;
    for (u32 i = 0; i < entries; i++) {
        frames[writer->op + 1] = (const struct tkd_frame *)(void *)((u8 *)batch + batch->bytes + 32);
        entry_write(writer, batch, body);
    }
    batch->segment = writer->segment + 1;
    batch->offset = writer->offset;
    batch->seq = ++writer->seq;
    batch->durable_seq = sat_sub(writer->seq, 1 + lag);
    batch->previous = previous;
    batch->first_op = first_op;
    batch_seal(batch);
    batches[batches_count++] =
        (struct written){writer->segment, writer->offset, (u32)bytes, batch->durable_seq};
    writer->offset += (u32)bytes;
    return true;
}

/* ---- What happens to it ---- */

/* Changes a member of a batch's header and makes the checksum fit. */
static void forge(struct input *input)
{
    static const struct {
        u8 offset, bytes;
    } members[] = {{8, 8},  {16, 4}, {20, 4}, {24, 8}, {32, 8}, {40, 8},
                   {48, 8}, {56, 8}, {64, 8}, {72, 8}, {80, 4}, {84, 4}};
    const struct written *which = &batches[input_below(input, batches_count)];
    struct batch *batch = (struct batch *)(void *)(disk[which->segment] + which->offset);
    u32 member = input_below(input, ARRAY_COUNT(members) + 2);
    u64 value = input_number(input);
    if (member < ARRAY_COUNT(members))
        memcpy((u8 *)batch + members[member].offset, &value, members[member].bytes);
    else
        ((u8 *)batch)[sizeof *batch + value % (which->bytes - sizeof *batch)] ^= 1;
    u64 room = SEGMENT_BYTES - which->offset;
    if (batch->bytes < sizeof *batch || batch->bytes % 8 != 0 || batch_bytes_on_disk(batch->bytes) > room)
        return;
    batch_seal(batch);
}

/* Returns whether a checksum was made to fit. */
static bool damage(struct input *input)
{
    u32 what = input_u8(input) % 8, segment = input_below(input, SEGMENTS),
        block = input_below(input, BLOCKS);
    u8 *at = disk[segment] + block * BLOCK_BYTES;
    if (what < 3)
        at[input_number(input) % BLOCK_BYTES] ^= (u8)(1 + input_below(input, 255));
    else if (what == 3)
        memset(at, 0, BLOCK_BYTES);
    else if (what == 4)
        memcpy(at, clean[input_below(input, SEGMENTS)] + input_below(input, BLOCKS) * BLOCK_BYTES,
               BLOCK_BYTES);
    else if (what == 5)
        memset(at, 0, SEGMENT_BYTES - block * BLOCK_BYTES);
    else
        forge(input);
    return what > 5;
}

/* ---- Judgement ---- */

struct judge {
    u64 op_last;
    bool forged;
};

static i32 take(void *owner, const struct wal_entry *entry)
{
    struct judge *judge = owner;
    ASSERT(entry->op == judge->op_last + 1);
    judge->op_last = entry->op;
    if (judge->forged) return 0;
    ASSERT(entry->op <= OPS_MAX && frames[entry->op] != NULL && entry->time_ms == entry->op * 10);
    ASSERT(memcmp(entry->frame, frames[entry->op], entry->frame->size) == 0);
    return 0;
}

/* The highest batch that one which is whole knew to be durable. */
static u64 durable_seq(void)
{
    u64 seq = 0;
    for (u32 i = 0; i < batches_count; i++) {
        const struct written *batch = &batches[i];
        bool whole = memcmp(disk[batch->segment] + batch->offset, clean[batch->segment] + batch->offset,
                            batch->bytes) == 0;
        if (whole) seq = max_u64(seq, batch->durable_seq);
    }
    return seq;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
    struct input input = input_of(data, bytes);
    struct writer writer = {.chain = 5};
    u32 how = input_u8(&input), damages = how & 7, count = 1 + input_below(&input, BATCHES_MAX);
    memset(clean, 0, sizeof clean);
    memset(frames, 0, sizeof frames);
    for (batches_count = 0; count > 0 && batches_count < BATCHES_MAX && batch_write(&writer, &input);
         count--) {
    }
    if (batches_count == 0) return 0;
    memcpy(disk, clean, sizeof disk);
    struct judge judge = {.op_last = how & 8 ? input_below(&input, 8) : 0};
    for (u32 i = 0; i < damages; i++) judge.forged |= damage(&input);

    struct segment items[SEGMENTS];
    for (u32 i = 0; i < SEGMENTS; i++)
        items[i] = (struct segment){.number = i + 1, .fd = (i32)i, .bytes_max = SEGMENT_BYTES};
    struct segments segments = {.items = items, .count = SEGMENTS, .capacity = SEGMENTS};
    u64 after_op = judge.op_last;
    struct scan scan = {.store_id = STORE_ID,
                        .after_op = after_op,
                        .after_checksum = 5,
                        .any_checksum = after_op != 0,
                        .fn = take,
                        .owner = &judge,
                        .segments = &segments};
    char error[1024];
    i32 result = scan_run(&scan, error, sizeof error);
    ASSERT(result < 0 ? error[0] != 0 : scan.op_last >= judge.op_last);
    if (result == 0 && !judge.forged && scan.found) ASSERT(scan.seq >= durable_seq());
    if (damages == 0 && after_op <= writer.op)
        ASSERT(result == 0 && scan.op_last == writer.op && scan.seq == writer.seq);
    return 0;
}
