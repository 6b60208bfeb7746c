#include "tests/sim/request.h"

#include <stdio.h>

#include "core/frame.h"
#include "core/limits.h"
#include "port/clock.h"
#include "tests/sim/world.h"

#define ENTRIES_A_KIND 6u

void request_begin(struct request *request, u16 op, u64 seq)
{
    *request_frame(request) = (struct tkd_frame){
        .magic = TKD_MAGIC, .version = TKD_PROTOCOL_VERSION, .op = op, .size = TKD_FRAME_BYTES, .seq = seq};
}

const struct tkd_frame *request_seal(struct request *request)
{
    frame_seal(request_frame(request));
    return request_frame(request);
}

/* Any one of this class that the schema has. */
static u16 some_op(u16 class)
{
    u16 ops[64], count = 0;
    for (u16 op = 1; op < ARRAY_COUNT(ops); op++) {
        if (tkd_op_info(op) != NULL && tkd_op_info(op)->class == class) ops[count++] = op;
    }
    ASSERT(tkd_op_info(ARRAY_COUNT(ops)) == NULL);
    return ops[chance_below(count)];
}

u16 request_random_command(void)
{
    static const u16 often[] = {TKD_OP_TICKET_CREATE, TKD_OP_TICKET_CREATE, TKD_OP_TICKET_CREATE,
                                TKD_OP_TICKET_UPDATE, TKD_OP_TICKET_UPDATE, TKD_OP_TICKET_UPDATE,
                                TKD_OP_TICKET_UPDATE, TKD_OP_TICKET_UPDATE, TKD_OP_AGENT_PRESENCE};
    if (chance(1, 10)) return some_op(TKD_CLASS_command);
    return often[chance_below(ARRAY_COUNT(often))];
}

/* ATTACH is for those who have a session; a DIGEST takes its time. */
u16 request_random_query(void)
{
    u16 op = TKD_OP_ATTACH;
    while (op == TKD_OP_ATTACH || (op == TKD_OP_DIGEST && !chance(1, 3))) op = some_op(TKD_CLASS_query);
    return op;
}

u64 request_time(void)
{
    if (!world->plan.virtual_clock) return chance(1, 100) ? clock_wall_ms() : 0;
    if (world->healed) return clock_wall_ms() + DAY_MS;
    if (chance(1, 4)) return 0;
    return clock_wall_ms() - (chance(1, 20) ? chance_below(HOUR_MS) : 0);
}

/* ---- Numbers ---- */

static u64 small(u64 count) { return chance(1, 40) ? chance_below(count + 4) : 1 + chance_below(count); }

/* Seldom with a bit that few numbers have. */
static u64 or_beyond(u64 number) { return chance(1, 100) ? number | 1ull << (31 + chance_below(33)) : number; }

static u64 some_ticket(u64 tickets)
{
    u64 back = chance_below(chance(4, 5) ? 40 : tickets + 2);
    return tickets > back ? tickets - back : chance_below(tickets + 2);
}

static bool ends_with(const char *text, const char *end)
{
    u64 bytes = strlen(text), end_bytes = strlen(end);
    return bytes >= end_bytes && strcmp(text + bytes - end_bytes, end) == 0;
}

/* By the member's name; what has none of its own is small. */
static u64 some_number(const char *name, u64 tickets)
{
    static const char *const seldom[] = {"version", "expected_version", "retired", "no_routing", "actor",
                                         "order"};
    for (u32 i = 0; i < ARRAY_COUNT(seldom); i++) {
        if (strcmp(name, seldom[i]) == 0) return chance(1, 20) ? chance_below(4) : 0;
    }
    if (strcmp(name, "ticket") == 0) return chance(1, 12) ? 0 : or_beyond(some_ticket(tickets));
    if (strcmp(name, "customer") == 0) return chance(4, 5) ? 0 : or_beyond(chance_below(30));
    if (strcmp(name, "archive_after_ms") == 0) return chance(1, 4) ? 0 : chance_below(4 * HOUR_MS);
    if (strcmp(name, "cursor") == 0) return chance(9, 10) ? 0 : chance_below(1000);
    if (strcmp(name, "sum") == 0) return chance(1, 2);
    if (strcmp(name, "from_ms") == 0 || strcmp(name, "to_ms") == 0)
        return chance(1, 3) ? 0 : clock_wall_ms() + 2 * HOUR_MS - chance_below(48 * HOUR_MS);
    if (ends_with(name, "_ms"))
        return chance(1, 3) ? 0 : 1 + chance_below(chance(1, 2) ? 60000 : 2 * HOUR_MS);
    if (strncmp(name, "states", 6) == 0) return chance(1, 2) ? 0 : chance_below(64) << 1;
    if (strcmp(name, "priorities") == 0) return chance(1, 2) ? 0 : chance_below(16) << 1;
    if (strcmp(name, "yellow_percent") == 0) return chance_below(chance(1, 30) ? 103 : 101);
    if (strcmp(name, "parent") == 0) return chance(3, 4) ? 0 : chance_below(ENTRIES_A_KIND);
    if (strcmp(name, "agent") == 0) return chance(1, 2) ? 0 : small(ENTRIES_A_KIND);
    if (strcmp(name, "category") == 0) return chance(1, 2) ? 0 : small(ENTRIES_A_KIND);
    if (strcmp(name, "channel") == 0 || strcmp(name, "queue") == 0) return small(ENTRIES_A_KIND);
    if (strcmp(name, "presence") == 0) return 1 + chance(2, 3);
    if (strcmp(name, "state") == 0) return chance_below(chance(1, 20) ? 8 : 3);
    if (strcmp(name, "limit") == 0) return chance_below(chance(1, 20) ? 1100 : 20);
    if (strcmp(name, "session") == 0) { /* the first ones take one row after the other */
        u64 number = small(12);
        return number << 12 | (chance(1, 2) ? number : small(8));
    }
    if (strcmp(name, "window") == 0) return chance_below(chance(1, 20) ? 80 : 9);
    if (strcmp(name, "from") == 0) return chance(1, 2) ? 1 : chance_below(tickets * 4 + 2);
    return chance_below(5);
}

static void number_put(u8 *head, const struct tkd_field *field, u64 value)
{
    memcpy(head + field->offset, &value, field->bytes); /* little-endian */
}

/* ---- Texts ---- */

/* One of a few, now and then about as long as a tag may be. */
static u32 some_tag(char *to, u32 too_long)
{
    u32 number = (u32)chance_below(10);
    if (!chance(1, 12)) return (u32)sprintf(to, "text %u", number);
    return (u32)sprintf(to, "%0*u", (int)(TAG_BYTES_MAX - 1 + chance_below(2 + too_long)), number);
}

static u32 some_text(char *to, const struct tkd_field *field, u32 text_bytes)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz 0123456789";
    u32 most = min_u32(field->text_bytes_max, text_bytes), bytes;
    if (field->ids) {
        u16 ids[4];
        u32 count = (u32)chance_below(min_u32(4, field->text_bytes_max / 2) + 1);
        if (chance(1, 2)) count = 0;
        for (u32 i = 0; i < count; i++) ids[i] = (u16)small(ENTRIES_A_KIND);
        memcpy(to, ids, count * 2);
        return count * 2;
    }
    if (strcmp(field->name, "address") == 0)
        return chance(1, 40) ? 0 : (u32)sprintf(to, "c%u", (u32)chance_below(30));
    if (strcmp(field->name, "key") == 0)
        return chance(2, 3) ? 0 : (u32)sprintf(to, chance(1, 4) ? "%u" : "k%u", (u32)chance_below(400));
    if (strcmp(field->name, "receiver") == 0)
        return chance(1, 2) ? 0 : (u32)sprintf(to, chance(1, 4) ? "deskk" : "desk");
    if (strcmp(field->name, "tag") == 0) return chance(2, 3) ? 0 : some_tag(to, 0);
    if (strcmp(field->name, "text") == 0 && chance(1, 2)) return some_tag(to, 1);
    bytes = (u32)chance_below(chance(1, 5) ? most + 1 : most / 8 + 1);
    for (u32 i = 0; i < bytes; i++) to[i] = letters[chance_below(sizeof letters - 1)];
    return bytes;
}

/* ---- Records ---- */

static u8 *record_begin(struct request *request, const struct tkd_record_info **info)
{
    struct tkd_frame *frame = request_frame(request);
    *info = tkd_record_info(tkd_op_info(frame->op)->request);
    u8 *record = request->bytes + frame->size;
    ASSERT(frame->size + (*info)->head_bytes <= REQUEST_BYTES_MAX);
    memset(record, 0, (*info)->head_bytes);
    return record;
}

static void record_end(struct request *request, u8 *record, u32 bytes, u16 kind)
{
    struct tkd_frame *frame = request_frame(request);
    u32 size = (u32)round_up(bytes, 8);
    memset(record + bytes, 0, size - bytes);
    struct tkd_prefix *prefix = (struct tkd_prefix *)(void *)record;
    prefix->size = size;
    prefix->head = (u16)tkd_record_info(tkd_op_info(frame->op)->request)->head_bytes;
    prefix->kind = kind;
    frame->size += size;
    frame->count++;
    ASSERT(frame->size <= REQUEST_BYTES_MAX);
}

static u16 some_kind(u16 op)
{
    if (op == TKD_OP_TICKET_UPDATE) {
        if (chance(1, 4)) return (u16)(TKD_VERB_RESOLVE + chance_below(2));
        return (u16)(1 + chance_below(TKD_VERB_END - 1));
    }
    if (op == TKD_OP_CATALOG_APPLY || op == TKD_OP_CATALOG_READ)
        return (u16)(1 + chance_below(TKD_KIND_END - 1));
    return 0;
}

void request_add_random(struct request *request, u64 tickets, u32 text_bytes)
{
    const struct tkd_record_info *info;
    u8 *record = record_begin(request, &info);
    u16 op = request_frame(request)->op, kind = some_kind(op);
    u32 bytes = info->head_bytes;
    for (u32 i = 0; i < info->fields_count; i++) {
        const struct tkd_field *field = &info->fields[i];
        if (field->reserved) continue;
        if (!field->text) {
            number_put(record, field, some_number(field->name, tickets));
            continue;
        }
        u32 length = some_text((char *)record + bytes, field, text_bytes);
        if (op == TKD_OP_CATALOG_APPLY && strcmp(field->name, "name") == 0) {
            u64 id;
            memcpy(&id, record + sizeof(struct tkd_prefix), sizeof id);
            id = chance(1, 8) ? small(20) : small(ENTRIES_A_KIND);
            memcpy(record + sizeof(struct tkd_prefix), &(u32){(u32)id}, 4);
            length = (u32)sprintf((char *)record + bytes, "%u %u", kind, (u32)id);
        }
        memcpy(record + field->offset, &length, 4);
        bytes += length;
    }
    if (info->head_bytes > sizeof(struct tkd_prefix) && op == TKD_OP_CATALOG_APPLY && kind == TKD_KIND_DESK)
        memcpy(record + sizeof(struct tkd_prefix), &(u32){1}, 4);
    record_end(request, record, bytes, kind);
}

void request_add(struct request *request, const void *head, const char *text)
{
    const struct tkd_record_info *info;
    u8 *record = record_begin(request, &info);
    u32 length = text == NULL ? 0 : (u32)strlen(text);
    memcpy(record, head, info->head_bytes);
    if (length > 0) {
        memcpy(record + info->texts_offset, &length, 4);
        memcpy(record + info->head_bytes, text, length);
    }
    record_end(request, record, info->head_bytes + length, ((const struct tkd_prefix *)head)->kind);
}

void request_add_catalog(struct request *request, u32 step)
{
    static const u16 kinds[] = {TKD_KIND_SKILL, TKD_KIND_CHANNEL, TKD_KIND_TIER,   TKD_KIND_CATEGORY,
                                TKD_KIND_QUEUE, TKD_KIND_AGENT,   TKD_KIND_POLICY, TKD_KIND_DESK};
    u16 kind = kinds[step / ENTRIES_A_KIND % ARRAY_COUNT(kinds)];
    struct tkd_catalog_entry entry = {.kind = kind, .id = step % ENTRIES_A_KIND + 1};
    char name[32];
    if (kind == TKD_KIND_QUEUE) {
        entry.strategy = (u8)(1 + chance_below(3));
        entry.step_ms = chance_below(2 * HOUR_MS);
        entry.yellow_percent = (u32)chance_below(90);
    }
    if (kind == TKD_KIND_AGENT) {
        entry.capacity = (u32)chance_below(5);
        entry.all_queues = 1;
    }
    if (kind == TKD_KIND_POLICY) {
        u64 *ms = &entry.first_reply_urgent_ms;
        for (u32 i = 0; i < 8; i++) ms[i] = 1 + chance_below(HOUR_MS);
        entry.states_first_reply = entry.states_resolution = 0x1e;
        entry.yellow_ms = chance_below(HOUR_MS);
    }
    if (kind == TKD_KIND_DESK) {
        entry.id = 1;
        entry.archive_after_ms = 1 + chance_below(HOUR_MS);
    }
    sprintf(name, "%u %u", kind, entry.id);
    request_add(request, &entry, name);
}
