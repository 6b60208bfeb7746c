/* Checksums and hashes (xxHash, inlined). */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/base.h"

/* 128 bits, seeded: who does not know the seed cannot make two texts collide. */
struct hash128 {
    u64 low, high;
};

static inline u64 hash64(const void *data, u64 bytes, u64 seed) { return XXH3_64bits_withSeed(data, bytes, seed); }

static inline bool hash128_equal(struct hash128 a, struct hash128 b) { return a.low == b.low && a.high == b.high; }

static inline u64 hash_u64(u64 value)
{
    value ^= value >> 32;
    value *= 0xd6e8feb86659fd93u;
    value ^= value >> 32;
    value *= 0xd6e8feb86659fd93u;
    return value ^ value >> 32;
}

#endif
