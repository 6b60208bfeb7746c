/* The engine's answers held against the naive desk's. The engine is asked as clients ask it, by queries. */
#ifndef NAIVE_COMPARE_H
#define NAIVE_COMPARE_H

#include "tests/naive/desk.h"

struct naive_difference {
    char text[400]; /* empty: none */
};

/* After the same command: time, results, events, the tickets that had events, agents and queues. False: they
 * differ, and where. */
bool naive_same_step(const struct naive *desk, const struct state *state, const void *results, u32 results_bytes,
                     struct naive_difference *difference);
/* Everything that there is. */
bool naive_same_desk(const struct naive *desk, const struct state *state, struct naive_difference *difference);

#endif
