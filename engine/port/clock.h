/* The two clocks of the machine. The core never sees them. */
#ifndef PORT_CLOCK_H
#define PORT_CLOCK_H

#include "base/base.h"

u64 clock_wall_ms(void);      /* UTC since the epoch; may jump */
u64 clock_monotonic_ns(void); /* never goes back */

#endif
