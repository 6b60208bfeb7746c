#include <criterion/criterion.h>

#include "base/prng.h"
#include "edge/outbox.h"
#include "port/host.h"

static struct outbox outbox;
static struct quota quota;
static u8 *memory;

static void setup(void)
{
    char error[256];
    memory = host_reserve(OUTBOX_BYTES, error, sizeof(error));
    cr_assert_not_null(memory);
    quota = (struct quota){.max_bytes = 16u << 20};
    outbox_open(&outbox, memory);
}

static void teardown(void)
{
    outbox_close(&outbox, &quota);
    cr_assert_eq(quota.used_bytes, 0);
    host_release(memory, OUTBOX_BYTES);
}

TestSuite(outbox, .init = setup, .fini = teardown);

/* Writes an answer of `bytes` bytes whose words count on from *word; false: no room. */
static bool write_answer(u32 bytes, u64 *word)
{
    u8 *at = outbox_reserve(&outbox, &quota, bytes);
    if (!at) return false;
    for (u32 i = 0; i < bytes; i += 8) {
        memcpy(at + i, word, 8);
        ++*word;
    }
    outbox_commit(&outbox, &quota, bytes);
    return true;
}

/* Sends `bytes` at most of what may leave, and checks that the words come in order. */
static u32 send_some(u32 bytes_max, u64 *word)
{
    const u8 *data;
    u32 bytes = min_u32(outbox_sendable(&outbox, &data), bytes_max);
    for (u32 i = 0; i < bytes; i += 8) {
        u64 found;
        memcpy(&found, data + i, 8);
        cr_assert_eq(found, *word);
        ++*word;
    }
    if (bytes > 0) outbox_sent(&outbox, bytes);
    return bytes;
}

Test(outbox, nothing_leaves_before_it_is_released)
{
    u64 in = 0, out = 0;
    cr_assert(write_answer(64, &in));
    cr_assert(write_answer(128, &in));
    cr_assert_eq(send_some(1000, &out), 0);
    outbox_release(&outbox, 64);
    cr_assert_eq(send_some(1000, &out), 64);
    cr_assert_eq(send_some(1000, &out), 0);
    outbox_release(&outbox, 192);
    cr_assert_eq(send_some(1000, &out), 128);
    cr_assert(outbox_empty(&outbox));
}

Test(outbox, is_bounded_and_goes_on_when_something_was_sent)
{
    u64 in = 0, out = 0;
    u32 count = 0;
    while (write_answer(64u << 10, &in)) count++;
    cr_assert_eq(count, OUTBOX_BYTES / (64u << 10));
    outbox_release(&outbox, outbox.written);
    cr_assert_eq(send_some(OUTBOX_AREA_BYTES - 8, &out), OUTBOX_AREA_BYTES - 8);
    cr_assert_not(write_answer(64, &in), "the first area still holds eight bytes");
    cr_assert_eq(send_some(8, &out), 8);
    cr_assert(write_answer(64, &in));
    outbox_release(&outbox, outbox.written);
    while (send_some(UINT32_MAX, &out)) continue;
    cr_assert_eq(out, in);
    cr_assert(outbox_empty(&outbox));
}

Test(outbox, a_reserved_answer_may_turn_out_smaller_or_not_at_all)
{
    u64 in = 0, out = 0;
    cr_assert_not_null(outbox_reserve(&outbox, &quota, TKD_FRAME_BYTES_MAX));
    cr_assert_eq(quota.used_bytes, 0);
    cr_assert(write_answer(64, &in));
    cr_assert_not_null(outbox_reserve(&outbox, &quota, TKD_FRAME_BYTES_MAX));
    cr_assert(write_answer(64, &in));
    outbox_release(&outbox, 128);
    cr_assert_eq(send_some(1000, &out), 128);
}

Test(outbox, small_answers_need_no_quota_large_ones_do)
{
    u64 in = 0, out = 0;
    quota.max_bytes = 0;
    cr_assert(write_answer(OUTBOX_FREE_BYTES, &in));
    cr_assert_not(write_answer(8, &in));
    cr_assert(quota.refused);
    outbox_release(&outbox, outbox.written);
    while (send_some(UINT32_MAX, &out)) continue;
    cr_assert(write_answer(64, &in));
}

Test(outbox, gives_memory_back_when_empty)
{
    u64 in = 0, out = 0;
    cr_assert(write_answer(1u << 20, &in));
    cr_assert_gt(quota.used_bytes, 0);
    outbox_shrink(&outbox, &quota);
    cr_assert_gt(quota.used_bytes, 0, "not while something is in it");
    outbox_release(&outbox, outbox.written);
    while (send_some(UINT32_MAX, &out)) continue;
    outbox_shrink(&outbox, &quota);
    cr_assert_eq(quota.used_bytes, 0);
    cr_assert(write_answer(4096, &in));
    outbox_release(&outbox, outbox.written);
    while (send_some(UINT32_MAX, &out)) continue;
    cr_assert_eq(out, in);
}

Test(outbox, any_order_of_writes_releases_and_sends_keeps_the_bytes)
{
    struct prng prng = prng_seeded(42);
    u64 in = 0, out = 0, released = 0;
    for (u32 i = 0; i < 20000; i++) {
        switch (prng_below(&prng, 3)) {
        case 0:
            write_answer(8 * (1 + (u32)prng_below(&prng, 1u << prng_below(&prng, 16))), &in);
            break;
        case 1:
            released += prng_below(&prng, outbox.written - released + 1) / 8 * 8;
            outbox_release(&outbox, released);
            break;
        case 2:
            send_some(8 * (1 + (u32)prng_below(&prng, 1u << prng_below(&prng, 16))), &out);
            break;
        }
        cr_assert_leq(outbox_unsent(&outbox), OUTBOX_BYTES);
    }
    outbox_release(&outbox, outbox.written);
    while (send_some(UINT32_MAX, &out)) continue;
    cr_assert_eq(out, in);
    cr_assert_gt(in, 100000);
}
