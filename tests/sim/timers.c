#include "core/desk.h"
#include "tests/sim/oracle.h"

bool timers_equal(const struct state *state, const struct state *other)
{
    u32 tasks = max_u32(state->tables[TABLE_TASK].row_last, other->tables[TABLE_TASK].row_last);
    for (u32 timer = 0; timer <= task_timer(state, tasks); timer++) {
        if (wheel_deadline(&state->wheel, timer) != wheel_deadline(&other->wheel, timer)) return false;
    }
    return true;
}
