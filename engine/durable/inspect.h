/* Reading a log offline: everything that stands in its segments, without changing or replaying it. For tools;
 * the log may be in use meanwhile, then its end moves. */
#ifndef DURABLE_INSPECT_H
#define DURABLE_INSPECT_H

#include "base/base.h"
#include "durable/wal.h"

struct inspect_segment {
    u64 number;
    u64 bytes_max; /* of the file */
    u64 bytes;     /* used by batches */
    u64 batches;
    u64 entries;
    u64 op_first; /* 0: none */
    u64 op_last;
};

struct inspect_batch {
    u64 segment;
    u64 offset;
    u64 bytes; /* on the disk */
    u64 seq;
    u64 durable_seq;
    u64 store_id;
    u64 previous; /* chain checksum before it */
    u64 first_op;
    u32 entries; /* 0: a mark */
    u32 machine_version;
    bool follows; /* continues the batch before; false for the first one read */
};

struct inspect_entry {
    u64 segment;
    u64 offset; /* of its batch */
    u64 op;
    u64 time_ms;
    u64 checksum;                  /* chain checksum after it */
    const struct tkd_frame *frame; /* body behind it; valid during the call */
    bool sound;                    /* with `verify`: the chain checksum is right */
};

/* Any may be NULL; a non-zero answer stops the inspection and is returned. */
struct inspect_config {
    const char *directory; /* DATA/log */
    bool verify;           /* compute the chain checksums, and tell damage from a torn tail */
    u64 after_op; /* with `verify`: what the store covers (root.op, root.log_checksum); 0: nothing known */
    u64 after_checksum;
    i32 (*segment)(void *owner, const struct inspect_segment *segment); /* after its batches */
    i32 (*batch)(void *owner, const struct inspect_batch *batch);
    i32 (*entry)(void *owner, const struct inspect_entry *entry);
    void *owner;
};

struct inspect_summary {
    u64 segments;
    u64 batches;
    u64 marks;
    u64 entries;
    u64 op_first;
    u64 op_last;
    u64 checksum;    /* chain checksum after op_last */
    u64 bytes;       /* used by batches */
    u64 unsound;     /* entries whose chain checksum is wrong, and batches that do not continue the chain */
    u64 end_segment; /* with `verify`: where the log ends */
    u64 end_offset;
    u64 torn_bytes;
};

/* 0: all of it was read (and, with `verify`, is sound). -EIO: damaged, `error` says where. */
i32 wal_inspect(const struct inspect_config *config, struct inspect_summary *summary, char *error,
                u32 error_bytes);

#endif
