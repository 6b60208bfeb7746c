/* A hash index: hash -> row. Open addressing with linear probing over 8-byte slots {hash's high half, row}.
 *
 * The home of a slot is the top bits of its own hash half, so growing and deleting never look at a row, and
 * growing doubles in place: what stood at p moves to 2p or 2p + 1, in order. A miss costs one cache line.
 * Several rows may share a hash: the caller compares what it looks for with the row.
 *
 * Growing is spread over the inserts that follow, from the top down. Meanwhile, with g = grow_at:
 *  - slots whose home was g or above stand in the new layout, at 2g or above; the others below 2g - 1, as before;
 *  - 2g - 1 is empty, so no cluster reaches from one into the other.
 */
#ifndef CORE_INDEX_H
#define CORE_INDEX_H

#include "base/base.h"

struct index {
    u64 *slots; /* room for 1 << bits_max, and INDEX_SLACK more for the last cluster */
    u32 bits;
    u32 bits_max;
    u32 count;
    u64 grow_at; /* 0: not growing */
};

#define INDEX_SLACK 1024u

static inline u64 index_bytes(u32 bits_max) { return (((u64)1 << bits_max) + INDEX_SLACK) * sizeof(u64); }
void index_init(struct index *index, u64 *slots, u32 bits_max);
/* Bits for so many rows. */
u32 index_bits(u64 rows);
/* An empty one gets the size for so many rows at once. */
void index_expect(struct index *index, u64 rows);
void index_insert(struct index *index, u64 hash, u32 row);
void index_remove(struct index *index, u64 hash, u32 row);

static inline u64 index_home(const struct index *index, u64 hash)
{
    u64 before = hash >> 32 >> (33 - index->bits);
    return before < index->grow_at ? before : hash >> 32 >> (32 - index->bits);
}

#define index_prefetch(index, hash) prefetch(&(index)->slots[index_home(index, hash)])

/* Candidates for a hash, one after another: `for (u64 at = index_seek(i, h); (row = index_candidate(i, h, &at));)` */
static inline u64 index_seek(const struct index *index, u64 hash) { return index_home(index, hash); }
static inline u32 index_candidate(const struct index *index, u64 hash, u64 *at)
{
    for (;;) {
        u64 slot = index->slots[*at];
        if (slot == 0) return 0;
        ++*at;
        if (slot >> 32 == hash >> 32) return (u32)slot;
    }
}

#endif
