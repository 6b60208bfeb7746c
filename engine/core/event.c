#include "core/event.h"

#include "base/mark.h"
#include "core/desk.h"

#define NEXT_LINES 5u /* most events are no longer */

const struct tkd_event *event_at(const struct event_log *log, u64 seq)
{
    if (seq < log->seq_first || seq >= log->seq_next) return NULL;
    return (const struct tkd_event *)(log->ring + log->offsets[seq % log->offsets_count] % log->ring_bytes);
}

/* Where the oldest event that is not stored yet begins. */
static u64 unstored_begin(const struct event_log *log)
{
    u64 seq = max_u64(log->stored_seq + 1, log->seq_first);
    return seq >= log->seq_next ? log->head : log->offsets[seq % log->offsets_count];
}

u64 event_room(const struct event_log *log)
{
    /* What is kept free for the hole at the end of the ring: one largest event. */
    u64 slack = sizeof(struct tkd_event) + min_u64(TKD_FRAME_BYTES_MAX, log->ring_bytes / 4);
    u64 by_bytes = sat_sub(log->ring_bytes, log->head - unstored_begin(log) + slack);
    u64 unstored = log->seq_next - max_u64(log->stored_seq + 1, log->seq_first);
    u64 by_count = sat_sub(log->offsets_count, unstored + 1) * sizeof(struct tkd_event);
    MARK_IF(by_count < by_bytes, "events counted out before the bytes");
    return min_u64(by_bytes, by_count);
}

const void *event_run(const struct event_log *log, u64 seq, u64 seq_last, u64 bytes_max, u64 *bytes, u64 *last)
{
    const struct tkd_event *first = event_at(log, seq);
    *bytes = 0;
    *last = seq - 1;
    if (first == NULL || seq > seq_last) return NULL;
    u64 begin = log->offsets[seq % log->offsets_count];
    u64 lap_end = (begin / log->ring_bytes + 1) * log->ring_bytes; /* up to which there is no hole */
    u64 limit = bytes_max < lap_end - begin ? begin + bytes_max : lap_end;
    u64 low = seq, high = min_u64(seq_last, log->seq_next - 1); /* the last to begin before the limit is between them */
    while (low < high) {
        u64 middle = high - (high - low) / 2;
        if (log->offsets[middle % log->offsets_count] < limit) low = middle;
        else high = middle - 1;
    }
    u64 end = log->offsets[low % log->offsets_count] + event_at(log, low)->size;
    MARK_IF(end > limit, "run of events cut by its room");
    if (end > limit) end = log->offsets[low-- % log->offsets_count];
    *bytes = end - begin;
    *last = low;
    return *bytes == 0 ? NULL : first;
}

void event_stored(struct event_log *log, u64 seq)
{
    ASSERT(seq < log->seq_next);
    if (seq > log->stored_seq) log->stored_seq = seq;
}

/* Makes room at the head: the oldest events, all of them stored, fall out of memory. */
static u8 *event_place(struct event_log *log, u64 bytes)
{
    ASSERT(bytes <= log->ring_bytes);
    u64 left = log->ring_bytes - log->head % log->ring_bytes;
    if (left < bytes) {
        MARK("event ring wrapped");
        log->head += left;
    }
    u64 keep_from = log->head + bytes;
    while (log->seq_first < log->seq_next && log->tail + log->ring_bytes < keep_from) {
        ASSERT(log->seq_first <= log->stored_seq);
        MARK("oldest event leaves memory");
        log->seq_first++;
        log->tail = log->seq_first < log->seq_next ? log->offsets[log->seq_first % log->offsets_count] : log->head;
    }
    if (log->seq_first == log->seq_next) log->tail = log->head;
    ASSERT(log->seq_next - log->seq_first < log->offsets_count); /* the smallest events would still fit */
    u8 *at = log->ring + log->head % log->ring_bytes;
    log->offsets[log->seq_next % log->offsets_count] = log->head;
    log->head += bytes;
    for (u32 line = 0; line < NEXT_LINES; line++) prefetch_edit(at + bytes + line * 64); /* of the next one */
    return at;
}

struct tkd_event *event_open(struct state *state, enum tkd_event_kind kind, u32 ticket, u32 text_bytes)
{
    struct event_log *log = &state->events;
    u64 bytes = round_up(sizeof(struct tkd_event) + text_bytes, 8);
    u8 *at = event_place(log, bytes);
    struct tkd_event *event = (struct tkd_event *)at;
    memset(at + bytes - 8, 0, 8); /* what the text leaves of its last word */
    *event = (struct tkd_event){.size = (u32)bytes,
                                .head = sizeof *event,
                                .kind = (u16)kind,
                                .seq = log->seq_next,
                                .time_ms = state->now_ms,
                                .cause = state->cause,
                                .text_bytes = text_bytes};
    log->seq_next++;
    if (ticket != 0) {
        struct ticket *row = ticket_edit(state, ticket);
        event->ticket = row->id;
        event->previous = row->last_event;
        event->station = row->stations;
        row->last_event = event->seq;
    }
    return event;
}

struct tkd_event *event_raise(struct state *state, enum tkd_event_kind kind, u32 ticket, const void *text,
                              u32 text_bytes)
{
    struct tkd_event *event = event_open(state, kind, ticket, text_bytes);
    if (text_bytes != 0) memcpy(event + 1, text, text_bytes);
    return event;
}
