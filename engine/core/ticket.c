#include "core/ticket.h"

#include "base/mark.h"
#include "core/desk.h"

/* Bits of the states in which a verb is legal. */
#define IN(name) (1u << TKD_STATE_##name)
#define UNSOLVED (IN(NEW) | IN(OPEN) | IN(PENDING) | IN(ON_HOLD))
#define EVERY (UNSOLVED | IN(RESOLVED) | IN(CLOSED) | IN(CANCELLED))

/* The table of legal moves: the states in which a verb may come, the state it leads to (0 = it stays), and
 * whether a paused ticket takes it. A verb whose target state the ticket is in already changes nothing. */
static const struct move {
    u16 from;
    u8 to;
    bool paused;
} moves[TKD_VERB_END] = {
    [TKD_VERB_ASSIGN] = {UNSOLVED, 0, false},
    [TKD_VERB_CLAIM] = {UNSOLVED, 0, false},
    [TKD_VERB_RELEASE] = {UNSOLVED, 0, false},
    [TKD_VERB_TRANSFER] = {UNSOLVED, 0, false},
    [TKD_VERB_PRIORITY] = {EVERY, 0, true},
    [TKD_VERB_CATEGORY] = {EVERY, 0, true},
    [TKD_VERB_TAG] = {EVERY, 0, true},
    [TKD_VERB_UNTAG] = {EVERY, 0, true},
    [TKD_VERB_PEND] = {UNSOLVED, TKD_STATE_PENDING, false},
    [TKD_VERB_HOLD] = {UNSOLVED, TKD_STATE_ON_HOLD, false},
    [TKD_VERB_RESUME] = {IN(OPEN) | IN(PENDING) | IN(ON_HOLD), TKD_STATE_OPEN, false},
    [TKD_VERB_RESOLVE] = {UNSOLVED | IN(RESOLVED), TKD_STATE_RESOLVED, false},
    [TKD_VERB_CLOSE] = {UNSOLVED | IN(RESOLVED) | IN(CLOSED), TKD_STATE_CLOSED, false},
    [TKD_VERB_CANCEL] = {UNSOLVED | IN(RESOLVED) | IN(CANCELLED), TKD_STATE_CANCELLED, true},
    [TKD_VERB_FORCE_END] = {UNSOLVED | IN(RESOLVED), TKD_STATE_CLOSED, true},
    [TKD_VERB_PAUSE] = {UNSOLVED, 0, true},
    [TKD_VERB_CONTINUE] = {UNSOLVED, 0, true},
    [TKD_VERB_REOPEN] = {IN(RESOLVED) | IN(CLOSED) | IN(CANCELLED), TKD_STATE_OPEN, false},
    [TKD_VERB_URGE] = {UNSOLVED | IN(RESOLVED), 0, true},
    [TKD_VERB_REPLY] = {UNSOLVED | IN(RESOLVED), 0, false},
    [TKD_VERB_NOTE] = {EVERY, 0, true},
    [TKD_VERB_MESSAGE] = {UNSOLVED | IN(RESOLVED), 0, true},
};

/* Where a ticket's open task stands, for the gauges and the lines. */
struct place {
    u32 task;
    u32 queue;
    u32 agent; /* who has the open task */
    u32 skill_set;
    u32 priority;
    u32 station;
    bool active;
    u64 columns;
};

/* One update while it is being applied. */
struct update {
    const struct tkd_ticket_update *request;
    const char *text;
    u32 text_bytes;
    u32 verb;
    u32 row;
    u32 released_by; /* agent who gave it back just now */
};

u32 ticket_find(const struct state *state, u64 id)
{
    u64 sequence = TICKET_SEQUENCE(id);
    if (id >> TICKET_PARTITION_SHIFT != 0 || sequence == 0 || sequence > desk_row(state)->tickets) return 0;
    return state->directory[sequence];
}

static struct hash128 key_hash(const struct state *state, u32 channel, const char *receiver, u32 receiver_bytes,
                               const char *key, u32 key_bytes)
{
    u8 text[8 + 256 + 256];
    ASSERT(receiver_bytes <= 256 && key_bytes <= 256);
    memcpy(text, &channel, 4);
    memcpy(text + 4, &receiver_bytes, 4);
    memcpy(text + 8, receiver, receiver_bytes);
    memcpy(text + 8 + receiver_bytes, key, key_bytes);
    XXH128_hash_t hash = XXH3_128bits_withSeed(text, 8 + receiver_bytes + key_bytes, state->config.secret);
    return (struct hash128){.low = hash.low64, .high = hash.high64};
}

static u32 key_find(const struct state *state, struct hash128 hash)
{
    u32 row;
    for (u64 at = index_seek(&state->keys, hash.high); (row = index_candidate(&state->keys, hash.high, &at));) {
        const struct ticket_key *key = key_row(state, row);
        if (hash128_equal(key->hash, hash)) return (u32)key->ticket;
    }
    return 0;
}

u32 ticket_find_key(const struct state *state, u32 channel, const char *receiver, u32 receiver_bytes,
                    const char *key, u32 key_bytes)
{
    if (key_bytes == 0) return 0;
    return key_find(state, key_hash(state, channel, receiver, receiver_bytes, key, key_bytes));
}

/* ---- Places: gauges, lines and routing follow from where the ticket was and where it is ---- */

static struct place place_of(const struct state *state, const struct ticket *ticket)
{
    struct place place = {.task = ticket->task, .columns = columns_of(state, ticket)};
    if (ticket->task == 0) return place;
    const struct task *task = task_row(state, ticket->task);
    place.queue = task->queue;
    place.agent = task->agent;
    place.skill_set = task->skill_set;
    place.priority = ticket->priority;
    place.station = task->station;
    place.active = ticket_active(ticket);
    return place;
}

static void place_gauge(struct state *state, const struct place *place, u32 amount)
{
    if (place->task == 0) return;
    struct route *route = &state->route;
    if (place->agent == 0) {
        u32 *gauge = place->active ? route->waiting : route->suspended;
        gauge[place->queue] += amount;
        return;
    }
    route->assigned[place->queue] += amount;
    route->held[place->agent] += amount;
    if (place->active) route->load[place->agent] += amount;
}

static void place_count(struct state *state, const struct place *place, u32 amount)
{
    place_gauge(state, place, amount);
    if (place->agent != 0) route_refresh(state, place->agent);
}

static bool place_waits(const struct place *place) { return place->task != 0 && place->agent == 0 && place->active; }

/* Brings everything that follows from the row in line with it. `before` is where the ticket was. */
static void ticket_settle(struct state *state, u32 row, const struct place *before, u32 released_by)
{
    struct place after = place_of(state, ticket_row(state, row));
    columns_change(&state->columns, ticket_row(state, row)->id, before->columns, after.columns);
    bool routes = !(ticket_row(state, row)->flags & TICKET_NO_ROUTING);
    bool moved = before->station != after.station ||
                 (routes && (before->priority != after.priority || before->skill_set != after.skill_set));
    bool waited = place_waits(before), waits = place_waits(&after);
    bool begins = waits && (!waited || moved);
    bool freed = before->agent != 0 && before->active && (after.agent != before->agent || !after.active);
    if (waited && (!waits || moved)) line_remove(state, before->task);
    place_count(state, before, (u32)-1);
    place_count(state, &after, 1);
    if (begins && freed && (released_by != 0 || route_owes(state, before->agent, after.task))) {
        /* Those who wait for the agent already are not overtaken by the task that it gives away. */
        MARK("who waits goes before the task given away");
        route_agent(state, before->agent);
        freed = false;
    }
    if (begins) route_task(state, after.task, released_by);
    sla_settle(state, row);
    if (freed) route_agent(state, before->agent);
}

void ticket_assign(struct state *state, u32 row, u32 agent)
{
    struct place before = place_of(state, ticket_row(state, row));
    place_count(state, &before, (u32)-1);
    task_give(state, row, agent, true);
    ticket_edit(state, row)->version++;
    struct place after = place_of(state, ticket_row(state, row));
    columns_change(&state->columns, ticket_row(state, row)->id, before.columns, after.columns);
    place_count(state, &after, 1);
}

void ticket_loaded(struct state *state, u32 row)
{
    struct place place = place_of(state, ticket_row(state, row));
    columns_change(&state->columns, ticket_row(state, row)->id, 0, place.columns);
    columns_tag(state, row);
    place_gauge(state, &place, 1);
    if (place_waits(&place) && !(ticket_row(state, row)->flags & TICKET_NO_ROUTING)) line_push(state, place.task);
}

/* After a change of the catalog: requirements, policy and timers of one ticket. */
void ticket_sweep(struct state *state, u32 row)
{
    struct place before = place_of(state, ticket_row(state, row));
    if (before.task != 0) {
        u32 set = task_skill_set(state, ticket_row(state, row));
        if (set != before.skill_set) {
            bool waits = line_has(&state->line, before.task);
            if (waits) line_remove(state, before.task);
            task_edit(state, before.task)->skill_set = (u16)set;
            if (waits) line_push(state, before.task);
        }
    }
    sla_sweep(state, row);
}

void ticket_set_state(struct state *state, u32 row, u32 to)
{
    struct ticket *ticket = ticket_edit(state, row);
    struct desk *desk = desk_edit(state);
    desk->by_state[ticket->state]--;
    desk->since_sum_ms[ticket->state] -= ticket->state_since_ms;
    desk->ran_ms[ticket->state] += state->now_ms - ticket->state_since_ms;
    if (state_unsolved(ticket->state) && !state_unsolved(to)) customer_edit(state, ticket->customer)->open_tickets--;
    if (!state_unsolved(ticket->state) && state_unsolved(to)) customer_edit(state, ticket->customer)->open_tickets++;
    ticket->state = (u8)to;
    ticket->state_since_ms = state->now_ms;
    desk->by_state[to]++;
    desk->since_sum_ms[to] += state->now_ms;
}

/* ---- Create ---- */

static enum tkd_status create_check(const struct state *state, const struct tkd_ticket_create *request)
{
    if (!catalog_live(state, TKD_KIND_CHANNEL, request->channel)) return TKD_UNKNOWN_CHANNEL;
    if (!catalog_live(state, TKD_KIND_QUEUE, request->queue)) return TKD_UNKNOWN_QUEUE;
    if (request->category != 0 && !catalog_live(state, TKD_KIND_CATEGORY, request->category))
        return TKD_UNKNOWN_CATEGORY;
    if (request->priority >= TKD_PRIORITY_END || request->state > TKD_STATE_OPEN || request->no_routing > 1)
        return TKD_BAD_VALUE;
    if (request->agent != 0) {
        if (!catalog_live(state, TKD_KIND_AGENT, request->agent)) return TKD_UNKNOWN_AGENT;
        if (!route_member(state, request->agent, request->queue)) return TKD_NOT_A_MEMBER;
    }
    if (request->customer != 0 ? request->customer > UINT32_MAX ||
                                     !table_used(&state->tables[TABLE_CUSTOMER], (u32)request->customer)
                               : request->address_bytes == 0)
        return TKD_UNKNOWN_CUSTOMER;
    return TKD_OK;
}

static void create_key(struct state *state, u32 row, struct hash128 hash)
{
    u32 at = table_take(&state->tables[TABLE_KEY]);
    *key_edit(state, at) = (struct ticket_key){.ticket = row, .hash = hash};
    index_insert(&state->keys, hash.high, at);
    state->key_rows[row] = at;
}

/* The request's texts go into the event as they came: six lengths, then the bytes. */
static void create_event(struct state *state, u32 row, const struct tkd_ticket_create *request, const char *texts)
{
    u32 lengths[6] = {request->address_bytes, request->receiver_bytes, request->key_bytes,
                      request->subject_bytes, request->body_bytes,     request->skills_bytes};
    u32 bytes = request->address_bytes + request->receiver_bytes + request->key_bytes + request->subject_bytes +
                request->body_bytes + request->skills_bytes;
    struct tkd_event *event = event_open(state, TKD_EVENT_CREATED, row, (u32)sizeof lengths + bytes);
    memcpy(event + 1, lengths, sizeof lengths);
    memcpy((u8 *)(event + 1) + sizeof lengths, texts, bytes);
    struct ticket *ticket = ticket_edit(state, row);
    ticket->created_event = event->seq;
    event->a = ticket->queue;
    event->b = ticket->customer;
    event->c = ticket->category;
    event->d = ticket->priority | (u32)ticket->state << 8 | (u32)ticket->channel << 16;
    event->link = customer_touch(state, ticket->customer, event->seq);
}

static u32 create_row(struct state *state, const struct tkd_ticket_create *request, u32 customer, u32 skill_set)
{
    struct desk *desk = desk_edit(state);
    u32 row = table_take(&state->tables[TABLE_TICKET]);
    struct ticket *ticket = ticket_edit(state, row);
    ticket->id = ++desk->tickets;
    ticket->created_ms = ticket->state_since_ms = state->now_ms;
    ticket->customer = customer;
    ticket->version = 1;
    ticket->queue = request->queue;
    ticket->category = request->category;
    ticket->channel = request->channel;
    ticket->skill_set = (u16)skill_set;
    ticket->state = request->state != 0 ? request->state : TKD_STATE_NEW;
    ticket->priority = request->priority != 0 ? request->priority : TKD_PRIORITY_NORMAL;
    if (request->no_routing) ticket->flags |= TICKET_NO_ROUTING;
    state->directory[ticket->id] = row;
    desk->creates++;
    desk->by_state[ticket->state]++;
    desk->since_sum_ms[ticket->state] += state->now_ms;
    desk->by_priority[ticket->priority]++;
    channel_edit(state, ticket->channel)->tickets++;
    struct customer *owner = customer_edit(state, customer);
    owner->tickets++;
    owner->open_tickets++;
    return row;
}

void ticket_prepare(const struct state *state, const struct tkd_prefix *record, struct ticket_prepared *prepared)
{
    struct tkd_ticket_create extended;
    const struct tkd_ticket_create *request = record_view(record, &extended, sizeof extended);
    const char *texts = record_texts(record), *receiver = texts + request->address_bytes;
    *prepared = (struct ticket_prepared){.known = request->customer != 0};
    if (!prepared->known) {
        prepared->identity = identity_hash(state, request->channel, texts, request->address_bytes);
        index_prefetch(&state->identities, prepared->identity.high);
    }
    if (request->key_bytes == 0) return;
    prepared->key = key_hash(state, request->channel, receiver, request->receiver_bytes,
                             receiver + request->receiver_bytes, request->key_bytes);
    index_prefetch(&state->keys, prepared->key.high);
}

void ticket_prefetch(const struct state *state, const struct ticket_prepared *prepared)
{
    if (prepared->known) return;
    u64 at = index_seek(&state->identities, prepared->identity.high);
    u32 row = index_candidate(&state->identities, prepared->identity.high, &at);
    prefetch(identity_row(state, row));
    prefetch_edit(customer_row(state, row)); /* made together, so they mostly share the row's number */
}

void ticket_create(struct state *state, const struct tkd_prefix *record, struct tkd_result *result)
{
    const struct ticket_prepared *prepared = state->prepared;
    struct tkd_ticket_create extended;
    const struct tkd_ticket_create *request = record_view(record, &extended, sizeof extended);
    const char *texts = record_texts(record);
    const char *key = texts + request->address_bytes + request->receiver_bytes;
    if (request->key_bytes != 0) {
        u32 first = key_find(state, prepared->key);
        if (first != 0) {
            MARK("external key known");
            const struct ticket *ticket = ticket_row(state, first);
            *result = (struct tkd_result){.status = TKD_EXISTS, .version = ticket->version, .id = ticket->id};
            return;
        }
    }
    result->status = create_check(state, request);
    if (result->status != TKD_OK) return;
    const char *skills = key + request->key_bytes + request->subject_bytes + request->body_bytes;
    u32 skill_set;
    result->status = skill_set_of_ids(state, (const u8 *)skills, request->skills_bytes, &skill_set);
    if (result->status != TKD_OK) return;
    u32 customer = (u32)request->customer;
    if (customer == 0) customer = identity_find(state, prepared->identity);
    if (customer == 0) customer = customer_create(state, request->channel, prepared->identity);
    u32 row = create_row(state, request, customer, skill_set);
    if (request->key_bytes != 0) create_key(state, row, prepared->key);
    create_event(state, row, request, texts);
    struct place nowhere = {0};
    task_enter(state, row);
    if (request->agent != 0) {
        event_raise(state, TKD_EVENT_ASSIGNED, row, NULL, 0)->a = request->agent;
        task_give(state, row, request->agent, false);
    }
    ticket_settle(state, row, &nowhere, 0);
    result->version = ticket_row(state, row)->version;
    result->id = ticket_row(state, row)->id;
}

/* ---- Update: what each verb does. A handler changes the row, raises its event and returns OK; or it returns
 * why not and has changed nothing. ---- */

static struct tkd_event *update_event(struct state *state, const struct update *update, enum tkd_event_kind kind)
{
    struct tkd_event *event = event_raise(state, kind, update->row, update->text, update->text_bytes);
    event->actor = update->request->actor;
    return event;
}

static enum tkd_status agent_check(const struct state *state, u32 agent, u32 queue)
{
    if (!catalog_live(state, TKD_KIND_AGENT, agent)) return TKD_UNKNOWN_AGENT;
    return route_member(state, agent, queue) ? TKD_OK : TKD_NOT_A_MEMBER;
}

static enum tkd_status verb_assign(struct state *state, struct update *update)
{
    const struct ticket *ticket = ticket_row(state, update->row);
    u32 agent = update->request->agent, before = task_row(state, ticket->task)->agent;
    enum tkd_status status = agent_check(state, agent, ticket->queue);
    if (status != TKD_OK) return status;
    if (agent == before) return TKD_UNCHANGED;
    struct tkd_event *event = update_event(state, update, TKD_EVENT_ASSIGNED);
    event->a = agent;
    event->b = before;
    task_give(state, update->row, agent, false);
    return TKD_OK;
}

static enum tkd_status verb_claim(struct state *state, struct update *update)
{
    const struct ticket *ticket = ticket_row(state, update->row);
    const struct task *task = task_row(state, ticket->task);
    if (!catalog_live(state, TKD_KIND_AGENT, update->request->agent)) return TKD_UNKNOWN_AGENT;
    if (task->agent == update->request->agent) return TKD_UNCHANGED;
    if (task->agent != 0) return TKD_ALREADY_ASSIGNED;
    if (!route_member(state, update->request->agent, task->queue)) return TKD_NOT_A_MEMBER;
    if (!route_eligible(state, update->request->agent, task->queue, task->skill_set)) return TKD_NOT_ELIGIBLE;
    return verb_assign(state, update);
}

static enum tkd_status verb_release(struct state *state, struct update *update)
{
    const struct ticket *ticket = ticket_row(state, update->row);
    u32 agent = task_row(state, ticket->task)->agent;
    if (agent == 0) return TKD_NOT_ASSIGNED;
    update_event(state, update, TKD_EVENT_RELEASED)->a = agent;
    task_take_back(state, update->row);
    update->released_by = agent;
    return TKD_OK;
}

static enum tkd_status verb_transfer(struct state *state, struct update *update)
{
    const struct ticket *ticket = ticket_row(state, update->row);
    u32 from = ticket->queue, to = update->request->queue, agent = update->request->agent;
    if (!catalog_live(state, TKD_KIND_QUEUE, to)) return TKD_UNKNOWN_QUEUE;
    if (ticket->stations == UINT16_MAX) return TKD_BAD_VALUE; /* stations tell tasks apart */
    enum tkd_status status = agent == 0 ? TKD_OK : agent_check(state, agent, to);
    if (status != TKD_OK) return status;
    stats_count(state, ticket, STATS_transferred, 1);
    task_close(state, update->row, TKD_OUTCOME_TRANSFERRED);
    struct tkd_event *event = update_event(state, update, TKD_EVENT_TRANSFERRED);
    event->a = from;
    event->b = to;
    event->c = agent;
    struct ticket *row = ticket_edit(state, update->row);
    row->queue = (u16)to;
    row->agent = 0;
    task_enter(state, update->row);
    if (agent != 0) task_give(state, update->row, agent, false);
    return TKD_OK;
}

static enum tkd_status verb_priority(struct state *state, struct update *update)
{
    u32 to = update->request->priority;
    struct ticket *ticket = ticket_edit(state, update->row);
    if (to == 0 || to >= TKD_PRIORITY_END) return TKD_BAD_VALUE;
    if (ticket->priority == to) return TKD_UNCHANGED;
    struct tkd_event *event = update_event(state, update, TKD_EVENT_PRIORITY);
    event->a = ticket->priority;
    event->b = to;
    desk_edit(state)->by_priority[ticket->priority]--;
    desk_edit(state)->by_priority[to]++;
    ticket->priority = (u8)to;
    sla_retarget(state, update->row);
    return TKD_OK;
}

static enum tkd_status verb_category(struct state *state, struct update *update)
{
    u32 to = update->request->category;
    struct ticket *ticket = ticket_edit(state, update->row);
    if (to != 0 && !catalog_live(state, TKD_KIND_CATEGORY, to)) return TKD_UNKNOWN_CATEGORY;
    if (ticket->category == to) return TKD_UNCHANGED;
    struct tkd_event *event = update_event(state, update, TKD_EVENT_CATEGORY);
    event->a = ticket->category;
    event->b = to;
    ticket->category = (u16)to;
    if (ticket->task != 0) task_edit(state, ticket->task)->skill_set = (u16)task_skill_set(state, ticket);
    sla_retarget(state, update->row);
    return TKD_OK;
}

static enum tkd_status verb_tag(struct state *state, struct update *update)
{
    if (update->text_bytes == 0) return TKD_TEXT_REQUIRED;
    if (update->text_bytes > TAG_BYTES_MAX) return TKD_BAD_VALUE;
    enum tkd_status status = tag_add(state, update->row, update->text, update->text_bytes);
    if (status == TKD_OK) update_event(state, update, TKD_EVENT_TAGGED);
    return status;
}

static enum tkd_status verb_untag(struct state *state, struct update *update)
{
    if (update->text_bytes == 0) return TKD_TEXT_REQUIRED;
    if (!tag_remove(state, update->row, update->text, update->text_bytes)) return TKD_UNCHANGED;
    update_event(state, update, TKD_EVENT_UNTAGGED);
    return TKD_OK;
}

static void change_state(struct state *state, struct update *update, u32 to)
{
    const struct ticket *ticket = ticket_row(state, update->row);
    struct tkd_event *event = update_event(state, update, TKD_EVENT_STATE);
    event->a = ticket->state;
    event->b = to;
    event->c = update->verb;
    event->d = ticket->queue;
    event->e = ticket->agent;
    ticket_set_state(state, update->row, to);
}

/* pend, hold, resume */
static enum tkd_status verb_wait(struct state *state, struct update *update)
{
    change_state(state, update, moves[update->verb].to);
    return TKD_OK;
}

static void count_solve(struct state *state, u32 row)
{
    struct ticket *ticket = ticket_edit(state, row);
    struct desk *desk = desk_edit(state);
    u64 took_ms = state->now_ms - ticket->created_ms;
    desk->solves++;
    stats_count(state, ticket, STATS_solves, 1);
    if (!(ticket->flags & TICKET_SOLVED_ONCE)) {
        ticket->flags |= TICKET_SOLVED_ONCE;
        desk->tickets_ever_solved++;
        desk->first_resolution_ms += took_ms;
        stats_count(state, ticket, STATS_first_solves, 1);
        stats_count(state, ticket, STATS_first_resolution_ms, took_ms);
    } else {
        desk->full_resolution_ms -= ticket->solved_ms - ticket->created_ms;
    }
    desk->full_resolution_ms += took_ms;
    ticket->solved_ms = state->now_ms;
    u32 agent = task_row(state, ticket->task)->agent;
    tally_edit(state, ticket->queue)->solves++;
    if (agent != 0) seat_edit(state, agent)->solves++;
}

static enum tkd_status verb_end(struct state *state, struct update *update)
{
    struct ticket *ticket = ticket_edit(state, update->row);
    if (update->verb == TKD_VERB_FORCE_END && update->text_bytes == 0) return TKD_REASON_REQUIRED;
    bool solve = state_unsolved(ticket->state) &&
                 (update->verb == TKD_VERB_RESOLVE || update->verb == TKD_VERB_CLOSE);
    if (solve) count_solve(state, update->row);
    if (ticket->task != 0) task_close(state, update->row, solve ? TKD_OUTCOME_DONE : TKD_OUTCOME_CANCELLED);
    ticket->flags &= (u8)~TICKET_PAUSED;
    u32 to = moves[update->verb].to;
    change_state(state, update, to);
    if (to == TKD_STATE_CLOSED) stats_count(state, ticket, STATS_closed, 1);
    if (to == TKD_STATE_CANCELLED) stats_count(state, ticket, STATS_cancelled, 1);
    return TKD_OK;
}

static enum tkd_status verb_pause(struct state *state, struct update *update)
{
    struct ticket *ticket = ticket_edit(state, update->row);
    bool pause = update->verb == TKD_VERB_PAUSE;
    if (pause == ((ticket->flags & TICKET_PAUSED) != 0)) return TKD_UNCHANGED;
    update_event(state, update, pause ? TKD_EVENT_PAUSED : TKD_EVENT_CONTINUED);
    ticket->flags ^= TICKET_PAUSED;
    return TKD_OK;
}

/* A new task in the same queue. Who assigns by commands finds the ticket with the agent who had it. */
static enum tkd_status verb_reopen(struct state *state, struct update *update)
{
    struct ticket *ticket = ticket_edit(state, update->row);
    struct desk *desk = desk_edit(state);
    desk->reopens++;
    if (!(ticket->flags & TICKET_REOPENED_ONCE)) desk->tickets_reopened++;
    ticket->flags |= TICKET_REOPENED_ONCE;
    if (ticket->reopens < UINT16_MAX) ticket->reopens++;
    stats_count(state, ticket, STATS_reopened, 1);
    change_state(state, update, TKD_STATE_OPEN);
    task_reopen(state, update->row);
    return TKD_OK;
}

static enum tkd_status verb_urge(struct state *state, struct update *update)
{
    struct ticket *ticket = ticket_edit(state, update->row);
    if (ticket->urges < UINT16_MAX) ticket->urges++;
    struct tkd_event *event = update_event(state, update, TKD_EVENT_URGED);
    event->a = ticket->urges;
    event->link = customer_touch(state, ticket->customer, event->seq);
    stats_count(state, ticket, STATS_urged, 1);
    return TKD_OK;
}

static enum tkd_status verb_reply(struct state *state, struct update *update)
{
    struct ticket *ticket = ticket_edit(state, update->row);
    if (update->text_bytes == 0) return TKD_TEXT_REQUIRED;
    bool first = !(ticket->flags & TICKET_REPLIED);
    struct tkd_event *event = update_event(state, update, TKD_EVENT_REPLIED);
    event->a = first;
    event->link = customer_touch(state, ticket->customer, event->seq);
    stats_count(state, ticket, STATS_replies, 1);
    if (!first) return TKD_OK;
    ticket->flags |= TICKET_REPLIED;
    stats_count(state, ticket, STATS_first_replies, 1);
    stats_count(state, ticket, STATS_first_reply_ms, state->now_ms - ticket->created_ms);
    return TKD_OK;
}

static enum tkd_status verb_note(struct state *state, struct update *update)
{
    if (update->text_bytes == 0) return TKD_TEXT_REQUIRED;
    update_event(state, update, TKD_EVENT_NOTED);
    return TKD_OK;
}

/* The customer writes: what waited for the customer goes on, what was solved is open again. */
static enum tkd_status verb_message(struct state *state, struct update *update)
{
    const struct ticket *ticket = ticket_row(state, update->row);
    u32 given = update->request->channel, channel = given != 0 ? given : ticket->channel;
    if (update->text_bytes == 0) return TKD_TEXT_REQUIRED;
    if (given != 0 && !catalog_live(state, TKD_KIND_CHANNEL, given)) return TKD_UNKNOWN_CHANNEL;
    struct tkd_event *event = update_event(state, update, TKD_EVENT_MESSAGE);
    event->a = channel;
    event->link = customer_touch(state, ticket->customer, event->seq);
    stats_count(state, ticket, STATS_messages, 1);
    update->text_bytes = 0;
    MARK_IF(ticket->state == TKD_STATE_RESOLVED, "message reopens a ticket");
    if (ticket->state == TKD_STATE_RESOLVED) return verb_reopen(state, update);
    if (ticket->state == TKD_STATE_PENDING) change_state(state, update, TKD_STATE_OPEN);
    return TKD_OK;
}

typedef enum tkd_status verb_fn(struct state *state, struct update *update);
static verb_fn *const verbs[TKD_VERB_END] = {
    [TKD_VERB_ASSIGN] = verb_assign,     [TKD_VERB_CLAIM] = verb_claim,       [TKD_VERB_RELEASE] = verb_release,
    [TKD_VERB_TRANSFER] = verb_transfer, [TKD_VERB_PRIORITY] = verb_priority, [TKD_VERB_CATEGORY] = verb_category,
    [TKD_VERB_TAG] = verb_tag,           [TKD_VERB_UNTAG] = verb_untag,       [TKD_VERB_PEND] = verb_wait,
    [TKD_VERB_HOLD] = verb_wait,         [TKD_VERB_RESUME] = verb_wait,       [TKD_VERB_RESOLVE] = verb_end,
    [TKD_VERB_CLOSE] = verb_end,         [TKD_VERB_CANCEL] = verb_end,        [TKD_VERB_FORCE_END] = verb_end,
    [TKD_VERB_PAUSE] = verb_pause,       [TKD_VERB_CONTINUE] = verb_pause,    [TKD_VERB_REOPEN] = verb_reopen,
    [TKD_VERB_URGE] = verb_urge,         [TKD_VERB_REPLY] = verb_reply,       [TKD_VERB_NOTE] = verb_note,
    [TKD_VERB_MESSAGE] = verb_message,
};

static enum tkd_status move_check(const struct ticket *ticket, u32 verb)
{
    const struct move *move = &moves[verb];
    if (!(move->from >> ticket->state & 1)) return TKD_ILLEGAL_MOVE;
    if (ticket->flags & TICKET_PAUSED && !move->paused) return TKD_PAUSED;
    return move->to != 0 && move->to == ticket->state ? TKD_UNCHANGED : TKD_OK;
}

static enum tkd_status update_run(struct state *state, struct update *update)
{
    const struct ticket *ticket = ticket_row(state, update->row);
    MARK_IF(update->request->version != 0 && update->request->version != ticket->version, "version conflict");
    if (update->request->version != 0 && update->request->version != ticket->version) return TKD_VERSION_CONFLICT;
    if (update->request->actor != 0 && !catalog_live(state, TKD_KIND_AGENT, update->request->actor))
        return TKD_UNKNOWN_AGENT;
    enum tkd_status status = move_check(ticket, update->verb);
    if (status != TKD_OK) return status;
    struct place before = place_of(state, ticket);
    status = verbs[update->verb](state, update);
    if (status != TKD_OK) return status;
    ticket_edit(state, update->row)->version++;
    ticket_settle(state, update->row, &before, update->released_by);
    return TKD_OK;
}

void ticket_update(struct state *state, const struct tkd_prefix *record, struct tkd_result *result)
{
    struct update update = {.verb = record->kind};
    struct tkd_ticket_update extended;
    const struct tkd_ticket_update *request = update.request = record_view(record, &extended, sizeof extended);
    const char *texts = record_texts(record);
    update.text = texts + request->receiver_bytes + request->key_bytes;
    update.text_bytes = request->text_bytes;
    update.row = request->ticket != 0 ? ticket_find(state, request->ticket)
                                      : ticket_find_key(state, request->channel, texts, request->receiver_bytes,
                                                        texts + request->receiver_bytes, request->key_bytes);
    if (update.row == 0) {
        *result = (struct tkd_result){.status = TKD_NOT_FOUND, .id = request->ticket};
        return;
    }
    const struct ticket *ticket = ticket_row(state, update.row);
    result->status = update_run(state, &update);
    result->version = ticket->version;
    result->id = ticket->id;
    if (result->status == TKD_OK || result->status == TKD_UNCHANGED) desk_edit(state)->by_verb[update.verb]++;
}

/* ---- Archive ---- */

void ticket_archive(struct state *state, u32 row)
{
    ASSERT(ticket_row(state, row)->task == 0);
    /* Only what the rows hold, so that the event does not depend on what is in memory. */
    const struct ticket_texts none = {0};
    const struct ticket *ticket = ticket_row(state, row);
    u32 bytes = ticket_write(state, ticket, &none, state->now_ms, state->scratch, SCRATCH_BYTES);
    struct tkd_event *event = event_raise(state, TKD_EVENT_ARCHIVED, row, state->scratch, bytes);
    event->link = ticket->created_event;
    wheel_cancel(&state->wheel, ticket_timer(row));
    tags_remove(state, row);
    u32 key = state->key_rows[row];
    if (key != 0) {
        MARK("external key archived with its ticket");
        index_remove(&state->keys, key_row(state, key)->hash.high, key);
        table_give(&state->tables[TABLE_KEY], key);
        state->key_rows[row] = 0;
    }
    state->directory[ticket->id] = 0;
    columns_clear(&state->columns, ticket->id);
    desk_edit(state)->archived++;
    table_give(&state->tables[TABLE_TICKET], row);
}
