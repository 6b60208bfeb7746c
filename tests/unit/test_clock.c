#include <criterion/criterion.h>
#include <time.h>

#include "port/clock.h"

Test(clock, the_wall_clock_is_that_of_the_machine)
{
    u64 before = (u64)time(NULL) * 1000;
    u64 now = clock_wall_ms();
    u64 after = ((u64)time(NULL) + 1) * 1000;
    cr_assert(now + 1000 > before && now <= after);
}

Test(clock, the_monotonic_clock_never_goes_back)
{
    u64 last = clock_monotonic_ns();
    cr_assert_gt(last, 0);
    for (u32 i = 0; i < 1000; i++) {
        u64 now = clock_monotonic_ns();
        cr_assert_geq(now, last);
        last = now;
    }
}
