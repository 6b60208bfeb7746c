/* The store's helper without its thread: jobs run one after the other at a pace that the seed decides, with
 * the engine's own code and liblmdb, whose calls of the kernel end on the simulated disk. The process may die
 * at any of them. What liblmdb allocates and maps is the process's.
 */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#include "base/hash.h"
#include "port/file.h"
#include "port/lmdb.h"
#include "tests/sim/injected.h"
#include "tests/sim/world.h"

#define FILES_MAX 16384u

/* ---- Jobs ---- */

struct lmdb_helper {
    struct store *store;
    struct store_job *first;
    struct store_job *last;
    u64 due_ns; /* when the first job is done */
};
static struct lmdb_helper *open_helper; /* NULL: no process has the store open for writing */

i32 lmdb_helper_start(struct store *store, struct io *io)
{
    ASSERT(io != NULL && open_helper == NULL);
    store->helper = open_helper = calloc(1, sizeof *open_helper);
    if (open_helper == NULL) return -ENOMEM;
    open_helper->store = store;
    return 0;
}

void lmdb_helper_stop(struct store *store)
{
    free(store->helper);
    store->helper = open_helper = NULL;
}

void store_crash(void) { open_helper = NULL; }

static void job_time(struct lmdb_helper *helper)
{
    helper->due_ns = world->now_ns + some_ns(2 * MS_NS) * world->store_slow_factor;
    if (world->store_slow_factor > 1) world_disturb(helper->due_ns);
}

static i32 job_hash(const struct store_job *job)
{
    return job->bytes == 0 ? 0 : (i32)(hash64(job->data, job->bytes, 1) & 0x7fffffff);
}

void store_submit(struct store *store, struct store_job *job)
{
    struct lmdb_helper *helper = store->helper;
    ASSERT(helper != NULL && helper == open_helper && job->done != NULL);
    ASSERT(job->kind >= STORE_CHUNKS && job->kind <= STORE_COPY);
    job->next = NULL;
    job->result = job_hash(job); /* the member is the store's: to see that the buffers stay as they are */
    if (helper->first == NULL) {
        helper->first = helper->last = job;
        job_time(helper);
    } else {
        helper->last = helper->last->next = job;
    }
}

u64 store_next_ns(void)
{
    return open_helper == NULL || open_helper->first == NULL ? U64_NONE : open_helper->due_ns;
}

u32 store_step(void)
{
    struct lmdb_helper *helper = open_helper;
    if (helper == NULL || helper->first == NULL || helper->due_ns > world->now_ns) return 0;
    struct store_job *job = helper->first;
    if (job_hash(job) != job->result) violation("a buffer changed while the store had it");
    i32 result = lmdb_job_run(helper->store, job);
    trace_add((u64)job->kind << 16 ^ (u64)(u32)result ^ world->now_ns);
    crash_step(); /* done, unheard */
    helper->first = job->next;
    job_time(helper);
    job->done(job, result);
    return 1;
}

/* ---- What liblmdb asks of the kernel. The linker sends its calls, and everybody else's, here. ---- */

int __real_open(const char *path, int flags, ...);
int __real_close(int fd);
ssize_t __real_pread(int fd, void *buffer, size_t bytes, off_t offset);
ssize_t __real_write(int fd, const void *buffer, size_t bytes);
void *__real_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *address, size_t bytes);
int __real_mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode);

int __wrap_open(const char *path, int flags, ...);
int __wrap_close(int fd);
ssize_t __wrap_pread(int fd, void *buffer, size_t bytes, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *buffer, size_t bytes, off_t offset);
ssize_t __wrap_write(int fd, const void *buffer, size_t bytes);
ssize_t __wrap_writev(int fd, const struct iovec *parts, int count);
off_t __wrap_lseek(int fd, off_t offset, int whence);
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fstatfs(int fd, struct statfs *status);
int __wrap_fstatvfs(int fd, struct statvfs *status);
int __wrap___fxstat(int version, int fd, struct stat *status);
void *__wrap_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset);
int __wrap_munmap(void *address, size_t bytes);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t bytes);
int __wrap_mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode);

/* Of an open file of the store. */
struct file {
    bool durable; /* a write is, when it returns (O_DSYNC) */
    u64 position;
};
static struct file files[FILES_MAX];

static bool ours(int fd) { return world != NULL && disk_is_file(fd) && (u32)fd < FILES_MAX; }

static i64 answer(i64 result)
{
    if (result >= 0) return result;
    errno = (int)-result;
    return -1;
}

int __wrap_open(const char *path, int flags, ...)
{
    if (world == NULL || strncmp(path, "/data/", 6) != 0) return __real_open(path, flags, 0600);
    bool create = (flags & O_CREAT) != 0, direct;
    if ((flags & O_EXCL) && file_exists(path)) return (int)answer(-EEXIST);
    i32 fd = file_open(path, create, create, &direct);
    if (fd >= 0) files[fd] = (struct file){.durable = (flags & O_DSYNC) == O_DSYNC};
    return (int)answer(fd);
}

int __wrap_close(int fd)
{
    if (!ours(fd)) return __real_close(fd);
    file_close(fd);
    return 0;
}

ssize_t __wrap_pread(int fd, void *buffer, size_t bytes, off_t offset)
{
    if (!ours(fd)) return __real_pread(fd, buffer, bytes, offset);
    return answer(disk_read(fd, buffer, bytes, (u64)offset));
}

ssize_t __wrap_pwrite(int fd, const void *buffer, size_t bytes, off_t offset)
{
    ASSERT(ours(fd));
    return answer(disk_append(fd, buffer, (u32)bytes, (u64)offset, files[fd].durable));
}

ssize_t __wrap_write(int fd, const void *buffer, size_t bytes)
{
    if (!ours(fd)) return __real_write(fd, buffer, bytes);
    ssize_t put = __wrap_pwrite(fd, buffer, bytes, (off_t)files[fd].position);
    if (put > 0) files[fd].position += (u64)put;
    return put;
}

ssize_t __wrap_writev(int fd, const struct iovec *parts, int count)
{
    ssize_t bytes = 0;
    for (int i = 0; i < count; i++) {
        ssize_t put = __wrap_write(fd, parts[i].iov_base, parts[i].iov_len);
        if (put < 0) return put;
        bytes += put;
    }
    return bytes;
}

off_t __wrap_lseek(int fd, off_t offset, int whence)
{
    ASSERT(ours(fd) && (whence == SEEK_SET || whence == SEEK_END));
    files[fd].position = (u64)offset + (whence == SEEK_END ? (u64)file_bytes(fd) : 0);
    return (off_t)files[fd].position;
}

int __wrap_fdatasync(int fd)
{
    ASSERT(ours(fd));
    return (int)answer(file_sync(fd));
}

int __wrap_fsync(int fd) { return __wrap_fdatasync(fd); }

int __wrap_fcntl(int fd, int command, ...)
{
    (void)command;
    ASSERT(ours(fd)); /* flags that change nothing here */
    return 0;
}

int __wrap_fstatfs(int fd, struct statfs *status)
{
    ASSERT(ours(fd));
    memset(status, 0, sizeof *status);
    return 0;
}

int __wrap_fstatvfs(int fd, struct statvfs *status)
{
    ASSERT(ours(fd));
    injected_room(disk_room());
    *status = (struct statvfs){.f_frsize = 4096, .f_bavail = disk_room() / 4096};
    return 0;
}

int __wrap___fxstat(int version, int fd, struct stat *status)
{
    (void)version;
    ASSERT(ours(fd));
    *status = (struct stat){.st_size = (off_t)file_bytes(fd)};
    return 0;
}

static void *map; /* the one that liblmdb has */

void *__wrap_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    if (fd < 0 || !ours(fd)) return __real_mmap(address, bytes, protection, flags, fd, offset);
    map = __real_mmap(address, bytes, protection, flags, disk_memory(fd), offset);
    if (map == MAP_FAILED) return map;
    process_memory_add(map, bytes);
    return map;
}

int __wrap_munmap(void *address, size_t bytes)
{
    if (map == NULL || address != map) return __real_munmap(address, bytes);
    map = NULL;
    process_memory_remove(address);
    return 0;
}

int __wrap_posix_memalign(void **memory, size_t alignment, size_t bytes)
{
    (void)alignment; /* wanted for direct I/O, which there is none of */
    *memory = malloc(bytes);
    return *memory == NULL ? ENOMEM : 0;
}

/* One process at a time has the file, and nobody reads while a job runs. */
int __wrap_mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode)
{
    return __real_mdb_env_open(env, path, flags | MDB_NOLOCK, mode);
}
