#include "core/catalog.h"

#include "base/mark.h"
#include "core/desk.h"

/* What the kinds of entries have in common. */
static const struct kind {
    u8 table;
    bool named;
} kinds[TKD_KIND_END] = {
    [TKD_KIND_SKILL] = {TABLE_SKILL, true},       [TKD_KIND_CHANNEL] = {TABLE_CHANNEL, true},
    [TKD_KIND_TIER] = {TABLE_TIER, true},         [TKD_KIND_CATEGORY] = {TABLE_CATEGORY, true},
    [TKD_KIND_QUEUE] = {TABLE_QUEUE, true},       [TKD_KIND_AGENT] = {TABLE_AGENT, true},
    [TKD_KIND_POLICY] = {TABLE_POLICY, true},
};

/* One record of an apply. */
struct change {
    struct tkd_catalog_entry request;
    const char *name;
    const u8 *skills, *queues, *categories, *channels, *tiers;
    u32 kind;
};

static const struct table *kind_table(const struct state *state, u32 kind)
{
    return &state->tables[kinds[kind].table];
}

const struct entry *catalog_entry_at(const struct state *state, u32 kind, u32 id)
{
    if (kind == 0 || kind >= TKD_KIND_END || !kinds[kind].named) return NULL;
    const struct table *table = kind_table(state, kind);
    return table_used(table, id) ? table_row(table, id) : NULL;
}

u32 catalog_last(const struct state *state, u32 kind)
{
    return kind == 0 || kind >= TKD_KIND_END || !kinds[kind].named ? 0 : kind_table(state, kind)->row_last;
}

bool catalog_live(const struct state *state, u32 kind, u32 id)
{
    const struct entry *entry = catalog_entry_at(state, kind, id);
    return entry != NULL && !entry->retired;
}

/* ---- Skill sets ---- */

static u64 skills_hash(const struct state *state, const u64 *skills)
{
    return hash64(skills, SKILL_WORDS * sizeof(u64), state->config.secret);
}

static u32 skill_set_intern(struct state *state, const u64 *skills)
{
    u64 any = 0;
    for (u32 i = 0; i < SKILL_WORDS; i++) any |= skills[i];
    if (any == 0) return 0;
    u64 bytes = SKILL_WORDS * sizeof(u64), hash = skills_hash(state, skills);
    u32 row;
    for (u64 at = index_seek(&state->skill_sets, hash); (row = index_candidate(&state->skill_sets, hash, &at));)
        if (memcmp(skill_set_row(state, row)->skills, skills, bytes) == 0) return row;
    MARK_IF(table_free(&state->tables[TABLE_SKILL_SET]) == 0, "no more skill sets");
    if (table_free(&state->tables[TABLE_SKILL_SET]) == 0) return U32_NONE;
    row = table_take(&state->tables[TABLE_SKILL_SET]);
    struct skill_set *set = skill_set_edit(state, row);
    set->id = row;
    memcpy(set->skills, skills, bytes);
    index_insert(&state->skill_sets, hash, row);
    return row;
}

/* When there is no room for the union (tens of thousands of different sets), the queue's own set stands. */
u32 skill_set_join(struct state *state, u32 a, u32 b)
{
    if (b == 0 || a == b) return a;
    if (a == 0) return b;
    u64 skills[SKILL_WORDS];
    for (u32 i = 0; i < SKILL_WORDS; i++)
        skills[i] = skill_set_row(state, a)->skills[i] | skill_set_row(state, b)->skills[i];
    u32 set = skill_set_intern(state, skills);
    return set == U32_NONE ? a : set;
}

enum tkd_status skill_set_of_ids(struct state *state, const u8 *ids, u32 bytes, u32 *set)
{
    u64 skills[SKILL_WORDS] = {0};
    for (u32 i = 0; i + 1 < bytes; i += 2) {
        u32 id = (u32)ids[i] | (u32)ids[i + 1] << 8;
        if (!catalog_live(state, TKD_KIND_SKILL, id)) return TKD_UNKNOWN_SKILL;
        bit_set(skills, id);
    }
    *set = skill_set_intern(state, skills);
    return *set == U32_NONE ? TKD_CATALOG_FULL : TKD_OK;
}

/* ---- Reading a record ---- */

static void change_read(struct change *change, const struct tkd_prefix *record)
{
    struct tkd_catalog_entry *request = &change->request;
    record_head(record, request, sizeof *request);
    change->kind = record->kind;
    change->name = record_texts(record);
    change->skills = (const u8 *)change->name + request->name_bytes;
    change->queues = change->skills + request->skills_bytes;
    change->categories = change->queues + request->queues_bytes;
    change->channels = change->categories + request->categories_bytes;
    change->tiers = change->channels + request->channels_bytes;
}

static u64 name_hash(const struct state *state, u32 kind, const char *name, u32 bytes)
{
    return hash64(name, bytes, state->config.secret ^ kind);
}

static u64 entry_hash(const struct state *state, u32 kind, const struct entry *entry)
{
    return name_hash(state, kind, entry->name, entry->name_bytes);
}

static u32 name_find(const struct state *state, u32 kind, const char *name, u32 bytes)
{
    u64 hash = name_hash(state, kind, name, bytes);
    u32 value;
    for (u64 at = index_seek(&state->names, hash); (value = index_candidate(&state->names, hash, &at));) {
        if (value >> 16 != kind) continue;
        const struct entry *entry = catalog_entry_at(state, kind, value & UINT16_MAX);
        if (entry->name_bytes == bytes && memcmp(entry->name, name, bytes) == 0) return value & UINT16_MAX;
    }
    return 0;
}

/* Ranges that do not depend on other entries. */
static enum tkd_status change_check(const struct state *state, const struct change *change)
{
    const struct tkd_catalog_entry *request = &change->request;
    for (u32 i = 0; i < request->name_bytes; i++)
        if ((u8)change->name[i] < ' ') return TKD_BAD_VALUE;
    if (request->archive_after_ms > DURATION_MS_MAX) return TKD_BAD_VALUE;
    if (change->kind == TKD_KIND_DESK) return request->id == 1 ? TKD_OK : TKD_BAD_VALUE;
    if (request->id == 0) return TKD_BAD_VALUE;
    if (request->id > kind_table(state, change->kind)->rows_max) return TKD_CATALOG_FULL;
    if (request->name_bytes == 0 || request->retired > 1 || request->all_queues > 1) return TKD_BAD_VALUE;
    if (change->kind == TKD_KIND_QUEUE && (request->strategy == 0 || request->strategy >= TKD_STRATEGY_END))
        return TKD_BAD_VALUE;
    if (request->capacity > CAPACITY_MAX || request->yellow_percent > 100) return TKD_BAD_VALUE;
    u16 all_states = (u16)((1u << TKD_STATE_END) - 2);
    u64 states = request->states_first_reply | request->states_resolution | request->states_step;
    if (states & ~(u64)all_states) return TKD_BAD_VALUE;
    if (request->priorities & ~((1u << TKD_PRIORITY_END) - 2)) return TKD_BAD_VALUE;
    const u64 *ms = &request->yellow_ms;
    for (u32 i = 0; i < 11; i++)
        if (ms[i] > DURATION_MS_MAX) return TKD_BAD_VALUE;
    u32 holder = name_find(state, change->kind, change->name, request->name_bytes);
    return holder != 0 && holder != request->id ? TKD_NAME_TAKEN : TKD_OK;
}
_Static_assert(offsetof(struct tkd_catalog_entry, states_step) ==
                   offsetof(struct tkd_catalog_entry, yellow_ms) + 11 * sizeof(u64),
               "the durations lie side by side");

static bool ids_live(const struct state *state, u32 kind, const u8 *ids, u32 bytes)
{
    for (u32 i = 0; i + 1 < bytes; i += 2)
        if (!catalog_live(state, kind, (u32)ids[i] | (u32)ids[i + 1] << 8)) return false;
    return true;
}

static u32 parent_of(const struct state *state, u32 kind, u32 id)
{
    return kind == TKD_KIND_QUEUE ? queue_row(state, id)->parent : category_row(state, id)->parent;
}

static bool kind_is_tree(u32 kind) { return kind == TKD_KIND_QUEUE || kind == TKD_KIND_CATEGORY; }

/* Up from an entry nothing comes twice, no more than so many levels, and above a live entry all are live. */
bool catalog_path_valid(const struct state *state, u32 kind, u32 id)
{
    const struct entry *entry = catalog_entry_at(state, kind, id);
    u32 depth = 0;
    for (u32 at = entry == NULL ? 0 : parent_of(state, kind, id); at != 0; at = parent_of(state, kind, at)) {
        const struct entry *above = catalog_entry_at(state, kind, at);
        if (above == NULL || ++depth >= TREE_DEPTH_MAX || (above->retired && !entry->retired)) return false;
    }
    return true;
}

static bool tree_valid(const struct state *state, u32 kind)
{
    for (u32 id = 1; id <= catalog_last(state, kind); id++)
        if (!catalog_path_valid(state, kind, id)) return false;
    return true;
}

/* References, when all records stand in their rows. */
static enum tkd_status change_check_references(const struct state *state, const struct change *change)
{
    const struct tkd_catalog_entry *request = &change->request;
    if (kind_is_tree(change->kind) && !catalog_path_valid(state, change->kind, request->id)) return TKD_BAD_REFERENCE;
    if (request->retired || change->kind == TKD_KIND_DESK) return TKD_OK;
    bool live = ids_live(state, TKD_KIND_SKILL, change->skills, request->skills_bytes) &&
                ids_live(state, TKD_KIND_QUEUE, change->queues, request->queues_bytes) &&
                ids_live(state, TKD_KIND_CATEGORY, change->categories, request->categories_bytes) &&
                ids_live(state, TKD_KIND_CHANNEL, change->channels, request->channels_bytes) &&
                ids_live(state, TKD_KIND_TIER, change->tiers, request->tiers_bytes);
    return live ? TKD_OK : TKD_BAD_REFERENCE;
}

/* ---- Writing rows ---- */

static void bits_of_ids(u64 *bits, u32 words, const u8 *ids, u32 bytes)
{
    memset(bits, 0, words * sizeof(u64));
    for (u32 i = 0; i + 1 < bytes; i += 2) {
        u32 id = (u32)ids[i] | (u32)ids[i + 1] << 8;
        if (id < words * 64) bit_set(bits, id);
    }
}

/* The set of a record's skills, U32_NONE: there is no room for it. They are checked afterwards: unknown ones make
 * the whole apply fail. */
static u32 set_of(struct state *state, const struct change *change)
{
    u64 skills[SKILL_WORDS];
    bits_of_ids(skills, SKILL_WORDS, change->skills, change->request.skills_bytes);
    return skill_set_intern(state, skills);
}

static void queue_write(struct state *state, const struct change *change)
{
    const struct tkd_catalog_entry *request = &change->request;
    struct queue *queue = queue_edit(state, request->id);
    queue->parent = request->parent;
    queue->skill_set = set_of(state, change);
    queue->step_ms = request->step_ms;
    queue->yellow_ms = request->yellow_ms;
    queue->yellow_percent = request->yellow_percent;
    queue->states_step = request->states_step != 0 ? (u16)request->states_step
                                                   : 1u << TKD_STATE_NEW | 1u << TKD_STATE_OPEN;
    queue->strategy = request->strategy;
}

static void agent_write(struct state *state, const struct change *change)
{
    const struct tkd_catalog_entry *request = &change->request;
    struct agent *agent = agent_edit(state, request->id);
    agent->capacity = request->capacity;
    agent->all_queues = request->all_queues;
    bits_of_ids(agent->skills, SKILL_WORDS, change->skills, request->skills_bytes);
    bits_of_ids(agent->queues, QUEUE_WORDS, change->queues, request->queues_bytes);
}

static void policy_write(struct state *state, const struct change *change)
{
    const struct tkd_catalog_entry *request = &change->request;
    struct policy *policy = policy_edit(state, request->id);
    policy->order = request->order;
    policy->yellow_percent = request->yellow_percent;
    policy->yellow_ms = request->yellow_ms;
    memcpy(policy->first_reply_ms + 1, &request->first_reply_urgent_ms, 4 * sizeof(u64));
    memcpy(policy->resolution_ms + 1, &request->resolution_urgent_ms, 4 * sizeof(u64));
    policy->states_first_reply = request->states_first_reply;
    policy->states_resolution = request->states_resolution;
    policy->priorities = request->priorities;
    policy->any_category = request->categories_bytes == 0;
    policy->any_channel = request->channels_bytes == 0;
    policy->any_tier = request->tiers_bytes == 0;
    bits_of_ids(&policy->tiers, 1, change->tiers, request->tiers_bytes);
    bits_of_ids(policy->channels, CHANNEL_WORDS, change->channels, request->channels_bytes);
    bits_of_ids(policy->categories, CATEGORY_WORDS, change->categories, request->categories_bytes);
}

static void desk_write(struct state *state, const struct change *change)
{
    struct desk *desk = desk_edit(state);
    desk->archive_after_ms =
        change->request.archive_after_ms != 0 ? change->request.archive_after_ms : ARCHIVE_AFTER_MS;
    memset(desk->name, 0, sizeof desk->name);
    memcpy(desk->name, change->name, change->request.name_bytes);
    desk->name_bytes = change->request.name_bytes;
}

static void entry_write(struct state *state, const struct change *change)
{
    struct table *table = &state->tables[kinds[change->kind].table];
    u32 id = change->request.id;
    if (!table_used(table, id)) table_take_at(table, id);
    struct entry *entry = table_edit(table, id);
    if (entry->id != 0) index_remove(&state->names, entry_hash(state, change->kind, entry),
                                     change->kind << 16 | id);
    entry->id = id;
    entry->retired = change->request.retired;
    entry->name_bytes = change->request.name_bytes;
    memset(entry->name, 0, sizeof entry->name);
    memcpy(entry->name, change->name, entry->name_bytes);
    index_insert(&state->names, entry_hash(state, change->kind, entry), change->kind << 16 | id);
}

static void change_write(struct state *state, const struct change *change)
{
    if (change->kind == TKD_KIND_DESK) {
        desk_write(state, change);
        return;
    }
    entry_write(state, change);
    u32 id = change->request.id;
    if (change->kind == TKD_KIND_CATEGORY) {
        struct category *category = category_edit(state, id);
        category->parent = change->request.parent;
        category->skill_set = set_of(state, change);
    }
    if (change->kind == TKD_KIND_QUEUE) {
        queue_write(state, change);
        if (!table_used(&state->tables[TABLE_TALLY], id)) {
            table_take_at(&state->tables[TABLE_TALLY], id);
            tally_edit(state, id)->id = id;
        }
    }
    if (change->kind == TKD_KIND_AGENT) {
        agent_write(state, change);
        if (!table_used(&state->tables[TABLE_SEAT], id)) {
            table_take_at(&state->tables[TABLE_SEAT], id);
            *seat_edit(state, id) = (struct seat){.id = id, .presence = TKD_PRESENCE_OFFLINE};
        }
    }
    if (change->kind == TKD_KIND_POLICY) policy_write(state, change);
}

/* ---- All or nothing ---- */

/* The rows as they were, to put back: {row, undo_head} one after another. */
struct undo {
    u8 *at;
    u8 *end;
    u32 sets;   /* of skills, so far */
    bool sweep; /* something has changed that tickets depend on */
};

struct undo_head {
    u32 kind;
    u32 id;
    u32 used;
    u32 bytes;
};

static void undo_save(struct state *state, struct undo *undo, const struct change *change)
{
    bool desk = change->kind == TKD_KIND_DESK;
    const struct table *table = &state->tables[desk ? TABLE_DESK : kinds[change->kind].table];
    struct undo_head head = {.kind = change->kind, .id = change->request.id, .bytes = table->row_bytes};
    head.used = table_used(table, head.id);
    undo->sweep |= desk || change->kind == TKD_KIND_POLICY ||
                   (head.used && (change->kind == TKD_KIND_QUEUE || change->kind == TKD_KIND_CATEGORY));
    ASSERT(undo->at + sizeof head + head.bytes <= undo->end);
    memcpy(undo->at, table_row(table, head.id), head.bytes);
    memcpy(undo->at + head.bytes, &head, sizeof head);
    undo->at += head.bytes + sizeof head;
}

static void undo_row(struct state *state, const struct undo_head *head, const u8 *row)
{
    if (head->kind == TKD_KIND_DESK) {
        memcpy(desk_edit(state), row, head->bytes);
        return;
    }
    struct table *table = &state->tables[kinds[head->kind].table];
    struct entry *entry = table_edit(table, head->id);
    index_remove(&state->names, entry_hash(state, head->kind, entry), head->kind << 16 | head->id);
    MARK("catalog entry put back");
    if (!head->used) {
        table_give(table, head->id);
        if (head->kind == TKD_KIND_QUEUE) table_give(&state->tables[TABLE_TALLY], head->id);
        if (head->kind == TKD_KIND_AGENT) table_give(&state->tables[TABLE_SEAT], head->id);
        return;
    }
    memcpy(entry, row, head->bytes);
    index_insert(&state->names, entry_hash(state, head->kind, entry), head->kind << 16 | head->id);
}

static void undo_all(struct state *state, struct undo *undo)
{
    struct table *sets = &state->tables[TABLE_SKILL_SET]; /* dense: none is ever given back but here */
    for (u32 row = sets->rows_live; row > undo->sets; row--) {
        index_remove(&state->skill_sets, skills_hash(state, skill_set_row(state, row)->skills), row);
        table_give(sets, row);
    }
    while (undo->at > state->scratch) {
        struct undo_head head;
        undo->at -= sizeof head;
        memcpy(&head, undo->at, sizeof head);
        undo->at -= head.bytes;
        undo_row(state, &head, undo->at);
    }
}

/* Puts every record into its row; returns the index of the first one that is refused, or count. */
static u32 apply_rows(struct state *state, const struct tkd_frame *frame, struct undo *undo, enum tkd_status *status)
{
    const struct tkd_prefix *record = frame_first(frame);
    struct change change;
    for (u32 i = 0; i < frame->count; i++, record = record_next(record)) {
        change_read(&change, record);
        u32 expected = change.request.expected_version;
        *status = expected != 0 && expected != desk_row(state)->catalog_version ? TKD_VERSION_CONFLICT
                                                                                    : change_check(state, &change);
        if (*status == TKD_OK && (u64)(undo->end - undo->at) < 4096) *status = TKD_CATALOG_FULL;
        if (*status == TKD_OK && kind_is_tree(change.kind) && set_of(state, &change) == U32_NONE)
            *status = TKD_CATALOG_FULL;
        if (*status != TKD_OK) return i;
        undo_save(state, undo, &change);
        change_write(state, &change);
    }
    u32 of_kind[TKD_KIND_END] = {0}; /* the first record of a kind, + 1 */
    record = frame_first(frame);
    for (u32 i = 0; i < frame->count; i++, record = record_next(record)) {
        change_read(&change, record);
        *status = change_check_references(state, &change);
        if (*status != TKD_OK) return i;
        if (of_kind[change.kind] == 0) of_kind[change.kind] = i + 1;
    }
    /* What was moved or retired may have others below it. */
    *status = TKD_BAD_REFERENCE;
    for (u32 kind = TKD_KIND_CATEGORY; kind <= TKD_KIND_QUEUE; kind++)
        if (of_kind[kind] != 0 && !tree_valid(state, kind)) return of_kind[kind] - 1;
    *status = TKD_OK;
    return frame->count;
}

static void raise_changes(struct state *state, const struct tkd_frame *frame)
{
    const struct tkd_prefix *record = frame_first(frame);
    for (u32 i = 0; i < frame->count; i++, record = record_next(record)) {
        struct tkd_event *event = event_raise(state, TKD_EVENT_CATALOG, 0, record, record->size);
        event->a = record->kind;
        event->b = ((const struct tkd_catalog_entry *)record)->id;
        event->c = (u32)desk_row(state)->catalog_version;
    }
}

/* ---- Sweep: every ticket is brought in line, some rows a PULSE; nothing else happens meanwhile. ---- */

static void sweep_begin(struct state *state)
{
    wheel_reset(&state->wheel, state->now_ms);
    wheel_forget(&state->wheel, ticket_timer(0), state->tables[TABLE_TICKET].row_last + 1);
    wheel_forget(&state->wheel, task_timer(state, 0), state->tables[TABLE_TASK].row_last + 1);
    desk_edit(state)->sweep_row = 1;
}

void catalog_sweep(struct state *state)
{
    struct desk *desk = desk_edit(state);
    const struct table *tickets = &state->tables[TABLE_TICKET];
    u32 row = table_next(tickets, (u32)desk->sweep_row);
    for (u32 i = 0; i < SWEEP_ROWS_MAX && row != 0; i++) {
        ticket_sweep(state, row);
        row = table_next(tickets, row + 1);
    }
    desk->sweep_row = row;
    MARK_IF(desk->sweep_row == 0, "sweep finished");
    if (desk->sweep_row == 0) route_all(state);
}

void catalog_apply(struct state *state, const struct tkd_frame *frame, struct tkd_result *results)
{
    struct undo undo = {.at = state->scratch,
                        .end = state->scratch + SCRATCH_BYTES,
                        .sets = state->tables[TABLE_SKILL_SET].rows_live};
    enum tkd_status status;
    u32 refused = apply_rows(state, frame, &undo, &status);
    bool done = refused == frame->count;
    if (done) {
        desk_edit(state)->catalog_version++;
        raise_changes(state, frame);
        catalog_derive(state);
        if (undo.sweep && state->tables[TABLE_TICKET].rows_live != 0) sweep_begin(state);
        else route_all(state);
    } else {
        undo_all(state, &undo);
    }
    const struct tkd_prefix *record = frame_first(frame);
    for (u32 i = 0; i < frame->count; i++, record = record_next(record)) {
        results[i] = (struct tkd_result){.status = done ? TKD_OK : TKD_NOT_RUN,
                                         .version = (u32)desk_row(state)->catalog_version,
                                         .id = record->head >= 12 ? ((const struct tkd_catalog_entry *)record)->id : 0};
        if (i == refused) results[i].status = status;
    }
}

/* ---- Derived ---- */

static void derive_agents(struct state *state)
{
    struct route *route = &state->route;
    u32 last = state->tables[TABLE_AGENT].row_last;
    memset(route->everywhere, 0, AGENT_WORDS * sizeof(u64));
    memset(route->members, 0, (state->tables[TABLE_QUEUE].row_last + 1) * AGENT_WORDS * sizeof(u64));
    memset(route->skilled, 0, (state->tables[TABLE_SKILL].row_last + 1) * AGENT_WORDS * sizeof(u64));
    route->words = last / 64 + 1;
    for (u32 id = 1; id <= last; id++) {
        if (!catalog_live(state, TKD_KIND_AGENT, id)) continue;
        const struct agent *agent = agent_row(state, id);
        if (agent->all_queues) bit_set(route->everywhere, id);
        for (u32 word = 0; word < QUEUE_WORDS; word++)
            for (u64 bits = agent->queues[word]; bits != 0; bits &= bits - 1)
                bit_set(route->members + (word * 64 + bit_lowest(bits)) * AGENT_WORDS, id);
        for (u32 word = 0; word < SKILL_WORDS; word++)
            for (u64 bits = agent->skills[word]; bits != 0; bits &= bits - 1)
                bit_set(route->skilled + (word * 64 + bit_lowest(bits)) * AGENT_WORDS, id);
    }
    for (u32 id = 1; id <= last; id++)
        if (table_used(&state->tables[TABLE_AGENT], id)) route_refresh(state, id);
}

static bool policy_before(const struct state *state, u32 a, u32 b)
{
    u32 x = policy_row(state, a)->order, y = policy_row(state, b)->order;
    return x != y ? x < y : a < b;
}

static void derive_policies(struct state *state)
{
    state->policies_count = 0;
    for (u32 id = 1; id <= state->tables[TABLE_POLICY].row_last; id++) {
        if (!catalog_live(state, TKD_KIND_POLICY, id)) continue;
        u32 at = state->policies_count++;
        for (; at > 0 && policy_before(state, id, state->policies[at - 1]); at--)
            state->policies[at] = state->policies[at - 1];
        state->policies[at] = id;
    }
}

void catalog_derive(struct state *state)
{
    derive_agents(state);
    derive_policies(state);
}

void catalog_loaded(struct state *state)
{
    for (u32 kind = 1; kind < TKD_KIND_END; kind++) {
        if (!kinds[kind].named) continue;
        for (u32 id = 1; id <= kind_table(state, kind)->row_last; id++) {
            const struct entry *entry = catalog_entry_at(state, kind, id);
            if (entry == NULL) continue;
            index_insert(&state->names, entry_hash(state, kind, entry), kind << 16 | id);
        }
    }
    for (u32 row = 1; row <= state->tables[TABLE_SKILL_SET].row_last; row++)
        index_insert(&state->skill_sets, skills_hash(state, skill_set_row(state, row)->skills), row);
    catalog_derive(state);
}

/* ---- Writing an entry as a record ---- */

struct writer {
    u8 *to;
    u32 used;
    u32 bytes_max;
};

static u32 write_bytes(struct writer *writer, const void *data, u32 bytes)
{
    ASSERT(writer->used + bytes <= writer->bytes_max);
    memcpy(writer->to + writer->used, data, bytes);
    writer->used += bytes;
    return bytes;
}

static u32 write_bits(struct writer *writer, const u64 *bits, u32 words)
{
    u32 begin = writer->used;
    for (u32 word = 0; word < words; word++)
        for (u64 left = bits[word]; left != 0; left &= left - 1) {
            u16 id = (u16)(word * 64 + bit_lowest(left));
            write_bytes(writer, &id, sizeof id);
        }
    return writer->used - begin;
}

static u32 write_set(struct writer *writer, const struct state *state, u32 set)
{
    return set == 0 ? 0 : write_bits(writer, skill_set_row(state, set)->skills, SKILL_WORDS);
}

static void policy_record(struct writer *writer, const struct policy *policy, struct tkd_catalog_entry *record)
{
    record->order = policy->order;
    record->yellow_percent = policy->yellow_percent;
    record->yellow_ms = policy->yellow_ms;
    memcpy(&record->first_reply_urgent_ms, policy->first_reply_ms + 1, 4 * sizeof(u64));
    memcpy(&record->resolution_urgent_ms, policy->resolution_ms + 1, 4 * sizeof(u64));
    record->states_first_reply = policy->states_first_reply;
    record->states_resolution = policy->states_resolution;
    record->priorities = policy->priorities;
    if (!policy->any_category) record->categories_bytes = write_bits(writer, policy->categories, CATEGORY_WORDS);
    if (!policy->any_channel) record->channels_bytes = write_bits(writer, policy->channels, CHANNEL_WORDS);
    if (!policy->any_tier) record->tiers_bytes = write_bits(writer, &policy->tiers, 1);
}

static void desk_record(struct writer *writer, const struct state *state, struct tkd_catalog_entry *record)
{
    const struct desk *desk = desk_row(state);
    record->archive_after_ms = desk->archive_after_ms;
    record->name_bytes = write_bytes(writer, desk->name, desk->name_bytes);
}

static void entry_record(struct writer *writer, const struct state *state, u32 kind, u32 id,
                         struct tkd_catalog_entry *record)
{
    const struct entry *entry = catalog_entry_at(state, kind, id);
    record->retired = (u8)entry->retired;
    record->name_bytes = write_bytes(writer, entry->name, entry->name_bytes);
    if (kind == TKD_KIND_CATEGORY) {
        record->parent = category_row(state, id)->parent;
        record->skills_bytes = write_set(writer, state, category_row(state, id)->skill_set);
    }
    if (kind == TKD_KIND_QUEUE) {
        const struct queue *queue = queue_row(state, id);
        record->parent = queue->parent;
        record->step_ms = queue->step_ms;
        record->yellow_ms = queue->yellow_ms;
        record->yellow_percent = queue->yellow_percent;
        record->states_step = queue->states_step;
        record->strategy = queue->strategy;
        record->skills_bytes = write_set(writer, state, queue->skill_set);
    }
    if (kind == TKD_KIND_AGENT) {
        const struct agent *agent = agent_row(state, id);
        record->capacity = agent->capacity;
        record->all_queues = (u8)agent->all_queues;
        record->skills_bytes = write_bits(writer, agent->skills, SKILL_WORDS);
        record->queues_bytes = write_bits(writer, agent->queues, QUEUE_WORDS);
    }
    if (kind == TKD_KIND_POLICY) policy_record(writer, policy_row(state, id), record);
}

u32 catalog_entry_write(const struct state *state, u32 kind, u32 id, void *to, u32 bytes_max)
{
    struct tkd_catalog_entry record = {.head = sizeof record, .kind = (u16)kind, .id = id};
    struct writer writer = {.to = to, .used = sizeof record, .bytes_max = bytes_max};
    record.expected_version = (u32)desk_row(state)->catalog_version;
    if (kind == TKD_KIND_DESK) desk_record(&writer, state, &record);
    else entry_record(&writer, state, kind, id, &record);
    while (writer.used % 8 != 0) write_bytes(&writer, "", 1);
    record.size = writer.used;
    memcpy(to, &record, sizeof record);
    return record.size;
}
