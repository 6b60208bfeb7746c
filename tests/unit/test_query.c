/* Queries: pages and cursors, filters, what left memory, chains. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/rig.h"

static struct rig *desk(void)
{
    struct rig *rig = rig_create_small();
    rig_small_desk(rig);
    rig_category(rig, 1, "goods", 0);
    return rig;
}

static enum tkd_status get(struct rig *rig, u64 ticket, const char *key)
{
    struct tkd_ticket_get request = {.ticket = ticket, .channel = key == NULL ? 0 : 1};
    return rig_query(rig, TKD_OP_TICKET_GET, TKD_RECORD_ticket_get, &request,
                     (const char *const[]){key == NULL ? NULL : "desk@example.com", key});
}

/* A row's text by its number; "" when it is empty. */
static const char *text(const void *row, u32 record, u32 number)
{
    static char copy[5000];
    const struct tkd_record_info *info = tkd_record_info(record);
    const char *at = (const char *)row + info->head_bytes;
    u32 lengths[16];
    memcpy(lengths, (const u8 *)row + info->texts_offset, info->texts_count * sizeof(u32));
    for (u32 i = 0; i < number; i++) at += lengths[i];
    memcpy(copy, at, lengths[number]);
    copy[lengths[number]] = 0;
    return copy;
}

Test(query, one_ticket)
{
    struct rig *rig = desk();
    struct tkd_ticket_create request = {.channel = 1, .queue = 3, .category = 1, .priority = TKD_PRIORITY_HIGH};
    u64 begin_ms = rig->now_ms, id = rig_create_with(rig, &request, "ann@example.com", "order-7").id;
    rig_verb(rig, id, TKD_VERB_TAG, 0, "first");
    rig_verb(rig, id, TKD_VERB_TAG, 0, "second");
    rig_verb(rig, id, TKD_VERB_ASSIGN, 3, NULL);
    rig_verb(rig, id, TKD_VERB_URGE, 0, NULL);
    for (u32 by_key = 0; by_key < 2; by_key++) {
        cr_assert_eq(by_key ? get(rig, 0, "order-7") : get(rig, id, NULL), TKD_OK);
        const struct tkd_ticket *row = rig_row(rig, 0);
        cr_assert(row->id == id && row->created_ms == begin_ms && row->queue == 3 && row->category == 1);
        cr_assert(row->priority == TKD_PRIORITY_HIGH && row->state == TKD_STATE_OPEN && row->agent == 3);
        cr_assert(row->urges == 1 && row->version == 5 && row->stations == 1 && row->archived == 0);
        cr_assert_eq(row->last_event, state_events(rig->state)->seq_next - 1);
        cr_assert_str_eq(text(row, TKD_RECORD_ticket, 0), "the subject");
        cr_assert_str_eq(text(row, TKD_RECORD_ticket, 1), "order-7");
        cr_assert_str_eq(text(row, TKD_RECORD_ticket, 2), "ann@example.com");
        cr_assert_str_eq(text(row, TKD_RECORD_ticket, 3), "second\nfirst");
    }
    cr_assert_eq(get(rig, 99, NULL), TKD_NOT_FOUND);
    cr_assert_eq(get(rig, UINT64_MAX, NULL), TKD_NOT_FOUND);
    cr_assert_eq(get(rig, 0, NULL), TKD_NOT_FOUND);
    cr_assert_eq(get(rig, 0, "order-8"), TKD_NOT_FOUND);
    rig_destroy(rig);
}

Test(query, an_archived_ticket_is_still_read)
{
    struct rig *rig = desk();
    rig_entry(rig, TKD_KIND_DESK, &(struct tkd_catalog_entry){.id = 1, .archive_after_ms = 10}, "d", NULL, NULL);
    struct tkd_ticket_create request = {.channel = 1, .queue = 3};
    u64 id = rig_create_with(rig, &request, "ann", "k").id, bare = rig_create_with(rig, &request, "a", NULL).id;
    rig_verb(rig, id, TKD_VERB_TAG, 0, "t");
    rig_verb(rig, id, TKD_VERB_CLOSE, 0, NULL);
    rig_verb(rig, bare, TKD_VERB_CANCEL, 0, NULL);
    rig_advance(rig, rig->now_ms + 10);
    cr_assert_eq(rig_figure(rig, "archived"), 2);
    cr_assert_eq(get(rig, id, NULL), TKD_OK);
    const struct tkd_ticket *row = rig_row(rig, 0);
    cr_assert(row->archived == 1 && row->state == TKD_STATE_CLOSED && row->id == id);
    cr_assert_str_eq(text(row, TKD_RECORD_ticket, 0), "the subject");
    cr_assert_str_eq(text(row, TKD_RECORD_ticket, 1), "k");
    cr_assert_str_eq(text(row, TKD_RECORD_ticket, 2), "ann");
    cr_assert_str_eq(text(row, TKD_RECORD_ticket, 3), "t");
    cr_assert_eq(get(rig, bare, NULL), TKD_OK);
    cr_assert_eq(get(rig, 0, "k"), TKD_NOT_FOUND, "its key is free");
    struct tkd_history history = {.ticket = id};
    cr_assert_eq(rig_query(rig, TKD_OP_HISTORY, TKD_RECORD_history, &history, NULL), TKD_OK);
    cr_assert_eq(((const struct tkd_event *)rig_row(rig, 0))->kind, TKD_EVENT_ARCHIVED);
    cr_assert_eq(((const struct tkd_event *)rig_row(rig, rig->rows_count - 1))->kind, TKD_EVENT_CREATED);
    /* The events of its creation cannot be read: better no answer than half of one. */
    state_events(rig->state)->seq_first = rig_last_event(rig, TKD_EVENT_ARCHIVED)->seq - 1;
    cr_assert_eq(get(rig, id, NULL), TKD_UNREADABLE);
    rig_destroy(rig);
}

static u32 list(struct rig *rig, const struct tkd_ticket_list *filter, const char *tag)
{
    const char *const texts[] = {tag};
    cr_assert_eq(rig_query(rig, TKD_OP_TICKET_LIST, TKD_RECORD_ticket_list, filter, texts), TKD_OK);
    return rig->rows_count;
}

Test(query, lists_are_filtered)
{
    struct rig *rig = desk();
    rig_channel(rig, 2, "phone");
    struct tkd_ticket_create create = {.channel = 1, .queue = 3};
    for (u32 i = 0; i < 12; i++) {
        create.queue = (u16)(1 + i % 3);
        create.priority = (u8)(1 + i % 4);
        create.channel = (u16)(1 + i % 2);
        create.category = (u16)(i % 2);
        rig_create_with(rig, &create, i < 4 ? "a" : "b", NULL);
    }
    rig_verb(rig, 1, TKD_VERB_ASSIGN, 2, NULL);
    rig_verb(rig, 2, TKD_VERB_ASSIGN, 2, NULL);
    rig_verb(rig, 2, TKD_VERB_RESOLVE, 0, NULL);
    rig_verb(rig, 3, TKD_VERB_TAG, 0, "vip");
    cr_assert_eq(list(rig, &(struct tkd_ticket_list){0}, NULL), 12);
    cr_assert_eq(((const struct tkd_ticket *)rig_row(rig, 0))->id, 12, "newest first");
    cr_assert_eq(list(rig, &(struct tkd_ticket_list){.queue = 2}, NULL), 4);
    cr_assert_eq(list(rig, &(struct tkd_ticket_list){.priority = 1}, NULL), 3);
    cr_assert_eq(list(rig, &(struct tkd_ticket_list){.channel = 2}, NULL), 6);
    cr_assert_eq(list(rig, &(struct tkd_ticket_list){.category = 1}, NULL), 6);
    cr_assert_eq(list(rig, &(struct tkd_ticket_list){.agent = 2}, NULL), 2);
    cr_assert_eq(list(rig, &(struct tkd_ticket_list){.unassigned = 1}, NULL), 10);
    cr_assert_eq(list(rig, &(struct tkd_ticket_list){.states = 1u << TKD_STATE_RESOLVED}, NULL), 1);
    cr_assert_eq(list(rig, &(struct tkd_ticket_list){.customer = rig_ticket(rig, 1)->customer}, NULL), 2);
    cr_assert_eq(list(rig, &(struct tkd_ticket_list){.breached = 1}, NULL), 0);
    cr_assert_eq(list(rig, &(struct tkd_ticket_list){0}, "vip"), 1);
    cr_assert_eq(list(rig, &(struct tkd_ticket_list){0}, "never seen"), 0);
    rig_destroy(rig);
}

Test(query, pages_join_to_the_whole)
{
    struct rig *rig = desk();
    for (u32 i = 0; i < 250; i++) rig_create_ticket(rig, 1 + i % 3, 0);
    for (u32 limit = 0; limit < 2000; limit = limit * 3 + 7) {
        rig->rows_bytes_max = limit == 7 ? 20000 : TKD_FRAME_BYTES_MAX; /* a page that ends because it is full */
        struct tkd_ticket_list filter = {.limit = limit, .queue = 2};
        u64 before = 251, seen = 0;
        do {
            u32 count = list(rig, &filter, NULL);
            cr_assert_leq(count, limit == 0 ? 100 : min_u32(limit, 1000));
            for (u32 i = 0; i < count; i++, seen++) {
                const struct tkd_ticket *row = rig_row(rig, i);
                cr_assert_lt(row->id, before);
                before = row->id;
            }
            filter.cursor = rig->cursor;
        } while (rig->cursor != 0);
        cr_assert_eq(seen, 83);
    }
    rig_destroy(rig);
}

Test(query, history_in_pages)
{
    struct rig *rig = desk();
    u64 id = rig_create_ticket(rig, 3, 0);
    for (u32 i = 0; i < 1200; i++) rig_verb(rig, id, TKD_VERB_NOTE, 0, "note");
    struct tkd_history request = {.ticket = id};
    u32 seen = 0;
    u64 before = UINT64_MAX;
    do {
        cr_assert_eq(rig_query(rig, TKD_OP_HISTORY, TKD_RECORD_history, &request, NULL), TKD_OK);
        for (u32 i = 0; i < rig->rows_count; i++, seen++) {
            const struct tkd_event *event = rig_row(rig, i);
            cr_assert(event->ticket == id && event->seq < before);
            before = event->seq;
        }
        request.from = rig->cursor;
    } while (request.from != 0);
    cr_assert_eq(seen, 1202);
    /* A page that ends because it is full; and one that ends where the events are not to be had any more. */
    request = (struct tkd_history){.ticket = id};
    rig->rows_bytes_max = 5000;
    cr_assert_eq(rig_query(rig, TKD_OP_HISTORY, TKD_RECORD_history, &request, NULL), TKD_OK);
    cr_assert(rig->rows_count > 10 && rig->rows_count < 100);
    cr_assert_eq(rig->cursor, ((const struct tkd_event *)rig_row(rig, rig->rows_count - 1))->previous);
    rig->rows_bytes_max = TKD_FRAME_BYTES_MAX;
    u64 first = state_events(rig->state)->seq_first, newest = rig_ticket(rig, id)->last_event;
    state_events(rig->state)->seq_first = newest - 9;
    cr_assert_eq(rig_query(rig, TKD_OP_HISTORY, TKD_RECORD_history, &request, NULL), TKD_UNREADABLE);
    state_events(rig->state)->seq_first = first;
    request = (struct tkd_history){.ticket = 99};
    cr_assert_eq(rig_query(rig, TKD_OP_HISTORY, TKD_RECORD_history, &request, NULL), TKD_NOT_FOUND);
    u64 other = rig_create_ticket(rig, 3, 0);
    request = (struct tkd_history){.ticket = id, .from = rig_ticket(rig, other)->last_event};
    cr_assert_eq(rig_query(rig, TKD_OP_HISTORY, TKD_RECORD_history, &request, NULL), TKD_NOT_FOUND);
    rig_destroy(rig);
}

Test(query, a_customers_touches)
{
    struct rig *rig = desk();
    u64 id = rig_create_ticket(rig, 3, 0);
    rig_create_ticket(rig, 3, 0);
    rig_verb(rig, id, TKD_VERB_REPLY, 0, "hello");
    rig_verb(rig, id, TKD_VERB_URGE, 0, NULL);
    rig_verb(rig, id, TKD_VERB_MESSAGE, 0, "well?");
    rig_verb(rig, id, TKD_VERB_NOTE, 0, "no touch");
    struct tkd_history request = {.from = customer_row(rig->state, 1)->last_touch};
    cr_assert_eq(rig_query(rig, TKD_OP_HISTORY, TKD_RECORD_history, &request, NULL), TKD_OK);
    cr_assert_eq(rig->rows_count, 5);
    static const u32 kinds[] = {TKD_EVENT_MESSAGE, TKD_EVENT_URGED, TKD_EVENT_REPLIED, TKD_EVENT_CREATED};
    for (u32 i = 0; i < ARRAY_COUNT(kinds); i++)
        cr_assert_eq(((const struct tkd_event *)rig_row(rig, i))->kind, kinds[i]);
    request.from = rig_last_event(rig, TKD_EVENT_NOTED)->seq;
    u32 status = rig_query(rig, TKD_OP_HISTORY, TKD_RECORD_history, &request, NULL);
    cr_assert_eq(status, TKD_NOT_FOUND, "a note's link is no touch");
    request.from = 0;
    cr_assert_eq(rig_query(rig, TKD_OP_HISTORY, TKD_RECORD_history, &request, NULL), TKD_NOT_FOUND);
    rig_destroy(rig);
}

Test(query, the_waiting_line_in_its_order)
{
    struct rig *rig = desk();
    rig_skill(rig, 1, "French");
    rig_entry(rig, TKD_KIND_CATEGORY, &(struct tkd_catalog_entry){.id = 2}, "calls", (u16[]){1, 0}, NULL);
    for (u32 i = 0; i < 60; i++) {
        struct tkd_ticket_create request = {.channel = 1,
                                            .queue = 1,
                                            .priority = (u8)(1 + i * 7 % 4),
                                            .category = (u16)(i % 3)};
        rig_create_with(rig, &request, "a", NULL);
        rig_advance(rig, rig->now_ms + i % 2);
    }
    u64 whole[60] = {0};
    for (u32 limit = 0; limit < 200; limit += 13) {
        struct tkd_waiting_list request = {.queue = 1, .limit = limit};
        cr_assert_eq(rig_query(rig, TKD_OP_WAITING_LIST, TKD_RECORD_waiting_list, &request, NULL), TKD_OK);
        cr_assert_eq(rig->rows_count, limit == 0 ? 60 : min_u32(limit, 60));
        for (u32 i = 0; limit == 0 && i < 60; i++) whole[i] = ((const struct tkd_ticket *)rig_row(rig, i))->id;
        for (u32 i = 1; i < rig->rows_count; i++) {
            const struct tkd_ticket *a = rig_row(rig, i - 1), *b = rig_row(rig, i);
            cr_assert(line_before(rig->state, rig_ticket(rig, a->id)->task, rig_ticket(rig, b->id)->task));
        }
    }
    rig->rows_bytes_max = 10000; /* a page that is full: the head of the line, in its order */
    struct tkd_waiting_list request = {.queue = 1};
    cr_assert_eq(rig_query(rig, TKD_OP_WAITING_LIST, TKD_RECORD_waiting_list, &request, NULL), TKD_OK);
    cr_assert(rig->rows_count > 0 && rig->rows_count < 60);
    for (u32 i = 0; i < rig->rows_count; i++)
        cr_assert_eq(((const struct tkd_ticket *)rig_row(rig, i))->id, whole[i]);
    request = (struct tkd_waiting_list){.queue = 99};
    cr_assert_eq(rig_query(rig, TKD_OP_WAITING_LIST, TKD_RECORD_waiting_list, &request, NULL), TKD_UNKNOWN_QUEUE);
    rig_destroy(rig);
}

Test(query, queues_and_agents)
{
    struct rig *rig = desk();
    rig_presence(rig, 2, TKD_PRESENCE_ONLINE);
    u64 first_ms = rig->now_ms;
    for (u32 i = 0; i < 5; i++) {
        rig_create_ticket(rig, 1, 0);
        rig_advance(rig, rig->now_ms + 1);
    }
    rig_verb(rig, 5, TKD_VERB_PEND, 0, NULL);
    struct tkd_entity_list request = {.from = 0};
    cr_assert_eq(rig_query(rig, TKD_OP_QUEUE_LIST, TKD_RECORD_entity_list, &request, NULL), TKD_OK);
    cr_assert_eq(rig->rows_count, 3);
    const struct tkd_queue_row *queue = rig_row(rig, 0);
    cr_assert(queue->id == 1 && queue->waiting == 2 && queue->assigned == 2 && queue->suspended == 1);
    cr_assert(queue->oldest_ms == first_ms + 2 && queue->members == 4 && queue->present == 1);
    cr_assert_str_eq(text(queue, TKD_RECORD_queue_row, 0), "first line");
    cr_assert_eq(rig_query(rig, TKD_OP_AGENT_LIST, TKD_RECORD_entity_list, &request, NULL), TKD_OK);
    cr_assert_eq(rig->rows_count, 4);
    const struct tkd_agent_row *agent = rig_row(rig, 1);
    cr_assert(agent->id == 2 && agent->presence == TKD_PRESENCE_ONLINE && agent->load == 2 && agent->held == 2);
    cr_assert(agent->capacity == 2 && agent->last_assigned_ms == first_ms + 1);
    for (u32 i = 0; i < 2; i++) { /* page after page */
        u16 op = i == 0 ? TKD_OP_QUEUE_LIST : TKD_OP_AGENT_LIST;
        u32 seen = 0;
        request = (struct tkd_entity_list){.limit = 1};
        do {
            cr_assert_eq(rig_query(rig, op, TKD_RECORD_entity_list, &request, NULL), TKD_OK);
            seen += rig->rows_count;
            request.from = (u32)rig->cursor;
        } while (request.from != 0);
        cr_assert_eq(seen, i == 0 ? 3 : 4);
    }
    struct tkd_catalog_entry retired = {.id = 2, .strategy = 1, .retired = 1};
    rig_entry(rig, TKD_KIND_QUEUE, &retired, "second line", NULL, NULL);
    request = (struct tkd_entity_list){.from = 2};
    cr_assert_eq(rig_query(rig, TKD_OP_QUEUE_LIST, TKD_RECORD_entity_list, &request, NULL), TKD_OK);
    cr_assert_eq(rig->rows_count, 1);
    rig_destroy(rig);
}

/* Pages that end because they are full, over ids that nobody has and one who is gone. */
Test(query, full_pages_of_queues_and_agents)
{
    static const u32 agents[] = {1, 3, 4, 90}, queues[] = {1, 2, 3, 77};
    struct rig *rig = desk();
    struct tkd_catalog_entry gone = {.id = 2, .retired = 1, .all_queues = 1};
    rig_entry(rig, TKD_KIND_AGENT, &gone, "Bo", NULL, NULL);
    rig_agent(rig, 90, "Eve", 0, NULL, NULL);
    rig_queue(rig, 77, "last", TKD_STRATEGY_CLAIM, 0);
    rig->rows_bytes_max = 600;
    for (u32 i = 0; i < 2; i++) {
        struct tkd_entity_list request = {.from = 0};
        u32 seen = 0, pages = 0;
        do {
            cr_assert_eq(rig_query(rig, i == 0 ? TKD_OP_AGENT_LIST : TKD_OP_QUEUE_LIST, TKD_RECORD_entity_list,
                                   &request, NULL), TKD_OK);
            for (u32 row = 0; row < rig->rows_count; row++, seen++) {
                u32 id = i == 0 ? ((const struct tkd_agent_row *)rig_row(rig, row))->id
                                : ((const struct tkd_queue_row *)rig_row(rig, row))->id;
                cr_assert_lt(seen, 4u);
                cr_assert_eq(id, i == 0 ? agents[seen] : queues[seen]);
            }
            request.from = (u32)rig->cursor;
            pages++;
        } while (request.from != 0);
        cr_assert_eq(seen, 4u);
        cr_assert_gt(pages, 1u);
    }
    rig_destroy(rig);
}

Test(query, one_customer)
{
    struct rig *rig = desk();
    u64 begin_ms = rig->now_ms;
    struct tkd_ticket_create create = {.channel = 1, .queue = 3};
    rig_create_with(rig, &create, "ann@example.com", NULL);
    for (u32 by_id = 0; by_id < 2; by_id++) {
        struct tkd_customer_get request = {.customer = by_id, .channel = 1};
        cr_assert_eq(rig_query(rig, TKD_OP_CUSTOMER_GET, TKD_RECORD_customer_get, &request,
                               (const char *const[]){by_id ? NULL : "ann@example.com"}), TKD_OK);
        const struct tkd_customer_row *row = rig_row(rig, 0);
        cr_assert(row->id == 1 && row->created_ms == begin_ms && row->tickets == 1 && row->open_tickets == 1);
        cr_assert(row->touches == 1 && row->channel == 1);
        cr_assert_str_eq(text(row, TKD_RECORD_customer_row, 0), "ann@example.com");
    }
    static const u64 unknown[] = {0, 2, UINT64_MAX};
    for (u32 i = 0; i < ARRAY_COUNT(unknown); i++) {
        struct tkd_customer_get request = {.customer = unknown[i], .channel = 1};
        cr_assert_eq(rig_query(rig, TKD_OP_CUSTOMER_GET, TKD_RECORD_customer_get, &request, (const char *const[]){"x"}),
                     TKD_UNKNOWN_CUSTOMER);
    }
    rig_destroy(rig);
}

Test(query, the_catalog_in_pages)
{
    struct rig *rig = desk();
    char name[16];
    for (u32 id = 1; id <= 200; id++) {
        snprintf(name, sizeof name, "skill %u", id);
        rig_skill(rig, id, name);
    }
    rig->rows_bytes_max = CATALOG_ENTRY_BYTES_MAX + 8192;
    struct tkd_catalog_read request = {.kind = TKD_KIND_SKILL};
    u32 seen = 0, pages = 0;
    do {
        cr_assert_eq(rig_query(rig, TKD_OP_CATALOG_READ, TKD_RECORD_catalog_read, &request, NULL), TKD_OK);
        for (u32 i = 0; i < rig->rows_count; i++) {
            const struct tkd_catalog_entry *entry = rig_row(rig, i);
            cr_assert(entry->kind == TKD_KIND_SKILL && entry->id == ++seen);
            cr_assert_eq(entry->expected_version, desk_row(rig->state)->catalog_version);
        }
        request.from = (u32)rig->cursor;
        pages++;
    } while (request.from != 0);
    cr_assert_eq(seen, 200);
    cr_assert_gt(pages, 2);
    request = (struct tkd_catalog_read){.kind = TKD_KIND_DESK};
    cr_assert_eq(rig_query(rig, TKD_OP_CATALOG_READ, TKD_RECORD_catalog_read, &request, NULL), TKD_OK);
    cr_assert_eq(rig->rows_count, 1);
    rig_destroy(rig);
}

Test(query, where_a_session_stands)
{
    struct rig *rig = desk();
    struct tkd_register request = {.window = 9};
    rig_begin(rig, TKD_OP_REGISTER);
    rig_add(rig, TKD_RECORD_register, &request, NULL);
    cr_assert_eq(rig_run(rig), TKD_OK);
    struct tkd_session_id wish = {.session = rig->results[0].id};
    cr_assert_eq(rig_query(rig, TKD_OP_ATTACH, TKD_RECORD_session_id, &wish, NULL), TKD_OK);
    const struct tkd_session *row = rig_row(rig, 0);
    cr_assert(row->session == wish.session && row->next_seq == 1 && row->records == 0 && row->window == 9);
    wish.session++;
    cr_assert_eq(rig_query(rig, TKD_OP_ATTACH, TKD_RECORD_session_id, &wish, NULL), TKD_SESSION_EXPIRED);
    rig_destroy(rig);
}

Test(query, the_summary)
{
    struct rig *rig = desk();
    u64 begin_ms = rig->now_ms;
    for (u32 i = 0; i < 4; i++) rig_create_ticket(rig, 1 + i % 2, 1 + i);
    rig_verb(rig, 1, TKD_VERB_ASSIGN, 1, NULL);
    rig_verb(rig, 2, TKD_VERB_PEND, 0, NULL);
    rig_verb(rig, 3, TKD_VERB_HOLD, 0, NULL);
    rig_advance(rig, begin_ms + 100);
    rig_verb(rig, 1, TKD_VERB_RESOLVE, 0, NULL);
    rig_verb(rig, 1, TKD_VERB_RESOLVE, 0, NULL); /* accepted, unchanged */
    rig_verb(rig, 9, TKD_VERB_RESOLVE, 0, NULL); /* refused */
    static const struct {
        const char *name;
        u64 value;
    } wanted[] = {{"tickets", 4}, {"by_command.create", 4}, {"by_command.resolve", 2}, {"by_command.pend", 1},
                  {"final_state.new", 1}, {"final_state.resolved", 1}, {"final_priority.low", 1}, {"channel.mail", 4},
                  {"solves", 1}, {"open_ms", 100}, {"pending_ms", 100}, {"on_hold_ms", 100}, {"new_ms", 100},
                  {"first_resolution_ms_sum", 100}, {"full_resolution_ms_sum", 100}, {"reopens", 0},
                  {"top_queues_by_entries.first line", 2}, {"top_queues_by_solves.first line", 1},
                  {"top_agents_by_solves.Ada", 1}, {"customers", 1}};
    for (u32 i = 0; i < ARRAY_COUNT(wanted); i++)
        cr_assert_eq(rig_figure(rig, wanted[i].name), wanted[i].value, "%s: %lu", wanted[i].name,
                     rig_figure(rig, wanted[i].name));
    cr_assert_eq(rig_figure(rig, "time_ms"), state_time(rig->state));
    rig_destroy(rig);
}

/* The first ten, by value and then by name. */
Test(query, the_top_of_many)
{
    struct rig *rig = desk();
    char name[16];
    for (u32 id = 10; id < 40; id++) {
        snprintf(name, sizeof name, "q %u", 100 - id);
        rig_queue(rig, id, name, TKD_STRATEGY_CLAIM, 0);
        for (u32 i = 0; i < id / 3; i++) rig_create_ticket(rig, id, 0);
    }
    cr_assert_eq(rig_figure(rig, "tickets"), 235);
    u32 at = 0, group = 0;
    static const char *const wanted[] = {"q 61", "q 62", "q 63", "q 64", "q 65",
                                         "q 66", "q 67", "q 68", "q 69", "q 70"};
    cr_assert_eq(rig_query(rig, TKD_OP_SUMMARY, TKD_RECORD_empty, &(struct tkd_empty){0}, NULL), TKD_OK);
    for (u32 i = 0; i < rig->rows_count; i++) {
        const char *member = text(rig_row(rig, i), TKD_RECORD_metric, 0);
        if (strncmp(member, "top_queues_by_entries.", 22) != 0) continue;
        cr_assert_str_eq(member + 22, wanted[at++]);
        group++;
    }
    cr_assert_eq(group, 10);
    rig_destroy(rig);
}

Test(query, digest_and_what_is_no_query)
{
    struct rig *rig = desk();
    cr_assert_eq(rig_query(rig, TKD_OP_DIGEST, TKD_RECORD_empty, &(struct tkd_empty){0}, NULL), TKD_OK);
    cr_assert_eq(((const struct tkd_metric *)rig_row(rig, 0))->value, state_digest(rig->state, false));
    cr_assert_eq(((const struct tkd_metric *)rig_row(rig, 1))->value, state_digest(rig->state, true));
    struct event_source none = {0};
    u32 count;
    u64 cursor;
    enum tkd_status status;
    cr_assert_eq(state_query(rig->state, TKD_OP_PULSE, NULL, 0, &none, rig->rows, 4096, &count, &cursor, &status), 0);
    cr_assert_eq(status, TKD_UNKNOWN_OP);
    rig_destroy(rig);
}

/* A list ends a page after so many rows that do not match, and goes on from there. */
Test(query, a_long_search_goes_on)
{
    struct rig *rig = rig_create();
    rig_small_desk(rig);
    struct tkd_ticket_create create = {.channel = 1, .queue = 3};
    u64 wanted = rig_create_with(rig, &create, "b", NULL).id;
    for (u32 done = 0; done < 25000; done += 5000) {
        rig_begin(rig, TKD_OP_TICKET_CREATE);
        for (u32 i = 0; i < 5000; i++)
            rig_add(rig, TKD_RECORD_ticket_create, &create, (const char *const[]){"a", 0, 0, 0, 0, 0});
        cr_assert_eq(rig_run(rig), TKD_OK);
    }
    struct tkd_ticket_list filter = {.customer = rig_ticket(rig, wanted)->customer};
    cr_assert_eq(list(rig, &filter, NULL), 0);
    u64 before = 25002;
    for (; rig->rows_count == 0; before = filter.cursor) {
        filter.cursor = rig->cursor;
        cr_assert(filter.cursor >= wanted && filter.cursor < before);
        list(rig, &filter, NULL);
    }
    cr_assert_eq(((const struct tkd_ticket *)rig_row(rig, 0))->id, wanted);
    cr_assert_eq(rig->cursor, 0);
    rig_destroy(rig);
}

/* A report over years of hours: whatever a page holds, they join to the whole. */
Test(query, reports_in_pages)
{
    enum { HOURS = 13000 };
    struct rig *rig = desk();
    for (u32 hour = 0; hour < HOURS; hour++) {
        rig_create_ticket(rig, 3, 0);
        rig_advance(rig, rig->now_ms + HOUR_MS);
    }
    for (u32 bytes_max = 64u << 10; bytes_max <= TKD_FRAME_BYTES_MAX; bytes_max *= 16) {
        struct tkd_report request = {.dimension = TKD_DIMENSION_QUEUE};
        u64 created = 0, rows = 0, pages = 0;
        rig->rows_bytes_max = bytes_max;
        do {
            cr_assert_eq(rig_query(rig, TKD_OP_REPORT, TKD_RECORD_report, &request, NULL), TKD_OK);
            for (u32 i = 0; i < rig->rows_count; i++, rows++)
                created += ((const struct tkd_report_row *)rig_row(rig, i))->created;
            request.cursor = rig->cursor;
            pages++;
        } while (request.cursor != 0);
        cr_assert_eq(created, HOURS);
        cr_assert_eq(rows, HOURS);
        cr_assert_gt(pages, 1u);
    }
    struct tkd_report request = {.dimension = TKD_DIMENSION_AGENT};
    cr_assert_eq(rig_query(rig, TKD_OP_REPORT, TKD_RECORD_report, &request, NULL), TKD_OK);
    cr_assert(rig->rows_count == 0 && rig->cursor == 0, "nothing is to be found");
    request = (struct tkd_report){.dimension = TKD_DIMENSION_QUEUE, .sum = 1};
    cr_assert_eq(rig_query(rig, TKD_OP_REPORT, TKD_RECORD_report, &request, NULL), TKD_OK);
    const struct tkd_report_row *sum = rig_row(rig, 0);
    cr_assert(rig->rows_count == 1 && rig->cursor == 0 && sum->id == 3 && sum->created == HOURS);
    request.from_ms = sum->hour_ms + 100 * (u64)HOUR_MS + 1; /* down to the hour */
    request.to_ms = sum->hour_ms + 110 * (u64)HOUR_MS + 1;
    cr_assert_eq(rig_query(rig, TKD_OP_REPORT, TKD_RECORD_report, &request, NULL), TKD_OK);
    sum = rig_row(rig, 0);
    cr_assert(rig->rows_count == 1 && sum->created == 11);
    request.sum = 2;
    cr_assert_eq(rig_query(rig, TKD_OP_REPORT, TKD_RECORD_report, &request, NULL), TKD_BAD_VALUE);
    rig_destroy(rig);
}

/* A store that has not been given anything yet, or that answers wrongly. */
struct source {
    const struct rig *rig;
    u64 archived; /* what it takes for the ARCHIVED event, 0 = it knows none */
};

static const struct tkd_event *read_ring(void *owner, u64 seq)
{
    const struct source *source = owner;
    return event_at(state_events_read(source->rig->state), seq);
}

static i32 find_archived(void *owner, u64 ticket, u64 *event_seq)
{
    const struct source *source = owner;
    (void)ticket;
    *event_seq = source->archived;
    return source->archived == 0 ? 1 : 0;
}

static enum tkd_status get_from(struct rig *rig, u64 archived, u64 ticket)
{
    struct source source = {.rig = rig, .archived = archived};
    struct event_source events = {.read = read_ring, .archived = find_archived, .owner = &source};
    struct tkd_ticket_get request = {.size = sizeof request, .head = sizeof request, .ticket = ticket};
    enum tkd_status status;
    state_query(rig->state, TKD_OP_TICKET_GET, &request, 0, &events, rig->rows, rig->rows_bytes_max,
                &rig->rows_count, &rig->cursor, &status);
    return status;
}

Test(query, archived_but_not_stored_yet)
{
    struct rig *rig = desk();
    rig_entry(rig, TKD_KIND_DESK, &(struct tkd_catalog_entry){.id = 1, .archive_after_ms = 10}, "d", NULL, NULL);
    struct event_log *log = state_events(rig->state);
    u64 ids[3];
    for (u32 i = 0; i < 3; i++) ids[i] = rig_create_ticket(rig, 3, 0);
    for (u32 i = 0; i < 2; i++) rig_verb(rig, ids[i], TKD_VERB_CLOSE, 0, NULL);
    u64 stored = log->seq_next - 1;
    rig_advance(rig, rig->now_ms + 10);
    log->stored_seq = stored;
    for (u32 i = 0; i < 3; i++) {
        cr_assert_eq(get_from(rig, 0, ids[i]), TKD_OK);
        const struct tkd_ticket *row = rig_row(rig, 0);
        cr_assert(row->id == ids[i] && row->archived == (i < 2));
    }
    log->stored_seq = log->seq_next - 1;
    cr_assert_eq(get_from(rig, 0, ids[0]), TKD_NOT_FOUND, "the store has the event, and says that there is none");
    log->stored_seq = 0;
    log->seq_first = log->seq_next; /* as after a start: nothing is in memory */
    cr_assert_eq(get_from(rig, 0, ids[0]), TKD_NOT_FOUND);
    cr_assert_eq(get_from(rig, log->seq_next, ids[0]), TKD_UNREADABLE, "an event that is not there");
    log->seq_first = 1;
    cr_assert_eq(get_from(rig, 1, ids[0]), TKD_UNREADABLE, "an event of another kind");
    rig_destroy(rig);
}

Test(query, a_customer_whose_first_event_is_gone)
{
    struct rig *rig = desk();
    rig_create_ticket(rig, 3, 0);
    state_events(rig->state)->seq_first = state_events(rig->state)->seq_next;
    struct tkd_customer_get request = {.customer = 1};
    cr_assert_eq(rig_query(rig, TKD_OP_CUSTOMER_GET, TKD_RECORD_customer_get, &request, NULL), TKD_UNREADABLE);
    rig_destroy(rig);
}
