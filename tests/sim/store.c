/* store.h in memory: what is committed survives, what is not is gone with the process. Jobs run one after the
 * other at a pace that the seed decides; a crash during a COMMIT leaves it done or not done. */
#include "port/store.h"

#include <errno.h>
#include <stdio.h>

#include "base/hash.h"
#include "port/file.h"
#include "tests/sim/exhaust.h"
#include "tests/sim/world.h"

#define CHUNKS_MAX 16384u /* slots of the hash table of chunks */

struct chunk {
    bool used;
    u32 table;
    u32 chunk;
    u32 bytes;
    u8 *data; /* NULL: zeros */
};

struct chunks {
    struct chunk slots[CHUNKS_MAX];
    u32 count;
};

struct events {
    u8 **items; /* by seq - 1 */
    u64 count;
    u64 capacity;
};

/* What is on the disk. */
struct stored {
    bool has_root;
    struct store_root root;
    struct chunks chunks;
    struct events events;
};

/* The open process's. */
struct store {
    struct store_job *first;
    struct store_job *last;
    u64 due_ns;   /* when the first job is done */
    u64 job_hash; /* of its data when it was submitted */
    bool broken;
    u64 snapshot_op;
    struct chunks *staged;
    struct events staged_events; /* continue those stored */
    i32 failed;
    bool reading_broken;
};

static struct stored *stored;
static struct store *open_store; /* NULL: no process has it open */

void store_create_disk(void) { stored = world_alloc(sizeof *stored); }

static void chunks_free(struct chunks *chunks)
{
    for (u32 i = 0; i < CHUNKS_MAX; i++) world_free(chunks->slots[i].data);
}

static void events_free(struct events *events)
{
    for (u64 i = 0; i < events->count; i++) world_free(events->items[i]);
    world_free(events->items);
    *events = (struct events){0};
}

void store_destroy_disk(void)
{
    chunks_free(&stored->chunks);
    events_free(&stored->events);
    world_free(stored);
    stored = NULL;
}

/* ---- Chunks and events ---- */

static struct chunk *chunk_slot(struct chunks *chunks, u32 table, u32 number)
{
    u64 at = hash_u64((u64)table << 32 | number);
    for (;; at++) {
        struct chunk *chunk = &chunks->slots[at % CHUNKS_MAX];
        if (!chunk->used || (chunk->table == table && chunk->chunk == number)) return chunk;
    }
}

static void chunk_put(struct chunks *chunks, u32 table, u32 number, const u8 *data, u32 bytes)
{
    struct chunk *chunk = chunk_slot(chunks, table, number);
    if (!chunk->used) ASSERT(++chunks->count < CHUNKS_MAX / 2);
    world_free(chunk->data);
    *chunk = (struct chunk){.used = true, .table = table, .chunk = number, .bytes = bytes};
    bool zero = bytes == 0 || (data[0] == 0 && memcmp(data, data + 1, bytes - 1) == 0);
    if (zero) return;
    chunk->data = world_alloc(bytes);
    memcpy(chunk->data, data, bytes);
}

static void event_put(struct events *events, const struct tkd_event *event)
{
    if (events->count == events->capacity) {
        events->capacity = events->capacity == 0 ? 256 : events->capacity * 2;
        events->items = world_grow(events->items, events->capacity * sizeof *events->items);
    }
    u8 *copy = world_alloc(event->size);
    memcpy(copy, event, event->size);
    events->items[events->count++] = copy;
}

/* ---- Jobs ---- */

static void job_time(struct store *store)
{
    if (store->first == NULL) return;
    store->due_ns = world->now_ns + some_ns(2 * MS_NS) * world->store_slow_factor;
}

static u64 job_hash(const struct store_job *job)
{
    return job->bytes == 0 ? 0 : hash64(job->data, job->bytes, 1);
}

void store_submit(struct store *store, struct store_job *job)
{
    ASSERT(store == open_store && job->done != NULL);
    ASSERT(job->kind >= STORE_CHUNKS && job->kind <= STORE_COPY);
    job->next = NULL;
    /* Kept in a member that is the store's, to see that the buffers stay as they are. */
    job->result = (i32)(job_hash(job) & 0x7fffffff);
    if (store->first == NULL) {
        store->first = store->last = job;
        job_time(store);
    } else {
        store->last->next = job;
        store->last = job;
    }
}

static i32 run_chunks(struct store *store, const struct store_job *job)
{
    if (store->snapshot_op != job->root.op) {
        if (store->snapshot_op != 0 || job->root.op <= stored->root.op)
            violation("rows of op %llu while a snapshot of op %llu is unfinished",
                      (unsigned long long)job->root.op, (unsigned long long)store->snapshot_op);
        store->snapshot_op = job->root.op;
        store->staged = world_alloc(sizeof *store->staged);
    }
    for (u64 at = 0; at < job->bytes;) {
        const struct store_chunk *chunk = (const void *)((const u8 *)job->data + at);
        const u8 *data = (const u8 *)(chunk + 1);
        if ((u32)hash64(data, chunk->bytes, 0) != chunk->checksum) violation("a chunk's checksum is wrong");
        chunk_put(store->staged, chunk->table, chunk->chunk, data, chunk->bytes);
        at += sizeof *chunk + round_up(chunk->bytes, 8);
    }
    return 0;
}

static i32 run_events(struct store *store, const struct store_job *job)
{
    for (u64 at = 0; at < job->bytes;) {
        const struct tkd_event *event = (const void *)((const u8 *)job->data + at);
        u64 last = stored->events.count + store->staged_events.count;
        if (event->seq > last + 1)
            violation("event %llu follows %llu in the store", (unsigned long long)event->seq,
                      (unsigned long long)last);
        if (event->seq == last + 1) event_put(&store->staged_events, event);
        at += event->size;
    }
    return 0;
}

static void commit_rows(struct store *store)
{
    for (u32 i = 0; i < CHUNKS_MAX; i++) {
        const struct chunk *chunk = &store->staged->slots[i];
        static const u8 zeros[4096];
        if (!chunk->used) continue;
        chunk_put(&stored->chunks, chunk->table, chunk->chunk, chunk->data == NULL ? zeros : chunk->data,
                  chunk->bytes);
    }
    chunks_free(store->staged);
    world_free(store->staged);
    store->staged = NULL;
    store->snapshot_op = 0;
}

static i32 run_commit(struct store *store, const struct store_root *root)
{
    bool finishes = store->snapshot_op != 0 && root->op == store->snapshot_op;
    if (!finishes && stored->has_root && store->snapshot_op != 0 && root->op != stored->root.op)
        violation("a root of op %llu without its rows", (unsigned long long)root->op);
    for (u64 i = 0; i < store->staged_events.count; i++) {
        event_put(&stored->events, (const struct tkd_event *)(void *)store->staged_events.items[i]);
        disk_store_bytes(128);
    }
    events_free(&store->staged_events);
    if (finishes) commit_rows(store);
    if (root->event_seq > stored->events.count)
        violation("a root that claims event %llu, but %llu are stored", (unsigned long long)root->event_seq,
                  (unsigned long long)stored->events.count);
    stored->root = *root;
    stored->has_root = true;
    return 0;
}

static i32 run_copy(const struct store_job *job)
{
    i32 made = file_make_directory(job->path);
    if (made == 0) return -EEXIST;
    return made < 0 ? made : 0;
}

static i32 job_run(struct store *store, const struct store_job *job)
{
    if (store->failed < 0) return store->failed;
    if (job->kind == STORE_COPY) return run_copy(job);
    i32 result = exhaust_call(CALL_STORE_JOB);
    if (result == 0 && fault(FAULT_STORE_ERROR, 1, 300)) {
        world->errors_expected = true;
        result = chance(1, 2) ? -EIO : -ENOSPC;
    }
    if (result == 0 && job->kind == STORE_CHUNKS) result = run_chunks(store, job);
    if (result == 0 && job->kind == STORE_EVENTS) result = run_events(store, job);
    if (result == 0 && job->kind == STORE_COMMIT) result = run_commit(store, &job->root);
    store->failed = result;
    return result;
}

u64 store_next_ns(void)
{
    return open_store == NULL || open_store->first == NULL ? U64_NONE : open_store->due_ns;
}

u32 store_step(void)
{
    struct store *store = open_store;
    if (store == NULL || store->first == NULL || store->due_ns > world->now_ns) return 0;
    struct store_job *job = store->first;
    if ((i32)(job_hash(job) & 0x7fffffff) != job->result)
        violation("a buffer changed while the store had it");
    crash_step(); /* before it is done ... */
    i32 result = job_run(store, job);
    trace_add((u64)job->kind << 16 ^ (u64)(u32)result ^ world->now_ns);
    crash_step(); /* ... and after it, unheard */
    store->first = job->next;
    job_time(store);
    job->done(job, result);
    return 1;
}

/* ---- Opening and closing ---- */

static void staged_drop(struct store *store)
{
    if (store->staged != NULL) chunks_free(store->staged);
    world_free(store->staged);
    events_free(&store->staged_events);
    world_free(store);
    open_store = NULL;
}

void store_crash(void)
{
    if (open_store != NULL) staged_drop(open_store);
}

i32 store_open(struct store **store, const char *directory, struct io *io, char *error, u32 error_bytes)
{
    ASSERT(io != NULL && open_store == NULL);
    *store = NULL;
    i32 result = file_make_directory(directory);
    if (result >= 0 && fault(FAULT_READ_ERROR, 1, 40)) result = -EIO;
    if (result >= 0) result = exhaust_call(CALL_STORE_OPEN);
    if (result < 0) {
        world->errors_expected = true;
        snprintf(error, error_bytes, "cannot open the store %s: %s", directory, strerror(-result));
        return result;
    }
    *store = open_store = world_alloc(sizeof **store);
    return 0;
}

void store_close(struct store *store)
{
    if (store != NULL) staged_drop(store);
}

/* ---- Reading ---- */

i32 store_root_read(struct store *store, struct store_root *root)
{
    (void)store;
    i32 error = exhaust_call(CALL_STORE_READ);
    if (error < 0) return error;
    if (!stored->has_root) return 1;
    *root = stored->root;
    return 0;
}

i32 store_chunks_each(struct store *store, store_chunk_fn *fn, void *owner, char *error, u32 error_bytes)
{
    (void)store;
    /* Tables hold few chunks each: ascending by looking for each number. */
    for (u32 i = 0; i < CHUNKS_MAX; i++) {
        const struct chunk *chunk = &stored->chunks.slots[i];
        if (!chunk->used || chunk->data == NULL) continue;
        if (exhaust_call(CALL_STORE_READ) < 0 || fault(FAULT_READ_ERROR, 1, 5000)) {
            world->errors_expected = true;
            snprintf(error, error_bytes, "the store is damaged: chunk %u of table %u: %s", chunk->chunk,
                     chunk->table, strerror(EIO));
            return -EIO;
        }
        i32 result = fn(owner, chunk->table, chunk->chunk, chunk->data, chunk->bytes);
        if (result != 0) return result;
    }
    return 0;
}

static const struct tkd_event *event_stored_at(u64 seq)
{
    if (seq == 0 || seq > stored->events.count) return NULL;
    return (const struct tkd_event *)(void *)stored->events.items[seq - 1];
}

i32 store_event_read(struct store *store, u64 seq, void *buffer, u32 bytes_max)
{
    (void)store;
    const struct tkd_event *event = event_stored_at(seq);
    i32 error = exhaust_call(CALL_STORE_READ);
    if (error < 0) return error;
    if (event == NULL) return 1;
    if (event->size > bytes_max) return -EMSGSIZE;
    memcpy(buffer, event, event->size);
    return 0;
}

i32 store_events_read(struct store *store, u64 seq, void *buffer, u32 bytes_max, u32 *bytes)
{
    (void)store;
    *bytes = 0;
    i32 error = exhaust_call(CALL_STORE_READ);
    if (error < 0) return error;
    const struct tkd_event *event = event_stored_at(seq);
    if (event == NULL) return 1;
    for (; event != NULL && event->size <= bytes_max - *bytes; event = event_stored_at(++seq)) {
        memcpy((u8 *)buffer + *bytes, event, event->size);
        *bytes += event->size;
    }
    return *bytes == 0 ? -EMSGSIZE : 0;
}

i32 store_event_last(struct store *store, u64 *seq)
{
    (void)store;
    i32 error = exhaust_call(CALL_STORE_READ);
    if (error < 0) return error;
    *seq = stored->events.count;
    return 0;
}

i32 store_archived_read(struct store *store, u64 ticket, u64 *event_seq)
{
    (void)store;
    for (u64 seq = stored->events.count; seq > 0; seq--) {
        const struct tkd_event *event = event_stored_at(seq);
        if (event->kind != TKD_EVENT_ARCHIVED || event->ticket != ticket) continue;
        *event_seq = seq;
        return 0;
    }
    return 1;
}

u64 store_bytes(struct store *store)
{
    (void)store;
    return stored->events.count * 128;
}

u64 store_disk_room(struct store *store)
{
    (void)store;
    return disk_room();
}
