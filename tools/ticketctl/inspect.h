/* Inside `ticketctl inspect`: what was found in a data directory. */
#ifndef TICKETCTL_INSPECT_H
#define TICKETCTL_INSPECT_H

#include "durable/inspect.h"
#include "port/file.h"
#include "port/store.h"

#define INSPECT_TABLES_MAX  64u
#define INSPECT_DAMAGES_MAX 8u
#define INSPECT_WHAT_BYTES  1024u

struct damage {
    const char *part; /* "log", "store", "events", "rows" */
    char what[INSPECT_WHAT_BYTES];
};

struct inspection {
    const char *data;
    char log_path[FILE_PATH_BYTES];
    bool running; /* a server holds the directory */
    u64 pid;

    struct store *store;
    bool has_root;
    struct store_root root; /* zeros when there is none: no checkpoint yet */
    struct {
        u64 chunks;
        u64 bytes;
    } tables[INSPECT_TABLES_MAX];
    u64 event_last;

    struct inspect_segment *segments;
    u32 segments_count;
    struct inspect_summary log;
    u64 commands; /* in the log, behind the checkpoint */
    u64 records;
    u64 time_last_ms;

    u32 damages;
    struct damage damage[INSPECT_DAMAGES_MAX];

    /* Verified. */
    const char *part; /* what did not verify */
    u64 op;
    u64 time_ms;
    u64 events;
    u64 digest;
};

const char *inspect_table_name(u32 table);
/* Checks what reading alone does not: events one by one, and the desk that store and log make together. */
bool inspect_verify(struct inspection *inspection, char what[INSPECT_WHAT_BYTES]);

#endif
