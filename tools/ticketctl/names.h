/* A growing map from names to numbers, 0 = absent. The map owns copies of the names. */
#ifndef TICKETCTL_NAMES_H
#define TICKETCTL_NAMES_H

#include "ticketd/wire.h"

struct names_slot {
    const char *name;
    u32 bytes;
    u32 value; /* 0 = the slot is free */
};

struct names {
    struct names_slot *slots;
    u32 slots_count; /* power of two, or 0 */
    u32 used;
    char *block; /* text of the names; each block begins with a pointer to the one before */
    u32 block_used;
    u32 block_bytes;
};

/* 0 when the name is unknown. */
u32 names_get(const struct names *names, const char *name, u32 bytes);
/* `value` is not 0. Replaces the value of a known name. Ends the program when memory runs out. */
void names_put(struct names *names, const char *name, u32 bytes, u32 value);
void names_free(struct names *names);

#endif
