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
        MDB_val value = value_of(&event->seq, sizeof event->seq);
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

/* The events of the value at the cursor, verified. */
static i32 pack_check(const MDB_val *key, const MDB_val *value, const u8 **events, u64 *bytes)
{
    u64 seq, checksum;
    if (key->mv_size != sizeof seq || value->mv_size < sizeof checksum + sizeof(struct tkd_prefix))
        return -EIO;
    memcpy(&seq, key->mv_data, sizeof seq);
    memcpy(&checksum, value->mv_data, sizeof checksum);
    *events = (const u8 *)value->mv_data + sizeof checksum;
    *bytes = value->mv_size - sizeof checksum;
    return hash64(*events, *bytes, seq) == checksum ? 0 : -EIO;
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

/* Places the cursor on the value that may hold `seq`. 1: there is none. */
static i32 pack_find(MDB_cursor *cursor, u64 seq, MDB_val *key, MDB_val *value)
{
    *key = value_of(&seq, sizeof seq);
    int code = mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);
    if (code == 0) {
        u64 found;
        ASSERT(key->mv_size == sizeof found);
        memcpy(&found, key->mv_data, sizeof found);
        if (found == seq) return 0;
        code = mdb_cursor_get(cursor, key, value, MDB_PREV);
    } else if (code == MDB_NOTFOUND) {
        code = mdb_cursor_get(cursor, key, value, MDB_LAST);
    }
    return code == MDB_NOTFOUND ? 1 : result_of(code);
}

/* Copies events >= `seq` of one value; stops when the buffer is full. */
static i32 pack_copy(const MDB_val *key, const MDB_val *value, u64 seq, u8 *buffer, u32 bytes_max, u32 *used,
                     bool *full)
{
    const u8 *events, *event;
    u64 bytes, at = 0;
    i32 result = pack_check(key, value, &events, &bytes);
    while (result == 0 && (result = pack_next(events, bytes, &at, &event)) == 0) {
        if (event_seq(event) < seq) continue;
        *full = event_size(event) > bytes_max - *used;
        if (*full) return 0;
        memcpy(buffer + *used, event, event_size(event));
        *used += event_size(event);
    }
    return result == 1 ? 0 : result;
}

i32 store_events_read(struct store *store, u64 seq, void *buffer, u32 bytes_max, u32 *bytes)
{
    *bytes = 0;
    MDB_cursor *cursor;
    i32 result = lmdb_read_begin(store, store->events, &cursor);
    if (result < 0) return result;
    MDB_val key, value;
    result = pack_find(cursor, seq, &key, &value);
    bool full = false;
    while (result == 0) {
        result = pack_copy(&key, &value, seq, buffer, bytes_max, bytes, &full);
        if (result < 0 || full) break;
        int code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
        result = code == MDB_NOTFOUND ? 1 : result_of(code);
    }
    lmdb_read_end(store, cursor);
    if (result == 1 && *bytes > 0) result = 0;
    return result == 0 && full && *bytes == 0 ? -EMSGSIZE : result;
}

i32 store_event_read(struct store *store, u64 seq, void *buffer, u32 bytes_max)
{
    MDB_cursor *cursor;
    i32 result = lmdb_read_begin(store, store->events, &cursor);
    if (result < 0) return result;
    MDB_val key, value;
    const u8 *events, *event;
    u64 bytes, at = 0;
    result = pack_find(cursor, seq, &key, &value);
    if (result == 0) result = pack_check(&key, &value, &events, &bytes);
    while (result == 0 && (result = pack_next(events, bytes, &at, &event)) == 0) {
        if (event_seq(event) != seq) continue;
        if (event_size(event) > bytes_max)
            result = -EMSGSIZE;
        else
            memcpy(buffer, event, event_size(event));
        break;
    }
    lmdb_read_end(store, cursor);
    return result;
}

i32 store_event_last(struct store *store, u64 *seq)
{
    *seq = 0;
    MDB_cursor *cursor;
    i32 result = lmdb_read_begin(store, store->events, &cursor);
    if (result < 0) return result;
    MDB_val key, value;
    int code = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
    const u8 *events = NULL, *event;
    u64 bytes = 0, at = 0;
    if (code != MDB_NOTFOUND)
        result = code == 0 ? pack_check(&key, &value, &events, &bytes) : result_of(code);
    while (result == 0 && (result = pack_next(events, bytes, &at, &event)) == 0) *seq = event_seq(event);
    lmdb_read_end(store, cursor);
    return result == 1 ? 0 : result;
}

i32 store_archived_read(struct store *store, u64 ticket, u64 *seq)
{
    i32 result = lmdb_read_begin(store, store->archived, NULL);
    if (result < 0) return result;
    MDB_val key = value_of(&ticket, sizeof ticket), value;
    int code = mdb_get(store->reader, store->archived, &key, &value);
    if (code == MDB_NOTFOUND)
        result = 1;
    else if (code != 0)
        result = result_of(code);
    else if (value.mv_size != sizeof *seq)
        result = -EIO;
    else
        memcpy(seq, value.mv_data, sizeof *seq);
    lmdb_read_end(store, NULL);
    return result;
}
