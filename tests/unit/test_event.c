/* The event ring: whole records in order, room is what may be overwritten. */
#include <criterion/criterion.h>

#include "tests/support/rig.h"

static struct rig *desk(void)
{
    struct rig *rig = rig_create_small();
    rig_small_desk(rig);
    return rig;
}

Test(event, a_ticket_is_a_chain_of_its_events)
{
    struct rig *rig = desk();
    u64 id = rig_create_ticket(rig, 3, 0);
    rig_create_ticket(rig, 3, 0);
    rig_verb(rig, id, TKD_VERB_NOTE, 0, "one");
    rig_verb(rig, id, TKD_VERB_PEND, 0, "two");
    static const u32 wanted[] = {TKD_EVENT_STATE, TKD_EVENT_NOTED, TKD_EVENT_WAITING, TKD_EVENT_CREATED};
    const struct event_log *log = state_events_read(rig->state);
    u64 seq = rig_ticket(rig, id)->last_event;
    for (u32 i = 0; i < ARRAY_COUNT(wanted); i++) {
        const struct tkd_event *event = event_at(log, seq);
        cr_assert_eq(event->kind, wanted[i]);
        cr_assert_eq(event->ticket, id);
        cr_assert_eq(event->seq, seq);
        seq = event->previous;
    }
    cr_assert_eq(seq, 0);
    cr_assert_null(event_at(log, 0));
    cr_assert_null(event_at(log, log->seq_next));
    rig_destroy(rig);
}

Test(event, says_which_command_raised_it_and_for_whom)
{
    struct rig *rig = desk();
    u64 id = rig_create_ticket(rig, 3, 0);
    struct tkd_ticket_update request = {.kind = TKD_VERB_NOTE, .ticket = id, .actor = 3};
    rig_begin(rig, TKD_OP_TICKET_UPDATE);
    rig_add(rig, TKD_RECORD_ticket_update, &request, (const char *const[]){0, 0, "by Chen"});
    cr_assert_eq(rig_run(rig), TKD_OK);
    const struct tkd_event *event = rig_last_event(rig, TKD_EVENT_NOTED);
    cr_assert_eq(event->cause, state_op(rig->state));
    cr_assert_eq(event->actor, 3);
    cr_assert_eq(memcmp(event + 1, "by Chen\0", 8), 0);
    cr_assert_eq(event->size, sizeof *event + 8);
    request.actor = 99;
    rig_begin(rig, TKD_OP_TICKET_UPDATE);
    rig_add(rig, TKD_RECORD_ticket_update, &request, (const char *const[]){0, 0, "x"});
    cr_assert_eq(rig_run(rig), TKD_OK);
    cr_assert_eq(rig->results[0].status, TKD_UNKNOWN_AGENT);
    rig_destroy(rig);
}

Test(event, runs_are_whole_events_up_to_the_bounds)
{
    struct rig *rig = desk();
    for (u32 i = 0; i < 20; i++) rig_create_ticket(rig, 3, 0);
    const struct event_log *log = state_events_read(rig->state);
    u64 bytes, last, first = log->seq_first;
    const struct tkd_event *run = event_run(log, first, U64_NONE, UINT64_MAX, &bytes, &last);
    cr_assert_eq(last, log->seq_next - 1);
    cr_assert_eq(run->seq, first);
    u64 walked = 0;
    for (u64 seq = first; seq <= last; seq++) walked += event_at(log, seq)->size;
    cr_assert_eq(walked, bytes);
    (void)event_run(log, first, first + 4, UINT64_MAX, &bytes, &last);
    cr_assert_eq(last, first + 4);
    (void)event_run(log, first, U64_NONE, event_at(log, first)->size + 5, &bytes, &last);
    cr_assert_eq(last, first);
    cr_assert_eq(bytes, event_at(log, first)->size);
    cr_assert_null(event_run(log, first, U64_NONE, 8, &bytes, &last), "not even one fits");
    cr_assert_null(event_run(log, log->seq_next, U64_NONE, 4096, &bytes, &last));
    cr_assert_eq(bytes, 0);
    rig_destroy(rig);
}

/* Notes as large as they may be, round the ring several times. */
Test(event, the_ring_goes_round)
{
    struct rig *rig = desk();
    static char text[200001];
    u64 id = rig_create_ticket(rig, 3, 0);
    const struct event_log *log = state_events_read(rig->state);
    memset(text, 'x', sizeof text - 1);
    for (u32 i = 0; log->head < 3 * log->ring_bytes; i++) {
        text[70000 + i * 7919 % 130000] = 0;
        cr_assert_eq(rig_verb(rig, id, TKD_VERB_NOTE, 0, text).status, TKD_OK);
        text[70000 + i * 7919 % 130000] = 'x';
    }
    cr_assert_gt(log->seq_first, 1);
    cr_assert_null(event_at(log, log->seq_first - 1));
    u64 seq = log->seq_first, runs = 0, before = log->seq_first - 1;
    while (seq < log->seq_next) {
        u64 bytes, last;
        const struct tkd_event *event = event_run(log, seq, U64_NONE, UINT64_MAX, &bytes, &last);
        cr_assert_not_null(event);
        cr_assert((const u8 *)event >= log->ring && (const u8 *)event + bytes <= log->ring + log->ring_bytes);
        for (u64 i = seq; i <= last; i++) {
            cr_assert_eq(event_at(log, i)->seq, ++before);
            cr_assert_eq(event_at(log, i)->size, round_up(sizeof *event + event_at(log, i)->text_bytes, 8));
        }
        seq = last + 1;
        runs++;
    }
    cr_assert_eq(runs, 2, "one before the end of the ring, one from its begin");
    rig_destroy(rig);
}

/* While the store does not take events, commands are refused before one is lost. */
Test(event, no_room_is_busy)
{
    struct rig *rig = desk();
    struct event_log *log = state_events(rig->state);
    static char text[200001];
    memset(text, 'x', sizeof text - 1);
    u64 id = rig_create_ticket(rig, 3, 0), stored = log->seq_next - 1, room = event_room(log);
    const void *reply;
    u32 reply_bytes;
    enum tkd_status status = TKD_OK;
    for (u32 i = 0; i < 1000 && status == TKD_OK; i++) {
        struct tkd_ticket_update request = {.kind = TKD_VERB_NOTE, .ticket = id};
        rig_begin(rig, TKD_OP_TICKET_UPDATE);
        rig_add(rig, TKD_RECORD_ticket_update, &request, (const char *const[]){0, 0, text});
        frame_seal(rig_frame(rig));
        status = state_admit(rig->state, rig_frame(rig), &reply, &reply_bytes);
        if (status != TKD_OK) break;
        struct command command = {.op = state_op(rig->state) + 1, .time_ms = rig->now_ms, .frame = rig_frame(rig)};
        state_apply(rig->state, &command, rig->results);
        cr_assert_lt(event_room(log), room);
        room = event_room(log);
    }
    cr_assert_eq(status, TKD_BUSY);
    for (u64 seq = stored + 1; seq < log->seq_next; seq++) cr_assert_not_null(event_at(log, seq));
    event_stored(log, log->seq_next - 1);
    event_stored(log, stored); /* never back */
    cr_assert_eq(log->stored_seq, log->seq_next - 1);
    cr_assert_eq(rig_run(rig), TKD_OK);
    rig_destroy(rig);
}

/* The last event before the end of the ring ends exactly there: the next one is the first of another run. */
Test(event, a_run_ends_with_the_ring_even_without_a_hole)
{
    struct rig *rig = desk();
    static char text[100001];
    const struct event_log *log = state_events_read(rig->state);
    u64 id = rig_create_ticket(rig, 3, 0), left;
    memset(text, 'x', sizeof text - 1);
    while ((left = log->ring_bytes - log->head % log->ring_bytes) > 2 * sizeof text)
        cr_assert_eq(rig_verb(rig, id, TKD_VERB_NOTE, 0, text).status, TKD_OK);
    u64 at_end = log->seq_next;
    for (; left > 0; left = (log->ring_bytes - log->head % log->ring_bytes) % log->ring_bytes) {
        u64 part = left > sizeof text ? 50000 : left;
        text[part - sizeof(struct tkd_event)] = 0;
        cr_assert_eq(rig_verb(rig, id, TKD_VERB_NOTE, 0, text).status, TKD_OK);
        text[part - sizeof(struct tkd_event)] = 'x';
    }
    u64 next = log->seq_next, bytes, last;
    cr_assert_eq(log->head, log->ring_bytes);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_NOTE, 0, "behind").status, TKD_OK);
    const struct tkd_event *run = event_run(log, at_end, U64_NONE, UINT64_MAX, &bytes, &last);
    cr_assert_eq(last, next - 1);
    cr_assert_eq((const u8 *)run + bytes, log->ring + log->ring_bytes);
    run = event_run(log, next, U64_NONE, UINT64_MAX, &bytes, &last);
    cr_assert_eq((const u8 *)run, log->ring);
    cr_assert_eq(run->seq, next);
    rig_destroy(rig);
}
