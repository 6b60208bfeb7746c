/* A kernel as thin as can be, linked instead of engine/port: clocks that go on when they are read, operations that
 * are done when there is something to be done, sockets whose other end is the target. Files and store: disk.h. */
#ifndef FUZZ_KERNEL_H
#define FUZZ_KERNEL_H

#include <errno.h>

#include "port/io.h"

/* -EAGAIN: not yet, the operation waits. */
extern struct kernel {
    u64 now_ns;
    i32 (*accept)(void);
    i32 (*receive)(i32 fd, void *buffer, u32 bytes);
    i32 (*send)(i32 fd, const void *data, u32 bytes);
    void (*shutdown)(i32 fd, bool both);
    i32 (*close)(i32 fd);
    i32 (*signal)(void); /* its number */
} kernel;

/* Nothing is under way; these are asked from now on. */
void kernel_begin(const struct kernel *begin);
/* Nobody comes any more, and no signal. */
void kernel_end(void);

#endif
