#include "core/stats.h"

#include "base/mark.h"
#include "core/desk.h"

#define KEY_DIMENSION_SHIFT 56
#define KEY_HOUR_SHIFT 24

static u64 stats_key(u32 dimension, u64 hour, u32 member)
{
    return (u64)dimension << KEY_DIMENSION_SHIFT | hour << KEY_HOUR_SHIFT | member;
}

u32 stats_dimension(const struct stats *stats) { return (u32)(stats->key >> KEY_DIMENSION_SHIFT); }
u32 stats_member(const struct stats *stats) { return (u32)stats->key & ((1u << KEY_HOUR_SHIFT) - 1); }
u64 stats_hour_ms(const struct stats *stats) { return (stats->key >> KEY_HOUR_SHIFT & UINT32_MAX) * HOUR_MS; }

static u64 stats_hash(const struct state *state, u64 key) { return hash_u64(key ^ state->config.secret); }

static u32 stats_find(const struct state *state, u64 key)
{
    u64 hash = stats_hash(state, key);
    u32 row;
    for (u64 at = index_seek(&state->stats, hash); (row = index_candidate(&state->stats, hash, &at));)
        if (stats_row(state, row)->key == key) return row;
    return 0;
}

static u32 stats_open(struct state *state, u64 key)
{
    u32 row = table_take(&state->tables[TABLE_STATS]);
    stats_edit(state, row)->key = key;
    state->stats_dimensions[row] = (u8)stats_dimension(stats_row(state, row));
    index_insert(&state->stats, stats_hash(state, key), row);
    return row;
}

/* The row of this hour (or, when there is no room for one, the dimension's spare row). */
static u32 stats_find_or_open(struct state *state, u32 dimension, u64 hour, u32 member)
{
    u64 key = stats_key(dimension, hour, member);
    u32 row = stats_find(state, key);
    if (row == 0 && table_free(&state->tables[TABLE_STATS]) == 0)
        row = stats_find(state, stats_key(dimension, 0, 0));
    MARK_IF(row != 0 && stats_row(state, row)->key != key, "counted in the spare row");
    if (row == 0) row = stats_open(state, key);
    ASSERT(row != 0);
    return row;
}

bool stats_spare(const struct state *state)
{
    u32 found = 0;
    const struct table *table = &state->tables[TABLE_STATS];
    for (u32 row = 1; row <= table->row_last; row++) {
        const struct stats *stats = stats_row(state, row);
        found += stats->key != 0 && stats->key == stats_key(stats_dimension(stats), 0, 0);
    }
    return found == STATS_DIMENSIONS - 1;
}

void stats_begin(struct state *state)
{
    for (u32 dimension = 1; dimension < STATS_DIMENSIONS; dimension++)
        stats_open(state, stats_key(dimension, 0, 0));
}

static inline void rows_add(struct state *state, struct stats_rows *rows, u32 dimension, u32 hour, u32 member)
{
    if (member == 0) return;
    struct stats_current *current = &state->stats_current[dimension][member];
    if (current->hour != hour || current->row == 0)
        *current = (struct stats_current){hour, stats_find_or_open(state, dimension, hour, member)};
    rows->counters[rows->count++] = stats_edit(state, current->row)->counters;
}

void stats_rows(struct state *state, const struct ticket *ticket, struct stats_rows *rows)
{
    u32 hour = (u32)(state->now_ms / HOUR_MS);
    rows->count = 0;
    rows_add(state, rows, TKD_DIMENSION_DESK, hour, 1);
    rows_add(state, rows, TKD_DIMENSION_QUEUE, hour, ticket->queue);
    rows_add(state, rows, TKD_DIMENSION_AGENT, hour, ticket->agent);
    rows_add(state, rows, TKD_DIMENSION_CHANNEL, hour, ticket->channel);
    rows_add(state, rows, TKD_DIMENSION_CATEGORY, hour, ticket->category);
    rows_add(state, rows, TKD_DIMENSION_PRIORITY, hour, ticket->priority);
    rows_add(state, rows, TKD_DIMENSION_TIER, hour, customer_row(state, ticket->customer)->tier);
}

void stats_add(const struct stats_rows *rows, enum stats_counter counter, u64 amount)
{
    if (amount == 0) return;
    for (u32 i = 0; i < rows->count; i++) rows->counters[i][counter] += amount;
}

void stats_count(struct state *state, const struct ticket *ticket, enum stats_counter counter, u64 amount)
{
    if (amount == 0) return;
    struct stats_rows rows;
    stats_rows(state, ticket, &rows);
    stats_add(&rows, counter, amount);
}

void stats_loaded(struct state *state)
{
    for (u32 row = 1; row <= state->tables[TABLE_STATS].row_last; row++) {
        state->stats_dimensions[row] = (u8)stats_dimension(stats_row(state, row));
        if (stats_row(state, row)->key != 0)
            index_insert(&state->stats, stats_hash(state, stats_row(state, row)->key), row);
    }
}

/* ---- Reading ---- */

u32 stats_since(const struct state *state, u64 time_ms)
{
    u32 first = 1, end = state->tables[TABLE_STATS].row_last + 1;
    while (first < end) {
        u32 middle = first + (end - first) / 2;
        if (stats_hour_ms(stats_row(state, middle)) < time_ms) first = middle + 1;
        else end = middle;
    }
    return first;
}

/* Has the word a byte of this value? */
static bool word_has(u64 word, u32 byte)
{
    u64 ones = UINT64_MAX / UINT8_MAX, zero = word ^ ones * byte;
    return ((zero - ones) & ~zero & ones << 7) != 0;
}

u32 stats_seek(const struct state *state, u32 dimension, u32 row, u32 end)
{
    const u8 *dimensions = state->stats_dimensions;
    while (row < end && dimensions[row] != dimension) {
        row++;
        if (row % sizeof(u64) != 0) continue;
        const u64 *words = (const u64 *)(const void *)dimensions;
        while (row + sizeof(u64) <= end && !word_has(words[row / sizeof(u64)], dimension)) row += (u32)sizeof(u64);
    }
    return row;
}
