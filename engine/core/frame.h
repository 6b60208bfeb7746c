/* Verifying what came from outside: sizes, checksums, flags, every record of a frame. Pure. */
#ifndef CORE_FRAME_H
#define CORE_FRAME_H

#include "base/base.h"

#define FRAME_FATAL(status)                                                                                  \
    ((status) == TKD_BAD_MAGIC || (status) == TKD_BAD_HEADER_CHECKSUM || (status) == TKD_BAD_SIZE)

/* `bytes` have arrived. OK: a whole header that can be believed; the frame will have `size` bytes.
 * 0: fewer bytes than a header. Otherwise the reason to refuse it; after a fatal one the connection cannot
 * go on, because the frame's end is not known. */
enum tkd_status frame_header_check(const void *data, u64 bytes);
/* The whole frame is there and its header was checked: body checksum, op, flags, count, every record. */
enum tkd_status frame_check(const struct tkd_frame *frame);
/* Fills in both checksums. */
void frame_seal(struct tkd_frame *frame);

/* Reads a record's fixed head, zero-extended when the client knows fewer members. */
void record_head(const void *record, void *head, u32 head_bytes);
/* The same without copying a head that is long enough already. */
static inline const void *record_view(const struct tkd_prefix *record, void *extended, u32 head_bytes)
{
    if (record->head >= head_bytes) return record;
    record_head(record, extended, head_bytes);
    return extended;
}
/* The first record behind a header, and the one behind a record. */
static inline const struct tkd_prefix *frame_first(const struct tkd_frame *frame)
{
    return (const struct tkd_prefix *)(frame + 1);
}
static inline const struct tkd_prefix *record_next(const struct tkd_prefix *record)
{
    return (const struct tkd_prefix *)((const u8 *)record + record->size);
}
/* The texts begin behind the head that the client sent. */
static inline const char *record_texts(const struct tkd_prefix *record) { return (const char *)record + record->head; }

u64 checksum_wire(const void *data, u64 bytes); /* XXH64, seed 0 */

#endif
