#include "bench/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/desk.h"

#define CONNECTIONS_MAX 1000u
#define DUE_S           60u
#define DUE_S_MIN       3u
#define RUNS            100000u /* that a key can tell apart; one of them is for the requests during deadlines */

static const char help[] =
    "ticketbench: throughput, latencies, memory and costs of a ticketd under load\n"
    "\n"
    "usage: ticketbench [OPTION]...\n"
    "\n"
    "  --server ADDRESS   a running ticketd with an empty desk (HOST:PORT or unix:PATH)\n"
    "                     without it one is started on a new directory below $TMPDIR\n"
    "load\n"
    "  --workload NAME    create     new tickets (default)\n"
    "                     lifecycle  create, reply, note, transfer, resolve, close\n"
    "                     churn      create and close\n"
    "                     intake     create, some with a known key; messages, touches, urging\n"
    "                     query      get, list and history on half of the connections, create on the others\n"
    "                     sla        create with deadlines; --due of them in the same second\n"
    "  --commands N       to send in all (1000000)\n"
    "  --seconds N        or: for so long; with both, whichever comes first\n"
    "  --batch N          commands a frame, 1 to 8000 (1000), as far as 1 MiB holds them\n"
    "  --connections N    1 to 1000 (4); query: at least 2\n"
    "  --depth N          frames in flight on each connection, 1 to 64 (2)\n"
    "  --rate N|P%        open loop: commands a second, or a share of the maximum, which is measured first on a\n"
    "                     server of its own; latency counts from when a frame should have been sent. Without it\n"
    "                     each connection sends as fast as it is answered\n"
    "  --sweep            open loops at 10 % to 90 % of the maximum: the curve of throughput and latency. Each is\n"
    "                     --seconds long (5), on a server of its own\n"
    "  --seed N           0 to 99998: the same seed sends the same (drawn, and told in the report)\n"
    "desk\n"
    "  --queues N         (64)\n"
    "  --agents N         (512), each serves 8 queues\n"
    "  --capacity N       tickets an agent takes (no limit; lifecycle and churn: 1000)\n"
    "  --customers N      (a quarter of the commands)\n"
    "  --skew X           Zipf's exponent of queues and customers (0: all alike)\n"
    "  --body BYTES|mixed of text in a ticket (64); mixed: as people write, Chinese and English\n"
    "  --open N           lifecycle, churn: tickets worked on at a time (100000)\n"
    "  --due N            sla: tickets due in the same second (a tenth of the commands)\n"
    "  --due-after N      sla: seconds from the begin, 3 to 200 (60); two seconds before, creating ends\n"
    "  --archive-after N  seconds after which a closed ticket leaves memory\n"
    "server that is started (not beside --server)\n"
    "  --durability MODE  (sync)\n"
    "  --memory-budget SIZE, --checkpoint-bytes SIZE, --busy-poll US\n"
    "  --unix             over a Unix socket instead of TCP\n"
    "  --no-restart       do not kill it and measure how soon it is back\n"
    "report\n"
    "  -o json|table      (table)\n"
    "  --plot FILE.svg    draws the run over time; with --sweep throughput against latency\n"
    "\n"
    "Ctrl-C ends the load and tells what was measured so far. Exit codes: 1 an error, or cards of sla that are missing\n"
    "or came before their second; 2 a wrong option; 128 and its number after a signal.\n"
    "\n"
    "examples\n"
    "  ticketbench --workload lifecycle --seconds 30 --plot life.svg\n"
    "  ticketbench --batch 1 --connections 64 --depth 8\n"
    "  ticketbench --batch 100 --rate 50% --seconds 60\n";

enum option_key {
    KEY_SERVER = 1000,
    KEY_WORKLOAD,
    KEY_COMMANDS,
    KEY_SECONDS,
    KEY_BATCH,
    KEY_CONNECTIONS,
    KEY_DEPTH,
    KEY_RATE,
    KEY_SWEEP,
    KEY_SEED,
    KEY_QUEUES,
    KEY_AGENTS,
    KEY_CAPACITY,
    KEY_CUSTOMERS,
    KEY_SKEW,
    KEY_BODY,
    KEY_OPEN,
    KEY_DUE,
    KEY_DUE_AFTER,
    KEY_ARCHIVE,
    KEY_DURABILITY,
    KEY_MEMORY,
    KEY_CHECKPOINT,
    KEY_BUSY_POLL,
    KEY_UNIX,
    KEY_NO_RESTART,
    KEY_PLOT,
    KEY_HELP
};

static const struct option names[] = {{"server", 1, NULL, KEY_SERVER},
                                      {"workload", 1, NULL, KEY_WORKLOAD},
                                      {"commands", 1, NULL, KEY_COMMANDS},
                                      {"seconds", 1, NULL, KEY_SECONDS},
                                      {"batch", 1, NULL, KEY_BATCH},
                                      {"connections", 1, NULL, KEY_CONNECTIONS},
                                      {"depth", 1, NULL, KEY_DEPTH},
                                      {"rate", 1, NULL, KEY_RATE},
                                      {"sweep", 0, NULL, KEY_SWEEP},
                                      {"seed", 1, NULL, KEY_SEED},
                                      {"queues", 1, NULL, KEY_QUEUES},
                                      {"agents", 1, NULL, KEY_AGENTS},
                                      {"capacity", 1, NULL, KEY_CAPACITY},
                                      {"customers", 1, NULL, KEY_CUSTOMERS},
                                      {"skew", 1, NULL, KEY_SKEW},
                                      {"body", 1, NULL, KEY_BODY},
                                      {"open", 1, NULL, KEY_OPEN},
                                      {"due", 1, NULL, KEY_DUE},
                                      {"due-after", 1, NULL, KEY_DUE_AFTER},
                                      {"archive-after", 1, NULL, KEY_ARCHIVE},
                                      {"durability", 1, NULL, KEY_DURABILITY},
                                      {"memory-budget", 1, NULL, KEY_MEMORY},
                                      {"checkpoint-bytes", 1, NULL, KEY_CHECKPOINT},
                                      {"busy-poll", 1, NULL, KEY_BUSY_POLL},
                                      {"unix", 0, NULL, KEY_UNIX},
                                      {"no-restart", 0, NULL, KEY_NO_RESTART},
                                      {"plot", 1, NULL, KEY_PLOT},
                                      {"help", 0, NULL, KEY_HELP},
                                      {NULL, 0, NULL, 0}};

_Noreturn static void usage(const char *what, const char *value)
{
    fprintf(stderr, "ticketbench: %s '%s' will not do: see ticketbench --help\n", what, value);
    exit(2);
}

_Noreturn static void refuse(const char *why)
{
    fprintf(stderr, "ticketbench: %s\n", why);
    exit(2);
}

static u64 number(const char *name, const char *text, u64 min, u64 max)
{
    char *end;
    u64 value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != 0 || value < min || value > max) usage(name, text);
    return value;
}

static void rate_option(struct options *options, const char *text)
{
    char digits[32];
    u64 bytes = strlen(text);
    if (bytes == 0 || bytes >= sizeof(digits)) usage("--rate", text);
    memcpy(digits, text, bytes + 1);
    if (digits[bytes - 1] == '%') {
        digits[bytes - 1] = 0;
        options->rate_percent = (u32)number("--rate", digits, 1, 200);
    } else {
        options->rate = number("--rate", text, 1, 100000000);
    }
}

static enum workload_kind workload_named(const char *name)
{
    for (u32 i = 0; i < WORKLOAD_END; i++) {
        if (strcmp(name, workload_names[i]) == 0) return i;
    }
    usage("--workload", name);
}

static double skew_option(const char *text)
{
    char *end;
    double skew = strtod(text, &end);
    if (end == text || *end != 0 || !(skew >= 0 && skew <= 3)) usage("--skew", text);
    return skew;
}

static void server_option(struct options *options, const char *name, const char *value)
{
    if (options->server_arguments_count + 2 > SERVER_ARGUMENTS_MAX) usage(name, value);
    options->server_arguments[options->server_arguments_count++] = name;
    options->server_arguments[options->server_arguments_count++] = value;
}

static bool load_option(struct load *load, int key, const char *text)
{
    switch (key) {
    case KEY_WORKLOAD:
        load->kind = workload_named(text);
        return true;
    case KEY_COMMANDS:
        load->commands = number("--commands", text, 1, 1000000000);
        return true;
    case KEY_BATCH:
        load->batch = (u32)number("--batch", text, 1, 8000);
        return true;
    case KEY_CONNECTIONS:
        load->connections = (u32)number("--connections", text, 1, CONNECTIONS_MAX);
        return true;
    case KEY_DEPTH:
        load->depth = (u32)number("--depth", text, 1, SENDER_DEPTH_MAX);
        return true;
    case KEY_QUEUES:
        load->queues = (u32)number("--queues", text, 1, 1000);
        return true;
    case KEY_AGENTS:
        load->agents = (u32)number("--agents", text, 1, 2000);
        return true;
    case KEY_CAPACITY:
        load->capacity = (u32)number("--capacity", text, 0, 1000);
        return true;
    case KEY_CUSTOMERS:
        load->customers = number("--customers", text, 1, 100000000);
        return true;
    case KEY_SKEW:
        load->skew = skew_option(text);
        return true;
    case KEY_BODY:
        load->body_bytes = strcmp(text, "mixed") == 0 ? 0 : (u32)number("--body", text, 1, 200000);
        return true;
    case KEY_SEED:
        load->run = (u32)number("--seed", text, 0, RUNS - 2);
        return true;
    case KEY_OPEN:
        load->open_max = number("--open", text, 1, 100000000);
        return true;
    case KEY_DUE:
        load->due = number("--due", text, 1, 1000000000);
        return true;
    case KEY_DUE_AFTER:
        load->due_s = (u32)number("--due-after", text, DUE_S_MIN, DESK_DUE_CATEGORIES);
        return true;
    default:
        return false;
    }
}

static void option(struct options *options, int key, const char *text)
{
    if (load_option(&options->load, key, text)) return;
    switch (key) {
    case KEY_SERVER:
        options->address = text;
        return;
    case KEY_SECONDS:
        options->seconds = number("--seconds", text, 1, 1000000);
        return;
    case KEY_RATE:
        rate_option(options, text);
        return;
    case KEY_SWEEP:
        options->sweep = true;
        return;
    case KEY_ARCHIVE:
        options->archive_after_ms = number("--archive-after", text, 1, 1000000000) * 1000;
        return;
    case KEY_DURABILITY:
        server_option(options, "--durability", text);
        return;
    case KEY_MEMORY:
        server_option(options, "--memory-budget", text);
        return;
    case KEY_CHECKPOINT:
        server_option(options, "--checkpoint-bytes", text);
        return;
    case KEY_BUSY_POLL:
        server_option(options, "--busy-poll", text);
        return;
    case KEY_UNIX:
        options->unix_socket = true;
        return;
    case KEY_NO_RESTART:
        options->restart = false;
        return;
    case KEY_PLOT:
        options->plot = text;
        return;
    case 'o':
        options->json = strcmp(text, "json") == 0;
        if (!options->json && strcmp(text, "table") != 0) usage("-o", text);
        return;
    case KEY_HELP:
        fputs(help, stdout);
        exit(fflush(stdout) == 0 ? 0 : 1);
    }
    fprintf(stderr, "ticketbench: see ticketbench --help\n");
    exit(2);
}

/* What does not go together. */
static void check(const struct options *options, bool commands)
{
    const struct load *load = &options->load;
    if (options->address && (options->server_arguments_count > 0 || options->unix_socket))
        refuse("--durability, --memory-budget, --checkpoint-bytes, --busy-poll and --unix are for a server that is "
               "started: give them to the one of --server itself");
    if (options->address && options->rate_percent)
        refuse("--rate P% measures the maximum on a server of its own: beside --server give a number");
    if (options->address && options->sweep)
        refuse("--sweep needs a new server for each point: leave --server away, or give --rate N, one by one");
    if (options->sweep && (commands || options->rate || options->rate_percent))
        refuse("--sweep finds the rates itself: no --commands and no --rate; --seconds is the length of each point");
    if (options->sweep && load->kind == WORKLOAD_SLA)
        refuse("--sweep does not wait for deadlines: take --workload create");
    if (load->kind == WORKLOAD_QUERY && load->connections < 2)
        refuse("--workload query asks on half of the connections: give --connections 2 or more");
}

struct options options_read(int argc, char **argv)
{
    struct options options = {.load = {.commands = 1000000,
                                       .batch = 1000,
                                       .connections = 4,
                                       .depth = 2,
                                       .queues = 64,
                                       .agents = 512,
                                       .body_bytes = 64,
                                       .open_max = 100000,
                                       .due_s = DUE_S,
                                       .capacity = UINT32_MAX,
                                       .run = (u32)(time(NULL) % (RUNS - 1))},
                              .restart = true};
    bool commands = false;
    int key;
    while ((key = getopt_long(argc, argv, "o:", names, NULL)) != -1) {
        option(&options, key, optarg);
        commands = commands || key == KEY_COMMANDS;
    }
    if (optind < argc) usage("argument", argv[optind]);
    check(&options, commands);
    struct load *load = &options.load;
    if (load->customers == 0) load->customers = max_u64(1, load->commands / 4);
    if (load->due == 0) load->due = load->commands / 10;
    if (load->capacity == UINT32_MAX)
        load->capacity = load->kind == WORKLOAD_LIFECYCLE || load->kind == WORKLOAD_CHURN ? 1000 : 0;
    if (options.seconds != 0 && !commands) load->commands = U64_NONE;
    if (load->kind == WORKLOAD_SLA) { /* other requests begin a second before those are due */
        u64 creating_s = load->due_s - 2;
        options.seconds = options.seconds ? min_u64(options.seconds, creating_s) : creating_s;
    }
    return options;
}
