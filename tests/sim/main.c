/* ticketsim: runs seeds.
 *
 *     ticketsim SEED...            those
 *     ticketsim --swarm SECONDS    fresh ones until the time is over
 *     ticketsim --range FIRST N    a share of a fixed row
 *
 * `--require FILE` in front of them: every mark must have been reached but those that the file names.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "durable/checkpoint.h"
#include "durable/recovery.h"
#include "edge/server.h"
#include "tests/sim/marks.h"
#include "tests/sim/oracle.h"
#include "tests/sim/world.h"

#define ERROR_BYTES     1024u
#define HEALING_NS      ((u64)3600 * SECOND_NS)
#define BUFFERS_BYTES   ((u64)16 << 20)
#define DISK_ROOM_BYTES ((u64)1 << 20)
#define RING_BYTES      ((u64)4 << 20)

/* What ticketd's main() keeps: the process under test. */
struct process {
    struct io *io;
    struct recovery recovery;
    struct server server;
    struct checkpoint *checkpoint;
    bool served;
    bool failed;
    bool told; /* to stop, because all is done */
    char error[ERROR_BYTES];
};
static struct process process;

u64 process_events(void) { return state_events_read(process.recovery.state)->seq_next - 1; }

static struct state_config desk_config(void)
{
    return (struct state_config){.memory_bytes = 1, .event_ring_bytes = RING_BYTES};
}

static void storage_failed(void *owner, const char *what)
{
    (void)owner;
    say("failed: %s", what);
    if (!world->errors_expected) violation("the storage failed by itself: %s", what);
    process.failed = true;
    server_fail(&process.server, what);
}

/* ---- One life of the process ---- */

enum end { END_CLEAN = 1, END_FAILED, END_REFUSED, END_CRASHED };

static enum end refused(void)
{
    say("refused: %s", process.error);
    if (process.error[0] == 0) violation("a start was refused without a reason");
    if (disk_damaged()) {
        if (!world->errors_expected && !disk_damage_named(process.error))
            violation("a start was refused without naming the damaged place: %s", process.error);
        disk_damage_undo(); /* the operator has put the sector back */
    } else if (!world->errors_expected && !world->disk_full) {
        violation("a start was refused: %s", process.error);
    }
    world->tally->refused++;
    return END_REFUSED;
}

static bool recover(void)
{
    struct recovery_config config = {.data = "/data",
                                     .state = desk_config(),
                                     .wal = {.durability = WAL_SYNC,
                                             .segment_bytes = world->plan.segment_bytes,
                                             .batch_bytes = world->plan.batch_bytes,
                                             .failed = storage_failed}};
    i32 result = recovery_open(&process.recovery, &config, process.io, process.error, ERROR_BYTES);
    if (result < 0) return false;
    say("recovered: op %llu, %llu replayed, %llu torn", (unsigned long long)state_op(process.recovery.state),
        (unsigned long long)process.recovery.commands, (unsigned long long)process.recovery.torn_bytes);
    oracle_recovered(&process.recovery);
    disk_damage_forget();
    return true;
}

static void serve_start(void)
{
    static const char *const addresses[] = {"127.0.0.1:7411"};
    struct checkpoint_config checkpoint = {.log_bytes = world->plan.checkpoint_bytes,
                                           .event_flush_bytes = world->plan.flush_bytes,
                                           .event_flush_ms = world->plan.flush_ms,
                                           .disk_room_bytes = DISK_ROOM_BYTES,
                                           .backups = "/data/backups",
                                           .failed = storage_failed};
    struct server_config config = {.listen = addresses,
                                   .listen_count = 1,
                                   .connections_max = world->plan.connections_max,
                                   .buffer_bytes = BUFFERS_BYTES,
                                   .version = "sim",
                                   .durability = "sync",
                                   .store_id = process.recovery.root.store_id};
    struct recovery *recovery = &process.recovery;
    process.checkpoint = checkpoint_create(recovery->state, recovery->wal, recovery->store, process.io,
                                           &recovery->root, &checkpoint);
    i32 result =
        server_create(&process.server, &config, process.io, host_signals(), recovery->state, recovery->wal,
                      recovery->store, process.checkpoint, process.error, ERROR_BYTES);
    ASSERT(result == 0 && process.checkpoint != NULL);
}

static void close_all(void)
{
    server_destroy(&process.server);
    checkpoint_destroy(process.checkpoint);
    recovery_close(&process.recovery);
    io_destroy(process.io);
}

static enum end live(void)
{
    ASSERT(io_create(&process.io, process.error, ERROR_BYTES) == 0);
    if (!recover()) return refused();
    world->tally->boots++;
    serve_start();
    if (process.failed) server_fail(&process.server, "before it served");
    process.served = true;
    if (!server_run(&process.server)) return END_FAILED;
    close_all();
    return END_CLEAN;
}

/* Boots, serves, dies. */
static enum end process_run(void)
{
    memset(&process, 0, sizeof process);
    world->errors_expected = false;
    world->running = true;
    world->stop_signal = false;
    world->crash_in =
        world->plan.faults[FAULT_CRASH] && !world->healed ? 1 + chance_below(world->plan.crash_steps * 2) : 0;
    enum end end;
    if (setjmp(world->crashed) == 0)
        end = live();
    else
        end = END_CRASHED;
    world->running = false;
    return end;
}

static void process_bury(enum end end)
{
    static const char *const ends[] = {"", "stopped", "failed", "refused", "crashed"};
    say("%s%s", ends[end], end == END_CRASHED && world->power_lost ? ", power lost" : "");
    trace_add(end);
    if (end == END_CLEAN) world->tally->clean_stops++;
    if (end == END_FAILED) world->tally->failed_stops++;
    kernel_crash();
    store_crash();
    disk_crash(end == END_CRASHED && world->power_lost);
    process_memory_drop();
    if (world->plan.faults[FAULT_DAMAGE] && !world->healed && !disk_damaged() && chance(1, 4) &&
        disk_damage())
        fault_count(FAULT_DAMAGE);
}

/* ---- A seed ---- */

/* From now on nothing fails. */
static void heal(void)
{
    say("healed");
    world->healed = true;
    world->crash_in = 0;
    world->disk_full = false;
    world->slow_factor = world->store_slow_factor = 1;
    world->stuck_until_ns = 0;
    clients_heal();
}

void time_passes(void)
{
    if (!world->healed && world->now_ns >= world->plan.duration_ns) heal();
    if (!world->healed) return;
    if (process.served && !process.told && clients_done()) {
        process.told = true;
        world->done = true;
        world->stop_signal = true;
    }
    if (world->now_ns < world->plan.duration_ns + HEALING_NS) return;
    clients_report();
    violation("not everything was done %" PRIu64 " s after the last fault", (u64)(HEALING_NS / SECOND_NS));
}

static void world_begin(u64 seed, struct tally *tally, bool verbose)
{
    world = world_alloc(sizeof *world);
    struct state_config config = desk_config();
    world->seed = seed;
    world->prng = prng_seeded(seed);
    world->tally = tally;
    world->verbose = verbose;
    world->slow_factor = world->store_slow_factor = 1;
    plan_draw(&world->plan);
    world->next_fault_ns = some_ns(world->plan.fault_ns);
    disk_create();
    kernel_create();
    store_create_disk();
    oracle_create(&config);
    clients_create();
}

static u64 world_end(void)
{
    u64 trace = world->trace;
    world->tally->seeds++;
    world->tally->simulated_ns += world->now_ns;
    world->tally->commands += oracle_commands();
    clients_destroy();
    oracle_destroy();
    store_destroy_disk();
    kernel_destroy();
    disk_destroy();
    world_free(world);
    world = NULL;
    return trace;
}

/* Lives until everything is done; then one last start must find all of it again. */
static u64 seed_run(u64 seed, struct tally *tally, bool verbose)
{
    world_begin(seed, tally, verbose);
    bool stopped = false;
    while (!stopped) {
        enum end end = process_run();
        stopped = world->done && end == END_CLEAN;
        bool full = process.server.last_checkpoint_result == -ENOSPC;
        if (world->healed && (end == END_CRASHED || (end == END_FAILED && !full)) && !world->errors_expected)
            violation("the process ended after the last fault");
        process_bury(end);
        world->now_ns += some_ns(2 * SECOND_NS);
        if (!world->healed && world->now_ns >= world->plan.duration_ns) heal(); /* it never got up */
    }
    memset(&process, 0, sizeof process);
    ASSERT(io_create(&process.io, process.error, ERROR_BYTES) == 0);
    if (!recover()) violation("the last start was refused: %s", process.error);
    if (process.recovery.commands != 0) violation("commands were left in the log after a clean stop");
    recovery_close(&process.recovery);
    process_bury(END_CLEAN);
    return world_end();
}

/* ---- Many seeds ---- */

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void report(const struct tally *tally)
{
    double hours = (double)tally->simulated_ns / 3.6e12, cpu_hours = cpu_seconds() / 3600;
    printf("%" PRIu64 " seeds, %.1f simulated hours in %.4f CPU hours: %.0f to 1\n", tally->seeds, hours,
           cpu_hours, hours / cpu_hours);
    printf("%" PRIu64 " starts (%" PRIu64 " more refused), %" PRIu64 " clean stops, %" PRIu64
           " stops by error, %" PRIu64 " digests compared\n",
           tally->boots, tally->refused, tally->clean_stops, tally->failed_stops, tally->digests);
    printf("%" PRIu64 " commands, %" PRIu64 " acknowledged, %" PRIu64 " events shown, %" PRIu64
           " connections\n",
           tally->commands, tally->acknowledged, tally->events, tally->connections);
    for (u32 i = 0; i < FAULTS_COUNT; i++) printf("%10" PRIu64 "  %s\n", tally->faults[i], fault_names[i]);
    marks_report();
}

/* An assert of the engine, or worse. */
static void died(int number)
{
    static const char text[] = "the engine stopped; repeat it with: make sim SEED=";
    char digits[24];
    u32 at = sizeof digits;
    digits[--at] = '\n';
    for (u64 left = world == NULL ? 0 : world->seed; at > 0; left /= 10) {
        digits[--at] = (char)('0' + left % 10);
        if (left < 10) break;
    }
    ssize_t put = write(STDERR_FILENO, text, sizeof text - 1);
    put += write(STDERR_FILENO, digits + at, sizeof digits - at);
    (void)put;
    signal(number, SIG_DFL);
    raise(number);
}

static u64 fresh_seed(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    u64 seed = (u64)now.tv_nsec ^ (u64)now.tv_sec << 20 ^ (u64)getpid() << 40;
    return prng_splitmix(&seed) >> 24;
}

static void swarm(struct tally *tally, double seconds)
{
    struct timespec begin, now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        u64 seed = fresh_seed();
        seed_run(seed, tally, false);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((double)(now.tv_sec - begin.tv_sec) < seconds);
}

int main(int argc, char **argv)
{
    struct tally tally = {0};
    const char *excused = NULL;
    signal(SIGABRT, died);
    signal(SIGSEGV, died);
    signal(SIGBUS, died);
    signal(SIGFPE, died);
    signal(SIGTERM, died); /* by a time limit: the seed has hung */
    if (argc > 2 && strcmp(argv[1], "--require") == 0) {
        excused = argv[2];
        argc -= 2;
        argv += 2;
    }
    if (argc == 3 && strcmp(argv[1], "--swarm") == 0) {
        swarm(&tally, strtod(argv[2], NULL));
    } else if (argc == 4 && strcmp(argv[1], "--range") == 0) {
        u64 first = strtoull(argv[2], NULL, 10), count = strtoull(argv[3], NULL, 10);
        for (u64 seed = first; seed < first + count; seed++) seed_run(seed, &tally, false);
    } else {
        for (int i = 1; i < argc; i++) {
            u64 seed = strtoull(argv[i], NULL, 10);
            u64 trace = seed_run(seed, &tally, getenv("VERBOSE") != NULL);
            printf("seed %" PRIu64 ": trace %016" PRIx64 "\n", seed, trace);
        }
    }
    report(&tally);
    return excused == NULL || marks_require(excused) ? 0 : 1;
}
