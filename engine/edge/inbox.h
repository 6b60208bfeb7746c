/* What a connection has received: bytes, sliced into frames where they lie.
 *
 * Invariants:
 *  - a frame is contiguous and 8-byte aligned, so it is verified, logged and applied without being copied;
 *  - a size is believed only behind a verified header checksum;
 *  - memory is touched up to `window` bytes only, and what is above the idle window is taken from the quota:
 *    4 KiB while idle, 128 KiB while busy, a whole large frame only after its header was seen;
 *  - an idle inbox offers the kernel its 4 KiB only, so the rest can be given back under a receive;
 *  - while the kernel receives into the inbox nothing in it moves.
 */
#ifndef EDGE_INBOX_H
#define EDGE_INBOX_H

#include "base/base.h"
#include "edge/quota.h"

#define INBOX_IDLE_BYTES 4096u
#define INBOX_BUSY_BYTES LIMIT(128u << 10, 16u << 10)
#define INBOX_BYTES      (TKD_FRAME_BYTES_MAX + INBOX_BUSY_BYTES) /* address space of one inbox */

struct inbox {
    u8 *data;
    u32 begin; /* bytes received and not consumed: [begin, end) */
    u32 end;
    u32 window;      /* memory paid for */
    u32 offered;     /* how far the receive in flight may write; 0: none is */
    u32 frame_bytes; /* of the frame at `begin`; 0: its header is not verified yet */
    u32 skip_bytes;  /* of a refused frame, still to be thrown away */
    bool full;       /* the last receive took all that was offered: more is waiting */
};

/* `data` is page-aligned, INBOX_BYTES long and zero. */
void inbox_open(struct inbox *inbox, u8 *data);
void inbox_close(struct inbox *inbox, struct quota *quota);

/* The next whole frame, header verified, or NULL. NULL with *status 0: more bytes are needed; otherwise the
 * fatal status of what stands there. */
const struct tkd_frame *inbox_frame(struct inbox *inbox, enum tkd_status *status);
/* The verified header of the frame that is still arriving, or NULL. */
const struct tkd_frame *inbox_header(const struct inbox *inbox);
/* Done with the frame at the begin. */
void inbox_consume(struct inbox *inbox);
/* Throws away the frame at the begin, also the part that is still to come. */
void inbox_skip(struct inbox *inbox);

/* Where to receive next, and how much; 0: of the quota no more than `keep_bytes` would be left, wait. All
 * whole frames were consumed. */
u32 inbox_space(struct inbox *inbox, struct quota *quota, u64 keep_bytes, u8 **space);
void inbox_received(struct inbox *inbox, u32 bytes);
/* Back to the idle window when nothing is in it and nothing larger was offered. */
void inbox_shrink(struct inbox *inbox, struct quota *quota);

#endif
