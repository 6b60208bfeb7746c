/* Customers and the identities they are known by: (channel, address) -> customer. */
#ifndef CORE_CUSTOMER_H
#define CORE_CUSTOMER_H

#include "base/base.h"
#include "base/hash.h"

struct customer {
    u64 id; /* = row */
    u64 created_ms;
    u64 last_touch;  /* event */
    u64 first_event; /* the CREATED event that brought it; holds the address */
    u32 tier;
    u32 touches;
    u32 tickets;
    u32 open_tickets;
};
_Static_assert(sizeof(struct customer) == 48, "customer row");

struct identity {
    u64 customer; /* row; non-zero */
    struct hash128 hash;
    u64 channel;
};

struct state;
/* The customer of an identity, 0 = unknown. */
u32 customer_find(const struct state *state, u32 channel, const char *address, u32 bytes);
struct hash128 identity_hash(const struct state *state, u32 channel, const char *address, u32 bytes);
u32 identity_find(const struct state *state, struct hash128 hash);
/* A new customer with this first identity. */
u32 customer_create(struct state *state, u32 channel, struct hash128 hash);
void customer_update(struct state *state, const struct tkd_prefix *record, struct tkd_result *result);
/* The customer and the desk have touched: chains the event. Returns the touch before. */
u64 customer_touch(struct state *state, u32 customer, u64 event);

#endif
