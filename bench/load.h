/* Runs a workload against a server: closed loop, or open loop at a given rate; and samples it while it runs.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "bench/workload.h"

/* One interval of the run. */
struct sample {
    u64 at_ns; /* its end, since the begin */
    u64 commands;
    u64 requests; /* whose latencies these are; 0: there are none */
    u64 p50_ns;
    u64 p99_ns;
    u64 max_ns;
    u64 memory_bytes; /* of the server's process, 0: not known */
};

struct run {
    const struct load *load;
    u64 rate;                   /* records a second; 0: closed loop. What it sends in `seconds` is all of the load */
    u64 seconds;                /* at most; 0: until all commands are done */
    u64 (*memory)(void *owner); /* NULL: not known */
    void *memory_owner;
    /* What came of it. */
    struct workload *workload;
    u64 took_ns;
    u64 stolen_ms; /* by the host of a virtual machine, of all processors together */
    u64 generator_ns; /* of processor time */
    /* Open loop: frames begun over 1 ms after their time, because all windows were full or because the generator itself
     * was late; and records that were not sent before the time was over. */
    u64 late_window_frames;
    u64 late_generator_frames;
    u64 unsent;
    struct sample *samples;
    u32 samples_count;
    u32 samples_room;
    struct histogram latency_ns; /* of all frames */
};

/* Sends until all is sent, the time is over, or a signal has come, and waits for all answers; dies when they do not
 * come. A run is freed by run_destroy(). */
void run_load(struct run *run, const char *address);
void run_destroy(struct run *run);
u64 run_commands(const struct run *run); /* answered */
u64 run_refused(const struct run *run);

#endif
