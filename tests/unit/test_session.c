/* Sessions: every command exactly once. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/rig.h"

static struct rig *desk(void)
{
    struct rig *rig = rig_create_small();
    rig->validate = true;
    rig_small_desk(rig);
    return rig;
}

static struct tkd_result session_new(struct rig *rig, u32 window, const char *name)
{
    struct tkd_register request = {.window = window};
    rig_begin(rig, TKD_OP_REGISTER);
    rig_add(rig, TKD_RECORD_register, &request, (const char *const[]){name});
    cr_assert_eq(rig_run(rig), TKD_OK);
    return rig->results[0];
}

/* A create of so many tickets in a session. */
static enum tkd_status create(struct rig *rig, u64 session, u64 seq, u64 ack_below, u32 count)
{
    struct tkd_ticket_create request = {.channel = 1, .queue = 3};
    rig_begin(rig, TKD_OP_TICKET_CREATE);
    rig_frame(rig)->session = session;
    rig_frame(rig)->seq = seq;
    rig_frame(rig)->ack_below = ack_below;
    for (u32 i = 0; i < count; i++)
        rig_add(rig, TKD_RECORD_ticket_create, &request, (const char *const[]){"a", 0, 0, 0, 0, 0});
    return rig_run(rig);
}

static u64 tickets(const struct rig *rig) { return desk_row(rig->state)->tickets; }

Test(session, a_repeat_gets_the_first_answer)
{
    struct rig *rig = desk();
    u64 session = session_new(rig, 0, NULL).id;
    for (u32 count = 1; count <= 40; count += 13) { /* answers of one and of several parts */
        u64 seq = 1 + count / 13, before = tickets(rig);
        cr_assert_eq(create(rig, session, seq, 0, count), TKD_OK);
        memset(rig->results, 0, sizeof rig->results);
        cr_assert_eq(create(rig, session, seq, 0, count), TKD_EXISTS);
        for (u32 i = 0; i < count; i++) cr_assert_eq(rig->results[i].id, before + 1 + i);
        cr_assert_eq(tickets(rig), before + count);
    }
    rig_destroy(rig);
}

Test(session, a_repeat_after_a_restart_gets_the_first_answer)
{
    struct rig *rig = desk();
    u64 session = session_new(rig, 0, NULL).id;
    cr_assert_eq(create(rig, session, 1, 0, 20), TKD_OK);
    rig_replay(rig);
    cr_assert_eq(create(rig, session, 1, 0, 20), TKD_EXISTS);
    cr_assert_eq(rig->results[19].id, 20);
    rig_destroy(rig);
}

Test(session, the_largest_answer_is_kept_over_a_restart)
{
    struct rig *rig = rig_create();
    rig_small_desk(rig);
    u64 session = session_new(rig, 0, NULL).id;
    for (u32 round = 0; round < 2; round++) {
        struct tkd_agent_presence request = {.agent = 1, .presence = TKD_PRESENCE_ONLINE};
        rig_begin(rig, TKD_OP_AGENT_PRESENCE);
        rig_frame(rig)->session = session;
        rig_frame(rig)->seq = 1;
        for (u32 i = 0; i < TKD_RECORDS_MAX; i++) rig_add(rig, TKD_RECORD_agent_presence, &request, NULL);
        cr_assert_eq(rig_run(rig), round == 0 ? TKD_OK : TKD_EXISTS);
        if (round == 0) rig_reload(rig);
    }
    cr_assert_eq(rig->results[TKD_RECORDS_MAX - 1].status, TKD_UNCHANGED);
    rig_destroy(rig);
}

Test(session, another_request_under_a_used_number)
{
    struct rig *rig = desk();
    u64 session = session_new(rig, 0, NULL).id;
    cr_assert_eq(create(rig, session, 1, 0, 1), TKD_OK);
    cr_assert_eq(create(rig, session, 1, 0, 2), TKD_SEQUENCE_REUSED);
    cr_assert_eq(tickets(rig), 1);
    rig_destroy(rig);
}

/* The same bytes behind another head. */
static enum tkd_status presence_as(struct rig *rig, u64 session, u16 op, u16 flags, u64 time_ms)
{
    struct tkd_agent_presence request = {.agent = 1, .presence = TKD_PRESENCE_ONLINE};
    rig_begin(rig, TKD_OP_AGENT_PRESENCE);
    rig_add(rig, TKD_RECORD_agent_presence, &request, NULL);
    struct tkd_frame *frame = rig_frame(rig);
    frame->session = session;
    frame->seq = 1;
    frame->op = op;
    frame->flags = flags;
    frame->time_ms = time_ms;
    return rig_run(rig);
}

Test(session, a_request_is_its_head_too)
{
    struct rig *rig = desk();
    u64 session = session_new(rig, 0, NULL).id;
    cr_assert_eq(presence_as(rig, session, TKD_OP_AGENT_PRESENCE, 0, 0), TKD_OK);
    cr_assert_eq(presence_as(rig, session, TKD_OP_UNREGISTER, 0, 0), TKD_SEQUENCE_REUSED);
    cr_assert_eq(presence_as(rig, session, TKD_OP_AGENT_PRESENCE, TKD_FLAG_STOP, 0), TKD_SEQUENCE_REUSED);
    cr_assert_eq(presence_as(rig, session, TKD_OP_AGENT_PRESENCE, 0, 7), TKD_SEQUENCE_REUSED);
    cr_assert_eq(presence_as(rig, session, TKD_OP_AGENT_PRESENCE, 0, 0), TKD_EXISTS);
    rig_destroy(rig);
}

Test(session, gaps_and_forgotten_numbers)
{
    struct rig *rig = desk();
    u64 session = session_new(rig, 0, NULL).id;
    cr_assert_eq(create(rig, session, 2, 0, 1), TKD_SEQUENCE_GAP);
    cr_assert_eq(create(rig, session, 0, 0, 1), TKD_SEQUENCE_FORGOTTEN);
    cr_assert_eq(create(rig, session, 1, 0, 1), TKD_OK);
    cr_assert_eq(create(rig, session, 2, 2, 1), TKD_OK);
    cr_assert_eq(create(rig, session, 1, 0, 1), TKD_SEQUENCE_FORGOTTEN);
    cr_assert_eq(create(rig, session, 2, 99, 1), TKD_EXISTS, "it cannot acknowledge what it has not sent");
    cr_assert_eq(create(rig, session, 3, 99, 1), TKD_OK);
    cr_assert_eq(create(rig, session, 3, 0, 1), TKD_EXISTS);
    cr_assert_eq(create(rig, 12345, 1, 0, 1), TKD_SESSION_EXPIRED);
    cr_assert_eq(create(rig, session + 4096, 1, 0, 1), TKD_SESSION_EXPIRED, "the same row, another session");
    cr_assert_eq(tickets(rig), 3);
    rig_destroy(rig);
}

Test(session, the_window_is_a_bound)
{
    struct rig *rig = desk();
    u64 session = session_new(rig, 3, NULL).id;
    for (u64 seq = 1; seq <= 3; seq++) cr_assert_eq(create(rig, session, seq, 0, 20), TKD_OK);
    cr_assert_eq(create(rig, session, 4, 0, 1), TKD_WINDOW_FULL);
    cr_assert_eq(create(rig, session, 4, 2, 1), TKD_OK);
    cr_assert_eq(create(rig, session, 1, 0, 20), TKD_SEQUENCE_FORGOTTEN);
    cr_assert_eq(create(rig, session, 2, 0, 20), TKD_EXISTS);
    cr_assert_eq(rig->state->tables[TABLE_REPLY].rows_live, 2 + 2 + 1,
                 "dropped answers give their room back");
    struct tkd_register request = {.window = SESSION_WINDOW_MAX + 1};
    rig_begin(rig, TKD_OP_REGISTER);
    rig_add(rig, TKD_RECORD_register, &request, NULL);
    cr_assert_eq(rig_run(rig), TKD_OK);
    cr_assert_eq(rig->results[0].status, TKD_BAD_VALUE);
    rig_destroy(rig);
}

Test(session, many_rounds_of_the_window)
{
    struct rig *rig = desk();
    u64 session = session_new(rig, 0, NULL).id;
    rig->validate = false;
    for (u64 seq = 1; seq <= 300; seq++)
        cr_assert_eq(create(rig, session, seq, seq > 64 ? seq - 63 : 0, 1), TKD_OK);
    for (u64 seq = 237; seq <= 300; seq++) cr_assert_eq(create(rig, session, seq, 0, 1), TKD_EXISTS);
    cr_assert_eq(rig->results[0].id, 300);
    cr_assert_eq(create(rig, session, 236, 0, 1), TKD_SEQUENCE_FORGOTTEN);
    rig_destroy(rig);
}

Test(session, found_again_by_name)
{
    struct rig *rig = desk();
    struct tkd_result first = session_new(rig, 0, "replay"), other = session_new(rig, 0, "other");
    cr_assert_eq(first.status, TKD_OK);
    cr_assert_neq(first.id, other.id);
    cr_assert_eq(session_new(rig, 0, NULL).status, TKD_OK);
    cr_assert_eq(session_new(rig, 0, NULL).status, TKD_OK, "no name is no name");
    struct tkd_result again = session_new(rig, 5, "replay");
    cr_assert_eq(again.status, TKD_EXISTS);
    cr_assert_eq(again.id, first.id);
    rig_reload(rig);
    cr_assert_eq(session_new(rig, 0, "replay").id, first.id);
    rig_destroy(rig);
}

Test(session, stop_halts_the_session_until_it_is_registered_again)
{
    struct rig *rig = desk();
    u64 session = session_new(rig, 0, "replay").id;
    struct tkd_ticket_update request = {.kind = TKD_VERB_URGE, .ticket = 77};
    u64 id = rig_create_ticket(rig, 3, 0);
    rig_begin(rig, TKD_OP_TICKET_UPDATE);
    rig_frame(rig)->session = session;
    rig_frame(rig)->seq = 1;
    rig_frame(rig)->flags = TKD_FLAG_STOP;
    rig_add(rig, TKD_RECORD_ticket_update, &(struct tkd_ticket_update){.kind = TKD_VERB_URGE, .ticket = id},
            NULL);
    rig_add(rig, TKD_RECORD_ticket_update, &request, NULL);
    rig_add(rig, TKD_RECORD_ticket_update, &request, NULL);
    cr_assert_eq(rig_run(rig), TKD_OK);
    cr_assert_eq(rig->results[0].status, TKD_OK);
    cr_assert_eq(rig->results[1].status, TKD_NOT_FOUND);
    cr_assert_eq(rig->results[2].status, TKD_NOT_RUN);
    cr_assert_eq(session_row(rig->state, session_find(rig->state, session))->records, 1);
    rig_frame(rig)->seq = 2;
    cr_assert_eq(rig_run(rig), TKD_HALTED);
    cr_assert_eq(session_new(rig, 0, "replay").status, TKD_EXISTS);
    rig_begin(rig, TKD_OP_TICKET_UPDATE);
    rig_frame(rig)->session = session;
    rig_frame(rig)->seq = 2;
    rig_frame(rig)->flags = TKD_FLAG_STOP;
    rig_add(rig, TKD_RECORD_ticket_update, &(struct tkd_ticket_update){.kind = TKD_VERB_URGE, .ticket = id},
            NULL);
    cr_assert_eq(rig_run(rig), TKD_OK);
    cr_assert_eq(session_row(rig->state, session_find(rig->state, session))->records, 2);
    rig_destroy(rig);
}

static u32 unregister(struct rig *rig, u64 session, u64 in_session, u64 seq)
{
    struct tkd_session_id request = {.session = session};
    rig_begin(rig, TKD_OP_UNREGISTER);
    rig_frame(rig)->session = in_session;
    rig_frame(rig)->seq = seq;
    rig_add(rig, TKD_RECORD_session_id, &request, NULL);
    cr_assert_eq(rig_run(rig), TKD_OK);
    return rig->results[0].status;
}

Test(session, unregistered_is_gone)
{
    struct rig *rig = desk();
    u64 session = session_new(rig, 0, "n").id;
    cr_assert_eq(create(rig, session, 1, 0, 40), TKD_OK);
    cr_assert_eq(unregister(rig, session, 0, 0), TKD_OK);
    cr_assert_eq(unregister(rig, session, 0, 0), TKD_NOT_FOUND);
    cr_assert_eq(create(rig, session, 2, 0, 1), TKD_SESSION_EXPIRED);
    cr_assert_eq(rig->state->tables[TABLE_REPLY].rows_live, 0);
    cr_assert_eq(session_new(rig, 0, "n").status, TKD_OK, "its name is free again");
    rig_destroy(rig);
}

/* The answer cannot be kept: the session is gone. */
Test(session, may_unregister_itself)
{
    struct rig *rig = desk();
    u64 session = session_new(rig, 0, NULL).id;
    cr_assert_eq(unregister(rig, session, session, 1), TKD_OK);
    cr_assert_eq(create(rig, session, 2, 0, 1), TKD_SESSION_EXPIRED);
    cr_assert_eq(rig->state->tables[TABLE_REPLY].rows_live, 0);
    rig_destroy(rig);
}

Test(session, the_one_used_longest_ago_makes_room)
{
    struct rig *rig = desk();
    rig->validate = false;
    u64 first = session_new(rig, 0, NULL).id, second = 0;
    for (u32 i = 1; i < SESSIONS_MAX; i++) {
        rig_advance(rig, rig->now_ms + 1);
        u64 id = session_new(rig, 0, NULL).id;
        if (i == 1) second = id;
    }
    rig_advance(rig, rig->now_ms + 1);
    cr_assert_eq(create(rig, first, 1, 0, 1), TKD_OK); /* used: not the oldest any more */
    session_new(rig, 0, NULL);
    cr_assert_neq(session_find(rig->state, first), 0);
    cr_assert_eq(session_find(rig->state, second), 0);
    cr_assert_eq(create(rig, second, 1, 0, 1), TKD_SESSION_EXPIRED);
    rig_destroy(rig);
}

/* A session whose REGISTER of another one evicts itself. */
Test(session, may_make_room_by_itself)
{
    struct rig *rig = desk();
    rig->validate = false;
    u64 first = session_new(rig, 0, NULL).id;
    rig_advance(rig, rig->now_ms + 1);
    for (u32 i = 1; i < SESSIONS_MAX; i++) session_new(rig, 0, NULL);
    struct tkd_register request = {.window = 1};
    rig_begin(rig, TKD_OP_REGISTER);
    rig_frame(rig)->session = first;
    rig_frame(rig)->seq = 1;
    rig_add(rig, TKD_RECORD_register, &request, NULL);
    cr_assert_eq(rig_run(rig), TKD_OK);
    cr_assert_eq(rig->results[0].status, TKD_OK);
    cr_assert_eq(session_find(rig->state, first), 0);
    state_validate(rig->state);
    rig_destroy(rig);
}

/* Frames as large as they may be, acknowledged by none: a session has a share, and all together have the
 * table. */
static enum tkd_status urge_often(struct rig *rig, u64 session, u64 seq, u64 ack_below)
{
    struct tkd_ticket_update request = {.kind = TKD_VERB_URGE, .ticket = 1};
    rig_begin(rig, TKD_OP_TICKET_UPDATE);
    rig_frame(rig)->session = session;
    rig_frame(rig)->seq = seq;
    rig_frame(rig)->ack_below = ack_below;
    for (u32 i = 0; i < TKD_RECORDS_MAX; i++) rig_add(rig, TKD_RECORD_ticket_update, &request, NULL);
    return rig_run(rig);
}

Test(session, kept_answers_have_bounds)
{
    struct rig *rig = desk();
    rig->validate = false;
    u64 sessions[40], seq[40];
    u32 count = 0;
    u64 idle = session_new(rig, 0, NULL).id;
    rig_create_ticket(rig, 3, 0);
    for (;; count++) {
        cr_assert_lt(count, ARRAY_COUNT(sessions));
        sessions[count] = session_new(rig, 0, NULL).id;
        enum tkd_status status = TKD_OK;
        for (seq[count] = 1; (status = urge_often(rig, sessions[count], seq[count], 0)) == TKD_OK;
             seq[count]++) {
        }
        cr_assert_eq(status, TKD_WINDOW_FULL);
        cr_assert_leq(seq[count], seq[0]);
        if (seq[count] < seq[0]) break; /* no more room for a whole share */
    }
    cr_assert_geq(count, 10, "one session does not take all");
    cr_assert_lt(table_free(&rig->state->tables[TABLE_REPLY]), 600);
    cr_assert_eq(urge_often(rig, sessions[0], 1, 0), TKD_EXISTS, "what is kept is answered");
    cr_assert_eq(urge_often(rig, sessions[0], seq[0], 1), TKD_WINDOW_FULL, "nothing new is acknowledged");
    rig_advance(rig, rig->now_ms + SESSION_IDLE_MS - 1);
    rig_presence(rig, 1, TKD_PRESENCE_ONLINE);
    cr_assert_eq(urge_often(rig, sessions[count], seq[count], 0), TKD_WINDOW_FULL,
                 "none was unused for an hour");
    rig_advance(rig, rig->now_ms + 1);
    rig_presence(rig, 1, TKD_PRESENCE_OFFLINE);
    cr_assert_eq(urge_often(rig, sessions[count], seq[count]++, 0), TKD_OK,
                 "the dead do not stop the living");
    cr_assert_eq(urge_often(rig, sessions[0], 1, 0), TKD_SESSION_EXPIRED,
                 "the one used longest ago made room");
    cr_assert_eq(urge_often(rig, sessions[1], 1, 0), TKD_EXISTS, "the next one did not need to");
    cr_assert_neq(session_find(rig->state, idle), 0, "who keeps no answers has no room to give");
    cr_assert_eq(urge_often(rig, sessions[2], seq[2], 2), TKD_OK, "what it gives back it may use again");
    cr_assert_eq(rig_ticket(rig, 1)->urges, UINT16_MAX, "and a ticket's urges stop counting at their end");
    rig_destroy(rig);
}
