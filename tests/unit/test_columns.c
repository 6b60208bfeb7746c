/* Columns: in line with the rows whatever happens to a ticket, and lists by them in the order of ids. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/rig.h"

static struct rig *desk(void)
{
    struct rig *rig = rig_create();
    rig->validate = true;
    rig_small_desk(rig);
    return rig;
}

/* A list, however many pages it takes, is this one: ids, ended by 0. */
static void lists(struct rig *rig, struct tkd_ticket_list list, const char *tag, const u64 *ids)
{
    do {
        cr_assert_eq(rig_query(rig, TKD_OP_TICKET_LIST, TKD_RECORD_ticket_list, &list, (const char *const[]){tag}),
                     TKD_OK);
        for (u32 i = 0; i < rig->rows_count; i++, ids++)
            cr_assert_eq(((const struct tkd_ticket *)rig_row(rig, i))->id, *ids);
        list.cursor = rig->cursor;
    } while (list.cursor != 0);
    cr_assert_eq(*ids, 0);
}

/* After each command the rig asserts that columns and rows agree. */
Test(columns, follow_a_life)
{
    struct rig *rig = desk();
    rig_entry(rig, TKD_KIND_DESK, &(struct tkd_catalog_entry){.id = 1, .archive_after_ms = 10}, "d", NULL, NULL);
    u64 id = rig_create_ticket(rig, 3, 0), other = rig_create_ticket(rig, 1, 0);
    const struct tkd_ticket_list high = {.priority = TKD_PRIORITY_HIGH}, ended = {.states = 1u << TKD_STATE_CLOSED};
    rig_verb(rig, id, TKD_VERB_ASSIGN, 2, NULL);
    rig_verb(rig, id, TKD_VERB_PRIORITY, TKD_PRIORITY_HIGH, NULL);
    lists(rig, high, NULL, (u64[]){id, 0});
    rig_verb(rig, id, TKD_VERB_TAG, 0, "vip");
    rig_verb(rig, id, TKD_VERB_TAG, 0, "late");
    rig_verb(rig, id, TKD_VERB_UNTAG, 0, "vip");
    lists(rig, (struct tkd_ticket_list){0}, "vip", (u64[]){0});
    lists(rig, high, "late", (u64[]){id, 0});
    rig_verb(rig, id, TKD_VERB_TRANSFER, 1, NULL);
    lists(rig, (struct tkd_ticket_list){.queue = 1}, NULL, (u64[]){other, id, 0});
    lists(rig, (struct tkd_ticket_list){.agent = 2}, NULL, (u64[]){0});
    rig_verb(rig, id, TKD_VERB_ASSIGN, 3, NULL);
    rig_verb(rig, id, TKD_VERB_RESOLVE, 0, NULL);
    lists(rig, (struct tkd_ticket_list){.agent = 3}, NULL, (u64[]){id, 0});
    rig_verb(rig, id, TKD_VERB_REOPEN, 0, NULL);
    lists(rig, (struct tkd_ticket_list){.unassigned = 1}, NULL, (u64[]){other, id, 0});
    rig_verb(rig, id, TKD_VERB_CANCEL, 0, NULL);
    lists(rig, (struct tkd_ticket_list){.agent = 3}, NULL, (u64[]){id, 0});
    rig_verb(rig, id, TKD_VERB_REOPEN, 0, NULL);
    rig_verb(rig, id, TKD_VERB_CLOSE, 0, NULL);
    lists(rig, ended, "late", (u64[]){id, 0});
    rig_advance(rig, rig->now_ms + 10);
    lists(rig, (struct tkd_ticket_list){0}, NULL, (u64[]){other, 0});
    rig_destroy(rig);
}

Test(columns, routing_and_release_are_seen)
{
    struct rig *rig = desk();
    u64 id = rig_create_ticket(rig, 1, 0);
    rig_presence(rig, 2, TKD_PRESENCE_ONLINE);
    lists(rig, (struct tkd_ticket_list){.agent = 2, .states = 1u << TKD_STATE_OPEN}, NULL, (u64[]){id, 0});
    rig_verb(rig, id, TKD_VERB_RELEASE, 0, NULL);
    lists(rig, (struct tkd_ticket_list){.unassigned = 1}, NULL, (u64[]){id, 0});
    rig_destroy(rig);
}

/* A row that is free is taken by the next ticket; lists go by ids all the same. */
Test(columns, rows_taken_again)
{
    struct rig *rig = desk();
    rig_entry(rig, TKD_KIND_DESK, &(struct tkd_catalog_entry){.id = 1, .archive_after_ms = 10}, "d", NULL, NULL);
    u64 ids[6];
    for (u32 i = 0; i < 4; i++) ids[i] = rig_create_ticket(rig, 3, 0);
    rig_verb(rig, ids[1], TKD_VERB_CLOSE, 0, NULL);
    rig_verb(rig, ids[2], TKD_VERB_CLOSE, 0, NULL);
    rig_advance(rig, rig->now_ms + 10);
    for (u32 i = 4; i < 6; i++) ids[i] = rig_create_ticket(rig, 3, 0);
    cr_assert_lt(ticket_find(rig->state, ids[4]), ticket_find(rig->state, ids[3]), "the lowest free row");
    lists(rig, (struct tkd_ticket_list){.queue = 3, .limit = 1}, NULL, (u64[]){ids[5], ids[4], ids[3], ids[0], 0});
    rig_verb(rig, ids[0], TKD_VERB_TAG, 0, "vip");
    u8 before[COLUMNS][8];
    for (u32 i = 0; i < COLUMNS; i++) memcpy(before[i], rig->state->columns.bytes[i], sizeof before[i]);
    rig_reload(rig);
    for (u32 i = 0; i < COLUMNS; i++) cr_assert_arr_eq(rig->state->columns.bytes[i], before[i], sizeof before[i]);
    rig_destroy(rig);
}

/* Ids that differ in their higher bits only. */
Test(columns, large_ids)
{
    static const u16 queues[] = {7, 7 + 256, 7 + 15 * 256, QUEUES_MAX};
    static const u32 agents[] = {44, 44 + 256, 44 + 4096, 44 + 3 * 4096, AGENTS_MAX};
    struct rig *rig = desk();
    u64 ids[ARRAY_COUNT(queues)][ARRAY_COUNT(agents)];
    char name[20];
    for (u32 i = 0; i < ARRAY_COUNT(queues); i++) {
        snprintf(name, sizeof name, "queue %u", queues[i]);
        rig_queue(rig, queues[i], name, TKD_STRATEGY_CLAIM, 0);
    }
    for (u32 i = 0; i < ARRAY_COUNT(agents); i++) {
        snprintf(name, sizeof name, "agent %u", agents[i]);
        struct tkd_catalog_entry entry = {.id = agents[i], .all_queues = 1};
        rig_entry(rig, TKD_KIND_AGENT, &entry, name, NULL, NULL);
    }
    for (u32 i = 0; i < ARRAY_COUNT(queues); i++)
        for (u32 j = 0; j < ARRAY_COUNT(agents); j++) {
            ids[i][j] = rig_create_ticket(rig, queues[i], 0);
            cr_assert_eq(rig_verb(rig, ids[i][j], TKD_VERB_ASSIGN, agents[j], NULL).status, TKD_OK);
        }
    for (u32 i = 0; i < ARRAY_COUNT(queues); i++)
        for (u32 j = 0; j < ARRAY_COUNT(agents); j++)
            lists(rig, (struct tkd_ticket_list){.queue = queues[i], .agent = agents[j]}, NULL, (u64[]){ids[i][j], 0});
    lists(rig, (struct tkd_ticket_list){.agent = 44 + 65536}, NULL, (u64[]){0});
    lists(rig, (struct tkd_ticket_list){.priority = TKD_PRIORITY_NORMAL + 8}, NULL, (u64[]){0});
    lists(rig, (struct tkd_ticket_list){.priority = 32}, NULL, (u64[]){0});
    lists(rig, (struct tkd_ticket_list){.states = 1u << 9}, NULL, (u64[]){0});
    rig_destroy(rig);
}

/* Tags share bits; a list shows those that have the tag all the same. */
Test(columns, tags_that_share_bits)
{
    struct rig *rig = desk();
    rig->validate = false;
    u64 ids[300][3];
    char name[20];
    for (u32 i = 0; i < ARRAY_COUNT(ids); i++) {
        snprintf(name, sizeof name, "tag %u", i);
        ids[i][0] = rig_create_ticket(rig, 1, 0);
        ids[i][1] = i == 0 ? 0 : ids[i - 1][0];
        ids[i][2] = 0;
        for (u32 j = 0; j < 2 && ids[i][j] != 0; j++) rig_verb(rig, ids[i][j], TKD_VERB_TAG, 0, name);
    }
    for (u32 i = 0; i < ARRAY_COUNT(ids); i++) {
        snprintf(name, sizeof name, "tag %u", i);
        lists(rig, (struct tkd_ticket_list){0}, name, ids[i]);
    }
    state_validate(rig->state);
    rig_destroy(rig);
}

/* Blocks without tickets, or without what is wanted, and a cursor at any place. */
Test(columns, over_blocks)
{
    enum { TICKETS = 5 * COLUMN_BLOCK };
    static u64 wanted[TICKETS + 1];
    struct rig *rig = desk();
    rig->validate = false;
    rig_entry(rig, TKD_KIND_DESK, &(struct tkd_catalog_entry){.id = 1, .archive_after_ms = 10}, "d", NULL, NULL);
    for (u32 done = 0; done < TICKETS; done += COLUMN_BLOCK) {
        rig_begin(rig, TKD_OP_TICKET_CREATE);
        for (u32 i = 0; i < COLUMN_BLOCK; i++) {
            u32 id = done + i + 1;
            struct tkd_ticket_create create = {.channel = 1, .queue = id % 1000 == 0 ? 2 : 3};
            rig_add(rig, TKD_RECORD_ticket_create, &create, (const char *const[]){"a", 0, 0, 0, 0, 0});
        }
        cr_assert_eq(rig_run(rig), TKD_OK);
    }
    for (u32 done = COLUMN_BLOCK; done < 3 * COLUMN_BLOCK; done += COLUMN_BLOCK) { /* two blocks leave memory */
        rig_begin(rig, TKD_OP_TICKET_UPDATE);
        for (u32 i = 0; i < COLUMN_BLOCK; i++) {
            struct tkd_ticket_update close = {.kind = TKD_VERB_CLOSE, .ticket = done + i};
            rig_add(rig, TKD_RECORD_ticket_update, &close, NULL);
        }
        cr_assert_eq(rig_run(rig), TKD_OK);
    }
    rig_advance(rig, rig->now_ms + 10);
    cr_assert_eq(rig->state->tables[TABLE_TICKET].rows_live, 3 * COLUMN_BLOCK);
    u32 count = 0;
    for (u64 id = TICKETS / 1000 * 1000; id > 0; id -= 1000)
        if (ticket_find(rig->state, id) != 0) wanted[count++] = id;
    cr_assert_eq(count, 12);
    lists(rig, (struct tkd_ticket_list){.queue = 2}, NULL, wanted);
    lists(rig, (struct tkd_ticket_list){.queue = 2, .limit = 5}, NULL, wanted);
    for (u32 i = 0; i < count; i++) {
        lists(rig, (struct tkd_ticket_list){.queue = 2, .cursor = wanted[i]}, NULL, wanted + i);
        lists(rig, (struct tkd_ticket_list){.queue = 2, .cursor = wanted[i] - 1}, NULL, wanted + i + 1);
    }
    lists(rig, (struct tkd_ticket_list){.queue = 1}, NULL, (u64[]){0});
    state_validate(rig->state);
    rig_destroy(rig);
}
