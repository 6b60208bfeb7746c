/* Tags: interned once, linked to tickets, found again after loading. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/rig.h"

#define LONGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct rig *desk(void)
{
    struct rig *rig = rig_create_small();
    rig->validate = true;
    rig_small_desk(rig);
    return rig;
}

static u32 tag(struct rig *rig, u64 id, const char *name) { return rig_verb(rig, id, TKD_VERB_TAG, 0, name).status; }
static u32 untag(struct rig *rig, u64 id, const char *name)
{
    return rig_verb(rig, id, TKD_VERB_UNTAG, 0, name).status;
}

Test(tag, one_name_is_one_row)
{
    struct rig *rig = desk();
    u64 a = rig_create_ticket(rig, 3, 0), b = rig_create_ticket(rig, 3, 0);
    cr_assert_eq(tag(rig, a, "vip"), TKD_OK);
    cr_assert_eq(tag(rig, b, "vip"), TKD_OK);
    cr_assert_eq(tag(rig, b, "vi"), TKD_OK);
    u32 row = tag_find(rig->state, "vip", 3);
    cr_assert_neq(row, 0);
    cr_assert_neq(row, tag_find(rig->state, "vi", 2));
    cr_assert_eq(tag_find(rig->state, "v", 1), 0);
    cr_assert_eq(rig->state->tables[TABLE_TAG].rows_live, 2);
    cr_assert(tag_on(rig->state, rig_ticket(rig, a), row));
    cr_assert_not(tag_on(rig->state, rig_ticket(rig, a), tag_find(rig->state, "vi", 2)));
    rig_destroy(rig);
}

Test(tag, removed_from_any_place_of_the_list)
{
    struct rig *rig = desk();
    u64 id = rig_create_ticket(rig, 3, 0);
    static const char *const names[] = {"a", "b", "c", "d"};
    for (u32 i = 0; i < 4; i++) tag(rig, id, names[i]);
    static const u32 order[] = {1, 3, 0, 2}; /* the middle, the newest, the oldest, the last one */
    for (u32 i = 0; i < 4; i++) {
        cr_assert_eq(untag(rig, id, names[order[i]]), TKD_OK);
        cr_assert_eq(untag(rig, id, names[order[i]]), TKD_UNCHANGED);
        for (u32 j = i + 1; j < 4; j++)
            cr_assert(tag_on(rig->state, rig_ticket(rig, id), tag_find(rig->state, names[order[j]], 1)));
    }
    cr_assert_eq(rig_ticket(rig, id)->labels, 0);
    cr_assert_eq(rig->state->tables[TABLE_LABEL].rows_live, 0);
    rig_destroy(rig);
}

Test(tag, a_full_ticket_knows_its_own)
{
    struct rig *rig = desk();
    u64 id = rig_create_ticket(rig, 3, 0);
    char name[16];
    for (u32 i = 0; i < TICKET_TAGS_MAX; i++) {
        snprintf(name, sizeof name, "t%u", i);
        cr_assert_eq(tag(rig, id, name), TKD_OK);
    }
    cr_assert_eq(tag(rig, id, "one more"), TKD_TOO_MANY_TAGS);
    cr_assert_eq(tag(rig, id, "t0"), TKD_UNCHANGED);
    cr_assert_eq(tag(rig, id, name), TKD_UNCHANGED);
    rig_destroy(rig);
}

Test(tag, lengths_and_control_characters)
{
    struct rig *rig = desk();
    u64 id = rig_create_ticket(rig, 3, 0);
    cr_assert_eq(tag(rig, id, LONGEST), TKD_OK);
    cr_assert_eq(tag(rig, id, LONGEST), TKD_UNCHANGED);
    cr_assert_eq(tag(rig, id, LONGEST "x"), TKD_BAD_VALUE);
    cr_assert_eq(tag(rig, id, "two\nlines"), TKD_BAD_VALUE);
    cr_assert_eq(untag(rig, id, LONGEST "x"), TKD_UNCHANGED);
    cr_assert_eq(untag(rig, id, ""), TKD_TEXT_REQUIRED);
    cr_assert_eq(untag(rig, id, LONGEST), TKD_OK);
    rig_destroy(rig);
}

Test(tag, known_again_after_a_restart)
{
    struct rig *rig = desk();
    u64 id = rig_create_ticket(rig, 3, 0);
    tag(rig, id, "vip");
    tag(rig, id, LONGEST);
    u32 row = tag_find(rig->state, LONGEST, TAG_BYTES_MAX);
    rig_reload(rig);
    cr_assert_eq(tag_find(rig->state, LONGEST, TAG_BYTES_MAX), row);
    cr_assert_eq(tag(rig, id, "vip"), TKD_UNCHANGED);
    cr_assert_eq(untag(rig, id, LONGEST), TKD_OK);
    cr_assert_eq(rig->state->tables[TABLE_TAG].rows_live, 2);
    rig_destroy(rig);
}

Test(tag, as_many_names_as_the_table_holds)
{
    struct rig *rig = desk();
    rig->validate = false;
    u64 id = rig_create_ticket(rig, 3, 0);
    char name[16];
    for (u32 i = 0; i < TAGS_MAX; i++) {
        struct tkd_ticket_update request = {.kind = TKD_VERB_TAG, .ticket = id};
        if (i % 1000 == 0) rig_begin(rig, TKD_OP_TICKET_UPDATE);
        snprintf(name, sizeof name, "t%u", i);
        rig_add(rig, TKD_RECORD_ticket_update, &request, (const char *const[]){NULL, NULL, name});
        request.kind = TKD_VERB_UNTAG;
        rig_add(rig, TKD_RECORD_ticket_update, &request, (const char *const[]){NULL, NULL, name});
        if (i % 1000 == 999 || i + 1 == TAGS_MAX) cr_assert_eq(rig_run(rig), TKD_OK);
        if (i % 1000 == 999) cr_assert_eq(rig->results[0].status, TKD_OK);
    }
    cr_assert_eq(tag(rig, id, "one too many"), TKD_CATALOG_FULL);
    cr_assert_eq(tag(rig, id, "t5"), TKD_OK, "known ones go on");
    u64 digest = state_digest(rig->state, true);
    rig_replay(rig);
    cr_assert_eq(state_digest(rig->state, true), digest);
    rig_destroy(rig);
}
