/* The hash index: candidates by hash, growth in place, removal without tombstones. */
#include <criterion/criterion.h>

#include "core/index.h"

#define BITS_MAX 10u

static u64 slots[((u64)1 << BITS_MAX) + INDEX_SLACK];
static struct index hashes;

static void set_up(void) { index_init(&hashes, slots, BITS_MAX); }

static bool has(u64 hash, u32 wanted)
{
    u32 row;
    for (u64 at = index_seek(&hashes, hash); (row = index_candidate(&hashes, hash, &at));)
        if (row == wanted) return true;
    return false;
}

Test(index, finds_what_was_inserted, .init = set_up)
{
    index_insert(&hashes, (u64)5 << 32, 1);
    index_insert(&hashes, (u64)6 << 32, 2);
    cr_assert(has((u64)5 << 32, 1));
    cr_assert(has((u64)6 << 32, 2));
    cr_assert_not(has((u64)5 << 32, 2));
    cr_assert_not(has((u64)7 << 32, 1));
}

Test(index, equal_hashes_are_all_candidates, .init = set_up)
{
    for (u32 row = 1; row <= 5; row++) index_insert(&hashes, UINT64_MAX, row);
    index_remove(&hashes, UINT64_MAX, 3);
    for (u32 row = 1; row <= 5; row++) cr_assert_eq(has(UINT64_MAX, row), row != 3);
}

Test(index, grows_and_keeps_all, .init = set_up)
{
    u32 bits = hashes.bits;
    for (u32 row = 1; row <= 700; row++) index_insert(&hashes, (u64)row * 0x9e3779b97f4a7c15u, row);
    cr_assert_gt(hashes.bits, bits);
    for (u32 row = 1; row <= 700; row++) cr_assert(has((u64)row * 0x9e3779b97f4a7c15u, row));
    cr_assert_eq(hashes.count, 700);
}

Test(index, the_last_home_runs_over_into_the_slack, .init = set_up)
{
    for (u32 row = 1; row <= 300; row++) index_insert(&hashes, UINT64_MAX - row, row);
    for (u32 row = 1; row <= 300; row++) cr_assert(has(UINT64_MAX - row, row));
    for (u32 row = 1; row <= 300; row++) index_remove(&hashes, UINT64_MAX - row, row);
    for (u64 i = 0; i < ARRAY_COUNT(slots); i++) cr_assert_eq(slots[i], 0);
}

Test(index, room_for_rows)
{
    cr_assert_eq(index_bits(0), 8);
    for (u64 rows = 1; rows < 100000; rows = rows * 2 + 1) cr_assert_gt(((u64)1 << index_bits(rows)) * 3 / 4, rows);
    cr_assert_gt(index_bytes(8), 256 * sizeof(u64));
}
