/* The timing wheel: what fires when, in which order, and how far the hands move. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "core/wheel.h"

#define TIMERS 100u

static struct wheel wheel;
static struct wheel_node *nodes;

/* Higher numbers first. */
static u64 rank_of(const void *owner, u32 timer) { return *(const u64 *)owner - timer; }
static const u64 ranks_from = 1000;

static void set_up(void)
{
    nodes = calloc(1, wheel_bytes(TIMERS));
    wheel_init(&wheel, nodes, rank_of, &ranks_from);
}

static void tear_down(void) { free(nodes); }

TestSuite(wheel, .init = set_up, .fini = tear_down);

Test(wheel, empty)
{
    cr_assert_eq(wheel_advance(&wheel, 1000), U64_NONE);
    cr_assert_eq(wheel.now_ms, 1000);
    cr_assert_eq(wheel_pop(&wheel), U32_NONE);
    wheel_validate(&wheel, TIMERS);
}

Test(wheel, fires_at_its_deadline_and_not_before)
{
    wheel_set(&wheel, 1, 5000);
    cr_assert_gt(wheel_advance(&wheel, 4999), 4999);
    cr_assert_eq(wheel_pop(&wheel), U32_NONE);
    cr_assert_eq(wheel_advance(&wheel, 90000), 5000);
    cr_assert_eq(wheel_advance(&wheel, 90000), 5000, "until it is taken");
    cr_assert_eq(wheel_pop(&wheel), 1);
    cr_assert_eq(wheel_deadline(&wheel, 1), 0);
    cr_assert_eq(wheel_advance(&wheel, 90000), U64_NONE);
}

Test(wheel, the_same_millisecond_fires_by_rank)
{
    static const u32 timers[] = {3, 50, 7, 99, 8, 0};
    for (u32 i = 0; i < ARRAY_COUNT(timers); i++) wheel_set(&wheel, timers[i], 123456);
    cr_assert_eq(wheel_advance(&wheel, 200000), 123456);
    static const u32 wanted[] = {99, 50, 8, 7, 3, 0};
    for (u32 i = 0; i < ARRAY_COUNT(wanted); i++) cr_assert_eq(wheel_pop(&wheel), wanted[i]);
}

/* After a batch of closes thousands are archived in one millisecond. */
Test(wheel, a_crowd_fires_by_rank)
{
    enum { CROWD = 70000 };
    static u64 rank = CROWD;
    struct wheel crowd;
    struct wheel_node *crowd_nodes = calloc(1, wheel_bytes(CROWD));
    wheel_init(&crowd, crowd_nodes, rank_of, &rank);
    for (u32 i = 0; i < CROWD; i++) wheel_set(&crowd, i * 7919 % CROWD, 123456);
    cr_assert_eq(wheel_advance(&crowd, 200000), 123456);
    for (u32 i = 0; i < CROWD; i++) cr_assert_eq(wheel_pop(&crowd), CROWD - 1 - i);
    cr_assert_eq(wheel_advance(&crowd, 200000), U64_NONE);
    free(crowd_nodes);
}

Test(wheel, is_asked_never_too_late)
{
    for (u64 deadline_ms = 1; deadline_ms < (u64)1 << 46; deadline_ms = deadline_ms * 3 + 1) {
        set_up();
        wheel_set(&wheel, 5, deadline_ms);
        for (u64 at_ms = 0; at_ms < deadline_ms;) {
            u64 next_ms = wheel_advance(&wheel, at_ms);
            cr_assert(next_ms > at_ms && next_ms <= deadline_ms);
            at_ms = next_ms;
        }
        cr_assert_eq(wheel_advance(&wheel, deadline_ms), deadline_ms);
        tear_down();
    }
    set_up();
}

Test(wheel, moves_and_cancels)
{
    wheel_set(&wheel, 1, 1000);
    wheel_set(&wheel, 2, 1000);
    wheel_set(&wheel, 1, 2000);
    wheel_set(&wheel, 1, 2000);
    wheel_cancel(&wheel, 3);
    cr_assert_eq(wheel.count, 2);
    cr_assert_eq(wheel_advance(&wheel, 3000), 1000);
    wheel_cancel(&wheel, 2); /* from the due list */
    cr_assert_eq(wheel_pop(&wheel), U32_NONE);
    cr_assert_eq(wheel_advance(&wheel, 3000), 2000);
    wheel_set(&wheel, 1, 2500); /* moved while it is due */
    cr_assert_eq(wheel_advance(&wheel, 3000), 2500);
    wheel_validate(&wheel, TIMERS);
}

Test(wheel, the_far_end_is_the_end)
{
    wheel_set(&wheel, 1, UINT64_MAX);
    cr_assert_eq(wheel_deadline(&wheel, 1), WHEEL_DEADLINE_MAX);
    cr_assert_eq(wheel_advance(&wheel, UINT64_MAX), WHEEL_DEADLINE_MAX);
    cr_assert_eq(wheel_pop(&wheel), 1);
}

Test(wheel, reset_forgets)
{
    for (u32 timer = 0; timer < TIMERS; timer++) wheel_set(&wheel, timer, 10 + timer * 1000);
    wheel_reset(&wheel, 77);
    wheel_forget(&wheel, 0, TIMERS);
    cr_assert_eq(wheel.count, 0);
    cr_assert_eq(wheel.now_ms, 77);
    wheel_validate(&wheel, TIMERS);
    wheel_set(&wheel, 9, 78);
    cr_assert_eq(wheel_advance(&wheel, 100), 78);
}
