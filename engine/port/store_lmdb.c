/* store.h over LMDB.
 *
 * All databases have native u64 keys: one for each table (chunk -> struct store_chunk and the rows), events
 * (first seq -> checksum and whole event records), archived (ticket -> seq) and root (0 -> the root and its
 * checksum). Nearly all values stay below 2038 bytes, so that two fit on a page and no overflow pages have to
 * be found in one piece; only an event with a long text has a value of its own above that. A table has a
 * database of its own so that its new chunks are appended: that fills pages, and inserting leaves them half
 * empty.
 *
 * The write transaction belongs to the helper thread; the loop's thread has one read transaction, renewed for
 * each call. Jobs cross between them through two lists under one mutex; an eventfd wakes the loop.
 */
#include "port/store.h"

#include <errno.h>
#include <lmdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/hash.h"
#include "port/file.h"

#define MAP_BYTES_MAX   (1ull << 40)
#define MAP_BYTES_MIN   (1ull << 28)
#define VALUE_BYTES_MAX 2016u /* with key and node header below LMDB's limit of 2038 */
#define ROOT_KEY        0u
#define DATABASES_MAX   (STORE_TABLES_MAX + 3u)

struct store_jobs {
    struct store_job *first;
    struct store_job *last;
};

struct store {
    MDB_env *env;
    MDB_dbi tables[STORE_TABLES_MAX];
    MDB_dbi events, archived, root;
    MDB_txn *reader; /* the loop's; reset between calls */

    struct io *io; /* NULL: reading only, no helper */
    struct io_op wake;
    u64 wake_count;
    int wake_fd;

    pthread_t helper;
    pthread_mutex_t mutex;
    pthread_cond_t wanted;
    struct store_jobs queued;   /* under the mutex */
    struct store_jobs finished; /* under the mutex */
    bool stopping;              /* under the mutex */

    /* The helper's. */
    MDB_txn *txn;
    u64 event_last; /* stored, or in the open transaction */
    i32 failed;
};

struct root_value {
    struct store_root root;
    u64 checksum;
};

/* LMDB's own codes are below -30000; the others are errnos. */
static i32 result_of(int code)
{
    if (code == MDB_SUCCESS) return 0;
    if (code == MDB_MAP_FULL) return -ENOSPC;
    if (code == MDB_NOTFOUND) return -ENOENT;
    if (code == MDB_READERS_FULL) return -EBUSY;
    return code > 0 ? -code : -EIO;
}

static MDB_val value_of(const void *data, u64 bytes)
{
    return (MDB_val){.mv_size = bytes, .mv_data = (void *)(uintptr_t)data};
}

/* ---- Lists of jobs ---- */

static void jobs_push(struct store_jobs *jobs, struct store_job *job)
{
    job->next = NULL;
    if (jobs->last == NULL)
        jobs->first = job;
    else
        jobs->last->next = job;
    jobs->last = job;
}

static struct store_job *jobs_pop(struct store_jobs *jobs)
{
    struct store_job *job = jobs->first;
    if (job == NULL) return NULL;
    jobs->first = job->next;
    if (jobs->first == NULL) jobs->last = NULL;
    job->next = NULL;
    return job;
}

/* ---- Writing, on the helper's thread ---- */

static bool all_zero(const u8 *data, u32 bytes)
{
    return bytes == 0 || (data[0] == 0 && memcmp(data, data + 1, bytes - 1) == 0);
}

/* The cursor of the table being written; chunks come table by table, mostly. */
struct table_cursor {
    MDB_cursor *cursor;
    u32 table;
    u64 last; /* highest chunk there is */
    bool empty;
};

static i32 cursor_move(struct store *store, struct table_cursor *at, u32 table)
{
    if (at->cursor != NULL && at->table == table) return 0;
    if (at->cursor != NULL) mdb_cursor_close(at->cursor);
    at->cursor = NULL;
    at->table = table;
    i32 result = result_of(mdb_cursor_open(store->txn, store->tables[table], &at->cursor));
    if (result < 0) return result;
    MDB_val key, value;
    int code = mdb_cursor_get(at->cursor, &key, &value, MDB_LAST);
    at->empty = code == MDB_NOTFOUND;
    if (at->empty) return 0;
    if (code == 0) memcpy(&at->last, key.mv_data, sizeof at->last);
    return result_of(code);
}

static i32 write_chunk(struct store *store, struct table_cursor *at, const struct store_chunk *head)
{
    i32 result = cursor_move(store, at, head->table);
    if (result < 0) return result;
    u64 number = head->chunk;
    MDB_val key = value_of(&number, sizeof number);
    if (all_zero((const u8 *)(head + 1), head->bytes)) { /* absent and zero are the same */
        MDB_val value;
        int code = mdb_cursor_get(at->cursor, &key, &value, MDB_SET);
        if (code == 0) code = mdb_cursor_del(at->cursor, 0);
        return code == MDB_NOTFOUND ? 0 : result_of(code);
    }
    bool append = at->empty || number > at->last;
    MDB_val value = value_of(head, sizeof *head + head->bytes);
    result = result_of(mdb_cursor_put(at->cursor, &key, &value, append ? MDB_APPEND : 0));
    if (append) at->last = number;
    at->empty = false;
    return result;
}

static i32 write_chunks(struct store *store, const struct store_job *job)
{
    struct table_cursor cursor = {0};
    i32 result = 0;
    for (u64 at = 0; at < job->bytes && result == 0;) {
        const struct store_chunk *head =
            (const struct store_chunk *)(const void *)((const u8 *)job->data + at);
        u64 bytes = sizeof *head + round_up(head->bytes, 8);
        ASSERT(head->table < STORE_TABLES_MAX);
        ASSERT(head->bytes <= VALUE_BYTES_MAX - sizeof *head && at + bytes <= job->bytes);
        result = write_chunk(store, &cursor, head);
        at += bytes;
    }
    if (cursor.cursor != NULL) mdb_cursor_close(cursor.cursor);
    return result;
}

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

static i32 write_events(struct store *store, const struct store_job *job)
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

static i32 commit(struct store *store, const struct store_root *root)
{
    struct root_value stored = {.root = *root};
    stored.checksum = hash64(&stored.root, sizeof stored.root, ROOT_KEY);
    u64 number = ROOT_KEY;
    MDB_val key = value_of(&number, sizeof number);
    MDB_val value = value_of(&stored, sizeof stored);
    i32 result = result_of(mdb_put(store->txn, store->root, &key, &value, 0));
    if (result < 0) return result;
    result = result_of(mdb_txn_commit(store->txn));
    store->txn = NULL; /* gone, whatever the result */
    return result;
}

static void copy_remove(const char *path)
{
    char file[FILE_PATH_BYTES];
    if (file_join(file, path, "data.mdb") == 0) (void)file_remove(file);
    (void)file_remove(path);
}

static i32 copy(struct store *store, const char *path)
{
    i32 made = file_make_directory(path);
    if (made == 0) return -EEXIST;
    if (made < 0) return made;
    char file[FILE_PATH_BYTES];
    i32 result = file_join(file, path, "data.mdb");
    if (result == 0) result = result_of(mdb_env_copy2(store->env, path, MDB_CP_COMPACT));
    if (result == 0) {
        bool direct;
        i32 fd = file_open(file, true, false, &direct);
        result = fd < 0 ? fd : file_sync(fd);
        file_close(fd);
    }
    if (result == 0) result = file_sync_directory(path);
    if (result < 0) copy_remove(path);
    return result;
}

static i32 job_run(struct store *store, const struct store_job *job)
{
    if (store->failed < 0) return store->failed;
    if (job->kind == STORE_COPY) return copy(store, job->path);
    i32 result = 0;
    if (store->txn == NULL) result = result_of(mdb_txn_begin(store->env, NULL, 0, &store->txn));
    if (result == 0 && job->kind == STORE_CHUNKS) result = write_chunks(store, job);
    if (result == 0 && job->kind == STORE_EVENTS) result = write_events(store, job);
    if (result == 0 && job->kind == STORE_COMMIT) result = commit(store, &job->root);
    if (result == 0) return 0;
    if (store->txn != NULL) mdb_txn_abort(store->txn);
    store->txn = NULL;
    store->failed = result;
    return result;
}

static void wake_loop(struct store *store)
{
    u64 one = 1;
    ssize_t put;
    do put = write(store->wake_fd, &one, sizeof one);
    while (put < 0 && errno == EINTR);
    ASSERT(put == sizeof one);
}

static void *helper_main(void *owner)
{
    struct store *store = owner;
    pthread_mutex_lock(&store->mutex);
    for (;;) {
        while (!store->stopping && store->queued.first == NULL)
            pthread_cond_wait(&store->wanted, &store->mutex);
        if (store->stopping) break;
        struct store_job *job = jobs_pop(&store->queued);
        pthread_mutex_unlock(&store->mutex);
        job->result = job_run(store, job);
        pthread_mutex_lock(&store->mutex);
        jobs_push(&store->finished, job);
        wake_loop(store);
    }
    pthread_mutex_unlock(&store->mutex);
    if (store->txn != NULL) mdb_txn_abort(store->txn);
    store->txn = NULL;
    return NULL;
}

/* ---- Jobs, on the loop's thread ---- */

static void wake_done(struct io_op *op, i32 result)
{
    struct store *store = op->owner;
    ASSERT(result == sizeof store->wake_count || result == -EINTR || result == -EAGAIN);
    pthread_mutex_lock(&store->mutex);
    bool stopping = store->stopping;
    struct store_jobs finished = store->finished;
    store->finished = (struct store_jobs){0};
    pthread_mutex_unlock(&store->mutex);
    if (stopping) return;
    io_read(store->io, &store->wake, store->wake_fd, &store->wake_count, sizeof store->wake_count);
    for (struct store_job *job = jobs_pop(&finished); job != NULL; job = jobs_pop(&finished)) {
        job->done(job, job->result);
    }
}

void store_submit(struct store *store, struct store_job *job)
{
    ASSERT(store->io != NULL && job->done != NULL);
    ASSERT(job->kind >= STORE_CHUNKS && job->kind <= STORE_COPY);
    pthread_mutex_lock(&store->mutex);
    jobs_push(&store->queued, job);
    pthread_cond_signal(&store->wanted);
    pthread_mutex_unlock(&store->mutex);
}

static i32 helper_start(struct store *store, struct io *io)
{
    store->wake_fd = eventfd(0, EFD_CLOEXEC);
    if (store->wake_fd < 0) return -errno;
    pthread_mutex_init(&store->mutex, NULL);
    pthread_cond_init(&store->wanted, NULL);
    sigset_t all, before; /* signals are the loop's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&store->helper, NULL, helper_main, store);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0) return -code;
    store->io = io;
    store->wake = (struct io_op){.done = wake_done, .owner = store};
    io_read(io, &store->wake, store->wake_fd, &store->wake_count, sizeof store->wake_count);
    return 0;
}

static void helper_stop(struct store *store)
{
    pthread_mutex_lock(&store->mutex);
    store->stopping = true;
    pthread_cond_signal(&store->wanted);
    pthread_mutex_unlock(&store->mutex);
    pthread_join(store->helper, NULL);
    wake_loop(store);
    while (store->wake.busy) io_run(store->io, true);
    pthread_cond_destroy(&store->wanted);
    pthread_mutex_destroy(&store->mutex);
}

/* ---- Opening and closing ---- */

/* The map may be as large as the machine lets us reserve: it costs address space only. */
static i32 env_open(struct store *store, const char *directory, bool write)
{
    int code = ENOMEM;
    for (u64 bytes = MAP_BYTES_MAX; bytes >= MAP_BYTES_MIN; bytes /= 2) {
        code = mdb_env_create(&store->env);
        if (code != 0) break;
        code = mdb_env_set_maxdbs(store->env, DATABASES_MAX);
        if (code == 0) code = mdb_env_set_mapsize(store->env, bytes);
        if (code == 0) code = mdb_env_open(store->env, directory, MDB_NOTLS | (write ? 0 : MDB_RDONLY), 0640);
        if (code == 0) return 0;
        mdb_env_close(store->env);
        store->env = NULL;
        if (code != ENOMEM) break;
    }
    return result_of(code);
}

static i32 databases_open(struct store *store, bool write)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(store->env, NULL, write ? 0 : MDB_RDONLY, &txn);
    if (code != 0) return result_of(code);
    unsigned flags = MDB_INTEGERKEY | (write ? MDB_CREATE : 0u);
    for (u32 table = 0; table < STORE_TABLES_MAX && code == 0; table++) {
        char name[16];
        snprintf(name, sizeof name, "table.%02u", table);
        code = mdb_dbi_open(txn, name, flags, &store->tables[table]);
    }
    if (code == 0) code = mdb_dbi_open(txn, "events", flags, &store->events);
    if (code == 0) code = mdb_dbi_open(txn, "archived", flags, &store->archived);
    if (code == 0) code = mdb_dbi_open(txn, "root", flags, &store->root);
    if (code == 0)
        code = mdb_txn_commit(txn);
    else
        mdb_txn_abort(txn);
    if (code != 0) return result_of(code);
    code = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &store->reader);
    if (code == 0) mdb_txn_reset(store->reader);
    return result_of(code);
}

static i32 open_all(struct store *store, const char *directory, struct io *io)
{
    bool write = io != NULL;
    i32 result = write ? file_make_directory(directory) : 0;
    if (result >= 0) result = env_open(store, directory, write);
    if (result < 0) return result;
    int dead_readers;
    result = result_of(mdb_reader_check(store->env, &dead_readers));
    if (result == 0) result = databases_open(store, write);
    if (result == 0 && write) result = file_sync_directory(directory);
    if (result == 0) result = store_event_last(store, &store->event_last);
    if (result == 0 && write) result = helper_start(store, io);
    return result;
}

i32 store_open(struct store **store_out, const char *directory, struct io *io, char *error, u32 error_bytes)
{
    *store_out = NULL;
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        snprintf(error, error_bytes, "no memory to open the store; remedy: free some");
        return -ENOMEM;
    }
    store->wake_fd = -1;
    i32 result = open_all(store, directory, io);
    if (result < 0) {
        const char *remedy = result == -ENOSPC   ? "free some disk space"
                             : result == -ENOENT ? "name a data directory that a ticketd has used"
                             : result == -ENOMEM ? "raise the limit of address space (ulimit -v unlimited)"
                             : result == -EIO    ? "the file is damaged: start from a backup"
                                                 : "make the directory accessible for this user";
        snprintf(error, error_bytes, "cannot open the store %s: %s; remedy: %s", directory, strerror(-result),
                 remedy);
        store_close(store);
        return result;
    }
    *store_out = store;
    return 0;
}

void store_close(struct store *store)
{
    if (store == NULL) return;
    if (store->io != NULL) helper_stop(store);
    if (store->wake_fd >= 0) close(store->wake_fd);
    if (store->reader != NULL) mdb_txn_abort(store->reader);
    if (store->env != NULL) mdb_env_close(store->env);
    free(store);
}

/* ---- Reading, on the loop's thread ---- */

static i32 read_begin(struct store *store, MDB_dbi database, MDB_cursor **cursor)
{
    i32 result = result_of(mdb_txn_renew(store->reader));
    if (result < 0 || cursor == NULL) return result;
    result = result_of(mdb_cursor_open(store->reader, database, cursor));
    if (result < 0) mdb_txn_reset(store->reader);
    return result;
}

static void read_end(struct store *store, MDB_cursor *cursor)
{
    if (cursor != NULL) mdb_cursor_close(cursor);
    mdb_txn_reset(store->reader);
}

i32 store_root_read(struct store *store, struct store_root *root)
{
    i32 result = read_begin(store, store->root, NULL);
    if (result < 0) return result;
    u64 number = ROOT_KEY;
    MDB_val key = value_of(&number, sizeof number), value;
    int code = mdb_get(store->reader, store->root, &key, &value);
    struct root_value stored;
    if (code == MDB_NOTFOUND)
        result = 1;
    else if (code != 0)
        result = result_of(code);
    else if (value.mv_size != sizeof stored)
        result = -EIO;
    else {
        memcpy(&stored, value.mv_data, sizeof stored);
        if (stored.checksum != hash64(&stored.root, sizeof stored.root, ROOT_KEY)) result = -EIO;
        *root = stored.root;
    }
    read_end(store, NULL);
    return result;
}

static i32 chunk_check(u32 table, const MDB_val *key, const MDB_val *value, struct store_chunk *head,
                       u8 *rows)
{
    u64 number;
    if (key->mv_size != sizeof number || value->mv_size < sizeof *head || value->mv_size > VALUE_BYTES_MAX)
        return -EIO;
    memcpy(&number, key->mv_data, sizeof number);
    memcpy(head, value->mv_data, sizeof *head);
    memcpy(rows, (const u8 *)value->mv_data + sizeof *head, value->mv_size - sizeof *head);
    if (head->bytes != value->mv_size - sizeof *head) return -EIO;
    if (head->table != table || head->chunk != number) return -EIO;
    return (u32)hash64(rows, head->bytes, 0) == head->checksum ? 0 : -EIO;
}

/* Stops at the first non-zero answer of `fn`. */
static i32 table_each(MDB_cursor *cursor, u32 table, store_chunk_fn *fn, void *owner, char *error,
                      u32 error_bytes)
{
    MDB_val key, value;
    i32 result = 0;
    int code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    while (result == 0 && code == 0) {
        struct store_chunk head = {0};
        _Alignas(16) u8 rows[VALUE_BYTES_MAX];
        result = chunk_check(table, &key, &value, &head, rows);
        if (result < 0) {
            snprintf(
                error, error_bytes,
                "the store is damaged: chunk %u of table %u does not verify; remedy: start from a backup",
                head.chunk, table);
            return result;
        }
        result = fn(owner, table, head.chunk, rows, head.bytes);
        if (result == 0) code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    if (result != 0 || code == MDB_NOTFOUND) return result;
    snprintf(error, error_bytes, "cannot read the store: %s; remedy: start from a backup",
             strerror(-result_of(code)));
    return result_of(code);
}

i32 store_chunks_each(struct store *store, store_chunk_fn *fn, void *owner, char *error, u32 error_bytes)
{
    i32 result = 0;
    for (u32 table = 0; table < STORE_TABLES_MAX && result == 0; table++) {
        MDB_cursor *cursor;
        result = read_begin(store, store->tables[table], &cursor);
        if (result < 0) {
            snprintf(error, error_bytes, "cannot read the store: %s; remedy: start anew", strerror(-result));
            return result;
        }
        result = table_each(cursor, table, fn, owner, error, error_bytes);
        read_end(store, cursor);
    }
    return result;
}

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
    const u8 *events;
    u64 bytes;
    i32 result = pack_check(key, value, &events, &bytes);
    for (u64 at = 0; result == 0 && at < bytes;) {
        u32 size = bytes - at < sizeof(struct tkd_prefix) + sizeof(u64) ? 0 : event_size(events + at);
        if (size < sizeof(struct tkd_prefix) || size > bytes - at) return -EIO;
        if (event_seq(events + at) >= seq) {
            *full = size > bytes_max - *used;
            if (*full) return 0;
            memcpy(buffer + *used, events + at, size);
            *used += size;
        }
        at += size;
    }
    return result;
}

i32 store_events_read(struct store *store, u64 seq, void *buffer, u32 bytes_max, u32 *bytes)
{
    *bytes = 0;
    MDB_cursor *cursor;
    i32 result = read_begin(store, store->events, &cursor);
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
    read_end(store, cursor);
    if (result == 1 && *bytes > 0) result = 0;
    return result == 0 && full && *bytes == 0 ? -EMSGSIZE : result;
}

i32 store_event_read(struct store *store, u64 seq, void *buffer, u32 bytes_max)
{
    MDB_cursor *cursor;
    i32 result = read_begin(store, store->events, &cursor);
    if (result < 0) return result;
    MDB_val key, value;
    const u8 *events = NULL;
    u64 bytes = 0;
    result = pack_find(cursor, seq, &key, &value);
    if (result == 0) result = pack_check(&key, &value, &events, &bytes);
    u64 at = 0;
    while (result == 0) {
        u32 size = bytes - at < sizeof(struct tkd_prefix) + sizeof(u64) ? 0 : event_size(events + at);
        if (at == bytes)
            result = 1;
        else if (size < sizeof(struct tkd_prefix) || size > bytes - at)
            result = -EIO;
        else if (event_seq(events + at) == seq) {
            if (size > bytes_max)
                result = -EMSGSIZE;
            else
                memcpy(buffer, events + at, size);
            break;
        }
        at += size;
    }
    read_end(store, cursor);
    return result;
}

i32 store_event_last(struct store *store, u64 *seq)
{
    *seq = 0;
    MDB_cursor *cursor;
    i32 result = read_begin(store, store->events, &cursor);
    if (result < 0) return result;
    MDB_val key, value;
    int code = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
    const u8 *events = NULL;
    u64 bytes = 0;
    if (code != MDB_NOTFOUND)
        result = code == 0 ? pack_check(&key, &value, &events, &bytes) : result_of(code);
    for (u64 at = 0; result == 0 && at < bytes;) {
        u32 size = bytes - at < sizeof(struct tkd_prefix) + sizeof(u64) ? 0 : event_size(events + at);
        if (size < sizeof(struct tkd_prefix) || size > bytes - at)
            result = -EIO;
        else
            *seq = event_seq(events + at);
        at += size;
    }
    read_end(store, cursor);
    return result;
}

i32 store_archived_read(struct store *store, u64 ticket, u64 *seq)
{
    i32 result = read_begin(store, store->archived, NULL);
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
    read_end(store, NULL);
    return result;
}

u64 store_bytes(struct store *store)
{
    MDB_envinfo info;
    MDB_stat status;
    if (mdb_env_info(store->env, &info) != 0 || mdb_env_stat(store->env, &status) != 0) return 0;
    return ((u64)info.me_last_pgno + 1) * status.ms_psize;
}

u64 store_disk_room(struct store *store)
{
    mdb_filehandle_t fd;
    struct statvfs status;
    if (mdb_env_get_fd(store->env, &fd) != 0 || fstatvfs(fd, &status) != 0) return 0;
    return (u64)status.f_bavail * status.f_frsize;
}
