/* A simulated machine: one seed decides its disk, its store, its network, its clocks, its clients and every
 * fault. The engine is linked against this instead of engine/port; a crash drops the process's memory and
 * jumps out of whatever it was doing, the disk stays.
 *
 * Everything the engine allocates is the process's and is freed by a crash; what the simulator itself needs
 * comes from world_alloc() and survives.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <setjmp.h>

#include "base/base.h"
#include "base/prng.h"

#define MS_NS     1000000ull
#define SECOND_NS 1000000000ull
#define US_NS     1000ull

#define FAULTS(F)                                                                                            \
    F(CRASH, "crash at a step of I/O")                                                                       \
    F(POWER, "power loss: what was not synced is kept, lost or torn")                                        \
    F(STOP, "SIGTERM")                                                                                       \
    F(WRITE_ERROR, "error of a write")                                                                       \
    F(SYNC_ERROR, "error of a sync")                                                                         \
    F(READ_ERROR, "error of a read")                                                                         \
    F(PAGE_DAMAGE, "page of the store damaged at rest")                                                      \
    F(DAMAGE, "sector of the log damaged at rest")                                                           \
    F(LOST_WRITE, "write to the log lost, though the disk says it is done")                                  \
    F(MISDIRECTED_WRITE, "write to the log that went to another place")                                      \
    F(FLIPPED_WRITE, "write to the log with a wrong bit")                                                    \
    F(DISK_FULL, "disk full")                                                                                \
    F(DISK_SLOW, "slow disk")                                                                                \
    F(DISK_STUCK, "stuck disk")                                                                              \
    F(STORE_SLOW, "slow store")                                                                              \
    F(STORE_FULL, "no room for a write of the store")                                                        \
    F(CUT, "connection cut")                                                                                 \
    F(SHORT, "short receive or send")                                                                        \
    F(RESEND, "request sent twice")                                                                          \
    F(GARBAGE, "damaged frame")                                                                              \
    F(DEAF, "client that never reads")                                                                       \
    F(CLOCK_JUMP, "wall clock jumps")                                                                        \
    F(LOST, "what was acknowledged and not synced is gone (interval, off)")                                  \
    F(STORE_LOST, "write of the store lost, though the disk says it is done")                                \
    F(STORE_MISDIRECTED, "write of the store that went to another place")                                    \
    F(STORE_FLIPPED, "write of the store with a wrong bit")

enum fault {
#define FAULT_ENUM(NAME, text) FAULT_##NAME,
    FAULTS(FAULT_ENUM)
#undef FAULT_ENUM
        FAULTS_COUNT
};
extern const char *const fault_names[FAULTS_COUNT];

/* Counts over all seeds of a run. */
struct tally {
    u64 seeds;
    u64 simulated_ns;
    u64 boots;
    u64 refused; /* starts that refused damaged or unreadable data */
    u64 damage_refused;
    u64 damage_harmless;
    u64 damage_unprovable; /* of the last write: put right unseen */
    u64 unreadable;        /* damaged events that were not shown */
    u64 clean_stops;
    u64 failed_stops; /* the process ended by itself after an error of disk or store */
    u64 commands;     /* in logs, after the last recovery */
    u64 acknowledged;
    u64 events;
    u64 connections;
    u64 digests; /* compared */
    u64 faults[FAULTS_COUNT];
};

/* What is left of what was not synced when power is lost. */
enum power {
    POWER_CHANCE = 0, /* of every unit by itself */
    POWER_WHOLE,      /* each file all or nothing: no torn writes */
    POWER_NOTHING,
    POWER_ALL,
    POWER_EVEN, /* every other unit */
    POWER_ODD
};

/* What a seed draws. */
struct plan {
    bool faults[FAULTS_COUNT];
    u64 duration_ns;
    u64 deadlines_ns; /* after healing: so long deadlines are waited for; 0: they are not asked for */
    u32 workers;
    u32 subscribers;
    u32 others;
    u32 crowd;        /* connections that are silent, slow or stop in the middle of a frame */
    bool deaf;        /* many ask for much, and read none of it */
    u64 think_ns;     /* between requests of a client, about */
    u64 gap_ns;       /* workers begin requests only at the beginning of each; 0: at any time */
    u32 text_bytes;   /* of a request at most, about */
    u64 crash_steps;  /* steps of I/O between crashes, about */
    u64 fault_ns;     /* between faults that happen by time, about */
    u64 log_writes;   /* for one that is lost, misdirected or flipped, about */
    u32 sector_bytes; /* what the disk writes as a whole */
    u64 segment_bytes;
    u32 batch_bytes;
    u64 checkpoint_bytes;
    u64 flush_bytes;
    u32 flush_ms;
    u32 connections_max;
    u64 receive_window_bytes; /* what a client's socket takes without being read */
    u64 disk_bytes;
    enum power power;
    u32 checkpoint_requests; /* one of so many requests is for a checkpoint or a backup */
    u32 backups;             /* of those made are started at the end, at most */
    u64 disk_slow;           /* from the beginning so many times slower; 0: not */
    u64 memory_bytes;        /* decides how many rows there may be */
    u64 ring_bytes;          /* of events in memory */
    u64 buffer_bytes;        /* of connections */
    bool virtual_clock;
    u32 durability;  /* enum wal_durability */
    u32 interval_ms; /* of syncs, where the mode has it */
};

struct world {
    u64 seed;
    struct prng prng;
    struct plan plan;
    struct tally *tally;
    bool verbose;
    bool healed; /* no more faults: everything must get done */

    u64 now_ns;
    i64 wall_offset_ms;
    u64 crash_in; /* steps; 0: none planned */
    bool power_lost;
    u64 next_fault_ns;
    u64 trace; /* hash of all that happened: equal for equal seeds */

    bool disk_full;
    u64 slow_factor;
    u64 stuck_until_ns;
    u64 store_slow_factor;
    bool point_reached; /* since the start of the process: the one that was chosen (exhaust.h) */
    bool stop_signal;   /* waits to be read */
    bool running;       /* the process is up */
    u64 processes;      /* started so far */
    bool may_lose;      /* since the last start that succeeded the kernel has lost what it had not synced */
    u64 ended_ns;       /* when the process ended that recovered last; 0: it runs */
    u64 disturbed_ns;   /* when disk, store or clock last kept the process from its work */
    u64 slept_ns;       /* when the process last began to wait for something to do ... */
    u64 woken_ns;       /* ... and when there was something */
    u64 lost_ns;        /* of what was acknowledged until then */
    u64 synced_op;      /* the log has said that it is durable up to here */
    u64 durable_op; /* of the last process that had a log */
    bool judging;       /* the oracle reads: nothing fails, and no time passes */
    bool done;          /* healed, and everybody has what he wants */
    u64 end_ns;         /* of what is waited for after healing */
    u64 done_ms;        /* by the wall clock */
    jmp_buf crashed;
    char repeat[160]; /* the command that lives this life again */
};
extern struct world *world;

void *world_alloc(u64 bytes);
void *world_grow(void *memory, u64 bytes);
void world_free(void *memory);
/* Everything that the process allocated. */
void process_memory_drop(void);
bool process_memory_left(void);
void process_memory_add(void *memory, u64 bytes); /* a mapping */
void process_memory_remove(void *memory);

u64 chance_below(u64 count);
/* True `part` times of `whole`. */
bool chance(u64 part, u64 whole);
/* Does it happen now? Never when the seed does not have it, or after healing. */
bool fault(enum fault kind, u64 part, u64 whole);
void fault_count(enum fault kind);
/* Around `about`, mostly less, sometimes ten times as much. */
u64 some_ns(u64 about_ns);

/* Is this unit of what was not synced kept when power is lost? `part` of 4 are when it is up to chance. */
bool power_keeps(u64 part, u64 unit);
/* Until then something is slower than it should be. */
void world_disturb(u64 until_ns);

/* A step of I/O: here the process may die. */
void crash_step(void);
_Noreturn void crash_now(bool power);
/* Faults that happen as time goes by; when the next one comes. */
void faults_by_time(void);
void trace_add(u64 value);

/* Something that must never happen. Says the seed and ends the run. */
_Noreturn void violation(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The process says so of a part of the store. */
void unreadable(void);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

void plan_draw(struct plan *plan);

/* ---- The parts ---- */

/* Disk (disk.c). */
void disk_create(void);
void disk_destroy(void);
/* What is left when the process is gone; with `power` lost what was not synced is up to chance. */
void disk_crash(bool power);
/* Damages a sector of the log that must be detected, or a page of the store, or nothing. */
void disk_damage(void);
void disk_damage_undo(void);
/* Damages the head of the newest durable write to the log, or of the one before it; when the newest was done. */
void disk_damage_tail(bool newest);
u64 disk_log_written_ns(void);
void disk_damage_forget(void); /* it did no harm */
void disk_damage_known(void);  /* it was told of, and the process runs on: put right when it ends */
void disk_damage_settle(void); /* a process has ended: what nothing can tell of is put right */
void store_writes_appear(void);        /* from now on everybody sees what has arrived of them */
bool disk_damaged(void);
bool disk_damaged_store(void);             /* in a page of the store */
bool disk_damage_named(const char *error); /* does it name the place? */
u64 disk_room(void);
bool disk_is_file(i32 fd);
bool disk_is_directory(i32 fd);
/* A write under way; what has arrived when power is lost is up to chance. */
struct disk_write;
struct disk_write *disk_write_begin(i32 fd, const void *buffer, u32 bytes, u64 offset, bool durable);
i32 disk_write_end(struct disk_write *write);
void disk_sync_begin(i32 fd);
i32 disk_sync_end(i32 fd);
/* As the store needs them: any bytes, at once; a write may make the file larger. */
i64 disk_read(i32 fd, void *buffer, u64 bytes, u64 offset);
i32 disk_append(i32 fd, const void *buffer, u32 bytes, u64 offset, bool durable);
i32 disk_memory(i32 fd); /* a descriptor of the kernel's, to map what a reader of the file sees */

/* Kernel (kernel.c): ring, sockets, clocks. */
void kernel_create(void);
void kernel_destroy(void);
void kernel_crash(void);

/* The store's helper (store.c). */
void store_crash(void);
u64 store_next_ns(void);
u32 store_step(void); /* runs what is due; how many jobs were done */

/* A client's end of a connection. Positive: a socket. 0: nobody listens. */
u32 net_connect(void);
/* How much was taken. */
u32 net_write(u32 socket, const void *data, u32 bytes);
/* 0: nothing now; negative: the end. */
i32 net_read(u32 socket, void *data, u32 bytes);
void net_cut(u32 socket);
bool net_listening(void);

/* Clients (client.c). */
void clients_create(void);
void clients_destroy(void);
u64 clients_next_ns(void);
void clients_run(void);
/* Something arrived for the owner of this socket. */
void clients_wake(u32 socket, u64 at_ns);
void clients_heal(void);
/* The desk has lost commands that they may know of; so many events are left. */
void clients_lost(u64 events);
bool clients_done(void); /* after healing: everything was answered, all events were seen */
void clients_report(void);

/* Thousands of connections (crowd.c). */
void crowd_create(void);
void crowd_destroy(void);
u64 crowd_next_ns(void);
void crowd_run(void);

/* Called as time goes by (main.c): the seed's end. */
void time_passes(void);
/* Events that the desk under test has raised. */
u64 process_events(void);
/* Up to here its log says that it is durable. */
u64 process_durable_op(void);
/* Since it started it was told that the disk has no room, for a copy of the store. */
bool process_lacks_room(bool copy);

#endif
