/* Frames that are wrong in every way, against the real server. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
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
}

static void teardown(void)
{
    close(fd);
    fd = wire_open(daemon_here.address);
    wire_ping(fd); /* whatever the test did, it serves on */
    close(fd);
    cr_assert_eq(daemon_end(&daemon_here, SIGTERM), 0, "%s", daemon_here.log);
    directory_remove(data);
}

TestSuite(wire, .init = setup, .fini = teardown);

/* Sends what is in `frame` as it is; expects this status, and that the connection lives on. */
static void expect_refused(enum tkd_status status)
{
    wire_write(fd, frame.bytes, frame.head.size);
    const struct tkd_frame *answer = wire_receive(fd);
    cr_assert_not_null(answer);
    cr_assert_eq(answer->status, status, "%u, not %u", answer->status, status);
    cr_assert_eq(answer->count, 0);
    cr_assert_eq(answer->seq, frame.head.seq);
    cr_assert_eq(answer->size, TKD_FRAME_BYTES);
    wire_ping(fd);
}

/* Sends these bytes; expects this status and then the end of the connection. */
static void expect_end(const void *bytes, u32 count, enum tkd_status status)
{
    wire_write(fd, bytes, count);
    const struct tkd_frame *answer = wire_receive(fd);
    cr_assert_not_null(answer);
    cr_assert_eq(answer->status, status, "%u, not %u", answer->status, status);
    cr_assert_null(wire_receive(fd));
}

static void reseal_header(void)
{
    frame.head.header_checksum = (u32)checksum_wire(frame.bytes + 8, TKD_FRAME_BYTES - 8);
}

Test(wire, hello_comes_first)
{
    close(fd);
    fd = wire_connect(daemon_here.address);
    wire_empty_frame(&frame, TKD_OP_PING, 3);
    cr_assert_eq(wire_call(fd, &frame)->status, TKD_HELLO_FIRST);
    struct tkd_hello head = {.version_min = 2, .version_max = 9};
    wire_begin(&frame, TKD_OP_HELLO, 4);
    wire_add(&frame, &head, sizeof(head), NULL, 0);
    cr_assert_eq(wire_call(fd, &frame)->status, TKD_BAD_VERSION);
    head.version_min = 0;
    wire_begin(&frame, TKD_OP_HELLO, 5);
    wire_add(&frame, &head, sizeof(head), NULL, 0);
    const struct tkd_frame *answer = wire_call(fd, &frame);
    cr_assert_eq(answer->status, TKD_OK);
    struct tkd_hello_reply reply;
    record_head(frame_first(answer), &reply, sizeof(reply));
    cr_assert_eq(reply.version, TKD_PROTOCOL_VERSION);
    cr_assert_eq(reply.frame_bytes_max, TKD_FRAME_BYTES_MAX);
    cr_assert_eq(reply.clock, 1);
    cr_assert_neq(reply.store, 0);
    wire_ping(fd);
}

Test(wire, before_hello_a_large_frame_is_thrown_away)
{
    close(fd);
    fd = wire_connect(daemon_here.address);
    wire_begin(&frame, TKD_OP_TICKET_CREATE, 9);
    frame.head.size = 900000;
    frame.head.count = 1;
    wire_send(fd, &frame);
    const struct tkd_frame *answer = wire_receive(fd);
    cr_assert_eq(answer->status, TKD_HELLO_FIRST);
    cr_assert_eq(answer->seq, 9);
    wire_begin(&frame, TKD_OP_PING, 10);
    cr_assert_eq(wire_call(fd, &frame)->status, TKD_BAD_COUNT, "verified before it is asked who sends it");
}

Test(wire, wrong_magic) { expect_end("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 35, TKD_BAD_MAGIC); }

Test(wire, damaged_header)
{
    wire_empty_frame(&frame, TKD_OP_PING, 1);
    wire_seal(&frame);
    frame.head.size += 8;
    expect_end(frame.bytes, TKD_FRAME_BYTES, TKD_BAD_HEADER_CHECKSUM);
}

Test(wire, sizes_out_of_range)
{
    static const u32 sizes[] = {0, 56, 68, TKD_FRAME_BYTES_MAX + 8, UINT32_MAX};
    for (u32 i = 0; i < ARRAY_COUNT(sizes); i++) {
        wire_empty_frame(&frame, TKD_OP_PING, 77);
        frame.head.size = sizes[i];
        reseal_header();
        wire_write(fd, frame.bytes, TKD_FRAME_BYTES + 8);
        const struct tkd_frame *answer = wire_receive(fd);
        cr_assert_not_null(answer);
        cr_assert_eq(answer->status, TKD_BAD_SIZE);
        cr_assert_eq(answer->seq, 77, "the header could be believed");
        cr_assert_null(wire_receive(fd));
        close(fd);
        fd = wire_open(daemon_here.address);
    }
}

Test(wire, damaged_body)
{
    wire_begin(&frame, TKD_OP_TICKET_CREATE, 5);
    wire_add_create(&frame, "k");
    wire_seal(&frame);
    frame.bytes[TKD_FRAME_BYTES + 40] ^= 1;
    expect_refused(TKD_BAD_BODY_CHECKSUM);
    frame.bytes[TKD_FRAME_BYTES + 40] ^= 1;
    frame.head.body_checksum ^= 1;
    reseal_header();
    expect_refused(TKD_BAD_BODY_CHECKSUM);
}

Test(wire, headers_that_ask_for_what_is_not_there)
{
    wire_empty_frame(&frame, TKD_OP_PING, 1);
    frame.head.version = 2;
    wire_seal(&frame);
    expect_refused(TKD_BAD_VERSION);
    for (u32 op = 0; op < 70; op++) {
        if (tkd_op_info(op) && tkd_op_info(op)->class != TKD_CLASS_internal) continue;
        wire_empty_frame(&frame, (u16)op, op);
        wire_seal(&frame);
        expect_refused(TKD_UNKNOWN_OP);
    }
    wire_empty_frame(&frame, UINT16_MAX, 1);
    wire_seal(&frame);
    expect_refused(TKD_UNKNOWN_OP);
    wire_empty_frame(&frame, TKD_OP_PING, 1);
    frame.head.flags = TKD_FLAG_REPLY;
    wire_seal(&frame);
    expect_refused(TKD_BAD_FLAGS);
    wire_begin(&frame, TKD_OP_TICKET_CREATE, 1);
    wire_seal(&frame);
    expect_refused(TKD_BAD_COUNT);
}

Test(wire, records_that_do_not_add_up)
{
    struct tkd_prefix *record;
    wire_begin(&frame, TKD_OP_TICKET_CREATE, 1);
    wire_add_create(&frame, "k");
    record = (struct tkd_prefix *)(void *)(frame.bytes + TKD_FRAME_BYTES);
    u32 size = record->size;
    static const u32 sizes[] = {0, 4, 7, 8, 12, 1u << 30, UINT32_MAX - 7};
    for (u32 i = 0; i < ARRAY_COUNT(sizes); i++) {
        record->size = sizes[i];
        wire_seal(&frame);
        expect_refused(TKD_BAD_RECORD);
    }
    record->size = size;
    record->head = (u16)(size + 8);
    wire_seal(&frame);
    expect_refused(TKD_BAD_RECORD);
    wire_begin(&frame, TKD_OP_TICKET_CREATE, 1);
    wire_add_create(&frame, "k");
    ((struct tkd_ticket_create *)(void *)(frame.bytes + TKD_FRAME_BYTES))->subject_bytes = UINT32_MAX;
    wire_seal(&frame);
    expect_refused(TKD_BAD_RECORD);
    cr_assert_eq(wire_metric(fd, "op"), 0, "nothing of all this was applied");
}

Test(wire, a_frame_is_applied_whole_or_not_at_all)
{
    wire_catalog(fd);
    u64 op = wire_metric(fd, "op");
    u64 events = wire_metric(fd, "events");
    wire_begin(&frame, TKD_OP_TICKET_CREATE, 1);
    for (u32 i = 0; i < 100; i++) wire_add_create(&frame, "");
    ((struct tkd_prefix *)(void *)(frame.bytes + frame.head.size - 152))->head = 3;
    u32 last = 0;
    const struct tkd_prefix *record = frame_first(&frame.head);
    for (u32 i = 0; i < 99; i++) record = record_next(record);
    last = (u32)((const u8 *)record - frame.bytes);
    frame.bytes[last + 4] ^= 4;
    wire_seal(&frame);
    expect_refused(TKD_BAD_RECORD);
    cr_assert_eq(wire_metric(fd, "op"), op);
    cr_assert_eq(wire_metric(fd, "events"), events);
}

Test(wire, time_belongs_to_the_server)
{
    wire_catalog(fd);
    wire_begin(&frame, TKD_OP_TICKET_CREATE, 1);
    wire_add_create(&frame, "");
    frame.head.time_ms = 1700000000000;
    wire_seal(&frame);
    expect_refused(TKD_BAD_TIME);
}

Test(wire, truncated_frames_hurt_nobody)
{
    wire_begin(&frame, TKD_OP_TICKET_CREATE, 1);
    wire_add_create(&frame, "k");
    wire_seal(&frame);
    for (u32 bytes = 1; bytes < frame.head.size; bytes += 7) {
        int other = wire_open(daemon_here.address);
        wire_write(other, frame.bytes, bytes);
        close(other);
    }
    wire_ping(fd);
    cr_assert_eq(wire_metric(fd, "op"), 0);
}

Test(wire, the_largest_frame_is_taken)
{
    wire_catalog(fd);
    static char text[262144];
    memset(text, 'x', sizeof(text));
    wire_begin(&frame, TKD_OP_TICKET_CREATE, 1);
    struct tkd_ticket_create head = {.channel = 1, .queue = 1};
    for (u32 left = TKD_FRAME_BYTES_MAX - TKD_FRAME_BYTES; left > 0;) {
        u32 room = left - (u32)sizeof(head);
        head.address_bytes = 5;
        head.body_bytes = min_u32(room - 8, 200000);
        if (left - (u32)round_up(sizeof(head) + 5 + head.body_bytes, 8) < 1000)
            head.body_bytes = min_u32(room - 5, 262144);
        memcpy(text, "13800", 5);
        wire_add(&frame, &head, sizeof(head), text, 5 + head.body_bytes);
        left = TKD_FRAME_BYTES_MAX - frame.head.size;
    }
    cr_assert_eq(frame.head.size, TKD_FRAME_BYTES_MAX);
    u32 count = frame.head.count;
    const struct tkd_frame *answer = wire_call(fd, &frame);
    cr_assert_eq(answer->status, TKD_OK);
    cr_assert_eq(answer->count, count);
    for (u32 i = 0; i < count; i++) cr_assert_eq(wire_results(answer)[i].status, TKD_OK);
}

Test(wire, each_record_has_its_own_result)
{
    wire_catalog(fd);
    struct tkd_ticket_create wrong = {.channel = 1, .queue = 99, .address_bytes = 5};
    for (u32 stop = 0; stop < 2; stop++) {
        wire_begin(&frame, TKD_OP_TICKET_CREATE, 1);
        frame.head.flags = stop ? TKD_FLAG_STOP : 0;
        wire_add_create(&frame, "");
        wire_add(&frame, &wrong, sizeof(wrong), "13800", 5);
        wire_add_create(&frame, "");
        const struct tkd_frame *answer = wire_call(fd, &frame);
        cr_assert_eq(answer->status, TKD_OK);
        cr_assert_eq(answer->count, 3);
        const struct tkd_result *results = wire_results(answer);
        cr_assert_eq(results[0].status, TKD_OK);
        cr_assert_eq(results[1].status, TKD_UNKNOWN_QUEUE);
        cr_assert_eq(results[2].status, stop ? TKD_NOT_RUN : TKD_OK);
    }
}

Test(wire, many_frames_in_flight_are_answered_in_order)
{
    enum { COUNT = 3000 };
    static u8 stream[COUNT * 72];
    wire_catalog(fd);
    for (u32 i = 0; i < COUNT; i++) {
        wire_empty_frame(&frame, i % 3 ? TKD_OP_PING : TKD_OP_SUMMARY, i);
        wire_seal(&frame);
        memcpy(stream + i * 72, frame.bytes, 72);
    }
    wire_write(fd, stream, sizeof(stream));
    for (u32 i = 0; i < COUNT; i++) {
        const struct tkd_frame *answer = wire_receive(fd);
        cr_assert_not_null(answer);
        cr_assert_eq(answer->seq, i);
        cr_assert_eq(answer->status, TKD_OK);
    }
}

/* Sends without ever reading until the server does not take any more. */
static void stuff(int other, const void *bytes, u32 count)
{
    for (;;) {
        if (send(other, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL) <= 0) return;
    }
}

Test(wire, who_does_not_read_is_not_read_from_and_hurts_nobody)
{
    int greedy[3];
    wire_catalog(fd);
    struct tkd_catalog_read head = {.kind = TKD_KIND_QUEUE};
    wire_begin(&frame, TKD_OP_CATALOG_READ, 1);
    wire_add(&frame, &head, sizeof(head), NULL, 0);
    wire_seal(&frame);
    for (u32 i = 0; i < 3; i++) {
        greedy[i] = wire_open(daemon_here.address);
        stuff(greedy[i], frame.bytes, frame.head.size);
    }
    for (u32 i = 0; i < 100; i++) cr_assert_eq(wire_create(fd, 0, i, "").status, TKD_OK);
    cr_assert_leq(wire_metric(fd, "buffer_bytes"), wire_metric(fd, "buffer_bytes_max"));
    for (u32 i = 0; i < 3; i++) close(greedy[i]);
}

Test(wire, large_frames_that_never_end_hurt_nobody)
{
    enum { COUNT = 300 };
    int hanging[COUNT];
    wire_catalog(fd);
    wire_begin(&frame, TKD_OP_TICKET_CREATE, 1);
    wire_add_create(&frame, "");
    frame.head.size = TKD_FRAME_BYTES_MAX;
    wire_seal(&frame);
    for (u32 i = 0; i < COUNT; i++) {
        hanging[i] = wire_open(daemon_here.address);
        wire_write(hanging[i], frame.bytes, 3000);
    }
    for (u32 i = 0; i < 100; i++) cr_assert_eq(wire_create(fd, 0, i, "").status, TKD_OK);
    cr_assert_leq(wire_metric(fd, "buffer_bytes"), wire_metric(fd, "buffer_bytes_max"));
    for (u32 i = 0; i < COUNT; i++) close(hanging[i]);
}

Test(wire, noise)
{
    u64 word = 88172645463325252u;
    for (u32 i = 0; i < 200; i++) {
        int other = wire_open(daemon_here.address);
        wire_empty_frame(&frame, TKD_OP_STATUS, i);
        wire_seal(&frame);
        for (u32 change = 0; change < 4; change++) {
            word ^= word << 13;
            word ^= word >> 7;
            word ^= word << 17;
            frame.bytes[word % 72] ^= (u8)(word >> 32);
        }
        if (i % 2) reseal_header();
        wire_write(other, frame.bytes, 72);
        shutdown(other, SHUT_WR);
        while (wire_receive(other)) continue;
        close(other);
    }
}
