#include "bench/desk.h"

#include <stdio.h>
#include <string.h>

#include "bench/server.h"

#define SKILLS           8u
#define QUEUES_PER_AGENT 8u
#define HOUR_MS          3600000u

/* Ids in an entry's text. */
struct ids {
    const u16 *ids;
    u32 count;
};

struct lists {
    struct ids skills, queues, categories;
};

static void add_entry(struct sender *sender, struct tkd_catalog_entry entry, const char *name, struct lists lists)
{
    const struct ids *ids[] = {&lists.skills, &lists.queues, &lists.categories};
    entry.name_bytes = (u32)strlen(name);
    entry.skills_bytes = lists.skills.count * (u32)sizeof(u16);
    entry.queues_bytes = lists.queues.count * (u32)sizeof(u16);
    entry.categories_bytes = lists.categories.count * (u32)sizeof(u16);
    u32 texts_bytes = entry.name_bytes + entry.skills_bytes + entry.queues_bytes + entry.categories_bytes;
    struct tkd_catalog_entry *record = sender_record(sender, sizeof(entry), texts_bytes, entry.kind);
    if (record == NULL) die("so large a catalog does not fit into a frame: fewer queues and agents");
    entry.size = record->size;
    entry.head = record->head;
    *record = entry;
    u8 *text = (u8 *)(record + 1);
    memcpy(text, name, entry.name_bytes);
    text += entry.name_bytes;
    for (u32 i = 0; i < ARRAY_COUNT(ids); i++) {
        u32 bytes = ids[i]->count * (u32)sizeof(u16);
        if (bytes > 0) memcpy(text, ids[i]->ids, bytes);
        text += bytes;
    }
}

static void add_simple(struct sender *sender, u16 kind, const char *what, u32 count)
{
    for (u32 id = 1; id <= count; id++) {
        char name[32];
        snprintf(name, sizeof(name), "%s-%u", what, id);
        add_entry(sender, (struct tkd_catalog_entry){.kind = kind, .id = id}, name, (struct lists){0});
    }
}

static void add_queues(struct sender *sender, const struct desk_size *size)
{
    for (u32 id = 1; id <= size->queues; id++) {
        char name[32];
        u16 skill = (u16)(id % SKILLS + 1);
        snprintf(name, sizeof(name), "queue-%u", id);
        struct tkd_catalog_entry entry = {
            .kind = TKD_KIND_QUEUE, .id = id, .strategy = TKD_STRATEGY_LEAST_LOADED};
        add_entry(sender, entry, name, (struct lists){.skills = {&skill, 1}});
    }
}

static void add_agents(struct sender *sender, const struct desk_size *size)
{
    u16 all_skills[SKILLS], served[QUEUES_PER_AGENT];
    u32 serves = min_u32(QUEUES_PER_AGENT, size->queues);
    for (u32 i = 0; i < SKILLS; i++) all_skills[i] = (u16)(i + 1);
    for (u32 id = 1; id <= size->agents; id++) {
        char name[32];
        snprintf(name, sizeof(name), "agent-%u", id);
        for (u32 i = 0; i < serves; i++) served[i] = (u16)((id * serves + i) % size->queues + 1);
        struct lists lists = {.skills = {all_skills, SKILLS}, .queues = {served, serves}};
        struct tkd_catalog_entry entry = {.kind = TKD_KIND_AGENT, .id = id, .capacity = size->capacity};
        add_entry(sender, entry, name, lists);
    }
}

/* A standard for all; and, if wanted, one for each category that is due so many seconds later. */
static void add_policies(struct sender *sender, bool due_categories)
{
    u16 running = 1u << TKD_STATE_NEW | 1u << TKD_STATE_OPEN;
    struct tkd_catalog_entry policy = {.kind = TKD_KIND_POLICY,
                                       .id = 1,
                                       .order = 2,
                                       .states_first_reply = running,
                                       .states_resolution = running,
                                       .yellow_percent = 20,
                                       .first_reply_normal_ms = HOUR_MS,
                                       .resolution_normal_ms = 24 * HOUR_MS};
    add_entry(sender, policy, "standard", (struct lists){0});
    if (!due_categories) return;
    policy.yellow_percent = 0;
    policy.order = 1;
    policy.first_reply_normal_ms = 24 * HOUR_MS;
    for (u16 seconds = 1; seconds <= DESK_DUE_CATEGORIES; seconds++) {
        char name[32];
        snprintf(name, sizeof(name), "within-%u-s", seconds);
        add_entry(sender, (struct tkd_catalog_entry){.kind = TKD_KIND_CATEGORY, .id = seconds}, name,
                  (struct lists){0});
        policy.id = seconds + 1u;
        policy.resolution_normal_ms = seconds * 1000u;
        add_entry(sender, policy, name, (struct lists){.categories = {&seconds, 1}});
    }
}

void desk_catalog(const struct desk_size *size, struct sender *sender)
{
    sender_begin(sender, TKD_OP_CATALOG_APPLY, 0);
    add_simple(sender, TKD_KIND_CHANNEL, "channel", DESK_CHANNELS);
    add_simple(sender, TKD_KIND_SKILL, "skill", SKILLS);
    add_queues(sender, size);
    add_agents(sender, size);
    add_policies(sender, size->due_categories);
    if (size->archive_after_ms == 0) return;
    struct tkd_catalog_entry desk = {
        .kind = TKD_KIND_DESK, .id = 1, .archive_after_ms = size->archive_after_ms};
    add_entry(sender, desk, "benchmark", (struct lists){0});
}

void desk_presence(const struct desk_size *size, struct sender *sender)
{
    sender_begin(sender, TKD_OP_AGENT_PRESENCE, 0);
    for (u32 id = 1; id <= size->agents; id++) {
        struct tkd_agent_presence *presence = sender_record(sender, sizeof(*presence), 0, 0);
        presence->agent = id;
        presence->presence = TKD_PRESENCE_ONLINE;
    }
}

/* ---- At a server ---- */

void desk_answered(void *owner, struct sender *sender, u32 slot, const struct tkd_frame *answer)
{
    (void)owner, (void)sender, (void)slot;
    const struct tkd_result *results = (const void *)(answer + 1);
    for (u32 i = 0; i < answer->count; i++) {
        const struct tkd_status_info *status = tkd_status_info(results[i].status);
        if (status->class != TKD_STATUS_ok) die("the desk, record %u: %s", i, status->doc);
    }
}

static void must(struct tkd_client *client, int error)
{
    if (error) die("%s", tkd_error(client));
}

void desk_make(const struct desk_size *size, struct tkd_client *client, const char *address)
{
    struct tkd_answer answer;
    struct senders senders;
    must(client, tkd_call(client, TKD_OP_QUEUE_LIST, 0, TKD_RECORD_entity_list,
                          &(struct tkd_entity_list){.limit = 1}, NULL, &answer));
    if (answer.count > 0) die("the server's desk is not empty: a benchmark would spoil it");
    senders_open(&senders, address, "", 1, 0, 1, desk_answered, NULL);
    desk_catalog(size, senders.items);
    sender_send(&senders, senders.items, 0);
    while (!senders_idle(&senders)) senders_run(&senders, 100000);
    desk_presence(size, senders.items);
    sender_send(&senders, senders.items, 0);
    while (!senders_idle(&senders)) senders_run(&senders, 100000);
    senders_close(&senders);
}

u64 desk_figure(struct tkd_client *client, u16 op, const char *name, char *text, u32 text_bytes)
{
    struct tkd_answer answer;
    struct tkd_empty nothing = {.kind = 0};
    must(client, tkd_call(client, op, 0, TKD_RECORD_empty, &nothing, NULL, &answer));
    if (text) *text = 0;
    for (const struct tkd_prefix *row = NULL; (row = tkd_next_row(&answer, row));) {
        struct tkd_metric metric;
        tkd_read(TKD_RECORD_metric, row, &metric);
        struct tkd_text found = tkd_row_text(TKD_RECORD_metric, row, 0);
        struct tkd_text value = tkd_row_text(TKD_RECORD_metric, row, 1);
        if (found.bytes != strlen(name) || memcmp(found.data, name, found.bytes) != 0) continue;
        if (text) snprintf(text, text_bytes, "%.*s", (int)value.bytes, value.data);
        return metric.value;
    }
    return 0;
}
