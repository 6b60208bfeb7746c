#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/directory.h"
#include "port/file.h"

static char directory[4096];

static void setup(void) { directory_make(directory); }

static void teardown(void) { directory_remove(directory); }

TestSuite(file, .init = setup, .fini = teardown);

Test(file, a_second_lock_names_the_holder)
{
    char error[1024] = "", expected[64];
    i32 first = file_lock(directory, error, sizeof error);
    cr_assert_geq(first, 0, "%s", error);
    cr_assert_eq(file_lock(directory, error, sizeof error), -EBUSY);
    snprintf(expected, sizeof expected, "pid %d;", getpid());
    cr_assert(strstr(error, expected), "%s", error);
    cr_assert(strstr(error, directory), "%s", error);
    u64 pid;
    cr_assert_eq(file_lock_held(directory, &pid), 1);
    cr_assert_eq(pid, getpid());
    file_close(first);
    cr_assert_eq(file_lock_held(directory, &pid), 0);
    first = file_lock(directory, error, sizeof error);
    cr_assert_geq(first, 0);
    file_close(first);
}

Test(file, the_lock_of_a_dead_process_is_free)
{
    pid_t child = fork();
    if (child == 0) {
        char error[1024];
        _exit(file_lock(directory, error, sizeof error) >= 0 ? 0 : 1);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    char error[1024];
    i32 fd = file_lock(directory, error, sizeof error);
    cr_assert_geq(fd, 0, "%s", error);
    file_close(fd);
}

Test(file, a_lock_that_cannot_be_made_says_why)
{
    char error[1024], path[4096];
    cr_assert_eq(file_join(path, directory, "absent"), 0);
    cr_assert_eq(file_lock(path, error, sizeof error), -ENOENT);
    cr_assert(strstr(error, "remedy"), "%s", error);
}

Test(file, makes_directories_with_their_parents)
{
    char path[4096];
    cr_assert_eq(file_join(path, directory, "a/b/c"), 0);
    cr_assert_eq(file_make_directory(path), 1);
    cr_assert_eq(file_make_directory(path), 0);
    cr_assert_eq(file_join(path, directory, "plain"), 0);
    file_spill(path, "x", 1);
    cr_assert_eq(file_make_directory(path), -ENOTDIR);
    cr_assert_eq(file_make_directory("/proc/no/such"), -ENOENT);
}

static char synced[32][4096];
static u32 synced_count;

/* In the place of libc's: it notes what is synced. */
int fsync(int fd)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    cr_assert_lt(synced_count, 32);
    ssize_t length = readlink(link, synced[synced_count], sizeof synced[0] - 1);
    cr_assert_gt(length, 0);
    synced[synced_count++][length] = 0;
    return (int)syscall(SYS_fsync, fd);
}

static bool was_synced(const char *name)
{
    char path[4096], real[4096];
    cr_assert_eq(file_join(path, directory, name), 0);
    cr_assert_not_null(realpath(path, real));
    for (u32 i = 0; i < synced_count; i++)
        if (strcmp(synced[i], real) == 0) return true;
    return false;
}

/* Whoever finds a directory cannot know whether its maker lived to sync it. */
Test(file, names_of_directories_are_durable_whoever_made_them)
{
    char path[4096];
    cr_assert_eq(file_join(path, directory, "a"), 0);
    cr_assert_eq(mkdir(path, 0750), 0);
    cr_assert_eq(file_join(path, directory, "a/b"), 0);
    cr_assert_eq(mkdir(path, 0750), 0);
    cr_assert_eq(file_join(path, directory, "a/b/c/d"), 0);
    cr_assert_eq(file_make_directory(path), 1);
    for (u32 twice = 0; twice < 2; twice++) {
        cr_assert(was_synced("."), "which holds a");
        cr_assert(was_synced("a"));
        cr_assert(was_synced("a/b"));
        cr_assert(was_synced("a/b/c"));
        synced_count = 0;
        cr_assert_eq(file_make_directory(path), 0);
    }
}

Test(file, writes_and_reads_blocks)
{
    char path[4096], other[4096];
    cr_assert_eq(file_join(path, directory, "data"), 0);
    cr_assert_eq(file_join(other, directory, "moved"), 0);
    bool direct;
    cr_assert_eq(file_open(path, true, false, &direct), -ENOENT);
    i32 fd = file_open(path, true, true, &direct);
    cr_assert_geq(fd, 0);
    cr_assert_eq(file_allocate(fd, 65536), 0);
    cr_assert_eq(file_bytes(fd), 65536);
    u8 *buffer = file_buffer(65536);
    memset(buffer, 7, 65536);
    cr_assert_eq(file_write_at(fd, buffer, 8192, 4096), 0);
    memset(buffer, 1, 65536);
    cr_assert_eq(file_read_at(fd, buffer, 65536, 0), 65536);
    cr_assert_eq(buffer[4095], 0);
    cr_assert_eq(buffer[4096], 7);
    cr_assert_eq(buffer[12288], 0);
    cr_assert_eq(file_read_at(fd, buffer, 65536, 61440), 4096); /* short at the end */
    cr_assert_eq(file_sync(fd), 0);
    file_close(fd);
    cr_assert_eq(file_rename(path, other), 0);
    cr_assert_eq(file_exists(path), 0);
    cr_assert_eq(file_exists(other), 1);
    cr_assert_eq(file_sync_directory(directory), 0);
    cr_assert_eq(file_remove(other), 0);
    cr_assert_eq(file_remove(other), 0); /* absent is fine */
    file_buffer_free(buffer, 65536);
}

Test(file, works_without_direct_io)
{
    /* Some file systems refuse O_DIRECT; where none is at hand both ways lead to the same file. */
    char path[] = "/dev/shm/ticketd-test-XXXXXX";
    i32 made = mkstemp(path);
    if (made < 0) cr_skip_test("no /dev/shm");
    close(made);
    bool direct;
    i32 fd = file_open(path, true, false, &direct);
    cr_assert_geq(fd, 0);
    u8 *buffer = file_buffer(4096);
    cr_assert_eq(file_write_at(fd, buffer, 4096, 0), 0);
    cr_assert_eq(file_sync(fd), 0);
    file_buffer_free(buffer, 4096);
    file_close(fd);
    unlink(path);
}

static i32 count_name(void *owner, const char *name)
{
    u32 *count = owner;
    cr_assert_eq(name[0], (char)('a' + *count)); /* ascending */
    (*count)++;
    return name[0] == 'c' ? 9 : 0;
}

Test(file, lists_names_in_order)
{
    const char *names[] = {"d", "b", "a", "c"};
    for (u32 i = 0; i < 4; i++) {
        char path[4096];
        cr_assert_eq(file_join(path, directory, names[i]), 0);
        file_spill(path, "", 0);
    }
    u32 count = 0;
    cr_assert_eq(file_names(directory, count_name, &count), 9);
    cr_assert_eq(count, 3);
    cr_assert_eq(file_names("/no/such/directory", count_name, &count), -ENOENT);
}

Test(file, paths_that_are_too_long_are_refused)
{
    char path[4096], name[5000];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    cr_assert_eq(file_join(path, directory, name), -ENAMETOOLONG);
    cr_assert_eq(file_make_directory(name), -ENAMETOOLONG);
}

/* A path of which nothing can be said is no absent one, and a directory that cannot be synced is told. */
Test(file, what_fails_is_neither_absent_nor_durable)
{
    char loop[4096];
    cr_assert_eq(file_join(loop, directory, "loop"), 0);
    cr_assert_eq(symlink("loop", loop), 0);
    cr_assert_neq(file_exists(loop), 0);
    cr_assert_eq(file_sync_directory(directory), 0);
    cr_assert_eq(file_sync_directory("/proc"), -EINVAL);
}

Test(file, chance_is_never_zero_and_never_the_same)
{
    u64 a = file_random(), b = file_random();
    cr_assert_neq(a, 0);
    cr_assert_neq(b, 0);
    cr_assert_neq(a, b);
    cr_assert_eq(file_pid(), getpid());
}
