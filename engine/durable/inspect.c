#include "durable/inspect.h"

#include <errno.h>
#include <stdio.h>

#include "durable/scan.h"
#include "durable/segment.h"

struct inspection {
    const struct inspect_config *config;
    struct inspect_summary *summary;
    struct segments segments;
    struct segment_window window;
    u64 seq; /* of the batch before; 0: none */
};

static i32 entries_each(struct inspection *inspection, const struct batch *batch)
{
    const struct inspect_config *config = inspection->config;
    u64 chain = batch->previous;
    const struct batch_entry *entry = NULL;
    while ((entry = batch_entry_next(batch, entry)) != NULL) {
        struct inspect_entry given = {.segment = batch->segment,
                                      .offset = batch->offset,
                                      .op = entry->op,
                                      .time_ms = entry->time_ms,
                                      .checksum = entry->checksum,
                                      .frame = (const struct tkd_frame *)(const void *)(entry + 1)};
        given.sound = !config->verify || batch_entry_checksum(entry, chain) == entry->checksum;
        if (!given.sound) inspection->summary->unsound++;
        chain = entry->checksum;
        i32 result = config->entry == NULL ? 0 : config->entry(config->owner, &given);
        if (result != 0) return result;
    }
    inspection->summary->checksum = chain;
    return 0;
}

static i32 batch_show(struct inspection *inspection, const struct batch *batch)
{
    const struct inspect_config *config = inspection->config;
    struct inspect_summary *summary = inspection->summary;
    struct inspect_batch given = {.segment = batch->segment,
                                  .offset = batch->offset,
                                  .bytes = batch_bytes_on_disk(batch->bytes),
                                  .seq = batch->seq,
                                  .durable_seq = batch->durable_seq,
                                  .store_id = batch->store_id,
                                  .previous = batch->previous,
                                  .first_op = batch->first_op,
                                  .entries = batch->entries,
                                  .machine_version = batch->machine_version};
    given.follows =
        inspection->seq != 0 && batch->seq == inspection->seq + 1 && batch->previous == summary->checksum;
    if (inspection->seq != 0 && !given.follows) summary->unsound++;
    inspection->seq = batch->seq;
    summary->batches++;
    summary->bytes += given.bytes;
    if (batch->entries == 0)
        summary->marks++;
    else {
        if (summary->op_first == 0) summary->op_first = batch->first_op;
        summary->op_last = batch->first_op + batch->entries - 1;
        summary->entries += batch->entries;
    }
    i32 result = config->batch == NULL ? 0 : config->batch(config->owner, &given);
    return result != 0 ? result : entries_each(inspection, batch);
}

static i32 segment_show(struct inspection *inspection, const struct segment *segment)
{
    struct inspect_segment given = {.number = segment->number, .bytes_max = segment->bytes_max};
    for (;;) {
        const struct batch *batch;
        i32 result;
        enum batch_verdict verdict =
            window_batch(&inspection->window, segment, given.bytes, 0, &batch, &result);
        if (result < 0) return result;
        if (verdict != BATCH_VALID) break;
        u64 bytes = batch_bytes_on_disk(batch->bytes);
        if (batch->entries > 0) {
            if (given.op_first == 0) given.op_first = batch->first_op;
            given.op_last = batch->first_op + batch->entries - 1;
        }
        given.batches++;
        given.entries += batch->entries;
        result = batch_show(inspection, batch);
        if (result != 0) return result;
        given.bytes += bytes;
    }
    inspection->summary->segments++;
    const struct inspect_config *config = inspection->config;
    return config->segment == NULL ? 0 : config->segment(config->owner, &given);
}

static i32 scan_once(struct inspection *inspection, struct scan *scan, char *error, u32 error_bytes)
{
    scan->segments = &inspection->segments;
    i32 result = scan_run(scan, error, error_bytes);
    if (inspection->segments.count > 0) {
        inspection->summary->end_segment = inspection->segments.items[scan->segment].number;
        inspection->summary->end_offset = scan->offset;
        inspection->summary->torn_bytes = scan->torn_bytes;
    }
    return result;
}

/* First all that there is, then what a start on this store would make of it. */
static i32 verify(struct inspection *inspection, char *error, u32 error_bytes)
{
    const struct inspect_config *config = inspection->config;
    const struct inspect_summary *summary = inspection->summary;
    struct scan whole = {.after_op = summary->op_first == 0 ? config->after_op : summary->op_first - 1,
                         .any_checksum = true};
    i32 result = scan_once(inspection, &whole, error, error_bytes);
    if (result == 0 && config->after_op > 0) {
        struct scan fitting = {.after_op = config->after_op, .after_checksum = config->after_checksum};
        result = scan_once(inspection, &fitting, error, error_bytes);
    }
    if (result == 0 && summary->unsound > 0) {
        snprintf(
            error, error_bytes,
            "%llu entries or batches of the log do not continue the chain of checksums; remedy: start from a "
            "backup",
            (unsigned long long)summary->unsound);
        result = -EIO;
    }
    return result;
}

i32 wal_inspect(const struct inspect_config *config, struct inspect_summary *summary, char *error,
                u32 error_bytes)
{
    *summary = (struct inspect_summary){0};
    struct inspection inspection = {.config = config, .summary = summary};
    i32 result = segments_open(&inspection.segments, config->directory, false, error, error_bytes);
    if (result < 0) return result;
    result = window_open(&inspection.window, WINDOW_AHEAD_BYTES);
    if (result < 0) snprintf(error, error_bytes, "no memory to read the log; remedy: free some");
    for (u32 i = 0; i < inspection.segments.count && result == 0; i++) {
        result = segment_show(&inspection, &inspection.segments.items[i]);
        if (result < 0) {
            snprintf(error, error_bytes, "cannot read log segment %016llx: %s; remedy: check the disk",
                     (unsigned long long)inspection.segments.items[i].number, strerror(-result));
        }
    }
    if (result == 0 && config->verify) result = verify(&inspection, error, error_bytes);
    window_close(&inspection.window);
    segments_close(&inspection.segments);
    return result;
}
