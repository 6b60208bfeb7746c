#include "tests/fuzz/kernel.h"

#include <sys/mman.h>

#include "base/log.h"
#include "port/clock.h"
#include "port/file.h"
#include "port/host.h"
#include "port/net.h"
#include "tests/fuzz/disk.h"

#define OPS_MAX    64u
#define EPOCH_MS   1700000000000u
#define READING_NS 200u /* what it takes to look at a clock */

enum kind { ACCEPT, RECEIVE, SEND, CLOSE, READ, WRITE, SYNC, TIMEOUT };

struct started {
    struct io_op *op;
    enum kind kind;
    i32 fd;
    void *buffer;
    u32 bytes;
    u64 offset;
    u64 due_ns;
    bool cancelled;
};

struct kernel kernel;
static struct started started[OPS_MAX];
static u32 started_count;

void kernel_begin(const struct kernel *begin)
{
    kernel = *begin;
    started_count = 0;
}

void kernel_end(void)
{
    kernel.accept = NULL;
    kernel.signal = NULL;
}

/* ---- Clocks ---- */

u64 clock_monotonic_ns(void) { return kernel.now_ns += READING_NS; }
u64 clock_wall_ms(void) { return EPOCH_MS + kernel.now_ns / 1000000; }

/* ---- Operations ---- */

static void start(struct io_op *op, struct started what)
{
    ASSERT(!op->busy && op->done != NULL && started_count < OPS_MAX);
    op->busy = true;
    what.op = op;
    started[started_count++] = what;
}

void io_accept(struct io *io, struct io_op *op, int listener)
{
    (void)io;
    start(op, (struct started){.kind = ACCEPT, .fd = listener});
}

void io_receive(struct io *io, struct io_op *op, int fd, void *buffer, u32 bytes)
{
    (void)io;
    start(op, (struct started){.kind = RECEIVE, .fd = fd, .buffer = buffer, .bytes = bytes});
}

void io_send(struct io *io, struct io_op *op, int fd, const void *buffer, u32 bytes)
{
    (void)io;
    start(op, (struct started){.kind = SEND, .fd = fd, .buffer = (void *)(uintptr_t)buffer, .bytes = bytes});
}

void io_close(struct io *io, struct io_op *op, int fd)
{
    (void)io;
    start(op, (struct started){.kind = CLOSE, .fd = fd});
}

void io_read(struct io *io, struct io_op *op, int fd, void *buffer, u32 bytes)
{
    (void)io;
    start(op, (struct started){.kind = READ, .fd = fd, .buffer = buffer, .bytes = bytes});
}

void io_write(struct io *io, struct io_op *op, int fd, const void *buffer, u32 bytes, u64 offset, bool durable)
{
    (void)io, (void)durable;
    struct started what = {.kind = WRITE, .fd = fd, .bytes = bytes, .offset = offset};
    what.buffer = (void *)(uintptr_t)buffer;
    start(op, what);
}

void io_sync(struct io *io, struct io_op *op, int fd)
{
    (void)io;
    start(op, (struct started){.kind = SYNC, .fd = fd});
}

void io_timeout(struct io *io, struct io_op *op, u64 delay_us)
{
    (void)io;
    start(op, (struct started){.kind = TIMEOUT, .due_ns = kernel.now_ns + delay_us * 1000});
}

void io_timeout_cancel(struct io *io, struct io_op *op)
{
    (void)io;
    for (u32 i = 0; i < started_count; i++)
        if (started[i].op == op) started[i].cancelled = true;
}

static i32 signal_read(const struct started *what)
{
    i32 number = kernel.signal == NULL ? -EAGAIN : kernel.signal();
    if (number < 0) return number;
    ASSERT(what->bytes == sizeof(struct host_signal));
    *(struct host_signal *)what->buffer = (struct host_signal){.number = (u32)number};
    return (i32)what->bytes;
}

static i32 result_of(const struct started *what)
{
    switch (what->kind) {
    case ACCEPT:
        return kernel.accept == NULL ? -EAGAIN : kernel.accept();
    case RECEIVE:
        return kernel.receive(what->fd, what->buffer, what->bytes);
    case SEND:
        return kernel.send(what->fd, what->buffer, what->bytes);
    case CLOSE:
        return kernel.close(what->fd);
    case READ:
        return signal_read(what);
    case WRITE:
        file_write_at(what->fd, what->buffer, what->bytes, what->offset);
        return (i32)what->bytes;
    case SYNC:
        return file_sync(what->fd);
    case TIMEOUT:
        if (what->cancelled) return -ECANCELED;
        return what->due_ns <= kernel.now_ns ? 0 : -EAGAIN;
    }
    ASSERT(!"kind");
    return 0;
}

/* Each that can be done, in the order in which they were started; what `done` starts waits for the next run. */
static u32 complete(void)
{
    struct started now[OPS_MAX];
    u32 count = started_count, done = 0;
    memcpy(now, started, count * sizeof *now);
    started_count = 0;
    bool finished[OPS_MAX] = {false};
    i32 results[OPS_MAX];
    for (u32 i = 0; i < count; i++) {
        results[i] = result_of(&now[i]);
        finished[i] = results[i] != -EAGAIN;
        if (!finished[i]) started[started_count++] = now[i];
    }
    for (u32 i = 0; i < count; i++) {
        if (!finished[i]) continue;
        now[i].op->busy = false;
        now[i].op->done(now[i].op, results[i]);
        done++;
    }
    return done + disk_jobs_run();
}

void io_submit(struct io *io) { (void)io; } /* what was started is under way */

u32 io_run(struct io *io, bool wait)
{
    (void)io;
    u32 done = complete();
    while (wait && done == 0) {
        u64 next_ns = UINT64_MAX;
        for (u32 i = 0; i < started_count; i++)
            if (started[i].kind == TIMEOUT) next_ns = min_u64(next_ns, started[i].due_ns);
        ASSERT(next_ns != UINT64_MAX); /* else nothing would ever happen */
        kernel.now_ns = max_u64(kernel.now_ns, next_ns);
        done = complete();
    }
    return done;
}

/* ---- Host and net ---- */

void *host_reserve(u64 bytes, char *error, u32 error_bytes)
{
    (void)error, (void)error_bytes;
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT(at != MAP_FAILED);
    return at;
}

void host_release(void *memory, u64 bytes)
{
    if (memory != NULL) munmap(memory, bytes);
}

void host_discard(void *memory, u64 bytes) { ASSERT(madvise(memory, bytes, MADV_DONTNEED) == 0); }
void host_notify(const char *state) { (void)state; }

i32 net_listen_unix(struct net_listener *listener, const char *path, char *error, u32 error_bytes)
{
    (void)path, (void)error, (void)error_bytes;
    *listener = (struct net_listener){.fd = 1000, .name = "socket"};
    return 0;
}

i32 net_listen_tcp(struct net_listener *listener, const char *address, char *error, u32 error_bytes)
{
    return net_listen_unix(listener, address, error, error_bytes);
}

void net_listener_stop(const struct net_listener *listener) { (void)listener; }
void net_listener_close(struct net_listener *listener) { (void)listener; }
void net_no_delay(int fd) { (void)fd; }
void net_shutdown_send(int fd) { kernel.shutdown(fd, false); }
void net_shutdown(int fd) { kernel.shutdown(fd, true); }

void net_refuse(int fd, const void *data, u32 bytes)
{
    kernel.send(fd, data, bytes);
    kernel.close(fd);
}

void log_write(enum log_level level, const char *event, const struct log_pair *pairs)
{
    (void)level, (void)event, (void)pairs;
}
