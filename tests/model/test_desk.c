/* The whole desk under random commands: its invariants hold after each, replaying the log gives the same state,
 * and so does loading a checkpoint that was copied out while the desk went on, and replaying what came after. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/support/workload.h"

#define SEEDS 8u
#define STEPS 2500u
#define SLICE_BYTES (32u << 10)

/* Chunks as they lie in a store, by table and chunk; a later one replaces an earlier one. */
struct image {
    u8 **chunks[TABLES];
    u32 count[TABLES];
};

static void image_create(struct image *image, const struct state *state)
{
    for (u32 i = 1; i < TABLES; i++) {
        const struct table *table = &state->tables[i];
        image->count[i] = (table->rows_max >> table->chunk_shift) + 1;
        image->chunks[i] = calloc(image->count[i], sizeof(u8 *));
    }
}

static void image_destroy(struct image *image)
{
    for (u32 i = 1; i < TABLES; i++) {
        for (u32 chunk = 0; chunk < image->count[i]; chunk++) free(image->chunks[i][chunk]);
        free(image->chunks[i]);
    }
}

static void image_put(struct image *image, const u8 *slice, u64 bytes)
{
    for (u64 at = 0; at < bytes;) {
        struct store_chunk head;
        memcpy(&head, slice + at, sizeof head);
        cr_assert(head.table > 0 && head.table < TABLES && head.chunk < image->count[head.table]);
        cr_assert_eq((u32)hash64(slice + at + sizeof head, head.bytes, 0), head.checksum);
        u8 **chunk = &image->chunks[head.table][head.chunk];
        if (*chunk == NULL) *chunk = malloc(head.bytes);
        memcpy(*chunk, slice + at + sizeof head, head.bytes);
        at += sizeof head + round_up(head.bytes, 8);
    }
}

/* A checkpoint that is being copied out, and what the desk was like when it began. */
struct copy {
    u64 op, time_ms, event_seq, digest, log_at;
};

static struct copy copy_begin(struct rig *rig)
{
    struct copy copy = {.op = state_op(rig->state),
                        .time_ms = state_time(rig->state),
                        .event_seq = state_events(rig->state)->seq_next - 1,
                        .digest = state_digest(rig->state, true),
                        .log_at = rig->log_used};
    state_snapshot_begin(rig->state);
    return copy;
}

/* What is derived is the same, too. */
static void check_derived(const struct state *a, const struct state *b)
{
    u32 timers = task_timer(a, a->tables[TABLE_TASK].row_last) + 1;
    for (u32 timer = 0; timer < timers; timer++)
        cr_assert_eq(wheel_deadline(&a->wheel, timer), wheel_deadline(&b->wheel, timer));
    cr_assert_eq(a->route.drain_count, b->route.drain_count);
    cr_assert_eq(memcmp(a->route.load, b->route.load, AGENTS_MAX * sizeof(u32)), 0);
    cr_assert_eq(memcmp(a->route.held, b->route.held, AGENTS_MAX * sizeof(u32)), 0);
    cr_assert_eq(memcmp(a->route.waiting, b->route.waiting, QUEUES_MAX * sizeof(u32)), 0);
    cr_assert_eq(memcmp(a->route.assigned, b->route.assigned, QUEUES_MAX * sizeof(u32)), 0);
    cr_assert_eq(memcmp(a->route.suspended, b->route.suspended, QUEUES_MAX * sizeof(u32)), 0);
    cr_assert_eq(memcmp(a->route.available, b->route.available, AGENT_WORDS * sizeof(u64)), 0);
}

/* A restart from the image: the state as of the copy's begin, then the log behind it. */
static struct state *restart(struct rig *rig, const struct image *image, const struct copy *copy, void **memory)
{
    struct state *state = rig_state_create(rig, memory);
    for (u32 i = 1; i < TABLES; i++)
        for (u32 chunk = 0; chunk < image->count[i]; chunk++)
            if (image->chunks[i][chunk] != NULL)
                cr_assert(state_load_chunk(state, i, chunk, image->chunks[i][chunk],
                                           table_chunk_bytes(&state->tables[i])));
    char error[200];
    cr_assert(state_loaded(state, copy->op, copy->time_ms, copy->event_seq, error, sizeof error), "%s", error);
    state_validate(state);
    cr_assert_eq(state_digest(state, true), copy->digest, "the checkpoint is not the state as of its begin");
    rig_replay_into(rig, state, copy->log_at);
    state_validate(state);
    cr_assert_eq(state_digest(state, true), state_digest(rig->state, true), "replaying on gives another state");
    check_derived(rig->state, state);
    return state;
}

static void run(u64 seed)
{
    static u8 slice[SLICE_BYTES];
    struct workload *workload = workload_create(seed);
    struct rig *rig = workload->rig;
    struct prng prng = prng_seeded(seed + 1000);
    struct image image = {.count = {0}};
    struct copy copy = {0};
    image_create(&image, rig->state);
    rig->validate = true;
    for (u32 step = 0; step < STEPS; step++) {
        workload_step(workload);
        if (!state_snapshot_running(rig->state)) {
            if (prng_chance(&prng, 1, 40)) copy = copy_begin(rig);
            continue;
        }
        bool finished;
        u64 bytes = state_snapshot_slice(rig->state, slice, 4096 + prng_below(&prng, SLICE_BYTES - 4096),
                                         1 + (u32)prng_below(&prng, 10), &finished);
        image_put(&image, slice, bytes);
        if (!finished || prng_chance(&prng, 1, 2)) continue;
        void *memory;
        struct state *state = restart(rig, &image, &copy, &memory);
        if (prng_chance(&prng, 1, 2)) rig_adopt(rig, state, memory);
        else munmap(memory, rig->memory_bytes);
    }
    rig_compare(rig);
    u64 digest = state_digest(rig->state, true);
    rig_replay(rig);
    state_validate(rig->state);
    cr_assert_eq(state_digest(rig->state, true), digest, "a replay from scratch gives another state");
    image_destroy(&image);
    workload_destroy(workload);
}

#define SEED(n)                                                                                              \
    Test(desk, seed_##n) { run(n); }
SEED(1) SEED(2) SEED(3) SEED(4) SEED(5) SEED(6) SEED(7) SEED(8)
