/* The event log in memory: a bounded ring of whole event records, ready for the wire.
 *
 * Invariants: seq ascends by one; records never change once written and never wrap around the end of the
 * ring; events up to `stored_seq` are in the store, so their room may be taken; events above are not
 * overwritten (event_room() is asked before a command is applied).
 */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include "base/base.h"

struct event_log {
    u8 *ring;
    u64 *offsets;      /* by seq % offsets_count: absolute byte position */
    u64 ring_bytes;
    u64 offsets_count;
    u64 head;          /* absolute byte position behind the newest event */
    u64 tail;          /* of the oldest event kept */
    u64 seq_first;     /* oldest event kept; next_seq when empty */
    u64 seq_next;
    u64 stored_seq;    /* events up to this are in the store */
};

/* The record of `seq`, or NULL when it is not in memory (older ones are in the store). Valid until the next
 * command is applied. */
const struct tkd_event *event_at(const struct event_log *log, u64 seq);
/* Bytes that can be written without losing an event that is not stored yet. */
u64 event_room(const struct event_log *log);
/* The longest run of whole events from `seq` on that lies in one piece, up to `bytes_max` and up to event
 * `seq_last`. The bytes stay unchanged as long as event_stored() has not been told that they are stored. */
const void *event_run(const struct event_log *log, u64 seq, u64 seq_last, u64 bytes_max, u64 *bytes, u64 *last);
void event_stored(struct event_log *log, u64 seq);

/* Where texts and history come from when they may have left memory: given to queries by the edge. The
 * answer is valid until the next call; NULL: damaged or absent. */
struct event_source {
    const struct tkd_event *(*read)(void *owner, u64 seq);
    i32 (*archived)(void *owner, u64 ticket, u64 *event_seq); /* 0 found, 1 none, < 0 unreadable */
    void *owner;
};

#endif
