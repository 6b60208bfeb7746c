#include "edge/inbox.h"

#include "base/mark.h"
#include "core/frame.h"
#include "port/host.h"

_Static_assert(INBOX_BYTES % INBOX_IDLE_BYTES == 0, "whole pages");

void inbox_open(struct inbox *inbox, u8 *data)
{
    ASSERT((uintptr_t)data % INBOX_IDLE_BYTES == 0);
    *inbox = (struct inbox){.data = data, .window = INBOX_IDLE_BYTES};
}

static void shrink(struct inbox *inbox, struct quota *quota)
{
    if (inbox->window == INBOX_IDLE_BYTES) return;
    host_discard(inbox->data + INBOX_IDLE_BYTES, inbox->window - INBOX_IDLE_BYTES);
    quota_give(quota, inbox->window - INBOX_IDLE_BYTES);
    inbox->window = INBOX_IDLE_BYTES;
}

void inbox_close(struct inbox *inbox, struct quota *quota)
{
    inbox->begin = inbox->end = 0;
    shrink(inbox, quota);
}

void inbox_shrink(struct inbox *inbox, struct quota *quota)
{
    if (inbox->begin == inbox->end && inbox->offered <= INBOX_IDLE_BYTES) shrink(inbox, quota);
}

static void drained(struct inbox *inbox)
{
    if (inbox->begin == inbox->end) inbox->begin = inbox->end = 0;
}

/* Throws away what has arrived of a skipped frame. */
static void skip(struct inbox *inbox)
{
    u32 bytes = min_u32(inbox->skip_bytes, inbox->end - inbox->begin);
    inbox->begin += bytes;
    inbox->skip_bytes -= bytes;
    drained(inbox);
    if (inbox->begin % 8 != 0) { /* what was thrown away came in odd pieces */
        inbox->end -= inbox->begin;
        MARK("rest of a refused frame came in odd pieces");
        memmove(inbox->data, inbox->data + inbox->begin, inbox->end);
        inbox->begin = 0;
    }
}

const struct tkd_frame *inbox_frame(struct inbox *inbox, enum tkd_status *status)
{
    *status = 0;
    if (inbox->skip_bytes > 0) return NULL;
    const u8 *at = inbox->data + inbox->begin;
    u32 bytes = inbox->end - inbox->begin;
    if (inbox->frame_bytes == 0) {
        enum tkd_status checked = frame_header_check(at, bytes);
        if (checked != TKD_OK) {
            *status = checked;
            return NULL;
        }
        inbox->frame_bytes = ((const struct tkd_frame *)(const void *)at)->size;
    }
    return bytes >= inbox->frame_bytes ? (const struct tkd_frame *)(const void *)at : NULL;
}

const struct tkd_frame *inbox_header(const struct inbox *inbox)
{
    return inbox->frame_bytes > 0 ? (const struct tkd_frame *)(const void *)(inbox->data + inbox->begin)
                                  : NULL;
}

void inbox_consume(struct inbox *inbox)
{
    ASSERT(inbox->frame_bytes > 0 && inbox->frame_bytes <= inbox->end - inbox->begin);
    inbox->begin += inbox->frame_bytes;
    inbox->frame_bytes = 0;
    drained(inbox);
}

void inbox_skip(struct inbox *inbox)
{
    ASSERT(inbox->frame_bytes > 0);
    MARK("frame skipped");
    inbox->skip_bytes = inbox->frame_bytes;
    inbox->frame_bytes = 0;
    skip(inbox);
}

/* The window that the bytes in sight ask for. */
static u32 window_wanted(const struct inbox *inbox)
{
    MARK_IF(inbox->frame_bytes > INBOX_BUSY_BYTES, "frame larger than the busy window");
    if (inbox->frame_bytes > INBOX_BUSY_BYTES) return INBOX_BYTES;
    if (inbox->frame_bytes > INBOX_IDLE_BYTES || inbox->full) return max_u32(INBOX_BUSY_BYTES, inbox->window);
    return inbox->window;
}

u32 inbox_space(struct inbox *inbox, struct quota *quota, u64 keep_bytes, u8 **space)
{
    u32 wanted = window_wanted(inbox);
    if (wanted > inbox->window) {
        if (quota_has(quota, wanted - inbox->window + keep_bytes)) {
            quota->used_bytes += wanted - inbox->window;
            inbox->window = wanted;
        } else if (inbox->frame_bytes > inbox->window) {
            MARK("no memory for a large frame");
            return 0;
        }
    }
    bool idle = inbox->end == 0 && !inbox->full;
    inbox->full = false;
    u32 need = max_u32(inbox->frame_bytes, TKD_FRAME_BYTES);
    if (inbox->begin > 0 && inbox->begin + need > inbox->window) {
        MARK("frame moved to the inbox's begin");
        memmove(inbox->data, inbox->data + inbox->begin, inbox->end - inbox->begin);
        inbox->end -= inbox->begin;
        inbox->begin = 0;
    }
    inbox->offered = idle ? INBOX_IDLE_BYTES : inbox->window;
    ASSERT(inbox->end < inbox->offered);
    *space = inbox->data + inbox->end;
    return inbox->offered - inbox->end;
}

void inbox_received(struct inbox *inbox, u32 bytes)
{
    ASSERT(inbox->offered <= inbox->window && bytes <= inbox->offered - inbox->end);
    inbox->end += bytes;
    inbox->full = inbox->end == inbox->offered;
    inbox->offered = 0;
    skip(inbox);
}
