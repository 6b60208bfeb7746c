#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "durable/reserve.h"
#include "port/file.h"
#include "tests/support/directory.h"

static struct io *io;
static struct reserve reserve;
static char directory[4096];
static u32 changes;
static char failure[256];

static void on_changed(void *owner)
{
    cr_assert_eq(owner, &reserve);
    changes++;
}

static void on_failed(void *owner, const char *what)
{
    cr_assert_eq(owner, &reserve);
    cr_assert_lt(strlen(what), sizeof failure);
    strcpy(failure, what);
}

static void setup(void)
{
    char error[1024];
    directory_make(directory);
    cr_assert_eq(io_create(&io, error, sizeof error), 0, "%s", error);
    reserve.changed = on_changed;
    reserve.failed = on_failed;
    reserve.owner = &reserve;
    cr_assert_eq(reserve_open(&reserve, io, directory), 0);
}

static void teardown(void)
{
    reserve_close(&reserve);
    io_destroy(io);
    directory_remove(directory);
}

TestSuite(reserve, .init = setup, .fini = teardown);

static void wait_ready(void)
{
    while (reserve.state != RESERVE_READY) {
        cr_assert_str_empty(failure);
        io_run(io, true);
    }
}

Test(reserve, a_new_segment_is_filled_off_the_loop)
{
    reserve_begin(&reserve, 5, 5 << 20, NULL);
    cr_assert_eq(reserve.state, RESERVE_FILLING);
    char path[4096];
    cr_assert_eq(segment_path(path, directory, 5), 0);
    cr_assert_eq(file_exists(path), 0); /* its name comes last */
    wait_ready();
    cr_assert_eq(changes, 1);
    cr_assert_eq(file_exists(path), 1);
    struct segment segment = reserve_take(&reserve);
    cr_assert_eq(reserve.state, RESERVE_NONE);
    cr_assert_eq(segment.number, 5);
    cr_assert_eq(file_bytes(segment.fd), 5 << 20);
    file_close(segment.fd);
}

Test(reserve, a_recycled_segment_is_renamed)
{
    struct segment old;
    cr_assert_eq(segment_make(&old, directory, 2, 8192), 0);
    reserve_begin(&reserve, 6, 8192, &old);
    wait_ready();
    char path[4096];
    cr_assert_eq(segment_path(path, directory, 2), 0);
    cr_assert_eq(file_exists(path), 0);
    cr_assert_eq(segment_path(path, directory, 6), 0);
    cr_assert_eq(file_exists(path), 1);
    struct segment segment = reserve_take(&reserve);
    cr_assert_eq(segment.fd, old.fd);
    cr_assert_eq(segment.number, 6);
    file_close(segment.fd);
}

static int descriptor_free(void)
{
    int fd = open("/dev/null", O_RDONLY);
    close(fd);
    return fd;
}

Test(reserve, a_full_disk_is_tried_again)
{
    struct rlimit limit, before;
    int fd = descriptor_free();
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 4096;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    reserve_begin(&reserve, 3, 1 << 20, NULL);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    cr_assert_eq(reserve.state, RESERVE_FULL);
    char path[4096];
    cr_assert_eq(file_join(path, directory, "segment.preparing"), 0);
    cr_assert_eq(file_exists(path), 0); /* what was taken was given back */
    cr_assert_eq(descriptor_free(), fd);
    while (changes == 0) io_run(io, true);
    reserve_begin(&reserve, 3, 1 << 20, NULL);
    wait_ready();
    cr_assert_str_empty(failure);
}

Test(reserve, a_lost_directory_is_final)
{
    char gone[4096];
    cr_assert_eq(file_join(gone, directory, "gone"), 0);
    reserve.directory = gone;
    reserve_begin(&reserve, 3, 1 << 20, NULL);
    cr_assert(strstr(failure, "cannot prepare the next log segment"), "%s", failure);
    reserve.state = RESERVE_NONE;
}

Test(reserve, closing_in_the_middle_leaves_nothing_half_done)
{
    reserve_begin(&reserve, 4, 64 << 20, NULL);
    io_run(io, true);
    reserve_close(&reserve);
    char path[4096];
    cr_assert_eq(file_join(path, directory, "segment.preparing"), 0);
    cr_assert_eq(file_exists(path), 0);
    reserve = (struct reserve){.changed = on_changed, .failed = on_failed, .owner = &reserve};
    cr_assert_eq(reserve_open(&reserve, io, directory), 0);
}
