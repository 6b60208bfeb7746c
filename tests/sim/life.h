/* The life of a world: its process boots, serves and dies until everything is done; then one last start must
 * find all of it again. */
#ifndef SIM_LIFE_H
#define SIM_LIFE_H

#include "tests/sim/world.h"

/* Returns the hash of all that happened. `plan` NULL: the seed draws it. */
u64 life_run(u64 seed, const struct plan *plan, struct tally *tally, bool verbose);

#endif
