/* Rows in LMDB: every chunk has two slots, in two databases of its table.
 *
 * Invariants:
 *  - a value carries the op of the snapshot that it belongs to; a chunk's current value is the newest one
 * that is not beyond the stored root;
 *  - a snapshot is written into the other slot, so that any transaction may be committed in the middle of it,
 * and takes effect as a whole when the root moves on;
 *  - while a snapshot is unfinished the root database says so (UNFINISHED_KEY), and the next start takes away
 * what it left: later snapshots can never be mistaken for it;
 *  - a chunk of zeros is as good as an absent one; over an older value a tombstone (no rows) says it.
 */
#include <stdio.h>

#include "base/hash.h"
#include "port/lmdb.h"

#define SLOTS     2u
#define SLOT_NONE 2u

struct rows_value {
    u64 op; /* of the snapshot */
    u32 checksum;
    u32 bytes; /* of the rows behind this; 0: a tombstone */
};
_Static_assert(sizeof(struct rows_value) == sizeof(struct store_chunk), "as large as the header it replaces");

static u64 key_number(const MDB_val *key)
{
    u64 number = 0;
    if (key->mv_size == sizeof number) memcpy(&number, key->mv_data, sizeof number);
    return number;
}

static bool value_head(const MDB_val *value, struct rows_value *head)
{
    if (value->mv_size < sizeof *head || value->mv_size > VALUE_BYTES_MAX) return false;
    memcpy(head, value->mv_data, sizeof *head);
    return head->bytes == value->mv_size - sizeof *head;
}

/* What a chunk adds to the sum of all current ones, which stands with the root; nothing when it has no rows.
 */
static u64 chunk_sum(u32 table, u64 chunk, const struct rows_value *head)
{
    u64 all[] = {table, chunk, head->op, head->checksum, head->bytes};
    return head->bytes == 0 ? 0 : hash64(all, sizeof all, 0);
}

/* ---- Writing, on the helper's thread ---- */

/* One slot's database of the table that is being written; chunks come table by table, ascending, mostly. */
struct slot {
    MDB_cursor *cursor;
    u64 last; /* highest chunk in it */
    bool empty;
};

struct writer {
    struct store *store;
    u64 op;
    u32 table;
    bool open;
    struct slot slots[SLOTS];
};

static void writer_close(struct writer *writer)
{
    for (u32 i = 0; i < SLOTS; i++) {
        if (writer->slots[i].cursor != NULL) mdb_cursor_close(writer->slots[i].cursor);
        writer->slots[i].cursor = NULL;
    }
    writer->open = false;
}

static i32 slot_open(struct writer *writer, struct slot *slot, MDB_dbi database)
{
    int code = mdb_cursor_open(writer->store->txn, database, &slot->cursor);
    MDB_val key, value;
    if (code == 0) code = mdb_cursor_get(slot->cursor, &key, &value, MDB_LAST);
    slot->empty = code == MDB_NOTFOUND;
    if (code == 0) slot->last = key_number(&key);
    return slot->empty ? 0 : result_of(code);
}

static i32 writer_move(struct writer *writer, u32 table)
{
    if (writer->open && writer->table == table) return 0;
    writer_close(writer);
    writer->open = true;
    writer->table = table;
    i32 result = 0;
    for (u32 i = 0; i < SLOTS && result == 0; i++) {
        result = slot_open(writer, &writer->slots[i], writer->store->rows[table][i]);
    }
    return result;
}

/* 1: nothing is there. */
static i32 slot_read(const struct slot *slot, u64 chunk, struct rows_value *head)
{
    *head = (struct rows_value){0};
    if (slot->empty || chunk > slot->last) return 1;
    MDB_val key = value_of(&chunk, sizeof chunk), value;
    int code = mdb_cursor_get(slot->cursor, &key, &value, MDB_SET_KEY);
    if (code == MDB_NOTFOUND) return 1;
    if (code != 0) return result_of(code);
    return value_head(&value, head) ? 0 : -EIO;
}

static i32 slot_write(struct slot *slot, u64 chunk, const struct rows_value *head, const void *rows)
{
    bool append = slot->empty || chunk > slot->last; /* fills pages; inserting leaves them half empty */
    MDB_val key = value_of(&chunk, sizeof chunk);
    MDB_val value = value_of(NULL, sizeof *head + head->bytes);
    int code = mdb_cursor_put(slot->cursor, &key, &value, MDB_RESERVE | (append ? MDB_APPEND : 0u));
    if (code != 0) return result_of(code);
    memcpy(value.mv_data, head, sizeof *head);
    memcpy((u8 *)value.mv_data + sizeof *head, rows, head->bytes);
    if (append) slot->last = chunk;
    slot->empty = false;
    return 0;
}

static i32 slot_delete(struct slot *slot, u64 chunk)
{
    MDB_val key = value_of(&chunk, sizeof chunk), value;
    int code = mdb_cursor_get(slot->cursor, &key, &value, MDB_SET_KEY);
    if (code == 0) code = mdb_cursor_del(slot->cursor, 0);
    return code == MDB_NOTFOUND ? 0 : result_of(code);
}

static bool all_zero(const u8 *data, u32 bytes)
{
    return bytes == 0 || (data[0] == 0 && memcmp(data, data + 1, bytes - 1) == 0);
}

static i32 write_chunk(struct writer *writer, const struct store_chunk *chunk)
{
    u64 *sum = &writer->store->snapshot_sum;
    i32 result = writer_move(writer, chunk->table);
    struct rows_value heads[SLOTS];
    u32 current = SLOT_NONE;
    for (u32 i = 0; i < SLOTS && result >= 0; i++) {
        result = slot_read(&writer->slots[i], chunk->chunk, &heads[i]);
        if (result != 0 || heads[i].op > writer->store->root_op) continue;
        if (current == SLOT_NONE || heads[i].op > heads[current].op) current = i;
    }
    if (result < 0) return result;
    u32 other = current == SLOT_NONE ? 0 : 1 - current;
    struct slot *target = &writer->slots[other];
    struct rows_value head = {.op = writer->op, .checksum = chunk->checksum, .bytes = chunk->bytes};
    /* What this replaces: the current value, or one of the same snapshot. */
    u32 replaced = heads[other].op == writer->op ? other : current;
    if (replaced != SLOT_NONE) *sum -= chunk_sum(chunk->table, chunk->chunk, &heads[replaced]);
    if (all_zero((const u8 *)(chunk + 1), chunk->bytes)) {
        bool nothing_there = current == SLOT_NONE || heads[current].bytes == 0;
        if (nothing_there) return slot_delete(target, chunk->chunk);
        head.bytes = head.checksum = 0;
    }
    *sum += chunk_sum(chunk->table, chunk->chunk, &head);
    return slot_write(target, chunk->chunk, &head, chunk + 1);
}

static i32 unfinished_note(struct store *store, u64 op)
{
    if (store->snapshot_op == op) return 0;
    ASSERT(store->snapshot_op == 0 && op > store->root_op);
    store->snapshot_op = op;
    store->snapshot_sum = store->rows_sum;
    u64 number = UNFINISHED_KEY;
    MDB_val key = value_of(&number, sizeof number), value = value_of(&op, sizeof op);
    return result_of(mdb_put(store->txn, store->root, &key, &value, 0));
}

i32 lmdb_rows_write(struct store *store, const struct store_job *job)
{
    struct writer writer = {.store = store, .op = job->root.op};
    i32 result = unfinished_note(store, job->root.op);
    for (u64 at = 0; at < job->bytes && result == 0;) {
        const struct store_chunk *chunk =
            (const struct store_chunk *)(const void *)((const u8 *)job->data + at);
        u64 bytes = sizeof *chunk + round_up(chunk->bytes, 8);
        ASSERT(chunk->table < STORE_TABLES_MAX);
        ASSERT(chunk->bytes <= VALUE_BYTES_MAX - sizeof *chunk && at + bytes <= job->bytes);
        result = write_chunk(&writer, chunk);
        at += bytes;
    }
    writer_close(&writer);
    return result;
}

static i32 purge_slot(MDB_txn *txn, MDB_dbi database, u64 root_op)
{
    MDB_cursor *cursor;
    int code = mdb_cursor_open(txn, database, &cursor);
    if (code != 0) return result_of(code);
    MDB_val key, value;
    code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    while (code == 0) {
        struct rows_value head = {0};
        bool beyond = value_head(&value, &head) && head.op > root_op;
        if (beyond) code = mdb_cursor_del(cursor, 0);
        if (code == 0) code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? 0 : result_of(code);
}

i32 lmdb_rows_purge(struct store *store, MDB_txn *txn, u64 root_op)
{
    u64 number = UNFINISHED_KEY;
    MDB_val key = value_of(&number, sizeof number), value;
    int code = mdb_get(txn, store->root, &key, &value);
    if (code == MDB_NOTFOUND) return 1;
    i32 result = result_of(code);
    for (u32 table = 0; table < STORE_TABLES_MAX; table++) {
        for (u32 i = 0; i < SLOTS && result == 0; i++) {
            result = purge_slot(txn, store->rows[table][i], root_op);
        }
    }
    return result < 0 ? result : result_of(mdb_del(txn, store->root, &key, NULL));
}

/* ---- Reading, on the loop's thread ---- */

/* One slot's database being read. */
struct reader {
    MDB_cursor *cursor;
    MDB_val key, value;
    u64 chunk; /* U64_NONE: behind the last one */
    struct rows_value head;
};

/* The next value that is not beyond the root. */
static i32 reader_next(struct reader *reader, MDB_cursor_op step, u64 root_op)
{
    for (;;) {
        int code = mdb_cursor_get(reader->cursor, &reader->key, &reader->value, step);
        reader->chunk = code == 0 ? key_number(&reader->key) : U64_NONE;
        if (code != 0) return code == MDB_NOTFOUND ? 0 : result_of(code);
        if (!value_head(&reader->value, &reader->head)) return -EIO;
        if (reader->head.op <= root_op) return 0;
        step = MDB_NEXT;
    }
}

struct table_read {
    u32 table;
    u64 root_op;
    struct reader readers[SLOTS];
    store_chunk_fn *fn;
    void *owner;
    u64 chunk; /* at which it stopped */
    u64 sum;   /* of all */
};

static i32 chunk_give(struct table_read *read, const struct reader *reader)
{
    _Alignas(16) u8 rows[VALUE_BYTES_MAX];
    const struct rows_value *head = &reader->head;
    if (head->bytes == 0) return 0;
    memcpy(rows, (const u8 *)reader->value.mv_data + sizeof *head, head->bytes);
    if ((u32)hash64(rows, head->bytes, 0) != head->checksum || reader->chunk > UINT32_MAX) return -EIO;
    read->sum += chunk_sum(read->table, reader->chunk, head);
    return read->fn(read->owner, read->table, (u32)reader->chunk, rows, head->bytes);
}

/* What the reader stands at will be copied soon. */
static void reader_prefetch(const struct reader *reader)
{
    if (reader->chunk == U64_NONE) return;
    for (u32 at = 0; at < reader->head.bytes; at += 64) prefetch((const u8 *)reader->value.mv_data + at);
}

/* Both slots side by side, ascending; of two values of one chunk the newer one. */
static i32 table_each(struct table_read *read)
{
    struct reader *a = &read->readers[0], *b = &read->readers[1];
    i32 result = reader_next(a, MDB_FIRST, read->root_op);
    if (result == 0) result = reader_next(b, MDB_FIRST, read->root_op);
    while (result == 0 && min_u64(a->chunk, b->chunk) != U64_NONE) {
        u64 chunk = read->chunk = min_u64(a->chunk, b->chunk);
        bool first = a->chunk == chunk && (b->chunk != chunk || a->head.op > b->head.op);
        struct reader newer = first ? *a : *b;
        if (a->chunk == chunk) result = reader_next(a, MDB_NEXT, read->root_op);
        if (result == 0 && b->chunk == chunk) result = reader_next(b, MDB_NEXT, read->root_op);
        reader_prefetch(a->chunk <= b->chunk ? a : b);
        if (result == 0) result = chunk_give(read, &newer);
    }
    return result;
}

static i32 table_open(struct store *store, struct table_read *read)
{
    i32 result = 0;
    read->readers[0].cursor = read->readers[1].cursor = NULL;
    for (u32 i = 0; i < SLOTS && result == 0; i++)
        result =
            result_of(mdb_cursor_open(store->reader, store->rows[read->table][i], &read->readers[i].cursor));
    if (result == 0) result = table_each(read);
    for (u32 i = 0; i < SLOTS; i++) {
        if (read->readers[i].cursor != NULL) mdb_cursor_close(read->readers[i].cursor);
    }
    return result;
}

static i32 tables_each(struct store *store, struct table_read *read, char *error, u32 error_bytes)
{
    u64 sum;
    i32 result = lmdb_root_op(store, store->reader, &read->root_op, &sum);
    for (; read->table < STORE_TABLES_MAX && result == 0; read->table++) result = table_open(store, read);
    if (result == 0 && read->sum != sum) {
        snprintf(error, error_bytes,
                 "the store is damaged: its rows are not those that it had at op %llu, though each verifies; "
                 "remedy: "
                 "start from a backup",
                 (unsigned long long)read->root_op);
        return -EIO;
    }
    if (result != 0 && error[0] == 0) {
        snprintf(
            error, error_bytes,
            "the store is damaged: chunk %llu of table %u cannot be read: %s; remedy: start from a backup",
            (unsigned long long)read->chunk, read->table - 1, strerror(result < 0 ? -result : EIO));
    }
    return result;
}

i32 store_chunks_each(struct store *store, store_chunk_fn *fn, void *owner, char *error, u32 error_bytes)
{
    ASSERT(error_bytes > 0);
    error[0] = 0;
    i32 result = lmdb_read_begin(store);
    if (result < 0) {
        snprintf(error, error_bytes, "the store cannot be read: %s", strerror(-result));
        return result;
    }
    struct table_read read = {.fn = fn, .owner = owner};
    result = tables_each(store, &read, error, error_bytes);
    lmdb_read_end(store);
    return result;
}

/* Each slot has a chunk at most once. */
u64 store_chunks(struct store *store, u32 table)
{
    u64 most = 0;
    if (lmdb_read_begin(store) < 0) return 0;
    for (u32 i = 0; i < SLOTS; i++) {
        MDB_stat status;
        if (mdb_stat(store->reader, store->rows[table][i], &status) == 0) most = max_u64(most, status.ms_entries);
    }
    lmdb_read_end(store);
    return most;
}
