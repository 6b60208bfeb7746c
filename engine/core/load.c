/* Loading: rows come back from the store.
 *
 * Checksums have told that the rows are as they were written. Still nothing is derived from a row before it
 * was looked at: every reference leads to a row in use, every number lies in its range, every list ends,
 * whatever is owned has one owner. So rows that this program would not write are refused with their place,
 * and cannot make it serve nonsense, or fall over later.
 */
#include "core/desk.h"

#define AHEAD 16u /* rows whose slots in an index are fetched before they are inserted */

#define BAD(condition, what)                                                                                 \
    if (condition) return what

bool state_load_chunk(struct state *state, u32 number, u32 chunk, const void *data, u32 bytes)
{
    if (number == 0 || number >= TABLES) return false;
    struct table *table = &state->tables[number];
    if (bytes != table_chunk_bytes(table) || chunk > table->rows_max >> table->chunk_shift) return false;
    u32 first = chunk << table->chunk_shift, last = first + (1u << table->chunk_shift) - 1;
    for (u32 row = max_u32(first, table->rows_max + 1); row <= last; row++) {
        u64 id;
        memcpy(&id, (const u8 *)data + (u64)(row - first) * table->row_bytes, sizeof id);
        if (id != 0) return false;
    }
    table_load(table, chunk, data);
    return true;
}

/* ---- Each row for itself, and what it refers to. NULL, or what is wrong. ---- */

typedef const char *check_fn(const struct state *state, u32 row);

/* Rows lie anywhere, the bits that tell which are used lie close together. */
static bool used(const struct state *state, u32 number, u64 row)
{
    const struct table *table = &state->tables[number];
    return row != 0 && row <= table->row_last && bit_test(table->used[0], row);
}
static bool used_or_none(const struct state *state, u32 table, u64 row)
{
    return row == 0 || used(state, table, row);
}

static bool bits_used(const struct state *state, u32 table, const u64 *bits, u32 words)
{
    for (u32 word = 0; word < words; word++)
        for (u64 left = bits[word]; left != 0; left &= left - 1)
            if (!used(state, table, word * 64 + bit_lowest(left))) return false;
    return true;
}

static bool clock_sound(const struct state *state, const struct clock *clock)
{
    return clock->since_ms <= state->time_ms && clock->ran_ms <= state->time_ms;
}

static const char *check_desk(const struct state *state, u32 row)
{
    const struct desk *desk = desk_row(state);
    BAD(row != 1 || desk->id != 1 || desk->name_bytes > NAME_BYTES_MAX, "the desk's own row");
    BAD(desk->tickets > state->directory_max || desk->assignments >= (u64)1 << 47, "the desk's counters");
    BAD(desk->archive_after_ms == 0 || desk->archive_after_ms > DURATION_MS_MAX, "the desk's archive_after");
    BAD(desk->sweep_row > state->tables[TABLE_TICKET].rows_max, "the desk's sweep");
    return NULL;
}

static const char *check_entry(const struct entry *entry, u32 row)
{
    bool named = entry->name_bytes != 0 && entry->name_bytes <= NAME_BYTES_MAX;
    return entry->id != row || !named || entry->retired > 1 ? "a catalog entry" : NULL;
}

static const char *check_skill(const struct state *state, u32 row)
{
    return check_entry(&skill_row(state, row)->entry, row);
}
static const char *check_tier(const struct state *state, u32 row)
{
    return check_entry(&tier_row(state, row)->entry, row);
}
static const char *check_channel(const struct state *state, u32 row)
{
    return check_entry(&channel_row(state, row)->entry, row);
}

static const char *check_category(const struct state *state, u32 row)
{
    const struct category *category = category_row(state, row);
    BAD(!catalog_path_valid(state, TKD_KIND_CATEGORY, row), "a category's parent");
    BAD(!used_or_none(state, TABLE_SKILL_SET, category->skill_set), "a category's skills");
    return check_entry(&category->entry, row);
}

static const char *check_queue(const struct state *state, u32 row)
{
    const struct queue *queue = queue_row(state, row);
    BAD(!catalog_path_valid(state, TKD_KIND_QUEUE, row), "a queue's parent");
    BAD(!used_or_none(state, TABLE_SKILL_SET, queue->skill_set), "a queue's skills");
    BAD(queue->strategy == 0 || queue->strategy >= TKD_STRATEGY_END, "a queue's strategy");
    BAD(queue->step_ms > DURATION_MS_MAX || queue->yellow_ms > DURATION_MS_MAX, "a queue's target");
    BAD(queue->yellow_percent > 100 || queue->states_step >> TKD_STATE_END != 0, "a queue's target");
    BAD(!used(state, TABLE_TALLY, row), "a queue's tally");
    return check_entry(&queue->entry, row);
}

static const char *check_tally(const struct state *state, u32 row)
{
    return tally_row(state, row)->id != row || !used(state, TABLE_QUEUE, row) ? "a queue's tally" : NULL;
}

static const char *check_agent(const struct state *state, u32 row)
{
    const struct agent *agent = agent_row(state, row);
    BAD(agent->capacity > CAPACITY_MAX || agent->all_queues > 1, "an agent's capacity");
    BAD(!used(state, TABLE_SEAT, row), "an agent's seat");
    if (agent->entry.retired) return check_entry(&agent->entry, row); /* what it refers to was not asked */
    BAD(!bits_used(state, TABLE_SKILL, agent->skills, SKILL_WORDS), "an agent's skills");
    BAD(!bits_used(state, TABLE_QUEUE, agent->queues, QUEUE_WORDS), "an agent's queues");
    return check_entry(&agent->entry, row);
}

static const char *check_seat(const struct state *state, u32 row)
{
    const struct seat *seat = seat_row(state, row);
    BAD(seat->id != row || !used(state, TABLE_AGENT, row), "an agent's seat");
    BAD(seat->presence == 0 || seat->presence >= TKD_PRESENCE_END, "an agent's presence");
    BAD(seat->assigned_seq > desk_row(state)->assignments || seat->last_assigned_ms > state->time_ms,
        "an agent's last assignment");
    return NULL;
}

static const char *check_policy(const struct state *state, u32 row)
{
    const struct policy *policy = policy_row(state, row);
    bool sound = policy->yellow_percent <= 100 && policy->yellow_ms <= DURATION_MS_MAX;
    for (u32 i = 0; i < TKD_PRIORITY_END; i++)
        sound = sound && policy->first_reply_ms[i] <= DURATION_MS_MAX &&
                policy->resolution_ms[i] <= DURATION_MS_MAX;
    sound = sound && (policy->states_first_reply | policy->states_resolution) >> TKD_STATE_END == 0;
    sound = sound && policy->any_category <= 1 && policy->any_channel <= 1 && policy->any_tier <= 1;
    BAD(!sound || policy->priorities >> TKD_PRIORITY_END != 0, "a policy's targets");
    if (policy->entry.retired) return check_entry(&policy->entry, row);
    BAD(!bits_used(state, TABLE_TIER, &policy->tiers, 1), "a policy's tiers");
    BAD(!bits_used(state, TABLE_CHANNEL, policy->channels, CHANNEL_WORDS), "a policy's channels");
    BAD(!bits_used(state, TABLE_CATEGORY, policy->categories, CATEGORY_WORDS), "a policy's categories");
    return check_entry(&policy->entry, row);
}

static const char *check_drain(const struct state *state, u32 row)
{
    const struct drain *drain = drain_row(state, row);
    for (u32 i = 0; i < DRAIN_ROW_WORDS; i++)
        for (u64 left = drain->agents[i]; left != 0; left &= left - 1)
            BAD(!used(state, TABLE_AGENT, ((row - 1) * DRAIN_ROW_WORDS + i) * 64 + bit_lowest(left)),
                "pending routing");
    return drain->id != row ? "pending routing" : NULL;
}

/* Sets are numbered without gaps. */
static const char *check_skill_set(const struct state *state, u32 row)
{
    const struct skill_set *set = skill_set_row(state, row);
    bool sound = set->id == row && (row == 1 || used(state, TABLE_SKILL_SET, row - 1));
    return sound ? NULL : "a set of skills";
}

static const char *check_tag(const struct state *state, u32 row)
{
    const struct tag *tag = tag_row(state, row);
    return tag->id != row || tag->name[0] == 0 ? "a tag" : NULL;
}

/* Answers that are kept: each in a list of parts as long as its results need, the other slots empty. */
static const char *check_session(const struct state *state, u32 row)
{
    const struct session *session = session_row(state, row);
    BAD(session_find(state, session->id) != row || session->name_bytes > sizeof session->name,
        "a session's id");
    BAD(session->halted > 1 || session->used_ms > state->time_ms, "a session's use");
    u64 begin = session->ack_below, kept = session->next_seq - begin;
    BAD(session->window == 0 || session->window > SESSION_WINDOW_MAX, "a session's window");
    BAD(begin == 0 || session->next_seq < begin || kept > SESSION_WINDOW_MAX, "a session's window");
    for (u64 seq = begin; seq < begin + SESSION_WINDOW_MAX; seq++) {
        const struct session_slot *slot = &session->slots[seq % SESSION_WINDOW_MAX];
        BAD(seq < begin + kept ? slot->count == 0 : slot->count != 0 || slot->part != 0 || slot->hash != 0,
            "a session's answers");
        BAD(slot->count > TKD_RECORDS_MAX, "a session's answers");
        u32 part = slot->part;
        for (u32 count = 0; count < slot->count; count += REPLY_PART_RESULTS) {
            BAD(!used(state, TABLE_REPLY, part) || reply_row(state, part)->id != row, "a session's answers");
            BAD(part / 8 >= SCRATCH_BYTES, "a session's answers");
            BAD(bit_test((const u64 *)(const void *)state->scratch, part), "a session's answers");
            bit_set((u64 *)(void *)state->scratch, part);
            part = reply_row(state, part)->next;
        }
        BAD(part != 0, "a session's answers");
    }
    return NULL;
}

/* Sessions come before their answers: those that one keeps are marked. */
static const char *check_reply(const struct state *state, u32 row)
{
    return bit_test((const u64 *)(const void *)state->scratch, row) ? NULL : "an answer of no session";
}

static const char *check_customer(const struct state *state, u32 row)
{
    const struct customer *customer = customer_row(state, row);
    u64 last = state->events.seq_next - 1;
    BAD(customer->id != row || customer->created_ms > state->time_ms, "a customer");
    BAD(!used_or_none(state, TABLE_TIER, customer->tier), "a customer's tier");
    BAD(customer->last_touch > last || customer->first_event > last, "a customer's events");
    return NULL;
}

static const char *check_identity(const struct state *state, u32 row)
{
    const struct identity *identity = identity_row(state, row);
    bool sound =
        used(state, TABLE_CUSTOMER, identity->customer) && used(state, TABLE_CHANNEL, identity->channel);
    return sound ? NULL : "a customer's identity";
}

/* A list of links ends, each link is the ticket's own, and no longer than it may be. */
static bool labels_sound(const struct state *state, u32 row)
{
    u32 count = 0;
    for (u32 at = ticket_row(state, row)->labels; at != 0; at = label_row(state, at)->next)
        if (++count > TICKET_TAGS_MAX || !used(state, TABLE_LABEL, at) || label_row(state, at)->ticket != row)
            return false;
    return true;
}

static bool ticket_numbers_sound(const struct state *state, const struct ticket *ticket)
{
    u64 last = state->events.seq_next - 1, now_ms = state->time_ms;
    bool times = ticket->created_ms <= now_ms && ticket->state_since_ms <= now_ms &&
                 ticket->solved_ms <= now_ms && clock_sound(state, &ticket->first_reply) &&
                 clock_sound(state, &ticket->resolution);
    bool members = ticket->state != 0 && ticket->state < TKD_STATE_END && ticket->priority != 0 &&
                   ticket->priority < TKD_PRIORITY_END && ticket->flags < 2 * TICKET_REPLIED &&
                   ticket->card_first_reply < TKD_CARD_END && ticket->card_resolution < TKD_CARD_END;
    bool rest = ticket->reserved[0] == 0 && ticket->reserved[1] == 0 && ticket->reserved[2] == 0;
    return times && members && rest && ticket->created_event <= last && ticket->last_event <= last;
}

static const char *check_ticket(const struct state *state, u32 row)
{
    const struct ticket *ticket = ticket_row(state, row);
    BAD(ticket->id > desk_row(state)->tickets || state->directory[ticket->id] != 0, "a ticket's id");
    state->directory[ticket->id] = row;
    BAD(ticket->task != 0 &&
            (!used(state, TABLE_TASK, ticket->task) || task_row(state, ticket->task)->ticket != row),
        "a ticket's task");
    BAD(!ticket_numbers_sound(state, ticket), "a ticket's numbers");
    BAD(state_unsolved(ticket->state) != (ticket->task != 0),
        "an unsolved ticket without a task, or a solved one with one");
    BAD(!used(state, TABLE_CUSTOMER, ticket->customer), "a ticket's customer");
    BAD(!used(state, TABLE_QUEUE, ticket->queue), "a ticket's queue");
    BAD(!used(state, TABLE_CHANNEL, ticket->channel), "a ticket's channel");
    BAD(!used_or_none(state, TABLE_CATEGORY, ticket->category), "a ticket's category");
    BAD(!used_or_none(state, TABLE_AGENT, ticket->agent), "a ticket's agent");
    BAD(!used_or_none(state, TABLE_POLICY, ticket->policy), "a ticket's policy");
    BAD(!used_or_none(state, TABLE_SKILL_SET, ticket->skill_set), "a ticket's skills");
    BAD(!labels_sound(state, row), "a ticket's tags");
    return NULL;
}

static const char *check_key(const struct state *state, u32 row)
{
    u64 ticket = key_row(state, row)->ticket;
    BAD(!used(state, TABLE_TICKET, ticket) || state->key_rows[ticket] != 0, "an external key's ticket");
    state->key_rows[ticket] = row;
    return NULL;
}

/* Found again from its ticket. */
static const char *check_label(const struct state *state, u32 row)
{
    const struct label *label = label_row(state, row);
    BAD(!used(state, TABLE_TICKET, label->ticket) || !used(state, TABLE_TAG, label->tag), "a ticket's tag");
    u32 at = ticket_row(state, (u32)label->ticket)->labels;
    while (at != 0 && at != row) at = label_row(state, at)->next;
    return at == 0 ? "a ticket's tag" : NULL;
}

static const char *check_task(const struct state *state, u32 row)
{
    const struct task *task = task_row(state, row);
    BAD(!used(state, TABLE_TICKET, task->ticket), "a task's ticket");
    const struct ticket *ticket = ticket_row(state, task->ticket);
    BAD(ticket->task != row || ticket->id != task->ticket_id || ticket->queue != task->queue,
        "a task's ticket");
    BAD(!used_or_none(state, TABLE_AGENT, task->agent) || (task->agent == 0) != (task->assigned_ms == 0),
        "a task's agent");
    BAD(!used_or_none(state, TABLE_SKILL_SET, task->skill_set), "a task's skills");
    BAD(task->entered_ms > state->time_ms || task->assigned_ms > state->time_ms ||
            !clock_sound(state, &task->step) || task->card_step >= TKD_CARD_END,
        "a task's numbers");
    return NULL;
}

static const char *check_stats(const struct state *state, u32 row)
{
    const struct stats *stats = stats_row(state, row);
    u32 dimension = stats_dimension(stats), member = stats_member(stats);
    BAD(dimension == 0 || dimension >= STATS_DIMENSIONS || stats_hour_ms(stats) > state->time_ms,
        "a counter's key");
    BAD(row > 1 && !used(state, TABLE_STATS, row - 1), "a counter's row");
    BAD(row > 1 && stats_hour_ms(stats_row(state, row - 1)) > stats_hour_ms(stats), "a counter's row");
    u32 table = stats_table(dimension);
    BAD(table != 0 ? !used_or_none(state, table, member) : member >= TKD_PRIORITY_END, "a counter's key");
    return NULL;
}

static check_fn *const checks[TABLES] = {
    [TABLE_DESK] = check_desk,         [TABLE_SKILL] = check_skill,       [TABLE_CHANNEL] = check_channel,
    [TABLE_TIER] = check_tier,         [TABLE_CATEGORY] = check_category, [TABLE_QUEUE] = check_queue,
    [TABLE_TALLY] = check_tally,       [TABLE_AGENT] = check_agent,       [TABLE_SEAT] = check_seat,
    [TABLE_POLICY] = check_policy,     [TABLE_DRAIN] = check_drain,       [TABLE_SKILL_SET] = check_skill_set,
    [TABLE_TAG] = check_tag,           [TABLE_SESSION] = check_session,   [TABLE_REPLY] = check_reply,
    [TABLE_CUSTOMER] = check_customer, [TABLE_IDENTITY] = check_identity, [TABLE_TICKET] = check_ticket,
    [TABLE_KEY] = check_key,           [TABLE_LABEL] = check_label,       [TABLE_TASK] = check_task,
    [TABLE_STATS] = check_stats,
};

/* ---- All of them ---- */

static bool row_empty(const struct table *table, u32 row)
{
    const u64 *words = table_row(table, row);
    u64 any = 0;
    for (u32 i = 0; i < table->row_bytes / sizeof *words; i++) any |= words[i];
    return any == 0;
}

/* The first row that is wrong; `*number` of which table. */
static const char *check_rows(const struct state *state, u32 *number, u32 *row)
{
    for (*number = 1; *number < TABLES; ++*number) {
        const struct table *table = &state->tables[*number];
        *row = 0;
        if (!row_empty(table, 0)) return "a row that is nobody's";
        for (*row = 1; *row <= table->row_loaded; ++*row) {
            const char *wrong = NULL;
            if (table_used(table, *row))
                wrong = checks[*number](state, *row);
            else if (!row_empty(table, *row))
                wrong = "a free row";
            if (wrong != NULL) return wrong;
        }
    }
    return NULL;
}

/* What one row cannot tell. */
static const char *check_whole(struct state *state)
{
    BAD(state->tables[TABLE_DRAIN].rows_live != DRAIN_ROWS, "pending routing");
    BAD(!stats_spare(state), "the spare counters");
    return NULL;
}

static void say(char *error, u32 error_bytes, const char *const *parts)
{
    u32 at = 0;
    for (; *parts != NULL; parts++)
        for (const char *text = *parts; *text != 0 && at + 1 < error_bytes; text++) error[at++] = *text;
    if (error_bytes != 0) error[at] = 0;
}

static const char *decimal(u32 number, char digits[12])
{
    u32 at = 11;
    digits[at] = 0;
    do digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    return digits + at;
}

static void keys_loaded(struct state *state)
{
    const struct table *table = &state->tables[TABLE_KEY];
    index_expect(&state->keys, table->rows_live);
    for (u32 row = 1; row <= table->row_last; row++) {
        index_prefetch(&state->keys, key_row(state, min_u32(row + AHEAD, table->row_last))->hash.high);
        if (used(state, TABLE_KEY, row)) index_insert(&state->keys, key_row(state, row)->hash.high, row);
    }
}

static void identities_loaded(struct state *state)
{
    const struct table *table = &state->tables[TABLE_IDENTITY];
    index_expect(&state->identities, table->rows_live);
    for (u32 row = 1; row <= table->row_last; row++) {
        index_prefetch(&state->identities,
                       identity_row(state, min_u32(row + AHEAD, table->row_last))->hash.high);
        if (used(state, TABLE_IDENTITY, row))
            index_insert(&state->identities, identity_row(state, row)->hash.high, row);
    }
}

/* All that follows from tickets in one pass: their rows are most of the memory. */
static const char *tickets_loaded(struct state *state)
{
    u64 by_state[TKD_STATE_END] = {0};
    bool in_time = true;
    state->wheel.now_ms = state->time_ms - 1;
    for (u32 row = 1; row <= state->tables[TABLE_TICKET].row_last; row++) {
        if (!used(state, TABLE_TICKET, row)) continue;
        by_state[ticket_row(state, row)->state]++;
        ticket_loaded(state, row);
        in_time = in_time && sla_loaded(state, row);
    }
    for (u32 i = 1; i < TKD_STATE_END; i++)
        BAD(desk_row(state)->by_state[i] < by_state[i], "the desk's counters");
    return in_time ? NULL : "a deadline that has passed";
}

static const char *derive(struct state *state)
{
    catalog_loaded(state);
    tags_loaded(state);
    sessions_loaded(state);
    stats_loaded(state);
    keys_loaded(state);
    identities_loaded(state);
    const char *wrong = tickets_loaded(state);
    route_loaded(state);
    return wrong;
}

/* A desk without any history. */
static void state_begin(struct state *state)
{
    table_take_at(&state->tables[TABLE_DESK], 1);
    struct desk *desk = desk_edit(state);
    desk->id = 1;
    desk->catalog_version = 1;
    desk->archive_after_ms = ARCHIVE_AFTER_MS;
    for (u32 i = 0; i < DRAIN_ROWS; i++) {
        u32 row = table_take(&state->tables[TABLE_DRAIN]);
        drain_edit(state, row)->id = row;
    }
    stats_begin(state);
}

static bool all_empty(const struct state *state)
{
    for (u32 i = 1; i < TABLES; i++)
        if (state->tables[i].row_loaded != 0) return false;
    return true;
}

bool state_loaded(struct state *state, u64 op, u64 time_ms, u64 event_seq, char *error, u32 error_bytes)
{
    for (u32 i = 1; i < TABLES; i++) table_loaded(&state->tables[i]);
    /* Time 0 would read as "stands still" on a clock. */
    state->time_ms = max_u64(time_ms, 1);
    state->now_ms = state->time_ms;
    state->op = op;
    struct event_log *log = &state->events;
    log->seq_first = log->seq_next = event_seq + 1;
    log->stored_seq = event_seq;
    if (op == 0 && all_empty(state)) {
        state->wheel.now_ms = state->time_ms - 1;
        state_begin(state);
        return true;
    }
    if (state->tables[TABLE_DESK].rows_live == 0) {
        say(error, error_bytes, (const char *const[]){"the store lacks the desk's own row", NULL});
        return false;
    }
    u32 table = TABLES, row = 0;
    char row_digits[12], table_digits[12];
    const char *wrong =
        time_ms > TIME_MS_MAX || event_seq >= U64_NONE / 2 || op >= U64_NONE / 2 ? "the root" : NULL;
    if (wrong == NULL) wrong = check_rows(state, &table, &row);
    memset(state->scratch, 0, min_u64(SCRATCH_BYTES, state->tables[TABLE_REPLY].row_last / 8 + sizeof(u64)));
    if (wrong == NULL) wrong = check_whole(state);
    if (wrong == NULL) wrong = derive(state);
    if (wrong == NULL) return true;
    say(error, error_bytes,
        (const char *const[]){"the rows in the store do not fit together: ", wrong,
                              table < TABLES ? ", table " : NULL, decimal(table % TABLES, table_digits),
                              " row ", decimal(row, row_digits), NULL});
    return false;
}
