/* What the clients ask for: everything the desk can do, on their own tickets. */
#include <stdio.h>
#include <stdlib.h>

#include "crash/crash.h"

static u32 pick(struct client *client, u32 below) { return (u32)prng_below(&client->prng, below); }

static u32 mark(const struct client *client, u32 record, char *text)
{
    return (u32)snprintf(text, MARK_MAX, "#%u.%llu.%u", client->number, (unsigned long long)client->next_seq,
                         record);
}

static void add_create(struct client *client, struct draft *draft)
{
    static char texts[70000];
    struct tkd_ticket_create head = {.channel = 1, /* keys are unique within a channel */
                                     .queue = (u16)(1 + pick(client, QUEUES)),
                                     .category = (u16)pick(client, CATEGORIES + 1),
                                     .priority = (u8)pick(client, TKD_PRIORITY_END),
                                     .state = pick(client, 4) ? 0 : TKD_STATE_OPEN};
    if (pick(client, 8) == 0) head.no_routing = 1;
    u64 again = client->next_seq > 1 ? 1 + prng_below(&client->prng, client->next_seq - 1) : 0;
    const struct command *earlier = &client->commands[again];
    u32 record = again ? pick(client, earlier->count) : 0;
    char key[MARK_MAX];
    u32 key_bytes = mark(client, draft->head->count, key);
    /* The same external key once more: EXISTS, and the first one's id. */
    bool made = again && earlier->op == TKD_OP_TICKET_CREATE && earlier->results &&
                earlier->results[record].status == TKD_OK;
    if (made && pick(client, 10) == 0) {
        key_bytes =
            (u32)snprintf(key, sizeof(key), "#%u.%llu.%u", client->number, (unsigned long long)again, record);
    }
    head.address_bytes = (u32)snprintf(texts, 64, "u%u", pick(client, CUSTOMERS));
    memcpy(texts + head.address_bytes, key, key_bytes);
    head.key_bytes = key_bytes;
    u32 bytes = head.address_bytes + key_bytes;
    head.subject_bytes = 8;
    memcpy(texts + bytes, "subject.", 8);
    bytes += 8;
    if (pick(client, 20) == 0) { /* large ones, so that batches and segments fill */
        head.body_bytes = 1 + pick(client, 60000);
        memset(texts + bytes, 'x', head.body_bytes);
        bytes += head.body_bytes;
    }
    draft_add(draft, 0, &head, sizeof(head), texts, bytes);
}

static u64 some_ticket(struct client *client)
{
    /* Mostly young ones: their lines and clocks still run. */
    u64 young = min_u64(client->tickets_count, 200);
    u64 at = pick(client, 4) ? client->tickets_count - 1 - prng_below(&client->prng, young)
                             : prng_below(&client->prng, client->tickets_count);
    return client->tickets[at];
}

static void add_update(struct client *client, struct draft *draft)
{
    char text[MARK_MAX];
    u16 verb = (u16)(1 + pick(client, TKD_VERB_END - 1));
    struct tkd_ticket_update head = {.ticket = some_ticket(client)};
    if (pick(client, 3)) head.actor = 1 + pick(client, AGENTS);
    if (pick(client, 20) == 0) head.version = 1 + pick(client, 6);
    if (verb == TKD_VERB_ASSIGN || verb == TKD_VERB_CLAIM) head.agent = 1 + pick(client, AGENTS);
    if (verb == TKD_VERB_TRANSFER) head.queue = (u16)(1 + pick(client, QUEUES));
    if (verb == TKD_VERB_TRANSFER && pick(client, 2)) head.agent = 1 + pick(client, AGENTS);
    if (verb == TKD_VERB_CATEGORY) head.category = (u16)pick(client, CATEGORIES + 1);
    if (verb == TKD_VERB_PRIORITY) head.priority = (u8)(1 + pick(client, TKD_PRIORITY_END - 1));
    bool tag = verb == TKD_VERB_TAG || verb == TKD_VERB_UNTAG;
    head.text_bytes = tag ? (u32)snprintf(text, sizeof(text), "tag %u", pick(client, 40))
                          : mark(client, draft->head->count, text);
    draft_add(draft, verb, &head, sizeof(head), text, head.text_bytes);
}

static void add_presence(struct client *client, struct draft *draft)
{
    struct tkd_agent_presence head = {.agent = 1 + pick(client, AGENTS),
                                      .presence =
                                          pick(client, 3) ? TKD_PRESENCE_ONLINE : TKD_PRESENCE_OFFLINE};
    draft_add(draft, 0, &head, sizeof(head), NULL, 0);
}

static void add_customer(struct client *client, struct draft *draft)
{
    char text[MARK_MAX];
    struct tkd_customer_update head = {.customer = 1 + pick(client, 20), .tier = pick(client, 3)};
    head.name_bytes = mark(client, draft->head->count, text);
    draft_add(draft, 0, &head, sizeof(head), text, head.name_bytes);
}

static void add_entry(struct draft *draft, u16 kind, u32 id, struct tkd_catalog_entry head)
{
    char name[64];
    head.id = id;
    head.name_bytes = (u32)snprintf(name, sizeof(name), "%s %u", tkd_name(TKD_ENUM_KIND, kind), id);
    draft_add(draft, kind, &head, sizeof(head), name, head.name_bytes);
}

static void add_agent(struct draft *draft, u32 id, u32 capacity)
{
    add_entry(draft, TKD_KIND_AGENT, id, (struct tkd_catalog_entry){.all_queues = 1, .capacity = capacity});
}

static void add_policy(struct draft *draft, u64 target_ms)
{
    add_entry(draft, TKD_KIND_POLICY, 1,
              (struct tkd_catalog_entry){.order = 1,
                                         .states_first_reply = 1u << TKD_STATE_NEW | 1u << TKD_STATE_OPEN,
                                         .states_resolution = 1u << TKD_STATE_NEW | 1u << TKD_STATE_OPEN,
                                         .yellow_percent = 50,
                                         .first_reply_urgent_ms = target_ms,
                                         .first_reply_high_ms = 2 * target_ms,
                                         .first_reply_normal_ms = 4 * target_ms,
                                         .resolution_urgent_ms = 3 * target_ms,
                                         .resolution_high_ms = 5 * target_ms,
                                         .resolution_normal_ms = 60000});
}

void compose_catalog(struct draft *draft)
{
    add_entry(draft, TKD_KIND_CHANNEL, 1, (struct tkd_catalog_entry){0});
    for (u32 id = 1; id <= 2; id++) add_entry(draft, TKD_KIND_TIER, id, (struct tkd_catalog_entry){0});
    for (u32 id = 1; id <= CATEGORIES; id++)
        add_entry(draft, TKD_KIND_CATEGORY, id, (struct tkd_catalog_entry){0});
    for (u32 id = 1; id <= QUEUES; id++) {
        struct tkd_catalog_entry queue = {.strategy = (u8)(1 + id % 3)};
        if (id == 2) queue.step_ms = 40, queue.yellow_ms = 10;
        add_entry(draft, TKD_KIND_QUEUE, id, queue);
    }
    for (u32 id = 1; id <= AGENTS; id++) add_agent(draft, id, id * 3 % 16);
    add_policy(draft, 20);
}

void compose(const struct world *world, struct client *client, struct draft *draft)
{
    bool may_create = world->tickets_count < TICKETS_LIFE;
    u32 dice = pick(client, 100), count = 1 + (pick(client, 3) ? pick(client, 8) : pick(client, 60));
    if (client->tickets_count < 5 || (may_create && dice < 35)) {
        draft_begin(draft, TKD_OP_TICKET_CREATE, client->next_seq);
        for (u32 i = 0; i < count && draft_room(draft) > 100000; i++) add_create(client, draft);
    } else if (dice < 90) {
        draft_begin(draft, TKD_OP_TICKET_UPDATE, client->next_seq);
        for (u32 i = 0; i < count; i++) add_update(client, draft);
    } else if (dice < 96 || client->number > 0) {
        bool presence = dice % 2 == 0;
        draft_begin(draft, presence ? TKD_OP_AGENT_PRESENCE : TKD_OP_CUSTOMER_UPDATE, client->next_seq);
        for (u32 i = 0; i < 1 + count % 4; i++) {
            if (presence)
                add_presence(client, draft);
            else
                add_customer(client, draft);
        }
    } else {
        draft_begin(draft, TKD_OP_CATALOG_APPLY, client->next_seq);
        add_agent(draft, 1 + pick(client, AGENTS), pick(client, 30));
        if (pick(client, 3) == 0) add_policy(draft, 10 + pick(client, 100));
        /* All or nothing: the last one is refused, so is the first. */
        if (pick(client, 4) == 0)
            add_entry(draft, TKD_KIND_QUEUE, 1, (struct tkd_catalog_entry){.parent = 77});
    }
}

void compose_calm_catalog(struct draft *draft)
{
    add_entry(draft, TKD_KIND_POLICY, 1, (struct tkd_catalog_entry){.order = 1});
    add_entry(draft, TKD_KIND_QUEUE, 2, (struct tkd_catalog_entry){.strategy = TKD_STRATEGY_CLAIM});
}

void compose_calm_agents(struct draft *draft)
{
    for (u32 id = 1; id <= AGENTS; id++) {
        struct tkd_agent_presence head = {.agent = id, .presence = TKD_PRESENCE_OFFLINE};
        draft_add(draft, 0, &head, sizeof(head), NULL, 0);
    }
}
