/* store.h over LMDB: opening, what a job does, the root.
 *
 * The write transaction belongs to the helper thread; the loop's thread has one read transaction, renewed for
 * each call.
 */
#include "port/lmdb.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#include "base/hash.h"
#include "port/file.h"

#define MAP_BYTES_MAX (1ull << 40)
#define MAP_BYTES_MIN (1ull << 28)
#define DATABASES_MAX (2 * STORE_TABLES_MAX + 3u)

/* ---- The root ---- */

/* 1: there is none. */
static i32 root_get(struct store *store, MDB_txn *txn, struct root_value *root)
{
    u64 number = ROOT_KEY;
    MDB_val key = value_of(&number, sizeof number), value;
    *root = (struct root_value){0};
    int code = mdb_get(txn, store->root, &key, &value);
    if (code == MDB_NOTFOUND) return 1;
    if (code != 0) return result_of(code);
    if (value.mv_size != sizeof *root) return -EIO;
    memcpy(root, value.mv_data, sizeof *root);
    return root->checksum == root_checksum(root) ? 0 : -EIO;
}

static i32 root_put(struct store *store, MDB_txn *txn, const struct store_root *root)
{
    struct root_value stored = {.root = *root, .rows_sum = store->rows_sum, .txn = mdb_txn_id(txn)};
    stored.checksum = root_checksum(&stored);
    u64 number = ROOT_KEY;
    MDB_val key = value_of(&number, sizeof number);
    MDB_val value = value_of(&stored, sizeof stored);
    return result_of(mdb_put(txn, store->root, &key, &value, 0));
}

i32 lmdb_root_op(struct store *store, MDB_txn *txn, u64 *op, u64 *rows_sum)
{
    struct root_value stored;
    i32 result = root_get(store, txn, &stored);
    *op = stored.root.op;
    *rows_sum = stored.rows_sum;
    return result < 0 ? result : 0;
}

/* ---- Writing, on the helper's thread ---- */

static i32 commit(struct store *store, const struct store_root *root)
{
    bool finishes = store->snapshot_op != 0 && root->op == store->snapshot_op;
    ASSERT(finishes || store->snapshot_op == 0 || root->op == store->root_op);
    if (finishes) store->rows_sum = store->snapshot_sum;
    i32 result = root_put(store, store->txn, root);
    if (result == 0 && finishes) {
        u64 number = UNFINISHED_KEY;
        MDB_val key = value_of(&number, sizeof number);
        result = result_of(mdb_del(store->txn, store->root, &key, NULL));
    }
    if (result < 0) return result;
    result = result_of(mdb_txn_commit(store->txn));
    store->txn = NULL; /* gone, whatever the result */
    store->root_op = root->op;
    if (finishes) store->snapshot_op = 0;
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
    ASSERT(store->txn == NULL); /* LMDB would wait for it, for ever */
    i32 made = file_make_directory(path);
    if (made == 0) return -EEXIST;
    if (made < 0) return made;
    char file[FILE_PATH_BYTES];
    i32 result = file_join(file, path, "data.mdb");
    if (result == 0) result = result_of(mdb_env_copy(store->env, path));
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

i32 lmdb_job_run(struct store *store, const struct store_job *job)
{
    if (store->failed < 0) return store->failed;
    if (job->kind == STORE_COPY) return copy(store, job->path);
    i32 result = 0;
    if (store->txn == NULL) result = result_of(mdb_txn_begin(store->env, NULL, 0, &store->txn));
    if (result == 0 && job->kind == STORE_CHUNKS) result = lmdb_rows_write(store, job);
    if (result == 0 && job->kind == STORE_EVENTS) result = lmdb_events_write(store, job);
    if (result == 0 && job->kind == STORE_COMMIT) result = commit(store, &job->root);
    if (result == 0) return 0;
    if (store->txn != NULL) mdb_txn_abort(store->txn);
    store->txn = NULL;
    store->failed = result;
    return result;
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

static i32 rows_databases_open(struct store *store, MDB_txn *txn, unsigned flags)
{
    int code = 0;
    for (u32 i = 0; i < 2 * STORE_TABLES_MAX && code == 0; i++) {
        char name[16];
        snprintf(name, sizeof name, "table.%02u.%u", i / 2, i % 2);
        code = mdb_dbi_open(txn, name, flags, &store->rows[i / 2][i % 2]);
    }
    return result_of(code);
}

/* Any transaction that changes something carries the root. */
static i32 purge(struct store *store, MDB_txn *txn)
{
    struct root_value stored;
    i32 result = lmdb_rows_purge(store, txn, store->root_op);
    if (result != 0) return result < 0 ? result : 0;
    result = root_get(store, txn, &stored);
    return result == 0 ? root_put(store, txn, &stored.root) : -EIO;
}

static i32 databases_open(struct store *store, bool write, bool create)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(store->env, NULL, write ? 0 : MDB_RDONLY, &txn);
    if (code != 0) return result_of(code);
    unsigned flags = MDB_INTEGERKEY | (create ? MDB_CREATE : 0u);
    i32 result = rows_databases_open(store, txn, flags);
    if (result == 0) result = result_of(mdb_dbi_open(txn, EVENTS_NAME, flags, &store->events));
    if (result == 0) result = result_of(mdb_dbi_open(txn, ARCHIVED_NAME, flags, &store->archived));
    if (result == 0) result = result_of(mdb_dbi_open(txn, ROOT_NAME, flags, &store->root));
    if (result == 0) result = lmdb_root_op(store, txn, &store->root_op, &store->rows_sum);
    if (result == 0 && write) result = purge(store, txn);
    if (result < 0) {
        mdb_txn_abort(txn);
        return result;
    }
    code = mdb_txn_commit(txn);
    if (code == 0) code = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &store->reader);
    if (code == 0) mdb_txn_reset(store->reader);
    return result_of(code);
}

static void env_close(struct store *store)
{
    if (store->reader != NULL) mdb_txn_abort(store->reader);
    if (store->env != NULL) mdb_env_close(store->env);
    store->reader = NULL;
    store->env = NULL;
}

/* A new file gets its name when it is complete, so that one which is not complete is damaged. The name counts when
 * both directories were synced: a start that failed in between leaves that to the next one. */
static i32 make_new(struct store *store, const char *directory)
{
    char making[FILE_PATH_BYTES], from[FILE_PATH_BYTES], lock[FILE_PATH_BYTES], to[FILE_PATH_BYTES];
    i32 result = file_join(making, directory, "making");
    if (result == 0) result = file_join(from, making, "data.mdb");
    if (result == 0) result = file_join(lock, making, "lock.mdb");
    if (result == 0) result = file_join(to, directory, "data.mdb");
    if (result == 0 && !file_exists(to)) {
        result = file_make_directory(making);
        if (result >= 0) result = file_remove(from);
        if (result == 0) result = env_open(store, making, true);
        if (result == 0) result = databases_open(store, true, true);
        env_close(store);
        if (result == 0) result = file_rename(from, to);
    }
    if (result < 0 || !file_exists(making)) return result;
    result = file_sync_directory(making);
    if (result == 0) result = file_sync_directory(directory);
    if (result == 0) result = file_remove(lock);
    if (result == 0) result = file_remove(from); /* left by a start that was killed, beside a store put here since */
    return result < 0 ? result : file_remove(making);
}

/* Is there a server on the data directory that this store lies in? */
static bool served(const char *directory)
{
    char parent[FILE_PATH_BYTES];
    u64 pid;
    return file_join(parent, directory, "..") == 0 && file_lock_held(parent, &pid) == 1;
}

i32 lmdb_format_check(u32 format, const char *directory, char *error, u32 error_bytes)
{
    if (format == STORE_FORMAT_VERSION) return 0;
    snprintf(error, error_bytes, "the store %s has format version %u, this program %u; remedy: %s", directory, format,
             STORE_FORMAT_VERSION, "use the program that wrote it");
    return -EPROTONOSUPPORT;
}

static i32 open_all(struct store *store, const char *directory, struct io *io, char *error, u32 error_bytes)
{
    bool write = io != NULL;
    i32 result = write ? file_make_directory(directory) : 0;
    if (result >= 0 && write) result = make_new(store, directory);
    /* Pages are written anew under a walk beside a running server: then it would only seem to find damage. */
    if (result >= 0 && (write || !served(directory))) result = lmdb_check(store, directory, error, error_bytes);
    if (result >= 0 && write) result = lmdb_meta_write_again(directory);
    if (result >= 0) result = env_open(store, directory, write);
    if (result < 0) return result;
    int dead_readers;
    result = result_of(mdb_reader_check(store->env, &dead_readers));
    if (result == 0) result = databases_open(store, write, false);
    if (result == 0 && write) result = file_sync_directory(directory);
    struct store_root root;
    if (result == 0) result = store_root_read(store, &root);
    if (result < 0) return result;
    if (result == 0) result = lmdb_format_check(root.format_version, directory, error, error_bytes);
    if (result < 0) return result;
    result = store_event_last(store, &store->event_last);
    if (result < 0)
        snprintf(error, error_bytes,
                 "the newest events in page %llu of the store %s, or above it, cannot be read: %s; remedy: %s",
                 (unsigned long long)store->page_read, directory, strerror(-result),
                 "see to the disk, else start from a backup");
    if (result == 0 && write) result = lmdb_helper_start(store, io);
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
    error[0] = 0;
    i32 result = open_all(store, directory, io, error, error_bytes);
    if (result < 0 && error[0] != 0) {
        store_close(store);
        return result;
    }
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
    if (store->helper != NULL) lmdb_helper_stop(store);
    if (store->txn != NULL) mdb_txn_abort(store->txn);
    env_close(store);
    free(store);
}

/* ---- Reading, on the loop's thread ---- */

i32 lmdb_read_begin(struct store *store)
{
    lmdb_forget(&store->seen);
    return result_of(mdb_txn_renew(store->reader));
}

void lmdb_read_end(struct store *store) { mdb_txn_reset(store->reader); }

i32 store_root_read(struct store *store, struct store_root *root)
{
    i32 result = lmdb_read_begin(store);
    if (result < 0) return result;
    struct root_value stored;
    result = root_get(store, store->reader, &stored);
    *root = stored.root;
    lmdb_read_end(store);
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
    struct rlimit limit; /* of file sizes */
    if (mdb_env_get_fd(store->env, &fd) != 0 || fstatvfs(fd, &status) != 0) return 0;
    u64 room = (u64)status.f_bavail * status.f_frsize;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return room;
    return min_u64(room, sat_sub(limit.rlim_cur, store_bytes(store)));
}
