/* Events, wherever they are: the newest in the ring, all others in the store. */
#ifndef EDGE_READER_H
#define EDGE_READER_H

#include "base/base.h"
#include "core/event.h"
#include "core/state.h"
#include "port/store.h"

struct reader {
    const struct state *state;
    struct store *store;
    struct event_source source; /* for the core's queries */
    u8 *event;                  /* room for the largest one */
};

/* Whole event records in ascending order. */
struct event_page {
    u32 bytes;
    u32 count;
    u64 next; /* the event behind the last one */
};

bool reader_create(struct reader *reader, const struct state *state, struct store *store);
void reader_destroy(struct reader *reader);

/* Copies events from `from` to `last` at most, `count_max` at most, as many as fit. Less than that may be
 * copied; none only when there is none, or when what the store holds is damaged (false). */
bool reader_events(struct reader *reader, u64 from, u64 last, u32 count_max, void *buffer, u32 bytes_max,
                   struct event_page *page);
u64 reader_event_last(const struct reader *reader);

#endif
