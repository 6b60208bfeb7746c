/* A small store on a real file, every page of it damaged in many ways: what is read afterwards is what was
 * written, or it is refused, naming the file; and the store goes on from there, or refuses. Nothing crashes,
 * and nothing else is ever shown. What a start has accepted its own writing never breaks. Each case runs in a
 * process of its own. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/directory.h"
#include "base/hash.h"
#include "base/prng.h"
#include "port/file.h"
#include "port/io.h"
#include "port/store.h"

#define PAGE_BYTES      4096u
#define PAGE_FLAGS      10u /* in a page */
#define PAGE_LOWER      12u
#define PAGE_UPPER      14u
#define PAGE_HEAD_BYTES 16u
#define NODE_HEAD_BYTES 8u
#define META_FREE_ROOT  80u /* in a meta page: the root of the lists of free pages */
#define META_ROOT       128u /* in a meta page: the root of the tree of trees */
#define META_TXN        144u /* in a meta page: the number of its transaction */
#define BRANCH          1u   /* a kind of page */
#define EVENTS          240u
#define CHUNKS          24u
#define EVENT_BYTES     32768u

static char directory[4096], path[4096], file[4096];
static u32 events_a_round = EVENTS;
static char error[1024];

static void setup(void)
{
    directory_make(directory);
    cr_assert_eq(file_join(path, directory, "store"), 0);
    cr_assert_eq(file_join(file, path, "data.mdb"), 0);
}

static void teardown(void) { directory_remove(directory); }

TestSuite(lmdb_pages, .init = setup, .fini = teardown, .timeout = 300);

/* ---- A store ---- */

static void job_done(struct store_job *job, i32 result) { *(i32 *)job->owner = result; }

static i32 run(struct store *store, struct io *io, struct store_job job)
{
    i32 result = 1;
    job.done = job_done;
    job.owner = &result;
    store_submit(store, &job);
    while (result == 1) io_run(io, true);
    return result;
}

static i32 chunks_write(struct store *store, struct io *io, u64 op)
{
    static _Alignas(8) u8 buffer[CHUNKS * 2048];
    u32 used = 0;
    for (u32 i = 0; i < CHUNKS; i++) {
        struct store_chunk *chunk = (struct store_chunk *)(void *)(buffer + used);
        *chunk = (struct store_chunk){.table = 1 + i % 3, .chunk = i, .bytes = 1984};
        memset(chunk + 1, (int)(i + op), 1984);
        chunk->checksum = (u32)hash64(chunk + 1, 1984, 0);
        used += (u32)sizeof *chunk + 1984;
    }
    return run(store, io,
               (struct store_job){.kind = STORE_CHUNKS, .data = buffer, .bytes = used, .root.op = op});
}

static i32 events_write(struct store *store, struct io *io, u64 first)
{
    static _Alignas(8) u8 buffer[EVENTS * 256 + 2 * EVENT_BYTES];
    u32 used = 0;
    for (u64 seq = first; seq < first + events_a_round; seq++) {
        u32 text = seq % 100 == 7 ? 9000 : 8 * (u32)(seq % 12);
        struct tkd_event *event = (struct tkd_event *)(void *)(buffer + used);
        memset(event, (int)seq, sizeof *event + text);
        event->size = (u32)sizeof *event + text;
        event->head = (u16)sizeof *event;
        event->kind = seq % 3 == 0 ? TKD_EVENT_ARCHIVED : TKD_EVENT_NOTED;
        event->seq = seq;
        event->ticket = seq * 7;
        used += event->size;
    }
    return run(store, io, (struct store_job){.kind = STORE_EVENTS, .data = buffer, .bytes = used});
}

struct sum {
    u64 hash;
};

static i32 chunk_add(void *owner, u32 table, u32 chunk, const void *data, u32 bytes)
{
    struct sum *sum = owner;
    sum->hash = hash_u64(sum->hash ^ hash64(data, bytes, (u64)table << 32 | chunk));
    return 0;
}

static i32 events_add(struct store *store, struct sum *sum)
{
    static _Alignas(8) u8 buffer[EVENT_BYTES];
    u64 last, archived;
    i32 result = store_event_last(store, &last);
    for (u64 seq = 1; result == 0 && seq <= last; seq++) {
        result = store_event_read(store, seq, buffer, sizeof buffer);
        const struct tkd_event *event = (const struct tkd_event *)(void *)buffer;
        if (result == 0) sum->hash = hash_u64(sum->hash ^ hash64(buffer, event->size, seq));
        if (result == 0 && seq % 3 == 0) result = store_archived_read(store, seq * 7, &archived);
        if (result == 0 && seq % 3 == 0) sum->hash = hash_u64(sum->hash ^ archived);
    }
    return result == 1 ? -ENODATA : result; /* one that must be there */
}

/* Of all that can be read; < 0: something cannot. */
static i32 store_sum(struct store *store, u64 *hash)
{
    struct store_root root;
    struct sum sum = {0};
    i32 result = store_root_read(store, &root);
    if (result == 1) return -ENODATA;
    if (result == 0) result = store_chunks_each(store, chunk_add, &sum, error, sizeof error);
    sum.hash = hash_u64(sum.hash ^ root.op);
    if (result == 0) result = events_add(store, &sum);
    *hash = sum.hash;
    return result;
}

/* Round n: events and rows, in two transactions. */
static i32 round_write(struct store *store, struct io *io, u64 round, u64 *between)
{
    struct store_root root = {.op = round - 1, .store_id = 9, .format_version = STORE_FORMAT_VERSION};
    i32 result = events_write(store, io, 1 + (round - 1) * events_a_round);
    if (result == 0 && round > 1)
        result = run(store, io, (struct store_job){.kind = STORE_COMMIT, .root = root});
    root.op = round;
    if (result == 0 && round > 1 && between != NULL) result = store_sum(store, between);
    if (result == 0) result = chunks_write(store, io, round);
    return result < 0 ? result : run(store, io, (struct store_job){.kind = STORE_COMMIT, .root = root});
}

/* What can be read of it: now, as of the transaction before, and when it has gone on. */
struct sums {
    u64 before, older, after;
};

static void expect_store(u64 rounds, struct sums *sums)
{
    struct io *io;
    struct store *store;
    cr_assert_eq(io_create(&io, error, sizeof error), 0, "%s", error);
    cr_assert_eq(store_open(&store, path, io, error, sizeof error), 0, "%s", error);
    for (u64 round = 1; round <= rounds; round++)
        cr_assert_eq(round_write(store, io, round, &sums->older), 0);
    cr_assert_eq(store_sum(store, &sums->before), 0, "%s", error);
    store_close(store);
    u64 bytes;
    u8 *kept = file_slurp(file, &bytes);
    cr_assert_eq(store_open(&store, path, io, error, sizeof error), 0, "%s", error);
    cr_assert_eq(round_write(store, io, rounds + 1, NULL), 0);
    cr_assert_eq(store_sum(store, &sums->after), 0, "%s", error);
    store_close(store);
    io_destroy(io);
    file_spill(file, kept, bytes);
    free(kept);
}

/* ---- A life on a damaged file ---- */

enum life { LIFE_WHOLE = 0, LIFE_REFUSED, LIFE_UNREADABLE, LIFE_OLDER, LIFE_UNNAMED, LIFE_WRONG, LIFE_SPREAD, LIVES };

static bool refusal_names_the_place(void)
{
    bool place = strstr(error, "page ") != NULL || strstr(error, "chunk ") != NULL || strstr(error, "its rows") != NULL;
    return place && strstr(error, path) != NULL && strstr(error, "remedy") != NULL;
}

static enum life live(u64 round, const struct sums *sums)
{
    struct io *io;
    struct store *store;
    u64 hash;
    if (io_create(&io, error, sizeof error) < 0) return LIVES;
    if (store_open(&store, path, io, error, sizeof error) < 0)
        return refusal_names_the_place() ? LIFE_REFUSED : LIFE_UNNAMED;
    i32 result = store_sum(store, &hash);
    /* A meta page lost: the log still has what came after, or says that it begins later. */
    if (result == 0 && hash == sums->older) return LIFE_OLDER;
    if (result == -ENODATA || (result == 0 && hash != sums->before)) return LIFE_WRONG;
    if (result < 0) return LIFE_UNREADABLE;
    /* It is as it was; it must stay so when it is written to. */
    if (round_write(store, io, round, NULL) < 0) return LIFE_SPREAD;
    store_close(store);
    if (store_open(&store, path, io, error, sizeof error) < 0) return LIFE_SPREAD;
    result = store_sum(store, &hash);
    if (result == -ENODATA || (result == 0 && hash != sums->after)) return LIFE_WRONG;
    store_close(store);
    io_destroy(io);
    return result < 0 ? LIFE_SPREAD : LIFE_WHOLE;
}

/* Of a child: exit code, or 100 + the signal that ended it. */
static u32 end_of(pid_t child)
{
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? (u32)WEXITSTATUS(status) : 100 + (u32)WTERMSIG(status);
}

static u32 live_apart(u64 round, const struct sums *sums)
{
    pid_t child = fork();
    if (child == 0) _exit((int)live(round, sums));
    return end_of(child);
}

/* ---- Damage ---- */

static const u32 flips[] = {0, 10, 12, 14, 16, 24, 40, 88, 112, 144, 2100, 4090};

#define KINDS (ARRAY_COUNT(flips) + 4)

static void damage(u8 *data, u64 pages, u64 page, u32 kind, struct prng *prng)
{
    u8 *at = data + page * PAGE_BYTES;
    u64 from = prng_below(prng, pages);
    if (kind < ARRAY_COUNT(flips)) {
        at[flips[kind]] ^= (u8)(1u << prng_below(prng, 8));
    } else if (kind == ARRAY_COUNT(flips)) {
        memset(at, 0, PAGE_BYTES);
    } else if (kind == ARRAY_COUNT(flips) + 1) {
        memset(at, 0xff, PAGE_BYTES);
    } else if (kind == ARRAY_COUNT(flips) + 2) {
        memmove(at, data + from * PAGE_BYTES, PAGE_BYTES); /* misdirected */
    } else {
        for (u32 i = 0; i < PAGE_BYTES; i++) at[i] = (u8)prng_next(prng);
    }
}

Test(lmdb_pages, no_damage_is_served_and_none_crashes)
{
    struct sums sums;
    u64 bytes;
    struct prng prng = prng_seeded(5);
    u32 ends[LIVES] = {0};
    expect_store(2, &sums);
    u8 *sound = file_slurp(file, &bytes), *damaged = malloc(bytes);
    u64 pages = bytes / PAGE_BYTES;
    cr_assert_eq(live_apart(3, &sums), LIFE_WHOLE);
    for (u64 page = 0; page < pages; page++) {
        for (u32 kind = 0; kind < KINDS; kind++) {
            memcpy(damaged, sound, bytes);
            damage(damaged, pages, page, kind, &prng);
            file_spill(file, damaged, bytes);
            u32 end = live_apart(3, &sums);
            cr_assert_lt(end, LIFE_UNNAMED, "page %llu, damage %u: %u", (unsigned long long)page, kind, end);
            ends[end]++;
        }
    }
    free(damaged);
    free(sound);
    cr_assert_leq(ends[LIFE_OLDER], 8, "only the bits of one number can do that");
    cr_assert_gt(ends[LIFE_WHOLE], 0);
    cr_assert_gt(ends[LIFE_REFUSED], 0);
    cr_assert_gt(ends[LIFE_UNREADABLE], 0);
}

/* What may be the number of a page, in a child or a list of free pages, becomes another one's. */
static void numbers_turn(const u8 *sound, u8 *damaged, u64 bytes, struct prng *prng, const struct sums *sums)
{
    u64 pages = bytes / PAGE_BYTES, number;
    for (u64 at = 2 * PAGE_BYTES; at + sizeof number <= bytes; at += 2) {
        memcpy(&number, sound + at, sizeof number);
        if (at % PAGE_BYTES < 16 || at % PAGE_BYTES + sizeof number > PAGE_BYTES || number < 2 || number >= pages)
            continue;
        number = 2 + (number - 1 + prng_below(prng, pages - 3)) % (pages - 2);
        memcpy(damaged, sound, bytes);
        memcpy(damaged + at, &number, sizeof number);
        file_spill(file, damaged, bytes);
        u32 end = live_apart(3, sums);
        cr_assert_lt(end, LIFE_OLDER, "byte %llu: %u", (unsigned long long)at, end);
    }
}

/* Damage that a start did not see, an append, and the disk is right again: then so is everything. */
static u32 live_mended(const u8 *sound, u64 page, u64 at, u64 round, const struct sums *sums)
{
    struct io *io;
    struct store *store;
    u64 hash, bytes;
    if (io_create(&io, error, sizeof error) < 0) return LIVES;
    if (store_open(&store, path, io, error, sizeof error) < 0) return LIFE_REFUSED;
    if (round_write(store, io, round, NULL) < 0) return LIFE_UNREADABLE;
    store_close(store);
    u8 *data = file_slurp(file, &bytes);
    data[at] ^= 1;
    bool untouched = memcmp(data + page * PAGE_BYTES, sound + page * PAGE_BYTES, PAGE_BYTES) == 0;
    data[at] ^= !untouched;
    file_spill(file, data, bytes);
    if (store_open(&store, path, io, error, sizeof error) < 0) return LIFE_SPREAD;
    i32 result = store_sum(store, &hash);
    return result == 0 && hash == sums->after ? LIFE_WHOLE : LIFE_SPREAD;
}

Test(lmdb_pages, no_damage_is_copied_on)
{
    u64 bytes;
    struct sums sums;
    struct prng prng = prng_seeded(5);
    u32 lives[LIVES + 1] = {0};
    enum { ROUNDS = 14 };
    events_a_round = 4; /* so many small values stand in the leaf that is copied on */
    expect_store(ROUNDS, &sums);
    u8 *sound = file_slurp(file, &bytes);
    for (u64 page = 2; page < bytes / PAGE_BYTES; page++) {
        for (u32 i = 0; i < 6; i++) {
            u64 at = page * PAGE_BYTES + prng_below(&prng, PAGE_BYTES);
            sound[at] ^= 1;
            file_spill(file, sound, bytes);
            sound[at] ^= 1;
            pid_t child = fork();
            if (child == 0) _exit((int)live_mended(sound, page, at, ROUNDS + 1, &sums));
            u32 end = end_of(child);
            cr_assert(end == LIFE_WHOLE || end == LIFE_REFUSED || end == LIFE_UNREADABLE, "byte %llu: %u",
                      (unsigned long long)at, end);
            lives[end]++;
        }
    }
    cr_assert(lives[LIFE_WHOLE] > 10 && lives[LIFE_REFUSED] > 10, "%u %u", lives[LIFE_WHOLE], lives[LIFE_REFUSED]);
    free(sound);
}

Test(lmdb_pages, no_number_of_another_page_is_believed)
{
    struct sums sums;
    u64 bytes;
    struct prng prng = prng_seeded(7);
    expect_store(2, &sums);
    u8 *sound = file_slurp(file, &bytes), *damaged = malloc(bytes);
    numbers_turn(sound, damaged, bytes, &prng, &sums);
    free(damaged);
    free(sound);
}

/* One in so many bits from here to there. How many lives were refused. */
static u32 bits_turn(const u8 *sound, u64 bytes, u64 from, u64 to, u32 step, const struct sums *sums)
{
    u32 refused = 0;
    u8 *damaged = malloc(bytes);
    for (u64 bit = 8 * from; bit < 8 * to; bit += step) {
        memcpy(damaged, sound, bytes);
        damaged[bit / 8] ^= (u8)(1u << bit % 8);
        file_spill(file, damaged, bytes);
        u32 end = live_apart(3, sums);
        cr_assert_leq(end, LIFE_REFUSED, "page %llu, bit %llu: %u", (unsigned long long)(from / PAGE_BYTES),
                      (unsigned long long)(bit % (8 * PAGE_BYTES)), end);
        if (end == LIFE_REFUSED) refused++;
    }
    free(damaged);
    return refused;
}

static u64 u64_at(const u8 *at)
{
    u64 value;
    memcpy(&value, at, sizeof value);
    return value;
}

static u16 u16_at(const u8 *at)
{
    u16 value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* Where the meta page of the newer transaction stands. */
static u64 meta_newer(const u8 *data)
{
    return u64_at(data + META_TXN) < u64_at(data + PAGE_BYTES + META_TXN) ? PAGE_BYTES : 0;
}

/* Lists of free pages stand under the numbers of transactions: that of one yet to come would be written over. */
Test(lmdb_pages, no_key_of_a_list_of_free_pages_is_believed)
{
    struct sums sums;
    u64 bytes;
    u32 refused = 0;
    expect_store(2, &sums);
    u8 *sound = file_slurp(file, &bytes);
    u64 root = u64_at(sound + meta_newer(sound) + META_FREE_ROOT) * PAGE_BYTES;
    u32 nodes = (u16_at(sound + root + PAGE_LOWER) - PAGE_HEAD_BYTES) / 2;
    cr_assert_geq(nodes, 2);
    for (u32 i = 0; i < nodes; i++) {
        u64 node = root + u16_at(sound + root + PAGE_HEAD_BYTES + 2 * i);
        refused += bits_turn(sound, bytes, node, node + NODE_HEAD_BYTES + sizeof(u64), 1, &sums);
    }
    cr_assert_gt(refused, 64);
    free(sound);
}

/* Above the names of the trees stand other names, and above the events their numbers: one that is not right leads
 * to the wrong page, and the next write would copy it. */
Test(lmdb_pages, no_branch_page_is_believed)
{
    struct sums sums;
    u64 bytes;
    u32 seen = 0;
    expect_store(2, &sums);
    u8 *sound = file_slurp(file, &bytes);
    u64 names = u64_at(sound + meta_newer(sound) + META_ROOT) * PAGE_BYTES;
    for (u64 page = 2 * PAGE_BYTES; page < bytes; page += PAGE_BYTES) {
        if (u64_at(sound + page) != page / PAGE_BYTES || sound[page + PAGE_FLAGS] != BRANCH) continue;
        u64 nodes = page + u16_at(sound + page + PAGE_UPPER);
        seen += bits_turn(sound, bytes, nodes, page + PAGE_BYTES, page == names ? 1 : 3, &sums) > 20;
    }
    cr_assert_geq(seen, 2, "the fixture has branch pages above the trees and above the events");
    free(sound);
}

/* The older meta page says that it is the newer one. */
Test(lmdb_pages, an_older_meta_page_is_not_taken_for_the_newer)
{
    struct sums sums;
    u64 bytes;
    expect_store(2, &sums);
    u8 *data = file_slurp(file, &bytes);
    u8 *older = data + PAGE_BYTES - meta_newer(data) + META_TXN;
    u64 txn = u64_at(older) + 2;
    memcpy(older, &txn, sizeof txn);
    file_spill(file, data, bytes);
    cr_assert_eq(live_apart(3, &sums), LIFE_REFUSED);
    free(data);
}

Test(lmdb_pages, a_shorter_file_is_refused)
{
    struct sums sums;
    u64 bytes;
    expect_store(2, &sums);
    u8 *sound = file_slurp(file, &bytes);
    for (u64 left = 0; left < bytes; left += PAGE_BYTES) {
        file_spill(file, sound, left);
        u32 end = live_apart(3, &sums);
        cr_assert_lt(end, LIFE_UNNAMED, "%llu bytes are left: %u", (unsigned long long)left, end);
    }
    free(sound);
}

/* ---- A write that was lost, though all behind it was not ---- */

static u8 *file_of(u64 rounds, struct sums *sums, u64 *bytes)
{
    cr_assert_eq(file_remove(file), 0);
    expect_store(rounds, sums);
    return file_slurp(file, bytes);
}

/* Every page of a file as it was some transactions ago, each by itself. */
static void lose_writes(u64 rounds_before, u64 rounds)
{
    struct sums sums;
    u64 old_bytes, bytes;
    u32 ends[LIVES] = {0};
    u8 *old = file_of(rounds_before, &sums, &old_bytes);
    u8 *sound = file_of(rounds, &sums, &bytes), *damaged = malloc(bytes);
    for (u64 at = 0; at < bytes; at += PAGE_BYTES) {
        memcpy(damaged, sound, bytes);
        memset(damaged + at, 0, PAGE_BYTES);
        if (at < old_bytes) memcpy(damaged + at, old + at, PAGE_BYTES);
        if (memcmp(damaged, sound, bytes) == 0) continue;
        file_spill(file, damaged, bytes);
        u32 end = live_apart(rounds + 1, &sums);
        cr_assert_lt(end, LIFE_UNNAMED, "page %llu: %u", (unsigned long long)(at / PAGE_BYTES), end);
        ends[end]++;
    }
    free(damaged);
    free(sound);
    free(old);
    cr_assert_leq(ends[LIFE_OLDER], 1, "only that of a meta page can do that");
    cr_assert_gt(ends[LIFE_REFUSED], 0);
}

Test(lmdb_pages, no_lost_write_is_served)
{
    for (u64 rounds = 2; rounds < 6; rounds++) {
        for (u64 before = 1; before < rounds; before++) lose_writes(before, rounds);
    }
}

/* ---- A page that goes bad under a store that is open: what history shows is right, or unreadable ---- */

static void page_put(const u8 *damaged, u64 page)
{
    FILE *opened = fopen(file, "r+be");
    if (opened == NULL || fseek(opened, (long)(page * PAGE_BYTES), SEEK_SET) != 0) _exit(LIVES);
    if (fwrite(damaged + page * PAGE_BYTES, PAGE_BYTES, 1, opened) != 1 || fclose(opened) != 0) _exit(LIVES);
}

static enum life read_on(const u8 *damaged, u64 page)
{
    struct io *io;
    struct store *store;
    struct sum before = {0}, sum = {0};
    if (io_create(&io, error, sizeof error) < 0) return LIVES;
    if (store_open(&store, path, io, error, sizeof error) < 0) return LIVES;
    if (events_add(store, &before) < 0) return LIVES;
    page_put(damaged, page);
    i32 result = events_add(store, &sum);
    if (result == -ENODATA || (result == 0 && sum.hash != before.hash)) return LIFE_WRONG;
    return result < 0 ? LIFE_UNREADABLE : LIFE_WHOLE;
}

static u32 read_on_apart(const u8 *damaged, u64 page)
{
    pid_t child = fork();
    if (child == 0) _exit((int)read_on(damaged, page));
    return end_of(child);
}

Test(lmdb_pages, history_on_a_page_that_goes_bad_is_unreadable)
{
    struct sums sums;
    u64 bytes;
    struct prng prng = prng_seeded(6);
    u32 ends[LIVES] = {0};
    u8 *sound = file_of(3, &sums, &bytes), *damaged = malloc(bytes);
    u64 pages = bytes / PAGE_BYTES;
    for (u64 page = 0; page < pages; page++) {
        for (u32 kind = 0; kind < KINDS; kind++) {
            memcpy(damaged, sound, bytes);
            damage(damaged, pages, page, kind, &prng);
            file_spill(file, sound, bytes);
            u32 end = read_on_apart(damaged, page);
            cr_assert(end == LIFE_WHOLE || end == LIFE_UNREADABLE, "page %llu, damage %u: %u", (unsigned long long)page,
                      kind, end);
            ends[end]++;
        }
    }
    free(damaged);
    free(sound);
    cr_assert_gt(ends[LIFE_WHOLE], 0);
    cr_assert_gt(ends[LIFE_UNREADABLE], 0);
}
