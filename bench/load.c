#include "bench/load.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench/server.h"

#define CHANNELS 4u
#define SKILLS 8u
#define QUEUES_PER_AGENT 8u
#define HOUR_MS 3600000u

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

static void add_queues(struct tkd_client *client, const struct load *load)
{
    for (u32 id = 1; id <= load->queues; id++) {
        char name[32];
        u16 skill = (u16)(id % SKILLS + 1);
        struct tkd_text skills = {(const char *)&skill, sizeof(skill)};
        snprintf(name, sizeof(name), "queue-%u", id);
        struct tkd_catalog_entry entry = {.kind = TKD_KIND_QUEUE, .id = id, .strategy = TKD_STRATEGY_LEAST_LOADED};
        add_entry(client, &entry, name, &skills, NULL);
    }
}

static void add_agents(struct tkd_client *client, const struct load *load)
{
    u16 all_skills[SKILLS], served[QUEUES_PER_AGENT];
    u32 serves = min_u32(QUEUES_PER_AGENT, load->queues);
    for (u32 i = 0; i < SKILLS; i++) all_skills[i] = (u16)(i + 1);
    for (u32 id = 1; id <= load->agents; id++) {
        char name[32];
        snprintf(name, sizeof(name), "agent-%u", id);
        for (u32 i = 0; i < serves; i++) served[i] = (u16)((id * serves + i) % load->queues + 1);
        struct tkd_text skills = {(const char *)all_skills, sizeof(all_skills)};
        struct tkd_text queues = {(const char *)served, serves * (u32)sizeof(u16)};
        struct tkd_catalog_entry entry = {.kind = TKD_KIND_AGENT, .id = id, .capacity = load->capacity};
        add_entry(client, &entry, name, &skills, &queues);
    }
}

static void add_policy(struct tkd_client *client)
{
    u16 running = 1u << TKD_STATE_NEW | 1u << TKD_STATE_OPEN;
    struct tkd_catalog_entry policy = {.kind = TKD_KIND_POLICY,
                                       .id = 1,
                                       .states_first_reply = running,
                                       .states_resolution = running,
                                       .yellow_percent = 20,
                                       .first_reply_normal_ms = HOUR_MS,
                                       .resolution_normal_ms = 24 * HOUR_MS};
    add_entry(client, &policy, "standard", NULL, NULL);
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

void load_desk(const struct load *load, struct tkd_client *client)
{
    struct tkd_answer answer;
    must(client, tkd_call(client, TKD_OP_QUEUE_LIST, 0, TKD_RECORD_entity_list,
                          &(struct tkd_entity_list){.limit = 1}, NULL, &answer));
    if (answer.count > 0) die("the server's desk is not empty: a benchmark would spoil it");
    must(client, tkd_begin(client, TKD_OP_CATALOG_APPLY, 0, 0));
    add_simple(client, TKD_KIND_CHANNEL, "channel", CHANNELS);
    add_simple(client, TKD_KIND_SKILL, "skill", SKILLS);
    add_queues(client, load);
    add_agents(client, load);
    add_policy(client);
    done_all(client, "the desk's catalog");

    must(client, tkd_begin(client, TKD_OP_AGENT_PRESENCE, 0, 0));
    for (u32 id = 1; id <= load->agents; id++) {
        struct tkd_agent_presence presence = {.agent = id, .presence = TKD_PRESENCE_ONLINE};
        must(client, tkd_add(client, TKD_RECORD_agent_presence, &presence, NULL));
    }
    done_all(client, "the agents' presence");
}

/* ---- The tickets ---- */

static void put_digits(char *at, u64 number, u32 digits)
{
    for (u32 i = digits; i-- > 0; number /= 10) at[i] = (char)('0' + number % 10);
}

static void add_ticket(struct sender *sender, const struct load *load, u64 index)
{
    static const char subject[] = "Where is my parcel? Order 000000";
    struct tkd_ticket_create head = {.channel = (u16)(index % CHANNELS + 1),
                                     .queue = (u16)(index * 2654435761u % load->queues + 1),
                                     .address_bytes = 12,
                                     .key_bytes = 16,
                                     .subject_bytes = sizeof(subject) - 1,
                                     .body_bytes = load->body_bytes};
    u32 texts_bytes = head.address_bytes + head.key_bytes + head.subject_bytes + head.body_bytes;
    struct tkd_ticket_create *record = sender_record(sender, sizeof(head), texts_bytes);
    head.size = record->size;
    head.head = record->head;
    *record = head;
    char *text = (char *)(record + 1);
    text[0] = '+';
    put_digits(text + 1, index % load->customers, 11);
    text += head.address_bytes;
    put_digits(text, load->run, 5);
    text[5] = '-';
    put_digits(text + 6, index, 10);
    text += head.key_bytes;
    memcpy(text, subject, head.subject_bytes);
    memset(text + head.subject_bytes, 'x', head.body_bytes);
}

/* The generator's place in its load. */
struct progress {
    u64 created; /* records sent */
    u64 begun_ns;
};

static void send_batch(struct sender *sender, const struct load *load, struct progress *progress, u64 begun_ns)
{
    u64 count = min_u64(load->batch, load->tickets - progress->created);
    sender_begin(sender, TKD_OP_TICKET_CREATE, 0);
    for (u64 i = 0; i < count; i++) add_ticket(sender, load, progress->created++);
    sender_send(sender, begun_ns);
}

/* When the next batch should begin; 0: at once. */
static u64 next_ns(const struct load *load, const struct progress *progress)
{
    if (load->rate == 0) return 0;
    return progress->begun_ns + (u64)((double)progress->created * 1e9 / (double)load->rate);
}

/* Begins every batch whose time has come, as far as the windows allow. Returns how long to wait. */
static u64 send_due(struct sender *senders, const struct load *load, struct progress *progress,
                    struct load_results *results)
{
    for (u32 i = 0; i < load->connections && progress->created < load->tickets; i++) {
        while (sender_free(&senders[i]) && progress->created < load->tickets) {
            u64 due_ns = next_ns(load, progress), now = now_ns();
            if (due_ns > now) return (due_ns - now) / 1000;
            if (due_ns != 0 && now - due_ns > 1000000) results->late_batches++;
            send_batch(&senders[i], load, progress, due_ns);
        }
    }
    return 1000000;
}

void load_run(const struct load *load, const char *address, struct load_results *results,
              void (*progress_shown)(u64 done, u64 all))
{
    *results = (struct load_results){.took_ns = 0};
    histogram_reset(&results->sent.latency_ns);
    struct sender *senders = calloc(load->connections, sizeof(*senders));
    if (!senders) die("no memory");
    for (u32 i = 0; i < load->connections; i++) {
        char name[64];
        snprintf(name, sizeof(name), "ticketbench-%u-%u", load->run, i);
        sender_open(&senders[i], address, name, load->depth);
    }
    struct progress progress = {.begun_ns = now_ns()};
    while (progress.created < load->tickets || !senders_idle(senders, load->connections)) {
        u64 wait_us = send_due(senders, load, &progress, results);
        senders_run(senders, load->connections, &results->sent, wait_us);
        if (progress_shown) {
            progress_shown(results->sent.ok + results->sent.exists + results->sent.refused, load->tickets);
        }
    }
    results->took_ns = now_ns() - progress.begun_ns;
    for (u32 i = 0; i < load->connections; i++) sender_close(&senders[i]);
    free(senders);
}

u64 load_status(struct tkd_client *client, const char *name, char *text, u32 text_bytes)
{
    struct tkd_answer answer;
    struct tkd_empty nothing = {.kind = 0};
    must(client, tkd_call(client, TKD_OP_STATUS, 0, TKD_RECORD_empty, &nothing, NULL, &answer));
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
