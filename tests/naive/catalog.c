/* The catalog: entries as they came. An apply works on a copy, which is thrown away when a record is refused. */
#include "tests/naive/desk.h"

static const u32 ids_max[TKD_KIND_END] = {
    [TKD_KIND_SKILL] = SKILLS_MAX,         [TKD_KIND_CHANNEL] = CHANNELS_MAX, [TKD_KIND_TIER] = TIERS_MAX,
    [TKD_KIND_CATEGORY] = CATEGORIES_MAX, [TKD_KIND_QUEUE] = QUEUES_MAX,     [TKD_KIND_AGENT] = AGENTS_MAX,
    [TKD_KIND_POLICY] = POLICIES_MAX,
};

static const struct naive_entry *find(const struct naive_catalog *catalog, u32 kind, u32 id)
{
    const struct naive_entries *entries = &catalog->kinds[kind];
    for (u32 i = 0; i < entries->count; i++)
        if (entries->at[i]->head.id == id) return entries->at[i];
    return NULL;
}

const struct naive_entry *naive_entry(const struct naive *desk, u32 kind, u32 id)
{
    return find(&desk->catalog, kind, id);
}

static const struct naive_entry *find_live(const struct naive_catalog *catalog, u32 kind, u32 id)
{
    const struct naive_entry *entry = find(catalog, kind, id);
    return entry == NULL || entry->head.retired ? NULL : entry;
}

const struct naive_entry *naive_live(const struct naive *desk, u32 kind, u32 id)
{
    return find_live(&desk->catalog, kind, id);
}

/* ---- Checks ---- */

static bool printable(struct naive_text text)
{
    for (u32 i = 0; i < text.bytes; i++)
        if ((u8)text.at[i] < ' ') return false;
    return true;
}

static bool durations_fit(const struct tkd_catalog_entry *head)
{
    const u64 ms[] = {head->yellow_ms,
                      head->step_ms,
                      head->first_reply_urgent_ms,
                      head->first_reply_high_ms,
                      head->first_reply_normal_ms,
                      head->first_reply_low_ms,
                      head->resolution_urgent_ms,
                      head->resolution_high_ms,
                      head->resolution_normal_ms,
                      head->resolution_low_ms};
    for (u32 i = 0; i < ARRAY_COUNT(ms); i++)
        if (ms[i] > DURATION_MS_MAX) return false;
    return true;
}

static bool values_fit(u32 kind, const struct naive_entry *entry)
{
    const struct tkd_catalog_entry *head = &entry->head;
    u64 states = head->states_first_reply | head->states_resolution | head->states_step;
    if (entry->name.bytes == 0 || head->retired > 1 || head->all_queues > 1) return false;
    if (kind == TKD_KIND_QUEUE && (head->strategy < TKD_STRATEGY_LEAST_LOADED || head->strategy > TKD_STRATEGY_CLAIM))
        return false;
    if (head->capacity > CAPACITY_MAX || head->yellow_percent > 100) return false;
    if (states & 1 || states >> TKD_STATE_END != 0) return false;
    if (head->priorities & 1 || head->priorities >> TKD_PRIORITY_END != 0) return false;
    return durations_fit(head);
}

static enum tkd_status check_value(const struct naive_catalog *catalog, u32 kind, const struct naive_entry *entry)
{
    const struct tkd_catalog_entry *head = &entry->head;
    if (head->expected_version != 0 && head->expected_version != catalog->version) return TKD_VERSION_CONFLICT;
    if (!printable(entry->name) || head->archive_after_ms > DURATION_MS_MAX) return TKD_BAD_VALUE;
    if (kind == TKD_KIND_DESK) return head->id == 1 ? TKD_OK : TKD_BAD_VALUE;
    if (head->id == 0) return TKD_BAD_VALUE;
    if (head->id > ids_max[kind]) return TKD_CATALOG_FULL;
    if (!values_fit(kind, entry)) return TKD_BAD_VALUE;
    const struct naive_entries *others = &catalog->kinds[kind];
    for (u32 i = 0; i < others->count; i++)
        if (others->at[i]->head.id != head->id && naive_same(others->at[i]->name, entry->name.at, entry->name.bytes))
            return TKD_NAME_TAKEN;
    return TKD_OK;
}

static bool all_live(const struct naive_catalog *catalog, u32 kind, struct naive_ids ids)
{
    for (u32 i = 0; i < ids.count; i++)
        if (find_live(catalog, kind, naive_id(ids, i)) == NULL) return false;
    return true;
}

/* What is above an entry exists, is not the entry, is not too far up, and lives if the entry does. */
static bool path_valid(const struct naive_catalog *catalog, u32 kind, const struct naive_entry *entry)
{
    u32 depth = 0;
    for (u32 id = entry->head.parent; id != 0;) {
        const struct naive_entry *above = find(catalog, kind, id);
        if (above == NULL || ++depth >= TREE_DEPTH_MAX || (above->head.retired && !entry->head.retired)) return false;
        id = above->head.parent;
    }
    return true;
}

static bool references_fit(const struct naive_catalog *catalog, u32 kind, const struct naive_entry *entry)
{
    if (entry->head.retired || kind == TKD_KIND_DESK) return true;
    return all_live(catalog, TKD_KIND_SKILL, entry->skills) && all_live(catalog, TKD_KIND_QUEUE, entry->queues) &&
           all_live(catalog, TKD_KIND_CATEGORY, entry->categories) &&
           all_live(catalog, TKD_KIND_CHANNEL, entry->channels) && all_live(catalog, TKD_KIND_TIER, entry->tiers);
}

/* ---- Applying ---- */

static struct naive_ids take_ids(const char **at, u32 bytes)
{
    struct naive_ids ids = {.at = (const u8 *)*at, .count = bytes / 2};
    *at += bytes;
    return ids;
}

static const struct naive_entry *entry_of(struct naive *desk, const struct tkd_prefix *record)
{
    struct naive_entry *entry = naive_alloc(desk, sizeof *entry);
    const struct tkd_prefix *copy = naive_copy(desk, record, record->size);
    record_head(copy, &entry->head, sizeof entry->head);
    const char *at = record_texts(copy);
    entry->name = (struct naive_text){.at = at, .bytes = entry->head.name_bytes};
    at += entry->head.name_bytes;
    entry->skills = take_ids(&at, entry->head.skills_bytes);
    entry->queues = take_ids(&at, entry->head.queues_bytes);
    entry->categories = take_ids(&at, entry->head.categories_bytes);
    entry->channels = take_ids(&at, entry->head.channels_bytes);
    entry->tiers = take_ids(&at, entry->head.tiers_bytes);
    return entry;
}

/* Puts the entry into its place by id. True: it replaced one. */
static bool put(struct naive_catalog *catalog, u32 kind, const struct naive_entry *entry)
{
    if (kind == TKD_KIND_DESK) {
        catalog->archive_after_ms = entry->head.archive_after_ms != 0 ? entry->head.archive_after_ms
                                                                      : ARCHIVE_AFTER_MS;
        catalog->name = entry->name;
        return true;
    }
    struct naive_entries *entries = &catalog->kinds[kind];
    u32 at = entries->count;
    while (at > 0 && entries->at[at - 1]->head.id >= entry->head.id) at--;
    bool replaced = at < entries->count && entries->at[at]->head.id == entry->head.id;
    if (!replaced) {
        memmove(entries->at + at + 1, entries->at + at, (entries->count - at) * sizeof *entries->at);
        entries->count++;
    }
    entries->at[at] = entry;
    return replaced;
}

/* With room for so many more entries of every kind. */
static struct naive_catalog catalog_copy(struct naive *desk, u32 more)
{
    struct naive_catalog copy = desk->catalog;
    for (u32 kind = 1; kind < TKD_KIND_END; kind++) {
        struct naive_entries *entries = &copy.kinds[kind];
        const struct naive_entry **at = naive_alloc(desk, (entries->count + more) * sizeof *at);
        if (entries->count != 0) memcpy(at, entries->at, entries->count * sizeof *at);
        entries->at = at;
    }
    return copy;
}

/* All records into the catalog; returns the first that is refused, or the count. `sweep`: tickets depend on
 * something that has changed. */
static u32 apply_all(struct naive *desk, struct naive_catalog *catalog, const struct tkd_frame *frame,
                     const struct naive_entry **entries, enum tkd_status *status, bool *sweep)
{
    const struct tkd_prefix *record = frame_first(frame);
    u32 i, first_of[TKD_KIND_END] = {0};
    for (i = 0; i < frame->count; i++, record = record_next(record)) {
        entries[i] = entry_of(desk, record);
        *status = check_value(catalog, record->kind, entries[i]);
        bool needs = record->kind == TKD_KIND_QUEUE || record->kind == TKD_KIND_CATEGORY;
        if (*status == TKD_OK && needs && !naive_set_fits(desk, naive_skills_of(entries[i]->skills)))
            *status = TKD_CATALOG_FULL;
        if (*status != TKD_OK) return i;
        bool replaced = put(catalog, record->kind, entries[i]);
        *sweep |= record->kind == TKD_KIND_POLICY || record->kind == TKD_KIND_DESK ||
                  (replaced && (record->kind == TKD_KIND_QUEUE || record->kind == TKD_KIND_CATEGORY));
    }
    *status = TKD_BAD_REFERENCE;
    record = frame_first(frame);
    for (i = 0; i < frame->count; i++, record = record_next(record)) {
        u32 id = entries[i]->head.id;
        const struct naive_entry *last = record->kind == TKD_KIND_DESK ? entries[i] : find(catalog, record->kind, id);
        bool tree = record->kind == TKD_KIND_QUEUE || record->kind == TKD_KIND_CATEGORY;
        if (tree && !path_valid(catalog, record->kind, last)) return i;
        if (!references_fit(catalog, record->kind, entries[i])) return i;
        if (first_of[record->kind] == 0) first_of[record->kind] = i + 1;
    }
    /* What was moved or retired may have others below it. */
    for (u32 kind = TKD_KIND_CATEGORY; kind <= TKD_KIND_QUEUE; kind++)
        for (u32 at = 0; first_of[kind] != 0 && at < catalog->kinds[kind].count; at++)
            if (!path_valid(catalog, kind, catalog->kinds[kind].at[at])) return first_of[kind] - 1;
    *status = TKD_OK;
    return frame->count;
}

static bool any_ticket(const struct naive *desk)
{
    for (u64 row = 1; row <= desk->rows.count; row++)
        if (naive_row(desk, row) != NULL) return true;
    return false;
}

static void applied(struct naive *desk, const struct tkd_frame *frame, bool sweep)
{
    const struct tkd_prefix *record = frame_first(frame);
    desk->catalog.version++;
    for (u32 i = 0; i < frame->count; i++, record = record_next(record)) {
        struct tkd_event *event = naive_raise(desk, TKD_EVENT_CATALOG, NULL, record, record->size);
        event->a = record->kind;
        event->b = ((const struct tkd_catalog_entry *)record)->id;
        event->c = (u32)desk->catalog.version;
    }
    if (sweep && any_ticket(desk)) desk->sweep_row = 1;
    else naive_serve_all(desk);
}

void naive_catalog_apply(struct naive *desk, const struct tkd_frame *frame)
{
    struct naive_catalog copy = catalog_copy(desk, frame->count);
    const struct naive_entry **entries = naive_alloc(desk, frame->count * sizeof *entries);
    enum tkd_status status;
    bool sweep = false;
    u64 sets = desk->sets.count;
    u32 refused = apply_all(desk, &copy, frame, entries, &status, &sweep);
    bool done = refused == frame->count;
    if (done) {
        desk->catalog = copy;
        applied(desk, frame, sweep);
    } else {
        desk->sets.count = sets;
    }
    const struct tkd_prefix *record = frame_first(frame);
    for (u32 i = 0; i < frame->count; i++, record = record_next(record)) {
        struct tkd_catalog_entry head;
        record_head(record, &head, sizeof head);
        desk->results[i] = (struct tkd_result){.status = done ? TKD_OK : TKD_NOT_RUN,
                                               .version = (u32)desk->catalog.version,
                                               .id = head.id};
        if (i == refused) desk->results[i].status = status;
    }
}

/* Brings the next tickets in line; after the last one work is given to everybody who can take it. */
void naive_catalog_sweep(struct naive *desk)
{
    u64 row = desk->sweep_row;
    for (u32 swept = 0; swept < SWEEP_ROWS_MAX && row <= desk->rows.count; row++) {
        if (naive_row(desk, row) == NULL) continue;
        naive_sweep(desk, naive_row(desk, row));
        swept++;
    }
    while (row <= desk->rows.count && naive_row(desk, row) == NULL) row++;
    desk->sweep_row = row <= desk->rows.count ? row : 0;
    if (desk->sweep_row == 0) naive_serve_all(desk);
}
