#include "protocol/frames.h"

#include "core/frame.h"

void example_begin(struct example *example, u16 op, u16 flags, u64 seq)
{
    memset(&example->frame, 0, sizeof(example->frame));
    example->frame.header = (struct tkd_frame){.magic = TKD_MAGIC,
                                               .version = TKD_PROTOCOL_VERSION,
                                               .op = op,
                                               .flags = flags,
                                               .status = flags & (TKD_FLAG_REPLY | TKD_FLAG_PUSH) ? TKD_OK : 0,
                                               .size = TKD_FRAME_BYTES,
                                               .seq = seq};
}

static void append(struct example *example, const void *data, u32 bytes)
{
    struct tkd_frame *header = &example->frame.header;
    ASSERT(header->size + bytes <= EXAMPLE_BYTES_MAX);
    memcpy(example->frame.bytes + header->size, data, bytes);
    header->size += bytes;
}

void example_add(struct example *example, u32 record, const void *head, const struct tkd_text *texts)
{
    const struct tkd_record_info *info = tkd_record_info(record);
    u32 begin = example->frame.header.size;
    append(example, head, info->head_bytes);
    example->frame.header.count++;
    if (record == TKD_RECORD_result) return;

    for (u32 i = 0; i < info->texts_count; i++) {
        if (texts) append(example, texts[i].data ? texts[i].data : "", texts[i].bytes);
        u32 bytes = texts ? texts[i].bytes : 0;
        memcpy(example->frame.bytes + begin + info->texts_offset + i * sizeof(u32), &bytes, sizeof(bytes));
    }
    u32 size = example->frame.header.size - begin;
    append(example, "\0\0\0\0\0\0\0", (u32)round_up(size, 8) - size);
    struct tkd_prefix *prefix = (struct tkd_prefix *)(example->frame.bytes + begin);
    prefix->size = (u32)round_up(size, 8);
    prefix->head = (u16)info->head_bytes;
}

void example_seal(struct example *example) { frame_seal(&example->frame.header); }

u32 example_record(const struct tkd_frame *frame)
{
    const struct tkd_op_info *op = tkd_op_info(frame->op);
    ASSERT(op);
    return frame->flags & (TKD_FLAG_REPLY | TKD_FLAG_PUSH) ? op->answer : op->request;
}

/* Names of what a record's `kind` means. */
static const char *kind_name(u32 record, u32 kind)
{
    switch (record) {
    case TKD_RECORD_ticket_update:
        return tkd_name(TKD_ENUM_VERB, kind);
    case TKD_RECORD_catalog_entry:
    case TKD_RECORD_catalog_read:
        return tkd_name(TKD_ENUM_KIND, kind);
    case TKD_RECORD_event:
        return tkd_name(TKD_ENUM_EVENT, kind);
    default:
        return "none";
    }
}

static u64 number_at(const u8 *data, u32 bytes)
{
    u64 value = 0;
    memcpy(&value, data, bytes);
    return value;
}

static void print_text(FILE *to, const u8 *text, u32 bytes, bool ids)
{
    fputc(ids ? '[' : '"', to);
    for (u32 i = 0; i < bytes; i += ids ? 2 : 1) {
        if (ids) {
            fprintf(to, "%s%u", i ? " " : "", (u32)number_at(text + i, 2));
        } else if (text[i] == '\n' || text[i] == '"' || text[i] == '\\') {
            fprintf(to, "\\%c", text[i] == '\n' ? 'n' : text[i]);
        } else {
            fputc(text[i], to);
        }
    }
    fputc(ids ? ']' : '"', to);
}

static void print_record(FILE *to, u32 record, const u8 *data)
{
    const struct tkd_record_info *info = tkd_record_info(record);
    fprintf(to, "%s", info->name);
    struct tkd_prefix prefix = {.head = (u16)info->head_bytes};
    if (record != TKD_RECORD_result) {
        memcpy(&prefix, data, sizeof(prefix));
        fprintf(to, " size=%u head=%u kind=%u", prefix.size, prefix.head, prefix.kind);
    }
    const u8 *text = data + prefix.head;
    for (u32 i = 0; i < info->fields_count; i++) {
        const struct tkd_field *field = &info->fields[i];
        u64 number = number_at(data + field->offset, field->bytes);
        fprintf(to, " %s=", field->name);
        if (field->text) {
            print_text(to, text, (u32)number, field->ids);
            text += number;
        } else {
            fprintf(to, "%llu", (unsigned long long)number);
        }
    }
    fputc('\n', to);
}

static u32 record_bytes(u32 record, const u8 *data)
{
    if (record == TKD_RECORD_result) return sizeof(struct tkd_result);
    return (u32)number_at(data, 4);
}

void frame_print(FILE *to, const struct tkd_frame *frame, const char *lead)
{
    u32 record = example_record(frame);
    fprintf(to, "%sframe version=%u op=%s flags=%u status=%u size=%u count=%u session=%llu seq=%llu", lead,
            frame->version, tkd_op_info(frame->op)->name, frame->flags, frame->status, frame->size, frame->count,
            (unsigned long long)frame->session, (unsigned long long)frame->seq);
    fprintf(to, " ack_below=%llu time_ms=%llu\n", (unsigned long long)frame->ack_below,
            (unsigned long long)frame->time_ms);
    const u8 *data = (const u8 *)(frame + 1);
    for (u32 i = 0; i < frame->count; i++) {
        fputs(lead, to);
        print_record(to, record, data);
        data += record_bytes(record, data);
    }
}

/* ---- Byte by byte ---- */

static void print_bytes(FILE *to, const u8 *base, u32 at, u32 bytes, const char *what)
{
    for (u32 done = 0; done < bytes; done += 8) {
        char columns[8 * 3 + 1] = "";
        for (u32 i = done; i < bytes && i < done + 8; i++) {
            snprintf(columns + 3 * (i - done), 4, " %02x", base[at + i]);
        }
        if (done) {
            fprintf(to, "%4u %s\n", at + done, columns);
        } else {
            fprintf(to, "%4u %-24s  %s\n", at, columns, what);
        }
    }
}

static void print_number(FILE *to, const u8 *base, u32 at, u32 bytes, const char *name, const char *note)
{
    char what[512];
    snprintf(what, sizeof(what), "%s = %llu%s", name, (unsigned long long)number_at(base + at, bytes), note);
    print_bytes(to, base, at, bytes, what);
}

static void print_checksum(FILE *to, const u8 *base, u32 at, u32 bytes, const char *name)
{
    char what[256];
    unsigned long long checksum = number_at(base + at, bytes);
    snprintf(what, sizeof(what), "%s = 0x%0*llx", name, (int)bytes * 2, checksum);
    print_bytes(to, base, at, bytes, what);
}

#define HEADER_NUMBER(member, note)                                                                          \
    print_number(to, base, offsetof(struct tkd_frame, member), sizeof(((struct tkd_frame *)0)->member), #member, note)

static void print_header(FILE *to, const struct tkd_frame *frame)
{
    const u8 *base = (const u8 *)frame;
    char note[64];
    print_bytes(to, base, 0, 4, "magic = \"TKD1\"");
    print_checksum(to, base, offsetof(struct tkd_frame, header_checksum), 4, "header_checksum");
    HEADER_NUMBER(version, "");
    snprintf(note, sizeof(note), " (%s)", tkd_op_info(frame->op)->name);
    HEADER_NUMBER(op, note);
    HEADER_NUMBER(flags, "");
    HEADER_NUMBER(status, "");
    HEADER_NUMBER(size, "");
    HEADER_NUMBER(count, "");
    HEADER_NUMBER(session, "");
    HEADER_NUMBER(seq, "");
    HEADER_NUMBER(ack_below, "");
    HEADER_NUMBER(time_ms, "");
    print_checksum(to, base, offsetof(struct tkd_frame, body_checksum), 8, "body_checksum");
}

static void print_record_bytes(FILE *to, u32 record, const u8 *base, u32 at)
{
    const struct tkd_record_info *info = tkd_record_info(record);
    u32 head = info->head_bytes, text = at + head;
    char what[128];
    if (record != TKD_RECORD_result) {
        snprintf(what, sizeof(what), " (%s)", kind_name(record, (u32)number_at(base + at + 6, 2)));
        print_number(to, base, at, 4, "size", " (of the record)");
        print_number(to, base, at + 4, 2, "head", "");
        print_number(to, base, at + 6, 2, "kind", what);
    }
    for (u32 i = 0; i < info->fields_count; i++) {
        const struct tkd_field *field = &info->fields[i];
        print_number(to, base, at + field->offset, field->bytes, field->name, field->text ? " (bytes)" : "");
    }
    if (record == TKD_RECORD_result) return;
    for (u32 i = 0; i < info->fields_count; i++) {
        const struct tkd_field *field = &info->fields[i];
        u32 bytes = field->text ? (u32)number_at(base + at + field->offset, 4) : 0;
        if (bytes == 0) continue;
        snprintf(what, sizeof(what), field->ids ? "%s" : "%s = \"%.*s\"", field->name, (int)bytes, base + text);
        print_bytes(to, base, text, bytes, what);
        text += bytes;
    }
    print_bytes(to, base, text, at + record_bytes(record, base + at) - text, "zero bytes up to a multiple of 8");
}

void frame_print_bytes(FILE *to, const struct tkd_frame *frame)
{
    const u8 *base = (const u8 *)frame;
    u32 record = example_record(frame), at = TKD_FRAME_BYTES;
    print_header(to, frame);
    for (u32 i = 0; i < frame->count; i++) {
        print_record_bytes(to, record, base, at);
        at += record_bytes(record, base + at);
    }
}

void golden_write(FILE *to, const char *title, example_source *source)
{
    static struct example example;
    fprintf(to, "# %s\n", title);
    for (u32 index = 0; source(&example, index); index++) {
        fprintf(to, "\n# %s: %s\n", example.name, example.description);
        frame_print(to, &example.frame.header, "# ");
        for (u32 i = 0; i < example.frame.header.size; i++) {
            bool last = i % 32 == 31 || i + 1 == example.frame.header.size;
            fprintf(to, "%02x%s", example.frame.bytes[i], last ? "\n" : "");
        }
    }
}
