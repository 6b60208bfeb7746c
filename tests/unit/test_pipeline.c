#include <criterion/criterion.h>

#include "core/limits.h"
#include "support/edge.h"

static struct edge edge;
static struct pipeline *pipeline;
static struct conn *conn;
static union wire_frame frame;

static void open_with(bool virtual_clock)
{
    edge_open(&edge, virtual_clock);
    pipeline = &edge.service.pipeline;
    conn = edge_connect(&edge);
}

static void setup(void) { open_with(false); }

static void teardown(void) { edge_close(&edge); }

TestSuite(pipeline, .init = setup, .fini = teardown);
TestSuite(pipeline_virtual, .fini = teardown);

static u64 event_last(void) { return state_events_read(pipeline->state)->seq_next - 1; }

/* Counts events of a kind from `from` on, and checks that times do not go back and are never above `max_ms`.
 */
static u32 count_events(u64 from, u16 kind, u64 max_ms)
{
    u32 count = 0;
    u64 time_ms = 0;
    for (u64 seq = from; seq <= event_last(); seq++) {
        const struct tkd_event *event = event_at(state_events_read(pipeline->state), seq);
        cr_assert_not_null(event);
        cr_assert_geq(event->time_ms, time_ms);
        cr_assert_leq(event->time_ms, max_ms);
        time_ms = event->time_ms;
        count += event->kind == kind;
    }
    return count;
}

Test(pipeline, an_answer_leaves_when_it_is_durable_and_not_before)
{
    edge_flush(&edge, conn);
    edge_turn(&edge, 5000);
    edge_catalog(&edge, conn, 0);
    u64 events = event_last();
    cr_assert_eq(state_op(pipeline->state), 1);
    cr_assert_eq(wal_last_op(pipeline->wal), 1);
    cr_assert_lt(conn->out.released, conn->out.written);
    cr_assert_lt(pipeline->durable_seq, events);
    conns_send(&edge.conns);
    cr_assert_not(conn->send.busy, "nothing may leave yet");
    edge_settle(&edge);
    cr_assert_eq(wal_durable_op(pipeline->wal), 1);
    cr_assert_eq(conn->out.released, conn->out.written);
    cr_assert_eq(pipeline->durable_seq, events);
}

Test(pipeline, a_ping_passes_nobody_but_waits_for_nothing_else)
{
    struct conn *other = edge_connect(&edge);
    edge_turn(&edge, 5000);
    edge_catalog(&edge, conn, 0);
    wire_empty_frame(&frame, TKD_OP_PING, 1);
    edge_frame(&edge, conn, &frame);
    edge_frame(&edge, other, &frame);
    cr_assert_lt(conn->out.released, conn->out.written, "behind an answer that is held");
    cr_assert_eq(other->out.released, other->out.written);
    edge_settle(&edge);
    cr_assert_eq(conn->out.released, conn->out.written);
}

Test(pipeline, a_query_waits_for_what_it_saw)
{
    struct conn *other = edge_connect(&edge);
    edge_turn(&edge, 5000);
    edge_catalog(&edge, conn, 0);
    wire_empty_frame(&frame, TKD_OP_SUMMARY, 1);
    edge_frame(&edge, other, &frame);
    cr_assert_lt(other->out.released, other->out.written);
    edge_settle(&edge);
    cr_assert_eq(other->out.released, other->out.written);
}

Test(pipeline, what_is_held_for_a_connection_that_has_gone_goes_nowhere)
{
    edge_turn(&edge, 5000);
    edge_catalog(&edge, conn, 0);
    conn_close(conn);
    while (edge.conns.count > 0) io_run(edge.io, true);
    struct conn *other = edge_connect(&edge);
    cr_assert_eq(other, conn, "the same slot");
    u64 position = other->out.released;
    edge_settle(&edge);
    cr_assert_eq(other->out.released, other->out.written);
    cr_assert_geq(other->out.released, position);
}

Test(pipeline, time_does_not_go_back_with_the_wall_clock)
{
    edge_turn(&edge, 5000);
    edge_catalog(&edge, conn, 0);
    edge_create(&edge, conn, 1, 0);
    cr_assert_eq(state_time(pipeline->state), 5000);
    edge_turn(&edge, 8000);
    edge_turn(&edge, 3000);
    edge_create(&edge, conn, 1, 0);
    cr_assert_geq(state_time(pipeline->state), 5000);
    edge_turn(&edge, 9000);
    edge_create(&edge, conn, 1, 0);
    cr_assert_eq(state_time(pipeline->state), 9000);
}

Test(pipeline, a_deadline_fires_as_of_its_time_and_before_later_commands)
{
    edge_turn(&edge, 5000);
    edge_catalog(&edge, conn, 1000);
    edge_create(&edge, conn, 1, 0);
    cr_assert_gt(pipeline_due_in_ms(pipeline), 0);
    cr_assert_leq(pipeline_due_in_ms(pipeline), 1000);
    u64 from = event_last() + 1;
    edge_turn(&edge, 5999);
    cr_assert_eq(count_events(from, TKD_EVENT_CARD, 5999), 0);
    edge_turn(&edge, 100000);
    cr_assert_eq(count_events(from, TKD_EVENT_CARD, 6000), 1);
    edge_create(&edge, conn, 1, 0);
    cr_assert_eq(state_time(pipeline->state), 100000);
    cr_assert_geq(pipeline->pulses, 1);
}

Test(pipeline, a_storm_of_deadlines_is_spread_over_turns_and_time_waits_for_it)
{
    enum { FRAMES = 12, RECORDS = 1000 };
    edge_turn(&edge, 5000);
    edge_catalog(&edge, conn, 1000);
    u64 from = event_last() + 1;
    for (u32 i = 0; i < FRAMES; i++) {
        edge_turn(&edge, 5000 + i);
        edge_create(&edge, conn, RECORDS, 0);
        edge_settle(&edge);
    }
    edge_turn(&edge, 50000);
    cr_assert(pipeline_pending(pipeline));
    edge_create(&edge, conn, 1, 0);
    cr_assert_lt(state_time(pipeline->state), 6000 + FRAMES, "not past a deadline that has not fired");
    u32 turns = 0;
    while (pipeline_pending(pipeline)) {
        edge_settle(&edge);
        edge_turn(&edge, 50000);
        cr_assert_lt(++turns, 1000);
    }
    cr_assert_gt(turns, 2);
    cr_assert_eq(count_events(from, TKD_EVENT_CARD, 50000), FRAMES * RECORDS + 1);
    edge_create(&edge, conn, 1, 0);
    cr_assert_eq(state_time(pipeline->state), 50000);
}

Test(pipeline, who_finds_the_log_full_waits_for_a_write_and_loses_nothing)
{
    static char text[200000];
    struct tkd_ticket_create head = {.channel = 1, .queue = 1, .address_bytes = 5, .body_bytes = 190000};
    memset(text, 'x', sizeof(text));
    edge_turn(&edge, 5000);
    edge_catalog(&edge, conn, 0);
    edge_settle(&edge);
    wire_begin(&frame, TKD_OP_TICKET_CREATE, 1);
    wire_add(&frame, &head, sizeof(head), text, 190005);
    u32 done = 0, waits = 0;
    while (done < 100) {
        pipeline_turn(pipeline, 5000);
        u64 op = state_op(pipeline->state);
        enum service_verdict verdict = edge_frame(&edge, conn, &frame);
        if (verdict == SERVICE_ANSWERED) {
            cr_assert_eq(edge_answer(conn)->status, TKD_OK);
            done++;
            continue; /* without submitting: the open batch fills up */
        }
        cr_assert_eq(verdict, SERVICE_WAIT);
        cr_assert_eq(state_op(pipeline->state), op, "nothing was done");
        cr_assert_eq(edge_frame(&edge, conn, &frame), SERVICE_WAIT, "nor is it tried again in this turn");
        waits++;
        edge_settle(&edge);
    }
    cr_assert_gt(waits, 0);
    cr_assert_eq(state_op(pipeline->state), 101);
}

Test(pipeline, a_time_is_not_taken_under_the_wall_clock)
{
    edge_turn(&edge, 5000);
    edge_catalog(&edge, conn, 0);
    wire_begin(&frame, TKD_OP_TICKET_CREATE, 1);
    wire_add_create(&frame, "");
    frame.head.time_ms = 6000;
    u64 op = state_op(pipeline->state);
    edge_frame(&edge, conn, &frame);
    cr_assert_eq(edge_answer(conn)->status, TKD_BAD_TIME);
    cr_assert_eq(state_op(pipeline->state), op);
}

/* A session of its own sends one request with so many records that its answer takes much room. */
static enum tkd_status large_request(u64 seq)
{
    struct tkd_agent_presence nobody = {.agent = 4711, .presence = TKD_PRESENCE_ONLINE};
    wire_begin(&frame, TKD_OP_AGENT_PRESENCE, seq);
    for (u32 i = 0; i < TKD_RECORDS_MAX; i++) wire_add(&frame, &nobody, sizeof nobody, NULL, 0);
    frame.head.session = conn_session(conn);
    cr_assert_eq(edge_frame(&edge, conn, &frame), SERVICE_ANSWERED);
    enum tkd_status status = edge_answer(conn)->status;
    edge_settle(&edge);
    edge_flush(&edge, conn);
    return status;
}

static void session_new(void)
{
    struct tkd_register head = {0};
    wire_begin(&frame, TKD_OP_REGISTER, 1);
    wire_add(&frame, &head, sizeof head, NULL, 0);
    edge_frame(&edge, conn, &frame);
    conn_attach(conn, wire_results(edge_answer(conn))->id);
}

/* Nothing else moves the desk's time: whoever is refused until others have been idle would be so for ever. */
Test(pipeline, a_session_without_room_finds_it_when_others_were_idle_for_long)
{
    u32 kept = 0;
    edge_turn(&edge, 5000);
    edge_catalog(&edge, conn, 0);
    do session_new();
    while (large_request(1) == TKD_OK && ++kept < 1000);
    enum tkd_status status = large_request(1);
    cr_assert_eq(status, TKD_WINDOW_FULL, "%u after %u", status, kept);
    cr_assert_gt(kept, 0);
    edge_turn(&edge, 5000 + SESSION_IDLE_MS + 1);
    cr_assert_eq(large_request(1), TKD_OK);
}

Test(pipeline_virtual, deadlines_before_the_command_fire_first)
{
    open_with(true);
    edge_turn(&edge, 77);
    edge_catalog(&edge, conn, 1000);
    edge_create(&edge, conn, 3, 5000);
    cr_assert_eq(pipeline_due_in_ms(pipeline), U64_NONE, "no clock ticks");
    u64 from = event_last() + 1;
    edge_turn(&edge, 1700000000000);
    cr_assert_eq(count_events(from, TKD_EVENT_CARD, 0), 0, "the wall clock is not looked at");
    edge_create(&edge, conn, 1, 6000);
    cr_assert_eq(count_events(from, TKD_EVENT_CARD, 6000), 3, "a deadline at the command's own time, too");
    edge_create(&edge, conn, 1, 0);
    cr_assert_eq(state_time(pipeline->state), 6000);
    wire_begin(&frame, TKD_OP_TICKET_CREATE, 1);
    wire_add_create(&frame, "");
    frame.head.time_ms = 5999;
    edge_frame(&edge, conn, &frame);
    cr_assert_eq(edge_answer(conn)->status, TKD_BAD_TIME);
}

Test(pipeline_virtual, a_storm_before_a_command_makes_it_wait)
{
    open_with(true);
    edge_turn(&edge, 0);
    edge_catalog(&edge, conn, 1000);
    u64 from = event_last() + 1;
    for (u32 i = 0; i < 8; i++) {
        edge_turn(&edge, 0);
        edge_create(&edge, conn, 1000, 5000 + i);
        edge_settle(&edge);
    }
    wire_begin(&frame, TKD_OP_TICKET_CREATE, 1);
    wire_add_create(&frame, "");
    frame.head.time_ms = 90000;
    u32 turns = 0;
    for (;;) {
        edge_turn(&edge, 0);
        enum service_verdict verdict = edge_frame(&edge, conn, &frame);
        if (verdict == SERVICE_ANSWERED) break;
        cr_assert_eq(verdict, SERVICE_WAIT);
        cr_assert(pipeline_pending(pipeline), "the loop goes on at once");
        edge_settle(&edge);
        cr_assert_lt(++turns, 1000);
    }
    cr_assert_gt(turns, 1);
    cr_assert_eq(state_time(pipeline->state), 90000);
    cr_assert_eq(count_events(from, TKD_EVENT_CARD, 90000), 8000);
}

/* The ring of events only fills: the log is written, the store is not. */
static void note_much(void)
{
    static char text[16384];
    struct tkd_ticket_update head = {.kind = TKD_VERB_NOTE, .ticket = 1, .text_bytes = sizeof text};
    memset(text, 'x', sizeof text);
    wire_begin(&frame, TKD_OP_TICKET_UPDATE, 1);
    for (u32 i = 0; i < 4; i++) wire_add(&frame, &head, sizeof head, text, sizeof text);
    cr_assert_eq(edge_frame(&edge, conn, &frame), SERVICE_ANSWERED);
    cr_assert_eq(wire_results(edge_answer(conn))[3].status, TKD_OK);
    while (wal_durable_op(pipeline->wal) < wal_last_op(pipeline->wal)) {
        pipeline_submit(pipeline);
        io_run(edge.io, true);
    }
}

/* A thousand deadlines, and so many notes, or until there is no room for `wanted`; returns how many. */
static u32 fill_ring(const union wire_frame *wanted, u32 notes)
{
    const void *reply;
    u32 bytes, count = 0;
    open_with(true);
    edge_turn(&edge, 0);
    edge_catalog(&edge, conn, 1000);
    edge_create(&edge, conn, 1000, 5000);
    while (count < notes && state_admit(pipeline->state, &wanted->head, &reply, &bytes) == TKD_OK) {
        note_much();
        count++;
    }
    return count;
}

Test(pipeline_virtual, a_command_waits_when_the_deadlines_before_it_took_its_room)
{
    static union wire_frame wanted;
    wire_begin(&wanted, TKD_OP_TICKET_CREATE, 1);
    for (u32 i = 0; i < 6000; i++) wire_add_create(&wanted, "");
    wanted.head.time_ms = 90000;
    u32 notes = fill_ring(&wanted, UINT32_MAX);
    edge_close(&edge);
    cr_assert_eq(fill_ring(&wanted, notes - 1), notes - 1);
    u64 from = event_last() + 1;
    cr_assert_eq(edge_frame(&edge, conn, &wanted), SERVICE_WAIT);
    cr_assert_eq(count_events(from, TKD_EVENT_CARD, 90000), 1000);
    cr_assert_eq(count_events(from, TKD_EVENT_CREATED, 90000), 0);
}

Test(pipeline_virtual, a_repeated_request_is_answered_whatever_its_time)
{
    open_with(true);
    edge_turn(&edge, 0);
    edge_catalog(&edge, conn, 0);
    struct tkd_register head = {0};
    wire_begin(&frame, TKD_OP_REGISTER, 1);
    wire_add(&frame, &head, sizeof(head), NULL, 0);
    edge_frame(&edge, conn, &frame);
    u64 session = wire_results(edge_answer(conn))->id;
    conn_attach(conn, session);
    for (u32 i = 0; i < 2; i++) {
        wire_begin(&frame, TKD_OP_TICKET_CREATE, 1);
        frame.head.session = session;
        frame.head.time_ms = 5000;
        wire_add_create(&frame, "");
        edge_frame(&edge, conn, &frame);
        cr_assert_eq(edge_answer(conn)->status, TKD_OK);
        cr_assert_eq(wire_results(edge_answer(conn))->id, 1);
        if (i == 0) edge_create(&edge, conn, 1, 9000);
    }
    cr_assert_eq(state_op(pipeline->state), 4);
}
