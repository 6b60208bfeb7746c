#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "durable/recovery.h"
#include "edge/server.h"
#include "support/directory.h"

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

static i32 create(const char *const *listen, u32 count)
{
    struct server_config config = {.listen = listen,
                                   .listen_count = count,
                                   .connections_max = 4,
                                   .buffer_bytes = CONNS_BUFFER_BYTES_MIN,
                                   .version = "test",
                                   .durability = "sync"};
    return server_create(&server, &config, io, signal_fd, recovery.state, recovery.wal, recovery.store,
                         checkpoint, error, sizeof(error));
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
