/* A ticket's life: made, given, moved, ended, archived. Each verb in the order in which its refusals are looked
 * for, its events raised and its facts noted. */
#include "tests/naive/desk.h"

/* In which states a verb may come: n new, o open, p pending, h on hold, r resolved, c closed, x cancelled; whether a
 * paused ticket takes it; and the state it leads to, in which it changes nothing. */
static const struct move {
    const char *states;
    bool paused;
    u8 to;
} moves[TKD_VERB_END] = {
    [TKD_VERB_ASSIGN] = {"noph", false, 0},       [TKD_VERB_CLAIM] = {"noph", false, 0},
    [TKD_VERB_RELEASE] = {"noph", false, 0},      [TKD_VERB_TRANSFER] = {"noph", false, 0},
    [TKD_VERB_PRIORITY] = {"nophrcx", true, 0},   [TKD_VERB_CATEGORY] = {"nophrcx", true, 0},
    [TKD_VERB_TAG] = {"nophrcx", true, 0},        [TKD_VERB_UNTAG] = {"nophrcx", true, 0},
    [TKD_VERB_PEND] = {"noph", false, TKD_STATE_PENDING},
    [TKD_VERB_HOLD] = {"noph", false, TKD_STATE_ON_HOLD},
    [TKD_VERB_RESUME] = {"oph", false, TKD_STATE_OPEN},
    [TKD_VERB_RESOLVE] = {"nophr", false, TKD_STATE_RESOLVED},
    [TKD_VERB_CLOSE] = {"nophrc", false, TKD_STATE_CLOSED},
    [TKD_VERB_CANCEL] = {"nophrx", true, TKD_STATE_CANCELLED},
    [TKD_VERB_FORCE_END] = {"nophr", true, TKD_STATE_CLOSED},
    [TKD_VERB_PAUSE] = {"noph", true, 0},         [TKD_VERB_CONTINUE] = {"noph", true, 0},
    [TKD_VERB_REOPEN] = {"rcx", false, TKD_STATE_OPEN},
    [TKD_VERB_URGE] = {"nophr", true, 0},         [TKD_VERB_REPLY] = {"nophr", false, 0},
    [TKD_VERB_NOTE] = {"nophrcx", true, 0},       [TKD_VERB_MESSAGE] = {"nophr", true, 0},
};

/* An update under way. */
struct update {
    struct tkd_ticket_update request;
    struct naive_text text;
    u32 verb;
    u32 released_by;
};

struct naive_ticket *naive_ticket(const struct naive *desk, u64 id)
{
    struct naive_ticket *ticket =
        id == 0 || id > desk->tickets.count ? NULL : ((struct naive_ticket **)desk->tickets.at)[id - 1];
    return ticket == NULL || ticket->row == 0 ? NULL : ticket;
}

static struct naive_ticket *ticket_by_key(const struct naive *desk, u32 channel, struct naive_text receiver,
                                          struct naive_text key)
{
    for (u64 row = 1; row <= desk->rows.count; row++) {
        struct naive_ticket *ticket = naive_row(desk, row);
        if (ticket != NULL && key.bytes != 0 && ticket->channel == channel &&
            naive_same(ticket->receiver, receiver.at, receiver.bytes) && naive_same(ticket->key, key.at, key.bytes))
            return ticket;
    }
    return NULL;
}

static struct naive_text next_text(const char **at, u32 bytes)
{
    struct naive_text text = {.at = *at, .bytes = bytes};
    *at += bytes;
    return text;
}

/* ---- Tasks ---- */

static void enter(struct naive *desk, struct naive_ticket *ticket)
{
    if (ticket->stations < UINT16_MAX) ticket->stations++;
    ticket->open = true;
    ticket->holder = 0;
    ticket->entered_ms = desk->now_ms;
    ticket->assigned_ms = 0;
    ticket->step = (struct naive_clock){0};
    naive_needs(desk, ticket);
}

static void set_state(struct naive *desk, struct naive_ticket *ticket, u32 to)
{
    ticket->spent_ms[ticket->state] += desk->now_ms - ticket->state_since_ms;
    ticket->state = (u8)to;
    ticket->state_since_ms = desk->now_ms;
}

static void fact_handled(struct naive *desk, const struct naive_ticket *ticket)
{
    if (ticket->holder != 0) naive_fact(desk, ticket, NAIVE_handled_ms, desk->now_ms - ticket->assigned_ms);
}

/* A new ticket is open from now on. */
void naive_ticket_give(struct naive *desk, struct naive_ticket *ticket, u32 agent, bool routed)
{
    u64 waited_ms = ticket->assigned_ms == 0 ? desk->now_ms - ticket->entered_ms : 0;
    fact_handled(desk, ticket);
    ticket->holder = ticket->agent = agent;
    ticket->assigned_ms = desk->now_ms;
    if (ticket->state == TKD_STATE_NEW) set_state(desk, ticket, TKD_STATE_OPEN);
    desk->seats[agent].last_assigned_ms = desk->now_ms;
    desk->seats[agent].assignment = ++desk->assignments;
    naive_fact(desk, ticket, NAIVE_assigned, 1);
    naive_fact(desk, ticket, NAIVE_waited_ms, waited_ms);
    if (routed) naive_fact(desk, ticket, NAIVE_routed, 1);
}

static void close_task(struct naive *desk, struct naive_ticket *ticket, u32 outcome)
{
    fact_handled(desk, ticket);
    struct tkd_event *event = naive_raise(desk, TKD_EVENT_TASK_CLOSED, ticket, NULL, 0);
    event->a = ticket->queue;
    event->b = ticket->holder;
    event->c = outcome;
    event->d = ticket->state | (u32)ticket->priority << 8;
    event->link = ticket->entered_ms;
    ticket->open = false;
    ticket->holder = 0;
    ticket->step = (struct naive_clock){0};
}

/* ---- What follows from a change ---- */

/* Where the ticket was. */
struct place {
    struct naive_skills needs;
    u32 holder, priority, station;
    bool active, waits;
};

static struct place place_of(const struct naive_ticket *ticket)
{
    return (struct place){.needs = ticket->needs,
                          .holder = ticket->open ? ticket->holder : 0,
                          .priority = ticket->priority,
                          .station = ticket->open ? ticket->stations : 0,
                          .active = naive_active(ticket),
                          .waits = naive_active(ticket) && ticket->holder == 0};
}

/* A ticket that begins to wait is routed; one that gave an agent room lets it take others. Whoever waits for that
 * agent already goes first: when the agent itself released the ticket always, else by the order of the line. */
static void settle(struct naive *desk, struct naive_ticket *ticket, const struct place *was, u32 released_by)
{
    struct place is = place_of(ticket);
    bool other_needs = memcmp(&was->needs, &is.needs, sizeof is.needs) != 0;
    bool moved = was->station != is.station ||
                 (!ticket->no_routing && (was->priority != is.priority || other_needs));
    bool begins = is.waits && (!was->waits || moved);
    u32 freed = was->active && (is.holder != was->holder || !is.active) ? was->holder : 0;
    if (begins) {
        desk->arriving = ticket;
        if (freed != 0 && (released_by != 0 || naive_goes_first(desk, freed, ticket))) {
            naive_serve(desk, freed);
            freed = 0;
        }
        naive_route(desk, ticket, released_by);
        desk->arriving = NULL;
    }
    naive_settle_clocks(desk, ticket);
    if (freed != 0) naive_serve(desk, freed);
}

/* ---- Create ---- */

static enum tkd_status check_create(const struct naive *desk, const struct tkd_ticket_create *request)
{
    if (naive_live(desk, TKD_KIND_CHANNEL, request->channel) == NULL) return TKD_UNKNOWN_CHANNEL;
    if (naive_live(desk, TKD_KIND_QUEUE, request->queue) == NULL) return TKD_UNKNOWN_QUEUE;
    if (request->category != 0 && naive_live(desk, TKD_KIND_CATEGORY, request->category) == NULL)
        return TKD_UNKNOWN_CATEGORY;
    if (request->priority > TKD_PRIORITY_LOW || request->state > TKD_STATE_OPEN || request->no_routing > 1)
        return TKD_BAD_VALUE;
    if (request->agent != 0 && naive_live(desk, TKD_KIND_AGENT, request->agent) == NULL) return TKD_UNKNOWN_AGENT;
    if (request->agent != 0 && !naive_serves(desk, request->agent, request->queue)) return TKD_NOT_A_MEMBER;
    if (request->customer != 0 && naive_customer(desk, request->customer) == NULL) return TKD_UNKNOWN_CUSTOMER;
    return request->customer == 0 && request->address_bytes == 0 ? TKD_UNKNOWN_CUSTOMER : TKD_OK;
}

static u32 free_row(struct naive *desk, struct naive_ticket *ticket)
{
    struct naive_ticket **rows = desk->rows.at;
    u32 row = 1;
    while (row <= desk->rows.count && rows[row - 1] != NULL) row++;
    if (row > desk->rows.count) *(struct naive_ticket **)naive_append(desk, &desk->rows, sizeof ticket) = ticket;
    else rows[row - 1] = ticket;
    return row;
}

static struct naive_ticket *make(struct naive *desk, const struct tkd_ticket_create *request, const char *texts)
{
    struct naive_ticket *ticket = naive_alloc(desk, sizeof *ticket);
    *(struct naive_ticket **)naive_append(desk, &desk->tickets, sizeof ticket) = ticket;
    *ticket = (struct naive_ticket){.id = desk->tickets.count,
                                    .created_ms = desk->now_ms,
                                    .state_since_ms = desk->now_ms,
                                    .version = 1,
                                    .queue = request->queue,
                                    .category = request->category,
                                    .channel = request->channel,
                                    .state = request->state != 0 ? request->state : TKD_STATE_NEW,
                                    .priority = request->priority != 0 ? request->priority : TKD_PRIORITY_NORMAL,
                                    .no_routing = request->no_routing == 1};
    ticket->row = free_row(desk, ticket);
    ticket->address = next_text(&texts, request->address_bytes);
    ticket->receiver = next_text(&texts, request->receiver_bytes);
    ticket->key = next_text(&texts, request->key_bytes);
    ticket->subject = next_text(&texts, request->subject_bytes);
    ticket->body = next_text(&texts, request->body_bytes);
    ticket->skills = (struct naive_ids){.at = (const u8 *)texts, .count = request->skills_bytes / 2};
    desk->creates++;
    return ticket;
}

static void raise_created(struct naive *desk, struct naive_ticket *ticket, const struct tkd_ticket_create *request)
{
    u32 lengths[6] = {request->address_bytes, request->receiver_bytes, request->key_bytes,
                      request->subject_bytes, request->body_bytes,     request->skills_bytes};
    u32 bytes = sizeof lengths;
    for (u32 i = 0; i < 6; i++) bytes += lengths[i];
    u8 *text = naive_alloc(desk, bytes);
    memcpy(text, lengths, sizeof lengths);
    memcpy(text + sizeof lengths, ticket->address.at, bytes - sizeof lengths); /* all lie behind it */
    struct tkd_event *event = naive_raise(desk, TKD_EVENT_CREATED, ticket, text, bytes);
    event->a = ticket->queue;
    event->b = (u32)ticket->customer;
    event->c = ticket->category;
    event->d = ticket->priority | (u32)ticket->state << 8 | (u32)ticket->channel << 16;
    ticket->created_event = event->seq;
    naive_touch(desk, ticket, event);
}

void naive_ticket_create(struct naive *desk, const struct tkd_prefix *record, struct tkd_result *result)
{
    struct tkd_ticket_create request;
    record = naive_copy(desk, record, record->size);
    record_head(record, &request, sizeof request);
    const char *at = record_texts(record), *texts = at;
    struct naive_text address = next_text(&at, request.address_bytes);
    struct naive_text receiver = next_text(&at, request.receiver_bytes);
    struct naive_text key = next_text(&at, request.key_bytes);
    const struct naive_ticket *first = ticket_by_key(desk, request.channel, receiver, key);
    if (first != NULL) {
        *result = (struct tkd_result){.status = TKD_EXISTS, .version = first->version, .id = first->id};
        return;
    }
    result->status = check_create(desk, &request);
    if (result->status != TKD_OK) return;
    at += request.subject_bytes + request.body_bytes;
    struct naive_ids skills = {.at = (const u8 *)at, .count = request.skills_bytes / 2};
    for (u32 i = 0; i < skills.count; i++)
        if (naive_live(desk, TKD_KIND_SKILL, naive_id(skills, i)) == NULL) result->status = TKD_UNKNOWN_SKILL;
    if (result->status == TKD_OK && !naive_set_fits(desk, naive_skills_of(skills))) result->status = TKD_CATALOG_FULL;
    if (result->status != TKD_OK) return;
    struct naive_ticket *ticket = make(desk, &request, texts);
    ticket->customer = request.customer;
    if (ticket->customer == 0) ticket->customer = naive_customer_of(desk, request.channel, address.at, address.bytes);
    if (ticket->customer == 0) ticket->customer = naive_customer_make(desk, request.channel, address);
    struct place nowhere = {.station = 0};
    raise_created(desk, ticket, &request);
    enter(desk, ticket);
    naive_fact(desk, ticket, NAIVE_entered, 1);
    naive_fact(desk, ticket, NAIVE_created, 1);
    if (request.agent != 0) {
        naive_raise(desk, TKD_EVENT_ASSIGNED, ticket, NULL, 0)->a = request.agent;
        naive_ticket_give(desk, ticket, request.agent, false);
    }
    settle(desk, ticket, &nowhere, 0);
    result->version = ticket->version;
    result->id = ticket->id;
}

/* ---- Verbs ---- */

static struct tkd_event *raise(struct naive *desk, const struct update *update, struct naive_ticket *ticket, u32 kind)
{
    struct tkd_event *event = naive_raise(desk, kind, ticket, update->text.at, update->text.bytes);
    event->actor = update->request.actor;
    return event;
}

static void change_state(struct naive *desk, const struct update *update, struct naive_ticket *ticket, u32 to)
{
    struct tkd_event *event = raise(desk, update, ticket, TKD_EVENT_STATE);
    event->a = ticket->state;
    event->b = to;
    event->c = update->verb;
    event->d = ticket->queue;
    event->e = ticket->agent;
    set_state(desk, ticket, to);
}

static enum tkd_status check_agent(const struct naive *desk, u32 agent, u32 queue)
{
    if (naive_live(desk, TKD_KIND_AGENT, agent) == NULL) return TKD_UNKNOWN_AGENT;
    return naive_serves(desk, agent, queue) ? TKD_OK : TKD_NOT_A_MEMBER;
}

static enum tkd_status assign(struct naive *desk, struct update *update, struct naive_ticket *ticket)
{
    u32 agent = update->request.agent;
    if (naive_live(desk, TKD_KIND_AGENT, agent) == NULL) return TKD_UNKNOWN_AGENT;
    if (update->verb == TKD_VERB_CLAIM && agent == ticket->holder) return TKD_UNCHANGED;
    if (update->verb == TKD_VERB_CLAIM && ticket->holder != 0) return TKD_ALREADY_ASSIGNED;
    if (!naive_serves(desk, agent, ticket->queue)) return TKD_NOT_A_MEMBER;
    if (update->verb == TKD_VERB_CLAIM && !naive_eligible(desk, agent, ticket)) return TKD_NOT_ELIGIBLE;
    if (agent == ticket->holder) return TKD_UNCHANGED;
    struct tkd_event *event = raise(desk, update, ticket, TKD_EVENT_ASSIGNED);
    event->a = agent;
    event->b = ticket->holder;
    naive_ticket_give(desk, ticket, agent, false);
    return TKD_OK;
}

static enum tkd_status release(struct naive *desk, struct update *update, struct naive_ticket *ticket)
{
    if (ticket->holder == 0) return TKD_NOT_ASSIGNED;
    update->released_by = ticket->holder;
    raise(desk, update, ticket, TKD_EVENT_RELEASED)->a = ticket->holder;
    fact_handled(desk, ticket);
    ticket->holder = ticket->agent = 0;
    ticket->assigned_ms = 0;
    ticket->entered_ms = desk->now_ms; /* it waits as if it had just entered */
    return TKD_OK;
}

static enum tkd_status transfer(struct naive *desk, struct update *update, struct naive_ticket *ticket)
{
    u32 to = update->request.queue, agent = update->request.agent;
    if (naive_live(desk, TKD_KIND_QUEUE, to) == NULL) return TKD_UNKNOWN_QUEUE;
    if (ticket->stations == UINT16_MAX) return TKD_BAD_VALUE;
    enum tkd_status status = agent == 0 ? TKD_OK : check_agent(desk, agent, to);
    if (status != TKD_OK) return status;
    naive_fact(desk, ticket, NAIVE_transferred, 1);
    close_task(desk, ticket, TKD_OUTCOME_TRANSFERRED);
    struct tkd_event *event = raise(desk, update, ticket, TKD_EVENT_TRANSFERRED);
    event->a = ticket->queue;
    event->b = to;
    event->c = agent;
    ticket->queue = (u16)to;
    ticket->agent = 0;
    enter(desk, ticket);
    naive_fact(desk, ticket, NAIVE_entered, 1);
    if (agent != 0) naive_ticket_give(desk, ticket, agent, false);
    return TKD_OK;
}

static enum tkd_status set_priority(struct naive *desk, struct update *update, struct naive_ticket *ticket)
{
    u8 to = update->request.priority;
    if (to == 0 || to > TKD_PRIORITY_LOW) return TKD_BAD_VALUE;
    if (ticket->priority == to) return TKD_UNCHANGED;
    struct tkd_event *event = raise(desk, update, ticket, TKD_EVENT_PRIORITY);
    event->a = ticket->priority;
    event->b = ticket->priority = to;
    naive_retarget(desk, ticket);
    return TKD_OK;
}

static enum tkd_status set_category(struct naive *desk, struct update *update, struct naive_ticket *ticket)
{
    u16 to = update->request.category;
    if (to != 0 && naive_live(desk, TKD_KIND_CATEGORY, to) == NULL) return TKD_UNKNOWN_CATEGORY;
    if (ticket->category == to) return TKD_UNCHANGED;
    struct tkd_event *event = raise(desk, update, ticket, TKD_EVENT_CATEGORY);
    event->a = ticket->category;
    event->b = ticket->category = to;
    if (ticket->open) naive_needs(desk, ticket);
    naive_retarget(desk, ticket);
    return TKD_OK;
}

static u32 tag_place(const struct naive_ticket *ticket, struct naive_text tag)
{
    u32 at = 0;
    while (at < ticket->tags_count && !naive_same(ticket->tags[at], tag.at, tag.bytes)) at++;
    return at;
}

/* Names of tags are never forgotten. */
static bool name_fits(struct naive *desk, struct naive_text tag)
{
    struct naive_text *names = desk->tag_names.at;
    for (u64 i = 0; i < desk->tag_names.count; i++)
        if (naive_same(names[i], tag.at, tag.bytes)) return true;
    if (desk->tag_names.count == TAGS_MAX) return false;
    *(struct naive_text *)naive_append(desk, &desk->tag_names, sizeof tag) = naive_text(desk, tag.at, tag.bytes);
    return true;
}

static enum tkd_status tag(struct naive *desk, struct update *update, struct naive_ticket *ticket)
{
    struct naive_text text = update->text;
    if (text.bytes == 0) return TKD_TEXT_REQUIRED;
    if (text.bytes > TAG_BYTES_MAX) return TKD_BAD_VALUE;
    for (u32 i = 0; i < text.bytes; i++)
        if ((u8)text.at[i] < ' ') return TKD_BAD_VALUE;
    if (tag_place(ticket, text) < ticket->tags_count) return TKD_UNCHANGED;
    if (ticket->tags_count == TICKET_TAGS_MAX) return TKD_TOO_MANY_TAGS;
    if (!name_fits(desk, text)) return TKD_CATALOG_FULL;
    ticket->tags[ticket->tags_count++] = naive_text(desk, text.at, text.bytes);
    raise(desk, update, ticket, TKD_EVENT_TAGGED);
    return TKD_OK;
}

static enum tkd_status untag(struct naive *desk, struct update *update, struct naive_ticket *ticket)
{
    if (update->text.bytes == 0) return TKD_TEXT_REQUIRED;
    u32 at = tag_place(ticket, update->text);
    if (at == ticket->tags_count) return TKD_UNCHANGED;
    for (ticket->tags_count--; at < ticket->tags_count; at++) ticket->tags[at] = ticket->tags[at + 1];
    raise(desk, update, ticket, TKD_EVENT_UNTAGGED);
    return TKD_OK;
}

static void note_solve(struct naive *desk, struct naive_ticket *ticket)
{
    naive_fact(desk, ticket, NAIVE_solves, 1);
    if (!ticket->solved) {
        naive_fact(desk, ticket, NAIVE_first_solves, 1);
        naive_fact(desk, ticket, NAIVE_first_resolution_ms, desk->now_ms - ticket->created_ms);
    }
    ticket->solved = true;
    ticket->solved_ms = desk->now_ms;
    if (ticket->holder != 0) desk->seats[ticket->holder].solves++;
}

static enum tkd_status end(struct naive *desk, struct update *update, struct naive_ticket *ticket)
{
    if (update->verb == TKD_VERB_FORCE_END && update->text.bytes == 0) return TKD_REASON_REQUIRED;
    bool solve = ticket->open && (update->verb == TKD_VERB_RESOLVE || update->verb == TKD_VERB_CLOSE);
    if (solve) note_solve(desk, ticket);
    if (ticket->open) close_task(desk, ticket, solve ? TKD_OUTCOME_DONE : TKD_OUTCOME_CANCELLED);
    ticket->paused = false;
    change_state(desk, update, ticket, moves[update->verb].to);
    if (ticket->state == TKD_STATE_CLOSED) naive_fact(desk, ticket, NAIVE_closed, 1);
    if (ticket->state == TKD_STATE_CANCELLED) naive_fact(desk, ticket, NAIVE_cancelled, 1);
    return TKD_OK;
}

static enum tkd_status pause(struct naive *desk, struct update *update, struct naive_ticket *ticket)
{
    bool paused = update->verb == TKD_VERB_PAUSE;
    if (ticket->paused == paused) return TKD_UNCHANGED;
    raise(desk, update, ticket, paused ? TKD_EVENT_PAUSED : TKD_EVENT_CONTINUED);
    ticket->paused = paused;
    return TKD_OK;
}

/* Another task in the same queue; who assigns by commands finds it with the agent who had it. */
static enum tkd_status reopen(struct naive *desk, struct update *update, struct naive_ticket *ticket)
{
    if (ticket->reopens < UINT16_MAX) ticket->reopens++;
    naive_fact(desk, ticket, NAIVE_reopened, 1);
    change_state(desk, update, ticket, TKD_STATE_OPEN);
    enter(desk, ticket);
    if (ticket->no_routing && naive_live(desk, TKD_KIND_AGENT, ticket->agent) != NULL) {
        ticket->holder = ticket->agent;
        ticket->assigned_ms = desk->now_ms;
    }
    return TKD_OK;
}

static enum tkd_status urge(struct naive *desk, struct update *update, struct naive_ticket *ticket)
{
    if (ticket->urges < UINT16_MAX) ticket->urges++;
    struct tkd_event *event = raise(desk, update, ticket, TKD_EVENT_URGED);
    event->a = ticket->urges;
    naive_touch(desk, ticket, event);
    naive_fact(desk, ticket, NAIVE_urged, 1);
    return TKD_OK;
}

static enum tkd_status reply(struct naive *desk, struct update *update, struct naive_ticket *ticket)
{
    if (update->text.bytes == 0) return TKD_TEXT_REQUIRED;
    struct tkd_event *event = raise(desk, update, ticket, TKD_EVENT_REPLIED);
    event->a = !ticket->replied;
    naive_touch(desk, ticket, event);
    naive_fact(desk, ticket, NAIVE_replies, 1);
    if (!ticket->replied) {
        naive_fact(desk, ticket, NAIVE_first_replies, 1);
        naive_fact(desk, ticket, NAIVE_first_reply_ms, desk->now_ms - ticket->created_ms);
    }
    ticket->replied = true;
    return TKD_OK;
}

/* The customer writes: what waited for the customer goes on, what was solved is open again. */
static enum tkd_status message(struct naive *desk, struct update *update, struct naive_ticket *ticket)
{
    u32 channel = update->request.channel;
    if (update->text.bytes == 0) return TKD_TEXT_REQUIRED;
    if (channel != 0 && naive_live(desk, TKD_KIND_CHANNEL, channel) == NULL) return TKD_UNKNOWN_CHANNEL;
    struct tkd_event *event = raise(desk, update, ticket, TKD_EVENT_MESSAGE);
    event->a = channel != 0 ? channel : ticket->channel;
    naive_touch(desk, ticket, event);
    naive_fact(desk, ticket, NAIVE_messages, 1);
    update->text.bytes = 0; /* the message has it */
    if (ticket->state == TKD_STATE_RESOLVED) reopen(desk, update, ticket);
    if (ticket->state == TKD_STATE_PENDING) change_state(desk, update, ticket, TKD_STATE_OPEN);
    return TKD_OK;
}

static enum tkd_status run_verb(struct naive *desk, struct update *update, struct naive_ticket *ticket)
{
    switch (update->verb) {
    case TKD_VERB_ASSIGN:
    case TKD_VERB_CLAIM: return assign(desk, update, ticket);
    case TKD_VERB_RELEASE: return release(desk, update, ticket);
    case TKD_VERB_TRANSFER: return transfer(desk, update, ticket);
    case TKD_VERB_PRIORITY: return set_priority(desk, update, ticket);
    case TKD_VERB_CATEGORY: return set_category(desk, update, ticket);
    case TKD_VERB_TAG: return tag(desk, update, ticket);
    case TKD_VERB_UNTAG: return untag(desk, update, ticket);
    case TKD_VERB_RESOLVE:
    case TKD_VERB_CLOSE:
    case TKD_VERB_CANCEL:
    case TKD_VERB_FORCE_END: return end(desk, update, ticket);
    case TKD_VERB_PAUSE:
    case TKD_VERB_CONTINUE: return pause(desk, update, ticket);
    case TKD_VERB_REOPEN: return reopen(desk, update, ticket);
    case TKD_VERB_URGE: return urge(desk, update, ticket);
    case TKD_VERB_REPLY: return reply(desk, update, ticket);
    case TKD_VERB_MESSAGE: return message(desk, update, ticket);
    case TKD_VERB_NOTE:
        if (update->text.bytes == 0) return TKD_TEXT_REQUIRED;
        raise(desk, update, ticket, TKD_EVENT_NOTED);
        return TKD_OK;
    default: change_state(desk, update, ticket, moves[update->verb].to); return TKD_OK; /* pend, hold, resume */
    }
}

static enum tkd_status run_update(struct naive *desk, struct update *update, struct naive_ticket *ticket)
{
    const struct move *move = &moves[update->verb];
    const struct tkd_ticket_update *request = &update->request;
    if (request->version != 0 && request->version != ticket->version) return TKD_VERSION_CONFLICT;
    if (request->actor != 0 && naive_live(desk, TKD_KIND_AGENT, request->actor) == NULL) return TKD_UNKNOWN_AGENT;
    if (strchr(move->states, "?nophrcx"[ticket->state]) == NULL) return TKD_ILLEGAL_MOVE;
    if (ticket->paused && !move->paused) return TKD_PAUSED;
    if (move->to == ticket->state) return TKD_UNCHANGED;
    struct place was = place_of(ticket);
    enum tkd_status status = run_verb(desk, update, ticket);
    if (status != TKD_OK) return status;
    ticket->version++;
    settle(desk, ticket, &was, update->released_by);
    return TKD_OK;
}

void naive_ticket_update(struct naive *desk, const struct tkd_prefix *record, struct tkd_result *result)
{
    struct update update = {.verb = record->kind};
    record_head(record, &update.request, sizeof update.request);
    const char *at = record_texts(record);
    struct naive_text receiver = next_text(&at, update.request.receiver_bytes);
    struct naive_text key = next_text(&at, update.request.key_bytes);
    update.text = next_text(&at, update.request.text_bytes);
    struct naive_ticket *ticket = update.request.ticket != 0
                                      ? naive_ticket(desk, update.request.ticket)
                                      : ticket_by_key(desk, update.request.channel, receiver, key);
    if (ticket == NULL) {
        *result = (struct tkd_result){.status = TKD_NOT_FOUND, .id = update.request.ticket};
        return;
    }
    enum tkd_status status = run_update(desk, &update, ticket);
    *result = (struct tkd_result){.status = status, .version = ticket->version, .id = ticket->id};
    if (status == TKD_OK || status == TKD_UNCHANGED) desk->by_verb[update.verb]++;
}

/* ---- Archive ---- */

void naive_ticket_archive(struct naive *desk, struct naive_ticket *ticket)
{
    u8 record[sizeof(struct tkd_ticket) + TICKET_TAGS_MAX * (TAG_BYTES_MAX + 1) + 8] = {0};
    struct tkd_ticket *numbers = (struct tkd_ticket *)(void *)record;
    naive_view_numbers(desk, ticket, desk->now_ms, numbers);
    numbers->tags_bytes = naive_view_tags(ticket, (char *)(numbers + 1));
    numbers->head = sizeof *numbers;
    numbers->size = (u32)round_up(sizeof *numbers + numbers->tags_bytes, 8);
    ticket->archived = *numbers;
    struct tkd_event *event = naive_raise(desk, TKD_EVENT_ARCHIVED, ticket, record, numbers->size);
    event->link = ticket->created_event;
    ticket->archived_event = event->seq;
    ((struct naive_ticket **)desk->rows.at)[ticket->row - 1] = NULL;
    ticket->row = 0;
}
