#include "edge/reader.h"

#include "base/mark.h"
#include <errno.h>
#include <stdlib.h>

static const struct tkd_event *read_event(void *owner, u64 seq)
{
    struct reader *reader = owner;
    const struct tkd_event *event = event_at(state_events_read(reader->state), seq);
    if (event) return event;
    MARK("text read from the store");
    i32 result = store_event_read(reader->store, seq, reader->event, TKD_FRAME_BYTES_MAX);
    return result == 0 ? (const struct tkd_event *)(const void *)reader->event : NULL;
}

static i32 find_archived(void *owner, u64 ticket, u64 *event_seq)
{
    struct reader *reader = owner;
    return store_archived_read(reader->store, ticket, event_seq);
}

bool reader_create(struct reader *reader, const struct state *state, struct store *store)
{
    *reader = (struct reader){.state = state, .store = store, .event = malloc(TKD_FRAME_BYTES_MAX)};
    reader->source = (struct event_source){.read = read_event, .archived = find_archived, .owner = reader};
    return reader->event != NULL;
}

void reader_destroy(struct reader *reader) { free(reader->event); }

u64 reader_event_last(const struct reader *reader) { return state_events_read(reader->state)->seq_next - 1; }

/* Keeps the leading events of a buffer up to `last`, `count_max` at most. */
static bool page_cut(struct event_page *page, const u8 *buffer, u32 bytes, u64 last, u32 count_max)
{
    while (page->bytes < bytes && page->count < count_max) {
        const struct tkd_event *event = (const struct tkd_event *)(const void *)(buffer + page->bytes);
        if (event->size < sizeof(struct tkd_prefix) || event->size > bytes - page->bytes) return false;
        if (event->seq != page->next) return false;
        if (event->seq > last) break;
        page->bytes += event->size;
        page->count++;
        page->next = event->seq + 1;
    }
    return page->count > 0;
}

bool reader_events(struct reader *reader, u64 from, u64 last, u32 count_max, void *buffer, u32 bytes_max,
                   struct event_page *page)
{
    const struct event_log *log = state_events_read(reader->state);
    *page = (struct event_page){.next = from};
    ASSERT(from > 0 && last <= reader_event_last(reader));
    if (from > last || count_max == 0) return true;
    if (!event_at(log, from)) {
        u32 bytes = 0;
        i32 result = store_events_read(reader->store, from, buffer, bytes_max, &bytes);
        MARK("events read from the store");
        if (result == -EMSGSIZE) return true; /* the next one does not fit */
        if (result != 0) return false;
        return page_cut(page, buffer, bytes, last, count_max);
    }
    u64 run_bytes, run_last;
    const void *run =
        event_run(log, from, min_u64(last, from + count_max - 1), bytes_max, &run_bytes, &run_last);
    if (!run) return true; /* the next one does not fit */
    memcpy(buffer, run, run_bytes);
    page->bytes = (u32)run_bytes;
    page->count = (u32)(run_last - from + 1);
    page->next = run_last + 1;
    return true;
}
