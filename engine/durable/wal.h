/* The write-ahead log.
 *
 * Invariants:
 *  - a command is applied only after wal_room() said yes and in the same turn as wal_append(): what cannot
 *    be made durable never exists;
 *  - one batch write is in flight at a time; wal_durable_op() is the last op of the last finished one;
 *  - a segment's first batch is durable before anything behind it is written, in every mode: no loss of power
 *    takes it alone, so a segment that begins with noise is unused or damaged;
 *  - an acknowledged block is never written again; a batch fills whole 4 KiB blocks;
 *  - every batch binds log id, segment number, position and the checksum of the batch before it, so stale
 *    bytes of a recycled segment never validate and nothing can be dropped from the middle;
 *  - a failed write is final: the process stops.
 */
#ifndef DURABLE_WAL_H
#define DURABLE_WAL_H

#include "base/base.h"
#include "port/io.h"

enum wal_durability { WAL_SYNC = 1, WAL_INTERVAL, WAL_OFF };

struct wal;

struct wal_config {
    const char *directory; /* DATA/log */
    u64 store_id;
    u64 after_checksum;  /* root.log_checksum: the chain checksum after `after_op` */
    u32 machine_version; /* of the state machine; entries of another one are refused */
    u64 segment_bytes;   /* 0: 64 MiB */
    u32 batch_bytes;     /* 0: 4 MiB; at least the largest frame and headers */
    enum wal_durability durability;
    u32 interval_ms;
    u32 mark_us;                  /* idle for so long: the tail is covered by a mark; 0: 20 ms */
    void (*durable)(void *owner); /* called when wal_durable_op() has advanced; may be NULL */
    void (*failed)(void *owner, const char *what); /* final */
    void *owner;
};

/* One logged command. `frame` is followed by its body and is valid during the call only. */
struct wal_entry {
    u64 op;
    u64 time_ms;
    const struct tkd_frame *frame;
};
/* Non-zero stops the scan, which then fails with the explanation given. */
typedef i32 wal_entry_fn(void *owner, const struct wal_entry *entry);

/* Opens or makes the log and replays every entry with op > `after_op` in order through `fn`. A torn tail is
 * cut. Anything else that does not verify is corruption: -EIO, `error` names segment and offset. A gap
 * between `after_op` and the first entry is corruption too. */
i32 wal_open(struct wal **wal, const struct wal_config *config, struct io *io, u64 after_op, wal_entry_fn *fn,
             void *owner, char *error, u32 error_bytes);
/* Waits (runs `io`) for what is in flight; what was not submitted is forgotten. */
void wal_close(struct wal *wal);

/* Is there room for a frame of `frame_bytes` now? false: wait for the batch in flight, or (wal_full) for
 * disk space. */
bool wal_room(const struct wal *wal, u32 frame_bytes);
/* The next segment could not be prepared (disk full): refuse commands with STORAGE_FULL, go on reading. */
bool wal_full(const struct wal *wal);
/* Copies the entry into the open batch. Ops ascend by one. */
void wal_append(struct wal *wal, u64 op, u64 time_ms, const struct tkd_frame *frame);
/* Once a turn: writes the open batch unless one is in flight. When a write finishes, the next open batch
 * goes out by itself. */
void wal_submit(struct wal *wal);
bool wal_idle(const struct wal *wal); /* nothing open, nothing in flight */
/* Replies up to here may leave: durable, or, without WAL_SYNC, with the kernel: safe from the end of the
 * process, not from that of the machine. */
u64 wal_durable_op(const struct wal *wal);
/* Really durable, in every mode: what may go into the store. */
u64 wal_synced_op(const struct wal *wal);
/* Without WAL_SYNC: makes everything written so far durable soon, without waiting for the interval. */
void wal_sync(struct wal *wal);
u64 wal_last_op(const struct wal *wal);
u64 wal_checksum(const struct wal *wal);            /* chain checksum after the last op appended */
u64 wal_bytes_since(const struct wal *wal, u64 op); /* about: how much would be replayed after `op` */
u64 wal_bytes(const struct wal *wal);               /* of all segments on the disk */
u64 wal_written_bytes(const struct wal *wal);       /* in batches since it was opened */
u64 wal_torn_bytes(const struct wal *wal);          /* cut off by wal_open() */
u64 wal_replayed_bytes(const struct wal *wal);
u64 wal_marks(const struct wal *wal); /* written since it was opened */
bool wal_reserve_ready(const struct wal *wal);
/* A checkpoint covers ops up to here: segments below are recycled. */
void wal_recycle(struct wal *wal, u64 op);

#endif
