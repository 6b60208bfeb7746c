#include "tests/support/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/naive/compare.h"

#define RIG_LOG_BYTES ((u64)256 << 20)

struct state *rig_state_create(const struct rig *rig, void **memory)
{
    *memory = mmap(NULL, rig->memory_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT(*memory != MAP_FAILED);
    return state_create(&rig->config, *memory);
}

static void rig_map(struct rig *rig)
{
    rig->memory_bytes = state_bytes(&rig->config);
    rig->state = rig_state_create(rig, &rig->memory);
    char error[256];
    ASSERT(state_loaded(rig->state, 0, 0, 0, error, sizeof error));
}

static struct rig *rig_with_budget(u64 memory_bytes, u64 ring_bytes)
{
    struct rig *rig = calloc(1, sizeof *rig);
    ASSERT(rig != NULL);
    rig->config = (struct state_config){.secret = 7,
                                        .memory_bytes = memory_bytes,
                                        .event_ring_bytes = ring_bytes,
                                        .virtual_clock = true};
    rig->frame_bytes = malloc(TKD_FRAME_BYTES_MAX);
    rig->log_max = RIG_LOG_BYTES;
    rig->log = mmap(NULL, rig->log_max, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    rig->rows_bytes_max = TKD_FRAME_BYTES_MAX;
    rig->rows = malloc(rig->rows_bytes_max);
    ASSERT(rig->frame_bytes != NULL && rig->rows != NULL && rig->log != MAP_FAILED);
    rig->now_ms = 1000;
    rig_map(rig);
    return rig;
}

struct rig *rig_create(void) { return rig_with_budget((u64)64 << 20, (u64)64 << 20); }
struct rig *rig_create_small(void) { return rig_with_budget((u64)440 << 14, (u64)64 << 20); }
struct rig *rig_create_tiny(void) { return rig_with_budget((u64)440 << 8, (u64)4 << 20); }
struct rig *rig_create_stuck(void)
{
    struct rig *rig = rig_with_budget((u64)440 << 14, EVENT_RING_BYTES_MIN);
    rig->stuck = true;
    return rig;
}

void rig_destroy(struct rig *rig)
{
    if (rig->naive != NULL) naive_destroy(rig->naive);
    munmap(rig->memory, rig->memory_bytes);
    munmap(rig->log, rig->log_max);
    free(rig->frame_bytes);
    free(rig->rows);
    free(rig);
}

/* ---- The naive desk beside ---- */

static void *zeroed(u64 bytes) { return calloc(1, bytes); }

void rig_beside(struct rig *rig)
{
    ASSERT(state_op(rig->state) == 0);
    rig->naive = naive_create((struct naive_memory){.alloc = zeroed, .free = free}, rig->config.memory_bytes);
}

static void same_or_stop(const struct rig *rig, bool same, const struct naive_difference *difference)
{
    if (same) return;
    fprintf(stderr, "seed %lu, op %lu: %s\n", (unsigned long)rig->seed, (unsigned long)state_op(rig->state),
            difference->text);
    ASSERT(!"the engine and the naive desk agree");
}

void rig_compare(struct rig *rig)
{
    struct naive_difference difference;
    same_or_stop(rig, naive_same_desk(rig->naive, rig->state, &difference), &difference);
}

static void compare_admission(const struct rig *rig, const struct tkd_frame *frame, enum tkd_status status,
                              const void *reply, u32 reply_bytes)
{
    struct naive_difference difference;
    const struct tkd_result *ours = NULL;
    if (rig->naive == NULL) return;
    enum tkd_status expected = naive_admit(rig->naive, frame, &ours);
    snprintf(difference.text, sizeof difference.text, "admission says %u, expected %u", status, expected);
    bool same = status == expected && (status != TKD_EXISTS || memcmp(reply, ours, reply_bytes) == 0);
    same_or_stop(rig, same, &difference);
}

static void compare_step(const struct rig *rig, const struct command *command, u32 results_bytes)
{
    struct naive_difference difference;
    if (rig->naive == NULL) return;
    naive_apply(rig->naive, command);
    bool same = naive_same_step(rig->naive, rig->state, rig->results, results_bytes, &difference);
    same_or_stop(rig, same, &difference);
}

struct tkd_frame *rig_frame(struct rig *rig) { return (struct tkd_frame *)rig->frame_bytes; }

void rig_begin(struct rig *rig, u16 op)
{
    *rig_frame(rig) = (struct tkd_frame){
        .magic = TKD_MAGIC, .version = TKD_PROTOCOL_VERSION, .op = op, .size = TKD_FRAME_BYTES};
}

void rig_add_bytes(struct rig *rig, u32 record, const void *head, const void *const *texts, const u32 *bytes)
{
    const struct tkd_record_info *info = tkd_record_info(record);
    struct tkd_frame *frame = rig_frame(rig);
    u8 *to = rig->frame_bytes + frame->size, *at = to + info->head_bytes;
    memcpy(to, head, info->head_bytes);
    for (u32 i = 0; i < info->texts_count; i++) {
        u32 length = texts == NULL || texts[i] == NULL ? 0 : bytes[i];
        memcpy(to + info->texts_offset + 4 * i, &length, 4);
        if (length != 0) memcpy(at, texts[i], length);
        at += length;
    }
    while ((at - to) % 8 != 0) *at++ = 0;
    struct tkd_prefix *prefix = (struct tkd_prefix *)to;
    prefix->size = (u32)(at - to);
    prefix->head = (u16)info->head_bytes;
    frame->size += prefix->size;
    frame->count++;
}

void rig_add(struct rig *rig, u32 record, const void *head, const char *const *texts)
{
    u32 bytes[16] = {0}, count = tkd_record_info(record)->texts_count;
    for (u32 i = 0; texts != NULL && i < count; i++) bytes[i] = texts[i] == NULL ? 0 : (u32)strlen(texts[i]);
    rig_add_bytes(rig, record, head, (const void *const *)texts, bytes);
}

void rig_store(struct rig *rig) { event_stored(state_events(rig->state), state_events(rig->state)->seq_next - 1); }

static void rig_apply(struct rig *rig, const struct tkd_frame *frame, u64 time_ms)
{
    u64 head[2] = {time_ms, round_up(frame->size, 8)};
    ASSERT(rig->log_used + sizeof head + head[1] <= rig->log_max);
    memcpy(rig->log + rig->log_used, head, sizeof head);
    memcpy(rig->log + rig->log_used + sizeof head, frame, frame->size);
    rig->log_used += sizeof head + head[1];
    struct command command = {.op = state_op(rig->state) + 1, .time_ms = time_ms, .frame = frame};
    compare_step(rig, &command, state_apply(rig->state, &command, rig->results));
    if (!rig->stuck) rig_store(rig);
    if (rig->validate) state_validate(rig->state);
}

static void rig_pulse(struct rig *rig, u64 time_ms)
{
    struct tkd_frame pulse = {.magic = TKD_MAGIC, .op = TKD_OP_PULSE, .size = TKD_FRAME_BYTES};
    const void *reply;
    u32 reply_bytes;
    if (rig->stuck && state_admit(rig->state, &pulse, &reply, &reply_bytes) == TKD_BUSY) rig_store(rig);
    ASSERT(state_admit(rig->state, &pulse, &reply, &reply_bytes) == TKD_OK);
    rig_apply(rig, &pulse, max_u64(time_ms, state_time(rig->state)));
}

void rig_advance(struct rig *rig, u64 now_ms)
{
    ASSERT(now_ms >= rig->now_ms);
    rig->now_ms = now_ms;
    while (state_due(rig->state, now_ms) <= now_ms) rig_pulse(rig, now_ms);
}

void rig_settle(struct rig *rig)
{
    while (state_due(rig->state, rig->now_ms) == 0) rig_pulse(rig, rig->now_ms);
}

enum tkd_status rig_run(struct rig *rig)
{
    struct tkd_frame *frame = rig_frame(rig);
    const void *reply;
    u32 reply_bytes;
    frame_seal(frame);
    ASSERT(frame_header_check(frame, frame->size) == TKD_OK);
    enum tkd_status status = frame_check(frame);
    if (status != TKD_OK) return status;
    rig_advance(rig, rig->now_ms);
    status = state_admit(rig->state, frame, &reply, &reply_bytes);
    compare_admission(rig, frame, status, reply, reply_bytes);
    if (status == TKD_EXISTS) memcpy(rig->results, reply, reply_bytes);
    if (status == TKD_OK) rig_apply(rig, frame, rig->now_ms);
    return status;
}

void rig_replay_into(const struct rig *rig, struct state *state, u64 log_at)
{
    static struct tkd_result results[TKD_RECORDS_MAX];
    for (u64 at = log_at; at < rig->log_used;) {
        u64 head[2];
        memcpy(head, rig->log + at, sizeof head);
        struct command command = {.op = state_op(state) + 1,
                                  .time_ms = head[0],
                                  .frame = (const struct tkd_frame *)(rig->log + at + sizeof head)};
        state_apply(state, &command, results);
        event_stored(state_events(state), state_events(state)->seq_next - 1);
        at += sizeof head + head[1];
    }
}

void rig_adopt(struct rig *rig, struct state *state, void *memory)
{
    munmap(rig->memory, rig->memory_bytes);
    rig->memory = memory;
    rig->state = state;
}

void rig_reload(struct rig *rig)
{
    void *memory;
    char error[256];
    struct state *state = rig_state_create(rig, &memory);
    for (u32 i = 1; i < TABLES; i++) {
        const struct table *table = &rig->state->tables[i];
        for (u32 chunk = 0; chunk < table_chunks(table); chunk++)
            ASSERT(state_load_chunk(state, i, chunk, table_chunk(table, chunk), table_chunk_bytes(table)));
    }
    u64 digest = state_digest(rig->state, true), event_seq = state_events(rig->state)->seq_next - 1;
    ASSERT(state_loaded(state, state_op(rig->state), state_time(rig->state), event_seq, error, sizeof error));
    ASSERT(state_digest(state, true) == digest);
    state_validate(state);
    rig_adopt(rig, state, memory);
}

void rig_replay(struct rig *rig)
{
    munmap(rig->memory, rig->memory_bytes);
    rig_map(rig);
    rig_replay_into(rig, rig->state, 0);
}

/* ---- Queries: events are read from the ring, archived tickets are looked up in it ---- */

static const struct tkd_event *source_read(void *owner, u64 seq)
{
    const struct rig *rig = owner;
    return event_at(state_events_read(rig->state), seq);
}

static i32 source_archived(void *owner, u64 ticket, u64 *event_seq)
{
    const struct rig *rig = owner;
    const struct event_log *log = state_events_read(rig->state);
    for (u64 seq = log->seq_first; seq < log->seq_next; seq++) {
        const struct tkd_event *event = event_at(log, seq);
        if (event->kind != TKD_EVENT_ARCHIVED || event->ticket != ticket) continue;
        *event_seq = seq;
        return 0;
    }
    return -1;
}

enum tkd_status rig_query(struct rig *rig, u16 op, u32 record, const void *head, const char *const *texts)
{
    struct event_source source = {.read = source_read, .archived = source_archived, .owner = rig};
    enum tkd_status status;
    rig_begin(rig, op);
    rig_add(rig, record, head, texts);
    frame_seal(rig_frame(rig));
    ASSERT(frame_check(rig_frame(rig)) == TKD_OK);
    u32 bytes = state_query(rig->state, op, frame_first(rig_frame(rig)), state_time(rig->state), &source,
                            rig->rows, rig->rows_bytes_max, &rig->rows_count, &rig->cursor, &status);
    u32 walked = 0;
    for (u32 i = 0; i < rig->rows_count; i++) {
        const struct tkd_prefix *row = (const struct tkd_prefix *)(rig->rows + walked);
        ASSERT(row->size >= row->head && row->size % 8 == 0);
        walked += row->size;
    }
    ASSERT(walked == bytes);
    return status;
}

const void *rig_row(const struct rig *rig, u32 number)
{
    ASSERT(number < rig->rows_count);
    const u8 *at = rig->rows;
    while (number-- > 0) at += ((const struct tkd_prefix *)at)->size;
    return at;
}

u64 rig_figure(struct rig *rig, const char *name)
{
    ASSERT(rig_query(rig, TKD_OP_SUMMARY, TKD_RECORD_empty, &(struct tkd_empty){0}, NULL) == TKD_OK);
    for (u32 i = 0; i < rig->rows_count; i++) {
        const struct tkd_metric *metric = rig_row(rig, i);
        if (metric->name_bytes == strlen(name) && memcmp(metric + 1, name, metric->name_bytes) == 0)
            return metric->value;
    }
    return 0;
}

static u32 ids_bytes(const u16 *ids)
{
    u32 count = 0;
    while (ids != NULL && ids[count] != 0) count++;
    return count * 2;
}

void rig_entry(struct rig *rig, u32 kind, const struct tkd_catalog_entry *entry, const char *name, const u16 *skills,
               const u16 *queues)
{
    struct tkd_catalog_entry head = *entry;
    head.kind = (u16)kind;
    const void *texts[6] = {name, skills, queues};
    u32 bytes[6] = {(u32)strlen(name), ids_bytes(skills), ids_bytes(queues)};
    rig_begin(rig, TKD_OP_CATALOG_APPLY);
    rig_add_bytes(rig, TKD_RECORD_catalog_entry, &head, texts, bytes);
    ASSERT(rig_run(rig) == TKD_OK);
    ASSERT(rig->results[0].status == TKD_OK);
    rig_settle(rig);
}

void rig_skill(struct rig *rig, u32 id, const char *name)
{
    rig_entry(rig, TKD_KIND_SKILL, &(struct tkd_catalog_entry){.id = id}, name, NULL, NULL);
}

void rig_channel(struct rig *rig, u32 id, const char *name)
{
    rig_entry(rig, TKD_KIND_CHANNEL, &(struct tkd_catalog_entry){.id = id}, name, NULL, NULL);
}

void rig_tier(struct rig *rig, u32 id, const char *name)
{
    rig_entry(rig, TKD_KIND_TIER, &(struct tkd_catalog_entry){.id = id}, name, NULL, NULL);
}

void rig_category(struct rig *rig, u32 id, const char *name, u32 parent)
{
    rig_entry(rig, TKD_KIND_CATEGORY, &(struct tkd_catalog_entry){.id = id, .parent = parent}, name, NULL, NULL);
}

void rig_queue(struct rig *rig, u32 id, const char *name, u32 strategy, u16 skill)
{
    struct tkd_catalog_entry entry = {.id = id, .strategy = (u8)strategy};
    rig_entry(rig, TKD_KIND_QUEUE, &entry, name, (u16[]){skill, 0}, NULL);
}

void rig_agent(struct rig *rig, u32 id, const char *name, u32 capacity, const u16 *queues, const u16 *skills)
{
    struct tkd_catalog_entry entry = {.id = id, .capacity = capacity, .all_queues = queues == NULL};
    rig_entry(rig, TKD_KIND_AGENT, &entry, name, skills, queues);
}

enum tkd_status rig_presence(struct rig *rig, u32 agent, u32 presence)
{
    struct tkd_agent_presence request = {.agent = agent, .presence = presence};
    rig_begin(rig, TKD_OP_AGENT_PRESENCE);
    rig_add(rig, TKD_RECORD_agent_presence, &request, NULL);
    enum tkd_status status = rig_run(rig);
    if (status != TKD_OK) return status;
    status = rig->results[0].status;
    rig_settle(rig);
    return status;
}

struct tkd_result rig_create_with(struct rig *rig, const struct tkd_ticket_create *request, const char *address,
                                  const char *key)
{
    rig_begin(rig, TKD_OP_TICKET_CREATE);
    rig_add(rig, TKD_RECORD_ticket_create, request,
            (const char *const[]){address, "desk@example.com", key, "the subject", "the body", NULL});
    enum tkd_status status = rig_run(rig);
    if (status != TKD_OK) return (struct tkd_result){.status = status};
    return rig->results[0];
}

u64 rig_create_ticket(struct rig *rig, u32 queue, u32 priority)
{
    struct tkd_ticket_create request = {.channel = 1, .queue = (u16)queue, .priority = (u8)priority};
    struct tkd_result result = rig_create_with(rig, &request, "a", NULL);
    ASSERT(result.status == TKD_OK);
    return result.id;
}

struct tkd_result rig_verb(struct rig *rig, u64 ticket, u32 verb, u32 argument, const char *text)
{
    struct tkd_ticket_update request = {.kind = (u16)verb, .ticket = ticket};
    if (verb == TKD_VERB_ASSIGN || verb == TKD_VERB_CLAIM) request.agent = argument;
    if (verb == TKD_VERB_TRANSFER) request.queue = (u16)argument;
    if (verb == TKD_VERB_PRIORITY) request.priority = (u8)argument;
    if (verb == TKD_VERB_CATEGORY) request.category = (u16)argument;
    rig_begin(rig, TKD_OP_TICKET_UPDATE);
    rig_add(rig, TKD_RECORD_ticket_update, &request, (const char *const[]){NULL, NULL, text});
    enum tkd_status status = rig_run(rig);
    if (status != TKD_OK) return (struct tkd_result){.status = status};
    struct tkd_result result = rig->results[0];
    rig_settle(rig);
    return result;
}

const struct ticket *rig_ticket(const struct rig *rig, u64 id)
{
    u32 row = ticket_find(rig->state, id);
    return row == 0 ? NULL : ticket_row(rig->state, row);
}

u32 rig_holder(const struct rig *rig, u64 id)
{
    const struct ticket *ticket = rig_ticket(rig, id);
    return ticket == NULL || ticket->task == 0 ? 0 : task_row(rig->state, ticket->task)->agent;
}

u32 rig_events(const struct rig *rig, u32 kind)
{
    const struct event_log *log = state_events_read(rig->state);
    u32 count = 0;
    for (u64 seq = log->seq_first; seq < log->seq_next; seq++) count += event_at(log, seq)->kind == kind;
    return count;
}

const struct tkd_event *rig_last_event(const struct rig *rig, u32 kind)
{
    const struct event_log *log = state_events_read(rig->state);
    for (u64 seq = log->seq_next; seq-- > log->seq_first;)
        if (event_at(log, seq)->kind == kind) return event_at(log, seq);
    return NULL;
}

void rig_small_desk(struct rig *rig)
{
    rig_channel(rig, 1, "mail");
    rig_queue(rig, 1, "first line", TKD_STRATEGY_LEAST_LOADED, 0);
    rig_queue(rig, 2, "second line", TKD_STRATEGY_LONGEST_IDLE, 0);
    rig_queue(rig, 3, "claims", TKD_STRATEGY_CLAIM, 0);
    rig_agent(rig, 1, "Ada", 2, NULL, NULL);
    rig_agent(rig, 2, "Bo", 2, NULL, NULL);
    rig_agent(rig, 3, "陈", 2, NULL, NULL);
    rig_agent(rig, 4, "Dee", 2, NULL, NULL);
}
