/* Lives of the process under test, what ends them, and the life of a whole world. */
#include "tests/sim/life.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "durable/checkpoint.h"
#include "durable/recovery.h"
#include "edge/server.h"
#include "port/clock.h"
#include "port/file.h"
#include "tests/sim/injected.h"
#include "tests/sim/oracle.h"
#include "tests/sim/wish.h"

#define ERROR_BYTES     1024u
#define HEALING_NS      ((u64)3600 * SECOND_NS)
#define DISK_ROOM_BYTES ((u64)1 << 20)
#define BACKUPS_STARTED 16u

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
/* While a start has no log yet, what clients still read comes from the process before. */
u64 process_durable_op(void)
{
    const struct wal *wal = process.recovery.wal;
    return wal != NULL ? wal_durable_op(wal) : world->durable_op;
}

bool process_lacks_room(bool copy)
{
    u64 copy_bytes = copy ? store_bytes(process.recovery.store) : 0;
    u64 wanted = DISK_ROOM_BYTES + max_u64(copy_bytes, 2 * world->plan.ring_bytes);
    return injected_error("/data", -ENOSPC) || injected_room_least() < wanted;
}

static struct state_config desk_config(void)
{
    return (struct state_config){.memory_bytes = world->plan.memory_bytes,
                                 .event_ring_bytes = world->plan.ring_bytes,
                                 .virtual_clock = world->plan.virtual_clock};
}

static void storage_failed(void *owner, const char *what)
{
    (void)owner;
    say("failed: %s", what);
    exhaust_told(what);
    if (!world->point_reached && !injected_named(what)) violation("the storage failed by itself: %s", what);
    process.failed = true;
    server_fail(&process.server, what);
}

/* ---- One life of the process ---- */

enum end { END_CLEAN = 1, END_FAILED, END_REFUSED, END_CRASHED };

static enum end refused(void)
{
    say("refused: %s", process.error);
    if (process.error[0] == 0) violation("a start was refused without a reason");
    exhaust_told(process.error);
    bool damaged = disk_damaged(), named = damaged && disk_damage_named(process.error);
    if (!named && !world->point_reached && !injected_named(process.error))
        violation("a start was refused%s: %s", damaged ? " without naming the damaged place" : "",
                  process.error);
    if (named) world->tally->damage_refused++;
    if (damaged) disk_damage_undo(); /* the operator has put back what should stand there */
    world->tally->refused++;
    return END_REFUSED;
}

static struct recovery_config recovery_config(const char *data)
{
    return (struct recovery_config){.data = data,
                                    .state = desk_config(),
                                    .wal = {.durability = world->plan.durability,
                                            .interval_ms = world->plan.interval_ms,
                                            .segment_bytes = world->plan.segment_bytes,
                                            .batch_bytes = world->plan.batch_bytes,
                                            .failed = storage_failed}};
}

static bool recover(void)
{
    struct recovery_config config = recovery_config("/data");
    i32 result = recovery_open(&process.recovery, &config, process.io, process.error, ERROR_BYTES);
    if (result < 0 && process_memory_left()) violation("a start was refused and something is left of it");
    if (result < 0) return false;
    say("recovered: op %llu, %llu replayed, %llu torn", (unsigned long long)state_op(process.recovery.state),
        (unsigned long long)process.recovery.commands, (unsigned long long)process.recovery.torn_bytes);
    bool running = world->running;
    world->running = false; /* it is not the process that looks now */
    oracle_recovered(&process.recovery);
    world->ended_ns = 0;
    world->running = running;
    disk_damage_forget();
    return true;
}

static bool serve_start(i32 signals)
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
                                   .buffer_bytes = world->plan.buffer_bytes,
                                   .version = "sim",
                                   .durability = "sim",
                                   .virtual_clock = world->plan.virtual_clock};
    struct recovery *recovery = &process.recovery;
    process.checkpoint = checkpoint_create(recovery->state, recovery->wal, recovery->store, process.io,
                                           &recovery->root, &checkpoint);
    if (process.checkpoint == NULL) {
        snprintf(process.error, ERROR_BYTES, "no memory for the checkpoint's buffers");
        return false;
    }
    return server_create(&process.server, &config, process.io, signals, recovery, process.checkpoint, process.error,
                         ERROR_BYTES) == 0;
}

static void close_all(void)
{
    server_destroy(&process.server);
    checkpoint_destroy(process.checkpoint);
    recovery_close(&process.recovery);
    io_destroy(process.io);
}

/* The last one, of a stop. Whatever else fails than for want of room has been told as a failure of the
 * storage. */
static void checkpoint_failed(i32 result)
{
    if (result != -ENOSPC || !process_lacks_room(false)) violation("a stop failed: %s", strerror(-result));
}

static enum end live(void)
{
    i32 signals = host_signals();
    if (signals < 0) snprintf(process.error, ERROR_BYTES, "no signals: %s", strerror(-signals));
    if (signals < 0 || io_create(&process.io, process.error, ERROR_BYTES) < 0 || !recover()) return refused();
    world->tally->boots++;
    if (!serve_start(signals)) return refused();
    if (process.failed) server_fail(&process.server, "before it served");
    process.served = true;
    world_disturb(world->now_ns);
    exhaust_serves();
    if (!server_run(&process.server)) return END_FAILED;
    close_all();
    return END_CLEAN;
}

/* Boots, serves, dies. */
static enum end process_run(void)
{
    memset(&process, 0, sizeof process);
    world->point_reached = false;
    injected_forget();
    world->running = true;
    world->processes++;
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

/* What the modes promise: sync keeps everything, the others lose nothing by the end of the process alone. */
static void log_died(bool power)
{
    bool torn = power || injected_below(CALL_SYNC, "/data/log"); /* what was not synced */
    if (world->ended_ns == 0) world->ended_ns = world->now_ns;
    if (process.recovery.wal != NULL) {
        world->synced_op = max_u64(world->synced_op, wal_synced_op(process.recovery.wal));
        world->durable_op = wal_durable_op(process.recovery.wal);
    }
    if (world->plan.durability == WAL_SYNC || world->may_lose || !torn) return;
    world->may_lose = true;
    world->lost_ns = world->ended_ns;
}

static void process_bury(enum end end)
{
    static const char *const ends[] = {"", "stopped", "failed", "refused", "crashed"};
    say("%s%s", ends[end], end == END_CRASHED && world->power_lost ? ", power lost" : "");
    trace_add(end);
    if (end == END_CLEAN) world->tally->clean_stops++;
    if (end == END_FAILED) world->tally->failed_stops++;
    log_died(end == END_CRASHED && world->power_lost);
    kernel_crash();
    store_crash();
    disk_crash(end == END_CRASHED && world->power_lost);
    process_memory_drop();
    disk_damage_settle();
    store_writes_appear();
    exhaust_dead();
    if (!world->healed && !disk_damaged() && chance(1, 4)) disk_damage();
}

/* ---- A world ---- */

/* From now on nothing fails. */
static void heal(void)
{
    say("healed");
    world->healed = true;
    world->end_ns = world->now_ns + world->plan.deadlines_ns;
    world->crash_in = 0;
    world->disk_full = false;
    world->slow_factor = world->store_slow_factor = 1;
    world->stuck_until_ns = 0;
    clients_heal();
}

void time_passes(void)
{
    bool hindered = !process.served || world->disk_full || world->slow_factor > 1 ||
                    world->store_slow_factor > 1 || world->now_ns < world->stuck_until_ns;
    if (hindered) world_disturb(world->now_ns);
    if (!world->healed && world->now_ns >= world->plan.duration_ns) heal();
    if (!world->healed) return;
    if (disk_damaged() && process.served && !process.told) /* what it runs on with is put right when it ends */
        world->stop_signal = process.told = true;
    if (world->now_ns >= world->end_ns && process.served && !process.told && clients_done()) {
        world->done = world->stop_signal = process.told = true;
        world->done_ms = clock_wall_ms();
    }
    if (world->now_ns < world->end_ns + HEALING_NS) return;
    clients_report();
    violation("not everything was done %" PRIu64 " s after the last fault", (u64)(HEALING_NS / SECOND_NS));
}

static void world_begin(u64 seed, const struct plan *plan, struct tally *tally, bool verbose)
{
    world = world_alloc(sizeof *world);
    world->seed = seed;
    world->prng = prng_seeded(seed);
    world->tally = tally;
    world->verbose = verbose;
    world->slow_factor = world->store_slow_factor = 1;
    plan_draw(&world->plan);
    if (plan != NULL) world->plan = *plan;
    snprintf(world->repeat, sizeof world->repeat, "make sim SEED=%" PRIu64, seed);
    world->next_fault_ns = some_ns(world->plan.fault_ns);
    struct state_config config = desk_config();
    disk_create();
    kernel_create();
    oracle_create(&config);
    clients_create();
    crowd_create();
}

static u64 world_end(void)
{
    u64 trace = world->trace;
    world->tally->seeds++;
    world->tally->simulated_ns += world->now_ns;
    world->tally->commands += oracle_commands();
    crowd_destroy();
    clients_destroy();
    oracle_destroy();
    kernel_destroy();
    disk_destroy();
    world_free(world);
    world = NULL;
    return trace;
}

struct backups {
    char names[BACKUPS_STARTED][32];
    u32 count;
};

static i32 backup_found(void *owner, const char *name)
{
    struct backups *backups = owner;
    if (backups->count == min_u32(world->plan.backups, BACKUPS_STARTED) || strchr(name, '.') != NULL) return 0;
    snprintf(backups->names[backups->count++], sizeof backups->names[0], "%s", name);
    return 0;
}

/* A backup is a desk of its own: it starts without anything else. */
static void backup_start(const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/data/backups/%s", name);
    struct recovery_config config = recovery_config(path);
    memset(&process, 0, sizeof process);
    ASSERT(io_create(&process.io, process.error, ERROR_BYTES) == 0);
    if (recovery_open(&process.recovery, &config, process.io, process.error, ERROR_BYTES) < 0)
        violation("backup %s does not start: %s", name, process.error);
    state_validate(process.recovery.state);
    /* Without sync a loss may have taken commands that it has, and others stand in their places. */
    if (world->plan.durability == WAL_SYNC) oracle_backup(process.recovery.state, wish_backup_op(name));
    recovery_close(&process.recovery);
    process_bury(END_CLEAN);
}

u64 life_run(u64 seed, const struct plan *plan, struct tally *tally, bool verbose)
{
    world_begin(seed, plan, tally, verbose);
    exhaust_begin();
    bool stopped = false;
    while (!stopped) {
        enum end end = process_run();
        if (world->healed && end == END_CRASHED && !world->point_reached)
            violation("the process ended after the last fault");
        if (end == END_FAILED && !process.failed) checkpoint_failed(process.server.last_checkpoint_result);
        process_bury(end);
        stopped = world->done && end == END_CLEAN && !disk_damaged(); /* that is for one more start to see */
        world->now_ns += some_ns(2 * SECOND_NS);
        if (!world->healed && world->now_ns >= world->plan.duration_ns) heal(); /* it never got up */
    }
    memset(&process, 0, sizeof process);
    ASSERT(io_create(&process.io, process.error, ERROR_BYTES) == 0);
    if (!recover()) violation("the last start was refused: %s", process.error);
    if (process.recovery.commands != 0) violation("commands were left in the log after a clean stop");
    if (world->plan.deadlines_ns > 0) oracle_deadlines(world->done_ms);
    recovery_close(&process.recovery);
    process_bury(END_CLEAN);
    wishes_check();
    struct backups backups = {.count = 0};
    if (!world->plan.faults[FAULT_DAMAGE]) (void)file_names("/data/backups", backup_found, &backups);
    for (u32 i = 0; i < backups.count; i++) backup_start(backups.names[i]);
    return world_end();
}
