#include "support/edge.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/event.h"
#include "edge/subscriber.h"
#include "support/directory.h"

static union wire_frame *scratch(void)
{
    static union wire_frame frame;
    return &frame;
}

static void nothing(void *owner) { (void)owner; }

static void failed(void *owner, const char *what)
{
    (void)owner;
    cr_assert(false, "storage failed: %s", what);
}

void edge_open(struct edge *edge, bool virtual_clock)
{
    char error[1024] = "";
    *edge = (struct edge){.virtual_clock = virtual_clock};
    directory_make(edge->directory);
    snprintf(edge->backups, sizeof(edge->backups), "%s/backups", edge->directory);
    cr_assert_eq(io_create(&edge->io, error, sizeof(error)), 0, "%s", error);
    struct recovery_config config = {
        .data = edge->directory,
        .state = {.memory_bytes = 64u << 20, .event_ring_bytes = 16u << 20, .virtual_clock = virtual_clock},
        .wal = {.durability = WAL_SYNC, .durable = nothing, .failed = failed, .owner = edge}};
    cr_assert_eq(recovery_open(&edge->recovery, &config, edge->io, error, sizeof(error)), 0, "%s", error);
    struct checkpoint_config checkpoint = {.backups = edge->backups, .failed = failed, .owner = edge};
    edge->checkpoint = checkpoint_create(edge->recovery.state, edge->recovery.wal, edge->recovery.store,
                                         edge->io, &edge->recovery.root, &checkpoint);
    cr_assert(conns_create(&edge->conns, edge->io, 8, CONNS_BUFFER_BYTES_MIN, error, sizeof(error)), "%s",
              error);
    struct service *service = &edge->service;
    *service = (struct service){.store = edge->recovery.store,
                                .store_id = edge->recovery.root.store_id,
                                .figures = {.version = "test", .durability = "sync"}};
    cr_assert(pipeline_create(&service->pipeline, edge->recovery.state, edge->recovery.wal, edge->checkpoint,
                              &edge->conns, virtual_clock));
    cr_assert(reader_create(&service->reader, edge->recovery.state, edge->recovery.store));
}

void edge_close(struct edge *edge)
{
    edge_settle(edge);
    for (u32 i = 0; i < edge->conns.used_slots; i++) {
        if (edge->conns.slots[i].phase == CONN_FREE) continue;
        conn_close(&edge->conns.slots[i]);
        close(edge->peers[i]);
    }
    while (edge->conns.count > 0) io_run(edge->io, true);
    cr_assert_eq(edge->conns.in_quota.used_bytes + edge->conns.out_quota.used_bytes, 0);
    reader_destroy(&edge->service.reader);
    pipeline_destroy(&edge->service.pipeline);
    conns_destroy(&edge->conns);
    checkpoint_destroy(edge->checkpoint);
    recovery_close(&edge->recovery);
    io_destroy(edge->io);
    directory_remove(edge->directory);
}

struct conn *edge_connect(struct edge *edge)
{
    int ends[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    struct conn *conn = conn_open(&edge->conns, ends[0]);
    cr_assert_not_null(conn);
    edge->peers[conn->index] = ends[1];
    struct tkd_hello head = {.version_min = 1, .version_max = 1};
    wire_begin(scratch(), TKD_OP_HELLO, 1);
    wire_add(scratch(), &head, sizeof(head), NULL, 0);
    cr_assert_eq(edge_frame(edge, conn, scratch()), SERVICE_ANSWERED);
    cr_assert(conn->greeted);
    return conn;
}

enum service_verdict edge_frame(struct edge *edge, struct conn *conn, union wire_frame *frame)
{
    conn->verified = false;
    return service_frame(&edge->service, conn, wire_seal(frame));
}

const struct tkd_frame *edge_answer(const struct conn *conn)
{
    const struct outbox_area *area = &conn->out.areas[conn->out.fill];
    const u8 *data = conn->out.data + conn->out.fill * OUTBOX_AREA_BYTES;
    const struct tkd_frame *last = NULL;
    for (u32 at = 0; at < area->bytes; at += last->size)
        last = (const struct tkd_frame *)(const void *)(data + at);
    cr_assert_not_null(last);
    cr_assert_eq(frame_header_check(last, last->size), TKD_OK);
    return last;
}

void edge_turn(struct edge *edge, u64 wall_ms)
{
    pipeline_turn(&edge->service.pipeline, wall_ms);
    pipeline_submit(&edge->service.pipeline);
}

void edge_settle(struct edge *edge)
{
    struct pipeline *pipeline = &edge->service.pipeline;
    io_run(edge->io, false);
    for (;;) {
        pipeline_submit(pipeline);
        bool busy = checkpoint_turn(edge->checkpoint);
        conns_send(&edge->conns);
        if (pipeline_settled(pipeline)) return;
        io_run(edge->io, !busy);
    }
}

/* One turn without deadlines and requests. */
static void pump(struct edge *edge)
{
    pipeline_submit(&edge->service.pipeline);
    subscribers_push(&edge->service);
    checkpoint_turn(edge->checkpoint);
    conns_send(&edge->conns);
    io_run(edge->io, false);
}

void edge_flush(struct edge *edge, struct conn *conn)
{
    u8 away[65536];
    edge_settle(edge);
    while (!outbox_empty(&conn->out)) {
        pump(edge);
        while (recv(edge->peers[conn->index], away, sizeof(away), MSG_DONTWAIT) > 0) continue;
    }
}

/* Reads `bytes` from the other end while the loop goes on. */
static void read_pumping(struct edge *edge, int peer, u8 *to, u32 bytes)
{
    for (u32 done = 0; done < bytes;) {
        ssize_t got = recv(peer, to + done, bytes - done, MSG_DONTWAIT);
        cr_assert_neq(got, 0);
        if (got > 0)
            done += (u32)got;
        else
            pump(edge);
    }
}

const struct tkd_frame *edge_receive(struct edge *edge, struct conn *conn)
{
    static union wire_frame frame;
    int peer = edge->peers[conn->index];
    read_pumping(edge, peer, frame.bytes, TKD_FRAME_BYTES);
    cr_assert_eq(frame_header_check(frame.bytes, TKD_FRAME_BYTES), TKD_OK);
    read_pumping(edge, peer, frame.bytes + TKD_FRAME_BYTES, frame.head.size - TKD_FRAME_BYTES);
    return &frame.head;
}

void edge_catalog(struct edge *edge, struct conn *conn, u64 step_ms)
{
    static const u16 kinds[] = {TKD_KIND_CHANNEL, TKD_KIND_QUEUE, TKD_KIND_AGENT};
    wire_begin(scratch(), TKD_OP_CATALOG_APPLY, 3);
    for (u32 i = 0; i < ARRAY_COUNT(kinds); i++) {
        struct tkd_catalog_entry head = {.kind = kinds[i], .id = 1, .name_bytes = 1};
        if (kinds[i] == TKD_KIND_QUEUE) {
            head.strategy = TKD_STRATEGY_CLAIM;
            head.step_ms = step_ms;
        }
        if (kinds[i] == TKD_KIND_AGENT) head.all_queues = 1;
        wire_add(scratch(), &head, sizeof(head), "x", 1);
    }
    cr_assert_eq(edge_frame(edge, conn, scratch()), SERVICE_ANSWERED);
    cr_assert_eq(edge_answer(conn)->status, TKD_OK);
    for (u32 i = 0; i < 3; i++) cr_assert_eq(wire_results(edge_answer(conn))[i].status, TKD_OK);
}

const struct tkd_result *edge_create(struct edge *edge, struct conn *conn, u32 count, u64 time_ms)
{
    wire_begin(scratch(), TKD_OP_TICKET_CREATE, 4);
    scratch()->head.time_ms = time_ms;
    for (u32 i = 0; i < count; i++) wire_add_create(scratch(), "");
    cr_assert_eq(edge_frame(edge, conn, scratch()), SERVICE_ANSWERED);
    const struct tkd_frame *answer = edge_answer(conn);
    cr_assert_eq(answer->status, TKD_OK, "%u", answer->status);
    cr_assert_eq(answer->count, count);
    return wire_results(answer);
}
