#include "tests/support/workload.h"

#include <stdio.h>
#include <stdlib.h>

#define SKILLS 4u
#define FRAME_COPY_BYTES (64u << 10)

static u64 below(struct workload *workload, u64 count) { return prng_below(&workload->prng, count); }
static bool chance(struct workload *workload, u32 percent) { return prng_chance(&workload->prng, percent, 100); }

/* ---- Ids ---- */

static const struct {
    u32 count;
    u32 id_max;
} kinds[TKD_KIND_END] = {
    [TKD_KIND_DESK] = {1, 1},
    [TKD_KIND_SKILL] = {SKILLS, SKILLS_MAX},
    [TKD_KIND_CHANNEL] = {2, CHANNELS_MAX},
    [TKD_KIND_TIER] = {2, TIERS_MAX},
    [TKD_KIND_CATEGORY] = {5, CATEGORIES_MAX},
    [TKD_KIND_QUEUE] = {6, QUEUES_MAX},
    [TKD_KIND_AGENT] = {8, AGENTS_MAX},
    [TKD_KIND_POLICY] = {3, POLICIES_MAX},
};

/* Skills stand at the edges of the words of a mask; on a wide desk so do the last two of the other kinds. */
static u16 id_of(const struct workload *workload, u32 kind, u32 number)
{
    static const u16 skills[SKILLS + 1] = {0, 1, 63, 64, SKILLS_MAX};
    u32 count = kinds[kind].count, last = min_u32(workload->id_last, kinds[kind].id_max);
    if (number > count) return (u16)number;
    if (kind == TKD_KIND_SKILL) return skills[number];
    return (u16)(number + 2 > count && last > count ? last - (count - number) : number);
}

/* One that there is, and seldom something else. */
static u16 some(struct workload *workload, u32 kind)
{
    u32 count = kinds[kind].count;
    u32 number = chance(workload, 3) ? (u32)below(workload, count + 3) : 1 + (u32)below(workload, count);
    return id_of(workload, kind, number);
}

/* ---- The catalog ---- */

struct ids {
    u16 ids[8];
    u32 count;
};

static struct ids some_ids(struct workload *workload, u32 kind, u32 most)
{
    struct ids ids = {.count = (u32)below(workload, most + 1)};
    for (u32 i = 0; i < ids.count; i++) ids.ids[i] = some(workload, kind);
    return ids;
}

/* On an even desk many deadlines fall on the same instant. */
static u64 some_ms(struct workload *workload, u64 most_ms)
{
    u64 ms = 1 + below(workload, most_ms);
    return workload->even ? round_up(ms, HOUR_MS / 2) : ms;
}

static void queue_entry(struct workload *workload, u32 number, struct tkd_catalog_entry *entry)
{
    entry->parent = number > 4 || chance(workload, 5) ? 1 + (u32)below(workload, 3) : 0;
    entry->strategy = (u8)(1 + below(workload, 3));
    if (chance(workload, 60)) entry->step_ms = some_ms(workload, 2 * HOUR_MS);
    if (chance(workload, 30)) entry->yellow_ms = below(workload, HOUR_MS);
    if (chance(workload, 30)) entry->yellow_percent = (u32)below(workload, 101);
    if (chance(workload, 30)) entry->states_step = below(workload, 32) << 1;
}

static void policy_entry(struct workload *workload, struct tkd_catalog_entry *entry)
{
    u64 *ms = &entry->first_reply_urgent_ms;
    for (u32 i = 0; i < 8; i++)
        if (chance(workload, 80)) ms[i] = some_ms(workload, 3 * HOUR_MS);
    entry->order = (u32)below(workload, 3);
    entry->states_first_reply = (u16)(chance(workload, 70) ? 0x1e : below(workload, 128) << 1);
    entry->states_resolution = (u16)(chance(workload, 70) ? 0x06 : below(workload, 128) << 1);
    entry->priorities = (u8)(chance(workload, 50) ? 0 : below(workload, 16) << 1);
    if (chance(workload, 50)) entry->yellow_percent = (u32)below(workload, 101);
    if (chance(workload, 20)) entry->yellow_ms = below(workload, 2 * HOUR_MS);
}

/* `number` 0: some. */
static void add_entry(struct workload *workload, u32 kind, u32 number, bool wild)
{
    if (number == 0) number = 1 + (u32)below(workload, kinds[kind].count);
    struct tkd_catalog_entry entry = {.kind = (u16)kind, .id = id_of(workload, kind, number)};
    struct ids lists[5] = {{.count = 0}};
    if (kind == TKD_KIND_QUEUE) queue_entry(workload, number, &entry);
    if (kind == TKD_KIND_CATEGORY && number > 2) entry.parent = number / 2;
    if (kind == TKD_KIND_POLICY) policy_entry(workload, &entry);
    if (kind == TKD_KIND_DESK && chance(workload, 80)) entry.archive_after_ms = 1 + below(workload, 20 * HOUR_MS);
    if (kind == TKD_KIND_AGENT) {
        entry.capacity = (u32)below(workload, 5);
        entry.all_queues = chance(workload, 50);
        lists[0] = some_ids(workload, TKD_KIND_SKILL, 4);
        lists[1] = some_ids(workload, TKD_KIND_QUEUE, 4);
    }
    if ((kind == TKD_KIND_QUEUE || kind == TKD_KIND_CATEGORY) && chance(workload, 40))
        lists[0] = some_ids(workload, TKD_KIND_SKILL, 2);
    if (kind == TKD_KIND_POLICY && chance(workload, 50)) {
        lists[2] = some_ids(workload, TKD_KIND_CATEGORY, 2);
        lists[3] = some_ids(workload, TKD_KIND_CHANNEL, 1);
        lists[4] = some_ids(workload, TKD_KIND_TIER, 1);
    }
    if (wild) {
        entry.retired = kind != TKD_KIND_DESK && chance(workload, 15);
        if (chance(workload, 10)) entry.parent = (u32)below(workload, 9);
        if (chance(workload, 3)) entry.id = (u32)below(workload, 100000);
        if (chance(workload, 2)) entry.yellow_percent = 101;
        if (chance(workload, 5)) entry.expected_version = (u32)below(workload, 200);
    }
    char name[32];
    int bytes = snprintf(name, sizeof name, number == kinds[kind].count ? "%s" : "%s %u", tkd_name(TKD_ENUM_KIND, kind),
                         wild && chance(workload, 5) ? (u32)below(workload, 9) : number);
    const void *texts[6] = {name, lists[0].ids, lists[1].ids, lists[2].ids, lists[3].ids, lists[4].ids};
    u32 lengths[6] = {(u32)bytes};
    for (u32 i = 0; i < 5; i++) lengths[i + 1] = lists[i].count * 2;
    rig_add_bytes(workload->rig, TKD_RECORD_catalog_entry, &entry, texts, lengths);
}

static void set_up(struct workload *workload)
{
    static const u32 order[] = {TKD_KIND_SKILL, TKD_KIND_CHANNEL, TKD_KIND_TIER,  TKD_KIND_CATEGORY,
                                TKD_KIND_QUEUE, TKD_KIND_AGENT,   TKD_KIND_POLICY, TKD_KIND_DESK};
    for (u32 i = 0; i < ARRAY_COUNT(order); i++)
        for (u32 number = 1; number <= kinds[order[i]].count; number++) {
            do {
                rig_begin(workload->rig, TKD_OP_CATALOG_APPLY);
                add_entry(workload, order[i], number, false);
                ASSERT(rig_run(workload->rig) == TKD_OK);
            } while (workload->rig->results[0].status != TKD_OK);
        }
}

/* ---- Records ---- */

/* Seldom with a bit that few numbers have. */
static u64 or_beyond(struct workload *workload, u64 number)
{
    return chance(workload, 1) ? number | 1ull << (31 + below(workload, 33)) : number;
}

/* The receiver, four or five letters, and the key: where one ends and the other begins can be seen by nothing else. */
static void some_key(struct workload *workload, char key[16], u32 *receiver_bytes, u32 *key_bytes)
{
    bool longer = chance(workload, 25);
    *receiver_bytes = longer ? 5 : 4;
    *key_bytes = (u32)snprintf(key, 16, longer ? "%u" : "k%u", (u32)below(workload, 1000));
}

static void add_create(struct workload *workload)
{
    struct tkd_ticket_create request = {.channel = some(workload, TKD_KIND_CHANNEL),
                                        .queue = some(workload, TKD_KIND_QUEUE),
                                        .category = (u16)(chance(workload, 50) ? some(workload, TKD_KIND_CATEGORY) : 0),
                                        .priority = (u8)below(workload, chance(workload, 3) ? 8 : 5),
                                        .state = (u8)below(workload, chance(workload, 3) ? 5 : 3),
                                        .no_routing = chance(workload, 15)};
    if (chance(workload, 10)) request.agent = some(workload, TKD_KIND_AGENT);
    if (chance(workload, 10)) request.customer = or_beyond(workload, below(workload, 20));
    char address[16], key[16];
    u32 lengths[6] = {0};
    lengths[0] = (u32)snprintf(address, sizeof address, "c%u", (u32)below(workload, 30));
    if (chance(workload, 2)) lengths[0] = 0;
    if (chance(workload, 30)) some_key(workload, key, &lengths[1], &lengths[2]);
    lengths[3] = (u32)below(workload, 12);
    lengths[4] = (u32)below(workload, 12);
    struct ids skills = some_ids(workload, TKD_KIND_SKILL, chance(workload, 20) ? 2 : 0);
    lengths[5] = skills.count * 2;
    const void *texts[6] = {address, chance(workload, 50) ? "deskk" : "shopk", key, "subject line",
                            "body of text", skills.ids};
    rig_add_bytes(workload->rig, TKD_RECORD_ticket_create, &request, texts, lengths);
}

static void add_update(struct workload *workload)
{
    u64 tickets = desk_row(workload->rig->state)->tickets;
    struct tkd_ticket_update request = {.kind = (u16)(1 + below(workload, TKD_VERB_END - 1))};
    /* Mostly one of the newest. */
    u64 back = below(workload, chance(workload, 80) ? 60 : tickets + 2);
    request.ticket = or_beyond(workload, tickets > back ? tickets - back : below(workload, tickets + 2));
    if (chance(workload, 30)) request.kind = TKD_VERB_RESOLVE + (u16)below(workload, 2);
    if (chance(workload, 5)) { /* now and then one of the newest has as many as may be */
        request.kind = TKD_VERB_TAG;
        request.ticket = tickets - below(workload, min_u64(tickets, 3) + 1);
    }
    request.priority = (u8)(chance(workload, 3) ? 9 : 1 + below(workload, 4));
    request.queue = some(workload, TKD_KIND_QUEUE);
    request.category = (u16)(chance(workload, 20) ? 0 : some(workload, TKD_KIND_CATEGORY));
    request.channel = (u16)(chance(workload, 60) ? 0 : some(workload, TKD_KIND_CHANNEL));
    if (request.kind != TKD_VERB_TRANSFER || chance(workload, 30)) request.agent = some(workload, TKD_KIND_AGENT);
    if (chance(workload, 20)) request.actor = some(workload, TKD_KIND_AGENT);
    if (chance(workload, 10)) request.version = 1 + (u32)below(workload, 4);
    char key[16], text[TAG_BYTES_MAX + 2];
    u32 lengths[3] = {0};
    if (chance(workload, 10)) {
        request.ticket = 0;
        request.channel = some(workload, TKD_KIND_CHANNEL);
        some_key(workload, key, &lengths[0], &lengths[1]);
    }
    if (chance(workload, 90)) lengths[2] = (u32)snprintf(text, sizeof text, "text %u", (u32)below(workload, 10));
    if (chance(workload, 3)) /* as long as a tag may be, or longer */
        lengths[2] = (u32)snprintf(text, sizeof text, "%0*u", (int)(TAG_BYTES_MAX + below(workload, 2)),
                                   (u32)below(workload, 3));
    const void *texts[3] = {"deskk", key, text};
    rig_add_bytes(workload->rig, TKD_RECORD_ticket_update, &request, texts, lengths);
}

static void add_presence(struct workload *workload)
{
    struct tkd_agent_presence request = {.agent = some(workload, TKD_KIND_AGENT),
                                         .presence = chance(workload, 2) ? 7 : 1 + (u32)chance(workload, 65)};
    rig_add(workload->rig, TKD_RECORD_agent_presence, &request, NULL);
}

static void add_customer(struct workload *workload)
{
    struct tkd_customer_update request = {
        .customer = or_beyond(workload, below(workload, 30)),
        .tier = chance(workload, 20) ? 0 : some(workload, TKD_KIND_TIER),
    };
    rig_add(workload->rig, TKD_RECORD_customer_update, &request,
            (const char *const[]){chance(workload, 30) ? "a name" : NULL});
}

static void add_any(struct workload *workload, u16 op)
{
    if (op == TKD_OP_TICKET_CREATE) add_create(workload);
    if (op == TKD_OP_TICKET_UPDATE) add_update(workload);
    if (op == TKD_OP_AGENT_PRESENCE) add_presence(workload);
    if (op == TKD_OP_CUSTOMER_UPDATE) add_customer(workload);
    if (op == TKD_OP_CATALOG_APPLY) add_entry(workload, 1 + (u32)below(workload, TKD_KIND_END - 1), 0, true);
}

/* ---- Clients ---- */

static void client_register(struct workload *workload, struct client *client)
{
    struct tkd_register request = {.window = (u32)below(workload, 8)};
    rig_begin(workload->rig, TKD_OP_REGISTER);
    rig_add(workload->rig, TKD_RECORD_register, &request, NULL);
    if (rig_run(workload->rig) != TKD_OK) return; /* unfinished work */
    ASSERT(workload->rig->results[0].status == TKD_OK);
    client->session = workload->rig->results[0].id;
    client->next_seq = 1;
    client->last_bytes = 0;
}

static void client_unregister(struct workload *workload, struct client *client)
{
    struct tkd_session_id request = {.session = client->session};
    rig_begin(workload->rig, TKD_OP_UNREGISTER);
    if (chance(workload, 50)) {
        rig_frame(workload->rig)->session = client->session;
        rig_frame(workload->rig)->seq = client->next_seq;
        rig_frame(workload->rig)->ack_below = client->next_seq;
    }
    rig_add(workload->rig, TKD_RECORD_session_id, &request, NULL);
    if (rig_run(workload->rig) == TKD_OK) client->session = 0;
}

/* The last request again: the first answer. The same seq with another body, and a gap: refused. */
static void client_repeat(struct workload *workload, struct client *client)
{
    struct rig *rig = workload->rig;
    struct tkd_frame *frame = rig_frame(rig);
    u64 op = state_op(rig->state);
    memcpy(frame, client->last, client->last_bytes);
    u32 count = frame->count;
    ASSERT(rig_run(rig) == TKD_EXISTS);
    ASSERT(memcmp(rig->results, client->results, count * sizeof(struct tkd_result)) == 0);
    frame->flags ^= TKD_FLAG_STOP;
    ASSERT(rig_run(rig) == TKD_SEQUENCE_REUSED);
    frame->seq = client->next_seq + 1;
    ASSERT(rig_run(rig) == TKD_SEQUENCE_GAP);
    ASSERT(state_op(rig->state) == op);
}

static void client_sign(struct workload *workload, struct client *client)
{
    struct tkd_frame *frame = rig_frame(workload->rig);
    frame->session = client->session;
    frame->seq = client->next_seq;
    if (chance(workload, 70)) frame->ack_below = client->next_seq - below(workload, client->next_seq);
    if (chance(workload, 10)) frame->flags = TKD_FLAG_STOP;
}

static void client_took(struct workload *workload, struct client *client)
{
    const struct tkd_frame *frame = rig_frame(workload->rig);
    ASSERT(frame->size <= FRAME_COPY_BYTES && frame->count <= ARRAY_COUNT(client->results));
    memcpy(client->last, frame, frame->size);
    memcpy(client->results, workload->rig->results, frame->count * sizeof(struct tkd_result));
    client->last_bytes = frame->size;
    client->next_seq++;
}

/* ---- Steps ---- */

static void pass_time(struct workload *workload)
{
    static const u64 steps_ms[] = {1, 1, 1, 50, 1000, 60 * 1000, 10 * 60 * 1000};
    u64 by_ms = below(workload, steps_ms[below(workload, ARRAY_COUNT(steps_ms))]);
    if (chance(workload, 2)) by_ms = below(workload, 2 * HOUR_MS);
    if (prng_chance(&workload->prng, 1, 500)) by_ms = below(workload, 30 * HOUR_MS);
    if (chance(workload, 2)) by_ms = HOUR_MS - workload->rig->now_ms % HOUR_MS; /* the begin of the next */
    rig_advance(workload->rig, workload->rig->now_ms + by_ms);
}

static bool all_refused(const struct rig *rig, u32 count)
{
    for (u32 i = 0; i < count; i++)
        if (!status_refused(rig->results[i].status)) return false;
    return true;
}

/* Of the desk apart from its time, which goes on even when a command is refused. */
static u64 digest_timeless(struct rig *rig)
{
    u64 time_ms = rig->state->time_ms;
    rig->state->time_ms = 0;
    u64 digest = state_digest(rig->state, false);
    rig->state->time_ms = time_ms;
    return digest;
}

static void send(struct workload *workload, struct client *client)
{
    struct rig *rig = workload->rig;
    bool look = chance(workload, 10) || rig_frame(rig)->op == TKD_OP_CATALOG_APPLY;
    u64 digest = look ? digest_timeless(rig) : 0;
    enum tkd_status status = rig_run(rig);
    if (status == TKD_HALTED) {
        ASSERT(client != NULL && rig_frame(rig)->flags == TKD_FLAG_STOP);
        rig_frame(rig)->flags = 0;
        status = rig_run(rig);
    }
    if (status == TKD_WINDOW_FULL) {
        ASSERT(client != NULL);
        rig_frame(rig)->ack_below = client->next_seq;
        status = rig_run(rig);
    }
    ASSERT(status == TKD_OK || (status == TKD_SESSION_EXPIRED && client != NULL));
    if (status != TKD_OK) return;
    if (client != NULL) client_took(workload, client);
    if (look && all_refused(rig, rig_frame(rig)->count)) ASSERT(digest_timeless(rig) == digest);
}

void workload_step(struct workload *workload)
{
    static const u16 ops[] = {TKD_OP_TICKET_CREATE, TKD_OP_TICKET_CREATE, TKD_OP_TICKET_CREATE, TKD_OP_TICKET_UPDATE,
                              TKD_OP_TICKET_UPDATE, TKD_OP_TICKET_UPDATE, TKD_OP_TICKET_UPDATE, TKD_OP_TICKET_UPDATE,
                              TKD_OP_TICKET_UPDATE, TKD_OP_TICKET_UPDATE, TKD_OP_TICKET_UPDATE, TKD_OP_AGENT_PRESENCE};
    struct client *client = &workload->clients[below(workload, WORKLOAD_SESSIONS)];
    pass_time(workload);
    if (client->session == 0) {
        client_register(workload, client);
        return;
    }
    if (prng_chance(&workload->prng, 1, 100)) {
        client->session = 0; /* it never comes back: one day its session makes room */
        return;
    }
    if (prng_chance(&workload->prng, 1, 300)) {
        client_unregister(workload, client);
        return;
    }
    if (client->last_bytes != 0 && chance(workload, 3)) {
        client_repeat(workload, client);
        return;
    }
    u16 op = ops[below(workload, ARRAY_COUNT(ops))];
    if (chance(workload, 2)) op = TKD_OP_CUSTOMER_UPDATE;
    if (chance(workload, 2)) op = TKD_OP_CATALOG_APPLY;
    rig_begin(workload->rig, op);
    u64 records = chance(workload, 70) ? 1 : 1 + below(workload, 6);
    for (u64 i = 0; i < records; i++) add_any(workload, op);
    bool in_session = chance(workload, 60);
    if (in_session) client_sign(workload, client);
    send(workload, in_session ? client : NULL);
}

struct workload *workload_create(u64 seed)
{
    struct workload *workload = calloc(1, sizeof *workload);
    ASSERT(workload != NULL);
    workload->prng = prng_seeded(seed);
    workload->rig = rig_create_small();
    workload->rig->seed = seed;
    workload->id_last = (const u32[]){0, 64, 0, 128, 0, 256, 0, 65}[seed % 8];
    workload->even = seed % 3 == 0;
    rig_beside(workload->rig);
    for (u32 i = 0; i < WORKLOAD_SESSIONS; i++) {
        workload->clients[i].last = malloc(FRAME_COPY_BYTES);
        ASSERT(workload->clients[i].last != NULL);
    }
    set_up(workload);
    return workload;
}

void workload_destroy(struct workload *workload)
{
    for (u32 i = 0; i < WORKLOAD_SESSIONS; i++) free(workload->clients[i].last);
    rig_destroy(workload->rig);
    free(workload);
}
