#include "tests/sim/exhaust.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/every.h"
#include "tests/sim/life.h"

#define ERRORS_MAX 4u
#define QUIET_NS   (500 * MS_NS) /* nothing was written to the log: a mark stands behind what was */

static const struct {
    const char *text;
    i32 errors[ERRORS_MAX];
} calls[CALLS_COUNT] = {
#define CALL_INFO(NAME, text, ...) {text, {__VA_ARGS__}},
    CALLS(CALL_INFO)
#undef CALL_INFO
};

/* The life under way. */
static struct choice choice;
static struct passed passed;

void choose(const struct choice *next)
{
    choice = *next;
    passed = (struct passed){.calls = passed.calls, .calls_max = passed.calls_max};
}

const struct passed *choice_passed(void) { return &passed; }

void exhaust_begin(void)
{
    if (choice.kind == POINT_NONE) return;
    choice_name(&choice, world->repeat, sizeof world->repeat);
    world->plan.power = POWER_EVEN;
    if (world->plan.disk_slow != 0) world->slow_factor = world->plan.disk_slow;
}

/* From here on it is another life than the one that was counted: what is torn now differs from point to
 * point. */
static void fire(void)
{
    passed.fired = world->point_reached = true;
    world->plan.power = POWER_NOTHING + choice.number % 4;
}

/* ---- Steps ---- */

static _Noreturn void die(enum death death)
{
    world->point_reached = true;
    if (death != DEATH_KILL) world->plan.power = POWER_NOTHING + (death - DEATH_POWER_NOTHING);
    crash_now(death != DEATH_KILL);
}

void exhaust_step(void)
{
    if (choice.kind == POINT_NONE || !world->running) return;
    passed.counts[POINT_STEP]++;
    if (choice.kind != POINT_STEP) return;
    if (passed.counts[POINT_STEP] == choice.number) {
        fire();
        die(choice.variant);
    }
    if (passed.fired && choice.again != 0 && passed.counts[POINT_STEP] == choice.number + choice.again) {
        passed.fired_again = true;
        die(choice.variant);
    }
}

void exhaust_serves(void)
{
    if (passed.fired && passed.steps_to_serve == 0)
        passed.steps_to_serve = passed.counts[POINT_STEP] - choice.number;
}

/* ---- Calls and memory ---- */

static bool reached(enum point point)
{
    if (choice.kind == POINT_NONE || !world->running) return false;
    if (++passed.counts[point] != choice.number || choice.kind != point) return false;
    fire();
    return true;
}

u32 call_errors(enum call call)
{
    u32 count = 0;
    while (count < ERRORS_MAX && calls[call].errors[count] != 0) count++;
    return count;
}

const char *call_text(enum call call) { return calls[call].text; }

static void call_note(enum call call)
{
    u64 number = passed.counts[POINT_CALL];
    if (number > passed.calls_max) {
        passed.calls_max = max_u64(4096, passed.calls_max * 2);
        passed.calls = world_grow(passed.calls, passed.calls_max);
    }
    passed.calls[number - 1] = (u8)call;
}

i32 exhaust_call(enum call call)
{
    if (choice.kind == POINT_NONE || !world->running) return 0;
    bool chosen = reached(POINT_CALL);
    call_note(call);
    if (!chosen) return 0;
    ASSERT(choice.variant < call_errors(call));
    passed.error = calls[call].errors[choice.variant];
    say("%s fails: %s", calls[call].text, passed.error < 0 ? strerror(-passed.error) : "a part only");
    return passed.error;
}

bool exhaust_memory(void)
{
    if (world == NULL || !reached(POINT_MEMORY)) return false;
    say("no memory");
    return true;
}

void exhaust_told(const char *reason)
{
    static const char *const things[] = {"log", "store", "/data", "ring", "listen", "signals"};
    if (!passed.fired || !world->point_reached || choice.kind == POINT_STEP) return;
    if (choice.kind == POINT_MEMORY) {
        if (strstr(reason, "memory") == NULL) violation("no memory, but the reason is: %s", reason);
        return;
    }
    if (passed.error < 0 && strstr(reason, strerror(-passed.error)) == NULL)
        violation("%s failed, but the reason is: %s", strerror(-passed.error), reason);
    for (u32 i = 0; i < ARRAY_COUNT(things); i++) {
        if (strstr(reason, things[i]) != NULL) return;
    }
    violation("a reason that names nothing: %s", reason);
}

/* ---- The ends that belong to the life ---- */

static bool tail_comes(void) { return choice.kind == POINT_TAIL && choice.number != 0 && !passed.fired; }

static u64 tail_ns(void)
{
    return max_u64(choice.number * world->plan.gap_ns, disk_log_written_ns() + QUIET_NS);
}

void exhaust_dead(void)
{
    if (choice.kind != POINT_TAIL || !passed.fired || passed.fired_again) return;
    passed.fired_again = true;
    disk_damage_tail(choice.variant == TAIL_NEWEST);
}

u64 exhaust_next_ns(void)
{
    if (choice.kind == POINT_NONE) return U64_NONE;
    if (tail_comes()) return tail_ns();
    const struct ending *ending = &choice.endings[passed.endings];
    return ending->how == ENDING_NONE ? U64_NONE : ending->at_ns;
}

void exhaust_time(void)
{
    if (tail_comes() && world->running && world->now_ns >= tail_ns()) {
        fire();
        die(DEATH_KILL);
    }
    if (world->now_ns < exhaust_next_ns() || !world->running) return;
    switch (choice.endings[passed.endings++].how) {
    case ENDING_STOP:
        world->stop_signal = true;
        return;
    case ENDING_KILL:
        die(DEATH_KILL);
    case ENDING_POWER:
        die(DEATH_POWER_EVEN);
    case ENDING_NONE:
        ASSERT(!"no end");
    }
}
