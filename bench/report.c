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

/* Of writes: questions are asked one by one. */
static double records_a_frame(const struct run *run)
{
    const struct request_tally *create = &run->workload->tallies[REQUEST_CREATE];
    const struct request_tally *update = &run->workload->tallies[REQUEST_UPDATE];
    return (double)(create->records + update->records) / (double)max_u64(1, create->frames + update->frames);
}

/* Of one processor. */
static double share(const struct run *run, u64 cpu_ns) { return (double)cpu_ns / (double)run->took_ns; }

static bool ours(const struct report *report) { return report->options->address == NULL; }

static bool over_unix(const struct report *report) { return strncmp(report->address, "unix:", 5) == 0; }

/* ---- For people ---- */

#define STOLEN_TOLD 0.02
#define FULL_ENOUGH 0.99 /* the last frame may have fewer */

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
    if (report->probe_ns == NULL) return;
    quantiles_line("meanwhile", report->probe_ns);
    if (report->burst_ns->count > 0) quantiles_line("in burst", report->burst_ns);
}

static void machine_table(const struct report *report)
{
    const struct machine *machine = &report->machine;
    const struct options *options = report->options;
    printf("machine      %s, %u cores, %.0f GB, %s", machine->processor, machine->cores,
           (double)machine->memory_bytes / 1e9, machine->kernel);
    if (ours(report)) printf(", data on %s (%s)", machine->file_system, machine->device);
    printf("\nserver       ticketd%s%s%s%s, durability %s, over %s", *report->version ? " " : "", report->version,
           ours(report) && *machine->commit ? " at " : "", ours(report) ? machine->commit : "", report->durability,
           over_unix(report) ? "a Unix socket" : "TCP");
    for (u32 i = 0; i < options->server_arguments_count; i++)
        printf("%s%s", i % 2 == 0 ? ", " : " ", options->server_arguments[i]);
    printf("\n");
}

static void desk_table(const struct load *load)
{
    printf("             %u queues, %u agents, %llu customers, skew %g, ", load->queues, load->agents,
           (unsigned long long)load->customers, load->skew);
    if (load->body_bytes == 0)
        printf("Chinese and English texts");
    else
        printf("%u bytes of text", load->body_bytes);
    printf(", seed %u\n", load->run);
}

static void load_table(const struct run *run)
{
    const struct load *load = run->load;
    printf("load         %s: %llu commands in batches of %u over %u connections, %u frames in flight on each\n",
           workload_names[load->kind], (unsigned long long)run_commands(run), load->batch, load->connections,
           load->depth);
    desk_table(load);
    for (u32 i = 0; i < REQUEST_END; i++) {
        const struct request_tally *tally = &run->workload->tallies[i];
        if (tally->frames == 0) continue;
        printf("             %-8s %llu", request_names[i], (unsigned long long)tally->records);
        if (tally->exists > 0)
            printf(", %llu of them known or nothing to do", (unsigned long long)tally->exists);
        if (tally->refused > 0)
            printf(", %llu refused: %s", (unsigned long long)tally->refused,
                   tkd_status_info(tally->refusal)->doc);
        if (i == REQUEST_LIST && workload_unfinished(run->workload) > 0)
            printf(", %llu more unfinished at the end", (unsigned long long)workload_unfinished(run->workload));
        printf("\n");
    }
    printf("frames       %llu, of writes with %.1f commands each", (unsigned long long)run->workload->frames,
           records_a_frame(run));
    if (records_a_frame(run) < load->batch * FULL_ENOUGH) printf(": fewer than the %u asked for", load->batch);
    printf("\n");
}

static void rate_table(const struct report *report, const struct run *run)
{
    if (run->rate) printf("rate         %llu commands a second asked for", (unsigned long long)run->rate);
    if (run->rate && report->maximum_rate)
        printf(", %u %% of the maximum of %llu", report->options->rate_percent,
               (unsigned long long)report->maximum_rate);
    printf("%sthroughput   %.0f commands a second (%.2f s)\n", run->rate ? "\n" : "", per_second(run),
           (double)run->took_ns / 1e9);
    if (interrupt_seen()) printf("interrupted  the load was ended by a signal: these are the figures up to then\n");
    if (run->unsent)
        printf("not sent     %llu commands: the time was over\n", (unsigned long long)run->unsent);
    if (stolen_share(report, run) >= STOLEN_TOLD)
        printf("host         took %.0f %% of the processors' time for others meanwhile: measure again when it is quiet\n",
               stolen_share(report, run) * 100);
}

static void costs_table(const struct report *report, const struct run *run)
{
    if (run->rate)
        printf("late         %llu frames waited for a window, %llu the generator itself sent over 1 ms late\n",
               (unsigned long long)run->late_window_frames, (unsigned long long)run->late_generator_frames);
    printf("processors   ");
    if (ours(report)) printf("server %.0f %%, ", share(run, report->cpu_ns) * 100);
    printf("generator %.0f %% of one\n", share(run, run->generator_ns) * 100);
    if (report->memory_after_bytes > 0)
        printf("server       %.0f ns of CPU a command, %.0f bytes written a command\n",
               each(run, report->cpu_ns), each(run, report->written_bytes));
    if (report->memory_after_bytes > 0 && creates(run) > 0)
        printf("memory       %.0f bytes a ticket made (the process grew by %.1f MB)\n",
               (double)grown_bytes(report) / (double)creates(run), (double)grown_bytes(report) / 1e6);
    printf("log          %.0f bytes a command; its files %.1f MB\n", each(run, report->log_written_bytes),
           (double)report->log_bytes / 1e6);
    printf("checkpoints  %llu, %.1f MB of rows; the store %.1f MB\n", (unsigned long long)report->checkpoints,
           (double)report->checkpoint_rows_bytes / 1e6, (double)report->store_bytes / 1e6);
    printf("loop         longest pause %.2f ms\n", (double)report->loop_pause_us / 1e3);
}

static void deadlines_table(const struct report *report, const struct run *run)
{
    u64 expected = run->workload->due_created;
    printf("deadlines    %llu of %llu cards, %.2f s after the end of their second, %llu before it\n",
           (unsigned long long)report->cards, (unsigned long long)expected, (double)report->cards_late_ns / 1e9,
           (unsigned long long)report->cards_early);
    if (expected < run->load->due)
        printf("             of the %llu that were asked for no more were created in time\n",
               (unsigned long long)run->load->due);
}

void report_table(const struct report *report, const struct run *run)
{
    machine_table(report);
    load_table(run);
    rate_table(report, run);
    latencies_table(report, run);
    costs_table(report, run);
    if (report->probe_ns) deadlines_table(report, run);
    if (report->back_in_service_ns)
        printf("restart      back in service %.2f s after a kill (%.0f MB of log to replay)\n",
               (double)report->back_in_service_ns / 1e9, (double)report->log_replay_bytes / 1e6);
}

/* ---- For scripts ---- */

static void string_json(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if ((u8)*text < ' ')
            printf("\\u%04x", *text);
        else
            putchar(*text);
    }
    putchar('"');
}

static void text_json(const char *name, const char *text)
{
    printf(",\"%s\":", name);
    string_json(text);
}

static void number_json(const char *name, u64 number) { printf(",\"%s\":%llu", name, (unsigned long long)number); }

static void quantiles_json(const char *name, const struct histogram *histogram)
{
    printf(",\"%s_latency_ms\":{", name);
    for (u32 i = 0; i < ARRAY_COUNT(quantiles); i++)
        printf("%s\"%s\":%.3f", i ? "," : "", quantiles[i].name, quantile_ms(histogram, i));
    printf("}");
}

/* What a run and a sweep are told with: the load, the server, the machine. */
static void setting_json(const struct report *report)
{
    const struct load *load = &report->options->load;
    const struct machine *machine = &report->machine;
    printf("\"workload\":\"%s\",\"batch\":%u,\"connections\":%u,\"depth\":%u,\"queues\":%u,\"agents\":%u",
           workload_names[load->kind], load->batch, load->connections, load->depth, load->queues, load->agents);
    number_json("customers", load->customers);
    printf(",\"skew\":%g,\"body_bytes\":%u,\"seed\":%u", load->skew, load->body_bytes, load->run);
    number_json("maximum_rate", report->maximum_rate);
    text_json("durability", report->durability);
    text_json("transport", over_unix(report) ? "unix" : "tcp");
    printf(",\"server_options\":[");
    for (u32 i = 0; i < report->options->server_arguments_count; i++) {
        if (i) putchar(',');
        string_json(report->options->server_arguments[i]);
    }
    printf("]");
    text_json("version", report->version);
    text_json("commit", machine->commit);
    text_json("processor", machine->processor);
    number_json("cores", machine->cores);
    number_json("memory_bytes", machine->memory_bytes);
    text_json("kernel", machine->kernel);
    text_json("file_system", machine->file_system);
    text_json("device", machine->device);
}

static void sample_json(const struct sample *sample)
{
    printf("{\"seconds\":%.3f", (double)sample->at_ns / 1e9);
    number_json("commands", sample->commands);
    if (sample->requests)
        printf(",\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f", (double)sample->p50_ns / 1e6,
               (double)sample->p99_ns / 1e6, (double)sample->max_ns / 1e6);
    else
        printf(",\"p50_ms\":null,\"p99_ms\":null,\"max_ms\":null");
    number_json("memory_bytes", sample->memory_bytes);
    printf("}");
}

static void rate_json(const struct report *report, const struct run *run)
{
    number_json("commands", run_commands(run));
    number_json("frames", run->workload->frames);
    printf(",\"commands_per_frame\":%.1f", records_a_frame(run));
    number_json("rate", run->rate);
    number_json("rate_percent", report->options->rate_percent);
    printf(",\"commands_per_second\":%.0f,\"seconds\":%.3f,\"interrupted\":%s,\"stolen_share\":%.3f", per_second(run),
           (double)run->took_ns / 1e9, interrupt_seen() ? "true" : "false", stolen_share(report, run));
    number_json("late_frames", run->late_window_frames + run->late_generator_frames);
    number_json("late_window_frames", run->late_window_frames);
    number_json("late_generator_frames", run->late_generator_frames);
    number_json("unsent", run->unsent);
    number_json("refused", run_refused(run));
    number_json("lists_unfinished", workload_unfinished(run->workload));
    printf(",\"generator_cpu_share\":%.3f", share(run, run->generator_ns));
}

static void costs_json(const struct report *report, const struct run *run)
{
    if (report->memory_after_bytes > 0)
        printf(",\"server_cpu_share\":%.3f,\"cpu_ns_per_command\":%.0f,\"written_bytes_per_command\":%.1f",
               share(run, report->cpu_ns), each(run, report->cpu_ns), each(run, report->written_bytes));
    if (report->memory_after_bytes > 0 && creates(run) > 0)
        printf(",\"bytes_per_ticket\":%.1f", (double)grown_bytes(report) / (double)creates(run));
    number_json("log_written_bytes", report->log_written_bytes);
    number_json("checkpoint_rows_bytes", report->checkpoint_rows_bytes);
    number_json("log_bytes", report->log_bytes);
    number_json("store_bytes", report->store_bytes);
    number_json("checkpoints", report->checkpoints);
    printf(",\"loop_pause_max_ms\":%.3f", (double)report->loop_pause_us / 1e3);
}

static void deadlines_json(const struct report *report, const struct run *run)
{
    quantiles_json("meanwhile", report->probe_ns);
    if (report->burst_ns->count > 0) quantiles_json("burst", report->burst_ns);
    number_json("cards_asked", run->load->due);
    number_json("cards_expected", run->workload->due_created);
    number_json("cards", report->cards);
    number_json("cards_early", report->cards_early);
    printf(",\"cards_late_seconds\":%.3f", (double)report->cards_late_ns / 1e9);
}

void report_json(const struct report *report, const struct run *run)
{
    printf("{");
    setting_json(report);
    rate_json(report, run);
    quantiles_json("frame", &run->latency_ns);
    for (u32 i = 0; i < REQUEST_END; i++) {
        const struct request_tally *tally = &run->workload->tallies[i];
        if (tally->frames > 0) quantiles_json(request_names[i], &tally->latency_ns);
    }
    costs_json(report, run);
    if (report->probe_ns) deadlines_json(report, run);
    if (report->back_in_service_ns) {
        printf(",\"back_in_service_seconds\":%.3f", (double)report->back_in_service_ns / 1e9);
        number_json("log_replay_bytes", report->log_replay_bytes);
    }
    printf(",\"samples\":[");
    for (u32 i = 0; i < run->samples_count; i++) {
        if (i) putchar(',');
        sample_json(&run->samples[i]);
    }
    printf("]}\n");
}

/* ---- Curves ---- */

void points_table(const struct report *report, const struct point *points, u32 count)
{
    const struct load *load = &report->options->load;
    machine_table(report);
    printf("load         %s in batches of %u over %u connections, %u frames in flight on each\n",
           workload_names[load->kind], load->batch, load->connections, load->depth);
    desk_table(load);
    printf("maximum      %llu commands a second\n", (unsigned long long)report->maximum_rate);
    printf("%12s %12s %10s %10s %10s %10s %10s %10s\n", "asked/s", "done/s", "p50 ms", "p99 ms", "p99.9 ms", "frames",
           "refused", "not sent");
    for (u32 i = 0; i < count; i++) {
        const struct point *point = &points[i];
        printf("%12.0f %12.0f %10.3f %10.3f %10.3f %10llu %10llu %10llu\n", point->rate, point->done, point->p50_ms,
               point->p99_ms, point->p999_ms, (unsigned long long)point->frames, (unsigned long long)point->refused,
               (unsigned long long)point->unsent);
    }
}

void points_json(const struct report *report, const struct point *points, u32 count)
{
    printf("{");
    setting_json(report);
    printf(",\"points\":[");
    for (u32 i = 0; i < count; i++) {
        const struct point *point = &points[i];
        printf("%s{\"rate\":%.0f,\"done\":%.0f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f", i ? "," : "",
               point->rate, point->done, point->p50_ms, point->p99_ms, point->p999_ms);
        number_json("frames", point->frames);
        number_json("refused", point->refused);
        number_json("unsent", point->unsent);
        printf("}");
    }
    printf("]}\n");
}
