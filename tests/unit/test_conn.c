#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/frame.h"
#include "edge/conn.h"
#include "port/io.h"

static struct io *io;
static struct conns conns;

static void setup(void)
{
    char error[1024] = "";
    cr_assert_eq(io_create(&io, error, sizeof(error)), 0, "%s", error);
    cr_assert(conns_create(&conns, io, 4, CONNS_BUFFER_BYTES_MIN, error, sizeof(error)), "%s", error);
}

static void teardown(void)
{
    for (u32 i = 0; i < conns.used_slots; i++) {
        if (conns.slots[i].phase != CONN_FREE) conn_close(&conns.slots[i]);
    }
    while (conns.count > 0) io_run(io, true);
    cr_assert_eq(conns.in_quota.used_bytes + conns.out_quota.used_bytes, 0);
    conns_destroy(&conns);
    io_destroy(io);
}

TestSuite(conn, .init = setup, .fini = teardown);

/* Opens a connection; *peer is the client's end. */
static struct conn *connect_pair(int *peer)
{
    int ends[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    *peer = ends[1];
    struct conn *conn = conn_open(&conns, ends[0]);
    if (!conn) close(ends[0]);
    return conn;
}

static struct tkd_frame ping(u64 seq)
{
    struct tkd_frame frame = {.magic = TKD_MAGIC,
                              .version = TKD_PROTOCOL_VERSION,
                              .op = TKD_OP_PING,
                              .size = TKD_FRAME_BYTES,
                              .seq = seq};
    frame_seal(&frame);
    return frame;
}

static void write_all(int fd, const void *data, size_t bytes)
{
    cr_assert_eq(write(fd, data, bytes), (ssize_t)bytes);
}

static struct conn *next_ready(void)
{
    while (list_empty(&conns.ready)) io_run(io, true);
    return LIST_ENTRY(list_pop(&conns.ready), struct conn, turn);
}

static void answer(struct conn *conn, const char *text, u32 bytes)
{
    u8 *at = outbox_reserve(&conn->out, &conns.out_quota, bytes);
    cr_assert_not_null(at);
    memcpy(at, text, bytes);
    outbox_commit(&conn->out, &conns.out_quota, bytes);
}

Test(conn, frames_arrive_and_released_answers_leave)
{
    int peer;
    char got[32];
    enum tkd_status status;
    struct conn *conn = connect_pair(&peer);
    struct tkd_frame frame = ping(9);
    write_all(peer, &frame, sizeof(frame));
    cr_assert_eq(next_ready(), conn);
    const struct tkd_frame *received = inbox_frame(&conn->in, &status);
    cr_assert_not_null(received);
    cr_assert_eq(received->seq, 9);
    inbox_consume(&conn->in);
    conn_continue(conn);
    answer(conn, "abcdefgh", 8);
    answer(conn, "ijklmnop", 8);
    conns_send(&conns);
    io_run(io, false);
    cr_assert_eq(recv(peer, got, sizeof(got), MSG_DONTWAIT), -1, "not released yet");
    conn_release(conn, 8);
    conns_send(&conns);
    while (conn->out.sent < 8) io_run(io, true);
    cr_assert_eq(recv(peer, got, sizeof(got), MSG_DONTWAIT), 8);
    cr_assert_eq(memcmp(got, "abcdefgh", 8), 0);
    close(peer);
}

/* By what seems to come next: a question, half a question, something else, nothing known. */
Test(conn, who_asks_stands_in_a_line_of_its_own)
{
    static const struct {
        u16 op;
        u32 bytes;
        bool asks;
    } cases[] = {{TKD_OP_TICKET_LIST, TKD_FRAME_BYTES, true},
                 {TKD_OP_TICKET_LIST, TKD_FRAME_BYTES - 1, false},
                 {TKD_OP_TICKET_CREATE, TKD_FRAME_BYTES, false},
                 {UINT16_MAX, TKD_FRAME_BYTES, false}};
    for (u32 i = 0; i < ARRAY_COUNT(cases); i++) {
        int peer;
        struct conn *conn = connect_pair(&peer);
        struct tkd_frame frame = ping(1);
        frame.op = cases[i].op;
        frame_seal(&frame);
        write_all(peer, &frame, cases[i].bytes);
        while (!list_linked(&conn->turn)) io_run(io, true);
        cr_assert_eq(conn_asks(conn), cases[i].asks);
        cr_assert_eq(list_empty(&conns.asking), !cases[i].asks);
        cr_assert_eq(list_empty(&conns.ready), cases[i].asks);
        list_remove(&conn->turn);
        conn_close(conn);
        close(peer);
    }
}

Test(conn, half_closed_peer_gets_its_answers_and_then_the_end)
{
    int peer;
    char got[32];
    enum tkd_status status;
    struct conn *conn = connect_pair(&peer);
    struct tkd_frame frame = ping(1);
    write_all(peer, &frame, sizeof(frame));
    cr_assert_eq(shutdown(peer, SHUT_WR), 0);
    while (!conn->ended) {
        cr_assert_eq(next_ready(), conn);
        if (inbox_frame(&conn->in, &status)) {
            inbox_consume(&conn->in);
            answer(conn, "answered", 8);
        }
        conn_continue(conn);
    }
    cr_assert_eq(conn->phase, CONN_FINISHING);
    conn_release(conn, 8);
    conns_send(&conns);
    while (conns.count > 0) io_run(io, true);
    cr_assert_eq(recv(peer, got, sizeof(got), 0), 8);
    cr_assert_eq(recv(peer, got, sizeof(got), 0), 0);
    close(peer);
}

Test(conn, a_finished_one_lets_the_peer_read_before_it_closes)
{
    int peer;
    char got[32];
    struct conn *conn = connect_pair(&peer);
    write_all(peer, "garbage, garbage", 16);
    cr_assert_eq(next_ready(), conn);
    answer(conn, "go away!", 8);
    conn_finish(conn);
    conn_release(conn, 8);
    conns_send(&conns);
    while (conn->phase != CONN_LINGERING) io_run(io, true);
    write_all(peer, "more of it", 10);
    io_run(io, true);
    cr_assert_eq(conn->phase, CONN_LINGERING);
    cr_assert_eq(recv(peer, got, sizeof(got), 0), 8);
    cr_assert_eq(recv(peer, got, sizeof(got), 0), 0);
    close(peer);
    while (conns.count > 0) io_run(io, true);
}

Test(conn, a_finished_one_is_closed_after_a_while)
{
    int peer;
    struct conn *conn = connect_pair(&peer);
    conn_finish(conn);
    cr_assert_eq(conn->phase, CONN_LINGERING);
    conns_tick(&conns);
    cr_assert_eq(conn->phase, CONN_LINGERING);
    conns.now_ms += CONN_LINGER_MS;
    conns_tick(&conns);
    cr_assert_eq(conn->phase, CONN_CLOSING);
    while (conns.count > 0) io_run(io, true);
    close(peer);
}

Test(conn, there_are_no_more_than_may_be)
{
    int peers[5];
    for (u32 i = 0; i < 4; i++) cr_assert_not_null(connect_pair(&peers[i]));
    cr_assert_null(connect_pair(&peers[4]));
    u32 generation = conns.slots[2].generation;
    conn_attach(&conns.slots[2], 77);
    close(peers[2]);
    struct conn *ended = next_ready();
    cr_assert_eq(ended->index, 2);
    conn_continue(ended);
    while (conns.count == 4) io_run(io, true);
    struct conn *conn = connect_pair(&peers[2]);
    cr_assert_eq(conn->index, 2);
    cr_assert_gt(conn->generation, generation);
    cr_assert_eq(conn_session(conn), 0, "that was another one's");
    for (u32 i = 0; i < 5; i++) close(peers[i]);
}

Test(conn, attaching_fences_the_one_who_had_the_session)
{
    int peers[2];
    struct conn *first = connect_pair(&peers[0]);
    struct conn *second = connect_pair(&peers[1]);
    conn_attach(first, 77);
    cr_assert_eq(conn_session(first), 77);
    conn_attach(second, 77);
    cr_assert_eq(conn_session(first), 0);
    cr_assert_eq(conn_session(second), 77);
    conn_attach(second, 78);
    cr_assert_eq(conn_session(second), 78);
    close(peers[0]);
    close(peers[1]);
}

Test(conn, attaching_fences_whoever_stands_behind_the_others)
{
    int peers[4];
    struct conn *all[4];
    for (u32 i = 0; i < 3; i++) all[i] = connect_pair(&peers[i]);
    conn_attach(all[2], 77);
    for (u32 i = 0; i < 2; i++) conn_close(all[i]);
    while (conns.count > 1) io_run(io, true);
    all[3] = connect_pair(&peers[3]);
    cr_assert_lt(all[3]->index, all[2]->index);
    conn_attach(all[3], 77);
    cr_assert_eq(conn_session(all[2]), 0);
    for (u32 i = 0; i < 4; i++) close(peers[i]);
}

Test(conn, who_has_a_session_finds_memory_that_strangers_cannot_take)
{
    int peers[2];
    enum tkd_status status;
    static union {
        struct tkd_frame header;
        _Alignas(8) u8 bytes[65536];
    } frame;
    frame.header = ping(1);
    frame.header.size = 65536;
    frame_seal(&frame.header);
    u64 taken = conns.in_quota.max_bytes - conns.in_quota.max_bytes / 4;
    cr_assert(quota_take(&conns.in_quota, taken));
    for (u32 member = 0; member < 2; member++) {
        struct conn *conn = connect_pair(&peers[member]);
        if (member) conn_attach(conn, 77);
        write_all(peers[member], &frame, 4096);
        cr_assert_eq(next_ready(), conn);
        cr_assert_null(inbox_frame(&conn->in, &status));
        conn_continue(conn);
        cr_assert_eq(list_linked(&conn->turn), !member);
    }
    conns_feed(&conns);
    cr_assert_not(list_empty(&conns.starved));
    quota_give(&conns.in_quota, taken);
    conns_feed(&conns);
    cr_assert(list_empty(&conns.starved));
    close(peers[0]);
    close(peers[1]);
}

Test(conn, members_are_fed_while_strangers_wait)
{
    int peers[2];
    enum tkd_status status;
    struct tkd_frame frame = ping(1);
    frame.size = 1u << 20;
    frame.header_checksum = (u32)checksum_wire((const u8 *)&frame + 8, 56);
    u64 taken = conns.in_quota.max_bytes;
    cr_assert(quota_take(&conns.in_quota, taken));
    for (u32 member = 0; member < 2; member++) {
        struct conn *conn = connect_pair(&peers[member]);
        if (member) conn_attach(conn, 77);
        write_all(peers[member], &frame, sizeof(frame));
        cr_assert_eq(next_ready(), conn);
        cr_assert_null(inbox_frame(&conn->in, &status));
        conn_continue(conn);
    }
    conns_feed(&conns);
    cr_assert(list_empty(&conns.ready));
    quota_give(&conns.in_quota, INBOX_BYTES);
    conns_feed(&conns);
    cr_assert(list_empty(&conns.starved_members));
    cr_assert_eq(next_ready(), &conns.slots[1]);
    cr_assert_not(list_empty(&conns.starved));
    quota_give(&conns.in_quota, taken - INBOX_BYTES);
    close(peers[0]);
    close(peers[1]);
}

Test(conn, who_waits_for_memory_is_fed_when_some_comes_back)
{
    int peer;
    u64 taken = conns.in_quota.max_bytes;
    struct conn *conn = connect_pair(&peer);
    cr_assert(quota_take(&conns.in_quota, taken));
    static union {
        struct tkd_frame header;
        _Alignas(8) u8 bytes[65536];
    } frame;
    frame.header = ping(1);
    frame.header.size = 65536;
    frame_seal(&frame.header);
    write_all(peer, &frame, 65536);
    enum tkd_status status;
    cr_assert_eq(next_ready(), conn);
    cr_assert_null(inbox_frame(&conn->in, &status));
    conn_continue(conn);
    conns_feed(&conns);
    cr_assert_not(list_empty(&conns.starved));
    quota_give(&conns.in_quota, taken);
    conns_feed(&conns);
    cr_assert(list_empty(&conns.starved));
    while (!inbox_frame(&conn->in, &status)) {
        cr_assert_eq(next_ready(), conn);
        conn_continue(conn);
    }
    close(peer);
}

Test(conn, a_silent_one_that_holds_memory_goes_when_others_need_it)
{
    int peers[2];
    struct conn *silent = connect_pair(&peers[0]);
    struct conn *idle = connect_pair(&peers[1]);
    struct tkd_frame frame = ping(1);
    enum tkd_status status;
    frame.size = 1u << 20;
    frame.header_checksum = (u32)checksum_wire((const u8 *)&frame + 8, 56);
    write_all(peers[0], &frame, sizeof(frame));
    cr_assert_eq(next_ready(), silent);
    cr_assert_null(inbox_frame(&silent->in, &status));
    conn_continue(silent);
    cr_assert_gt(conns.in_quota.used_bytes, 0);
    conns.now_ms += CONN_SILENT_MS;
    conns_tick(&conns);
    cr_assert_eq(silent->phase, CONN_OPEN, "nobody needs it");
    list_push(&conns.waiting, &silent->turn);
    for (u32 i = 0; i < 2; i++) {
        conns.now_ms += CONN_SILENT_MS;
        cr_assert_not(quota_has(&conns.in_quota, conns.in_quota.max_bytes));
        conns_tick(&conns);
        cr_assert_eq(silent->phase, CONN_OPEN, "it waits for the pipeline, which is no silence");
    }
    list_remove(&silent->turn);
    conns.now_ms += CONN_SILENT_MS;
    cr_assert_not(quota_has(&conns.in_quota, conns.in_quota.max_bytes));
    conns_tick(&conns);
    cr_assert_eq(silent->phase, CONN_CLOSING);
    cr_assert_eq(idle->phase, CONN_OPEN);
    while (conns.count > 1) io_run(io, true);
    cr_assert_eq(conns.in_quota.used_bytes, 0);
    close(peers[0]);
    close(peers[1]);
}

/* The kernel has the whole window to fill: it stays where it is, however long nothing comes. */
Test(conn, a_window_that_is_being_filled_is_not_shrunk)
{
    int peer;
    enum tkd_status status;
    struct conn *conn = connect_pair(&peer);
    static struct tkd_frame frames[INBOX_IDLE_BYTES / sizeof(struct tkd_frame) + 1];
    for (u32 i = 0; i < ARRAY_COUNT(frames); i++) frames[i] = ping(i);
    for (u32 round = 0; round < 2; round++) {
        u64 wanted = round == 0 ? ARRAY_COUNT(frames) - 1 : ARRAY_COUNT(frames);
        write_all(peer, frames, wanted * sizeof *frames);
        for (u64 seq = 0; seq < wanted;) {
            cr_assert_eq(next_ready(), conn);
            for (const struct tkd_frame *frame; (frame = inbox_frame(&conn->in, &status)) != NULL; seq++) {
                cr_assert_eq(frame->seq, seq);
                inbox_consume(&conn->in);
            }
            conn_continue(conn);
        }
        conns.now_ms += 1000;
        conns_tick(&conns);
    }
    close(peer);
}

/* To read a little is to get nothing done: what is wanted back is the memory of the whole. */
Test(conn, one_that_drips_goes_when_others_need_its_memory)
{
    int peer;
    static u8 drop[131072];
    struct conn *conn = connect_pair(&peer);
    memset(outbox_reserve(&conn->out, &conns.out_quota, OUTBOX_AREA_BYTES), 0, OUTBOX_AREA_BYTES);
    conn_release(conn, outbox_commit(&conn->out, &conns.out_quota, OUTBOX_AREA_BYTES));
    for (u64 passed_ms = 0; conn->phase == CONN_OPEN; passed_ms += 1000) {
        cr_assert_leq(passed_ms, CONN_SILENT_MS);
        conns_send(&conns);
        io_run(io, false);
        cr_assert_not(outbox_empty(&conn->out));
        cr_assert_gt(recv(peer, drop, sizeof drop, 0), 0);
        io_run(io, false);
        conns.now_ms += 1000;
        cr_assert_not(quota_has(&conns.out_quota, conns.out_quota.max_bytes));
        conns_tick(&conns);
    }
    while (conns.count > 0) io_run(io, true);
    cr_assert_eq(conns.out_quota.used_bytes, 0);
    close(peer);
}

/* Less than what counts as memory, but its next answer will never find room. */
Test(conn, one_that_waits_for_a_reader_does_not_hold_up_the_end)
{
    int peer;
    struct conn *conn = connect_pair(&peer);
    memset(outbox_reserve(&conn->out, &conns.out_quota, 64), 0, 64);
    outbox_commit(&conn->out, &conns.out_quota, 64); /* never released: as good as never read */
    conn->short_room = true;
    conns.now_ms += CONN_SILENT_MS;
    conns_tick(&conns);
    cr_assert_eq(conn->phase, CONN_OPEN);
    conns.stopping = true;
    conns_tick(&conns);
    cr_assert_eq(conn->phase, CONN_CLOSING);
    while (conns.count > 0) io_run(io, true);
    close(peer);
}

Test(conn, a_parked_one_keeps_its_slot_until_the_wish_is_done)
{
    int peer;
    struct conn *conn = connect_pair(&peer);
    conn->parked = true;
    close(peer);
    io_run(io, true);
    conn_close(conn);
    io_run(io, false);
    cr_assert_eq(conns.count, 1);
    conn_granted(conn, 0);
    while (conns.count > 0) io_run(io, true);
}
