/* Random workloads on the engine and on the naive desk: the same answers, events and views after every command, and
 * now and then the same in everything. A seed that fails is said: `make test ONLY=model/test_naive` repeats it. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "tests/support/workload.h"

#define SEEDS 120u
#define STEPS 1000u
#define COMPARE_EVERY 125u

static void run(u64 seed)
{
    struct workload *workload = workload_create(seed);
    for (u32 step = 1; step <= STEPS; step++) {
        workload_step(workload);
        if (step % COMPARE_EVERY == 0) rig_compare(workload->rig);
    }
    workload_destroy(workload);
}

ParameterizedTestParameters(naive, seed)
{
    static u64 seeds[SEEDS];
    for (u32 i = 0; i < SEEDS; i++) seeds[i] = 1001 + i;
    return cr_make_param_array(u64, seeds, SEEDS);
}

ParameterizedTest(const u64 *seed, naive, seed) { run(*seed); }
