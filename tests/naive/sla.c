/* Which policy, which clocks run, which cards are due and when. */
#include "tests/naive/desk.h"

#define STATES_ACTIVE (1u << TKD_STATE_NEW | 1u << TKD_STATE_OPEN) /* where clocks run without a policy */

/* ---- Clocks: sums over their past ---- */

u64 naive_clock_ran_ms(const struct naive_clock *clock, u64 now_ms)
{
    u64 ran_ms = 0;
    for (u32 i = 0; i < clock->count; i += 2)
        ran_ms += (i + 1 < clock->count ? clock->turns[i + 1] : now_ms) - clock->turns[i];
    return ran_ms;
}

u64 naive_clock_due_ms(const struct naive_clock *clock, u64 at_ms)
{
    u64 since_ms = clock->turns[clock->count - 1];
    return since_ms + sat_sub(at_ms, naive_clock_ran_ms(clock, since_ms));
}

static void clock_turn(struct naive *desk, struct naive_clock *clock, bool runs)
{
    if (runs == naive_clock_runs(clock)) return;
    if (clock->count == clock->room) {
        u32 room = clock->room == 0 ? 4 : clock->room * 2;
        u64 *larger = naive_alloc(desk, room * sizeof *larger);
        if (clock->count != 0) memcpy(larger, clock->turns, clock->count * sizeof *larger);
        clock->turns = larger;
        clock->room = room;
    }
    clock->turns[clock->count++] = desk->now_ms;
}

/* ---- Policies ---- */

static bool category_below(const struct naive *desk, u32 category, struct naive_ids categories)
{
    for (; category != 0; category = naive_entry(desk, TKD_KIND_CATEGORY, category)->head.parent)
        if (naive_listed(categories, category)) return true;
    return false;
}

static bool applies(const struct naive *desk, const struct naive_entry *policy, const struct naive_ticket *ticket)
{
    if (policy->head.retired) return false;
    if (policy->head.priorities != 0 && !(policy->head.priorities >> ticket->priority & 1)) return false;
    if (policy->channels.count != 0 && !naive_listed(policy->channels, ticket->channel)) return false;
    if (policy->categories.count != 0 && !category_below(desk, ticket->category, policy->categories)) return false;
    return policy->tiers.count == 0 || naive_listed(policy->tiers, naive_customer(desk, ticket->customer)->tier);
}

/* The first that applies, in their order. */
static u32 policy_for(const struct naive *desk, const struct naive_ticket *ticket)
{
    const struct naive_entries *policies = &desk->catalog.kinds[TKD_KIND_POLICY];
    const struct naive_entry *first = NULL;
    for (u32 i = 0; i < policies->count; i++) {
        const struct naive_entry *policy = policies->at[i];
        if (applies(desk, policy, ticket) && (first == NULL || policy->head.order < first->head.order)) first = policy;
    }
    return first == NULL ? 0 : first->head.id;
}

static const struct tkd_catalog_entry *policy_of(const struct naive *desk, const struct naive_ticket *ticket)
{
    return ticket->policy == 0 ? NULL : &naive_entry(desk, TKD_KIND_POLICY, ticket->policy)->head;
}

/* ---- Targets ---- */

/* What a clock is held against; 0 = nothing. */
u64 naive_target_ms(const struct naive *desk, const struct naive_ticket *ticket, u32 clock)
{
    if (clock == TKD_CLOCK_STEP)
        return ticket->open ? naive_entry(desk, TKD_KIND_QUEUE, ticket->queue)->head.step_ms : 0;
    const struct tkd_catalog_entry *policy = policy_of(desk, ticket);
    if (policy == NULL || (clock == TKD_CLOCK_FIRST_REPLY && ticket->replied)) return 0;
    bool reply = clock == TKD_CLOCK_FIRST_REPLY;
    switch (ticket->priority) {
    case TKD_PRIORITY_URGENT: return reply ? policy->first_reply_urgent_ms : policy->resolution_urgent_ms;
    case TKD_PRIORITY_HIGH: return reply ? policy->first_reply_high_ms : policy->resolution_high_ms;
    case TKD_PRIORITY_NORMAL: return reply ? policy->first_reply_normal_ms : policy->resolution_normal_ms;
    default: return reply ? policy->first_reply_low_ms : policy->resolution_low_ms;
    }
}

static u64 lead_ms(const struct naive *desk, const struct naive_ticket *ticket, u32 clock, u64 target_ms)
{
    const struct tkd_catalog_entry *by = clock == TKD_CLOCK_STEP
                                             ? &naive_entry(desk, TKD_KIND_QUEUE, ticket->queue)->head
                                             : policy_of(desk, ticket);
    return min_u64(by->yellow_ms != 0 ? by->yellow_ms : target_ms * by->yellow_percent / 100, target_ms);
}

static struct naive_clock *clock_of(struct naive_ticket *ticket, u32 clock)
{
    if (clock == TKD_CLOCK_STEP) return &ticket->step;
    return clock == TKD_CLOCK_FIRST_REPLY ? &ticket->first_reply : &ticket->resolution;
}

/* ---- Cards ---- */

static u32 card_due(const struct naive *desk, struct naive_ticket *ticket, u32 which)
{
    const struct naive_clock *clock = clock_of(ticket, which);
    u64 target_ms = naive_target_ms(desk, ticket, which), ran_ms = naive_clock_ran_ms(clock, desk->now_ms);
    if (target_ms == 0 || clock->card == TKD_CARD_RED) return 0;
    if (ran_ms == 0 && !naive_clock_runs(clock)) return 0; /* it has not begun */
    if (ran_ms >= target_ms) return TKD_CARD_RED;
    u64 lead = lead_ms(desk, ticket, which, target_ms);
    return clock->card == 0 && lead != 0 && ran_ms + lead >= target_ms ? TKD_CARD_YELLOW : 0;
}

/* Of a running clock, unless `standing`. */
static void show_card(struct naive *desk, struct naive_ticket *ticket, u32 which, bool standing)
{
    static const u16 counters[TKD_CLOCK_END][TKD_CARD_END] = {
        [TKD_CLOCK_FIRST_REPLY] = {0, NAIVE_yellow_first_reply, NAIVE_red_first_reply},
        [TKD_CLOCK_RESOLUTION] = {0, NAIVE_yellow_resolution, NAIVE_red_resolution},
        [TKD_CLOCK_STEP] = {0, NAIVE_yellow_step, NAIVE_red_step},
    };
    struct naive_clock *clock = clock_of(ticket, which);
    u32 card = standing || naive_clock_runs(clock) ? card_due(desk, ticket, which) : 0;
    if (card == 0) return;
    clock->card = (u8)card;
    struct tkd_event *event = naive_raise(desk, TKD_EVENT_CARD, ticket, NULL, 0);
    event->a = which;
    event->b = card;
    event->c = which == TKD_CLOCK_STEP ? ticket->queue : ticket->policy;
    event->d = ticket->priority;
    event->link = naive_target_ms(desk, ticket, which);
    naive_fact(desk, ticket, counters[which][card], 1);
}

static bool runs_in(u64 states, const struct naive_ticket *ticket)
{
    return (states >> ticket->state & 1) && !ticket->paused;
}

static void turn_clocks(struct naive *desk, struct naive_ticket *ticket)
{
    ticket->policy = (u16)policy_for(desk, ticket);
    const struct tkd_catalog_entry *policy = policy_of(desk, ticket);
    u64 reply = policy != NULL ? policy->states_first_reply : STATES_ACTIVE;
    u64 resolution = policy != NULL ? policy->states_resolution : STATES_ACTIVE;
    clock_turn(desk, &ticket->first_reply, !ticket->replied && runs_in(reply, ticket));
    clock_turn(desk, &ticket->resolution, runs_in(resolution, ticket));
}

/* Policy and clocks are as the ticket says, and the cards that are due are shown. */
void naive_settle_clocks(struct naive *desk, struct naive_ticket *ticket)
{
    turn_clocks(desk, ticket);
    show_card(desk, ticket, TKD_CLOCK_FIRST_REPLY, false);
    show_card(desk, ticket, TKD_CLOCK_RESOLUTION, false);
    if (!ticket->open) return;
    u64 states = naive_entry(desk, TKD_KIND_QUEUE, ticket->queue)->head.states_step;
    clock_turn(desk, &ticket->step, runs_in(states != 0 ? states : STATES_ACTIVE, ticket));
    show_card(desk, ticket, TKD_CLOCK_STEP, false);
}

/* Its own priority or category is another one: standing clocks are held against it, too. */
void naive_retarget(struct naive *desk, struct naive_ticket *ticket)
{
    turn_clocks(desk, ticket);
    show_card(desk, ticket, TKD_CLOCK_FIRST_REPLY, true);
    show_card(desk, ticket, TKD_CLOCK_RESOLUTION, true);
}

/* ---- Deadlines ---- */

static u64 next_card_ms(const struct naive *desk, struct naive_ticket *ticket, u32 which)
{
    const struct naive_clock *clock = clock_of(ticket, which);
    if (!naive_clock_runs(clock) || clock->card == TKD_CARD_RED) return U64_NONE;
    u64 target_ms = naive_target_ms(desk, ticket, which);
    if (target_ms == 0) return U64_NONE;
    u64 lead = clock->card == 0 ? lead_ms(desk, ticket, which, target_ms) : 0;
    return naive_clock_due_ms(clock, target_ms - lead);
}

static u64 archive_due_ms(const struct naive *desk, const struct naive_ticket *ticket)
{
    bool ended = ticket->state == TKD_STATE_CLOSED || ticket->state == TKD_STATE_CANCELLED;
    return ended ? ticket->state_since_ms + desk->catalog.archive_after_ms : U64_NONE;
}

static u64 ticket_due_ms(const struct naive *desk, struct naive_ticket *ticket)
{
    u64 cards_ms = min_u64(next_card_ms(desk, ticket, TKD_CLOCK_FIRST_REPLY),
                           next_card_ms(desk, ticket, TKD_CLOCK_RESOLUTION));
    return min_u64(cards_ms, archive_due_ms(desk, ticket));
}

/* The next deadline of all, and whose: in the order (deadline, ticket), a ticket's own before its task's. */
static u64 next_due_ms(const struct naive *desk, struct naive_ticket **whose, bool *of_task)
{
    u64 first_ms = U64_NONE;
    *whose = NULL;
    for (u64 row = 1; row <= desk->rows.count; row++) {
        struct naive_ticket *ticket = naive_row(desk, row);
        if (ticket == NULL) continue;
        u64 own_ms = ticket_due_ms(desk, ticket), task_ms = next_card_ms(desk, ticket, TKD_CLOCK_STEP);
        u64 due_ms = min_u64(own_ms, task_ms);
        if (due_ms > first_ms || (due_ms == first_ms && (*whose == NULL || ticket->id > (*whose)->id))) continue;
        first_ms = due_ms;
        *whose = ticket;
        *of_task = task_ms < own_ms;
    }
    return first_ms;
}

u64 naive_deadline_ms(const struct naive *desk)
{
    struct naive_ticket *whose;
    bool of_task;
    return desk->sweep_row != 0 ? U64_NONE : next_due_ms(desk, &whose, &of_task);
}

/* Each as of its own deadline, at most so many; returns the time reached. */
u64 naive_fire(struct naive *desk, u64 until_ms)
{
    for (u32 fired = 0; fired < PULSE_TIMERS_MAX; fired++) {
        struct naive_ticket *ticket;
        bool of_task;
        u64 due_ms = next_due_ms(desk, &ticket, &of_task);
        if (due_ms > until_ms) return until_ms;
        ASSERT(due_ms >= desk->now_ms);
        desk->now_ms = due_ms;
        if (of_task) {
            show_card(desk, ticket, TKD_CLOCK_STEP, false);
            continue;
        }
        show_card(desk, ticket, TKD_CLOCK_FIRST_REPLY, false);
        show_card(desk, ticket, TKD_CLOCK_RESOLUTION, false);
        if (archive_due_ms(desk, ticket) <= due_ms) naive_ticket_archive(desk, ticket);
    }
    return desk->now_ms;
}

/* After a change of the catalog. */
void naive_sweep(struct naive *desk, struct naive_ticket *ticket)
{
    if (ticket->open) naive_needs(desk, ticket);
    naive_settle_clocks(desk, ticket);
    if (archive_due_ms(desk, ticket) <= desk->now_ms) naive_ticket_archive(desk, ticket);
}
