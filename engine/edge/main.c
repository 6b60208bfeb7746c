/* ticketd: from the command line to a running server, and back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "durable/checkpoint.h"
#include "durable/recovery.h"
#include "edge/options.h"
#include "edge/server.h"
#include "port/host.h"
#include "port/io.h"
#include "port/thread.h"

#define ERROR_BYTES    1024u
#define FILES_MIN      64u /* half of them for connections; a log that lags takes up to 15, store and loop as many */
#define FILES_RESERVED 64u /* descriptors that are no connections */
#define EVENT_RING_MIN (16u << 20)
#define EVENT_RING_MAX (64u << 20)
#define BUFFERS_MIN    (128u << 20)
#define BUFFERS_MAX    (1u << 30)
#define PATH_BYTES     4200u

enum { EXIT_OK = 0, EXIT_STOPPED = 1, EXIT_USAGE = 2 };

/* Everything that lives as long as the process. */
struct process {
    struct options options;
    struct recovery recovery;
    struct server server;
    struct io *io;
    struct checkpoint *checkpoint;
    i32 signal_fd;
    bool failed; /* log or store, perhaps before the server is made */
    char backups[PATH_BYTES];
    char error[ERROR_BYTES];
};

static u64 clamp_u64(u64 value, u64 min, u64 max) { return max_u64(min, min_u64(value, max)); }

static int stopped(const char *event, const char *reason)
{
    log_error(event, LOG_TEXT("reason", reason));
    return EXIT_STOPPED;
}

/* The log or the store has failed. While the server does not run yet there is nothing to save. */
static void storage_failed(void *owner, const char *what)
{
    struct process *process = owner;
    process->failed = true;
    server_fail(&process->server, what);
}

/* Released is once a turn, by what the log says then. */
static void log_durable(void *owner)
{
    struct process *process = owner;
    process->server.service.figures.log_batches++;
}

/* Connections cost descriptors: no more than there are. -EMFILE: log and store need more than that. */
static i32 limit_connections(struct process *process)
{
    struct options *options = &process->options;
    u32 files = host_files_max();
    if (files < FILES_MIN) {
        snprintf(process->error, ERROR_BYTES,
                 "%u open files are allowed, at least %u are needed; remedy: raise the limit (ulimit -n, LimitNOFILE)",
                 files, FILES_MIN);
        return -EMFILE;
    }
    u32 possible = files - min_u32(FILES_RESERVED, files / 2);
    if (options->connections_max <= possible) return 0;
    log_warn("connections_limited", LOG_U64("wanted", options->connections_max),
             LOG_U64("possible", possible),
             LOG_TEXT("remedy", "raise the limit of open files (ulimit -n, LimitNOFILE)"));
    options->connections_max = possible;
    return 0;
}

static void warn_durability(const struct options *options)
{
    if (options->durability == WAL_SYNC) return;
    log_warn(
        "not_durable", LOG_TEXT("durability", options->durability_text),
        LOG_TEXT("meaning", options->durability == WAL_OFF
                                ? "ANSWERS MAY BE LOST: a crash of the machine forgets what was acknowledged"
                                : "ANSWERS MAY BE LOST: a crash of the machine forgets the last interval"));
}

static i32 recover(struct process *process)
{
    struct options *options = &process->options;
    if (options->memory_budget_bytes == 0) options->memory_budget_bytes = host_memory_bytes() / 2;
    u64 budget = options->memory_budget_bytes;
    struct recovery_config config = {
        .data = options->data,
        .state = {.memory_bytes = budget,
                  .event_ring_bytes = clamp_u64(budget / 16, EVENT_RING_MIN, EVENT_RING_MAX),
                  .virtual_clock = options->virtual_clock},
        .wal = {.durability = options->durability,
                .interval_ms = options->interval_ms,
                .durable = log_durable,
                .failed = storage_failed,
                .owner = process}};
    i32 result = recovery_open(&process->recovery, &config, process->io, process->error, ERROR_BYTES);
    if (result < 0) return result;
    const struct recovery *recovery = &process->recovery;
    log_info("recovered", LOG_TEXT("data", options->data), LOG_U64("created", recovery->created),
             LOG_U64("op", state_op(recovery->state)), LOG_U64("chunks", recovery->chunks),
             LOG_U64("commands", recovery->commands), LOG_U64("log_bytes", recovery->log_bytes),
             LOG_U64("torn_bytes", recovery->torn_bytes), LOG_U64("elapsed_ms", recovery->elapsed_ms));
    return 0;
}

static i32 checkpoint_start(struct process *process)
{
    struct recovery *recovery = &process->recovery;
    snprintf(process->backups, sizeof(process->backups), "%s/backups", process->options.data);
    struct checkpoint_config config = {.log_bytes = process->options.checkpoint_bytes,
                                       .backups = process->backups,
                                       .failed = storage_failed,
                                       .owner = process};
    process->checkpoint = checkpoint_create(recovery->state, recovery->wal, recovery->store, process->io,
                                            &recovery->root, &config);
    return process->checkpoint ? 0 : -ENOMEM;
}

static i32 serve_start(struct process *process)
{
    const struct options *options = &process->options;
    struct server_config config = {.listen = options->listen,
                                   .listen_count = options->listen_count,
                                   .unix_paths = options->unix_paths,
                                   .unix_count = options->unix_count,
                                   .connections_max = options->connections_max,
                                   .buffer_bytes =
                                       clamp_u64(options->memory_budget_bytes / 8, BUFFERS_MIN, BUFFERS_MAX),
                                   .memory_budget_bytes = options->memory_budget_bytes,
                                   .version = TICKETD_VERSION,
                                   .durability = options->durability_text,
                                   .virtual_clock = options->virtual_clock};
    return server_create(&process->server, &config, process->io, process->signal_fd, &process->recovery,
                         process->checkpoint, process->error, ERROR_BYTES);
}

/* One pair per listener: listen=HOST:PORT, unix=PATH. */
static void say_ready(const struct process *process)
{
    const struct server *server = &process->server;
    struct log_pair pairs[SERVER_LISTENERS_MAX + 8];
    u32 count = 0;
    for (u32 i = 0; i < server->listeners_count; i++) {
        const struct net_listener *net = &server->listeners[i].net;
        pairs[count++] = LOG_TEXT(net->tcp ? "listen" : "unix", net->name);
    }
    pairs[count++] = LOG_TEXT("data", process->options.data);
    pairs[count++] = LOG_TEXT("clock", process->options.virtual_clock ? "virtual" : "wall");
    pairs[count++] = LOG_TEXT("durability", process->options.durability_text);
    pairs[count++] = LOG_U64("memory_budget", process->options.memory_budget_bytes);
    pairs[count++] = LOG_U64("connections_max", process->options.connections_max);
    pairs[count++] = LOG_U64("pid", (u64)getpid());
    pairs[count++] = LOG_TEXT("version", TICKETD_VERSION);
    pairs[count] = (struct log_pair){.key = NULL};
    log_write(LOG_INFO, "ready", pairs);
    host_notify("READY=1");
}

static int run(struct process *process)
{
    thread_loop();
    process->signal_fd = host_signals();
    if (process->signal_fd < 0) return stopped("no_signals", strerror(-process->signal_fd));
    if (limit_connections(process) < 0) return stopped("too_few_files", process->error);
    warn_durability(&process->options);
    if (io_create(&process->io, process->error, ERROR_BYTES) < 0) return stopped("no_io", process->error);
    io_busy_poll(process->io, process->options.busy_poll_us);
    if (recover(process) < 0) return stopped("not_recovered", process->error);
    if (checkpoint_start(process) < 0) {
        recovery_close(&process->recovery);
        return stopped("not_recovered", "no memory for the checkpoint's buffers; remedy: free some");
    }
    if (serve_start(process) < 0) {
        checkpoint_destroy(process->checkpoint);
        recovery_close(&process->recovery);
        return stopped("not_listening", process->error);
    }
    if (process->failed) return EXIT_STOPPED; /* it has said why */
    say_ready(process);
    if (!server_run(&process->server)) return EXIT_STOPPED; /* it has said why; the log keeps everything */
    u64 op = state_op(process->recovery.state);
    server_destroy(&process->server);
    checkpoint_destroy(process->checkpoint);
    recovery_close(&process->recovery);
    io_destroy(process->io);
    log_info("stopped", LOG_U64("op", op));
    return EXIT_OK;
}

int main(int argc, char **argv)
{
    static struct process process; /* one per process; the engine below knows no globals */
    switch (options_parse(&process.options, argc, argv, process.error, ERROR_BYTES)) {
    case OPTIONS_RUN:
        return run(&process);
    case OPTIONS_HELP:
        fputs(options_help, stdout);
        return EXIT_OK;
    case OPTIONS_VERSION:
        printf("ticketd %s (protocol %u)\n", TICKETD_VERSION, TKD_PROTOCOL_VERSION);
        return EXIT_OK;
    case OPTIONS_WRONG:
        break;
    }
    fprintf(stderr, "ticketd: %s\n", process.error);
    return EXIT_USAGE;
}
