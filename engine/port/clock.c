#include "port/clock.h"

#include <time.h>

u64 clock_wall_ms(void)
{
    struct timespec now;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    ASSERT(result == 0);
    return (u64)now.tv_sec * 1000 + (u64)now.tv_nsec / 1000000;
}

u64 clock_monotonic_ns(void)
{
    struct timespec now;
    int result = clock_gettime(CLOCK_MONOTONIC, &now);
    ASSERT(result == 0);
    return (u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec;
}
