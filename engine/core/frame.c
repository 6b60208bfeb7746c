/* Verifying frames. Invariants for everyone behind frame_check() == OK:
 *  - header and body are what the client sent (checksums), and the body holds exactly `count` records;
 *  - every record lies inside the frame, its head is whole 8-byte words, and its texts fill the rest but for
 *    less than 8 zero bytes;
 *  - texts are no longer than the schema allows and are UTF-8, lists of ids have an even length;
 *  - `kind` is a member of the op's enumeration, reserved members and members unknown here are zero.
 * Values of the other members are the state machine's business: a bad one is refused record by record.
 */
#include "core/frame.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define SHAPE_TEXTS_MAX 8u
#define SHAPE_RESERVED_MAX 2u
#define HIGH_BITS 0x8080808080808080u

/* Room for the head of any record. */
#define HEAD_MEMBER(record, doc) struct tkd_##record head_##record;
union head_any {
    TKD_RECORDS(HEAD_MEMBER)
};

/* What is asked of every record of a frame, gathered once a frame from the schema's tables. */
struct shape {
    u32 head_bytes;
    u32 texts_offset;
    u32 texts_count;
    u32 reserved_count;
    u32 kind_max; /* kinds are 1..kind_max; 0: the record has no kind */
    u32 ids;      /* a bit a text: it is a list of ids */
    u32 text_bytes_max[SHAPE_TEXTS_MAX];
    u16 reserved_offset[SHAPE_RESERVED_MAX];
    u8 reserved_bytes[SHAPE_RESERVED_MAX];
};

u64 checksum_wire(const void *data, u64 bytes) { return XXH64(data, bytes, 0); }

static u32 header_checksum(const struct tkd_frame *frame)
{
    const u32 from = offsetof(struct tkd_frame, version);
    return (u32)checksum_wire((const u8 *)frame + from, TKD_FRAME_BYTES - from);
}

void frame_seal(struct tkd_frame *frame)
{
    ASSERT(frame->size >= TKD_FRAME_BYTES && frame->size <= TKD_FRAME_BYTES_MAX);
    frame->body_checksum = checksum_wire(frame + 1, frame->size - TKD_FRAME_BYTES);
    frame->header_checksum = header_checksum(frame);
}

enum tkd_status frame_header_check(const void *data, u64 bytes)
{
    struct tkd_frame header;
    if (bytes < sizeof(header.magic)) return 0;
    memcpy(&header.magic, data, sizeof(header.magic));
    if (header.magic != TKD_MAGIC) return TKD_BAD_MAGIC;
    if (bytes < sizeof(header)) return 0;
    memcpy(&header, data, sizeof(header));
    if (header.header_checksum != header_checksum(&header)) return TKD_BAD_HEADER_CHECKSUM;
    bool sane = header.size >= TKD_FRAME_BYTES && header.size <= TKD_FRAME_BYTES_MAX && header.size % 8 == 0;
    return sane ? TKD_OK : TKD_BAD_SIZE;
}

static u32 kind_max_of(u32 record)
{
    if (record == TKD_RECORD_ticket_update) return TKD_VERB_END - 1;
    if (record == TKD_RECORD_catalog_entry || record == TKD_RECORD_catalog_read) return TKD_KIND_END - 1;
    return 0;
}

static void shape_of(u32 record, struct shape *shape)
{
    const struct tkd_record_info *info = tkd_record_info(record);
    ASSERT(info && info->texts_count <= SHAPE_TEXTS_MAX);
    *shape = (struct shape){.head_bytes = info->head_bytes,
                            .texts_offset = info->texts_offset,
                            .kind_max = kind_max_of(record)};
    for (u32 i = 0; i < info->fields_count; i++) {
        const struct tkd_field *field = &info->fields[i];
        if (field->text) {
            shape->ids |= (field->ids ? 1u : 0u) << shape->texts_count;
            shape->text_bytes_max[shape->texts_count++] = field->text_bytes_max;
        } else if (field->reserved) {
            ASSERT(shape->reserved_count < SHAPE_RESERVED_MAX);
            shape->reserved_offset[shape->reserved_count] = field->offset;
            shape->reserved_bytes[shape->reserved_count++] = field->bytes;
        }
    }
}

static bool all_zero(const u8 *data, u32 bytes)
{
    for (u32 i = 0; i < bytes; i++)
        if (data[i] != 0) return false;
    return true;
}

/* Bytes of the well-formed UTF-8 sequence at `text`, which begins with a byte above 0x7f; 0: there is none. */
static u32 utf8_sequence(const u8 *text, u32 bytes)
{
    static const u32 code_min[] = {0, 0, 0x80, 0x800, 0x10000};
    u32 lead = text[0];
    u32 length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || length > bytes) return 0;
    u32 code = lead & (0x7fu >> length);
    for (u32 i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) return 0;
        code = code << 6 | (text[i] & 0x3fu);
    }
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return code < code_min[length] || surrogate || code > 0x10ffff ? 0 : length;
}

/* Two of the most frequent characters, three bytes each, at the begin of the word; their first bytes exclude overlong
 * forms and surrogates. */
static bool utf8_threes(u64 word)
{
    u32 leads = 1u << (word & 15) | 1u << (word >> 24 & 15);
    return (word & 0xc0c0f0c0c0f0) == 0x8080e08080e0 && (leads & (1u << 0 | 1u << 0xd)) == 0;
}

static bool utf8_valid(const u8 *text, u32 bytes)
{
    u32 at = 0;
    while (bytes - at >= sizeof(u64)) {
        u64 word;
        memcpy(&word, text + at, sizeof word);
        u32 length = (word & HIGH_BITS) == 0 ? 8 : bit_lowest(word & HIGH_BITS) / 8;
        if (length == 0) length = utf8_threes(word) ? 6 : utf8_sequence(text + at, bytes - at);
        if (length == 0) return false;
        at += length;
    }
    while (at < bytes) {
        u32 length = text[at] < 0x80 ? 1 : utf8_sequence(text + at, bytes - at);
        if (length == 0) return false;
        at += length;
    }
    return true;
}

/* `bytes` in whole words, aligned. */
static bool ascii(const u8 *text, u32 bytes)
{
    u64 sum = 0;
    for (u32 at = 0; at < bytes; at += 8) sum |= *(const u64 *)(const void *)(text + at);
    return (sum & HIGH_BITS) == 0;
}

/* The texts begin at `text`; `room` bytes are left to the record's end. */
static bool texts_valid(const struct shape *shape, const u8 *head, const u8 *text, u32 room)
{
    bool plain = ascii(text, room);
    u32 used = 0;
    for (u32 i = 0; i < shape->texts_count; i++) {
        u32 bytes;
        memcpy(&bytes, head + shape->texts_offset + i * sizeof(u32), sizeof(bytes));
        if (bytes > shape->text_bytes_max[i] || bytes > room - used) return false;
        bool ids = shape->ids >> i & 1;
        if (ids && bytes % 2 != 0) return false;
        if (!plain && !ids && !utf8_valid(text + used, bytes)) return false;
        used += bytes;
    }
    return room - used < 8 && all_zero(text + used, room - used);
}

static bool members_valid(const struct shape *shape, const u8 *head)
{
    struct tkd_prefix prefix;
    memcpy(&prefix, head, sizeof(prefix));
    if (shape->kind_max ? prefix.kind == 0 || prefix.kind > shape->kind_max : prefix.kind != 0) return false;
    for (u32 i = 0; i < shape->reserved_count; i++) {
        if (!all_zero(head + shape->reserved_offset[i], shape->reserved_bytes[i])) return false;
    }
    return true;
}

/* Returns the record's size, 0 when it is not valid. `room` bytes are left to the frame's end. */
static u32 record_check(const struct shape *shape, const struct tkd_prefix *record, u32 room)
{
    if (room < sizeof(*record) || record->size > room || record->size % 8 != 0) return 0;
    if (record->head < sizeof(*record) || record->head > record->size || record->head % 8 != 0) return 0;
    const u8 *data = (const u8 *)record;
    union head_any extended;
    const u8 *head = data;
    if (record->head < shape->head_bytes) {
        record_head(record, &extended, shape->head_bytes);
        head = (const u8 *)&extended;
    } else if (!all_zero(data + shape->head_bytes, record->head - shape->head_bytes)) {
        return 0;
    }
    if (!members_valid(shape, head)) return 0;
    return texts_valid(shape, head, data + record->head, record->size - record->head) ? record->size : 0;
}

static enum tkd_status envelope_check(const struct tkd_frame *frame, const struct tkd_op_info *op)
{
    if (!op || op->class == TKD_CLASS_internal) return TKD_UNKNOWN_OP;
    u32 flags_allowed = op->class == TKD_CLASS_command ? TKD_FLAG_STOP : 0;
    if ((frame->flags & ~flags_allowed) != 0 || frame->status != 0) return TKD_BAD_FLAGS;
    return frame->count >= 1 && frame->count <= op->records_max ? TKD_OK : TKD_BAD_COUNT;
}

enum tkd_status frame_check(const struct tkd_frame *frame)
{
    ASSERT((uintptr_t)frame % 8 == 0);
    ASSERT(frame->size >= TKD_FRAME_BYTES && frame->size <= TKD_FRAME_BYTES_MAX && frame->size % 8 == 0);
    if (frame->version != TKD_PROTOCOL_VERSION) return TKD_BAD_VERSION;
    u32 room = frame->size - TKD_FRAME_BYTES;
    if (frame->body_checksum != checksum_wire(frame + 1, room)) return TKD_BAD_BODY_CHECKSUM;
    const struct tkd_op_info *op = tkd_op_info(frame->op);
    enum tkd_status status = envelope_check(frame, op);
    if (status != TKD_OK) return status;

    struct shape shape;
    shape_of(op->request, &shape);
    const struct tkd_prefix *record = frame_first(frame);
    for (u32 i = 0; i < frame->count; i++) {
        u32 bytes = record_check(&shape, record, room);
        if (bytes == 0) return TKD_BAD_RECORD;
        room -= bytes;
        record = record_next(record);
    }
    return room == 0 ? TKD_OK : TKD_BAD_RECORD;
}

void record_head(const void *record, void *head, u32 head_bytes)
{
    struct tkd_prefix prefix;
    memcpy(&prefix, record, sizeof(prefix));
    u32 sent = min_u32(prefix.head, head_bytes);
    memcpy(head, record, sent);
    if (sent < head_bytes) memset((u8 *)head + sent, 0, head_bytes - sent);
}
