/* Counters without room for another hour: the spare rows take them, and nothing else is different. */
#include <criterion/criterion.h>

#include "tests/support/rig.h"

Test(counters, no_room_stops_nobody)
{
    struct rig *rig = rig_create_small();
    rig_small_desk(rig);
    rig_presence(rig, 1, TKD_PRESENCE_ONLINE);
    const struct table *stats = &rig->state->tables[TABLE_STATS];
    u64 created = 0;
    for (u64 hour = 1; created < 2 * STATS_MAX / 4; hour++) {
        rig_advance(rig, hour * HOUR_MS);
        u64 id = rig_create_ticket(rig, 1, 0);
        cr_assert_eq(rig_verb(rig, id, TKD_VERB_CLOSE, 0, NULL).status, TKD_OK);
        created++;
    }
    cr_assert_eq(table_free(stats), 0);
    cr_assert_eq(desk_row(rig->state)->solves, created);
    u64 counted = 0;
    for (u32 row = 1; row <= stats->row_last; row++)
        if (stats_dimension(stats_row(rig->state, row)) == TKD_DIMENSION_DESK)
            counted += stats_row(rig->state, row)->counters[STATS_created];
    cr_assert_eq(counted, created, "nothing is lost, only its hour");
    state_validate(rig->state);
    u64 digest = state_digest(rig->state, true);
    rig_replay(rig);
    cr_assert_eq(state_digest(rig->state, true), digest);
    rig_destroy(rig);
}
