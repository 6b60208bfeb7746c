#include "edge/outbox.h"

#include "base/mark.h"
#include "port/host.h"

_Static_assert(OUTBOX_AREA_BYTES >= TKD_FRAME_BYTES_MAX, "an area holds the largest frame");

static u8 *area_data(const struct outbox *outbox, u32 area)
{
    return outbox->data + area * OUTBOX_AREA_BYTES;
}

void outbox_open(struct outbox *outbox, u8 *data)
{
    ASSERT((uintptr_t)data % OUTBOX_FREE_BYTES == 0);
    *outbox = (struct outbox){.data = data,
                              .areas = {{.touched = OUTBOX_FREE_BYTES}, {.touched = OUTBOX_FREE_BYTES}}};
}

static void shrink(struct outbox *outbox, struct quota *quota)
{
    for (u32 i = 0; i < 2; i++) {
        struct outbox_area *area = &outbox->areas[i];
        u32 extra = area->touched - OUTBOX_FREE_BYTES;
        if (extra == 0) continue;
        host_discard(area_data(outbox, i) + OUTBOX_FREE_BYTES, extra);
        quota_give(quota, extra);
        area->touched = OUTBOX_FREE_BYTES;
    }
}

void outbox_close(struct outbox *outbox, struct quota *quota) { shrink(outbox, quota); }

void outbox_shrink(struct outbox *outbox, struct quota *quota)
{
    if (outbox_empty(outbox)) shrink(outbox, quota);
}

/* How much more memory an area needs to hold `bytes`. */
static u32 area_grow(const struct outbox_area *area, u32 bytes)
{
    if (bytes <= area->touched) return 0;
    u64 wanted = OUTBOX_FREE_BYTES + round_up(bytes - OUTBOX_FREE_BYTES, OUTBOX_STEP_BYTES);
    return (u32)min_u64(wanted, OUTBOX_AREA_BYTES) - area->touched;
}

static void area_begin(struct outbox *outbox, u32 area)
{
    outbox->areas[area].start = outbox->written;
    outbox->areas[area].bytes = 0;
}

u8 *outbox_reserve(struct outbox *outbox, struct quota *quota, u32 bytes)
{
    ASSERT(bytes <= OUTBOX_AREA_BYTES);
    if (outbox_empty(outbox)) area_begin(outbox, outbox->fill);
    struct outbox_area *area = &outbox->areas[outbox->fill];
    if (OUTBOX_AREA_BYTES - area->bytes < bytes) {
        MARK_IF(outbox->fill != outbox->drain, "both outbox areas full");
        if (outbox->fill != outbox->drain) return NULL;
        MARK("other outbox area filled");
        outbox->fill = 1 - outbox->fill;
        area_begin(outbox, outbox->fill);
        area = &outbox->areas[outbox->fill];
    }
    u32 grow = area_grow(area, area->bytes + bytes);
    bool overdraft = outbox_empty(outbox) && quota->used_bytes + grow <= 2 * quota->max_bytes;
    MARK_IF(overdraft && quota->used_bytes + grow > quota->max_bytes, "outbox overdraft");
    if (!overdraft && !quota_has(quota, grow)) return NULL;
    return area_data(outbox, outbox->fill) + area->bytes;
}

u64 outbox_commit(struct outbox *outbox, struct quota *quota, u32 bytes)
{
    struct outbox_area *area = &outbox->areas[outbox->fill];
    ASSERT(bytes % 8 == 0 && OUTBOX_AREA_BYTES - area->bytes >= bytes);
    u32 grow = area_grow(area, area->bytes + bytes);
    quota->used_bytes += grow; /* outbox_reserve() has asked */
    area->touched += grow;
    area->bytes += bytes;
    outbox->written += bytes;
    return outbox->written;
}

void outbox_release(struct outbox *outbox, u64 position)
{
    ASSERT(position >= outbox->released && position <= outbox->written);
    outbox->released = position;
}

u32 outbox_sendable(const struct outbox *outbox, const u8 **data)
{
    const struct outbox_area *area = &outbox->areas[outbox->drain];
    u64 end = min_u64(outbox->released, area->start + area->bytes);
    if (end <= outbox->sent) return 0;
    *data = area_data(outbox, outbox->drain) + (outbox->sent - area->start);
    return (u32)(end - outbox->sent);
}

void outbox_sent(struct outbox *outbox, u32 bytes)
{
    const struct outbox_area *area = &outbox->areas[outbox->drain];
    outbox->sent += bytes;
    ASSERT(outbox->sent <= outbox->released && outbox->sent <= area->start + area->bytes);
    if (outbox->sent == area->start + area->bytes) outbox->drain = outbox->fill;
}
