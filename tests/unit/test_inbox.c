#include <criterion/criterion.h>

#include "core/frame.h"
#include "edge/inbox.h"
#include "port/host.h"

static struct inbox inbox;
static struct quota quota;
static u8 *memory;

static void setup(void)
{
    char error[256];
    memory = host_reserve(INBOX_BYTES, error, sizeof(error));
    cr_assert_not_null(memory);
    quota = (struct quota){.max_bytes = 4u << 20};
    inbox_open(&inbox, memory);
}

static void teardown(void)
{
    inbox_close(&inbox, &quota);
    cr_assert_eq(quota.used_bytes, 0);
    host_release(memory, INBOX_BYTES);
}

TestSuite(inbox, .init = setup, .fini = teardown);

/* A frame of `size` bytes with the given seq, its body filled with a pattern. */
static const struct tkd_frame *frame_of(u64 seq, u32 size)
{
    static union {
        struct tkd_frame header;
        _Alignas(8) u8 bytes[TKD_FRAME_BYTES_MAX];
    } frame;
    memset(frame.bytes, (int)(seq % 251), size);
    frame.header = (struct tkd_frame){
        .magic = TKD_MAGIC, .version = TKD_PROTOCOL_VERSION, .op = TKD_OP_PING, .size = size, .seq = seq};
    frame_seal(&frame.header);
    return &frame.header;
}

/* Lets the inbox receive as much of `data` as it offers room for; returns how much. */
static u32 receive(const void *data, u32 bytes)
{
    u8 *space = NULL;
    u32 offered = inbox_space(&inbox, &quota, 0, &space);
    u32 taken = min_u32(offered, bytes);
    cr_assert(offered == 0 || (space >= memory && space + offered <= memory + INBOX_BYTES));
    if (taken == 0) return 0;
    memcpy(space, data, taken);
    inbox_received(&inbox, taken);
    return taken;
}

/* Receives all of it, asking for a frame in between like the server does; none may be whole before the end.
 */
static void receive_partial(const void *data, u32 bytes)
{
    enum tkd_status status;
    for (u32 done = 0; done < bytes;) {
        u32 taken = receive((const u8 *)data + done, bytes - done);
        cr_assert_gt(taken, 0);
        done += taken;
        if (done < bytes) cr_assert_null(inbox_frame(&inbox, &status));
    }
}

static void expect_frame(u64 seq, u32 size)
{
    enum tkd_status status;
    const struct tkd_frame *frame = inbox_frame(&inbox, &status);
    cr_assert_not_null(frame);
    cr_assert_eq((uintptr_t)frame % 8, 0);
    cr_assert_eq(frame->seq, seq);
    cr_assert_eq(frame->size, size);
    cr_assert_eq(memcmp(frame, frame_of(seq, size), size), 0);
    inbox_consume(&inbox);
}

static void expect_none(enum tkd_status expected)
{
    enum tkd_status status;
    cr_assert_null(inbox_frame(&inbox, &status));
    cr_assert_eq(status, expected);
}

Test(inbox, frame_byte_by_byte)
{
    const struct tkd_frame *frame = frame_of(7, 96);
    for (u32 i = 0; i < 96; i++) {
        expect_none(0);
        cr_assert_eq(receive((const u8 *)frame + i, 1), 1);
    }
    expect_frame(7, 96);
    expect_none(0);
}

Test(inbox, many_frames_in_one_piece)
{
    u8 bytes[4096];
    u32 used = 0;
    for (u64 seq = 1; seq <= 10; seq++) {
        u32 size = (u32)(64 + 8 * seq);
        memcpy(bytes + used, frame_of(seq, size), size);
        used += size;
    }
    cr_assert_eq(receive(bytes, used), used);
    for (u64 seq = 1; seq <= 10; seq++) expect_frame(seq, (u32)(64 + 8 * seq));
    cr_assert_eq(inbox.end, 0);
}

Test(inbox, rest_of_a_frame_moves_to_the_front)
{
    u8 bytes[8192];
    memcpy(bytes, frame_of(1, 4000), 4000);
    memcpy(bytes + 4000, frame_of(2, 3000), 3000);
    u32 first = receive(bytes, 7000);
    cr_assert_eq(first, INBOX_IDLE_BYTES);
    expect_frame(1, 4000);
    expect_none(0);
    for (u32 done = first; done < 7000;) done += receive(bytes + done, 7000 - done);
    expect_frame(2, 3000);
}

Test(inbox, largest_frame_takes_a_large_window_and_gives_it_back)
{
    static u8 copy[TKD_FRAME_BYTES_MAX];
    memcpy(copy, frame_of(3, TKD_FRAME_BYTES_MAX), TKD_FRAME_BYTES_MAX);
    receive_partial(copy, TKD_FRAME_BYTES_MAX);
    cr_assert_eq(inbox.window, INBOX_BYTES);
    cr_assert_eq(quota.used_bytes, INBOX_BYTES - INBOX_IDLE_BYTES);
    inbox_shrink(&inbox, &quota);
    cr_assert_eq(inbox.window, INBOX_BYTES, "not while a frame is in it");
    expect_frame(3, TKD_FRAME_BYTES_MAX);
    u8 *space;
    cr_assert_eq(inbox_space(&inbox, &quota, 0, &space), INBOX_IDLE_BYTES, "an idle inbox offers little");
    inbox_shrink(&inbox, &quota);
    cr_assert_eq(inbox.window, INBOX_IDLE_BYTES);
    cr_assert_eq(quota.used_bytes, 0);
    cr_assert_eq(memory[INBOX_IDLE_BYTES], 0, "the memory was given back");
}

Test(inbox, damaged_header_is_fatal)
{
    struct tkd_frame frame = *frame_of(1, 64);
    frame.size ^= 8;
    receive(&frame, 64);
    expect_none(TKD_BAD_HEADER_CHECKSUM);
}

Test(inbox, wrong_magic_is_seen_before_the_header_is_whole)
{
    receive("GET / HTTP/1.1\r\n", 16);
    expect_none(TKD_BAD_MAGIC);
}

Test(inbox, unbelievable_size)
{
    struct tkd_frame sealed = *frame_of(1, 64);
    sealed.size = 0;
    sealed.header_checksum = (u32)checksum_wire((const u8 *)&sealed + 8, 56);
    receive(&sealed, 64);
    expect_none(TKD_BAD_SIZE);
}

Test(inbox, waits_while_the_quota_is_used_up)
{
    quota.max_bytes = 0;
    static u8 copy[200000];
    memcpy(copy, frame_of(5, 200000), 200000);
    u32 done = receive(copy, 200000);
    cr_assert_eq(done, INBOX_IDLE_BYTES);
    expect_none(0);
    cr_assert_eq(receive(copy + done, 200000 - done), 0);
    cr_assert(quota.refused);
    quota.max_bytes = 4u << 20;
    while (done < 200000) done += receive(copy + done, 200000 - done);
    expect_frame(5, 200000);
}

Test(inbox, small_frames_are_received_without_quota)
{
    quota.max_bytes = 0;
    for (u64 seq = 1; seq < 500; seq++) {
        u32 size = (u32)(64 + seq % 300 * 8);
        const struct tkd_frame *frame = frame_of(seq, size);
        for (u32 done = 0; done < size;) done += receive((const u8 *)frame + done, size - done);
        expect_frame(seq, size);
    }
}

Test(inbox, skipped_frame_is_thrown_away_as_it_arrives)
{
    static u8 copy[100064];
    memcpy(copy, frame_of(1, 100000), 100000);
    memcpy(copy + 100000, frame_of(2, 64), 64);
    u32 done = receive(copy, 1000);
    expect_none(0);
    cr_assert_not_null(inbox_header(&inbox));
    inbox_skip(&inbox);
    while (done < 100064) {
        cr_assert_null(inbox_header(&inbox));
        u32 taken = receive(copy + done, 100064 - done);
        cr_assert_leq(taken, INBOX_BUSY_BYTES);
        done += taken;
    }
    expect_frame(2, 64);
    cr_assert_leq(inbox.window, INBOX_BUSY_BYTES);
}

Test(inbox, what_follows_a_frame_skipped_in_odd_pieces_is_aligned)
{
    u8 copy[2064];
    memcpy(copy, frame_of(1, 2000), 2000);
    memcpy(copy + 2000, frame_of(2, 64), 64);
    receive(copy, 101);
    expect_none(0);
    inbox_skip(&inbox);
    receive(copy + 101, 1000);
    receive(copy + 1101, 900);
    expect_none(0);
    receive(copy + 2001, 63);
    expect_frame(2, 64);
}
