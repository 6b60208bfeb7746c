#include "durable/scan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/mark.h"

#define SEGMENT_NAME "%016" PRIx64 ".log"

/* What one pass keeps at hand. */
struct pass {
    struct scan *scan;
    struct segment_window window;
    char *error;
    u32 error_bytes;
};

static struct segment *segment_at(const struct pass *pass, u32 index)
{
    return &pass->scan->segments->items[index];
}

static i32 unreadable(const struct pass *pass, u32 index, u64 offset, i32 result)
{
    snprintf(pass->error, pass->error_bytes,
             "cannot read log segment " SEGMENT_NAME " at offset %" PRIu64
             ": %s; remedy: check the disk, or start "
             "from a backup",
             segment_at(pass, index)->number, offset, strerror(-result));
    return result;
}

/* A batch that is sound but cannot be taken; 0 when it is none of those. */
static i32 refuse_verdict(const struct pass *pass, u32 index, enum batch_verdict verdict)
{
    u64 number = segment_at(pass, index)->number;
    if (verdict == BATCH_FOREIGN) {
        snprintf(pass->error, pass->error_bytes,
                 "log segment " SEGMENT_NAME
                 " belongs to another store; remedy: put the log that belongs to this "
                 "store back, or start from a backup",
                 number);
        return -EINVAL;
    }
    if (verdict == BATCH_FORMAT) {
        snprintf(pass->error, pass->error_bytes,
                 "log segment " SEGMENT_NAME
                 " was written in another format version; remedy: start the program that "
                 "wrote it, stop it gracefully (SIGTERM; it checkpoints), then move the log directory away",
                 number);
        return -EPROTONOSUPPORT;
    }
    return 0;
}

static enum batch_verdict batch_at(struct pass *pass, u32 index, u64 offset, const struct batch **batch,
                                   i32 *result)
{
    return window_batch(&pass->window, segment_at(pass, index), offset, pass->scan->store_id, batch, result);
}

/* ---- Where to begin: the last segment that begins with a sound batch at or before the first op wanted ----
 */

static i32 find_start(struct pass *pass, u32 *start, u64 *op_lowest, u32 *unsound)
{
    struct scan *scan = pass->scan;
    *start = *unsound = U32_NONE;
    *op_lowest = U64_NONE;
    for (u32 index = scan->segments->count; index-- > 0;) {
        const struct batch *batch;
        i32 result;
        enum batch_verdict verdict = batch_at(pass, index, 0, &batch, &result);
        if (result < 0) return unreadable(pass, index, 0, result);
        result = refuse_verdict(pass, index, verdict);
        if (result < 0) return result;
        if (verdict != BATCH_VALID) {
            if (*op_lowest != U64_NONE && *unsound == U32_NONE) *unsound = index;
            continue;
        }
        *unsound = U32_NONE;
        *op_lowest = batch->first_op;
        if (batch->first_op > scan->after_op + 1) continue;
        *start = index;
        return 0;
    }
    return 0;
}

/* ---- Where it ends ---- */

static i32 damaged(const struct pass *pass, u32 index, u64 offset, u32 proof_index, u64 proof_offset)
{
    MARK("damage in the log refused");
    snprintf(pass->error, pass->error_bytes,
             "the log is damaged: in segment " SEGMENT_NAME " at offset %" PRIu64
             " the batch with op %" PRIu64
             " does not verify, but it had been durable, as the batch in " SEGMENT_NAME " at offset %" PRIu64
             " shows; remedy: check the disk, look with 'ticketctl inspect', start from a backup",
             segment_at(pass, index)->number, offset, pass->scan->op_last + 1,
             segment_at(pass, proof_index)->number, proof_offset);
    return -EIO;
}

static bool block_zero(const u64 *block)
{
    u64 any = 0;
    for (u32 i = 0; i < BLOCK_BYTES / sizeof *block; i++) any |= block[i];
    return any == 0;
}

/* Looks at every block of one segment from `offset` on for a later batch that proves damage at the end. */
static i32 search_later(struct pass *pass, u32 index, u64 offset)
{
    struct scan *scan = pass->scan;
    for (u64 at = offset; at + BLOCK_BYTES <= segment_at(pass, index)->bytes_max;) {
        const struct batch *batch;
        i32 result;
        enum batch_verdict verdict = batch_at(pass, index, at, &batch, &result);
        if (result < 0) return unreadable(pass, index, at, result);
        if (index == scan->segment && !block_zero((const u64 *)batch)) scan->rest_dirty = true;
        if (verdict != BATCH_VALID) {
            at += BLOCK_BYTES;
            continue;
        }
        bool continues_badly = index == scan->segment && at == scan->offset;
        if (continues_badly || batch->durable_seq > scan->seq) {
            return damaged(pass, scan->segment, scan->offset, index, at);
        }
        if (index > scan->segment) {
            MARK("later segment that nobody was told of");
            scan->later_found = true;
        }
        at += batch_bytes_on_disk(batch->bytes);
    }
    return 0;
}

static void torn_measure(struct pass *pass)
{
    struct scan *scan = pass->scan;
    const struct segment *segment = segment_at(pass, scan->segment);
    if (scan->offset + BLOCK_BYTES > segment->bytes_max) return;
    i32 result;
    const struct batch *batch = window_at(&pass->window, segment, scan->offset, BLOCK_BYTES, &result);
    if (batch == NULL || batch->magic != BATCH_MAGIC) return;
    if (batch->segment != segment->number || batch->offset != scan->offset) return;
    MARK("torn tail cut");
    scan->torn_bytes = batch_bytes_on_disk(min_u32(batch->bytes, BATCH_BYTES_MAX));
}

static i32 check_end(struct pass *pass)
{
    struct scan *scan = pass->scan;
    torn_measure(pass);
    for (u32 index = scan->segment; index < scan->segments->count; index++) {
        i32 result = search_later(pass, index, index == scan->segment ? scan->offset : 0);
        if (result < 0) return result;
    }
    if (scan->found && scan->op_last < scan->after_op) {
        snprintf(pass->error, pass->error_bytes,
                 "the log ends at op %" PRIu64 " in segment " SEGMENT_NAME " at offset %" PRIu64
                 ", but the store covers op %" PRIu64
                 ": the end of the log is missing; remedy: put the log that "
                 "belongs to this store back, or start from a backup",
                 scan->op_last, segment_at(pass, scan->segment)->number, scan->offset, scan->after_op);
        return -EIO;
    }
    return 0;
}

/* ---- In between ---- */

static i32 take_entry(struct pass *pass, const struct batch_entry *entry)
{
    struct scan *scan = pass->scan;
    if (entry->op == scan->after_op && !scan->any_checksum && entry->checksum != scan->after_checksum) {
        snprintf(pass->error, pass->error_bytes,
                 "log and store do not belong together: they differ in op %" PRIu64
                 "; remedy: put the log that "
                 "belongs to this store back, or start from a backup",
                 entry->op);
        return -EIO;
    }
    if (entry->op <= scan->after_op || scan->fn == NULL) return 0;
    struct wal_entry given = {.op = entry->op, .time_ms = entry->time_ms};
    given.frame = (const struct tkd_frame *)(const void *)(entry + 1);
    i32 result = scan->fn(scan->owner, &given);
    if (result == 0) return 0;
    if (pass->error[0] == 0) {
        snprintf(pass->error, pass->error_bytes, "op %" PRIu64 " of the log cannot be applied", entry->op);
    }
    return result < 0 ? result : -EINVAL;
}

static i32 take_batch(struct pass *pass, const struct batch *batch)
{
    struct scan *scan = pass->scan;
    u64 op_last = batch->first_op + batch->entries - 1;
    bool replayed = op_last > scan->after_op;
    if (replayed && batch->entries > 0 && scan->machine_version != 0 &&
        batch->machine_version != scan->machine_version) {
        snprintf(
            pass->error, pass->error_bytes,
            "op %" PRIu64
            " of the log was written by state machine version %u, this is version %u; remedy: start "
            "the program that wrote it and stop it gracefully (SIGTERM): it checkpoints, then start this one",
            batch->first_op, batch->machine_version, scan->machine_version);
        return -EPROTONOSUPPORT;
    }
    const struct batch_entry *entry = NULL;
    while ((entry = batch_entry_next(batch, entry)) != NULL) {
        i32 result = take_entry(pass, entry);
        if (result < 0) return result;
        scan->checksum = entry->checksum;
    }
    scan->op_last = op_last;
    scan->seq = batch->seq;
    scan->offset += batch_bytes_on_disk(batch->bytes);
    if (replayed) scan->bytes += batch->bytes;
    struct segment *segment = segment_at(pass, scan->segment);
    segment->bytes = scan->offset;
    segment->op_last = op_last;
    return 0;
}

static bool continues(const struct scan *scan, const struct batch *batch)
{
    return batch->seq == scan->seq + 1 && batch->previous == scan->checksum &&
           batch->first_op == scan->op_last + 1;
}

/* The next batch, here or at the beginning of the next segment; NULL: the log ends. */
static i32 next_batch(struct pass *pass, const struct batch **batch)
{
    struct scan *scan = pass->scan;
    i32 result;
    enum batch_verdict verdict = batch_at(pass, scan->segment, scan->offset, batch, &result);
    if (result < 0) return unreadable(pass, scan->segment, scan->offset, result);
    if (verdict == BATCH_VALID && continues(scan, *batch)) return 0;
    MARK_IF(verdict == BATCH_VALID, "sound batch that does not continue the log");
    bool sound_here = verdict == BATCH_VALID;
    *batch = NULL;
    u32 next = scan->segment + 1;
    if (sound_here || next >= scan->segments->count) return 0;
    if (segment_at(pass, next)->number != segment_at(pass, scan->segment)->number + 1) return 0;
    const struct batch *first;
    verdict = batch_at(pass, next, 0, &first, &result);
    if (result < 0) return unreadable(pass, next, 0, result);
    if (verdict != BATCH_VALID || !continues(scan, first)) return 0;
    MARK("log goes on in the next segment");
    scan->segment = next;
    scan->offset = 0;
    segment_at(pass, next)->op_before = scan->op_last;
    *batch = first;
    return 0;
}

static i32 read_all(struct pass *pass, u32 start)
{
    struct scan *scan = pass->scan;
    const struct batch *batch;
    i32 result;
    enum batch_verdict verdict = batch_at(pass, start, 0, &batch, &result);
    if (result < 0 || verdict != BATCH_VALID) return unreadable(pass, start, 0, result < 0 ? result : -EIO);
    scan->found = true;
    scan->segment = start;
    scan->offset = 0;
    scan->seq = batch->seq - 1;
    scan->op_last = batch->first_op - 1;
    scan->checksum = batch->previous;
    if (scan->op_last == scan->after_op && !scan->any_checksum && scan->checksum != scan->after_checksum) {
        snprintf(pass->error, pass->error_bytes,
                 "log and store do not belong together: they differ before op %" PRIu64
                 "; remedy: put the log that "
                 "belongs to this store back, or start from a backup",
                 batch->first_op);
        return -EIO;
    }
    for (u32 index = 0; index <= start; index++) segment_at(pass, index)->op_before = scan->op_last;
    for (u32 index = 0; index < start; index++) segment_at(pass, index)->op_last = scan->op_last;
    while (batch != NULL) {
        result = take_batch(pass, batch);
        if (result == 0) result = next_batch(pass, &batch);
        if (result < 0) return result;
    }
    return 0;
}

/* The log is needed from an op on that lies before its first sound segment. */
static i32 begins_late(const struct pass *pass, u64 op_lowest, u32 unsound)
{
    const struct scan *scan = pass->scan;
    if (unsound != U32_NONE) {
        MARK("damage at the log's begin refused");
        snprintf(pass->error, pass->error_bytes,
                 "the log is damaged: in segment " SEGMENT_NAME
                 " at offset 0 the first batch does not verify; op %" PRIu64 " is needed, and the next sound "
                 "segment begins with op %" PRIu64
                 "; remedy: check the disk, look with 'ticketctl inspect', start from a backup",
                 segment_at(pass, unsound)->number, scan->after_op + 1, op_lowest);
    } else {
        snprintf(pass->error, pass->error_bytes,
                 "the log begins with op %" PRIu64 ", but the store covers only up to op %" PRIu64
                 ": segments are missing; remedy: put them back, or start from a backup",
                 op_lowest, scan->after_op);
    }
    return -EIO;
}

static i32 run(struct pass *pass)
{
    u32 start, unsound;
    u64 op_lowest;
    pass->window.ahead = BLOCK_BYTES;
    i32 result = find_start(pass, &start, &op_lowest, &unsound);
    pass->window.ahead = WINDOW_AHEAD_BYTES;
    if (result < 0) return result;
    if (start == U32_NONE && op_lowest != U64_NONE) return begins_late(pass, op_lowest, unsound);
    if (start != U32_NONE) result = read_all(pass, start);
    if (result == 0) result = check_end(pass);
    return result;
}

i32 scan_run(struct scan *scan, char *error, u32 error_bytes)
{
    ASSERT(error_bytes > 0);
    error[0] = 0;
    struct pass pass = {.scan = scan, .error = error, .error_bytes = error_bytes};
    scan->op_last = scan->after_op;
    scan->checksum = scan->after_checksum;
    if (scan->segments->count == 0) return 0;
    i32 result = window_open(&pass.window, WINDOW_AHEAD_BYTES);
    if (result < 0) {
        snprintf(error, error_bytes, "no memory to read the log; remedy: free some");
        return result;
    }
    result = run(&pass);
    window_close(&pass.window);
    return result;
}
