/* STATUS: what the server knows of itself, as metric rows. */
#ifndef EDGE_FIGURES_H
#define EDGE_FIGURES_H

#include "base/base.h"
#include "edge/conn.h"
#include "edge/pipeline.h"
#include "port/store.h"

struct figures {
    u64 started_ns; /* monotonic */
    u64 memory_budget_bytes;
    u64 frames_received;
    u64 frames_refused;
    u64 events_pushed;
    u64 turns;
    u64 pause_max_us; /* the longest time in which nobody waited: a turn, with what had arrived before it */
    u64 log_batches;  /* times the log became durable further */
    const char *version;
    const char *durability; /* "sync", "interval=20", "off" */
};

/* Writes the rows; returns their bytes. */
u32 figures_write(const struct figures *figures, struct pipeline *pipeline, struct store *store, u64 now_ns,
                  void *rows, u32 rows_bytes_max, u32 *count);

#endif
