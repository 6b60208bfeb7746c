/* The hash index: candidates by hash, growth in place, removal without tombstones. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/index.h"
#include "tests/support/rig.h"

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

Test(index, expects_rows_and_does_not_grow_for_them, .init = set_up)
{
    index_expect(&hashes, 700);
    u32 bits = hashes.bits;
    for (u32 row = 1; row <= 700; row++) index_insert(&hashes, (u64)row * 0x9e3779b97f4a7c15u, row);
    for (u32 row = 1; row <= 700; row++) cr_assert(has((u64)row * 0x9e3779b97f4a7c15u, row));
    cr_assert_eq(hashes.bits, bits);
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

/* ---- Whose hashes are equal as far as the index looks is told apart by the row ---- */

static bool collides(const struct index *index)
{
    for (u64 at = 0; at < ((u64)1 << index->bits) + INDEX_SLACK - 1; at++)
        if (index->slots[at] != 0 && index->slots[at] >> 32 == index->slots[at + 1] >> 32) return true;
    return false;
}

Test(index, customers_and_keys_that_collide)
{
    struct rig *rig = rig_create();
    char text[16];
    u32 last = 0, frame = 5000;
    rig_small_desk(rig);
    while (last < 150000) {
        rig_begin(rig, TKD_OP_TICKET_CREATE);
        for (u32 i = 0; i < frame; i++) {
            snprintf(text, sizeof text, "%u", ++last);
            rig_add(rig, TKD_RECORD_ticket_create, &(struct tkd_ticket_create){.channel = 1, .queue = 3},
                    (const char *const[]){text, NULL, text, NULL, NULL, NULL});
        }
        cr_assert_eq(rig_run(rig), TKD_OK);
        for (u32 i = 0; i < frame; i++) cr_assert_eq(rig->results[i].status, TKD_OK, "%u", last - frame + 1 + i);
    }
    cr_assert(collides(&rig->state->identities) && collides(&rig->state->keys), "otherwise this proves nothing");
    for (u32 id = 1; id <= last; id++) {
        u32 bytes = (u32)snprintf(text, sizeof text, "%u", id);
        cr_assert_eq(customer_find(rig->state, 1, text, bytes), rig_ticket(rig, id)->customer);
        cr_assert_eq(ticket_row(rig->state, ticket_find_key(rig->state, 1, "", 0, text, bytes))->id, id);
    }
    rig_destroy(rig);
}

/* Names 0, 1, … as a hash sees them. */
struct named {
    u32 head;
    u32 number;
    u64 seed;
};

static int by_head(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    return x->head < y->head ? -1 : x->head > y->head;
}

/* What the index looks at. Not inlined: the compiler would warn of reads that the length rules out. */
__attribute__((noinline)) static u32 head_of(const char *name, u32 bytes, u64 seed)
{
    return (u32)(hash64(name, bytes, seed) >> 32);
}

/* Two numbers whose names collide, under two seeds. */
static void colliding(u64 seed_a, u64 seed_b, char *a, char *b)
{
    enum { NAMES = 400000 };
    struct named *names = malloc(NAMES * sizeof *names);
    char text[16];
    for (u32 i = 0; i < NAMES; i++) {
        u64 seed = i % 2 == 0 ? seed_a : seed_b;
        u32 bytes = (u32)snprintf(text, sizeof text, "%u", i);
        names[i] = (struct named){.head = head_of(text, bytes, seed), .number = i, .seed = seed};
    }
    qsort(names, NAMES, sizeof *names, by_head);
    for (u32 i = 1; i < NAMES; i++) {
        bool pair = names[i].head == names[i - 1].head && (seed_a == seed_b || names[i].seed != names[i - 1].seed);
        if (!pair) continue;
        bool first = names[i].seed == seed_a;
        sprintf(a, "%u", names[first ? i : i - 1].number);
        sprintf(b, "%u", names[first ? i - 1 : i].number);
        free(names);
        return;
    }
    cr_assert(false, "no two names collide");
}

Test(index, tags_and_names_that_collide)
{
    struct rig *rig = rig_create_small();
    char a[16], b[16];
    u64 secret = rig->config.secret;
    rig_small_desk(rig);
    u64 id = rig_create_ticket(rig, 3, 0);
    colliding(secret, secret, a, b);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_TAG, 0, a).status, TKD_OK);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_TAG, 0, b).status, TKD_OK, "not the one that is there already");
    cr_assert_neq(tag_find(rig->state, a, (u32)strlen(a)), tag_find(rig->state, b, (u32)strlen(b)));
    colliding(secret ^ TKD_KIND_SKILL, secret ^ TKD_KIND_SKILL, a, b);
    rig_skill(rig, 1, a);
    rig_skill(rig, 2, b);
    colliding(secret ^ TKD_KIND_CHANNEL, secret ^ TKD_KIND_TIER, a, b);
    rig_channel(rig, 2, a);
    rig_tier(rig, 2, b);
    rig_reload(rig);
    rig_tier(rig, 2, a); /* a channel's name may be a tier's, too */
    rig_destroy(rig);
}
