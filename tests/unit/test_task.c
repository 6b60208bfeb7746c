/* Tasks: stations of a ticket, their times and outcomes. */
#include <criterion/criterion.h>

#include "tests/support/rig.h"

static struct rig *desk(void)
{
    struct rig *rig = rig_create_small();
    rig->validate = true;
    rig_small_desk(rig);
    return rig;
}

static const struct task *task_of(const struct rig *rig, u64 id)
{
    return task_row(rig->state, rig_ticket(rig, id)->task);
}

static u64 counter(const struct rig *rig, u32 dimension, u32 member, enum stats_counter which)
{
    u64 sum = 0;
    for (u32 row = 1; row <= rig->state->tables[TABLE_STATS].row_last; row++) {
        const struct stats *stats = stats_row(rig->state, row);
        if (stats->key != 0 && stats_dimension(stats) == dimension && stats_member(stats) == member)
            sum += stats->counters[which];
    }
    return sum;
}

Test(task, a_transfer_ends_one_station_and_begins_the_next)
{
    struct rig *rig = desk();
    u64 begin_ms = rig->now_ms, id = rig_create_ticket(rig, 3, 0);
    rig_verb(rig, id, TKD_VERB_ASSIGN, 1, NULL);
    rig_advance(rig, begin_ms + 100);
    rig_verb(rig, id, TKD_VERB_TRANSFER, 2, NULL);
    const struct tkd_event *closed = rig_last_event(rig, TKD_EVENT_TASK_CLOSED);
    cr_assert_eq(closed->a, 3);
    cr_assert_eq(closed->b, 1);
    cr_assert_eq(closed->c, TKD_OUTCOME_TRANSFERRED);
    cr_assert_eq(closed->link, begin_ms);
    cr_assert_eq(closed->station, 1);
    cr_assert_eq(task_of(rig, id)->station, 2);
    cr_assert_eq(task_of(rig, id)->queue, 2);
    cr_assert_eq(task_of(rig, id)->entered_ms, begin_ms + 100);
    cr_assert_eq(task_of(rig, id)->agent, 0);
    cr_assert_eq(counter(rig, TKD_DIMENSION_QUEUE, 3, STATS_handled_ms), 100);
    cr_assert_eq(counter(rig, TKD_DIMENSION_QUEUE, 3, STATS_transferred), 1);
    cr_assert_eq(counter(rig, TKD_DIMENSION_QUEUE, 2, STATS_entered), 1);
    rig_destroy(rig);
}

Test(task, outcomes)
{
    struct rig *rig = desk();
    static const struct {
        u32 verb, outcome;
    } ends[] = {{TKD_VERB_RESOLVE, TKD_OUTCOME_DONE},       {TKD_VERB_CLOSE, TKD_OUTCOME_DONE},
                {TKD_VERB_CANCEL, TKD_OUTCOME_CANCELLED},   {TKD_VERB_FORCE_END, TKD_OUTCOME_CANCELLED}};
    for (u32 i = 0; i < ARRAY_COUNT(ends); i++) {
        u64 id = rig_create_ticket(rig, 3, 0);
        rig_verb(rig, id, ends[i].verb, 0, "reason");
        cr_assert_eq(rig_last_event(rig, TKD_EVENT_TASK_CLOSED)->c, ends[i].outcome);
        cr_assert_eq(rig_ticket(rig, id)->task, 0);
    }
    rig_destroy(rig);
}

Test(task, a_reopen_is_a_station_but_no_entry)
{
    struct rig *rig = desk();
    u64 id = rig_create_ticket(rig, 3, 0);
    rig_verb(rig, id, TKD_VERB_RESOLVE, 0, NULL);
    rig_verb(rig, id, TKD_VERB_REOPEN, 0, NULL);
    cr_assert_eq(rig_ticket(rig, id)->stations, 2);
    cr_assert_eq(tally_row(rig->state, 3)->entries, 1);
    cr_assert_eq(counter(rig, TKD_DIMENSION_QUEUE, 3, STATS_entered), 1);
    rig_destroy(rig);
}

Test(task, without_routing_a_reopened_ticket_is_with_who_had_it)
{
    struct rig *rig = desk();
    struct tkd_ticket_create request = {.channel = 1, .queue = 3, .no_routing = 1};
    u64 id = rig_create_with(rig, &request, "a", NULL).id, never = rig_create_with(rig, &request, "a", NULL).id;
    rig_verb(rig, id, TKD_VERB_ASSIGN, 4, NULL);
    rig_verb(rig, id, TKD_VERB_CLOSE, 0, NULL);
    rig_verb(rig, id, TKD_VERB_REOPEN, 0, NULL);
    cr_assert_eq(rig_holder(rig, id), 4);
    rig_verb(rig, never, TKD_VERB_CLOSE, 0, NULL);
    rig_verb(rig, never, TKD_VERB_REOPEN, 0, NULL);
    cr_assert_eq(rig_holder(rig, never), 0);
    rig_destroy(rig);
}

Test(task, released_it_waits_as_if_it_had_just_entered)
{
    struct rig *rig = desk();
    u64 begin_ms = rig->now_ms, id = rig_create_ticket(rig, 3, 0);
    rig_verb(rig, id, TKD_VERB_ASSIGN, 1, NULL);
    rig_advance(rig, begin_ms + 50);
    rig_verb(rig, id, TKD_VERB_RELEASE, 0, NULL);
    cr_assert_eq(task_of(rig, id)->entered_ms, begin_ms + 50);
    cr_assert_eq(task_of(rig, id)->assigned_ms, 0);
    rig_advance(rig, begin_ms + 80);
    rig_verb(rig, id, TKD_VERB_ASSIGN, 2, NULL);
    cr_assert_eq(counter(rig, TKD_DIMENSION_AGENT, 1, STATS_handled_ms), 50);
    cr_assert_eq(counter(rig, TKD_DIMENSION_AGENT, 2, STATS_waited_ms), 30);
    rig_destroy(rig);
}

Test(task, everybody_who_had_it_has_handled_it)
{
    struct rig *rig = desk();
    u64 id = rig_create_ticket(rig, 3, 0);
    rig_verb(rig, id, TKD_VERB_ASSIGN, 1, NULL);
    rig_advance(rig, rig->now_ms + 10);
    rig_verb(rig, id, TKD_VERB_ASSIGN, 2, NULL);
    cr_assert_eq(rig_last_event(rig, TKD_EVENT_ASSIGNED)->b, 1);
    rig_advance(rig, rig->now_ms + 7);
    rig_verb(rig, id, TKD_VERB_RESOLVE, 0, NULL);
    cr_assert_eq(counter(rig, TKD_DIMENSION_AGENT, 1, STATS_handled_ms), 10);
    cr_assert_eq(counter(rig, TKD_DIMENSION_AGENT, 2, STATS_handled_ms), 7);
    cr_assert_eq(counter(rig, TKD_DIMENSION_DESK, 1, STATS_handled_ms), 17);
    cr_assert_eq(seat_row(rig->state, 2)->solves, 1);
    rig_destroy(rig);
}

Test(task, requires_the_skills_of_queue_category_and_ticket)
{
    struct rig *rig = desk();
    for (u32 i = 1; i <= 3; i++) rig_skill(rig, i, (char[]){(char)('a' + i), 0});
    rig_queue(rig, 4, "needs 1", TKD_STRATEGY_LEAST_LOADED, 1);
    rig_entry(rig, TKD_KIND_CATEGORY, &(struct tkd_catalog_entry){.id = 1}, "needs 2", (u16[]){2, 0}, NULL);
    struct tkd_ticket_create request = {.channel = 1, .queue = 4, .category = 1};
    u16 own[] = {3};
    rig_begin(rig, TKD_OP_TICKET_CREATE);
    rig_add_bytes(rig, TKD_RECORD_ticket_create, &request, (const void *const[]){"a", 0, 0, 0, 0, own},
                  (u32[]){1, 0, 0, 0, 0, 2});
    cr_assert_eq(rig_run(rig), TKD_OK);
    u64 id = rig->results[0].id;
    cr_assert_eq(skill_set_row(rig->state, task_of(rig, id)->skill_set)->skills[0], 0xe);
    rig_verb(rig, id, TKD_VERB_CATEGORY, 0, NULL);
    cr_assert_eq(skill_set_row(rig->state, task_of(rig, id)->skill_set)->skills[0], 0xa);
    rig_verb(rig, id, TKD_VERB_TRANSFER, 1, NULL);
    cr_assert_eq(skill_set_row(rig->state, task_of(rig, id)->skill_set)->skills[0], 0x8);
    rig_destroy(rig);
}
