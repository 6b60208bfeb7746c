/* How fast, how much, how soon again: durable creates over loopback, memory a ticket, and the time until a
 * killed server serves again.
 *
 * Without --server it starts a ticketd of its own on a new directory (below $TMPDIR), kills it at the end,
 * starts it again, and removes the directory. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bench/load.h"
#include "bench/machine.h"
#include "bench/server.h"

struct options {
    struct load load;
    const char *server; /* NULL: our own */
    const char *durability;
    const char *memory_budget;
    bool json;
    bool restart;
};

/* Everything that is told at the end. */
struct report {
    struct machine machine;
    char durability[64];
    char version[64];
    struct load_results load;
    u64 memory_before_bytes;
    u64 memory_after_bytes;
    u64 state_bytes;
    u64 log_replay_bytes;
    u64 back_in_service_ns; /* 0: not measured */
};

static const char help[] =
    "ticketbench: durable creates a second, latencies, memory a ticket, time back in service\n"
    "\n"
    "usage: ticketbench [OPTION]...\n"
    "\n"
    "  --server ADDRESS   a running ticketd with an empty desk (HOST:PORT or unix:PATH)\n"
    "                     without it one is started on a new directory below $TMPDIR\n"
    "  --tickets N        to create (1000000)\n"
    "  --batch N          tickets a frame (1000)\n"
    "  --connections N    (4)\n"
    "  --depth N          frames in flight on each connection (2)\n"
    "  --rate N           tickets a second, latency counted from when a batch should have begun;\n"
    "                     without it each connection sends as fast as it is answered\n"
    "  --queues N         (64)\n"
    "  --agents N         (512), each serves 8 queues\n"
    "  --capacity N       tickets an agent takes, 0 = no limit (0)\n"
    "  --customers N      (a quarter of the tickets)\n"
    "  --body BYTES       of text in a ticket (64)\n"
    "  --durability MODE  of the server that is started (sync)\n"
    "  --memory-budget SIZE  of the server that is started\n"
    "  --no-restart       do not measure the restart\n"
    "  -o json|table      (table)\n"
    "\n"
    "example: ticketbench --tickets 200000 --connections 8 --rate 100000\n";

enum option_key { KEY_SERVER = 1000, KEY_TICKETS, KEY_BATCH, KEY_CONNECTIONS, KEY_DEPTH, KEY_RATE, KEY_QUEUES,
                  KEY_AGENTS, KEY_CAPACITY, KEY_CUSTOMERS, KEY_BODY, KEY_DURABILITY, KEY_MEMORY, KEY_NO_RESTART,
                  KEY_HELP };

_Noreturn static void usage(const char *what, const char *value)
{
    fprintf(stderr, "ticketbench: %s '%s' will not do: see ticketbench --help\n", what, value);
    exit(2);
}

static u64 number(const char *name, const char *text, u64 min, u64 max)
{
    char *end;
    u64 value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != 0 || value < min || value > max) usage(name, text);
    return value;
}

static void option(struct options *options, int key, const char *text)
{
    struct load *load = &options->load;
    switch (key) {
    case KEY_SERVER: options->server = text; return;
    case KEY_TICKETS: load->tickets = number("--tickets", text, 1, 1000000000); return;
    case KEY_BATCH: load->batch = (u32)number("--batch", text, 1, TKD_RECORDS_MAX); return;
    case KEY_CONNECTIONS: load->connections = (u32)number("--connections", text, 1, 256); return;
    case KEY_DEPTH: load->depth = (u32)number("--depth", text, 1, SENDER_DEPTH_MAX); return;
    case KEY_RATE: load->rate = number("--rate", text, 1, 100000000); return;
    case KEY_QUEUES: load->queues = (u32)number("--queues", text, 1, 1000); return;
    case KEY_AGENTS: load->agents = (u32)number("--agents", text, 1, 2000); return;
    case KEY_CAPACITY: load->capacity = (u32)number("--capacity", text, 0, 1000); return;
    case KEY_CUSTOMERS: load->customers = number("--customers", text, 1, 1000000000); return;
    case KEY_BODY: load->body_bytes = (u32)number("--body", text, 0, 200000); return;
    case KEY_DURABILITY: options->durability = text; return;
    case KEY_MEMORY: options->memory_budget = text; return;
    case KEY_NO_RESTART: options->restart = false; return;
    case 'o':
        options->json = strcmp(text, "json") == 0;
        if (!options->json && strcmp(text, "table") != 0) usage("-o", text);
        return;
    case KEY_HELP:
        fputs(help, stdout);
        exit(0);
    }
    fprintf(stderr, "ticketbench: see ticketbench --help\n");
    exit(2);
}

static struct options options_parse(int argc, char **argv)
{
    static const struct option names[] = {
        {"server", 1, NULL, KEY_SERVER},           {"tickets", 1, NULL, KEY_TICKETS},
        {"batch", 1, NULL, KEY_BATCH},             {"connections", 1, NULL, KEY_CONNECTIONS},
        {"depth", 1, NULL, KEY_DEPTH},             {"rate", 1, NULL, KEY_RATE},
        {"queues", 1, NULL, KEY_QUEUES},           {"agents", 1, NULL, KEY_AGENTS},
        {"capacity", 1, NULL, KEY_CAPACITY},       {"customers", 1, NULL, KEY_CUSTOMERS},
        {"body", 1, NULL, KEY_BODY},               {"durability", 1, NULL, KEY_DURABILITY},
        {"memory-budget", 1, NULL, KEY_MEMORY},    {"no-restart", 0, NULL, KEY_NO_RESTART},
        {"help", 0, NULL, KEY_HELP},               {NULL, 0, NULL, 0}};
    struct options options = {.load = {.tickets = 1000000, .batch = 1000, .connections = 4, .depth = 2, .queues = 64,
                                       .agents = 512, .body_bytes = 64, .run = (u32)(time(NULL) % 100000)},
                              .restart = true};
    int key;
    while ((key = getopt_long(argc, argv, "o:", names, NULL)) != -1) option(&options, key, optarg);
    if (optind < argc) usage("argument", argv[optind]);
    if (options.load.customers == 0) options.load.customers = max_u64(1, options.load.tickets / 4);
    return options;
}

static void progress(u64 done, u64 all)
{
    if (!isatty(STDERR_FILENO)) return;
    fprintf(stderr, "\r%llu of %llu tickets%s", (unsigned long long)done, (unsigned long long)all,
            done == all ? "\r\033[K" : "");
}

/* ---- Measuring ---- */

static struct tkd_client *connected(const char *address)
{
    struct tkd_client *client;
    if (tkd_connect(&client, address, "ticketbench")) die("%s", tkd_error(client));
    return client;
}

static void load_measured(const struct options *options, const struct server_process *server, const char *address,
                          struct report *report)
{
    struct tkd_client *client = connected(address);
    load_status(client, "durability", report->durability, sizeof(report->durability));
    load_status(client, "version", report->version, sizeof(report->version));
    load_desk(&options->load, client);
    if (server) report->memory_before_bytes = server_process_memory(server);
    load_run(&options->load, address, &report->load, progress);
    if (server) report->memory_after_bytes = server_process_memory(server);
    report->state_bytes = load_status(client, "memory_bytes", NULL, 0);
    report->log_replay_bytes = load_status(client, "log.replay_bytes", NULL, 0);
    tkd_close(client);
    const struct sender_results *sent = &report->load.sent;
    if (sent->refused > 0) {
        die("%llu tickets were refused: %s", (unsigned long long)sent->refused, tkd_status_info(sent->refusal)->doc);
    }
}

/* Back in service: from the start of the process to the answer to a question about the newest ticket. */
static void restart_measured(struct server_process *server, struct report *report)
{
    server_process_end(server, SIGKILL);
    u64 begin_ns = now_ns();
    server_process_start(server);
    struct tkd_client *client = connected(server->address);
    struct tkd_answer answer;
    struct tkd_ticket_get get = {.ticket = report->load.sent.last_id};
    if (tkd_call(client, TKD_OP_TICKET_GET, 0, TKD_RECORD_ticket_get, &get, NULL, &answer)) {
        die("after the kill: %s", tkd_error(client));
    }
    report->back_in_service_ns = now_ns() - begin_ns;
    tkd_close(client);
}

static void measured(const struct options *options, struct report *report)
{
    if (options->server) {
        machine_read(&report->machine, ".");
        load_measured(options, NULL, options->server, report);
        return;
    }
    struct server_process server;
    server_process_init(&server, "ticketbench");
    machine_read(&report->machine, server.data);
    if (options->durability) {
        server_process_argument(&server, "--durability");
        server_process_argument(&server, options->durability);
    }
    if (options->memory_budget) {
        server_process_argument(&server, "--memory-budget");
        server_process_argument(&server, options->memory_budget);
    }
    server_process_start(&server);
    load_measured(options, &server, server.address, report);
    if (options->restart) restart_measured(&server, report);
    int code = server_process_end(&server, SIGTERM);
    if (code != 0) die("ticketd ended with %d; its data is in %s", code, server.data);
    server_process_remove(&server);
}

/* ---- Telling ---- */

static double per_second(const struct options *options, const struct report *report)
{
    return (double)options->load.tickets * 1e9 / (double)report->load.took_ns;
}

static double per_ticket(const struct options *options, u64 bytes)
{
    return (double)bytes / (double)options->load.tickets;
}

static const struct {
    const char *name;
    u32 parts_per_million;
} quantiles[] = {{"p50", 500000}, {"p90", 900000}, {"p99", 990000}, {"p999", 999000}, {"max", 1000000}};

static double quantile_ms(const struct report *report, u32 index)
{
    return (double)histogram_quantile(&report->load.sent.latency_ns, quantiles[index].parts_per_million) / 1e6;
}

static void print_json(const struct options *options, const struct report *report)
{
    const struct load *load = &options->load;
    u64 grown = sat_sub(report->memory_after_bytes, report->memory_before_bytes);
    printf("{\"tickets\":%llu,\"batch\":%u,\"connections\":%u,\"depth\":%u,\"rate\":%llu,\"body_bytes\":%u,",
           (unsigned long long)load->tickets, load->batch, load->connections, load->depth,
           (unsigned long long)load->rate, load->body_bytes);
    printf("\"queues\":%u,\"agents\":%u,\"customers\":%llu,\"durability\":\"%s\",\"version\":\"%s\",", load->queues,
           load->agents, (unsigned long long)load->customers, report->durability, report->version);
    printf("\"processor\":\"%s\",\"cores\":%u,\"kernel\":\"%s\",\"file_system\":\"%s\",", report->machine.processor,
           report->machine.cores, report->machine.kernel, report->machine.file_system);
    printf("\"creates_per_second\":%.0f,\"seconds\":%.3f,\"late_batches\":%llu", per_second(options, report),
           (double)report->load.took_ns / 1e9, (unsigned long long)report->load.late_batches);
    for (u32 i = 0; i < ARRAY_COUNT(quantiles); i++) {
        printf(",\"batch_latency_ms_%s\":%.3f", quantiles[i].name, quantile_ms(report, i));
    }
    if (report->memory_after_bytes) printf(",\"process_bytes_per_ticket\":%.1f", per_ticket(options, grown));
    printf(",\"state_bytes_per_ticket\":%.1f", per_ticket(options, report->state_bytes));
    if (report->back_in_service_ns) {
        printf(",\"back_in_service_seconds\":%.3f,\"log_replay_bytes\":%llu", (double)report->back_in_service_ns / 1e9,
               (unsigned long long)report->log_replay_bytes);
    }
    printf("}\n");
}

static void print_table(const struct options *options, const struct report *report)
{
    const struct load *load = &options->load;
    u64 grown = sat_sub(report->memory_after_bytes, report->memory_before_bytes);
    printf("machine      %s, %u cores, %s, data on %s\n", report->machine.processor, report->machine.cores,
           report->machine.kernel, report->machine.file_system);
    printf("server       ticketd %s, durability %s\n", report->version, report->durability);
    printf("load         %llu tickets in batches of %u over %u connections, %u batches in flight on each\n",
           (unsigned long long)load->tickets, load->batch, load->connections, load->depth);
    printf("             %u queues, %u agents, %llu customers, %u bytes of text\n", load->queues, load->agents,
           (unsigned long long)load->customers, load->body_bytes);
    printf("creates      %.0f a second (%.2f s)\n", per_second(options, report), (double)report->load.took_ns / 1e9);
    printf("batch        ");
    for (u32 i = 0; i < ARRAY_COUNT(quantiles); i++) {
        printf("%s%s %.2f ms", i ? ", " : "", quantiles[i].name, quantile_ms(report, i));
    }
    printf("%s\n", load->rate ? " from when it should have begun" : "");
    if (load->rate) {
        printf("late         %llu batches, all windows were full\n",
               (unsigned long long)report->load.late_batches);
    }
    if (report->memory_after_bytes) {
        printf("memory       %.0f bytes a ticket (the process grew by %.1f MB)\n", per_ticket(options, grown),
               (double)grown / 1e6);
    }
    printf("             %.0f bytes a ticket by the server's own count\n", per_ticket(options, report->state_bytes));
    if (report->back_in_service_ns) {
        printf("restart      back in service %.2f s after a kill (%.0f MB of log to replay)\n",
               (double)report->back_in_service_ns / 1e9, (double)report->log_replay_bytes / 1e6);
    }
}

int main(int argc, char **argv)
{
    static struct report report;
    struct options options = options_parse(argc, argv);
    measured(&options, &report);
    if (options.json) {
        print_json(&options, &report);
    } else {
        print_table(&options, &report);
    }
    if (strcmp(report.durability, "sync") != 0) {
        fprintf(stderr, "\n*** WARNING: durability is '%s': an answer does not mean that a ticket is on the disk. ***\n"
                        "*** These figures are not those of a durable desk.                               ***\n",
                report.durability);
    }
    return 0;
}
