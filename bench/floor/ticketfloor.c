/* The floor: what this machine can do with the frames of a ticketd when there is no desk behind them. It
 * takes the same frames over the same sockets, verifies their checksums, copies them into a log, writes that
 * durably, and answers each record with a made-up result; nothing is remembered. How close ticketd comes to
 * it says what the desk costs.
 *
 * An answer leaves when the batch that holds its frame is on the disk. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/histogram.h"
#include "bench/floor/log.h"
#include "bench/floor/still.h"
#include "bench/server.h"
#include "core/frame.h"
#include "port/net.h"
#include "port/thread.h"

#define CONNECTIONS_MAX  1024u
#define IN_BYTES         (2 * TKD_FRAME_BYTES_MAX)
#define ANSWER_BYTES_MAX (TKD_FRAME_BYTES + TKD_RECORDS_MAX * (u32)sizeof(struct tkd_result))
#define WINDOW           64u
#define OUT_BYTES        (2 * WINDOW * ANSWER_BYTES_MAX) /* no more is moved than was sent */
#define RAW_WRITES       2000u

struct options {
    const char *directory;
    bool unix_socket;
    u32 busy_poll_us;
};

struct conn {
    struct floor *floor;
    struct io_op receive;
    struct io_op send;
    i32 fd; /* -1: free */
    bool ended;
    u8 *in;
    u32 in_bytes;
    u8 *out;
    u32 out_end;      /* answers built */
    u32 out_covered;  /* their frames are in the batch in flight */
    u32 out_released; /* may leave */
    u32 out_sent;
};

struct floor {
    struct io *io;
    struct log log;
    struct net_listener listener;
    struct io_op accept;
    struct conn conns[CONNECTIONS_MAX];
    u32 conns_count; /* at most so many at a time until now */
    u64 ids;
};

/* ---- Answers ---- */

static void *row(u8 *body, u32 head_bytes, u32 text_bytes)
{
    struct tkd_prefix *prefix = (void *)body;
    u32 size = (u32)round_up(head_bytes + text_bytes, 8);
    memset(body, 0, size);
    *prefix = (struct tkd_prefix){.size = size, .head = (u16)head_bytes};
    return prefix;
}

static u32 hello(u8 *body)
{
    static const char name[] = "ticketfloor";
    struct tkd_hello_reply *reply = row(body, sizeof *reply, sizeof name - 1);
    reply->version = TKD_PROTOCOL_VERSION;
    reply->frame_bytes_max = TKD_FRAME_BYTES_MAX;
    reply->records_max = TKD_RECORDS_MAX;
    reply->clock = 1;
    reply->store = 1;
    reply->server_bytes = sizeof name - 1;
    memcpy(reply + 1, name, sizeof name - 1);
    return reply->size;
}

static u32 attached(u8 *body, const struct tkd_frame *frame)
{
    struct tkd_session_id wish;
    record_head(frame_first(frame), &wish, sizeof wish);
    struct tkd_session *session = row(body, sizeof *session, 0);
    session->session = wish.session;
    session->next_seq = 1;
    session->window = WINDOW;
    return session->size;
}

static u32 status(const struct floor *floor, u8 *body)
{
    static const char name[] = "durability";
    const char *text = log_how(&floor->log);
    u16 name_bytes = sizeof name - 1, text_bytes = (u16)strlen(text);
    struct tkd_metric *metric = row(body, sizeof *metric, name_bytes + text_bytes);
    metric->name_bytes = name_bytes;
    metric->text_bytes = text_bytes;
    memcpy(metric + 1, name, name_bytes);
    memcpy((char *)(metric + 1) + name_bytes, text, text_bytes);
    return metric->size;
}

static u32 results(struct floor *floor, u8 *body, u32 count)
{
    struct tkd_result *result = (void *)body;
    for (u32 i = 0; i < count; i++)
        result[i] = (struct tkd_result){.status = TKD_OK, .version = 1, .id = ++floor->ids};
    return count * (u32)sizeof *result;
}

static void answer(struct conn *conn, const struct tkd_frame *frame)
{
    struct tkd_frame *head = (void *)(conn->out + conn->out_end);
    u8 *body = (u8 *)(head + 1);
    u32 bytes = 0, count = 1;
    if (frame->op == TKD_OP_HELLO)
        bytes = hello(body);
    else if (frame->op == TKD_OP_ATTACH)
        bytes = attached(body, frame);
    else if (frame->op == TKD_OP_STATUS)
        bytes = status(conn->floor, body);
    else if (tkd_op_info(frame->op)->class == TKD_CLASS_command)
        bytes = results(conn->floor, body, count = frame->count);
    else
        count = 0;
    *head = (struct tkd_frame){.magic = TKD_MAGIC,
                               .version = TKD_PROTOCOL_VERSION,
                               .op = frame->op,
                               .flags = TKD_FLAG_REPLY,
                               .status = TKD_OK,
                               .size = TKD_FRAME_BYTES + bytes,
                               .count = count,
                               .session = frame->session,
                               .seq = frame->seq};
    frame_seal(head);
    conn->out_end += head->size;
}

/* ---- Connections ---- */

static void conn_close(struct conn *conn)
{
    conn->ended = true;
    if (conn->receive.busy || conn->send.busy || conn->fd < 0) return;
    close(conn->fd);
    free(conn->in);
    free(conn->out);
    conn->fd = -1;
}

static bool out_has_room(const struct conn *conn) { return conn->out_end + ANSWER_BYTES_MAX <= OUT_BYTES; }

/* What has left makes room; nothing may be on its way out of there. */
static void out_compact(struct conn *conn)
{
    u32 left = conn->out_sent;
    conn->out_end -= left;
    conn->out_covered -= left;
    conn->out_released -= left;
    conn->out_sent = 0;
    memmove(conn->out, conn->out + left, conn->out_end);
}

/* Its checksum, and nothing of what is in it. */
static enum tkd_status checked(const struct tkd_frame *frame)
{
    const struct tkd_op_info *op = tkd_op_info(frame->op);
    if (frame->body_checksum != checksum_wire(frame + 1, frame->size - TKD_FRAME_BYTES))
        return TKD_BAD_BODY_CHECKSUM;
    if (op == NULL) return TKD_UNKNOWN_OP;
    return frame->count <= op->records_max ? TKD_OK : TKD_BAD_COUNT;
}

/* Takes every whole frame, as far as the batch and the answers have room; then reads on. Without room it is called
 * again when a batch or answers have left. */
static void conn_take(struct conn *conn)
{
    struct floor *floor = conn->floor;
    u32 at = 0;
    bool room = true;
    while (room) {
        const struct tkd_frame *frame = (const void *)(conn->in + at);
        enum tkd_status status = frame_header_check(frame, conn->in_bytes - at);
        if (status == 0 || (status == TKD_OK && frame->size > conn->in_bytes - at)) break;
        if (status == TKD_OK) status = checked(frame);
        if (status != TKD_OK) die("what a client sent is no frame: %s", tkd_status_info(status)->doc);
        room = log_room(&floor->log, frame->size) && out_has_room(conn);
        if (!room) break;
        log_append(&floor->log, frame, frame->size);
        answer(conn, frame);
        at += frame->size;
    }
    conn->in_bytes -= at;
    memmove(conn->in, conn->in + at, conn->in_bytes);
    if (room && !conn->receive.busy && !conn->ended)
        io_receive(floor->io, &conn->receive, conn->fd, conn->in + conn->in_bytes, IN_BYTES - conn->in_bytes);
}

static void conn_send(struct conn *conn)
{
    if (conn->send.busy || conn->ended || conn->out_sent == conn->out_released) return;
    io_send(conn->floor->io, &conn->send, conn->fd, conn->out + conn->out_sent,
            conn->out_released - conn->out_sent);
}

static void received(struct io_op *op, i32 result)
{
    struct conn *conn = op->owner;
    if (result <= 0 || conn->ended) {
        conn_close(conn);
        return;
    }
    conn->in_bytes += (u32)result;
    conn_take(conn);
}

static void sent(struct io_op *op, i32 result)
{
    struct conn *conn = op->owner;
    if (result <= 0 || conn->ended) {
        conn_close(conn);
        return;
    }
    conn->out_sent += (u32)result;
    if (conn->out_sent == conn->out_end || !out_has_room(conn)) out_compact(conn);
    conn_send(conn);
    if (!conn->receive.busy) conn_take(conn);
}

static struct conn *conn_free(struct floor *floor)
{
    for (u32 i = 0; i < floor->conns_count; i++)
        if (floor->conns[i].fd < 0) return &floor->conns[i];
    if (floor->conns_count == CONNECTIONS_MAX) die("more than %u connections", CONNECTIONS_MAX);
    return &floor->conns[floor->conns_count++];
}

static void accepted(struct io_op *op, i32 result)
{
    struct floor *floor = op->owner;
    if (result < 0) die("accepting: %s", strerror(-result));
    struct conn *conn = conn_free(floor);
    *conn = (struct conn){.floor = floor,
                          .fd = result,
                          .receive = {.done = received, .owner = conn},
                          .send = {.done = sent, .owner = conn},
                          .in = malloc(IN_BYTES),
                          .out = malloc(OUT_BYTES)};
    if (conn->in == NULL || conn->out == NULL) die("no memory");
    if (floor->listener.tcp) net_no_delay(conn->fd);
    conn_take(conn);
    io_accept(floor->io, &floor->accept, floor->listener.fd);
}

/* ---- The loop ---- */

static void written(void *owner)
{
    struct floor *floor = owner;
    for (u32 i = 0; i < floor->conns_count; i++) {
        struct conn *conn = &floor->conns[i];
        if (conn->fd < 0) continue;
        conn->out_released = conn->out_covered;
        conn_send(conn);
    }
}

static void submit(struct floor *floor)
{
    if (!log_submit(&floor->log)) return;
    for (u32 i = 0; i < floor->conns_count; i++) floor->conns[i].out_covered = floor->conns[i].out_end;
    /* The batch is empty again: who waited for room goes on. */
    for (u32 i = 0; i < floor->conns_count; i++) {
        struct conn *conn = &floor->conns[i];
        if (conn->fd >= 0 && !conn->receive.busy && !conn->ended) conn_take(conn);
    }
}

static void listen_on(struct floor *floor, const struct options *options)
{
    char error[256], path[4096];
    snprintf(path, sizeof path, "%s/s", options->directory);
    i32 result = options->unix_socket ? net_listen_unix(&floor->listener, path, error, sizeof error)
                                      : net_listen_tcp(&floor->listener, "127.0.0.1:0", error, sizeof error);
    if (result < 0) die("%s", error);
    printf("listening on %s%s\n", options->unix_socket ? "unix:" : "", floor->listener.name);
    fflush(stdout);
}

_Noreturn static void serve(const struct options *options)
{
    struct floor *floor = calloc(1, sizeof *floor);
    char error[256];
    if (floor == NULL) die("no memory");
    if (io_create(&floor->io, error, sizeof error) < 0) die("%s", error);
    io_busy_poll(floor->io, options->busy_poll_us);
    floor->log.written = written;
    floor->log.owner = floor;
    log_open(&floor->log, floor->io, options->directory);
    listen_on(floor, options);
    floor->accept = (struct io_op){.done = accepted, .owner = floor};
    io_accept(floor->io, &floor->accept, floor->listener.fd);
    for (;;) {
        io_run(floor->io, true);
        submit(floor);
    }
}

/* One 4 KiB block after another: what a durable write costs here at least. */
static void raw(const struct options *options)
{
    static const u32 parts[] = {500000, 900000, 990000, 999000};
    static u64 took_ns[RAW_WRITES];
    static struct histogram histogram;
    histogram_reset(&histogram);
    bool direct = log_raw(options->directory, options->busy_poll_us, took_ns, RAW_WRITES);
    for (u32 i = 0; i < RAW_WRITES; i++) histogram_add(&histogram, took_ns[i]);
    printf("{\"writes\":%u,\"direct\":%s", RAW_WRITES, direct ? "true" : "false");
    for (u32 i = 0; i < ARRAY_COUNT(parts); i++)
        printf(",\"p%g_us\":%.1f", parts[i] / 1e4, (double)histogram_quantile(&histogram, parts[i]) / 1e3);
    printf("}\n");
}

static u32 number(const char *option, const char *text, u32 min, u32 max)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text >= '0' && *text <= '9' && *end == 0 && value >= min && value <= max) return (u32)value;
    fprintf(stderr, "ticketfloor: --%s takes a number from %u to %u, not %s\n", option, min, max, text);
    exit(2);
}

/* What nobody's pauses can be shorter than. */
static void still(u32 seconds, u32 memory_mb)
{
    struct still still;
    i32 result = still_measure(seconds, (u64)memory_mb << 20, &still);
    if (result < 0) die("--still: %s", strerror(-result));
    double time_ns = 1e9 * seconds * still.threads;
    printf("{\"processors\":%u,\"seconds\":%u,\"over_1_ms\":%u,\"over_5_ms\":%u,\"longest_ms\":%.3f,\"share\":%.5f",
           still.threads, seconds, still.over_1_ms, still.over_5_ms, (double)still.longest_ns / 1e6,
           (double)still.sum_ns / time_ns);
    printf(",\"slow\":%" PRIu64 ",\"slow_share\":%.5f,\"slow_in_worst_100_ms\":%.3f", still.slow,
           (double)still.slow_ns / time_ns, (double)still.window_ns / 1e6);
    if (memory_mb > 0)
        printf(",\"memory_mb\":%u,\"touches\":%" PRIu64 ",\"page_faults\":%" PRIu64, memory_mb, still.touches,
               still.page_faults);
    printf("}\n");
}

static const char help[] =
    "usage: ticketfloor [--unix] [--busy-poll US] DIRECTORY\n"
    "       ticketfloor --raw [--busy-poll US] DIRECTORY\n"
    "       ticketfloor --still SECONDS [--memory MB]\n"
    "\n"
    "Answers the frames of a ticketd on a loopback port of its own, or on a Unix socket in DIRECTORY, as fast as this\n"
    "machine can verify, log and send, with nothing behind them; for ticketbench --server. With --raw it measures\n"
    "durable writes of 4 KiB in DIRECTORY, and ends. With --still all processors only read the clock: it tells how\n"
    "often and how long the machine itself stood still (share: of the time, in pauses over 1 ms; slow: over 5 us), and\n"
    "ends. With --memory they also write into so many MiB that are ready, a byte at a time: what is slow then and was\n"
    "not without is memory that the machine had to look for.\n";

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"raw", 0, NULL, 'r'},   {"unix", 0, NULL, 'u'},   {"busy-poll", 1, NULL, 'b'},
        {"still", 1, NULL, 's'}, {"memory", 1, NULL, 'm'}, {"help", 0, NULL, 'h'}, {0}};
    struct options options = {0};
    u32 still_s = 0, memory_mb = 0;
    bool raw_only = false;
    for (int key; (key = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (key == 'r') raw_only = true;
        else if (key == 'u') options.unix_socket = true;
        else if (key == 'b') options.busy_poll_us = number("busy-poll", optarg, 0, 10000);
        else if (key == 's') still_s = number("still", optarg, 1, 3600);
        else if (key == 'm') memory_mb = number("memory", optarg, 1, 1u << 20);
        else if (key == 'h') return fputs(help, stdout) < 0;
        else argc = 0;
    }
    bool serves = still_s == 0;
    bool right = serves ? optind + 1 == argc && memory_mb == 0
                        : optind == argc && !raw_only && !options.unix_socket && options.busy_poll_us == 0;
    if (!right) {
        fputs(help, stderr);
        return 2;
    }
    if (!serves) {
        still(still_s, memory_mb);
        return 0;
    }
    options.directory = argv[optind];
    thread_loop();
    if (!raw_only) serve(&options);
    raw(&options);
    return 0;
}
