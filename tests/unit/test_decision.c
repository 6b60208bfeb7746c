#include <criterion/criterion.h>

#include "durable/decision.h"

/* Every combination of what can be known; that each has exactly one decision is asserted by the tables. */
#define COMBINATIONS (HOLDS_END * HOLDS_END * LATER_END * 4u)

static bool combination(u32 number, struct log_end *end)
{
    end->here = number % HOLDS_END;
    end->next = number / HOLDS_END % HOLDS_END;
    end->later = number / (HOLDS_END * HOLDS_END) % LATER_END;
    end->store_ahead = number / (HOLDS_END * HOLDS_END * LATER_END) % 2 == 1;
    end->lost = number / (HOLDS_END * HOLDS_END * LATER_END) / 2 == 1;
    return end->here != HOLDS_UNREAD && end->here != HOLDS_GAP;
}

#define EACH(end)                                                                                            \
    for (u32 number_ = 0; number_ < COMBINATIONS; number_++)                                                 \
        if (combination(number_, &(end)))

static bool something(enum holds holds) { return holds != HOLDS_NOTHING && holds != HOLDS_NOISE; }

Test(decision, every_combination_has_one)
{
    struct log_end end;
    u32 count = 0;
    bool given[DECISIONS_END] = {false};
    EACH(end)
    {
        given[decide_next(&end)] = true;
        count++;
    }
    cr_assert_eq(count, 5 * 7 * 5 * 2 * 2);
    for (u32 first = 0; first < FIRST_END; first++) {
        for (u32 newer = 0; newer < NEWER_END; newer++) given[decide_begin(first, newer)] = true;
    }
    given[decide_behind(&(struct segment_behind){.follows = true, .fits = true})] = true;
    given[decide_behind(&(struct segment_behind){.used = true})] = true;
    for (u32 decision = 1; decision < DECISIONS_END; decision++) cr_assert(given[decision], "%u", decision);
}

/* ---- Taking ---- */

Test(decision, nothing_is_taken_but_what_continues_the_chain)
{
    struct log_end end;
    EACH(end)
    {
        enum decision decision = decide_next(&end);
        cr_assert_eq(decision == DECIDE_TAKE, end.here == HOLDS_NEXT);
        if (decision == DECIDE_TAKE_NEXT) cr_assert(end.next == HOLDS_NEXT && !something(end.here));
    }
}

/* ---- Cutting ---- */

Test(decision, the_log_is_cut_only_where_all_behind_is_known_and_nobody_was_told)
{
    struct log_end end;
    EACH(end)
    {
        if (decide_next(&end) != DECIDE_CUT) continue;
        cr_assert(!something(end.here) && !something(end.next));
        cr_assert(end.later == LATER_NOTHING || end.later == LATER_UNTOLD);
        cr_assert_not(end.store_ahead);
        cr_assert_not(end.lost);
    }
}

Test(decision, a_crash_alone_is_never_refused)
{
    /* What a crash can leave: noise or nothing at the end, a reserve or nothing behind, later writes that had
     * not been waited for. */
    static const enum holds left[] = {HOLDS_NOTHING, HOLDS_NOISE};
    static const enum later later[] = {LATER_NOTHING, LATER_UNTOLD};
    for (u32 i = 0; i < 8; i++) {
        struct log_end end = {.here = left[i & 1], .next = left[i >> 1 & 1], .later = later[i >> 2]};
        cr_assert_eq(decide_next(&end), DECIDE_CUT);
    }
}

/* ---- More evidence of loss never makes it acceptable ---- */

static void never_better(const struct log_end *less, const struct log_end *more)
{
    enum decision before = decide_next(less), after = decide_next(more);
    if (decision_refuses(before)) cr_assert(decision_refuses(after));
    if (!decision_refuses(after)) cr_assert_not(decision_refuses(before));
}

Test(decision, more_evidence_of_loss_never_makes_it_acceptable)
{
    struct log_end less;
    EACH(less)
    {
        struct log_end more = less;
        more.store_ahead = true;
        if (less.here != HOLDS_NEXT) never_better(&less, &more);
        more = less;
        if (less.later != LATER_UNREAD && less.later + 1 < LATER_END) more.later++;
        never_better(&less, &more);
        more = less;
        if (!something(less.next)) {
            more.next = HOLDS_GAP;
            never_better(&less, &more);
            more.next = HOLDS_BREAK;
            never_better(&less, &more);
        }
        more = less;
        if (!something(less.here)) {
            more.here = HOLDS_BREAK;
            never_better(&less, &more);
        }
    }
}

/* ---- Reading more ---- */

Test(decision, what_is_decided_unread_stays_when_it_is_read)
{
    struct log_end end;
    EACH(end)
    {
        enum decision decision = decide_next(&end);
        cr_assert(decision != DECIDE_READ_NEXT || end.next == HOLDS_UNREAD);
        cr_assert(decision != DECIDE_READ_LATER || end.later == LATER_UNREAD);
        struct log_end read = end;
        if (end.next == HOLDS_UNREAD && decision != DECIDE_READ_NEXT) {
            for (read.next = HOLDS_NOTHING; read.next < HOLDS_END; read.next++)
                cr_assert_eq(decide_next(&read), decision);
        }
        read = end;
        if (end.later == LATER_UNREAD && decision != DECIDE_READ_LATER) {
            for (read.later = LATER_NOTHING; read.later < LATER_END; read.later++)
                cr_assert_eq(decide_next(&read), decision);
        }
    }
}

/* ---- Where it begins ---- */

Test(decision, the_log_begins_only_with_a_sound_segment_that_is_early_enough)
{
    for (u32 first = 0; first < FIRST_END; first++) {
        for (u32 newer = 0; newer < NEWER_END; newer++) {
            enum decision decision = decide_begin(first, newer);
            cr_assert_eq(decision == DECIDE_BEGIN, first == FIRST_EARLY);
            /* An empty log is one of which nothing verifies. */
            cr_assert_eq(decision == DECIDE_EMPTY, first == FIRST_NONE && newer == NEWER_NOISE);
            if (first == FIRST_STRANGE) cr_assert_eq(decision, REFUSE_STRANGE);
            if (first == FIRST_NONE) cr_assert_neq(decision, DECIDE_EARLIER);
        }
    }
}

Test(decision, only_an_unused_segment_behind_the_end_is_kept)
{
    for (u32 i = 0; i < 8; i++) {
        struct segment_behind behind = {.follows = i & 1, .fits = i & 2, .used = i & 4};
        cr_assert_eq(decide_behind(&behind) == DECIDE_ADOPT, i == 3);
    }
}
