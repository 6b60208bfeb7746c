#include "durable/checkpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mark.h"
#include "durable/segment.h"
#include "port/clock.h"
#include "port/file.h"

#define LOG_BYTES_DEFAULT         (192ull << 20)
#define EVENT_FLUSH_BYTES_DEFAULT (1ull << 20)
#define DISK_ROOM_BYTES_DEFAULT   (64ull << 20)
/* A commit's pages stand before the log's next write in the queue of the disk, four times the rows that were changed at
 * worst: so each is small. */
#define COMMIT_ROWS_BYTES         LIMIT(1ull << 20, 64ull << 10)
#define SLICE_BYTES               LIMIT(256u << 10, 16u << 10)
#define SLICE_BYTES_MIN           4096u
enum {
    SLICES = LIMIT(8, 2), /* while one commit runs the rows of the next are ready */
    SLICE_CHUNKS = LIMIT(16, 4),
    EVENT_JOBS = LIMIT(16, 2),
    EVENT_JOB_BYTES = LIMIT(256 << 10, 4 << 10),
    EVENT_FLUSH_MS_DEFAULT = 500,
    SLICE_US_DEFAULT = 100,
    LOG_LAG_MAX = 3, /* times log_bytes: about so long the log may become */
    PACE_SLACK = 8,  /* a part of log_bytes */
};

enum rows_phase {
    ROWS_IDLE = 1,
    ROWS_SLICING,    /* rows are copied out and handed over */
    ROWS_DRAINING,   /* the log and the events up to the snapshot follow */
    ROWS_COMMITTING, /* its root is on the way */
};

struct slice {
    struct store_job job;
    u8 *buffer;
    bool busy;
};

struct event_job {
    struct store_job job;
    bool busy;
};

struct checkpoint {
    struct state *state;
    struct wal *wal;
    struct store *store;
    struct io *io;
    struct checkpoint_config config;
    char *backups;
    bool failed;
    bool full; /* the disk has no room; looked at again each time the timer fires */
    u32 jobs;  /* in flight */

    struct store_root root; /* what the store holds */
    struct store_root next; /* what the running row checkpoint will make of it */
    enum rows_phase rows;
    u64 begin_log_bytes; /* how long the log was when it began ... */
    u32 begin_chunks;    /* ... and what was to be copied */
    u64 rows_bytes;      /* handed over since the last COMMIT */
    u64 rows_bytes_total;
    u64 count;

    /* Events: raised -> durable -> given to the store -> stored (event_log.stored_seq). */
    u64 mark_op;  /* when this op is durable ... */
    u64 mark_seq; /* ... so are the events up to here */
    u64 durable_seq;
    u64 given_seq;
    u64 goal_seq;         /* up to here they are to be given */
    u64 waiting_since_ns; /* since when there are some beyond the goal; 0: there are none */

    struct slice slices[SLICES];
    u32 slice; /* being filled */
    u64 slice_used;
    struct event_job events[EVENT_JOBS];
    struct store_job commit;
    bool committing;
    u64 commit_seq; /* events up to here are stored when it is done */

    struct checkpoint_request *requests; /* in the order of their arrival */
    struct checkpoint_request *backup;   /* under way */
    struct store_job copy;
    struct io_op naming;
    i32 backups_fd;
    struct io_op timer;
};

static struct event_log *event_log_of(const struct checkpoint *checkpoint)
{
    return state_events(checkpoint->state);
}

/* ---- Requests ---- */

static void request_remove(struct checkpoint *checkpoint, struct checkpoint_request *request)
{
    struct checkpoint_request **link = &checkpoint->requests;
    while (*link != request) link = &(*link)->next;
    *link = request->next;
    request->next = NULL;
}

static void request_finish(struct checkpoint *checkpoint, struct checkpoint_request *request, i32 result)
{
    request_remove(checkpoint, request);
    request->done(request, result);
}

static bool is_backup(const struct checkpoint_request *request) { return request->backup[0] != 0; }

/* A copy made now would start without a log: nothing beyond the root is in the store, or on its way. */
static bool root_stands_alone(const struct checkpoint *checkpoint)
{
    return !checkpoint->committing && checkpoint->rows == ROWS_IDLE &&
           checkpoint->given_seq == checkpoint->root.event_seq &&
           event_log_of(checkpoint)->stored_seq == checkpoint->root.event_seq;
}

static bool covered(const struct checkpoint *checkpoint, const struct checkpoint_request *request)
{
    return request->op <= checkpoint->root.op && (!is_backup(request) || root_stands_alone(checkpoint));
}

/* The first one that the store covers; `backup` or plain ones. */
static struct checkpoint_request *request_covered(const struct checkpoint *checkpoint, bool backup)
{
    struct checkpoint_request *request = checkpoint->requests;
    while (request != NULL && (is_backup(request) != backup || !covered(checkpoint, request))) {
        request = request->next;
    }
    return request;
}

/* The first one that needs a row checkpoint. Backups are made one by one, each right behind one of its own:
 * they do not ask while another one is under way. */
static struct checkpoint_request *request_uncovered(const struct checkpoint *checkpoint)
{
    struct checkpoint_request *request = checkpoint->requests;
    while (request != NULL &&
           (covered(checkpoint, request) || (is_backup(request) && checkpoint->backup != NULL))) {
        request = request->next;
    }
    return request;
}

static bool backup_wanted(const struct checkpoint *checkpoint)
{
    const struct checkpoint_request *request = checkpoint->requests;
    while (request != NULL && !is_backup(request)) request = request->next;
    return request != NULL;
}

/* The disk is full: nobody waits for room. */
static bool requests_refuse(struct checkpoint *checkpoint)
{
    bool again = false;
    struct checkpoint_request *request;
    while ((request = request_uncovered(checkpoint)) != NULL) {
        MARK("checkpoint refused: disk full");
        request_finish(checkpoint, request, -ENOSPC);
        again = true;
    }
    return again;
}

static bool backup_name_good(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    u64 bytes = strlen(name);
    return bytes <= 64 && name[0] != '.' && strspn(name, letters) == bytes;
}

void checkpoint_request(struct checkpoint *checkpoint, struct checkpoint_request *request)
{
    ASSERT(request->done != NULL && request->backup[sizeof request->backup - 1] == 0);
    request->op = state_op(checkpoint->state);
    request->next = NULL;
    struct checkpoint_request **link = &checkpoint->requests;
    while (*link != NULL) link = &(*link)->next;
    *link = request;
}

/* ---- Failure ---- */

static void fail(struct checkpoint *checkpoint, const char *step, i32 result)
{
    if (checkpoint->failed) return;
    checkpoint->failed = true;
    bool no_room = store_disk_room(checkpoint->store) < checkpoint->config.disk_room_bytes;
    char what[256];
    snprintf(what, sizeof what, "the store failed (%s): %s%s", step, strerror(-result),
             no_room ? "; its disk is full" : "");
    checkpoint->config.failed(checkpoint->config.owner, what);
    MARK("store failed");
    while (checkpoint->requests != NULL) request_finish(checkpoint, checkpoint->requests, result);
    checkpoint->backup = NULL; /* its copy may still be under way, for nobody */
}

static void submit(struct checkpoint *checkpoint, struct store_job *job)
{
    checkpoint->jobs++;
    store_submit(checkpoint->store, job);
}

/* ---- Events ---- */

/* Where an event begins in the ring's endless count of bytes. */
static u64 event_position(const struct event_log *log, u64 seq)
{
    if (seq >= log->seq_next) return log->head;
    return log->offsets[max_u64(seq, log->seq_first) % log->offsets_count];
}

static u64 event_bytes_unstored(const struct event_log *log)
{
    return log->head - event_position(log, log->stored_seq + 1);
}

/* Learns which events have become durable with the log. */
static void durable_advance(struct checkpoint *checkpoint)
{
    u64 synced_op = wal_synced_op(checkpoint->wal);
    u64 newest = event_log_of(checkpoint)->seq_next - 1;
    if (checkpoint->mark_op <= synced_op) {
        checkpoint->durable_seq = max_u64(checkpoint->durable_seq, checkpoint->mark_seq);
        checkpoint->mark_op = state_op(checkpoint->state);
        checkpoint->mark_seq = newest;
        if (checkpoint->mark_op <= synced_op) checkpoint->durable_seq = newest;
    }
    if (checkpoint->goal_seq >= newest)
        checkpoint->waiting_since_ns = 0;
    else if (checkpoint->waiting_since_ns == 0)
        checkpoint->waiting_since_ns = clock_monotonic_ns();
}

static void event_job_done(struct store_job *job, i32 result)
{
    struct checkpoint *checkpoint = job->owner;
    checkpoint->jobs--;
    ((struct event_job *)job)->busy = false;
    if (result < 0) fail(checkpoint, "storing events", result);
}

/* Hands over one run of events up to `goal_seq`. false: nothing could be done now. */
static bool events_give(struct checkpoint *checkpoint)
{
    if (checkpoint->given_seq >= checkpoint->goal_seq) return false;
    struct event_job *free_job = NULL;
    for (u32 i = 0; i < EVENT_JOBS && free_job == NULL; i++) {
        if (!checkpoint->events[i].busy) free_job = &checkpoint->events[i];
    }
    MARK_IF(free_job == NULL, "all event jobs are with the store");
    if (free_job == NULL) return false;
    u64 bytes, last;
    u64 first = checkpoint->given_seq + 1;
    const void *run =
        event_run(event_log_of(checkpoint), first, checkpoint->goal_seq, EVENT_JOB_BYTES, &bytes, &last);
    if (run == NULL) { /* one large event */
        MARK("event larger than a job");
        run = event_run(event_log_of(checkpoint), first, first, U64_NONE, &bytes, &last);
        ASSERT(run != NULL && last == first);
    }
    free_job->job = (struct store_job){
        .kind = STORE_EVENTS, .data = run, .bytes = bytes, .done = event_job_done, .owner = checkpoint};
    free_job->busy = true;
    checkpoint->given_seq = last;
    submit(checkpoint, &free_job->job);
    return true;
}

static bool waited_long(const struct checkpoint *checkpoint)
{
    if (checkpoint->waiting_since_ns == 0) return false;
    u64 waited_ns = sat_sub(clock_monotonic_ns(), checkpoint->waiting_since_ns);
    return waited_ns >= (u64)checkpoint->config.event_flush_ms * 1000000;
}

static bool flush_wanted(const struct checkpoint *checkpoint)
{
    const struct event_log *log = event_log_of(checkpoint);
    u64 waiting = log->head - event_position(log, checkpoint->goal_seq + 1);
    if (waiting == 0) return false;
    return waiting >= checkpoint->config.event_flush_bytes ||
           event_bytes_unstored(log) >= log->ring_bytes / 2 || waited_long(checkpoint);
}

/* ---- Commit ---- */

/* A write that the store cannot finish would be final: it is not begun without room for it. */
static bool disk_has_room(struct checkpoint *checkpoint)
{
    if (checkpoint->full && checkpoint->timer.busy) return false;
    u64 wanted = checkpoint->config.disk_room_bytes + 2 * event_bytes_unstored(event_log_of(checkpoint));
    checkpoint->full = store_disk_room(checkpoint->store) < wanted;
    MARK_IF(checkpoint->full, "no room for a commit");
    return !checkpoint->full;
}

static void commit_done(struct store_job *job, i32 result)
{
    struct checkpoint *checkpoint = job->owner;
    checkpoint->jobs--;
    checkpoint->committing = false;
    if (result < 0) {
        fail(checkpoint, "committing", result);
        return;
    }
    checkpoint->root = job->root;
    event_stored(event_log_of(checkpoint), checkpoint->commit_seq);
    if (checkpoint->rows != ROWS_COMMITTING) return;
    MARK("row checkpoint finished");
    checkpoint->rows = ROWS_IDLE;
    checkpoint->count++;
    wal_recycle(checkpoint->wal, checkpoint->root.op);
}

static void commit(struct checkpoint *checkpoint, const struct store_root *root)
{
    ASSERT(!checkpoint->committing && root->op <= wal_synced_op(checkpoint->wal));
    ASSERT(checkpoint->given_seq <= checkpoint->durable_seq && root->event_seq <= checkpoint->given_seq);
    checkpoint->committing = true;
    checkpoint->commit_seq = checkpoint->given_seq;
    checkpoint->rows_bytes = 0;
    checkpoint->commit =
        (struct store_job){.kind = STORE_COMMIT, .root = *root, .done = commit_done, .owner = checkpoint};
    submit(checkpoint, &checkpoint->commit);
}

/* One at a time: what comes in the meantime goes into the next. */
static void commit_turn(struct checkpoint *checkpoint)
{
    if (checkpoint->committing) return;
    bool rows_complete = checkpoint->rows == ROWS_DRAINING &&
                         wal_synced_op(checkpoint->wal) >= checkpoint->next.op &&
                         checkpoint->given_seq >= checkpoint->next.event_seq;
    bool events_complete = checkpoint->given_seq == checkpoint->goal_seq &&
                           checkpoint->given_seq > event_log_of(checkpoint)->stored_seq;
    if (rows_complete) {
        checkpoint->rows = ROWS_COMMITTING;
        commit(checkpoint, &checkpoint->next);
    } else if (events_complete || checkpoint->rows_bytes >= COMMIT_ROWS_BYTES) {
        commit(checkpoint, &checkpoint->root);
    }
}

/* ---- Rows ---- */

static void slice_done(struct store_job *job, i32 result)
{
    struct checkpoint *checkpoint = job->owner;
    checkpoint->jobs--;
    ((struct slice *)job)->busy = false;
    if (result < 0) fail(checkpoint, "storing rows", result);
}

static void slice_submit(struct checkpoint *checkpoint)
{
    struct slice *slice = &checkpoint->slices[checkpoint->slice];
    slice->job = (struct store_job){.kind = STORE_CHUNKS,
                                    .data = slice->buffer,
                                    .bytes = checkpoint->slice_used,
                                    .done = slice_done,
                                    .owner = checkpoint};
    slice->job.root.op = checkpoint->next.op;
    slice->busy = true;
    checkpoint->rows_bytes += checkpoint->slice_used;
    checkpoint->rows_bytes_total += checkpoint->slice_used;
    checkpoint->slice = (checkpoint->slice + 1) % SLICES;
    checkpoint->slice_used = 0;
    submit(checkpoint, &slice->job);
}

/* The rows as of now, which the log has to reach before they may be committed. */
static void rows_begin(struct checkpoint *checkpoint)
{
    ASSERT(wal_last_op(checkpoint->wal) == state_op(checkpoint->state));
    checkpoint->next = checkpoint->root;
    checkpoint->next.format_version = STORE_FORMAT_VERSION;
    checkpoint->next.machine_version = STATE_MACHINE_VERSION;
    checkpoint->next.op = state_op(checkpoint->state);
    checkpoint->next.time_ms = state_time(checkpoint->state);
    checkpoint->next.event_seq = event_log_of(checkpoint)->seq_next - 1;
    checkpoint->next.log_checksum = wal_checksum(checkpoint->wal);
    checkpoint->begin_log_bytes = wal_bytes_since(checkpoint->wal, checkpoint->root.op);
    state_snapshot_begin(checkpoint->state);
    checkpoint->begin_chunks = state_snapshot_pending(checkpoint->state);
    checkpoint->slice_used = 0;
    checkpoint->rows = ROWS_SLICING;
}

/* Copies rows out for about slice_us. false: all buffers are with the store, or the disk is full. */
static bool rows_slice(struct checkpoint *checkpoint)
{
    if (checkpoint->rows_bytes == 0 && !disk_has_room(checkpoint)) return requests_refuse(checkpoint);
    u64 end_ns = clock_monotonic_ns() + (u64)checkpoint->config.slice_us * 1000;
    bool finished = false;
    do {
        struct slice *slice = &checkpoint->slices[checkpoint->slice];
        MARK_IF(slice->busy, "all slices are with the store");
        if (slice->busy) return false;
        u64 room = SLICE_BYTES - checkpoint->slice_used;
        checkpoint->slice_used += state_snapshot_slice(
            checkpoint->state, slice->buffer + checkpoint->slice_used, room, SLICE_CHUNKS, &finished);
        ASSERT(checkpoint->slice_used <= SLICE_BYTES);
        bool full = SLICE_BYTES - checkpoint->slice_used < SLICE_BYTES_MIN;
        if (full || (finished && checkpoint->slice_used > 0)) slice_submit(checkpoint);
    } while (!finished && clock_monotonic_ns() < end_ns);
    if (finished) checkpoint->rows = ROWS_DRAINING;
    return true;
}

/* The log must reach the snapshot, then the events up to it must be given. */
static void rows_drain(struct checkpoint *checkpoint)
{
    if (wal_synced_op(checkpoint->wal) < checkpoint->next.op) {
        MARK("rows wait for the log");
        wal_sync(checkpoint->wal); /* a write of the log wakes us */
        return;
    }
    checkpoint->durable_seq = max_u64(checkpoint->durable_seq, checkpoint->next.event_seq);
    checkpoint->goal_seq = max_u64(checkpoint->goal_seq, checkpoint->next.event_seq);
}

static bool rows_wanted(const struct checkpoint *checkpoint)
{
    return request_uncovered(checkpoint) != NULL ||
           wal_bytes_since(checkpoint->wal, checkpoint->root.op) >= checkpoint->config.log_bytes;
}

/* ---- Backup ---- */

static i32 backup_path(const struct checkpoint *checkpoint, char *path, const char *before,
                       const char *behind)
{
    char name[128];
    snprintf(name, sizeof name, "%s%s%s", before, checkpoint->backup->backup, behind);
    return file_join(path, checkpoint->backups, name);
}

static void backup_finish(struct checkpoint *checkpoint, i32 result)
{
    struct checkpoint_request *request = checkpoint->backup;
    checkpoint->backup = NULL;
    file_close(checkpoint->backups_fd);
    checkpoint->backups_fd = -1;
    if (request != NULL) request_finish(checkpoint, request, result);
}

static void naming_done(struct io_op *op, i32 result) { backup_finish(op->owner, result); }

static void copy_done(struct store_job *job, i32 result)
{
    struct checkpoint *checkpoint = job->owner;
    checkpoint->jobs--;
    if (checkpoint->failed) return;
    char partial[FILE_PATH_BYTES], path[FILE_PATH_BYTES];
    /* An empty log: the copy is a whole data directory. */
    if (result == 0) result = backup_path(checkpoint, path, ".", ".partial/log");
    if (result == 0) result = segments_unused_make(path);
    if (result == 0) result = backup_path(checkpoint, partial, ".", ".partial");
    if (result == 0) result = file_sync_directory(partial);
    if (result == 0) result = backup_path(checkpoint, path, "", "");
    if (result == 0) result = file_rename(partial, path);
    if (result == 0) result = checkpoint->backups_fd = file_open_directory(checkpoint->backups);
    if (result < 0) {
        backup_finish(checkpoint, result);
        return;
    }
    MARK("backup copied and named");
    io_sync(checkpoint->io, &checkpoint->naming, checkpoint->backups_fd);
}

/* What a backup of this name left behind when it was interrupted. */
static void backup_leftover_remove(const struct checkpoint *checkpoint)
{
    static const char *const parts[] = {".partial/store/data.mdb", ".partial/store",
                                        (".partial/log/" SEGMENTS_UNUSED), ".partial/log", ".partial"};
    for (u32 i = 0; i < ARRAY_COUNT(parts); i++) {
        char path[FILE_PATH_BYTES];
        if (backup_path(checkpoint, path, ".", parts[i]) == 0) (void)file_remove(path);
    }
}

static void backup_begin(struct checkpoint *checkpoint, struct checkpoint_request *request)
{
    checkpoint->backup = request;
    checkpoint->copy = (struct store_job){.kind = STORE_COPY, .done = copy_done, .owner = checkpoint};
    char path[FILE_PATH_BYTES];
    i32 result = backup_name_good(request->backup) ? 0 : -EINVAL;
    if (result == 0) result = backup_path(checkpoint, path, "", "");
    if (result == 0 && file_exists(path)) result = -EEXIST;
    u64 wanted = store_bytes(checkpoint->store) + checkpoint->config.disk_room_bytes;
    if (result == 0 && store_disk_room(checkpoint->store) < wanted) result = -ENOSPC; /* the desk's own */
    if (result == 0) result = backup_path(checkpoint, checkpoint->copy.path, ".", ".partial/store");
    if (result < 0) {
        backup_finish(checkpoint, result);
        return;
    }
    MARK("backup begun");
    backup_leftover_remove(checkpoint);
    submit(checkpoint, &checkpoint->copy);
}

/* ---- The turn ---- */

static void timer_done(struct io_op *op, i32 result)
{
    (void)op;
    (void)result; /* it only wakes the loop */
}

static void timer_start(struct checkpoint *checkpoint)
{
    bool waits = checkpoint->waiting_since_ns != 0 || checkpoint->full;
    if (!waits || checkpoint->timer.busy) return;
    io_timeout(checkpoint->io, &checkpoint->timer, (u64)checkpoint->config.event_flush_ms * 1000);
}

/* Each part's turn answers whether it could go on at once. */
static bool rows_turn(struct checkpoint *checkpoint)
{
    if (checkpoint->rows == ROWS_SLICING) return rows_slice(checkpoint);
    if (checkpoint->rows == ROWS_DRAINING) rows_drain(checkpoint);
    if (checkpoint->rows != ROWS_IDLE || !rows_wanted(checkpoint)) return false;
    if (disk_has_room(checkpoint)) {
        rows_begin(checkpoint);
        return true;
    }
    return requests_refuse(checkpoint);
}

/* A backup is to hold the events up to its root and no more: the others wait for the COMMIT of that. */
static u64 events_limit(const struct checkpoint *checkpoint)
{
    bool held = checkpoint->rows != ROWS_IDLE && backup_wanted(checkpoint);
    MARK_IF(held, "events held back for a backup");
    return held ? min_u64(checkpoint->durable_seq, checkpoint->next.event_seq) : checkpoint->durable_seq;
}

static bool events_turn(struct checkpoint *checkpoint)
{
    if (checkpoint->given_seq < checkpoint->goal_seq) return events_give(checkpoint);
    if (!flush_wanted(checkpoint)) return false;
    u64 limit = events_limit(checkpoint);
    if (limit <= checkpoint->goal_seq) {
        MARK("events wait for the log");
        wal_sync(checkpoint->wal); /* where it does not happen by itself */
        return false;
    }
    if (!disk_has_room(checkpoint)) return false;
    checkpoint->goal_seq = limit;
    checkpoint->waiting_since_ns = 0;
    return events_give(checkpoint);
}

/* Whoever was answered may have to act on it: another turn. */
static bool requests_turn(struct checkpoint *checkpoint)
{
    bool again = false;
    struct checkpoint_request *request;
    while ((request = request_covered(checkpoint, false)) != NULL) {
        request_finish(checkpoint, request, 0);
        again = true;
    }
    if (checkpoint->backup != NULL) return again;
    request = request_covered(checkpoint, true);
    if (request == NULL) return again;
    backup_begin(checkpoint, request);
    return true;
}

bool checkpoint_turn(struct checkpoint *checkpoint)
{
    if (checkpoint->failed) return false;
    durable_advance(checkpoint);
    if (checkpoint->full) (void)disk_has_room(checkpoint); /* nothing else may ask: commands are refused */
    bool again = requests_turn(checkpoint); /* first: a COPY goes right behind the COMMIT that it copies */
    again = rows_turn(checkpoint) || again;
    again = events_turn(checkpoint) || again;
    commit_turn(checkpoint);
    timer_start(checkpoint);
    return again;
}

/* While rows are copied out the log may grow by half of what it may be, and no faster than they are: so intake
 * becomes as fast as the store, instead of standing still until the checkpoint is done. A little is allowed from the
 * begin, and a little kept for the time from the last slice to the COMMIT: also where the log was too long already,
 * after a kill. */
static u64 log_bytes_limit(const struct checkpoint *checkpoint)
{
    u64 max = LOG_LAG_MAX * checkpoint->config.log_bytes, slack = checkpoint->config.log_bytes / PACE_SLACK;
    if (checkpoint->rows == ROWS_IDLE) return max;
    u64 growth = max_u64(min_u64(sat_sub(max, checkpoint->begin_log_bytes), max / 2), 2 * slack);
    if (checkpoint->rows != ROWS_SLICING) return checkpoint->begin_log_bytes + growth;
    u32 copied = checkpoint->begin_chunks - state_snapshot_pending(checkpoint->state);
    double share = (double)copied / (checkpoint->begin_chunks + 1.0);
    return checkpoint->begin_log_bytes + slack + (u64)((double)(growth - 2 * slack) * share);
}

bool checkpoint_slow(const struct checkpoint *checkpoint)
{
    const struct event_log *log = state_events_read(checkpoint->state);
    MARK_IF(state_snapshot_lags(checkpoint->state), "intake slow: saved rows");
    if (state_snapshot_lags(checkpoint->state)) return true;
    MARK_IF(event_bytes_unstored(log) > log->ring_bytes / 4 * 3, "intake slow: events");
    if (event_bytes_unstored(log) > log->ring_bytes / 4 * 3) return true;
    bool slow = wal_bytes_since(checkpoint->wal, checkpoint->root.op) > log_bytes_limit(checkpoint);
    MARK_IF(slow && checkpoint->rows == ROWS_SLICING, "intake slow: as fast as rows are copied");
    MARK_IF(slow && checkpoint->rows != ROWS_SLICING, "intake slow: log");
    return slow;
}

bool checkpoint_full(const struct checkpoint *checkpoint) { return checkpoint->full; }

bool checkpoint_running(const struct checkpoint *checkpoint)
{
    return checkpoint->rows != ROWS_IDLE || checkpoint->committing || checkpoint->requests != NULL ||
           checkpoint->given_seq < checkpoint->goal_seq;
}

const struct store_root *checkpoint_root(const struct checkpoint *checkpoint) { return &checkpoint->root; }

u64 checkpoint_rows_bytes(const struct checkpoint *checkpoint) { return checkpoint->rows_bytes_total; }

u64 checkpoint_count(const struct checkpoint *checkpoint) { return checkpoint->count; }

/* ---- Making and ending ---- */

static void config_complete(struct checkpoint_config *config)
{
    ASSERT(config->backups != NULL && config->failed != NULL);
    if (config->log_bytes == 0) config->log_bytes = LOG_BYTES_DEFAULT;
    if (config->event_flush_bytes == 0) config->event_flush_bytes = EVENT_FLUSH_BYTES_DEFAULT;
    if (config->event_flush_ms == 0) config->event_flush_ms = EVENT_FLUSH_MS_DEFAULT;
    if (config->disk_room_bytes == 0) config->disk_room_bytes = DISK_ROOM_BYTES_DEFAULT;
    if (config->slice_us == 0) config->slice_us = SLICE_US_DEFAULT;
}

struct checkpoint *checkpoint_create(struct state *state, struct wal *wal, struct store *store, struct io *io,
                                     const struct store_root *root, const struct checkpoint_config *config)
{
    struct checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
    if (checkpoint == NULL) return NULL;
    *checkpoint = (struct checkpoint){.state = state,
                                      .wal = wal,
                                      .store = store,
                                      .io = io,
                                      .config = *config,
                                      .root = *root,
                                      .backups_fd = -1};
    config_complete(&checkpoint->config);
    checkpoint->rows = ROWS_IDLE;
    checkpoint->given_seq = checkpoint->goal_seq = checkpoint->durable_seq = state_events(state)->stored_seq;
    checkpoint->naming = (struct io_op){.done = naming_done, .owner = checkpoint};
    checkpoint->timer = (struct io_op){.done = timer_done, .owner = checkpoint};
    checkpoint->backups = strdup(config->backups);
    bool complete = checkpoint->backups != NULL;
    for (u32 i = 0; i < SLICES; i++) {
        checkpoint->slices[i].buffer = file_buffer(SLICE_BYTES);
        complete = complete && checkpoint->slices[i].buffer != NULL;
    }
    if (complete) return checkpoint;
    checkpoint_destroy(checkpoint);
    return NULL;
}

void checkpoint_destroy(struct checkpoint *checkpoint)
{
    if (checkpoint == NULL) return;
    io_timeout_cancel(checkpoint->io, &checkpoint->timer);
    while (checkpoint->jobs > 0 || checkpoint->timer.busy || checkpoint->naming.busy)
        io_run(checkpoint->io, true);
    for (u32 i = 0; i < SLICES; i++) file_buffer_free(checkpoint->slices[i].buffer, SLICE_BYTES);
    free(checkpoint->backups);
    free(checkpoint);
}
