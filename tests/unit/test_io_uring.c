#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <netinet/in.h>

#include "tests/support/directory.h"
#include "port/file.h"
#include "port/io.h"

static struct io *io;
static char directory[4096];
static char error[1024];

static void setup(void)
{
    directory_make(directory);
    cr_assert_eq(io_create(&io, error, sizeof error), 0, "%s", error);
}

static void teardown(void)
{
    io_destroy(io);
    directory_remove(directory);
}

TestSuite(io, .init = setup, .fini = teardown);

struct result {
    i32 value;
    u32 calls;
};

static void note(struct io_op *op, i32 value)
{
    struct result *result = op->owner;
    cr_assert_not(op->busy);
    result->value = value;
    result->calls++;
}

static struct io_op op_for(struct result *result)
{
    *result = (struct result){0};
    return (struct io_op){.done = note, .owner = result};
}

static i32 finish(const struct result *result)
{
    while (result->calls == 0) io_run(io, true);
    cr_assert_eq(result->calls, 1);
    return result->value;
}

static i32 listen_on_loopback(struct sockaddr_in *address)
{
    i32 listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cr_assert_eq(bind(listener, (struct sockaddr *)address, sizeof *address), 0);
    cr_assert_eq(listen(listener, 4), 0);
    socklen_t bytes = sizeof *address;
    cr_assert_eq(getsockname(listener, (struct sockaddr *)address, &bytes), 0);
    return listener;
}

Test(io, accepts_receives_sends_and_closes)
{
    struct sockaddr_in address;
    i32 listener = listen_on_loopback(&address);
    struct result accepted, received, sent, closed;
    struct io_op accept_op = op_for(&accepted), receive_op = op_for(&received);
    struct io_op send_op = op_for(&sent), close_op = op_for(&closed);
    io_accept(io, &accept_op, listener);
    cr_assert(accept_op.busy);
    cr_assert_eq(io_run(io, false), 0);
    i32 client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    i32 server = finish(&accepted);
    cr_assert_geq(server, 0);
    char buffer[16] = {0};
    io_receive(io, &receive_op, server, buffer, sizeof buffer);
    cr_assert_eq(write(client, "hello", 5), 5);
    cr_assert_eq(finish(&received), 5);
    cr_assert_str_eq(buffer, "hello");
    io_send(io, &send_op, server, "world", 5);
    cr_assert_eq(finish(&sent), 5);
    cr_assert_eq(read(client, buffer, sizeof buffer), 5);
    close(client);
    receive_op = op_for(&received);
    io_receive(io, &receive_op, server, buffer, sizeof buffer);
    cr_assert_eq(finish(&received), 0); /* the other side is gone */
    io_close(io, &close_op, server);
    cr_assert_eq(finish(&closed), 0);
    close(listener);
}

Test(io, sending_to_a_closed_peer_is_a_result)
{
    i32 pair[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    close(pair[1]);
    struct result sent;
    struct io_op op = op_for(&sent);
    io_send(io, &op, pair[0], "x", 1);
    cr_assert_eq(finish(&sent), -EPIPE);
    close(pair[0]);
}

Test(io, reads_an_eventfd)
{
    i32 fd = eventfd(0, EFD_CLOEXEC);
    struct result read_;
    struct io_op op = op_for(&read_);
    u64 count = 0, three = 3;
    io_read(io, &op, fd, &count, sizeof count);
    io_run(io, false);
    cr_assert_eq(read_.calls, 0);
    cr_assert_eq(write(fd, &three, sizeof three), sizeof three);
    cr_assert_eq(finish(&read_), sizeof count);
    cr_assert_eq(count, 3);
    close(fd);
}

static void write_and_read_back(bool direct_wanted, bool durable)
{
    char path[4096];
    cr_assert_eq(file_join(path, directory, "data"), 0);
    bool direct;
    i32 fd =
        direct_wanted ? file_open(path, true, true, &direct) : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    u8 *buffer = file_buffer(8192);
    memset(buffer, 0xab, 8192);
    struct result written;
    struct io_op op = op_for(&written);
    io_write(io, &op, fd, buffer, 8192, 4096, durable);
    cr_assert_eq(finish(&written), 8192);
    memset(buffer, 0, 8192);
    cr_assert_eq(file_read_at(fd, buffer, 8192, 4096), 8192);
    cr_assert_eq(buffer[0], 0xab);
    cr_assert_eq(buffer[8191], 0xab);
    op = op_for(&written);
    io_sync(io, &op, fd);
    cr_assert_eq(finish(&written), 0);
    file_buffer_free(buffer, 8192);
    close(fd);
}

static u32 dsyncs, links; /* writes given to the kernel that are durable, or followed by an fdatasync that waits */

static void sqe_note(const struct io_uring_sqe *sqe, const struct io_uring_sqe *next)
{
    if (sqe->opcode != IORING_OP_WRITE) return;
    bool synced = next != NULL && next->opcode == IORING_OP_FSYNC && next->fd == sqe->fd &&
                  next->fsync_flags == IORING_FSYNC_DATASYNC;
    dsyncs += sqe->rw_flags == RWF_DSYNC;
    links += synced && (sqe->flags & IOSQE_IO_LINK) != 0;
}

/* In the place of liburing's. */
int io_uring_submit_and_wait(struct io_uring *ring, unsigned count)
{
    static int (*real)(struct io_uring *, unsigned);
    if (real == NULL) *(void **)(void *)&real = dlsym(RTLD_NEXT, "io_uring_submit_and_wait");
    cr_assert_not_null(real);
    unsigned mask = ring->sq.ring_mask;
    for (unsigned at = ring->sq.sqe_head; at != ring->sq.sqe_tail; at++) {
        const struct io_uring_sqe *next = at + 1 == ring->sq.sqe_tail ? NULL : &ring->sq.sqes[(at + 1) & mask];
        sqe_note(&ring->sq.sqes[at & mask], next);
    }
    return real(ring, count);
}

/* The kernel keeps the order of operations only where it is told to. */
Test(io, a_durable_write_is_one_or_is_followed_by_its_sync)
{
    write_and_read_back(false, false);
    cr_assert_eq(dsyncs + links, 0);
    write_and_read_back(false, true);
    cr_assert_eq(dsyncs, 0);
    cr_assert_eq(links, 1);
    write_and_read_back(true, true);
    cr_assert_eq(dsyncs + links, 2);
}

Test(io, writes_with_dsync) { write_and_read_back(true, true); }

Test(io, writes_without_durability) { write_and_read_back(true, false); }

Test(io, writes_and_syncs_where_there_is_no_direct_io)
{
    write_and_read_back(false, true);
    write_and_read_back(false, false);
}

Test(io, a_write_beyond_the_limit_is_a_result)
{
    for (u32 direct = 0; direct < 2; direct++) {
        char path[4096];
        cr_assert_eq(file_join(path, directory, "data"), 0);
        i32 fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | (direct ? O_DIRECT : 0), 0600);
        struct rlimit limit, before;
        cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
        limit = before;
        limit.rlim_cur = 4096;
        cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        u8 *buffer = file_buffer(8192);
        struct result written;
        struct io_op op = op_for(&written);
        io_write(io, &op, fd, buffer, 8192, 0, true); /* only half of it fits */
        cr_assert_eq(finish(&written), -ENOSPC);
        op = op_for(&written);
        io_write(io, &op, fd, buffer, 8192, 8192, true);
        cr_assert_eq(finish(&written), -EFBIG);
        cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
        file_buffer_free(buffer, 8192);
        close(fd);
    }
}

Test(io, syncs_a_directory)
{
    i32 fd = file_open_directory(directory);
    struct result synced;
    struct io_op op = op_for(&synced);
    io_sync(io, &op, fd);
    cr_assert_eq(finish(&synced), 0);
    file_close(fd);
}

Test(io, timeouts_fire_and_are_cancelled)
{
    struct result fired, cancelled;
    struct io_op short_op = op_for(&fired), long_op = op_for(&cancelled);
    io_timeout(io, &long_op, 3600000000ull);
    io_timeout(io, &short_op, 100);
    cr_assert_eq(finish(&fired), 0);
    cr_assert_eq(cancelled.calls, 0);
    io_timeout_cancel(io, &short_op); /* not running: nothing happens */
    io_timeout_cancel(io, &long_op);
    cr_assert_eq(finish(&cancelled), -ECANCELED);
}

/* What comes while it polls, and what comes only when it sleeps. */
Test(io, polls_before_it_sleeps)
{
    struct result soon, late;
    struct io_op soon_op = op_for(&soon), late_op = op_for(&late);
    io_busy_poll(io, 2000);
    io_timeout(io, &soon_op, 100);
    io_timeout(io, &late_op, 20000);
    cr_assert_eq(io_run(io, true), 1);
    cr_assert_eq(soon.calls + late.calls, 1);
    cr_assert_eq(io_run(io, true), 1, "waits on when nothing came");
    cr_assert_eq(late.calls, 1);
    cr_assert_eq(io_run(io, false), 0);
}

Test(io, more_operations_than_the_ring_holds)
{
    enum { OPS = 3000 };
    static struct io_op ops[OPS];
    static struct result results[OPS];
    i32 fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
    static u64 counts[OPS];
    for (u32 i = 0; i < OPS; i++) {
        ops[i] = op_for(&results[i]);
        io_read(io, &ops[i], fd, &counts[i], sizeof counts[i]);
    }
    u64 all = OPS;
    cr_assert_eq(write(fd, &all, sizeof all), sizeof all);
    u32 done = 0;
    while (done < OPS) done += io_run(io, true);
    for (u32 i = 0; i < OPS; i++) cr_assert_eq(results[i].calls, 1);
    close(fd);
}
