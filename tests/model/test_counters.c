/* Counters without room for another hour: the spare rows take them, and nothing else is different. And sums: they are
 * what their hours say. */
#include <criterion/criterion.h>

#include "base/prng.h"
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

/* ---- Sums: what the hours of the period say, whatever happens between two pages ---- */

#define MEMBERS 8u
#define COUNTERS ((sizeof(struct tkd_report_row) - offsetof(struct tkd_report_row, created)) / sizeof(u64))

static void hour_passes(struct rig *rig, struct prng *prng)
{
    rig_advance(rig, rig->now_ms + prng_below(prng, 3) * HOUR_MS / 2);
    for (u64 tickets = 1 + prng_below(prng, 4); tickets > 0; tickets--) {
        u64 id = rig_create_ticket(rig, 1 + (u32)prng_below(prng, 3), 1 + (u32)prng_below(prng, 4));
        if (prng_chance(prng, 1, 2)) rig_verb(rig, id, TKD_VERB_ASSIGN, 1 + (u32)prng_below(prng, 4), NULL);
    }
}

/* All pages by member, each with its first hour; `prng`: more is counted between two of them. Returns how many of them
 * ended among the sums of blocks. */
static u32 read_period(struct rig *rig, struct tkd_report request, struct prng *prng, struct tkd_report_row *members)
{
    u32 among_blocks = 0;
    memset(members, 0, MEMBERS * sizeof *members);
    do {
        cr_assert_eq(rig_query(rig, TKD_OP_REPORT, TKD_RECORD_report, &request, NULL), TKD_OK);
        cr_assert(rig->cursor == 0 || rig->cursor > request.cursor);
        request.cursor = rig->cursor;
        among_blocks += (u16)(request.cursor >> 16) != 0;
        for (u32 i = 0; i < rig->rows_count; i++) {
            const struct tkd_report_row *row = rig_row(rig, i);
            struct tkd_report_row *member = &members[row->id];
            cr_assert(row->dimension == request.dimension && row->id > 0 && row->id < MEMBERS);
            if (member->id == 0) member->hour_ms = row->hour_ms;
            member->id = row->id;
            member->hour_ms = min_u64(member->hour_ms, row->hour_ms);
            for (u32 j = 0; j < COUNTERS; j++) (&member->created)[j] += (&row->created)[j];
        }
        if (prng != NULL && prng_chance(prng, 1, 2)) hour_passes(rig, prng);
    } while (request.cursor != 0);
    return among_blocks;
}

Test(counters, sums_are_their_hours)
{
    u32 among_blocks = 0;
    for (u64 seed = 1; seed <= 60; seed++) {
        struct prng prng = prng_seeded(seed);
        struct rig *rig = rig_create_small();
        rig->validate = true;
        rig_small_desk(rig);
        while (rig->state->tables[TABLE_STATS].row_last < STATS_MAX / 2) hour_passes(rig, &prng);
        for (u32 i = 0; i < 15; i++) {
            struct tkd_report_row hours[MEMBERS], sums[MEMBERS];
            struct tkd_report request = {.dimension = 1 + (u32)prng_below(&prng, TKD_DIMENSION_END - 1)};
            /* The hour that has passed is not in the sums until something is counted in the next one. */
            if (prng_chance(&prng, 1, 2)) rig_advance(rig, rig->now_ms + HOUR_MS);
            u64 now_hour = rig->now_ms / HOUR_MS;
            request.from_ms = prng_below(&prng, now_hour) * HOUR_MS;
            request.to_ms = request.from_ms + (1 + prng_below(&prng, now_hour - request.from_ms / HOUR_MS)) * HOUR_MS;
            if (prng_chance(&prng, 1, 2)) request.to_ms = now_hour * HOUR_MS; /* to what is not all in the sums */
            read_period(rig, request, NULL, hours);
            request.sum = 1;
            among_blocks += read_period(rig, request, &prng, sums);
            cr_assert_eq(memcmp(hours, sums, sizeof sums), 0, "seed %lu, period %u", seed, i);
            if (prng_chance(&prng, 1, 5)) rig_reload(rig);
        }
        rig_destroy(rig);
    }
    cr_assert_gt(among_blocks, 100, "%u", among_blocks);
}

/* A cursor among sums names a row that begins a block, and blocks that have their sums; nothing else is read. */
Test(counters, cursors_of_nobody)
{
    struct prng prng = prng_seeded(7);
    struct rig *rig = rig_create_small();
    rig_small_desk(rig);
    while (rig->state->tables[TABLE_STATS].row_last < STATS_MAX / 2) hour_passes(rig, &prng);
    u64 row = stats_block_row(2);
    u32 to = stats_blocks(rig->state, U32_NONE);
    const struct {
        u64 row;
        u32 to, sum;
        enum tkd_status status;
    } cursors[] = {{row, to, 1, TKD_OK},
                   {row, 3, 1, TKD_OK},
                   {row, 2, 1, TKD_BAD_VALUE},
                   {row, to + 1, 1, TKD_BAD_VALUE},
                   {row + 1, to, 1, TKD_BAD_VALUE},
                   {row, to, 0, TKD_BAD_VALUE},
                   {0, to, 1, TKD_BAD_VALUE},
                   {U32_NONE, to, 1, TKD_BAD_VALUE},
                   {U32_NONE, 0, 1, TKD_OK}};
    for (u32 i = 0; i < ARRAY_COUNT(cursors); i++) {
        struct tkd_report request = {.dimension = TKD_DIMENSION_AGENT, .sum = cursors[i].sum};
        request.cursor = cursors[i].row << 32 | cursors[i].to << 16 | UINT16_MAX;
        cr_assert_eq(rig_query(rig, TKD_OP_REPORT, TKD_RECORD_report, &request, NULL), cursors[i].status, "%u", i);
    }
    rig_destroy(rig);
}
