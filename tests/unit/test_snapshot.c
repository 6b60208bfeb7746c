/* Snapshots: each dirty chunk is copied exactly once, in order, as it was at the begin. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "core/snapshot.h"

#define ROWS 3000u
#define TABLES_HERE 2u

struct row {
    u64 id;
    u64 value[3];
};

static struct table tables[TABLES_HERE];
static struct snapshot snapshot;
static u8 slice[64u << 10];

static void set_up(void)
{
    u32 slots = TABLES_HERE * table_chunks_max(sizeof(struct row), ROWS);
    u8 *memory = malloc(slots * sizeof(struct slot));
    snapshot_init(&snapshot, slots, &memory);
    for (u32 i = 0; i < TABLES_HERE; i++) {
        u8 *at = calloc(1, table_bytes(sizeof(struct row), ROWS) + 4096);
        table_init(&tables[i], i + 1, sizeof(struct row), ROWS, &snapshot, &at);
        for (u32 row = 1; row <= 1000; row++) {
            u32 taken = table_take(&tables[i]);
            *(struct row *)table_edit(&tables[i], taken) = (struct row){.id = taken, .value = {i + 1}};
        }
    }
}

/* The values of the rows in a slice are those of the begin; counts the chunks. */
static u32 check(u64 bytes)
{
    u32 chunks = 0;
    for (u64 at = 0; at < bytes; chunks++) {
        struct store_chunk head;
        memcpy(&head, slice + at, sizeof head);
        const struct table *table = &tables[head.table - 1];
        cr_assert_eq(head.bytes, table_chunk_bytes(table));
        for (u32 i = 0; i < head.bytes / sizeof(struct row); i++) {
            struct row row;
            memcpy(&row, slice + at + sizeof head + i * sizeof row, sizeof row);
            u32 number = (head.chunk << table->chunk_shift) + i;
            bool used = number >= 1 && number <= 1000;
            cr_assert_eq(row.id, used ? number : 0);
            cr_assert_eq(row.value[0], used ? head.table : 0, "row %u was changed after the begin", number);
        }
        at += sizeof head + round_up(head.bytes, 8);
    }
    return chunks;
}

Test(snapshot, copies_what_was_there_at_the_begin, .init = set_up)
{
    u32 chunks = 0;
    bool finished = false;
    snapshot_begin(&snapshot, tables, TABLES_HERE);
    cr_assert(snapshot.running);
    for (u32 turn = 0; !finished; turn++) {
        cr_assert_lt(turn, 1000u);
        /* Changes before and behind the place where the slices are, new rows and freed ones. */
        for (u32 i = 0; i < TABLES_HERE; i++) {
            u32 row = 1 + turn * 37 % 1000;
            if (table_used(&tables[i], row)) ((struct row *)table_edit(&tables[i], row))->value[0] = 99;
            if (turn % 3 == 0 && table_used(&tables[i], row)) table_give(&tables[i], row);
            if (turn % 5 == 0) ((struct row *)table_edit(&tables[i], table_take(&tables[i])))->id = 5;
        }
        u64 bytes = snapshot_slice(&snapshot, tables, TABLES_HERE, slice, turn % 2 ? 4096 : sizeof slice, 2, &finished);
        cr_assert_leq(bytes, turn % 2 ? 4096 : sizeof slice);
        chunks += check(bytes);
    }
    cr_assert_eq(chunks, 2 * ((1000 >> tables[0].chunk_shift) + 1));
    cr_assert_not(snapshot.running);
}

Test(snapshot, the_next_one_has_only_what_changed_since, .init = set_up)
{
    bool finished = false;
    snapshot_begin(&snapshot, tables, TABLES_HERE);
    ((struct row *)table_edit(&tables[1], 500))->value[1] = 1; /* belongs to the next one */
    u32 chunks = 0;
    while (!finished)
        chunks += check(snapshot_slice(&snapshot, tables, TABLES_HERE, slice, sizeof slice, 9, &finished));
    cr_assert_gt(chunks, 20);
    snapshot_begin(&snapshot, tables, TABLES_HERE);
    chunks = 0;
    for (finished = false; !finished;)
        chunks += check(snapshot_slice(&snapshot, tables, TABLES_HERE, slice, sizeof slice, 9, &finished));
    cr_assert_eq(chunks, 1);
}

Test(snapshot, of_nothing_finishes_at_once, .init = set_up)
{
    bool finished = false;
    for (u32 i = 0; i < TABLES_HERE; i++) memset(tables[i].dirty, 0, (table_chunks(&tables[i]) / 64 + 1) * 8);
    snapshot_begin(&snapshot, tables, TABLES_HERE);
    cr_assert_eq(snapshot_slice(&snapshot, tables, TABLES_HERE, slice, sizeof slice, 1, &finished), 0);
    cr_assert(finished);
}

Test(snapshot, saved_chunks_come_in_their_place, .init = set_up)
{
    bool finished = false;
    snapshot_begin(&snapshot, tables, TABLES_HERE);
    (void)table_edit(&tables[1], 900);
    (void)table_edit(&tables[1], 900); /* saved only once */
    (void)table_edit(&tables[0], 500);
    (void)table_edit(&tables[1], 100);
    cr_assert_eq(snapshot.slots_used, 3);
    u64 last = 0;
    while (!finished) {
        u64 bytes = snapshot_slice(&snapshot, tables, TABLES_HERE, slice, 4096, 9, &finished);
        for (u64 at = 0; at < bytes;) {
            struct store_chunk head;
            memcpy(&head, slice + at, sizeof head);
            u64 place = (u64)head.table << 32 | (head.chunk + 1);
            cr_assert_gt(place, last);
            last = place;
            at += sizeof head + round_up(head.bytes, 8);
        }
    }
    cr_assert_eq(snapshot.slots_used, 0);
}

/* Everything is changed while it is being copied out: what was saved is more than one slice holds. */
Test(snapshot, is_not_finished_before_all_that_was_saved_is_out, .init = set_up)
{
    bool finished = false;
    u32 chunks = 0, turns = 0;
    snapshot_begin(&snapshot, tables, TABLES_HERE);
    for (u32 i = 0; i < TABLES_HERE; i++)
        for (u32 row = 1; row <= 1000; row++) ((struct row *)table_edit(&tables[i], row))->value[0] = 99;
    for (; !finished; turns++) {
        cr_assert_lt(turns, 1000u);
        chunks += check(snapshot_slice(&snapshot, tables, TABLES_HERE, slice, 4096, 9, &finished));
    }
    cr_assert_gt(turns, 10u);
    cr_assert_eq(chunks, 2 * ((1000 >> tables[0].chunk_shift) + 1));
}

/* Those copied out make room: only as many slots are in use as chunks wait, side by side. */
Test(snapshot, slots_are_used_again, .init = set_up)
{
    bool finished = false;
    u32 chunks = 0, turns = 0;
    snapshot_begin(&snapshot, tables, TABLES_HERE);
    for (u32 row = 1; !finished; row += 40, turns++) {
        for (u32 i = 0; i < TABLES_HERE; i++)
            for (u32 changed = row; changed < row + 200 && changed <= 1000; changed++)
                ((struct row *)table_edit(&tables[i], changed))->value[0] = 99;
        chunks += check(snapshot_slice(&snapshot, tables, TABLES_HERE, slice, sizeof slice, 1, &finished));
        u32 waiting = 0;
        for (u32 i = 0; i < TABLES_HERE; i++)
            for (u32 chunk = 0; chunk < table_chunks(&tables[i]); chunk++)
                waiting += bit_test(tables[i].pending, chunk) && bit_test(tables[i].dirty, chunk);
        cr_assert_eq(snapshot.slots_used, waiting);
    }
    cr_assert_gt(turns, 20);
    cr_assert_eq(chunks, 2 * ((1000 >> tables[0].chunk_shift) + 1));
}
