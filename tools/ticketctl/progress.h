/* A line on a terminal that shows how far something is. */
#ifndef TICKETCTL_PROGRESS_H
#define TICKETCTL_PROGRESS_H

#include "ticketd/wire.h"

struct progress {
    const char *noun; /* "lines" */
    u64 began_ns;
    u64 shown_ns;
    u64 count_begin; /* done before: not counted in the rate */
    bool terminal;
};

void progress_begin(struct progress *progress, const char *noun);
/* Shows it, a few times a second. `share` of 1000; more: not known. */
void progress_show(struct progress *progress, u64 count, u32 share);
/* Clears the line, so that something else can be written. */
void progress_clear(struct progress *progress);
u64 progress_elapsed_ms(const struct progress *progress);

#endif
