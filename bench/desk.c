#include "bench/desk.h"

#include <stdio.h>
#include <string.h>

#include "bench/server.h"

#define SKILLS           8u
#define QUEUES_PER_AGENT 8u
#define HOUR_MS          3600000u

/* ---- The desk ---- */

static void must(struct tkd_client *client, int error)
{
    if (error) die("%s", tkd_error(client));
}

static void add_entry(struct tkd_client *client, struct tkd_catalog_entry *entry, const char *name,
                      const struct tkd_text *skills, const struct tkd_text *queues)
{
    struct tkd_text texts[6] = {{name, (u32)strlen(name)}};
    if (skills) texts[1] = *skills;
    if (queues) texts[2] = *queues;
    must(client, tkd_add(client, TKD_RECORD_catalog_entry, entry, texts));
}

static void add_simple(struct tkd_client *client, u16 kind, const char *what, u32 count)
{
    for (u32 id = 1; id <= count; id++) {
        char name[32];
        snprintf(name, sizeof(name), "%s-%u", what, id);
        add_entry(client, &(struct tkd_catalog_entry){.kind = kind, .id = id}, name, NULL, NULL);
    }
}

static void add_queues(struct tkd_client *client, const struct desk_size *size)
{
    for (u32 id = 1; id <= size->queues; id++) {
        char name[32];
        u16 skill = (u16)(id % SKILLS + 1);
        struct tkd_text skills = {(const char *)&skill, sizeof(skill)};
        snprintf(name, sizeof(name), "queue-%u", id);
        struct tkd_catalog_entry entry = {
            .kind = TKD_KIND_QUEUE, .id = id, .strategy = TKD_STRATEGY_LEAST_LOADED};
        add_entry(client, &entry, name, &skills, NULL);
    }
}

static void add_agents(struct tkd_client *client, const struct desk_size *size)
{
    u16 all_skills[SKILLS], served[QUEUES_PER_AGENT];
    u32 serves = min_u32(QUEUES_PER_AGENT, size->queues);
    for (u32 i = 0; i < SKILLS; i++) all_skills[i] = (u16)(i + 1);
    for (u32 id = 1; id <= size->agents; id++) {
        char name[32];
        snprintf(name, sizeof(name), "agent-%u", id);
        for (u32 i = 0; i < serves; i++) served[i] = (u16)((id * serves + i) % size->queues + 1);
        struct tkd_text skills = {(const char *)all_skills, sizeof(all_skills)};
        struct tkd_text queues = {(const char *)served, serves * (u32)sizeof(u16)};
        struct tkd_catalog_entry entry = {.kind = TKD_KIND_AGENT, .id = id, .capacity = size->capacity};
        add_entry(client, &entry, name, &skills, &queues);
    }
}

/* A standard for all; and, if wanted, one for each category that is due so many seconds later. */
static void add_policies(struct tkd_client *client, bool due_categories)
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
    add_entry(client, &policy, "standard", NULL, NULL);
    if (!due_categories) return;
    policy.yellow_percent = 0;
    policy.order = 1;
    policy.first_reply_normal_ms = 24 * HOUR_MS;
    for (u16 seconds = 1; seconds <= DESK_DUE_CATEGORIES; seconds++) {
        char name[32];
        snprintf(name, sizeof(name), "within-%u-s", seconds);
        add_entry(client, &(struct tkd_catalog_entry){.kind = TKD_KIND_CATEGORY, .id = seconds}, name, NULL,
                  NULL);
        policy.id = seconds + 1u;
        policy.resolution_normal_ms = seconds * 1000u;
        struct tkd_text texts[6] = {
            {name, (u32)strlen(name)}, {0}, {0}, {(const char *)&seconds, sizeof(seconds)}};
        must(client, tkd_add(client, TKD_RECORD_catalog_entry, &policy, texts));
    }
}

/* One frame and its answer, all of whose results must be fine. */
static void done_all(struct tkd_client *client, const char *what)
{
    struct tkd_answer answer;
    must(client, tkd_send(client));
    must(client, tkd_receive(client, &answer));
    if (answer.status != TKD_OK) die("%s: %s", what, tkd_status_info(answer.status)->doc);
    const struct tkd_result *results = answer.rows;
    for (u32 i = 0; i < answer.count; i++) {
        const struct tkd_status_info *status = tkd_status_info(results[i].status);
        if (status->class != TKD_STATUS_ok) die("%s, record %u: %s", what, i, status->doc);
    }
}

void desk_make(const struct desk_size *size, struct tkd_client *client)
{
    struct tkd_answer answer;
    must(client, tkd_call(client, TKD_OP_QUEUE_LIST, 0, TKD_RECORD_entity_list,
                          &(struct tkd_entity_list){.limit = 1}, NULL, &answer));
    if (answer.count > 0) die("the server's desk is not empty: a benchmark would spoil it");
    must(client, tkd_begin(client, TKD_OP_CATALOG_APPLY, 0, 0));
    add_simple(client, TKD_KIND_CHANNEL, "channel", DESK_CHANNELS);
    add_simple(client, TKD_KIND_SKILL, "skill", SKILLS);
    add_queues(client, size);
    add_agents(client, size);
    add_policies(client, size->due_categories);
    if (size->archive_after_ms > 0) {
        struct tkd_catalog_entry desk = {
            .kind = TKD_KIND_DESK, .id = 1, .archive_after_ms = size->archive_after_ms};
        add_entry(client, &desk, "benchmark", NULL, NULL);
    }
    done_all(client, "the desk's catalog");

    must(client, tkd_begin(client, TKD_OP_AGENT_PRESENCE, 0, 0));
    for (u32 id = 1; id <= size->agents; id++) {
        struct tkd_agent_presence presence = {.agent = id, .presence = TKD_PRESENCE_ONLINE};
        must(client, tkd_add(client, TKD_RECORD_agent_presence, &presence, NULL));
    }
    done_all(client, "the agents' presence");
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
