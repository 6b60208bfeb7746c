#include "edge/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mark.h"
#include "core/frame.h"
#include "edge/subscriber.h"
#include "port/clock.h"

#define MS_NS            1000000u
#define BLOCKED_RETRY_MS 10u

/* ---- Accepting ---- */

static void accepted(struct io_op *op, i32 result);

static void accept_next(struct server_listener *listener)
{
    if (listener->open && !listener->accept.busy && listener->server->phase == SERVER_RUNNING) {
        io_accept(listener->server->io, &listener->accept, listener->net.fd);
    }
}

static void accepted(struct io_op *op, i32 result)
{
    struct server_listener *listener = op->owner;
    struct server *server = listener->server;
    if (result < 0) {
        /* No descriptors, no memory: what is open is served on, and the next tick tries again. */
        if (server->phase == SERVER_RUNNING && result != -ECONNABORTED) {
            log_warn("accept_failed", LOG_TEXT("listen", listener->net.name),
                     LOG_TEXT("reason", strerror(-result)));
        } else {
            accept_next(listener);
        }
        return;
    }
    bool stopping = server->phase != SERVER_RUNNING;
    if (listener->net.tcp) net_no_delay(result);
    if (stopping || !conn_open(&server->conns, result)) {
        struct tkd_frame reply;
        MARK_IF(!stopping, "connection turned away: there are too many");
        MARK_IF(stopping, "connection turned away: stopping");
        service_turn_away(&reply, stopping ? TKD_STOPPING : TKD_BUSY);
        net_refuse(result, &reply, sizeof(reply));
        if (!stopping && server->conns.figures.refused++ == 0) {
            log_warn("connections_full", LOG_U64("max", server->conns.count_max),
                     LOG_TEXT("remedy", "raise --connections and the limit of open files"));
        }
    }
    accept_next(listener);
}

static i32 listener_add(struct server *server, const char *address, bool tcp, char *error, u32 error_bytes)
{
    if (server->listeners_count == SERVER_LISTENERS_MAX) {
        snprintf(error, error_bytes, "at most %u listeners", SERVER_LISTENERS_MAX);
        return -E2BIG;
    }
    struct server_listener *listener = &server->listeners[server->listeners_count];
    i32 result = tcp ? net_listen_tcp(&listener->net, address, error, error_bytes)
                     : net_listen_unix(&listener->net, address, error, error_bytes);
    if (result < 0) return result;
    listener->accept = (struct io_op){.done = accepted, .owner = listener};
    listener->server = server;
    listener->open = true;
    server->listeners_count++;
    return 0;
}

static i32 listeners_open(struct server *server, const struct server_config *config, char *error,
                          u32 error_bytes)
{
    i32 result = 0;
    for (u32 i = 0; i < config->listen_count && result == 0; i++) {
        result = listener_add(server, config->listen[i], true, error, error_bytes);
    }
    for (u32 i = 0; i < config->unix_count && result == 0; i++) {
        result = listener_add(server, config->unix_paths[i], false, error, error_bytes);
    }
    return result;
}

static void listeners_close(struct server *server)
{
    for (u32 i = 0; i < server->listeners_count; i++) {
        if (server->listeners[i].open) net_listener_close(&server->listeners[i].net);
        server->listeners[i].open = false;
    }
}

/* ---- Serving ---- */

/* true: the connection waits for something; false: it goes on. */
static bool put_aside(struct server *server, struct conn *conn, enum service_verdict verdict)
{
    switch (verdict) {
    case SERVICE_ANSWERED:
        return false;
    case SERVICE_WAIT:
        list_push_front(&server->conns.waiting, &conn->turn);
        return true;
    case SERVICE_NO_ROOM:
        conn->short_room = !outbox_empty(&conn->out);
        MARK_IF(conn->short_room, "answer waits for room in the outbox");
        if (!conn->short_room) conn_starve(conn);
        return true;
    case SERVICE_PARKED:
        return true;
    }
    ASSERT(!"verdict");
    return true;
}

/* Before HELLO nobody gets memory for a large frame: refused by its header, and thrown away as it arrives. */
static bool serve_early(struct server *server, struct conn *conn)
{
    const struct tkd_frame *header = inbox_header(&conn->in);
    if (!header || conn->greeted || header->size <= INBOX_IDLE_BYTES) return false;
    enum service_verdict verdict = service_refuse(&server->service, conn, header, TKD_HELLO_FIRST);
    if (verdict == SERVICE_WAIT) return put_aside(server, conn, verdict);
    if (verdict != SERVICE_ANSWERED) {
        conn_close(conn); /* it has read none of its answers */
        return true;
    }
    MARK("large frame before HELLO");
    inbox_skip(&conn->in);
    return false;
}

/* Answers what cannot be read as a frame; nothing behind it can be read either. */
static void serve_damaged(struct server *server, struct conn *conn, enum tkd_status status)
{
    const struct tkd_frame *header = NULL;
    if (status == TKD_BAD_SIZE)
        header = (const struct tkd_frame *)(const void *)(conn->in.data + conn->in.begin);
    MARK("bytes that are no frame");
    if (!put_aside(server, conn, service_refuse(&server->service, conn, header, status))) conn_finish(conn);
}

static void frame_done(struct server *server, struct conn *conn)
{
    inbox_consume(&conn->in);
    conn->verified = false;
    conn->progress_ms = server->conns.now_ms;
    server->service.figures.frames_received++;
}

/* Serves one connection its share of the turn, or only the questions that come first. */
static void serve(struct server *server, struct conn *conn, bool questions)
{
    u64 end_ns = server->served_ns + SERVER_SHARE_US * 1000;
    if (conn->phase != CONN_OPEN || conn->parked) return;
    for (u32 frames = 0; frames < SERVER_FRAMES_PER_TURN; frames++) {
        enum tkd_status status;
        const struct tkd_frame *frame = inbox_frame(&conn->in, &status);
        if (!frame && frames == 0) server->served_ns = clock_monotonic_ns(); /* many without one take time, too */
        if (!frame && FRAME_FATAL(status)) {
            serve_damaged(server, conn, status);
            return;
        }
        if (!frame) {
            if (serve_early(server, conn)) return;
            conn_continue(conn);
            return;
        }
        enum service_verdict verdict = service_frame(&server->service, conn, frame);
        server->served_ns = clock_monotonic_ns();
        if (put_aside(server, conn, verdict)) return;
        frame_done(server, conn);
        if (questions && !conn_asks(conn)) break;
        if (server->served_ns >= end_ns) break;
    }
    MARK("connection has had its share of the turn");
    conn_ready(conn);
}

/* Who waited for the pipeline comes first; the first who must wait on ends it. */
static void serve_waiting(struct server *server, u64 end_ns)
{
    struct conns *conns = &server->conns;
    while (!list_empty(&conns->waiting) && server->served_ns < end_ns) {
        struct conn *conn = LIST_ENTRY(list_pop(&conns->waiting), struct conn, turn);
        serve(server, conn, false);
        if (conns->waiting.next == &conn->turn) return;
    }
}

/* In the order of the list. Who becomes ready meanwhile has its turn next time, behind those who had none; who must
 * wait does so behind those who did before. */
static void serve_list(struct server *server, struct link *list, u64 end_ns, bool questions)
{
    struct conns *conns = &server->conns;
    struct link batch, waiting, *link;
    list_init(&batch);
    list_append(&batch, list);
    list_init(&waiting);
    list_append(&waiting, &conns->waiting);
    while (server->served_ns < end_ns && (link = list_pop(&batch))) {
        serve(server, LIST_ENTRY(link, struct conn, turn), questions);
        list_append(&waiting, &conns->waiting); /* in the order in which they came */
    }
    list_append(&conns->waiting, &waiting);
    list_append(&batch, list);
    MARK_IF(!list_empty(&batch), "turn over before all were served");
    list_append(list, &batch);
}

/* Questions go before the commands that came with them: an answer waits until all that was applied before it is
 * durable. However long they take, half of a turn is left for the others. */
static void serve_all(struct server *server)
{
    struct conns *conns = &server->conns;
    u64 half_ns = SERVER_SERVE_US * 500, begin_ns = server->served_ns = clock_monotonic_ns();
    serve_list(server, &conns->asking, begin_ns + half_ns, true);
    u64 end_ns = max_u64(begin_ns + 2 * half_ns, server->served_ns + half_ns);
    serve_waiting(server, end_ns);
    serve_list(server, &conns->ready, end_ns, false);
}

/* ---- Stopping ---- */

static void last_checkpoint_done(struct checkpoint_request *request, i32 result)
{
    struct server *server = request->owner;
    server->last_checkpoint_result = result;
    if (server->phase == SERVER_CHECKPOINTING) server->phase = SERVER_DONE;
}

/* Everybody is told STOPPING for what was not taken, and ends when all answers were sent. */
static void stop_begin(struct server *server)
{
    log_info("stopping", LOG_U64("connections", server->conns.count));
    host_notify("STOPPING=1");
    server->phase = SERVER_DRAINING;
    server->service.pipeline.stopping = true;
    server->conns.stopping = true;
    server->tick_ns = 0;
    for (u32 i = 0; i < server->listeners_count; i++) net_listener_stop(&server->listeners[i].net);
    for (u32 i = 0; i < server->conns.used_slots; i++) {
        struct conn *conn = &server->conns.slots[i];
        if (conn->phase != CONN_OPEN) continue;
        conn->short_room = false;
        list_remove(&conn->turn);
        conn_ready(conn);
    }
}

/* Nobody is read from any more: who has nothing left to be served ends. */
static void stop_conns(struct server *server)
{
    for (u32 i = 0; i < server->conns.used_slots; i++) {
        struct conn *conn = &server->conns.slots[i];
        bool served =
            conn->phase == CONN_OPEN && !list_linked(&conn->turn) && !conn->parked && !conn->short_room;
        if (served) conn_finish(conn);
    }
}

static void stop_step(struct server *server)
{
    if (server->phase == SERVER_RUNNING) return;
    stop_conns(server);
    if (server->phase != SERVER_DRAINING || !pipeline_settled(&server->service.pipeline)) return;
    server->phase = SERVER_CHECKPOINTING;
    server->last_checkpoint = (struct checkpoint_request){.done = last_checkpoint_done, .owner = server};
    checkpoint_request(server->checkpoint, &server->last_checkpoint);
    server->busy = true;
}

static void signalled(struct io_op *op, i32 result)
{
    struct server *server = op->owner;
    if (result == (i32)sizeof(server->signal) && server->phase == SERVER_RUNNING) {
        log_info("signal", LOG_TEXT("name", server->signal.number == SIGINT ? "SIGINT" : "SIGTERM"));
        stop_begin(server);
    }
    io_read(server->io, &server->signal_op, server->signal_fd, &server->signal, sizeof(server->signal));
}

void server_fail(struct server *server, const char *what)
{
    log_error("failed", LOG_TEXT("reason", what),
              LOG_TEXT("remedy", "what was acknowledged is in the log: mend the disk and start again"));
    server->phase = SERVER_FAILED;
}

/* ---- The turn ---- */

static void timer_fired(struct io_op *op, i32 result)
{
    (void)op;
    (void)result; /* the turn looks at the clock itself */
}

/* Wakes the loop when the next deadline (as seen when the turn began) or tick is due. */
static void timer_arm(struct server *server, u64 begin_ns, u64 now_ns)
{
    bool running = server->phase == SERVER_RUNNING;
    u64 due_ms = running ? pipeline_due_in_ms(&server->service.pipeline) : U64_NONE;
    u64 at_ns = server->tick_ns;
    if (!list_empty(&server->conns.waiting)) at_ns = min_u64(at_ns, now_ns + BLOCKED_RETRY_MS * MS_NS);
    if (due_ms < SERVER_TICK_MS) at_ns = min_u64(at_ns, begin_ns + max_u64(due_ms, 1) * MS_NS);
    if (server->timer.busy) {
        if (server->timer_ns > at_ns)
            io_timeout_cancel(server->io, &server->timer); /* and armed a turn later */
        return;
    }
    server->timer_ns = at_ns;
    io_timeout(server->io, &server->timer, sat_sub(at_ns, now_ns) / 1000 + 1);
}

static void tick(struct server *server, u64 now_ns)
{
    if (now_ns < server->tick_ns) return;
    u64 every_ms = server->phase == SERVER_RUNNING ? SERVER_TICK_MS : SERVER_TICK_STOPPING_MS;
    server->tick_ns = now_ns + every_ms * MS_NS;
    conns_tick(&server->conns);
    for (u32 i = 0; i < server->listeners_count; i++) accept_next(&server->listeners[i]);
}

static void turn(struct server *server)
{
    struct service *service = &server->service;
    struct conns *conns = &server->conns;
    bool waits = !server->busy;
    io_run(server->io, waits);
    if (server->phase == SERVER_FAILED) return;
    u64 begin_ns = clock_monotonic_ns(), pause_begin_ns = waits ? begin_ns : server->turn_end_ns;
    conns->now_ms = begin_ns / MS_NS;
    /* What has become durable leaves, and the next write of the log begins, before more is served. */
    pipeline_release(&service->pipeline);
    server->busy = conns_send(conns);
    io_submit(server->io);
    /* Once it stops, what falls due waits for the next start: the last checkpoint is to cover everything. */
    if (server->phase == SERVER_RUNNING) pipeline_turn(&service->pipeline, clock_wall_ms());
    conns_feed(conns);
    serve_all(server);
    pipeline_submit(&service->pipeline);
    if (server->phase == SERVER_FAILED) return;
    if (subscribers_push(service)) server->busy = true;
    if (checkpoint_turn(server->checkpoint)) server->busy = true;
    growth_turn(server->growth);
    stop_step(server);
    tick(server, begin_ns);
    if (conns_send(conns)) server->busy = true;
    if (!list_empty(&conns->ready) || !list_empty(&conns->asking)) server->busy = true;
    if (server->phase == SERVER_RUNNING && pipeline_pending(&service->pipeline)) server->busy = true;
    u64 end_ns = server->turn_end_ns = clock_monotonic_ns();
    service->figures.turns++;
    service->figures.pause_max_us = max_u64(service->figures.pause_max_us, (end_ns - pause_begin_ns) / 1000);
    timer_arm(server, begin_ns, end_ns);
}

/* ---- From start to end ---- */

/* What needs memory. */
static bool parts_create(struct server *server, const struct server_config *config, struct recovery *recovery,
                         char *error, u32 error_bytes)
{
    struct service *service = &server->service;
    if (!conns_create(&server->conns, server->io, config->connections_max, config->buffer_bytes, error,
                      error_bytes))
        return false;
    snprintf(error, error_bytes, "no memory to serve; remedy: free some");
    return pipeline_create(&service->pipeline, recovery->state, recovery->wal, server->checkpoint, &server->conns,
                           config->virtual_clock) &&
           reader_create(&service->reader, recovery->state, recovery->store);
}

i32 server_create(struct server *server, const struct server_config *config, struct io *io, i32 signal_fd,
                  struct recovery *recovery, struct checkpoint *checkpoint, char *error, u32 error_bytes)
{
    *server = (struct server){.io = io,
                              .checkpoint = checkpoint,
                              .growth = &recovery->growth,
                              .signal_fd = signal_fd,
                              .phase = SERVER_RUNNING};
    server->signal_op = (struct io_op){.done = signalled, .owner = server};
    server->timer = (struct io_op){.done = timer_fired, .owner = server};
    i32 result = listeners_open(server, config, error, error_bytes);
    if (result == 0 && !parts_create(server, config, recovery, error, error_bytes)) result = -ENOMEM;
    if (result < 0) {
        server_destroy(server);
        return result;
    }
    struct service *service = &server->service;
    u64 now_ns = clock_monotonic_ns();
    service->store = recovery->store;
    service->store_id = recovery->root.store_id;
    service->figures = (struct figures){.started_ns = now_ns,
                                        .memory_budget_bytes = config->memory_budget_bytes,
                                        .version = config->version,
                                        .durability = config->durability};
    service->shown_seq = service->pipeline.durable_seq;
    server->conns.now_ms = now_ns / MS_NS;
    server->tick_ns = now_ns;
    tick(server, now_ns);
    io_read(io, &server->signal_op, signal_fd, &server->signal, sizeof(server->signal));
    return 0;
}

bool server_run(struct server *server)
{
    server->busy = true;
    server->turn_end_ns = clock_monotonic_ns();
    while (server->phase != SERVER_DONE && server->phase != SERVER_FAILED) turn(server);
    while (server->phase == SERVER_DONE && server->conns.count > 0) turn(server);
    if (server->phase == SERVER_DONE && server->last_checkpoint_result < 0) {
        log_error("last_checkpoint_failed", LOG_TEXT("reason", strerror(-server->last_checkpoint_result)),
                  LOG_TEXT("remedy", "nothing is lost: the next start replays the log"));
        return false;
    }
    return server->phase == SERVER_DONE;
}

void server_destroy(struct server *server)
{
    listeners_close(server);
    conns_destroy(&server->conns);
    reader_destroy(&server->service.reader);
    pipeline_destroy(&server->service.pipeline);
}
