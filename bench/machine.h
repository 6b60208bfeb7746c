/* What a figure was measured on: without it a figure says nothing. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include "base/base.h"

struct machine {
    char processor[128];
    char kernel[128];
    char file_system[64]; /* below the data */
    char device[128];
    char commit[64]; /* that it was built from; empty without git */
    u32 cores;
    u64 memory_bytes;
};

/* `data` NULL: not known where it lies. */
void machine_read(struct machine *machine, const char *data);
/* Time that the host of a virtual machine has taken from its processors since they started, of all together. */
u64 machine_stolen_ms(void);

#endif
