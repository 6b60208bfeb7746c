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

/* What is no longer needed is given back, a little a turn: that takes a while. */
static void saved_turn(void *owner, void *memory, u64 used_bytes, u64 bytes)
{
    struct growth *growth = owner;
    u64 wanted = min_u64(round_up(used_bytes, GROWTH_SAVED_BYTES) + GROWTH_SAVED_BYTES, bytes);
    if (wanted > growth->saved_bytes) {
        ahead_add(&growth->ahead, (u8 *)memory + growth->saved_bytes, wanted - growth->saved_bytes);
        growth->saved_bytes = wanted;
    } else if (wanted < growth->saved_bytes) {
        u64 piece_bytes = min_u64(growth->saved_bytes - wanted, GROWTH_PAGE_BYTES);
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
