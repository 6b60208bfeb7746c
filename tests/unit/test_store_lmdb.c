#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/support/directory.h"
#include "base/hash.h"
#include "base/prng.h"
#include "port/file.h"
#include "port/io.h"
#include "port/lmdb.h"

static struct io *io;
static struct store *store;
static char directory[4096], path[4096];
static char error[1024];

static void open_store(void)
{
    cr_assert_eq(store_open(&store, path, io, error, sizeof error), 0, "%s", error);
}

static void setup(void)
{
    directory_make(directory);
    cr_assert_eq(file_join(path, directory, "store"), 0);
    cr_assert_eq(io_create(&io, error, sizeof error), 0, "%s", error);
    open_store();
}

static void teardown(void)
{
    store_close(store);
    io_destroy(io);
    directory_remove(directory);
}

TestSuite(store, .init = setup, .fini = teardown);

/* ---- Jobs ---- */

static void job_done(struct store_job *job, i32 result) { *(i32 *)job->owner = result; }

static i32 run(struct store_job job)
{
    i32 result = 1;
    job.done = job_done;
    job.owner = &result;
    store_submit(store, &job);
    while (result == 1) io_run(io, true);
    return result;
}

static i32 commit(u64 op)
{
    return run(
        (struct store_job){.kind = STORE_COMMIT,
                           .root = {.op = op, .store_id = 9, .format_version = STORE_FORMAT_VERSION}});
}

static u32 chunk_add(u8 *buffer, u32 used, u32 table, u32 chunk, u8 fill, u32 bytes)
{
    struct store_chunk *head = (struct store_chunk *)(void *)(buffer + used);
    memset(head + 1, fill, bytes);
    *head = (struct store_chunk){.table = table, .chunk = chunk, .bytes = bytes};
    head->checksum = (u32)hash64(head + 1, bytes, 0);
    return used + (u32)sizeof *head + (u32)round_up(bytes, 8);
}

/* Events [first, last]; each text's length follows from the seq. */
static u32 event_size(u64 seq)
{
    u32 text = seq % 1000 == 77 ? 20000 : (u32)(seq % 5) * 8;
    return (u32)sizeof(struct tkd_event) + text;
}

static void *events_make(u64 first, u64 last, u64 *bytes)
{
    *bytes = 0;
    for (u64 seq = first; seq <= last; seq++) *bytes += event_size(seq);
    u8 *buffer = calloc(1, *bytes);
    u8 *at = buffer;
    for (u64 seq = first; seq <= last; seq++) {
        struct tkd_event *event = (struct tkd_event *)(void *)at;
        event->size = event_size(seq);
        event->head = (u16)sizeof *event;
        event->kind = seq % 10 == 3 ? TKD_EVENT_ARCHIVED : TKD_EVENT_NOTED;
        event->seq = seq;
        event->ticket = seq * 100;
        memset(event + 1, (int)seq, event->size - sizeof *event);
        at += event->size;
    }
    return buffer;
}

static void events_store(u64 first, u64 last)
{
    u64 bytes;
    void *events = events_make(first, last, &bytes);
    cr_assert_eq(run((struct store_job){.kind = STORE_EVENTS, .data = events, .bytes = bytes}), 0);
    free(events);
}

/* ---- Root and chunks ---- */

/* Hands over chunks of the snapshot of `op`. */
static void chunks_store(const void *buffer, u32 bytes, u64 op)
{
    cr_assert_eq(run((struct store_job){.kind = STORE_CHUNKS, .data = buffer, .bytes = bytes, .root.op = op}),
                 0);
}

Test(store, a_new_store_is_empty)
{
    struct store_root root;
    cr_assert_eq(store_root_read(store, &root), 1);
    u64 last = 1;
    cr_assert_eq(store_event_last(store, &last), 0);
    cr_assert_eq(last, 0);
    u8 buffer[256];
    u32 bytes;
    cr_assert_eq(store_event_read(store, 1, buffer, sizeof buffer), 1);
    cr_assert_eq(store_events_read(store, 1, buffer, sizeof buffer, &bytes), 1);
    cr_assert_eq(store_archived_read(store, 1, &last), 1);
    cr_assert_gt(store_bytes(store), 0);
}

/* The blocks kept for root are no room; a disk that others use has a little more or less at each look. */
Test(store, the_room_on_the_disk_is_what_anybody_may_use)
{
    struct statvfs status;
    cr_assert_eq(statvfs(path, &status), 0);
    u64 free_bytes = (u64)status.f_bavail * status.f_frsize, room = store_disk_room(store);
    cr_assert_leq(max_u64(room, free_bytes) - min_u64(room, free_bytes), 256u << 20);
}

struct seen {
    u64 keys[64];
    u8 fill[64];
    u32 count;
    u32 stop_after;
};

static i32 see(void *owner, u32 table, u32 chunk, const void *data, u32 bytes)
{
    struct seen *seen = owner;
    const u8 *rows = data;
    for (u32 i = 1; i < bytes; i++) cr_assert_eq(rows[i], rows[0]);
    cr_assert_lt(seen->count, 64);
    seen->keys[seen->count] = (u64)table << 32 | chunk;
    seen->fill[seen->count++] = rows[0];
    return seen->stop_after != 0 && seen->count == seen->stop_after ? 5 : 0;
}

Test(store, chunks_and_root_become_visible_together)
{
    _Alignas(8) u8 buffer[16384];
    u32 used = chunk_add(buffer, 0, 2, 7, 0x22, 2000);
    used = chunk_add(buffer, used, 1, 300, 0x11, 1992);
    used = chunk_add(buffer, used, 1, 2, 0x33, 8);
    chunks_store(buffer, used, 41);
    struct seen seen = {0};
    cr_assert_eq(store_chunks_each(store, see, &seen, error, sizeof error), 0);
    cr_assert_eq(seen.count, 0);
    cr_assert_eq(commit(41), 0);
    struct store_root root;
    cr_assert_eq(store_root_read(store, &root), 0);
    cr_assert_eq(root.op, 41);
    cr_assert_eq(store_chunks_each(store, see, &seen, error, sizeof error), 0);
    cr_assert_eq(seen.count, 3);
    cr_assert_eq(seen.keys[0], 1ull << 32 | 2);
    cr_assert_eq(seen.keys[1], 1ull << 32 | 300);
    cr_assert_eq(seen.keys[2], 2ull << 32 | 7);
    cr_assert_eq(seen.fill[0], 0x33);
    seen = (struct seen){.stop_after = 2};
    cr_assert_eq(store_chunks_each(store, see, &seen, error, sizeof error), 5);
    cr_assert_eq(seen.count, 2);
}

Test(store, chunks_are_counted)
{
    static u8 buffer[4096];
    u32 used = 0;
    for (u32 chunk = 0; chunk < 9; chunk++) used = chunk_add(buffer, used, 3, chunk, 1, 64);
    for (u64 op = 1; op <= 2; op++) { /* the second time in the other slots */
        struct store_job job = {.kind = STORE_CHUNKS, .data = buffer, .bytes = used, .root = {.op = op}};
        cr_assert_eq(run(job), 0);
        cr_assert_eq(commit(op), 0);
    }
    cr_assert_eq(store_chunks(store, 3), 9);
    cr_assert_eq(store_chunks(store, 4), 0);
}

Test(store, what_was_not_committed_is_gone)
{
    _Alignas(8) u8 buffer[4096];
    u32 used = chunk_add(buffer, 0, 1, 1, 0x11, 2000);
    cr_assert_eq(commit(1), 0);
    chunks_store(buffer, used, 2);
    store_close(store);
    open_store();
    struct seen seen = {0};
    cr_assert_eq(store_chunks_each(store, see, &seen, error, sizeof error), 0);
    cr_assert_eq(seen.count, 0);
}

Test(store, a_chunk_of_zeros_is_an_absent_one)
{
    _Alignas(8) u8 buffer[8192];
    u32 used = chunk_add(buffer, 0, 1, 1, 0x11, 2000);
    used = chunk_add(buffer, used, 1, 2, 0x22, 2000);
    chunks_store(buffer, used, 1);
    cr_assert_eq(commit(1), 0);
    used = chunk_add(buffer, 0, 1, 1, 0, 2000);
    used = chunk_add(buffer, used, 1, 9, 0, 2000);
    chunks_store(buffer, used, 2);
    cr_assert_eq(commit(2), 0);
    struct seen seen = {0};
    cr_assert_eq(store_chunks_each(store, see, &seen, error, sizeof error), 0);
    cr_assert_eq(seen.count, 1);
    cr_assert_eq(seen.fill[0], 0x22);
}

Test(store, a_damaged_chunk_is_named)
{
    _Alignas(8) u8 buffer[8192];
    u32 used = chunk_add(buffer, 0, 1, 5, 0x5a, 2000);
    chunks_store(buffer, used, 1);
    cr_assert_eq(commit(1), 0);
    store_close(store);
    char file[4096];
    cr_assert_eq(file_join(file, path, "data.mdb"), 0);
    u64 bytes;
    u8 *data = file_slurp(file, &bytes);
    u64 at = 0, run_bytes = 0;
    while (run_bytes < 1000) run_bytes = data[at++] == 0x5a ? run_bytes + 1 : 0;
    data[at] ^= 1;
    file_spill(file, data, bytes);
    free(data);
    open_store();
    struct seen seen = {0};
    cr_assert_eq(store_chunks_each(store, see, &seen, error, sizeof error), -EIO);
    cr_assert(strstr(error, "chunk 5 of table 1"), "%s", error);
}

Test(store, a_snapshot_takes_effect_as_a_whole)
{
    _Alignas(8) u8 buffer[8192];
    u32 used = chunk_add(buffer, 0, 1, 1, 0x11, 2000);
    used = chunk_add(buffer, used, 1, 2, 0x11, 2000);
    chunks_store(buffer, used, 5);
    cr_assert_eq(commit(5), 0);
    used = chunk_add(buffer, 0, 1, 1, 0x22, 2000);
    chunks_store(buffer, used, 9);
    cr_assert_eq(commit(5), 0); /* in the middle */
    struct seen seen = {0};
    cr_assert_eq(store_chunks_each(store, see, &seen, error, sizeof error), 0);
    cr_assert_eq(seen.count, 2);
    cr_assert_eq(seen.fill[0], 0x11);
    used = chunk_add(buffer, 0, 1, 3, 0x22, 2000);
    chunks_store(buffer, used, 9);
    cr_assert_eq(commit(9), 0);
    seen = (struct seen){0};
    cr_assert_eq(store_chunks_each(store, see, &seen, error, sizeof error), 0);
    cr_assert_eq(seen.count, 3);
    cr_assert_eq(seen.fill[0], 0x22);
    cr_assert_eq(seen.fill[1], 0x11);
    cr_assert_eq(seen.fill[2], 0x22);
}

/* Snapshots of random chunks, finished or not, against an array; an unfinished one is forgotten at the next
 * opening, even when a later one has a higher op. */
Test(store, snapshots_equal_a_naive_model)
{
    enum { CHUNKS = 40 };
    static _Alignas(8) u8 buffer[CHUNKS * 2100];
    u8 stored[CHUNKS] = {0}, next[CHUNKS];
    struct prng prng = prng_seeded(11);
    u64 op = 0, root = 0;
    for (u32 round = 0; round < 150; round++) {
        memcpy(next, stored, sizeof next);
        op += 1 + prng_below(&prng, 3);
        u32 used = 0;
        for (u32 chunk = 0; chunk < CHUNKS; chunk++) {
            if (prng_chance(&prng, 2, 3)) continue;
            next[chunk] = prng_chance(&prng, 1, 3) ? 0 : (u8)prng_next(&prng);
            used = chunk_add(buffer, used, 1 + chunk % 2, chunk, next[chunk], 1000);
            if (!prng_chance(&prng, 1, 6)) continue;
            chunks_store(buffer, used, op);
            used = 0;
            if (root > 0) cr_assert_eq(commit(root), 0);
        }
        if (used > 0) chunks_store(buffer, used, op);
        bool finished = prng_chance(&prng, 2, 3);
        if (finished) {
            cr_assert_eq(commit(op), 0);
            memcpy(stored, next, sizeof next);
            root = op;
        } else {
            if (root > 0) cr_assert_eq(commit(root), 0);
            store_close(store);
            open_store();
            if (root == 0) op = 0;
        }
        struct seen seen = {0};
        cr_assert_eq(store_chunks_each(store, see, &seen, error, sizeof error), 0, "%s", error);
        u32 expected = 0;
        for (u32 chunk = 0; chunk < CHUNKS; chunk++) expected += stored[chunk] != 0;
        cr_assert_eq(seen.count, expected, "round %u", round);
        for (u32 i = 0; i < seen.count; i++) cr_assert_eq(seen.fill[i], stored[(u32)seen.keys[i]]);
    }
}

/* ---- Events ---- */

static void check_event(const struct tkd_event *event, u64 seq)
{
    cr_assert_eq(event->seq, seq);
    cr_assert_eq(event->size, event_size(seq));
    const u8 *text = (const u8 *)(event + 1);
    for (u32 i = 0; i < event->size - sizeof *event; i++) cr_assert_eq(text[i], (u8)seq);
}

Test(store, events_are_found_one_by_one)
{
    events_store(1, 500);
    events_store(501, 502);
    events_store(503, 3000);
    cr_assert_eq(commit(1), 0);
    _Alignas(8) u8 buffer[32768];
    for (u64 seq = 1; seq <= 3000; seq += seq < 600 ? 1 : 13) {
        cr_assert_eq(store_event_read(store, seq, buffer, sizeof buffer), 0);
        check_event((const struct tkd_event *)(void *)buffer, seq);
    }
    cr_assert_eq(store_event_read(store, 3001, buffer, sizeof buffer), 1);
    cr_assert_eq(store_event_read(store, 77, buffer, 1000), -EMSGSIZE);
    u64 last;
    cr_assert_eq(store_event_last(store, &last), 0);
    cr_assert_eq(last, 3000);
}

static u32 commits_beside; /* before the next read of a page */
static u32 pages_read;

/* In the place of libc's. */
ssize_t pread(int fd, void *buffer, size_t bytes, off_t offset)
{
    for (; commits_beside > 0; commits_beside--) {
        u32 left = commits_beside;
        commits_beside = 0; /* a commit reads too */
        cr_assert_eq(commit(10 - left), 0);
        commits_beside = left;
    }
    pages_read++;
    return syscall(SYS_pread64, fd, buffer, bytes, offset);
}

/* The second one writes over the meta page of the transaction that is being read. */
Test(store, a_read_beside_commits_is_tried_again)
{
    _Alignas(8) u8 buffer[32768];
    events_store(1, 500);
    cr_assert_eq(commit(1), 0);
    for (u32 beside = 1; beside <= 3; beside++) {
        commits_beside = beside;
        cr_assert_eq(store_event_read(store, 77, buffer, sizeof buffer), 0);
        cr_assert_eq(commits_beside, 0);
        check_event((const struct tkd_event *)(void *)buffer, 77);
    }
}

static void events_check(u64 last)
{
    _Alignas(8) u8 buffer[32768];
    for (u64 seq = 1; seq <= last; seq++) {
        cr_assert_eq(store_event_read(store, seq, buffer, sizeof buffer), 0);
        check_event((const struct tkd_event *)(void *)buffer, seq);
    }
}

/* All chunks of a table, as long as they were or gone: what they took is free two commits later. */
static void table_store(u32 table, u64 op, u8 fill)
{
    enum { CHUNKS = 300 };
    static _Alignas(8) u8 buffer[CHUNKS * 2100];
    u32 used = 0;
    for (u32 i = 0; i < CHUNKS; i++) used = chunk_add(buffer, used, table, i, fill, 1992);
    chunks_store(buffer, used, op);
}

/* Opens the store as if its file ended there. */
static bool cut_opens(const char *file, const u8 *whole, u64 pages)
{
    file_spill(file, whole, pages * 4096);
    return store_open(&store, path, io, error, sizeof error) == 0;
}

/* The fewest pages with which the store is opened have everything; with all of them it is opened for certain. */
static void cut_check(u64 events)
{
    char file[4096];
    u64 bytes;
    cr_assert_eq(file_join(file, path, "data.mdb"), 0);
    store_close(store);
    u8 *whole = file_slurp(file, &bytes);
    u64 low = 0, high = bytes / 4096;
    while (low + 1 < high) {
        u64 middle = (low + high) / 2;
        if (cut_opens(file, whole, middle)) {
            high = middle;
            store_close(store);
        } else {
            low = middle;
        }
    }
    cr_assert(cut_opens(file, whole, high), "%s", error);
    events_check(events);
    store_close(store);
    cr_assert(cut_opens(file, whole, bytes / 4096), "%s", error);
    free(whole);
}

/* Tables come and go, so old events stand before, between and behind pages that are free. */
Test(store, a_file_that_is_cut_hides_nothing)
{
    enum { ROUNDS = 50 };
    u64 events = 0;
    struct prng prng = prng_seeded(3);
    for (u64 round = 1; round <= ROUNDS; round++) {
        u32 table = 1 + (u32)prng_below(&prng, 3), more = 1 + (u32)prng_below(&prng, 600);
        u8 fill = prng_below(&prng, 2) == 0 ? 0 : (u8)round;
        if (prng_below(&prng, 3) > 0) table_store(table, round, fill);
        if (prng_below(&prng, 3) > 0) events_store(events + 1, events + more), events += more;
        cr_assert_eq(commit(round), 0);
        cut_check(events);
    }
}

/* A process that was killed may have left it in the page cache alone. */
Test(store, a_start_writes_the_meta_page_that_it_builds_upon)
{
    char file[4096];
    struct stat status;
    struct timespec long_ago[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    cr_assert_eq(commit(1), 0);
    store_close(store);
    cr_assert_eq(file_join(file, path, "data.mdb"), 0);
    cr_assert_eq(utimensat(AT_FDCWD, file, long_ago, 0), 0);
    open_store();
    cr_assert_eq(stat(file, &status), 0);
    cr_assert_gt(status.st_mtime, 1);
}

Test(store, events_are_read_in_runs)
{
    events_store(1, 2500);
    cr_assert_eq(commit(1), 0);
    static _Alignas(8) u8 buffer[32768];
    u64 seq = 1;
    for (;;) {
        u32 bytes;
        i32 result = store_events_read(store, seq, buffer, sizeof buffer, &bytes);
        if (result == 1) break;
        cr_assert_eq(result, 0);
        cr_assert_gt(bytes, 0);
        for (u32 at = 0; at < bytes;) {
            const struct tkd_event *event = (const struct tkd_event *)(void *)(buffer + at);
            check_event(event, seq++);
            at += event->size;
        }
    }
    cr_assert_eq(seq, 2501);
    u32 bytes;
    cr_assert_eq(store_events_read(store, 77, buffer, 1000, &bytes), -EMSGSIZE);
}

/* Every length at which something changes: a value is full, or one part, or two. */
Test(store, events_of_any_length_come_back)
{
    enum { BYTES_MAX = 393216 + 512 };
    static _Alignas(8) u8 buffer[BYTES_MAX], back[BYTES_MAX];
    struct tkd_event *event = (struct tkd_event *)(void *)buffer;
    u64 seq = 0, archived;
    for (u32 text = 0; text <= 393216; text += text < 4200 ? 8 : 77784) {
        for (u32 i = 0; i < text; i++) buffer[sizeof *event + i] = (u8)(seq * 7 + i * i / 3);
        *event = (struct tkd_event){.size = (u32)sizeof *event + text, .head = sizeof *event, .text_bytes = text};
        event->kind = TKD_EVENT_ARCHIVED;
        event->ticket = event->seq = ++seq;
        cr_assert_eq(run((struct store_job){.kind = STORE_EVENTS, .data = buffer, .bytes = event->size}), 0);
        cr_assert_eq(commit(seq), 0);
        u32 bytes;
        u64 last;
        cr_assert_eq(store_event_read(store, seq, back, sizeof back), 0);
        cr_assert_eq(memcmp(back, buffer, event->size), 0, "%u", text);
        cr_assert_eq(store_events_read(store, seq, back, sizeof back, &bytes), 0);
        cr_assert_eq(bytes, event->size);
        cr_assert_eq(store_event_read(store, seq + 1, back, sizeof back), 1);
        cr_assert_eq(store_event_last(store, &last), 0);
        cr_assert_eq(last, seq);
        cr_assert_eq(store_archived_read(store, seq, &archived), 0);
        cr_assert_eq(archived, seq);
    }
    store_close(store);
    open_store();
    for (u64 at = 1; at <= seq; at++) {
        cr_assert_eq(store_event_read(store, at, back, sizeof back), 0);
        cr_assert_eq(((const struct tkd_event *)(void *)back)->seq, at);
    }
}

/* Whatever is between two keys, the way down to them is the same. */
Test(store, what_lies_side_by_side_is_read_once)
{
    enum { TEXT = 300000, LEVELS = 8 };
    static _Alignas(8) u8 buffer[sizeof(struct tkd_event) + TEXT], back[sizeof buffer];
    struct tkd_event *event = (struct tkd_event *)(void *)buffer;
    *event = (struct tkd_event){.size = sizeof buffer, .head = sizeof *event, .kind = TKD_EVENT_NOTED, .seq = 1};
    cr_assert_eq(run((struct store_job){.kind = STORE_EVENTS, .data = buffer, .bytes = sizeof buffer}), 0);
    events_store(2, 2000);
    cr_assert_eq(commit(1), 0);
    pages_read = 0;
    cr_assert_eq(store_event_read(store, 1, back, sizeof back), 0);
    cr_assert_leq(pages_read, TEXT / VALUE_BYTES_MAX / 2 + LEVELS); /* two parts on a page */
}

/* Many in one job: values are full in the middle of it, and short events come behind long ones. */
Test(store, events_of_mixed_lengths_come_back)
{
    enum { EVENTS = 3000, JOB_BYTES = 1 << 20 };
    u8 *jobs = calloc(EVENTS, 1024), *back = malloc(JOB_BYTES);
    struct prng prng = prng_seeded(11);
    u64 used = 0;
    for (u64 seq = 1; seq <= EVENTS; seq++) {
        struct tkd_event *event = (struct tkd_event *)(void *)(jobs + used);
        u32 text = 8 * (u32)prng_below(&prng, prng_chance(&prng, 1, 10) ? 700 : 20);
        *event = (struct tkd_event){.size = (u32)sizeof *event + text, .head = sizeof *event, .text_bytes = text};
        event->kind = TKD_EVENT_NOTED;
        event->seq = seq;
        event->ticket = prng_below(&prng, 1000);
        event->time_ms = seq * 3;
        for (u32 i = 0; i < text; i++) jobs[used + sizeof *event + i] = (u8)prng_next(&prng);
        used += event->size;
    }
    cr_assert_leq(used, (u64)EVENTS * 1024);
    cr_assert_eq(run((struct store_job){.kind = STORE_EVENTS, .data = jobs, .bytes = used}), 0);
    cr_assert_eq(commit(1), 0);
    u64 at = 0, seq = 1;
    for (u32 bytes = 0; at < used; at += bytes) {
        u32 room = 8192 + (u32)prng_below(&prng, JOB_BYTES - 8192);
        cr_assert_eq(store_events_read(store, seq, back, room, &bytes), 0);
        cr_assert_eq(memcmp(back, jobs + at, bytes), 0);
        for (u64 from = 0; from < bytes; seq++) from += ((const struct tkd_event *)(void *)(back + from))->size;
    }
    cr_assert_eq(seq, EVENTS + 1);
    free(back);
    free(jobs);
}

/* Who appends copies the last leaf, so all of it is looked at first: here eight values of one event each. */
Test(store, damage_anywhere_in_the_last_leaf_is_refused)
{
    enum { EVENTS = 8 };
    char file[4096], needle[16];
    struct {
        struct tkd_event event;
        char text[16];
    } one = {.event = {.size = sizeof one, .head = sizeof one.event, .kind = TKD_EVENT_NOTED}};
    for (u64 seq = 1; seq <= EVENTS; seq++) {
        one.event.seq = seq;
        snprintf(one.text, sizeof one.text, "needle %llu", (unsigned long long)seq);
        cr_assert_eq(run((struct store_job){.kind = STORE_EVENTS, .data = &one, .bytes = sizeof one}), 0);
    }
    cr_assert_eq(commit(1), 0);
    store_close(store);
    cr_assert_eq(file_join(file, path, "data.mdb"), 0);
    u64 bytes;
    u8 *sound = file_slurp(file, &bytes);
    for (u32 seq = 1; seq <= EVENTS; seq++) {
        snprintf(needle, sizeof needle, "needle %u", seq);
        u8 *at = memmem(sound, bytes, needle, strlen(needle));
        cr_assert_not_null(at);
        *at ^= 1;
        file_spill(file, sound, bytes);
        cr_assert_eq(store_open(&store, path, io, error, sizeof error), -EIO, "%u", seq);
        cr_assert_not_null(strstr(error, "start from a backup"), "%s", error);
        *at ^= 1;
    }
    file_spill(file, sound, bytes);
    open_store();
    free(sound);
}

/* A store of another format is refused for that: what looks strange in it is no damage. */
Test(store, another_format_is_no_damage)
{
    static const char strange[9000] = "an event on pages of its own";
    struct store_root root = {.op = 1, .format_version = STORE_FORMAT_VERSION - 1};
    char expected[64];
    MDB_txn *txn;
    u64 number = 1;
    MDB_val key = value_of(&number, sizeof number), value = value_of(strange, sizeof strange);
    cr_assert_eq(mdb_txn_begin(store->env, NULL, 0, &txn), 0);
    cr_assert_eq(mdb_put(txn, store->events, &key, &value, 0), 0);
    cr_assert_eq(mdb_txn_commit(txn), 0);
    cr_assert_eq(run((struct store_job){.kind = STORE_COMMIT, .root = root}), 0);
    store_close(store);
    cr_assert_eq(store_open(&store, path, io, error, sizeof error), -EPROTONOSUPPORT);
    snprintf(expected, sizeof expected, "format version %u, this program %u", root.format_version,
             STORE_FORMAT_VERSION);
    cr_assert_not_null(strstr(error, expected), "%s", error);
    cr_assert_eq(store_open(&store, path, NULL, error, sizeof error), -EPROTONOSUPPORT);
}

Test(store, events_stored_already_are_skipped)
{
    events_store(1, 100);
    cr_assert_eq(commit(1), 0);
    events_store(50, 120);
    events_store(90, 110);
    cr_assert_eq(commit(2), 0);
    store_close(store);
    open_store();
    events_store(100, 130);
    cr_assert_eq(commit(3), 0);
    _Alignas(8) u8 buffer[32768];
    for (u64 seq = 1; seq <= 130; seq++) {
        cr_assert_eq(store_event_read(store, seq, buffer, sizeof buffer), 0);
        check_event((const struct tkd_event *)(void *)buffer, seq);
    }
}

Test(store, archived_tickets_are_indexed)
{
    events_store(1, 100);
    cr_assert_eq(commit(1), 0);
    u64 seq;
    cr_assert_eq(store_archived_read(store, 1300, &seq), 0);
    cr_assert_eq(seq, 13);
    cr_assert_eq(store_archived_read(store, 1400, &seq), 1);
}

/* ---- The rest ---- */

Test(store, a_copy_is_a_store)
{
    events_store(1, 300);
    cr_assert_eq(commit(7), 0);
    struct store_job job = {.kind = STORE_COPY};
    cr_assert_eq(file_join(job.path, directory, "backups/monday"), 0);
    cr_assert_eq(run(job), 0);
    cr_assert_eq(run(job), -EEXIST);
    cr_assert_eq(commit(8), 0); /* that was not final */
    store_close(store);
    cr_assert_eq(store_open(&store, job.path, NULL, error, sizeof error), 0, "%s", error);
    struct store_root root;
    cr_assert_eq(store_root_read(store, &root), 0);
    cr_assert_eq(root.op, 7);
    u64 last;
    cr_assert_eq(store_event_last(store, &last), 0);
    cr_assert_eq(last, 300);
}

Test(store, reading_alone_makes_nothing)
{
    char absent[4096];
    cr_assert_eq(file_join(absent, directory, "absent"), 0);
    struct store *none;
    cr_assert_eq(store_open(&none, absent, NULL, error, sizeof error), -ENOENT);
    cr_assert(strstr(error, "remedy"), "%s", error);
    cr_assert_null(none);
    cr_assert_eq(file_exists(absent), 0);
}

/* A first start that was killed half-way, and a store put in its place since. */
Test(store, what_a_killed_start_left_is_cleared_away)
{
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    char making[4096], file[4096];
    cr_assert_eq(commit(3), 0);
    store_close(store);
    cr_assert_eq(file_join(making, path, "making"), 0);
    cr_assert_eq(file_make_directory(making), 1);
    for (u32 i = 0; i < ARRAY_COUNT(files); i++) {
        cr_assert_eq(file_join(file, making, files[i]), 0);
        FILE *half = fopen(file, "w");
        cr_assert(half != NULL && fputs("half", half) >= 0 && fclose(half) == 0);
    }
    struct store_root root;
    open_store();
    cr_assert_eq(file_exists(making), 0);
    cr_assert_eq(store_root_read(store, &root), 0);
    cr_assert_eq(root.op, 3);
}

Test(store, a_file_that_is_no_store_is_refused)
{
    store_close(store);
    char file[4096];
    cr_assert_eq(file_join(file, path, "data.mdb"), 0);
    static u8 noise[16384];
    for (u32 i = 0; i < sizeof noise; i++) noise[i] = (u8)(i * 7);
    file_spill(file, noise, sizeof noise);
    cr_assert_lt(store_open(&store, path, io, error, sizeof error), 0);
    cr_assert(strstr(error, "data.mdb: no meta page"), "%s", error);
    cr_assert_null(store);
}

/* What it was given before is thrown away with the job that failed: no root may ever say that it is there. */
Test(store, a_failure_is_final)
{
    struct broken_file broken;
    struct store_root root;
    events_store(1, 10);
    cr_assert_eq(commit(1), 0);
    events_store(11, 20);
    broken_file_make(&broken, "/store/data.mdb");
    cr_assert_lt(commit(2), 0);
    broken_file_mend(&broken);
    cr_assert_lt(commit(3), 0);
    store_close(store);
    open_store();
    cr_assert_eq(store_root_read(store, &root), 0);
    cr_assert_eq(root.op, 1);
}

Test(store, a_large_transaction)
{
    enum { CHUNKS = 50000, PER_JOB = 500 };
    u8 *buffer = malloc(PER_JOB * 2100);
    for (u32 round = 1; round <= 2; round++) {
        for (u32 chunk = 0; chunk < CHUNKS; chunk += PER_JOB) {
            u32 used = 0;
            for (u32 i = 0; i < PER_JOB; i++) {
                used = chunk_add(buffer, used, 1, chunk + i, (u8)(chunk + i + round) | 1, 2000);
            }
            chunks_store(buffer, used, round);
        }
        cr_assert_eq(commit(round), 0);
    }
    free(buffer);
    struct store_root root;
    cr_assert_eq(store_root_read(store, &root), 0);
    cr_assert_eq(root.op, 2);
}
