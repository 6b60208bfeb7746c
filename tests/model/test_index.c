/* The hash index against a plain array: inserts, removes, growth, clusters, equal hashes. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/prng.h"
#include "core/index.h"

#define ROWS 3000u
#define STEPS 30000u
#define BITS_MAX 13u

static u64 hash_of[ROWS + 1]; /* by row */
static bool present[ROWS + 1];

static u32 rows_with(u64 hash)
{
    u32 count = 0;
    for (u32 row = 1; row <= ROWS; row++) count += present[row] && hash_of[row] >> 32 == hash >> 32;
    return count;
}

/* Every row of this hash is a candidate, once. */
static void check(const struct index *index, u64 hash)
{
    bool seen[ROWS + 1] = {false};
    u32 row, count = 0;
    for (u64 at = index_seek(index, hash); (row = index_candidate(index, hash, &at));) {
        cr_assert(row <= ROWS && present[row] && !seen[row] && hash_of[row] >> 32 == hash >> 32);
        seen[row] = true;
        count++;
    }
    cr_assert_eq(count, rows_with(hash));
}

/* Hashes anywhere, or crowded at a few places, the very end among them; `equal` of them the same. */
static u64 some_hash(struct prng *prng, bool crowded)
{
    static const u64 places[] = {0, (u64)1 << 62, UINT64_MAX - ((u64)1 << 50)};
    u64 hash = prng_next(prng);
    if (prng_chance(prng, 1, 20)) return (u64)7 << 40;
    return crowded ? places[prng_below(prng, 3)] + (hash >> 15) : hash;
}

static void run(u64 seed, bool crowded, u32 rows)
{
    struct prng prng = prng_seeded(seed);
    struct index index;
    u64 *slots = calloc(1, index_bytes(BITS_MAX));
    index_init(&index, slots, BITS_MAX);
    memset(present, 0, sizeof present);
    u32 live = 0;
    for (u32 step = 0; step < STEPS; step++) {
        u32 row = 1 + (u32)prng_below(&prng, rows);
        bool growing = step < STEPS / 2;
        if (!present[row] && prng_chance(&prng, growing ? 9 : 3, 10)) {
            hash_of[row] = some_hash(&prng, crowded);
            index_insert(&index, hash_of[row], row);
            present[row] = true;
            live++;
        } else if (present[row] && prng_chance(&prng, growing ? 2 : 8, 10)) {
            index_remove(&index, hash_of[row], row);
            present[row] = false;
            live--;
        }
        cr_assert_eq(index.count, live);
        check(&index, hash_of[row]);
        check(&index, hash_of[1 + prng_below(&prng, rows)]); /* also of those that a growth moves meanwhile */
        if (step % 500 == 0) check(&index, prng_next(&prng));
    }
    for (u32 i = 1; i <= rows; i++) check(&index, hash_of[i]);
    for (u32 i = 1; i <= rows; i++)
        if (present[i]) index_remove(&index, hash_of[i], i);
    for (u64 i = 0; i < ((u64)1 << BITS_MAX) + INDEX_SLACK; i++) cr_assert_eq(slots[i], 0);
    free(slots);
}

Test(index, equal_to_an_array)
{
    for (u64 seed = 1; seed <= 4; seed++) run(seed, false, ROWS);
}

/* Rows few enough that the clusters stay below the slack. */
Test(index, equal_to_an_array_when_crowded)
{
    for (u64 seed = 1; seed <= 4; seed++) run(seed, true, 700);
}
