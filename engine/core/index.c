#include "core/index.h"

#define INDEX_BITS_MIN 8u
#define GROW_SLOTS 32u /* an insert: soon over, because clusters of the old layout grow longer while it lasts */

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

void index_expect(struct index *index, u64 rows)
{
    ASSERT(index->count == 0 && index_bits(rows) <= index->bits_max);
    index->bits = index_bits(rows);
}

static u64 index_end(const struct index *index) { return ((u64)1 << index->bits) + INDEX_SLACK; }

/* The first empty slot from the home on. */
static u64 index_gap(const struct index *index, u64 slot)
{
    u64 at = index_home(index, slot);
    while (index->slots[at] != 0) at++;
    ASSERT(at < index_end(index) - 1);
    return at;
}

/* The topmost cluster that stands in the old layout is lifted out whole and put into the new one. */
static void grow_cluster(struct index *index)
{
    u64 begin = index->grow_at, end = begin;
    u64 cluster[INDEX_SLACK];
    while (index->slots[end] != 0) end++; /* what ran over */
    while (begin > 0 && index->slots[begin - 1] != 0) begin--;
    u64 length = end - begin;
    ASSERT(length <= INDEX_SLACK);
    memcpy(cluster, index->slots + begin, length * sizeof(u64));
    memset(index->slots + begin, 0, length * sizeof(u64));
    index->grow_at = length > 0 ? begin : begin - 1;
    for (u64 i = 0; i < length; i++) index->slots[index_gap(index, cluster[i])] = cluster[i];
}

static void grow_down_to(struct index *index, u64 stop)
{
    while (index->grow_at > stop) grow_cluster(index);
}

/* Slots stand in the order of their hash halves as far as clusters allow: each at its home or behind it. */
static void index_place(struct index *index, u64 slot)
{
    u64 at = index_gap(index, slot);
    bool before = index_home(index, slot) < index->grow_at;
    if (before && at + 1 >= 2 * index->grow_at) {
        grow_down_to(index, 0);
        at = index_gap(index, slot);
    }
    index->slots[at] = slot;
}

void index_insert(struct index *index, u64 hash, u32 row)
{
    ASSERT(row != 0);
    if (index->count + 1 > ((u64)1 << index->bits) * 3 / 4) {
        ASSERT(index->grow_at == 0 && index->bits < index->bits_max);
        index->grow_at = (u64)1 << index->bits++;
    }
    if (index->grow_at > 0) grow_down_to(index, sat_sub(index->grow_at, GROW_SLOTS));
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
        if (index_home(index, index->slots[next]) <= at) {
            index->slots[at] = index->slots[next];
            at = next;
        }
    }
    index->slots[at] = 0;
    index->count--;
}
