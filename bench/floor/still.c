#include "bench/floor/still.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "port/clock.h"

#define PROCESSORS_MAX 256u

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

i32 still_measure(u32 seconds, struct still *still)
{
    static struct watch watches[PROCESSORS_MAX];
    *still = (struct still){0};
    u32 processors = min_u32((u32)sysconf(_SC_NPROCESSORS_ONLN), PROCESSORS_MAX);
    u64 end_ns = clock_monotonic_ns() + (u64)seconds * 1000000000;
    i32 result = 0;
    for (u32 i = 0; i < processors && result == 0; i++) {
        watches[i] = (struct watch){.end_ns = end_ns};
        result = -pthread_create(&watches[i].thread, NULL, watch_run, &watches[i]);
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
