#include "tests/fuzz/desk.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/desk.h"
#include "tests/support/rig.h"

/* ---- Memory ---- */

static u8 *map(const struct fuzz_desk *desk, void *at, int flags)
{
    void *memory = mmap(at, desk->bytes, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, desk->fd, 0);
    ASSERT(memory != MAP_FAILED);
    return memory;
}

/* The parts of the file that were ever written. */
static void runs_note(struct fuzz_desk *desk)
{
    off_t begin, end = 0;
    while ((begin = lseek(desk->fd, end, SEEK_DATA)) >= 0) {
        end = lseek(desk->fd, begin, SEEK_HOLE);
        ASSERT(end > begin && desk->runs_count < FUZZ_DESK_RUNS_MAX);
        desk->runs[desk->runs_count++] = (struct fuzz_desk_run){(u64)begin, (u64)end};
    }
}

static i64 faults(void)
{
    struct rusage usage;
    ASSERT(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_minflt;
}

static void drop(const struct fuzz_desk *desk, u64 begin, u64 end)
{
    if (begin < end) ASSERT(madvise(desk->memory + begin, end - begin, MADV_DONTNEED) == 0);
}

void fuzz_desk_reset(struct fuzz_desk *desk)
{
    u64 at = 0;
    bool touched = faults() != desk->faults;
    for (u32 i = 0; i < desk->runs_count; at = desk->runs[i++].end) {
        const struct fuzz_desk_run *run = &desk->runs[i];
        if (touched) drop(desk, at, run->begin);
        memcpy(desk->memory + run->begin, desk->first + run->begin, run->end - run->begin);
    }
    if (touched) drop(desk, at, desk->bytes);
    desk->log_used = 0;
    desk->faults = faults();
}

/* ---- Records ---- */

static const char *const words[] = {"a",    "b",   "mail", "desk@example.com", "k1",     "k2",
                                    "首响", "VIP", "text", "\xff\xfe",         "tag one"};

/* Where the text of a member comes from: a word, a list of ids, or bytes of the input. */
static u32 text_make(struct input *input, const struct tkd_field *field, u8 *to)
{
    u32 how = input_u8(input), bytes = how & 31;
    if (field->ids) {
        for (u32 i = 0; i < bytes; i++) to[i] = i % 2 == 0 ? input_u8(input) : 0;
        return bytes;
    }
    if (how >= 0xe0) { /* long: as long as it may be, or one more */
        bytes = min_u32(field->text_bytes_max + (how & 1), 2048);
        memset(to, 'a' + (int)(how & 7), bytes);
        return bytes;
    }
    if (how < 0x80) {
        const char *word = words[how % ARRAY_COUNT(words)];
        bytes = (u32)strlen(word);
        memcpy(to, word, bytes);
        return bytes;
    }
    const u8 *from = input_take(input, &bytes);
    if (bytes != 0) memcpy(to, from, bytes);
    return bytes;
}

union any_head {
#define HEAD(record, doc) struct tkd_##record head_##record;
    TKD_RECORDS(HEAD)
#undef HEAD
    struct tkd_prefix prefix;
    u8 bytes[512];
};

/* What makes a record legal in the small desk. */
static void head_begin(union any_head *head, u32 record)
{
    memset(head, 0, sizeof *head);
    head->prefix.kind = record == TKD_RECORD_ticket_update || record == TKD_RECORD_catalog_entry ||
                        record == TKD_RECORD_catalog_read;
    if (record == TKD_RECORD_ticket_create)
        head->head_ticket_create.channel = head->head_ticket_create.queue = 1;
    if (record == TKD_RECORD_ticket_update) head->head_ticket_update.ticket = 1;
    if (record == TKD_RECORD_catalog_entry) head->head_catalog_entry.id = 1;
    if (record == TKD_RECORD_agent_presence) head->head_agent_presence.agent = 1;
}

void fuzz_frame_begin(struct fuzz_frame *frame, u32 op)
{
    frame->head = (struct tkd_frame){
        .magic = TKD_MAGIC, .version = TKD_PROTOCOL_VERSION, .op = (u16)op, .size = TKD_FRAME_BYTES};
}

/* The first byte says how many members differ from the plain record; each is a member's number and its value.
 */
void fuzz_frame_add(struct fuzz_frame *frame, u32 record, struct input *input)
{
    const struct tkd_record_info *info = tkd_record_info(record);
    union any_head head;
    u8 texts[8][2112];
    u32 lengths[8] = {0}, total = info->head_bytes, numbers = info->fields_count - info->texts_count;
    head_begin(&head, record);
    if (record == TKD_RECORD_ticket_create) texts[0][0] = 'a', lengths[0] = 1;
    for (u32 count = input_u8(input) & 15; count > 0; count--) {
        u32 member = input_below(input, info->fields_count + 1);
        if (member == info->fields_count) {
            head.prefix.kind = (u16)input_number(input);
        } else if (info->fields[member].text) {
            lengths[member - numbers] = text_make(input, &info->fields[member], texts[member - numbers]);
        } else {
            u64 value = input_number(input);
            memcpy(head.bytes + info->fields[member].offset, &value, info->fields[member].bytes);
        }
    }
    for (u32 i = 0; i < info->texts_count; i++) total += lengths[i];
    total = (u32)round_up(total, 8);
    if (frame->head.size + total > FUZZ_FRAME_BYTES_MAX) return;
    u8 *to = (u8 *)frame + frame->head.size, *at = to + info->head_bytes;
    head.prefix.size = total;
    head.prefix.head = (u16)info->head_bytes;
    if (info->texts_count != 0)
        memcpy(head.bytes + info->texts_offset, lengths, info->texts_count * sizeof(u32));
    memset(to + total - 8, 0, 8);
    memcpy(to, head.bytes, info->head_bytes);
    for (u32 i = 0; i < info->texts_count; at += lengths[i++]) memcpy(at, texts[i], lengths[i]);
    frame->head.size += total;
    frame->head.count++;
}

/* ---- Running ---- */

static void apply(struct fuzz_desk *desk, const struct tkd_frame *frame, u64 time_ms,
                  struct tkd_result *results)
{
    struct state *state = desk->state;
    struct command command = {.op = state_op(state) + 1, .time_ms = time_ms, .frame = frame};
    ASSERT(desk->log_used + sizeof time_ms + frame->size <= FUZZ_LOG_BYTES_MAX);
    memcpy(desk->log + desk->log_used, &time_ms, sizeof time_ms);
    memcpy(desk->log + desk->log_used + sizeof time_ms, frame, frame->size);
    desk->log_used += (u32)sizeof time_ms + frame->size;
    state_apply(state, &command, results);
    event_stored(state_events(state), state_events(state)->seq_next - 1);
}

void fuzz_desk_pulse(struct fuzz_desk *desk, u64 now_ms)
{
    static const struct tkd_frame pulse = {.magic = TKD_MAGIC, .op = TKD_OP_PULSE, .size = TKD_FRAME_BYTES};
    while (state_due(desk->state, now_ms) <= now_ms) {
        const void *reply;
        u32 reply_bytes;
        ASSERT(state_admit(desk->state, &pulse, &reply, &reply_bytes) == TKD_OK);
        apply(desk, &pulse, now_ms, NULL);
    }
}

enum tkd_status fuzz_desk_run(struct fuzz_desk *desk, const struct tkd_frame *frame, u64 now_ms,
                              struct tkd_result *results)
{
    const void *reply;
    u32 reply_bytes;
    fuzz_desk_pulse(desk, now_ms);
    enum tkd_status status = state_admit(desk->state, frame, &reply, &reply_bytes);
    if (status == TKD_EXISTS) memcpy(results, reply, reply_bytes);
    if (status == TKD_OK) apply(desk, frame, now_ms, results);
    return status;
}

void fuzz_desk_replay(struct fuzz_desk *desk, const struct fuzz_desk *from, u64 op_last)
{
    static struct tkd_result results[TKD_RECORDS_MAX];
    for (u32 at = 0; at < from->log_used && state_op(desk->state) < op_last;) {
        u64 time_ms;
        memcpy(&time_ms, from->log + at, sizeof time_ms);
        const struct tkd_frame *frame = (const void *)(from->log + at + sizeof time_ms);
        apply(desk, frame, time_ms, results);
        at += (u32)sizeof time_ms + frame->size;
    }
}

/* ---- Queries ---- */

static const struct tkd_event *event_read(void *owner, u64 seq) { return event_at(state_events_read(owner), seq); }

static i32 event_archived(void *owner, u64 ticket, u64 *event_seq)
{
    const struct event_log *log = state_events_read(owner);
    for (*event_seq = log->seq_first; *event_seq < log->seq_next; ++*event_seq) {
        const struct tkd_event *event = event_at(log, *event_seq);
        if (event != NULL && event->kind == TKD_EVENT_ARCHIVED && event->ticket == ticket) return 0;
    }
    return 1;
}

void fuzz_desk_query(struct fuzz_desk *desk, struct state *events, struct input *input, u64 now_ms)
{
    static const u16 ops[] = {TKD_OP_SUMMARY,      TKD_OP_TICKET_GET, TKD_OP_TICKET_LIST,  TKD_OP_HISTORY,
                              TKD_OP_QUEUE_LIST,   TKD_OP_AGENT_LIST, TKD_OP_WAITING_LIST, TKD_OP_CUSTOMER_GET,
                              TKD_OP_REPORT,       TKD_OP_ATTACH,     TKD_OP_CATALOG_READ, TKD_OP_DIGEST};
    static u8 rows[64u << 10];
    static struct fuzz_frame frame;
    struct event_source source = {.read = event_read, .archived = event_archived, .owner = events};
    u32 op = ops[input_below(input, ARRAY_COUNT(ops))], count, walked = 0;
    u64 cursor;
    enum tkd_status status;
    fuzz_frame_begin(&frame, op);
    fuzz_frame_add(&frame, tkd_op_info(op)->request, input);
    frame_seal(&frame.head);
    if (frame_check(&frame.head) != TKD_OK) return;
    u32 bytes = state_query(desk->state, (u16)op, frame_first(&frame.head), now_ms, &source, rows, sizeof rows, &count,
                            &cursor, &status);
    ASSERT(tkd_status_info(status) != NULL && bytes <= sizeof rows);
    for (u32 i = 0; i < count; i++) {
        ASSERT(bytes - walked >= sizeof(struct tkd_prefix));
        const struct tkd_prefix *row = (const void *)(rows + walked);
        ASSERT(row->size >= row->head && row->size <= bytes - walked && row->size % 8 == 0);
        walked += row->size;
    }
    ASSERT(walked == bytes);
}

/* ---- The small desk ---- */

static void fill_catalog(struct rig *rig)
{
    rig_skill(rig, 1, "mail");
    rig_skill(rig, 2, "text");
    rig_channel(rig, 1, "mail");
    rig_channel(rig, 2, "text");
    rig_tier(rig, 1, "VIP");
    rig_category(rig, 1, "a", 0);
    rig_category(rig, 2, "b", 1);
    struct tkd_catalog_entry queue = {
        .id = 1, .strategy = TKD_STRATEGY_LEAST_LOADED, .step_ms = 120000, .yellow_percent = 50};
    rig_entry(rig, TKD_KIND_QUEUE, &queue, "a", NULL, NULL);
    rig_queue(rig, 2, "b", TKD_STRATEGY_LONGEST_IDLE, 0);
    rig_queue(rig, 3, "text", TKD_STRATEGY_CLAIM, 1);
    rig_agent(rig, 1, "a", 2, NULL, (u16[]){1, 0});
    rig_agent(rig, 2, "b", 0, (u16[]){1, 2, 0}, NULL);
    struct tkd_catalog_entry policy = {.id = 1,
                                       .order = 1,
                                       .yellow_ms = 60000,
                                       .first_reply_normal_ms = 360000,
                                       .resolution_normal_ms = 3600000,
                                       .resolution_high_ms = 600000,
                                       .states_first_reply = 6,
                                       .states_resolution = 22};
    rig_entry(rig, TKD_KIND_POLICY, &policy, "VIP", NULL, NULL);
}

static void fill_tickets(struct rig *rig)
{
    static struct tkd_ticket_create request = {.channel = 1, .queue = 1};
    rig_create_with(rig, &request, "a", "k1");
    for (u32 i = 0; i < 4; i++) {
        request.queue = (u16)(1 + i % 3);
        request.priority = (u8)i;
        request.category = (u16)(i % 3);
        rig_create_with(rig, &request, i % 2 == 0 ? "a" : "b", NULL);
        rig_advance(rig, rig->now_ms + 1000);
    }
    rig_verb(rig, 1, TKD_VERB_TAG, 0, "VIP");
    rig_verb(rig, 1, TKD_VERB_TAG, 0, "a");
    rig_verb(rig, 1, TKD_VERB_REPLY, 0, "text");
    rig_verb(rig, 1, TKD_VERB_RESOLVE, 0, NULL);
    rig_begin(rig, TKD_OP_REGISTER);
    rig_add(rig, TKD_RECORD_register, &(struct tkd_register){.window = 8}, NULL);
    ASSERT(rig_run(rig) == TKD_OK);
    struct tkd_frame *frame = rig_frame(rig);
    u64 session = rig->results[0].id;
    rig_begin(rig, TKD_OP_AGENT_PRESENCE);
    frame->session = session;
    frame->seq = frame->ack_below = 1;
    rig_add(rig, TKD_RECORD_agent_presence,
            &(struct tkd_agent_presence){.agent = 1, .presence = TKD_PRESENCE_ONLINE}, NULL);
    ASSERT(rig_run(rig) == TKD_OK);
    rig_settle(rig);
}

static void fill(struct rig *rig)
{
    char error[256];
    ASSERT(state_loaded(rig->state, 0, 0, 0, error, sizeof error));
    fill_catalog(rig);
    fill_tickets(rig);
    state_validate(rig->state);
}

void fuzz_desk_open(struct fuzz_desk *desk, bool filled)
{
    struct rig *rig = rig_create_tiny();
    *desk = (struct fuzz_desk){.bytes = rig->memory_bytes, .fd = memfd_create("desk", MFD_CLOEXEC)};
    ASSERT(desk->fd >= 0 && ftruncate(desk->fd, (off_t)desk->bytes) == 0);
    desk->memory = map(desk, NULL, MAP_SHARED);
    desk->state = rig->state = state_create(&rig->config, desk->memory);
    fill(rig);
    runs_note(desk);
    if (!filled) {
        ASSERT(ftruncate(desk->fd, 0) == 0 && ftruncate(desk->fd, (off_t)desk->bytes) == 0);
        state_create(&rig->config, desk->memory);
    }
    rig_destroy(rig);
    desk->first = map(desk, NULL, MAP_SHARED);
    map(desk, desk->memory, MAP_PRIVATE | MAP_FIXED);
    desk->log = malloc(FUZZ_LOG_BYTES_MAX);
    ASSERT(desk->log != NULL);
}
