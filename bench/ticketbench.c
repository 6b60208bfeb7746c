/* Measures a ticketd under load. Without --server it starts one of its own on a new directory (below
 * $TMPDIR), kills it at the end to see how soon it is back, and removes the directory. What is measured first, and each
 * point of a sweep, has a server of its own: what it leaves behind would be counted with what comes next. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/desk.h"
#include "bench/options.h"
#include "bench/report.h"

#define SWEEP_STEPS 9u
#define SWEEP_S     5u
#define MAXIMUM_S   5u
#define PROBE_RATE  1000u
#define PROBE_S     10u
#define LOOK_NS     10000000
#define SECOND_NS   1000000000ull

/* The server that is measured, and what is known of it. */
struct bench {
    struct options options;
    struct server_process server; /* pid 0: not ours */
    const char *address;
    struct tkd_client *client; /* for questions */
    struct report report;
};

static struct tkd_client *connected(const char *address)
{
    struct tkd_client *client;
    if (tkd_connect(&client, address, "ticketbench")) die("%s", tkd_error(client));
    return client;
}

static u64 status(const struct bench *bench, const char *name)
{
    return desk_figure(bench->client, TKD_OP_STATUS, name, NULL, 0);
}

static u64 memory(void *owner) { return server_process_memory(owner); }

static bool ours(const struct bench *bench) { return bench->server.pid != 0; }

/* ---- The server ---- */

static void bench_open(struct bench *bench)
{
    const struct options *options = &bench->options;
    if (options->address == NULL) {
        server_process_init(&bench->server, "ticketbench");
        for (u32 i = 0; i < options->server_arguments_count; i++)
            server_process_argument(&bench->server, options->server_arguments[i]);
        bench->server.unix_socket = options->unix_socket;
        server_process_start(&bench->server);
    }
    struct report *report = &bench->report;
    bench->address = report->address = options->address ? options->address : bench->server.address;
    report->options = options;
    machine_read(&report->machine, ours(bench) ? bench->server.data : NULL);
    bench->client = connected(bench->address);
    desk_figure(bench->client, TKD_OP_STATUS, "durability", report->durability, sizeof(report->durability));
    desk_figure(bench->client, TKD_OP_STATUS, "version", report->version, sizeof(report->version));
    struct desk_size size = {.queues = options->load.queues,
                             .agents = options->load.agents,
                             .capacity = options->load.capacity,
                             .archive_after_ms = options->archive_after_ms,
                             .due_categories = options->load.kind == WORKLOAD_SLA};
    desk_make(&size, bench->client, bench->address);
}

static void bench_close(struct bench *bench, int signal)
{
    tkd_close(bench->client);
    if (!ours(bench)) return;
    int code = server_process_end(&bench->server, signal);
    if (signal != SIGKILL && code != 0 && !interrupt_seen()) die("ticketd ended with %d", code);
    server_process_remove(&bench->server);
}

/* ---- Running ---- */

static struct run run_of(struct bench *bench, const struct load *load, u64 rate, u64 seconds)
{
    return (struct run){.load = load,
                        .rate = rate,
                        .seconds = seconds,
                        .memory = ours(bench) ? memory : NULL,
                        .memory_owner = &bench->server};
}

static double done_a_second(const struct run *run)
{
    return (double)run_commands(run) * 1e9 / (double)run->took_ns;
}

/* An open loop on a server of its own; rate 0: a closed one. */
static struct point point_measured(struct bench *bench, u64 rate, u64 seconds)
{
    struct load load = bench->options.load;
    load.commands = rate ? rate * seconds : U64_NONE;
    bench_open(bench);
    struct run run = run_of(bench, &load, rate, seconds);
    run_load(&run, bench->address);
    struct point point = {
        .rate = (double)rate,
        .done = done_a_second(&run),
        .p50_ms = (double)histogram_quantile(&run.latency_ns, 500000) / 1e6,
        .p99_ms = (double)histogram_quantile(&run.latency_ns, 990000) / 1e6,
        .p999_ms = (double)histogram_quantile(&run.latency_ns, 999000) / 1e6,
        .frames = run.workload->frames,
        .refused = run_refused(&run),
        .unsent = run.unsent,
    };
    run_destroy(&run);
    bench_close(bench, SIGKILL);
    return point;
}

/* The rate of a closed loop, so that shares of it can be asked for. */
static u64 maximum_rate(struct bench *bench, u64 seconds)
{
    bench->report.maximum_rate = (u64)point_measured(bench, 0, seconds).done;
    if (interrupt_seen()) die("interrupted while the maximum was measured");
    if (bench->report.maximum_rate == 0) die("nothing was answered while the maximum was measured");
    return bench->report.maximum_rate;
}

static void run_measured(struct bench *bench, struct run *run)
{
    struct report *report = &bench->report;
    u64 cpu_ns = 0, written_bytes = 0;
    u64 log_written_bytes = status(bench, "log.written_bytes"), checkpoints = status(bench, "checkpoint.count");
    u64 checkpoint_rows_bytes = status(bench, "checkpoint.rows_bytes");
    if (ours(bench)) {
        report->memory_before_bytes = server_process_memory(&bench->server);
        cpu_ns = server_process_cpu_ns(&bench->server);
        written_bytes = server_process_written(&bench->server);
    }
    run_load(run, bench->address);
    if (ours(bench)) {
        report->memory_after_bytes = server_process_memory(&bench->server);
        report->cpu_ns = server_process_cpu_ns(&bench->server) - cpu_ns;
        report->written_bytes = server_process_written(&bench->server) - written_bytes;
    }
    report->log_written_bytes = status(bench, "log.written_bytes") - log_written_bytes;
    report->checkpoint_rows_bytes = status(bench, "checkpoint.rows_bytes") - checkpoint_rows_bytes;
    report->checkpoints = status(bench, "checkpoint.count") - checkpoints;
    report->log_bytes = status(bench, "log.bytes");
    report->log_replay_bytes = status(bench, "log.replay_bytes");
    report->store_bytes = status(bench, "store.bytes");
    report->loop_pause_us = status(bench, "loop_pause_max_us");
}

/* ---- Deadlines ---- */

/* Looks at the count of cards all the time, in a thread and on a connection of its own: the probe must not wait. */
struct watch {
    struct tkd_client *client;
    u64 due_ns;    /* when their second begins */
    u64 count;     /* of the last look */
    u64 early;     /* of the last one that ended before their second */
    u64 raised_ns; /* when the count grew last */
    atomic_bool ended;
};

static void *watch_run(void *owner)
{
    struct watch *watch = owner;
    while (!atomic_load(&watch->ended)) {
        u64 count = desk_figure(watch->client, TKD_OP_SUMMARY, "breached_24x7.normal", NULL, 0), now = now_ns();
        if (now < watch->due_ns) watch->early = count;
        if (count > watch->count) watch->raised_ns = now;
        watch->count = count;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    }
    return NULL;
}

/* Single creates at a steady rate, in one open loop; `times` takes them one by one. */
static void probe_run(struct bench *bench, struct request_time *times, u32 *times_count)
{
    struct load load = bench->options.load;
    load.kind = WORKLOAD_CREATE;
    load.commands = PROBE_RATE * PROBE_S;
    load.batch = load.connections = 1;
    load.depth = SENDER_DEPTH_MAX;
    load.run++;
    load.times = times;
    load.times_max = PROBE_RATE * PROBE_S;
    struct run probe = {.load = &load, .rate = PROBE_RATE, .seconds = PROBE_S};
    run_load(&probe, bench->address);
    histogram_merge(bench->report.probe_ns, &probe.latency_ns);
    *times_count = probe.workload->times_count;
    run_destroy(&probe);
}

/* From a second before they are due on. */
static void deadlines_measured(struct bench *bench, const struct run *run)
{
    static struct request_time times[PROBE_RATE * PROBE_S];
    static struct histogram probe_ns, burst_ns;
    struct report *report = &bench->report;
    struct watch watch = {.client = connected(bench->address),
                          .due_ns = run->workload->begun_ns + run->load->due_s * SECOND_NS};
    pthread_t thread;
    u32 times_count = 0;
    if (now_ns() > watch.due_ns)
        die("the last answers came when tickets were due already: give a longer --due-after, or less load");
    if (pthread_create(&thread, NULL, watch_run, &watch) != 0) die("no thread");
    histogram_reset(report->probe_ns = &probe_ns);
    histogram_reset(report->burst_ns = &burst_ns);
    while (now_ns() + SECOND_NS < watch.due_ns && !interrupt_seen())
        nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    probe_run(bench, times, &times_count);
    atomic_store(&watch.ended, true);
    pthread_join(thread, NULL);
    tkd_close(watch.client);
    for (u32 i = 0; i < times_count; i++) {
        if (times[i].begun_ns >= watch.due_ns && times[i].begun_ns <= watch.raised_ns)
            histogram_add(&burst_ns, times[i].took_ns);
    }
    report->cards = watch.count;
    report->cards_early = watch.early;
    report->cards_late_ns = sat_sub(watch.raised_ns, watch.due_ns + SECOND_NS);
}

/* ---- Sweep ---- */

static void sweep(struct bench *bench)
{
    struct point points[SWEEP_STEPS];
    u64 seconds = bench->options.seconds ? bench->options.seconds : SWEEP_S;
    u64 maximum = maximum_rate(bench, seconds);
    u32 count = 0;
    while (count < SWEEP_STEPS) {
        struct point point =
            point_measured(bench, max_u64(1, maximum * (count + 1) / (SWEEP_STEPS + 1)), seconds);
        if (interrupt_seen()) break; /* it is not whole */
        points[count++] = point;
    }
    if (bench->options.json)
        points_json(&bench->report, points, count);
    else
        points_table(&bench->report, points, count);
    if (bench->options.plot) points_plot(&bench->report, points, count, bench->options.plot);
}

/* ---- Restart ---- */

/* Back in service: from the start of the process to the answer to a question about the newest ticket. */
static void restart_measured(struct bench *bench, u64 newest)
{
    tkd_close(bench->client);
    server_process_end(&bench->server, SIGKILL);
    u64 begin_ns = now_ns();
    server_process_start(&bench->server);
    bench->client = connected(bench->address);
    struct tkd_answer answer;
    struct tkd_ticket_get get = {.ticket = newest};
    if (tkd_call(bench->client, TKD_OP_TICKET_GET, 0, TKD_RECORD_ticket_get, &get, NULL, &answer))
        die("after the kill: %s", tkd_error(bench->client));
    if (answer.count != 1) die("after the kill: ticket %llu is gone", (unsigned long long)newest);
    bench->report.back_in_service_ns = now_ns() - begin_ns;
}

/* ---- All of it ---- */

/* Were all cards raised, and none before its second? */
static bool deadlines_met(const struct report *report, const struct run *run)
{
    u64 expected = run->workload->due_created;
    if (report->probe_ns == NULL || interrupt_seen()) return true;
    if (expected > 0 && report->cards == expected && report->cards_early == 0) return true;
    fflush(stdout);
    fprintf(stderr, "\n*** ERROR: %llu cards instead of %llu, %llu of them before their second. ***\n",
            (unsigned long long)report->cards, (unsigned long long)expected, (unsigned long long)report->cards_early);
    return false;
}

static bool measured(struct bench *bench)
{
    struct options *options = &bench->options;
    u64 rate = options->rate;
    if (options->rate_percent) rate = max_u64(1, maximum_rate(bench, MAXIMUM_S) * options->rate_percent / 100);
    if (rate && options->seconds) options->load.commands = min_u64(options->load.commands, rate * options->seconds);
    bench_open(bench);
    struct run run = run_of(bench, &options->load, rate, options->seconds);
    run_measured(bench, &run);
    if (run_commands(&run) == 0) die("nothing was answered");
    if (options->load.kind == WORKLOAD_SLA && !interrupt_seen()) deadlines_measured(bench, &run);
    if (ours(bench) && options->restart && !interrupt_seen()) restart_measured(bench, run.workload->last_id);
    if (options->json)
        report_json(&bench->report, &run);
    else
        report_table(&bench->report, &run);
    if (options->plot) report_plot(&bench->report, &run, options->plot);
    bool met = deadlines_met(&bench->report, &run);
    run_destroy(&run);
    bench_close(bench, interrupt_seen() ? SIGKILL : SIGTERM);
    return met;
}

static void warn(const struct report *report)
{
    static const char *const volatile_kinds[] = {"tmpfs", "ramfs"};
    const char *kind = report->machine.file_system;
    bool durable = strcmp(report->durability, "sync") == 0 || strcmp(report->durability, "fdatasync") == 0;
    if (!durable)
        fprintf(stderr,
                "\n*** WARNING: durability is '%s': an answer does not mean that a ticket is on the disk. ***\n"
                "*** These figures are not those of a durable desk.                               ***\n",
                report->durability);
    for (u32 i = 0; i < ARRAY_COUNT(volatile_kinds); i++) {
        if (strcmp(kind, volatile_kinds[i]) == 0)
            fprintf(stderr,
                    "\n*** WARNING: the data is on %s: memory, not a disk. Set TMPDIR to a directory on a disk. ***\n"
                    "*** These figures are not those of a durable desk.                                      ***\n",
                    kind);
    }
}

int main(int argc, char **argv)
{
    static struct bench bench;
    bench.options = options_read(argc, argv);
    interrupt_catch();
    bool met = true;
    if (bench.options.sweep)
        sweep(&bench);
    else
        met = measured(&bench);
    if (fflush(stdout) != 0 || ferror(stdout)) die("standard output: %s", strerror(errno));
    warn(&bench.report);
    if (interrupt_seen()) return 128 + interrupt_seen();
    return met ? 0 : 1;
}
