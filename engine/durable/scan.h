/* Reading a log from its segments: where it begins, every entry, where it ends. What it makes of what it
 * finds, and which of it is damage, is decided by the tables in decision.h. */
#ifndef DURABLE_SCAN_H
#define DURABLE_SCAN_H

#include "base/base.h"
#include "durable/segment.h"
#include "durable/wal.h"

struct scan {
    /* What is looked for. */
    u64 store_id; /* 0: whatever is there */
    u32 machine_version;
    u64 after_op;
    u64 after_checksum;
    bool any_checksum; /* after_checksum is not known */
    wal_entry_fn *fn;
    void *owner;
    struct segments *segments; /* op_before, op_last and bytes are filled in */

    /* What was found. */
    bool found;  /* there is a log */
    u32 segment; /* index of the segment in which the log ends */
    u64 offset;  /* where it ends */
    u64 seq;     /* of the last batch */
    u64 op_last;
    u64 checksum;     /* chain checksum after it */
    u64 bytes;        /* of batches with replayed entries */
    u64 torn_bytes;   /* of the batch that was cut off, about */
    bool rest_dirty;  /* something stands behind the end in the last segment */
    bool later_found; /* sound batches in later segments that nobody had been told of */
};

i32 scan_run(struct scan *scan, char *error, u32 error_bytes);

#endif
