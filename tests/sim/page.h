/* A page of events that a client asks for: what it gets, and whether it goes on. */
#ifndef SIM_PAGE_H
#define SIM_PAGE_H

#include "core/frame.h"

struct page {
    u64 seq; /* of the question */
    u64 from;
    u32 limit;
    u64 shown; /* the newest event that anybody had seen by then */
};

void page_asked(struct page *page, const struct tkd_frame *question);
/* Any answer; it counts when it is to this question. */
void page_answered(const struct page *page, const struct tkd_frame *answer);

#endif
