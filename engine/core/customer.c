#include "core/customer.h"

#include "core/desk.h"

struct hash128 identity_hash(const struct state *state, u32 channel, const char *address, u32 bytes)
{
    u8 text[8 + 256];
    u64 prefix = channel;
    ASSERT(bytes <= 256);
    memcpy(text, &prefix, sizeof prefix);
    memcpy(text + 8, address, bytes);
    XXH128_hash_t hash = XXH3_128bits_withSeed(text, 8 + bytes, state->config.secret);
    return (struct hash128){.low = hash.low64, .high = hash.high64};
}

u32 identity_find(const struct state *state, struct hash128 hash)
{
    u32 row;
    for (u64 at = index_seek(&state->identities, hash.high);
         (row = index_candidate(&state->identities, hash.high, &at));) {
        const struct identity *identity = identity_row(state, row);
        if (hash128_equal(identity->hash, hash)) return (u32)identity->customer;
    }
    return 0;
}

u32 customer_find(const struct state *state, u32 channel, const char *address, u32 bytes)
{
    return identity_find(state, identity_hash(state, channel, address, bytes));
}

u32 customer_create(struct state *state, u32 channel, struct hash128 hash)
{
    u32 row = table_take(&state->tables[TABLE_CUSTOMER]);
    struct customer *customer = customer_edit(state, row);
    customer->id = row;
    customer->created_ms = state->now_ms;
    u32 at = table_take(&state->tables[TABLE_IDENTITY]);
    *identity_edit(state, at) = (struct identity){
        .customer = row, .hash = hash, .channel = channel};
    index_insert(&state->identities, hash.high, at);
    return row;
}

u64 customer_touch(struct state *state, u32 row, u64 event)
{
    struct customer *customer = customer_edit(state, row);
    u64 before = customer->last_touch;
    if (customer->first_event == 0) customer->first_event = event;
    customer->last_touch = event;
    customer->touches++;
    return before;
}

void customer_update(struct state *state, const struct tkd_prefix *record, struct tkd_result *result)
{
    struct tkd_customer_update request;
    record_head(record, &request, sizeof request);
    result->id = request.customer;
    if (request.customer > UINT32_MAX || !table_used(&state->tables[TABLE_CUSTOMER], (u32)request.customer)) {
        result->status = TKD_UNKNOWN_CUSTOMER;
        return;
    }
    if (request.tier != 0 && !catalog_live(state, TKD_KIND_TIER, request.tier)) {
        result->status = TKD_UNKNOWN_TIER;
        return;
    }
    struct customer *customer = customer_edit(state, (u32)request.customer);
    if (customer->tier == request.tier && request.name_bytes == 0) {
        result->status = TKD_UNCHANGED;
        return;
    }
    struct tkd_event *event = event_raise(state, TKD_EVENT_CUSTOMER, 0, record_texts(record), request.name_bytes);
    event->a = (u32)request.customer;
    event->b = customer->tier;
    event->c = request.tier;
    customer->tier = request.tier;
    result->status = TKD_OK;
}
