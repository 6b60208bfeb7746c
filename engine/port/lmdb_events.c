/* Events in LMDB: packed many to a value, appended only, each value with a checksum.
 *
 * A value's key is the seq of its first event, and which part of it this is. An event that is too long for one value
 * goes on in the next parts, alone in them: so no value ever needs overflow pages, and all pages are found by a walk
 * that does not read the leaves.
 */
#include "base/hash.h"
#include "port/event_pack.h"
#include "port/lmdb.h"

#define PART_BITS 10u
#define PARTS     (1u << PART_BITS)
#define PACK_BYTES_MAX (VALUE_BYTES_MAX - sizeof(u64))
_Static_assert((u64)PARTS * PACK_BYTES_MAX > TKD_FRAME_BYTES_MAX + PACK_BYTES_MAX, "enough for the longest event");
_Static_assert(PACK_BYTES_MAX > EVENT_PACK_HEAD_BYTES_MAX, "a head is never parted");

static u64 key_of_seq(u64 seq) { return seq << PART_BITS; }
static u64 seq_of_key(u64 key) { return key >> PART_BITS; }

/* ---- Writing, on the helper's thread ---- */

/* A value being filled. */
struct pack {
    struct tkd_event last; /* in it; of an empty one only the seq is not zero */
    u64 key;
    u32 bytes;
    u8 packed[PACK_BYTES_MAX];
};

static void pack_begin(struct pack *pack, u64 seq)
{
    pack->last = (struct tkd_event){.seq = seq - 1};
    pack->key = key_of_seq(seq);
    pack->bytes = 0;
}

/* Stores what is in it; what follows is the next part. */
static i32 pack_write(struct pack *pack, MDB_cursor *cursor)
{
    u64 checksum = hash64(pack->packed, pack->bytes, pack->key);
    MDB_val key = value_of(&pack->key, sizeof pack->key);
    MDB_val value = value_of(NULL, sizeof checksum + pack->bytes);
    int code = mdb_cursor_put(cursor, &key, &value, MDB_APPEND | MDB_RESERVE);
    if (code != MDB_SUCCESS) return result_of(code);
    memcpy(value.mv_data, &checksum, sizeof checksum);
    memcpy((u8 *)value.mv_data + sizeof checksum, pack->packed, pack->bytes);
    pack->bytes = 0;
    pack->key++;
    return 0;
}

static i32 pack_add(struct pack *pack, MDB_cursor *cursor, const struct tkd_event *event)
{
    i32 result = 0;
    u8 head[EVENT_PACK_HEAD_BYTES_MAX];
    u32 head_bytes = event_pack(event, &pack->last, head), tail_bytes = event_tail_bytes(event);
    if (pack->bytes != 0 && pack->bytes + head_bytes + (u64)tail_bytes > PACK_BYTES_MAX) {
        result = pack_write(pack, cursor);
        pack_begin(pack, event->seq);
        head_bytes = event_pack(event, &pack->last, head);
    }
    pack->last = *event;
    memcpy(pack->packed + pack->bytes, head, head_bytes);
    pack->bytes += head_bytes;
    const u8 *tail = (const u8 *)(event + 1), *end = tail + tail_bytes;
    while (tail < end && result == 0) {
        if (pack->bytes == PACK_BYTES_MAX) result = pack_write(pack, cursor);
        u32 piece_bytes = (u32)min_u64((u64)(end - tail), PACK_BYTES_MAX - pack->bytes);
        memcpy(pack->packed + pack->bytes, tail, piece_bytes);
        pack->bytes += piece_bytes;
        tail += piece_bytes;
    }
    if (result < 0 || pack->key % PARTS == 0) return result;
    result = pack_write(pack, cursor);
    pack_begin(pack, event->seq + 1);
    return result;
}

static i32 index_archived(struct store *store, const struct tkd_event *event)
{
    struct archived_value archived = {.seq = event->seq, .checksum = archived_checksum(event->ticket, event->seq)};
    MDB_val key = value_of(&event->ticket, sizeof event->ticket), value = value_of(&archived, sizeof archived);
    return result_of(mdb_put(store->txn, store->archived, &key, &value, 0));
}

i32 lmdb_events_write(struct store *store, const struct store_job *job)
{
    const u8 *at = job->data, *end = at + job->bytes;
    struct pack pack;
    pack_begin(&pack, store->event_last + 1);
    MDB_cursor *cursor;
    i32 result = result_of(mdb_cursor_open(store->txn, store->events, &cursor));
    if (result < 0) return result;
    while (at < end && result == 0) {
        const struct tkd_event *event = (const struct tkd_event *)(const void *)at;
        ASSERT(event->size >= sizeof *event && at + event->size <= end);
        at += event->size;
        if (event->seq <= store->event_last) continue;
        ASSERT(event->seq == store->event_last + 1);
        result = pack_add(&pack, cursor, event);
        if (result == 0 && event->kind == TKD_EVENT_ARCHIVED) result = index_archived(store, event);
        store->event_last = event->seq;
    }
    if (result == 0 && pack.bytes != 0) result = pack_write(&pack, cursor);
    mdb_cursor_close(cursor);
    return result;
}

/* ---- Reading, on the loop's thread ---- */

/* A value being read. */
struct unpack {
    struct tkd_event event; /* the one come to */
    const u8 *tail;         /* what lies behind its head, or the begin of it: the other parts have the rest */
    const u8 *at, *end;     /* of the value */
};

static i32 value_check(const struct lmdb_value *value)
{
    u64 checksum;
    if (value->bytes <= sizeof checksum) return -EIO;
    memcpy(&checksum, value->data, sizeof checksum);
    return hash64(value->data + sizeof checksum, value->bytes - sizeof checksum, value->key) == checksum ? 0 : -EIO;
}

/* The value whose key is the highest not above, verified. 1: there is none. */
static i32 value_find(struct store *store, u64 key, struct lmdb_value *value)
{
    i32 result = lmdb_find(store, EVENTS_NAME, key, value);
    return result == 0 ? value_check(value) : result;
}

/* Before the first event of the value. */
static void unpack_begin(struct unpack *unpack, const struct lmdb_value *value)
{
    *unpack = (struct unpack){.event.seq = seq_of_key(value->key) - 1,
                              .at = value->data + sizeof(u64),
                              .end = value->data + value->bytes};
}

/* Goes to the next event; 1: there are no more. */
static i32 unpack_next(struct unpack *unpack)
{
    if (unpack->at == unpack->end) return 1;
    u32 head_bytes = event_unpack(&unpack->event, unpack->at, (u64)(unpack->end - unpack->at));
    if (head_bytes == 0) return -EIO;
    unpack->tail = unpack->at + head_bytes;
    unpack->at = unpack->tail + min_u64(event_tail_bytes(&unpack->event), (u64)(unpack->end - unpack->tail));
    return 0;
}

/* The whole event that it has come to. One with several parts is the last of its value, so nothing of that is needed
 * when they are read in its place. */
static i32 unpack_copy(struct store *store, const struct unpack *unpack, u8 *to)
{
    u32 done = (u32)(unpack->at - unpack->tail), tail_bytes = event_tail_bytes(&unpack->event);
    u64 key = key_of_seq(unpack->event.seq);
    memcpy(to, &unpack->event, sizeof unpack->event);
    to += sizeof unpack->event;
    memcpy(to, unpack->tail, done);
    while (done < tail_bytes) {
        struct lmdb_value value;
        i32 result = value_find(store, ++key, &value);
        if (result < 0) return result;
        u64 bytes = result == 1 || value.key != key ? 0 : value.bytes - sizeof(u64);
        if (bytes == 0 || bytes > tail_bytes - done) return -EIO;
        memcpy(to + done, value.data + sizeof(u64), bytes);
        done += (u32)bytes;
    }
    return 0;
}

/* In a read transaction. 0: there are none. */
static i32 last_find(struct store *store, u64 *seq)
{
    struct lmdb_value value;
    struct unpack unpack;
    *seq = 0;
    i32 result = value_find(store, U64_NONE, &value);
    if (result != 0) return result < 0 ? result : 0;
    *seq = seq_of_key(value.key);
    if (value.key % PARTS != 0) return 0;
    unpack_begin(&unpack, &value);
    while ((result = unpack_next(&unpack)) == 0) *seq = unpack.event.seq;
    return result < 0 ? result : 0;
}

/* Goes to `seq` in the value that holds it, which must be there when a later one is: whoever asks, asks for what is
 * stored. 1: there is none. */
static i32 event_find(struct store *store, u64 seq, struct unpack *unpack)
{
    struct lmdb_value value;
    u64 last;
    if (seq == 0) return 1;
    i32 result = value_find(store, key_of_seq(seq), &value);
    if (result == 0 && value.key % PARTS != 0) result = 1;
    if (result == 0) unpack_begin(unpack, &value);
    while (result == 0 && (result = unpack_next(unpack)) == 0)
        if (unpack->event.seq == seq) return 0;
    if (result != 1) return result;
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
        struct unpack unpack;
        u64 from = seq;
        result = event_find(store, seq, &unpack);
        while (result == 0) {
            full = unpack.event.size > bytes_max - *bytes;
            if (full) break;
            result = unpack_copy(store, &unpack, (u8 *)buffer + *bytes);
            if (result < 0) break;
            *bytes += unpack.event.size;
            seq++;
            result = unpack_next(&unpack);
        }
        if (result == 1 && seq > from) result = 0; /* the next value */
    }
    lmdb_read_end(store);
    if (result == 1 && *bytes > 0) result = 0;
    return result == 0 && full && *bytes == 0 ? -EMSGSIZE : result;
}

i32 store_event_read(struct store *store, u64 seq, void *buffer, u32 bytes_max)
{
    struct unpack unpack;
    i32 result = lmdb_read_begin(store);
    if (result < 0) return result;
    result = event_find(store, seq, &unpack);
    if (result == 0 && unpack.event.size > bytes_max) result = -EMSGSIZE;
    if (result == 0) result = unpack_copy(store, &unpack, buffer);
    lmdb_read_end(store);
    return result;
}

/* Whoever appends copies the last leaf: what is damaged in it must not be copied on. */
static i32 last_leaf_check(struct store *store)
{
    u64 leaf = 0, key = U64_NONE;
    for (;;) {
        struct lmdb_value value = {.page = 0};
        i32 result = lmdb_find(store, EVENTS_NAME, key, &value);
        if (leaf != 0 && value.page != leaf) return 0; /* an older leaf, whatever it is like */
        if (result == 0) result = value_check(&value);
        if (result < 0) return result;
        if (result == 1 || value.key == 0) return 0;
        leaf = value.page;
        key = value.key - 1;
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
