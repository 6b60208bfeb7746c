/* The checkpoint store: LMDB behind a queue of jobs that one helper thread works off in order.
 *
 * Keyspaces: chunks of the state's tables (by table and chunk number), packed events (seq of the first one),
 * archived tickets (ticket id -> seq of the ARCHIVED event), and the root.
 * Jobs CHUNKS and EVENTS join the open transaction; COMMIT ends it together with the root it carries. Events
 * become visible, and durable, with the next COMMIT. Chunks belong to a snapshot, named by its op: they take
 * effect all together with the COMMIT of a root of that op. COMMITs of the old root may come in between, so
 * that a large snapshot needs no large transaction; one that is not finished leaves no trace after the next
 * opening. A job's buffers must not change until its `done`, which is called on the loop's thread from
 * io_run(). Any failure is final (but that of a COPY): the store refuses all later jobs with the first error.
 */
#ifndef PORT_STORE_H
#define PORT_STORE_H

#include "base/base.h"
#include "base/chunk.h"
#include "port/io.h"

#define STORE_FORMAT_VERSION 3u
#define STORE_TABLES_MAX     32u

struct store;

/* What a checkpoint covers; one fixed record. */
struct store_root {
    u32 format_version;  /* layout of the store and of the rows in it */
    u32 machine_version; /* the state machine that wrote it */
    u64 store_id;        /* drawn when the directory was made */
    u64 op;              /* last command whose effect is in the chunks */
    u64 time_ms;         /* the state's time after it */
    u64 event_seq;       /* last event raised up to `op`: all events up to it are stored */
    u64 log_checksum;    /* chain checksum of the log after `op` (0: nothing logged yet) */
    u64 virtual_clock;   /* 1: the directory runs on the virtual clock */
    u64 secret;          /* drawn with store_id; seeds the hashes of the rows */
    u64 reserved[7];
};

enum store_job_kind { STORE_CHUNKS = 1, STORE_EVENTS, STORE_COMMIT, STORE_COPY };

struct store_job {
    enum store_job_kind kind;
    /* CHUNKS: `struct store_chunk`s. EVENTS: whole `struct tkd_event` records, ascending seq without gap;
     * events that are stored already are skipped. */
    const void *data;
    u64 bytes;
    struct store_root
        root;        /* COMMIT; CHUNKS: its op is that of the snapshot, above that of the stored root */
    char path[4096]; /* COPY: a new directory that gets a copy of the store, fsynced */
    void (*done)(struct store_job *job, i32 result); /* 0 or -errno */
    void *owner;
    struct store_job *next; /* the store's */
    i32 result;             /* the store's */
};

/* Makes `directory` when it is new. `io` NULL: offline, for reading only (inspect); -ENOENT when there is none.
 * -EPROTONOSUPPORT: it is of another format; nothing of it was changed. */
i32 store_open(struct store **store, const char *directory, struct io *io, char *error, u32 error_bytes);
/* Waits for the running job (and runs `io`); jobs not begun are dropped; an open transaction is aborted. */
void store_close(struct store *store);
void store_submit(struct store *store, struct store_job *job);

/* Reading; on the loop's thread. 0 found, 1 there is none, -errno. */
i32 store_root_read(struct store *store, struct store_root *root);
/* How many chunks a table has, at least about: for what is done ahead. */
u64 store_chunks(struct store *store, u32 table);
typedef i32 store_chunk_fn(void *owner, u32 table, u32 chunk, const void *data, u32 bytes);
/* Every chunk in ascending order; the checksum was verified; stops at the first non-zero answer. */
i32 store_chunks_each(struct store *store, store_chunk_fn *fn, void *owner, char *error, u32 error_bytes);
/* Copies one event record; the buffer must hold the largest one. */
i32 store_event_read(struct store *store, u64 seq, void *buffer, u32 bytes_max);
/* Copies whole events from `seq` on until the buffer is full; `*bytes` = copied. 1: none from there on. */
i32 store_events_read(struct store *store, u64 seq, void *buffer, u32 bytes_max, u32 *bytes);
/* The last stored event seq (0 = none). */
i32 store_event_last(struct store *store, u64 *seq);
i32 store_archived_read(struct store *store, u64 ticket, u64 *event_seq);
/* Pages in use, in bytes. */
u64 store_bytes(struct store *store);
/* What can still be written: by the room on its disk, and by the limit of file sizes. */
u64 store_disk_room(struct store *store);

#endif
