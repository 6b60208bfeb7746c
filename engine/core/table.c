#include "core/table.h"

#include "base/mark.h"
#include "core/snapshot.h"

static u32 table_chunk_shift(u32 row_bytes)
{
    u32 shift = 0;
    while ((2u << shift) * row_bytes <= TABLE_CHUNK_BYTES_MAX) shift++;
    return shift;
}

static u64 words_for(u64 bits) { return bits / 64 + 1; }

static u64 used_words(u32 rows_max, u32 level)
{
    u64 words = words_for((u64)rows_max + 1);
    while (level-- > 0) words = words_for(words);
    return words;
}

u32 table_chunks_max(u32 row_bytes, u32 rows_max) { return (rows_max >> table_chunk_shift(row_bytes)) + 1; }

u64 table_bytes(u32 row_bytes, u32 rows_max)
{
    u64 chunks = table_chunks_max(row_bytes, rows_max);
    u64 bytes = round_up((chunks << table_chunk_shift(row_bytes)) * row_bytes, 64);
    bytes += round_up(chunks * sizeof(u32), 64) + 2 * round_up(words_for(chunks) * 8, 64);
    for (u32 level = 0; level < TABLE_LEVELS; level++) bytes += round_up(used_words(rows_max, level) * 8, 64);
    return bytes + 4096;
}

static void *carve(u8 **memory, u64 bytes)
{
    u8 *at = *memory;
    *memory += round_up(bytes, 64);
    return at;
}

void table_init(struct table *table, u32 number, u32 row_bytes, u32 rows_max, struct snapshot *snapshot,
                u8 **memory)
{
    ASSERT(row_bytes % 8 == 0 && row_bytes <= TABLE_CHUNK_BYTES_MAX && rows_max < UINT32_MAX / 2);
    u8 *begin = *memory;
    u32 shift = table_chunk_shift(row_bytes);
    u64 chunks = table_chunks_max(row_bytes, rows_max);
    *table = (struct table){.row_bytes = row_bytes,
                            .chunk_shift = shift,
                            .rows_max = rows_max,
                            .number = number,
                            .snapshot = snapshot};
    table->rows = carve(memory, (chunks << shift) * row_bytes);
    table->saved = carve(memory, chunks * sizeof(u32));
    table->dirty = carve(memory, words_for(chunks) * 8);
    table->pending = carve(memory, words_for(chunks) * 8);
    for (u32 level = 0; level < TABLE_LEVELS; level++)
        table->used[level] = carve(memory, used_words(rows_max, level) * 8);
    *memory = begin + round_up((u64)(*memory - begin), 4096);
    ASSERT((u64)(*memory - begin) <= round_up(table_bytes(row_bytes, rows_max), 4096));
    bit_set(table->used[0], 0); /* row 0 is nobody's */
}

void table_soil(struct table *table, u32 chunk)
{
    if (bit_test(table->pending, chunk)) snapshot_save(table->snapshot, table, chunk);
    bit_set(table->dirty, chunk);
}

/* A bit of a level, and those above that follow from it. */
static void table_mark(struct table *table, u64 bit, u32 level)
{
    for (; level < TABLE_LEVELS; level++, bit /= 64) {
        bit_set(table->used[level], bit);
        if (table->used[level][bit / 64] != UINT64_MAX) return;
    }
}

static void table_unmark(struct table *table, u32 row)
{
    table->word_open = min_u64(table->word_open, row / 64);
    u64 word = row;
    for (u32 level = 0; level < TABLE_LEVELS; level++) {
        u64 bit = word % 64;
        word /= 64;
        MARK_IF(level > 0, "word of used rows no longer full");
        bool was_full = table->used[level][word] == UINT64_MAX;
        table->used[level][word] &= ~((u64)1 << bit);
        if (!was_full) return;
    }
}

static void table_claim(struct table *table, u32 row)
{
    table_mark(table, row, 0);
    table->rows_live++;
    if (row > table->row_last) table->row_last = row;
    const u64 *id = table_row(table, row);
    prefetch_edit(table_row(table, row + 4)); /* mostly taken soon */
    ASSERT(*id == 0);
    (void)table_edit(table, row);
}

/* The lowest word of used[0] that is not full. */
static u64 word_lowest(const struct table *table)
{
    u64 word = 0;
    for (u32 level = TABLE_LEVELS - 1; level > 0; level--) {
        while (table->used[level][word] == UINT64_MAX) word++; /* only at the top, which is short */
        word = word * 64 + bit_lowest(~table->used[level][word]);
    }
    return word;
}

u32 table_take(struct table *table)
{
    ASSERT(table->rows_live < table->rows_max);
    if (table->used[0][table->word_open] == UINT64_MAX) table->word_open = word_lowest(table);
    u64 row = table->word_open * 64 + bit_lowest(~table->used[0][table->word_open]);
    MARK_IF(row < table->row_last, "freed row taken again");
    MARK_IF(table->rows_live + 1 == table->rows_max, "table filled to its last row");
    ASSERT(row <= table->rows_max);
    table_claim(table, (u32)row);
    return (u32)row;
}

void table_take_at(struct table *table, u32 row)
{
    ASSERT(row != 0 && row <= table->rows_max && !bit_test(table->used[0], row));
    table_claim(table, row);
}

void table_give(struct table *table, u32 row)
{
    ASSERT(table_used(table, row));
    memset(table_edit(table, row), 0, table->row_bytes);
    table_unmark(table, row);
    table->rows_live--;
}

u32 table_next(const struct table *table, u32 row)
{
    for (u64 word = row / 64; word <= table->row_last / 64; word++) {
        u64 bits = table->used[0][word];
        if (word == 0) bits &= ~(u64)1; /* row 0 is nobody's */
        if (word == row / 64) bits &= UINT64_MAX << (row % 64);
        if (bits != 0) return (u32)(word * 64 + bit_lowest(bits));
    }
    return 0;
}

u32 table_chunks(const struct table *table) { return (table->row_last >> table->chunk_shift) + 1; }

u32 table_chunk_bytes(const struct table *table) { return table->row_bytes << table->chunk_shift; }

const void *table_chunk(const struct table *table, u32 chunk)
{
    return table->rows + ((u64)chunk << table->chunk_shift) * table->row_bytes;
}

void table_load(struct table *table, u32 chunk, const void *data)
{
    u32 first = chunk << table->chunk_shift, last = first + (1u << table->chunk_shift) - 1;
    last = min_u32(last, table->rows_max);
    memcpy(table->rows + (u64)first * table->row_bytes, data, table_chunk_bytes(table));
    for (u32 row = max_u32(first, 1); row <= last; row++)
        bit_put(table->used[0], row, *(const u64 *)table_row(table, row) != 0);
    table->row_last = max_u32(table->row_last, last);
}

void table_loaded(struct table *table)
{
    ASSERT(table->rows_live == 0);
    u64 words = table->row_last / 64 + 1;
    table->row_loaded = table->row_last;
    table->row_last = 0;
    for (u64 word = 0; word < words; word++) {
        u64 bits = table->used[0][word];
        if (bits == UINT64_MAX) table_mark(table, word, 1);
        if (word == 0) bits &= ~(u64)1; /* row 0 is nobody's */
        table->rows_live += bit_count(bits);
        if (bits != 0) table->row_last = (u32)(word * 64 + 63) - (u32)__builtin_clzll(bits);
    }
}

void table_validate(const struct table *table)
{
    u32 live = 0;
    for (u64 word = 0; word < table->word_open; word++) ASSERT(table->used[0][word] == UINT64_MAX);
    for (u32 row = 1; row <= table->row_last; row++) {
        bool used = *(const u64 *)table_row(table, row) != 0;
        ASSERT(used == bit_test(table->used[0], row));
        live += used;
    }
    ASSERT(live == table->rows_live);
}
