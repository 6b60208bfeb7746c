/* Bit arithmetic on arrays of u64. */
#ifndef BASE_BITSET_H
#define BASE_BITSET_H

#include "base/base.h"

static inline bool bit_test(const u64 *words, u64 bit) { return words[bit / 64] >> (bit % 64) & 1; }
static inline void bit_set(u64 *words, u64 bit) { words[bit / 64] |= (u64)1 << (bit % 64); }
static inline void bit_clear(u64 *words, u64 bit) { words[bit / 64] &= ~((u64)1 << (bit % 64)); }
static inline void bit_put(u64 *words, u64 bit, bool value)
{
    if (value) bit_set(words, bit);
    else bit_clear(words, bit);
}

#endif
