/* How long the machine itself stands still: what no program on it can do anything about. */
#ifndef FLOOR_STILL_H
#define FLOOR_STILL_H

#include "base/base.h"

/* Of all threads. */
struct still {
    u32 threads; /* one a processor */
    u32 over_1_ms;
    u32 over_5_ms;
    u64 longest_ns;
    u64 sum_ns;      /* of those over 1 ms */
    u64 slow;        /* over 5 us, which neither caches nor the processor's own page tables take */
    u64 slow_ns;     /* of these */
    u64 window_ns;   /* of these, in the worst 100 ms of one thread: windows begin with one, one behind the other;
                      * what begins in one counts whole. */
    u64 touches;     /* of memory */
    u64 page_faults; /* few, or memory was not ready */
};

/* All processors that are allowed do nothing but read the clock for so long; between two readings each writes a byte
 * somewhere in its part of so much memory, which is made ready before. 0 or -errno. */
i32 still_measure(u32 seconds, u64 memory_bytes, struct still *still);

#endif
