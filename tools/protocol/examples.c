/* The frames of the examples. They tell one story: a gateway connects, opens a session, creates two tickets,
 * works on them and reads them back. */
#include "protocol/frames.h"

#include "core/frame.h"

#define TEXT(literal) ((struct tkd_text){literal, sizeof(literal) - 1})
#define NO_TEXT ((struct tkd_text){"", 0})
#define ANSWER TKD_FLAG_REPLY

#define NOON_MS 1795262400000u
#define SESSION 4096u
#define TICKET_1 1u
#define TICKET_2 2u

static void hello(struct example *example)
{
    example_begin(example, TKD_OP_HELLO, 0, 1);
    example_add(example, TKD_RECORD_hello, &(struct tkd_hello){.version_min = 1, .version_max = 1},
                (struct tkd_text[]){TEXT("mail-gateway 2.1")});
}

static void hello_answer(struct example *example)
{
    example_begin(example, TKD_OP_HELLO, ANSWER, 1);
    example->frame.header.time_ms = NOON_MS;
    struct tkd_hello_reply reply = {.version = 1,
                                    .frame_bytes_max = TKD_FRAME_BYTES_MAX,
                                    .records_max = TKD_RECORDS_MAX,
                                    .clock = 1,
                                    .store = 0x0123456789abcdef,
                                    .time_ms = NOON_MS};
    example_add(example, TKD_RECORD_hello_reply, &reply, (struct tkd_text[]){TEXT("ticketd 0.1.0")});
}

static void session_register(struct example *example)
{
    example_begin(example, TKD_OP_REGISTER, 0, 2);
    example_add(example, TKD_RECORD_register, &(struct tkd_register){.window = 8},
                (struct tkd_text[]){TEXT("mail-gateway-7")});
}

static void session_register_answer(struct example *example)
{
    example_begin(example, TKD_OP_REGISTER, ANSWER, 2);
    example->frame.header.time_ms = NOON_MS + 1;
    example_add(example, TKD_RECORD_result, &(struct tkd_result){.status = TKD_OK, .id = SESSION}, NULL);
}

static void attach(struct example *example)
{
    example_begin(example, TKD_OP_ATTACH, 0, 3);
    example_add(example, TKD_RECORD_session_id, &(struct tkd_session_id){.session = SESSION}, NULL);
}

static void attach_answer(struct example *example)
{
    example_begin(example, TKD_OP_ATTACH, ANSWER, 3);
    example->frame.header.time_ms = NOON_MS + 2;
    example_add(example, TKD_RECORD_session,
                &(struct tkd_session){.session = SESSION, .next_seq = 1, .window = 8}, NULL);
}

static void catalog_apply(struct example *example)
{
    example_begin(example, TKD_OP_CATALOG_APPLY, 0, 4);
    struct tkd_catalog_entry queue = {.kind = TKD_KIND_QUEUE, .id = 4, .expected_version = 17,
                                      .strategy = TKD_STRATEGY_LEAST_LOADED, .step_ms = 1800000};
    struct tkd_catalog_entry agent = {.kind = TKD_KIND_AGENT, .id = 12, .capacity = 5};
    example_add(example, TKD_RECORD_catalog_entry, &queue,
                (struct tkd_text[]){TEXT("物流"), TEXT("\x01\0"), NO_TEXT, NO_TEXT, NO_TEXT, NO_TEXT});
    example_add(example, TKD_RECORD_catalog_entry, &agent,
                (struct tkd_text[]){TEXT("李雷"), TEXT("\x01\0\x03\0"), TEXT("\x04\0"), NO_TEXT, NO_TEXT, NO_TEXT});
}

static void ticket_create(struct example *example)
{
    example_begin(example, TKD_OP_TICKET_CREATE, 0, 1);
    example->frame.header.session = SESSION;
    example->frame.header.ack_below = 1;
    struct tkd_ticket_create first = {.channel = 1, .queue = 4, .category = 9, .priority = TKD_PRIORITY_HIGH};
    struct tkd_ticket_create second = {.channel = 2, .queue = 4};
    example_add(example, TKD_RECORD_ticket_create, &first,
                (struct tkd_text[]){TEXT("ann@example.com"), TEXT("help@shop.example"), TEXT("<m1@example.com>"),
                                    TEXT("Where is my parcel?"), TEXT("Ordered a week ago."), TEXT("\x03\0")});
    example_add(example, TKD_RECORD_ticket_create, &second,
                (struct tkd_text[]){TEXT("+8613800000000"), NO_TEXT, TEXT("call-77"), TEXT("包裹延迟"), NO_TEXT, NO_TEXT});
}

static void ticket_create_answer(struct example *example)
{
    example_begin(example, TKD_OP_TICKET_CREATE, ANSWER, 1);
    example->frame.header.session = SESSION;
    example->frame.header.time_ms = NOON_MS + 3;
    struct tkd_result first = {.status = TKD_OK, .version = 1, .id = TICKET_1};
    struct tkd_result second = {.status = TKD_EXISTS, .version = 3, .id = TICKET_2};
    example_add(example, TKD_RECORD_result, &first, NULL);
    example_add(example, TKD_RECORD_result, &second, NULL);
}

static void ticket_update(struct example *example)
{
    example_begin(example, TKD_OP_TICKET_UPDATE, TKD_FLAG_STOP, 2);
    example->frame.header.session = SESSION;
    example->frame.header.ack_below = 2;
    struct tkd_ticket_update reply = {.kind = TKD_VERB_REPLY, .ticket = TICKET_1, .version = 2, .actor = 12};
    struct tkd_ticket_update transfer = {.kind = TKD_VERB_TRANSFER, .queue = 5, .channel = 2};
    example_add(example, TKD_RECORD_ticket_update, &reply,
                (struct tkd_text[]){NO_TEXT, NO_TEXT, TEXT("It arrives tomorrow.")});
    example_add(example, TKD_RECORD_ticket_update, &transfer, (struct tkd_text[]){NO_TEXT, TEXT("call-77"), NO_TEXT});
}

static void ticket_update_answer(struct example *example)
{
    example_begin(example, TKD_OP_TICKET_UPDATE, ANSWER, 2);
    example->frame.header.session = SESSION;
    example->frame.header.time_ms = NOON_MS + 4;
    struct tkd_result refused = {.status = TKD_VERSION_CONFLICT, .version = 3, .id = TICKET_1};
    example_add(example, TKD_RECORD_result, &refused, NULL);
    example_add(example, TKD_RECORD_result, &(struct tkd_result){.status = TKD_NOT_RUN}, NULL);
}

static void ticket_get(struct example *example)
{
    example_begin(example, TKD_OP_TICKET_GET, 0, 5);
    example_add(example, TKD_RECORD_ticket_get, &(struct tkd_ticket_get){.ticket = TICKET_1}, NULL);
}

static void ticket_get_answer(struct example *example)
{
    example_begin(example, TKD_OP_TICKET_GET, ANSWER, 5);
    example->frame.header.time_ms = NOON_MS + 5;
    struct tkd_ticket ticket = {.id = TICKET_1, .created_ms = NOON_MS + 3, .state_since_ms = NOON_MS + 3, .customer = 1,
                                .last_event = 6, .version = 2, .agent = 12, .queue = 4, .category = 9, .channel = 1,
                                .stations = 1, .state = TKD_STATE_NEW, .priority = TKD_PRIORITY_HIGH,
                                .entered_ms = NOON_MS + 3, .step_due_ms = NOON_MS + 1800003};
    example_add(example, TKD_RECORD_ticket, &ticket,
                (struct tkd_text[]){TEXT("Where is my parcel?"), TEXT("<m1@example.com>"), TEXT("ann@example.com"),
                                    TEXT("vip\nparcel")});
}

static void events_push(struct example *example)
{
    example_begin(example, TKD_OP_EVENTS, ANSWER | TKD_FLAG_PUSH, 6);
    example->frame.header.ack_below = 7;
    example->frame.header.time_ms = NOON_MS + 6;
    struct tkd_event routed = {.kind = TKD_EVENT_ROUTED, .seq = 6, .time_ms = NOON_MS + 3, .ticket = TICKET_1,
                               .previous = 5, .cause = 20, .station = 1, .a = 12, .b = 3, .c = TKD_RULE_LEAST_LOADED,
                               .d = 1};
    example_add(example, TKD_RECORD_event, &routed, NULL);
}

static void refused_answer(struct example *example)
{
    example_begin(example, TKD_OP_TICKET_UPDATE, ANSWER, 4);
    example->frame.header.session = SESSION;
    example->frame.header.status = TKD_SEQUENCE_GAP;
    example->frame.header.time_ms = NOON_MS + 7;
}

static const struct {
    const char *name;
    const char *description;
    void (*build)(struct example *);
} worked[] = {
    {"hello", "the first frame of a connection", hello},
    {"hello_answer", "the server chose version 1 and runs on the wall clock", hello_answer},
    {"register", "asks for a session with a window of 8 under a name", session_register},
    {"register_answer", "the session's number is 4096", session_register_answer},
    {"attach", "binds the session to this connection", attach},
    {"attach_answer", "the next command carries seq 1", attach_answer},
    {"catalog_apply", "a queue that needs skill 1, and an agent with skills 1 and 3 who serves queue 4", catalog_apply},
    {"ticket_create", "two tickets in a session", ticket_create},
    {"ticket_create_answer", "the first is new, the second existed already", ticket_create_answer},
    {"ticket_update", "a reply that names the version it saw, then a transfer by external key; stop", ticket_update},
    {"ticket_update_answer", "the ticket had moved on, so the second was not run", ticket_update_answer},
    {"ticket_get", "reads a ticket", ticket_get},
    {"ticket_get_answer", "one row", ticket_get_answer},
    {"events_push", "what a subscriber gets", events_push},
    {"refused_answer", "a frame refused as a whole: a status, no records", refused_answer},
};

bool example_worked(struct example *example, u32 index)
{
    if (index >= ARRAY_COUNT(worked)) return false;
    example->name = worked[index].name;
    example->description = worked[index].description;
    worked[index].build(example);
    example_seal(example);
    return true;
}

/* ---- Every member of every record ---- */

/* A number that fills the member, so that its width and place show; reserved ones stay 0. */
static void fill_head(const struct tkd_record_info *info, u8 *head)
{
    for (u32 i = 0; i < info->fields_count; i++) {
        const struct tkd_field *field = &info->fields[i];
        if (field->text || field->reserved) continue;
        for (u32 byte = 0; byte < field->bytes; byte++) head[field->offset + byte] = (u8)(i * 8 + byte + 1);
    }
}

static u32 fill_texts(const struct tkd_record_info *info, struct tkd_text *texts)
{
    u32 count = 0;
    for (u32 i = 0; i < info->fields_count; i++) {
        const struct tkd_field *field = &info->fields[i];
        if (!field->text) continue;
        struct tkd_text name = {field->name, (u32)strlen(field->name)};
        texts[count++] = field->ids ? TEXT("\x01\x00\x02\x01") : name;
    }
    return count;
}

static u16 kind_for(u32 record)
{
    switch (record) {
    case TKD_RECORD_ticket_update:
        return TKD_VERB_ASSIGN;
    case TKD_RECORD_catalog_entry:
    case TKD_RECORD_catalog_read:
        return TKD_KIND_AGENT;
    case TKD_RECORD_event:
        return TKD_EVENT_ROUTED;
    default:
        return 0;
    }
}

/* The `index`-th record that any op uses, with the first op that uses it; false when there are no more. */
static bool record_use(u32 index, u32 *record, u16 *op, u16 *flags)
{
    for (u32 candidate = 1; candidate < TKD_RECORD_END; candidate++) {
        for (u32 number = 1; number <= UINT8_MAX; number++) {
            const struct tkd_op_info *info = tkd_op_info(number);
            if (!info || (info->request != candidate && info->answer != candidate)) continue;
            if (index-- > 0) break;
            *record = candidate;
            *op = (u16)number;
            *flags = info->request == candidate ? 0 : TKD_FLAG_REPLY;
            return true;
        }
    }
    return false;
}

bool example_members(struct example *example, u32 index)
{
    u32 record;
    u16 op, flags;
    if (!record_use(index, &record, &op, &flags)) return false;
    const struct tkd_record_info *info = tkd_record_info(record);
    _Alignas(8) u8 head[1024] = {0};
    struct tkd_text texts[8];
    ASSERT(info->head_bytes <= sizeof(head) && info->texts_count <= ARRAY_COUNT(texts));
    fill_head(info, head);
    fill_texts(info, texts);
    if (record != TKD_RECORD_result) ((struct tkd_prefix *)head)->kind = kind_for(record);

    example->name = info->name;
    example->description = info->doc;
    example_begin(example, op, flags, 0x1122334455667788);
    example->frame.header.session = 0x99aabbccddeeff00;
    example->frame.header.ack_below = 0x0102030405060708;
    example->frame.header.time_ms = NOON_MS;
    example_add(example, record, head, texts);
    example_seal(example);
    return true;
}
