#include "edge/conn.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mark.h"
#include "port/host.h"
#include "port/net.h"

#define BUFFERS_BYTES ((u64)INBOX_BYTES + OUTBOX_BYTES)

_Static_assert(INBOX_BYTES + CONNS_BUFFER_BYTES_MIN / 8 <= CONNS_BUFFER_BYTES_MIN / 2, "strangers can be fed");

static void received(struct io_op *op, i32 result);
static void sent(struct io_op *op, i32 result);
static void closed(struct io_op *op, i32 result);

bool conns_create(struct conns *conns, struct io *io, u32 count_max, u64 buffer_bytes, char *error,
                  u32 error_bytes)
{
    ASSERT(count_max > 0 && buffer_bytes >= CONNS_BUFFER_BYTES_MIN);
    *conns = (struct conns){.io = io,
                            .count_max = count_max,
                            .in_quota = {.max_bytes = buffer_bytes / 2},
                            .out_quota = {.max_bytes = buffer_bytes / 2}};
    list_init(&conns->asking);
    list_init(&conns->ready);
    list_init(&conns->waiting);
    list_init(&conns->starved);
    list_init(&conns->starved_members);
    list_init(&conns->sending);
    list_init(&conns->subscribed);
    list_init(&conns->lagging);
    list_init(&conns->stalled);
    conns->buffers = host_reserve(count_max * BUFFERS_BYTES, error, error_bytes);
    if (!conns->buffers) return false; /* by far the largest: its explanation says more */
    conns->slots = host_reserve(count_max * sizeof(struct conn), error, error_bytes);
    conns->sessions = calloc(count_max, sizeof(u64));
    conns->free_slots = calloc(count_max, sizeof(u32));
    if (conns->slots && conns->sessions && conns->free_slots) return true;
    snprintf(error, error_bytes, "no memory for %u connections; lower --connections", count_max);
    return false;
}

void conns_destroy(struct conns *conns)
{
    ASSERT(conns->count == 0);
    host_release(conns->slots, conns->count_max * sizeof(struct conn));
    host_release(conns->buffers, conns->count_max * BUFFERS_BYTES);
    free(conns->sessions);
    free(conns->free_slots);
}

struct conn *conn_open(struct conns *conns, i32 fd)
{
    if (conns->count == conns->count_max) return NULL;
    MARK_IF(conns->free_count > 0, "slot of a connection used again");
    u32 index = conns->free_count > 0 ? conns->free_slots[--conns->free_count] : conns->used_slots++;
    struct conn *conn = &conns->slots[index];
    ASSERT(conn->phase == CONN_FREE);
    u8 *buffers = conns->buffers + index * BUFFERS_BYTES;
    *conn = (struct conn){.conns = conns, .fd = fd, .index = index, .generation = conn->generation + 1};
    conn->receive = (struct io_op){.done = received, .owner = conn};
    conn->send = (struct io_op){.done = sent, .owner = conn};
    conn->close = (struct io_op){.done = closed, .owner = conn};
    conn->phase = CONN_OPEN;
    conn->progress_ms = conns->now_ms;
    inbox_open(&conn->in, buffers);
    outbox_open(&conn->out, buffers + INBOX_BYTES);
    conns->count++;
    conns->figures.accepted++;
    conn_continue(conn);
    return conn;
}

/* The descriptor may be closed once nothing is in flight on it, and nobody else holds the slot. */
static void close_when_quiet(struct conn *conn)
{
    ASSERT(conn->phase == CONN_CLOSING);
    MARK_IF(conn->parked, "connection closed while its wish is under way");
    if (conn->receive.busy || conn->send.busy || conn->close.busy || conn->parked) return;
    io_close(conn->conns->io, &conn->close, conn->fd);
}

static void closed(struct io_op *op, i32 result)
{
    struct conn *conn = op->owner;
    struct conns *conns = conn->conns;
    (void)result; /* the descriptor is gone in any case */
    inbox_close(&conn->in, &conns->in_quota);
    outbox_close(&conn->out, &conns->out_quota);
    conn->phase = CONN_FREE;
    conns->free_slots[conns->free_count++] = conn->index;
    conns->count--;
}

static void unsubscribe(struct conn *conn)
{
    if (!list_linked(&conn->stream)) return;
    list_remove(&conn->stream);
    conn->stalled = false;
    conn->conns->subscribers--;
}

void conn_stall(struct conn *conn)
{
    MARK("subscriber waits until it reads");
    list_remove(&conn->stream);
    list_push(&conn->conns->stalled, &conn->stream);
    conn->stalled = true;
}

static void unstall(struct conn *conn)
{
    if (!conn->stalled) return;
    conn->stalled = false;
    list_remove(&conn->stream);
    list_push(&conn->conns->lagging, &conn->stream);
}

void conn_subscribe(struct conn *conn, u64 event_next)
{
    ASSERT(event_next > 0);
    unsubscribe(conn);
    conn->event_next = event_next;
    list_push(&conn->conns->lagging, &conn->stream);
    conn->conns->subscribers++;
}

void conn_close(struct conn *conn)
{
    if (conn->phase != CONN_CLOSING) {
        ASSERT(conn->phase != CONN_FREE);
        conn->phase = CONN_CLOSING;
        conn->conns->sessions[conn->index] = 0;
        list_remove(&conn->turn);
        list_remove(&conn->sending);
        unsubscribe(conn);
        net_shutdown(conn->fd);
    }
    close_when_quiet(conn);
}

/* What strangers leave of the receive memory, however many of them hold unfinished frames. */
static u64 kept_bytes(const struct conns *conns) { return conns->in_quota.max_bytes / 4; }

void conn_starve(struct conn *conn)
{
    struct conns *conns = conn->conns;
    list_push(conn_session(conn) ? &conns->starved_members : &conns->starved, &conn->turn);
}

static void receive_more(struct conn *conn)
{
    u8 *space;
    u64 keep_bytes = conn_session(conn) ? 0 : kept_bytes(conn->conns);
    if (quota_tight(&conn->conns->in_quota)) inbox_shrink(&conn->in, &conn->conns->in_quota);
    u32 bytes = inbox_space(&conn->in, &conn->conns->in_quota, keep_bytes, &space);
    if (bytes > 0) {
        io_receive(conn->conns->io, &conn->receive, conn->fd, space, bytes);
    } else {
        MARK("connection waits for buffer memory");
        conn_starve(conn);
    }
}

/* Everything was sent: says so, and reads on (into nothing) until the peer has read it and ends. Closing at
 * once, with requests unread, would reset the connection and could take the last answers with it. */
static void linger(struct conn *conn)
{
    conn->phase = CONN_LINGERING;
    net_shutdown_send(conn->fd);
    if (conn->ended) {
        conn_close(conn);
    } else if (!conn->receive.busy) {
        io_receive(conn->conns->io, &conn->receive, conn->fd, conn->in.data, INBOX_IDLE_BYTES);
    }
}

static void finish_when_sent(struct conn *conn)
{
    if (conn->phase == CONN_FINISHING && outbox_empty(&conn->out) && !conn->send.busy && !conn->parked)
        linger(conn);
}

void conn_finish(struct conn *conn)
{
    if (conn->phase != CONN_OPEN) return;
    conn->phase = CONN_FINISHING;
    conn->linger_ms = conn->conns->now_ms;
    list_remove(&conn->turn);
    unsubscribe(conn);
    finish_when_sent(conn);
}

bool conn_asks(const struct conn *conn)
{
    const struct inbox *in = &conn->in;
    if (in->end - in->begin < TKD_FRAME_BYTES || in->begin % 8 != 0) return false;
    const struct tkd_frame *frame = (const struct tkd_frame *)(const void *)(in->data + in->begin);
    const struct tkd_op_info *op = tkd_op_info(frame->op);
    return op != NULL && op->class == TKD_CLASS_query;
}

void conn_ready(struct conn *conn)
{
    if (conn->phase != CONN_OPEN || list_linked(&conn->turn)) return;
    list_push(conn_asks(conn) ? &conn->conns->asking : &conn->conns->ready, &conn->turn);
}

void conn_continue(struct conn *conn)
{
    if (conn->phase != CONN_OPEN || conn->parked || conn->receive.busy) return;
    if (conn->ended) {
        conn_finish(conn);
    } else {
        receive_more(conn);
    }
}

static void linger_received(struct conn *conn, i32 result)
{
    conn->linger_bytes += result > 0 ? (u32)result : 0;
    MARK("unread requests thrown away at the end");
    if (result <= 0 || conn->linger_bytes > CONN_LINGER_BYTES) {
        conn_close(conn);
    } else {
        io_receive(conn->conns->io, &conn->receive, conn->fd, conn->in.data, INBOX_IDLE_BYTES);
    }
}

static void received(struct io_op *op, i32 result)
{
    struct conn *conn = op->owner;
    if (result > 0) conn->conns->figures.bytes_in += (u32)result;
    switch (conn->phase) {
    case CONN_OPEN:
        if (result < 0) {
            conn_close(conn);
            return;
        }
        if (result == 0) conn->ended = true;
        inbox_received(&conn->in, (u32)result);
        conn_ready(conn);
        return;
    case CONN_FINISHING:
        if (result <= 0) conn->ended = true; /* what arrives now was not asked for */
        return;
    case CONN_LINGERING:
        linger_received(conn, result);
        return;
    case CONN_CLOSING:
        close_when_quiet(conn);
        return;
    case CONN_FREE:
        break;
    }
    ASSERT(!"a completion of a free connection");
}

static void send_later(struct conn *conn)
{
    const u8 *data;
    if (conn->phase == CONN_CLOSING || conn->send.busy || list_linked(&conn->sending)) return;
    if (outbox_sendable(&conn->out, &data) > 0) list_push(&conn->conns->sending, &conn->sending);
}

static void sent(struct io_op *op, i32 result)
{
    struct conn *conn = op->owner;
    struct conns *conns = conn->conns;
    if (conn->phase == CONN_CLOSING) {
        close_when_quiet(conn);
        return;
    }
    if (result <= 0) {
        conn_close(conn);
        return;
    }
    conns->figures.bytes_out += (u32)result;
    outbox_sent(&conn->out, (u32)result);
    if (outbox_empty(&conn->out)) {
        conn->progress_ms = conns->now_ms;
        MARK_IF(quota_tight(&conns->out_quota), "outbox memory given back at once");
        if (quota_tight(&conns->out_quota)) outbox_shrink(&conn->out, &conns->out_quota);
    }
    send_later(conn);
    unstall(conn);
    if (conn->short_room) {
        MARK("answer goes on when something was sent");
        conn->short_room = false;
        conn_ready(conn);
    }
    finish_when_sent(conn);
}

void conn_release(struct conn *conn, u64 position)
{
    if (conn->phase == CONN_CLOSING) return;
    outbox_release(&conn->out, position);
    send_later(conn);
}

bool conns_send(struct conns *conns)
{
    struct link *link;
    for (u32 sends = 0; sends < CONNS_SENDS_PER_TURN && (link = list_pop(&conns->sending)); sends++) {
        struct conn *conn = LIST_ENTRY(link, struct conn, sending);
        const u8 *data;
        u32 bytes = outbox_sendable(&conn->out, &data);
        ASSERT(bytes > 0);
        io_send(conns->io, &conn->send, conn->fd, data, bytes);
    }
    return !list_empty(&conns->sending);
}

static bool holds_memory(const struct conn *conn)
{
    bool partial = conn->in.window > INBOX_IDLE_BYTES && conn->in.end > conn->in.begin;
    return partial || outbox_unsent(&conn->out) > OUTBOX_FREE_BYTES;
}

/* One that gets nothing done may stay as long as nobody waits for what it holds. */
static void tick_open(struct conn *conn, u64 silent_ms, bool pressure)
{
    struct conns *conns = conn->conns;
    ASSERT(!conn->short_room || !outbox_empty(&conn->out)); /* or nothing would end its wait */
    u64 limit_ms = conns->stopping ? CONN_SILENT_STOPPING_MS : CONN_SILENT_MS;
    bool in_the_way = holds_memory(conn) || (conns->stopping && conn->short_room); /* of others, or of the end */
    if (pressure && !conn->parked && in_the_way && silent_ms >= limit_ms) {
        MARK("silent connection dropped");
        conns->figures.dropped++;
        conn_close(conn);
    } else if (silent_ms >= 1000) {
        inbox_shrink(&conn->in, &conns->in_quota);
    }
}

static void tick(struct conn *conn, bool pressure)
{
    struct conns *conns = conn->conns;
    u64 silent_ms = conns->now_ms - conn->progress_ms;
    u64 ending_ms = conns->now_ms - conn->linger_ms;
    unstall(conn);
    if (silent_ms >= 1000 && !conn->send.busy) outbox_shrink(&conn->out, &conns->out_quota);
    switch (conn->phase) {
    case CONN_OPEN:
        tick_open(conn, silent_ms, pressure);
        return;
    case CONN_FINISHING:
        MARK_IF(ending_ms >= CONN_SILENT_MS, "finished connection never read its answers");
        if (ending_ms >= (conns->stopping ? CONN_SILENT_STOPPING_MS : CONN_SILENT_MS)) conn_close(conn);
        return;
    case CONN_LINGERING:
        MARK_IF(ending_ms >= CONN_LINGER_MS, "lingering connection closed");
        if (ending_ms >= (conns->stopping ? CONN_LINGER_STOPPING_MS : CONN_LINGER_MS)) conn_close(conn);
        return;
    case CONN_CLOSING:
    case CONN_FREE:
        return;
    }
}

void conns_tick(struct conns *conns)
{
    bool pressure = conns->in_quota.refused || conns->out_quota.refused || !list_empty(&conns->starved) ||
                    !list_empty(&conns->starved_members) || conns->stopping;
    conns->in_quota.refused = conns->out_quota.refused = false;
    for (struct link *link = conns->waiting.next; link != &conns->waiting; link = link->next)
        LIST_ENTRY(link, struct conn, turn)->progress_ms = conns->now_ms; /* the pipeline is slow, not they */
    for (u32 i = 0; i < conns->used_slots; i++) {
        if (conns->slots[i].phase != CONN_FREE) tick(&conns->slots[i], pressure);
    }
}

static void feed(struct conns *conns, struct link *starved)
{
    MARK_IF(!list_empty(starved), "those who waited for memory try again");
    list_append(&conns->ready, starved);
}

void conns_feed(struct conns *conns)
{
    const struct quota *in = &conns->in_quota, *out = &conns->out_quota;
    u64 room = sat_sub(in->max_bytes, in->used_bytes);
    if (sat_sub(2 * out->max_bytes, out->used_bytes) < OUTBOX_AREA_BYTES) return;
    if (room >= INBOX_BYTES) feed(conns, &conns->starved_members);
    if (room >= INBOX_BYTES + kept_bytes(conns)) feed(conns, &conns->starved);
}

void conn_granted(struct conn *conn, i32 result)
{
    ASSERT(conn->parked);
    conn->parked = false;
    if (conn->phase == CONN_CLOSING) {
        close_when_quiet(conn);
        return;
    }
    conn->granted = true;
    conn->wish_result = result;
    conn_ready(conn);
}

void conn_attach(struct conn *conn, u64 session)
{
    struct conns *conns = conn->conns;
    ASSERT(session != 0);
    for (u32 i = 0; i < conns->used_slots; i++) { /* one dense array; attaching is rare */
        MARK_IF(conns->sessions[i] == session && i != conn->index,
                "session taken over by another connection");
        if (conns->sessions[i] == session) conns->sessions[i] = 0;
    }
    conns->sessions[conn->index] = session;
}
