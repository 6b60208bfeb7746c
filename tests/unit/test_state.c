/* The desk as a whole: admission, time, loading, digests. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/support/workload.h"

static struct rig *desk(void)
{
    struct rig *rig = rig_create_small();
    rig_small_desk(rig);
    return rig;
}

static enum tkd_status create(struct rig *rig, u32 count, const char *address)
{
    struct tkd_ticket_create request = {.channel = 1, .queue = 3, .no_routing = 1};
    rig_begin(rig, TKD_OP_TICKET_CREATE);
    for (u32 i = 0; i < count; i++)
        rig_add(rig, TKD_RECORD_ticket_create, &request, (const char *const[]){address, 0, 0, 0, 0, 0});
    return rig_run(rig);
}

Test(state, a_full_desk_refuses_and_goes_on)
{
    struct rig *rig = desk();
    u32 rows = rig->state->tables[TABLE_TICKET].rows_max;
    while (table_free(&rig->state->tables[TABLE_TICKET]) >= 2000) cr_assert_eq(create(rig, 2000, "a"), TKD_OK);
    u32 left = table_free(&rig->state->tables[TABLE_TICKET]);
    cr_assert_eq(create(rig, left + 1, "a"), TKD_DESK_FULL);
    cr_assert_eq(create(rig, left, "a"), TKD_OK);
    cr_assert_eq(rig->state->tables[TABLE_TICKET].rows_live, rows);
    cr_assert_eq(create(rig, 1, "a"), TKD_DESK_FULL);
    /* A full desk can be worked off. */
    cr_assert_eq(rig_verb(rig, 1, TKD_VERB_NOTE, 0, "n").status, TKD_OK);
    cr_assert_eq(rig_verb(rig, 1, TKD_VERB_TRANSFER, 2, NULL).status, TKD_OK);
    cr_assert_eq(rig_verb(rig, 2, TKD_VERB_CLOSE, 0, NULL).status, TKD_OK);
    cr_assert_eq(rig_verb(rig, 2, TKD_VERB_REOPEN, 0, NULL).status, TKD_OK, "there is a task free now");
    cr_assert_eq(rig_verb(rig, 2, TKD_VERB_REOPEN, 0, NULL).status, TKD_DESK_FULL);
    state_validate(rig->state);
    rig_destroy(rig);
}

Test(state, time_has_an_end)
{
    struct rig *rig = desk();
    const void *reply;
    u32 reply_bytes;
    struct tkd_frame frame = {.op = TKD_OP_TICKET_CREATE, .size = TKD_FRAME_BYTES, .count = 1, .time_ms = TIME_MS_MAX};
    cr_assert_eq(state_admit(rig->state, &frame, &reply, &reply_bytes), TKD_OK);
    frame.time_ms++;
    cr_assert_eq(state_admit(rig->state, &frame, &reply, &reply_bytes), TKD_BAD_TIME);
    /* At the very end deadlines are still ahead. */
    struct tkd_catalog_entry queue = {.id = 3, .strategy = TKD_STRATEGY_CLAIM, .step_ms = WHEEL_DEADLINE_MAX / 16};
    rig_entry(rig, TKD_KIND_QUEUE, &queue, "claims", NULL, NULL);
    rig_advance(rig, TIME_MS_MAX);
    u64 id = rig_create_ticket(rig, 3, 0);
    rig_verb(rig, id, TKD_VERB_CLOSE, 0, NULL);
    state_validate(rig->state);
    rig_destroy(rig);
}

/* A ticket leaves memory by its timer only: at that very instant commands are still taken. */
Test(state, a_command_at_the_instant_of_the_archive)
{
    struct rig *rig = desk();
    rig_entry(rig, TKD_KIND_DESK, &(struct tkd_catalog_entry){.id = 1, .archive_after_ms = 100}, "d", NULL, NULL);
    u64 id = rig_create_ticket(rig, 3, 0);
    rig_verb(rig, id, TKD_VERB_CLOSE, 0, NULL);
    struct tkd_ticket_update request = {.kind = TKD_VERB_NOTE, .ticket = id};
    rig_begin(rig, TKD_OP_TICKET_UPDATE);
    rig_add(rig, TKD_RECORD_ticket_update, &request, (const char *const[]){0, 0, "n"});
    rig_add(rig, TKD_RECORD_ticket_update, &request, (const char *const[]){0, 0, "n"});
    struct command command = {
        .op = state_op(rig->state) + 1, .time_ms = rig->now_ms + 100, .frame = rig_frame(rig)};
    state_apply(rig->state, &command, rig->results); /* at the deadline, before its timer */
    cr_assert_eq(rig->results[0].status, TKD_OK);
    cr_assert_eq(rig->results[0].id, id);
    cr_assert_eq(rig->results[0].version, 3);
    cr_assert_eq(rig->results[1].status, TKD_OK);
    state_validate(rig->state);
    rig_advance(rig, rig->now_ms + 100);
    cr_assert_null(rig_ticket(rig, id));
    rig_destroy(rig);
}

Test(state, the_digest_of_the_desk_does_not_depend_on_frames)
{
    struct rig *one = desk(), *many = desk();
    cr_assert_eq(create(one, 30, "a"), TKD_OK);
    for (u32 i = 0; i < 30; i++) cr_assert_eq(create(many, 1, "a"), TKD_OK);
    cr_assert_eq(state_digest(one->state, false), state_digest(many->state, false));
    cr_assert_neq(state_digest(one->state, true), state_digest(many->state, true));
    rig_verb(one, 3, TKD_VERB_PEND, 0, NULL);
    cr_assert_neq(state_digest(one->state, false), state_digest(many->state, false));
    rig_destroy(one);
    rig_destroy(many);
}

/* Two stores hash identities differently and are the same desk. */
Test(state, the_digest_does_not_depend_on_the_store)
{
    struct workload *workload = workload_create(5);
    for (u32 i = 0; i < 1500; i++) workload_step(workload);
    struct rig *rig = workload->rig;
    u64 digest = state_digest(rig->state, false), full = state_digest(rig->state, true);
    rig->config.secret = 12345;
    rig_replay(rig);
    cr_assert_eq(state_digest(rig->state, false), digest);
    cr_assert_neq(state_digest(rig->state, true), full);
    workload_destroy(workload);
}

Test(state, chunks_that_do_not_fit_are_refused)
{
    struct rig *rig = rig_create_small();
    void *memory;
    struct state *state = rig_state_create(rig, &memory);
    const struct table *table = &state->tables[TABLE_TICKET];
    u32 bytes = table_chunk_bytes(table), last = table->rows_max >> table->chunk_shift;
    u8 *chunk = calloc(1, bytes);
    cr_assert_not(state_load_chunk(state, 0, 0, chunk, bytes));
    cr_assert_not(state_load_chunk(state, TABLES, 0, chunk, bytes));
    cr_assert_not(state_load_chunk(state, TABLE_TICKET, 0, chunk, bytes - 8));
    cr_assert_not(state_load_chunk(state, TABLE_TICKET, last + 1, chunk, bytes));
    cr_assert(state_load_chunk(state, TABLE_TICKET, last, chunk, bytes));
    /* A row behind the budget, in a chunk that begins within it. */
    u32 behind = table->rows_max + 1 - (last << table->chunk_shift);
    if (behind < bytes / table->row_bytes) {
        chunk[behind * table->row_bytes] = 1;
        cr_assert_not(state_load_chunk(state, TABLE_TICKET, last, chunk, bytes));
    }
    free(chunk);
    munmap(memory, rig->memory_bytes);
    rig_destroy(rig);
}

/* ---- What loading is going to use ---- */

struct named {
    const u8 *memory;
    u64 memory_bytes;
    u64 bytes; /* of all pieces */
};

static void piece_named(void *owner, void *memory, u64 bytes)
{
    struct named *named = owner;
    cr_assert((u8 *)memory >= named->memory && (u8 *)memory + bytes <= named->memory + named->memory_bytes);
    named->bytes += bytes;
}

Test(state, names_what_loading_uses)
{
    struct rig *rig = rig_create_small();
    u64 none[TABLES] = {0}, some[TABLES] = {[TABLE_TICKET] = 2}, all[TABLES];
    for (u32 i = 0; i < TABLES; i++) all[i] = U32_NONE; /* nobody may name more than there is */
    struct named named[3];
    for (u32 i = 0; i < 3; i++) named[i] = (struct named){rig->memory, rig->memory_bytes, 0};
    state_pieces_of(rig->state, none, piece_named, &named[0]);
    state_pieces_of(rig->state, some, piece_named, &named[1]);
    state_pieces_of(rig->state, all, piece_named, &named[2]);
    const struct table *table = &rig->state->tables[TABLE_TICKET];
    u64 rows = (u64)2 << table->chunk_shift, row_bytes = table->row_bytes + sizeof(u32) + sizeof(struct wheel_node);
    cr_assert_eq(named[1].bytes - named[0].bytes, rows * row_bytes);
    cr_assert_geq(named[2].bytes, table->rows_max * row_bytes);
    rig_destroy(rig);
}

/* Loads the rows of a desk into a new state, one of them changed. */
static bool loads_into(struct rig *rig, u32 table_number, u32 row, u32 offset, u64 value, u32 bytes, char *error,
                       u32 error_bytes)
{
    void *memory;
    struct state *state = rig_state_create(rig, &memory);
    for (u32 i = 1; i < TABLES; i++) {
        const struct table *table = &rig->state->tables[i];
        for (u32 chunk = 0; chunk < table_chunks(table); chunk++) {
            u8 rows[TABLE_CHUNK_BYTES_MAX];
            u32 first = chunk << table->chunk_shift;
            memcpy(rows, table_chunk(table, chunk), table_chunk_bytes(table));
            if (i == table_number && row >> table->chunk_shift == chunk)
                memcpy(rows + (row - first) * table->row_bytes + offset, &value, bytes);
            cr_assert(state_load_chunk(state, i, chunk, rows, table_chunk_bytes(table)));
        }
    }
    bool loaded = state_loaded(state, state_op(rig->state), state_time(rig->state),
                               state_events(rig->state)->seq_next - 1, error, error_bytes);
    munmap(memory, rig->memory_bytes);
    return loaded;
}

static bool loads(struct rig *rig, u32 table_number, u32 row, u32 offset, u64 value, u32 bytes, char *error)
{
    return loads_into(rig, table_number, row, offset, value, bytes, error, 200);
}

Test(state, rows_that_do_not_fit_together_are_refused)
{
    struct rig *rig = desk();
    struct tkd_ticket_create request = {.channel = 1, .queue = 3};
    rig_create_with(rig, &request, "a", "key");
    char error[200];
    cr_assert(loads(rig, TABLE_TICKET, 1, 0, 1, 8, error), "nothing is wrong");
    static const struct {
        u32 table, offset;
        u64 value;
        u32 bytes;
        const char *error;
    } wrong[] = {
        {TABLE_DESK, 0, 0, 8, "desk's own row"},
        {TABLE_TICKET, offsetof(struct ticket, id), 99, 8, "a ticket's id"},
        {TABLE_TICKET, offsetof(struct ticket, task), 7, 4, "a ticket's task"},
        {TABLE_TASK, offsetof(struct task, ticket), 2, 4, "a ticket's task"},
        {TABLE_TICKET, offsetof(struct ticket, state), TKD_STATE_CLOSED, 1, "without a task"},
        {TABLE_TICKET, offsetof(struct ticket, customer), 2, 4, "a ticket's customer"},
        {TABLE_TICKET, offsetof(struct ticket, queue), 99, 2, "a ticket's queue"},
        {TABLE_KEY, 0, 5, 8, "external key"},
        {TABLE_TICKET, offsetof(struct ticket, agent), 99, 4, "a ticket's agent, table 18 row 1"},
        {TABLE_TICKET, offsetof(struct ticket, priority), TKD_PRIORITY_END, 1, "a ticket's numbers"},
        {TABLE_TASK, offsetof(struct task, queue), 2, 2, "a task's ticket"},
        {TABLE_QUEUE, offsetof(struct queue, parent), 1, 4, "a queue's parent"},
        {TABLE_CUSTOMER, offsetof(struct customer, tier), 9, 4, "a customer's tier"},
        {TABLE_DESK, offsetof(struct desk, by_state) + 8 * TKD_STATE_NEW, 0, 8, "the desk's counters"},
        {TABLE_STATS, 0, 1, 8, "a counter's key"},
        {TABLE_TICKET, sizeof(struct ticket) + offsetof(struct ticket, agent), 99, 4, "a free row, table 18 row 2"},
    };
    char small[12];
    for (u32 i = 0; i < ARRAY_COUNT(wrong); i++) {
        cr_assert_not(loads(rig, wrong[i].table, 1, wrong[i].offset, wrong[i].value, wrong[i].bytes, error), "%u", i);
        cr_assert_not_null(strstr(error, wrong[i].error), "%u: %s", i, error);
    }
    cr_assert_not(loads_into(rig, TABLE_KEY, 1, 0, 5, 8, small, sizeof small));
    cr_assert_str_eq(small, "the rows in", "what is said ends with its room");
    cr_assert_not(loads_into(rig, TABLE_DESK, 1, 0, 0, 8, NULL, 0));
    rig_destroy(rig);
}

Test(state, memory_is_accounted_for)
{
    struct rig *rig = desk();
    u64 before = state_memory_bytes(rig->state);
    cr_assert_eq(create(rig, 5000, "a"), TKD_OK);
    u64 grown = state_memory_bytes(rig->state) - before;
    cr_assert_gt(grown, 5000 * (sizeof(struct ticket) + sizeof(struct task)));
    cr_assert_lt(grown, state_bytes(&rig->config));
    rig_destroy(rig);
}

Test(state, a_snapshot_that_had_to_save_too_much_says_so)
{
    static u8 slice[64u << 10];
    struct rig *rig = desk();
    bool finished = false;
    while (table_free(&rig->state->tables[TABLE_TICKET]) >= 2000) cr_assert_eq(create(rig, 2000, "a"), TKD_OK);
    state_snapshot_begin(rig->state);
    cr_assert(state_snapshot_running(rig->state));
    u64 last = desk_row(rig->state)->tickets;
    for (u64 id = 1; id <= last && !state_snapshot_lags(rig->state); id += 7) {
        cr_assert_leq(rig->state->snapshot.slots_used * sizeof(struct slot), rig->config.memory_bytes / 32);
        rig_verb(rig, id, TKD_VERB_URGE, 0, NULL);
    }
    cr_assert(state_snapshot_lags(rig->state));
    while (!finished) (void)state_snapshot_slice(rig->state, slice, sizeof slice, 100, &finished);
    cr_assert_not(state_snapshot_lags(rig->state));
    cr_assert_not(state_snapshot_running(rig->state));
    rig_destroy(rig);
}

/* Numbers of tickets are never used again: they end with the room for their directory. */
Test(state, the_numbers_of_tickets_have_an_end)
{
    struct rig *rig = desk();
    char error[200];
    u64 last = rig->state->directory_max;
    desk_edit(rig->state)->tickets = last - 2;
    cr_assert_eq(create(rig, 3, "a"), TKD_DESK_FULL);
    cr_assert_eq(create(rig, 2, "a"), TKD_OK);
    cr_assert_eq(rig->results[1].id, last);
    cr_assert_eq(rig_ticket(rig, last)->id, last);
    cr_assert_eq(create(rig, 1, "a"), TKD_DESK_FULL);
    cr_assert(loads(rig, TABLE_TICKET, 2, 0, last, 8, error), "%s", error);
    /* A desk of more memory had more numbers. */
    desk_edit(rig->state)->tickets = last + 1;
    cr_assert_not(loads(rig, TABLE_TICKET, 2, 0, last + 1, 8, error));
    cr_assert_not_null(strstr(error, "the desk's counters"));
    rig_destroy(rig);
}

static enum tkd_status tag(struct rig *rig, u64 id, u32 first, u32 count)
{
    char name[16];
    rig_begin(rig, TKD_OP_TICKET_UPDATE);
    for (u32 i = first; i < first + count; i++) {
        snprintf(name, sizeof name, "t%u", i);
        rig_add(rig, TKD_RECORD_ticket_update, &(struct tkd_ticket_update){.kind = TKD_VERB_TAG, .ticket = id},
                (const char *const[]){NULL, NULL, name});
    }
    return rig_run(rig);
}

/* Every ticket has as many tags as it may: links run out before tickets do. */
Test(state, no_room_for_more_tags)
{
    struct rig *rig = desk();
    const struct table *labels = &rig->state->tables[TABLE_LABEL];
    u64 id = 0;
    while (table_free(labels) > 1) {
        id = rig_create_ticket(rig, 3, 0);
        cr_assert_eq(tag(rig, id, 1, min_u32(TICKET_TAGS_MAX - 1, table_free(labels) - 1)), TKD_OK);
    }
    cr_assert_eq(tag(rig, id, TICKET_TAGS_MAX, 2), TKD_DESK_FULL, "for two there is no room");
    cr_assert_eq(tag(rig, id, TICKET_TAGS_MAX, 1), TKD_OK);
    cr_assert_eq(table_free(labels), 0);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_TAG, 0, "x").status, TKD_DESK_FULL);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_NOTE, 0, "x").status, TKD_OK);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_UNTAG, 0, "t1").status, TKD_OK);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_TAG, 0, "x").status, TKD_OK, "there is one free now");
    state_validate(rig->state);
    rig_destroy(rig);
}
