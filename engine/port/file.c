#include "port/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY_PAGE 4096

i32 file_join(char *path, const char *directory, const char *name)
{
    int length = snprintf(path, FILE_PATH_BYTES, "%s/%s", directory, name);
    return length > 0 && (u32)length < FILE_PATH_BYTES ? 0 : -ENAMETOOLONG;
}

/* ---- The lock ---- */

static u64 lock_pid(i32 fd)
{
    char text[32] = {0};
    if (pread(fd, text, sizeof text - 1, 0) <= 0) return 0;
    return strtoull(text, NULL, 10);
}

static i32 lock_busy(i32 fd, const char *directory, char *error, u32 error_bytes)
{
    u64 pid = lock_pid(fd);
    close(fd);
    char holder[64] = "another process";
    if (pid != 0) snprintf(holder, sizeof holder, "the process with pid %llu", (unsigned long long)pid);
    snprintf(error, error_bytes,
             "the data directory %s is in use by %s; remedy: stop that one first (kill -TERM PID), or choose "
             "another --data directory",
             directory, holder);
    return -EBUSY;
}

i32 file_lock(const char *directory, char *error, u32 error_bytes)
{
    char path[FILE_PATH_BYTES];
    i32 result = file_join(path, directory, "lock");
    i32 fd = result < 0 ? result : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) {
        result = result < 0 ? result : -errno;
        snprintf(error, error_bytes,
                 "cannot open %s/lock: %s; remedy: make the directory writable for this user", directory,
                 strerror(-result));
        return result;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) return lock_busy(fd, directory, error, error_bytes);
    char text[32];
    int length = snprintf(text, sizeof text, "%llu\n", (unsigned long long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)length, 0) != length) {
        result = -errno;
        snprintf(error, error_bytes, "cannot write %s: %s; remedy: free some disk space", path,
                 strerror(-result));
        close(fd);
        return result;
    }
    return fd;
}

i32 file_lock_held(const char *directory, u64 *pid)
{
    *pid = 0;
    char path[FILE_PATH_BYTES];
    if (file_join(path, directory, "lock") < 0) return 0;
    i32 fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    bool held = flock(fd, LOCK_SH | LOCK_NB) != 0;
    if (held) *pid = lock_pid(fd);
    close(fd);
    return held ? 1 : 0;
}

/* ---- Directories and names ---- */

static i32 parent_of(char *parent, const char *path)
{
    int length = snprintf(parent, FILE_PATH_BYTES, "%s", path);
    if (length < 0 || (u32)length >= FILE_PATH_BYTES) return -ENAMETOOLONG;
    char *slash = strrchr(parent, '/');
    if (slash == NULL)
        snprintf(parent, FILE_PATH_BYTES, ".");
    else
        slash[slash == parent ? 1 : 0] = 0;
    return 0;
}

/* One level. */
static i32 make_one(const char *path)
{
    if (mkdir(path, 0750) == 0) return 1;
    if (errno != EEXIST) return -errno;
    struct stat status;
    if (stat(path, &status) != 0) return -errno;
    return S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
}

/* The name of one that was there is synced too: who made it may have been killed before that. It was not us where we
 * may not write, or where there is no such sync. */
static i32 make_one_durable(const char *path)
{
    char parent[FILE_PATH_BYTES];
    i32 result = parent_of(parent, path);
    i32 made = result < 0 ? result : make_one(path);
    if (made < 0 || (made == 0 && access(parent, W_OK) != 0)) return made;
    result = file_sync_directory(parent);
    if (made == 0 && result == -EINVAL) return 0;
    return result < 0 ? result : made;
}

i32 file_make_directory(const char *path)
{
    char part[FILE_PATH_BYTES];
    int length = snprintf(part, sizeof part, "%s", path);
    if (length <= 0 || (u32)length >= sizeof part) return -ENAMETOOLONG;
    for (char *at = part + 1; *at != 0; at++) {
        if (*at != '/') continue;
        *at = 0;
        i32 result = make_one_durable(part);
        if (result < 0) return result;
        *at = '/';
    }
    return make_one_durable(part);
}

i32 file_open_directory(const char *path)
{
    i32 fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

i32 file_sync_directory(const char *path)
{
    i32 fd = file_open_directory(path);
    if (fd < 0) return fd;
    i32 result = fsync(fd) == 0 ? 0 : -errno;
    close(fd);
    return result;
}

i32 file_exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 || errno != ENOENT; /* what cannot be looked at is not taken for absent */
}

i32 file_remove(const char *path)
{
    if (remove(path) == 0 || errno == ENOENT) return 0;
    return -errno;
}

i32 file_rename(const char *from, const char *to) { return rename(from, to) == 0 ? 0 : -errno; }

i32 file_names(const char *directory, file_name_fn *fn, void *owner)
{
    struct dirent **entries;
    int count = scandir(directory, &entries, NULL, alphasort);
    if (count < 0) return -errno;
    i32 result = 0;
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        if (result == 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0) result = fn(owner, name);
        free(entries[i]);
    }
    free(entries);
    return result;
}

/* ---- Files ---- */

i32 file_open(const char *path, bool write, bool create, bool *direct)
{
    int flags = (write ? O_RDWR : O_RDONLY) | (create ? O_CREAT : 0) | O_CLOEXEC;
    *direct = true;
    i32 fd = open(path, flags | O_DIRECT, 0640);
    if (fd >= 0) return fd;
    if (errno != EINVAL) return -errno;
    *direct = false; /* as on some tmpfs and network file systems */
    fd = open(path, flags, 0640);
    return fd < 0 ? -errno : fd;
}

void file_close(i32 fd)
{
    if (fd >= 0) close(fd);
}

i32 file_sync(i32 fd) { return fsync(fd) == 0 ? 0 : -errno; }

i64 file_bytes(i32 fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 ? (i64)status.st_size : -errno;
}

i32 file_allocate(i32 fd, u64 bytes)
{
    if (fallocate(fd, 0, 0, (off_t)bytes) == 0 || errno == EOPNOTSUPP) return 0;
    return -errno;
}

i64 file_read_at(i32 fd, void *buffer, u64 bytes, u64 offset)
{
    u64 done = 0;
    while (done < bytes) {
        ssize_t got = pread(fd, (u8 *)buffer + done, bytes - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -errno;
        done += (u64)got;
        if (got == 0 || done % FILE_BLOCK_BYTES != 0) break;
    }
    return (i64)done;
}

i32 file_write_at(i32 fd, const void *buffer, u64 bytes, u64 offset)
{
    u64 done = 0;
    while (done < bytes) {
        ssize_t put = pwrite(fd, (const u8 *)buffer + done, bytes - done, (off_t)(offset + done));
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return -errno;
        if (put == 0) return -EIO;
        done += (u64)put;
        if (done < bytes && done % FILE_BLOCK_BYTES != 0)
            return -ENOSPC; /* a short write where the disk ends */
    }
    return 0;
}

/* ---- Memory, chance, self ---- */

void *file_buffer(u64 bytes)
{
    void *buffer =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return buffer == MAP_FAILED ? NULL : buffer;
}

void file_buffer_free(void *buffer, u64 bytes)
{
    if (buffer == NULL) return;
    int result = munmap(buffer, bytes);
    ASSERT(result == 0);
}

void file_memory_grows(void *memory, u64 bytes)
{
    const u64 small = (u64)4 << 20, page = (u64)2 << 20;
    u64 begin = round_up((u64)(uintptr_t)memory + small, page), end = (u64)(uintptr_t)memory + bytes;
    if (end < begin + page) return;
    madvise((void *)(uintptr_t)begin, end - begin, MADV_HUGEPAGE); /* a kernel without is fine */
}

void file_memory_scattered(void *memory, u64 bytes)
{
    u64 begin = round_up((u64)(uintptr_t)memory, MEMORY_PAGE), end = (u64)(uintptr_t)memory + bytes;
    if (end > begin) madvise((void *)(uintptr_t)begin, end - begin, MADV_NOHUGEPAGE); /* a kernel without is fine */
}

/* Where pages are larger nothing is given back: what lies behind would go, too. */
void file_memory_release(void *memory, u64 bytes)
{
    if (sysconf(_SC_PAGESIZE) == MEMORY_PAGE) madvise(memory, bytes, MADV_DONTNEED);
}

u64 file_random(void)
{
    u64 value = 0;
    while (value == 0) {
        ssize_t got = getrandom(&value, sizeof value, 0);
        ASSERT(got == sizeof value || (got < 0 && errno == EINTR));
    }
    return value;
}

u64 file_pid(void) { return (u64)getpid(); }
