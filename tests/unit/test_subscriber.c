#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "edge/subscriber.h"
#include "support/directory.h"
#include "support/edge.h"

static struct edge edge;
static struct conn *writer, *reader;
static union wire_frame frame;

static void setup(void)
{
    edge_open(&edge, false);
    writer = edge_connect(&edge);
    reader = edge_connect(&edge);
    edge_turn(&edge, 5000);
    edge_catalog(&edge, writer, 0);
    edge_flush(&edge, writer);
}

static void teardown(void) { edge_close(&edge); }

TestSuite(subscriber, .init = setup, .fini = teardown);

static void subscribe(u64 from)
{
    struct tkd_events_from head = {.from = from};
    wire_begin(&frame, TKD_OP_SUBSCRIBE, 42);
    wire_add(&frame, &head, sizeof(head), NULL, 0);
    cr_assert_eq(edge_frame(&edge, reader, &frame), SERVICE_ANSWERED);
    cr_assert_eq(edge_answer(reader)->status, TKD_OK);
}

static void create(u32 frames)
{
    for (u32 i = 0; i < frames; i++) {
        edge_turn(&edge, 5000);
        edge_create(&edge, writer, 500, 0);
        edge_flush(&edge, writer);
    }
}

/* Reads pushed frames until the event `last`; every one from `next` on must come, once. */
static void drain(u64 next, u64 last)
{
    while (next <= last) {
        const struct tkd_frame *push = edge_receive(&edge, reader);
        if (!(push->flags & TKD_FLAG_PUSH)) continue;
        const struct tkd_prefix *row = frame_first(push);
        for (u32 i = 0; i < push->count; i++, row = record_next(row)) {
            struct tkd_event event;
            record_head(row, &event, sizeof(event));
            cr_assert_eq(event.seq, next);
            next++;
        }
        cr_assert_eq(push->seq, 42);
        cr_assert_eq(push->ack_below, next);
    }
}

Test(subscriber, sees_what_is_durable_and_nothing_else)
{
    subscribe(0);
    u64 next = reader->event_next;
    edge_turn(&edge, 5000);
    edge_create(&edge, writer, 10, 0);
    u64 pushed = edge.service.figures.events_pushed;
    subscribers_push(&edge.service);
    cr_assert_eq(edge.service.figures.events_pushed, pushed, "not durable yet");
    edge_settle(&edge);
    subscribers_push(&edge.service);
    cr_assert_gt(edge.service.figures.events_pushed, pushed);
    cr_assert_eq(reader->event_next, reader_event_last(&edge.service.reader) + 1);
    cr_assert_geq(reader->event_next, next + 10);
    cr_assert_not(subscribers_push(&edge.service));
}

Test(subscriber, every_event_once_from_the_first_on)
{
    create(3);
    subscribe(1);
    u64 last = reader_event_last(&edge.service.reader);
    drain(1, last);
}

Test(subscriber, a_slow_one_is_bounded_and_misses_nothing)
{
    subscribe(1);
    for (u32 i = 0; i < 200; i++) {
        create(1);
        subscribers_push(&edge.service);
        conns_send(&edge.conns);
        cr_assert_leq(outbox_unsent(&reader->out), SUBSCRIBER_UNSENT_BYTES + TKD_FRAME_BYTES_MAX);
    }
    u64 last = reader_event_last(&edge.service.reader);
    cr_assert_lt(reader->event_next, last, "it lags behind");
    cr_assert_null(event_at(state_events_read(edge.recovery.state), reader->event_next),
                   "and out of the ring");
    drain(1, last);
}

Test(subscriber, one_that_ends_while_it_is_slow_is_forgotten)
{
    subscribe(1);
    while (!reader->stalled) {
        create(1);
        subscribers_push(&edge.service);
    }
    conn_finish(reader);
    cr_assert_eq(edge.conns.subscribers, 0);
    conns_tick(&edge.conns);
    cr_assert_not(list_linked(&reader->stream));
}

/* Nothing of its own is on its way, so nothing but time can tell it. */
Test(subscriber, one_that_others_left_no_memory_goes_on_when_there_is_some)
{
    subscribe(0);
    edge_flush(&edge, reader);
    u64 taken = 2 * edge.conns.out_quota.max_bytes;
    edge.conns.out_quota.used_bytes += taken;
    edge_turn(&edge, 5000);
    edge_create(&edge, writer, 10, 0);
    edge_settle(&edge);
    subscribers_push(&edge.service);
    cr_assert(reader->stalled);
    cr_assert(outbox_empty(&reader->out));
    edge.conns.out_quota.used_bytes -= taken;
    conns_tick(&edge.conns);
    cr_assert_not(reader->stalled);
    drain(reader->event_next, reader_event_last(&edge.service.reader));
}

#define NOTE_TEXT "a text that stands nowhere else"

/* One bit of the event with this text goes bad in the store. */
static void damage_event(void)
{
    char path[4200];
    u64 bytes;
    snprintf(path, sizeof path, "%s/store/data.mdb", edge.directory);
    u8 *data = file_slurp(path, &bytes), *at = memmem(data, bytes, NOTE_TEXT, strlen(NOTE_TEXT));
    cr_assert_not_null(at);
    int fd = open(path, O_WRONLY);
    cr_assert_eq(pwrite(fd, "A", 1, at - data), 1);
    close(fd);
    free(data);
}

/* A gap is worse than an end: whoever asks again is told. */
Test(subscriber, one_that_comes_to_a_damaged_event_is_ended)
{
    struct tkd_ticket_update note = {.kind = TKD_VERB_NOTE, .ticket = 1, .text_bytes = sizeof NOTE_TEXT - 1};
    create(1);
    wire_begin(&frame, TKD_OP_TICKET_UPDATE, 1);
    wire_add(&frame, &note, sizeof note, NOTE_TEXT, sizeof NOTE_TEXT - 1);
    cr_assert_eq(edge_frame(&edge, writer, &frame), SERVICE_ANSWERED);
    u64 seq = reader_event_last(&edge.service.reader);
    while (event_at(state_events_read(edge.recovery.state), seq) != NULL) create(1);
    damage_event();
    subscribe(1);
    for (u32 turn = 0; edge.conns.subscribers > 0 && reader->event_next <= seq; turn++) {
        cr_assert_lt(turn, 1000);
        subscribers_push(&edge.service);
        edge_flush(&edge, reader);
    }
    cr_assert_eq(edge.conns.subscribers, 0);
    cr_assert_leq(reader->event_next, seq);
}

Test(subscriber, the_future_is_refused)
{
    struct tkd_events_from head = {.from = reader_event_last(&edge.service.reader) + 2};
    wire_begin(&frame, TKD_OP_SUBSCRIBE, 42);
    wire_add(&frame, &head, sizeof(head), NULL, 0);
    edge_frame(&edge, reader, &frame);
    cr_assert_eq(edge_answer(reader)->status, TKD_BAD_VALUE);
    cr_assert_eq(edge.conns.subscribers, 0);
}

Test(subscriber, one_that_ends_is_forgotten)
{
    subscribe(0);
    subscribe(0);
    cr_assert_eq(edge.conns.subscribers, 1);
    conn_finish(reader);
    cr_assert_eq(edge.conns.subscribers, 0);
    create(1);
    cr_assert_not(subscribers_push(&edge.service));
}
