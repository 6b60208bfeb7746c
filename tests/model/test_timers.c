/* The wheel against a plain array of deadlines: random set, move, cancel, advance and pop. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/prng.h"
#include "core/wheel.h"

#define TIMERS 200u
#define STEPS 40000u

struct model {
    u64 deadline_ms[TIMERS]; /* 0 = not set */
    u64 rank[TIMERS];
    u64 now_ms;
};

static u64 rank_of(const void *owner, u32 timer) { return ((const struct model *)owner)->rank[timer]; }

/* The timer that comes first: (deadline, rank). */
static u32 model_first(const struct model *model)
{
    u32 first = U32_NONE;
    for (u32 i = 0; i < TIMERS; i++) {
        if (model->deadline_ms[i] == 0) continue;
        if (first == U32_NONE || model->deadline_ms[i] < model->deadline_ms[first] ||
            (model->deadline_ms[i] == model->deadline_ms[first] && model->rank[i] < model->rank[first]))
            first = i;
    }
    return first;
}

static void ranks_shuffle(struct model *model, struct prng *prng)
{
    for (u32 i = 0; i < TIMERS; i++) model->rank[i] = i;
    for (u32 i = TIMERS; i-- > 1;) {
        u32 other = (u32)prng_below(prng, i + 1);
        u64 rank = model->rank[i];
        model->rank[i] = model->rank[other];
        model->rank[other] = rank;
    }
}

/* Near, in the same millisecond as others, or anywhere up to the end of time. */
static u64 deadline(struct prng *prng, u64 now_ms)
{
    u64 ahead = (u64)1 << prng_below(prng, 48);
    if (prng_chance(prng, 1, 3)) return (now_ms / 1000 + 1 + prng_below(prng, 3)) * 1000;
    return now_ms + 1 + prng_below(prng, ahead);
}

static void set(struct wheel *wheel, struct model *model, u32 timer, u64 deadline_ms)
{
    wheel_set(wheel, timer, deadline_ms);
    model->deadline_ms[timer] = min_u64(deadline_ms, WHEEL_DEADLINE_MAX);
    cr_assert_eq(wheel_deadline(wheel, timer), model->deadline_ms[timer]);
}

/* Everything up to then fires in the model's order; in between timers are set and cancelled. */
static void advance(struct wheel *wheel, struct model *model, struct prng *prng, u64 until_ms)
{
    for (;;) {
        u32 first = model_first(model);
        u64 due_ms = wheel_advance(wheel, until_ms);
        if (first == U32_NONE || model->deadline_ms[first] > until_ms) {
            cr_assert_gt(due_ms, until_ms);
            if (first == U32_NONE) cr_assert_eq(due_ms, U64_NONE);
            else cr_assert_leq(due_ms, model->deadline_ms[first], "it would be asked too late");
            cr_assert_eq(wheel_pop(wheel), U32_NONE);
            break;
        }
        cr_assert_eq(due_ms, model->deadline_ms[first]);
        model->now_ms = due_ms;
        if (prng_chance(prng, 1, 8)) { /* before it fires, another of the same instant is cancelled */
            u32 timer = (u32)prng_below(prng, TIMERS);
            wheel_cancel(wheel, timer);
            model->deadline_ms[timer] = 0;
            continue;
        }
        cr_assert_eq(wheel_pop(wheel), first);
        model->deadline_ms[first] = 0;
        if (prng_chance(prng, 1, 2)) set(wheel, model, first, deadline(prng, model->now_ms));
        if (prng_chance(prng, 1, 8)) set(wheel, model, (u32)prng_below(prng, TIMERS), deadline(prng, model->now_ms));
    }
    model->now_ms = until_ms;
}

static void run(u64 seed, u64 begin_ms)
{
    struct prng prng = prng_seeded(seed);
    struct model model = {.now_ms = begin_ms};
    struct wheel wheel;
    struct wheel_node *nodes = calloc(1, wheel_bytes(TIMERS));
    ranks_shuffle(&model, &prng);
    wheel_init(&wheel, nodes, rank_of, &model);
    wheel.now_ms = begin_ms;
    for (u32 step = 0; step < STEPS && model.now_ms < (u64)1 << 47; step++) {
        u32 timer = (u32)prng_below(&prng, TIMERS);
        u64 kind = prng_below(&prng, 10);
        if (kind < 5) {
            set(&wheel, &model, timer, deadline(&prng, model.now_ms));
        } else if (kind < 6) {
            wheel_cancel(&wheel, timer);
            model.deadline_ms[timer] = 0;
        } else {
            u64 by_ms = prng_below(&prng, (u64)1 << prng_below(&prng, prng_chance(&prng, 1, 100) ? 36 : 20));
            advance(&wheel, &model, &prng, model.now_ms + by_ms);
        }
        if (step % 64 == 0) wheel_validate(&wheel, TIMERS);
    }
    advance(&wheel, &model, &prng, (u64)1 << 48);
    free(nodes);
}

Test(timers, equal_to_a_sorted_list)
{
    for (u64 seed = 1; seed <= 12; seed++) run(seed, 0);
}

Test(timers, equal_to_a_sorted_list_late_in_time)
{
    for (u64 seed = 1; seed <= 6; seed++) run(seed, ((u64)1 << 42) - 500);
}
