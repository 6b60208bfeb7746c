#include "core/wheel.h"

#include "base/mark.h"
void wheel_init(struct wheel *wheel, struct wheel_node *nodes, u64 (*rank)(const void *, u32), const void *owner)
{
    *wheel = (struct wheel){.nodes = nodes, .rank = rank, .owner = owner};
    for (u32 head = 0; head < WHEEL_HEADS; head++) nodes[head] = (struct wheel_node){.next = head, .prev = head};
}

void wheel_forget(struct wheel *wheel, u32 first, u32 count)
{
    memset(wheel->nodes + WHEEL_HEADS + first, 0, (u64)count * sizeof(struct wheel_node));
}

void wheel_reset(struct wheel *wheel, u64 now_ms)
{
    wheel_init(wheel, wheel->nodes, wheel->rank, wheel->owner);
    wheel->now_ms = now_ms;
}

static u32 level_of(const struct wheel *wheel, u64 deadline_ms)
{
    return (63 - (u32)__builtin_clzll(deadline_ms ^ wheel->now_ms)) / WHEEL_SLOT_BITS;
}

static u32 slot_of(u64 deadline_ms, u32 level)
{
    return (u32)(deadline_ms >> (WHEEL_SLOT_BITS * level)) & (WHEEL_SLOTS - 1);
}

static void link_before(struct wheel *wheel, u32 node, u32 next)
{
    u32 prev = wheel->nodes[next].prev;
    wheel->nodes[node].next = next;
    wheel->nodes[node].prev = prev;
    wheel->nodes[prev].next = node;
    wheel->nodes[next].prev = node;
}

static void wheel_link(struct wheel *wheel, u32 node)
{
    u64 deadline_ms = wheel->nodes[node].deadline_ms;
    ASSERT(deadline_ms > wheel->now_ms);
    u32 level = level_of(wheel, deadline_ms);
    ASSERT(level < WHEEL_LEVELS);
    u32 slot = slot_of(deadline_ms, level);
    link_before(wheel, node, level * WHEEL_SLOTS + slot);
    wheel->occupied[level] |= (u64)1 << slot;
}

static void wheel_unlink(struct wheel *wheel, u32 node)
{
    u32 next = wheel->nodes[node].next, prev = wheel->nodes[node].prev;
    wheel->nodes[prev].next = next;
    wheel->nodes[next].prev = prev;
    if (next == prev && next < WHEEL_DUE) wheel->occupied[next / WHEEL_SLOTS] &= ~((u64)1 << next % WHEEL_SLOTS);
}

void wheel_set(struct wheel *wheel, u32 timer, u64 deadline_ms)
{
    u32 node = WHEEL_HEADS + timer;
    MARK_IF((deadline_ms ^ wheel->now_ms) >> 24 != 0, "deadline hours away");
    if (deadline_ms > WHEEL_DEADLINE_MAX) deadline_ms = WHEEL_DEADLINE_MAX;
    if (wheel->nodes[node].deadline_ms == deadline_ms) return;
    wheel_cancel(wheel, timer);
    wheel->nodes[node].deadline_ms = deadline_ms;
    wheel->timer_last = max_u32(wheel->timer_last, timer);
    wheel_link(wheel, node);
    wheel->count++;
}

void wheel_cancel(struct wheel *wheel, u32 timer)
{
    u32 node = WHEEL_HEADS + timer;
    if (wheel->nodes[node].deadline_ms == 0) return;
    wheel_unlink(wheel, node);
    wheel->nodes[node].deadline_ms = 0;
    wheel->count--;
}

/* Merges two ascending lists (linked by next, 0 = end; node 0 is a head and never in them). */
static u32 merge(struct wheel *wheel, u32 a, u32 b)
{
    u32 first = 0, last = 0;
    while (a != 0 || b != 0) {
        bool take_a = b == 0 || (a != 0 && wheel->rank(wheel->owner, a - WHEEL_HEADS) <
                                               wheel->rank(wheel->owner, b - WHEEL_HEADS));
        u32 node = take_a ? a : b;
        if (take_a) a = wheel->nodes[a].next;
        else b = wheel->nodes[b].next;
        if (first == 0) first = node;
        else wheel->nodes[last].next = node;
        last = node;
    }
    if (last != 0) wheel->nodes[last].next = 0;
    return first;
}

/* A level-0 slot holds one deadline: its timers become the due list, sorted by rank (bottom-up merge sort). */
static void wheel_expire(struct wheel *wheel, u32 head)
{
    u32 runs[32] = {0};
    u32 node = wheel->nodes[head].next;
    wheel->nodes[wheel->nodes[head].prev].next = 0;
    wheel->nodes[head].next = wheel->nodes[head].prev = head;
    while (node != 0) {
        u32 next = wheel->nodes[node].next, run = node, size = 0;
        wheel->nodes[node].next = 0;
        for (; runs[size] != 0; size++) {
            run = merge(wheel, runs[size], run);
            runs[size] = 0;
        }
        runs[size] = run;
        node = next;
    }
    MARK_IF(runs[0] == 0, "several timers of one instant");
    u32 sorted = 0;
    for (u32 size = 0; size < 32; size++) sorted = merge(wheel, runs[size], sorted);
    while (sorted != 0) {
        u32 next = wheel->nodes[sorted].next;
        ASSERT(wheel->nodes[sorted].deadline_ms == wheel->now_ms);
        link_before(wheel, sorted, WHEEL_DUE);
        sorted = next;
    }
}

/* The slot's timers go to lower levels, now that the hand stands at its begin. */
static void wheel_cascade(struct wheel *wheel, u32 head)
{
    MARK("wheel cascaded");
    u32 node = wheel->nodes[head].next;
    wheel->nodes[wheel->nodes[head].prev].next = 0;
    wheel->nodes[head].next = wheel->nodes[head].prev = head;
    while (node != 0) {
        u32 next = wheel->nodes[node].next;
        if (wheel->nodes[node].deadline_ms == wheel->now_ms) {
            MARK("timer due while its slot cascades");
            u32 zero = slot_of(wheel->now_ms, 0);
            link_before(wheel, node, zero);
            wheel->occupied[0] |= (u64)1 << zero;
        } else {
            wheel_link(wheel, node);
        }
        node = next;
    }
}

static u32 level_lowest(const struct wheel *wheel)
{
    for (u32 level = 0; level < WHEEL_LEVELS; level++)
        if (wheel->occupied[level] != 0) return level;
    return WHEEL_LEVELS;
}

u64 wheel_advance(struct wheel *wheel, u64 until_ms)
{
    if (wheel->nodes[WHEEL_DUE].next != WHEEL_DUE) return wheel->now_ms;
    for (;;) {
        u32 level = level_lowest(wheel);
        if (level == WHEEL_LEVELS) {
            MARK("hands of an empty wheel moved");
            wheel->now_ms = max_u64(wheel->now_ms, min_u64(until_ms, WHEEL_DEADLINE_MAX));
            return U64_NONE;
        }
        u32 slot = bit_lowest(wheel->occupied[level]);
        u32 shift = WHEEL_SLOT_BITS * level, above_shift = shift + WHEEL_SLOT_BITS;
        u64 begin_ms = wheel->now_ms >> above_shift << above_shift | (u64)slot << shift;
        ASSERT(begin_ms >= wheel->now_ms);
        if (begin_ms > until_ms) {
            /* Moving the hand within the free stretch keeps every timer's level. */
            return begin_ms;
        }
        wheel->now_ms = begin_ms;
        wheel->occupied[level] &= ~((u64)1 << slot);
        if (level == 0) {
            wheel_expire(wheel, slot);
            return wheel->now_ms;
        }
        wheel_cascade(wheel, level * WHEEL_SLOTS + slot);
    }
}

u32 wheel_pop(struct wheel *wheel)
{
    u32 node = wheel->nodes[WHEEL_DUE].next;
    if (node == WHEEL_DUE) return U32_NONE;
    wheel_unlink(wheel, node);
    wheel->nodes[node].deadline_ms = 0;
    wheel->count--;
    return node - WHEEL_HEADS;
}

void wheel_validate(const struct wheel *wheel, u32 timers)
{
    u32 count = 0;
    for (u32 timer = 0; timer < timers; timer++) {
        const struct wheel_node *node = &wheel->nodes[WHEEL_HEADS + timer];
        if (node->deadline_ms == 0) continue;
        count++;
        ASSERT(node->deadline_ms >= wheel->now_ms);
        ASSERT(wheel->nodes[node->next].prev == WHEEL_HEADS + timer);
        ASSERT(wheel->nodes[node->prev].next == WHEEL_HEADS + timer);
    }
    ASSERT(count == wheel->count);
    for (u32 level = 0; level < WHEEL_LEVELS; level++)
        for (u32 slot = 0; slot < WHEEL_SLOTS; slot++)
            ASSERT((wheel->nodes[level * WHEEL_SLOTS + slot].next != level * WHEEL_SLOTS + slot) ==
                   (wheel->occupied[level] >> slot & 1));
}
