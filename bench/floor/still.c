#include "bench/floor/still.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "port/clock.h"

struct watch {
    pthread_t thread;
    u64 end_ns;
    struct still seen;
};

/* Between two readings lie some ten nanoseconds, unless somebody else had the processor. */
static void *watch_run(void *owner)
{
    struct watch *watch = owner;
    struct still *seen = &watch->seen;
    for (u64 last_ns = clock_monotonic_ns(), now_ns; last_ns < watch->end_ns; last_ns = now_ns) {
        now_ns = clock_monotonic_ns();
        u64 gap_ns = now_ns - last_ns;
        if (gap_ns <= 1000000) continue;
        seen->over_1_ms++;
        seen->over_5_ms += gap_ns > 5000000;
        seen->sum_ns += gap_ns;
        seen->longest_ns = max_u64(seen->longest_ns, gap_ns);
    }
    return NULL;
}

static i32 watch_begin(struct watch *watch, u32 processor, u64 end_ns)
{
    cpu_set_t own;
    pthread_attr_t attributes;
    CPU_ZERO(&own);
    CPU_SET(processor, &own);
    *watch = (struct watch){.end_ns = end_ns};
    int result = pthread_attr_init(&attributes);
    if (result != 0) return -result;
    result = pthread_attr_setaffinity_np(&attributes, sizeof own, &own);
    if (result == 0) result = pthread_create(&watch->thread, &attributes, watch_run, watch);
    pthread_attr_destroy(&attributes);
    return -result;
}

i32 still_measure(u32 seconds, struct still *still)
{
    static struct watch watches[CPU_SETSIZE];
    *still = (struct still){0};
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) < 0) return -errno;
    u64 end_ns = clock_monotonic_ns() + (u64)seconds * 1000000000;
    i32 result = 0;
    for (u32 processor = 0; processor < CPU_SETSIZE && result == 0; processor++) {
        if (!CPU_ISSET(processor, &allowed)) continue;
        result = watch_begin(&watches[still->threads], processor, end_ns);
        if (result == 0) still->threads++;
    }
    for (u32 i = 0; i < still->threads; i++) {
        const struct still *seen = &watches[i].seen;
        pthread_join(watches[i].thread, NULL);
        still->over_1_ms += seen->over_1_ms;
        still->over_5_ms += seen->over_5_ms;
        still->sum_ns += seen->sum_ns;
        still->longest_ns = max_u64(still->longest_ns, seen->longest_ns);
    }
    return result;
}
