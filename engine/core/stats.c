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

/* ---- Sums of blocks ---- */

#define LOAD_AHEAD 16u
#define FOLD_ROWS 2u /* for each row that is opened: two, so that what is left never exceeds the rows of an hour */

u32 stats_table(u32 dimension)
{
    static const u8 tables[STATS_DIMENSIONS] = {
        [TKD_DIMENSION_QUEUE] = TABLE_QUEUE,       [TKD_DIMENSION_AGENT] = TABLE_AGENT,
        [TKD_DIMENSION_CHANNEL] = TABLE_CHANNEL,   [TKD_DIMENSION_TIER] = TABLE_TIER,
        [TKD_DIMENSION_CATEGORY] = TABLE_CATEGORY,
    };
    return tables[dimension];
}

u32 stats_member_last(const struct state *state, u32 dimension)
{
    u32 table = stats_table(dimension);
    return table == 0 ? TKD_PRIORITY_END - 1 : state->tables[table].row_last;
}

static u32 *sums_of(const struct state *state, const struct stats *stats)
{
    return &state->stats_sums.blocks[stats_dimension(stats)][(u64)stats_member(stats) * STATS_BLOCKS];
}

/* The newest sum of the blocks from..to - 1, 0 = none. */
static u32 sum_last(const u32 *blocks, u32 from, u32 to)
{
    while (to > from)
        if (blocks[--to] != 0) return blocks[to];
    return 0;
}

static void counters_add(u64 *to, const u64 *from)
{
    for (u32 i = 0; i < STATS_COUNTERS; i++) to[i] += from[i];
}

/* Adds the next row to the sum of its member and block. */
static void stats_fold_row(struct state *state)
{
    struct stats_sums *sums = &state->stats_sums;
    u32 row = sums->next++, block = stats_block(row);
    const struct stats *stats = stats_row(state, row);
    if (stats_member(stats) == 0) return; /* a spare row */
    u32 *blocks = sums_of(state, stats);
    if (blocks[block] == 0) {
        u32 before = sum_last(blocks, 0, block);
        blocks[block] = ++sums->count;
        sums->sums[sums->count] = sums->sums[before];
        sums->sums[sums->count].row = row;
        sums->sums[sums->count].before = before;
    }
    counters_add(sums->sums[blocks[block]].counters, stats->counters);
    MARK_IF(row % STATS_BLOCK_ROWS == 0, "block of counters added up");
}

/* At most `rows` of those before this hour. */
static void stats_fold(struct state *state, u64 hour, u32 rows)
{
    u32 *next = &state->stats_sums.next, last = state->tables[TABLE_STATS].row_last;
    for (; rows > 0 && *next <= last && stats_hour_ms(stats_row(state, *next)) < hour * HOUR_MS; rows--)
        stats_fold_row(state);
}

static u32 stats_open(struct state *state, u64 key, u64 hour)
{
    stats_fold(state, hour, FOLD_ROWS);
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
    if (row == 0) row = stats_open(state, key, hour);
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
        stats_open(state, stats_key(dimension, 0, 0), 0);
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
    u64 hour = state->time_ms / HOUR_MS;
    u32 last = state->tables[TABLE_STATS].row_last;
    for (u32 row = 1; row <= last; row++) {
        u64 key = stats_row(state, row)->key, key_ahead = stats_row(state, min_u32(row + LOAD_AHEAD, last))->key;
        index_prefetch(&state->stats, stats_hash(state, key_ahead));
        state->stats_dimensions[row] = (u8)stats_dimension(stats_row(state, row));
        if (key != 0) index_insert(&state->stats, stats_hash(state, key), row);
        stats_fold(state, hour, 1);
    }
}

/* The sums of one dimension counted again; returns how many there are. */
static u32 validate_sums(const struct state *state, u32 dimension)
{
    const struct stats_sums *sums = &state->stats_sums;
    u64(*counted)[STATS_COUNTERS] = (void *)state->scratch; /* by member */
    u32 count = 0;
    _Static_assert(SCRATCH_BYTES >= (AGENTS_MAX + 1) * sizeof *counted, "room for every member");
    for (u32 row = 1; (row = stats_seek(state, dimension, row, sums->next)) < sums->next; row++) {
        const struct stats *stats = stats_row(state, row);
        u32 member = stats_member(stats), block = stats_block(row), number = sums_of(state, stats)[block];
        if (member == 0) continue;
        const struct stats_sum *sum = &sums->sums[number];
        ASSERT(number != 0 && number <= sums->count && sum->row <= row);
        if (sum->row == row) {
            count++;
            ASSERT(sum->before == sum_last(sums_of(state, stats), 0, block));
            if (sum->before == 0) memset(counted[member], 0, sizeof *counted);
            ASSERT(memcmp(counted[member], sums->sums[sum->before].counters, sizeof *counted) == 0);
        }
        counters_add(counted[member], stats->counters);
    }
    for (u32 member = 1; member <= stats_member_last(state, dimension); member++) {
        u32 number = sum_last(&sums->blocks[dimension][(u64)member * STATS_BLOCKS], 0, STATS_BLOCKS);
        ASSERT(number == 0 || memcmp(counted[member], sums->sums[number].counters, sizeof *counted) == 0);
    }
    return count;
}

void stats_validate(const struct state *state)
{
    const struct stats_sums *sums = &state->stats_sums;
    const struct table *table = &state->tables[TABLE_STATS];
    u32 count = 0;
    ASSERT(state->stats.count == table->rows_live);
    ASSERT(sums->next >= 1 && sums->next <= table->row_last + 1);
    ASSERT(sums->next == 1 || stats_hour_ms(stats_row(state, sums->next - 1)) < state->time_ms / HOUR_MS * HOUR_MS);
    for (u32 row = 1; row <= table->row_last; row++)
        ASSERT(state->stats_dimensions[row] == stats_dimension(stats_row(state, row)));
    for (u32 dimension = 1; dimension < STATS_DIMENSIONS; dimension++) count += validate_sums(state, dimension);
    ASSERT(count == sums->count);
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

u32 stats_blocks(const struct state *state, u32 end) { return stats_block(min_u32(end, state->stats_sums.next)); }

bool stats_sum(const struct state *state, u32 dimension, u32 member, u32 from, u32 to, struct stats *sum)
{
    const struct stats_sums *sums = &state->stats_sums;
    const u32 *blocks = &sums->blocks[dimension][(u64)member * STATS_BLOCKS];
    while (from < to && blocks[from] == 0) from++;
    if (from == to) return false;
    const struct stats_sum *first = &sums->sums[blocks[from]], *last = &sums->sums[sum_last(blocks, from, to)];
    const u64 *before = sums->sums[first->before].counters;
    sum->key = stats_row(state, first->row)->key;
    for (u32 i = 0; i < STATS_COUNTERS; i++) sum->counters[i] = last->counters[i] - before[i];
    return true;
}
