/* Customers, and the identities by which they are known. */
#include "tests/naive/desk.h"

u64 naive_customer_of(const struct naive *desk, u32 channel, const char *address, u32 bytes)
{
    for (u64 id = 1; id <= desk->customers.count; id++) {
        const struct naive_customer *customer = naive_customer(desk, id);
        if (customer->channel == channel && naive_same(customer->address, address, bytes)) return id;
    }
    return 0;
}

u64 naive_customer_make(struct naive *desk, u32 channel, struct naive_text address)
{
    struct naive_customer *customer = naive_alloc(desk, sizeof *customer);
    *(struct naive_customer **)naive_append(desk, &desk->customers, sizeof customer) = customer;
    *customer = (struct naive_customer){.created_ms = desk->now_ms, .channel = channel, .address = address};
    return desk->customers.count;
}

/* The event is the customer's newest touch; it links to the one before. */
void naive_touch(struct naive *desk, const struct naive_ticket *ticket, struct tkd_event *event)
{
    struct naive_customer *customer = naive_customer(desk, ticket->customer);
    event->link = customer->last_touch;
    customer->last_touch = event->seq;
    customer->touches++;
}

void naive_customer_update(struct naive *desk, const struct tkd_prefix *record, struct tkd_result *result)
{
    struct tkd_customer_update request;
    record_head(record, &request, sizeof request);
    struct naive_customer *customer = naive_customer(desk, request.customer);
    result->id = request.customer;
    if (customer == NULL) result->status = TKD_UNKNOWN_CUSTOMER;
    else if (request.tier != 0 && naive_live(desk, TKD_KIND_TIER, request.tier) == NULL)
        result->status = TKD_UNKNOWN_TIER;
    else if (customer->tier == request.tier && request.name_bytes == 0) result->status = TKD_UNCHANGED;
    if (result->status != TKD_OK) return;
    struct tkd_event *event =
        naive_raise(desk, TKD_EVENT_CUSTOMER, NULL, record_texts(record), request.name_bytes);
    event->a = (u32)request.customer;
    event->b = customer->tier;
    event->c = customer->tier = request.tier;
}
