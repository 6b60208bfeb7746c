#include "durable/growth.h"

#include "port/file.h"

static void piece_start(void *owner, void *memory, u64 used_bytes, u64 bytes)
{
    (void)owner, (void)used_bytes;
    file_memory_grows(memory, bytes);
}

void growth_start(struct growth *growth, const struct state *state)
{
    *growth = (struct growth){.state = state};
    state_pieces(state, piece_start, growth);
    state_pieces_saved(state, file_memory_scattered);
    ahead_start(&growth->ahead);
}

static void piece_turn(void *owner, void *memory, u64 used_bytes, u64 bytes)
{
    struct growth *growth = owner;
    ASSERT(growth->piece < GROWTH_PIECES_MAX && used_bytes <= bytes);
    u64 *ready = &growth->ready[growth->piece++];
    if (used_bytes < GROWTH_FROM_BYTES) return;
    u64 used = (u64)(uintptr_t)memory + used_bytes, end = (u64)(uintptr_t)memory + bytes;
    u64 page_end = round_up(used, GROWTH_PAGE_BYTES);
    if (*ready == 0) *ready = page_end;
    u64 wanted = page_end - used < GROWTH_AHEAD_BYTES ? page_end + GROWTH_PAGE_BYTES : page_end;
    wanted = min_u64(wanted, end);
    if (wanted <= *ready) return;
    ahead_add(&growth->ahead, (void *)(uintptr_t)*ready, wanted - *ready);
    *ready = wanted;
}

void growth_turn(struct growth *growth)
{
    growth->piece = 0;
    state_pieces(growth->state, piece_turn, growth);
}

void growth_stop(struct growth *growth) { ahead_stop(&growth->ahead); }
