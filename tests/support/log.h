/* A small log to write, to break and to read again. */
#ifndef SUPPORT_LOG_H
#define SUPPORT_LOG_H

#include "durable/wal.h"

#define LOG_STORE_ID 77u
#define LOG_MACHINE  3u

struct log_fixture {
    char root[4096];      /* of the test */
    char directory[4096]; /* of the log */
    struct io *io;
    struct wal *wal;
    struct wal_config config;
    /* What the callbacks saw. */
    u32 durable_calls;
    char failure[256];
    u64 ops_replayed;
    u64 op_replayed_last;
    bool replay_wrong; /* an op out of order, or with a frame that is not the one written */
    char error[1024];
};

void log_setup(struct log_fixture *fixture);
void log_teardown(struct log_fixture *fixture);

i32 log_open(struct log_fixture *fixture, u64 after_op);
void log_close(struct log_fixture *fixture);

/* The frame that stands for `op`: its size and content follow from the op. Valid until the next call. */
const struct tkd_frame *log_frame(u64 op);
/* Appends up to `op`, `per_batch` in a batch, and waits until all is written. */
void log_write_until(struct log_fixture *fixture, u64 op, u32 per_batch);
void log_drain(struct log_fixture *fixture);
/* Waits until so many marks have covered a tail since the log was opened. */
void log_wait_marks(struct log_fixture *fixture, u64 marks);
void log_wait_reserve(struct log_fixture *fixture);

#endif
