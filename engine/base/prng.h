/* Reproducible pseudo-random numbers for tests, benchmarks and simulations: xoshiro256**, seeded by
 * splitmix64. The same seed gives the same numbers on every machine. Not for secrets. */
#ifndef BASE_PRNG_H
#define BASE_PRNG_H

#include "base/base.h"

struct prng {
    u64 state[4];
};

static inline u64 prng_splitmix(u64 *seed)
{
    u64 z = *seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline struct prng prng_seeded(u64 seed)
{
    struct prng prng;
    for (u32 i = 0; i < 4; i++) prng.state[i] = prng_splitmix(&seed);
    return prng;
}

static inline u64 prng_rotl(u64 value, u32 by) { return value << by | value >> (64 - by); }

static inline u64 prng_next(struct prng *prng)
{
    u64 *s = prng->state;
    u64 result = prng_rotl(s[1] * 5, 7) * 9;
    u64 shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = prng_rotl(s[3], 45);
    return result;
}

/* Uniform in 0..below-1: the high word of a 128-bit product; its bias is below 2^-32 for any u32 range. */
static inline u64 prng_below(struct prng *prng, u64 below)
{
    ASSERT(below > 0);
    return (u64)((__extension__(unsigned __int128)prng_next(prng) * below) >> 64);
}

/* True `part` times out of `whole`. */
static inline bool prng_chance(struct prng *prng, u64 part, u64 whole) { return prng_below(prng, whole) < part; }

#endif
