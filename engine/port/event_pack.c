#include "port/event_pack.h"

_Static_assert(sizeof(struct tkd_event) == 88, "all members have a column, or follow from others");
_Static_assert(EVENT_PACK_COLUMNS <= 15, "a bit each, and one that is never set");

/* Tickets come in any order, so the difference may be negative: small ones of either sign become small numbers. */
static u64 zigzag(u64 difference) { return difference << 1 ^ (0 - (difference >> 63)); }
static u64 zigzag_back(u64 number) { return number >> 1 ^ (0 - (number & 1)); }

/* Bytes behind the head, beyond those that the text takes: 0 but for records that are not of the engine's making. */
static u32 tail_rest(const struct tkd_event *event)
{
    return event_tail_bytes(event) - (u32)round_up(event->text_bytes, 8);
}

u32 event_pack(const struct tkd_event *event, const struct tkd_event *before, u8 *packed)
{
    ASSERT(event->head == sizeof *event && event->size >= sizeof *event);
    ASSERT(event->seq == before->seq + 1 && event->previous != event->seq);
    const u64 columns[EVENT_PACK_COLUMNS] = {
        event->kind,
        event->time_ms - before->time_ms,
        zigzag(event->ticket - before->ticket),
        event->previous == 0 ? 0 : event->seq - event->previous,
        event->cause - before->cause,
        event->link,
        event->station,
        event->actor,
        event->a,
        event->b,
        event->c,
        event->d,
        event->e,
        event->text_bytes,
        tail_rest(event),
    };
    u32 at = sizeof(u16);
    u16 mask = 0;
    for (u32 i = 0; i < EVENT_PACK_COLUMNS; i++) {
        u64 number = columns[i];
        if (number == 0) continue;
        mask = (u16)(mask | 1u << i);
        for (; number > 0x7f; number >>= 7) packed[at++] = (u8)(number | 0x80);
        packed[at++] = (u8)number;
    }
    memcpy(packed, &mask, sizeof mask);
    return at;
}

/* Reads the columns; 0: they are not all there, or not numbers. */
static u32 columns_read(u64 *columns, const u8 *packed, u64 bytes)
{
    u16 mask;
    if (bytes < sizeof mask) return 0;
    memcpy(&mask, packed, sizeof mask);
    if (mask >> EVENT_PACK_COLUMNS != 0) return 0;
    u32 at = sizeof mask;
    for (u32 i = 0; i < EVENT_PACK_COLUMNS; i++) {
        columns[i] = 0;
        bool more = mask >> i & 1;
        for (u32 shift = 0; more; shift += 7) {
            if (at == bytes || shift > 63) return 0;
            u8 byte = packed[at++];
            columns[i] |= (u64)(byte & 0x7f) << shift;
            more = byte & 0x80;
        }
    }
    return at;
}

u32 event_unpack(struct tkd_event *event, const u8 *packed, u64 bytes)
{
    u64 columns[EVENT_PACK_COLUMNS];
    u32 used = columns_read(columns, packed, bytes);
    if (used == 0 || columns[0] > UINT16_MAX) return 0;
    for (u32 i = 6; i < EVENT_PACK_COLUMNS; i++)
        if (columns[i] > UINT32_MAX) return 0;
    u64 seq = event->seq + 1;
    *event = (struct tkd_event){
        .head = sizeof *event,
        .kind = (u16)columns[0],
        .seq = seq,
        .time_ms = event->time_ms + columns[1],
        .ticket = event->ticket + zigzag_back(columns[2]),
        .previous = columns[3] == 0 ? 0 : seq - columns[3],
        .cause = event->cause + columns[4],
        .link = columns[5],
        .station = (u32)columns[6],
        .actor = (u32)columns[7],
        .a = (u32)columns[8],
        .b = (u32)columns[9],
        .c = (u32)columns[10],
        .d = (u32)columns[11],
        .e = (u32)columns[12],
        .text_bytes = (u32)columns[13],
    };
    event->size = (u32)(sizeof *event + round_up(columns[13], 8) + columns[14]);
    bool sane = event->size >= sizeof *event && event->size <= TKD_FRAME_BYTES_MAX;
    return sane ? used : 0;
}
