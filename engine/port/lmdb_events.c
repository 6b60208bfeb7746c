/* Events in LMDB: packed many to a value, appended only, each value with a checksum. */
#include "base/hash.h"
#include "port/lmdb.h"

/* ---- Writing, on the helper's thread ---- */

/* Bytes of the events from `at` on that go into one value: at least one. Notes the last seq. */
static u64 pack_bytes(const struct store *store, const u8 *at, const u8 *end, u64 *seq_last)
{
    u64 bytes = 0;
    *seq_last = store->event_last;
    while (at + bytes < end) {
        const struct tkd_event *event = (const struct tkd_event *)(const void *)(at + bytes);
        ASSERT(event->size >= sizeof(struct tkd_prefix) && at + bytes + event->size <= end);
        ASSERT(event->seq == *seq_last + 1);
        if (bytes > 0 && sizeof(u64) + bytes + event->size > VALUE_BYTES_MAX) break;
        bytes += event->size;
        *seq_last = event->seq;
    }
    return bytes;
}

static i32 write_pack(MDB_cursor *cursor, const u8 *events, u64 bytes)
{
    u64 seq = ((const struct tkd_event *)(const void *)events)->seq;
    u64 checksum = hash64(events, bytes, seq);
    MDB_val key = value_of(&seq, sizeof seq);
    MDB_val value = value_of(NULL, sizeof checksum + bytes);
    int code = mdb_cursor_put(cursor, &key, &value, MDB_APPEND | MDB_RESERVE);
    if (code != MDB_SUCCESS) return result_of(code);
    memcpy(value.mv_data, &checksum, sizeof checksum);
    memcpy((u8 *)value.mv_data + sizeof checksum, events, bytes);
    return 0;
}

static i32 index_archived(struct store *store, const u8 *events, u64 bytes)
{
    for (u64 at = 0; at < bytes;) {
        const struct tkd_event *event = (const struct tkd_event *)(const void *)(events + at);
        at += event->size;
        if (event->kind != TKD_EVENT_ARCHIVED) continue;
        MDB_val key = value_of(&event->ticket, sizeof event->ticket);
        struct archived_value archived = {.seq = event->seq,
                                          .checksum = archived_checksum(event->ticket, event->seq)};
        MDB_val value = value_of(&archived, sizeof archived);
        i32 result = result_of(mdb_put(store->txn, store->archived, &key, &value, 0));
        if (result < 0) return result;
    }
    return 0;
}

i32 lmdb_events_write(struct store *store, const struct store_job *job)
{
    const u8 *at = job->data;
    const u8 *end = at + job->bytes;
    while (at < end && ((const struct tkd_event *)(const void *)at)->seq <= store->event_last) {
        at += ((const struct tkd_event *)(const void *)at)->size;
    }
    MDB_cursor *cursor;
    i32 result = result_of(mdb_cursor_open(store->txn, store->events, &cursor));
    if (result < 0) return result;
    while (at < end && result == 0) {
        u64 seq_last;
        u64 bytes = pack_bytes(store, at, end, &seq_last);
        result = write_pack(cursor, at, bytes);
        if (result == 0) result = index_archived(store, at, bytes);
        store->event_last = seq_last;
        at += bytes;
    }
    mdb_cursor_close(cursor);
    return result;
}

/* ---- Reading, on the loop's thread ---- */

/* The events of a value, verified. */
static i32 pack_check(const struct lmdb_value *value, const u8 **events, u64 *bytes)
{
    u64 checksum;
    if (value->bytes < sizeof checksum + sizeof(struct tkd_prefix)) return -EIO;
    memcpy(&checksum, value->data, sizeof checksum);
    *events = value->data + sizeof checksum;
    *bytes = value->bytes - sizeof checksum;
    return hash64(*events, *bytes, value->key) == checksum ? 0 : -EIO;
}

static u32 event_size(const u8 *event)
{
    u32 size;
    memcpy(&size, event + offsetof(struct tkd_event, size), sizeof size);
    return size;
}

static u64 event_seq(const u8 *event)
{
    u64 seq;
    memcpy(&seq, event + offsetof(struct tkd_event, seq), sizeof seq);
    return seq;
}

/* Takes the event at `*at` of a pack and goes behind it; 1: there are no more. */
static i32 pack_next(const u8 *events, u64 bytes, u64 *at, const u8 **event)
{
    if (*at == bytes) return 1;
    *event = events + *at;
    u32 size = bytes - *at < sizeof(struct tkd_prefix) + sizeof(u64) ? 0 : event_size(*event);
    if (size < sizeof(struct tkd_prefix) || size > bytes - *at) return -EIO;
    *at += size;
    return 0;
}

/* In a read transaction. 0: there are none. */
static i32 last_find(struct store *store, u64 *seq)
{
    struct lmdb_value value;
    const u8 *events, *event;
    u64 bytes, at = 0;
    *seq = 0;
    i32 result = lmdb_find(store, EVENTS_NAME, U64_NONE, &value);
    if (result == 0) result = pack_check(&value, &events, &bytes);
    while (result == 0 && (result = pack_next(events, bytes, &at, &event)) == 0) *seq = event_seq(event);
    return result == 1 ? 0 : result;
}

/* The rest of the pack that holds `seq`, which must be there when a later one is: whoever asks, asks for what is
 * stored. 1: there is none. */
static i32 pack_find(struct store *store, u64 seq, const u8 **events, u64 *bytes)
{
    struct lmdb_value value;
    u64 at = 0, last;
    const u8 *event;
    i32 result = lmdb_find(store, EVENTS_NAME, seq, &value);
    if (result == 0) result = pack_check(&value, events, bytes);
    while (result == 0 && (result = pack_next(*events, *bytes, &at, &event)) == 0) {
        if (event_seq(event) < seq) continue;
        *bytes -= (u64)(event - *events);
        *events = event;
        return event_seq(event) == seq ? 0 : -EIO;
    }
    if (result != 1 || seq == 0) return result;
    result = last_find(store, &last);
    return result < 0 ? result : seq <= last ? -EIO : 1;
}

i32 store_events_read(struct store *store, u64 seq, void *buffer, u32 bytes_max, u32 *bytes)
{
    *bytes = 0;
    bool full = false;
    i32 result = lmdb_read_begin(store);
    if (result < 0) return result;
    while (result == 0 && !full) {
        const u8 *events, *event;
        u64 pack_bytes, at = 0;
        result = pack_find(store, seq, &events, &pack_bytes);
        while (result == 0 && !full && (result = pack_next(events, pack_bytes, &at, &event)) == 0) {
            full = event_size(event) > bytes_max - *bytes;
            if (full) break;
            memcpy((u8 *)buffer + *bytes, event, event_size(event));
            *bytes += event_size(event);
            seq = event_seq(event) + 1;
        }
        if (result == 1 && at > 0) result = 0; /* the next pack */
    }
    lmdb_read_end(store);
    if (result == 1 && *bytes > 0) result = 0;
    return result == 0 && full && *bytes == 0 ? -EMSGSIZE : result;
}

i32 store_event_read(struct store *store, u64 seq, void *buffer, u32 bytes_max)
{
    i32 result = lmdb_read_begin(store);
    if (result < 0) return result;
    const u8 *events, *event;
    u64 bytes, at = 0;
    result = pack_find(store, seq, &events, &bytes);
    if (result == 0) result = pack_next(events, bytes, &at, &event);
    if (result == 0 && event_size(event) > bytes_max) result = -EMSGSIZE;
    if (result == 0) memcpy(buffer, event, event_size(event));
    lmdb_read_end(store);
    return result;
}

/* Whoever appends copies the last leaf: what is damaged in it must not be copied on. */
static i32 last_leaf_check(struct store *store)
{
    const u8 *events;
    u64 bytes, leaf = 0, seq = U64_NONE;
    for (;;) {
        struct lmdb_value value = {.page = 0};
        i32 result = lmdb_find(store, EVENTS_NAME, seq, &value);
        if (leaf != 0 && value.page != leaf) return 0; /* an older leaf, whatever it is like */
        if (result == 0) result = pack_check(&value, &events, &bytes);
        if (result < 0) return result;
        if (result == 1 || value.key == 0) return 0;
        leaf = value.page;
        seq = value.key - 1;
    }
}

i32 store_event_last(struct store *store, u64 *seq)
{
    *seq = 0;
    i32 result = lmdb_read_begin(store);
    if (result < 0) return result;
    result = last_find(store, seq);
    if (result == 0) result = last_leaf_check(store);
    lmdb_read_end(store);
    return result;
}

i32 store_archived_read(struct store *store, u64 ticket, u64 *seq)
{
    struct lmdb_value value;
    struct archived_value archived;
    i32 result = lmdb_read_begin(store);
    if (result < 0) return result;
    result = lmdb_find(store, ARCHIVED_NAME, ticket, &value);
    if (result == 0 && value.key != ticket) result = 1;
    if (result == 0 && value.bytes != sizeof archived) result = -EIO;
    if (result == 0) memcpy(&archived, value.data, sizeof archived);
    lmdb_read_end(store);
    if (result != 0) return result;
    *seq = archived.seq;
    return archived.checksum == archived_checksum(ticket, archived.seq) ? 0 : -EIO;
}
