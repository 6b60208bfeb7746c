#include "core/sla.h"

#include "base/mark.h"
#include "core/desk.h"

/* Where the clocks run while no policy says otherwise. */
#define STATES_ACTIVE (1u << TKD_STATE_NEW | 1u << TKD_STATE_OPEN)

/* One clock with what it is measured against. */
struct measure {
    const struct clock *clock;
    u64 target_ms; /* 0 = none */
    u64 lead_ms;   /* of the yellow card, 0 = none */
    u8 shown;      /* last card */
};

/* The category itself or one above it. */
static bool category_matches(const struct state *state, const struct policy *policy, u32 category)
{
    for (; category != 0; category = category_row(state, category)->parent)
        if (bit_test(policy->categories, category)) return true;
    return false;
}

static bool policy_matches(const struct state *state, const struct policy *policy, const struct ticket *ticket)
{
    if (policy->priorities != 0 && !(policy->priorities >> ticket->priority & 1)) return false;
    if (!policy->any_channel && !bit_test(policy->channels, ticket->channel)) return false;
    if (!policy->any_category && !category_matches(state, policy, ticket->category)) return false;
    return policy->any_tier || policy->tiers >> customer_row(state, ticket->customer)->tier & 1;
}

static u32 sla_policy_for(const struct state *state, const struct ticket *ticket)
{
    for (u32 i = 0; i < state->policies_count; i++)
        if (policy_matches(state, policy_row(state, state->policies[i]), ticket)) return state->policies[i];
    return 0;
}

u64 clock_ran_ms(const struct clock *clock, u64 now_ms)
{
    return clock->ran_ms + (clock->since_ms != 0 ? now_ms - clock->since_ms : 0);
}

u64 clock_due_ms(const struct clock *clock, u64 target_ms)
{
    if (clock->since_ms == 0 || target_ms == 0) return 0;
    return clock->since_ms + sat_sub(target_ms, clock->ran_ms);
}

bool sla_runs(u16 states, const struct ticket *ticket)
{
    return (states >> ticket->state & 1) && !(ticket->flags & TICKET_PAUSED);
}

static void clock_run(struct clock *clock, bool run, u64 now_ms)
{
    if (run == (clock->since_ms != 0)) return;
    if (!run) clock->ran_ms = clock_ran_ms(clock, now_ms);
    clock->since_ms = run ? now_ms : 0;
}

u64 sla_first_reply_target_ms(const struct state *state, const struct ticket *ticket)
{
    if (ticket->policy == 0 || ticket->flags & TICKET_REPLIED) return 0;
    return policy_row(state, ticket->policy)->first_reply_ms[ticket->priority];
}

u64 sla_resolution_target_ms(const struct state *state, const struct ticket *ticket)
{
    return ticket->policy == 0 ? 0 : policy_row(state, ticket->policy)->resolution_ms[ticket->priority];
}

u64 sla_step_target_ms(const struct state *state, const struct ticket *ticket)
{
    return queue_row(state, ticket->queue)->step_ms;
}

static u64 lead_of(u64 lead_ms, u32 percent, u64 target_ms)
{
    if (lead_ms == 0) lead_ms = target_ms / 100 * percent + target_ms % 100 * percent / 100;
    return min_u64(lead_ms, target_ms);
}

static struct measure measure_first_reply(const struct state *state, const struct ticket *ticket)
{
    struct measure measure = {.clock = &ticket->first_reply, .shown = ticket->card_first_reply};
    measure.target_ms = sla_first_reply_target_ms(state, ticket);
    if (measure.target_ms == 0) return measure;
    const struct policy *policy = policy_row(state, ticket->policy);
    measure.lead_ms = lead_of(policy->yellow_ms, policy->yellow_percent, measure.target_ms);
    return measure;
}

static struct measure measure_resolution(const struct state *state, const struct ticket *ticket)
{
    struct measure measure = {.clock = &ticket->resolution, .shown = ticket->card_resolution};
    measure.target_ms = sla_resolution_target_ms(state, ticket);
    if (measure.target_ms == 0) return measure;
    const struct policy *policy = policy_row(state, ticket->policy);
    measure.lead_ms = lead_of(policy->yellow_ms, policy->yellow_percent, measure.target_ms);
    return measure;
}

static struct measure measure_step(const struct state *state, const struct task *task)
{
    const struct queue *queue = queue_row(state, task->queue);
    return (struct measure){.clock = &task->step,
                            .target_ms = queue->step_ms,
                            .lead_ms = lead_of(queue->yellow_ms, queue->yellow_percent, queue->step_ms),
                            .shown = task->card_step};
}

/* The card that is due now, 0 = none. Who goes straight past the target gets the red one only. */
static u32 card_due(const struct measure *measure, u64 now_ms)
{
    if (measure->target_ms == 0 || measure->shown == TKD_CARD_RED) return 0;
    u64 ran_ms = clock_ran_ms(measure->clock, now_ms);
    if (ran_ms == 0 && measure->clock->since_ms == 0) return 0; /* it has not begun */
    if (ran_ms >= measure->target_ms) return TKD_CARD_RED;
    bool yellow = measure->shown == 0 && measure->lead_ms != 0 && ran_ms >= measure->target_ms - measure->lead_ms;
    return yellow ? TKD_CARD_YELLOW : 0;
}

/* When the next card is due if nothing changes, U64_NONE = never. */
static u64 card_next_ms(const struct measure *measure)
{
    if (measure->target_ms == 0 || measure->shown == TKD_CARD_RED || measure->clock->since_ms == 0) return U64_NONE;
    u64 at_ms = measure->target_ms;
    if (measure->shown == 0) at_ms -= measure->lead_ms;
    return clock_due_ms(measure->clock, max_u64(at_ms, 1));
}

static void card_show(struct state *state, u32 row, enum tkd_clock clock, u32 card, u32 by, u64 target_ms)
{
    static const enum stats_counter counters[TKD_CLOCK_END][TKD_CARD_END] = {
        [TKD_CLOCK_FIRST_REPLY] = {0, STATS_yellow_first_reply, STATS_red_first_reply},
        [TKD_CLOCK_RESOLUTION] = {0, STATS_yellow_resolution, STATS_red_resolution},
        [TKD_CLOCK_STEP] = {0, STATS_yellow_step, STATS_red_step},
    };
    struct tkd_event *event = event_raise(state, TKD_EVENT_CARD, row, NULL, 0);
    const struct ticket *ticket = ticket_row(state, row);
    event->a = clock;
    event->b = card;
    event->c = by;
    event->d = ticket->priority;
    event->link = target_ms;
    stats_count(state, ticket, counters[clock][card], 1);
    MARK_IF(card == TKD_CARD_YELLOW, "yellow card");
    MARK_IF(card == TKD_CARD_RED, "red card");
    if (card != TKD_CARD_RED) return;
    if (clock == TKD_CLOCK_FIRST_REPLY) desk_edit(state)->breached_first_reply[ticket->priority]++;
    if (clock == TKD_CLOCK_RESOLUTION) desk_edit(state)->breached_resolution[ticket->priority]++;
}

/* Shows the card of one clock that is due, if any; returns when the next one is. `standing`: also on a clock that
 * stands. */
static u64 measure_cards(struct state *state, u32 row, enum tkd_clock clock, u32 by, struct measure *measure,
                         u8 *shown, bool standing)
{
    u32 card = card_due(measure, state->now_ms);
    if (card != 0 && (standing || measure->clock->since_ms != 0)) {
        MARK_IF(measure->clock->since_ms == 0, "card on a clock that stands");
        *shown = measure->shown = (u8)card;
        card_show(state, row, clock, card, by, measure->target_ms);
    }
    return card_next_ms(measure);
}

static u64 ticket_cards(struct state *state, u32 row, bool standing)
{
    struct ticket *ticket = ticket_edit(state, row);
    struct measure reply = measure_first_reply(state, ticket), resolution = measure_resolution(state, ticket);
    u32 by = ticket->policy;
    u64 reply_ms = measure_cards(state, row, TKD_CLOCK_FIRST_REPLY, by, &reply, &ticket->card_first_reply, standing);
    u64 resolution_ms =
        measure_cards(state, row, TKD_CLOCK_RESOLUTION, by, &resolution, &ticket->card_resolution, standing);
    return min_u64(reply_ms, resolution_ms);
}

static u64 task_cards(struct state *state, u32 row)
{
    struct task *task = task_edit(state, row);
    struct measure measure = measure_step(state, task);
    return measure_cards(state, task->ticket, TKD_CLOCK_STEP, task->queue, &measure, &task->card_step, false);
}

static void timer_set(struct state *state, u32 timer, u64 deadline_ms)
{
    if (deadline_ms == U64_NONE) wheel_cancel(&state->wheel, timer);
    else wheel_set(&state->wheel, timer, deadline_ms);
}

static bool ticket_ended(const struct ticket *ticket)
{
    return ticket->state == TKD_STATE_CLOSED || ticket->state == TKD_STATE_CANCELLED;
}

static u64 archive_due_ms(const struct state *state, const struct ticket *ticket)
{
    return ticket->state_since_ms + desk_row(state)->archive_after_ms;
}

/* When something is due for the ticket, its next card being due at `card_ms`. */
static u64 ticket_next_ms(const struct state *state, const struct ticket *ticket, u64 card_ms)
{
    return ticket_ended(ticket) ? min_u64(card_ms, archive_due_ms(state, ticket)) : card_ms;
}

static void ticket_retime(struct state *state, u32 row, u64 card_ms)
{
    timer_set(state, ticket_timer(row), ticket_next_ms(state, ticket_row(state, row), card_ms));
}

static void step_settle(struct state *state, u32 row, const struct ticket *ticket)
{
    u16 states = queue_row(state, ticket->queue)->states_step;
    clock_run(&task_edit(state, row)->step, sla_runs(states, ticket), state->now_ms);
    sla_fire_task(state, row);
}

/* Whose time is over leaves memory by its timer (or a sweep), never in the middle of a command. */
static bool ticket_over(const struct state *state, const struct ticket *ticket)
{
    return ticket_ended(ticket) && state->now_ms >= archive_due_ms(state, ticket);
}

void sla_fire_ticket(struct state *state, u32 row)
{
    u64 card_ms = ticket_cards(state, row, false);
    MARK_IF(ticket_over(state, ticket_row(state, row)), "archived by its timer");
    if (ticket_over(state, ticket_row(state, row))) ticket_archive(state, row);
    else ticket_retime(state, row, card_ms);
}

static void clocks_settle(struct state *state, struct ticket *ticket)
{
    u16 reply_states = STATES_ACTIVE, resolution_states = STATES_ACTIVE;
    ticket->policy = (u16)sla_policy_for(state, ticket);
    if (ticket->policy != 0) {
        reply_states = policy_row(state, ticket->policy)->states_first_reply;
        resolution_states = policy_row(state, ticket->policy)->states_resolution;
    }
    bool replied = ticket->flags & TICKET_REPLIED;
    clock_run(&ticket->first_reply, !replied && sla_runs(reply_states, ticket), state->now_ms);
    clock_run(&ticket->resolution, sla_runs(resolution_states, ticket), state->now_ms);
}

void sla_settle(struct state *state, u32 row)
{
    struct ticket *ticket = ticket_edit(state, row);
    clocks_settle(state, ticket);
    u64 card_ms = ticket_cards(state, row, false);
    MARK_IF(ticket_over(state, ticket), "time is over in the middle of a command");
    if (!ticket_over(state, ticket)) ticket_retime(state, row, card_ms);
    if (ticket->task != 0) step_settle(state, ticket->task, ticket);
}

void sla_retarget(struct state *state, u32 row)
{
    clocks_settle(state, ticket_edit(state, row));
    ticket_cards(state, row, true);
}

void sla_sweep(struct state *state, u32 row)
{
    struct ticket *ticket = ticket_edit(state, row);
    clocks_settle(state, ticket);
    u64 card_ms = ticket_cards(state, row, false);
    if (ticket->task != 0) step_settle(state, ticket->task, ticket);
    MARK_IF(ticket_over(state, ticket), "archived by a sweep");
    if (ticket_over(state, ticket)) ticket_archive(state, row);
    else ticket_retime(state, row, card_ms);
}

void sla_fire_task(struct state *state, u32 row) { timer_set(state, task_timer(state, row), task_cards(state, row)); }

bool sla_loaded(struct state *state, u32 row)
{
    u64 sweep_row = desk_row(state)->sweep_row;
    if (sweep_row != 0 && row >= sweep_row) return true;
    const struct ticket *ticket = ticket_row(state, row);
    struct measure reply = measure_first_reply(state, ticket), resolution = measure_resolution(state, ticket);
    u64 card_ms = min_u64(card_next_ms(&reply), card_next_ms(&resolution)), step_ms = U64_NONE;
    if (ticket->task != 0) {
        struct measure step = measure_step(state, task_row(state, ticket->task));
        step_ms = card_next_ms(&step);
    }
    if (min_u64(ticket_next_ms(state, ticket, card_ms), step_ms) < state->time_ms) return false;
    ticket_retime(state, row, card_ms);
    if (ticket->task != 0) timer_set(state, task_timer(state, ticket->task), step_ms);
    return true;
}
