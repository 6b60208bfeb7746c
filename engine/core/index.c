#include "core/index.h"

#define INDEX_BITS_MIN 8u

void index_init(struct index *index, u64 *slots, u32 bits_max)
{
    ASSERT(bits_max >= INDEX_BITS_MIN && bits_max <= 32);
    *index = (struct index){.slots = slots, .bits = INDEX_BITS_MIN, .bits_max = bits_max};
}

u32 index_bits(u64 rows)
{
    u32 bits = INDEX_BITS_MIN;
    while (((u64)1 << bits) * 3 / 4 < rows + 1) bits++;
    return bits;
}

static u64 index_end(const struct index *index) { return ((u64)1 << index->bits) + INDEX_SLACK; }

/* Slots stand in the order of their hash halves as far as clusters allow: each at its home or behind it. */
static void index_place(struct index *index, u64 slot)
{
    u64 at = (slot >> 32) >> (32 - index->bits);
    while (index->slots[at] != 0) at++;
    ASSERT(at < index_end(index) - 1);
    index->slots[at] = slot;
}

/* From the top down every slot moves to at least twice its place minus its displacement. Clusters are lifted
 * out whole, so nothing is overwritten that has not moved. */
static void index_grow(struct index *index)
{
    ASSERT(index->bits < index->bits_max);
    u64 end = index_end(index);
    index->bits++;
    u64 at = end;
    u64 cluster[INDEX_SLACK];
    while (at > 0) {
        if (index->slots[at - 1] == 0) {
            at--;
            continue;
        }
        u64 last = at;
        while (at > 0 && index->slots[at - 1] != 0) at--;
        u64 length = last - at;
        ASSERT(length <= INDEX_SLACK);
        memcpy(cluster, index->slots + at, length * sizeof(u64));
        memset(index->slots + at, 0, length * sizeof(u64));
        for (u64 i = 0; i < length; i++) index_place(index, cluster[i]);
    }
}

void index_insert(struct index *index, u64 hash, u32 row)
{
    ASSERT(row != 0);
    if (index->count + 1 > ((u64)1 << index->bits) * 3 / 4) index_grow(index);
    index_place(index, (hash >> 32) << 32 | row);
    index->count++;
}

void index_remove(struct index *index, u64 hash, u32 row)
{
    u64 wanted = (hash >> 32) << 32 | row;
    u64 at = index_home(index, hash);
    while (index->slots[at] != wanted) {
        ASSERT(index->slots[at] != 0);
        at++;
    }
    /* Close the hole: move back whatever may stand there. */
    for (u64 next = at + 1; index->slots[next] != 0; next++) {
        u64 home = (index->slots[next] >> 32) >> (32 - index->bits);
        if (home <= at) {
            index->slots[at] = index->slots[next];
            at = next;
        }
    }
    index->slots[at] = 0;
    index->count--;
}
