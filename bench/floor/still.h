/* How long the machine itself stands still: what no program on it can do anything about. */
#ifndef FLOOR_STILL_H
#define FLOOR_STILL_H

#include "base/base.h"

struct still {
    u32 threads; /* one a processor */
    u32 over_1_ms;
    u32 over_5_ms;
    u64 longest_ns;
    u64 sum_ns; /* of those over 1 ms, of all threads */
};

/* All processors that are allowed do nothing but read the clock for so long. 0 or -errno. */
i32 still_measure(u32 seconds, struct still *still);

#endif
