#include <criterion/criterion.h>

#include "base/prng.h"

/* The first numbers of splitmix64 from seed 1234567, as its author publishes them. */
Test(prng, splitmix_is_the_published_one)
{
    u64 seed = 1234567;
    cr_assert_eq(prng_splitmix(&seed), 6457827717110365317u);
    cr_assert_eq(prng_splitmix(&seed), 3203168211198807973u);
    cr_assert_eq(prng_splitmix(&seed), 9817491932198370423u);
}

/* xoshiro256** from the state {1, 2, 3, 4}. */
Test(prng, xoshiro_is_the_published_one)
{
    struct prng prng = {.state = {1, 2, 3, 4}};
    cr_assert_eq(prng_next(&prng), 11520u);
    cr_assert_eq(prng_next(&prng), 0u);
    cr_assert_eq(prng_next(&prng), 1509978240u);
    cr_assert_eq(prng_next(&prng), 1215971899390074240u);
}

Test(prng, same_seed_same_numbers)
{
    struct prng a = prng_seeded(42), b = prng_seeded(42), c = prng_seeded(43);
    u32 differences = 0;
    for (u32 i = 0; i < 1000; i++) {
        u64 number = prng_next(&a);
        cr_assert_eq(number, prng_next(&b));
        differences += number != prng_next(&c);
    }
    cr_assert_eq(differences, 1000);
}

Test(prng, below_stays_below_and_reaches_all)
{
    struct prng prng = prng_seeded(7);
    u32 seen[10] = {0};
    for (u32 i = 0; i < 10000; i++) {
        u64 number = prng_below(&prng, 10);
        cr_assert_lt(number, 10);
        seen[number]++;
    }
    for (u32 i = 0; i < 10; i++) cr_assert(seen[i] > 850 && seen[i] < 1150, "%u: %u", i, seen[i]);
    cr_assert_eq(prng_below(&prng, 1), 0);
}

Test(prng, chance_is_its_share)
{
    struct prng prng = prng_seeded(8);
    u32 hits = 0;
    for (u32 i = 0; i < 10000; i++) {
        hits += prng_chance(&prng, 3, 10);
        cr_assert(!prng_chance(&prng, 0, 10));
        cr_assert(prng_chance(&prng, 10, 10));
    }
    cr_assert(hits > 2800 && hits < 3200, "%u", hits);
}
