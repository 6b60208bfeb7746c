/* The next segment of the log, made ready off the loop while the current one is in use: a recycled one is
 * renamed; otherwise a new file is filled with zeros. Ready means that its name and blocks are durable.
 *
 * A full disk is not a failure: it is tried again from time to time, and whenever a segment becomes free. */
#ifndef DURABLE_RESERVE_H
#define DURABLE_RESERVE_H

#include "base/base.h"
#include "durable/segment.h"
#include "port/io.h"

enum reserve_state {
    RESERVE_NONE,
    RESERVE_FILLING,
    RESERVE_SYNCING,
    RESERVE_NAMING,
    RESERVE_READY,
    RESERVE_FULL
};

struct reserve {
    enum reserve_state state;
    struct segment segment;
    struct io *io;
    const char *directory;
    i32 directory_fd;
    u8 *zeros;
    u64 filled;
    bool closing;
    struct io_op op;                               /* fill, sync */
    struct io_op retry;                            /* timeout while the disk is full */
    void (*changed)(void *owner);                  /* ready, or room to try again */
    void (*failed)(void *owner, const char *what); /* final */
    void *owner;
};

i32 reserve_open(struct reserve *reserve, struct io *io, const char *directory);
/* Runs `io` until nothing is in flight. */
void reserve_close(struct reserve *reserve);

/* Begins to prepare segment `number`; `recycled` (its old number, fd and size) is used if given. Only when
 * the state is NONE or FULL. */
void reserve_begin(struct reserve *reserve, u64 number, u64 bytes_max, const struct segment *recycled);
/* Found ready at the start. */
void reserve_adopt(struct reserve *reserve, const struct segment *segment);
/* Hands it over; the state becomes NONE. */
struct segment reserve_take(struct reserve *reserve);

#endif
