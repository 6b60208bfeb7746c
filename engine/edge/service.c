#include "edge/service.h"

#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mark.h"
#include "core/frame.h"
#include "port/clock.h"

#define QUERY_PAGE_ROWS 1000u

/* ---- Answers ---- */

/* An answer being written in the connection's outbox. */
struct answer {
    struct tkd_frame *head;
    u8 *body;
    u32 body_bytes_max;
};

static bool answer_begin(struct conn *conn, u32 body_bytes_max, struct answer *answer)
{
    u8 *at = outbox_reserve(&conn->out, &conn->conns->out_quota, TKD_FRAME_BYTES + body_bytes_max);
    if (!at) return false;
    *answer = (struct answer){.head = (struct tkd_frame *)(void *)at,
                              .body = at + TKD_FRAME_BYTES,
                              .body_bytes_max = body_bytes_max};
    return true;
}

/* What an answer says beside its rows. */
struct outcome {
    enum tkd_status status;
    u32 count;
    u32 bytes;
    u64 cursor;
    u64 time_ms;    /* 0: that of the last command */
    bool saw_state; /* leaves only when all that was applied so far is durable */
};

static enum service_verdict answer_end(struct service *service, struct conn *conn,
                                       const struct tkd_frame *request, struct answer *answer,
                                       struct outcome outcome)
{
    const struct state *state = service->pipeline.state;
    ASSERT(outcome.bytes <= answer->body_bytes_max && outcome.status != 0);
    *answer->head = (struct tkd_frame){
        .magic = TKD_MAGIC,
        .version = TKD_PROTOCOL_VERSION,
        .op = request ? request->op : 0,
        .flags = (u16)(TKD_FLAG_REPLY | (outcome.cursor ? TKD_FLAG_MORE : 0)),
        .status = (u16)outcome.status,
        .size = TKD_FRAME_BYTES + outcome.bytes,
        .count = outcome.count,
        .session = request ? request->session : 0,
        .seq = request ? request->seq : 0,
        .ack_below = outcome.cursor,
        .time_ms = max_u64(outcome.time_ms, state_time(state)),
    };
    frame_seal(answer->head);
    u64 position = outbox_commit(&conn->out, &conn->conns->out_quota, answer->head->size);
    pipeline_hold(&service->pipeline, conn, position, outcome.saw_state ? state_op(state) : 0);
    return SERVICE_ANSWERED;
}

static enum service_verdict answer_plain(struct service *service, struct conn *conn,
                                         const struct tkd_frame *request, enum tkd_status status,
                                         bool saw_state)
{
    struct answer answer;
    if (!answer_begin(conn, 0, &answer)) return SERVICE_NO_ROOM;
    return answer_end(service, conn, request, &answer,
                      (struct outcome){.status = status, .saw_state = saw_state});
}

enum service_verdict service_refuse(struct service *service, struct conn *conn, const struct tkd_frame *frame,
                                    enum tkd_status status)
{
    if (!pipeline_hold_room(&service->pipeline)) return SERVICE_WAIT;
    enum service_verdict verdict = answer_plain(service, conn, frame, status, true);
    if (verdict == SERVICE_ANSWERED) service->figures.frames_refused++;
    return verdict;
}

void service_turn_away(struct tkd_frame *reply, enum tkd_status status)
{
    *reply = (struct tkd_frame){.magic = TKD_MAGIC,
                                .version = TKD_PROTOCOL_VERSION,
                                .op = TKD_OP_HELLO,
                                .flags = TKD_FLAG_REPLY,
                                .status = (u16)status,
                                .size = TKD_FRAME_BYTES};
    frame_seal(reply);
}

/* ---- Control ---- */

static enum service_verdict hello(struct service *service, struct conn *conn, const struct tkd_frame *frame)
{
    struct tkd_hello wish;
    struct answer answer;
    char name[160];
    record_head(frame_first(frame), &wish, sizeof(wish));
    if (wish.version_min > TKD_PROTOCOL_VERSION || wish.version_max < TKD_PROTOCOL_VERSION) {
        return service_refuse(service, conn, frame, TKD_BAD_VERSION);
    }
    u32 name_bytes = (u32)snprintf(name, sizeof(name), "ticketd %s", service->figures.version);
    u32 size = (u32)round_up(sizeof(struct tkd_hello_reply) + name_bytes, 8);
    if (!answer_begin(conn, size, &answer)) return SERVICE_NO_ROOM;
    struct tkd_hello_reply reply = {.size = size,
                                    .head = sizeof(reply),
                                    .version = TKD_PROTOCOL_VERSION,
                                    .frame_bytes_max = TKD_FRAME_BYTES_MAX,
                                    .records_max = TKD_RECORDS_MAX,
                                    .clock = service->pipeline.virtual_clock ? 2 : 1,
                                    .store = service->store_id,
                                    .time_ms = state_time(service->pipeline.state),
                                    .server_bytes = name_bytes};
    memset(answer.body, 0, size);
    memcpy(answer.body, &reply, sizeof(reply));
    memcpy(answer.body + sizeof(reply), name, name_bytes);
    conn->greeted = true;
    return answer_end(service, conn, frame, &answer,
                      (struct outcome){.status = TKD_OK, .count = 1, .bytes = size, .saw_state = true});
}

static enum service_verdict subscribe(struct service *service, struct conn *conn,
                                      const struct tkd_frame *frame)
{
    struct tkd_events_from wish;
    record_head(frame_first(frame), &wish, sizeof(wish));
    u64 next = reader_event_last(&service->reader) + 1;
    MARK_IF(wish.from > next, "subscription from the future");
    if (wish.from > next) return service_refuse(service, conn, frame, TKD_BAD_VALUE);
    struct answer answer;
    if (!answer_begin(conn, 0, &answer)) return SERVICE_NO_ROOM;
    u64 first = wish.from ? wish.from : next;
    conn->subscribe_seq = frame->seq;
    conn_subscribe(conn, first);
    /* Where the stream begins, so that who loses the connection before the first event knows it too. */
    return answer_end(service, conn, frame, &answer,
                      (struct outcome){.status = TKD_OK, .cursor = first, .saw_state = true});
}

static void wish_done(struct checkpoint_request *request, i32 result)
{
    conn_granted(request->owner, result);
}

static enum tkd_status wish_status(i32 result)
{
    if (result >= 0) return TKD_OK;
    if (result == -EEXIST) return TKD_IN_USE;
    if (result == -EINVAL) return TKD_BAD_VALUE;
    return result == -ENOSPC ? TKD_STORAGE_FULL : TKD_BUSY;
}

/* CHECKPOINT and BACKUP: parks the connection; when the wish was granted the same frame comes again. */
static enum service_verdict checkpoint_wish(struct service *service, struct conn *conn,
                                            const struct tkd_frame *frame)
{
    if (conn->granted) {
        enum tkd_status status = wish_status(conn->wish_result);
        if (conn->wish_result < 0) {
            log_warn("checkpoint_refused", LOG_TEXT("op", tkd_op_info(frame->op)->name),
                     LOG_TEXT("status", tkd_status_info(status)->name),
                     LOG_U64("errno", (u64)-conn->wish_result));
        }
        enum service_verdict verdict = answer_plain(service, conn, frame, status, true);
        if (verdict == SERVICE_ANSWERED) conn->granted = false;
        return verdict;
    }
    conn->wish = (struct checkpoint_request){.done = wish_done, .owner = conn};
    if (frame->op == TKD_OP_BACKUP) {
        struct tkd_backup backup;
        const struct tkd_prefix *record = frame_first(frame);
        record_head(record, &backup, sizeof(backup));
        if (backup.name_bytes == 0) return service_refuse(service, conn, frame, TKD_BAD_VALUE);
        ASSERT(backup.name_bytes < sizeof(conn->wish.backup));
        memcpy(conn->wish.backup, record_texts(record), backup.name_bytes);
    }
    conn->parked = true;
    checkpoint_request(service->pipeline.checkpoint, &conn->wish);
    return SERVICE_PARKED;
}

static enum service_verdict control(struct service *service, struct conn *conn, const struct tkd_frame *frame)
{
    switch (frame->op) {
    case TKD_OP_HELLO:
        return hello(service, conn, frame);
    case TKD_OP_PING:
        return answer_plain(service, conn, frame, TKD_OK, false);
    case TKD_OP_SUBSCRIBE:
        return subscribe(service, conn, frame);
    case TKD_OP_CHECKPOINT:
    case TKD_OP_BACKUP:
        return checkpoint_wish(service, conn, frame);
    }
    return service_refuse(service, conn, frame, TKD_UNKNOWN_OP);
}

/* ---- Commands ---- */

static enum service_verdict command(struct service *service, struct conn *conn, const struct tkd_frame *frame)
{
    struct answer answer;
    struct outcome outcome = {.status = TKD_OK, .saw_state = true};
    if (frame->session != 0 && frame->session != conn_session(conn)) {
        MARK("request without its session attached");
        return service_refuse(service, conn, frame, TKD_FENCED);
    }
    if (!answer_begin(conn, frame->count * (u32)sizeof(struct tkd_result), &answer)) return SERVICE_NO_ROOM;
    switch (pipeline_command(&service->pipeline, frame, answer.body, &outcome.bytes, &outcome.status)) {
    case PIPELINE_WAIT:
        return SERVICE_WAIT;
    case PIPELINE_REFUSED:
        return service_refuse(service, conn, frame, outcome.status);
    case PIPELINE_APPLIED:
    case PIPELINE_REPLAYED:
        break;
    }
    outcome.count = outcome.bytes / (u32)sizeof(struct tkd_result);
    ASSERT(outcome.count <= frame->count);
    return answer_end(service, conn, frame, &answer, outcome);
}

/* ---- Queries ---- */

static void events_page(struct service *service, const struct tkd_frame *frame, struct answer *answer,
                        struct outcome *outcome)
{
    struct tkd_events_from wish;
    struct event_page page;
    record_head(frame_first(frame), &wish, sizeof(wish));
    u64 last = reader_event_last(&service->reader);
    u32 limit = wish.limit ? wish.limit : QUERY_PAGE_ROWS;
    if (wish.from == 0 || wish.from > last) return;
    if (limit > QUERY_PAGE_ROWS) {
        outcome->status = TKD_BAD_VALUE;
    } else if (!reader_events(&service->reader, wish.from, last, limit, answer->body, answer->body_bytes_max,
                              &page)) {
        log_error("event_unreadable", LOG_U64("seq", wish.from));
        outcome->status = TKD_UNREADABLE;
    } else {
        outcome->count = page.count;
        outcome->bytes = page.bytes;
        outcome->cursor = page.next <= last ? page.next : 0;
    }
}

static void state_page(struct service *service, struct conn *conn, const struct tkd_frame *frame,
                       struct answer *answer, struct outcome *outcome)
{
    outcome->bytes = state_query(service->pipeline.state, frame->op, frame_first(frame),
                                 outcome->time_ms, &service->reader.source, answer->body,
                                 answer->body_bytes_max, &outcome->count, &outcome->cursor, &outcome->status);
    if (frame->op == TKD_OP_ATTACH && outcome->status == TKD_OK) {
        struct tkd_session_id wish;
        record_head(frame_first(frame), &wish, sizeof(wish));
        conn_attach(conn, wish.session);
    }
}

static enum service_verdict query(struct service *service, struct conn *conn, const struct tkd_frame *frame)
{
    struct answer answer;
    const struct pipeline *pipeline = &service->pipeline;
    u64 now_ms = max_u64(pipeline->turn_ms, state_time(pipeline->state)); /* virtual: beyond the turn's */
    struct outcome outcome = {.status = TKD_OK, .time_ms = now_ms, .saw_state = true};
    if (!answer_begin(conn, TKD_FRAME_BYTES_MAX - TKD_FRAME_BYTES, &answer)) return SERVICE_NO_ROOM;
    if (frame->op == TKD_OP_STATUS) {
        outcome.bytes =
            figures_write(&service->figures, &service->pipeline, service->store, clock_monotonic_ns(),
                          answer.body, answer.body_bytes_max, &outcome.count);
    } else if (frame->op == TKD_OP_EVENTS) {
        events_page(service, frame, &answer, &outcome);
    } else {
        state_page(service, conn, frame, &answer, &outcome);
    }
    if (outcome.status == TKD_OK) return answer_end(service, conn, frame, &answer, outcome);
    service->figures.frames_refused++;
    outcome = (struct outcome){.status = outcome.status, .saw_state = true};
    return answer_end(service, conn, frame, &answer, outcome);
}

/* ---- Frames ---- */

/* May it be one that was done before, or lead to one? A stopping server answers those: the pipeline decides. */
static bool may_repeat(const struct tkd_frame *frame)
{
    bool leads = frame->op == TKD_OP_HELLO || frame->op == TKD_OP_ATTACH;
    return leads || tkd_op_info(frame->op)->class == TKD_CLASS_command;
}

/* What keeps the frame from being served, or OK. */
static enum tkd_status check(const struct service *service, struct conn *conn, const struct tkd_frame *frame)
{
    if (!conn->verified) {
        enum tkd_status status = frame_check(frame);
        if (status != TKD_OK) return status;
        conn->verified = true;
    }
    if (!conn->greeted && frame->op != TKD_OP_HELLO) return TKD_HELLO_FIRST;
    bool stopping = service->pipeline.stopping && !conn->granted && !may_repeat(frame);
    MARK_IF(stopping, "request refused: stopping");
    return stopping ? TKD_STOPPING : TKD_OK;
}

enum service_verdict service_frame(struct service *service, struct conn *conn, const struct tkd_frame *frame)
{
    MARK_IF(!pipeline_hold_room(&service->pipeline), "too many answers held");
    if (!pipeline_hold_room(&service->pipeline)) return SERVICE_WAIT;
    enum tkd_status status = check(service, conn, frame);
    if (status != TKD_OK) return service_refuse(service, conn, frame, status);
    switch (tkd_op_info(frame->op)->class) {
    case TKD_CLASS_control:
        return control(service, conn, frame);
    case TKD_CLASS_command:
        return command(service, conn, frame);
    case TKD_CLASS_query:
        return query(service, conn, frame);
    }
    return service_refuse(service, conn, frame, TKD_UNKNOWN_OP);
}
