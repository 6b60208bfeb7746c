/* SLA clocks against a naive model: what each ticket and task was at every instant is written down, and the
 * cards that must have been shown are computed from that alone. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/prng.h"
#include "tests/support/rig.h"

#define TICKETS_MAX 400u
#define MOMENTS_MAX 64u
#define STEPS 1500u
#define POLICIES 3u
#define QUEUES 2u

/* One clock of one ticket or task from this moment on. */
struct moment {
    u64 at_ms;
    u64 target_ms;
    u64 lead_ms;
    bool runs;
    bool shows; /* the ticket's own priority or category has changed: cards of a clock that stands, too */
};

struct naive_clock {
    struct moment moments[MOMENTS_MAX];
    u32 count;
    u32 station; /* of the step */
    u64 ticket;
    u32 clock;
};

struct naive_policy {
    u64 first_reply_ms[5], resolution_ms[5], yellow_ms;
    u32 yellow_percent, order, priorities, category, tier;
    u16 states_first_reply, states_resolution;
};

struct naive_queue {
    u64 step_ms, yellow_ms;
    u32 yellow_percent;
    u16 states;
};

struct card {
    u64 at_ms, ticket;
    u32 clock, card, station;
    u64 target_ms;
};

struct desk_model {
    struct rig *rig;
    struct prng prng;
    struct naive_policy policies[POLICIES + 1];
    struct naive_queue queues[QUEUES + 1];
    struct naive_clock clocks[TICKETS_MAX * 8];
    struct card cards[TICKETS_MAX * 24];
    u32 clocks_count, cards_count;
};

static u64 below(struct desk_model *model, u64 count) { return prng_below(&model->prng, count); }

static u64 lead_of(u64 yellow_ms, u32 percent, u64 target_ms)
{
    u64 lead_ms = yellow_ms != 0 ? yellow_ms : target_ms * percent / 100;
    return lead_ms < target_ms ? lead_ms : target_ms;
}

/* ---- What a clock was ---- */

static struct naive_clock *clock_find(struct desk_model *model, u64 ticket, u32 which, u32 station)
{
    for (u32 i = model->clocks_count; i-- > 0;) {
        struct naive_clock *clock = &model->clocks[i];
        if (clock->ticket == ticket && clock->clock == which && clock->station == station) return clock;
    }
    cr_assert_lt(model->clocks_count, ARRAY_COUNT(model->clocks));
    struct naive_clock *clock = &model->clocks[model->clocks_count++];
    *clock = (struct naive_clock){.ticket = ticket, .clock = which, .station = station};
    return clock;
}

static void clock_note(struct naive_clock *clock, struct moment moment)
{
    if (clock->count > 0) {
        const struct moment *last = &clock->moments[clock->count - 1];
        if (last->target_ms == moment.target_ms && last->lead_ms == moment.lead_ms && last->runs == moment.runs &&
            last->shows == moment.shows)
            return;
    }
    cr_assert_lt(clock->count, MOMENTS_MAX);
    clock->moments[clock->count++] = moment;
}

static u32 policy_of(const struct desk_model *model, const struct ticket *ticket)
{
    u32 best = 0, tier = customer_row(model->rig->state, ticket->customer)->tier;
    for (u32 id = 1; id <= POLICIES; id++) {
        const struct naive_policy *policy = &model->policies[id];
        if (policy->priorities != 0 && !(policy->priorities >> ticket->priority & 1)) continue;
        if (policy->category != 0 && policy->category != ticket->category &&
            !(policy->category == 1 && ticket->category == 2)) /* 2 lies below 1 */
            continue;
        if (policy->tier != 0 && policy->tier != tier) continue;
        if (best == 0 || policy->order < model->policies[best].order) best = id;
    }
    return best;
}

static bool counts(u16 states, const struct ticket *ticket)
{
    return (states >> ticket->state & 1) && !(ticket->flags & TICKET_PAUSED);
}

static void note_ticket(struct desk_model *model, u64 id, bool shows)
{
    const struct ticket *ticket = rig_ticket(model->rig, id);
    u32 chosen = policy_of(model, ticket);
    const struct naive_policy *policy = &model->policies[chosen];
    u64 now_ms = model->rig->now_ms;
    struct moment reply = {.at_ms = now_ms}, resolution = {.at_ms = now_ms}, step = {.at_ms = now_ms};
    cr_assert_eq(ticket->policy, chosen);
    bool replied = ticket->flags & TICKET_REPLIED;
    reply.shows = resolution.shows = shows;
    reply.runs = !replied && counts(0x06, ticket); /* without a policy: new and open */
    resolution.runs = counts(0x06, ticket);
    if (chosen != 0) {
        reply.target_ms = replied ? 0 : policy->first_reply_ms[ticket->priority];
        reply.lead_ms = lead_of(policy->yellow_ms, policy->yellow_percent, reply.target_ms);
        reply.runs = !replied && counts(policy->states_first_reply, ticket);
        resolution.target_ms = policy->resolution_ms[ticket->priority];
        resolution.lead_ms = lead_of(policy->yellow_ms, policy->yellow_percent, resolution.target_ms);
        resolution.runs = counts(policy->states_resolution, ticket);
    }
    clock_note(clock_find(model, id, TKD_CLOCK_FIRST_REPLY, 0), reply);
    clock_note(clock_find(model, id, TKD_CLOCK_RESOLUTION, 0), resolution);
    const struct naive_queue *queue = &model->queues[ticket->queue];
    step.target_ms = ticket->task == 0 ? 0 : queue->step_ms;
    step.lead_ms = lead_of(queue->yellow_ms, queue->yellow_percent, step.target_ms);
    step.runs = ticket->task != 0 && counts(queue->states, ticket);
    /* A task that has ended shows no more cards. */
    for (u32 station = 1; station < ticket->stations; station++)
        clock_note(clock_find(model, id, TKD_CLOCK_STEP, station), (struct moment){.at_ms = now_ms});
    clock_note(clock_find(model, id, TKD_CLOCK_STEP, ticket->stations), step);
}

static void note_all(struct desk_model *model)
{
    for (u64 id = 1; id <= desk_row(model->rig->state)->tickets; id++) note_ticket(model, id, false);
}

/* ---- What it should have shown ---- */

static void expect(struct desk_model *model, const struct naive_clock *clock, u64 at_ms, u32 card, u64 target_ms)
{
    cr_assert_lt(model->cards_count, ARRAY_COUNT(model->cards));
    model->cards[model->cards_count++] = (struct card){.at_ms = at_ms,
                                                       .ticket = clock->ticket,
                                                       .clock = clock->clock,
                                                       .card = card,
                                                       .station = clock->station,
                                                       .target_ms = target_ms};
}

/* The first instant in from..until at which `ran_ms` and what is added while the clock runs reaches `at`. */
static u64 reaches(const struct moment *moment, u64 ran_ms, u64 at, u64 until_ms)
{
    if (!moment->runs && (!moment->shows || ran_ms == 0)) return U64_NONE;
    if (ran_ms >= at) return moment->at_ms;
    u64 when_ms = moment->at_ms + (at - ran_ms);
    return moment->runs && when_ms < until_ms ? when_ms : U64_NONE;
}

static void expect_cards(struct desk_model *model, const struct naive_clock *clock, u64 end_ms)
{
    u64 ran_ms = 0;
    u32 shown = 0;
    for (u32 i = 0; i < clock->count && shown != TKD_CARD_RED; i++) {
        const struct moment *moment = &clock->moments[i];
        u64 until_ms = i + 1 < clock->count ? clock->moments[i + 1].at_ms : end_ms + 1;
        if (until_ms > moment->at_ms && moment->target_ms != 0) {
            /* Timers come before commands: what is due at the very instant of a change is shown before it. */
            u64 open_end_ms = until_ms + (i + 1 < clock->count);
            u64 red_ms = reaches(moment, ran_ms, moment->target_ms, open_end_ms);
            u64 yellow_at = moment->target_ms - moment->lead_ms;
            u64 yellow_ms = moment->lead_ms == 0 ? U64_NONE : reaches(moment, ran_ms, yellow_at, open_end_ms);
            if (shown == 0 && yellow_ms < red_ms) {
                expect(model, clock, yellow_ms, TKD_CARD_YELLOW, moment->target_ms);
                shown = TKD_CARD_YELLOW;
            }
            if (red_ms != U64_NONE) {
                expect(model, clock, red_ms, TKD_CARD_RED, moment->target_ms);
                shown = TKD_CARD_RED;
            }
        }
        if (moment->runs) ran_ms += until_ms - moment->at_ms;
    }
}

static void check_cards(struct desk_model *model)
{
    const struct event_log *log = state_events_read(model->rig->state);
    u32 seen = 0;
    for (u32 i = 0; i < model->clocks_count; i++) expect_cards(model, &model->clocks[i], model->rig->now_ms);
    u64 last_ms = 0;
    for (u64 seq = log->seq_first; seq < log->seq_next; seq++) {
        const struct tkd_event *event = event_at(log, seq);
        cr_assert_geq(event->time_ms, last_ms);
        last_ms = event->time_ms;
        if (event->kind != TKD_EVENT_CARD) continue;
        seen++;
        u32 station = event->a == TKD_CLOCK_STEP ? event->station : 0, found = 0;
        for (u32 i = 0; i < model->cards_count; i++) {
            const struct card *card = &model->cards[i];
            found += card->at_ms == event->time_ms && card->ticket == event->ticket && card->clock == event->a &&
                     card->card == event->b && card->station == station && card->target_ms == event->link;
        }
        cr_assert_eq(found, 1, "clock %u card %u of ticket %lu at %lu: expected %u times", event->a, event->b,
                     event->ticket, event->time_ms, found);
    }
    cr_assert_eq(seen, model->cards_count, "%u cards shown, %u expected", seen, model->cards_count);
    cr_assert_gt(seen, 100, "the workload is too tame");
}

/* ---- The workload ---- */

static u16 some_states(struct desk_model *model) { return (u16)(below(model, 2) ? 0x06 : below(model, 64) << 1); }

static void define_policy(struct desk_model *model, u32 id)
{
    struct naive_policy *policy = &model->policies[id];
    *policy = (struct naive_policy){.order = id,
                                    .states_first_reply = some_states(model),
                                    .states_resolution = some_states(model)};
    struct tkd_catalog_entry entry = {.id = id, .kind = TKD_KIND_POLICY};
    u64 *reply_ms = &entry.first_reply_urgent_ms, *resolution_ms = &entry.resolution_urgent_ms;
    for (u32 i = 0; i < 4; i++) {
        policy->first_reply_ms[i + 1] = reply_ms[i] = below(model, 4) ? 1 + below(model, 5000) : 0;
        policy->resolution_ms[i + 1] = resolution_ms[i] = below(model, 4) ? 1 + below(model, 20000) : 0;
    }
    policy->yellow_percent = entry.yellow_percent = below(model, 2) ? (u32)below(model, 101) : 0;
    policy->yellow_ms = entry.yellow_ms = below(model, 3) ? 0 : below(model, 3000);
    policy->priorities = entry.priorities = (u8)(below(model, 2) ? 0 : below(model, 16) << 1);
    policy->category = (u32)below(model, 3);
    policy->tier = id == POLICIES ? 1 : 0;
    entry.order = policy->order;
    entry.states_first_reply = policy->states_first_reply;
    entry.states_resolution = policy->states_resolution;
    u16 category = (u16)policy->category, tier = (u16)policy->tier;
    rig_begin(model->rig, TKD_OP_CATALOG_APPLY);
    rig_add_bytes(model->rig, TKD_RECORD_catalog_entry, &entry,
                  (const void *const[]){(char[]){'p', (char)('0' + id)}, NULL, NULL, &category, NULL, &tier},
                  (u32[]){2, 0, 0, category ? 2 : 0, 0, tier ? 2 : 0});
    cr_assert_eq(rig_run(model->rig), TKD_OK);
    cr_assert_eq(model->rig->results[0].status, TKD_OK);
    rig_settle(model->rig);
}

static void define_queue(struct desk_model *model, u32 id)
{
    struct naive_queue *queue = &model->queues[id];
    *queue = (struct naive_queue){.step_ms = below(model, 4) ? 1 + below(model, 4000) : 0,
                                  .yellow_percent = below(model, 2) ? (u32)below(model, 101) : 0,
                                  .yellow_ms = below(model, 3) ? 0 : below(model, 1000),
                                  .states = (u16)(below(model, 2) ? 0 : below(model, 16) << 1)};
    struct tkd_catalog_entry entry = {.id = id,
                                      .strategy = TKD_STRATEGY_CLAIM,
                                      .step_ms = queue->step_ms,
                                      .yellow_percent = queue->yellow_percent,
                                      .yellow_ms = queue->yellow_ms,
                                      .states_step = queue->states};
    if (queue->states == 0) queue->states = 1u << TKD_STATE_NEW | 1u << TKD_STATE_OPEN;
    rig_entry(model->rig, TKD_KIND_QUEUE, &entry, (char[]){'q', (char)('0' + id), 0}, NULL, NULL);
}

static void create(struct desk_model *model)
{
    if (desk_row(model->rig->state)->tickets == TICKETS_MAX) return;
    struct tkd_ticket_create request = {.channel = 1,
                                        .queue = (u16)(1 + below(model, QUEUES)),
                                        .priority = (u8)(1 + below(model, 4)),
                                        .category = (u16)below(model, 4)};
    char address[2] = {(char)('a' + below(model, 4)), 0};
    struct tkd_result result = rig_create_with(model->rig, &request, address, NULL);
    cr_assert_eq(result.status, TKD_OK);
    note_ticket(model, result.id, false);
}

static void update(struct desk_model *model)
{
    static const u32 verbs[] = {TKD_VERB_PEND,  TKD_VERB_HOLD,     TKD_VERB_RESUME, TKD_VERB_RESOLVE, TKD_VERB_REOPEN,
                                TKD_VERB_PAUSE, TKD_VERB_CONTINUE, TKD_VERB_REPLY,  TKD_VERB_MESSAGE, TKD_VERB_TRANSFER,
                                TKD_VERB_PRIORITY, TKD_VERB_CATEGORY, TKD_VERB_ASSIGN, TKD_VERB_CLOSE, TKD_VERB_RESUME};
    u64 tickets = desk_row(model->rig->state)->tickets, newest = min_u64(tickets, 30);
    if (tickets == 0) return;
    u64 id = tickets - below(model, newest);
    u32 verb = verbs[below(model, ARRAY_COUNT(verbs))];
    u32 argument = verb == TKD_VERB_ASSIGN ? 1 : 1 + (u32)below(model, verb == TKD_VERB_TRANSFER ? QUEUES : 3);
    if (rig_verb(model->rig, id, verb, argument, "text").status != TKD_OK) return;
    note_ticket(model, id, verb == TKD_VERB_PRIORITY || verb == TKD_VERB_CATEGORY);
}

static void run(u64 seed)
{
    struct desk_model *model = calloc(1, sizeof *model);
    model->rig = rig_create_small();
    model->prng = prng_seeded(seed);
    rig_channel(model->rig, 1, "mail");
    rig_tier(model->rig, 1, "gold");
    rig_category(model->rig, 1, "one", 0);
    rig_category(model->rig, 2, "below one", 1);
    rig_category(model->rig, 3, "three", 0);
    rig_agent(model->rig, 1, "Ada", 0, NULL, NULL);
    for (u32 id = 1; id <= QUEUES; id++) define_queue(model, id);
    for (u32 id = 1; id <= POLICIES; id++) define_policy(model, id);
    for (u64 customer = 1; customer <= 2; customer++) {
        struct tkd_customer_update request = {.customer = customer, .tier = 1};
        create(model);
        rig_begin(model->rig, TKD_OP_CUSTOMER_UPDATE);
        rig_add(model->rig, TKD_RECORD_customer_update, &request, NULL);
        cr_assert_eq(rig_run(model->rig), TKD_OK); /* tickets that are there see it at their next command */
    }
    for (u32 step = 0; step < STEPS; step++) {
        rig_advance(model->rig, model->rig->now_ms + below(model, below(model, 10) ? 200 : 4000));
        u64 what = below(model, 300);
        if (what < 60) create(model);
        else if (what < 298) update(model);
        else if (what < 299) define_queue(model, 1 + (u32)below(model, QUEUES));
        else define_policy(model, 1 + (u32)below(model, POLICIES));
        if (what >= 298) note_all(model);
    }
    state_validate(model->rig->state);
    check_cards(model);
    rig_destroy(model->rig);
    free(model);
}

#define SEED(n)                                                                                              \
    Test(clocks, seed_##n) { run(n); }
SEED(1) SEED(2) SEED(3) SEED(4) SEED(5) SEED(6)
