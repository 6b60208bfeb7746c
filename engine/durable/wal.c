#include "durable/wal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mark.h"
#include "durable/batch.h"
#include "durable/decision.h"
#include "durable/reserve.h"
#include "durable/scan.h"
#include "durable/segment.h"
#include "port/file.h"

enum { FREE_SEGMENTS_MAX = LIMIT(4, 1) };
#define SEGMENT_BYTES_DEFAULT (64ull << 20)
#define BATCH_BYTES_DEFAULT   (4u << 20)
#define MARK_US_DEFAULT       20000u

/* A batch being filled. */
struct open_batch {
    struct batch *batch; /* the buffer, page-aligned */
    u32 bytes;           /* header and entries so far */
    u32 entries;
    u64 first_op;
    u64 previous;
};

/* What a write or a sync under way will have made true when it is done. */
struct progress {
    u64 seq;
    u64 op;
};

struct wal {
    struct wal_config config;
    char *directory;
    struct io *io;
    bool failed;
    bool closing;

    struct segments
        segments; /* the last one is written to; the first `free_count` are covered by the store */
    u32 free_count;
    struct reserve reserve;

    struct open_batch batches[2]; /* one open, the other may be in flight */
    u32 open;
    u64 op_last;             /* appended */
    u64 op_durable;          /* what wal_durable_op() answers */
    u64 checksum;            /* chain checksum after op_last */
    struct progress sent;    /* submitted */
    struct progress written; /* by finished writes */
    struct progress synced;  /* durable */
    u64 sync_goal_op;        /* wanted by wal_sync() */
    bool marked;             /* the last batch is a mark */

    struct io_op write;
    bool write_durable; /* the one in flight: durable when it is done */
    struct io_op sync;
    struct progress syncing;
    struct io_op mark_timer;
    u64 mark_seq; /* when the timer was started */
    struct io_op interval_timer;

    u64 torn_bytes;
    u64 written_bytes;
    u64 replayed_bytes;
    u64 marks;
};

static struct segment *current(const struct wal *wal)
{
    ASSERT(wal->segments.count > 0);
    return &wal->segments.items[wal->segments.count - 1];
}

static void fail(struct wal *wal, const char *what)
{
    if (wal->failed) return;
    wal->failed = true;
    wal->config.failed(wal->config.owner, what);
}

static void fail_io(struct wal *wal, const char *step, i32 result)
{
    char what[256];
    snprintf(what, sizeof what, "%s log segment %016llx failed: %s", step,
             (unsigned long long)current(wal)->number, strerror(-result));
    fail(wal, what);
}

/* ---- Segments: free ones, the reserve ---- */

static void reserve_prepare(struct wal *wal)
{
    if (wal->failed || wal->closing) return;
    if (wal->reserve.state != RESERVE_NONE && wal->reserve.state != RESERVE_FULL) return;
    u64 number = current(wal)->number + 1;
    while (wal->free_count > 0) {
        struct segment oldest = wal->segments.items[0];
        segments_drop_first(&wal->segments);
        wal->free_count--;
        if (oldest.bytes_max == wal->config.segment_bytes) {
            reserve_begin(&wal->reserve, number, oldest.bytes_max, &oldest);
            return;
        }
        MARK("segment of another size removed");
        (void)segment_remove(&oldest, wal->directory); /* of another configuration; left over at worst */
    }
    reserve_begin(&wal->reserve, number, wal->config.segment_bytes, NULL);
}

/* Disk space beyond a few spare segments is given back, one at a time: removing a file takes a while. */
static void free_trim(struct wal *wal)
{
    if (wal->free_count <= FREE_SEGMENTS_MAX) return;
    MARK("spare segment removed");
    struct segment oldest = wal->segments.items[0];
    segments_drop_first(&wal->segments);
    wal->free_count--;
    (void)segment_remove(&oldest, wal->directory); /* covered by the store: harmless when it stays */
}

static bool segment_switch(struct wal *wal)
{
    MARK("segment switched");
    struct segment next = reserve_take(&wal->reserve);
    next.op_before = next.op_last = wal->sent.op;
    if (!segments_add(&wal->segments, &next)) {
        file_close(next.fd);
        fail(wal, "no memory for the list of log segments");
        return false;
    }
    free_trim(wal);
    reserve_prepare(wal);
    return true;
}

/* ---- Writing ---- */

/* A batch leaves room for the mark behind it, so that every tail can be covered. */
static bool fits_current(const struct wal *wal, u64 batch_bytes)
{
    const struct segment *segment = current(wal);
    u64 bytes = batch_bytes_on_disk((u32)batch_bytes) + BLOCK_BYTES;
    return segment->bytes + bytes <= segment->bytes_max;
}

static bool mark_fits(const struct wal *wal)
{
    return current(wal)->bytes + BLOCK_BYTES <= current(wal)->bytes_max;
}

static struct open_batch *opened(const struct wal *wal)
{
    return (struct open_batch *)(uintptr_t)&wal->batches[wal->open];
}

static void open_reset(struct open_batch *open)
{
    open->bytes = sizeof(struct batch);
    open->entries = 0;
}

static void batch_fill_head(struct wal *wal, const struct open_batch *open)
{
    *open->batch = (struct batch){
        .magic = BATCH_MAGIC,
        .format_version = LOG_FORMAT_VERSION,
        .machine_version = wal->config.machine_version,
        .store_id = wal->config.store_id,
        .segment = current(wal)->number,
        .offset = current(wal)->bytes,
        .seq = wal->sent.seq + 1,
        .durable_seq = wal->synced.seq,
        .previous = open->entries > 0 ? open->previous : wal->checksum,
        .first_op = open->entries > 0 ? open->first_op : wal->op_last + 1,
        .entries = open->entries,
        .bytes = open->bytes,
    };
    batch_seal(open->batch);
}

/* Writes the open batch, or an empty one as a mark. */
static void batch_write(struct wal *wal)
{
    ASSERT(!wal->write.busy);
    struct open_batch *open = opened(wal);
    batch_fill_head(wal, open);
    struct segment *segment = current(wal);
    u32 bytes = (u32)batch_bytes_on_disk(open->bytes);
    u64 offset = segment->bytes;
    ASSERT(offset + bytes <= segment->bytes_max);
    wal->sent.seq++;
    wal->sent.op = open->batch->first_op + open->entries - 1;
    wal->marked = open->entries == 0;
    if (wal->marked) wal->marks++;
    wal->written_bytes += bytes;
    segment->bytes += bytes;
    segment->op_last = wal->sent.op;
    wal->open ^= 1;
    open_reset(opened(wal));
    wal->write_durable = wal->config.durability == WAL_SYNC || offset == 0;
    io_write(wal->io, &wal->write, segment->fd, open->batch, bytes, offset, wal->write_durable);
}

static void sync_start(struct wal *wal)
{
    if (wal->failed || wal->sync.busy || wal->synced.seq == wal->written.seq) return;
    wal->syncing = wal->written;
    io_sync(wal->io, &wal->sync, current(wal)->fd);
}

static void submit_next(struct wal *wal)
{
    struct open_batch *open = opened(wal);
    if (wal->failed || wal->write.busy || open->entries == 0) return;
    if (!fits_current(wal, open->bytes)) {
        /* A segment is left only when all of it is durable: one descriptor to sync at any time. */
        if (wal->synced.seq < wal->written.seq) {
            MARK("segment left only when it is durable");
            sync_start(wal);
            return;
        }
        ASSERT(wal->reserve.state == RESERVE_READY); /* by wal_room() */
        if (!segment_switch(wal)) return;
    }
    batch_write(wal);
}

static void timer_start(struct wal *wal, struct io_op *timer, u64 delay_us)
{
    if (!timer->busy && !wal->closing) io_timeout(wal->io, timer, delay_us);
}

/* After a write or a sync: what is to be done next while nothing waits to be written. */
static void settle(struct wal *wal)
{
    if (wal->failed) return;
    if (wal->synced.op < wal->sync_goal_op) sync_start(wal);
    if (wal->config.durability == WAL_INTERVAL && wal->synced.seq < wal->written.seq) {
        timer_start(wal, &wal->interval_timer, (u64)wal->config.interval_ms * 1000);
    }
    if (!wal->marked && !wal->write.busy && wal->synced.seq == wal->sent.seq && !wal->mark_timer.busy) {
        wal->mark_seq = wal->sent.seq;
        timer_start(wal, &wal->mark_timer, wal->config.mark_us);
    }
}

static void advance_durable(struct wal *wal, u64 op)
{
    if (op <= wal->op_durable) return;
    wal->op_durable = op;
    if (wal->config.durable != NULL) wal->config.durable(wal->config.owner);
}

/* From the first durable batch on a log without any is one that was lost. Once in a life, so the loop may wait for it;
 * when it fails the next start tries again. */
static void used_note(struct wal *wal)
{
    if (!wal->segments.unused) return;
    ASSERT(wal->synced.seq > 0);
    wal->segments.unused = false;
    (void)segments_unused_remove(wal->directory);
}

static void write_done(struct io_op *op, i32 result)
{
    struct wal *wal = op->owner;
    if (result < 0) {
        MARK("log write failed");
        fail_io(wal, "writing", result);
        return;
    }
    wal->written = wal->sent;
    if (wal->write_durable) wal->synced = wal->written; /* all before a segment's first batch is synced */
    used_note(wal);
    if (wal->closing) return;
    submit_next(wal);
    settle(wal);
    advance_durable(wal, wal->written.op); /* without WAL_SYNC: with the kernel, safe from our own end */
}

static void sync_done(struct io_op *op, i32 result)
{
    struct wal *wal = op->owner;
    if (result < 0) {
        MARK("log sync failed");
        fail_io(wal, "fdatasync of", result);
        return;
    }
    wal->synced = wal->syncing;
    if (wal->closing) return;
    submit_next(wal);
    settle(wal);
}

static void interval_done(struct io_op *op, i32 result)
{
    struct wal *wal = op->owner;
    MARK_IF(result == 0 && !wal->closing, "interval over: synced");
    if (result == 0 && !wal->closing) sync_start(wal);
}

/* Quiet for a while: a mark behind the last batch says that it had become durable. */
static void mark_done(struct io_op *op, i32 result)
{
    struct wal *wal = op->owner;
    if (result < 0 || wal->closing || wal->failed) return;
    free_trim(wal);
    if (wal->sent.seq != wal->mark_seq) {
        settle(wal);
        return;
    }
    MARK_IF(!mark_fits(wal), "no room for the mark");
    bool quiet = wal_idle(wal) && !wal->marked && wal->synced.seq == wal->sent.seq;
    if (!quiet || !mark_fits(wal)) return;
    MARK("quiet tail covered by a mark");
    batch_write(wal);
}

static void reserve_changed(void *owner)
{
    struct wal *wal = owner;
    if (wal->reserve.state == RESERVE_FULL) reserve_prepare(wal);
}

static void reserve_failed(void *owner, const char *what) { fail(owner, what); }

/* ---- For the loop ---- */

bool wal_room(const struct wal *wal, u32 frame_bytes)
{
    if (wal->failed) return false;
    u64 bytes = (u64)opened(wal)->bytes + sizeof(struct batch_entry) + frame_bytes;
    MARK_IF(bytes > wal->config.batch_bytes, "batch full");
    if (bytes > wal->config.batch_bytes) return false;
    MARK_IF(!fits_current(wal, bytes) && wal->reserve.state != RESERVE_READY,
            "next segment is not ready yet");
    return fits_current(wal, bytes) || wal->reserve.state == RESERVE_READY;
}

bool wal_full(const struct wal *wal) { return wal->reserve.state == RESERVE_FULL; }

void wal_append(struct wal *wal, u64 op, u64 time_ms, const struct tkd_frame *frame)
{
    ASSERT(op == wal->op_last + 1);
    ASSERT(wal_room(wal, frame->size));
    struct open_batch *open = opened(wal);
    if (open->entries == 0) {
        open->first_op = op;
        open->previous = wal->checksum;
    }
    struct batch_entry *entry = (struct batch_entry *)(void *)((u8 *)open->batch + open->bytes);
    wal->checksum = batch_entry_fill(entry, wal->checksum, op, time_ms, frame, frame->size);
    open->bytes += (u32)sizeof *entry + frame->size;
    open->entries++;
    wal->op_last = op;
}

void wal_submit(struct wal *wal) { submit_next(wal); }

void wal_sync(struct wal *wal)
{
    if (wal->config.durability == WAL_SYNC) return;
    wal->sync_goal_op = wal->op_last;
    MARK_IF(wal->synced.op < wal->sync_goal_op, "sync without waiting for the interval");
    if (wal->synced.op < wal->sync_goal_op) sync_start(wal);
}

bool wal_idle(const struct wal *wal) { return opened(wal)->entries == 0 && !wal->write.busy; }

u64 wal_durable_op(const struct wal *wal) { return wal->op_durable; }

u64 wal_synced_op(const struct wal *wal) { return wal->synced.op; }

u64 wal_last_op(const struct wal *wal) { return wal->op_last; }

u64 wal_checksum(const struct wal *wal) { return wal->checksum; }

u64 wal_bytes_since(const struct wal *wal, u64 op)
{
    u64 total = opened(wal)->entries > 0 ? opened(wal)->bytes : 0;
    for (u32 index = wal->segments.count; index-- > 0;) {
        const struct segment *segment = &wal->segments.items[index];
        if (segment->op_last <= op) break;
        u64 ops = segment->op_last - segment->op_before;
        u64 ops_since = segment->op_last - max_u64(op, segment->op_before);
        total += (u64)((double)segment->bytes * ((double)ops_since / (double)ops));
    }
    return total;
}

u64 wal_bytes(const struct wal *wal)
{
    u64 total = wal->reserve.state == RESERVE_NONE ? 0 : wal->reserve.segment.bytes_max;
    for (u32 i = 0; i < wal->segments.count; i++) total += wal->segments.items[i].bytes_max;
    return total;
}

u64 wal_written_bytes(const struct wal *wal) { return wal->written_bytes; }

u64 wal_torn_bytes(const struct wal *wal) { return wal->torn_bytes; }

u64 wal_replayed_bytes(const struct wal *wal) { return wal->replayed_bytes; }

u64 wal_marks(const struct wal *wal) { return wal->marks; }

bool wal_reserve_ready(const struct wal *wal) { return wal->reserve.state == RESERVE_READY; }

void wal_recycle(struct wal *wal, u64 op)
{
    ASSERT(op <= wal->synced.op);
    const struct segment *items = wal->segments.items;
    /* The one with the last durable op stays: a log without any batch is refused. */
    while (wal->free_count + 1 < wal->segments.count && items[wal->free_count].op_last <= op &&
           items[wal->free_count].op_last < wal->synced.op) {
        wal->free_count++;
    }
    if (wal->reserve.state == RESERVE_FULL && wal->free_count > 0) reserve_prepare(wal);
}

/* ---- Opening ---- */

/* Behind the end of the log stands the reserve, or what nobody was told of: that is removed, last one first,
 * so that numbers never have a gap. */
static i32 segments_cut(struct wal *wal, const struct scan *scan)
{
    u32 keep = scan->segment + 1;
    i32 result = 0;
    while (wal->segments.count > keep && result == 0) {
        struct segment_behind behind = {.follows = wal->segments.count == keep + 1,
                                        .fits = current(wal)->bytes_max == wal->config.segment_bytes,
                                        .used = scan->later_found};
        if (decide_behind(&behind) == DECIDE_ADOPT) {
            reserve_adopt(&wal->reserve, current(wal));
        } else {
            MARK("segment behind the log's end removed");
            result = segment_remove(current(wal), wal->directory);
            if (result == 0) result = file_sync_directory(wal->directory);
        }
        if (result == 0) wal->segments.count--;
    }
    return result;
}

/* Makes the end of the log that was found, and a segment to write to. */
static i32 end_prepare(struct wal *wal, const struct scan *scan)
{
    i32 result = 0;
    if (wal->segments.count == 0) {
        struct segment first;
        result = segment_make(&first, wal->directory, 1, wal->config.segment_bytes);
        if (result < 0) return result;
        first.op_before = first.op_last = scan->op_last;
        if (segments_add(&wal->segments, &first)) return 0;
        file_close(first.fd);
        return -ENOMEM;
    }
    result = segments_cut(wal, scan);
    if (result < 0) return result;
    struct segment *last = current(wal);
    last->bytes = scan->offset;
    last->op_last = scan->op_last;
    if (!scan->found) last->op_before = scan->op_last;
    /* Nothing that was torn may ever be taken for something. */
    if (!scan->rest_dirty) return 0;
    MARK("rest of the last segment wiped");
    return segment_wipe(last, scan->offset);
}

static i32 log_read(struct wal *wal, u64 after_op, wal_entry_fn *fn, void *owner, char *error,
                    u32 error_bytes)
{
    struct scan scan = {
        .store_id = wal->config.store_id,
        .machine_version = wal->config.machine_version,
        .after_op = after_op,
        .after_checksum = wal->config.after_checksum,
        .fn = fn,
        .owner = owner,
        .segments = &wal->segments,
    };
    i32 result = segments_open(&wal->segments, wal->directory, true, error, error_bytes);
    if (result == 0) result = scan_run(&scan, error, error_bytes);
    if (result < 0) return result;
    result = end_prepare(wal, &scan);
    if (result == 0 && scan.found && wal->segments.unused) {
        result = segments_unused_remove(wal->directory);
        wal->segments.unused = false;
    }
    if (result < 0) {
        snprintf(error, error_bytes, "cannot prepare the log in %s: %s; remedy: %s", wal->directory,
                 strerror(-result),
                 file_disk_full(result) ? "free some disk space" : "check the disk and the directory");
        return result;
    }
    wal->op_last = wal->op_durable = scan.op_last;
    wal->checksum = scan.checksum;
    wal->sent = wal->written = wal->synced = (struct progress){.seq = scan.seq, .op = scan.op_last};
    wal->torn_bytes = scan.torn_bytes;
    wal->replayed_bytes = scan.bytes;
    wal->marked = !scan.found;
    return 0;
}

static void config_complete(struct wal *wal, const struct wal_config *config)
{
    wal->config = *config;
    if (wal->config.segment_bytes == 0) wal->config.segment_bytes = SEGMENT_BYTES_DEFAULT;
    if (wal->config.batch_bytes == 0) wal->config.batch_bytes = BATCH_BYTES_DEFAULT;
    if (wal->config.mark_us == 0) wal->config.mark_us = MARK_US_DEFAULT;
    wal->config.directory = wal->directory;
    ASSERT(wal->config.batch_bytes % BLOCK_BYTES == 0 && wal->config.batch_bytes <= BATCH_BYTES_MAX);
    ASSERT(wal->config.segment_bytes % BLOCK_BYTES == 0 &&
           wal->config.segment_bytes > wal->config.batch_bytes);
    ASSERT(wal->config.durability >= WAL_SYNC && wal->config.durability <= WAL_OFF);
    ASSERT(wal->config.failed != NULL);
}

static i32 allocate(struct wal **wal_out, const struct wal_config *config, struct io *io)
{
    struct wal *wal = calloc(1, sizeof *wal);
    *wal_out = wal;
    if (wal == NULL) return -ENOMEM;
    wal->io = io;
    wal->reserve.directory_fd = wal->reserve.segment.fd = -1;
    wal->directory = strdup(config->directory);
    if (wal->directory == NULL) return -ENOMEM;
    config_complete(wal, config);
    for (u32 i = 0; i < 2; i++) {
        wal->batches[i].batch = file_buffer(wal->config.batch_bytes);
        if (wal->batches[i].batch == NULL) return -ENOMEM;
        open_reset(&wal->batches[i]);
    }
    wal->write = (struct io_op){.done = write_done, .owner = wal};
    wal->sync = (struct io_op){.done = sync_done, .owner = wal};
    wal->mark_timer = (struct io_op){.done = mark_done, .owner = wal};
    wal->interval_timer = (struct io_op){.done = interval_done, .owner = wal};
    wal->reserve.changed = reserve_changed;
    wal->reserve.failed = reserve_failed;
    wal->reserve.owner = wal;
    i32 result = file_make_directory(wal->directory);
    return result < 0 ? result : reserve_open(&wal->reserve, io, wal->directory);
}

static void release(struct wal *wal)
{
    if (wal == NULL) return;
    if (wal->reserve.io != NULL) reserve_close(&wal->reserve);
    segments_close(&wal->segments);
    for (u32 i = 0; i < 2; i++) file_buffer_free(wal->batches[i].batch, wal->config.batch_bytes);
    free(wal->directory);
    free(wal);
}

i32 wal_open(struct wal **wal_out, const struct wal_config *config, struct io *io, u64 after_op,
             wal_entry_fn *fn, void *owner, char *error, u32 error_bytes)
{
    *wal_out = NULL;
    struct wal *wal;
    i32 result = allocate(&wal, config, io);
    if (result < 0) {
        snprintf(error, error_bytes,
                 "cannot open the log directory %s: %s; remedy: make it accessible for this user",
                 config->directory, strerror(-result));
    } else {
        result = log_read(wal, after_op, fn, owner, error, error_bytes);
    }
    if (result < 0) {
        release(wal);
        return result;
    }
    wal_recycle(wal, after_op);
    reserve_prepare(wal);
    settle(wal);
    *wal_out = wal;
    return 0;
}

void wal_close(struct wal *wal)
{
    if (wal == NULL) return;
    wal->closing = true;
    io_timeout_cancel(wal->io, &wal->mark_timer);
    io_timeout_cancel(wal->io, &wal->interval_timer);
    while (wal->write.busy || wal->sync.busy || wal->mark_timer.busy || wal->interval_timer.busy) {
        io_run(wal->io, true);
    }
    MARK_IF(!wal->failed && wal->synced.seq < wal->sent.seq, "log synced when it is closed");
    if (!wal->failed && wal->synced.seq < wal->sent.seq) (void)file_sync(current(wal)->fd);
    release(wal);
}
