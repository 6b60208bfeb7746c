#include <criterion/criterion.h>

#include "support/edge.h"

static struct edge edge;
static struct conn *conn;
static union wire_frame frame;

static void setup(void)
{
    edge_open(&edge, false);
    conn = edge_connect(&edge);
    edge_turn(&edge, 5000);
}

static void teardown(void) { edge_close(&edge); }

TestSuite(service, .init = setup, .fini = teardown);

static void expect(enum tkd_status status)
{
    cr_assert_eq(edge_frame(&edge, conn, &frame), SERVICE_ANSWERED);
    const struct tkd_frame *answer = edge_answer(conn);
    cr_assert_eq(answer->status, status, "%u, not %u", answer->status, status);
    cr_assert_eq(answer->op, frame.head.op);
    cr_assert_eq(answer->seq, frame.head.seq);
    cr_assert_eq(answer->body_checksum, checksum_wire(answer + 1, answer->size - TKD_FRAME_BYTES));
}

Test(service, a_stopping_server_takes_nothing)
{
    edge_catalog(&edge, conn, 0);
    u64 op = state_op(edge.recovery.state);
    edge.service.pipeline.stopping = true;
    wire_begin(&frame, TKD_OP_TICKET_CREATE, 7);
    wire_add_create(&frame, "");
    expect(TKD_STOPPING);
    wire_empty_frame(&frame, TKD_OP_SUMMARY, 8);
    expect(TKD_STOPPING);
    cr_assert_eq(state_op(edge.recovery.state), op);
}

static void create_in_session(u64 session, u64 seq, enum tkd_status status)
{
    wire_begin(&frame, TKD_OP_TICKET_CREATE, seq);
    frame.head.session = session;
    wire_add_create(&frame, "");
    expect(status);
}

/* Or its client would hear that nothing was done, and do it once more another way. */
Test(service, a_stopping_server_says_what_it_has_done_before)
{
    struct tkd_register head = {0};
    edge_catalog(&edge, conn, 0);
    wire_begin(&frame, TKD_OP_REGISTER, 1);
    wire_add(&frame, &head, sizeof head, NULL, 0);
    expect(TKD_OK);
    u64 session = wire_results(edge_answer(conn))->id;
    conn_attach(conn, session);
    create_in_session(session, 1, TKD_OK);
    u64 op = state_op(edge.recovery.state);
    edge.service.pipeline.stopping = true;
    conn = edge_connect(&edge); /* was accepted before */
    struct tkd_session_id id = {.session = session};
    wire_begin(&frame, TKD_OP_ATTACH, 1);
    wire_add(&frame, &id, sizeof id, NULL, 0);
    expect(TKD_OK);
    create_in_session(session, 1, TKD_OK);
    cr_assert_eq(wire_results(edge_answer(conn))->id, 1);
    create_in_session(session, 2, TKD_STOPPING);
    create_in_session(session, 3, TKD_SEQUENCE_GAP);
    cr_assert_eq(state_op(edge.recovery.state), op);
}

Test(service, time_does_not_go_backwards_on_the_virtual_clock)
{
    edge_close(&edge);
    edge_open(&edge, true);
    conn = edge_connect(&edge);
    edge_turn(&edge, 0);
    edge_catalog(&edge, conn, 0);
    edge_create(&edge, conn, 1, 1000000);
    wire_empty_frame(&frame, TKD_OP_SUMMARY, 8);
    expect(TKD_OK);
    cr_assert_eq(edge_answer(conn)->time_ms, 1000000);
}

Test(service, a_checkpoint_is_answered_when_it_is_done)
{
    edge_catalog(&edge, conn, 0);
    wire_empty_frame(&frame, TKD_OP_CHECKPOINT, 7);
    cr_assert_eq(edge_frame(&edge, conn, &frame), SERVICE_PARKED);
    cr_assert(conn->parked);
    while (conn->parked) {
        pipeline_submit(&edge.service.pipeline);
        bool busy = checkpoint_turn(edge.checkpoint);
        io_run(edge.io, !busy);
    }
    cr_assert(list_linked(&conn->turn), "it goes on");
    list_remove(&conn->turn);
    edge.service.pipeline.stopping = true;
    expect(TKD_OK);
    cr_assert_not(conn->granted);
    cr_assert_geq(checkpoint_root(edge.checkpoint)->op, 1);
}

/* What was granted is answered once there is room, and is not asked for again. */
Test(service, a_granted_wish_waits_for_room)
{
    edge_catalog(&edge, conn, 0);
    wire_empty_frame(&frame, TKD_OP_CHECKPOINT, 7);
    cr_assert_eq(edge_frame(&edge, conn, &frame), SERVICE_PARKED);
    while (conn->parked) {
        pipeline_submit(&edge.service.pipeline);
        bool busy = checkpoint_turn(edge.checkpoint);
        io_run(edge.io, !busy);
    }
    list_remove(&conn->turn);
    while (outbox_reserve(&conn->out, &edge.conns.out_quota, 64))
        outbox_commit(&conn->out, &edge.conns.out_quota, 64);
    cr_assert_eq(edge_frame(&edge, conn, &frame), SERVICE_NO_ROOM);
    cr_assert(conn->granted);
}

Test(service, a_full_outbox_makes_it_wait_before_anything_is_done)
{
    edge_catalog(&edge, conn, 0);
    wire_empty_frame(&frame, TKD_OP_STATUS, 7);
    enum service_verdict verdict;
    while ((verdict = edge_frame(&edge, conn, &frame)) == SERVICE_ANSWERED) continue;
    cr_assert_eq(verdict, SERVICE_NO_ROOM);
    while (outbox_reserve(&conn->out, &edge.conns.out_quota, 64))
        outbox_commit(&conn->out, &edge.conns.out_quota, 64);
    u64 op = state_op(edge.recovery.state);
    wire_begin(&frame, TKD_OP_TICKET_CREATE, 7);
    wire_add_create(&frame, "");
    cr_assert_eq(edge_frame(&edge, conn, &frame), SERVICE_NO_ROOM);
    cr_assert_eq(state_op(edge.recovery.state), op);
    cr_assert_leq(outbox_unsent(&conn->out), OUTBOX_BYTES);
}

Test(service, a_session_belongs_to_the_connection_that_attached_it)
{
    struct tkd_register head = {0};
    wire_begin(&frame, TKD_OP_REGISTER, 1);
    wire_add(&frame, &head, sizeof(head), NULL, 0);
    expect(TKD_OK);
    u64 session = wire_results(edge_answer(conn))->id;
    wire_begin(&frame, TKD_OP_TICKET_CREATE, 1);
    frame.head.session = session;
    wire_add_create(&frame, "");
    expect(TKD_FENCED);
    wire_session_frame(&frame, TKD_OP_ATTACH, 2, session + 1);
    expect(TKD_SESSION_EXPIRED);
    wire_session_frame(&frame, TKD_OP_ATTACH, 3, session);
    expect(TKD_OK);
    cr_assert_eq(conn_session(conn), session);
}

Test(service, a_repeated_request_waits_for_the_disk_like_the_first)
{
    struct tkd_register head = {0};
    struct conn *other = edge_connect(&edge);
    edge_catalog(&edge, conn, 0);
    wire_begin(&frame, TKD_OP_REGISTER, 1);
    wire_add(&frame, &head, sizeof(head), NULL, 0);
    expect(TKD_OK);
    u64 session = wire_results(edge_answer(conn))->id;
    conn_attach(conn, session);
    edge_flush(&edge, conn);
    edge_flush(&edge, other);
    for (u32 i = 0; i < 2; i++) {
        struct conn *sender = i == 0 ? conn : other;
        conn_attach(sender, session);
        wire_begin(&frame, TKD_OP_TICKET_CREATE, 1);
        frame.head.session = session;
        wire_add_create(&frame, "");
        cr_assert_eq(edge_frame(&edge, sender, &frame), SERVICE_ANSWERED);
        cr_assert_eq(edge_answer(sender)->status, TKD_OK);
        cr_assert_lt(sender->out.released, sender->out.written, "it is not durable yet");
    }
    cr_assert_eq(state_op(edge.recovery.state), 3);
    edge_settle(&edge);
    cr_assert_eq(other->out.released, other->out.written);
}

/* It shows the desk as well: how far the session has come. */
Test(service, a_refusal_waits_for_what_it_saw)
{
    struct tkd_register head = {0};
    struct conn *other = edge_connect(&edge);
    wire_begin(&frame, TKD_OP_REGISTER, 1);
    wire_add(&frame, &head, sizeof(head), NULL, 0);
    expect(TKD_OK);
    conn_attach(other, wire_results(edge_answer(conn))->id);
    edge_settle(&edge);
    edge_flush(&edge, other);
    edge_catalog(&edge, conn, 0);
    wire_begin(&frame, TKD_OP_TICKET_CREATE, 5);
    frame.head.session = conn_session(other);
    wire_add_create(&frame, "");
    cr_assert_eq(edge_frame(&edge, other, &frame), SERVICE_ANSWERED);
    cr_assert_eq(edge_answer(other)->status, TKD_SEQUENCE_GAP, "%u", edge_answer(other)->status);
    cr_assert_lt(other->out.released, other->out.written, "the catalog is not durable yet");
    edge_settle(&edge);
    cr_assert_eq(other->out.released, other->out.written);
}

/* Each page has what was asked for, and a cursor unless the newest event is on it. */
Test(service, events_come_page_by_page)
{
    edge_catalog(&edge, conn, 0);
    edge_create(&edge, conn, 5, 0);
    u64 last = reader_event_last(&edge.service.reader);
    cr_assert_geq(last, 8);
    for (u64 from = 1; from <= last + 1; from++) {
        for (u32 limit = 1; limit <= last + 1; limit++) {
            struct tkd_events_from head = {.from = from, .limit = limit};
            wire_begin(&frame, TKD_OP_EVENTS, 7);
            wire_add(&frame, &head, sizeof(head), NULL, 0);
            expect(TKD_OK);
            const struct tkd_frame *answer = edge_answer(conn);
            cr_assert_eq(answer->count, min_u64(limit, last + 1 - from));
            u64 next = from + answer->count;
            cr_assert_eq(answer->ack_below, next <= last ? next : 0);
            cr_assert_eq((answer->flags & TKD_FLAG_MORE) != 0, next <= last);
            edge_flush(&edge, conn);
        }
    }
}

Test(service, who_is_turned_away_gets_a_whole_frame)
{
    struct tkd_frame reply;
    service_turn_away(&reply, TKD_BUSY);
    cr_assert_eq(frame_header_check(&reply, sizeof(reply)), TKD_OK);
    cr_assert_eq(reply.status, TKD_BUSY);
    cr_assert_eq(reply.flags, TKD_FLAG_REPLY);
}

Test(service, what_has_no_believable_header_is_answered_without_one)
{
    cr_assert_eq(service_refuse(&edge.service, conn, NULL, TKD_BAD_MAGIC), SERVICE_ANSWERED);
    const struct tkd_frame *answer = edge_answer(conn);
    cr_assert_eq(answer->status, TKD_BAD_MAGIC);
    cr_assert_eq(answer->op, 0);
    cr_assert_eq(answer->count, 0);
}
