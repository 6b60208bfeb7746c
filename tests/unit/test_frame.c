#include <criterion/criterion.h>

#include "base/prng.h"
#include "core/frame.h"

/* A frame under construction; records are written as raw bytes, so that every rule can be broken. */
static union {
    struct tkd_frame header;
    _Alignas(8) u8 bytes[TKD_FRAME_BYTES_MAX];
} sent;

static void begin(u16 op)
{
    memset(&sent, 0, sizeof(sent));
    sent.header = (struct tkd_frame){
        .magic = TKD_MAGIC, .version = TKD_PROTOCOL_VERSION, .op = op, .size = TKD_FRAME_BYTES};
}

static void *add(const void *head, u32 head_bytes, const char *texts, u32 texts_bytes)
{
    u8 *at = sent.bytes + sent.header.size;
    u32 size = (u32)round_up(head_bytes + texts_bytes, 8);
    cr_assert_leq(sent.header.size + size, TKD_FRAME_BYTES_MAX);
    memcpy(at, head, head_bytes);
    memcpy(at + head_bytes, texts, texts_bytes);
    struct tkd_prefix *prefix = (struct tkd_prefix *)at;
    prefix->size = size;
    prefix->head = (u16)head_bytes;
    sent.header.size += size;
    sent.header.count++;
    return at;
}

static enum tkd_status checked(void)
{
    frame_seal(&sent.header);
    enum tkd_status status = frame_header_check(&sent, sent.header.size);
    return status == TKD_OK ? frame_check(&sent.header) : status;
}

static struct tkd_ticket_create *add_create(void)
{
    struct tkd_ticket_create head = {
        .channel = 1, .queue = 2, .address_bytes = 3, .key_bytes = 2, .subject_bytes = 6, .skills_bytes = 2};
    return add(&head, sizeof(head), "abc" "k1" "物流" "\xff\xff", 13);
}

static void begin_create(void)
{
    begin(TKD_OP_TICKET_CREATE);
    add_create();
}

Test(frame, xxh64_test_vectors)
{
    cr_assert_eq(checksum_wire("", 0), 0xef46db3751d8e999u);
    cr_assert_eq(checksum_wire("a", 1), 0xd24ec4f1a98c6e5bu);
    cr_assert_eq(checksum_wire("abc", 3), 0x44bc2cf5ad770999u);
}

Test(frame, header_needs_its_bytes)
{
    begin_create();
    frame_seal(&sent.header);
    for (u32 bytes = 0; bytes < TKD_FRAME_BYTES; bytes++) cr_assert_eq(frame_header_check(&sent, bytes), 0);
    cr_assert_eq(frame_header_check(&sent, TKD_FRAME_BYTES), TKD_OK);
    cr_assert_eq(frame_header_check(&sent, sent.header.size), TKD_OK);
}

Test(frame, another_protocol_is_known_by_its_first_bytes)
{
    cr_assert_eq(frame_header_check("GET / HTTP/1.1\r\n", 16), TKD_BAD_MAGIC);
    cr_assert_eq(frame_header_check("GET", 3), 0);
}

Test(frame, every_damaged_bit_is_found)
{
    begin_create();
    add_create();
    frame_seal(&sent.header);
    for (u32 bit = 0; bit < sent.header.size * 8; bit++) {
        u32 size = sent.header.size;
        sent.bytes[bit / 8] ^= (u8)(1u << bit % 8);
        enum tkd_status status = frame_header_check(&sent, size);
        if (bit < 32) {
            cr_assert_eq(status, TKD_BAD_MAGIC);
        } else if (bit < TKD_FRAME_BYTES * 8) {
            cr_assert_eq(status, TKD_BAD_HEADER_CHECKSUM, "bit %u", bit);
        } else {
            cr_assert_eq(status, TKD_OK);
            cr_assert_eq(frame_check(&sent.header), TKD_BAD_BODY_CHECKSUM, "bit %u", bit);
        }
        sent.bytes[bit / 8] ^= (u8)(1u << bit % 8);
    }
    cr_assert_eq(frame_check(&sent.header), TKD_OK);
}

static enum tkd_status header_of_size(u32 size)
{
    begin(TKD_OP_PING);
    frame_seal(&sent.header);
    sent.header.size = size;
    sent.header.header_checksum = (u32)checksum_wire(&sent.header.version, TKD_FRAME_BYTES - 8);
    return frame_header_check(&sent, sizeof(sent.header));
}

Test(frame, sizes)
{
    static const u32 bad[] = {0, 8, 56, 63, 65, 68, TKD_FRAME_BYTES_MAX + 8, UINT32_MAX, UINT32_MAX - 7};
    for (u32 i = 0; i < ARRAY_COUNT(bad); i++) {
        cr_assert_eq(header_of_size(bad[i]), TKD_BAD_SIZE, "%u", bad[i]);
    }
    cr_assert_eq(header_of_size(TKD_FRAME_BYTES), TKD_OK);
    cr_assert_eq(header_of_size(TKD_FRAME_BYTES_MAX), TKD_OK);
    cr_assert(FRAME_FATAL(TKD_BAD_SIZE) && !FRAME_FATAL(TKD_BAD_VERSION));
}

Test(frame, version_op_flags_status)
{
    begin_create();
    sent.header.version = 2;
    cr_assert_eq(checked(), TKD_BAD_VERSION);
    begin_create();
    sent.header.op = 9999;
    cr_assert_eq(checked(), TKD_UNKNOWN_OP);
    sent.header.op = 0;
    cr_assert_eq(checked(), TKD_UNKNOWN_OP);
    begin(TKD_OP_PULSE);
    add(&(struct tkd_empty){0}, sizeof(struct tkd_empty), "", 0);
    cr_assert_eq(checked(), TKD_UNKNOWN_OP, "PULSE is made by the server alone");
    begin_create();
    sent.header.flags = TKD_FLAG_REPLY;
    cr_assert_eq(checked(), TKD_BAD_FLAGS);
    sent.header.flags = 0x8000;
    cr_assert_eq(checked(), TKD_BAD_FLAGS);
    sent.header.flags = TKD_FLAG_STOP;
    cr_assert_eq(checked(), TKD_OK);
    sent.header.status = TKD_OK;
    cr_assert_eq(checked(), TKD_BAD_FLAGS);
    begin(TKD_OP_PING);
    add(&(struct tkd_empty){0}, sizeof(struct tkd_empty), "", 0);
    cr_assert_eq(checked(), TKD_OK);
    sent.header.flags = TKD_FLAG_STOP;
    cr_assert_eq(checked(), TKD_BAD_FLAGS);
}

Test(frame, count_and_body_agree)
{
    begin(TKD_OP_TICKET_CREATE);
    cr_assert_eq(checked(), TKD_BAD_COUNT);
    begin_create();
    sent.header.count = 2;
    cr_assert_eq(checked(), TKD_BAD_RECORD, "a record is missing");
    sent.header.count = TKD_RECORDS_MAX + 1;
    cr_assert_eq(checked(), TKD_BAD_COUNT);
    begin_create();
    add_create();
    sent.header.count = 1;
    cr_assert_eq(checked(), TKD_BAD_RECORD, "bytes are left over");
    begin(TKD_OP_TICKET_GET);
    struct tkd_ticket_get get = {.ticket = 1};
    add(&get, sizeof(get), "", 0);
    cr_assert_eq(checked(), TKD_OK);
    add(&get, sizeof(get), "", 0);
    cr_assert_eq(checked(), TKD_BAD_COUNT, "a query takes one record");
}

Test(frame, record_sizes)
{
    static const u32 bad_sizes[] = {0, 1, 8, 81, 4096, UINT32_MAX, UINT32_MAX - 7};
    for (u32 i = 0; i < ARRAY_COUNT(bad_sizes); i++) {
        begin(TKD_OP_TICKET_CREATE);
        add_create()->size = bad_sizes[i];
        cr_assert_eq(checked(), TKD_BAD_RECORD, "size %u", bad_sizes[i]);
    }
    static const u16 bad_heads[] = {0, 4, 7, 9, 60, 65528, UINT16_MAX};
    for (u32 i = 0; i < ARRAY_COUNT(bad_heads); i++) {
        begin(TKD_OP_TICKET_CREATE);
        add_create()->head = bad_heads[i];
        cr_assert_eq(checked(), TKD_BAD_RECORD, "head %u", bad_heads[i]);
    }
}

Test(frame, texts_fill_the_record)
{
    begin(TKD_OP_TICKET_CREATE);
    add_create()->subject_bytes = 5;
    cr_assert_eq(checked(), TKD_BAD_RECORD, "what is left over is not zero");
    begin(TKD_OP_TICKET_CREATE);
    add_create()->body_bytes = 4;
    cr_assert_eq(checked(), TKD_BAD_RECORD, "texts reach beyond the record");
    begin(TKD_OP_TICKET_CREATE);
    add_create()->body_bytes = UINT32_MAX - 12;
    cr_assert_eq(checked(), TKD_BAD_RECORD, "lengths do not wrap around");
    begin(TKD_OP_TICKET_CREATE);
    struct tkd_ticket_create head = {.channel = 1};
    add(&head, sizeof(head), "\0\0\0\0\0\0\0\0", 8);
    cr_assert_eq(checked(), TKD_BAD_RECORD, "padding is below 8 bytes");
}

static enum tkd_status subject_of(u32 bytes)
{
    static char text[4096];
    memset(text, 'x', sizeof(text));
    begin(TKD_OP_TICKET_CREATE);
    struct tkd_ticket_create head = {.subject_bytes = bytes};
    add(&head, sizeof(head), text, bytes);
    return checked();
}

Test(frame, text_limits)
{
    cr_assert_eq(subject_of(1024), TKD_OK);
    cr_assert_eq(subject_of(1025), TKD_BAD_RECORD);
}

static enum tkd_status subject_is(const char *text)
{
    begin(TKD_OP_TICKET_CREATE);
    struct tkd_ticket_create head = {.subject_bytes = (u32)strlen(text)};
    add(&head, sizeof(head), text, (u32)strlen(text));
    return checked();
}

Test(frame, utf8)
{
    static const char *const good[] = {"", "plain", "物流延迟", "é", "\U0001F600", "x\xf4\x8f\xbf\xbf", "\xed\x9f\xbf",
                                       "\xee\x80\x80", "12345678物12345678", "\x7f\xc2\x80"};
    static const char *const bad[] = {"\x80", "\xc2", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf",
                                      "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80", "\xff", "\xe7\x89", "\xe7\x89x", "1234567\xe7",
                                      "12345678\xbf" "1234567", "\xf0\x9f\x98"};
    for (u32 i = 0; i < ARRAY_COUNT(good); i++) cr_assert_eq(subject_is(good[i]), TKD_OK, "good %u", i);
    for (u32 i = 0; i < ARRAY_COUNT(bad); i++) cr_assert_eq(subject_is(bad[i]), TKD_BAD_RECORD, "bad %u", i);
}

/* The first two bytes decide which third there may be; whatever stands behind them, or nothing. */
static bool three_bytes(u32 a, u32 b, u32 c)
{
    bool tail = (b & 0xc0) == 0x80 && (c & 0xc0) == 0x80;
    return tail && a >= 0xe0 && a <= 0xef && (a != 0xe0 || b >= 0xa0) && (a != 0xed || b < 0xa0);
}

Test(frame, utf8_of_three_bytes)
{
    static const u8 thirds[] = {0x7f, 0x80, 0xbf, 0xc0};
    for (u32 a = 0xdf; a < 0xf1; a++)
        for (u32 b = 0x40; b < 0x100; b++)
            for (u32 i = 0; i < ARRAY_COUNT(thirds); i++) {
                char text[16] = {(char)a, (char)b, (char)thirds[i]};
                bool two = a == 0xdf && (b & 0xc0) == 0x80 && thirds[i] < 0x80;
                enum tkd_status wanted = two || three_bytes(a, b, thirds[i]) ? TKD_OK : TKD_BAD_RECORD;
                cr_assert_eq(subject_is(text), wanted, "%x %x %x", a, b, thirds[i]);
                strcat(text, "12345678");
                if (a < 0xf0) cr_assert_eq(subject_is(text), wanted, "%x %x %x and more", a, b, thirds[i]);
            }
}

/* A sequence must not run on from one text into the next. */
Test(frame, utf8_ends_with_its_text)
{
    begin(TKD_OP_TICKET_CREATE);
    struct tkd_ticket_create head = {.address_bytes = 1, .key_bytes = 2};
    add(&head, sizeof(head), "物", 3);
    cr_assert_eq(checked(), TKD_BAD_RECORD);
}

Test(frame, ids_are_pairs_of_bytes)
{
    begin(TKD_OP_TICKET_CREATE);
    struct tkd_ticket_create head = {.skills_bytes = 3};
    add(&head, sizeof(head), "\xff\xff\xff", 3);
    cr_assert_eq(checked(), TKD_BAD_RECORD);
    begin(TKD_OP_CATALOG_APPLY);
    struct tkd_catalog_entry entry = {.kind = TKD_KIND_AGENT, .id = 1, .name_bytes = 1, .queues_bytes = 4};
    add(&entry, sizeof(entry), "a" "\xff\xfe\x01\x80", 5);
    cr_assert_eq(checked(), TKD_OK);
}

Test(frame, kinds)
{
    for (u32 kind = 0; kind < 300; kind++) {
        struct tkd_ticket_update update = {.kind = (u16)kind, .ticket = 1};
        begin(TKD_OP_TICKET_UPDATE);
        add(&update, sizeof(update), "", 0);
        cr_assert_eq(checked(), kind >= 1 && kind <= TKD_VERB_MESSAGE ? TKD_OK : TKD_BAD_RECORD, "verb %u", kind);
        struct tkd_catalog_read read = {.kind = (u16)kind};
        begin(TKD_OP_CATALOG_READ);
        add(&read, sizeof(read), "", 0);
        cr_assert_eq(checked(), kind >= 1 && kind <= TKD_KIND_POLICY ? TKD_OK : TKD_BAD_RECORD, "kind %u", kind);
    }
    begin(TKD_OP_TICKET_CREATE);
    add_create()->kind = 1;
    cr_assert_eq(checked(), TKD_BAD_RECORD, "a create has no kind");
}

Test(frame, reserved_members_are_zero)
{
    begin(TKD_OP_TICKET_UPDATE);
    struct tkd_ticket_update update = {.kind = TKD_VERB_URGE, .ticket = 1, .reserved1 = 1};
    add(&update, sizeof(update), "", 0);
    cr_assert_eq(checked(), TKD_BAD_RECORD);
    begin(TKD_OP_HELLO);
    struct tkd_hello hello = {.version_min = 1, .version_max = 1, .reserved = 0x1000000};
    add(&hello, sizeof(hello), "", 0);
    cr_assert_eq(checked(), TKD_BAD_RECORD);
}

/* An older client knows fewer members, a newer one more. */
Test(frame, shorter_and_longer_heads)
{
    struct {
        struct tkd_ticket_get get;
        u64 later[2];
    } longer = {.get = {.ticket = 7, .key_bytes = 3}};
    begin(TKD_OP_TICKET_GET);
    add(&longer, sizeof(longer), "key", 3);
    cr_assert_eq(checked(), TKD_OK);
    struct tkd_ticket_get head;
    record_head(frame_first(&sent.header), &head, sizeof(head));
    cr_assert_eq(head.ticket, 7);
    cr_assert_eq(head.key_bytes, 3);
    cr_assert_arr_eq(record_texts(frame_first(&sent.header)), "key", 3);

    longer.later[1] = (u64)1 << 63;
    begin(TKD_OP_TICKET_GET);
    add(&longer, sizeof(longer), "key", 3);
    cr_assert_eq(checked(), TKD_BAD_RECORD);

    begin(TKD_OP_TICKET_GET);
    add(&(struct tkd_ticket_get){.ticket = 9}, 16, "", 0);
    cr_assert_eq(checked(), TKD_OK);
    memset(&head, 0xff, sizeof(head));
    record_head(frame_first(&sent.header), &head, sizeof(head));
    cr_assert_eq(head.ticket, 9);
    cr_assert_eq(head.head, 16);
    cr_assert_eq(head.key_bytes + head.receiver_bytes + head.channel + head.reserved, 0);

    begin(TKD_OP_TICKET_GET);
    add(&(struct tkd_ticket_get){.ticket = 9}, 16, "key", 3);
    cr_assert_eq(checked(), TKD_BAD_RECORD, "a text whose length was not sent");
}

Test(frame, batches)
{
    begin(TKD_OP_TICKET_CREATE);
    for (u32 i = 0; i < TKD_RECORDS_MAX; i++) add_create();
    cr_assert_eq(checked(), TKD_OK);
    const struct tkd_prefix *record = frame_first(&sent.header);
    for (u32 i = 0; i < TKD_RECORDS_MAX; i++) record = record_next(record);
    cr_assert_eq((const u8 *)record, sent.bytes + sent.header.size);
}

/* Whatever is in a frame with right checksums, checking it reads nothing beyond it (under the sanitizers)
 * and what it accepts obeys the rules. */
Test(frame, mutated_frames_never_break_the_rules)
{
    struct prng prng = prng_seeded(11);
    u32 accepted = 0;
    for (u32 round = 0; round < 20000; round++) {
        begin_create();
        add_create();
        u32 changes = 1 + (u32)prng_below(&prng, 3);
        for (u32 i = 0; i < changes; i++) {
            u64 at = TKD_FRAME_BYTES + prng_below(&prng, sent.header.size - TKD_FRAME_BYTES);
            sent.bytes[at] = (u8)prng_next(&prng);
        }
        if (checked() != TKD_OK) continue;
        accepted++;
        const struct tkd_prefix *record = frame_first(&sent.header);
        for (u32 i = 0; i < sent.header.count; i++, record = record_next(record)) {
            struct tkd_ticket_create head;
            record_head(record, &head, sizeof(head));
            u64 texts = (u64)head.address_bytes + head.receiver_bytes + head.key_bytes + head.subject_bytes +
                        head.body_bytes + head.skills_bytes;
            cr_assert_eq(head.kind, 0);
            cr_assert_eq(round_up(record->head + texts, 8), record->size);
        }
        cr_assert_eq((const u8 *)record, sent.bytes + sent.header.size);
    }
    cr_assert(accepted > 100 && accepted < 20000, "%u", accepted);
}
