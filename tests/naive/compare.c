#include "tests/naive/compare.h"

#include <stdarg.h>
#include <stdio.h>

#define RECORD_BYTES_MAX (32u << 10)
#define ROW_BYTES_MAX (8u << 10)
#define REPORT_ROWS_MAX 8192u
#define REPORT_COUNTERS ((sizeof(struct tkd_report_row) - offsetof(struct tkd_report_row, created)) / sizeof(u64))
#define PERIODS 4u /* of reports, besides the whole */

/* One query to the engine. Its archive is what the naive desk remembers, for every event was compared. */
struct question {
    const struct naive *desk;
    const struct state *state;
    struct naive_difference *difference;
    u64 request[RECORD_BYTES_MAX / 8];
    u8 rows[TKD_FRAME_BYTES_MAX];
    u32 rows_count;
    u64 cursor;
    enum tkd_status status;
    const u8 *next;
};

__attribute__((format(printf, 2, 3))) static bool differ(struct naive_difference *difference, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(difference->text, sizeof difference->text, format, list);
    va_end(list);
    return false;
}

#define LLU(value) ((unsigned long long)(value))

/* ---- Questions ---- */

static const struct tkd_event *remembered(void *owner, u64 seq)
{
    const struct naive *desk = owner;
    return seq == 0 || seq > desk->events.count ? NULL : ((const struct tkd_event **)desk->events.at)[seq - 1];
}

static i32 archived(void *owner, u64 id, u64 *event_seq)
{
    const struct naive *desk = owner;
    const struct naive_ticket *ticket = ((const struct naive_ticket **)desk->tickets.at)[id - 1];
    *event_seq = ticket->archived_event;
    return ticket->archived_event == 0 ? -1 : 0;
}

static void ask_text(struct question *question, u32 op, const void *head, u32 head_bytes, u32 kind,
                     struct naive_text text)
{
    struct event_source source = {.read = remembered, .archived = archived, .owner = (void *)question->desk};
    struct tkd_prefix *prefix = (struct tkd_prefix *)question->request;
    u32 bytes = (u32)round_up(head_bytes + text.bytes, 8);
    memcpy(question->request, head, head_bytes);
    if (text.bytes != 0) memcpy((u8 *)question->request + head_bytes, text.at, text.bytes);
    *prefix = (struct tkd_prefix){.size = bytes, .head = (u16)head_bytes, .kind = (u16)kind};
    state_query(question->state, op, question->request, state_time(question->state), &source, question->rows,
                sizeof question->rows, &question->rows_count, &question->cursor, &question->status);
    question->next = question->rows;
}

static void ask(struct question *question, u32 op, const void *head, u32 head_bytes, u32 kind)
{
    ask_text(question, op, head, head_bytes, kind, (struct naive_text){.bytes = 0});
}

/* The next row of the answer is this one? The head's size and the texts behind it are filled in here. */
static bool same_row(struct question *question, void *head, u32 head_bytes, const struct naive_text *texts,
                     u32 texts_count, const char *what, u64 id)
{
    u8 row[ROW_BYTES_MAX] = {0};
    u32 bytes = head_bytes;
    if (question->rows_count == 0) return differ(question->difference, "%s %llu is missing", what, LLU(id));
    for (u32 i = 0; i < texts_count; i++) {
        ASSERT(bytes + texts[i].bytes <= sizeof row);
        if (texts[i].bytes != 0) memcpy(row + bytes, texts[i].at, texts[i].bytes);
        bytes += texts[i].bytes;
    }
    struct tkd_prefix *prefix = head;
    prefix->size = (u32)round_up(bytes, 8);
    prefix->head = (u16)head_bytes;
    memcpy(row, head, head_bytes);
    const u8 *answer = question->next;
    question->next += ((const struct tkd_prefix *)(const void *)answer)->size;
    question->rows_count--;
    for (u32 i = 0; i < prefix->size; i++)
        if (row[i] != answer[i])
            return differ(question->difference, "%s %llu differs at byte %u: %u, expected %u", what, LLU(id), i,
                          answer[i], row[i]);
    return true;
}

/* ---- Tickets ---- */

static bool same_ticket_row(struct question *question, const struct naive_ticket *ticket)
{
    char tags[TICKET_TAGS_MAX * (TAG_BYTES_MAX + 1)];
    struct tkd_ticket head = ticket->archived;
    if (ticket->row != 0) naive_view_numbers(question->desk, ticket, question->desk->time_ms, &head);
    else head.last_event = ticket->archived_event;
    head.archived = ticket->row == 0;
    head.subject_bytes = ticket->subject.bytes;
    head.key_bytes = ticket->key.bytes;
    head.address_bytes = ticket->address.bytes;
    head.tags_bytes = naive_view_tags(ticket, tags);
    struct naive_text texts[] = {ticket->subject, ticket->key, ticket->address, {tags, head.tags_bytes}};
    return same_row(question, &head, sizeof head, texts, 4, "ticket", ticket->id);
}

static bool same_ticket(struct question *question, u64 id)
{
    struct tkd_ticket_get request = {.ticket = id};
    ask(question, TKD_OP_TICKET_GET, &request, sizeof request, 0);
    return same_ticket_row(question, ((const struct naive_ticket **)question->desk->tickets.at)[id - 1]);
}

static bool same_tickets(struct question *question)
{
    for (u64 id = 1; id <= question->desk->tickets.count; id++)
        if (!same_ticket(question, id)) return false;
    struct tkd_ticket_get next = {.ticket = question->desk->tickets.count + 1};
    ask(question, TKD_OP_TICKET_GET, &next, sizeof next, 0);
    return question->status == TKD_NOT_FOUND || differ(question->difference, "a ticket too many");
}

/* ---- Queues and agents ---- */

/* Counted for all queues and agents in one walk over the tickets, for it is done after every command. */
struct gauges {
    struct tkd_queue_row queues[QUEUES_MAX + 1];
    struct tkd_agent_row agents[AGENTS_MAX + 1];
};

static struct gauges *count_gauges(const struct naive *desk)
{
    static struct gauges gauges;
    const struct naive_entries *queues = &desk->catalog.kinds[TKD_KIND_QUEUE];
    const struct naive_entries *agents = &desk->catalog.kinds[TKD_KIND_AGENT];
    for (u32 i = 0; i < queues->count; i++)
        gauges.queues[queues->at[i]->head.id] = (struct tkd_queue_row){.id = queues->at[i]->head.id};
    for (u32 i = 0; i < agents->count; i++)
        gauges.agents[agents->at[i]->head.id] = (struct tkd_agent_row){.id = agents->at[i]->head.id};
    for (u64 i = 1; i <= desk->rows.count; i++) {
        const struct naive_ticket *ticket = naive_row(desk, i);
        if (ticket == NULL || !ticket->open) continue;
        struct tkd_queue_row *queue = &gauges.queues[ticket->queue];
        struct tkd_agent_row *agent = &gauges.agents[ticket->holder];
        bool active = naive_active(ticket);
        agent->held++;
        agent->load += active;
        queue->assigned += ticket->holder != 0;
        queue->waiting += ticket->holder == 0 && active;
        queue->suspended += ticket->holder == 0 && !active;
        if (naive_waits(desk, ticket) && (queue->oldest_ms == 0 || ticket->entered_ms < queue->oldest_ms))
            queue->oldest_ms = ticket->entered_ms;
    }
    return &gauges;
}

static bool same_queues(struct question *question, struct gauges *gauges)
{
    const struct naive *desk = question->desk;
    const struct naive_entries *queues = &desk->catalog.kinds[TKD_KIND_QUEUE];
    const struct naive_entries *agents = &desk->catalog.kinds[TKD_KIND_AGENT];
    ask(question, TKD_OP_QUEUE_LIST, &(struct tkd_entity_list){.from = 0}, sizeof(struct tkd_entity_list), 0);
    for (u32 i = 0; i < queues->count; i++) {
        if (queues->at[i]->head.retired) continue;
        struct tkd_queue_row *row = &gauges->queues[queues->at[i]->head.id];
        for (u32 j = 0; j < agents->count; j++) {
            u32 agent = agents->at[j]->head.id;
            bool serves = naive_serves(desk, agent, row->id);
            row->members += serves;
            row->present += serves && naive_present(desk, agent);
        }
        row->name_bytes = queues->at[i]->name.bytes;
        if (!same_row(question, row, sizeof *row, &queues->at[i]->name, 1, "queue", row->id)) return false;
    }
    return question->rows_count == 0 || differ(question->difference, "a queue too many");
}

static bool same_agents(struct question *question, struct gauges *gauges)
{
    const struct naive_entries *agents = &question->desk->catalog.kinds[TKD_KIND_AGENT];
    ask(question, TKD_OP_AGENT_LIST, &(struct tkd_entity_list){.from = 0}, sizeof(struct tkd_entity_list), 0);
    for (u32 i = 0; i < agents->count; i++) {
        const struct naive_entry *agent = agents->at[i];
        if (agent->head.retired) continue;
        struct tkd_agent_row *row = &gauges->agents[agent->head.id];
        row->presence = question->desk->seats[row->id].presence;
        row->capacity = agent->head.capacity;
        row->last_assigned_ms = question->desk->seats[row->id].last_assigned_ms;
        row->name_bytes = agent->name.bytes;
        if (!same_row(question, row, sizeof *row, &agent->name, 1, "agent", row->id)) return false;
    }
    return question->rows_count == 0 || differ(question->difference, "an agent too many");
}

static bool same_gauges(struct question *question)
{
    struct gauges *gauges = count_gauges(question->desk);
    return same_agents(question, gauges) && same_queues(question, gauges);
}

/* Whoever waits, one after another. */
static bool same_line(struct question *question, u32 queue)
{
    const struct naive *desk = question->desk;
    struct tkd_waiting_list request = {.queue = queue, .limit = 1000};
    ask(question, TKD_OP_WAITING_LIST, &request, sizeof request, 0);
    const struct naive_ticket *last = NULL;
    while (question->rows_count != 0) {
        const struct naive_ticket *next = NULL;
        for (u64 i = 1; i <= desk->rows.count; i++) {
            const struct naive_ticket *ticket = naive_row(desk, i);
            if (ticket == NULL || ticket->queue != queue || !naive_waits(desk, ticket)) continue;
            if (last != NULL && !naive_before(last, ticket)) continue;
            if (next == NULL || naive_before(ticket, next)) next = ticket;
        }
        if (next == NULL) return differ(question->difference, "queue %u: somebody waits too much", queue);
        if (!same_ticket_row(question, next)) return false;
        last = next;
    }
    for (u64 i = 1; i <= desk->rows.count; i++) {
        const struct naive_ticket *ticket = naive_row(desk, i);
        bool behind = ticket != NULL && ticket->queue == queue && naive_waits(desk, ticket) &&
                      (last == NULL || naive_before(last, ticket));
        if (behind) return differ(question->difference, "queue %u: %llu does not wait", queue, LLU(ticket->id));
    }
    return true;
}

static bool same_lines(struct question *question)
{
    const struct naive_entries *queues = &question->desk->catalog.kinds[TKD_KIND_QUEUE];
    for (u32 i = 0; i < queues->count; i++)
        if (!same_line(question, queues->at[i]->head.id)) return false;
    return true;
}

/* ---- Lists ---- */

#define LISTS 12u

static bool listed(const struct tkd_ticket_list *list, struct naive_text tag, const struct naive_ticket *ticket)
{
    u32 agent = ticket->open ? ticket->holder : ticket->agent;
    bool tagged = tag.bytes == 0;
    for (u32 i = 0; i < ticket->tags_count; i++)
        tagged = tagged || naive_same(ticket->tags[i], tag.at, tag.bytes);
    return ticket->row != 0 && tagged && (list->customer == 0 || list->customer == ticket->customer) &&
           (list->agent == 0 || list->agent == agent) && (list->queue == 0 || list->queue == ticket->queue) &&
           (list->states == 0 || list->states >> ticket->state & 1) &&
           (list->category == 0 || list->category == ticket->category) &&
           (list->channel == 0 || list->channel == ticket->channel) &&
           (list->priority == 0 || list->priority == ticket->priority) &&
           (!list->unassigned || (ticket->open && agent == 0)) &&
           (!list->breached || ticket->first_reply.card == TKD_CARD_RED || ticket->resolution.card == TKD_CARD_RED);
}

/* Newest first, each page going on where the last one ended. */
static bool same_list(struct question *question, struct tkd_ticket_list *list, struct naive_text tag)
{
    const struct naive_ticket *const *tickets = question->desk->tickets.at;
    u64 id = question->desk->tickets.count;
    list->tag_bytes = tag.bytes;
    do {
        ask_text(question, TKD_OP_TICKET_LIST, list, sizeof *list, 0, tag);
        if (question->rows_count > list->limit) return differ(question->difference, "a page of a list too long");
        while (question->rows_count != 0) {
            while (id != 0 && !listed(list, tag, tickets[id - 1])) id--;
            if (id == 0) return differ(question->difference, "a list with a ticket too many");
            if (!same_ticket_row(question, tickets[--id])) return false;
        }
        for (; id > question->cursor; id--)
            if (listed(list, tag, tickets[id - 1])) return differ(question->difference, "a list lacks %llu", LLU(id));
        if (question->cursor != id) return differ(question->difference, "a list goes back to %llu", LLU(id));
        list->cursor = id;
    } while (id != 0);
    return true;
}

/* Filters that at least one ticket of the past or present may meet, and such that none does; by the desk's op, so that
 * they are the same when the same desk is looked at again. */
static bool same_lists(struct question *question)
{
    const struct naive *desk = question->desk;
    for (u32 i = 0; i < LISTS && desk->tickets.count != 0; i++) {
        u64 drawn = (desk->op * LISTS + i + 1) * 0x9e3779b97f4a7c15u;
        drawn = (drawn ^ drawn >> 31) * 0xbf58476d1ce4e5b9u;
        const struct naive_ticket *like = ((const struct naive_ticket **)desk->tickets.at)[drawn % desk->tickets.count];
        struct naive_text tag = {.bytes = 0};
        struct tkd_ticket_list list = {.limit = 1 + (drawn >> 30 & 7)};
        drawn >>= 33;
        if (drawn & 1) list.queue = like->queue;
        if (drawn & 2) list.states = (u16)(1u << like->state | (drawn & 4 ? 1u << TKD_STATE_OPEN : 0));
        if (drawn & 8) list.agent = like->open ? like->holder : like->agent;
        if (drawn & 16) list.channel = like->channel;
        if (drawn & 32) list.priority = like->priority;
        if (drawn & 64 && drawn & 128) list.category = like->category;
        if (drawn & 256 && drawn & 512) list.customer = like->customer;
        if (drawn & 1024 && like->tags_count != 0) tag = like->tags[drawn % like->tags_count];
        list.unassigned = (drawn >> 11 & 7) == 0;
        list.breached = (drawn >> 14 & 7) == 0;
        if ((drawn >> 17 & 7) == 0) list.priority = TKD_PRIORITY_URGENT;
        if (!same_list(question, &list, tag)) return false;
    }
    return true;
}

/* ---- Customers and sessions ---- */

static bool same_customers(struct question *question)
{
    const struct naive *desk = question->desk;
    for (u64 id = 1; id <= desk->customers.count; id++) {
        const struct naive_customer *customer = naive_customer(desk, id);
        struct tkd_customer_row row = {.id = id,
                                       .created_ms = customer->created_ms,
                                       .last_touch = customer->last_touch,
                                       .tier = customer->tier,
                                       .touches = customer->touches,
                                       .channel = customer->channel,
                                       .address_bytes = customer->address.bytes};
        for (u64 i = 0; i < desk->tickets.count; i++) {
            const struct naive_ticket *ticket = ((const struct naive_ticket **)desk->tickets.at)[i];
            row.tickets += ticket->customer == id;
            row.open_tickets += ticket->customer == id && ticket->open;
        }
        struct tkd_customer_get request = {.customer = id};
        ask(question, TKD_OP_CUSTOMER_GET, &request, sizeof request, 0);
        if (!same_row(question, &row, sizeof row, &customer->address, 1, "customer", id)) return false;
    }
    struct tkd_customer_get next = {.customer = desk->customers.count + 1};
    ask(question, TKD_OP_CUSTOMER_GET, &next, sizeof next, 0);
    return question->status == TKD_UNKNOWN_CUSTOMER || differ(question->difference, "a customer too many");
}

static bool same_sessions(struct question *question)
{
    for (u32 i = 1; i <= SESSIONS_MAX; i++) {
        const struct naive_session *session = &question->desk->sessions[i];
        struct tkd_session_id request = {.session = session->id};
        struct tkd_session row = {.session = session->id,
                                  .next_seq = session->next_seq,
                                  .records = session->records,
                                  .window = session->window};
        if (session->id == 0) continue;
        ask(question, TKD_OP_ATTACH, &request, sizeof request, 0);
        if (!same_row(question, &row, sizeof row, NULL, 0, "session", session->id)) return false;
    }
    return true;
}

/* ---- Reports ---- */

static bool same_report(struct question *question, u32 dimension, struct tkd_report_row *rows, u32 count)
{
    struct tkd_report request = {.dimension = dimension};
    do {
        ask(question, TKD_OP_REPORT, &request, sizeof request, 0);
        request.cursor = question->cursor;
        while (question->rows_count != 0) {
            const struct tkd_report_row *answer = (const void *)question->next;
            u32 i = 0;
            while (i < count && (rows[i].dimension != dimension || rows[i].hour_ms != answer->hour_ms ||
                                 rows[i].id != answer->id))
                i++;
            if (i == count)
                return differ(question->difference, "dimension %u, member %u: an hour without facts", dimension,
                              answer->id);
            if (!same_row(question, &rows[i], sizeof rows[i], NULL, 0, "counters of member", rows[i].id))
                return false;
            rows[i].dimension = 0; /* seen */
        }
    } while (request.cursor != 0);
    return true;
}

/* The hours of a period added up by member, each with the first of them. */
static u32 period_sums(const struct tkd_report *request, const struct tkd_report_row *rows, u32 count,
                       struct tkd_report_row *sums)
{
    u32 sums_count = 0;
    for (u32 i = 0; i < count; i++) {
        bool asked = rows[i].dimension == request->dimension && rows[i].hour_ms >= request->from_ms;
        if (!asked || (request->to_ms != 0 && rows[i].hour_ms >= request->to_ms)) continue;
        u32 at = 0;
        while (at < sums_count && sums[at].id != rows[i].id) at++;
        if (at == sums_count)
            sums[sums_count++] = (struct tkd_report_row){.id = rows[i].id, .hour_ms = rows[i].hour_ms};
        for (u32 j = 0; j < REPORT_COUNTERS; j++) (&sums[at].created)[j] += (&rows[i].created)[j];
    }
    return sums_count;
}

/* Whatever is on which page. */
static bool same_sums(struct question *question, struct tkd_report request, const struct tkd_report_row *rows,
                      u32 count)
{
    static struct tkd_report_row sums[REPORT_ROWS_MAX];
    u32 sums_count = period_sums(&request, rows, count, sums);
    do {
        ask(question, TKD_OP_REPORT, &request, sizeof request, 0);
        const struct tkd_report_row *answer = (const void *)question->rows;
        for (u32 i = 0; i < question->rows_count; i++) {
            u32 at = 0;
            while (at < sums_count && sums[at].id != answer[i].id) at++;
            if (at == sums_count || answer[i].hour_ms < sums[at].hour_ms)
                return differ(question->difference, "a sum of member %u too many", answer[i].id);
            if (answer[i].hour_ms == sums[at].hour_ms) sums[at].dimension = request.dimension;
            for (u32 j = 0; j < REPORT_COUNTERS; j++) (&sums[at].created)[j] -= (&answer[i].created)[j];
        }
        request.cursor = question->cursor;
    } while (request.cursor != 0);
    for (u32 i = 0; i < sums_count; i++) {
        if (sums[i].dimension != request.dimension)
            return differ(question->difference, "dimension %u, member %u: no first hour", request.dimension,
                          sums[i].id);
        for (u32 j = 0; j < REPORT_COUNTERS; j++)
            if ((&sums[i].created)[j] != 0)
                return differ(question->difference, "dimension %u, member %u: another sum of counter %u",
                              request.dimension, sums[i].id, j);
    }
    return true;
}

/* All hours added up, and those of some periods between two of them. */
static bool same_periods(struct question *question, u32 dimension, const struct tkd_report_row *rows, u32 count)
{
    struct tkd_report request = {.dimension = dimension, .sum = 1};
    if (!same_sums(question, request, rows, count)) return false;
    for (u64 i = 0; i < PERIODS && count != 0; i++) {
        u64 draw = question->desk->op * PERIODS + i;
        request.from_ms = rows[draw * 31 % count].hour_ms;
        request.to_ms = rows[draw * 71 % count].hour_ms + draw % 2 * HOUR_MS;
        if (!same_sums(question, request, rows, count)) return false;
    }
    return true;
}

static bool same_reports(struct question *question)
{
    static struct tkd_report_row rows[REPORT_ROWS_MAX];
    u32 count = naive_recount(question->desk, rows, REPORT_ROWS_MAX);
    for (u32 dimension = 1; dimension < TKD_DIMENSION_END; dimension++)
        if (!same_periods(question, dimension, rows, count) || !same_report(question, dimension, rows, count))
            return false;
    for (u32 i = 0; i < count; i++)
        if (rows[i].dimension != 0)
            return differ(question->difference, "dimension %u, member %u: facts that were not counted",
                          rows[i].dimension, rows[i].id);
    return true;
}

/* ---- The catalog: entries are read back with their ids in order, each once ---- */

static struct naive_text sorted(struct naive_ids ids, u8 *to)
{
    u32 bytes = 0;
    for (u32 id = 0; id <= UINT16_MAX && bytes < 2 * ids.count; id++) {
        if (!naive_listed(ids, id)) continue;
        to[bytes++] = (u8)id;
        to[bytes++] = (u8)(id >> 8);
    }
    return (struct naive_text){.at = (const char *)to, .bytes = bytes};
}

/* Of the members only those that the kind has. */
static struct tkd_catalog_entry members_of(u32 kind, const struct tkd_catalog_entry *from)
{
    struct tkd_catalog_entry to = *from;
    if (kind == TKD_KIND_POLICY) {
        to.parent = to.capacity = 0;
        to.strategy = to.all_queues = 0;
        to.step_ms = to.states_step = to.archive_after_ms = 0;
        return to;
    }
    to = (struct tkd_catalog_entry){.id = from->id, .retired = from->retired, .kind = (u16)kind};
    if (kind == TKD_KIND_CATEGORY || kind == TKD_KIND_QUEUE) to.parent = from->parent;
    if (kind == TKD_KIND_QUEUE) {
        to.step_ms = from->step_ms;
        to.yellow_ms = from->yellow_ms;
        to.yellow_percent = from->yellow_percent;
        to.strategy = from->strategy;
        to.states_step = from->states_step != 0 ? from->states_step : 1u << TKD_STATE_NEW | 1u << TKD_STATE_OPEN;
    }
    if (kind == TKD_KIND_AGENT) {
        to.capacity = from->capacity;
        to.all_queues = from->all_queues;
    }
    return to;
}

static bool same_entry(struct question *question, u32 kind, const struct naive_entry *entry)
{
    static u8 room[5][RECORD_BYTES_MAX];
    static const struct naive_ids none;
    bool skilled = kind == TKD_KIND_CATEGORY || kind == TKD_KIND_QUEUE || kind == TKD_KIND_AGENT;
    bool policy = kind == TKD_KIND_POLICY;
    struct tkd_catalog_entry head = members_of(kind, &entry->head);
    struct naive_text texts[] = {entry->name,
                                 sorted(skilled ? entry->skills : none, room[0]),
                                 sorted(kind == TKD_KIND_AGENT ? entry->queues : none, room[1]),
                                 sorted(policy ? entry->categories : none, room[2]),
                                 sorted(policy ? entry->channels : none, room[3]),
                                 sorted(policy ? entry->tiers : none, room[4])};
    head.expected_version = (u32)question->desk->catalog.version;
    head.kind = (u16)kind;
    for (u32 i = 0; i < ARRAY_COUNT(texts); i++) (&head.name_bytes)[i] = texts[i].bytes;
    return same_row(question, &head, sizeof head, texts, ARRAY_COUNT(texts), tkd_name(TKD_ENUM_KIND, kind), head.id);
}

static bool same_catalog(struct question *question)
{
    struct tkd_catalog_read request = {.from = 0};
    for (u32 kind = TKD_KIND_SKILL; kind < TKD_KIND_END; kind++) {
        const struct naive_entries *entries = &question->desk->catalog.kinds[kind];
        ask(question, TKD_OP_CATALOG_READ, &request, sizeof request, kind);
        for (u32 i = 0; i < entries->count; i++)
            if (!same_entry(question, kind, entries->at[i])) return false;
        if (question->rows_count != 0) return differ(question->difference, "a catalog entry too many");
    }
    const struct naive_catalog *catalog = &question->desk->catalog;
    struct tkd_catalog_entry desk = {.kind = TKD_KIND_DESK,
                                     .id = 1,
                                     .expected_version = (u32)catalog->version,
                                     .archive_after_ms = catalog->archive_after_ms,
                                     .name_bytes = catalog->name.bytes};
    ask(question, TKD_OP_CATALOG_READ, &request, sizeof request, TKD_KIND_DESK);
    return same_row(question, &desk, sizeof desk, &catalog->name, 1, "desk", 1);
}

/* ---- The summary ---- */

static bool same_figure(struct question *question, const char *group, struct naive_text member, u64 value)
{
    char name[200];
    u32 bytes = (u32)snprintf(name, sizeof name, member.bytes == 0 ? "%s" : "%s.%.*s", group, (int)member.bytes,
                              member.at);
    struct tkd_metric metric = {.value = value, .name_bytes = bytes};
    struct naive_text text = {.at = name, .bytes = bytes};
    return same_row(question, &metric, sizeof metric, &text, 1, name, value);
}

static bool figure(struct question *question, const char *name, u64 value)
{
    return same_figure(question, name, (struct naive_text){.bytes = 0}, value);
}

/* Those that are not 0. */
static bool figures(struct question *question, const char *group, enum tkd_enum which, const u64 *values, u32 count)
{
    for (u32 i = 1; i < count; i++) {
        const char *name = tkd_name(which, i);
        struct naive_text member = {.at = name, .bytes = (u32)strlen(name)};
        if (values[i] != 0 && !same_figure(question, group, member, values[i])) return false;
    }
    return true;
}

static bool ranks_before(const struct naive_entry *a, u64 a_value, const struct naive_entry *b, u64 b_value)
{
    if (a_value != b_value) return a_value > b_value;
    int order = memcmp(a->name.at, b->name.at, min_u32(a->name.bytes, b->name.bytes));
    return order != 0 ? order < 0 : a->name.bytes < b->name.bytes;
}

/* The `most` highest members of a kind, by value, then by name. */
static bool figures_top(struct question *question, const char *group, u32 kind, u64 *values, u32 most)
{
    const struct naive_entries *entries = &question->desk->catalog.kinds[kind];
    for (u32 shown = 0; shown < most; shown++) {
        const struct naive_entry *top = NULL;
        for (u32 i = 0; i < entries->count; i++) {
            const struct naive_entry *entry = entries->at[i];
            u64 value = values[entry->head.id];
            if (value != 0 && (top == NULL || ranks_before(entry, value, top, values[top->head.id]))) top = entry;
        }
        if (top == NULL) return true;
        if (!same_figure(question, group, top->name, values[top->head.id])) return false;
        values[top->head.id] = 0;
    }
    return true;
}

/* What a fact counts for, by member of a dimension. */
static u64 *totals(const struct naive *desk, u32 counter, u32 dimension, u64 *values)
{
    const struct naive_fact *facts = desk->facts.at;
    memset(values, 0, (AGENTS_MAX + 1) * sizeof *values);
    for (u64 i = 0; i < desk->facts.count; i++)
        if (facts[i].counter == counter) values[facts[i].members[dimension]] += facts[i].amount;
    return values;
}

/* All tickets that there ever were, added up. */
struct sums {
    u64 states[TKD_STATE_END], priorities[TKD_PRIORITY_END], state_ms[TKD_STATE_END];
    u64 channels[CHANNELS_MAX + 1];
    u64 reopened, solved, full_resolution_ms, archived;
};

static struct sums add_up(const struct naive *desk)
{
    struct sums sums = {.solved = 0};
    for (u64 i = 0; i < desk->tickets.count; i++) {
        const struct naive_ticket *ticket = ((const struct naive_ticket **)desk->tickets.at)[i];
        sums.states[ticket->state]++;
        sums.priorities[ticket->priority]++;
        sums.channels[ticket->channel]++;
        for (u32 state = 1; state < TKD_STATE_END; state++) sums.state_ms[state] += ticket->spent_ms[state];
        sums.state_ms[ticket->state] += desk->time_ms - ticket->state_since_ms;
        sums.reopened += ticket->reopens != 0;
        sums.solved += ticket->solved;
        sums.full_resolution_ms += ticket->solved ? ticket->solved_ms - ticket->created_ms : 0;
        sums.archived += ticket->row == 0;
    }
    return sums;
}

static bool same_tops(struct question *question, u64 *values)
{
    const struct naive *desk = question->desk;
    if (!figures(question, "breached_24x7", TKD_ENUM_PRIORITY,
                 totals(desk, NAIVE_red_resolution, TKD_DIMENSION_PRIORITY, values), TKD_PRIORITY_END) ||
        !figures(question, "breached_first_reply", TKD_ENUM_PRIORITY,
                 totals(desk, NAIVE_red_first_reply, TKD_DIMENSION_PRIORITY, values), TKD_PRIORITY_END) ||
        !figures_top(question, "top_queues_by_entries", TKD_KIND_QUEUE,
                     totals(desk, NAIVE_entered, TKD_DIMENSION_QUEUE, values), 10) ||
        !figures_top(question, "top_queues_by_solves", TKD_KIND_QUEUE,
                     totals(desk, NAIVE_solves, TKD_DIMENSION_QUEUE, values), 10))
        return false;
    for (u32 agent = 1; agent <= AGENTS_MAX; agent++) values[agent] = desk->seats[agent].solves;
    return figures_top(question, "top_agents_by_solves", TKD_KIND_AGENT, values, 10);
}

static bool same_summary(struct question *question)
{
    static u64 values[AGENTS_MAX + 1];
    const struct naive *desk = question->desk;
    struct sums sums = add_up(desk);
    struct naive_text create = {.at = "create", .bytes = desk->creates == 0 ? 0 : 6};
    ask(question, TKD_OP_SUMMARY, &(struct tkd_empty){.kind = 0}, sizeof(struct tkd_empty), 0);
    return figure(question, "tickets", desk->tickets.count) &&
           (desk->creates == 0 || same_figure(question, "by_command", create, desk->creates)) &&
           figures(question, "by_command", TKD_ENUM_VERB, desk->by_verb, TKD_VERB_END) &&
           figures(question, "final_state", TKD_ENUM_STATE, sums.states, TKD_STATE_END) &&
           figures(question, "final_priority", TKD_ENUM_PRIORITY, sums.priorities, TKD_PRIORITY_END) &&
           figures_top(question, "channel", TKD_KIND_CHANNEL, sums.channels, CHANNELS_MAX) &&
           figure(question, "reopens", totals(desk, NAIVE_reopened, TKD_DIMENSION_DESK, values)[1]) &&
           figure(question, "tickets_reopened", sums.reopened) &&
           figure(question, "tickets_ever_solved", sums.solved) &&
           figure(question, "solves", totals(desk, NAIVE_solves, TKD_DIMENSION_DESK, values)[1]) &&
           figure(question, "new_ms", sums.state_ms[TKD_STATE_NEW]) &&
           figure(question, "open_ms", sums.state_ms[TKD_STATE_OPEN]) &&
           figure(question, "pending_ms", sums.state_ms[TKD_STATE_PENDING]) &&
           figure(question, "on_hold_ms", sums.state_ms[TKD_STATE_ON_HOLD]) &&
           figure(question, "first_resolution_ms_sum",
                  totals(desk, NAIVE_first_resolution_ms, TKD_DIMENSION_DESK, values)[1]) &&
           figure(question, "full_resolution_ms_sum", sums.full_resolution_ms) && same_tops(question, values) &&
           figure(question, "customers", desk->customers.count) && figure(question, "archived", sums.archived) &&
           figure(question, "catalog_version", desk->catalog.version) && figure(question, "time_ms", desk->time_ms) &&
           (question->rows_count == 0 || differ(question->difference, "a figure too many"));
}

/* ---- All of it ---- */

static bool same_events(const struct naive *desk, const struct state *state, struct naive_difference *difference)
{
    const struct event_log *log = state_events_read(state);
    const struct tkd_event *const *expected = desk->events.at;
    for (u64 seq = desk->first_event; seq <= desk->events.count && seq < log->seq_next; seq++) {
        const struct tkd_event *event = event_at(log, seq), *ours = expected[seq - 1];
        if (event == NULL) return differ(difference, "event %llu is not in memory", LLU(seq));
        if (event->size == ours->size && memcmp(event, ours, ours->size) == 0) continue;
        return differ(difference,
                      "event %llu: %s ticket %llu station %u actor %u link %llu (%u %u %u %u %u), expected %s ticket "
                      "%llu station %u actor %u link %llu (%u %u %u %u %u)",
                      LLU(seq), tkd_name(TKD_ENUM_EVENT, event->kind), LLU(event->ticket), event->station,
                      event->actor, LLU(event->link), event->a, event->b, event->c, event->d, event->e,
                      tkd_name(TKD_ENUM_EVENT, ours->kind), LLU(ours->ticket), ours->station, ours->actor,
                      LLU(ours->link), ours->a, ours->b, ours->c, ours->d, ours->e);
    }
    if (log->seq_next - 1 != desk->events.count)
        return differ(difference, "%llu events, expected %llu", LLU(log->seq_next - 1), LLU(desk->events.count));
    return true;
}

static bool same_results(const struct naive *desk, const struct tkd_result *results, u32 bytes,
                         struct naive_difference *difference)
{
    for (u32 i = 0; i < bytes / sizeof *results; i++) {
        const struct tkd_result *ours = &desk->results[i];
        if (memcmp(&results[i], ours, sizeof *ours) != 0)
            return differ(difference, "result %u: status %u version %u id %llu, expected %u %u %llu", i,
                          results[i].status, results[i].version, LLU(results[i].id), ours->status, ours->version,
                          LLU(ours->id));
    }
    return true;
}

static struct question *question_of(const struct naive *desk, const struct state *state,
                                    struct naive_difference *difference)
{
    static struct question question;
    question.desk = desk;
    question.state = state;
    question.difference = difference;
    difference->text[0] = 0;
    return &question;
}

bool naive_same_step(const struct naive *desk, const struct state *state, const void *results, u32 results_bytes,
                     struct naive_difference *difference)
{
    struct question *question = question_of(desk, state, difference);
    if (!same_events(desk, state, difference) || !same_results(desk, results, results_bytes, difference)) return false;
    if (state_time(state) != desk->time_ms)
        return differ(difference, "time %llu, expected %llu", LLU(state_time(state)), LLU(desk->time_ms));
    for (u64 seq = desk->first_event; seq <= desk->events.count; seq++) {
        u64 ticket = remembered((void *)desk, seq)->ticket;
        if (ticket != 0 && !same_ticket(question, ticket)) return false;
    }
    return same_gauges(question);
}

bool naive_same_desk(const struct naive *desk, const struct state *state, struct naive_difference *difference)
{
    struct question *question = question_of(desk, state, difference);
    return same_tickets(question) && same_gauges(question) && same_lines(question) && same_lists(question) &&
           same_customers(question) && same_sessions(question) && same_reports(question) && same_catalog(question) &&
           same_summary(question);
}
