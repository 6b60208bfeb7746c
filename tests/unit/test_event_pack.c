#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/prng.h"
#include "port/event_pack.h"

/* As many bits as chance has it, none at all rather often. */
static u64 number(struct prng *prng, u32 bits_max)
{
    u32 bits = prng_chance(prng, 1, 3) ? 0 : (u32)prng_below(prng, bits_max + 1);
    return bits == 0 ? 0 : prng_next(prng) >> (64 - bits);
}

static struct tkd_event event_any(struct prng *prng, const struct tkd_event *before)
{
    struct tkd_event event = {
        .head = sizeof event,
        .kind = (u16)number(prng, 16),
        .seq = before->seq + 1,
        .time_ms = before->time_ms + number(prng, 64),
        .ticket = prng_chance(prng, 1, 2) ? before->ticket + number(prng, 8) - 100 : number(prng, 64),
        .previous = number(prng, 40),
        .cause = before->cause + number(prng, 64),
        .link = number(prng, 64),
        .station = (u32)number(prng, 32),
        .actor = (u32)number(prng, 32),
        .a = (u32)number(prng, 32),
        .b = (u32)number(prng, 32),
        .c = (u32)number(prng, 32),
        .d = (u32)number(prng, 32),
        .e = (u32)number(prng, 32),
        .text_bytes = (u32)number(prng, 32),
    };
    if (event.previous == event.seq) event.previous = 0;
    event.size = (u32)(sizeof event + number(prng, 19));
    return event;
}

Test(event_pack, what_is_packed_comes_back)
{
    struct prng prng = prng_seeded(1);
    struct tkd_event before = {.seq = 1000}, back = before;
    for (u32 i = 0; i < 200000; i++) {
        if (i % 10 == 0) before = back = (struct tkd_event){.seq = prng_next(&prng) >> 20};
        struct tkd_event event = event_any(&prng, &before);
        u8 packed[EVENT_PACK_HEAD_BYTES_MAX];
        u32 bytes = event_pack(&event, &before, packed);
        cr_assert_leq(bytes, sizeof packed);
        cr_assert_eq(event_unpack(&back, packed, bytes), bytes);
        cr_assert_eq(memcmp(&back, &event, sizeof event), 0, "event %u", i);
        before = event;
    }
}

Test(event_pack, what_follows_from_the_event_before_takes_no_room)
{
    struct tkd_event before = {.seq = 1ull << 40, .time_ms = 1ull << 41, .ticket = 1u << 30, .cause = 1ull << 39};
    struct tkd_event event = before;
    event.size = event.head = sizeof event;
    event.seq++;
    event.previous = before.seq;
    event.kind = TKD_EVENT_ROUTED;
    u8 packed[EVENT_PACK_HEAD_BYTES_MAX];
    cr_assert_eq(event_pack(&event, &before, packed), sizeof(u16) + 2); /* the kind and how far back `previous` is */
}

/* In memory that ends where it says, so a sanitizer sees who reads on. */
static u32 unpack_exactly(const u8 *packed, u64 bytes, struct tkd_event *event)
{
    u8 *exactly = malloc(max_u64(bytes, 1));
    memcpy(exactly, packed, bytes);
    *event = (struct tkd_event){.seq = 5};
    u32 used = event_unpack(event, exactly, bytes);
    free(exactly);
    return used;
}

Test(event_pack, what_is_cut_off_is_refused)
{
    struct prng prng = prng_seeded(2);
    struct tkd_event before = {.seq = 5}, back;
    for (u32 i = 0; i < 2000; i++) {
        struct tkd_event event = event_any(&prng, &before);
        u8 packed[EVENT_PACK_HEAD_BYTES_MAX];
        u32 bytes = event_pack(&event, &before, packed);
        for (u32 end = 0; end < bytes; end++) cr_assert_eq(unpack_exactly(packed, end, &back), 0);
        cr_assert_eq(unpack_exactly(packed, bytes, &back), bytes);
    }
}

Test(event_pack, what_is_no_event_is_refused)
{
    struct tkd_event back;
    const struct {
        u8 packed[16];
        u32 bytes;
        const char *what;
    } bad[] = {
        {{0x00, 0x80, 1}, 3, "a column that there is not"},
        {{0x01, 0x00, 0x80, 0x80, 0x04}, 5, "a kind of 17 bits"},
        {{0x40, 0x00, 0x80, 0x80, 0x80, 0x80, 0x10}, 7, "a station of 33 bits"},
        {{0x20, 0x00, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}, 13, "a number of 71 bits"},
        {{0x00, 0x20, 0x80, 0x80, 0x80, 0x80, 0x01}, 7, "a text longer than any frame"},
        {{0x00, 0x40, 0xff, 0xff, 0xff, 0xff, 0x0f}, 7, "a record shorter than its head"},
    };
    for (u32 i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_eq(unpack_exactly(bad[i].packed, bad[i].bytes, &back), 0, "%s", bad[i].what);
    cr_assert_eq(unpack_exactly((const u8[]){0x21, 0x00, 3, 0xff, 0x7f}, 5, &back), 5);
    cr_assert_eq(back.seq, 6);
    cr_assert_eq(back.kind, 3);
    cr_assert_eq(back.link, 0x3fff);
    cr_assert_eq(back.size, sizeof back);
}

Test(event_pack, chance_is_refused_or_bounded)
{
    struct prng prng = prng_seeded(3);
    for (u32 i = 0; i < 100000; i++) {
        u8 packed[64];
        struct tkd_event back;
        u64 bytes = prng_below(&prng, sizeof packed + 1);
        for (u32 at = 0; at < sizeof packed; at++) packed[at] = (u8)prng_next(&prng);
        u32 used = unpack_exactly(packed, bytes, &back);
        cr_assert_leq(used, bytes);
        if (used != 0) cr_assert(back.size >= sizeof back && back.size <= TKD_FRAME_BYTES_MAX);
    }
}
