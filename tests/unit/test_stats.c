/* Counters: what reports say is what the events say. */
#include <criterion/criterion.h>

#include "tests/support/workload.h"

static struct rig *desk(void)
{
    struct rig *rig = rig_create_small();
    rig->validate = true;
    rig_small_desk(rig);
    return rig;
}

static u64 counter(struct rig *rig, u32 dimension, u32 id, u64 hour_ms, enum stats_counter which)
{
    struct tkd_report request = {.dimension = dimension, .from_ms = hour_ms, .to_ms = hour_ms + 1};
    cr_assert_eq(rig_query(rig, TKD_OP_REPORT, TKD_RECORD_report, &request, NULL), TKD_OK);
    for (u32 i = 0; i < rig->rows_count; i++) {
        const struct tkd_report_row *row = rig_row(rig, i);
        cr_assert(row->hour_ms == hour_ms && row->dimension == dimension);
        if (row->id == id) return (&row->created)[which];
    }
    return 0;
}

Test(stats, every_dimension_of_the_ticket)
{
    struct rig *rig = desk();
    rig_category(rig, 1, "c", 0);
    rig_tier(rig, 1, "gold");
    struct tkd_ticket_create request = {.channel = 1, .queue = 3, .category = 1, .priority = TKD_PRIORITY_HIGH};
    rig_create_with(rig, &request, "a", NULL);
    struct tkd_customer_update tier = {.customer = 1, .tier = 1};
    rig_begin(rig, TKD_OP_CUSTOMER_UPDATE);
    rig_add(rig, TKD_RECORD_customer_update, &tier, NULL);
    cr_assert_eq(rig_run(rig), TKD_OK);
    rig_verb(rig, 1, TKD_VERB_ASSIGN, 2, NULL);
    rig_verb(rig, 1, TKD_VERB_REPLY, 0, "text");
    static const struct {
        u32 dimension, id, created;
    } rows[] = {{TKD_DIMENSION_DESK, 1, 1},     {TKD_DIMENSION_QUEUE, 3, 1},    {TKD_DIMENSION_AGENT, 2, 0},
                {TKD_DIMENSION_CHANNEL, 1, 1},  {TKD_DIMENSION_CATEGORY, 1, 1}, {TKD_DIMENSION_PRIORITY, 2, 1},
                {TKD_DIMENSION_TIER, 1, 0}};
    for (u32 i = 0; i < ARRAY_COUNT(rows); i++) {
        cr_assert_eq(counter(rig, rows[i].dimension, rows[i].id, 0, STATS_created), rows[i].created);
        cr_assert_eq(counter(rig, rows[i].dimension, rows[i].id, 0, STATS_replies), 1);
        cr_assert_eq(counter(rig, rows[i].dimension, rows[i].id, 0, STATS_first_replies), 1);
    }
    rig_destroy(rig);
}

Test(stats, each_hour_has_its_row)
{
    struct rig *rig = desk();
    rig_create_ticket(rig, 3, 0);
    rig_advance(rig, HOUR_MS - 1);
    rig_create_ticket(rig, 3, 0);
    rig_advance(rig, HOUR_MS);
    rig_create_ticket(rig, 3, 0);
    cr_assert_eq(counter(rig, TKD_DIMENSION_QUEUE, 3, 0, STATS_created), 2);
    cr_assert_eq(counter(rig, TKD_DIMENSION_QUEUE, 3, HOUR_MS, STATS_created), 1);
    struct tkd_report bad = {.dimension = TKD_DIMENSION_END};
    cr_assert_eq(rig_query(rig, TKD_OP_REPORT, TKD_RECORD_report, &bad, NULL), TKD_BAD_VALUE);
    bad.dimension = 0;
    cr_assert_eq(rig_query(rig, TKD_OP_REPORT, TKD_RECORD_report, &bad, NULL), TKD_BAD_VALUE);
    rig_destroy(rig);
}

Test(stats, the_time_to_solve)
{
    struct rig *rig = desk();
    u64 id = rig_create_ticket(rig, 3, 0);
    rig_verb(rig, id, TKD_VERB_ASSIGN, 1, NULL);
    rig_advance(rig, rig->now_ms + 70);
    rig_verb(rig, id, TKD_VERB_RESOLVE, 0, NULL);
    rig_verb(rig, id, TKD_VERB_REOPEN, 0, NULL);
    rig_advance(rig, rig->now_ms + 30);
    rig_verb(rig, id, TKD_VERB_CLOSE, 0, NULL);
    cr_assert_eq(counter(rig, TKD_DIMENSION_DESK, 1, 0, STATS_solves), 2);
    cr_assert_eq(counter(rig, TKD_DIMENSION_DESK, 1, 0, STATS_first_solves), 1);
    cr_assert_eq(counter(rig, TKD_DIMENSION_DESK, 1, 0, STATS_first_resolution_ms), 70);
    cr_assert_eq(counter(rig, TKD_DIMENSION_DESK, 1, 0, STATS_reopened), 1);
    cr_assert_eq(counter(rig, TKD_DIMENSION_DESK, 1, 0, STATS_closed), 1);
    cr_assert_eq(rig_figure(rig, "first_resolution_ms_sum"), 70);
    cr_assert_eq(rig_figure(rig, "full_resolution_ms_sum"), 100);
    cr_assert_eq(rig_figure(rig, "solves"), 2);
    cr_assert_eq(rig_figure(rig, "tickets_ever_solved"), 1);
    rig_destroy(rig);
}

/* ---- A random day: the desk's counters, hour by hour, recounted from the events ---- */

#define HOURS_MAX 4000u

static u64 recount[HOURS_MAX][STATS_COUNTERS];

static void count_state(u64 *hour, const struct tkd_event *event)
{
    bool solve = (event->c == TKD_VERB_RESOLVE || event->c == TKD_VERB_CLOSE) && state_unsolved(event->a);
    hour[STATS_solves] += solve;
    hour[STATS_closed] += event->b == TKD_STATE_CLOSED;
    hour[STATS_cancelled] += event->b == TKD_STATE_CANCELLED;
    hour[STATS_reopened] += event->a >= TKD_STATE_RESOLVED && event->b == TKD_STATE_OPEN;
}

static void count_event(u64 *hour, const struct tkd_event *event)
{
    static const enum stats_counter cards[TKD_CLOCK_END][TKD_CARD_END] = {
        {0, 0, 0},
        {0, STATS_yellow_first_reply, STATS_red_first_reply},
        {0, STATS_yellow_resolution, STATS_red_resolution},
        {0, STATS_yellow_step, STATS_red_step}};
    switch (event->kind) {
    case TKD_EVENT_CREATED: hour[STATS_created]++, hour[STATS_entered]++; break;
    case TKD_EVENT_TRANSFERRED:
        hour[STATS_transferred]++, hour[STATS_entered]++;
        hour[STATS_assigned] += event->c != 0;
        break;
    case TKD_EVENT_ASSIGNED: hour[STATS_assigned]++; break;
    case TKD_EVENT_ROUTED: hour[STATS_assigned]++, hour[STATS_routed]++; break;
    case TKD_EVENT_URGED: hour[STATS_urged]++; break;
    case TKD_EVENT_REPLIED: hour[STATS_replies]++, hour[STATS_first_replies] += event->a; break;
    case TKD_EVENT_MESSAGE: hour[STATS_messages]++; break;
    case TKD_EVENT_CARD: hour[cards[event->a][event->b]]++; break;
    case TKD_EVENT_STATE: count_state(hour, event); break;
    default: break;
    }
}

Test(stats, equal_to_a_recount_of_the_events)
{
    static const enum stats_counter compared[] = {
        STATS_created, STATS_entered, STATS_assigned, STATS_routed, STATS_transferred, STATS_solves, STATS_closed,
        STATS_cancelled, STATS_reopened, STATS_urged, STATS_replies, STATS_first_replies, STATS_messages,
        STATS_yellow_first_reply, STATS_red_first_reply, STATS_yellow_resolution, STATS_red_resolution,
        STATS_yellow_step, STATS_red_step};
    struct workload *workload = workload_create(77);
    for (u32 step = 0; step < 4000; step++) workload_step(workload);
    struct rig *rig = workload->rig;
    const struct event_log *log = state_events_read(rig->state);
    cr_assert_eq(log->seq_first, 1);
    for (u64 seq = 1; seq < log->seq_next; seq++) {
        const struct tkd_event *event = event_at(log, seq);
        cr_assert_lt(event->time_ms / HOUR_MS, HOURS_MAX);
        count_event(recount[event->time_ms / HOUR_MS], event);
    }
    struct tkd_report request = {.dimension = TKD_DIMENSION_DESK};
    u64 total[STATS_COUNTERS] = {0};
    do {
        cr_assert_eq(rig_query(rig, TKD_OP_REPORT, TKD_RECORD_report, &request, NULL), TKD_OK);
        for (u32 i = 0; i < rig->rows_count; i++) {
            const struct tkd_report_row *row = rig_row(rig, i);
            for (u32 j = 0; j < ARRAY_COUNT(compared); j++) {
                u64 *wanted = &recount[row->hour_ms / HOUR_MS][compared[j]];
                u64 value = (&row->created)[compared[j]];
                cr_assert_eq(value, *wanted, "hour %lu counter %u", row->hour_ms / HOUR_MS, compared[j]);
                total[compared[j]] += value;
                *wanted = 0;
            }
        }
        request.cursor = rig->cursor;
    } while (request.cursor != 0);
    for (u32 hour = 0; hour < HOURS_MAX; hour++)
        for (u32 j = 0; j < ARRAY_COUNT(compared); j++) cr_assert_eq(recount[hour][compared[j]], 0);
    for (u32 j = 0; j < ARRAY_COUNT(compared); j++) cr_assert_gt(total[compared[j]], 0, "counter %u", compared[j]);
    cr_assert_eq(total[STATS_created], rig_figure(rig, "tickets"));
    cr_assert_eq(total[STATS_solves], rig_figure(rig, "solves"));
    cr_assert_eq(total[STATS_reopened], rig_figure(rig, "reopens"));
    workload_destroy(workload);
}
