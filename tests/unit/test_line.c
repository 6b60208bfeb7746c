/* The line: lanes by queue and skills, treaps by priority, the order of service. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/prng.h"
#include "tests/support/rig.h"

#define WAITING 300u

/* Nobody is there: everything waits. */
static struct rig *desk(void)
{
    struct rig *rig = rig_create_small();
    rig->validate = true;
    rig_small_desk(rig);
    rig_skill(rig, 1, "French");
    return rig;
}

static u32 task_of(const struct rig *rig, u64 id) { return rig_ticket(rig, id)->task; }

/* Walks the first lane of a queue; returns the tickets in order. */
static u32 walk(const struct rig *rig, u32 queue, u64 *ids)
{
    const struct line *line = &rig->state->line;
    const struct lane *lane = &line->lanes[line->queue_lanes[queue]];
    u32 count = 0;
    for (u32 priority = 1; priority < TKD_PRIORITY_END; priority++)
        for (u32 task = lane->first[priority]; task != 0; task = line_next(rig->state, task))
            ids[count++] = task_row(rig->state, task)->ticket_id;
    cr_assert_eq(count, lane->count);
    return count;
}

Test(line, priority_then_time_then_ticket)
{
    struct rig *rig = desk();
    u64 low = rig_create_ticket(rig, 1, TKD_PRIORITY_LOW), normal = rig_create_ticket(rig, 1, TKD_PRIORITY_NORMAL);
    u64 same = rig_create_ticket(rig, 1, TKD_PRIORITY_NORMAL);
    rig_advance(rig, rig->now_ms + 10);
    u64 later = rig_create_ticket(rig, 1, TKD_PRIORITY_NORMAL), urgent = rig_create_ticket(rig, 1, TKD_PRIORITY_URGENT);
    u64 wanted[] = {urgent, normal, same, later, low}, ids[8];
    cr_assert_eq(walk(rig, 1, ids), 5);
    for (u32 i = 0; i < 5; i++) cr_assert_eq(ids[i], wanted[i]);
    cr_assert(line_before(rig->state, task_of(rig, same), task_of(rig, later)));
    cr_assert_not(line_before(rig->state, task_of(rig, low), task_of(rig, later)));
    rig_destroy(rig);
}

Test(line, a_lane_is_one_queue_and_one_set_of_skills)
{
    struct rig *rig = desk();
    const struct line *line = &rig->state->line;
    u64 plain = rig_create_ticket(rig, 1, 0);
    rig_entry(rig, TKD_KIND_CATEGORY, &(struct tkd_catalog_entry){.id = 1}, "calls", (u16[]){1, 0}, NULL);
    u64 french = rig_create_ticket(rig, 1, 0);
    rig_verb(rig, french, TKD_VERB_CATEGORY, 1, NULL);
    u32 a = line->nodes[task_of(rig, plain)].lane, b = line->nodes[task_of(rig, french)].lane;
    cr_assert(a != 0 && b != 0 && a != b);
    cr_assert_eq(line->queues_count, 1);
    rig_verb(rig, french, TKD_VERB_RESOLVE, 0, NULL);
    rig_verb(rig, plain, TKD_VERB_RESOLVE, 0, NULL);
    cr_assert_eq(line->queues_count, 0);
    cr_assert_eq(line->queue_lanes[1], 0);
    cr_assert_eq(line->free_count, 2);
    rig_create_ticket(rig, 2, 0);
    cr_assert_eq(line->lanes_used, 2, "closed lanes are used again");
    rig_destroy(rig);
}

static int by_number(const void *a, const void *b)
{
    const u64 *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

Test(line, stays_in_order_while_tasks_come_and_go)
{
    struct rig *rig = desk();
    struct prng prng = prng_seeded(3);
    static u64 ids[4 * WAITING], sorted[4 * WAITING];
    for (u32 i = 0; i < WAITING; i++) {
        rig_advance(rig, rig->now_ms + prng_below(&prng, 3));
        rig_create_ticket(rig, 1, TKD_PRIORITY_NORMAL);
    }
    for (u32 i = 0; i < 3 * WAITING; i++) {
        u64 id = 1 + prng_below(&prng, WAITING);
        static const u32 verbs[] = {TKD_VERB_PEND, TKD_VERB_RESUME, TKD_VERB_HOLD, TKD_VERB_RESUME, TKD_VERB_PAUSE,
                                    TKD_VERB_CONTINUE};
        rig_verb(rig, id, verbs[prng_below(&prng, ARRAY_COUNT(verbs))], 0, NULL);
    }
    u32 count = walk(rig, 1, ids);
    cr_assert_gt(count, WAITING / 4);
    memcpy(sorted, ids, sizeof ids); /* times ascend with the ids here */
    qsort(sorted, count, sizeof(u64), by_number);
    for (u32 i = 0; i < count; i++) cr_assert_eq(ids[i], sorted[i]);
    rig_reload(rig); /* lanes are derived: the same order */
    cr_assert_eq(walk(rig, 1, ids), count);
    for (u32 i = 0; i < count; i++) cr_assert_eq(ids[i], sorted[i]);
    rig_destroy(rig);
}

Test(line, priority_moves_within_the_lane)
{
    struct rig *rig = desk();
    u64 first = rig_create_ticket(rig, 1, TKD_PRIORITY_NORMAL), second = rig_create_ticket(rig, 1, TKD_PRIORITY_NORMAL);
    rig_verb(rig, second, TKD_VERB_PRIORITY, TKD_PRIORITY_URGENT, NULL);
    u64 ids[2];
    cr_assert_eq(walk(rig, 1, ids), 2);
    cr_assert_eq(ids[0], second);
    cr_assert_eq(lane_head(&rig->state->line.lanes[rig->state->line.queue_lanes[1]]), task_of(rig, second));
    rig_verb(rig, second, TKD_VERB_PRIORITY, TKD_PRIORITY_NORMAL, NULL);
    cr_assert_eq(walk(rig, 1, ids), 2);
    cr_assert_eq(ids[0], first);
    struct lane empty = {.count = 0};
    cr_assert_eq(lane_head(&empty), 0);
    rig_destroy(rig);
}
