/* A server for clients in the same process, behind the library's socket calls (linked with --wrap): it takes
 * whole frames, verifies them, runs them on the small desk on the virtual clock, and answers soundly. What
 * the connections suffer the input says. It knows the lines of the log that is replayed: the n-th record that
 * a session's commands bring must be the n-th of them. */
#ifndef FUZZ_FRONT_H
#define FUZZ_FRONT_H

#include "tests/fuzz/input.h"
#include "ticketctl/desklog.h"

extern struct front {
    const struct desklog_line *lines; /* the well-formed ones, in their order */
    u32 lines_count;
    /* Since a client began: records that were taken for good, and of those, creates of what was there
     * already; records that were refused; and how often the input disturbed it. */
    u64 applied;
    u64 existing;
    u64 refused;
    u32 troubles;
    bool away; /* stays out of reach until another client begins */
} front;

void front_open(void);
/* The desk as it was at first. Each byte of `trouble`: how many frames are served before it, << 3 | what. */
void front_reset(struct input trouble);
/* Another client begins; calm: there is no trouble any more. */
void front_begin(bool calm);

/* Records of the log that are done, as the session says. */
u64 front_records(void);
/* Creates and verbs that the desk has counted. */
u64 front_commands(void);
/* Of the desk, when nothing is due; the state is validated. */
u64 front_digest(void);

#endif
