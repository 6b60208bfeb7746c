/* The flag STOP in a session: after a refused record nothing more is done with it until REGISTER names the session
 * again, and the session's count of records says where to go on. */
#include <criterion/criterion.h>

#include "core/session.h"
#include "support/rig.h"

static struct rig *rig;
static u64 session;
static u64 ticket;

static u64 register_session(void)
{
    struct tkd_register request = {0};
    const char *texts[] = {"import"};
    rig_begin(rig, TKD_OP_REGISTER);
    rig_add(rig, TKD_RECORD_register, &request, texts);
    cr_assert_eq(rig_run(rig), TKD_OK);
    return rig->results[0].id;
}

static void setup(void)
{
    rig = rig_create();
    rig_small_desk(rig);
    ticket = rig_create_ticket(rig, 3, TKD_PRIORITY_NORMAL);
    session = register_session();
}

static void teardown(void) { rig_destroy(rig); }

TestSuite(halt, .init = setup, .fini = teardown);

static void add_verb(u32 verb)
{
    struct tkd_ticket_update request = {.kind = (u16)verb, .ticket = ticket};
    const char *texts[] = {"", "", "text"};
    rig_add(rig, TKD_RECORD_ticket_update, &request, texts);
}

/* A frame of notes, with a release (which is refused: nobody has the ticket) in place `bad`. */
static enum tkd_status run(u64 seq, u16 flags, u32 count, u32 bad)
{
    rig_begin(rig, TKD_OP_TICKET_UPDATE);
    rig_frame(rig)->session = session;
    rig_frame(rig)->seq = seq;
    rig_frame(rig)->flags = flags;
    for (u32 i = 0; i < count; i++) add_verb(i == bad ? TKD_VERB_RELEASE : TKD_VERB_NOTE);
    return rig_run(rig);
}

static const struct session *row(void) { return session_row(rig->state, session_find(rig->state, session)); }

Test(halt, nothing_is_done_behind_a_refused_record)
{
    cr_assert_eq(run(1, TKD_FLAG_STOP, 3, 99), TKD_OK);
    cr_assert_eq(row()->records, 3);
    cr_assert_eq(run(2, TKD_FLAG_STOP, 5, 2), TKD_OK, "the frame is applied up to the refused record");
    cr_assert_eq(rig->results[1].status, TKD_OK);
    cr_assert_eq(rig->results[2].status, TKD_NOT_ASSIGNED);
    cr_assert_eq(rig->results[3].status, TKD_NOT_RUN);
    cr_assert_eq(row()->records, 5, "the refused record is not done with");
    u32 notes = rig_events(rig, TKD_EVENT_NOTED);
    u64 time_ms = state_time(rig->state), op = state_op(rig->state);
    rig->now_ms += 1000;
    cr_assert_eq(run(3, TKD_FLAG_STOP, 1, 99), TKD_HALTED);
    cr_assert_eq(run(4, TKD_FLAG_STOP, 1, 99), TKD_SEQUENCE_GAP, "a halted request takes no sequence number");
    cr_assert_eq(rig_events(rig, TKD_EVENT_NOTED), notes);
    cr_assert_eq(state_op(rig->state), op, "nothing is logged");
    cr_assert_eq(state_time(rig->state), time_ms, "time does not go on");
}

Test(halt, register_goes_on)
{
    run(1, TKD_FLAG_STOP, 2, 1);
    cr_assert_eq(run(2, TKD_FLAG_STOP, 1, 99), TKD_HALTED);
    cr_assert_eq(register_session(), session);
    cr_assert_eq(rig->results[0].status, TKD_EXISTS);
    cr_assert_eq(run(2, TKD_FLAG_STOP, 1, 99), TKD_OK);
    cr_assert_eq(row()->records, 2);
}

Test(halt, the_first_answer_is_still_given)
{
    run(1, TKD_FLAG_STOP, 2, 1);
    cr_assert_eq(run(1, TKD_FLAG_STOP, 2, 1), TKD_EXISTS, "a repetition is answered from what was kept");
}

Test(halt, requests_without_the_flag_are_not_concerned)
{
    run(1, TKD_FLAG_STOP, 2, 0);
    cr_assert_eq(row()->records, 0);
    cr_assert_eq(run(2, 0, 3, 1), TKD_OK);
    cr_assert_eq(rig->results[2].status, TKD_OK, "one bad record does not stop the others");
    cr_assert_eq(row()->records, 3, "all three are done with");
    cr_assert_eq(run(3, TKD_FLAG_STOP, 1, 99), TKD_HALTED);
}

Test(halt, outlives_a_restart)
{
    run(1, TKD_FLAG_STOP, 3, 1);
    rig_replay(rig);
    cr_assert_eq(row()->records, 1);
    cr_assert_eq(run(2, TKD_FLAG_STOP, 1, 99), TKD_HALTED);
}
