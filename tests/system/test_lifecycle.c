/* Starting, stopping, and everything that can stand in the way. */
#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/daemon.h"
#include "support/directory.h"
#include "support/wire.h"

static struct daemon first, second;
static char data[4096], line[9000];
static union wire_frame frame;

static void setup(void) { directory_make(data); }
static void teardown(void) { directory_remove(data); }

TestSuite(lifecycle, .init = setup, .fini = teardown);

/* Runs ticketd until it refuses; both words must stand in what it says. */
static void expect_refusal(int code, const char *word, const char *remedy)
{
    int ended = daemon_run(&second, line);
    cr_assert_eq(ended, code, "%d: %s", ended, second.log);
    cr_assert_not_null(strstr(second.log, word), "%s is not in: %s", word, second.log);
    cr_assert_not_null(strstr(second.log, remedy), "%s is not in: %s", remedy, second.log);
}

Test(lifecycle, sigterm_answers_keeps_and_ends)
{
    for (u32 round = 0; round < 3; round++) {
        daemon_start(&first, data, NULL);
        int fd = wire_open(first.address);
        if (round == 0) wire_catalog(fd);
        struct tkd_result result = wire_create(fd, 0, 1, "");
        cr_assert_eq(result.status, TKD_OK);
        cr_assert_eq(result.id, round + 1);
        cr_assert_eq(daemon_end(&first, round == 2 ? SIGINT : SIGTERM), 0, "%s", first.log);
        cr_assert_null(wire_receive(fd), "the connection has ended");
        cr_assert_not_null(strstr(first.log, "event=stopped"));
        close(fd);
    }
    daemon_start(&first, data, NULL);
    cr_assert_not_null(strstr(first.log, " commands=0 "), "the checkpoint covers the log: %s", first.log);
    cr_assert_eq(daemon_end(&first, SIGTERM), 0);
}

Test(lifecycle, a_storm_of_signals_is_one)
{
    daemon_start(&first, data, NULL);
    int fd = wire_open(first.address);
    wire_catalog(fd);
    for (u32 i = 0; i < 20; i++) kill(first.pid, i % 2 ? SIGTERM : SIGINT);
    kill(first.pid, SIGPIPE);
    kill(first.pid, SIGHUP);
    cr_assert_eq(daemon_end(&first, SIGTERM), 0, "%s", first.log);
    close(fd);
}

Test(lifecycle, what_was_sent_before_the_end_is_answered_or_not_done)
{
    enum { COUNT = 200 };
    daemon_start(&first, data, NULL);
    int fd = wire_open(first.address);
    wire_catalog(fd);
    for (u32 i = 0; i < COUNT; i++) {
        wire_begin(&frame, TKD_OP_TICKET_CREATE, i);
        wire_add_create(&frame, "");
        wire_send(fd, &frame);
    }
    kill(first.pid, SIGTERM);
    u64 done = 0;
    const struct tkd_frame *answer;
    bool stopping = false;
    while ((answer = wire_receive(fd))) {
        cr_assert(answer->status == TKD_OK || answer->status == TKD_STOPPING);
        cr_assert_not(stopping && answer->status == TKD_OK);
        stopping = answer->status == TKD_STOPPING;
        done += !stopping;
    }
    close(fd);
    cr_assert_eq(daemon_end(&first, SIGTERM), 0, "%s", first.log);
    daemon_start(&first, data, NULL);
    fd = wire_open(first.address);
    cr_assert_eq(wire_create(fd, 0, 1, "").id, done + 1);
    close(fd);
    cr_assert_eq(daemon_end(&first, SIGTERM), 0);
}

Test(lifecycle, who_does_not_read_does_not_keep_it_from_ending)
{
    daemon_start(&first, data, NULL);
    int fd = wire_open(first.address);
    wire_catalog(fd);
    wire_empty_frame(&frame, TKD_OP_STATUS, 1);
    wire_seal(&frame);
    for (u32 i = 0; i < 100000; i++) {
        if (send(fd, frame.bytes, frame.head.size, MSG_DONTWAIT | MSG_NOSIGNAL) <= 0) break;
    }
    cr_assert_eq(daemon_end(&first, SIGTERM), 0, "%s", first.log);
    close(fd);
}

Test(lifecycle, a_kill_loses_nothing_that_was_answered)
{
    u64 created = 0;
    for (u32 round = 0; round < 4; round++) {
        daemon_start(&first, data, NULL);
        int fd = wire_open(first.address);
        if (round == 0) wire_catalog(fd);
        for (u32 i = 0; i < 50; i++) cr_assert_eq(wire_create(fd, 0, i, "").id, ++created);
        cr_assert_eq(daemon_end(&first, SIGKILL), 128 + SIGKILL);
        close(fd);
    }
    daemon_start(&first, data, NULL);
    cr_assert_eq(daemon_end(&first, SIGTERM), 0);
}

Test(lifecycle, no_mode_loses_an_answer_when_only_the_process_is_killed)
{
    static const char *const modes[] = {"off", "interval=1000"};
    u64 created = 0;
    for (u32 round = 0; round < 6; round++) {
        snprintf(line, sizeof(line), "--durability %s", modes[round % 2]);
        daemon_start(&first, data, line);
        int fd = wire_open(first.address);
        if (round == 0) wire_catalog(fd);
        for (u32 i = 0; i < 50; i++) cr_assert_eq(wire_create(fd, 0, i, "").id, ++created);
        cr_assert_eq(daemon_end(&first, SIGKILL), 128 + SIGKILL);
        close(fd);
    }
    daemon_start(&first, data, NULL);
    int fd = wire_open(first.address);
    cr_assert_eq(wire_create(fd, 0, 0, "").id, created + 1);
    close(fd);
    cr_assert_eq(daemon_end(&first, SIGTERM), 0);
}

Test(lifecycle, checkpoint_and_backup_on_demand)
{
    char copy[9000];
    struct tkd_backup head = {.name_bytes = 6};
    daemon_start(&first, data, NULL);
    int fd = wire_open(first.address);
    wire_catalog(fd);
    for (u32 i = 0; i < 20; i++) wire_create(fd, 0, i, "");
    wire_empty_frame(&frame, TKD_OP_CHECKPOINT, 8);
    cr_assert_eq(wire_call(fd, &frame)->status, TKD_OK);
    cr_assert_geq(wire_metric(fd, "checkpoint.op"), 21);
    cr_assert_geq(wire_metric(fd, "checkpoint.rows_bytes"), 20 * 128); /* a ticket's row is 128 bytes */
    cr_assert_geq(wire_metric(fd, "log.written_bytes"), 21 * 4096);     /* each was durable before the next came */
    for (u32 i = 0; i < 3; i++) {
        wire_begin(&frame, TKD_OP_BACKUP, 9);
        if (i == 2) head.name_bytes = 0;
        wire_add(&frame, &head, sizeof(head), i < 2 ? "friday" : "../x..", head.name_bytes);
        enum tkd_status status = wire_call(fd, &frame)->status;
        cr_assert_eq(status, i == 0 ? TKD_OK : i == 1 ? TKD_IN_USE : TKD_BAD_VALUE, "%u", status);
    }
    head.name_bytes = 4;
    wire_begin(&frame, TKD_OP_BACKUP, 9);
    wire_add(&frame, &head, sizeof(head), "../x", 4);
    cr_assert_eq(wire_call(fd, &frame)->status, TKD_BAD_VALUE);
    wire_create(fd, 0, 1, "");
    snprintf(copy, sizeof(copy), "%s/backups/friday", data);
    daemon_start(&second, copy, NULL);
    int other = wire_open(second.address);
    cr_assert_eq(wire_create(other, 0, 1, "").id, 21, "the copy goes on by itself");
    close(other);
    cr_assert_eq(daemon_end(&second, SIGTERM), 0);
    close(fd);
    cr_assert_eq(daemon_end(&first, SIGTERM), 0);
}

Test(lifecycle, a_second_one_is_told_who_is_there)
{
    char pid[32];
    daemon_start(&first, data, NULL);
    snprintf(pid, sizeof(pid), "%d", first.pid);
    snprintf(line, sizeof(line), "--data %s --listen 127.0.0.1:0", data);
    expect_refusal(1, pid, data);
    cr_assert_eq(daemon_end(&first, SIGTERM), 0);
}

Test(lifecycle, an_address_in_use)
{
    char other[4200];
    daemon_start(&first, data, NULL);
    snprintf(other, sizeof(other), "%s/other", data);
    snprintf(line, sizeof(line), "--data %s --listen %s", other, first.address);
    expect_refusal(1, first.address, "choose another address");
    cr_assert_eq(daemon_end(&first, SIGTERM), 0);
}

Test(lifecycle, only_loopback_addresses)
{
    snprintf(line, sizeof(line), "--data %s --listen 0.0.0.0:0", data);
    expect_refusal(1, "0.0.0.0:0", "loopback");
}

Test(lifecycle, a_place_that_is_no_directory)
{
    char file[4200];
    snprintf(file, sizeof(file), "%s/file", data);
    file_spill(file, "x", 1);
    snprintf(line, sizeof(line), "--data %s --listen 127.0.0.1:0", file);
    expect_refusal(1, file, "event=not_recovered");
}

Test(lifecycle, the_clock_of_a_directory_is_decided_once)
{
    daemon_start(&first, data, "--clock virtual");
    cr_assert_eq(daemon_end(&first, SIGTERM), 0);
    snprintf(line, sizeof(line), "--data %s --listen 127.0.0.1:0", data);
    expect_refusal(1, "clock", "--clock virtual");
}

Test(lifecycle, usage)
{
    snprintf(line, sizeof(line), "--listen 127.0.0.1:0");
    expect_refusal(2, "--data", "/var/lib/ticketd");
    snprintf(line, sizeof(line), "--data %s --frobnicate", data);
    expect_refusal(2, "--frobnicate", "--help");
    cr_assert_eq(daemon_run(&second, "--help"), 0);
    cr_assert_eq(daemon_run(&second, "--version"), 0);
}

Test(lifecycle, less_durable_modes_say_so_loudly)
{
    static const char *const modes[] = {"off", "interval=5"};
    for (u32 i = 0; i < ARRAY_COUNT(modes); i++) {
        snprintf(line, sizeof(line), "--durability %s", modes[i]);
        daemon_start(&first, data, line);
        cr_assert_not_null(strstr(first.log, "level=warn event=not_durable"), "%s", first.log);
        int fd = wire_open(first.address);
        if (i == 0) wire_catalog(fd);
        cr_assert_eq(wire_create(fd, 0, 1, "").id, i + 1);
        close(fd);
        cr_assert_eq(daemon_end(&first, SIGTERM), 0);
    }
    daemon_start(&first, data, NULL);
    int fd = wire_open(first.address);
    cr_assert_eq(wire_create(fd, 0, 1, "").id, 3);
    close(fd);
    cr_assert_eq(daemon_end(&first, SIGTERM), 0);
}

Test(lifecycle, a_unix_socket_serves_too)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    cr_assert_lt(snprintf(address.sun_path, sizeof(address.sun_path), "%.90s/s", data), 107);
    snprintf(line, sizeof(line), "--unix %s", address.sun_path);
    daemon_start(&first, data, line);
    cr_assert_not_null(strstr(first.log, " unix="));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    struct tkd_hello head = {.version_min = 1, .version_max = 1};
    wire_begin(&frame, TKD_OP_HELLO, 1);
    wire_add(&frame, &head, sizeof(head), NULL, 0);
    cr_assert_eq(wire_call(fd, &frame)->status, TKD_OK);
    wire_catalog(fd);
    close(fd);
    cr_assert_eq(daemon_end(&first, SIGTERM), 0);
    cr_assert_eq(access(address.sun_path, F_OK), -1);
}

Test(lifecycle, too_many_connections_are_turned_away)
{
    enum { MAX = 8 };
    int fds[MAX];
    daemon_start(&first, data, "--connections 8");
    for (u32 i = 0; i < MAX; i++) fds[i] = wire_open(first.address);
    for (u32 i = 0; i < 20; i++) {
        int extra = wire_connect(first.address);
        const struct tkd_frame *answer = wire_receive(extra);
        cr_assert_not_null(answer);
        cr_assert_eq(answer->status, TKD_BUSY);
        cr_assert_null(wire_receive(extra));
        close(extra);
    }
    for (u32 i = 0; i < MAX; i++) wire_ping(fds[i]);
    cr_assert_eq(wire_metric(fds[0], "connections"), MAX);
    close(fds[3]);
    /* Its slot comes back once the server has seen the end: until then newcomers are turned away. */
    for (;;) {
        struct tkd_hello head = {.version_min = 1, .version_max = 1};
        fds[3] = wire_connect(first.address);
        wire_begin(&frame, TKD_OP_HELLO, 1);
        wire_add(&frame, &head, sizeof(head), NULL, 0);
        wire_seal(&frame);
        cr_assert_gt(send(fds[3], frame.bytes, frame.head.size, MSG_NOSIGNAL), 0);
        const struct tkd_frame *answer = wire_receive(fds[3]);
        if (answer && answer->status == TKD_OK) break;
        close(fds[3]);
    }
    for (u32 i = 0; i < MAX; i++) close(fds[i]);
    cr_assert_eq(daemon_end(&first, SIGTERM), 0);
}

Test(lifecycle, the_service_manager_is_told)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char got[64] = "";
    cr_assert_lt(snprintf(address.sun_path, sizeof(address.sun_path), "%.90s/n", data), 107);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    daemon_start(&first, data, NULL);
    cr_assert_eq(recv(fd, got, sizeof(got), 0), 7);
    cr_assert_str_eq(got, "READY=1");
    cr_assert_eq(daemon_end(&first, SIGTERM), 0);
    memset(got, 0, sizeof(got));
    cr_assert_gt(recv(fd, got, sizeof(got), 0), 0);
    cr_assert_str_eq(got, "STOPPING=1");
    close(fd);
}

Test(lifecycle, the_virtual_clock_takes_time_from_the_commands)
{
    daemon_start(&first, data, "--clock virtual");
    int fd = wire_open(first.address);
    wire_catalog(fd);
    static const struct {
        u64 time_ms;
        enum tkd_status status;
    } steps[] = {
        {1000000, TKD_OK}, {999999, TKD_BAD_TIME}, {0, TKD_OK}, {1000000, TKD_OK}, {1700000000000, TKD_OK}};
    for (u32 i = 0; i < ARRAY_COUNT(steps); i++) {
        wire_begin(&frame, TKD_OP_TICKET_CREATE, i);
        wire_add_create(&frame, "");
        frame.head.time_ms = steps[i].time_ms;
        const struct tkd_frame *answer = wire_call(fd, &frame);
        cr_assert_eq(answer->status, steps[i].status, "step %u: %u", i, answer->status);
    }
    cr_assert_eq(wire_metric(fd, "time_ms"), 1700000000000);
    close(fd);
    cr_assert_eq(daemon_end(&first, SIGTERM), 0);
}
