/* Who gets what. The rules are those of core/route.h. */
#include "tests/naive/desk.h"

#define LOAD_EQUAL 65535u /* loads from here on are equal */

static const struct naive_entries *agents_of(const struct naive *desk) { return &desk->catalog.kinds[TKD_KIND_AGENT]; }
static u32 agent_at(const struct naive *desk, u32 index) { return agents_of(desk)->at[index]->head.id; }

static u32 strategy_of(const struct naive *desk, const struct naive_ticket *ticket)
{
    return naive_entry(desk, TKD_KIND_QUEUE, ticket->queue)->head.strategy;
}

bool naive_waits(const struct naive *desk, const struct naive_ticket *ticket)
{
    return naive_active(ticket) && ticket->holder == 0 && !ticket->no_routing && ticket != desk->arriving;
}

/* In the line: priority, then who came first. */
bool naive_before(const struct naive_ticket *a, const struct naive_ticket *b)
{
    if (a->priority != b->priority) return a->priority < b->priority;
    return a->entered_ms != b->entered_ms ? a->entered_ms < b->entered_ms : a->id < b->id;
}

static void needs_add(struct naive_skills *needs, struct naive_ids skills)
{
    for (u32 i = 0; i < skills.count; i++) {
        u32 id = naive_id(skills, i);
        needs->bits[id / 64] |= (u64)1 << id % 64;
    }
}

struct naive_skills naive_skills_of(struct naive_ids ids)
{
    struct naive_skills skills = {{0}};
    needs_add(&skills, ids);
    return skills;
}

static bool same_skills(const struct naive_skills *a, const struct naive_skills *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

bool naive_set_fits(struct naive *desk, struct naive_skills set)
{
    static const struct naive_skills none;
    struct naive_skills *sets = desk->sets.at;
    if (same_skills(&set, &none)) return true;
    for (u64 i = 0; i < desk->sets.count; i++)
        if (same_skills(&sets[i], &set)) return true;
    if (desk->sets.count == SKILL_SETS_MAX) return false;
    *(struct naive_skills *)naive_append(desk, &desk->sets, sizeof set) = set;
    return true;
}

/* Those of queue and category, and those of the ticket, as far as there is room for another set. */
void naive_needs(struct naive *desk, struct naive_ticket *ticket)
{
    struct naive_skills parts[2] = {{{0}}};
    if (ticket->category != 0)
        parts[0] = naive_skills_of(naive_entry(desk, TKD_KIND_CATEGORY, ticket->category)->skills);
    parts[1] = naive_skills_of(ticket->skills);
    ticket->needs = naive_skills_of(naive_entry(desk, TKD_KIND_QUEUE, ticket->queue)->skills);
    for (u32 part = 0; part < 2; part++) {
        struct naive_skills both = ticket->needs;
        for (u32 i = 0; i < SKILL_WORDS; i++) both.bits[i] |= parts[part].bits[i];
        if (naive_set_fits(desk, both)) ticket->needs = both;
    }
}

static bool skilled(const struct naive *desk, u32 agent, const struct naive_ticket *ticket)
{
    struct naive_skills has = naive_skills_of(naive_entry(desk, TKD_KIND_AGENT, agent)->skills);
    for (u32 i = 0; i < SKILL_WORDS; i++)
        if (ticket->needs.bits[i] & ~has.bits[i]) return false;
    return true;
}

bool naive_serves(const struct naive *desk, u32 agent, u32 queue)
{
    const struct naive_entry *entry = naive_live(desk, TKD_KIND_AGENT, agent);
    return entry != NULL && (entry->head.all_queues || naive_listed(entry->queues, queue));
}

bool naive_present(const struct naive *desk, u32 agent)
{
    return naive_live(desk, TKD_KIND_AGENT, agent) != NULL && desk->seats[agent].presence == TKD_PRESENCE_ONLINE;
}

u32 naive_load(const struct naive *desk, u32 agent)
{
    u32 load = 0;
    for (u64 row = 1; row <= desk->rows.count; row++) {
        const struct naive_ticket *ticket = naive_row(desk, row);
        load += ticket != NULL && ticket->holder == agent && naive_active(ticket);
    }
    return load;
}

u32 naive_waiting(const struct naive *desk, u32 queue)
{
    u32 waiting = 0;
    for (u64 row = 1; row <= desk->rows.count; row++) {
        const struct naive_ticket *ticket = naive_row(desk, row);
        waiting += ticket != NULL && ticket->queue == queue && ticket->holder == 0 && naive_active(ticket);
    }
    return waiting;
}

static bool available(const struct naive *desk, u32 agent)
{
    u32 capacity = naive_entry(desk, TKD_KIND_AGENT, agent)->head.capacity;
    return naive_present(desk, agent) && (capacity == 0 || naive_load(desk, agent) < capacity);
}

static bool could(const struct naive *desk, u32 agent, const struct naive_ticket *ticket)
{
    return naive_serves(desk, agent, ticket->queue) && skilled(desk, agent, ticket);
}

bool naive_eligible(const struct naive *desk, u32 agent, const struct naive_ticket *ticket)
{
    return could(desk, agent, ticket) && available(desk, agent);
}

/* Has agent a waited longer than b? Who never had anything comes first, by id. */
static bool idler(const struct naive *desk, u32 a, u32 b)
{
    u64 x = desk->seats[a].assignment, y = desk->seats[b].assignment;
    return x != y ? x < y : a < b;
}

/* Whom the queue's strategy chooses, 0 = nobody; *eligible = of how many. */
static u32 choose(const struct naive *desk, const struct naive_ticket *ticket, u32 not_agent, u32 *eligible)
{
    u32 best = 0, best_load = 0;
    *eligible = 0;
    for (u32 i = 0; i < agents_of(desk)->count; i++) {
        u32 agent = agent_at(desk, i);
        if (agent == not_agent || !naive_eligible(desk, agent, ticket)) continue;
        u32 load = strategy_of(desk, ticket) == TKD_STRATEGY_LEAST_LOADED ? naive_load(desk, agent) : 0;
        load = min_u32(load, LOAD_EQUAL);
        ++*eligible;
        if (best != 0 && (load > best_load || (load == best_load && !idler(desk, agent, best)))) continue;
        best = agent;
        best_load = load;
    }
    return best;
}

/* The first in all lines whom the agent could take. */
static struct naive_ticket *first_for(const struct naive *desk, u32 agent)
{
    struct naive_ticket *first = NULL;
    for (u64 row = 1; row <= desk->rows.count; row++) {
        struct naive_ticket *ticket = naive_row(desk, row);
        if (ticket == NULL || !naive_waits(desk, ticket)) continue;
        if (first != NULL && naive_before(first, ticket)) continue;
        if (strategy_of(desk, ticket) != TKD_STRATEGY_CLAIM && could(desk, agent, ticket)) first = ticket;
    }
    return first;
}

static bool somebody_waits(const struct naive *desk)
{
    for (u64 row = 1; row <= desk->rows.count; row++)
        if (naive_row(desk, row) != NULL && naive_waits(desk, naive_row(desk, row))) return true;
    return false;
}

static void give(struct naive *desk, struct naive_ticket *ticket, u32 agent, u32 eligible, u32 rule)
{
    struct tkd_event *event = naive_raise(desk, TKD_EVENT_ROUTED, ticket, NULL, 0);
    event->a = agent;
    event->b = eligible;
    event->c = rule;
    event->d = naive_load(desk, agent);
    event->e = (u32)min_u64(desk->now_ms - ticket->entered_ms, UINT32_MAX);
    naive_ticket_give(desk, ticket, agent, true);
    ticket->version++;
}

static void wait(struct naive *desk, struct naive_ticket *ticket, u32 rule)
{
    struct tkd_event *event = naive_raise(desk, TKD_EVENT_WAITING, ticket, NULL, 0);
    event->a = ticket->queue;
    event->b = naive_waiting(desk, ticket->queue);
    event->c = rule;
}

/* ---- An agent who may take more ---- */

bool naive_owes_work(const struct naive *desk)
{
    for (u32 i = 0; i < agents_of(desk)->count; i++)
        if (desk->seats[agent_at(desk, i)].owed) return true;
    return false;
}

/* Gives it what waits, until it is full or nothing is left; each to whom the queue's strategy chooses. False: the
 * command has done enough. */
static bool work_off(struct naive *desk, u32 agent)
{
    struct naive_ticket *ticket;
    u32 eligible;
    while (available(desk, agent) && (ticket = first_for(desk, agent)) != NULL) {
        if (desk->budget == 0) return false;
        desk->budget--;
        u32 chosen = choose(desk, ticket, 0, &eligible);
        give(desk, ticket, chosen, eligible, TKD_RULE_FREED_CAPACITY);
        naive_settle_clocks(desk, ticket);
    }
    return true;
}

void naive_serve(struct naive *desk, u32 agent)
{
    if (!available(desk, agent) || !somebody_waits(desk)) return;
    if (naive_owes_work(desk) || !work_off(desk, agent)) desk->seats[agent].owed = true;
}

void naive_serve_all(struct naive *desk)
{
    for (u32 i = 0; i < agents_of(desk)->count; i++) naive_serve(desk, agent_at(desk, i));
}

void naive_serve_owed(struct naive *desk)
{
    for (u32 i = 0; i < agents_of(desk)->count; i++) {
        u32 agent = agent_at(desk, i);
        if (!desk->seats[agent].owed) continue;
        if (!work_off(desk, agent)) return;
        desk->seats[agent].owed = false;
    }
}

/* ---- A task that begins to wait ---- */

bool naive_goes_first(const struct naive *desk, u32 agent, const struct naive_ticket *ticket)
{
    const struct naive_ticket *first = available(desk, agent) ? first_for(desk, agent) : NULL;
    return first != NULL && naive_before(first, ticket);
}

/* Unfinished work comes first: whoever could take the ticket is asked when that goes on. */
static void wait_behind(struct naive *desk, struct naive_ticket *ticket, u32 not_agent)
{
    for (u32 i = 0; i < agents_of(desk)->count; i++) {
        u32 agent = agent_at(desk, i);
        if (agent != not_agent && naive_eligible(desk, agent, ticket)) desk->seats[agent].owed = true;
    }
    wait(desk, ticket, TKD_RULE_BEHIND_OTHERS);
}

static bool gets_it_back(const struct naive *desk, const struct naive_ticket *ticket, u32 not_agent)
{
    return ticket->agent != 0 && ticket->agent != not_agent && naive_eligible(desk, ticket->agent, ticket);
}

/* One round: true when the ticket has found its place. */
static bool find_place(struct naive *desk, struct naive_ticket *ticket, u32 not_agent)
{
    u32 eligible = 1, strategy = strategy_of(desk, ticket);
    u32 rule = strategy == TKD_STRATEGY_LEAST_LOADED ? TKD_RULE_LEAST_LOADED : TKD_RULE_LONGEST_IDLE;
    if (ticket->no_routing) {
        wait(desk, ticket, TKD_RULE_NO_ROUTING);
    } else if (strategy == TKD_STRATEGY_CLAIM) {
        wait(desk, ticket, TKD_RULE_CLAIM);
    } else if (naive_owes_work(desk)) {
        wait_behind(desk, ticket, not_agent);
    } else {
        u32 agent = ticket->agent;
        if (gets_it_back(desk, ticket, not_agent)) rule = TKD_RULE_PREVIOUS_AGENT;
        else agent = choose(desk, ticket, not_agent, &eligible);
        if (agent == 0) {
            wait(desk, ticket, TKD_RULE_NOBODY_ELIGIBLE);
        } else if (naive_goes_first(desk, agent, ticket)) {
            naive_serve(desk, agent); /* then look again */
            return false;
        } else {
            give(desk, ticket, agent, eligible, rule);
        }
    }
    return true;
}

void naive_route(struct naive *desk, struct naive_ticket *ticket, u32 not_agent)
{
    while (!find_place(desk, ticket, not_agent)) continue;
}

void naive_presence(struct naive *desk, const struct tkd_prefix *record, struct tkd_result *result)
{
    struct tkd_agent_presence request;
    record_head(record, &request, sizeof request);
    result->id = request.agent;
    if (naive_live(desk, TKD_KIND_AGENT, request.agent) == NULL) result->status = TKD_UNKNOWN_AGENT;
    else if (request.presence != TKD_PRESENCE_OFFLINE && request.presence != TKD_PRESENCE_ONLINE)
        result->status = TKD_BAD_VALUE;
    else if (desk->seats[request.agent].presence == request.presence) result->status = TKD_UNCHANGED;
    if (result->status != TKD_OK) return;
    desk->seats[request.agent].presence = request.presence;
    struct tkd_event *event = naive_raise(desk, TKD_EVENT_PRESENCE, NULL, NULL, 0);
    event->a = request.agent;
    event->b = request.presence;
    naive_serve(desk, request.agent);
}
