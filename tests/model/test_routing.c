/* Who gets what, against a naive desk of linear lists: who is eligible, which of them a strategy chooses, in
 * which order the waiting are served, and that newcomers never overtake. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/prng.h"
#include "tests/support/rig.h"

#define SKILLS 3u
#define QUEUES 5u
#define CATEGORIES 2u
#define AGENTS 7u
#define TICKETS_MAX 4000u
#define STEPS 3000u

/* ---- The naive desk ---- */

struct naive_ticket {
    u64 entered_ms;
    u32 queue, priority, category, skills; /* skills: a bit each, its own */
    u32 holder;   /* 0 = nobody */
    u32 previous; /* who had it when it ended */
    u32 state;
    bool paused, no_routing, open; /* open: it has a task */
};

struct naive_agent {
    u32 skills, queues, capacity;
    u64 assigned; /* when last, as a count; 0 = never */
    bool present, everywhere;
};

struct naive_queue {
    u32 strategy, skills;
};

struct naive {
    struct naive_ticket tickets[TICKETS_MAX]; /* by id */
    struct naive_agent agents[AGENTS + 1];
    struct naive_queue queues[QUEUES + 1];
    u32 category_skills[CATEGORIES + 1];
    u32 tickets_count;
    u64 assignments;
    u64 now_ms;
};

static bool active(const struct naive_ticket *ticket)
{
    return ticket->open && !ticket->paused && (ticket->state == TKD_STATE_NEW || ticket->state == TKD_STATE_OPEN);
}

static bool waits(const struct naive_ticket *ticket) { return active(ticket) && ticket->holder == 0; }

static u32 load_of(const struct naive *naive, u32 agent)
{
    u32 load = 0;
    for (u32 id = 1; id <= naive->tickets_count; id++)
        load += naive->tickets[id].holder == agent && active(&naive->tickets[id]);
    return load;
}

static bool eligible(const struct naive *naive, u32 agent, const struct naive_ticket *ticket)
{
    const struct naive_agent *who = &naive->agents[agent];
    u32 needs = ticket->skills | naive->queues[ticket->queue].skills | naive->category_skills[ticket->category];
    if (!who->present || (needs & ~who->skills) != 0) return false;
    if (!who->everywhere && !(who->queues >> ticket->queue & 1)) return false;
    return who->capacity == 0 || load_of(naive, agent) < who->capacity;
}

static bool before(const struct naive *naive, u32 a, u32 b)
{
    const struct naive_ticket *x = &naive->tickets[a], *y = &naive->tickets[b];
    if (x->priority != y->priority) return x->priority < y->priority;
    return x->entered_ms != y->entered_ms ? x->entered_ms < y->entered_ms : a < b;
}

static void give(struct naive *naive, u32 id, u32 agent)
{
    naive->tickets[id].holder = naive->tickets[id].previous = agent;
    if (naive->tickets[id].state == TKD_STATE_NEW) naive->tickets[id].state = TKD_STATE_OPEN;
    naive->agents[agent].assigned = ++naive->assignments;
}

/* The first in line whom the agent can take, `not` excepted; 0 = none. */
static u32 first_for(const struct naive *naive, u32 agent, u32 not)
{
    u32 first = 0;
    for (u32 id = 1; id <= naive->tickets_count; id++) {
        const struct naive_ticket *ticket = &naive->tickets[id];
        if (id == not || !waits(ticket) || ticket->no_routing) continue;
        if (naive->queues[ticket->queue].strategy == TKD_STRATEGY_CLAIM || !eligible(naive, agent, ticket)) continue;
        if (first == 0 || before(naive, id, first)) first = id;
    }
    return first;
}

static u32 choose(const struct naive *naive, u32 id, u32 not_agent)
{
    const struct naive_ticket *ticket = &naive->tickets[id];
    bool by_load = naive->queues[ticket->queue].strategy == TKD_STRATEGY_LEAST_LOADED;
    u32 best = 0;
    for (u32 agent = 1; agent <= AGENTS; agent++) {
        if (agent == not_agent || !eligible(naive, agent, ticket)) continue;
        if (best == 0) best = agent;
        u32 load = by_load ? load_of(naive, agent) : 0, best_load = by_load ? load_of(naive, best) : 0;
        bool idler = naive->agents[agent].assigned < naive->agents[best].assigned;
        if (load < best_load || (load == best_load && idler)) best = agent;
    }
    return best;
}

/* What waits and the agent could take goes to whom the queue's strategy chooses. */
static void drain(struct naive *naive, u32 agent, u32 not)
{
    for (u32 id; (id = first_for(naive, agent, not)) != 0;) give(naive, id, choose(naive, id, 0));
}

static void route(struct naive *naive, u32 id, u32 not_agent)
{
    const struct naive_ticket *ticket = &naive->tickets[id];
    if (ticket->no_routing || naive->queues[ticket->queue].strategy == TKD_STRATEGY_CLAIM) return;
    u32 agent = ticket->previous;
    if (agent == 0 || agent == not_agent || !eligible(naive, agent, ticket)) {
        agent = choose(naive, id, not_agent);
        u32 owed = agent == 0 ? 0 : first_for(naive, agent, id);
        if (owed != 0 && before(naive, owed, id)) { /* somebody gave it back, and it waits since */
            drain(naive, agent, id);
            agent = choose(naive, id, not_agent);
        }
    }
    if (agent != 0) give(naive, id, agent);
}

/* After a change of a ticket: whoever waits for the agent who became free goes before the ticket itself, if
 * the order of the line says so; who released it is not offered it at once. */
static void settle(struct naive *naive, u32 id, const struct naive_ticket *was, bool begins, bool released)
{
    struct naive_ticket *ticket = &naive->tickets[id];
    u32 freed = active(was) && (ticket->holder != was->holder || !active(ticket)) ? was->holder : 0;
    begins = waits(ticket) && (begins || !waits(was));
    u32 first = freed != 0 && begins ? first_for(naive, freed, id) : 0;
    if (first != 0 && (released || before(naive, first, id))) {
        drain(naive, freed, id);
        freed = 0;
    }
    if (begins) route(naive, id, released ? was->holder : 0);
    if (freed != 0 && !released) drain(naive, freed, 0);
}

static void drain_all(struct naive *naive)
{
    for (u32 agent = 1; agent <= AGENTS; agent++) drain(naive, agent, 0);
}

/* ---- Both desks ---- */

struct both {
    struct naive naive;
    struct rig *rig;
    struct prng prng;
};

static u32 below(struct both *both, u32 count) { return (u32)prng_below(&both->prng, count); }

static u32 ids_of_bits(u16 *ids, u32 bits)
{
    u32 count = 0;
    for (u32 id = 1; id < 32; id++)
        if (bits >> id & 1) ids[count++] = (u16)id;
    ids[count] = 0;
    return count;
}

static u32 some_bits(struct both *both, u32 count) { return below(both, 1u << count) << 1; }

static void define_queue(struct both *both, u32 id)
{
    struct naive_queue *queue = &both->naive.queues[id];
    queue->strategy = 1 + (id + below(both, 2)) % 3;
    queue->skills = below(both, 3) == 0 ? some_bits(both, SKILLS) : 0;
    char name[16];
    u16 skills[8];
    snprintf(name, sizeof name, "queue %u", id);
    ids_of_bits(skills, queue->skills);
    rig_entry(both->rig, TKD_KIND_QUEUE, &(struct tkd_catalog_entry){.id = id, .strategy = (u8)queue->strategy}, name,
              skills, NULL);
    drain_all(&both->naive);
}

static void define_agent(struct both *both, u32 id)
{
    struct naive_agent *agent = &both->naive.agents[id];
    agent->capacity = below(both, 5);
    agent->skills = some_bits(both, SKILLS);
    agent->queues = some_bits(both, QUEUES);
    agent->everywhere = below(both, 3) == 0;
    char name[16];
    u16 skills[8], queues[8];
    snprintf(name, sizeof name, "agent %u", id);
    ids_of_bits(skills, agent->skills);
    ids_of_bits(queues, agent->queues);
    struct tkd_catalog_entry entry = {.id = id, .capacity = agent->capacity, .all_queues = agent->everywhere};
    rig_entry(both->rig, TKD_KIND_AGENT, &entry, name, skills, queues);
    drain_all(&both->naive);
}

static void define_category(struct both *both, u32 id)
{
    char name[16];
    u16 skills[8];
    snprintf(name, sizeof name, "category %u", id);
    both->naive.category_skills[id] = some_bits(both, SKILLS);
    ids_of_bits(skills, both->naive.category_skills[id]);
    rig_entry(both->rig, TKD_KIND_CATEGORY, &(struct tkd_catalog_entry){.id = id}, name, skills, NULL);
    drain_all(&both->naive);
}

static void do_create(struct both *both)
{
    u32 id = ++both->naive.tickets_count;
    struct naive_ticket *ticket = &both->naive.tickets[id];
    cr_assert_lt(id, TICKETS_MAX);
    *ticket = (struct naive_ticket){.entered_ms = both->rig->now_ms,
                                    .queue = 1 + below(both, QUEUES),
                                    .priority = 1 + below(both, 4),
                                    .category = below(both, CATEGORIES + 1),
                                    .skills = below(both, 5) == 0 ? some_bits(both, SKILLS) : 0,
                                    .state = TKD_STATE_NEW,
                                    .no_routing = below(both, 10) == 0,
                                    .open = true};
    struct tkd_ticket_create request = {.channel = 1,
                                        .queue = (u16)ticket->queue,
                                        .priority = (u8)ticket->priority,
                                        .category = (u16)ticket->category,
                                        .no_routing = ticket->no_routing};
    u16 skills[8];
    u32 lengths[6] = {1, 0, 0, 0, 0, ids_of_bits(skills, ticket->skills) * 2};
    rig_begin(both->rig, TKD_OP_TICKET_CREATE);
    rig_add_bytes(both->rig, TKD_RECORD_ticket_create, &request,
                  (const void *const[]){"a", NULL, NULL, NULL, NULL, skills}, lengths);
    cr_assert_eq(rig_run(both->rig), TKD_OK);
    cr_assert_eq(both->rig->results[0].status, TKD_OK);
    cr_assert_eq(both->rig->results[0].id, id);
    struct naive_ticket nothing = {0};
    settle(&both->naive, id, &nothing, true, false);
}

static void do_presence(struct both *both)
{
    u32 agent = 1 + below(both, AGENTS);
    bool present = below(both, 3) != 0;
    u32 status = rig_presence(both->rig, agent, present ? TKD_PRESENCE_ONLINE : TKD_PRESENCE_OFFLINE);
    cr_assert_eq(status, present == both->naive.agents[agent].present ? TKD_UNCHANGED : TKD_OK);
    both->naive.agents[agent].present = present;
    if (present && status == TKD_OK) drain(&both->naive, agent, 0);
}

/* What a verb does to the naive ticket, when the engine has taken it. */
static bool naive_verb(struct naive *naive, u32 id, u32 verb, u32 argument, u32 agent)
{
    struct naive_ticket *ticket = &naive->tickets[id];
    switch (verb) {
    case TKD_VERB_ASSIGN:
    case TKD_VERB_CLAIM: give(naive, id, argument); return false;
    case TKD_VERB_RELEASE:
        ticket->holder = ticket->previous = 0;
        ticket->entered_ms = naive->now_ms;
        return true;
    case TKD_VERB_TRANSFER:
        ticket->queue = argument;
        ticket->holder = ticket->previous = 0;
        ticket->entered_ms = naive->now_ms;
        if (agent != 0) give(naive, id, agent);
        return true;
    case TKD_VERB_PRIORITY: ticket->priority = argument; return true;
    case TKD_VERB_CATEGORY: {
        u32 of = naive->queues[ticket->queue].skills | ticket->skills;
        u32 needed = of | naive->category_skills[ticket->category], needs = of | naive->category_skills[argument];
        ticket->category = argument;
        return needed != needs;
    }
    case TKD_VERB_PAUSE: ticket->paused = true; return false;
    case TKD_VERB_CONTINUE: ticket->paused = false; return false;
    case TKD_VERB_PEND: ticket->state = TKD_STATE_PENDING; return false;
    case TKD_VERB_RESUME: ticket->state = TKD_STATE_OPEN; return false;
    case TKD_VERB_REOPEN:
        ticket->state = TKD_STATE_OPEN;
        ticket->open = true;
        ticket->entered_ms = naive->now_ms;
        if (ticket->no_routing) ticket->holder = ticket->previous;
        return true;
    default:
        ticket->state = TKD_STATE_RESOLVED;
        ticket->open = ticket->paused = false;
        ticket->holder = 0;
        return false;
    }
}

static void do_verb(struct both *both)
{
    static const u32 verbs[] = {TKD_VERB_ASSIGN,   TKD_VERB_CLAIM, TKD_VERB_RELEASE, TKD_VERB_TRANSFER,
                                TKD_VERB_TRANSFER, TKD_VERB_PEND,  TKD_VERB_RESUME,  TKD_VERB_PRIORITY,
                                TKD_VERB_CATEGORY, TKD_VERB_PAUSE, TKD_VERB_CONTINUE, TKD_VERB_CONTINUE,
                                TKD_VERB_REOPEN,   TKD_VERB_RESOLVE, TKD_VERB_RESOLVE, TKD_VERB_RESOLVE,
                                TKD_VERB_RESOLVE,  TKD_VERB_RESOLVE};
    struct naive *naive = &both->naive;
    u32 verb = verbs[below(both, ARRAY_COUNT(verbs))];
    u32 newest = min_u32(naive->tickets_count, 40);
    if (newest == 0) return;
    u32 id = naive->tickets_count - below(both, newest), argument = 0, agent = 0;
    if (verb == TKD_VERB_ASSIGN || verb == TKD_VERB_CLAIM) argument = 1 + below(both, AGENTS);
    if (verb == TKD_VERB_TRANSFER) argument = 1 + below(both, QUEUES);
    if (verb == TKD_VERB_TRANSFER && below(both, 4) == 0) agent = 1 + below(both, AGENTS);
    if (verb == TKD_VERB_PRIORITY) argument = 1 + below(both, 4);
    if (verb == TKD_VERB_CATEGORY) argument = below(both, CATEGORIES + 1);
    struct naive_ticket was = naive->tickets[id];
    bool may_claim = was.holder == 0 && eligible(naive, argument, &was);
    struct tkd_ticket_update request = {.kind = (u16)verb,
                                        .ticket = id,
                                        .agent = verb == TKD_VERB_TRANSFER ? agent : argument,
                                        .queue = (u16)argument,
                                        .priority = (u8)argument,
                                        .category = (u16)argument};
    rig_begin(both->rig, TKD_OP_TICKET_UPDATE);
    rig_add(both->rig, TKD_RECORD_ticket_update, &request, NULL);
    cr_assert_eq(rig_run(both->rig), TKD_OK);
    u32 status = both->rig->results[0].status;
    rig_settle(both->rig);
    if (verb == TKD_VERB_CLAIM && was.open && !was.paused)
        cr_assert_eq(status == TKD_OK, may_claim, "claim of %u by %u: %u", id, argument, status);
    if (status != TKD_OK) return;
    bool begins = naive_verb(naive, id, verb, argument, agent);
    settle(naive, id, &was, begins, verb == TKD_VERB_RELEASE);
}

static void compare(const struct both *both, u32 step)
{
    const struct state *state = both->rig->state;
    for (u32 id = 1; id <= both->naive.tickets_count; id++) {
        const struct naive_ticket *ticket = &both->naive.tickets[id];
        cr_assert_eq(rig_holder(both->rig, id), ticket->holder, "step %u ticket %u: %u has it, not %u", step, id,
                     rig_holder(both->rig, id), ticket->holder);
        cr_assert_eq(rig_ticket(both->rig, id)->state, ticket->state, "step %u ticket %u", step, id);
    }
    for (u32 agent = 1; agent <= AGENTS; agent++)
        cr_assert_eq(state->route.load[agent], load_of(&both->naive, agent));
    for (u32 queue = 1; queue <= QUEUES; queue++) {
        u32 waiting = 0;
        for (u32 id = 1; id <= both->naive.tickets_count; id++)
            waiting += both->naive.tickets[id].queue == queue && waits(&both->naive.tickets[id]);
        cr_assert_eq(state->route.waiting[queue], waiting, "step %u queue %u", step, queue);
    }
}

static void run(u64 seed)
{
    struct both *both = calloc(1, sizeof *both);
    both->prng = prng_seeded(seed);
    both->rig = rig_create_small();
    rig_channel(both->rig, 1, "mail");
    for (u32 i = 1; i <= SKILLS; i++) rig_skill(both->rig, i, (char[]){(char)('a' + i), 0});
    for (u32 i = 1; i <= CATEGORIES; i++) define_category(both, i);
    for (u32 i = 1; i <= QUEUES; i++) define_queue(both, i);
    for (u32 i = 1; i <= AGENTS; i++) define_agent(both, i);
    for (u32 step = 0; step < STEPS; step++) {
        rig_advance(both->rig, both->rig->now_ms + below(both, 3));
        both->naive.now_ms = both->rig->now_ms;
        u32 what = below(both, 100);
        if (what < 30) do_create(both);
        else if (what < 40) do_presence(both);
        else if (what < 98) do_verb(both);
        else if (below(both, 3) == 0) define_queue(both, 1 + below(both, QUEUES));
        else if (below(both, 3) == 0) define_category(both, 1 + below(both, CATEGORIES));
        else define_agent(both, 1 + below(both, AGENTS));
        rig_settle(both->rig);
        compare(both, step);
        if (step % 100 == 0) state_validate(both->rig->state);
    }
    rig_destroy(both->rig);
    free(both);
}

#define SEED(n)                                                                                              \
    Test(routing, seed_##n) { run(n); }
SEED(1) SEED(2) SEED(3) SEED(4) SEED(5) SEED(6)
