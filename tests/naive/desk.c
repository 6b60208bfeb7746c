#include "tests/naive/desk.h"

#define BLOCK_BYTES (1u << 20)
#define ROW_BUDGET_BYTES 440u   /* of the budget, for a row of most tables */
#define LABEL_BUDGET_BYTES 220u
#define REFUSED(status) ((status) != TKD_OK && (status) != TKD_EXISTS && (status) != TKD_UNCHANGED)

struct naive_block {
    struct naive_block *next;
    u64 used, bytes;
    u64 reserved;
};

/* ---- Memory: taken, never given back before the end ---- */

void *naive_alloc(struct naive *desk, u64 bytes)
{
    struct naive_block *block = desk->blocks;
    bytes = round_up(bytes, 16);
    if (block == NULL || block->bytes - block->used < bytes) {
        u64 room = max_u64(BLOCK_BYTES, bytes);
        block = desk->memory.alloc(sizeof *block + room);
        ASSERT(block != NULL);
        *block = (struct naive_block){.next = desk->blocks, .bytes = room};
        desk->blocks = block;
    }
    block->used += bytes;
    return (u8 *)(block + 1) + block->used - bytes;
}

const void *naive_copy(struct naive *desk, const void *data, u64 bytes)
{
    void *copy = naive_alloc(desk, bytes);
    if (bytes != 0) memcpy(copy, data, bytes);
    return copy;
}

void *naive_append(struct naive *desk, struct naive_list *list, u64 item_bytes)
{
    if (list->count == list->room) {
        u64 room = list->room == 0 ? 64 : list->room * 2;
        void *larger = naive_alloc(desk, room * item_bytes);
        if (list->count != 0) memcpy(larger, list->at, list->count * item_bytes);
        list->at = larger;
        list->room = room;
    }
    return (u8 *)list->at + list->count++ * item_bytes;
}

struct naive_text naive_text(struct naive *desk, const char *at, u32 bytes)
{
    return (struct naive_text){.at = naive_copy(desk, at, bytes), .bytes = bytes};
}

u16 naive_id(struct naive_ids ids, u32 index)
{
    return (u16)(ids.at[2 * index] | ids.at[2 * index + 1] << 8);
}

bool naive_listed(struct naive_ids ids, u32 id)
{
    for (u32 i = 0; i < ids.count; i++)
        if (naive_id(ids, i) == id) return true;
    return false;
}

struct naive *naive_create(struct naive_memory memory, u64 memory_bytes)
{
    struct naive *desk = memory.alloc(sizeof *desk);
    ASSERT(desk != NULL);
    desk->memory = memory;
    desk->memory_bytes = memory_bytes;
    desk->time_ms = 1; /* 0 would read as "never" */
    desk->catalog.version = 1;
    desk->catalog.archive_after_ms = ARCHIVE_AFTER_MS;
    desk->results = naive_alloc(desk, TKD_RECORDS_MAX * sizeof *desk->results);
    for (u32 agent = 1; agent <= AGENTS_MAX; agent++) desk->seats[agent].presence = TKD_PRESENCE_OFFLINE;
    return desk;
}

void naive_destroy(struct naive *desk)
{
    void (*give)(void *) = desk->memory.free;
    for (struct naive_block *block = desk->blocks, *next; block != NULL; block = next) {
        next = block->next;
        give(block);
    }
    give(desk);
}

/* ---- Events ---- */

struct tkd_event *naive_raise(struct naive *desk, u32 kind, struct naive_ticket *ticket, const void *text, u32 bytes)
{
    u64 size = round_up(sizeof(struct tkd_event) + bytes, 8);
    struct tkd_event *event = naive_alloc(desk, size);
    *(struct tkd_event **)naive_append(desk, &desk->events, sizeof event) = event;
    *event = (struct tkd_event){.size = (u32)size,
                                .head = sizeof *event,
                                .kind = (u16)kind,
                                .seq = desk->events.count,
                                .time_ms = desk->now_ms,
                                .cause = desk->op + 1,
                                .text_bytes = bytes};
    if (bytes != 0) memcpy(event + 1, text, bytes);
    if (ticket == NULL) return event;
    event->ticket = ticket->id;
    event->previous = ticket->last_event;
    event->station = ticket->stations;
    ticket->last_event = event->seq;
    return event;
}

/* ---- Commands ---- */

u64 naive_rows(const struct naive *desk, u32 bytes)
{
    return max_u64(min_u64(desk->memory_bytes / bytes, (u64)1 << 30), ROWS_MIN);
}

/* Creates need room for everything that they might make; updates for tags, and for tasks after a reopen. */
static bool has_room(const struct naive *desk, const struct tkd_frame *frame)
{
    u64 tickets = 0, keys = 0, tasks = 0, labels = 0, most = naive_rows(desk, ROW_BUDGET_BYTES), count = frame->count;
    for (u64 row = 1; row <= desk->rows.count; row++) {
        const struct naive_ticket *ticket = naive_row(desk, row);
        if (ticket == NULL) continue;
        tickets++;
        keys += ticket->key.bytes != 0;
        tasks += ticket->open;
        labels += ticket->tags_count;
    }
    if (frame->op == TKD_OP_TICKET_CREATE)
        return desk->customers.count + count <= most && tickets + count <= most && keys + count <= most &&
               tasks + count <= most;
    if (frame->op != TKD_OP_TICKET_UPDATE) return true;
    const struct tkd_prefix *record = frame_first(frame);
    for (u32 i = 0; i < frame->count; i++, record = record_next(record)) {
        labels += record->kind == TKD_VERB_TAG;
        tasks += record->kind == TKD_VERB_REOPEN || record->kind == TKD_VERB_MESSAGE;
    }
    return labels <= naive_rows(desk, LABEL_BUDGET_BYTES) && tasks <= most;
}

enum tkd_status naive_admit(const struct naive *desk, const struct tkd_frame *frame, const struct tkd_result **reply)
{
    if (frame->time_ms > TIME_MS_MAX) return TKD_BAD_TIME;
    if (frame->session != 0) {
        enum tkd_status status = naive_session_admit(desk, frame, reply);
        if (status != TKD_OK) return status;
    }
    if (desk->sweep_row != 0 && frame->op != TKD_OP_PULSE) return TKD_BUSY;
    if (!has_room(desk, frame)) return TKD_DESK_FULL;
    return frame->session == 0 || naive_session_room(desk, frame) ? TKD_OK : TKD_WINDOW_FULL;
}

u64 naive_due(const struct naive *desk)
{
    return desk->sweep_row != 0 || naive_owes_work(desk) ? 0 : naive_deadline_ms(desk);
}

static void apply_record(struct naive *desk, u32 op, const struct tkd_prefix *record, struct tkd_result *result)
{
    switch (op) {
    case TKD_OP_REGISTER: naive_register(desk, record, result); break;
    case TKD_OP_UNREGISTER: naive_unregister(desk, record, result); break;
    case TKD_OP_TICKET_CREATE: naive_ticket_create(desk, record, result); break;
    case TKD_OP_TICKET_UPDATE: naive_ticket_update(desk, record, result); break;
    case TKD_OP_AGENT_PRESENCE: naive_presence(desk, record, result); break;
    case TKD_OP_CUSTOMER_UPDATE: naive_customer_update(desk, record, result); break;
    default: ASSERT(!"an op that is no command");
    }
}

static void apply_records(struct naive *desk, const struct tkd_frame *frame)
{
    const struct tkd_prefix *record = frame_first(frame);
    bool stopped = false;
    for (u32 i = 0; i < frame->count; i++, record = record_next(record)) {
        struct tkd_result *result = &desk->results[i];
        *result = (struct tkd_result){.status = stopped ? TKD_NOT_RUN : TKD_OK};
        if (!stopped) apply_record(desk, frame->op, record, result);
        if (frame->flags & TKD_FLAG_STOP && REFUSED(result->status)) stopped = true;
    }
}

/* First a sweep, some rows each and nothing else; then work that is owed, at the time of the next deadline; then
 * deadlines, some each. Returns the time that is reached. */
static u64 apply_pulse(struct naive *desk, u64 time_ms)
{
    desk->now_ms = desk->time_ms;
    if (desk->sweep_row != 0) {
        naive_catalog_sweep(desk);
        return desk->time_ms;
    }
    if (naive_owes_work(desk)) {
        desk->now_ms = min_u64(time_ms, naive_deadline_ms(desk));
        naive_serve_owed(desk);
        if (naive_owes_work(desk)) return desk->now_ms;
    }
    return naive_fire(desk, time_ms);
}

void naive_apply(struct naive *desk, const struct command *command)
{
    const struct tkd_frame *frame = command->frame;
    u64 time_ms = command->time_ms;
    ASSERT(command->op == desk->op + 1 && time_ms >= desk->time_ms);
    desk->first_event = desk->events.count + 1;
    desk->budget = DRAIN_MAX;
    if (frame->op == TKD_OP_PULSE) { /* with nothing due it moves the time */
        time_ms = apply_pulse(desk, time_ms);
    } else {
        ASSERT(naive_deadline_ms(desk) >= time_ms); /* time passed an unfired deadline */
        desk->now_ms = time_ms;
        if (frame->session != 0) naive_session_prepare(desk, frame);
        if (frame->op == TKD_OP_CATALOG_APPLY) naive_catalog_apply(desk, frame);
        else apply_records(desk, frame);
        if (frame->session != 0) naive_session_keep(desk, frame);
    }
    desk->op = command->op;
    desk->time_ms = time_ms;
}
