#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/hash.h"
#include "base/log.h"
#include "durable/wal.h"
#include "tests/sim/injected.h"

struct world *world;

const char *const fault_names[FAULTS_COUNT] = {
#define FAULT_NAME(NAME, text) text,
    FAULTS(FAULT_NAME)
#undef FAULT_NAME
};

/* ---- Memory: the linker sends every malloc of the engine here ---- */

void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void __real_free(void *memory);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
void __wrap_free(void *memory);
char *__wrap_strdup(const char *text);

struct block {
    struct block *next;
    struct block *previous;
    u64 bytes;
    u64 reserved;
};
static struct block blocks = {.next = &blocks, .previous = &blocks};

struct mapping {
    void *memory;
    u64 bytes;
};
static struct mapping mappings[128];

void *world_alloc(u64 bytes)
{
    void *memory = __real_calloc(1, bytes);
    ASSERT(memory != NULL);
    return memory;
}

void *world_grow(void *memory, u64 bytes)
{
    memory = __real_realloc(memory, bytes);
    ASSERT(memory != NULL);
    return memory;
}

void world_free(void *memory) { __real_free(memory); }

void *__wrap_calloc(size_t count, size_t bytes)
{
    if (exhaust_memory()) return NULL;
    struct block *block = __real_calloc(1, sizeof *block + count * bytes);
    ASSERT(block != NULL);
    block->bytes = count * bytes;
    block->next = &blocks;
    block->previous = blocks.previous;
    block->previous->next = block->next->previous = block;
    return block + 1;
}

void *__wrap_malloc(size_t bytes) { return __wrap_calloc(1, bytes); }

void __wrap_free(void *memory)
{
    if (memory == NULL) return;
    struct block *block = (struct block *)memory - 1;
    block->previous->next = block->next;
    block->next->previous = block->previous;
    __real_free(block);
}

void *__wrap_realloc(void *memory, size_t bytes)
{
    void *larger = __wrap_calloc(1, bytes);
    if (larger == NULL) return NULL;
    if (memory != NULL) memcpy(larger, memory, min_u64(bytes, ((struct block *)memory - 1)->bytes));
    __wrap_free(memory);
    return larger;
}

char *__wrap_strdup(const char *text)
{
    char *copy = __wrap_calloc(1, strlen(text) + 1);
    if (copy != NULL) memcpy(copy, text, strlen(text));
    return copy;
}

void process_memory_add(void *memory, u64 bytes)
{
    u32 i = 0;
    while (i < ARRAY_COUNT(mappings) && mappings[i].memory != NULL) i++;
    ASSERT(i < ARRAY_COUNT(mappings));
    mappings[i] = (struct mapping){.memory = memory, .bytes = bytes};
}

void process_memory_remove(void *memory)
{
    u32 i = 0;
    while (i < ARRAY_COUNT(mappings) && mappings[i].memory != memory) i++;
    ASSERT(i < ARRAY_COUNT(mappings));
    munmap(memory, mappings[i].bytes);
    mappings[i].memory = NULL;
}

void process_memory_drop(void)
{
    while (blocks.next != &blocks) __wrap_free(blocks.next + 1);
    for (u32 i = 0; i < ARRAY_COUNT(mappings); i++) {
        if (mappings[i].memory != NULL) process_memory_remove(mappings[i].memory);
    }
}

bool process_memory_left(void)
{
    bool left = blocks.next != &blocks;
    for (u32 i = 0; i < ARRAY_COUNT(mappings); i++) left = left || mappings[i].memory != NULL;
    return left;
}

/* ---- Chance ---- */

u64 chance_below(u64 count) { return prng_below(&world->prng, count); }
bool chance(u64 part, u64 whole) { return prng_chance(&world->prng, part, whole); }

void fault_count(enum fault kind) { world->tally->faults[kind]++; }

bool fault(enum fault kind, u64 part, u64 whole)
{
    if (!world->plan.faults[kind] || world->healed || world->judging || !chance(part, whole)) return false;
    fault_count(kind);
    return true;
}

u64 some_ns(u64 about_ns)
{
    u64 ns = 1 + chance_below(about_ns * 2);
    if (chance(1, 4)) ns /= 16;
    if (chance(1, 20)) ns *= 10;
    return ns;
}

void trace_add(u64 value) { world->trace = hash_u64(world->trace + value + 0x9e3779b97f4a7c15u); }

static u64 some_between(u64 low, u64 high) { return low + chance_below(high - low + 1); }

/* So much is asked for and not read that there is no memory for answers. */
static void deafen(struct plan *plan)
{
    plan->others = (u32)some_between(6, 14);
    plan->connections_max += 14;
    plan->faults[FAULT_DEAF] = true;
    plan->buffer_bytes = 5 << 20;
    plan->duration_ns = min_u64(plan->duration_ns, 600 * SECOND_NS);
    plan->think_ns = max_u64(plan->duration_ns / some_between(200, 1500), MS_NS);
    plan->text_bytes = 36000;
}

void plan_draw(struct plan *plan)
{
    *plan = (struct plan){.duration_ns = some_between(60, 4 * 3600) * SECOND_NS};
    plan->deadlines_ns = 3600 * SECOND_NS;
    for (u32 i = 0; i < FAULT_STORE_LOST; i++) plan->faults[i] = chance(1, 2);
    for (u32 i = FAULT_STORE_LOST; i < FAULTS_COUNT; i++)
        plan->faults[i] = hash_u64(world->seed + i) % 4 == 0;
    if (chance(1, 3)) plan->duration_ns = some_between(10, 120) * SECOND_NS;
    plan->workers = (u32)some_between(1, 6);
    plan->subscribers = (u32)some_between(0, 3);
    plan->others = (u32)some_between(0, 6);
    if (chance(1, 12)) {
        plan->crowd = (u32)some_between(50, chance(1, 3) ? 3000 : 500);
        plan->duration_ns = some_between(10, 60) * SECOND_NS;
    }
    plan->think_ns = max_u64(plan->duration_ns / some_between(50, 1500), MS_NS);
    plan->text_bytes = (u32)some_between(4, 200);
    if (chance(1, 4)) plan->text_bytes = (u32)some_between(1000, chance(1, 2) ? 36000 : 12000);
    plan->crash_steps = some_between(5, chance(1, 2) ? 200 : 20000);
    plan->fault_ns = plan->duration_ns / some_between(2, 60);
    plan->log_writes = some_between(10, chance(1, 2) ? 100 : 2000);
    plan->sector_bytes = chance(1, 2) ? 512 : 4096;
    plan->batch_bytes = (u32)some_between(24, 64) * 4096;
    plan->segment_bytes = plan->batch_bytes + some_between(1, 32) * 4096;
    plan->checkpoint_bytes = some_between(16, 512) << 10;
    plan->flush_bytes = some_between(1, 256) << 10;
    plan->flush_ms = (u32)some_between(10, 2000);
    plan->connections_max = plan->workers + plan->subscribers + (u32)some_between(0, 12);
    plan->connections_max += plan->crowd - (u32)chance_below(plan->crowd / 8 + 1);
    if (plan->crowd > 0) plan->crash_steps *= 200;
    plan->receive_window_bytes = some_between(4, 512) << 10;
    plan->disk_bytes = (u64)256 << 20;
    plan->power = chance(1, 4) ? POWER_WHOLE : POWER_CHANCE;
    plan->checkpoint_requests = 400;
    plan->backups = 3;
    plan->virtual_clock = chance(1, 4);
    plan->durability = chance(1, 3) ? WAL_INTERVAL + (u32)chance_below(2) : WAL_SYNC;
    /* Damage behind the last sync cannot be told from a tail that never came. */
    for (enum fault kind = FAULT_DAMAGE; plan->durability != WAL_SYNC && kind <= FAULT_FLIPPED_WRITE; kind++)
        plan->faults[kind] = false;
    plan->interval_ms = (u32)some_between(1, chance(1, 2) ? 20 : 2000);
    plan->memory_bytes = 1 + chance_below(chance(1, 2) ? 100 << 10 : 16 << 20);
    plan->ring_bytes = some_between(256, chance(1, 2) ? 320 : 4096) << 10;
    plan->buffer_bytes = some_between(5 << 10, chance(1, 2) ? 5 << 10 : 16 << 10) << 10;
    plan->deaf = hash_u64(world->seed + 11) % 8 == 0; /* not drawn, so that other seeds stay as they are */
    if (plan->deaf) deafen(plan);
}

void world_disturb(u64 until_ns) { world->disturbed_ns = max_u64(world->disturbed_ns, until_ns); }

/* ---- Crashes ---- */

void crash_now(bool power)
{
    world->power_lost = power;
    fault_count(FAULT_CRASH);
    if (power) fault_count(FAULT_POWER);
    longjmp(world->crashed, 1);
}

bool power_keeps(u64 part, u64 unit)
{
    if (world->plan.power <= POWER_WHOLE) return chance(part, 4);
    if (world->plan.power <= POWER_ALL) return world->plan.power == POWER_ALL;
    return (unit % 2 == 0) == (world->plan.power == POWER_EVEN);
}

void crash_step(void)
{
    exhaust_step();
    if (!world->running || world->crash_in == 0 || --world->crash_in > 0) return;
    if (world->healed) return;
    crash_now(world->plan.faults[FAULT_POWER] && chance(3, 4));
}

/* ---- Faults by time ---- */

static void disk_fault(void)
{
    u64 for_ns = some_ns(10 * SECOND_NS);
    switch (chance_below(4)) {
    case 0:
        if (world->disk_full)
            world->disk_full = false;
        else
            world->disk_full = fault(FAULT_DISK_FULL, 1, 1);
        return;
    case 1:
        world->slow_factor =
            world->slow_factor == 1 && fault(FAULT_DISK_SLOW, 1, 1) ? 1 + chance_below(500) : 1;
        return;
    case 2:
        if (fault(FAULT_DISK_STUCK, 1, 1)) world->stuck_until_ns = world->now_ns + for_ns;
        return;
    default:
        world->store_slow_factor =
            world->store_slow_factor == 1 && fault(FAULT_STORE_SLOW, 1, 1) ? 1 + chance_below(2000) : 1;
    }
}

void faults_by_time(void)
{
    exhaust_time();
    if (world->healed || world->now_ns < world->next_fault_ns) return;
    world->next_fault_ns = world->now_ns + some_ns(world->plan.fault_ns);
    if (fault(FAULT_CLOCK_JUMP, 1, 4)) {
        static const i64 jumps_ms[] = {1000, 60000, 3600000, 24 * 3600000};
        i64 most_ms = jumps_ms[chance_below(ARRAY_COUNT(jumps_ms))];
        i64 jump_ms = (i64)chance_below((u64)most_ms) * (chance(1, 2) ? 1 : -1);
        world->wall_offset_ms += jump_ms;
        world_disturb(world->now_ns);
    }
    if (fault(FAULT_STOP, 1, 4)) world->stop_signal = true;
    disk_fault();
    if (world->running && fault(FAULT_CRASH, 1, 8)) {
        world->tally->faults[FAULT_CRASH]--; /* counted below */
        crash_now(world->plan.faults[FAULT_POWER] && chance(3, 4));
    }
}

/* ---- Telling ---- */

void say(const char *format, ...)
{
    if (!world->verbose) return;
    va_list arguments;
    va_start(arguments, format);
    printf("%12.6f ", (double)world->now_ns / 1e9);
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
}

void violation(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    fprintf(stderr, "seed %llu, %.6f s: VIOLATION: ", (unsigned long long)world->seed,
            (double)world->now_ns / 1e9);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\nrepeat it with: %s\n", world->repeat);
    va_end(arguments);
    abort();
}

void unreadable(void)
{
    if (!disk_damaged_store() && !world->point_reached && !injected_below(CALL_READ, "/data/store"))
        violation("something sound was called unreadable");
}

/* base/log.h: the engine's own lines, among ours. */
void log_write(enum log_level level, const char *event, const struct log_pair *pairs)
{
    (void)level;
    if (world != NULL && strcmp(event, "event_unreadable") == 0) unreadable();
    if (world != NULL) say("log: %s %s", event, pairs->key == NULL || pairs->text == NULL ? "" : pairs->text);
}
