/* The desk grows through its memory, and what it uses for the first time the kernel clears: a huge page takes it a
 * millisecond, in which the loop would stand still, and all together a tenth of the time of a create. So what each
 * piece needs next is made ready by another thread (port/ahead) shortly before; and what saved rows no longer need is
 * given back. Hints and nothing more. */
#ifndef DURABLE_GROWTH_H
#define DURABLE_GROWTH_H

#include "core/state.h"
#include "port/ahead.h"

#define GROWTH_PIECES_MAX  32u
#define GROWTH_PAGE_BYTES  (2ull << 20)
#define GROWTH_AHEAD_BYTES (512ull << 10) /* some milliseconds at the fastest; all pieces together cost memory */
#define GROWTH_AHEAD_BYTES_MAX (2ull << 20)
#define GROWTH_FROM_BYTES  (4ull << 20) /* below that pages are small, see file_memory_grows() */
#define GROWTH_SMALL_BYTES (64ull << 10)
/* Ready for saved rows ahead of their use; twice that stays between two snapshots. */
#define GROWTH_SAVED_BYTES LIMIT(4ull << 20, 16ull << 10)

/* How much is to be ready beyond what is used: what is small stays small, what is large has grown fast. */
u64 growth_ahead_bytes(u64 used_bytes);

struct growth {
    const struct state *state;
    u64 ready[GROWTH_PIECES_MAX]; /* address up to which a piece is used or asked for */
    u64 saved_bytes; /* of saved rows' memory: used or asked for, and not given back */
    u32 piece;
    struct ahead ahead;
};

/* Huge pages for what is large and stays; the state stays where it is until the stop. */
void growth_start(struct growth *growth, const struct state *state);
/* Often: before so much more has been used. */
void growth_turn(struct growth *growth);
void growth_stop(struct growth *growth);

#endif
