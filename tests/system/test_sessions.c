/* Exactly once: over lost connections, kills and restarts. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "support/daemon.h"
#include "support/directory.h"
#include "support/wire.h"

static struct daemon daemon_here;
static char data[4096];
static union wire_frame frame;
static int fd;

static void setup(void)
{
    directory_make(data);
    daemon_start(&daemon_here, data, NULL);
    fd = wire_open(daemon_here.address);
    wire_catalog(fd);
}

static void teardown(void)
{
    close(fd);
    cr_assert_eq(daemon_end(&daemon_here, SIGTERM), 0, "%s", daemon_here.log);
    directory_remove(data);
}

TestSuite(sessions, .init = setup, .fini = teardown);

static void create_frame(u64 session, u64 seq, u64 ack_below, u32 count)
{
    wire_begin(&frame, TKD_OP_TICKET_CREATE, seq);
    frame.head.session = session;
    frame.head.ack_below = ack_below;
    for (u32 i = 0; i < count; i++) wire_add_create(&frame, "");
}

static enum tkd_status create_status(u64 session, u64 seq, u64 ack_below)
{
    create_frame(session, seq, ack_below, 1);
    return wire_call(fd, &frame)->status;
}

static void reconnect(void)
{
    close(fd);
    fd = wire_open(daemon_here.address);
}

static void restart(int signal_number)
{
    int code = daemon_end(&daemon_here, signal_number);
    cr_assert_eq(code, signal_number == SIGKILL ? 128 + SIGKILL : 0);
    close(fd);
    daemon_start(&daemon_here, data, NULL);
    fd = wire_open(daemon_here.address);
}

Test(sessions, order_of_requests)
{
    u64 session = wire_register(fd, "s", 4);
    cr_assert_eq(create_status(session, 2, 0), TKD_SEQUENCE_GAP);
    cr_assert_eq(create_status(session, 1, 0), TKD_OK);
    for (u64 seq = 2; seq <= 4; seq++) cr_assert_eq(create_status(session, seq, 1), TKD_OK);
    cr_assert_eq(create_status(session, 5, 1), TKD_WINDOW_FULL, "nothing was acknowledged");
    cr_assert_eq(create_status(session, 5, 4), TKD_OK);
    cr_assert_eq(create_status(session, 2, 4), TKD_SEQUENCE_FORGOTTEN);
    create_frame(session, 5, 4, 2);
    cr_assert_eq(wire_call(fd, &frame)->status, TKD_SEQUENCE_REUSED);
    cr_assert_eq(create_status(session + 1, 1, 0), TKD_FENCED);
    cr_assert_eq(wire_attach(fd, 4711), TKD_SESSION_EXPIRED);
}

Test(sessions, the_first_answer_is_given_again)
{
    struct tkd_result first[50];
    u64 session = wire_register(fd, "s", 0);
    create_frame(session, 1, 0, 50);
    const struct tkd_frame *answer = wire_call(fd, &frame);
    cr_assert_eq(answer->count, 50);
    memcpy(first, wire_results(answer), sizeof(first));
    for (u32 kind = 0; kind < 4; kind++) {
        if (kind == 1) reconnect();
        if (kind == 2) restart(SIGKILL);
        if (kind == 3) restart(SIGTERM);
        if (kind > 0) cr_assert_eq(wire_attach(fd, session), TKD_OK);
        create_frame(session, 1, 0, 50);
        answer = wire_call(fd, &frame);
        cr_assert_eq(answer->status, TKD_OK);
        cr_assert_eq(answer->count, 50);
        cr_assert_eq(memcmp(wire_results(answer), first, sizeof(first)), 0);
    }
    cr_assert_eq(create_status(session, 2, 1), TKD_OK);
}

Test(sessions, a_named_session_is_found_again)
{
    u64 session = wire_register(fd, "gateway", 0);
    reconnect();
    struct tkd_register head = {.name_bytes = 7};
    wire_begin(&frame, TKD_OP_REGISTER, 1);
    wire_add(&frame, &head, sizeof(head), "gateway", 7);
    const struct tkd_frame *answer = wire_call(fd, &frame);
    cr_assert_eq(wire_results(answer)->status, TKD_EXISTS);
    cr_assert_eq(wire_results(answer)->id, session);
}

Test(sessions, attaching_fences_the_old_connection)
{
    u64 session = wire_register(fd, "s", 0);
    cr_assert_eq(create_status(session, 1, 0), TKD_OK);
    int old = fd;
    fd = wire_open(daemon_here.address);
    cr_assert_eq(create_status(session, 2, 1), TKD_FENCED, "not attached yet");
    wire_session_frame(&frame, TKD_OP_ATTACH, 9, session);
    const struct tkd_frame *answer = wire_call(fd, &frame);
    struct tkd_session where;
    record_head(frame_first(answer), &where, sizeof(where));
    cr_assert_eq(where.session, session);
    cr_assert_eq(where.next_seq, 2);
    cr_assert_eq(where.records, 1);
    cr_assert_eq(create_status(session, 2, 1), TKD_OK);
    create_frame(session, 3, 1, 1);
    cr_assert_eq(wire_call(old, &frame)->status, TKD_FENCED);
    wire_ping(old);
    cr_assert_eq(wire_create(old, 0, 1, "").status, TKD_OK, "without a session it may");
    close(old);
}

Test(sessions, an_unregistered_session_is_gone)
{
    u64 session = wire_register(fd, "s", 0);
    wire_session_frame(&frame, TKD_OP_UNREGISTER, 1, session);
    const struct tkd_frame *answer = wire_call(fd, &frame);
    cr_assert_eq(answer->status, TKD_OK);
    cr_assert_eq(wire_results(answer)->status, TKD_OK);
    cr_assert_eq(create_status(session, 1, 0), TKD_SESSION_EXPIRED);
}

Test(sessions, external_keys_are_exactly_once_without_a_session)
{
    struct tkd_result first = wire_create(fd, 0, 1, "mail-1");
    cr_assert_eq(first.status, TKD_OK);
    restart(SIGKILL);
    struct tkd_result again = wire_create(fd, 0, 1, "mail-1");
    cr_assert_eq(again.status, TKD_EXISTS);
    cr_assert_eq(again.id, first.id);
}

Test(sessions, kills_lose_nothing_and_do_nothing_twice)
{
    enum { ROUNDS = 6, FRAMES = 40, RECORDS = 25 };
    u64 session = wire_register(fd, "s", 64);
    u64 next = 1; /* lowest seq without an answer */
    u64 sent = 1; /* next one to send */
    u64 created = 0, last_id = 0;
    for (u32 round = 0; round < ROUNDS; round++) {
        /* Pipelined; some answers are read, then the server dies somewhere in the middle. */
        for (; sent < next + FRAMES; sent++) {
            create_frame(session, sent, next, RECORDS);
            wire_send(fd, &frame);
        }
        for (u32 i = 0; i < FRAMES / 2 + round; i++) {
            const struct tkd_frame *answer = wire_receive(fd);
            cr_assert_not_null(answer);
            cr_assert_eq(answer->seq, next);
            cr_assert_eq(answer->status, TKD_OK, "%u", answer->status);
            for (u32 j = 0; j < RECORDS; j++) cr_assert_eq(wire_results(answer)[j].id, last_id + 1 + j);
            last_id += RECORDS;
            created += RECORDS;
            next++;
        }
        restart(SIGKILL);
        cr_assert_eq(wire_attach(fd, session), TKD_OK);
        sent = next; /* everything unanswered once more */
    }
    create_frame(session, next, next, RECORDS);
    const struct tkd_frame *answer = wire_call(fd, &frame);
    cr_assert(answer->status == TKD_OK || answer->status == TKD_SEQUENCE_REUSED);
    cr_assert_eq(created, last_id);
}
