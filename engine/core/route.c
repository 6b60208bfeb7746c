#include "core/route.h"

#include "base/mark.h"
#include "core/desk.h"

/* Agents differ in their standing, because no two share an assignment. */
#define LOAD_SHIFT 48
#define LOAD_MAX UINT16_MAX /* higher loads are equal: the longest idle of them is chosen */

static u64 *members_of(const struct state *state, u32 queue) { return state->route.members + queue * AGENT_WORDS; }
static u64 *skilled_in(const struct state *state, u32 skill) { return state->route.skilled + skill * AGENT_WORDS; }

static bool agent_present(const struct state *state, u32 agent)
{
    return seat_row(state, agent)->presence == TKD_PRESENCE_ONLINE && !agent_row(state, agent)->entry.retired;
}

static bool agent_spare(const struct state *state, u32 agent)
{
    u32 capacity = agent_row(state, agent)->capacity;
    return capacity == 0 || state->route.load[agent] < capacity;
}

bool route_member(const struct state *state, u32 agent, u32 queue)
{
    return bit_test(state->route.everywhere, agent) || bit_test(members_of(state, queue), agent);
}

static bool agent_has_skills(const struct state *state, u32 agent, u32 skill_set)
{
    if (skill_set == 0) return true;
    const u64 *needs = skill_set_row(state, skill_set)->skills;
    const u64 *has = agent_row(state, agent)->skills;
    for (u32 word = 0; word < SKILL_WORDS; word++)
        if (needs[word] & ~has[word]) return false;
    return true;
}

bool route_eligible(const struct state *state, u32 agent, u32 queue, u32 skill_set)
{
    return bit_test(state->route.available, agent) && route_member(state, agent, queue) &&
           agent_has_skills(state, agent, skill_set);
}

static u64 highest_of_eight(const u64 *standings)
{
    u64 highest = standings[0];
    for (u32 i = 1; i < 8; i++) highest = max_u64(highest, standings[i]);
    return highest;
}

static void ranking_put(const struct ranking *ranking, u32 agent, u64 standing)
{
    ranking->agents[agent] = standing;
    ranking->eights[agent / 8] = highest_of_eight(ranking->agents + agent / 8 * 8);
    ranking->words[agent / 64] = highest_of_eight(ranking->eights + agent / 64 * 8);
}

void route_refresh(struct state *state, u32 agent)
{
    struct route *route = &state->route;
    const struct seat *seat = seat_row(state, agent);
    bool present = agent_present(state, agent), available = present && agent_spare(state, agent);
    /* The id makes agents without any assignment differ. */
    u64 idle = seat->assigned_seq != 0 ? seat->assigned_seq + AGENTS_MAX : agent;
    u64 load = min_u32(route->load[agent], LOAD_MAX);
    ASSERT(idle + 1 < (u64)1 << LOAD_SHIFT);
    ranking_put(&route->longest_idle, agent, available ? ~idle : 0);
    ranking_put(&route->least_loaded, agent, available ? ~(load << LOAD_SHIFT | idle) : 0);
    bit_put(route->present, agent, present);
    bit_put(route->available, agent, available);
}

/* Who may take a task of this queue and set, but for `not_agent`: a bit each. Returns how many. */
static u32 route_candidates(const struct state *state, u32 queue, u32 skill_set, u32 not_agent,
                            u64 *restrict candidates)
{
    const struct route *route = &state->route;
    const u64 *members = members_of(state, queue);
    u32 words = route->words, count = 0;
    for (u32 i = 0; i < words; i++) candidates[i] = route->available[i] & (members[i] | route->everywhere[i]);
    const u64 *needs = skill_set_row(state, skill_set)->skills;
    for (u32 word = 0; word < SKILL_WORDS && skill_set != 0; word++) {
        for (u64 bits = needs[word]; bits != 0; bits &= bits - 1) {
            const u64 *skilled = skilled_in(state, word * 64 + bit_lowest(bits));
            for (u32 i = 0; i < words; i++) candidates[i] &= skilled[i];
        }
    }
    ASSERT(words > 0);
    bit_clear(candidates, not_agent);
    for (u32 i = 0; i < words; i++) count += bit_count(candidates[i]);
    return count;
}

/* The agent who is to have a task of this queue and set, 0 = nobody; *eligible = of how many. */
static u32 route_choose(const struct state *state, u32 queue, u32 skill_set, u32 not_agent, u32 *eligible)
{
    const struct route *route = &state->route;
    bool loaded = queue_row(state, queue)->strategy == TKD_STRATEGY_LEAST_LOADED;
    const struct ranking *ranking = loaded ? &route->least_loaded : &route->longest_idle;
    u64 candidates[AGENT_WORDS], best = 0;
    u32 word = 0;
    *eligible = route_candidates(state, queue, skill_set, not_agent, candidates);
    for (u32 i = 0; i < route->words; i++) {
        if (ranking->words[i] <= best) continue;
        const u64 *standings = ranking->agents + i * 64;
        u64 before = best;
        for (u64 bits = candidates[i]; bits != 0; bits &= bits - 1) best = max_u64(best, standings[bit_lowest(bits)]);
        word = best > before ? i : word;
    }
    if (best == 0) return 0;
    u64 bits = candidates[word]; /* no two standings are equal */
    while (ranking->agents[word * 64 + bit_lowest(bits)] != best) bits &= bits - 1;
    return word * 64 + bit_lowest(bits);
}

/* Hands the task over and says why. */
static void route_give(struct state *state, u32 task, u32 agent, u32 eligible, u32 rule)
{
    const struct task *row = task_row(state, task);
    u32 load = state->route.load[agent];
    u64 waited_ms = state->now_ms - row->entered_ms;
    u32 ticket = row->ticket;
    struct tkd_event *event = event_raise(state, TKD_EVENT_ROUTED, ticket, NULL, 0);
    event->a = agent;
    event->b = eligible;
    event->c = rule;
    event->d = load;
    event->e = (u32)min_u64(waited_ms, UINT32_MAX);
    ticket_assign(state, ticket, agent);
}

static void raise_waiting(struct state *state, u32 task, u32 rule)
{
    const struct task *row = task_row(state, task);
    u32 queue = row->queue;
    struct tkd_event *event = event_raise(state, TKD_EVENT_WAITING, row->ticket, NULL, 0);
    event->a = queue;
    event->b = state->route.waiting[queue];
    event->c = rule;
}

/* The agent who had the ticket before it was reopened, if it can take it. */
static u32 previous_agent(const struct state *state, u32 task)
{
    const struct task *row = task_row(state, task);
    const struct ticket *ticket = ticket_row(state, row->ticket);
    u32 agent = ticket->agent;
    return agent != 0 && route_eligible(state, agent, row->queue, row->skill_set) ? agent : 0;
}

/* The first task in all lines that the agent can take, 0 = none. */
static u32 first_for(const struct state *state, u32 agent)
{
    const struct line *line = &state->line;
    const struct agent *row = agent_row(state, agent);
    u32 best = 0, words = line->queues_count == 0 ? 0 : state->tables[TABLE_QUEUE].row_last / 64 + 1;
    for (u32 word = 0; word < words; word++) {
        u64 bits = line->queues_waiting[word] & (row->all_queues ? UINT64_MAX : row->queues[word]);
        for (; bits != 0; bits &= bits - 1) {
            u32 queue = word * 64 + bit_lowest(bits);
            if (queue_row(state, queue)->strategy == TKD_STRATEGY_CLAIM) continue;
            for (u32 at = line->queue_lanes[queue]; at != 0; at = line->lanes[at].next) {
                if (!agent_has_skills(state, agent, line->lanes[at].skill_set)) continue;
                u32 head = lane_head(&line->lanes[at]);
                if (best == 0 || line_before(state, head, best)) best = head;
            }
        }
    }
    return best;
}

bool route_owes(const struct state *state, u32 agent, u32 task)
{
    if (!bit_test(state->route.available, agent)) return false;
    u32 first = first_for(state, agent);
    MARK_IF(first != 0 && line_before(state, first, task), "agent owes an older task its turn");
    return first != 0 && line_before(state, first, task);
}

/* Gives the agent work until it is full, nothing is left or the command has done enough. True: finished. */
static bool drain_agent(struct state *state, u32 agent)
{
    while (bit_test(state->route.available, agent)) {
        u32 task = first_for(state, agent);
        if (task == 0) return true;
        MARK_IF(state->route.budget == 0, "routing budget spent");
        if (state->route.budget == 0) return false;
        state->route.budget--;
        const struct task *row = task_row(state, task);
        u32 ticket = row->ticket, eligible;
        /* The queue's strategy decides, should another agent be able to take it, too. */
        u32 chosen = route_choose(state, row->queue, row->skill_set, 0, &eligible);
        MARK_IF(chosen != agent, "freed capacity goes to another agent");
        ASSERT(chosen != 0); /* at least the agent who is being asked */
        line_remove(state, task);
        route_give(state, task, chosen, eligible, TKD_RULE_FREED_CAPACITY);
        sla_settle(state, ticket);
    }
    return true;
}

static u64 drain_word(const struct state *state, u32 word)
{
    return drain_row(state, 1 + word / DRAIN_ROW_WORDS)->agents[word % DRAIN_ROW_WORDS];
}

static void drain_set(struct state *state, u32 word, u64 bits)
{
    struct drain *row = drain_edit(state, 1 + word / DRAIN_ROW_WORDS);
    u64 *at = &row->agents[word % DRAIN_ROW_WORDS];
    state->route.drain_count += bit_count(bits);
    state->route.drain_count -= bit_count(*at);
    *at = bits;
}

static void drain_add(struct state *state, u32 word, u64 bits)
{
    u64 old = drain_word(state, word);
    if (bits & ~old) drain_set(state, word, old | bits);
}

/* The task waits, and whoever could take it will be asked when the drain goes on. */
static void wait_behind(struct state *state, u32 task, u32 not_agent)
{
    const struct task *row = task_row(state, task);
    u64 candidates[AGENT_WORDS];
    route_candidates(state, row->queue, row->skill_set, not_agent, candidates);
    for (u32 word = 0; word < state->route.words; word++) drain_add(state, word, candidates[word]);
    MARK("newcomer waits behind others");
    line_push(state, task);
    raise_waiting(state, task, TKD_RULE_BEHIND_OTHERS);
}

void route_task(struct state *state, u32 task, u32 not_agent)
{
    const struct task *row = task_row(state, task);
    if (ticket_row(state, row->ticket)->flags & TICKET_NO_ROUTING) {
        raise_waiting(state, task, TKD_RULE_NO_ROUTING);
        return;
    }
    u32 strategy = queue_row(state, row->queue)->strategy;
    if (strategy == TKD_STRATEGY_CLAIM) {
        line_push(state, task);
        MARK("task waits to be claimed");
        raise_waiting(state, task, TKD_RULE_CLAIM);
        return;
    }
    u32 agent, eligible, rule;
    for (;;) {
        if (route_pending(&state->route)) {
            wait_behind(state, task, not_agent);
            return;
        }
        agent = previous_agent(state, task);
        eligible = 1;
        rule = TKD_RULE_PREVIOUS_AGENT;
        ASSERT(agent == 0 || not_agent == 0); /* a ticket given back has no agent before */
        if (agent == 0) {
            agent = route_choose(state, row->queue, row->skill_set, not_agent, &eligible);
            rule = strategy == TKD_STRATEGY_LEAST_LOADED ? TKD_RULE_LEAST_LOADED : TKD_RULE_LONGEST_IDLE;
        }
        if (agent == 0 || !route_owes(state, agent, task)) break;
        route_agent(state, agent); /* somebody released it, and waits for want of another agent */
    }
    if (agent == 0) {
        line_push(state, task);
        MARK("nobody eligible");
        raise_waiting(state, task, TKD_RULE_NOBODY_ELIGIBLE);
        return;
    }
    MARK_IF(rule == TKD_RULE_PREVIOUS_AGENT, "previous agent gets the ticket back");
    route_give(state, task, agent, eligible, rule);
}

void route_agent(struct state *state, u32 agent)
{
    if (!bit_test(state->route.available, agent) || state->line.queues_count == 0) return;
    if (route_pending(&state->route) || !drain_agent(state, agent))
        drain_add(state, agent / 64, (u64)1 << agent % 64);
}

void route_drain(struct state *state)
{
    MARK("routing goes on");
    for (u32 word = 0; word < AGENT_WORDS && route_pending(&state->route); word++) {
        for (u64 bits = drain_word(state, word); bits != 0; bits &= bits - 1) {
            if (!drain_agent(state, word * 64 + bit_lowest(bits))) {
                drain_set(state, word, bits);
                return;
            }
        }
        if (drain_word(state, word) != 0) drain_set(state, word, 0);
    }
}

void route_all(struct state *state)
{
    for (u32 word = 0; word < state->route.words; word++)
        for (u64 bits = state->route.available[word]; bits != 0; bits &= bits - 1)
            route_agent(state, word * 64 + bit_lowest(bits));
}

void route_loaded(struct state *state)
{
    for (u32 word = 0; word < AGENT_WORDS; word++) state->route.drain_count += bit_count(drain_word(state, word));
    for (u32 agent = 1; agent <= state->tables[TABLE_AGENT].row_last; agent++)
        if (table_used(&state->tables[TABLE_AGENT], agent)) route_refresh(state, agent);
}

void agent_presence(struct state *state, const struct tkd_prefix *record, struct tkd_result *result)
{
    struct tkd_agent_presence request;
    record_head(record, &request, sizeof request);
    result->id = request.agent;
    if (!catalog_live(state, TKD_KIND_AGENT, request.agent)) {
        result->status = TKD_UNKNOWN_AGENT;
        return;
    }
    if (request.presence == 0 || request.presence >= TKD_PRESENCE_END) {
        result->status = TKD_BAD_VALUE;
        return;
    }
    if (seat_row(state, request.agent)->presence == request.presence) {
        result->status = TKD_UNCHANGED;
        return;
    }
    seat_edit(state, request.agent)->presence = request.presence;
    struct tkd_event *event = event_raise(state, TKD_EVENT_PRESENCE, 0, NULL, 0);
    event->a = request.agent;
    event->b = request.presence;
    result->status = TKD_OK;
    route_refresh(state, request.agent);
    route_agent(state, request.agent);
}
