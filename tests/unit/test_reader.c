#include <criterion/criterion.h>
#include <stdlib.h>

#include "support/edge.h"

static struct edge edge;
static struct reader *reader;
static struct conn *conn;
static u8 *buffer;

static void setup(void)
{
    edge_open(&edge, false);
    reader = &edge.service.reader;
    conn = edge_connect(&edge);
    edge_turn(&edge, 5000);
    edge_catalog(&edge, conn, 0);
    buffer = malloc(TKD_FRAME_BYTES_MAX);
}

static void teardown(void)
{
    free(buffer);
    edge_close(&edge);
}

TestSuite(reader, .init = setup, .fini = teardown);

static void create(u32 frames)
{
    for (u32 i = 0; i < frames; i++) {
        edge_turn(&edge, 5000);
        edge_create(&edge, conn, 500, 0);
        edge_flush(&edge, conn);
    }
}

/* Everything that can be read from `from` on, in pages. */
static u64 read_all(u64 from, u32 count_max, u32 bytes_max)
{
    u64 last = reader_event_last(reader), next = from;
    struct event_page page;
    while (next <= last) {
        cr_assert(reader_events(reader, next, last, count_max, buffer, bytes_max, &page));
        cr_assert_gt(page.count, 0);
        cr_assert_leq(page.count, count_max);
        cr_assert_leq(page.bytes, bytes_max);
        u32 at = 0;
        for (u32 i = 0; i < page.count; i++) {
            const struct tkd_event *event = (const struct tkd_event *)(const void *)(buffer + at);
            cr_assert_eq(event->seq, next);
            next++;
            at += event->size;
        }
        cr_assert_eq(at, page.bytes);
        cr_assert_eq(page.next, next);
    }
    return next;
}

Test(reader, from_the_ring)
{
    create(2);
    u64 last = reader_event_last(reader);
    cr_assert_eq(read_all(1, UINT32_MAX, TKD_FRAME_BYTES_MAX), last + 1);
    cr_assert_eq(read_all(last, 1, 4096), last + 1);
    cr_assert_eq(read_all(5, 7, 4096), last + 1);
}

Test(reader, across_store_and_ring)
{
    create(200);
    u64 last = reader_event_last(reader);
    cr_assert_null(event_at(state_events_read(edge.recovery.state), 1), "the first event has left the ring");
    cr_assert_eq(read_all(1, UINT32_MAX, TKD_FRAME_BYTES_MAX), last + 1);
    cr_assert_eq(read_all(1, 100, TKD_FRAME_BYTES_MAX), last + 1);
}

Test(reader, one_event_from_either)
{
    create(200);
    for (u64 seq = 1; seq <= reader_event_last(reader); seq += 997) {
        const struct tkd_event *event = reader->source.read(reader->source.owner, seq);
        cr_assert_not_null(event);
        cr_assert_eq(event->seq, seq);
    }
    cr_assert_null(reader->source.read(reader->source.owner, reader_event_last(reader) + 1));
    u64 seq;
    cr_assert_neq(reader->source.archived(reader->source.owner, 1, &seq), 0, "nothing was archived");
}

Test(reader, nothing_where_nothing_is_wanted)
{
    struct event_page page;
    u64 last = reader_event_last(reader);
    cr_assert(reader_events(reader, last + 1, last, 10, buffer, 4096, &page));
    cr_assert_eq(page.count, 0);
    cr_assert_eq(page.next, last + 1);
    cr_assert(reader_events(reader, 1, last, 10, buffer, 8, &page), "too little room is no damage");
    cr_assert_eq(page.count, 0);
    create(200);
    cr_assert_null(event_at(state_events_read(edge.recovery.state), 1), "the first event has left the ring");
    cr_assert(reader_events(reader, 1, last, 10, buffer, 8, &page), "nor is it in the store");
    cr_assert_eq(page.count, 0);
    cr_assert_eq(page.next, 1);
}
