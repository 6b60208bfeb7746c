#include "edge/subscriber.h"

#include "base/log.h"
#include "base/mark.h"
#include "core/frame.h"

/* Copies the next events behind the header that is to stand at `at`; false: they cannot be read. */
static bool gather(struct service *service, struct conn *conn, u8 *at, u32 bytes_max, struct event_page *page)
{
    u64 last = service->pipeline.durable_seq;
    if (reader_events(&service->reader, conn->event_next, last, TKD_RECORDS_MAX, at + TKD_FRAME_BYTES,
                      bytes_max, page)) {
        return true;
    }
    log_error("event_unreadable", LOG_U64("seq", conn->event_next));
    conn_finish(conn); /* a gap is worse than an end: the client asks again, and gets the reason */
    return false;
}

static void seal(struct service *service, struct conn *conn, u8 *at, const struct event_page *page)
{
    struct pipeline *pipeline = &service->pipeline;
    struct tkd_frame *head = (struct tkd_frame *)(void *)at;
    *head = (struct tkd_frame){.magic = TKD_MAGIC,
                               .version = TKD_PROTOCOL_VERSION,
                               .op = TKD_OP_EVENTS,
                               .flags = TKD_FLAG_REPLY | TKD_FLAG_PUSH,
                               .status = TKD_OK,
                               .size = TKD_FRAME_BYTES + page->bytes,
                               .count = page->count,
                               .seq = conn->subscribe_seq,
                               .ack_below = page->next,
                               .time_ms = state_time(pipeline->state)};
    frame_seal(head);
    u64 position = outbox_commit(&conn->out, &conn->conns->out_quota, head->size);
    pipeline_hold(pipeline, conn, position, 0);
    conn->event_next = page->next;
    service->figures.events_pushed += page->count;
}

/* Pushes one frame; returns its bytes, 0: it must read first. */
static u32 push(struct service *service, struct conn *conn)
{
    static const u32 sizes[] = {SUBSCRIBER_PUSH_BYTES, TKD_FRAME_BYTES_MAX - TKD_FRAME_BYTES};
    struct quota *quota = &conn->conns->out_quota;
    MARK_IF(outbox_unsent(&conn->out) > SUBSCRIBER_UNSENT_BYTES, "subscriber has too much unread");
    if (outbox_unsent(&conn->out) > SUBSCRIBER_UNSENT_BYTES) return 0;
    for (u32 i = 0; i < ARRAY_COUNT(sizes); i++) { /* the second time for one large event */
        struct event_page page;
        /* Half of the memory stays for those who ask. */
        if (!quota_has(quota, TKD_FRAME_BYTES + sizes[i] + quota->max_bytes / 2)) return 0;
        u8 *at = outbox_reserve(&conn->out, quota, TKD_FRAME_BYTES + sizes[i]);
        if (!at || !gather(service, conn, at, sizes[i], &page)) return 0;
        MARK_IF(page.count == 0, "one event larger than a push");
        if (page.count == 0) continue;
        seal(service, conn, at, &page);
        return TKD_FRAME_BYTES + page.bytes;
    }
    ASSERT(!"an event larger than a frame");
    return 0;
}

bool subscribers_push(struct service *service)
{
    struct pipeline *pipeline = &service->pipeline;
    struct conns *conns = pipeline->conns;
    u32 bytes = 0;
    struct link *link;
    if (service->shown_seq < pipeline->durable_seq) list_append(&conns->lagging, &conns->subscribed);
    service->shown_seq = pipeline->durable_seq;
    while (bytes < SUBSCRIBER_TURN_BYTES && pipeline_hold_room(pipeline) &&
           (link = list_pop(&conns->lagging))) {
        struct conn *conn = LIST_ENTRY(link, struct conn, stream);
        u32 pushed = 0;
        list_push(&conns->subscribed, link);
        if (conn->event_next <= pipeline->durable_seq && (pushed = push(service, conn)) == 0) {
            if (list_linked(link)) conn_stall(conn);
        } else if (conn->event_next <= pipeline->durable_seq) {
            MARK("subscriber lags behind");
            list_remove(link);
            list_push(&conns->lagging, link); /* behind the others */
        }
        bytes += pushed + TKD_FRAME_BYTES;
    }
    return !list_empty(&conns->lagging);
}
