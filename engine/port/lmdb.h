/* What the files of the LMDB store share. Included by them alone.
 *
 * All databases have native u64 keys: two for each table (lmdb_rows.c), events (first seq and part -> checksum and
 * packed events, event_pack.h, lmdb_events.c), archived (ticket -> seq and its checksum) and root (ROOT_KEY -> the root
 * and its checksum, UNFINISHED_KEY -> op of a snapshot whose rows are not all there). Values stay below 2038 bytes, so
 * that two fit on a page, and no overflow pages have to be found in one piece.
 */
#ifndef PORT_LMDB_H
#define PORT_LMDB_H

#include <errno.h>
#include <lmdb.h>
#include <stddef.h>

#include "base/base.h"
#include "base/hash.h"
#include "port/store.h"

#define VALUE_BYTES_MAX 2016u /* with key and node header below LMDB's limit of 2038 */
#define ROOT_KEY        0u
#define UNFINISHED_KEY  1u
#define EVENTS_NAME     "events"
#define ARCHIVED_NAME   "archived"
#define ROOT_NAME       "root"

struct lmdb_helper;

/* What the loop's reading transaction has seen of one tree, so that keys side by side cost one way down: pages that
 * were checked, one of each level. They cannot change before the transaction ends. */
#define LMDB_LEVELS 8u /* deeper ones share them */
struct lmdb_seen {
    const char *tree; /* NULL: none yet */
    u64 root;
    u32 depth;
    struct lmdb_page {
        u64 number; /* 0: none */
        u64 low;    /* its bounds, see lmdb_pages.c */
        u64 high;
        u8 bytes[65536];
    } pages[LMDB_LEVELS];
};

struct store {
    MDB_env *env;
    MDB_dbi rows[STORE_TABLES_MAX][2];
    MDB_dbi events, archived, root;
    MDB_txn *reader; /* the loop's; reset between calls */
    struct lmdb_seen seen;
    u64 page_read; /* the number of the last one */

    struct lmdb_helper *helper; /* NULL: reading only */

    /* The helper's. */
    MDB_txn *txn;
    u64 event_last;   /* stored, or in the open transaction */
    u64 root_op;      /* of the root that is stored */
    u64 rows_sum;     /* of all rows as of that root */
    u64 snapshot_op;  /* of the rows that are being stored; 0: none */
    u64 snapshot_sum; /* of all rows as of that op */
    i32 failed;
};

static inline void lmdb_forget(struct lmdb_seen *seen)
{
    seen->tree = NULL;
    for (u32 i = 0; i < LMDB_LEVELS; i++) seen->pages[i].number = 0;
}

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

struct root_value {
    struct store_root root;
    u64 rows_sum; /* of all current rows: none is missing, none is an old one */
    u64 txn;      /* LMDB's number of the transaction: a meta page that claims another one is damaged */
    u64 checksum; /* of all before */
};

struct archived_value {
    u64 seq;
    u64 checksum; /* of it, seeded by the ticket */
};

static inline u64 root_checksum(const struct root_value *root)
{
    return hash64(root, offsetof(struct root_value, checksum), ROOT_KEY);
}

static inline u64 archived_checksum(u64 ticket, u64 seq) { return hash64(&seq, sizeof seq, ticket); }

/* Renews the loop's read transaction, which has seen nothing yet. */
i32 lmdb_read_begin(struct store *store);
void lmdb_read_end(struct store *store);
/* Before LMDB may use the file: is it whole (lmdb_pages.c)? `error` names the page that is not. */
i32 lmdb_check(struct store *store, const char *directory, char *error, u32 error_bytes);
/* -EPROTONOSUPPORT: the store is of another format; `error` says what to do. */
i32 lmdb_format_check(u32 format, const char *directory, char *error, u32 error_bytes);

/* ... and on the disk? The meta page that counts is written again, and synced. Of a file that was checked. */
i32 lmdb_meta_write_again(const char *directory);

struct lmdb_value {
    u64 key;
    const u8 *data; /* until the next call */
    u64 bytes;
    u64 page; /* the leaf that it is in */
};
/* The value in the tree of this name whose key is the highest not above `key`, read page by page, each
 * checked. Between lmdb_read_begin() and lmdb_read_end(). 1: there is none. */
i32 lmdb_find(struct store *store, const char *tree, u64 key, struct lmdb_value *value);

/* Of the root as the transaction sees it; 0: there is none. */
i32 lmdb_root_op(struct store *store, MDB_txn *txn, u64 *op, u64 *rows_sum);

/* Makes the jobs that are submitted run, one after the other (lmdb_helper.c). */
i32 lmdb_helper_start(struct store *store, struct io *io);
/* Waits for the running job; those not begun are dropped. */
void lmdb_helper_stop(struct store *store);

/* On the helper's thread. */
i32 lmdb_job_run(struct store *store, const struct store_job *job);

/* On the helper's thread, in the open transaction. */
i32 lmdb_rows_write(struct store *store, const struct store_job *job);
/* Takes away what a snapshot left that was not finished. 1: there was none. */
i32 lmdb_rows_purge(struct store *store, MDB_txn *txn, u64 root_op);
i32 lmdb_events_write(struct store *store, const struct store_job *job);

#endif
