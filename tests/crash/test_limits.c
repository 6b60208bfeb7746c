/* Too little of everything: disk, file size, descriptors, memory for a crowd that is silent or slow. Nothing
 * that was acknowledged is lost, nobody spins, and who behaves is served. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "support/daemon.h"
#include "support/directory.h"
#include "support/wire.h"

#define BODY_BYTES  200000u
#define CREATES_MAX 3000u
#define CROWD       10000u
#define PATIENCE_S  60
#define FILES_MIN   64u          /* with fewer a server does not start */
#define OWN_FILES   200u         /* of the test process, besides the crowd's */
#define CONN_BYTES  (3u * 4096u) /* a connection's own share: inbox, outbox, the rest */

static struct daemon here;
static char data[4096];
static union wire_frame frame;

static void setup(void) { directory_make(data); }
static void teardown(void) { directory_remove(data); }

TestSuite(limits, .init = setup, .fini = teardown);

static void limit(int resource, u64 soft)
{
    struct rlimit now;
    cr_assert_eq(getrlimit((__rlimit_resource_t)resource, &now), 0);
    now.rlim_cur = min_u64(soft, now.rlim_max);
    cr_assert_eq(setrlimit((__rlimit_resource_t)resource, &now), 0);
}

static void large_create(u64 session, u64 seq)
{
    static char texts[BODY_BYTES + 64];
    struct tkd_ticket_create head = {.channel = 1, .queue = 1, .address_bytes = 5, .body_bytes = BODY_BYTES};
    head.key_bytes = (u32)snprintf(texts, 64, "13800%llu", (unsigned long long)seq) - 5;
    memset(texts + 5 + head.key_bytes, 'x', BODY_BYTES);
    wire_begin(&frame, TKD_OP_TICKET_CREATE, seq);
    frame.head.session = session;
    frame.head.ack_below = seq;
    wire_add(&frame, &head, sizeof(head), texts, 5 + head.key_bytes + BODY_BYTES);
    wire_seal(&frame);
}

/* The status of the answer; 0: the server has ended the connection. */
static enum tkd_status try_create(int fd, u64 session, u64 seq)
{
    large_create(session, seq);
    for (u32 sent = 0; sent < frame.head.size;) {
        ssize_t bytes = send(fd, frame.bytes + sent, frame.head.size - sent, MSG_NOSIGNAL);
        if (bytes <= 0) return 0;
        sent += (u32)bytes;
    }
    const struct tkd_frame *answer = wire_receive(fd);
    if (answer && answer->status == TKD_OK) cr_assert_eq(wire_results(answer)->id, seq, "ticket by ticket");
    return answer ? answer->status : 0;
}

/* Creates until it is refused; returns how many were acknowledged. */
static u64 create_until(int fd, u64 session, u64 seq, enum tkd_status *status)
{
    while ((*status = try_create(fd, session, seq)) == TKD_OK) cr_assert_lt(++seq, CREATES_MAX);
    return seq - 1;
}

/* The last one that was acknowledged is there, and the next one is not. */
static void expect_tickets(int fd, u64 count)
{
    for (u64 ticket = count; ticket <= count + 1; ticket++) {
        struct tkd_ticket_get head = {.ticket = ticket};
        wire_begin(&frame, TKD_OP_TICKET_GET, 8);
        wire_add(&frame, &head, sizeof(head), NULL, 0);
        cr_assert_eq(wire_call(fd, &frame)->status, ticket == count ? TKD_OK : TKD_NOT_FOUND);
    }
}

static int open_again(u64 session)
{
    daemon_start(&here, data, NULL);
    int fd = wire_open(here.address);
    cr_assert_eq(wire_attach(fd, session), TKD_OK);
    return fd;
}

/* ---- Disk ---- */

/* Gives `data` a small file system of its own, which nobody else sees. */
static bool mount_small(const char *options)
{
    if (unshare(CLONE_NEWNS) != 0) return false;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return false;
    return mount("tmpfs", data, "tmpfs", 0, options) == 0;
}

static void fill_disk(const char *name)
{
    static char block[4096];
    int fd = open(name, O_WRONLY | O_CREAT, 0600);
    cr_assert_geq(fd, 0);
    while (write(fd, block, sizeof(block)) > 0) continue;
    cr_assert_eq(errno, ENOSPC);
    close(fd);
}

Test(limits, a_full_disk_refuses_and_goes_on_when_there_is_room)
{
    char filler[4200];
    enum tkd_status status;
    if (!mount_small("size=200m"))
        cr_skip_test("mounting is not allowed here: only the limit of file sizes is tested");
    daemon_start(&here, data, NULL);
    int fd = wire_open(here.address);
    wire_catalog(fd);
    u64 session = wire_register(fd, "full", 4);
    u64 count = create_until(fd, session, 1, &status);
    cr_assert_eq(status, TKD_STORAGE_FULL, "%u", status);
    cr_assert_gt(count, 10);
    expect_tickets(fd, count);
    snprintf(filler, sizeof(filler), "%s/filler", data);
    fill_disk(filler);
    cr_assert_eq(try_create(fd, session, count + 1), TKD_STORAGE_FULL);
    cr_assert_eq(daemon_end(&here, SIGKILL), 128 + SIGKILL);
    close(fd);
    fd = open_again(session); /* not one block is free */
    expect_tickets(fd, count);
    cr_assert_eq(try_create(fd, session, count + 1), TKD_STORAGE_FULL);
    cr_assert_eq(unlink(filler), 0);
    cr_assert_eq(mount(NULL, data, NULL, MS_REMOUNT, "size=400m"), 0);
    struct timespec begin, now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    while ((status = try_create(fd, session, count + 1)) == TKD_STORAGE_FULL) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        cr_assert_lt(now.tv_sec - begin.tv_sec, PATIENCE_S, "there is room and it does not see it");
    }
    cr_assert_eq(status, TKD_OK);
    expect_tickets(fd, count + 1);
    close(fd);
    cr_assert_eq(daemon_end(&here, SIGTERM), 0, "%s", here.log);
    fd = open_again(session);
    expect_tickets(fd, count + 1);
    close(fd);
    cr_assert_eq(daemon_end(&here, SIGTERM), 0, "%s", here.log);
    cr_assert_eq(umount2(data, MNT_DETACH), 0);
}

/* Below a segment's size it cannot even begin. */
Test(limits, a_file_size_limit_below_the_log_is_named)
{
    char line[4200];
    limit(RLIMIT_FSIZE, 8u << 20);
    snprintf(line, sizeof(line), "--data %s --listen 127.0.0.1:0", data);
    cr_assert_eq(daemon_run(&here, line), 1, "%s", here.log);
    cr_assert_not_null(strstr(here.log, "event=not_recovered"), "%s", here.log);
    cr_assert_not_null(strstr(here.log, strerror(EFBIG)), "%s", here.log);
    limit(RLIMIT_FSIZE, RLIM_INFINITY);
    daemon_start(&here, data, NULL);
    cr_assert_eq(daemon_end(&here, SIGTERM), 0, "%s", here.log);
}

/* The log's files fit, the store's would outgrow the limit. */
Test(limits, a_file_size_limit_refuses_and_loses_nothing)
{
    enum tkd_status status;
    limit(RLIMIT_FSIZE, 100u << 20);
    daemon_start(&here, data, NULL);
    limit(RLIMIT_FSIZE, RLIM_INFINITY);
    int fd = wire_open(here.address);
    wire_catalog(fd);
    u64 session = wire_register(fd, "limited", 4);
    u64 count = create_until(fd, session, 1, &status);
    cr_assert_eq(status, TKD_STORAGE_FULL, "%u %s", status, here.log);
    expect_tickets(fd, count);
    cr_assert_eq(daemon_end(&here, SIGTERM), 1, "nothing is lost, but it could not checkpoint: %s", here.log);
    cr_assert_not_null(strstr(here.log, "event=last_checkpoint_failed"), "%s", here.log);
    close(fd);
    fd = open_again(session);
    cr_assert_eq(try_create(fd, session, count + 1), TKD_OK);
    expect_tickets(fd, count + 1);
    close(fd);
    cr_assert_eq(daemon_end(&here, SIGTERM), 0, "%s", here.log);
}

/* ---- Descriptors ---- */

static void send_hello(int fd)
{
    struct tkd_hello head = {.version_min = 1, .version_max = 1};
    wire_begin(&frame, TKD_OP_HELLO, 1);
    wire_add(&frame, &head, sizeof(head), NULL, 0);
    wire_send(fd, &frame);
}

static bool readable(int fd, int timeout_ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, timeout_ms) > 0;
}

Test(limits, without_descriptors_who_is_connected_is_served)
{
    enum { MORE = 8 };
    int fds[MORE];
    struct rlimit none = {.rlim_cur = 1, .rlim_max = RLIM_INFINITY}, before;
    daemon_start(&here, data, NULL);
    int fd = wire_open(here.address);
    wire_catalog(fd);
    cr_assert_eq(prlimit(here.pid, RLIMIT_NOFILE, NULL, &before), 0);
    none.rlim_max = before.rlim_max;
    cr_assert_eq(prlimit(here.pid, RLIMIT_NOFILE, &none, NULL), 0);
    int last = wire_open(here.address); /* its accept was under way, with the old limit */
    for (u32 i = 0; i < MORE; i++) {
        fds[i] = wire_connect(here.address);
        send_hello(fds[i]);
    }
    u64 turns = wire_metric(fd, "turns");
    for (u32 i = 0; i < MORE; i++) cr_assert_not(readable(fds[i], 40), "nobody can take this connection");
    cr_assert_lt(wire_metric(fd, "turns") - turns, 100, "it waits, and does not spin");
    for (u64 i = 1; i <= 50; i++) cr_assert_eq(wire_create(fd, 0, i, "").id, i);
    cr_assert_eq(prlimit(here.pid, RLIMIT_NOFILE, &before, NULL), 0);
    for (u32 i = 0; i < MORE; i++) {
        const struct tkd_frame *answer = wire_receive(fds[i]);
        cr_assert(answer && answer->status == TKD_OK, "now it is served");
        wire_ping(fds[i]);
        close(fds[i]);
    }
    close(last);
    close(fd);
    cr_assert_eq(daemon_end(&here, SIGTERM), 0, "%s", here.log);
    cr_assert_not_null(strstr(here.log, "event=accept_failed"), "%s", here.log);
}

/* Connections must not take the descriptors that log and store need. */
Test(limits, few_descriptors_leave_enough_for_log_and_store)
{
    int fds[FILES_MIN];
    u32 count = 0;
    struct rlimit few = {.rlim_cur = FILES_MIN, .rlim_max = FILES_MIN};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    daemon_start(&here, data, NULL);
    cr_assert_not_null(strstr(here.log, "event=connections_limited"), "%s", here.log);
    int fd = wire_open(here.address);
    wire_catalog(fd);
    u64 possible = wire_metric(fd, "connections_max");
    cr_assert_lt(possible, FILES_MIN - 16);
    while (count + 1 < possible) fds[count++] = wire_open(here.address);
    int extra = wire_connect(here.address);
    const struct tkd_frame *answer = wire_receive(extra);
    cr_assert(answer && answer->status == TKD_BUSY, "it is turned away, not left waiting");
    close(extra);
    enum tkd_status status = TKD_OK;
    u64 session = wire_register(fd, "few", 4); /* more than a segment of the log: files are made and opened */
    for (u64 seq = 1; seq <= 400 && status == TKD_OK; seq++) status = try_create(fd, session, seq);
    cr_assert_eq(status, TKD_OK, "%u: %s", status, here.log);
    wire_empty_frame(&frame, TKD_OP_CHECKPOINT, 8);
    cr_assert_eq(wire_call(fd, &frame)->status, TKD_OK);
    for (u32 i = 0; i < count; i++) {
        wire_ping(fds[i]);
        close(fds[i]);
    }
    close(fd);
    cr_assert_eq(daemon_end(&here, SIGTERM), 0, "%s", here.log);
}

/* Who says that it is ready can serve somebody. */
Test(limits, too_few_descriptors_are_refused_at_the_start)
{
    char line[4200];
    struct rlimit few = {.rlim_cur = FILES_MIN - 1, .rlim_max = FILES_MIN - 1};
    snprintf(line, sizeof line, "--data %s --listen 127.0.0.1:0", data);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    cr_assert_eq(daemon_run(&here, line), 1);
    cr_assert_not_null(strstr(here.log, "event=too_few_files"), "%s", here.log);
    cr_assert_not_null(strstr(here.log, "remedy"), "%s", here.log);
}

/* ---- A crowd ---- */

static u64 resident_bytes(pid_t pid)
{
    char path[64], line[256];
    unsigned long long kb = 0;
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file);
    while (fgets(line, sizeof(line), file) && sscanf(line, "VmRSS: %llu", &kb) != 1) continue;
    fclose(file);
    cr_assert_gt(kb, 0);
    return (u64)kb << 10;
}

/* As much of it as the socket takes. */
static void push(int fd, const void *bytes, u64 count)
{
    ssize_t sent = send(fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    cr_assert(sent > 0 || errno == EAGAIN || errno == ECONNRESET || errno == EPIPE);
}

/* Most of them say nothing or do not read; what each does depends on its number. */
static void misbehave(int fd, u32 number)
{
    static u8 requests[50 * 72];
    static union wire_frame half;
    u32 bytes = 0;
    if (number % 10 < 4) return; /* does not even say HELLO */
    send_hello(fd);
    if (number % 10 < 6) { /* begins a frame of 1 MiB */
        half.head =
            (struct tkd_frame){.magic = TKD_MAGIC, .version = 1, .op = TKD_OP_TICKET_CREATE, .count = 1};
        half.head.size = TKD_FRAME_BYTES_MAX;
        frame_seal(&half.head);
        push(fd, half.bytes, 10000);
    } else if (number % 10 < 8) { /* asks a lot, and does not read */
        wire_empty_frame(&frame, TKD_OP_STATUS, 1);
        wire_seal(&frame);
        while (bytes + frame.head.size <= sizeof(requests)) {
            memcpy(requests + bytes, frame.bytes, frame.head.size);
            bytes += frame.head.size;
        }
        push(fd, requests, bytes);
    } else if (number % 10 == 8) { /* wants every event there ever was, and does not read */
        struct tkd_events_from head = {.from = 1};
        wire_begin(&frame, TKD_OP_SUBSCRIBE, 2);
        wire_add(&frame, &head, sizeof(head), NULL, 0);
        wire_seal(&frame);
        push(fd, frame.bytes, frame.head.size);
    }
}

Test(limits, a_silent_crowd_costs_bounded_memory_and_no_service)
{
    static int crowd[CROWD];
    struct rlimit files;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
    limit(RLIMIT_NOFILE, CROWD + OWN_FILES);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
    u32 count = (u32)min_u64(CROWD, files.rlim_cur - OWN_FILES);
    if (count < CROWD)
        printf("only %u connections: the limit of open files is %llu\n", count,
               (unsigned long long)files.rlim_max);
    daemon_start(&here, data, NULL);
    int good = wire_open(here.address);
    wire_catalog(good);
    u64 session = wire_register(good, "good", 4), seq = 1;
    for (; seq <= 100; seq++) cr_assert_eq(try_create(good, session, seq), TKD_OK);
    u64 before = resident_bytes(here.pid), most = 0;
    for (u32 i = 0; i < count; i++) {
        crowd[i] = wire_connect(here.address);
        misbehave(crowd[i], i);
        if (i % 100 != 0) continue;
        cr_assert_eq(wire_create(good, session, seq, "").id, seq, "who behaves is served");
        seq++;
        if (i % 500 == 0) cr_assert_eq(try_create(good, session, seq++), TKD_OK, "with large requests too");
        most = max_u64(most, resident_bytes(here.pid));
    }
    for (u32 i = 0; i < 10; i++) cr_assert_eq(try_create(good, session, seq++), TKD_OK);
    most = max_u64(most, resident_bytes(here.pid));
    u64 created = (seq - 1) * (BODY_BYTES + 4096); /* at most so much of it in rows and ring */
    u64 buffers = wire_metric(good, "buffer_bytes_max");
    /* An answer may always be written to who has read everything, up to twice the quota. */
    u64 bound = before + buffers + buffers / 2 + (u64)count * CONN_BYTES + min_u64(created, 32u << 20);
    printf("%u connections: %llu MiB before, %llu MiB at most, bound %llu MiB, %llu dropped\n", count,
           (unsigned long long)before >> 20, (unsigned long long)most >> 20, (unsigned long long)bound >> 20,
           (unsigned long long)wire_metric(good, "connections_dropped"));
    cr_assert_leq(most, bound);
    int late = wire_open(here.address);
    wire_ping(late);
    close(late);
    for (u32 i = 0; i < count; i++) close(crowd[i]);
    close(good);
    cr_assert_eq(daemon_end(&here, SIGTERM), 0, "%s", here.log);
}
