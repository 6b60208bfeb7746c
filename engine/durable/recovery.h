/* From a data directory to a running desk: lock, store, rows, log.
 *
 *     DATA/lock        held by flock, says who holds it
 *     DATA/store/      LMDB
 *     DATA/log/        the write-ahead log
 *     DATA/backups/    copies, each a complete DATA
 */
#ifndef DURABLE_RECOVERY_H
#define DURABLE_RECOVERY_H

#include "base/base.h"
#include "core/state.h"
#include "durable/growth.h"
#include "durable/wal.h"
#include "port/io.h"
#include "port/store.h"

struct recovery_config {
    const char *data;
    /* store_id is not looked at: it comes from the store, or is drawn for a new one. */
    struct state_config state;
    /* directory, store_id, machine_version and after_checksum are filled in. */
    struct wal_config wal;
};

/* What was opened, and what the ready line may tell. */
struct recovery {
    struct state *state;
    struct wal *wal;
    struct store *store;
    struct store_root root;
    char *data;
    struct growth growth;
    void *memory; /* the state's */
    u64 memory_bytes;
    i32 lock_fd;
    bool created;   /* the directory was new */
    u64 chunks;     /* loaded */
    u64 commands;   /* replayed */
    u64 log_bytes;  /* of the log, replayed */
    u64 torn_bytes; /* cut off the log's end */
    u64 elapsed_ms;
};

/* Makes `data` when it is new. On failure everything is released again and `error` says what, why and the
 * remedy. Runs `io`. */
i32 recovery_open(struct recovery *recovery, const struct recovery_config *config, struct io *io, char *error,
                  u32 error_bytes);
/* Closes log and store, frees the state, gives the lock back. */
void recovery_close(struct recovery *recovery);

#endif
