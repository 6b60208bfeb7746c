/* The event stream: pages, pushes, slow readers, restarts. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "support/daemon.h"
#include "support/directory.h"
#include "support/wire.h"

static struct daemon daemon_here;
static char data[4096];
static union wire_frame frame;
static int fd;

static void setup(void)
{
    directory_make(data);
    daemon_start(&daemon_here, data, NULL);
    fd = wire_open(daemon_here.address);
    wire_catalog(fd);
}

static void teardown(void)
{
    close(fd);
    cr_assert_eq(daemon_end(&daemon_here, SIGTERM), 0, "%s", daemon_here.log);
    directory_remove(data);
}

TestSuite(stream, .init = setup, .fini = teardown);

static void events_frame(u16 op, u64 seq, u64 from, u32 limit)
{
    struct tkd_events_from head = {.from = from, .limit = limit};
    wire_begin(&frame, op, seq);
    wire_add(&frame, &head, sizeof(head), NULL, 0);
}

/* Checks that the rows are the events from `next` on; returns the one behind them. */
static u64 expect_events(const struct tkd_frame *answer, u64 next)
{
    const struct tkd_prefix *row = frame_first(answer);
    for (u32 i = 0; i < answer->count; i++, row = record_next(row)) {
        struct tkd_event event;
        record_head(row, &event, sizeof(event));
        cr_assert_eq(event.seq, next);
        next++;
    }
    return next;
}

static void create_many(u32 frames)
{
    for (u32 i = 0; i < frames; i++) {
        wire_begin(&frame, TKD_OP_TICKET_CREATE, i);
        for (u32 j = 0; j < 500; j++) wire_add_create(&frame, "");
        cr_assert_eq(wire_call(fd, &frame)->status, TKD_OK);
    }
}

/* Reads pushed frames until the event `last` was seen. */
static u64 read_pushes(int other, u64 seq, u64 next, u64 last)
{
    while (next <= last) {
        const struct tkd_frame *push = wire_receive(other);
        cr_assert_not_null(push);
        cr_assert_eq(push->op, TKD_OP_EVENTS);
        cr_assert(push->flags & TKD_FLAG_PUSH);
        cr_assert_eq(push->seq, seq);
        cr_assert_gt(push->count, 0);
        next = expect_events(push, next);
        cr_assert_eq(push->ack_below, next);
    }
    return next;
}

static u64 pages(u64 from, u32 limit)
{
    u64 next = from;
    for (u64 cursor = from; cursor != 0;) {
        events_frame(TKD_OP_EVENTS, 3, cursor, limit);
        const struct tkd_frame *answer = wire_call(fd, &frame);
        cr_assert_eq(answer->status, TKD_OK);
        cr_assert_leq(answer->count, limit ? limit : 1000);
        next = expect_events(answer, next);
        cursor = answer->ack_below;
        cr_assert(cursor == 0 || cursor == next);
        cr_assert_eq(!!(answer->flags & TKD_FLAG_MORE), cursor != 0);
    }
    return next;
}

Test(stream, pages_hold_every_event_once)
{
    create_many(5);
    u64 last = wire_metric(fd, "events");
    cr_assert_gt(last, 2500);
    cr_assert_eq(pages(1, 0), last + 1);
    cr_assert_eq(pages(17, 7), last + 1);
    events_frame(TKD_OP_EVENTS, 3, last + 1, 0);
    cr_assert_eq(wire_call(fd, &frame)->count, 0);
    events_frame(TKD_OP_EVENTS, 3, 1, 1001);
    cr_assert_eq(wire_call(fd, &frame)->status, TKD_BAD_VALUE);
}

Test(stream, a_subscriber_sees_everything_from_where_it_wants)
{
    int early = wire_open(daemon_here.address);
    int late = wire_open(daemon_here.address);
    events_frame(TKD_OP_SUBSCRIBE, 42, 1, 0);
    cr_assert_eq(wire_call(early, &frame)->status, TKD_OK);
    create_many(2);
    u64 middle = wire_metric(fd, "events");
    events_frame(TKD_OP_SUBSCRIBE, 43, 0, 0);
    cr_assert_eq(wire_call(late, &frame)->status, TKD_OK);
    create_many(3);
    u64 last = wire_metric(fd, "events");
    cr_assert_eq(read_pushes(early, 42, 1, last), last + 1);
    cr_assert_eq(read_pushes(late, 43, middle + 1, last), last + 1);
    cr_assert_eq(wire_metric(fd, "subscribers"), 2);
    events_frame(TKD_OP_SUBSCRIBE, 44, last + 100, 0);
    wire_send(early, &frame);
    cr_assert_eq(wire_receive(early)->status, TKD_BAD_VALUE);
    close(early);
    close(late);
}

Test(stream, a_slow_subscriber_is_served_from_the_store)
{
    int slow = wire_open(daemon_here.address);
    events_frame(TKD_OP_SUBSCRIBE, 42, 1, 0);
    cr_assert_eq(wire_call(slow, &frame)->status, TKD_OK);
    create_many(400); /* more than the ring in memory holds */
    u64 last = wire_metric(fd, "events");
    cr_assert_eq(read_pushes(slow, 42, 1, last), last + 1);
    close(slow);
}

Test(stream, goes_on_after_a_restart)
{
    create_many(3);
    u64 last = wire_metric(fd, "events");
    for (u32 round = 0; round < 2; round++) {
        int signal_number = round ? SIGTERM : SIGKILL;
        cr_assert_eq(daemon_end(&daemon_here, signal_number), round ? 0 : 128 + SIGKILL);
        close(fd);
        daemon_start(&daemon_here, data, NULL);
        fd = wire_open(daemon_here.address);
        cr_assert_eq(wire_metric(fd, "events"), last);
        cr_assert_eq(pages(1, 0), last + 1);
        int subscriber = wire_open(daemon_here.address);
        events_frame(TKD_OP_SUBSCRIBE, 42, 100, 0);
        cr_assert_eq(wire_call(subscriber, &frame)->status, TKD_OK);
        create_many(1);
        last = wire_metric(fd, "events");
        read_pushes(subscriber, 42, 100, last);
        close(subscriber);
    }
}
