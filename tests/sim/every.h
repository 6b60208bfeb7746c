/* One point of a life, chosen; and the run over all of them. */
#ifndef SIM_EVERY_H
#define SIM_EVERY_H

#include "tests/sim/exhaust.h"
#include "tests/sim/world.h"

enum point { POINT_NONE = 0, POINT_STEP, POINT_CALL, POINT_MEMORY, POINT_TAIL, POINTS_COUNT };

/* How it dies at a step. */
enum death {
    DEATH_KILL,
    DEATH_POWER_NOTHING,
    DEATH_POWER_ALL,
    DEATH_POWER_EVEN,
    DEATH_POWER_ODD,
    DEATHS_COUNT
};

/* It is killed in a quiet time, and while it is down this goes bad. */
enum tail { TAIL_NEWEST, TAIL_BEFORE, TAILS_COUNT };

/* What ends the process without being chosen, so that the life has what is to be tested in it. */
enum ending_how { ENDING_NONE = 0, ENDING_STOP, ENDING_KILL, ENDING_POWER };
struct ending {
    enum ending_how how;
    u64 at_ns;
};

struct choice {
    enum point kind; /* POINT_NONE: nothing is counted */
    u32 workload;
    u64 number;                   /* of the point, from 1; 0: none, the life is only counted */
    u32 variant;                  /* STEP: the death; CALL: the error; TAIL: enum tail */
    u64 again;                    /* STEP: dies once more so many steps later; 0: not */
    const struct ending *endings; /* the last one is ENDING_NONE */
};

/* What has passed in the life. */
struct passed {
    u64 counts[POINTS_COUNT];
    u8 *calls; /* number - 1: which call it was */
    u64 calls_max;
    bool fired;
    bool fired_again;
    i32 error;
    u64 steps_to_serve; /* from the death to serving again */
    u32 endings;
};

void choose(const struct choice *next);
const struct passed *choice_passed(void);
u32 call_errors(enum call call);
const char *call_text(enum call call);
/* The command that repeats it. */
void choice_name(const struct choice *choice, char *name, u32 name_bytes);

/* Arguments: none for a share that `make test` can afford, "all", or the name of one point. */
int every_run(int argc, char **argv, struct tally *tally);

#endif
