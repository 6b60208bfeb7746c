/* io.h over one io_uring.
 *
 * user_data of a submission is the address of its io_op; ops are 8-byte aligned, so the lowest bit is free to
 * mark the write half of a write that is followed by its own fdatasync. 0 = nobody waits for this completion.
 */
#include "port/io.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "port/clock.h"

enum { SUBMISSIONS = 1024, COMPLETIONS = 16384, REAP_MAX = 256 };
#define TAG_WRITE_HALF 1u

struct io {
    struct io_uring ring;
    bool deferred; /* completions arrive only when they are asked for */
    u64 poll_ns;
};

/* ---- Making the ring ---- */

static void line_of_status(const char *key, char *value, size_t value_bytes)
{
    snprintf(value, value_bytes, "unknown");
    FILE *status = fopen("/proc/self/status", "re");
    if (status == NULL) return;
    char line[256];
    while (fgets(line, sizeof line, status) != NULL) {
        if (strncmp(line, key, strlen(key)) != 0) continue;
        line[strcspn(line, "\n")] = 0;
        const char *at = line + strlen(key);
        snprintf(value, value_bytes, "%s", at + strspn(at, ": \t"));
        break;
    }
    fclose(status);
}

static void sysctl_disabled(char *value, size_t value_bytes)
{
    snprintf(value, value_bytes, "absent");
    FILE *file = fopen("/proc/sys/kernel/io_uring_disabled", "re");
    if (file == NULL) return;
    if (fgets(value, (int)value_bytes, file) != NULL) value[strcspn(value, "\n")] = 0;
    fclose(file);
}

static void explain(i32 result, char *error, u32 error_bytes)
{
    char disabled[32], seccomp[32];
    sysctl_disabled(disabled, sizeof disabled);
    line_of_status("Seccomp", seccomp, sizeof seccomp);
    const char *remedy = "run it where io_uring is allowed (Linux 6.1 or later)";
    if (result == -EPERM || result == -EACCES) {
        remedy = "allow it: 'sysctl kernel.io_uring_disabled=0'; in a container use a seccomp profile that "
                 "permits io_uring_setup, io_uring_enter and io_uring_register "
                 "(docker: --security-opt seccomp=unconfined)";
    } else if (result == -ENOSYS) {
        remedy =
            "the kernel, or a seccomp profile, does not offer io_uring: use Linux 6.1 or later and permit "
            "io_uring_setup, io_uring_enter and io_uring_register";
    } else if (result == -ENOMEM) {
        remedy = "raise the limit of locked memory: 'ulimit -l unlimited', LimitMEMLOCK=infinity in the "
                 "systemd unit, or --ulimit memlock=-1 for a container";
    } else if (result == -EMFILE || result == -ENFILE) {
        remedy = "raise the limit of open files: 'ulimit -n 65536', or LimitNOFILE in the systemd unit";
    }
    struct rlimit locked = {0};
    getrlimit(RLIMIT_MEMLOCK, &locked);
    char limit[32] = "unlimited";
    if (locked.rlim_cur != RLIM_INFINITY)
        snprintf(limit, sizeof limit, "%llu", (unsigned long long)locked.rlim_cur);
    snprintf(error, error_bytes,
             "cannot make an io_uring: %s; kernel.io_uring_disabled is %s, Seccomp of this process is %s, "
             "RLIMIT_MEMLOCK is %s; remedy: %s",
             strerror(-result), disabled, seccomp, limit, remedy);
}

i32 io_create(struct io **io_out, char *error, u32 error_bytes)
{
    *io_out = NULL;
    signal(SIGXFSZ, SIG_IGN); /* a write beyond the file size limit is a result, not a death */
    static const unsigned flags_by_preference[] = {
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL,
        IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
        0,
    };
    struct io *io = calloc(1, sizeof *io);
    if (io == NULL) {
        snprintf(error, error_bytes, "no memory for the io ring; remedy: free some");
        return -ENOMEM;
    }
    i32 result = -EINVAL;
    for (u32 i = 0; i < ARRAY_COUNT(flags_by_preference) && result == -EINVAL; i++) {
        struct io_uring_params params = {0};
        params.flags = flags_by_preference[i] | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
        params.cq_entries = COMPLETIONS;
        result = io_uring_queue_init_params(SUBMISSIONS, &io->ring, &params);
        io->deferred = (params.flags & IORING_SETUP_DEFER_TASKRUN) != 0;
    }
    if (result < 0) {
        explain(result, error, error_bytes);
        free(io);
        return result;
    }
    /* A cheaper io_uring_enter where the kernel can do it; everything works without. */
    (void)io_uring_register_ring_fd(&io->ring);
    *io_out = io;
    return 0;
}

void io_destroy(struct io *io)
{
    if (io == NULL) return;
    io_uring_queue_exit(&io->ring);
    free(io);
}

/* ---- Starting operations ---- */

/* Room for `count` submissions that must go in together. */
static void reserve(struct io *io, u32 count)
{
    while (io_uring_sq_space_left(&io->ring) < count) {
        i32 result = io_uring_submit(&io->ring);
        ASSERT(result >= 0 || result == -EINTR || result == -EAGAIN || result == -EBUSY);
    }
}

static struct io_uring_sqe *begin(struct io *io, struct io_op *op, u32 submissions)
{
    ASSERT(!op->busy && op->done != NULL);
    ASSERT(((uintptr_t)op & TAG_WRITE_HALF) == 0);
    op->busy = true;
    op->bytes = 0;
    op->result = 0;
    reserve(io, submissions);
    struct io_uring_sqe *sqe = io_uring_get_sqe(&io->ring);
    ASSERT(sqe != NULL);
    return sqe;
}

void io_accept(struct io *io, struct io_op *op, int listener)
{
    struct io_uring_sqe *sqe = begin(io, op, 1);
    io_uring_prep_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
    io_uring_sqe_set_data(sqe, op);
}

void io_receive(struct io *io, struct io_op *op, int fd, void *buffer, u32 bytes)
{
    struct io_uring_sqe *sqe = begin(io, op, 1);
    io_uring_prep_recv(sqe, fd, buffer, bytes, 0);
    io_uring_sqe_set_data(sqe, op);
}

void io_send(struct io *io, struct io_op *op, int fd, const void *buffer, u32 bytes)
{
    struct io_uring_sqe *sqe = begin(io, op, 1);
    io_uring_prep_send(sqe, fd, buffer, bytes, MSG_NOSIGNAL);
    io_uring_sqe_set_data(sqe, op);
}

void io_close(struct io *io, struct io_op *op, int fd)
{
    struct io_uring_sqe *sqe = begin(io, op, 1);
    io_uring_prep_close(sqe, fd);
    io_uring_sqe_set_data(sqe, op);
}

void io_read(struct io *io, struct io_op *op, int fd, void *buffer, u32 bytes)
{
    struct io_uring_sqe *sqe = begin(io, op, 1);
    io_uring_prep_read(sqe, fd, buffer, bytes, UINT64_MAX); /* at the file's own position */
    io_uring_sqe_set_data(sqe, op);
}

void io_write(struct io *io, struct io_op *op, int fd, const void *buffer, u32 bytes, u64 offset,
              bool durable)
{
    ASSERT(bytes > 0 && bytes % 4096 == 0 && offset % 4096 == 0 && (uintptr_t)buffer % 4096 == 0);
    bool direct = durable && (fcntl(fd, F_GETFL) & O_DIRECT) != 0;
    bool sync_behind = durable && !direct;
    struct io_uring_sqe *sqe = begin(io, op, sync_behind ? 2 : 1);
    op->bytes = bytes;
    io_uring_prep_write(sqe, fd, buffer, bytes, offset);
    if (direct) sqe->rw_flags = RWF_DSYNC;
    io_uring_sqe_set_data(sqe, op);
    if (!sync_behind) return;
    sqe->flags |= IOSQE_IO_LINK; /* a failed or short write cancels the fdatasync */
    io_uring_sqe_set_data(sqe, (void *)((uintptr_t)op | TAG_WRITE_HALF));
    struct io_uring_sqe *sync = io_uring_get_sqe(&io->ring);
    ASSERT(sync != NULL);
    io_uring_prep_fsync(sync, fd, IORING_FSYNC_DATASYNC);
    io_uring_sqe_set_data(sync, op);
}

void io_sync(struct io *io, struct io_op *op, int fd)
{
    struct stat status;
    bool directory = fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
    struct io_uring_sqe *sqe = begin(io, op, 1);
    io_uring_prep_fsync(sqe, fd, directory ? 0 : IORING_FSYNC_DATASYNC);
    io_uring_sqe_set_data(sqe, op);
}

void io_timeout(struct io *io, struct io_op *op, u64 delay_us)
{
    struct io_uring_sqe *sqe = begin(io, op, 1);
    _Static_assert(sizeof(struct __kernel_timespec) == sizeof op->timeout, "timespec");
    op->timeout[0] = (i64)(delay_us / 1000000);
    op->timeout[1] = (i64)(delay_us % 1000000) * 1000;
    io_uring_prep_timeout(sqe, (struct __kernel_timespec *)(void *)op->timeout, 0, 0);
    io_uring_sqe_set_data(sqe, op);
}

void io_timeout_cancel(struct io *io, struct io_op *op)
{
    if (!op->busy) return;
    reserve(io, 1);
    struct io_uring_sqe *sqe = io_uring_get_sqe(&io->ring);
    ASSERT(sqe != NULL);
    io_uring_prep_timeout_remove(sqe, (u64)(uintptr_t)op, 0);
    io_uring_sqe_set_data(sqe, NULL);
}

/* ---- The turn ---- */

static void complete(u64 user_data, i32 result)
{
    if (user_data == 0) return; /* of a cancelled timeout */
    struct io_op *op = (struct io_op *)(uintptr_t)(user_data & ~(u64)TAG_WRITE_HALF);
    ASSERT(op->busy);
    if (user_data & TAG_WRITE_HALF) { /* its fdatasync is still to come */
        op->result = result >= 0 && (u32)result < op->bytes ? -ENOSPC : result;
        return;
    }
    if (op->result < 0)
        result = op->result; /* of the write half, because of which the fdatasync was cancelled */
    else if (op->result > 0)
        result = result < 0 ? result : op->result;
    else if (op->bytes > 0 && result >= 0 && (u32)result < op->bytes)
        result = -ENOSPC;
    else if (result == -ETIME)
        result = 0; /* how a timeout that fired completes */
    op->busy = false;
    op->done(op, result);
}

static u32 reap(struct io *io)
{
    u32 total = 0;
    for (;;) {
        struct io_uring_cqe *cqes[REAP_MAX];
        u32 count = io_uring_peek_batch_cqe(&io->ring, cqes, REAP_MAX);
        if (count == 0) return total;
        /* Copied out first: `done` may start operations, and thereby make room in the ring. */
        struct {
            u64 user_data;
            i32 result;
        } arrived[REAP_MAX];
        for (u32 i = 0; i < count; i++) {
            arrived[i].user_data = cqes[i]->user_data;
            arrived[i].result = cqes[i]->res;
        }
        io_uring_cq_advance(&io->ring, count);
        for (u32 i = 0; i < count; i++) complete(arrived[i].user_data, arrived[i].result);
        total += count;
    }
}

/* Full or interrupted: what has arrived is reaped, the rest is submitted in the next run. */
static u32 run(struct io *io, bool wait)
{
    i32 result;
    if (wait)
        result = io_uring_submit_and_wait(&io->ring, 1);
    else if (io->deferred)
        result = io_uring_submit_and_get_events(&io->ring);
    else
        result = io_uring_submit(&io->ring);
    ASSERT(result >= 0 || result == -EINTR || result == -EBUSY || result == -EAGAIN || result == -ETIME);
    return reap(io);
}

/* What does not go in now does in the next run. */
void io_submit(struct io *io)
{
    if (io_uring_sq_ready(&io->ring) == 0) return;
    i32 result = io_uring_submit(&io->ring);
    ASSERT(result >= 0 || result == -EINTR || result == -EBUSY || result == -EAGAIN);
}

void io_busy_poll(struct io *io, u32 poll_us) { io->poll_ns = (u64)poll_us * 1000; }

u32 io_run(struct io *io, bool wait)
{
    u64 begin_ns = wait && io->poll_ns > 0 ? clock_monotonic_ns() : 0;
    while (begin_ns != 0) {
        u32 count = run(io, false);
        if (count > 0) return count;
        if (clock_monotonic_ns() - begin_ns >= io->poll_ns) break;
    }
    return run(io, wait);
}
