#include "durable/scan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/mark.h"
#include "durable/decision.h"

#define SEGMENT_NAME "%016" PRIx64 ".log"

/* What one pass keeps at hand. */
struct pass {
    struct scan *scan;
    struct segment_window window;
    /* Where that was found which a decision rests on. */
    u32 proof_segment;
    u64 proof_offset;
    enum batch_verdict strange;
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

/* ---- Refusals ---- */

static i32 refuse_strange(const struct pass *pass)
{
    u64 number = segment_at(pass, pass->proof_segment)->number;
    if (pass->strange == BATCH_FOREIGN) {
        snprintf(pass->error, pass->error_bytes,
                 "log segment " SEGMENT_NAME
                 " belongs to another store; remedy: put the log that belongs to this "
                 "store back, or start from a backup",
                 number);
        return -EINVAL;
    }
    snprintf(pass->error, pass->error_bytes,
             "log segment " SEGMENT_NAME
             " was written in another format version; remedy: start the program that "
             "wrote it, stop it gracefully (SIGTERM; it checkpoints), then put an empty file '" SEGMENTS_UNUSED
             "' in the place of the log's segments",
             number);
    return -EPROTONOSUPPORT;
}

static i32 refuse_damaged(const struct pass *pass)
{
    MARK("damage in the log refused");
    const struct scan *scan = pass->scan;
    u64 number = segment_at(pass, scan->segment)->number;
    char next[64] = ""; /* the batch may have been the first one of the next segment */
    if (pass->proof_segment > scan->segment)
        snprintf(next, sizeof next, " or " SEGMENT_NAME " at offset 0", number + 1);
    snprintf(pass->error, pass->error_bytes,
             "the log is damaged: in segment " SEGMENT_NAME " at offset %" PRIu64 "%s the batch with op %" PRIu64
             " does not verify, but it had been durable, as the batch in " SEGMENT_NAME " at offset %" PRIu64
             " shows; remedy: check the disk, look with 'ticketctl inspect', start from a backup",
             number, scan->offset, next, scan->op_last + 1, segment_at(pass, pass->proof_segment)->number,
             pass->proof_offset);
    return -EIO;
}

static i32 refuse_gap(const struct pass *pass)
{
    MARK("missing log segment refused");
    const struct segment *segment = segment_at(pass, pass->scan->segment);
    snprintf(pass->error, pass->error_bytes,
             "the log is damaged: segment " SEGMENT_NAME " is missing between " SEGMENT_NAME
             " and " SEGMENT_NAME "; remedy: put it back, or start from a backup",
             segment->number + 1, segment->number, segment[1].number);
    return -EIO;
}

static i32 refuse_end(const struct pass *pass)
{
    const struct scan *scan = pass->scan;
    snprintf(pass->error, pass->error_bytes,
             "the log ends at op %" PRIu64 " in segment " SEGMENT_NAME " at offset %" PRIu64
             ", but the store covers op %" PRIu64 ": the end of the log is missing; remedy: put the log that "
             "belongs to this store back, or start from a backup",
             scan->op_last, segment_at(pass, scan->segment)->number, scan->offset, scan->after_op);
    return -EIO;
}

/* The first batch of its first segment at least was durable, whatever was covered by the store since. */
static i32 refuse_missing(const struct pass *pass)
{
    MARK("missing log refused");
    char first[64] = "it has no segments";
    if (pass->scan->segments->count > 0)
        snprintf(first, sizeof first, "nothing verifies in segment " SEGMENT_NAME " at offset 0",
                 segment_at(pass, 0)->number);
    snprintf(pass->error, pass->error_bytes,
             "the log is missing: %s, but it had been used behind op %" PRIu64
             ", which the store covers; remedy: put the log that belongs to this store back, or start from a backup",
             first, pass->scan->after_op);
    return -EIO;
}

static i32 refuse(const struct pass *pass, enum decision decision)
{
    if (decision == REFUSE_MISSING) return refuse_missing(pass);
    if (decision == REFUSE_STRANGE) return refuse_strange(pass);
    if (decision == REFUSE_GAP) return refuse_gap(pass);
    if (decision == REFUSE_END) return refuse_end(pass);
    ASSERT(decision == REFUSE_DAMAGED);
    return refuse_damaged(pass);
}

/* The log is needed from an op on that lies before its first sound segment. */
static i32 refuse_begin(const struct pass *pass, enum decision decision, u64 op_lowest, u32 torn)
{
    const struct scan *scan = pass->scan;
    if (decision == REFUSE_BEGIN_DAMAGED) {
        MARK("damage at the log's begin refused");
        snprintf(pass->error, pass->error_bytes,
                 "the log is damaged: in segment " SEGMENT_NAME
                 " at offset 0 the first batch does not verify; op %" PRIu64 " is needed, and the next sound "
                 "segment begins with op %" PRIu64
                 "; remedy: check the disk, look with 'ticketctl inspect', start from a backup",
                 segment_at(pass, torn)->number, scan->after_op + 1, op_lowest);
        return -EIO;
    }
    snprintf(pass->error, pass->error_bytes,
             "the log begins with op %" PRIu64 ", but the store covers only up to op %" PRIu64
             ": segments are missing; remedy: put them back, or start from a backup",
             op_lowest, scan->after_op);
    return -EIO;
}

/* ---- What stands at a place ---- */

static enum batch_verdict batch_at(struct pass *pass, u32 index, u64 offset, const struct batch **batch,
                                   i32 *result)
{
    return window_batch(&pass->window, segment_at(pass, index), offset, pass->scan->store_id, batch, result);
}

static void proof_note(struct pass *pass, u32 index, u64 offset, enum batch_verdict verdict)
{
    pass->proof_segment = index;
    pass->proof_offset = offset;
    pass->strange = verdict;
}

static bool sound(enum batch_verdict verdict)
{
    return verdict == BATCH_VALID || verdict == BATCH_FOREIGN || verdict == BATCH_FORMAT;
}

/* ---- Behind the end ---- */

static bool block_zero(const u64 *block)
{
    u64 any = 0;
    for (u32 i = 0; i < BLOCK_BYTES / sizeof *block; i++) any |= block[i];
    return any == 0;
}

/* Looks at every block of one segment from `offset` on for batches, until there is proof of damage. */
static i32 search_later(struct pass *pass, u32 index, u64 offset, enum later *later)
{
    struct scan *scan = pass->scan;
    for (u64 at = offset; at + BLOCK_BYTES <= segment_at(pass, index)->bytes_max && *later <= LATER_UNTOLD;) {
        const struct batch *batch;
        i32 result;
        enum batch_verdict verdict = batch_at(pass, index, at, &batch, &result);
        if (result < 0) return unreadable(pass, index, at, result);
        if (index == scan->segment && !block_zero((const u64 *)batch)) scan->rest_dirty = true;
        if (!sound(verdict)) {
            at += BLOCK_BYTES;
            continue;
        }
        *later = LATER_UNTOLD;
        if (verdict == BATCH_VALID && batch->durable_seq > scan->seq) *later = LATER_PROOF;
        if (verdict != BATCH_VALID) *later = LATER_STRANGE;
        proof_note(pass, index, at, verdict);
        if (index > scan->segment) {
            MARK("later segment that nobody was told of");
            scan->later_found = true;
        }
        at += batch_bytes_on_disk(batch->bytes);
    }
    return 0;
}

static i32 read_later(struct pass *pass, struct log_end *end)
{
    const struct scan *scan = pass->scan;
    end->later = LATER_NOTHING;
    i32 result = search_later(pass, scan->segment, scan->offset, &end->later);
    for (u32 index = scan->segment + 1; index < scan->segments->count && result == 0; index++)
        result = search_later(pass, index, 0, &end->later);
    return result;
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

static i32 holds_at(struct pass *pass, u32 index, u64 offset, const struct batch **batch, enum holds *holds)
{
    const struct scan *scan = pass->scan;
    i32 result;
    *holds = HOLDS_NOTHING;
    if (offset + BLOCK_BYTES > segment_at(pass, index)->bytes_max) return 0;
    enum batch_verdict verdict = batch_at(pass, index, offset, batch, &result);
    if (result < 0) return unreadable(pass, index, offset, result);
    *holds = HOLDS_NOISE;
    if (!sound(verdict)) return 0;
    proof_note(pass, index, offset, verdict);
    const struct batch *found = *batch;
    bool continues = found->seq == scan->seq + 1 && found->previous == scan->checksum &&
                     found->first_op == scan->op_last + 1;
    *holds = verdict != BATCH_VALID ? HOLDS_STRANGE : continues ? HOLDS_NEXT : HOLDS_BREAK;
    return 0;
}

static i32 read_next(struct pass *pass, const struct batch **batch, struct log_end *end)
{
    u32 next = pass->scan->segment + 1;
    end->next = HOLDS_NOTHING;
    if (next >= pass->scan->segments->count) return 0;
    if (segment_at(pass, next)->number == segment_at(pass, next - 1)->number + 1)
        return holds_at(pass, next, 0, batch, &end->next);
    end->next = HOLDS_GAP;
    return 0;
}

static void go_to_next(struct pass *pass)
{
    struct scan *scan = pass->scan;
    scan->segment++;
    scan->offset = 0;
    segment_at(pass, scan->segment)->op_before = scan->op_last;
}

/* Batch after batch until the log ends. */
static i32 read_all(struct pass *pass)
{
    struct scan *scan = pass->scan;
    for (;;) {
        const struct batch *batch;
        struct log_end end = {.store_ahead = scan->op_last < scan->after_op,
                              .lost = !scan->found && !scan->segments->unused};
        i32 result = holds_at(pass, scan->segment, scan->offset, &batch, &end.here);
        enum decision decision = DECIDE_CUT;
        while (result == 0) {
            decision = decide_next(&end);
            if (decision == DECIDE_READ_NEXT)
                result = read_next(pass, &batch, &end);
            else if (decision == DECIDE_READ_LATER)
                result = read_later(pass, &end);
            else
                break;
        }
        if (result < 0) return result;
        if (decision == DECIDE_TAKE_NEXT) go_to_next(pass);
        if (decision != DECIDE_TAKE && decision != DECIDE_TAKE_NEXT) {
            torn_measure(pass);
            return decision_refuses(decision) ? refuse(pass, decision) : 0;
        }
        result = take_batch(pass, batch);
        if (result < 0) return result;
    }
}

/* ---- Where it begins ---- */

/* The first op of what newer segments hold, and which of them does not verify. */
struct newer {
    enum newer_segments kind;
    u64 op;
    u32 torn;
};

static enum first_batch first_of(const struct pass *pass, enum batch_verdict verdict,
                                 const struct batch *batch)
{
    if (!sound(verdict)) return FIRST_NOISE;
    if (verdict != BATCH_VALID) return FIRST_STRANGE;
    return batch->first_op > pass->scan->after_op + 1 ? FIRST_LATE : FIRST_EARLY;
}

static i32 find_begin(struct pass *pass, enum decision *decision, struct newer *newer)
{
    struct scan *scan = pass->scan;
    for (u32 index = scan->segments->count; index-- > 0;) {
        const struct batch *batch;
        i32 result;
        enum batch_verdict verdict = batch_at(pass, index, 0, &batch, &result);
        if (result < 0) return unreadable(pass, index, 0, result);
        proof_note(pass, index, 0, verdict);
        scan->segment = index;
        enum first_batch first = first_of(pass, verdict, batch);
        *decision = decide_begin(first, newer->kind);
        if (*decision != DECIDE_EARLIER) return 0;
        if (first == FIRST_LATE)
            *newer = (struct newer){.kind = NEWER_SOUND, .op = batch->first_op};
        else if (newer->kind == NEWER_SOUND)
            *newer = (struct newer){.kind = NEWER_TORN, .op = newer->op, .torn = index};
    }
    *decision = decide_begin(FIRST_NONE, newer->kind);
    return 0;
}

/* The log is read from the first batch of the segment on. */
static i32 begin(struct pass *pass)
{
    struct scan *scan = pass->scan;
    i32 result;
    const struct batch *batch;
    enum batch_verdict verdict = batch_at(pass, scan->segment, 0, &batch, &result);
    if (result < 0 || verdict != BATCH_VALID)
        return unreadable(pass, scan->segment, 0, result < 0 ? result : -EIO);
    scan->found = true;
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
    for (u32 index = 0; index <= scan->segment; index++) segment_at(pass, index)->op_before = scan->op_last;
    for (u32 index = 0; index < scan->segment; index++) segment_at(pass, index)->op_last = scan->op_last;
    return 0;
}

static i32 run(struct pass *pass)
{
    enum decision decision;
    struct newer newer = {.kind = NEWER_NOISE};
    pass->window.ahead = BLOCK_BYTES;
    i32 result = find_begin(pass, &decision, &newer);
    pass->window.ahead = WINDOW_AHEAD_BYTES;
    if (result < 0) return result;
    if (decision == REFUSE_STRANGE) return refuse(pass, decision);
    if (decision_refuses(decision)) return refuse_begin(pass, decision, newer.op, newer.torn);
    if (decision == DECIDE_BEGIN) result = begin(pass);
    return result < 0 ? result : read_all(pass);
}

i32 scan_run(struct scan *scan, char *error, u32 error_bytes)
{
    ASSERT(error_bytes > 0);
    error[0] = 0;
    struct pass pass = {.scan = scan, .error = error, .error_bytes = error_bytes};
    scan->op_last = scan->after_op;
    scan->checksum = scan->after_checksum;
    if (scan->segments->count == 0) {
        struct log_end end = {HOLDS_NOTHING, HOLDS_NOTHING, LATER_NOTHING, .lost = !scan->segments->unused};
        enum decision decision = decide_next(&end);
        return decision_refuses(decision) ? refuse(&pass, decision) : 0;
    }
    i32 result = window_open(&pass.window, WINDOW_AHEAD_BYTES);
    if (result < 0) {
        snprintf(error, error_bytes, "no memory to read the log; remedy: free some");
        return result;
    }
    result = run(&pass);
    window_close(&pass.window);
    return result;
}
