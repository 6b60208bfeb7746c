/* Routing: who is chosen, who waits, and why an event says so. */
#include <criterion/criterion.h>

#include "tests/support/rig.h"

static struct rig *desk(void)
{
    struct rig *rig = rig_create_small();
    rig->validate = true;
    rig_small_desk(rig);
    return rig;
}

static void online(struct rig *rig, u32 agent) { cr_assert_eq(rig_presence(rig, agent, TKD_PRESENCE_ONLINE), TKD_OK); }

static u32 rule(const struct rig *rig, u32 kind) { return rig_last_event(rig, kind)->c; }

Test(route, least_loaded_then_longest_idle)
{
    struct rig *rig = desk();
    online(rig, 1);
    online(rig, 2);
    u64 a = rig_create_ticket(rig, 1, 0), b = rig_create_ticket(rig, 1, 0);
    cr_assert_eq(rig_holder(rig, a), 1, "neither was ever assigned: the lower id");
    cr_assert_eq(rig_holder(rig, b), 2);
    const struct tkd_event *why = rig_last_event(rig, TKD_EVENT_ROUTED);
    cr_assert_eq(why->a, 2);
    cr_assert_eq(why->b, 2, "two were eligible");
    cr_assert_eq(why->c, TKD_RULE_LEAST_LOADED);
    cr_assert_eq(why->d, 0);
    rig_verb(rig, b, TKD_VERB_RESOLVE, 0, NULL);
    u64 c = rig_create_ticket(rig, 1, 0);
    cr_assert_eq(rig_holder(rig, c), 2, "the load counts before the idleness");
    rig_destroy(rig);
}

Test(route, longest_idle_whatever_the_load)
{
    struct rig *rig = desk();
    online(rig, 1);
    online(rig, 2);
    u64 a = rig_create_ticket(rig, 2, 0), b = rig_create_ticket(rig, 2, 0);
    rig_verb(rig, b, TKD_VERB_RESOLVE, 0, NULL);
    u64 c = rig_create_ticket(rig, 2, 0);
    cr_assert_eq(rig_holder(rig, a), 1);
    cr_assert_eq(rig_holder(rig, c), 1);
    cr_assert_eq(rule(rig, TKD_EVENT_ROUTED), TKD_RULE_LONGEST_IDLE);
    rig_destroy(rig);
}

Test(route, claims_are_claimed)
{
    struct rig *rig = desk();
    online(rig, 1);
    u64 id = rig_create_ticket(rig, 3, 0);
    cr_assert_eq(rig_holder(rig, id), 0);
    cr_assert_eq(rule(rig, TKD_EVENT_WAITING), TKD_RULE_CLAIM);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_CLAIM, 2, NULL).status, TKD_NOT_ELIGIBLE, "she is away");
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_CLAIM, 1, NULL).status, TKD_OK);
    cr_assert_eq(rig_holder(rig, id), 1);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_CLAIM, 1, NULL).status, TKD_UNCHANGED);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_CLAIM, 2, NULL).status, TKD_ALREADY_ASSIGNED);
    rig_agent(rig, 5, "Eve", 1, (u16[]){1, 0}, NULL);
    online(rig, 5);
    rig_verb(rig, id, TKD_VERB_RELEASE, 0, NULL);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_CLAIM, 5, NULL).status, TKD_NOT_A_MEMBER);
    rig_destroy(rig);
}

Test(route, capacity_presence_skills_and_membership)
{
    struct rig *rig = desk();
    rig_skill(rig, 1, "French");
    rig_queue(rig, 4, "in French", TKD_STRATEGY_LEAST_LOADED, 1);
    online(rig, 1);
    u64 french = rig_create_ticket(rig, 4, 0);
    cr_assert_eq(rig_holder(rig, french), 0);
    cr_assert_eq(rule(rig, TKD_EVENT_WAITING), TKD_RULE_NOBODY_ELIGIBLE);
    rig_agent(rig, 6, "Flo", 1, (u16[]){4, 0}, (u16[]){1, 0});
    cr_assert_eq(rig_holder(rig, french), 0, "away");
    online(rig, 6);
    cr_assert_eq(rig_holder(rig, french), 6);
    u64 second = rig_create_ticket(rig, 4, 0);
    cr_assert_eq(rig_holder(rig, second), 0, "full");
    rig_agent(rig, 6, "Flo", 2, (u16[]){4, 0}, (u16[]){1, 0});
    cr_assert_eq(rig_holder(rig, second), 6, "more capacity drains");
    u64 third = rig_create_ticket(rig, 4, 0);
    rig_agent(rig, 1, "Ada", 1, NULL, (u16[]){1, 0});
    cr_assert_eq(rig_holder(rig, third), 1, "a new skill drains");
    u64 plain = rig_create_ticket(rig, 1, 0);
    cr_assert_eq(rig_holder(rig, plain), 0, "Ada is full, Flo no member");
    rig_destroy(rig);
}

Test(route, freed_capacity_serves_the_line_in_its_order)
{
    struct rig *rig = desk();
    online(rig, 1);
    u64 held[2] = {rig_create_ticket(rig, 1, 0), rig_create_ticket(rig, 1, 0)};
    u64 normal = rig_create_ticket(rig, 1, TKD_PRIORITY_NORMAL);
    u64 urgent = rig_create_ticket(rig, 2, TKD_PRIORITY_URGENT);
    rig_verb(rig, held[0], TKD_VERB_PEND, 0, NULL);
    cr_assert_eq(rig_holder(rig, urgent), 1, "over all queues");
    cr_assert_eq(rig_holder(rig, normal), 0);
    cr_assert_eq(rule(rig, TKD_EVENT_ROUTED), TKD_RULE_FREED_CAPACITY);
    rig_verb(rig, held[1], TKD_VERB_PAUSE, 0, NULL);
    cr_assert_eq(rig_holder(rig, normal), 1);
    rig_destroy(rig);
}

/* A task that its agent passes on comes behind those who wait for that agent already. */
Test(route, transfer_does_not_overtake)
{
    struct rig *rig = desk();
    rig_agent(rig, 1, "Ada", 1, NULL, NULL);
    online(rig, 1);
    u64 held = rig_create_ticket(rig, 1, TKD_PRIORITY_NORMAL);
    rig_advance(rig, rig->now_ms + 5);
    u64 waits = rig_create_ticket(rig, 1, TKD_PRIORITY_NORMAL);
    rig_advance(rig, rig->now_ms + 5);
    rig_verb(rig, held, TKD_VERB_TRANSFER, 2, NULL);
    cr_assert_eq(rig_holder(rig, waits), 1);
    cr_assert_eq(rig_holder(rig, held), 0);
    rig_destroy(rig);
}

Test(route, transfer_of_a_more_urgent_one_goes_first)
{
    struct rig *rig = desk();
    rig_agent(rig, 1, "Ada", 1, NULL, NULL);
    online(rig, 1);
    u64 held = rig_create_ticket(rig, 1, TKD_PRIORITY_URGENT), waits = rig_create_ticket(rig, 1, TKD_PRIORITY_NORMAL);
    rig_verb(rig, held, TKD_VERB_TRANSFER, 2, NULL);
    cr_assert_eq(rig_holder(rig, waits), 0);
    cr_assert_eq(rig_holder(rig, held), 1);
    rig_destroy(rig);
}

/* Who releases a ticket gets another one, not the same again, and the ticket goes to the end of the line. */
Test(route, release_frees_the_agent_for_others)
{
    struct rig *rig = desk();
    rig_agent(rig, 1, "Ada", 1, NULL, NULL);
    online(rig, 1);
    u64 held = rig_create_ticket(rig, 1, TKD_PRIORITY_URGENT), waits = rig_create_ticket(rig, 1, TKD_PRIORITY_NORMAL);
    rig_advance(rig, rig->now_ms + 5);
    rig_verb(rig, held, TKD_VERB_RELEASE, 0, NULL);
    cr_assert_eq(rig_holder(rig, waits), 1);
    cr_assert_eq(rig_holder(rig, held), 0);
    rig_verb(rig, waits, TKD_VERB_RELEASE, 0, NULL);
    cr_assert_eq(rig_holder(rig, held), 1);
    cr_assert_eq(rig_holder(rig, waits), 0);
    online(rig, 2);
    cr_assert_eq(rig_holder(rig, waits), 2);
    rig_destroy(rig);
}

Test(route, reopened_goes_back_to_who_had_it)
{
    struct rig *rig = desk();
    online(rig, 1);
    online(rig, 2);
    u64 id = rig_create_ticket(rig, 1, 0);
    cr_assert_eq(rig_holder(rig, id), 1);
    u64 other = rig_create_ticket(rig, 1, 0);
    rig_verb(rig, id, TKD_VERB_RESOLVE, 0, NULL);
    rig_verb(rig, other, TKD_VERB_RESOLVE, 0, NULL);
    rig_verb(rig, other, TKD_VERB_REOPEN, 0, NULL);
    cr_assert_eq(rig_holder(rig, other), 2);
    cr_assert_eq(rule(rig, TKD_EVENT_ROUTED), TKD_RULE_PREVIOUS_AGENT);
    rig_presence(rig, 1, TKD_PRESENCE_OFFLINE);
    rig_verb(rig, id, TKD_VERB_REOPEN, 0, NULL);
    cr_assert_eq(rig_holder(rig, id), 2, "never back to somebody who is away");
    rig_destroy(rig);
}

Test(route, no_routing_leaves_it_to_the_caller)
{
    struct rig *rig = desk();
    online(rig, 1);
    struct tkd_ticket_create request = {.channel = 1, .queue = 1, .no_routing = 1};
    u64 id = rig_create_with(rig, &request, "a", NULL).id;
    cr_assert_eq(rig_holder(rig, id), 0);
    cr_assert_eq(rule(rig, TKD_EVENT_WAITING), TKD_RULE_NO_ROUTING);
    online(rig, 2);
    cr_assert_eq(rig_holder(rig, id), 0);
    rig_verb(rig, id, TKD_VERB_ASSIGN, 3, NULL);
    cr_assert_eq(rig_holder(rig, id), 3, "also to somebody who is away");
    rig_destroy(rig);
}

Test(route, no_routing_does_not_reopen_to_who_was_retired)
{
    struct rig *rig = desk();
    struct tkd_ticket_create request = {.channel = 1, .queue = 1, .no_routing = 1};
    struct tkd_catalog_entry agent = {.id = 3, .capacity = 2, .all_queues = 1};
    u64 id = rig_create_with(rig, &request, "a", NULL).id;
    for (agent.retired = 0; agent.retired < 2; agent.retired++) {
        rig_verb(rig, id, TKD_VERB_ASSIGN, 3, NULL);
        rig_verb(rig, id, TKD_VERB_RESOLVE, 0, NULL);
        rig_entry(rig, TKD_KIND_AGENT, &agent, "Cleo", NULL, NULL);
        cr_assert_eq(rig_verb(rig, id, TKD_VERB_REOPEN, 0, NULL).status, TKD_OK);
        cr_assert_eq(rig_holder(rig, id), agent.retired ? 0 : 3);
    }
    rig_destroy(rig);
}

/* What an event has room for. */
Test(route, a_wait_of_many_weeks_does_not_wrap)
{
    struct rig *rig = desk();
    rig_create_ticket(rig, 1, 0);
    rig_advance(rig, rig->now_ms + (u64)50 * 24 * 3600 * 1000);
    online(rig, 1);
    cr_assert_eq(rig_last_event(rig, TKD_EVENT_ROUTED)->e, UINT32_MAX);
    rig_destroy(rig);
}

Test(route, presence_is_checked_and_reported)
{
    struct rig *rig = desk();
    cr_assert_eq(rig_presence(rig, 99, TKD_PRESENCE_ONLINE), TKD_UNKNOWN_AGENT);
    cr_assert_eq(rig_presence(rig, 1, 0), TKD_BAD_VALUE);
    cr_assert_eq(rig_presence(rig, 1, TKD_PRESENCE_END), TKD_BAD_VALUE);
    cr_assert_eq(rig_presence(rig, 1, TKD_PRESENCE_OFFLINE), TKD_UNCHANGED);
    online(rig, 1);
    cr_assert_eq(rig_last_event(rig, TKD_EVENT_PRESENCE)->b, TKD_PRESENCE_ONLINE);
    rig_destroy(rig);
}

/* A returning agent takes more than one command may hand out: the rest comes with PULSEs, newcomers wait. */
Test(route, a_long_drain_goes_on_and_nobody_overtakes)
{
    struct rig *rig = desk();
    rig->validate = false;
    rig_agent(rig, 5, "everything", 0, NULL, NULL);
    struct tkd_ticket_create request = {.channel = 1, .queue = 1};
    for (u32 done = 0; done < 2 * DRAIN_MAX; done += 500) {
        rig_begin(rig, TKD_OP_TICKET_CREATE);
        for (u32 i = 0; i < 500; i++)
            rig_add(rig, TKD_RECORD_ticket_create, &request, (const char *const[]){"a", 0, 0, 0, 0, 0});
        cr_assert_eq(rig_run(rig), TKD_OK);
    }
    u64 last = desk_row(rig->state)->tickets;
    struct tkd_agent_presence presence = {.agent = 5, .presence = TKD_PRESENCE_ONLINE};
    rig_begin(rig, TKD_OP_AGENT_PRESENCE);
    rig_add(rig, TKD_RECORD_agent_presence, &presence, NULL);
    presence.agent = 1;
    rig_add(rig, TKD_RECORD_agent_presence, &presence, NULL);
    cr_assert_eq(rig_run(rig), TKD_OK);
    cr_assert(route_pending(&rig->state->route));
    cr_assert_eq(rig->state->route.load[5], DRAIN_MAX);
    cr_assert_eq(rig->state->route.load[1], 0);
    cr_assert_eq(state_due(rig->state, rig->now_ms), 0);
    /* Applied without the PULSEs that would come first, as when they are not due in this turn. */
    struct tkd_ticket_create newcomer = {.channel = 1, .queue = 1};
    rig_begin(rig, TKD_OP_TICKET_CREATE);
    rig_add(rig, TKD_RECORD_ticket_create, &newcomer, (const char *const[]){"b", 0, 0, 0, 0, 0});
    struct command command = {.op = state_op(rig->state) + 1, .time_ms = rig->now_ms, .frame = rig_frame(rig)};
    state_apply(rig->state, &command, rig->results);
    cr_assert_eq(rig_holder(rig, rig->results[0].id), 0);
    cr_assert_eq(rule(rig, TKD_EVENT_WAITING), TKD_RULE_BEHIND_OTHERS);
    rig_settle(rig);
    cr_assert_not(route_pending(&rig->state->route));
    for (u64 id = 1; id <= last + 1; id++) cr_assert_neq(rig_holder(rig, id), 0);
    state_validate(rig->state);
    rig_destroy(rig);
}

/* More tasks than a rank can hold apart: still somebody, and the one with less. */
Test(route, huge_loads_do_not_wrap)
{
    struct rig *rig = desk();
    rig_agent(rig, 5, "a", 0, (u16[]){1, 0}, NULL);
    rig_agent(rig, 6, "b", 0, (u16[]){1, 0}, NULL);
    online(rig, 5);
    online(rig, 6);
    rig->state->route.load[5] = (u32)UINT16_MAX + 1;
    rig->state->route.load[6] = 10;
    rig->validate = false;
    route_refresh(rig->state, 5);
    route_refresh(rig->state, 6);
    cr_assert_eq(rig_holder(rig, rig_create_ticket(rig, 1, 0)), 6);
    rig_destroy(rig);
}

/* Who gives a ticket back is not offered it again at once; but nobody newer goes before it. */
Test(route, what_was_given_back_is_not_overtaken)
{
    struct rig *rig = rig_create_small();
    rig_small_desk(rig);
    rig_presence(rig, 1, TKD_PRESENCE_ONLINE);
    u64 urgent = rig_create_ticket(rig, 1, TKD_PRIORITY_URGENT);
    cr_assert_eq(rig_verb(rig, urgent, TKD_VERB_RELEASE, 0, NULL).status, TKD_OK);
    cr_assert_eq(rig_holder(rig, urgent), 0);
    u64 low = rig_create_ticket(rig, 1, TKD_PRIORITY_LOW);
    cr_assert_eq(rig_holder(rig, urgent), 1);
    cr_assert_eq(rig_holder(rig, low), 1, "there is capacity for both");
    rig_destroy(rig);
}

/* A queue that begins to route spreads what waits over its agents, by its strategy. */
Test(route, a_reopened_one_does_not_overtake_what_was_given_back)
{
    struct rig *rig = rig_create_small();
    rig_small_desk(rig);
    rig_agent(rig, 5, "Eve", 1, NULL, NULL);
    online(rig, 5);
    u64 done = rig_create_ticket(rig, 1, 0);
    rig_verb(rig, done, TKD_VERB_RESOLVE, 0, NULL);
    u64 back = rig_create_ticket(rig, 1, 0);
    rig_verb(rig, back, TKD_VERB_RELEASE, 0, NULL);
    cr_assert_eq(rig_holder(rig, back), 0, "not offered again to who has just released it");
    rig_advance(rig, rig->now_ms + 1);
    rig_verb(rig, done, TKD_VERB_REOPEN, 0, NULL);
    cr_assert_eq(rig_holder(rig, back), 5, "it waited first");
    cr_assert_eq(rig_holder(rig, done), 0);
    cr_assert_eq(rule(rig, TKD_EVENT_WAITING), TKD_RULE_NOBODY_ELIGIBLE);
    rig_destroy(rig);
}

/* The first choice takes what it had given back and is full; the next choice has given something back, too. */
Test(route, nobody_overtakes_at_the_second_choice)
{
    struct rig *rig = rig_create_small();
    rig_small_desk(rig);
    rig_queue(rig, 4, "of Eve", TKD_STRATEGY_LEAST_LOADED, 0);
    rig_queue(rig, 5, "of Fay", TKD_STRATEGY_LEAST_LOADED, 0);
    rig_queue(rig, 6, "of both", TKD_STRATEGY_LEAST_LOADED, 0);
    rig_agent(rig, 5, "Eve", 1, (u16[]){4, 6, 0}, NULL);
    rig_agent(rig, 6, "Fay", 1, (u16[]){5, 6, 0}, NULL);
    online(rig, 5);
    online(rig, 6);
    u64 a = rig_create_ticket(rig, 4, 0), b = rig_create_ticket(rig, 5, 0);
    rig_verb(rig, a, TKD_VERB_RELEASE, 0, NULL);
    rig_verb(rig, b, TKD_VERB_RELEASE, 0, NULL);
    rig_advance(rig, rig->now_ms + 1);
    u64 c = rig_create_ticket(rig, 6, 0);
    cr_assert_eq(rig_holder(rig, a), 5);
    cr_assert_eq(rig_holder(rig, b), 6);
    cr_assert_eq(rig_holder(rig, c), 0);
    rig_destroy(rig);
}

Test(route, a_drain_follows_the_strategy)
{
    struct rig *rig = rig_create_small();
    rig_small_desk(rig);
    for (u32 agent = 1; agent <= 4; agent++) rig_presence(rig, agent, TKD_PRESENCE_ONLINE);
    for (u32 i = 0; i < 4; i++) rig_create_ticket(rig, 3, 0);
    rig_queue(rig, 3, "claims", TKD_STRATEGY_LEAST_LOADED, 0);
    for (u32 agent = 1; agent <= 4; agent++) cr_assert_eq(rig->state->route.load[agent], 1);
    rig_destroy(rig);
}

/* While a drain goes on a newcomer waits behind it; then those are asked who may take it: members with its skills,
 * wherever their bits lie, but not the one who has just given it back. */
Test(route, newcomers_behind_a_drain_find_whom_they_need)
{
    struct rig *rig = desk();
    rig->validate = false;
    rig_skill(rig, 1, "French");
    rig_queue(rig, 4, "calls", TKD_STRATEGY_LEAST_LOADED, 1);
    rig_agent(rig, 5, "everything", 0, (u16[]){1, 0}, NULL);
    rig_agent(rig, 70, "Zoé", 0, (u16[]){2, 4, 0}, (u16[]){1, 0});
    rig_agent(rig, 200, "Yan", 0, (u16[]){4, 0}, NULL);
    online(rig, 70);
    online(rig, 200);
    u64 given_back = rig_create_ticket(rig, 2, 0);
    cr_assert_eq(rig_holder(rig, given_back), 70);
    struct tkd_ticket_create request = {.channel = 1, .queue = 1};
    for (u32 done = 0; done < 2 * DRAIN_MAX; done += 500) {
        rig_begin(rig, TKD_OP_TICKET_CREATE);
        for (u32 i = 0; i < 500; i++)
            rig_add(rig, TKD_RECORD_ticket_create, &request, (const char *const[]){"a", 0, 0, 0, 0, 0});
        cr_assert_eq(rig_run(rig), TKD_OK);
    }
    struct tkd_agent_presence presence = {.agent = 5, .presence = TKD_PRESENCE_ONLINE};
    rig_begin(rig, TKD_OP_AGENT_PRESENCE);
    rig_add(rig, TKD_RECORD_agent_presence, &presence, NULL);
    cr_assert_eq(rig_run(rig), TKD_OK);
    cr_assert(route_pending(&rig->state->route));
    /* Both are applied before the drain goes on. */
    request.queue = 4;
    rig_begin(rig, TKD_OP_TICKET_CREATE);
    rig_add(rig, TKD_RECORD_ticket_create, &request, (const char *const[]){"b", 0, 0, 0, 0, 0});
    struct command command = {.op = state_op(rig->state) + 1, .time_ms = rig->now_ms, .frame = rig_frame(rig)};
    state_apply(rig->state, &command, rig->results);
    u64 call = rig->results[0].id;
    cr_assert_eq(rule(rig, TKD_EVENT_WAITING), TKD_RULE_BEHIND_OTHERS);
    rig_begin(rig, TKD_OP_TICKET_UPDATE);
    rig_add(rig, TKD_RECORD_ticket_update, &(struct tkd_ticket_update){.kind = TKD_VERB_RELEASE, .ticket = given_back},
            NULL);
    command.op++;
    state_apply(rig->state, &command, rig->results);
    cr_assert_eq(rig->results[0].status, TKD_OK);
    rig_settle(rig);
    cr_assert_not(route_pending(&rig->state->route));
    cr_assert_eq(rig_holder(rig, call), 70);
    cr_assert_eq(rig_holder(rig, 1 + DRAIN_MAX), 5);
    state_validate(rig->state);
    rig_destroy(rig);
}
