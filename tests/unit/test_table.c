/* Tables: the lowest free row is taken, which rows are used follows from the rows. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/prng.h"
#include "core/snapshot.h"
#include "core/table.h"

#define ROWS 5000u

struct row {
    u64 id;
    u64 value;
};

struct fixture {
    struct table table;
    struct snapshot snapshot;
    void *memory;
};

static struct fixture *create(u32 rows_max)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    u8 *at = fixture->memory = calloc(1, table_bytes(sizeof(struct row), rows_max) + 4096);
    table_init(&fixture->table, 3, sizeof(struct row), rows_max, &fixture->snapshot, &at);
    cr_assert_leq((u64)(at - (u8 *)fixture->memory), table_bytes(sizeof(struct row), rows_max) + 4096);
    return fixture;
}

static void destroy(struct fixture *fixture)
{
    free(fixture->memory);
    free(fixture);
}

static u32 take(struct table *table)
{
    u32 row = table_take(table);
    ((struct row *)table_edit(table, row))->id = row;
    return row;
}

Test(table, rows_are_taken_from_one_on)
{
    struct fixture *fixture = create(100);
    for (u32 row = 1; row <= 100; row++) cr_assert_eq(take(&fixture->table), row);
    cr_assert_eq(table_free(&fixture->table), 0);
    cr_assert_not(table_used(&fixture->table, 0));
    cr_assert_not(table_used(&fixture->table, 101));
    table_validate(&fixture->table);
    destroy(fixture);
}

/* Against an array of flags: what is taken is always the lowest free one. */
Test(table, takes_the_lowest_free_row)
{
    struct fixture *fixture = create(ROWS);
    struct prng prng = prng_seeded(1);
    static bool used[ROWS + 2];
    u32 live = 0, lowest = 1;
    for (u32 step = 0; step < 60000; step++) {
        u32 row = 1 + (u32)prng_below(&prng, ROWS);
        if (used[row] && prng_chance(&prng, step % 20000 < 10000 ? 1 : 9, 10)) {
            table_give(&fixture->table, row);
            used[row] = false;
            live--;
            lowest = min_u32(lowest, row);
        } else if (live < ROWS) {
            while (used[lowest]) lowest++;
            cr_assert_eq(take(&fixture->table), lowest);
            used[lowest] = true;
            live++;
        }
        cr_assert_eq(table_free(&fixture->table), ROWS - live);
    }
    u32 next = 1;
    for (u32 row = 1; row <= ROWS; row++) {
        cr_assert_eq(table_used(&fixture->table, row), used[row]);
        if (!used[row]) continue;
        cr_assert_eq(table_next(&fixture->table, next), row);
        next = row + 1;
    }
    cr_assert_eq(table_next(&fixture->table, next), 0);
    table_validate(&fixture->table);
    destroy(fixture);
}

Test(table, a_given_row_is_zero)
{
    struct fixture *fixture = create(10);
    u32 row = take(&fixture->table);
    ((struct row *)table_edit(&fixture->table, row))->value = 7;
    table_give(&fixture->table, row);
    cr_assert_eq(((const struct row *)table_row(&fixture->table, row))->value, 0);
    cr_assert_eq(table_next(&fixture->table, 1), 0);
    destroy(fixture);
}

Test(table, a_row_can_be_chosen)
{
    struct fixture *fixture = create(1000);
    table_take_at(&fixture->table, 700);
    *(u64 *)table_edit(&fixture->table, 700) = 700;
    cr_assert(table_used(&fixture->table, 700));
    cr_assert_eq(fixture->table.row_last, 700);
    cr_assert_eq(take(&fixture->table), 1);
    cr_assert_eq(table_next(&fixture->table, 2), 700);
    table_validate(&fixture->table);
    destroy(fixture);
}

Test(table, which_rows_are_used_is_found_again_in_the_chunks)
{
    struct fixture *fixture = create(ROWS), *loaded = create(ROWS);
    struct table *table = &fixture->table, *copy = &loaded->table;
    for (u32 i = 0; i < 900; i++) (void)take(table);
    for (u32 row = 3; row <= 900; row += 3) table_give(table, row);
    for (u32 chunk = 0; chunk < table_chunks(table); chunk++)
        table_load(copy, chunk, table_chunk(table, chunk));
    table_loaded(copy);
    table_validate(copy);
    cr_assert_eq(copy->rows_live, 600);
    cr_assert_eq(copy->row_last, 899);
    cr_assert_eq(table_take(copy), 3);
    destroy(fixture);
    destroy(loaded);
}

Test(table, a_chunk_loaded_again_is_what_counts)
{
    struct fixture *fixture = create(ROWS), *loaded = create(ROWS);
    struct table *table = &fixture->table, *copy = &loaded->table;
    for (u32 i = 0; i < 3; i++) (void)take(table);
    table_load(copy, 0, table_chunk(table, 0));
    table_give(table, 2);
    table_load(copy, 0, table_chunk(table, 0));
    table_loaded(copy);
    table_validate(copy);
    cr_assert_eq(copy->rows_live, 2);
    cr_assert_not(table_used(copy, 2));
    destroy(fixture);
    destroy(loaded);
}

Test(table, only_edited_chunks_are_dirty)
{
    struct fixture *fixture = create(ROWS);
    struct table *table = &fixture->table;
    for (u32 i = 0; i < 1000; i++) (void)take(table);
    memset(table->dirty, 0, (table_chunks(table) / 64 + 1) * sizeof(u64));
    (void)table_edit(table, 900);
    u32 dirty = 0;
    for (u32 chunk = 0; chunk < table_chunks(table); chunk++)
        dirty += (u32)(table->dirty[chunk / 64] >> (chunk % 64)) & 1;
    cr_assert_eq(dirty, 1);
    cr_assert(table->dirty[(900 >> table->chunk_shift) / 64] >> ((900 >> table->chunk_shift) % 64) & 1);
    cr_assert_leq(table_chunk_bytes(table), TABLE_CHUNK_BYTES_MAX);
    destroy(fixture);
}
