#include "durable/growth.h"

#include "port/file.h"

static void piece_start(void *owner, void *memory, u64 used_bytes, u64 bytes)
{
    (void)owner, (void)used_bytes;
    file_memory_grows(memory, bytes);
}

static void saved_start(void *owner, void *memory, u64 used_bytes, u64 bytes)
{
    (void)owner, (void)used_bytes;
    file_memory_scattered(memory, bytes);
}

void growth_start(struct growth *growth, const struct state *state)
{
    *growth = (struct growth){.state = state};
    state_pieces(state, piece_start, growth);
    state_piece_saved(state, saved_start, growth);
    ahead_start(&growth->ahead);
}

u64 growth_ahead_bytes(u64 used_bytes)
{
    if (used_bytes < GROWTH_AHEAD_BYTES) return used_bytes;
    return min_u64(max_u64(used_bytes / 64, GROWTH_AHEAD_BYTES), GROWTH_AHEAD_BYTES_MAX);
}

static u64 ready_wanted(u64 begin, u64 used_bytes)
{
    u64 page_bytes = used_bytes < GROWTH_FROM_BYTES ? GROWTH_SMALL_BYTES : GROWTH_PAGE_BYTES;
    return round_up(begin + used_bytes + growth_ahead_bytes(used_bytes), page_bytes);
}

static void piece_turn(void *owner, void *memory, u64 used_bytes, u64 bytes)
{
    struct growth *growth = owner;
    ASSERT(growth->piece < GROWTH_PIECES_MAX && used_bytes <= bytes);
    u64 *ready = &growth->ready[growth->piece++], begin = (u64)(uintptr_t)memory;
    if (*ready == 0) *ready = begin + used_bytes;
    u64 wanted = min_u64(ready_wanted(begin, used_bytes), begin + bytes);
    if (wanted <= *ready) return;
    ahead_add(&growth->ahead, (void *)(uintptr_t)*ready, wanted - *ready);
    *ready = wanted;
}

/* What is no longer needed is given back: a little a turn, because that takes a while, and when the thread is idle,
 * which might make it ready again. */
static void saved_turn(void *owner, void *memory, u64 used_bytes, u64 bytes)
{
    struct growth *growth = owner;
    u64 wanted = min_u64(round_up(used_bytes, GROWTH_SAVED_BYTES) + GROWTH_SAVED_BYTES, bytes / 4096 * 4096);
    if (wanted > growth->saved_bytes) {
        ahead_add(&growth->ahead, (u8 *)memory + growth->saved_bytes, wanted - growth->saved_bytes);
        growth->saved_bytes = wanted;
    } else if (wanted + GROWTH_SAVED_BYTES < growth->saved_bytes && ahead_idle(&growth->ahead)) {
        u64 piece_bytes = min_u64(growth->saved_bytes - wanted - GROWTH_SAVED_BYTES, GROWTH_PAGE_BYTES);
        growth->saved_bytes -= piece_bytes;
        file_memory_release((u8 *)memory + growth->saved_bytes, piece_bytes);
    }
}

void growth_turn(struct growth *growth)
{
    growth->piece = 0;
    state_pieces(growth->state, piece_turn, growth);
    state_piece_saved(growth->state, saved_turn, growth);
}

void growth_stop(struct growth *growth) { ahead_stop(&growth->ahead); }
