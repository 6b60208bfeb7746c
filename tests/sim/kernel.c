/* io.h, net.h, host.h, clock.h: a ring whose completions come in an order and at times that the seed decides,
 * sockets to the simulated clients, and clocks that move only here. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

#include "port/clock.h"
#include "port/host.h"
#include "port/io.h"
#include "port/net.h"
#include "tests/sim/exhaust.h"
#include "tests/sim/world.h"

#define PENDING_MAX   16384u
#define SOCKETS_MAX   4096u
#define FD_SIGNAL     3
#define FD_LISTENER   4
#define FD_SOCKET     1000
#define WALL_START_MS 1700000000000ull
#define REAP_MAX      32u

enum kind {
    KIND_ACCEPT = 1,
    KIND_RECEIVE,
    KIND_SEND,
    KIND_CLOSE,
    KIND_SIGNAL,
    KIND_WRITE,
    KIND_SYNC,
    KIND_TIMEOUT
};

struct pending {
    struct io_op *op;
    enum kind kind;
    i32 fd;
    void *buffer;
    u32 bytes;
    u64 due_ns;
    struct disk_write *write;
    bool cancelled;
};

struct io {
    u32 nothing;
};

struct stream {
    u8 *data;
    u32 used;
    u32 capacity;
};

/* A receive or a send that nothing has happened for: it is looked at again when something has. */
struct parked {
    struct pending receive;
    struct pending send;
};

struct socket {
    bool used;
    bool accepted;
    bool client_open;
    bool server_open;
    bool send_ended; /* by the server */
    bool shut;       /* by the server, both ways */
    struct stream in;
    struct stream out;
    struct parked parked; /* op NULL: none */
};

struct kernel {
    struct pending pending[PENDING_MAX];
    u32 pending_count;
    struct socket sockets[SOCKETS_MAX]; /* 0 is not used */
    u32 sockets_top;                    /* none above was ever used */
    u32 waiting;                        /* sockets that are to be accepted, at most */
    bool listening;
    struct io io;
};
static struct kernel *kernel;

void kernel_create(void) { kernel = world_alloc(sizeof *kernel); }

static void socket_free(struct socket *socket)
{
    world_free(socket->in.data);
    world_free(socket->out.data);
    *socket = (struct socket){0};
}

void kernel_destroy(void)
{
    for (u32 i = 0; i < SOCKETS_MAX; i++) socket_free(&kernel->sockets[i]);
    world_free(kernel);
    kernel = NULL;
}

/* The process is gone: what it had sent may still arrive. */
void kernel_crash(void)
{
    kernel->pending_count = 0;
    kernel->listening = false;
    kernel->waiting = 0;
    for (u32 i = 1; i <= kernel->sockets_top; i++) {
        struct socket *socket = &kernel->sockets[i];
        if (!socket->used) continue;
        socket->server_open = false;
        socket->parked = (struct parked){0};
        if (world->may_lose) socket->out.used = 0; /* nobody is told what is gone already */
        if (chance(1, 2)) socket->out.used = (u32)chance_below((u64)socket->out.used + 1);
        if (!socket->client_open)
            socket_free(socket);
        else
            clients_wake(i, world->now_ns + 1);
    }
}

/* ---- Streams ---- */

static void stream_put(struct stream *stream, const void *data, u32 bytes)
{
    if (stream->used + bytes > stream->capacity) {
        stream->capacity = (stream->used + bytes) * 2;
        stream->data = world_grow(stream->data, stream->capacity);
    }
    memcpy(stream->data + stream->used, data, bytes);
    stream->used += bytes;
}

static u32 stream_take(struct stream *stream, void *data, u32 bytes)
{
    bytes = min_u32(bytes, stream->used);
    if (bytes == 0) return 0;
    memcpy(data, stream->data, bytes);
    memmove(stream->data, stream->data + bytes, stream->used - bytes);
    stream->used -= bytes;
    return bytes;
}

/* ---- Parked operations ---- */

static bool parks(const struct pending *pending)
{
    return pending->kind == KIND_RECEIVE || pending->kind == KIND_SEND;
}

static struct pending *place_of(const struct pending *pending)
{
    struct parked *parked = &kernel->sockets[pending->fd - FD_SOCKET].parked;
    return pending->kind == KIND_RECEIVE ? &parked->receive : &parked->send;
}

static void park(u32 at)
{
    struct pending *place = place_of(&kernel->pending[at]);
    ASSERT(place->op == NULL);
    *place = kernel->pending[at];
    kernel->pending[at] = kernel->pending[--kernel->pending_count];
}

static void unpark(struct pending *place)
{
    if (place->op == NULL) return;
    ASSERT(kernel->pending_count < PENDING_MAX);
    kernel->pending[kernel->pending_count++] = *place;
    place->op = NULL;
}

/* Something has happened to the socket. */
static void stir(struct socket *socket)
{
    unpark(&socket->parked.receive);
    unpark(&socket->parked.send);
}

/* ---- The clients' ends ---- */

bool net_listening(void) { return kernel->listening; }

u32 net_connect(void)
{
    if (!kernel->listening) return 0;
    for (u32 i = 1; i < SOCKETS_MAX; i++) {
        struct socket *socket = &kernel->sockets[i];
        if (socket->used) continue;
        *socket = (struct socket){.used = true, .client_open = true, .server_open = true};
        kernel->sockets_top = max_u32(kernel->sockets_top, i);
        kernel->waiting++;
        world->tally->connections++;
        return i;
    }
    return 0;
}

u32 net_write(u32 number, const void *data, u32 bytes)
{
    struct socket *socket = &kernel->sockets[number];
    ASSERT(socket->used && socket->client_open);
    if (!socket->server_open) return 0;
    bytes = (u32)min_u64(bytes, sat_sub(1 << 20, socket->in.used));
    if (bytes > 0) stream_put(&socket->in, data, bytes);
    stir(socket);
    return bytes;
}

i32 net_read(u32 number, void *data, u32 bytes)
{
    struct socket *socket = &kernel->sockets[number];
    ASSERT(socket->used && socket->client_open);
    u32 got = stream_take(&socket->out, data, bytes);
    if (got > 0) stir(socket);
    if (got > 0) return (i32)got;
    return socket->server_open && !socket->send_ended && !socket->shut ? 0 : -ECONNRESET;
}

void net_cut(u32 number)
{
    struct socket *socket = &kernel->sockets[number];
    ASSERT(socket->used);
    socket->client_open = false;
    stir(socket);
    if (!socket->server_open || (!socket->accepted && !kernel->listening)) socket_free(socket);
}

/* ---- Starting operations ---- */

static struct pending *begin(struct io_op *op, enum kind kind, i32 fd)
{
    ASSERT(!op->busy && op->done != NULL && kernel->pending_count < PENDING_MAX);
    op->busy = true;
    struct pending *pending = &kernel->pending[kernel->pending_count++];
    *pending = (struct pending){.op = op, .kind = kind, .fd = fd, .due_ns = world->now_ns};
    return pending;
}

void io_accept(struct io *io, struct io_op *op, int listener)
{
    (void)io;
    begin(op, KIND_ACCEPT, listener);
}

static void transfer(struct io_op *op, enum kind kind, i32 fd, const void *buffer, u32 bytes)
{
    struct pending *pending = begin(op, kind, fd);
    pending->buffer = (void *)(uintptr_t)buffer;
    pending->bytes = bytes;
    pending->due_ns += chance_below(100 * US_NS);
}

void io_receive(struct io *io, struct io_op *op, int fd, void *buffer, u32 bytes)
{
    (void)io;
    transfer(op, KIND_RECEIVE, fd, buffer, bytes);
}

void io_send(struct io *io, struct io_op *op, int fd, const void *buffer, u32 bytes)
{
    (void)io;
    transfer(op, KIND_SEND, fd, buffer, bytes);
}

void io_close(struct io *io, struct io_op *op, int fd)
{
    (void)io;
    transfer(op, KIND_CLOSE, fd, NULL, 0);
}

void io_read(struct io *io, struct io_op *op, int fd, void *buffer, u32 bytes)
{
    (void)io;
    ASSERT(fd == FD_SIGNAL);
    transfer(op, KIND_SIGNAL, fd, buffer, bytes);
}

static u64 disk_due_ns(u64 about_ns)
{
    u64 due_ns = world->now_ns + some_ns(about_ns) * world->slow_factor;
    due_ns = max_u64(due_ns, world->stuck_until_ns);
    if (world->slow_factor > 1 || world->now_ns < world->stuck_until_ns) world_disturb(due_ns);
    return due_ns;
}

void io_write(struct io *io, struct io_op *op, int fd, const void *buffer, u32 bytes, u64 offset,
              bool durable)
{
    (void)io;
    ASSERT((uintptr_t)buffer % 4096 == 0 && bytes > 0);
    struct pending *pending = begin(op, KIND_WRITE, fd);
    pending->write = disk_write_begin(fd, buffer, bytes, offset, durable);
    pending->due_ns = disk_due_ns(200 * US_NS);
}

void io_sync(struct io *io, struct io_op *op, int fd)
{
    (void)io;
    ASSERT(fd >= 0);
    disk_sync_begin(fd);
    begin(op, KIND_SYNC, fd)->due_ns = disk_due_ns(500 * US_NS);
}

void io_timeout(struct io *io, struct io_op *op, u64 delay_us)
{
    (void)io;
    begin(op, KIND_TIMEOUT, -1)->due_ns = world->now_ns + delay_us * US_NS;
}

void io_timeout_cancel(struct io *io, struct io_op *op)
{
    (void)io;
    for (u32 i = 0; i < kernel->pending_count; i++) {
        struct pending *pending = &kernel->pending[i];
        if (pending->op != op) continue;
        pending->cancelled = true;
        pending->due_ns = world->now_ns;
    }
}

i32 io_create(struct io **io, char *error, u32 error_bytes)
{
    i32 failure = exhaust_call(CALL_RING);
    if (failure < 0) snprintf(error, error_bytes, "cannot make the ring: %s", strerror(-failure));
    *io = &kernel->io;
    return failure;
}

void io_destroy(struct io *io) { (void)io; }

/* ---- Completing ---- */

static struct socket *socket_of(i32 fd)
{
    ASSERT(fd > FD_SOCKET && fd < FD_SOCKET + (i32)SOCKETS_MAX);
    struct socket *socket = &kernel->sockets[fd - FD_SOCKET];
    ASSERT(socket->used && socket->server_open);
    return socket;
}

static struct socket *waiting_socket(u32 *number)
{
    for (u32 i = 1; kernel->waiting > 0 && i <= kernel->sockets_top; i++) {
        struct socket *socket = &kernel->sockets[i];
        if (!socket->used || socket->accepted || !socket->server_open) continue;
        *number = i;
        return socket;
    }
    kernel->waiting = 0;
    return NULL;
}

static u32 send_room(const struct socket *socket)
{
    return (u32)sat_sub(world->plan.receive_window_bytes, socket->out.used);
}

static bool ready(const struct pending *pending)
{
    u32 number;
    if (pending->due_ns > world->now_ns) return false;
    switch (pending->kind) {
    case KIND_ACCEPT:
        return !kernel->listening || waiting_socket(&number) != NULL;
    case KIND_RECEIVE: {
        const struct socket *socket = socket_of(pending->fd);
        return socket->in.used > 0 || !socket->client_open || socket->shut;
    }
    case KIND_SEND: {
        const struct socket *socket = socket_of(pending->fd);
        return send_room(socket) > 0 || !socket->client_open || socket->shut;
    }
    case KIND_SIGNAL:
        return world->stop_signal;
    default:
        return true;
    }
}

static i32 accept_end(void)
{
    u32 number;
    struct socket *socket = waiting_socket(&number);
    if (!kernel->listening || socket == NULL) return -EINVAL;
    i32 error = exhaust_call(CALL_ACCEPT);
    if (error < 0) return error;
    socket->accepted = true;
    return FD_SOCKET + (i32)number;
}

static u32 shortened(u32 bytes, i32 error)
{
    if (error > 0) return 1;
    if (bytes > 1 && fault(FAULT_SHORT, 1, 8)) return 1 + (u32)chance_below(bytes - 1);
    return bytes;
}

static i32 receive_end(const struct pending *pending)
{
    struct socket *socket = socket_of(pending->fd);
    if (socket->shut) return 0;
    i32 error = exhaust_call(CALL_RECEIVE);
    if (error < 0) return error;
    if (socket->in.used > 0)
        return (i32)stream_take(&socket->in, pending->buffer, shortened(pending->bytes, error));
    return chance(1, 2) ? 0 : -ECONNRESET;
}

static i32 send_end(const struct pending *pending)
{
    struct socket *socket = socket_of(pending->fd);
    if (socket->shut || !socket->client_open) return -EPIPE;
    i32 error = exhaust_call(CALL_SEND);
    if (error < 0) return error;
    u32 bytes = shortened(min_u32(pending->bytes, send_room(socket)), error);
    stream_put(&socket->out, pending->buffer, bytes);
    clients_wake((u32)(pending->fd - FD_SOCKET), world->now_ns + chance_below(MS_NS));
    return (i32)bytes;
}

static i32 close_end(i32 fd)
{
    struct socket *socket = socket_of(fd);
    socket->server_open = false;
    if (!socket->client_open)
        socket_free(socket);
    else
        clients_wake((u32)(fd - FD_SOCKET), world->now_ns);
    return exhaust_call(CALL_CLOSE);
}

static i32 signal_end(const struct pending *pending)
{
    struct host_signal signal = {.number = SIGTERM};
    world->stop_signal = false;
    memcpy(pending->buffer, &signal, sizeof signal);
    return (i32)sizeof signal;
}

static i32 end(const struct pending *pending)
{
    switch (pending->kind) {
    case KIND_ACCEPT:
        return accept_end();
    case KIND_RECEIVE:
        return receive_end(pending);
    case KIND_SEND:
        return send_end(pending);
    case KIND_CLOSE:
        return close_end(pending->fd);
    case KIND_SIGNAL:
        return signal_end(pending);
    case KIND_WRITE:
        return disk_write_end(pending->write);
    case KIND_SYNC:
        return disk_sync_end(pending->fd);
    case KIND_TIMEOUT:
        return pending->cancelled ? -ECANCELED : 0;
    }
    ASSERT(!"kind");
    return 0;
}

/* Thousands of connections wait for their clients: they are not asked each time. */
static void park_all(void)
{
    for (u32 i = kernel->pending_count; i-- > 0;) {
        const struct pending *pending = &kernel->pending[i];
        if (pending->due_ns <= world->now_ns && parks(pending) && !ready(pending)) park(i);
    }
}

/* Completes some of what is ready, in any order. */
static u32 reap(void)
{
    u32 total = 0;
    park_all();
    for (u32 tries = 0; tries < REAP_MAX && kernel->pending_count > 0; tries++) {
        u32 first = (u32)chance_below(kernel->pending_count), at = U32_NONE;
        for (u32 i = 0; i < kernel->pending_count && at == U32_NONE; i++) {
            u32 candidate = (first + i) % kernel->pending_count;
            if (ready(&kernel->pending[candidate])) at = candidate;
        }
        if (at == U32_NONE) break;
        struct pending done = kernel->pending[at];
        kernel->pending[at] = kernel->pending[--kernel->pending_count];
        i32 result = end(&done);
        trace_add((u64)done.kind << 32 ^ (u64)(u32)result ^ world->now_ns);
        crash_step();
        done.op->busy = false;
        done.op->done(done.op, result);
        total++;
        if (chance(1, 8)) break;
    }
    return total;
}

static u64 next_ns(void)
{
    u64 next = min_u64(clients_next_ns(), crowd_next_ns());
    next = min_u64(next, min_u64(store_next_ns(), exhaust_next_ns()));
    if (!world->healed) next = min_u64(next, world->next_fault_ns);
    if (world->end_ns > world->now_ns) next = min_u64(next, world->end_ns);
    for (u32 i = 0; i < kernel->pending_count; i++) {
        const struct pending *pending = &kernel->pending[i];
        if (pending->due_ns > world->now_ns) next = min_u64(next, pending->due_ns);
    }
    return next;
}

void io_submit(struct io *io) { (void)io; } /* what was started is under way */

u32 io_run(struct io *io, bool wait)
{
    (void)io;
    world->now_ns += US_NS + chance_below(20 * US_NS);
    u64 begin_ns = world->now_ns;
    for (;;) {
        time_passes();
        faults_by_time();
        clients_run();
        crowd_run();
        u64 woken_ns = world->now_ns; /* what the store does then is no sleep */
        u32 done = reap() + store_step();
        if (done > 0 && woken_ns > begin_ns) {
            world->slept_ns = begin_ns;
            world->woken_ns = woken_ns;
        }
        if (done > 0 || !wait) return done;
        u64 next = next_ns();
        if (next == U64_NONE) violation("the server waits for something that never comes");
        world->now_ns = max_u64(world->now_ns + 1, next);
    }
}

/* ---- clock.h ---- */

u64 clock_wall_ms(void)
{
    return (u64)((i64)(WALL_START_MS + world->now_ns / MS_NS) + world->wall_offset_ms);
}

u64 clock_monotonic_ns(void)
{
    world->now_ns += 100 + chance_below(2000);
    return world->now_ns;
}

/* ---- net.h ---- */

i32 net_listen_tcp(struct net_listener *listener, const char *address, char *error, u32 error_bytes)
{
    i32 failure = exhaust_call(CALL_LISTEN);
    if (failure < 0) {
        snprintf(error, error_bytes, "cannot listen on %s: %s", address, strerror(-failure));
        return failure;
    }
    *listener = (struct net_listener){.fd = FD_LISTENER, .tcp = true};
    snprintf(listener->name, sizeof listener->name, "%s", address);
    kernel->listening = true;
    return 0;
}

i32 net_listen_unix(struct net_listener *listener, const char *path, char *error, u32 error_bytes)
{
    return net_listen_tcp(listener, path, error, error_bytes);
}

static void listener_end(void)
{
    kernel->listening = false;
    for (u32 i = 1; i <= kernel->sockets_top; i++) {
        struct socket *socket = &kernel->sockets[i];
        if (!socket->used || socket->accepted) continue;
        socket->server_open = false;
        if (!socket->client_open)
            socket_free(socket);
        else
            clients_wake(i, world->now_ns);
    }
}

void net_listener_stop(const struct net_listener *listener)
{
    (void)listener;
    listener_end();
}

void net_listener_close(struct net_listener *listener)
{
    listener_end();
    listener->fd = -1;
}

void net_no_delay(int fd) { (void)fd; }

void net_shutdown_send(int fd)
{
    socket_of(fd)->send_ended = true;
    clients_wake((u32)(fd - FD_SOCKET), world->now_ns);
}

void net_shutdown(int fd)
{
    socket_of(fd)->shut = true;
    stir(socket_of(fd));
    clients_wake((u32)(fd - FD_SOCKET), world->now_ns);
}

void net_refuse(int fd, const void *data, u32 bytes)
{
    stream_put(&socket_of(fd)->out, data, bytes);
    close_end(fd);
}

/* ---- host.h ---- */

u32 host_files_max(void) { return SOCKETS_MAX + 64; }
u64 host_memory_bytes(void) { return (u64)1 << 30; }

void *host_reserve(u64 bytes, char *error, u32 error_bytes)
{
    if (exhaust_memory()) {
        snprintf(error, error_bytes, "no memory");
        return NULL;
    }
    void *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT(memory != MAP_FAILED);
    process_memory_add(memory, bytes);
    return memory;
}

void host_release(void *memory, u64 bytes)
{
    (void)bytes;
    if (memory != NULL) process_memory_remove(memory);
}

void host_discard(void *memory, u64 bytes) { ASSERT(madvise(memory, bytes, MADV_DONTNEED) == 0); }
i32 host_signals(void)
{
    i32 error = exhaust_call(CALL_SIGNALS);
    return error < 0 ? error : FD_SIGNAL;
}
void host_notify(const char *state) { (void)state; }
