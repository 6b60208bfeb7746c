/* Deadlines: a hierarchical timing wheel (Varghese and Lauck, 1987), 64 slots a level, absolute milliseconds.
 *
 * Invariants:
 *  - a timer in the wheel has deadline > now, one in the due list has deadline == now;
 *  - a timer stands at the level of the highest digit (of WHEEL_SLOT_BITS) in which its deadline differs from
 *    now, in the slot of that digit, so a level's occupied slots all lie behind the hand and the lowest occupied level
 *    holds the next timer;
 *  - the due list is in ascending order of the timers' rank, all of one deadline.
 * So the order of expiry, (deadline, rank), depends on the timers alone and not on how the hands moved.
 */
#ifndef CORE_WHEEL_H
#define CORE_WHEEL_H

#include "core/limits.h"

#define WHEEL_LEVELS (48u / WHEEL_SLOT_BITS)
#define WHEEL_SLOTS (1u << WHEEL_SLOT_BITS)
#define WHEEL_DUE (WHEEL_LEVELS * WHEEL_SLOTS) /* list head of the due list */
#define WHEEL_HEADS (WHEEL_DUE + 1u)           /* nodes below are list heads */
#define WHEEL_DEADLINE_MAX (((u64)1 << 48) - 1) /* the year 10889 */

struct wheel_node {
    u64 deadline_ms; /* 0: not in the wheel */
    u32 next;
    u32 prev;
};

struct wheel {
    struct wheel_node *nodes; /* heads first, then the timers */
    u64 (*rank)(const void *owner, u32 timer);
    const void *owner;
    u64 now_ms;
    u64 occupied[WHEEL_LEVELS];
    u32 count;
    u32 timer_last; /* none above was ever set */
};

static inline u64 wheel_bytes(u64 timers) { return (WHEEL_HEADS + timers) * sizeof(struct wheel_node); }
/* Timers are numbered from 0. */
void wheel_init(struct wheel *wheel, struct wheel_node *nodes, u64 (*rank)(const void *, u32), const void *owner);
/* Sets or moves a timer; the deadline must lie behind now. */
void wheel_set(struct wheel *wheel, u32 timer, u64 deadline_ms);
/* Forgets every timer and sets the hands; all timers that were set must be in ranges given to
 * wheel_forget(). */
void wheel_reset(struct wheel *wheel, u64 now_ms);
void wheel_forget(struct wheel *wheel, u32 first, u32 count);
void wheel_cancel(struct wheel *wheel, u32 timer);
/* Moves the hands to the next expiry, at most to until_ms. A value <= until_ms: the deadline of the timers in
 * the due list. Above: nothing expires up to until_ms, and nothing before the value. U64_NONE: empty. */
u64 wheel_advance(struct wheel *wheel, u64 until_ms);
/* Takes the first timer off the due list; U32_NONE when it is empty. */
u32 wheel_pop(struct wheel *wheel);
static inline u64 wheel_deadline(const struct wheel *wheel, u32 timer)
{
    return wheel->nodes[WHEEL_HEADS + timer].deadline_ms;
}
void wheel_validate(const struct wheel *wheel, u32 timers);

#endif
