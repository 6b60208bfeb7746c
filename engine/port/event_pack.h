/* Events as the store keeps them: what follows from the event before is left out, numbers take as many bytes as they
 * have. A ROUTED is about 10 bytes instead of 88.
 *
 * A packed event: a u16 with a bit for each column that is not zero (event_pack.c), those columns in order, seven bits
 * a byte, the lowest first, the top bit saying that more follow; then the bytes behind the record's head, as they were.
 */
#ifndef PORT_EVENT_PACK_H
#define PORT_EVENT_PACK_H

#include "base/base.h"
#include "ticketd/wire.h"

#define EVENT_PACK_COLUMNS        15u
#define EVENT_PACK_HEAD_BYTES_MAX (2u + EVENT_PACK_COLUMNS * 10u)

/* Packs the head of the event that follows `before` (of the first one only `seq` is not zero); what lies behind the
 * head is the caller's to copy. Returns the bytes. */
u32 event_pack(const struct tkd_event *event, const struct tkd_event *before, u8 *packed);
/* The opposite: `event` is the one before and becomes the next. Returns the bytes of its packed head, 0: malformed. */
u32 event_unpack(struct tkd_event *event, const u8 *packed, u64 bytes);
static inline u32 event_tail_bytes(const struct tkd_event *event) { return event->size - (u32)sizeof *event; }

#endif
