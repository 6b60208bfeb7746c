/* The answers to what was asked over one connection: whole, one for each request, in the requests' order. */
#ifndef SIM_ANSWERS_H
#define SIM_ANSWERS_H

#include "core/frame.h"

struct question {
    u64 seq;
    u64 session;
    u16 op;
};

struct answers {
    struct question *wanted; /* not answered yet, the oldest one first */
    u32 count;
    u32 capacity;
};

void answers_want(struct answers *answers, const struct tkd_frame *request);
/* `answers` NULL: whole, but nobody knows to what. */
void answers_check(struct answers *answers, const struct tkd_frame *frame);
void answers_destroy(struct answers *answers);

#endif
