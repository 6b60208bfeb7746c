/* The catalog: all or nothing, references, export and import. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/rig.h"

static struct rig *desk(void)
{
    struct rig *rig = rig_create_small();
    rig->validate = true;
    rig_small_desk(rig);
    for (u32 i = 1; i <= 3; i++) rig_skill(rig, i, (const char *const[]){"", "French", "German", "repair"}[i]);
    rig_category(rig, 1, "goods", 0);
    rig_category(rig, 2, "broken", 1);
    return rig;
}

static void add(struct rig *rig, u32 kind, struct tkd_catalog_entry entry, const char *name, const u16 *skills)
{
    u32 count = 0;
    entry.kind = (u16)kind;
    while (skills != NULL && skills[count] != 0) count++;
    rig_add_bytes(rig, TKD_RECORD_catalog_entry, &entry, (const void *const[]){name, skills, 0, 0, 0, 0},
                  (u32[]){(u32)strlen(name), count * 2, 0, 0, 0, 0});
}

static u32 apply(struct rig *rig)
{
    cr_assert_eq(rig_run(rig), TKD_OK);
    u32 status = rig->results[rig_frame(rig)->count - 1].status;
    rig_settle(rig);
    return status;
}

static u32 apply_one(struct rig *rig, u32 kind, struct tkd_catalog_entry entry, const char *name, const u16 *skills)
{
    rig_begin(rig, TKD_OP_CATALOG_APPLY);
    add(rig, kind, entry, name, skills);
    return apply(rig);
}

/* Every reason to refuse an entry; each comes last in an apply whose other entries are good. */
static const struct refusal {
    u32 kind;
    struct tkd_catalog_entry entry;
    const char *name;
    u16 skills[2];
    u32 status;
} refusals[] = {
    {TKD_KIND_DESK, {.id = 2}, "d", {0}, TKD_BAD_VALUE},
    {TKD_KIND_DESK, {.id = 1, .archive_after_ms = DURATION_MS_MAX + 1}, "d", {0}, TKD_BAD_VALUE},
    {TKD_KIND_SKILL, {.id = 0}, "s", {0}, TKD_BAD_VALUE},
    {TKD_KIND_SKILL, {.id = SKILLS_MAX + 1}, "s", {0}, TKD_CATALOG_FULL},
    {TKD_KIND_TIER, {.id = TIERS_MAX + 1}, "s", {0}, TKD_CATALOG_FULL},
    {TKD_KIND_AGENT, {.id = UINT32_MAX}, "s", {0}, TKD_CATALOG_FULL},
    {TKD_KIND_SKILL, {.id = 9}, "", {0}, TKD_BAD_VALUE},
    {TKD_KIND_SKILL, {.id = 9}, "two\nlines", {0}, TKD_BAD_VALUE},
    {TKD_KIND_SKILL, {.id = 9, .retired = 2}, "s", {0}, TKD_BAD_VALUE},
    {TKD_KIND_SKILL, {.id = 9}, "German", {0}, TKD_NAME_TAKEN},
    {TKD_KIND_QUEUE, {.id = 9}, "q", {0}, TKD_BAD_VALUE},
    {TKD_KIND_QUEUE, {.id = 9, .strategy = TKD_STRATEGY_END}, "q", {0}, TKD_BAD_VALUE},
    {TKD_KIND_QUEUE, {.id = 9, .strategy = 1, .parent = 99}, "q", {0}, TKD_BAD_REFERENCE},
    {TKD_KIND_QUEUE, {.id = 9, .strategy = 1, .parent = 9}, "q", {0}, TKD_BAD_REFERENCE},
    {TKD_KIND_QUEUE, {.id = 9, .strategy = 1, .parent = UINT32_MAX}, "q", {0}, TKD_BAD_REFERENCE},
    {TKD_KIND_QUEUE, {.id = 9, .strategy = 1, .step_ms = UINT64_MAX}, "q", {0}, TKD_BAD_VALUE},
    {TKD_KIND_QUEUE, {.id = 9, .strategy = 1, .states_step = 1}, "q", {0}, TKD_BAD_VALUE},
    {TKD_KIND_QUEUE, {.id = 9, .strategy = 1, .yellow_percent = 101}, "q", {0}, TKD_BAD_VALUE},
    {TKD_KIND_QUEUE, {.id = 9, .strategy = 1}, "q", {77}, TKD_BAD_REFERENCE},
    {TKD_KIND_QUEUE, {.id = 9, .strategy = 1}, "q", {UINT16_MAX}, TKD_BAD_REFERENCE},
    {TKD_KIND_CATEGORY, {.id = 1, .parent = 2}, "goods", {0}, TKD_BAD_REFERENCE},
    {TKD_KIND_CATEGORY, {.id = 1, .parent = 2, .retired = 1}, "goods", {0}, TKD_BAD_REFERENCE},
    {TKD_KIND_CATEGORY, {.id = 9, .parent = 4000000000u, .retired = 1}, "c", {0}, TKD_BAD_REFERENCE},
    {TKD_KIND_AGENT, {.id = 9, .capacity = CAPACITY_MAX + 1}, "a", {0}, TKD_BAD_VALUE},
    {TKD_KIND_AGENT, {.id = 9, .all_queues = 2}, "a", {0}, TKD_BAD_VALUE},
    {TKD_KIND_POLICY, {.id = 9, .states_first_reply = 1}, "p", {0}, TKD_BAD_VALUE},
    {TKD_KIND_POLICY, {.id = 9, .priorities = 1}, "p", {0}, TKD_BAD_VALUE},
    {TKD_KIND_POLICY, {.id = 9, .resolution_low_ms = WHEEL_DEADLINE_MAX}, "p", {0}, TKD_BAD_VALUE},
    {TKD_KIND_SKILL, {.id = 9, .expected_version = 1}, "s", {0}, TKD_VERSION_CONFLICT},
};

Test(catalog, a_refused_entry_undoes_the_whole_apply)
{
    struct rig *rig = desk();
    u64 id = rig_create_ticket(rig, 1, 0);
    rig_verb(rig, id, TKD_VERB_CATEGORY, 2, NULL);
    u64 digest = state_digest(rig->state, false), events = state_events(rig->state)->seq_next;
    for (u32 i = 0; i < ARRAY_COUNT(refusals); i++) {
        const struct refusal *refusal = &refusals[i];
        rig_begin(rig, TKD_OP_CATALOG_APPLY);
        add(rig, TKD_KIND_SKILL, (struct tkd_catalog_entry){.id = 1}, "Italian", NULL);
        add(rig, TKD_KIND_QUEUE, (struct tkd_catalog_entry){.id = 1, .strategy = 2}, "renamed", (u16[]){2, 3, 0});
        add(rig, TKD_KIND_QUEUE, (struct tkd_catalog_entry){.id = 1, .strategy = 3}, "renamed twice", NULL);
        add(rig, TKD_KIND_QUEUE, (struct tkd_catalog_entry){.id = 50, .strategy = 1}, "new", (u16[]){3, 0});
        add(rig, TKD_KIND_AGENT, (struct tkd_catalog_entry){.id = 60, .capacity = 3}, "new", (u16[]){1, 2, 0});
        add(rig, TKD_KIND_CATEGORY, (struct tkd_catalog_entry){.id = 2, .parent = 0}, "moved", (u16[]){1, 0});
        if (refusal->kind == TKD_KIND_CATEGORY) /* a ring needs the old parent */
            add(rig, TKD_KIND_CATEGORY, (struct tkd_catalog_entry){.id = 2, .parent = 1}, "moved", NULL);
        add(rig, TKD_KIND_DESK, (struct tkd_catalog_entry){.id = 1, .archive_after_ms = 5}, "other", NULL);
        add(rig, refusal->kind, refusal->entry, refusal->name, refusal->skills[0] ? refusal->skills : NULL);
        u32 count = rig_frame(rig)->count;
        u32 status = apply(rig);
        bool ring = refusal->kind == TKD_KIND_CATEGORY && refusal->entry.id == 1;
        u32 refused = 0;
        for (u32 j = 0; j < count; j++) {
            if (rig->results[j].status == TKD_NOT_RUN) continue;
            cr_assert_eq(rig->results[j].status, refusal->status, "refusal %u: %u", i, rig->results[j].status);
            refused++;
        }
        cr_assert_eq(refused, 1);
        if (!ring) cr_assert_eq(status, refusal->status, "refusal %u: %u", i, status);
        cr_assert_eq(state_digest(rig->state, false), digest, "refusal %u has changed something", i);
        cr_assert_eq(state_events(rig->state)->seq_next, events);
    }
    /* The names are as they were, too. */
    cr_assert_eq(apply_one(rig, TKD_KIND_SKILL, (struct tkd_catalog_entry){.id = 9}, "Italian", NULL), TKD_OK);
    cr_assert_eq(apply_one(rig, TKD_KIND_SKILL, (struct tkd_catalog_entry){.id = 8}, "French", NULL), TKD_NAME_TAKEN);
    cr_assert_eq(apply_one(rig, TKD_KIND_AGENT, (struct tkd_catalog_entry){.id = 60}, "new", NULL), TKD_OK);
    u64 full = state_digest(rig->state, true);
    rig_replay(rig);
    cr_assert_eq(state_digest(rig->state, true), full);
    rig_destroy(rig);
}

Test(catalog, entries_of_one_apply_may_refer_to_each_other)
{
    struct rig *rig = desk();
    u64 version = desk_row(rig->state)->catalog_version;
    rig_begin(rig, TKD_OP_CATALOG_APPLY);
    add(rig, TKD_KIND_CATEGORY,
        (struct tkd_catalog_entry){.id = 11, .parent = 12, .expected_version = (u32)version}, "leaf", (u16[]){7, 0});
    add(rig, TKD_KIND_CATEGORY, (struct tkd_catalog_entry){.id = 12}, "root", NULL);
    add(rig, TKD_KIND_SKILL, (struct tkd_catalog_entry){.id = 7}, "later", NULL);
    cr_assert_eq(apply(rig), TKD_OK);
    cr_assert_eq(desk_row(rig->state)->catalog_version, version + 1);
    cr_assert_eq(rig->results[0].version, version + 1);
    cr_assert_eq(rig->results[0].id, 11);
    cr_assert_eq(rig_last_event(rig, TKD_EVENT_CATALOG)->a, TKD_KIND_SKILL);
    cr_assert_eq(rig_last_event(rig, TKD_EVENT_CATALOG)->c, version + 1);
    rig_destroy(rig);
}

Test(catalog, trees_have_a_depth)
{
    struct rig *rig = desk();
    for (u32 id = 10; id < 10 + TREE_DEPTH_MAX; id++) {
        struct tkd_catalog_entry entry = {.id = id, .parent = id == 10 ? 0 : id - 1, .strategy = 1};
        char name[8];
        snprintf(name, sizeof name, "q%u", id);
        cr_assert_eq(apply_one(rig, TKD_KIND_QUEUE, entry, name, NULL), TKD_OK);
    }
    struct tkd_catalog_entry entry = {.id = 30, .parent = 9 + TREE_DEPTH_MAX, .strategy = 1};
    cr_assert_eq(apply_one(rig, TKD_KIND_QUEUE, entry, "too deep", NULL), TKD_BAD_REFERENCE);
    rig_destroy(rig);
}

Test(catalog, retired_is_not_used_any_more)
{
    struct rig *rig = desk();
    u64 id = rig_create_ticket(rig, 1, 0);
    rig_presence(rig, 1, TKD_PRESENCE_ONLINE);
    cr_assert_eq(rig_holder(rig, id), 1);
    struct tkd_catalog_entry agent = {.id = 1, .retired = 1, .capacity = 2, .all_queues = 1};
    cr_assert_eq(apply_one(rig, TKD_KIND_AGENT, agent, "Ada", NULL), TKD_OK);
    cr_assert_eq(rig_holder(rig, id), 1, "what it has it keeps");
    cr_assert_eq(rig_holder(rig, rig_create_ticket(rig, 1, 0)), 0);
    cr_assert_eq(rig_presence(rig, 1, TKD_PRESENCE_OFFLINE), TKD_UNKNOWN_AGENT);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_ASSIGN, 1, NULL).status, TKD_UNKNOWN_AGENT);
    cr_assert_eq(apply_one(rig, TKD_KIND_SKILL, (struct tkd_catalog_entry){.id = 1, .retired = 1}, "French", NULL),
                 TKD_OK);
    cr_assert_eq(apply_one(rig, TKD_KIND_AGENT, (struct tkd_catalog_entry){.id = 5}, "x", (u16[]){1, 0}),
                 TKD_BAD_REFERENCE);
    cr_assert_eq(apply_one(rig, TKD_KIND_SKILL, (struct tkd_catalog_entry){.id = 4}, "French", NULL), TKD_NAME_TAKEN);
    struct tkd_catalog_entry queue = {.id = 1, .retired = 1, .strategy = 1};
    cr_assert_eq(apply_one(rig, TKD_KIND_QUEUE, queue, "first line", NULL), TKD_OK);
    struct tkd_ticket_create request = {.channel = 1, .queue = 1};
    cr_assert_eq(rig_create_with(rig, &request, "a", NULL).status, TKD_UNKNOWN_QUEUE);
    rig_destroy(rig);
}

/* What is retired may refer to what is not there (any more); a restart does not ask for more. */
Test(catalog, a_retired_policy_refers_to_anything)
{
    struct rig *rig = desk();
    struct tkd_catalog_entry policy = {.id = 9, .kind = TKD_KIND_POLICY, .retired = 1};
    rig_begin(rig, TKD_OP_CATALOG_APPLY);
    rig_add_bytes(rig, TKD_RECORD_catalog_entry, &policy,
                  (const void *const[]){"old", 0, 0, (u16[]){4000}, (u16[]){200}, (u16[]){60}},
                  (u32[]){3, 0, 0, 2, 2, 2});
    cr_assert_eq(apply(rig), TKD_OK);
    rig_reload(rig);
    rig_destroy(rig);
}

static void rich_desk(struct rig *rig)
{
    struct tkd_catalog_entry desk_entry = {.id = 1, .kind = TKD_KIND_DESK, .archive_after_ms = 77};
    struct tkd_catalog_entry queue = {.id = 4095, .kind = TKD_KIND_QUEUE, .parent = 2, .strategy = 3, .step_ms = 5,
                                      .yellow_ms = 2, .yellow_percent = 9, .states_step = 6};
    struct tkd_catalog_entry agent = {.id = 16383, .kind = TKD_KIND_AGENT, .capacity = 7};
    struct tkd_catalog_entry policy = {.id = 255, .kind = TKD_KIND_POLICY, .order = 3, .states_first_reply = 6,
                                       .states_resolution = 30, .priorities = 6, .yellow_percent = 20,
                                       .yellow_ms = 4, .first_reply_urgent_ms = 1, .first_reply_low_ms = 2,
                                       .resolution_urgent_ms = 3, .resolution_normal_ms = 4};
    u16 skills[] = {1, 3}, queues[] = {1, 3, 4095}, categories[] = {1, 2}, channels[] = {1}, tiers[] = {63};
    rig_tier(rig, 63, "gold");
    rig_begin(rig, TKD_OP_CATALOG_APPLY);
    rig_add(rig, TKD_RECORD_catalog_entry, &desk_entry, (const char *const[]){"the desk", 0, 0, 0, 0, 0});
    rig_add_bytes(rig, TKD_RECORD_catalog_entry, &queue, (const void *const[]){"deep", skills, 0, 0, 0, 0},
                  (u32[]){4, 4, 0, 0, 0, 0});
    rig_add_bytes(rig, TKD_RECORD_catalog_entry, &agent, (const void *const[]){"Zoë", skills, queues, 0, 0, 0},
                  (u32[]){4, 4, 6, 0, 0, 0});
    rig_add_bytes(rig, TKD_RECORD_catalog_entry, &policy,
                  (const void *const[]){"gold", 0, 0, categories, channels, tiers}, (u32[]){4, 0, 0, 4, 2, 2});
    cr_assert_eq(apply(rig), TKD_OK);
    struct tkd_catalog_entry fax = {.id = 2, .retired = 1};
    cr_assert_eq(apply_one(rig, TKD_KIND_CHANNEL, fax, "fax", NULL), TKD_OK);
}

/* Everything that is written is read back to the same, in any desk. */
Test(catalog, export_and_import)
{
    struct rig *rig = desk(), *copy = rig_create_small();
    rich_desk(rig);
    static u8 from[CATALOG_ENTRY_BYTES_MAX], again[CATALOG_ENTRY_BYTES_MAX];
    struct tkd_frame *frame = rig_frame(copy);
    static const u32 order[] = {1, 2, 3, 4, 5, 6, 7, 8}; /* the kinds in their order need no later one */
    for (u32 i = 0; i < ARRAY_COUNT(order); i++) {
        for (u32 id = 1; id <= AGENTS_MAX; id++) {
            if (order[i] == TKD_KIND_DESK ? id != 1 : catalog_entry_at(rig->state, order[i], id) == NULL) continue;
            u32 bytes = catalog_entry_write(rig->state, order[i], id, from, sizeof from);
            ((struct tkd_catalog_entry *)(void *)from)->expected_version = 0;
            rig_begin(copy, TKD_OP_CATALOG_APPLY);
            memcpy(frame + 1, from, bytes);
            frame->size += bytes;
            frame->count = 1;
            cr_assert_eq(apply(copy), TKD_OK, "%s %u", tkd_name(TKD_ENUM_KIND, order[i]), id);
            u32 written = catalog_entry_write(copy->state, order[i], id, again, sizeof again);
            ((struct tkd_catalog_entry *)(void *)again)->expected_version = 0;
            cr_assert_eq(written, bytes);
            cr_assert_eq(memcmp(from, again, bytes), 0, "%s %u", tkd_name(TKD_ENUM_KIND, order[i]), id);
        }
    }
    static const u32 tables[] = {TABLE_SKILL, TABLE_TIER, TABLE_CATEGORY, TABLE_QUEUE, TABLE_AGENT, TABLE_POLICY};
    for (u32 i = 0; i < ARRAY_COUNT(tables); i++)
        cr_assert_eq(rig->state->tables[tables[i]].rows_live, copy->state->tables[tables[i]].rows_live);
    rig_destroy(rig);
    rig_destroy(copy);
}

Test(catalog, a_change_reaches_every_ticket_over_several_pulses)
{
    struct rig *rig = desk();
    rig->validate = false;
    struct tkd_ticket_create request = {.channel = 1, .queue = 1};
    u32 count = SWEEP_ROWS_MAX + 100;
    for (u32 done = 0; done < count; done++) {
        if (done % 1000 == 0) rig_begin(rig, TKD_OP_TICKET_CREATE);
        rig_add(rig, TKD_RECORD_ticket_create, &request, (const char *const[]){"a", 0, 0, 0, 0, 0});
        if (done % 1000 == 999 || done + 1 == count) cr_assert_eq(rig_run(rig), TKD_OK);
    }
    struct tkd_catalog_entry policy = {.id = 1, .resolution_normal_ms = 5000, .states_resolution = 6};
    rig_begin(rig, TKD_OP_CATALOG_APPLY);
    add(rig, TKD_KIND_POLICY, policy, "all", NULL);
    cr_assert_eq(rig_run(rig), TKD_OK);
    cr_assert_neq(desk_row(rig->state)->sweep_row, 0);
    cr_assert_eq(state_due(rig->state, rig->now_ms), 0);
    const void *reply;
    u32 reply_bytes;
    cr_assert_eq(state_admit(rig->state, rig_frame(rig), &reply, &reply_bytes), TKD_BUSY);
    rig_settle(rig);
    for (u64 id = 1; id <= count; id++) cr_assert_eq(rig_ticket(rig, id)->policy, 1);
    rig_advance(rig, rig->now_ms + 5000);
    cr_assert_eq(rig_events(rig, TKD_EVENT_CARD), count);
    state_validate(rig->state);
    rig_destroy(rig);
}

Test(catalog, reading_what_is_not_there)
{
    struct rig *rig = desk();
    cr_assert_null(catalog_entry_at(rig->state, 0, 1));
    cr_assert_null(catalog_entry_at(rig->state, TKD_KIND_DESK, 1));
    cr_assert_null(catalog_entry_at(rig->state, TKD_KIND_END, 1));
    cr_assert_null(catalog_entry_at(rig->state, TKD_KIND_QUEUE, 0));
    cr_assert_null(catalog_entry_at(rig->state, TKD_KIND_QUEUE, UINT32_MAX));
    u32 set;
    cr_assert_eq(skill_set_of_ids(rig->state, (const u8 *)"\x63\0", 2, &set), TKD_UNKNOWN_SKILL);
    rig_destroy(rig);
}

/* A record of an older client: what it does not send is zero, even the id. */
Test(catalog, an_entry_without_an_id)
{
    struct rig *rig = desk();
    struct tkd_prefix record = {.size = sizeof record, .head = sizeof record, .kind = TKD_KIND_SKILL};
    rig_begin(rig, TKD_OP_CATALOG_APPLY);
    memcpy(rig->frame_bytes + sizeof(struct tkd_frame), &record, sizeof record);
    rig_frame(rig)->size += sizeof record;
    rig_frame(rig)->count = 1;
    cr_assert_eq(apply(rig), TKD_BAD_VALUE);
    cr_assert_eq(rig->results[0].id, 0);
    rig_destroy(rig);
}

Test(catalog, a_retired_branch_may_stay_below_a_retired_one)
{
    struct rig *rig = desk();
    struct tkd_catalog_entry leaf = {.id = 2, .parent = 1, .retired = 1}, root = {.id = 1, .retired = 1};
    cr_assert_eq(apply_one(rig, TKD_KIND_CATEGORY, root, "goods", NULL), TKD_BAD_REFERENCE, "one below it is in use");
    cr_assert_eq(apply_one(rig, TKD_KIND_CATEGORY, leaf, "broken", NULL), TKD_OK);
    cr_assert_eq(apply_one(rig, TKD_KIND_CATEGORY, root, "goods", NULL), TKD_OK);
    cr_assert_eq(apply_one(rig, TKD_KIND_CATEGORY, leaf, "broken, too", NULL), TKD_OK);
    leaf.retired = 0;
    cr_assert_eq(apply_one(rig, TKD_KIND_CATEGORY, leaf, "broken", NULL), TKD_BAD_REFERENCE);
    rig_destroy(rig);
}

/* Tickets with other skills each, until there is no room for another set of them. */
static void fill_skill_sets(struct rig *rig)
{
    struct tkd_ticket_create request = {.channel = 1, .queue = 3};
    char name[16];
    u32 count = 0;
    for (u32 id = 4; id <= SKILLS_MAX; id++) {
        snprintf(name, sizeof name, "skill %u", id);
        rig_skill(rig, id, name);
    }
    rig_begin(rig, TKD_OP_TICKET_CREATE);
    for (u16 a = 10; a <= SKILLS_MAX && count < SKILL_SETS_MAX; a++)
        for (u16 b = 10; b < a && count < SKILL_SETS_MAX; b++)
            for (u16 c = 10; c <= b && count < SKILL_SETS_MAX; c++, count++) {
                u16 skills[] = {a, b, c};
                rig_add_bytes(rig, TKD_RECORD_ticket_create, &request,
                              (const void *const[]){"a", 0, 0, 0, 0, skills}, (u32[]){1, 0, 0, 0, 0, 6});
                if (rig_frame(rig)->count < 1000) continue;
                cr_assert_eq(rig_run(rig), TKD_OK);
                rig_begin(rig, TKD_OP_TICKET_CREATE);
            }
    if (rig_frame(rig)->count != 0) cr_assert_eq(rig_run(rig), TKD_OK);
    cr_assert_eq(table_free(&rig->state->tables[TABLE_SKILL_SET]), 0);
}

/* Whoever cannot have what he asks for is told so, and nobody gets a ticket that he lacks the skills for. */
Test(catalog, no_room_for_another_set_of_skills)
{
    struct rig *rig = rig_create();
    u16 known[] = {11, 10, 0}, other[] = {1, 2, 0};
    rig_small_desk(rig);
    for (u32 id = 1; id <= 3; id++) rig_skill(rig, id, (const char *const[]){"", "French", "German", "repair"}[id]);
    rig_entry(rig, TKD_KIND_CATEGORY, &(struct tkd_catalog_entry){.id = 1}, "calls", (u16[]){1, 0}, NULL);
    rig_queue(rig, 4, "workshop", TKD_STRATEGY_LEAST_LOADED, 3);
    fill_skill_sets(rig);
    struct tkd_catalog_entry queue = {.id = 1, .strategy = TKD_STRATEGY_CLAIM};
    u64 digest = state_digest(rig->state, false);
    cr_assert_eq(apply_one(rig, TKD_KIND_QUEUE, queue, "first line", other), TKD_CATALOG_FULL);
    cr_assert_eq(state_digest(rig->state, false), digest);
    cr_assert_eq(apply_one(rig, TKD_KIND_QUEUE, queue, "first line", known), TKD_OK);
    struct tkd_ticket_create request = {.channel = 1, .queue = 3};
    rig_begin(rig, TKD_OP_TICKET_CREATE);
    rig_add_bytes(rig, TKD_RECORD_ticket_create, &request, (const void *const[]){"a", 0, 0, 0, 0, other},
                  (u32[]){1, 0, 0, 0, 0, 4});
    cr_assert_eq(rig_run(rig), TKD_OK);
    cr_assert_eq(rig->results[0].status, TKD_CATALOG_FULL);
    /* The union of the queue's and the category's: the queue's stands. */
    request = (struct tkd_ticket_create){.channel = 1, .queue = 4, .category = 1};
    u64 id = rig_create_with(rig, &request, "a", NULL).id;
    cr_assert_eq(task_row(rig->state, rig_ticket(rig, id)->task)->skill_set, queue_row(rig->state, 4)->skill_set);
    rig_destroy(rig);
}
