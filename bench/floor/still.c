#include "bench/floor/still.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "port/clock.h"
#include "port/file.h"

#define SLOW_NS   5000u
#define WINDOW_NS 100000000u

struct watch {
    pthread_t thread;
    u64 end_ns;
    u8 *memory;
    u64 bytes;
    struct still seen;
};

static u64 page_faults(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_THREAD, &usage) == 0 ? (u64)usage.ru_minflt + (u64)usage.ru_majflt : 0;
}

static void gap_count(struct still *seen, u64 gap_ns)
{
    seen->slow++;
    seen->slow_ns += gap_ns;
    if (gap_ns <= 1000000) return;
    seen->over_1_ms++;
    seen->over_5_ms += gap_ns > 5000000;
    seen->sum_ns += gap_ns;
    seen->longest_ns = max_u64(seen->longest_ns, gap_ns);
}

/* Between two readings lie some ten nanoseconds, or a look into memory, unless somebody else had the processor. */
static void *watch_run(void *owner)
{
    struct watch *watch = owner;
    struct still seen = {0}; /* nobody else's cache line */
    u64 faults = page_faults(), random = watch->end_ns, window_ns = 0, window_end_ns = 0;
    for (u64 last_ns = clock_monotonic_ns(), now_ns; last_ns < watch->end_ns; last_ns = now_ns) {
        if (watch->bytes > 0) {
            random = random * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
            *(volatile u8 *)&watch->memory[(random >> 20) % watch->bytes] = 1;
            seen.touches++;
        }
        now_ns = clock_monotonic_ns();
        if (now_ns - last_ns <= SLOW_NS) continue;
        gap_count(&seen, now_ns - last_ns);
        if (last_ns >= window_end_ns) {
            window_ns = 0;
            window_end_ns = last_ns + WINDOW_NS;
        }
        window_ns += now_ns - last_ns;
        seen.window_ns = max_u64(seen.window_ns, window_ns);
    }
    seen.page_faults = page_faults() - faults;
    watch->seen = seen;
    return NULL;
}

static i32 watch_begin(struct watch *watch, u32 processor)
{
    cpu_set_t own;
    pthread_attr_t attributes;
    CPU_ZERO(&own);
    CPU_SET(processor, &own);
    int result = pthread_attr_init(&attributes);
    if (result != 0) return -result;
    result = pthread_attr_setaffinity_np(&attributes, sizeof own, &own);
    if (result == 0) result = pthread_create(&watch->thread, &attributes, watch_run, watch);
    pthread_attr_destroy(&attributes);
    return -result;
}

static void watch_end(const struct watch *watch, struct still *still)
{
    const struct still *seen = &watch->seen;
    pthread_join(watch->thread, NULL);
    still->over_1_ms += seen->over_1_ms;
    still->over_5_ms += seen->over_5_ms;
    still->sum_ns += seen->sum_ns;
    still->longest_ns = max_u64(still->longest_ns, seen->longest_ns);
    still->touches += seen->touches;
    still->slow += seen->slow;
    still->slow_ns += seen->slow_ns;
    still->window_ns = max_u64(still->window_ns, seen->window_ns);
    still->page_faults += seen->page_faults;
}

static i32 watch_all(u32 seconds, u8 *memory, u64 bytes, struct still *still)
{
    static struct watch watches[CPU_SETSIZE];
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) < 0) return -errno;
    u32 processors = (u32)CPU_COUNT(&allowed);
    u64 part_bytes = bytes / processors, end_ns = clock_monotonic_ns() + (u64)seconds * 1000000000;
    i32 result = 0;
    for (u32 processor = 0; processor < CPU_SETSIZE && result == 0; processor++) {
        if (!CPU_ISSET(processor, &allowed)) continue;
        struct watch *watch = &watches[still->threads];
        *watch = (struct watch){.end_ns = end_ns, .bytes = part_bytes};
        if (part_bytes > 0) watch->memory = memory + part_bytes * still->threads;
        result = watch_begin(watch, processor);
        if (result == 0) still->threads++;
    }
    for (u32 i = 0; i < still->threads; i++) watch_end(&watches[i], still);
    return result;
}

i32 still_measure(u32 seconds, u64 memory_bytes, struct still *still)
{
    *still = (struct still){0};
    if (memory_bytes == 0) return watch_all(seconds, NULL, 0, still);
    void *memory = mmap(NULL, memory_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return -errno;
    file_memory_grows(memory, memory_bytes); /* as the desk has it */
    memset(memory, 1, memory_bytes);
    i32 result = watch_all(seconds, memory, memory_bytes, still);
    munmap(memory, memory_bytes);
    return result;
}
