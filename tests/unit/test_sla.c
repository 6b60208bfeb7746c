/* SLA: which policy applies, when clocks run, and the cards. */
#include <criterion/criterion.h>

#include "tests/support/rig.h"

#define RUNS_OPEN (1u << TKD_STATE_NEW | 1u << TKD_STATE_OPEN)

static struct rig *desk(void)
{
    struct rig *rig = rig_create_small();
    rig->validate = true;
    rig_small_desk(rig);
    return rig;
}

static void policy(struct rig *rig, struct tkd_catalog_entry entry, u16 category, u16 channel, u16 tier)
{
    entry.kind = TKD_KIND_POLICY;
    rig_begin(rig, TKD_OP_CATALOG_APPLY);
    rig_add_bytes(rig, TKD_RECORD_catalog_entry, &entry,
                  (const void *const[]){(char[]){'p', (char)('0' + entry.id)}, 0, 0, &category, &channel, &tier},
                  (u32[]){2, 0, 0, category ? 2 : 0, channel ? 2 : 0, tier ? 2 : 0});
    cr_assert_eq(rig_run(rig), TKD_OK);
    cr_assert_eq(rig->results[0].status, TKD_OK);
    rig_settle(rig);
}

static struct tkd_catalog_entry resolution(u32 id, u64 target_ms, u64 yellow_ms)
{
    return (struct tkd_catalog_entry){.id = id,
                                      .order = id,
                                      .states_resolution = RUNS_OPEN,
                                      .states_first_reply = RUNS_OPEN,
                                      .yellow_ms = yellow_ms,
                                      .resolution_urgent_ms = target_ms / 2,
                                      .resolution_high_ms = target_ms,
                                      .resolution_normal_ms = target_ms,
                                      .resolution_low_ms = target_ms};
}

Test(sla, yellow_then_red_exactly_at_their_instants)
{
    struct rig *rig = desk();
    policy(rig, resolution(1, 1000, 300), 0, 0, 0);
    u64 begin_ms = rig->now_ms, id = rig_create_ticket(rig, 3, 0);
    rig_advance(rig, begin_ms + 699);
    cr_assert_eq(rig_events(rig, TKD_EVENT_CARD), 0);
    rig_advance(rig, begin_ms + 5000); /* both at once, each as of its instant */
    cr_assert_eq(rig_events(rig, TKD_EVENT_CARD), 2);
    const struct event_log *log = state_events_read(rig->state);
    const struct tkd_event *red = event_at(log, log->seq_next - 1), *yellow = event_at(log, log->seq_next - 2);
    cr_assert(yellow->b == TKD_CARD_YELLOW && yellow->time_ms == begin_ms + 700);
    cr_assert(red->b == TKD_CARD_RED && red->time_ms == begin_ms + 1000);
    cr_assert(red->a == TKD_CLOCK_RESOLUTION && red->c == 1 && red->d == TKD_PRIORITY_NORMAL && red->link == 1000);
    cr_assert_eq(rig_figure(rig, "breached_24x7.normal"), 1);
    rig_verb(rig, id, TKD_VERB_PEND, 0, NULL);
    rig_verb(rig, id, TKD_VERB_RESUME, 0, NULL);
    rig_advance(rig, begin_ms + 50000);
    cr_assert_eq(rig_events(rig, TKD_EVENT_CARD), 2, "once");
    rig_destroy(rig);
}

Test(sla, the_clock_stands_while_the_customer_is_waited_for)
{
    struct rig *rig = desk();
    policy(rig, resolution(1, 1000, 0), 0, 0, 0);
    u64 begin_ms = rig->now_ms, id = rig_create_ticket(rig, 3, 0);
    rig_advance(rig, begin_ms + 400);
    rig_verb(rig, id, TKD_VERB_PEND, 0, NULL);
    rig_advance(rig, begin_ms + 9000);
    rig_verb(rig, id, TKD_VERB_RESUME, 0, NULL);
    rig_advance(rig, begin_ms + 9100);
    rig_verb(rig, id, TKD_VERB_PAUSE, 0, NULL);
    rig_advance(rig, begin_ms + 20000);
    rig_verb(rig, id, TKD_VERB_CONTINUE, 0, NULL);
    rig_advance(rig, begin_ms + 20499);
    cr_assert_eq(rig_events(rig, TKD_EVENT_CARD), 0);
    rig_advance(rig, begin_ms + 20500);
    cr_assert_eq(rig_events(rig, TKD_EVENT_CARD), 1);
    rig_destroy(rig);
}

Test(sla, goes_on_after_a_reopen)
{
    struct rig *rig = desk();
    policy(rig, resolution(1, 1000, 0), 0, 0, 0);
    u64 begin_ms = rig->now_ms, id = rig_create_ticket(rig, 3, 0);
    rig_advance(rig, begin_ms + 999);
    rig_verb(rig, id, TKD_VERB_RESOLVE, 0, NULL);
    rig_advance(rig, begin_ms + 5000);
    rig_verb(rig, id, TKD_VERB_REOPEN, 0, NULL);
    cr_assert_eq(rig_events(rig, TKD_EVENT_CARD), 0);
    rig_advance(rig, begin_ms + 5001);
    cr_assert_eq(rig_last_event(rig, TKD_EVENT_CARD)->time_ms, begin_ms + 5001);
    rig_destroy(rig);
}

Test(sla, a_higher_priority_may_be_late_at_once)
{
    struct rig *rig = desk();
    policy(rig, resolution(1, 1000, 100), 0, 0, 0);
    u64 begin_ms = rig->now_ms, id = rig_create_ticket(rig, 3, 0);
    rig_advance(rig, begin_ms + 600);
    rig_verb(rig, id, TKD_VERB_PRIORITY, TKD_PRIORITY_URGENT, NULL);
    const struct tkd_event *card = rig_last_event(rig, TKD_EVENT_CARD);
    cr_assert(card->b == TKD_CARD_RED && card->time_ms == begin_ms + 600 && card->d == TKD_PRIORITY_URGENT);
    cr_assert_eq(rig_events(rig, TKD_EVENT_CARD), 1, "no yellow one after the fact");
    cr_assert_eq(rig_figure(rig, "breached_24x7.urgent"), 1);
    rig_destroy(rig);
}

Test(sla, the_first_reply_stops_for_good)
{
    struct rig *rig = desk();
    struct tkd_catalog_entry entry = {.id = 1, .states_first_reply = RUNS_OPEN, .first_reply_normal_ms = 500,
                                      .yellow_percent = 20};
    policy(rig, entry, 0, 0, 0);
    u64 begin_ms = rig->now_ms, late = rig_create_ticket(rig, 3, 0), quick = rig_create_ticket(rig, 3, 0);
    rig_advance(rig, begin_ms + 399);
    rig_verb(rig, quick, TKD_VERB_NOTE, 0, "not public");
    rig_verb(rig, quick, TKD_VERB_REPLY, 0, "hello");
    rig_advance(rig, begin_ms + 9000);
    cr_assert_eq(rig_events(rig, TKD_EVENT_CARD), 2);
    cr_assert_eq(rig_ticket(rig, late)->card_first_reply, TKD_CARD_RED);
    cr_assert_eq(rig_ticket(rig, quick)->card_first_reply, 0);
    cr_assert_eq(clock_ran_ms(&rig_ticket(rig, quick)->first_reply, rig->now_ms), 399);
    cr_assert_eq(rig_figure(rig, "breached_first_reply.normal"), 1);
    rig_destroy(rig);
}

Test(sla, the_first_policy_that_matches)
{
    struct rig *rig = desk();
    rig_channel(rig, 2, "phone");
    rig_tier(rig, 1, "gold");
    rig_category(rig, 1, "goods", 0);
    rig_category(rig, 2, "broken", 1);
    struct tkd_catalog_entry urgent = resolution(5, 100, 0);
    urgent.order = 0;
    urgent.priorities = 1u << TKD_PRIORITY_URGENT;
    policy(rig, urgent, 0, 0, 0);
    policy(rig, resolution(1, 100, 0), 1, 0, 0);
    policy(rig, resolution(2, 100, 0), 0, 2, 0);
    policy(rig, resolution(3, 100, 0), 0, 0, 1);
    struct tkd_ticket_create request = {.channel = 1, .queue = 3};
    u64 id = rig_create_with(rig, &request, "a", NULL).id;
    cr_assert_eq(rig_ticket(rig, id)->policy, 0);
    rig_verb(rig, id, TKD_VERB_CATEGORY, 2, NULL);
    cr_assert_eq(rig_ticket(rig, id)->policy, 1, "a category has those below it");
    rig_verb(rig, id, TKD_VERB_PRIORITY, TKD_PRIORITY_URGENT, NULL);
    cr_assert_eq(rig_ticket(rig, id)->policy, 5);
    request.channel = 2;
    cr_assert_eq(rig_ticket(rig, rig_create_with(rig, &request, "b", NULL).id)->policy, 2);
    struct tkd_customer_update tier = {.customer = 1, .tier = 1};
    rig_begin(rig, TKD_OP_CUSTOMER_UPDATE);
    rig_add(rig, TKD_RECORD_customer_update, &tier, NULL);
    cr_assert_eq(rig_run(rig), TKD_OK);
    request.channel = 1;
    cr_assert_eq(rig_ticket(rig, rig_create_with(rig, &request, "a", NULL).id)->policy, 3);
    rig_destroy(rig);
}

/* What has run stays; what is left follows the new target. */
Test(sla, an_edited_policy_recomputes_running_clocks)
{
    struct rig *rig = desk();
    policy(rig, resolution(1, 1000, 0), 0, 0, 0);
    u64 begin_ms = rig->now_ms, id = rig_create_ticket(rig, 3, 0);
    rig_advance(rig, begin_ms + 400);
    policy(rig, resolution(1, 2000, 0), 0, 0, 0);
    rig_advance(rig, begin_ms + 1999);
    cr_assert_eq(rig_events(rig, TKD_EVENT_CARD), 0);
    rig_advance(rig, begin_ms + 2000);
    cr_assert_eq(rig_events(rig, TKD_EVENT_CARD), 1);
    struct tkd_catalog_entry retired = resolution(1, 2000, 0);
    retired.retired = 1;
    policy(rig, retired, 0, 0, 0);
    cr_assert_eq(rig_ticket(rig, id)->policy, 0);
    cr_assert_eq(clock_ran_ms(&rig_ticket(rig, id)->resolution, rig->now_ms), 2000, "it runs on without a policy");
    rig_destroy(rig);
}

Test(sla, steps_have_their_own_deadline)
{
    struct rig *rig = desk();
    struct tkd_catalog_entry queue = {.id = 3, .strategy = TKD_STRATEGY_CLAIM, .step_ms = 100, .yellow_percent = 50};
    rig_entry(rig, TKD_KIND_QUEUE, &queue, "claims", NULL, NULL);
    u64 begin_ms = rig->now_ms, id = rig_create_ticket(rig, 3, 0);
    rig_advance(rig, begin_ms + 50);
    cr_assert_eq(rig_last_event(rig, TKD_EVENT_CARD)->a, TKD_CLOCK_STEP);
    cr_assert_eq(rig_last_event(rig, TKD_EVENT_CARD)->c, 3);
    rig_verb(rig, id, TKD_VERB_TRANSFER, 1, NULL);
    rig_advance(rig, begin_ms + 500);
    cr_assert_eq(rig_events(rig, TKD_EVENT_CARD), 1, "the station is over");
    rig_verb(rig, id, TKD_VERB_TRANSFER, 3, NULL);
    rig_advance(rig, begin_ms + 600);
    cr_assert_eq(rig_events(rig, TKD_EVENT_CARD), 3, "a new station begins anew");
    rig_destroy(rig);
}

/* (deadline, ticket) is the order, whatever the order of creation of the deadlines. */
Test(sla, deadlines_of_one_instant_fire_by_ticket)
{
    struct rig *rig = desk();
    policy(rig, resolution(1, 1000, 0), 0, 0, 0);
    for (u32 i = 0; i < 50; i++) rig_create_ticket(rig, 3, 0);
    for (u64 id = 50; id > 0; id--) {
        rig_verb(rig, id, TKD_VERB_PEND, 0, NULL);
        rig_verb(rig, id, TKD_VERB_RESUME, 0, NULL);
    }
    rig_advance(rig, rig->now_ms + 1000);
    const struct event_log *log = state_events_read(rig->state);
    u64 wanted = 1;
    for (u64 seq = log->seq_first; seq < log->seq_next; seq++)
        if (event_at(log, seq)->kind == TKD_EVENT_CARD) cr_assert_eq(event_at(log, seq)->ticket, wanted++);
    cr_assert_eq(wanted, 51);
    rig_destroy(rig);
}
