#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <liburing.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "durable/recovery.h"
#include "edge/server.h"
#include "support/directory.h"
#include "support/wire.h"

#define PEERS 14

/* A server without its process. */
static struct server server;
static struct recovery recovery;
static struct checkpoint *checkpoint;
static struct io *io;
static char directory[4096], error[1024];
static i32 signal_fd;

static void durable(void *owner) { (void)owner; }
static void failed(void *owner, const char *what) { server_fail(owner, what); }

static void setup(void)
{
    directory_make(directory);
    signal_fd = host_signals();
    cr_assert_geq(signal_fd, 0);
    cr_assert_eq(io_create(&io, error, sizeof(error)), 0, "%s", error);
    struct recovery_config config = {
        .data = directory,
        .state = {.memory_bytes = 64u << 20, .event_ring_bytes = 16u << 20},
        .wal = {.durability = WAL_SYNC, .durable = durable, .failed = failed, .owner = &server}};
    cr_assert_eq(recovery_open(&recovery, &config, io, error, sizeof(error)), 0, "%s", error);
    struct checkpoint_config checkpoint_config = {.backups = directory, .failed = failed, .owner = &server};
    checkpoint = checkpoint_create(recovery.state, recovery.wal, recovery.store, io, &recovery.root,
                                   &checkpoint_config);
}

static void teardown(void)
{
    checkpoint_destroy(checkpoint);
    recovery_close(&recovery);
    io_destroy(io);
    close(signal_fd);
    directory_remove(directory);
}

TestSuite(server, .init = setup, .fini = teardown);

/* Nothing to be lost: the log has it, and whoever looks at the exit code is told. */
static void without_room(void)
{
    struct checkpoint_config config = {
        .backups = directory, .failed = failed, .owner = &server, .disk_room_bytes = 1ull << 62};
    checkpoint_destroy(checkpoint);
    checkpoint =
        checkpoint_create(recovery.state, recovery.wal, recovery.store, io, &recovery.root, &config);
}

static i32 create(const char *const *listen, u32 count)
{
    struct server_config config = {.listen = listen,
                                   .listen_count = count,
                                   .connections_max = PEERS,
                                   .buffer_bytes = CONNS_BUFFER_BYTES_MIN,
                                   .version = "test",
                                   .durability = "sync"};
    return server_create(&server, &config, io, signal_fd, &recovery, checkpoint, error, sizeof(error));
}

Test(server, a_signal_ends_it_with_a_checkpoint)
{
    static const char *const listen[] = {"127.0.0.1:0", "127.0.0.1:0"};
    cr_assert_eq(create(listen, 2), 0, "%s", error);
    cr_assert_eq(server.listeners_count, 2);
    cr_assert_str_neq(server.listeners[0].net.name, server.listeners[1].net.name);
    raise(SIGTERM);
    cr_assert(server_run(&server));
    cr_assert_eq(server.last_checkpoint_result, 0);
    server_destroy(&server);
}

Test(server, a_failed_log_ends_it_at_once)
{
    static const char *const listen[] = {"127.0.0.1:0"};
    cr_assert_eq(create(listen, 1), 0, "%s", error);
    server_fail(&server, "the disk is gone");
    cr_assert_not(server_run(&server));
    server_destroy(&server);
}

Test(server, too_many_listeners)
{
    const char *listen[SERVER_LISTENERS_MAX + 1];
    for (u32 i = 0; i <= SERVER_LISTENERS_MAX; i++) listen[i] = "127.0.0.1:0";
    cr_assert_eq(create(listen, SERVER_LISTENERS_MAX + 1), -E2BIG);
}

Test(server, a_wrong_address_is_explained)
{
    static const char *const listen[] = {"127.0.0.1:0", "8.8.8.8:53"};
    cr_assert_eq(create(listen, 2), -EPERM);
    cr_assert_not_null(strstr(error, "loopback"));
}

/* ---- Peers that ask for much and do not read ---- */

static int peers[PEERS];

static void peer_hello(int fd)
{
    static union wire_frame frame;
    struct tkd_hello head = {.version_min = 1, .version_max = 1};
    wire_begin(&frame, TKD_OP_HELLO, 1);
    wire_add(&frame, &head, sizeof(head), NULL, 0);
    cr_assert_eq(wire_call(fd, &frame)->status, TKD_OK);
}

/* A ticket whose history is about as long as an answer can be. */
static void long_history(int fd)
{
    static union wire_frame frame;
    static char text[16000];
    struct tkd_ticket_update head = {.kind = TKD_VERB_NOTE, .ticket = 1, .text_bytes = sizeof text};
    memset(text, 'x', sizeof text);
    wire_catalog(fd);
    wire_create(fd, 0, 1, "");
    wire_begin(&frame, TKD_OP_TICKET_UPDATE, 1);
    for (u32 i = 0; i < 60; i++) wire_add(&frame, &head, sizeof head, text, sizeof text);
    cr_assert_eq(wire_call(fd, &frame)->status, TKD_OK);
}

static void *ask_little(void *unused)
{
    peer_hello(peers[0]);
    wire_catalog(peers[0]);
    kill(getpid(), SIGTERM);
    return unused;
}

static bool stop_when_parked; /* while a wish is under way */

static void before_turn(void)
{
    if (!stop_when_parked || !server.conns.slots[0].parked) return;
    stop_when_parked = false;
    kill(getpid(), SIGTERM);
}

/* Both in the place of liburing's. */
int io_uring_submit_and_wait(struct io_uring *ring, unsigned count)
{
    static int (*real)(struct io_uring *, unsigned);
    if (real == NULL) *(void **)(void *)&real = dlsym(RTLD_NEXT, "io_uring_submit_and_wait");
    before_turn();
    return real(ring, count);
}

int io_uring_submit_and_get_events(struct io_uring *ring)
{
    static int (*real)(struct io_uring *);
    if (real == NULL) *(void **)(void *)&real = dlsym(RTLD_NEXT, "io_uring_submit_and_get_events");
    before_turn();
    return real(ring);
}

static void *wish_for_a_checkpoint(void *unused)
{
    static union wire_frame frame;
    peer_hello(peers[0]);
    wire_catalog(peers[0]);
    wire_empty_frame(&frame, TKD_OP_CHECKPOINT, 7);
    const struct tkd_frame *answer = wire_call(peers[0], &frame);
    cr_assert(answer->status == TKD_OK && answer->seq == 7);
    return unused;
}

static void *ask_much(void *unused)
{
    static union wire_frame frame;
    struct tkd_events_from head = {.from = 1};
    for (u32 i = 0; i < PEERS; i++) peer_hello(peers[i]);
    long_history(peers[0]);
    for (u32 i = 1; i < PEERS; i++) {
        wire_begin(&frame, TKD_OP_EVENTS, i);
        wire_add(&frame, &head, sizeof head, NULL, 0);
        wire_send(peers[i], &frame);
        wire_ping(peers[0]); /* by then it has been looked at */
    }
    for (u32 i = 1; i < PEERS; i++) {
        const struct tkd_frame *answer = wire_receive(peers[i]);
        cr_assert_not_null(answer);
        cr_assert(answer->status == TKD_OK && answer->seq == i && answer->size > 900000);
    }
    kill(getpid(), SIGTERM);
    return unused;
}

static bool serve_peers(void *(*peer)(void *))
{
    pthread_t thread;
    for (u32 i = 0; i < PEERS; i++) {
        int ends[2];
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        cr_assert_not_null(conn_open(&server.conns, ends[0]));
        peers[i] = ends[1];
    }
    cr_assert_eq(pthread_create(&thread, NULL, peer, NULL), 0);
    bool served = server_run(&server);
    pthread_join(thread, NULL);
    for (u32 i = 0; i < PEERS; i++) close(peers[i]);
    server_destroy(&server);
    return served;
}

/* More than memory holds, so some wait with nothing of their own to be sent: they go on when others have read. */
Test(server, who_got_no_memory_for_an_answer_gets_it_when_others_have_read)
{
    cr_assert_eq(create(NULL, 0), 0, "%s", error);
    cr_assert_lt(2 * server.conns.out_quota.max_bytes, (PEERS - 2) * (u64)TKD_FRAME_BYTES_MAX);
    cr_assert(serve_peers(ask_much));
}

Test(server, a_wish_under_way_is_answered_before_a_stop)
{
    stop_when_parked = true;
    cr_assert_eq(create(NULL, 0), 0, "%s", error);
    cr_assert(serve_peers(wish_for_a_checkpoint));
    cr_assert_not(stop_when_parked);
}

Test(server, a_stop_without_room_for_its_checkpoint_says_so)
{
    without_room();
    cr_assert_eq(create(NULL, 0), 0, "%s", error);
    cr_assert_not(serve_peers(ask_little));
    cr_assert_eq(server.last_checkpoint_result, -ENOSPC);
}
