/* A data directory in memory for what the engine does with its disk: the files of the log, and a store of one
 * checkpoint and the events since. Nothing fails here and everything is durable at once; what is damaged is what
 * the target has changed in `files`. */
#ifndef FUZZ_DISK_H
#define FUZZ_DISK_H

#include "port/store.h"
#include "tests/fuzz/desk.h"

#define DISK_FILES_MAX  10u
#define DISK_FILE_BYTES (128u << 10)
#define DISK_NAME_BYTES 24u

struct disk_file {
    char name[DISK_NAME_BYTES]; /* "": there is none */
    u64 bytes;
    _Alignas(4096) u8 data[DISK_FILE_BYTES];
};

struct disk_chunk {
    u32 table;
    u32 chunk;
    u32 bytes;
    u8 data[2000];
};

#define DISK_CHUNKS_MAX  8192u
#define DISK_EVENT_BYTES (8u << 20)

/* There is one. */
extern struct disk {
    struct disk_file files[DISK_FILES_MAX];
    struct fuzz_desk *desk; /* its memory is what the recovered state gets */
    bool rooted;            /* the store is not new */
    struct store_root root;
    struct disk_chunk chunks[DISK_CHUNKS_MAX]; /* ascending */
    u32 chunks_count;
    u8 *events; /* one behind the other */
    u64 events_bytes;
    u64 event_first, event_last;
} disk;

/* Empty, and new. */
void disk_clear(struct fuzz_desk *desk);
/* A file of zeros. */
struct disk_file *disk_add(const char *name, u64 bytes);
struct disk_file *disk_find(const char *name);
/* The store holds all rows of this state, and all its events, up to now. */
void disk_checkpoint(const struct state *state, const struct store_root *root);
/* Runs the jobs of the store; returns how many. */
u32 disk_jobs_run(void);

#endif
