/* All asynchronous I/O of the server, on one thread. The simulator links another implementation.
 *
 * An operation is a `struct io_op` owned by the caller; it must stay in place until its `done` has been
 * called, which happens inside io_run() and nowhere else. An op is busy from its start until just before
 * `done`; starting a busy op is a bug. Results are >= 0, or -errno. Ops of one file descriptor may finish
 * in any order, so whoever needs order keeps one in flight.
 */
#ifndef PORT_IO_H
#define PORT_IO_H

#include "base/base.h"

struct io;
struct io_op;
typedef void io_done(struct io_op *op, i32 result);

struct io_op {
    io_done *done;
    void *owner; /* the caller's */
    bool busy;
    /* The port's. */
    i32 result;
    u32 bytes;
    i64 timeout[2];
};

/* Makes the ring. On failure returns -errno and an explanation with the remedy in `error`. */
i32 io_create(struct io **io, char *error, u32 error_bytes);
void io_destroy(struct io *io);

/* From now on whoever waits looks for completions so long before it sleeps: sooner awake, for a processor that is never
 * idle. */
void io_busy_poll(struct io *io, u32 poll_us);

/* Submits everything started, waits for at least one completion when `wait`, and calls `done` of all that
 * have arrived. Returns how many. */
u32 io_run(struct io *io, bool wait);

/* Submits everything started, now instead of in the next run; calls nobody. */
void io_submit(struct io *io);

void io_accept(struct io *io, struct io_op *op, int listener); /* result: the connection's fd */
void io_receive(struct io *io, struct io_op *op, int fd, void *buffer, u32 bytes);
void io_send(struct io *io, struct io_op *op, int fd, const void *buffer, u32 bytes);
void io_close(struct io *io, struct io_op *op, int fd);
/* Plain read of any descriptor (signalfd, eventfd). */
void io_read(struct io *io, struct io_op *op, int fd, void *buffer, u32 bytes);
/* Durable when done: O_DIRECT descriptors with RWF_DSYNC; others are written and then fdatasynced.
 * `bytes` and `offset` are multiples of 4096, `buffer` is aligned to it. A short write counts as -ENOSPC.
 * With `durable` false the data only goes to the kernel. */
void io_write(struct io *io, struct io_op *op, int fd, const void *buffer, u32 bytes, u64 offset,
              bool durable);
/* What was written to `fd` before (its writes done) is durable when this is done: fdatasync, or fsync for a
 * directory. */
void io_sync(struct io *io, struct io_op *op, int fd);
/* Fires once, `delay_us` from now; result 0. */
void io_timeout(struct io *io, struct io_op *op, u64 delay_us);
/* A running timeout ends early (its done is called with -ECANCELED). No-op when it is not busy. */
void io_timeout_cancel(struct io *io, struct io_op *op);

#endif
