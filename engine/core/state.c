#include "core/state.h"

#include "base/mark.h"
#include "core/desk.h"

#define EVENT_BYTES_PER_RECORD 1024u /* what one record may raise, besides its texts twice */
#define EVENT_BYTES_PULSE (PULSE_TIMERS_MAX * 4352u) /* cards, or a row that is archived with all its tags */
_Static_assert(SWEEP_ROWS_MAX <= PULSE_TIMERS_MAX, "a swept row raises no more than a timer");
#define AHEAD 16u /* records prepared before they are applied, and fetched half of that before */
/* Of the budget: more than that in saved rows is too much. */
#define SAVED_SHARE LIMIT(32u, 64u)
#define ADDRESS_SPACE_LARGE ((u64)1 << 30)

/* Bytes of budget that one row of each table stands for; 0: a fixed number of rows. */
static const struct plan {
    u32 row_bytes;
    u32 rows;         /* fixed */
    u32 budget_bytes; /* or budget / this */
} plans[TABLES] = {
    [TABLE_DESK] = {sizeof(struct desk), 1, 0},
    [TABLE_SKILL] = {sizeof(struct skill), SKILLS_MAX, 0},
    [TABLE_CHANNEL] = {sizeof(struct channel), CHANNELS_MAX, 0},
    [TABLE_TIER] = {sizeof(struct tier), TIERS_MAX, 0},
    [TABLE_CATEGORY] = {sizeof(struct category), CATEGORIES_MAX, 0},
    [TABLE_QUEUE] = {sizeof(struct queue), QUEUES_MAX, 0},
    [TABLE_TALLY] = {sizeof(struct tally), QUEUES_MAX, 0},
    [TABLE_AGENT] = {sizeof(struct agent), AGENTS_MAX, 0},
    [TABLE_SEAT] = {sizeof(struct seat), AGENTS_MAX, 0},
    [TABLE_POLICY] = {sizeof(struct policy), POLICIES_MAX, 0},
    [TABLE_DRAIN] = {sizeof(struct drain), DRAIN_ROWS, 0},
    [TABLE_SKILL_SET] = {sizeof(struct skill_set), SKILL_SETS_MAX, 0},
    [TABLE_TAG] = {sizeof(struct tag), TAGS_MAX, 0},
    [TABLE_SESSION] = {sizeof(struct session), SESSIONS_MAX, 0},
    [TABLE_REPLY] = {sizeof(struct reply_part), 0, 16384},
    [TABLE_CUSTOMER] = {sizeof(struct customer), 0, 440},
    [TABLE_IDENTITY] = {sizeof(struct identity), 0, 440},
    [TABLE_TICKET] = {sizeof(struct ticket), 0, 440},
    [TABLE_KEY] = {sizeof(struct ticket_key), 0, 440},
    [TABLE_LABEL] = {sizeof(struct label), 0, 220},
    [TABLE_TASK] = {sizeof(struct task), 0, 440},
    [TABLE_STATS] = {sizeof(struct stats), STATS_MAX, 0},
};

static u32 plan_rows(const struct state_config *config, u32 table)
{
    const struct plan *plan = &plans[table];
    if (plan->rows != 0) return plan->rows;
    u64 rows = config->memory_bytes / plan->budget_bytes;
    return (u32)max_u64(min_u64(rows, (u64)1 << 30), ROWS_MIN);
}

static u64 directory_rows(const struct state_config *config)
{
    return config->memory_bytes >= ADDRESS_SPACE_LARGE ? (u64)1 << 33 : (u64)1 << 24;
}

/* Lays everything out; with memory NULL only measures. */
struct layout {
    u8 *begin;
    u64 used;
};

static void *layout_take(struct layout *layout, u64 bytes)
{
    u64 at = layout->used;
    layout->used += round_up(bytes, 4096);
    return layout->begin == NULL ? NULL : layout->begin + at;
}

static void layout_index(struct layout *layout, struct index *index, u64 rows)
{
    u32 bits = index_bits(rows);
    u64 *slots = layout_take(layout, index_bytes(bits));
    if (slots != NULL) index_init(index, slots, bits);
}

static void layout_tables(struct layout *layout, struct state *state, const struct state_config *config)
{
    u32 chunks = 0;
    for (u32 i = 1; i < TABLES; i++) {
        u32 rows = plan_rows(config, i);
        u64 bytes = table_bytes(plans[i].row_bytes, rows);
        u8 *at = layout_take(layout, bytes + 4096);
        if (state != NULL) table_init(&state->tables[i], i, plans[i].row_bytes, rows, &state->snapshot, &at);
        chunks += table_chunks_max(plans[i].row_bytes, rows);
    }
    u8 *slots = layout_take(layout, (u64)chunks * sizeof(struct slot));
    if (state != NULL) snapshot_init(&state->snapshot, chunks, &slots);
}

static void layout_route(struct layout *layout, struct route *route)
{
    u64 words = AGENT_WORDS * sizeof(u64), agents = (u64)AGENT_WORDS * 64, queues = QUEUES_MAX + 1;
    route->available = layout_take(layout, words);
    route->present = layout_take(layout, words);
    route->everywhere = layout_take(layout, words);
    route->members = layout_take(layout, words * QUEUE_WORDS * 64);
    route->skilled = layout_take(layout, words * SKILL_WORDS * 64);
    struct ranking *rankings[] = {&route->least_loaded, &route->longest_idle};
    for (u32 i = 0; i < ARRAY_COUNT(rankings); i++) {
        rankings[i]->agents = layout_take(layout, agents * sizeof(u64));
        rankings[i]->eights = layout_take(layout, agents / 8 * sizeof(u64));
        rankings[i]->words = layout_take(layout, words);
    }
    route->load = layout_take(layout, agents * sizeof(u32));
    route->held = layout_take(layout, agents * sizeof(u32));
    route->waiting = layout_take(layout, queues * sizeof(u32));
    route->assigned = layout_take(layout, queues * sizeof(u32));
    route->suspended = layout_take(layout, queues * sizeof(u32));
    route->words = 1;
}

static u64 timer_rank(const void *owner, u32 timer)
{
    const struct state *state = owner;
    u32 tickets = state->tables[TABLE_TICKET].rows_max;
    if (timer <= tickets) return ticket_row(state, timer)->id * 2;
    return task_row(state, timer - tickets - 1)->ticket_id * 2 + 1;
}

static void layout_derived(struct layout *layout, struct state *state, const struct state_config *config)
{
    u64 tickets = plan_rows(config, TABLE_TICKET), tasks = plan_rows(config, TABLE_TASK);
    state->directory_max = directory_rows(config) - 1;
    state->directory = layout_take(layout, (state->directory_max + 1) * sizeof(u32));
    for (u32 i = 0; i < COLUMNS; i++)
        state->columns.bytes[i] = layout_take(layout, state->directory_max + 1);
    state->columns.blocks =
        layout_take(layout, columns_blocks(state->directory_max) * sizeof(struct column_block));
    state->key_rows = layout_take(layout, (tickets + 1) * sizeof(u32));
    layout_index(layout, &state->names,
                 SKILLS_MAX + CHANNELS_MAX + TIERS_MAX + CATEGORIES_MAX + QUEUES_MAX + AGENTS_MAX + POLICIES_MAX);
    layout_index(layout, &state->tags, TAGS_MAX);
    layout_index(layout, &state->skill_sets, SKILL_SETS_MAX);
    layout_index(layout, &state->identities, plan_rows(config, TABLE_IDENTITY));
    layout_index(layout, &state->keys, plan_rows(config, TABLE_KEY));
    layout_index(layout, &state->stats, plan_rows(config, TABLE_STATS));
    state->stats_dimensions = layout_take(layout, plan_rows(config, TABLE_STATS) + 1);
    state->stats_sums.sums = layout_take(layout, (STATS_MAX + 1) * sizeof(struct stats_sum));
    state->stats_sums.next = 1;
    for (u32 i = 1; i < STATS_DIMENSIONS; i++) {
        u32 table = stats_table(i);
        u64 members = table == 0 ? TKD_PRIORITY_END : (u64)plan_rows(config, table) + 1;
        state->stats_current[i] = layout_take(layout, members * sizeof(struct stats_current));
        state->stats_sums.blocks[i] = layout_take(layout, members * STATS_BLOCKS * sizeof(u32));
    }
    state->session_names = layout_take(layout, (SESSIONS_MAX + 1) * sizeof(u64));
    state->policies = layout_take(layout, (POLICIES_MAX + 1) * sizeof(u32));
    struct wheel_node *nodes = layout_take(layout, wheel_bytes(tickets + tasks + 2));
    if (nodes != NULL) wheel_init(&state->wheel, nodes, timer_rank, state);
    state->line.lanes = layout_take(layout, (tasks + 2) * sizeof(struct lane));
    state->line.free_lanes = layout_take(layout, (tasks + 2) * sizeof(u32));
    state->line.nodes = layout_take(layout, (tasks + 1) * sizeof(struct line_node));
    state->line.queue_lanes = layout_take(layout, (QUEUES_MAX + 1) * sizeof(u32));
    state->line.queues_waiting = layout_take(layout, QUEUE_WORDS * sizeof(u64));
    layout_route(layout, &state->route);
    state->results = layout_take(layout, (u64)TKD_RECORDS_MAX * sizeof(struct tkd_result));
    state->scratch = layout_take(layout, SCRATCH_BYTES);
}

static void layout_events(struct layout *layout, struct event_log *log, const struct state_config *config)
{
    log->ring_bytes = round_up(config->event_ring_bytes, 4096);
    log->offsets_count = log->ring_bytes / sizeof(struct tkd_event);
    log->ring = layout_take(layout, log->ring_bytes);
    log->offsets = layout_take(layout, log->offsets_count * sizeof(u64));
}

u64 state_bytes(const struct state_config *config)
{
    struct layout layout = {0};
    struct state state = {0};
    layout_take(&layout, sizeof state);
    layout_tables(&layout, NULL, config);
    layout_derived(&layout, &state, config);
    layout_events(&layout, &state.events, config);
    return layout.used;
}

struct state *state_create(const struct state_config *config, void *memory)
{
    struct layout layout = {.begin = memory};
    struct state *state = layout_take(&layout, sizeof *state);
    state->config = *config;
    layout_tables(&layout, state, config);
    layout_derived(&layout, state, config);
    layout_events(&layout, &state->events, config);
    ASSERT(layout.used == state_bytes(config));
    ASSERT(state->events.ring_bytes >= EVENT_RING_BYTES_MIN);
    ASSERT(state->tables[TABLE_TASK].rows_max >= state->tables[TABLE_TICKET].rows_max); /* a ticket has one task */
    state->events.seq_first = state->events.seq_next = 1;
    return state;
}

/* ---- Admission ---- */

static bool tables_have(const struct state *state, u32 first, u32 last, u64 rows)
{
    for (u32 i = first; i <= last; i++)
        if (table_free(&state->tables[i]) < rows) return false;
    return true;
}

/* Rows that the updates of a frame may need: tags need links, reopening needs a task. A transfer gives its
 * task back before it takes the next. So a full desk can always be worked off. */
static bool updates_have_room(const struct state *state, const struct tkd_frame *frame)
{
    u32 labels = 0, tasks = 0;
    const struct tkd_prefix *record = frame_first(frame);
    for (u32 i = 0; i < frame->count; i++, record = record_next(record)) {
        labels += record->kind == TKD_VERB_TAG;
        tasks += record->kind == TKD_VERB_REOPEN || record->kind == TKD_VERB_MESSAGE;
    }
    return table_free(&state->tables[TABLE_LABEL]) >= labels && table_free(&state->tables[TABLE_TASK]) >= tasks;
}

/* OK, BUSY, DESK_FULL or WINDOW_FULL. */
static enum tkd_status room_check(const struct state *state, const struct tkd_frame *frame)
{
    u64 count = frame->count;
    u64 events = count * EVENT_BYTES_PER_RECORD + 2 * (u64)frame->size + DRAIN_MAX * 4 * sizeof(struct tkd_event);
    if (frame->op == TKD_OP_PULSE) events += EVENT_BYTES_PULSE;
    MARK_IF(event_room(&state->events) < events, "event ring full: not now");
    if (event_room(&state->events) < events) return TKD_BUSY;
    bool room = true;
    if (frame->op == TKD_OP_TICKET_CREATE) {
        room = tables_have(state, TABLE_CUSTOMER, TABLE_KEY, count);
        room = room && desk_row(state)->tickets + count <= state->directory_max;
    }
    if (frame->op == TKD_OP_TICKET_UPDATE) room = updates_have_room(state, frame);
    MARK_IF(!room && frame->op == TKD_OP_TICKET_CREATE, "desk full: create refused");
    MARK_IF(!room && frame->op == TKD_OP_TICKET_UPDATE, "desk full: update refused");
    if (!room) return TKD_DESK_FULL;
    return frame->session == 0 ? TKD_OK : session_room(state, frame);
}

enum tkd_status state_admit(const struct state *state, const struct tkd_frame *frame, const void **reply,
                            u32 *reply_bytes)
{
    if (frame->time_ms > TIME_MS_MAX) return TKD_BAD_TIME;
    bool in_session = frame->session != 0;
    if (in_session) {
        enum tkd_status status = session_admit(state, frame, reply, reply_bytes);
        if (status != TKD_OK) return status;
    }
    /* Until every ticket is in line with a changed catalog nothing else happens. */
    MARK_IF(desk_row(state)->sweep_row != 0 && frame->op != TKD_OP_PULSE, "command waits for a sweep");
    if (desk_row(state)->sweep_row != 0 && frame->op != TKD_OP_PULSE) return TKD_BUSY;
    return room_check(state, frame);
}

u64 state_due(struct state *state, u64 now_ms)
{
    if (desk_row(state)->sweep_row != 0 || route_pending(&state->route)) return 0;
    return wheel_advance(&state->wheel, now_ms);
}

bool state_follows(struct state *state, const struct command *command)
{
    u64 time_ms = command->time_ms;
    bool next = command->op == state->op + 1 && time_ms >= state->time_ms && time_ms <= TIME_MS_MAX;
    return next && (command->frame->op == TKD_OP_PULSE || wheel_advance(&state->wheel, time_ms) >= time_ms);
}

/* ---- Apply ---- */

typedef void record_fn(struct state *state, const struct tkd_prefix *record, struct tkd_result *result);

static record_fn *handler_of(u32 op)
{
    switch (op) {
    case TKD_OP_REGISTER: return session_register;
    case TKD_OP_UNREGISTER: return session_unregister;
    case TKD_OP_TICKET_CREATE: return ticket_create;
    case TKD_OP_TICKET_UPDATE: return ticket_update;
    case TKD_OP_AGENT_PRESENCE: return agent_presence;
    case TKD_OP_CUSTOMER_UPDATE: return customer_update;
    default: return NULL;
    }
}

static void apply_records(struct state *state, const struct tkd_frame *frame, struct tkd_result *results)
{
    record_fn *handler = handler_of(frame->op);
    ASSERT(handler != NULL);
    struct ticket_prepared prepared[AHEAD];
    const struct tkd_prefix *record = frame_first(frame), *ahead = record;
    u32 prepared_count = 0, fetched_count = 0;
    bool stopped = false;
    for (u32 i = 0; i < frame->count; i++, record = record_next(record)) {
        for (; frame->op == TKD_OP_TICKET_CREATE && prepared_count < min_u32(i + AHEAD, frame->count);
             ahead = record_next(ahead))
            ticket_prepare(state, ahead, &prepared[prepared_count++ % AHEAD]);
        for (; fetched_count < min_u32(i + AHEAD / 2 + 1, prepared_count); fetched_count++)
            ticket_prefetch(state, &prepared[fetched_count % AHEAD]);
        state->prepared = &prepared[i % AHEAD];
        results[i] = (struct tkd_result){.status = TKD_OK};
        MARK_IF(stopped, "record not run behind a refused one");
        if (stopped) results[i].status = TKD_NOT_RUN;
        else handler(state, record, &results[i]);
        stopped = stopped || (frame->flags & TKD_FLAG_STOP && status_refused(results[i].status));
    }
}

/* Fires what is due up to `until_ms`, each as of its own deadline; returns the time reached. */
static u64 fire_timers(struct state *state, u64 until_ms)
{
    u32 tickets = state->tables[TABLE_TICKET].rows_max;
    for (u32 fired = 0; fired < PULSE_TIMERS_MAX; fired++) {
        u64 due_ms = wheel_advance(&state->wheel, until_ms);
        if (due_ms > until_ms) return until_ms;
        ASSERT(due_ms >= state->now_ms);
        state->now_ms = due_ms;
        u32 timer = wheel_pop(&state->wheel);
        if (timer <= tickets) sla_fire_ticket(state, timer);
        else sla_fire_task(state, timer - tickets - 1);
    }
    MARK("timers left for the next pulse");
    return state->now_ms;
}

/* Unfinished work first, then deadlines. */
static u64 apply_pulse(struct state *state, u64 time_ms)
{
    state->now_ms = state->time_ms;
    if (desk_row(state)->sweep_row != 0) {
        MARK("catalog change swept over tickets");
        MARK_IF(desk_row(state)->sweep_row > 1, "sweep continued");
        catalog_sweep(state);
        return state->time_ms;
    }
    if (route_pending(&state->route)) {
        state->now_ms = min_u64(time_ms, wheel_advance(&state->wheel, time_ms));
        route_drain(state);
        MARK_IF(route_pending(&state->route), "routing left for the next pulse");
        if (route_pending(&state->route)) return state->now_ms;
    }
    return fire_timers(state, time_ms);
}

u32 state_apply(struct state *state, const struct command *command, void *results)
{
    const struct tkd_frame *frame = command->frame;
    ASSERT(command->op == state->op + 1 && command->time_ms >= state->time_ms);
    state->cause = command->op;
    state->route.budget = DRAIN_MAX;
    u64 time_ms = command->time_ms;
    if (frame->op == TKD_OP_PULSE) {
        time_ms = apply_pulse(state, time_ms);
    } else {
        u64 due_ms = wheel_advance(&state->wheel, time_ms);
        ASSERT(due_ms >= time_ms);
        state->now_ms = time_ms;
        if (frame->session != 0) session_prepare(state, frame);
        if (frame->op == TKD_OP_CATALOG_APPLY) catalog_apply(state, frame, results);
        else apply_records(state, frame, results);
        if (frame->session != 0) session_keep(state, frame, results);
    }
    state->op = command->op;
    state->time_ms = time_ms;
    return frame->op == TKD_OP_PULSE ? 0 : frame->count * (u32)sizeof(struct tkd_result);
}

u64 state_op(const struct state *state) { return state->op; }
u64 state_time(const struct state *state) { return state->time_ms; }
struct event_log *state_events(struct state *state) { return &state->events; }
const struct event_log *state_events_read(const struct state *state) { return &state->events; }

/* ---- Digest ---- */

/* Takes out of a row what depends on how commands were packed, not on what they did. */
static void row_strip(u32 number, void *row)
{
    if (number == TABLE_DESK) {
        struct desk *desk = row;
        desk->sessions = desk->catalog_version = 0;
    } else if (number == TABLE_TICKET) {
        struct ticket *ticket = row;
        ticket->created_event = ticket->last_event = 0;
    } else if (number == TABLE_CUSTOMER) {
        struct customer *customer = row;
        customer->last_touch = customer->first_event = 0;
    } else if (number == TABLE_KEY) {
        struct ticket_key *key = row;
        key->hash = (struct hash128){0}; /* seeded by the store */
    } else if (number == TABLE_IDENTITY) {
        struct identity *identity = row;
        identity->hash = (struct hash128){0};
    }
}

u64 state_digest(const struct state *state, bool full)
{
    u64 scalars[3] = {state->time_ms, full ? state->op : 0, full ? state->events.seq_next : 0};
    u64 digest = hash64(scalars, sizeof scalars, 0);
    u8 copy[TABLE_CHUNK_BYTES_MAX];
    for (u32 number = 1; number < TABLES; number++) {
        if (!full && (number == TABLE_SESSION || number == TABLE_REPLY)) continue;
        const struct table *table = &state->tables[number];
        for (u32 row = 1; row <= table->row_last; row++) {
            if (!table_used(table, row)) continue;
            memcpy(copy, table_row(table, row), table->row_bytes);
            if (!full) row_strip(number, copy);
            digest = hash64(copy, table->row_bytes, digest ^ ((u64)number << 32 | row));
        }
    }
    return digest;
}

/* ---- Validation ---- */

static void validate_tickets(const struct state *state)
{
    u64 by_state[TKD_STATE_END] = {0}, tasks = 0;
    for (u32 row = 1; row <= state->tables[TABLE_TICKET].row_last; row++) {
        const struct ticket *ticket = ticket_row(state, row);
        if (ticket->id == 0) continue;
        ASSERT(state->directory[ticket->id] == row);
        ASSERT(state_unsolved(ticket->state) == (ticket->task != 0));
        by_state[ticket->state]++;
        if (ticket->task == 0) continue;
        tasks++;
        const struct task *task = task_row(state, ticket->task);
        ASSERT(task->ticket == row && task->ticket_id == ticket->id && task->queue == ticket->queue);
        bool waits = task->agent == 0 && ticket_active(ticket) && !(ticket->flags & TICKET_NO_ROUTING);
        ASSERT(line_has(&state->line, ticket->task) == waits);
    }
    ASSERT(tasks == state->tables[TABLE_TASK].rows_live);
    for (u32 i = 1; i < TKD_STATE_END; i++) ASSERT(desk_row(state)->by_state[i] >= by_state[i]);
}

static void validate_loads(const struct state *state)
{
    u64 assigned = 0, held = 0, waiting = 0;
    for (u32 id = 1; id <= state->tables[TABLE_QUEUE].row_last; id++) {
        assigned += state->route.assigned[id];
        waiting += state->route.waiting[id] + state->route.suspended[id];
    }
    for (u32 id = 1; id <= state->tables[TABLE_AGENT].row_last; id++) {
        held += state->route.held[id];
        ASSERT(state->route.load[id] <= state->route.held[id]);
    }
    ASSERT(assigned == held && assigned + waiting == state->tables[TABLE_TASK].rows_live);
}

void state_validate(const struct state *state)
{
    for (u32 i = 1; i < TABLES; i++) table_validate(&state->tables[i]);
    validate_tickets(state);
    validate_loads(state);
    ASSERT(state->keys.count == state->tables[TABLE_KEY].rows_live);
    ASSERT(state->identities.count == state->tables[TABLE_IDENTITY].rows_live);
    stats_validate(state);
    columns_validate(state);
    line_validate(state);
    wheel_validate(&state->wheel, task_timer(state, state->tables[TABLE_TASK].row_last) + 1);
}

static u64 index_touched_bytes(const struct index *index) { return sizeof(u64) << index->bits; }

u64 state_memory_bytes(const struct state *state)
{
    u64 bytes = min_u64(state->events.head, state->events.ring_bytes);
    for (u32 i = 1; i < TABLES; i++)
        bytes += (u64)state->tables[i].row_last * state->tables[i].row_bytes;
    bytes += state->tables[TABLE_TICKET].row_last * (sizeof(u32) + sizeof(struct wheel_node));
    bytes += desk_row(state)->tickets * (sizeof(u32) + COLUMNS); /* also of those that are archived */
    bytes += state->tables[TABLE_TASK].row_last * (sizeof(struct line_node) + sizeof(struct wheel_node));
    bytes += index_touched_bytes(&state->keys) + index_touched_bytes(&state->identities) +
             index_touched_bytes(&state->stats);
    bytes += state->stats_sums.count * (sizeof(struct stats_sum) + sizeof(u32));
    return bytes;
}

/* An index is doubled soon: then it moves into the new half from its end downwards. */
static u64 index_used_bytes(const struct index *index)
{
    bool doubles = index->count > ((u64)1 << index->bits) / 3 * 2 && index->bits < index->bits_max;
    return index_touched_bytes(index) << doubles;
}

/* Rows 1..used of the table belong to as many items, the first at `items`. */
static void piece_of_rows(const struct state *state, u32 table, void *items, u64 item_bytes, bool used,
                          state_piece_fn *piece, void *owner)
{
    const struct table *rows = &state->tables[table];
    u64 used_bytes = used ? (rows->row_last + (u64)1) * item_bytes : 0;
    piece(owner, items, used_bytes, (rows->rows_max + (u64)1) * item_bytes);
}

void state_pieces(const struct state *state, state_piece_fn *piece, void *owner)
{
    for (u32 i = TABLE_CUSTOMER; i <= TABLE_TASK; i++)
        piece_of_rows(state, i, state->tables[i].rows, state->tables[i].row_bytes, true, piece, owner);
    struct wheel_node *timers = state->wheel.nodes + WHEEL_HEADS;
    bool of_tasks = state->wheel.timer_last >= task_timer(state, 0); /* most desks have none */
    piece_of_rows(state, TABLE_TICKET, timers + ticket_timer(0), sizeof *timers, true, piece, owner);
    piece_of_rows(state, TABLE_TASK, timers + task_timer(state, 0), sizeof *timers, of_tasks, piece, owner);
    piece_of_rows(state, TABLE_TICKET, state->key_rows, sizeof(u32), true, piece, owner);
    const struct index *indexes[] = {&state->identities, &state->keys};
    for (u32 i = 0; i < ARRAY_COUNT(indexes); i++)
        piece(owner, indexes[i]->slots, index_used_bytes(indexes[i]), index_bytes(indexes[i]->bits_max));
    u64 numbers = desk_row(state)->tickets + 1, numbers_max = state->directory_max + 1;
    piece(owner, state->directory, numbers * sizeof(u32), numbers_max * sizeof(u32));
    for (u32 i = 0; i < COLUMNS; i++) piece(owner, state->columns.bytes[i], numbers, numbers_max);
    const struct event_log *log = &state->events;
    piece(owner, log->ring, min_u64(log->head, log->ring_bytes), log->ring_bytes);
    piece(owner, log->offsets, min_u64(log->seq_next, log->offsets_count) * sizeof(u64),
          log->offsets_count * sizeof(u64));
}

void state_piece_saved(const struct state *state, state_piece_fn *piece, void *owner)
{
    const struct snapshot *snapshot = &state->snapshot;
    u64 used_bytes = snapshot->slots_used * sizeof(struct slot), bytes = snapshot->slots_max * sizeof(struct slot);
    piece(owner, snapshot->slots, used_bytes, bytes);
}

/* What is kept by ticket numbers is not: who knows which of them are archived. Nor timers of tasks. */
void state_pieces_of(const struct state *state, const u64 chunks[], void (*piece)(void *owner, void *memory, u64 bytes),
                     void *owner)
{
    u64 rows[TABLES] = {0};
    for (u32 i = TABLE_CUSTOMER; i <= TABLE_TASK; i++) {
        const struct table *table = &state->tables[i];
        rows[i] = min_u64(chunks[i] << table->chunk_shift, table->rows_max);
        piece(owner, table->rows, rows[i] * table->row_bytes);
    }
    piece(owner, state->key_rows, rows[TABLE_TICKET] * sizeof(u32));
    piece(owner, state->keys.slots, index_bytes(index_bits(rows[TABLE_KEY])));
    piece(owner, state->identities.slots, index_bytes(index_bits(rows[TABLE_IDENTITY])));
    struct wheel_node *timers = state->wheel.nodes + WHEEL_HEADS;
    piece(owner, timers + ticket_timer(0), rows[TABLE_TICKET] * sizeof *timers);
}

/* ---- Snapshot ---- */

void state_snapshot_begin(struct state *state) { snapshot_begin(&state->snapshot, state->tables + 1, TABLES - 1); }

u64 state_snapshot_slice(struct state *state, void *buffer, u64 bytes_max, u32 chunks_max, bool *finished)
{
    return snapshot_slice(&state->snapshot, state->tables + 1, TABLES - 1, buffer, bytes_max, chunks_max, finished);
}

bool state_snapshot_lags(const struct state *state)
{
    return state->snapshot.slots_used * sizeof(struct slot) > state->config.memory_bytes / SAVED_SHARE;
}

bool state_snapshot_running(const struct state *state) { return state->snapshot.running; }

u32 state_snapshot_pending(const struct state *state) { return state->snapshot.pending; }
