#include "tests/fuzz/disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "core/desk.h"
#include "port/ahead.h"
#include "port/file.h"

#define DIRECTORY_FD 100

struct disk disk;
static struct store_job *jobs;

void disk_clear(struct fuzz_desk *desk)
{
    for (u32 i = 0; i < DISK_FILES_MAX; i++) disk.files[i].name[0] = 0;
    disk.desk = desk;
    disk.rooted = false;
    disk.chunks_count = 0;
    disk.events_bytes = 0;
    disk.event_first = 1;
    disk.event_last = 0;
    if (disk.events == NULL) disk.events = malloc(DISK_EVENT_BYTES);
    ASSERT(disk.events != NULL && jobs == NULL);
}

/* ---- Files; the directory is the same for all paths ---- */

struct disk_file *disk_find(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    for (u32 i = 0; i < DISK_FILES_MAX; i++)
        if (strcmp(disk.files[i].name, name) == 0) return &disk.files[i];
    return NULL;
}

static void file_name(struct disk_file *file, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    ASSERT(strlen(name) < DISK_NAME_BYTES);
    snprintf(file->name, DISK_NAME_BYTES, "%s", name);
}

struct disk_file *disk_add(const char *path, u64 bytes)
{
    ASSERT(bytes <= DISK_FILE_BYTES);
    for (u32 i = 0; i < DISK_FILES_MAX; i++) {
        struct disk_file *file = &disk.files[i];
        if (file->name[0] != 0) continue;
        file_name(file, path);
        file->bytes = bytes;
        memset(file->data, 0, bytes);
        return file;
    }
    ASSERT(!"a free file");
    return NULL;
}

static struct disk_file *file_of(i32 fd)
{
    ASSERT(fd > 0 && (u32)fd <= DISK_FILES_MAX && disk.files[fd - 1].name[0] != 0);
    return &disk.files[fd - 1];
}

i32 file_join(char *path, const char *directory, const char *name)
{
    int bytes = snprintf(path, FILE_PATH_BYTES, "%s/%s", directory, name);
    return bytes < (int)FILE_PATH_BYTES ? 0 : -ENAMETOOLONG;
}

i32 file_lock(const char *directory, char *error, u32 error_bytes)
{
    (void)directory, (void)error, (void)error_bytes;
    return DIRECTORY_FD;
}

i32 file_make_directory(const char *path)
{
    (void)path;
    return 0;
}

i32 file_sync_directory(const char *path)
{
    (void)path;
    return 0;
}

i32 file_sync(i32 fd)
{
    ASSERT(fd == DIRECTORY_FD || file_of(fd) != NULL);
    return 0;
}

i32 file_exists(const char *path) { return disk_find(path) != NULL; }

i32 file_remove(const char *path)
{
    struct disk_file *file = strstr(path, "/backups/") == NULL ? disk_find(path) : NULL; /* there are never any */
    if (file != NULL) file->name[0] = 0;
    return 0;
}

i32 file_rename(const char *from, const char *to)
{
    struct disk_file *file = disk_find(from);
    if (file == NULL) return -ENOENT;
    file_remove(to);
    file_name(file, to);
    return 0;
}

i32 file_open(const char *path, bool write, bool create, bool *direct)
{
    (void)write;
    struct disk_file *file = disk_find(path);
    *direct = true;
    if (file == NULL && create) file = disk_add(path, 0);
    return file == NULL ? -ENOENT : (i32)(file - disk.files) + 1;
}

i32 file_open_directory(const char *path)
{
    (void)path;
    return DIRECTORY_FD;
}

void file_close(i32 fd) { (void)fd; }

i64 file_bytes(i32 fd) { return (i64)file_of(fd)->bytes; }

i32 file_allocate(i32 fd, u64 bytes)
{
    struct disk_file *file = file_of(fd);
    ASSERT(bytes <= DISK_FILE_BYTES);
    if (bytes > file->bytes) memset(file->data + file->bytes, 0, bytes - file->bytes);
    file->bytes = max_u64(file->bytes, bytes);
    return 0;
}

i64 file_read_at(i32 fd, void *buffer, u64 bytes, u64 offset)
{
    const struct disk_file *file = file_of(fd);
    ASSERT(offset % FILE_BLOCK_BYTES == 0);
    bytes = min_u64(bytes, sat_sub(file->bytes, offset));
    if (bytes != 0) memcpy(buffer, file->data + offset, bytes);
    return (i64)bytes;
}

i32 file_write_at(i32 fd, const void *buffer, u64 bytes, u64 offset)
{
    struct disk_file *file = file_of(fd);
    ASSERT(bytes % FILE_BLOCK_BYTES == 0 && offset % FILE_BLOCK_BYTES == 0 && offset + bytes <= file->bytes);
    memcpy(file->data + offset, buffer, bytes);
    return 0;
}

static int names_compare(const void *a, const void *b) { return strcmp(a, b); }

i32 file_names(const char *directory, file_name_fn *fn, void *owner)
{
    (void)directory;
    char names[DISK_FILES_MAX][DISK_NAME_BYTES];
    u32 count = 0;
    for (u32 i = 0; i < DISK_FILES_MAX; i++)
        if (disk.files[i].name[0] != 0) memcpy(names[count++], disk.files[i].name, DISK_NAME_BYTES);
    qsort(names, count, DISK_NAME_BYTES, names_compare);
    i32 result = 0;
    for (u32 i = 0; i < count && result == 0; i++) result = fn(owner, names[i]);
    return result;
}

/* Buffers are kept for the next who wants one of that size, so that no execution pays for fresh pages. The
 * largest are windows, in which nobody looks for zeros, and zeros to be written. */
#define BUFFERS_MAX    12u
#define ZERO_BYTES_MAX (256u << 10)

static struct buffer {
    void *memory;
    u64 bytes;
    bool used;
} buffers[BUFFERS_MAX];

void *file_buffer(u64 bytes)
{
    if (bytes == disk.desk->bytes) {
        fuzz_desk_reset(disk.desk);
        return disk.desk->memory;
    }
    struct buffer *buffer = buffers;
    while (buffer->memory != NULL && (buffer->used || buffer->bytes != bytes)) buffer++;
    ASSERT(buffer < buffers + BUFFERS_MAX);
    if (buffer->memory == NULL) {
        buffer->memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        ASSERT(buffer->memory != MAP_FAILED);
    } else if (bytes <= ZERO_BYTES_MAX) {
        memset(buffer->memory, 0, bytes);
    }
    buffer->bytes = bytes;
    buffer->used = true;
    return buffer->memory;
}

void file_buffer_free(void *memory, u64 bytes)
{
    (void)bytes;
    for (u32 i = 0; i < BUFFERS_MAX; i++)
        if (buffers[i].memory == memory) buffers[i].used = false;
}

void file_memory_grows(void *memory, u64 bytes) { (void)memory, (void)bytes; }
void file_memory_scattered(void *memory, u64 bytes) { (void)memory, (void)bytes; }
void file_memory_release(void *memory, u64 bytes) { memset(memory, 0xa5, bytes); } /* nobody needs it */
void ahead_add(void *ahead, void *memory, u64 bytes) { (void)ahead, (void)memory, (void)bytes; }
bool ahead_idle(struct ahead *ahead) { return ahead != NULL; }
void ahead_start(struct ahead *ahead) { (void)ahead; }
void ahead_stop(struct ahead *ahead) { (void)ahead; }
u64 file_random(void) { return 7; }

/* ---- The store ---- */

static u64 chunk_key(const struct disk_chunk *chunk) { return (u64)chunk->table << 32 | chunk->chunk; }

static void chunk_put(u32 table, u32 number, const void *data, u32 bytes)
{
    struct disk_chunk *at = disk.chunks, *end = at + disk.chunks_count;
    u64 key = (u64)table << 32 | number;
    while (at < end && chunk_key(at) < key) at++;
    if (at == end || chunk_key(at) != key) {
        ASSERT(disk.chunks_count < DISK_CHUNKS_MAX);
        memmove(at + 1, at, (size_t)(end - at) * sizeof *at);
        disk.chunks_count++;
    }
    ASSERT(bytes <= sizeof at->data);
    *at = (struct disk_chunk){.table = table, .chunk = number, .bytes = bytes};
    memcpy(at->data, data, bytes);
}

static i32 chunks_put(const struct store_job *job)
{
    for (u64 at = 0; at < job->bytes;) {
        const struct store_chunk *chunk = (const void *)((const u8 *)job->data + at);
        chunk_put(chunk->table, chunk->chunk, chunk + 1, chunk->bytes);
        at += round_up(sizeof *chunk + chunk->bytes, 8);
    }
    return 0;
}

static i32 events_put(const void *data, u64 bytes)
{
    for (u64 at = 0; at < bytes;) {
        const struct tkd_event *event = (const void *)((const u8 *)data + at);
        at += event->size;
        if (event->seq <= disk.event_last) continue;
        if (disk.event_last == 0) disk.event_first = event->seq;
        ASSERT(disk.event_last == 0 || event->seq == disk.event_last + 1);
        if (disk.events_bytes + event->size > DISK_EVENT_BYTES) return -ENOSPC;
        memcpy(disk.events + disk.events_bytes, event, event->size);
        disk.events_bytes += event->size;
        disk.event_last = event->seq;
    }
    return 0;
}

void disk_checkpoint(const struct state *state, const struct store_root *root)
{
    disk.rooted = true;
    disk.root = *root;
    disk.chunks_count = 0;
    for (u32 i = 1; i < TABLES; i++) {
        const struct table *table = &state->tables[i];
        if (table->rows_live == 0) continue;
        for (u32 chunk = 0; chunk < table_chunks(table); chunk++)
            chunk_put(i, chunk, table_chunk(table, chunk), table_chunk_bytes(table));
    }
    const struct event_log *log = state_events_read(state);
    disk.events_bytes = disk.event_last = 0;
    disk.event_first = log->seq_next;
    for (u64 seq = log->seq_first; seq < log->seq_next; seq++) {
        const struct tkd_event *event = event_at(log, seq);
        if (event != NULL) ASSERT(events_put(event, event->size) == 0);
    }
    disk.event_last = log->seq_next - 1;
}

struct store {
    u8 unused;
};
static struct store the_store;

i32 store_open(struct store **store, const char *directory, struct io *io, char *error, u32 error_bytes)
{
    (void)directory, (void)io, (void)error, (void)error_bytes;
    *store = &the_store;
    return 0;
}

void store_close(struct store *store)
{
    (void)store;
    jobs = NULL;
}

void store_submit(struct store *store, struct store_job *job)
{
    struct store_job **last = &jobs;
    (void)store;
    while (*last != NULL) last = &(*last)->next;
    job->next = NULL;
    *last = job;
}

static i32 job_run(const struct store_job *job)
{
    if (job->kind == STORE_CHUNKS) return chunks_put(job);
    if (job->kind == STORE_EVENTS) return events_put(job->data, job->bytes);
    if (job->kind == STORE_COPY) return -ENOSPC;
    disk.rooted = true;
    disk.root = job->root;
    return 0;
}

u32 disk_jobs_run(void)
{
    u32 count = 0;
    for (; jobs != NULL; count++) {
        struct store_job *job = jobs;
        jobs = job->next;
        job->done(job, job_run(job));
    }
    return count;
}

i32 store_root_read(struct store *store, struct store_root *root)
{
    (void)store;
    *root = disk.root;
    return disk.rooted ? 0 : 1;
}

u64 store_chunks(struct store *store, u32 table)
{
    (void)store, (void)table;
    return 0;
}

i32 store_chunks_each(struct store *store, store_chunk_fn *fn, void *owner, char *error, u32 error_bytes)
{
    (void)store, (void)error, (void)error_bytes;
    i32 result = 0;
    for (u32 i = 0; i < disk.chunks_count && result == 0; i++) {
        const struct disk_chunk *chunk = &disk.chunks[i];
        result = fn(owner, chunk->table, chunk->chunk, chunk->data, chunk->bytes);
    }
    return result;
}

static u64 event_place(u64 seq)
{
    u64 at = 0;
    while (at < disk.events_bytes) {
        const struct tkd_event *event = (const void *)(disk.events + at);
        if (event->seq >= seq) return at;
        at += event->size;
    }
    return at;
}

i32 store_event_read(struct store *store, u64 seq, void *buffer, u32 bytes_max)
{
    (void)store;
    const struct tkd_event *event = (const void *)(disk.events + event_place(seq));
    if (seq < disk.event_first || seq > disk.event_last) return 1;
    ASSERT(event->seq == seq && event->size <= bytes_max);
    memcpy(buffer, event, event->size);
    return 0;
}

i32 store_events_read(struct store *store, u64 seq, void *buffer, u32 bytes_max, u32 *bytes)
{
    (void)store;
    *bytes = 0;
    for (u64 at = event_place(seq); at < disk.events_bytes;) {
        const struct tkd_event *event = (const void *)(disk.events + at);
        if (*bytes + event->size > bytes_max) break;
        memcpy((u8 *)buffer + *bytes, event, event->size);
        *bytes += event->size;
        at += event->size;
    }
    return *bytes == 0;
}

i32 store_event_last(struct store *store, u64 *seq)
{
    (void)store;
    *seq = disk.event_last;
    return 0;
}

i32 store_archived_read(struct store *store, u64 ticket, u64 *event_seq)
{
    (void)store;
    for (u64 at = 0; at < disk.events_bytes;) {
        const struct tkd_event *event = (const void *)(disk.events + at);
        *event_seq = event->seq;
        if (event->kind == TKD_EVENT_ARCHIVED && event->ticket == ticket) return 0;
        at += event->size;
    }
    return 1;
}

u64 store_bytes(struct store *store)
{
    (void)store;
    return (u64)disk.chunks_count * sizeof *disk.chunks;
}

u64 store_disk_room(struct store *store)
{
    (void)store;
    return UINT64_MAX;
}
