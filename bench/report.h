/* How a run is told: a table for people, JSON for scripts, curves in SVG. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "bench/load.h"
#include "bench/machine.h"
#include "bench/options.h"

/* Everything that is told of a run, besides the run itself. 0: not known. */
struct report {
    const struct options *options;
    const char *address;
    struct machine machine;
    char durability[64];
    char version[64];
    u64 maximum_rate; /* that was measured first */
    u64 memory_before_bytes; /* of the server's process */
    u64 memory_after_bytes;
    u64 cpu_ns;        /* of the server's process, during the run */
    u64 written_bytes; /* by it to disks: log, events, checkpoints, and segments of the log ahead of their use */
    u64 log_written_bytes;     /* in batches, during the run */
    u64 checkpoint_rows_bytes; /* of checkpoints, during the run */
    u64 checkpoints;           /* that were finished meanwhile */
    u64 log_bytes;             /* of its files after the run */
    u64 store_bytes;
    u64 loop_pause_us; /* the longest since the server's start */
    u64 back_in_service_ns;
    u64 log_replay_bytes;
    /* sla */
    u64 cards;
    u64 cards_early;            /* before their second */
    u64 cards_late_ns;          /* after the end of their second until the last one was counted */
    struct histogram *probe_ns; /* of single creates sent meanwhile; NULL: none */
    struct histogram *burst_ns; /* of those that were sent from the begin of their second until the last card */
};

void report_table(const struct report *report, const struct run *run);
void report_json(const struct report *report, const struct run *run);
/* Throughput and latencies over time. */
void report_plot(const struct report *report, const struct run *run, const char *path);

/* A point of a throughput-latency curve. */
struct point {
    double rate; /* a second, as asked for */
    double done; /* a second, as answered */
    double p50_ms, p99_ms, p999_ms;
    u64 frames;
    u64 refused; /* records */
    u64 unsent;
};
void points_table(const struct report *report, const struct point *points, u32 count);
void points_json(const struct report *report, const struct point *points, u32 count);
void points_plot(const struct report *report, const struct point *points, u32 count, const char *path);

#endif
