/* The desk's memory is made ready before it is used: what is named holds what is used, and another thread is there
 * first. */
#include <criterion/criterion.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "durable/growth.h"
#include "tests/support/rig.h"

struct looked {
    const struct growth *growth;
    const struct rig *rig;
    u32 pieces;
    u64 used_bytes[GROWTH_PIECES_MAX];
    u64 large; /* pieces that have grown beyond small pages; or bytes */
    void *memory;
};

static void look(void *owner, void *memory, u64 used_bytes, u64 bytes)
{
    struct looked *looked = owner;
    u64 begin = (u64)(uintptr_t)memory, used = begin + used_bytes;
    u8 *rig_end = (u8 *)looked->rig->memory + looked->rig->memory_bytes;
    cr_assert((void *)memory >= looked->rig->memory && (u8 *)memory + bytes <= rig_end);
    cr_assert(used_bytes >= looked->used_bytes[looked->pieces], "a piece never shrinks");
    looked->used_bytes[looked->pieces] = used_bytes;
    u64 ready = looked->growth->ready[looked->pieces++];
    cr_assert(ready >= min_u64(used + growth_ahead_bytes(used_bytes), begin + bytes), "too little is ready ahead");
    u64 page_bytes = used_bytes < GROWTH_FROM_BYTES ? GROWTH_SMALL_BYTES : GROWTH_PAGE_BYTES;
    cr_assert(ready < used + growth_ahead_bytes(used_bytes) + page_bytes, "and not much more");
    looked->large += used_bytes >= GROWTH_FROM_BYTES;
}

static void creates(struct rig *rig, u32 count)
{
    struct tkd_ticket_create request = {.channel = 1, .queue = 3, .no_routing = 1};
    rig_begin(rig, TKD_OP_TICKET_CREATE);
    for (u32 i = 0; i < count; i++)
        rig_add(rig, TKD_RECORD_ticket_create, &request, (const char *const[]){"a", 0, 0, 0, "some text", 0});
    cr_assert_eq(rig_run(rig), TKD_OK);
}

Test(growth, what_is_large_has_more_ready)
{
    u64 before = 0;
    for (u64 used_bytes = 0; used_bytes < 1ull << 32; used_bytes += 1 + used_bytes / 3) {
        u64 ahead = growth_ahead_bytes(used_bytes);
        cr_assert(ahead >= before && ahead <= used_bytes && ahead <= GROWTH_AHEAD_BYTES_MAX);
        before = ahead;
    }
    cr_assert_eq(before, GROWTH_AHEAD_BYTES_MAX);
    cr_assert_eq(growth_ahead_bytes(4 << 20), GROWTH_AHEAD_BYTES);
}

Test(growth, some_is_ready_ahead_of_what_is_used)
{
    struct rig *rig = rig_create();
    rig_small_desk(rig);
    struct growth growth;
    growth_start(&growth, rig->state);
    struct looked looked = {.growth = &growth, .rig = rig};
    for (u32 i = 0; i < 80; i++) {
        creates(rig, 1000);
        growth_turn(&growth);
        looked.pieces = 0;
        looked.large = 0;
        state_pieces(rig->state, look, &looked);
    }
    cr_assert_geq(looked.large, 3, "rows of tickets and tasks, the ring");
    growth_stop(&growth);
    rig_destroy(rig);
}

static void look_at_saved(void *owner, void *memory, u64 used_bytes, u64 bytes)
{
    struct looked *looked = owner;
    cr_assert_leq(used_bytes, bytes);
    looked->large = used_bytes;
    looked->memory = memory;
}

/* Behind a snapshot what was used for saved rows is given back, but for a little. */
Test(growth, saved_rows_come_and_go)
{
    static u8 slice[1u << 20];
    struct rig *rig = rig_create();
    rig_small_desk(rig);
    for (u32 i = 0; i < 60; i++) creates(rig, 1000);
    struct growth growth;
    struct looked looked = {.growth = &growth, .rig = rig};
    growth_start(&growth, rig->state);
    growth_turn(&growth);
    cr_assert_eq(growth.saved_bytes, GROWTH_SAVED_BYTES);
    state_snapshot_begin(rig->state);
    for (u64 ticket = 1; ticket < 60000; ticket += 5) rig_verb(rig, ticket, TKD_VERB_URGE, 0, NULL);
    state_piece_saved(rig->state, look_at_saved, &looked);
    cr_assert_gt(looked.large, GROWTH_SAVED_BYTES);
    for (bool finished = false; !finished;) {
        growth_turn(&growth);
        state_piece_saved(rig->state, look_at_saved, &looked);
        cr_assert_geq(growth.saved_bytes, looked.large + GROWTH_SAVED_BYTES);
        (void)state_snapshot_slice(rig->state, slice, sizeof slice, 500, &finished);
    }
    while (growth.saved_bytes > 2 * GROWTH_SAVED_BYTES) { /* the runner's time limit ends it */
        growth_turn(&growth);
        sched_yield();
    }
    growth_turn(&growth);
    cr_assert_eq(growth.saved_bytes, 2 * GROWTH_SAVED_BYTES);
    growth_stop(&growth);
    u8 there[64];
    cr_assert_eq(mincore((u8 *)looked.memory + 2 * GROWTH_SAVED_BYTES, sizeof there * 4096, there), 0);
    for (u32 i = 0; i < sizeof there; i++) cr_assert_eq(there[i] & 1, 0, "page %u was not given back", i);
    rig_destroy(rig);
}

static void look_for_task_timers(void *owner, void *memory, u64 used_bytes, u64 bytes)
{
    struct looked *looked = owner;
    const struct state *state = looked->rig->state;
    (void)bytes;
    if (memory == state->wheel.nodes + WHEEL_HEADS + task_timer(state, 0)) looked->large = used_bytes;
}

/* Its place grows with the number of tasks, but nobody touches it. */
Test(growth, timers_of_tasks_count_from_the_first_one_on)
{
    struct rig *rig = rig_create();
    rig_small_desk(rig);
    struct looked looked = {.rig = rig, .large = U64_NONE};
    creates(rig, 1000);
    state_pieces(rig->state, look_for_task_timers, &looked);
    cr_assert_eq(looked.large, 0);
    wheel_set(&rig->state->wheel, task_timer(rig->state, 5), rig->now_ms + 1000);
    state_pieces(rig->state, look_for_task_timers, &looked);
    cr_assert_eq(looked.large, 1001 * sizeof(struct wheel_node));
    rig_destroy(rig);
}

Test(growth, what_is_ready_is_there)
{
    struct rig *rig = rig_create();
    rig_small_desk(rig);
    const struct event_log *log = &rig->state->events;
    struct growth growth;
    growth_start(&growth, rig->state);
    u64 ahead = 0;
    while (ahead == 0) {
        creates(rig, 1000);
        cr_assert(log->head < log->ring_bytes);
        u64 used = (u64)(uintptr_t)log->ring + log->head;
        growth_turn(&growth);
        for (u32 i = 0; i < growth.piece; i++) {
            bool of_ring = growth.ready[i] > used && growth.ready[i] <= (u64)(uintptr_t)log->ring + log->ring_bytes;
            if (of_ring && growth.ready[i] > round_up(used, GROWTH_PAGE_BYTES)) ahead = growth.ready[i];
        }
    }
    u8 there = 0;
    while (!(there & 1)) { /* the runner's time limit ends it */
        sched_yield();
        cr_assert_eq(mincore((void *)(uintptr_t)(ahead - 4096), 4096, &there), 0);
    }
    growth_stop(&growth);
    rig_destroy(rig);
}
