#include "durable/wal.h"
#include "tests/sim/every.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/life.h"

#define AT(ms)      ((ms)*MS_NS)
#define TWICE_EVERY 53u /* deaths: of one of so many each step on the way back is tried as well */
#define SHARE       64u /* of the points without "all" */
#define FIRST_CALLS 60u /* of the first start: none of them is left out */
#define FIRST_STEPS 40u /* of the first start of all */

struct workload {
    const char *name;
    u64 duration_ms;
    u32 workers;
    u32 think_ms;
    u32 text_bytes;
    u32 segment_blocks; /* beyond the largest batch */
    u32 checkpoint_kib;
    u32 flush_bytes;
    u32 checkpoint_requests;
    u32 disk_slow;
    u32 gap_ms; /* then its ends of the log are tried, no other points */
    struct ending endings[6];
};

/* Together: the first start in an empty directory, batches, batches that do not fit any more, the next
 * segment, recycled ones, rows copied while commands come in, events flushed, backups, stops; starts with a
 * log, with a checkpoint, with both, with a torn tail. */
static const struct workload workloads[] = {
    {.name = "first", .duration_ms = 700, .workers = 2, .think_ms = 40, .text_bytes = 40},
    {.name = "log",
     .duration_ms = 3600,
     .workers = 2,
     .think_ms = 90,
     .text_bytes = 200,
     .checkpoint_kib = 4096,
     .flush_bytes = 1 << 20,
     .endings = {{ENDING_KILL, AT(900)}}},
    {.name = "torn",
     .duration_ms = 7000,
     .workers = 3,
     .think_ms = 200,
     .text_bytes = 9000,
     .endings = {{ENDING_POWER, AT(1000)}, {ENDING_POWER, AT(4100)}}},
    {.name = "stops",
     .duration_ms = 7000,
     .workers = 1,
     .think_ms = 200,
     .text_bytes = 40,
     .endings = {{ENDING_STOP, AT(700)}, {ENDING_STOP, AT(3900)}}},
    {.name = "rows",
     .duration_ms = 4500,
     .workers = 3,
     .think_ms = 120,
     .text_bytes = 300,
     .checkpoint_kib = 16,
     .flush_bytes = 2048,
     .endings = {{ENDING_KILL, AT(1200)}}},
    {.name = "segments",
     .duration_ms = 4000,
     .workers = 2,
     .think_ms = 90,
     .text_bytes = 20000,
     .checkpoint_kib = 48,
     .segment_blocks = 1,
     .endings = {{ENDING_KILL, AT(1300)}}},
    {.name = "recycle",
     .duration_ms = 1500,
     .workers = 2,
     .think_ms = 40,
     .text_bytes = 30000,
     .checkpoint_kib = 16},
    {.name = "backup",
     .duration_ms = 1200,
     .workers = 2,
     .think_ms = 60,
     .text_bytes = 40,
     .checkpoint_requests = 6},
    {.name = "backups",
     .duration_ms = 400,
     .workers = 8,
     .think_ms = 20,
     .text_bytes = 40,
     .flush_bytes = 1,
     .disk_slow = 10,
     .checkpoint_requests = 1},
    {.name = "quiet",
     .duration_ms = 40000,
     .workers = 1,
     .think_ms = 60,
     .text_bytes = 40,
     .segment_blocks = 1,
     .gap_ms = 1000},
};

static struct plan plan_of(const struct workload *workload)
{
    u32 batch_bytes = 24 * 4096;
    return (struct plan){
        .durability = WAL_SYNC,
        .memory_bytes = 1,
        .ring_bytes = (u64)1 << 20,
        .buffer_bytes = (u64)16 << 20,
        .duration_ns = workload->duration_ms * MS_NS,
        .workers = workload->workers,
        .subscribers = 1,
        .backups = 16,
        .disk_slow = workload->disk_slow,
        .think_ns = workload->think_ms * MS_NS,
        .gap_ns = workload->gap_ms * MS_NS,
        .text_bytes = workload->text_bytes,
        .fault_ns = 3600 * SECOND_NS,
        .sector_bytes = 512,
        .segment_bytes = batch_bytes + max_u32(workload->segment_blocks, 1) * 4096,
        .batch_bytes = batch_bytes,
        .checkpoint_bytes = (u64)(workload->checkpoint_kib == 0 ? 64 : workload->checkpoint_kib) << 10,
        .flush_bytes = workload->flush_bytes == 0 ? 8192 : workload->flush_bytes,
        .flush_ms = 500,
        .connections_max = workload->workers + 3,
        .receive_window_bytes = 64 << 10,
        .disk_bytes = (u64)64 << 20,
        .checkpoint_requests = workload->checkpoint_requests == 0 ? 400 : workload->checkpoint_requests,
    };
}

static const char *const points[] = {"", "step", "call", "memory", "tail"};

void choice_name(const struct choice *choice, char *name, u32 name_bytes)
{
    snprintf(name, name_bytes, "make sim-exhaustive POINT=%s:%s:%" PRIu64 ":%u:%" PRIu64,
             workloads[choice->workload].name, points[choice->kind], choice->number, choice->variant,
             choice->again);
}

static void live(struct choice *choice, struct tally *tally, bool verbose)
{
    const struct workload *workload = &workloads[choice->workload];
    struct plan plan = plan_of(workload);
    choice->endings = workload->endings;
    choose(choice);
    life_run(1 + choice->workload, &plan, tally, verbose);
}

static int one(const char *name, struct tally *tally)
{
    struct choice choice = {0};
    char workload[32], kind[32];
    if (sscanf(name, "%31[^:]:%31[^:]:%" SCNu64 ":%u:%" SCNu64, workload, kind, &choice.number,
               &choice.variant, &choice.again) != 5)
        return 2;
    while (choice.workload < ARRAY_COUNT(workloads) && strcmp(workload, workloads[choice.workload].name) != 0)
        choice.workload++;
    while (choice.kind < POINTS_COUNT && strcmp(kind, points[choice.kind]) != 0) choice.kind++;
    if (choice.workload == ARRAY_COUNT(workloads) || choice.kind == POINTS_COUNT) return 2;
    live(&choice, tally, true);
    return 0;
}

/* ---- All of them ---- */

/* Points tried, and the places in between that were left out. */
struct run {
    struct tally *tally;
    u64 share; /* one of so many is tried */
    u64 turn;
    u64 tried[POINTS_COUNT];
    u64 twice;
};

static bool in_share(struct run *run) { return run->turn++ % run->share == 0; }

static void try(struct run *run, struct choice *choice)
{
    live(choice, run->tally, false);
    ASSERT(choice_passed()->fired); /* the life is the same up to there */
    run->tried[choice->kind]++;
}

/* Dies at the step, and at each of the steps from there until it serves again. */
static void die_twice(struct run *run, struct choice choice, u64 steps)
{
    for (choice.again = 1; choice.again <= steps; choice.again++) {
        live(&choice, run->tally, false);
        run->twice++;
    }
}

static void every_step(struct run *run, u32 workload, u64 steps)
{
    for (u64 number = 1; number <= steps; number++) {
        for (u32 death = 0; death < DEATHS_COUNT; death++) {
            struct choice choice = {
                .kind = POINT_STEP, .workload = workload, .number = number, .variant = death};
            if (!in_share(run) && (workload > 0 || number > FIRST_STEPS)) continue;
            try(run, &choice);
            u64 to_serve = choice_passed()->steps_to_serve;
            if ((number * DEATHS_COUNT + death) % TWICE_EVERY == 0) die_twice(run, choice, to_serve);
        }
    }
}

static void every_call(struct run *run, u32 workload, const u8 *calls, u64 count)
{
    for (u64 number = 1; number <= count; number++) {
        for (u32 error = 0; error < call_errors(calls[number - 1]); error++) {
            struct choice choice = {
                .kind = POINT_CALL, .workload = workload, .number = number, .variant = error};
            if (in_share(run) || number <= FIRST_CALLS) try(run, &choice);
        }
    }
}

static void every_allocation(struct run *run, u32 workload, u64 count)
{
    for (u64 number = 1; number <= count; number++) {
        struct choice choice = {.kind = POINT_MEMORY, .workload = workload, .number = number};
        if (in_share(run)) try(run, &choice);
    }
}

/* The end of the log, damaged behind a quiet time. */
static void every_tail(struct run *run, u32 workload)
{
    u32 gap_ms = workloads[workload].gap_ms;
    u64 gaps = workloads[workload].duration_ms / gap_ms;
    printf("%-10s %5" PRIu64 " ends of the log\n", workloads[workload].name, gaps - 1);
    for (u64 number = 1; number < gaps; number++) {
        for (u32 tail = 0; tail < TAILS_COUNT; tail++) {
            struct choice choice = {
                .kind = POINT_TAIL, .workload = workload, .number = number, .variant = tail};
            try(run, &choice);
        }
    }
}

static void every_point(struct run *run, u32 workload)
{
    if (workloads[workload].gap_ms != 0) {
        every_tail(run, workload);
        return;
    }
    struct choice choice = {.kind = POINT_STEP, .workload = workload};
    live(&choice, run->tally, false);
    const struct passed *passed = choice_passed();
    u64 steps = passed->counts[POINT_STEP], count = passed->counts[POINT_CALL];
    u64 allocations = passed->counts[POINT_MEMORY];
    printf("%-10s %5" PRIu64 " steps %5" PRIu64 " calls %4" PRIu64 " allocations\n", workloads[workload].name,
           steps, count, allocations);
    fflush(stdout);
    u8 *calls = world_alloc(count);
    memcpy(calls, passed->calls, count);
    every_step(run, workload, steps);
    every_call(run, workload, calls, count);
    every_allocation(run, workload, allocations);
    world_free(calls);
}

int every_run(int argc, char **argv, struct tally *tally)
{
    bool all = argc == 1 && strcmp(argv[0], "all") == 0;
    if (argc == 1 && !all) return one(argv[0], tally);
    struct run run = {.tally = tally, .share = all ? 1 : SHARE};
    for (u32 i = 0; i < ARRAY_COUNT(workloads); i++) every_point(&run, i);
    printf("%" PRIu64 " deaths at a step, %" PRIu64 " second deaths on the way back, %" PRIu64
           " failed calls, %" PRIu64 " failed allocations, %" PRIu64 " damaged ends of the log\n",
           run.tried[POINT_STEP], run.twice, run.tried[POINT_CALL], run.tried[POINT_MEMORY],
           run.tried[POINT_TAIL]);
    return 0;
}
