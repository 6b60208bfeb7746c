#include "tests/sim/page.h"

#include "tests/sim/oracle.h"
#include "tests/sim/world.h"

void page_asked(struct page *page, const struct tkd_frame *question)
{
    struct tkd_events_from wish;
    record_head(frame_first(question), &wish, sizeof wish);
    *page = (struct page){.seq = question->seq,
                          .from = wish.from,
                          .limit = wish.limit == 0 ? TKD_RECORDS_MAX : wish.limit,
                          .shown = oracle_events_shown()};
}

/* What was asked for and no more, and a cursor unless it goes up to the newest event. */
void page_answered(const struct page *page, const struct tkd_frame *answer)
{
    if (answer->seq != page->seq || answer->op != TKD_OP_EVENTS || answer->status != TKD_OK) return;
    const struct tkd_prefix *record = frame_first(answer);
    u64 next = page->from, shown = min_u64(page->shown, oracle_events_shown()); /* some may be lost since */
    for (u32 i = 0; i < answer->count; i++, record = record_next(record)) {
        if (((const struct tkd_event *)(const void *)record)->seq != next++)
            violation("a page of events from %llu on has a gap", (unsigned long long)page->from);
    }
    if (answer->count > page->limit)
        violation("a page of %u events, asked for %u", answer->count, page->limit);
    bool more = answer->flags & TKD_FLAG_MORE;
    if (more ? answer->ack_below != next : page->from != 0 && next <= shown)
        violation("a page of events ends before %llu of %llu, its cursor says %llu", (unsigned long long)next,
                  (unsigned long long)shown, (unsigned long long)answer->ack_below);
}
