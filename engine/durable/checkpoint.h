/* The checkpoint: moves events and changed rows into the store while the desk goes on.
 *
 * Two activities through the store's one queue of jobs:
 *  - events: what the log has made durable is handed over, zero-copy out of the ring, and committed with the
 * root as it is;
 *  - rows: the rows as of op X are copied out in slices; the COMMIT behind the last one carries the root of
 * X, and the log up to X is recycled. Both share transactions; a COMMIT is made as soon as there is enough
 * for one and the one before it is done, so transactions stay small and the ring is emptied even while a
 * large snapshot is under way.
 *
 * Invariants:
 *  - nothing that the log has not made durable is ever committed: no event beyond wal_synced_op(), no root
 * beyond it, and a root only with all events up to its op;
 *  - rows take effect with their root, and not before (store.h);
 *  - event_stored() is told only what has been committed;
 *  - a backup is the store as a row checkpoint left it: events up to its root, and none beyond.
 */
#ifndef DURABLE_CHECKPOINT_H
#define DURABLE_CHECKPOINT_H

#include "base/base.h"
#include "core/event.h"
#include "core/state.h"
#include "durable/wal.h"
#include "port/io.h"
#include "port/store.h"

struct checkpoint;

struct checkpoint_config {
    u64 log_bytes;         /* a row checkpoint begins when so much log would be replayed; 0: 192 MiB */
    u64 event_flush_bytes; /* events are stored when so many bytes wait; 0: 1 MiB */
    u32 event_flush_ms;    /* or when they have waited so long; 0: 500 */
    u32 slice_us;          /* work per turn, about; 0: 100 */
    u64 disk_room_bytes;   /* nothing more is taken when the disk has less room than this; 0: 64 MiB */
    const char *backups;   /* DATA/backups */
    void (*failed)(void *owner, const char *what); /* final: the store failed, stop the process */
    void *owner;
};

/* `root` is what the store holds now (recovery.h). */
struct checkpoint *checkpoint_create(struct state *state, struct wal *wal, struct store *store, struct io *io,
                                     const struct store_root *root, const struct checkpoint_config *config);
/* Waits (runs `io`) for what is in flight. Requests not done yet are dropped: finish them before. */
void checkpoint_destroy(struct checkpoint *checkpoint);

/* Once a turn, after the turn's commands were applied and wal_submit() was called; about slice_us of work.
 * true: it wants to go on, do not wait for completions in the next io_run(). When it waits for time to pass,
 * it has its own timeout on `io`. */
bool checkpoint_turn(struct checkpoint *checkpoint);
/* Intake must slow down: the store or its copy-before-change memory does not keep up. */
bool checkpoint_slow(const struct checkpoint *checkpoint);
/* The disk has no room for what the store should take: refuse commands with STORAGE_FULL, go on reading. */
bool checkpoint_full(const struct checkpoint *checkpoint);
bool checkpoint_running(
    const struct checkpoint *checkpoint); /* a row checkpoint, a flush or a backup is under way */
/* What the store holds. */
const struct store_root *checkpoint_root(const struct checkpoint *checkpoint);
u64 checkpoint_rows_bytes(const struct checkpoint *checkpoint); /* handed to the store since the start */
u64 checkpoint_count(const struct checkpoint *checkpoint); /* row checkpoints finished since the start */

/* A wish for a checkpoint that covers everything applied so far. Stays in place until `done`: 0, or -errno
 * (-ENOSPC: the disk is full, everything stays in the log).
 * For a shutdown: take no more commands, request one, run the loop until it is done. */
struct checkpoint_request {
    void (*done)(struct checkpoint_request *request, i32 result);
    void *owner;
    /* Not empty: afterwards the store is copied to `backups`/NAME, from which a ticketd can be started.
     * -EEXIST: there is one of this name; -EINVAL: not a proper name (letters, digits, . _ -, no leading
     * dot). */
    char backup[72];
    struct checkpoint_request *next; /* the checkpoint's */
    u64 op;                          /* the checkpoint's */
};
void checkpoint_request(struct checkpoint *checkpoint, struct checkpoint_request *request);

#endif
