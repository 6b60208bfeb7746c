/* What the files of the LMDB store share. Included by them alone.
 *
 * All databases have native u64 keys: two for each table (lmdb_rows.c), events (first seq -> checksum and
 * whole event records, lmdb_events.c), archived (ticket -> seq) and root (ROOT_KEY -> the root and its
 * checksum, UNFINISHED_KEY -> op of a snapshot whose rows are not all there). Nearly all values stay below
 * 2038 bytes, so that two fit on a page and no overflow pages have to be found in one piece; only an event
 * with a long text has a value of its own above that.
 */
#ifndef PORT_LMDB_H
#define PORT_LMDB_H

#include <errno.h>
#include <lmdb.h>

#include "base/base.h"
#include "port/store.h"

#define VALUE_BYTES_MAX 2016u /* with key and node header below LMDB's limit of 2038 */
#define ROOT_KEY        0u
#define UNFINISHED_KEY  1u

struct lmdb_helper;

struct store {
    MDB_env *env;
    MDB_dbi rows[STORE_TABLES_MAX][2];
    MDB_dbi events, archived, root;
    MDB_txn *reader; /* the loop's; reset between calls */

    struct lmdb_helper *helper; /* NULL: reading only */

    /* The helper's. */
    MDB_txn *txn;
    u64 event_last;  /* stored, or in the open transaction */
    u64 root_op;     /* of the root that is stored */
    u64 snapshot_op; /* of the rows that are being stored; 0: none */
    i32 failed;
};

/* LMDB's own codes are below -30000; the others are errnos. */
static inline i32 result_of(int code)
{
    if (code == MDB_SUCCESS) return 0;
    if (code == MDB_MAP_FULL) return -ENOSPC;
    if (code == MDB_NOTFOUND) return -ENOENT;
    if (code == MDB_READERS_FULL) return -EBUSY;
    return code > 0 ? -code : -EIO;
}

static inline MDB_val value_of(const void *data, u64 bytes)
{
    return (MDB_val){.mv_size = bytes, .mv_data = (void *)(uintptr_t)data};
}

/* Renews the loop's read transaction; `cursor` may be NULL. */
i32 lmdb_read_begin(struct store *store, MDB_dbi database, MDB_cursor **cursor);
void lmdb_read_end(struct store *store, MDB_cursor *cursor);
/* Of the root as the transaction sees it; 0: there is none. */
i32 lmdb_root_op(struct store *store, MDB_txn *txn, u64 *op);

/* Makes the jobs that are submitted run, one after the other (lmdb_helper.c). */
i32 lmdb_helper_start(struct store *store, struct io *io);
/* Waits for the running job; those not begun are dropped. */
void lmdb_helper_stop(struct store *store);

/* On the helper's thread. */
i32 lmdb_job_run(struct store *store, const struct store_job *job);

/* On the helper's thread, in the open transaction. */
i32 lmdb_rows_write(struct store *store, const struct store_job *job);
/* Takes away what a snapshot left that was not finished. */
i32 lmdb_rows_purge(struct store *store, MDB_txn *txn, u64 root_op);
i32 lmdb_events_write(struct store *store, const struct store_job *job);

#endif
