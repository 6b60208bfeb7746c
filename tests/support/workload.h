/* Random commands of every kind, legal and illegal, on a desk of several queues, skills, agents and policies.
 * The same seed gives the same commands. */
#ifndef SUPPORT_WORKLOAD_H
#define SUPPORT_WORKLOAD_H

#include "base/prng.h"
#include "tests/support/rig.h"

#define WORKLOAD_SESSIONS 3u

/* A client: what it sent last, to be sent again. */
struct client {
    u64 session;
    u64 next_seq;
    u32 last_bytes;
    u8 *last;
    struct tkd_result results[8];
};

struct workload {
    struct rig *rig;
    struct prng prng;
    bool even;   /* durations are half hours */
    u32 id_last; /* of a wide desk, 0 = ids without gaps */
    struct client clients[WORKLOAD_SESSIONS];
};

/* A desk that is set up already. */
struct workload *workload_create(u64 seed);
void workload_destroy(struct workload *workload);
/* Time passes and one frame comes. Asserts what holds of any frame: a repeated one gets the first answer, a
 * refused one changes nothing. */
void workload_step(struct workload *workload);

#endif
