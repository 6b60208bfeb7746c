/* Small charts made of characters. */
#ifndef TICKETCTL_CHART_H
#define TICKETCTL_CHART_H

#include <stdio.h>

#include "ticketd/wire.h"

struct bar {
    const char *label;
    u64 value;
    const char *text; /* what is written behind the bar; NULL = the value */
};

/* One line a bar, longest = `columns` wide with label and value. */
void chart_bars(FILE *file, const struct bar *bars, u32 count, u32 columns, bool color);
/* The values as one line of ▁▂▃▄▅▆▇█; more values than `columns` are summed in groups. */
void chart_sparkline(FILE *file, const u64 *values, u32 count, u32 columns);

#endif
