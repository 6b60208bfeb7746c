/* The memory that all inboxes, or all outboxes, may touch together, beyond the small change each has for
 * free. */
#ifndef EDGE_QUOTA_H
#define EDGE_QUOTA_H

#include "base/base.h"

struct quota {
    u64 used_bytes;
    u64 max_bytes;
    bool refused; /* somebody went without since this was last cleared */
};

static inline bool quota_has(struct quota *quota, u64 bytes)
{
    bool has = sat_sub(quota->max_bytes, quota->used_bytes) >= bytes;
    if (!has) quota->refused = true;
    return has;
}

/* Little is left: what is not needed now is to be given back at once. */
static inline bool quota_tight(const struct quota *quota) { return quota->used_bytes > quota->max_bytes / 4; }

static inline bool quota_take(struct quota *quota, u64 bytes)
{
    if (!quota_has(quota, bytes)) return false;
    quota->used_bytes += bytes;
    return true;
}

static inline void quota_give(struct quota *quota, u64 bytes)
{
    ASSERT(quota->used_bytes >= bytes);
    quota->used_bytes -= bytes;
}

#endif
