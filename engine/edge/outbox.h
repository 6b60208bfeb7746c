/* What a connection is to be sent: answers, in order, held until they may leave.
 *
 * Positions count bytes since the connection began: sent <= released <= written. Answers are written in
 * place, one after another, into one of two areas; when it is full the other one is filled, as soon as that
 * has been sent to its end. So bytes that the kernel is sending never move, nothing is copied, and what is
 * unsent is bounded by the two areas. Who has read everything may always be written one answer, even when
 * others have used up the quota (up to twice of it): who does not read hurts only those who do not either.
 */
#ifndef EDGE_OUTBOX_H
#define EDGE_OUTBOX_H

#include "base/base.h"
#include "edge/quota.h"

#define OUTBOX_AREA_BYTES LIMIT(2u << 20, 1u << 20) /* at least the largest frame */
#define OUTBOX_BYTES      (2 * OUTBOX_AREA_BYTES) /* address space of one outbox */
#define OUTBOX_FREE_BYTES 4096u                   /* of an area, without quota */
#define OUTBOX_STEP_BYTES LIMIT(64u << 10, 4u << 10)

struct outbox_area {
    u64 start;   /* position of its first byte */
    u32 bytes;   /* filled */
    u32 touched; /* memory paid for */
};

struct outbox {
    u8 *data;
    struct outbox_area areas[2];
    u32 fill;  /* area that is written to */
    u32 drain; /* area that is sent from */
    u64 written;
    u64 released;
    u64 sent;
};

void outbox_open(struct outbox *outbox, u8 *data);
void outbox_close(struct outbox *outbox, struct quota *quota);

/* Room for `bytes` in one piece, 8-byte aligned, or NULL: wait until something was sent (or the quota has
 * some left). Nothing is taken until outbox_commit(). */
u8 *outbox_reserve(struct outbox *outbox, struct quota *quota, u32 bytes);
/* The first `bytes` of what was reserved are an answer. Returns its end position. */
u64 outbox_commit(struct outbox *outbox, struct quota *quota, u32 bytes);
/* Everything below `position` may leave. */
void outbox_release(struct outbox *outbox, u64 position);
/* The next piece to send; 0: nothing may leave now. */
u32 outbox_sendable(const struct outbox *outbox, const u8 **data);
void outbox_sent(struct outbox *outbox, u32 bytes);
/* Gives memory back when everything was sent. */
void outbox_shrink(struct outbox *outbox, struct quota *quota);

static inline bool outbox_empty(const struct outbox *outbox) { return outbox->sent == outbox->written; }
static inline u64 outbox_unsent(const struct outbox *outbox) { return outbox->written - outbox->sent; }

#endif
