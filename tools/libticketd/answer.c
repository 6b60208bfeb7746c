#include "answer.h"

#include <string.h>

#include "core/frame.h"

static bool all_zero(const u8 *data, u32 bytes)
{
    for (u32 i = 0; i < bytes; i++) {
        if (data[i] != 0) return false;
    }
    return true;
}

/* The length of a row's text, 0 when the row was written before the text existed. */
static u32 text_bytes(const struct tkd_record_info *info, const struct tkd_prefix *row, u32 text)
{
    u32 offset = info->texts_offset + text * (u32)sizeof(u32);
    u32 bytes = 0;
    if (offset + sizeof(u32) <= row->head) memcpy(&bytes, (const u8 *)row + offset, sizeof(bytes));
    return bytes;
}

/* A row from a newer server may have a longer head. Texts that this library knows come first then, so what
 * it does not know lies behind them. */
static bool row_valid(const struct tkd_record_info *info, const struct tkd_prefix *row, u32 room)
{
    if (room < sizeof(*row) || row->size > room || row->size % 8 != 0) return false;
    if (row->head < sizeof(*row) || row->head > row->size || row->head % 8 != 0) return false;
    u32 left = row->size - row->head;
    for (u32 i = 0; i < info->texts_count; i++) {
        u32 bytes = text_bytes(info, row, i);
        if (bytes > left) return false;
        left -= bytes;
    }
    if (row->head > info->head_bytes) return true;
    return left < 8 && all_zero((const u8 *)row + row->size - left, left);
}

static bool rows_valid(const struct tkd_frame *frame, u32 record)
{
    u32 room = frame->size - TKD_FRAME_BYTES;
    if (frame->count > TKD_RECORDS_MAX) return false;
    if (record == TKD_RECORD_result) return room == frame->count * sizeof(struct tkd_result);
    const struct tkd_record_info *info = tkd_record_info(record);
    const struct tkd_prefix *row = frame_first(frame);
    for (u32 i = 0; i < frame->count; i++) {
        if (!info || !row_valid(info, row, room)) return false;
        room -= row->size;
        row = record_next(row);
    }
    return room == 0;
}

const char *answer_check(const struct tkd_frame *frame)
{
    if (frame->body_checksum != checksum_wire(frame + 1, frame->size - TKD_FRAME_BYTES)) {
        return "its body checksum is wrong";
    }
    if (!tkd_status_info(frame->status)) return "its status is unknown";
    bool push = frame->flags & TKD_FLAG_PUSH;
    if (!push && !(frame->flags & TKD_FLAG_REPLY)) return "it is no answer";
    const struct tkd_op_info *op = tkd_op_info(frame->op);
    /* A refusal of what the server could not read has no op, and no rows. */
    if (!op) return frame->count == 0 && frame->size == TKD_FRAME_BYTES ? NULL : "its op is unknown";
    if (!rows_valid(frame, op->answer)) return "its rows do not add up";
    return NULL;
}

void answer_read(const struct tkd_frame *frame, struct tkd_answer *answer)
{
    *answer = (struct tkd_answer){
        .op = frame->op,
        .flags = frame->flags,
        .status = frame->status,
        .count = frame->count,
        .seq = frame->seq,
        .cursor = frame->ack_below,
        .time_ms = frame->time_ms,
        .rows = frame + 1,
        .rows_bytes = frame->size - TKD_FRAME_BYTES,
    };
}

const struct tkd_prefix *tkd_next_row(const struct tkd_answer *answer, const void *row)
{
    const u8 *end = (const u8 *)answer->rows + answer->rows_bytes;
    const struct tkd_prefix *next = answer->rows;
    if (row) next = record_next(row);
    return (const u8 *)next < end ? next : NULL;
}

void tkd_read(u32 record, const void *row, void *head)
{
    const struct tkd_record_info *info = tkd_record_info(record);
    if (info) record_head(row, head, info->head_bytes);
}

struct tkd_text tkd_row_text(u32 record, const void *row, u32 text)
{
    const struct tkd_record_info *info = tkd_record_info(record);
    const struct tkd_prefix *prefix = row;
    struct tkd_text found = {record_texts(prefix), 0};
    if (!info || text >= info->texts_count) return found;
    for (u32 i = 0; i < text; i++) found.data += text_bytes(info, prefix, i);
    found.bytes = text_bytes(info, prefix, text);
    return found;
}
