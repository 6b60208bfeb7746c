#include "bench/report.h"

#include <stdio.h>

static const struct {
    const char *name;
    u32 parts_per_million;
} quantiles[] = {{"p50", 500000},  {"p90", 900000},   {"p99", 990000},
                 {"p999", 999000}, {"p9999", 999900}, {"max", 1000000}};

static double per_second(const struct run *run)
{
    return (double)run_commands(run) * 1e9 / (double)run->took_ns;
}
static double each(const struct run *run, u64 amount) { return (double)amount / (double)run_commands(run); }

static double quantile_ms(const struct histogram *histogram, u32 index)
{
    return (double)histogram_quantile(histogram, quantiles[index].parts_per_million) / 1e6;
}

/* Of the time of all processors. */
static double stolen_share(const struct report *report, const struct run *run)
{
    return (double)run->stolen_ms * 1e6 / ((double)run->took_ns * report->machine.cores);
}

static u64 grown_bytes(const struct report *report)
{
    return sat_sub(report->memory_after_bytes, report->memory_before_bytes);
}

static u64 creates(const struct run *run)
{
    const struct request_tally *tally = &run->workload->tallies[REQUEST_CREATE];
    return tally->records - tally->exists - tally->refused;
}

/* ---- For people ---- */

#define STOLEN_TOLD 0.02

static void quantiles_line(const char *name, const struct histogram *histogram)
{
    printf("  %-10s", name);
    for (u32 i = 0; i < ARRAY_COUNT(quantiles); i++) printf(" %9.3f", quantile_ms(histogram, i));
    printf("\n");
}

static void latencies_table(const struct report *report, const struct run *run)
{
    printf("latency of a frame, ms%s\n  %-10s", run->rate ? ", from when it should have been sent" : "", "");
    for (u32 i = 0; i < ARRAY_COUNT(quantiles); i++) printf(" %9s", quantiles[i].name);
    printf("\n");
    for (u32 i = 0; i < REQUEST_END; i++) {
        const struct request_tally *tally = &run->workload->tallies[i];
        if (tally->frames > 0) quantiles_line(request_names[i], &tally->latency_ns);
    }
    if (report->probe_ns != NULL) quantiles_line("meanwhile", report->probe_ns);
}

static void load_table(const struct run *run)
{
    const struct load *load = run->load;
    printf(
        "load         %s: %llu commands in batches of %u over %u connections, %u frames in flight on each\n",
        workload_names[load->kind], (unsigned long long)run_commands(run), load->batch, load->connections,
        load->depth);
    printf("             %u queues, %u agents, %llu customers, skew %g, ", load->queues, load->agents,
           (unsigned long long)load->customers, load->skew);
    if (load->body_bytes == 0)
        printf("Chinese and English texts\n");
    else
        printf("%u bytes of text\n", load->body_bytes);
    for (u32 i = 0; i < REQUEST_END; i++) {
        const struct request_tally *tally = &run->workload->tallies[i];
        if (tally->frames == 0) continue;
        printf("             %-8s %llu", request_names[i], (unsigned long long)tally->records);
        if (tally->exists > 0)
            printf(", %llu of them known or nothing to do", (unsigned long long)tally->exists);
        if (tally->refused > 0)
            printf(", %llu refused: %s", (unsigned long long)tally->refused,
                   tkd_status_info(tally->refusal)->doc);
        printf("\n");
    }
}

static void costs_table(const struct report *report, const struct run *run)
{
    if (report->memory_after_bytes > 0)
        printf("server       %.0f ns of CPU a command, %.0f bytes written a command\n",
               each(run, report->cpu_ns), each(run, report->written_bytes));
    if (report->memory_after_bytes > 0 && creates(run) > 0)
        printf("memory       %.0f bytes a ticket made (the process grew by %.1f MB)\n",
               (double)grown_bytes(report) / (double)creates(run), (double)grown_bytes(report) / 1e6);
    printf("disk         log %.1f MB, store %.1f MB, %llu checkpoints; longest pause of the loop %.2f ms\n",
           (double)report->log_bytes / 1e6, (double)report->store_bytes / 1e6,
           (unsigned long long)report->checkpoints, (double)report->loop_pause_us / 1e3);
}

void report_table(const struct report *report, const struct run *run)
{
    printf("machine      %s, %u cores, %.0f GB, %s, data on %s (%s)\n", report->machine.processor,
           report->machine.cores, (double)report->machine.memory_bytes / 1e9, report->machine.kernel,
           report->machine.file_system, report->machine.device);
    printf("server       ticketd %s%s%s, durability %s\n", report->version,
           *report->machine.commit ? " at " : "", report->machine.commit, report->durability);
    load_table(run);
    printf("throughput   %.0f commands a second (%.2f s)\n", per_second(run), (double)run->took_ns / 1e9);
    if (stolen_share(report, run) >= STOLEN_TOLD)
        printf("host         took %.0f %% of the processors' time for others meanwhile: measure again when it is quiet\n",
               stolen_share(report, run) * 100);
    latencies_table(report, run);
    if (run->rate)
        printf("late         %llu frames: all windows were full\n", (unsigned long long)run->late_frames);
    costs_table(report, run);
    if (report->cards_expected > 0)
        printf("deadlines    %llu of %llu cards, %.2f s after the end of their second\n",
               (unsigned long long)report->cards, (unsigned long long)report->cards_expected,
               (double)report->cards_late_ns / 1e9);
    if (report->back_in_service_ns)
        printf("restart      back in service %.2f s after a kill (%.0f MB of log to replay)\n",
               (double)report->back_in_service_ns / 1e9, (double)report->log_replay_bytes / 1e6);
}

/* ---- For scripts ---- */

static void quantiles_json(const char *name, const struct histogram *histogram)
{
    printf(",\"%s_latency_ms\":{", name);
    for (u32 i = 0; i < ARRAY_COUNT(quantiles); i++)
        printf("%s\"%s\":%.3f", i ? "," : "", quantiles[i].name, quantile_ms(histogram, i));
    printf("}");
}

static void load_json(const struct run *run)
{
    const struct load *load = run->load;
    printf(
        "\"workload\":\"%s\",\"commands\":%llu,\"batch\":%u,\"connections\":%u,\"depth\":%u,\"rate\":%llu,",
        workload_names[load->kind], (unsigned long long)run_commands(run), load->batch, load->connections,
        load->depth, (unsigned long long)run->rate);
    printf("\"queues\":%u,\"agents\":%u,\"customers\":%llu,\"skew\":%g,\"body_bytes\":%u", load->queues,
           load->agents, (unsigned long long)load->customers, load->skew, load->body_bytes);
}

static void machine_json(const struct report *report)
{
    const struct machine *machine = &report->machine;
    printf(",\"durability\":\"%s\",\"version\":\"%s\",\"commit\":\"%s\",\"processor\":\"%s\",\"cores\":%u,"
           "\"memory_bytes\":%llu,\"kernel\":\"%s\",\"file_system\":\"%s\",\"device\":\"%s\"",
           report->durability, report->version, machine->commit, machine->processor, machine->cores,
           (unsigned long long)machine->memory_bytes, machine->kernel, machine->file_system, machine->device);
}

static void samples_json(const struct run *run)
{
    printf(",\"samples\":[");
    for (u32 i = 0; i < run->samples_count; i++) {
        const struct sample *sample = &run->samples[i];
        printf("%s{\"seconds\":%.3f,\"commands\":%llu,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,"
               "\"memory_bytes\":%llu}",
               i ? "," : "", (double)sample->at_ns / 1e9, (unsigned long long)sample->commands,
               (double)sample->p50_ns / 1e6, (double)sample->p99_ns / 1e6, (double)sample->max_ns / 1e6,
               (unsigned long long)sample->memory_bytes);
    }
    printf("]");
}

void report_json(const struct report *report, const struct run *run)
{
    printf("{");
    load_json(run);
    machine_json(report);
    printf(",\"commands_per_second\":%.0f,\"seconds\":%.3f,\"stolen_share\":%.3f,\"late_frames\":%llu,\"refused\":%llu",
           per_second(run), (double)run->took_ns / 1e9, stolen_share(report, run),
           (unsigned long long)run->late_frames, (unsigned long long)run_refused(run));
    quantiles_json("frame", &run->latency_ns);
    for (u32 i = 0; i < REQUEST_END; i++) {
        const struct request_tally *tally = &run->workload->tallies[i];
        if (tally->frames > 0) quantiles_json(request_names[i], &tally->latency_ns);
    }
    if (report->probe_ns != NULL) quantiles_json("meanwhile", report->probe_ns);
    if (report->memory_after_bytes > 0)
        printf(",\"cpu_ns_per_command\":%.0f,\"written_bytes_per_command\":%.1f", each(run, report->cpu_ns),
               each(run, report->written_bytes));
    if (report->memory_after_bytes > 0 && creates(run) > 0)
        printf(",\"bytes_per_ticket\":%.1f", (double)grown_bytes(report) / (double)creates(run));
    printf(",\"log_bytes\":%llu,\"store_bytes\":%llu,\"checkpoints\":%llu,\"loop_pause_max_ms\":%.3f",
           (unsigned long long)report->log_bytes, (unsigned long long)report->store_bytes,
           (unsigned long long)report->checkpoints, (double)report->loop_pause_us / 1e3);
    if (report->cards_expected > 0)
        printf(",\"cards_expected\":%llu,\"cards\":%llu,\"cards_late_seconds\":%.3f",
               (unsigned long long)report->cards_expected, (unsigned long long)report->cards,
               (double)report->cards_late_ns / 1e9);
    if (report->back_in_service_ns)
        printf(",\"back_in_service_seconds\":%.3f,\"log_replay_bytes\":%llu",
               (double)report->back_in_service_ns / 1e9, (unsigned long long)report->log_replay_bytes);
    samples_json(run);
    printf("}\n");
}

/* ---- Curves ---- */

void points_table(const struct point *points, u32 count)
{
    printf("%12s %12s %10s %10s %10s\n", "asked/s", "done/s", "p50 ms", "p99 ms", "p99.9 ms");
    for (u32 i = 0; i < count; i++)
        printf("%12.0f %12.0f %10.3f %10.3f %10.3f\n", points[i].rate, points[i].done, points[i].p50_ms,
               points[i].p99_ms, points[i].p999_ms);
}

void points_json(const struct point *points, u32 count)
{
    printf("[");
    for (u32 i = 0; i < count; i++)
        printf("%s{\"rate\":%.0f,\"done\":%.0f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f}",
               i ? "," : "", points[i].rate, points[i].done, points[i].p50_ms, points[i].p99_ms,
               points[i].p999_ms);
    printf("]\n");
}
