/* Every point of a life, one after another: each step of I/O at which the process may die, each call that may
 * fail, each allocation that may give nothing. A life is run once to count its points, then once for every
 * point, the same up to there. Where no point is chosen the hooks only count.
 */
#ifndef SIM_EXHAUST_H
#define SIM_EXHAUST_H

#include "base/base.h"

/* What the process asks the machine for, and the errors that it may get; 1: a part only. */
#define CALLS(C)                                                                                             \
    C(RING, "making the ring", -ENOMEM, -EPERM)                                                              \
    C(SIGNALS, "signals", -EMFILE)                                                                           \
    C(LOCK, "lock", -EBUSY, -EMFILE, -EIO, -ENOSPC)                                                          \
    C(MAKE_DIRECTORY, "making a directory", -EIO, -ENOSPC, -EACCES)                                          \
    C(OPEN_DIRECTORY, "opening a directory", -EIO, -EMFILE)                                                  \
    C(SYNC_DIRECTORY, "sync of a directory", -EIO, -EMFILE)                                                  \
    C(LIST, "listing a directory", -EIO, -EMFILE)                                                            \
    C(OPEN, "open", -EIO, -EMFILE, -ENOSPC)                                                                  \
    C(STAT, "size of a file", -EIO)                                                                          \
    C(ALLOCATE, "allocating blocks", -EIO, -ENOSPC)                                                          \
    C(READ, "read", -EIO, 1)                                                                                 \
    C(WRITE, "write", -EIO, -ENOSPC)                                                                         \
    C(SYNC, "sync", -EIO, -ENOSPC)                                                                           \
    C(RENAME, "rename", -EIO, -ENOSPC)                                                                       \
    C(REMOVE, "remove", -EIO)                                                                                \
    C(LISTEN, "listen", -EADDRINUSE, -EMFILE)                                                                \
    C(ACCEPT, "accept", -EMFILE, -ECONNABORTED)                                                              \
    C(RECEIVE, "receive", -ECONNRESET, 1)                                                                    \
    C(SEND, "send", -EPIPE, 1)                                                                               \
    C(CLOSE, "close", -EIO)

enum call {
#define CALL_ENUM(NAME, text, ...) CALL_##NAME,
    CALLS(CALL_ENUM)
#undef CALL_ENUM
        CALLS_COUNT
};

/* A life begins. */
void exhaust_begin(void);
/* A step: the process dies here when it is the one chosen. */
void exhaust_step(void);
/* What this call is to fail with: 0 nothing, negative -errno, 1 a part only is done. */
i32 exhaust_call(enum call call);
/* Does this allocation fail? */
bool exhaust_memory(void);
/* The process serves. */
void exhaust_serves(void);
/* The process is gone. */
void exhaust_dead(void);
/* Ends of the process that belong to the life itself: when the next one comes, and that it comes. */
u64 exhaust_next_ns(void);
void exhaust_time(void);
/* The process has said why it does not start, or stops: does it name what had failed? */
void exhaust_told(const char *reason);

#endif
