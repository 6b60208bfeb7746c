#include "durable/recovery.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mark.h"
#include "durable/segment.h"
#include "port/clock.h"
#include "port/file.h"

#define EVENT_JOB_BYTES (4u << 20)

/* What the steps share; gone when the desk runs. */
struct opening {
    struct recovery *recovery;
    const struct recovery_config *config;
    struct io *io;
    char *error;
    u32 error_bytes;
    u64 event_stored; /* last event in the store */
    void *results;    /* of replayed commands; nobody reads them */
};

static i32 explain(const struct opening *opening, i32 result, const char *what, const char *remedy)
{
    snprintf(opening->error, opening->error_bytes, "%s %s: %s; remedy: %s", what, opening->recovery->data,
             strerror(-result), remedy);
    return result;
}

/* ---- The store, synchronously: the loop does not run yet ---- */

static void job_done(struct store_job *job, i32 result) { *(i32 *)job->owner = result; }

static i32 job_run(const struct opening *opening, struct store_job *job)
{
    i32 result = 1;
    job->done = job_done;
    job->owner = &result;
    store_submit(opening->recovery->store, job);
    while (result == 1) io_run(opening->io, true);
    return result;
}

static i32 root_commit(const struct opening *opening, const struct store_root *root)
{
    struct store_job job = {.kind = STORE_COMMIT, .root = *root};
    i32 result = job_run(opening, &job);
    return result < 0 ? explain(opening, result, "cannot write the store in", "free some disk space") : 0;
}

/* From its root on a store has a log: one that is not there any more is missed. */
static i32 root_make(struct opening *opening)
{
    struct recovery *recovery = opening->recovery;
    char log[FILE_PATH_BYTES];
    i32 result = file_join(log, recovery->data, "log");
    if (result == 0) result = segments_unused_make(log);
    if (result < 0) {
        snprintf(opening->error, opening->error_bytes, "cannot begin the log in %s: %s; remedy: %s", log,
                 strerror(-result),
                 file_disk_full(result) ? "free some disk space" : "check the disk and the directory");
        return result;
    }
    MARK("store made");
    recovery->created = true;
    recovery->root = (struct store_root){
        .format_version = STORE_FORMAT_VERSION,
        .machine_version = STATE_MACHINE_VERSION,
        .store_id = file_random(),
        .secret = file_random(),
        .virtual_clock = opening->config->state.virtual_clock ? 1 : 0,
    };
    return root_commit(opening, &recovery->root);
}

static i32 root_check(const struct opening *opening)
{
    const struct store_root *root = &opening->recovery->root;
    if (root->machine_version > STATE_MACHINE_VERSION) {
        snprintf(opening->error, opening->error_bytes,
                 "%s was written by state machine version %u; this program has %u; remedy: start it with the program "
                 "that wrote it",
                 opening->recovery->data, root->machine_version, STATE_MACHINE_VERSION);
        return -EPROTONOSUPPORT;
    }
    if ((root->virtual_clock != 0) != opening->config->state.virtual_clock) {
        const char *clock = root->virtual_clock != 0 ? "virtual" : "wall";
        snprintf(opening->error, opening->error_bytes,
                 "%s runs on the %s clock; remedy: start with --clock %s, or choose another --data directory",
                 opening->recovery->data, clock, clock);
        return -EINVAL;
    }
    return 0;
}

static i32 store_start(struct opening *opening)
{
    struct recovery *recovery = opening->recovery;
    char path[FILE_PATH_BYTES];
    i32 result = file_join(path, recovery->data, "store");
    if (result < 0) return explain(opening, result, "cannot open", "choose a shorter path");
    result = store_open(&recovery->store, path, opening->io, opening->error, opening->error_bytes);
    if (result < 0) return result;
    result = store_root_read(recovery->store, &recovery->root);
    if (result < 0)
        return explain(opening, result, "the root does not verify of the store in", "start from a backup");
    result = result == 1 ? root_make(opening) : root_check(opening);
    if (result < 0) return result;
    result = store_event_last(recovery->store, &opening->event_stored);
    if (result < 0)
        return explain(opening, result, "events do not verify of the store in", "start from a backup");
    if (opening->event_stored < recovery->root.event_seq)
        return explain(opening, -EIO, "the newest events are missing from the store in", "start from a backup");
    return 0;
}

/* ---- Rows ---- */

static i32 load_chunk(void *owner, u32 table, u32 chunk, const void *data, u32 bytes)
{
    struct opening *opening = owner;
    if (state_load_chunk(opening->recovery->state, table, chunk, data, bytes)) {
        opening->recovery->chunks++;
        return 0;
    }
    snprintf(opening->error, opening->error_bytes,
             "chunk %u of table %u in the store of %s has no place in memory; remedy: raise --memory-budget; if it "
             "was not lowered, the store is damaged: start from a backup",
             chunk, table, opening->recovery->data);
    return -ENOMEM;
}

static i32 rows_load(struct opening *opening)
{
    struct recovery *recovery = opening->recovery;
    const struct store_root *root = &recovery->root;
    i32 result =
        store_chunks_each(recovery->store, load_chunk, opening, opening->error, opening->error_bytes);
    if (result != 0) return result;
    opening->error[0] = 0;
    bool loaded = state_loaded(recovery->state, root->op, root->time_ms, root->event_seq, opening->error,
                               opening->error_bytes);
    return loaded ? 0 : -EIO;
}

static i32 state_start(struct opening *opening)
{
    struct recovery *recovery = opening->recovery;
    struct state_config config = opening->config->state;
    config.secret = recovery->root.secret;
    recovery->memory_bytes = state_bytes(&config);
    recovery->memory = file_buffer(recovery->memory_bytes);
    if (recovery->memory == NULL) {
        return explain(opening, -ENOMEM, "cannot reserve memory for",
                       "lower --memory-budget, or raise the limit of address space (ulimit -v unlimited)");
    }
    recovery->state = state_create(&config, recovery->memory);
    growth_start(&recovery->growth, recovery->state);
    u64 chunks[STORE_TABLES_MAX];
    for (u32 i = 0; i < STORE_TABLES_MAX; i++) chunks[i] = store_chunks(recovery->store, i);
    state_pieces_of(recovery->state, chunks, ahead_add, &recovery->growth.ahead);
    return rows_load(opening);
}

/* ---- Replay ---- */

/* What the store has already need not be kept in the ring. */
static void events_known(const struct opening *opening)
{
    struct event_log *log = state_events(opening->recovery->state);
    event_stored(log, min_u64(opening->event_stored, log->seq_next - 1));
}

/* Stores everything in the ring: it all comes from the log, so it is durable. */
static i32 events_flush(struct opening *opening)
{
    struct event_log *log = state_events(opening->recovery->state);
    u64 newest = log->seq_next - 1;
    while (opening->event_stored < newest) {
        u64 bytes, last;
        u64 first = opening->event_stored + 1;
        struct store_job job = {.kind = STORE_EVENTS};
        job.data = event_run(log, first, newest, EVENT_JOB_BYTES, &bytes, &last);
        ASSERT(job.data != NULL);
        job.bytes = bytes;
        i32 result = job_run(opening, &job);
        if (result < 0) return explain(opening, result, "cannot store events in", "free some disk space");
        opening->event_stored = last;
    }
    i32 result = root_commit(opening, &opening->recovery->root);
    if (result == 0) events_known(opening);
    return result;
}

/* As before it was logged; only the memory may be less now. */
static i32 replay_room(struct opening *opening, const struct wal_entry *entry)
{
    const struct state *state = opening->recovery->state;
    const void *reply;
    u32 reply_bytes;
    enum tkd_status status = state_admit(state, entry->frame, &reply, &reply_bytes);
    if (status == TKD_BUSY) {
        MARK("events stored during the replay");
        i32 result = events_flush(opening);
        if (result < 0) return result;
        status = state_admit(state, entry->frame, &reply, &reply_bytes);
    }
    if (status == TKD_OK) return 0;
    snprintf(opening->error, opening->error_bytes,
             "op %" PRIu64 " of the log in %s has no place in memory (%s); remedy: raise --memory-budget",
             entry->op, opening->recovery->data, tkd_status_info(status)->name);
    return -ENOMEM;
}

static i32 replay(void *owner, const struct wal_entry *entry)
{
    struct opening *opening = owner;
    struct state *state = opening->recovery->state;
    struct command command = {.op = entry->op, .time_ms = entry->time_ms, .frame = entry->frame};
    if (!state_follows(state, &command)) {
        snprintf(opening->error, opening->error_bytes,
                 "op %" PRIu64 " of the log does not follow the state at op %" PRIu64
                 "; remedy: start from a backup",
                 entry->op, state_op(state));
        return -EIO;
    }
    i32 result = replay_room(opening, entry);
    if (result < 0) return result;
    state_apply(state, &command, opening->results);
    if (state_events(state)->stored_seq < opening->event_stored) events_known(opening);
    growth_turn(&opening->recovery->growth);
    opening->recovery->commands++;
    return 0;
}

static i32 log_start(struct opening *opening)
{
    struct recovery *recovery = opening->recovery;
    const struct store_root *root = &recovery->root;
    char path[FILE_PATH_BYTES];
    i32 result = file_join(path, recovery->data, "log");
    if (result < 0) return explain(opening, result, "cannot open", "choose a shorter path");
    struct wal_config config = opening->config->wal;
    config.directory = path;
    config.store_id = root->store_id;
    config.machine_version = STATE_MACHINE_VERSION;
    config.after_checksum = root->log_checksum;
    events_known(opening);
    result = wal_open(&recovery->wal, &config, opening->io, root->op, replay, opening, opening->error,
                      opening->error_bytes);
    if (result < 0) return result;
    recovery->log_bytes = wal_replayed_bytes(recovery->wal);
    recovery->torn_bytes = wal_torn_bytes(recovery->wal);
    u64 newest = state_events(recovery->state)->seq_next - 1;
    if (opening->event_stored <= newest) return 0;
    snprintf(opening->error, opening->error_bytes,
             "the store of %s holds events up to %" PRIu64
             ", but store and log lead only up to event %" PRIu64
             ": the end of the log is missing; remedy: put the log that belongs to this store back, or start "
             "from a "
             "backup",
             recovery->data, opening->event_stored, newest);
    return -EIO;
}

/* ---- All of it ---- */

static i32 directory_start(struct opening *opening)
{
    struct recovery *recovery = opening->recovery;
    i32 result = file_make_directory(recovery->data);
    if (result < 0)
        return explain(opening, result, "cannot make the data directory", "make its parent writable");
    result = file_lock(recovery->data, opening->error, opening->error_bytes);
    if (result < 0) return result;
    recovery->lock_fd = result;
    result = file_sync_directory(recovery->data);
    if (result < 0) return explain(opening, result, "cannot sync the data directory", "check the disk");
    return 0;
}

static i32 start(struct opening *opening)
{
    opening->recovery->data = strdup(opening->config->data);
    opening->results = malloc(TKD_RECORDS_MAX * sizeof(struct tkd_result));
    if (opening->recovery->data == NULL || opening->results == NULL) {
        snprintf(opening->error, opening->error_bytes, "no memory to start; remedy: free some");
        return -ENOMEM;
    }
    i32 result = directory_start(opening);
    if (result == 0) result = store_start(opening);
    if (result == 0) result = state_start(opening);
    if (result == 0) result = log_start(opening);
    return result;
}

i32 recovery_open(struct recovery *recovery, const struct recovery_config *config, struct io *io, char *error,
                  u32 error_bytes)
{
    ASSERT(error_bytes > 0);
    error[0] = 0;
    *recovery = (struct recovery){.lock_fd = -1};
    struct opening opening = {
        .recovery = recovery, .config = config, .io = io, .error = error, .error_bytes = error_bytes};
    u64 begin_ns = clock_monotonic_ns();
    i32 result = start(&opening);
    free(opening.results);
    recovery->elapsed_ms = (clock_monotonic_ns() - begin_ns) / 1000000;
    if (result == 0) return 0;
    recovery_close(recovery);
    return result < 0 ? result : -EINVAL;
}

void recovery_close(struct recovery *recovery)
{
    growth_stop(&recovery->growth);
    wal_close(recovery->wal);
    store_close(recovery->store);
    file_buffer_free(recovery->memory, recovery->memory_bytes);
    file_close(recovery->lock_fd);
    free(recovery->data);
    *recovery = (struct recovery){.lock_fd = -1};
}
