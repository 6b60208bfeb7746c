/* Queries: reading the desk. Bounded work each; what does not fit a page goes on from a cursor. */
#include "base/mark.h"
#include "core/desk.h"

#define LIST_WORK_MAX LIMIT(131072u, 3u) /* groups of columns; a row that is looked at counts like some of them */
#define LIST_ROW_WORK 20u
#define LIST_AHEAD 16u /* rows fetched before they are looked at */
#define REPORT_ROWS_MAX LIMIT(16384u, 3u) /* read for a page */
#define REPORT_AHEAD 16u
#define BLOCKS_A_STEP 64u /* looked through for the first one in which a member was counted */
#define ROWS_MAX 1000u
#define TOP 10u

/* A page while it is being written. */
struct page {
    const struct state *state;
    const struct event_source *events;
    u8 *rows;
    u32 used;
    u32 bytes_max;
    u32 count;
    u64 cursor;
    enum tkd_status status;
    u64 now_ms; /* clocks are read as of then */
};

static u32 page_room(const struct page *page) { return page->bytes_max - page->used; }

static void page_add(struct page *page, const void *row, u32 bytes)
{
    ASSERT(bytes <= page_room(page));
    memcpy(page->rows + page->used, row, bytes);
    page->used += bytes;
    page->count++;
}

/* A record with one text, or none. */
static void page_add_record(struct page *page, void *head, u32 head_bytes, const char *text, u32 text_bytes)
{
    u32 bytes = (u32)round_up((u64)head_bytes + text_bytes, 8);
    ASSERT(bytes <= page_room(page));
    struct tkd_prefix *prefix = head;
    prefix->size = bytes;
    prefix->head = (u16)head_bytes;
    u8 *to = page->rows + page->used;
    memset(to + bytes - 8, 0, 8);
    memcpy(to, head, head_bytes);
    if (text_bytes != 0) memcpy(to + head_bytes, text, text_bytes);
    page->used += bytes;
    page->count++;
}

/* NULL: there never was such an event; or it cannot be read, and then neither can the page. */
static const struct tkd_event *page_event(struct page *page, u64 seq)
{
    if (seq == 0 || seq >= page->state->events.seq_next) return NULL;
    const struct tkd_event *event = page->events->read(page->events->owner, seq);
    if (event == NULL) page->status = TKD_UNREADABLE;
    return event;
}

/* ---- Tickets ---- */

struct ticket_texts ticket_texts_of(const struct tkd_event *created)
{
    struct ticket_texts texts = {0};
    if (created == NULL || created->kind != TKD_EVENT_CREATED || created->text_bytes < 6 * sizeof(u32)) return texts;
    u32 lengths[6];
    const char *at = (const char *)(created + 1);
    memcpy(lengths, at, sizeof lengths);
    at += sizeof lengths;
    texts.address = at;
    texts.address_bytes = lengths[0];
    texts.key = at + lengths[0] + lengths[1];
    texts.key_bytes = lengths[2];
    texts.subject = texts.key + lengths[2];
    texts.subject_bytes = lengths[3];
    return texts;
}

static void ticket_numbers(const struct state *state, const struct ticket *ticket, u64 now_ms,
                           struct tkd_ticket *to)
{
    const struct task *task = ticket->task == 0 ? NULL : task_row(state, ticket->task);
    *to = (struct tkd_ticket){
        .id = ticket->id,
        .created_ms = ticket->created_ms,
        .state_since_ms = ticket->state_since_ms,
        .solved_ms = ticket->solved_ms,
        .customer = ticket->customer,
        .last_event = ticket->last_event,
        .first_reply_ms = clock_ran_ms(&ticket->first_reply, now_ms),
        .first_reply_due_ms = clock_due_ms(&ticket->first_reply, sla_first_reply_target_ms(state, ticket)),
        .resolution_ms = clock_ran_ms(&ticket->resolution, now_ms),
        .resolution_due_ms = clock_due_ms(&ticket->resolution, sla_resolution_target_ms(state, ticket)),
        .step_due_ms = task == NULL ? 0 : clock_due_ms(&task->step, sla_step_target_ms(state, ticket)),
        .entered_ms = task == NULL ? 0 : task->entered_ms,
        .version = ticket->version,
        .agent = task == NULL ? ticket->agent : task->agent,
        .queue = ticket->queue,
        .category = ticket->category,
        .channel = ticket->channel,
        .policy = ticket->policy,
        .stations = ticket->stations,
        .reopens = ticket->reopens,
        .urges = ticket->urges,
        .state = ticket->state,
        .priority = ticket->priority,
        .paused = (ticket->flags & TICKET_PAUSED) != 0,
        .cards_first_reply = ticket->card_first_reply,
        .cards_resolution = ticket->card_resolution,
        .cards_step = task == NULL ? 0 : task->card_step,
        .no_routing = (ticket->flags & TICKET_NO_ROUTING) != 0,
    };
}

/* An absent text is NULL and empty. */
static u32 text_copy(u8 *to, const char *text, u32 bytes)
{
    if (bytes != 0) memcpy(to, text, bytes);
    return bytes;
}

u32 ticket_write(const struct state *state, const struct ticket *ticket, const struct ticket_texts *texts, u64 now_ms,
                 u8 *to, u32 bytes_max)
{
    struct tkd_ticket record;
    ASSERT(bytes_max >= TICKET_RECORD_BYTES_MAX + TICKET_TAGS_MAX * TAG_BYTES_MAX);
    ticket_numbers(state, ticket, now_ms, &record);
    record.subject_bytes = texts->subject_bytes;
    record.key_bytes = texts->key_bytes;
    record.address_bytes = texts->address_bytes;
    u8 *at = to + sizeof record;
    at += text_copy(at, texts->subject, texts->subject_bytes);
    at += text_copy(at, texts->key, texts->key_bytes);
    at += text_copy(at, texts->address, texts->address_bytes);
    u8 *tags = at;
    for (u32 label = ticket->labels; label != 0; label = label_row(state, label)->next) {
        const char *name = tag_row(state, label_row(state, label)->tag)->name;
        if (at > tags) *at++ = '\n';
        for (u32 i = 0; i < TAG_BYTES_MAX && name[i] != 0; i++) *at++ = (u8)name[i];
    }
    record.tags_bytes = (u32)(at - tags);
    while ((at - to) % 8 != 0) *at++ = 0;
    record.size = (u32)(at - to);
    record.head = sizeof record;
    memcpy(to, &record, sizeof record);
    return record.size;
}

#define TICKET_PAGE_ROOM (TICKET_RECORD_BYTES_MAX + TICKET_TAGS_MAX * TAG_BYTES_MAX)

static void page_add_ticket(struct page *page, u32 row)
{
    const struct ticket *ticket = ticket_row(page->state, row);
    struct ticket_texts texts = ticket_texts_of(page_event(page, ticket->created_event));
    page->used += ticket_write(page->state, ticket, &texts, page->now_ms, page->rows + page->used, page_room(page));
    page->count++;
}

/* A ticket that left memory: its row is in the ARCHIVED event, its texts are in the CREATED one. */
static void page_add_archived(struct page *page, u64 event_seq)
{
    const struct tkd_event *archived = page_event(page, event_seq);
    struct tkd_ticket ticket;
    if (archived == NULL || archived->kind != TKD_EVENT_ARCHIVED || archived->text_bytes < sizeof ticket) {
        page->status = TKD_UNREADABLE;
        return;
    }
    const char *record = (const char *)(archived + 1);
    char tags[TICKET_TAGS_MAX * (TAG_BYTES_MAX + 1)];
    memcpy(&ticket, record, sizeof ticket);
    u32 tags_bytes = min_u32(min_u32(ticket.tags_bytes, sizeof tags), archived->text_bytes - (u32)sizeof ticket);
    memcpy(tags, record + sizeof ticket, tags_bytes);
    u64 created = archived->link;
    ticket.last_event = event_seq;
    ticket.archived = 1;
    struct ticket_texts texts = ticket_texts_of(page_event(page, created));
    ticket.subject_bytes = texts.subject_bytes;
    ticket.key_bytes = texts.key_bytes;
    ticket.address_bytes = texts.address_bytes;
    ticket.tags_bytes = tags_bytes;
    u8 *to = page->rows + page->used;
    u32 at = sizeof ticket;
    at += text_copy(to + at, texts.subject, texts.subject_bytes);
    at += text_copy(to + at, texts.key, texts.key_bytes);
    at += text_copy(to + at, texts.address, texts.address_bytes);
    at += text_copy(to + at, tags, tags_bytes);
    while (at % 8 != 0) to[at++] = 0;
    ticket.size = at;
    memcpy(to, &ticket, sizeof ticket);
    page->used += at;
    page->count++;
}

/* The ARCHIVED event of a ticket that is not in memory, 0 = there is none. The store knows it as soon as it has
 * the event; until then the event is one of the few behind those stored. */
static u64 archived_event(struct page *page, u64 ticket)
{
    const struct event_log *log = &page->state->events;
    u64 event_seq;
    if (ticket == 0 || ticket > desk_row(page->state)->tickets) return 0;
    i32 result = page->events->archived(page->events->owner, ticket, &event_seq);
    if (result == 0) return event_seq;
    if (result < 0) page->status = TKD_UNREADABLE;
    for (u64 seq = log->seq_next - 1; seq > log->stored_seq && seq >= log->seq_first; seq--) {
        const struct tkd_event *event = event_at(log, seq);
        if (event->kind == TKD_EVENT_ARCHIVED && event->ticket == ticket) return seq;
    }
    return 0;
}

static void query_ticket_get(struct page *page, const void *record)
{
    struct tkd_ticket_get request;
    record_head(record, &request, sizeof request);
    const char *texts = record_texts(record);
    u32 row = request.ticket != 0 ? ticket_find(page->state, request.ticket)
                                  : ticket_find_key(page->state, request.channel, texts, request.receiver_bytes,
                                                    texts + request.receiver_bytes, request.key_bytes);
    u64 event_seq = row == 0 ? archived_event(page, request.ticket) : 0;
    if (row != 0) page_add_ticket(page, row);
    else if (event_seq != 0) page_add_archived(page, event_seq);
    else if (page->status == TKD_OK) page->status = TKD_NOT_FOUND;
}

static bool list_matches(const struct state *state, const struct tkd_ticket_list *list, u32 tag, u32 row)
{
    const struct ticket *ticket = ticket_row(state, row);
    if (list->states != 0 && !(list->states >> ticket->state & 1)) return false;
    if (list->queue != 0 && list->queue != ticket->queue) return false;
    if (list->category != 0 && list->category != ticket->category) return false;
    if (list->channel != 0 && list->channel != ticket->channel) return false;
    if (list->priority != 0 && list->priority != ticket->priority) return false;
    if (list->customer != 0 && list->customer != ticket->customer) return false;
    if (list->breached && ticket->card_first_reply != TKD_CARD_RED && ticket->card_resolution != TKD_CARD_RED)
        return false;
    if (list->agent != 0 || list->unassigned) {
        u32 agent = ticket->task == 0 ? ticket->agent : task_row(state, ticket->task)->agent;
        if (list->agent != 0 && list->agent != agent) return false;
        if (list->unassigned && (agent != 0 || ticket->task == 0)) return false;
    }
    return tag == 0 || tag_on(state, ticket, tag);
}

static bool list_room(const struct page *page, u32 limit)
{
    return page->count < limit && page_room(page) >= TICKET_PAGE_ROOM;
}

/* The next tickets that may match, on their way into the cache. Fewer than LIST_AHEAD: there are no more, or the page
 * has cost enough. */
static u32 list_ahead(const struct state *state, struct search *search, u64 *ids, u32 *work)
{
    u32 count = 0;
    for (u64 id; count < LIST_AHEAD && (id = search_next(search, work)) != 0; ids[count++] = id) {
        __builtin_prefetch(&state->directory[id]);
        *work -= min_u32(*work, LIST_ROW_WORK);
    }
    for (u32 i = 0; i < count; i++) {
        const struct ticket *ticket = ticket_row(state, state->directory[ids[i]]);
        __builtin_prefetch(ticket);
        __builtin_prefetch(&ticket->state);
    }
    return count;
}

static void query_ticket_list(struct page *page, const void *record)
{
    struct tkd_ticket_list list;
    record_head(record, &list, sizeof list);
    u32 tag = 0;
    if (list.tag_bytes != 0) {
        tag = tag_find(page->state, record_texts(record), list.tag_bytes);
        if (tag == 0) return;
    }
    u32 limit = list.limit == 0 ? 100 : min_u32(list.limit, ROWS_MAX);
    u64 last = desk_row(page->state)->tickets, ids[LIST_AHEAD];
    struct search search;
    search_begin(&search, &page->state->columns, &list, tag, list.cursor == 0 ? last : min_u64(list.cursor, last));
    page->cursor = search.below;
    u32 work = LIST_WORK_MAX, count;
    do {
        count = list_ahead(page->state, &search, ids, &work);
        for (u32 i = 0; i < count && list_room(page, limit); i++) {
            u32 row = page->state->directory[ids[i]];
            if (list_matches(page->state, &list, tag, row)) page_add_ticket(page, row);
            page->cursor = ids[i] - 1;
        }
    } while (count == LIST_AHEAD && list_room(page, limit));
    if (list_room(page, limit)) page->cursor = search.below;
}

/* The line of a queue: lanes are merged in the order of their tasks. */
static void query_waiting_list(struct page *page, const void *record)
{
    struct tkd_waiting_list request;
    const struct state *state = page->state;
    record_head(record, &request, sizeof request);
    if (catalog_entry_at(state, TKD_KIND_QUEUE, request.queue) == NULL) {
        page->status = TKD_UNKNOWN_QUEUE;
        return;
    }
    u32 *next = (u32 *)state->scratch, lanes = 0;
    u32 *lane_of = next + SCRATCH_BYTES / 16;
    for (u32 at = state->line.queue_lanes[request.queue]; at != 0 && lanes < SCRATCH_BYTES / 16;
         at = state->line.lanes[at].next) {
        lane_of[lanes] = at;
        next[lanes++] = lane_head(&state->line.lanes[at]);
    }
    u32 limit = request.limit == 0 ? 100 : min_u32(request.limit, ROWS_MAX);
    while (page->count < limit && page_room(page) >= TICKET_PAGE_ROOM) {
        u32 best = U32_NONE;
        for (u32 i = 0; i < lanes; i++)
            if (next[i] != 0 && (best == U32_NONE || line_before(state, next[i], next[best]))) best = i;
        if (best == U32_NONE) return;
        u32 task = next[best];
        page_add_ticket(page, task_row(state, task)->ticket);
        u32 behind = line_next(state, task);
        const struct lane *lane = &state->line.lanes[lane_of[best]];
        for (u32 priority = ticket_row(state, task_row(state, task)->ticket)->priority + 1u;
             behind == 0 && priority < TKD_PRIORITY_END; priority++)
            behind = lane->first[priority];
        next[best] = behind;
    }
}

/* ---- Events ---- */

/* Is its link the customer's touch before? */
static bool event_touches(const struct tkd_event *event)
{
    return event->kind == TKD_EVENT_CREATED || event->kind == TKD_EVENT_URGED || event->kind == TKD_EVENT_REPLIED ||
           event->kind == TKD_EVENT_MESSAGE;
}

static u64 history_begin(struct page *page, u64 ticket)
{
    u32 row = ticket_find(page->state, ticket);
    return row != 0 ? ticket_row(page->state, row)->last_event : archived_event(page, ticket);
}

static void query_history(struct page *page, const void *record)
{
    struct tkd_history request;
    record_head(record, &request, sizeof request);
    u64 seq = request.from;
    if (seq == 0) seq = history_begin(page, request.ticket);
    if (seq == 0 && page->status == TKD_OK) page->status = TKD_NOT_FOUND;
    while (seq != 0 && page->count < ROWS_MAX) {
        const struct tkd_event *event = page_event(page, seq);
        if (event == NULL || (request.ticket != 0 ? event->ticket != request.ticket : !event_touches(event))) {
            if (event != NULL && page->count == 0) page->status = TKD_NOT_FOUND;
            if (seq >= page->state->events.seq_next) page->status = TKD_NOT_FOUND;
            seq = 0;
            break;
        }
        if (event->size > page_room(page)) break;
        page_add(page, event, event->size);
        seq = request.ticket != 0 ? event->previous : event->link;
    }
    page->cursor = seq;
}

/* ---- Queues, agents, customers, catalog, sessions ---- */

static void query_queue_list(struct page *page, const void *record)
{
    struct tkd_entity_list request;
    const struct state *state = page->state;
    record_head(record, &request, sizeof request);
    u32 limit = request.limit == 0 ? ROWS_MAX : min_u32(request.limit, ROWS_MAX);
    u32 last = state->tables[TABLE_QUEUE].row_last, id = max_u32(request.from, 1);
    for (; id <= last && page->count < limit && page_room(page) >= 512; id++) {
        const struct entry *entry = catalog_entry_at(state, TKD_KIND_QUEUE, id);
        if (entry == NULL || entry->retired) continue;
        struct tkd_queue_row row = {.id = id,
                                    .waiting = state->route.waiting[id],
                                    .assigned = state->route.assigned[id],
                                    .suspended = state->route.suspended[id],
                                    .name_bytes = entry->name_bytes};
        for (u32 lane = state->line.queue_lanes[id]; lane != 0; lane = state->line.lanes[lane].next)
            for (u32 priority = 1; priority < TKD_PRIORITY_END; priority++) {
                u32 first = state->line.lanes[lane].first[priority];
                if (first != 0 && (row.oldest_ms == 0 || task_row(state, first)->entered_ms < row.oldest_ms))
                    row.oldest_ms = task_row(state, first)->entered_ms;
            }
        for (u32 word = 0; word < state->route.words; word++) {
            u64 members = state->route.members[id * AGENT_WORDS + word] | state->route.everywhere[word];
            row.members += bit_count(members);
            row.present += bit_count(members & state->route.present[word]);
        }
        page_add_record(page, &row, sizeof row, entry->name, entry->name_bytes);
    }
    page->cursor = id <= last ? id : 0;
}

static void query_agent_list(struct page *page, const void *record)
{
    struct tkd_entity_list request;
    const struct state *state = page->state;
    record_head(record, &request, sizeof request);
    u32 limit = request.limit == 0 ? ROWS_MAX : min_u32(request.limit, ROWS_MAX);
    u32 last = state->tables[TABLE_AGENT].row_last, id = max_u32(request.from, 1);
    for (; id <= last && page->count < limit && page_room(page) >= 512; id++) {
        const struct entry *entry = catalog_entry_at(state, TKD_KIND_AGENT, id);
        if (entry == NULL || entry->retired) continue;
        struct tkd_agent_row row = {.id = id,
                                    .presence = seat_row(state, id)->presence,
                                    .load = state->route.load[id],
                                    .held = state->route.held[id],
                                    .capacity = agent_row(state, id)->capacity,
                                    .last_assigned_ms = seat_row(state, id)->last_assigned_ms,
                                    .name_bytes = entry->name_bytes};
        page_add_record(page, &row, sizeof row, entry->name, entry->name_bytes);
    }
    page->cursor = id <= last ? id : 0;
}

static void query_customer_get(struct page *page, const void *record)
{
    struct tkd_customer_get request;
    const struct state *state = page->state;
    record_head(record, &request, sizeof request);
    u64 id = request.customer;
    if (id == 0) id = customer_find(state, request.channel, record_texts(record), request.address_bytes);
    if (id == 0 || id > UINT32_MAX || !table_used(&state->tables[TABLE_CUSTOMER], (u32)id)) {
        page->status = TKD_UNKNOWN_CUSTOMER;
        return;
    }
    const struct customer *customer = customer_row(state, (u32)id);
    const struct tkd_event *created = page_event(page, customer->first_event);
    struct ticket_texts texts = ticket_texts_of(created);
    struct tkd_customer_row row = {.id = id,
                                   .created_ms = customer->created_ms,
                                   .last_touch = customer->last_touch,
                                   .tier = customer->tier,
                                   .touches = customer->touches,
                                   .tickets = customer->tickets,
                                   .open_tickets = customer->open_tickets,
                                   .channel = created == NULL ? 0 : created->d >> 16,
                                   .address_bytes = texts.address_bytes};
    page_add_record(page, &row, sizeof row, texts.address, texts.address_bytes);
}

static void query_catalog_read(struct page *page, const void *record)
{
    struct tkd_catalog_read request;
    const struct state *state = page->state;
    record_head(record, &request, sizeof request);
    u32 kind = ((const struct tkd_prefix *)record)->kind, id = max_u32(request.from, 1);
    u32 last = kind == TKD_KIND_DESK ? 1 : catalog_last(state, kind);
    for (; id <= last && page_room(page) >= CATALOG_ENTRY_BYTES_MAX; id++) {
        if (kind != TKD_KIND_DESK && catalog_entry_at(state, kind, id) == NULL) continue;
        page->used += catalog_entry_write(state, kind, id, page->rows + page->used, page_room(page));
        page->count++;
    }
    page->cursor = id <= last ? id : 0;
}

static void query_attach(struct page *page, const void *record)
{
    struct tkd_session_id request;
    record_head(record, &request, sizeof request);
    u32 at = session_find(page->state, request.session);
    if (at == 0) {
        page->status = TKD_SESSION_EXPIRED;
        return;
    }
    const struct session *session = session_row(page->state, at);
    struct tkd_session row = {.session = session->id,
                              .next_seq = session->next_seq,
                              .records = session->records,
                              .window = session->window};
    page_add_record(page, &row, sizeof row, NULL, 0);
}

/* ---- Reports ---- */

/* The row of a page that a member's hours are added up in, 0 = none yet, by number from 1. */
static u32 *report_sums(const struct state *state)
{
    _Static_assert(SCRATCH_BYTES >= (AGENTS_MAX + 1) * sizeof(u32), "room for every member");
    u32 *sums = (u32 *)(void *)state->scratch;
    memset(sums, 0, (AGENTS_MAX + 1) * sizeof *sums);
    return sums;
}

/* The next rows of the dimension, on their way into the cache; returns where to look further. */
static u32 report_ahead(const struct state *state, u32 dimension, u32 row, u32 end, u32 *rows, u32 *count)
{
    for (*count = 0; *count < REPORT_AHEAD; row++) {
        row = stats_seek(state, dimension, row, end);
        if (row == end) return end;
        const char *bytes = (const char *)stats_row(state, row);
        for (u32 i = 0; i < sizeof(struct stats) + 63; i += 64) __builtin_prefetch(bytes + i);
        rows[(*count)++] = row;
    }
    return row;
}

static void report_row(struct page *page, const struct stats *stats, u32 *sums)
{
    struct tkd_report_row out = {
        .hour_ms = stats_hour_ms(stats), .dimension = stats_dimension(stats), .id = stats_member(stats)};
    u32 *sum = sums == NULL ? NULL : &sums[out.id];
    if (sum != NULL && *sum != 0) {
        u64 *counters = &((struct tkd_report_row *)(void *)page->rows)[*sum - 1].created;
        for (u32 i = 0; i < STATS_COUNTERS; i++) counters[i] += stats->counters[i];
        return;
    }
    memcpy(&out.created, stats->counters, sizeof stats->counters);
    page_add_record(page, &out, sizeof out, NULL, 0);
    if (sum != NULL) *sum = page->count;
}

/* A report, and how far it is: the hours from a row on, or, where `to` is not 0, the sums of the blocks from that row's
 * up to `to` for the members from one on. All of this is in the cursor, which only grows; so whatever is added to the
 * sums between two pages, no row is counted twice, and none is left out. */
struct report {
    struct page *page;
    u32 *sums; /* NULL: hours are not added up */
    u32 dimension;
    u32 row;
    u32 end;
    u32 to;
    u32 member;
    u32 steps;
};
_Static_assert(STATS_BLOCKS <= UINT16_MAX && AGENTS_MAX < UINT16_MAX, "room in the cursor");

static bool report_full(struct report *report)
{
    return report->steps++ >= REPORT_ROWS_MAX || page_room(report->page) < sizeof(struct tkd_report_row);
}

/* The hours before row `end`. false: the page is full. */
static bool report_hours(struct report *report, u32 end)
{
    const struct state *state = report->page->state;
    while (report->row < end) {
        u32 rows[REPORT_AHEAD], count;
        u32 next = report_ahead(state, report->dimension, report->row, end, rows, &count);
        for (u32 i = 0; i < count; i++) {
            const struct stats *stats = stats_row(state, rows[i]);
            report->row = rows[i];
            if (report_full(report)) return false;
            if (stats_member(stats) != 0) report_row(report->page, stats, report->sums);
        }
        report->row = next;
    }
    return true;
}

/* The blocks up to `to`, member by member. false: the page is full. */
static bool report_blocks(struct report *report)
{
    const struct state *state = report->page->state;
    u32 last = stats_member_last(state, report->dimension);
    for (; report->member <= last; report->member++) {
        struct stats sum;
        MARK_IF(report->steps >= REPORT_ROWS_MAX, "page of a report ends among the sums of blocks");
        if (report_full(report)) return false;
        report->steps += (report->to - stats_block(report->row)) / BLOCKS_A_STEP;
        if (stats_sum(state, report->dimension, report->member, stats_block(report->row), report->to, &sum))
            report_row(report->page, &sum, report->sums);
    }
    report->row = stats_block_row(report->to);
    report->to = report->member = 0;
    return true;
}

/* Hours up to the first whole block, blocks, hours. */
static bool report_sum(struct report *report)
{
    u32 from = stats_block(report->row + STATS_BLOCK_ROWS - 1), to = stats_blocks(report->page->state, report->end);
    if (report->to == 0 && from < to) {
        if (!report_hours(report, stats_block_row(from))) return false;
        report->to = to;
        report->member = 1;
    }
    if (report->to != 0 && !report_blocks(report)) return false;
    return report_hours(report, report->end);
}

static void query_report(struct page *page, const void *record)
{
    struct tkd_report request;
    const struct state *state = page->state;
    record_head(record, &request, sizeof request);
    u64 first = stats_since(state, request.from_ms / HOUR_MS * HOUR_MS);
    struct report report = {.page = page,
                            .dimension = request.dimension,
                            .end = stats_since(state, request.to_ms == 0 ? U64_NONE : request.to_ms),
                            .to = (u16)(request.cursor >> 16),
                            .member = (u16)request.cursor};
    report.row = (u32)min_u64(max_u64(request.cursor >> 32, first), report.end);
    bool among_blocks = request.sum == 1 && report.row == request.cursor >> 32 &&
                        report.row == stats_block_row(stats_block(report.row)) &&
                        stats_block(report.row) < report.to && report.to <= stats_blocks(state, report.end);
    if (request.dimension == 0 || request.dimension >= TKD_DIMENSION_END || request.sum > 1 ||
        (report.to != 0 && !among_blocks)) {
        page->status = TKD_BAD_VALUE;
        return;
    }
    if (request.sum == 1) report.sums = report_sums(state);
    bool done = request.sum == 1 ? report_sum(&report) : report_hours(&report, report.end);
    page->cursor = done ? 0 : (u64)report.row << 32 | report.to << 16 | report.member;
}
_Static_assert(sizeof(struct tkd_report_row) - offsetof(struct tkd_report_row, created) ==
                   sizeof(((struct stats *)0)->counters),
               "a report row holds the counters in their order");

static void metric(struct page *page, const char *group, const char *member, u32 member_bytes, u64 value)
{
    char name[200];
    u32 bytes = (u32)strlen(group);
    memcpy(name, group, bytes);
    if (member_bytes != 0) {
        name[bytes++] = '.';
        memcpy(name + bytes, member, member_bytes);
        bytes += member_bytes;
    }
    struct tkd_metric row = {.value = value, .name_bytes = bytes};
    page_add_record(page, &row, sizeof row, name, bytes);
}

static void figure(struct page *page, const char *name, u64 value) { metric(page, name, "", 0, value); }

/* The non-zero members of an enumeration's array. */
static void metric_group(struct page *page, const char *group, enum tkd_enum which, const u64 *values, u32 count)
{
    for (u32 i = 1; i < count; i++) {
        const char *name = tkd_name(which, i);
        if (values[i] != 0) metric(page, group, name, (u32)strlen(name), values[i]);
    }
}

static u64 table_value(const struct state *state, u32 kind, u32 id, bool solves)
{
    if (kind == TKD_KIND_CHANNEL) return channel_row(state, id)->tickets;
    if (kind == TKD_KIND_AGENT) return seat_row(state, id)->solves;
    return solves ? tally_row(state, id)->solves : tally_row(state, id)->entries;
}

static bool ranks_before(const struct entry *a, u64 a_value, const struct entry *b, u64 b_value)
{
    if (a_value != b_value) return a_value > b_value;
    int order = memcmp(a->name, b->name, min_u32(a->name_bytes, b->name_bytes));
    return order != 0 ? order < 0 : a->name_bytes < b->name_bytes;
}

/* The highest `most` members of a kind, by value, then by name. */
static void metric_top(struct page *page, const char *group, u32 kind, bool solves, u32 most)
{
    const struct entry *top[CHANNELS_MAX];
    u32 count = 0;
    ASSERT(most <= ARRAY_COUNT(top));
    for (u32 id = 1; id <= catalog_last(page->state, kind); id++) {
        const struct entry *entry = catalog_entry_at(page->state, kind, id);
        if (entry == NULL) continue;
        u64 value = table_value(page->state, kind, id, solves);
        if (value == 0) continue;
        u32 at = count < most ? count++ : most;
        for (; at > 0; at--) {
            u64 other = table_value(page->state, kind, (u32)top[at - 1]->id, solves);
            if (!ranks_before(entry, value, top[at - 1], other)) break;
            if (at < most) top[at] = top[at - 1];
        }
        if (at < most) top[at] = entry;
    }
    for (u32 i = 0; i < count; i++)
        metric(page, group, top[i]->name, top[i]->name_bytes,
               table_value(page->state, kind, (u32)top[i]->id, solves));
}

/* Time spent in a state up to now, by all tickets. */
static u64 state_ran_ms(const struct page *page, u32 which)
{
    const struct desk *desk = desk_row(page->state);
    return desk->ran_ms[which] + desk->by_state[which] * page->now_ms - desk->since_sum_ms[which];
}

static void query_summary(struct page *page)
{
    const struct state *state = page->state;
    const struct desk *desk = desk_row(state);
    figure(page, "tickets", desk->tickets);
    if (desk->creates != 0) metric(page, "by_command", "create", 6, desk->creates);
    metric_group(page, "by_command", TKD_ENUM_VERB, desk->by_verb, TKD_VERB_END);
    metric_group(page, "final_state", TKD_ENUM_STATE, desk->by_state, TKD_STATE_END);
    metric_group(page, "final_priority", TKD_ENUM_PRIORITY, desk->by_priority, TKD_PRIORITY_END);
    metric_top(page, "channel", TKD_KIND_CHANNEL, false, CHANNELS_MAX);
    figure(page, "reopens", desk->reopens);
    figure(page, "tickets_reopened", desk->tickets_reopened);
    figure(page, "tickets_ever_solved", desk->tickets_ever_solved);
    figure(page, "solves", desk->solves);
    figure(page, "new_ms", state_ran_ms(page, TKD_STATE_NEW));
    figure(page, "open_ms", state_ran_ms(page, TKD_STATE_OPEN));
    figure(page, "pending_ms", state_ran_ms(page, TKD_STATE_PENDING));
    figure(page, "on_hold_ms", state_ran_ms(page, TKD_STATE_ON_HOLD));
    figure(page, "first_resolution_ms_sum", desk->first_resolution_ms);
    figure(page, "full_resolution_ms_sum", desk->full_resolution_ms);
    metric_group(page, "breached_24x7", TKD_ENUM_PRIORITY, desk->breached_resolution, TKD_PRIORITY_END);
    metric_group(page, "breached_first_reply", TKD_ENUM_PRIORITY, desk->breached_first_reply, TKD_PRIORITY_END);
    metric_top(page, "top_queues_by_entries", TKD_KIND_QUEUE, false, TOP);
    metric_top(page, "top_queues_by_solves", TKD_KIND_QUEUE, true, TOP);
    metric_top(page, "top_agents_by_solves", TKD_KIND_AGENT, true, TOP);
    figure(page, "customers", state->tables[TABLE_CUSTOMER].rows_live);
    figure(page, "archived", desk->archived);
    figure(page, "catalog_version", desk->catalog_version);
    figure(page, "time_ms", page->now_ms);
}

static void query_digest(struct page *page)
{
    figure(page, "digest", state_digest(page->state, false));
    figure(page, "digest_full", state_digest(page->state, true));
    figure(page, "op", page->state->op);
    figure(page, "events", page->state->events.seq_next - 1);
}

u32 state_query(const struct state *state, u32 op, const void *record, u64 now_ms, const struct event_source *events,
                void *rows, u32 rows_bytes_max, u32 *count, u64 *cursor, enum tkd_status *status)
{
    struct page page = {.state = state,
                        .events = events,
                        .rows = rows,
                        .bytes_max = rows_bytes_max,
                        .status = TKD_OK,
                        .now_ms = max_u64(now_ms, state->time_ms)};
    switch (op) {
    case TKD_OP_ATTACH: query_attach(&page, record); break;
    case TKD_OP_SUMMARY: query_summary(&page); break;
    case TKD_OP_DIGEST: query_digest(&page); break;
    case TKD_OP_TICKET_GET: query_ticket_get(&page, record); break;
    case TKD_OP_TICKET_LIST: query_ticket_list(&page, record); break;
    case TKD_OP_WAITING_LIST: query_waiting_list(&page, record); break;
    case TKD_OP_HISTORY: query_history(&page, record); break;
    case TKD_OP_QUEUE_LIST: query_queue_list(&page, record); break;
    case TKD_OP_AGENT_LIST: query_agent_list(&page, record); break;
    case TKD_OP_CUSTOMER_GET: query_customer_get(&page, record); break;
    case TKD_OP_CATALOG_READ: query_catalog_read(&page, record); break;
    case TKD_OP_REPORT: query_report(&page, record); break;
    default: page.status = TKD_UNKNOWN_OP; break;
    }
    *count = page.status == TKD_OK ? page.count : 0;
    *cursor = page.status == TKD_OK ? page.cursor : 0;
    *status = page.status;
    return page.status == TKD_OK ? page.used : 0;
}
