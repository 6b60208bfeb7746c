/* Measures a ticketd under load. Without --server it starts one of its own on a new directory (below
 * $TMPDIR), kills it at the end to see how soon it is back, and removes the directory. */
#include <signal.h>
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

/* The server that is measured, and what is known of it. */
struct bench {
    struct options options;
    struct server_process server; /* pid 0: not ours */
    const char *address;
    struct tkd_client *client; /* for questions */
    u64 due_end_ns;            /* sla: end of the second in which all are due */
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

/* ---- Running ---- */

static struct run run_of(struct bench *bench, u64 rate, u64 seconds)
{
    return (struct run){.load = &bench->options.load,
                        .rate = rate,
                        .seconds = seconds,
                        .memory = ours(bench) ? memory : NULL,
                        .memory_owner = &bench->server};
}

/* The rate of a closed loop, so that shares of it can be asked for. Every run has keys of its own. */
static u64 maximum_rate(struct bench *bench)
{
    struct load load = bench->options.load;
    load.commands = U64_NONE;
    struct run run = run_of(bench, 0, MAXIMUM_S);
    run.load = &load;
    run_load(&run, bench->address);
    u64 rate = (u64)((double)run_commands(&run) * 1e9 / (double)run.took_ns);
    run_destroy(&run);
    bench->options.load.run++;
    return rate;
}

static void run_measured(struct bench *bench, struct run *run)
{
    struct report *report = &bench->report;
    u64 cpu_ns = 0, written_bytes = 0;
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
    report->log_bytes = status(bench, "log.bytes");
    report->log_replay_bytes = status(bench, "log.replay_bytes");
    report->store_bytes = status(bench, "store.bytes");
    report->checkpoints = status(bench, "checkpoint.count");
    report->loop_pause_us = status(bench, "loop_pause_max_us");
}

/* ---- Deadlines ---- */

static u64 cards(const struct bench *bench)
{
    return desk_figure(bench->client, TKD_OP_SUMMARY, "breached_24x7.normal", NULL, 0);
}

/* Looks at the count while the probe runs; there is no memory to tell of. */
static u64 cards_look(void *owner)
{
    struct bench *bench = owner;
    struct report *report = &bench->report;
    if (report->cards == report->cards_expected) return 0;
    report->cards = cards(bench);
    report->cards_late_ns = sat_sub(now_ns(), bench->due_end_ns);
    return 0;
}

/* From a second before they are due on: single creates at a steady rate, in one open loop. */
static void deadlines_measured(struct bench *bench, const struct run *run, struct histogram *probe_ns)
{
    struct load load = bench->options.load;
    u64 begin_ns = run->workload->begun_ns, end_ns = begin_ns + (u64)(load.due_s + 1) * 1000000000;
    struct report *report = &bench->report;
    report->cards_expected = min_u64(load.due, load.commands);
    report->probe_ns = probe_ns;
    histogram_reset(probe_ns);
    while (now_ns() + 2000000000 < end_ns) {
        struct timespec wait = {.tv_nsec = 10000000};
        nanosleep(&wait, NULL);
    }
    load.kind = WORKLOAD_CREATE;
    load.commands = U64_NONE;
    load.batch = load.connections = 1;
    load.depth = SENDER_DEPTH_MAX;
    load.run++;
    bench->due_end_ns = end_ns;
    struct run probe = {
        .load = &load, .rate = PROBE_RATE, .seconds = PROBE_S, .memory = cards_look, .memory_owner = bench};
    run_load(&probe, bench->address);
    histogram_merge(probe_ns, &probe.latency_ns);
    run_destroy(&probe);
}

/* ---- Sweep ---- */

static void sweep(struct bench *bench)
{
    struct point points[SWEEP_STEPS];
    u64 maximum = maximum_rate(bench);
    for (u32 i = 0; i < SWEEP_STEPS; i++) {
        struct load load = bench->options.load;
        struct run run = run_of(bench, maximum * (i + 1) / (SWEEP_STEPS + 1), SWEEP_S);
        load.commands = U64_NONE;
        load.run += i;
        run.load = &load;
        run_load(&run, bench->address);
        points[i] = (struct point){
            .rate = (double)run.rate,
            .done = (double)run_commands(&run) * 1e9 / (double)run.took_ns,
            .p50_ms = (double)histogram_quantile(&run.latency_ns, 500000) / 1e6,
            .p99_ms = (double)histogram_quantile(&run.latency_ns, 990000) / 1e6,
            .p999_ms = (double)histogram_quantile(&run.latency_ns, 999000) / 1e6,
        };
        run_destroy(&run);
    }
    if (bench->options.json)
        points_json(points, SWEEP_STEPS);
    else
        points_table(points, SWEEP_STEPS);
    if (bench->options.plot) points_plot(&bench->report, points, SWEEP_STEPS, bench->options.plot);
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
    bench->address = options->address ? options->address : bench->server.address;
    machine_read(&bench->report.machine, ours(bench) ? bench->server.data : ".");
    bench->client = connected(bench->address);
    struct report *report = &bench->report;
    desk_figure(bench->client, TKD_OP_STATUS, "durability", report->durability, sizeof(report->durability));
    desk_figure(bench->client, TKD_OP_STATUS, "version", report->version, sizeof(report->version));
    struct desk_size size = {.queues = options->load.queues,
                             .agents = options->load.agents,
                             .capacity = options->load.capacity,
                             .archive_after_ms = options->archive_after_ms,
                             .due_categories = options->load.kind == WORKLOAD_SLA};
    desk_make(&size, bench->client, bench->address);
}

static void bench_close(struct bench *bench)
{
    tkd_close(bench->client);
    if (!ours(bench)) return;
    int code = server_process_end(&bench->server, SIGTERM);
    if (code != 0) die("ticketd ended with %d; its data is in %s", code, bench->server.data);
    server_process_remove(&bench->server);
}

static void measured(struct bench *bench)
{
    static struct histogram probe_ns;
    const struct options *options = &bench->options;
    u64 rate = options->rate_percent ? maximum_rate(bench) * options->rate_percent / 100 : options->rate;
    struct run run = run_of(bench, rate, options->seconds);
    run_measured(bench, &run);
    if (options->load.kind == WORKLOAD_SLA) deadlines_measured(bench, &run, &probe_ns);
    if (ours(bench) && options->restart) restart_measured(bench, run.workload->last_id);
    if (options->json)
        report_json(&bench->report, &run);
    else
        report_table(&bench->report, &run);
    if (options->plot) report_plot(&bench->report, &run, options->plot);
    run_destroy(&run);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    bench.options = options_read(argc, argv);
    bench_open(&bench);
    if (bench.options.sweep)
        sweep(&bench);
    else
        measured(&bench);
    bench_close(&bench);
    if (strcmp(bench.report.durability, "sync") != 0) {
        fprintf(
            stderr,
            "\n*** WARNING: durability is '%s': an answer does not mean that a ticket is on the disk. ***\n"
            "*** These figures are not those of a durable desk.                               ***\n",
            bench.report.durability);
    }
    return 0;
}
