/* Who gets what, beside the naive desk: a workload of routing alone, with few agents, many skills, strategies that
 * change, and work that is given back, so that somebody waits all the time. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/prng.h"
#include "tests/support/rig.h"

#define SKILLS 3u
#define QUEUES 5u
#define CATEGORIES 2u
#define AGENTS 7u
#define ENDED_MS 500u /* what is closed leaves soon, so that the desk stays small */
#define STEPS 3000u

struct desk_model {
    struct rig *rig;
    struct prng prng;
};

static u32 below(struct desk_model *model, u32 count) { return (u32)prng_below(&model->prng, count); }

/* Each of 1..count by chance, 0-terminated. */
static const u16 *some_ids(struct desk_model *model, u16 *ids, u32 count)
{
    u32 used = 0;
    for (u32 id = 1; id <= count; id++)
        if (below(model, 2)) ids[used++] = (u16)id;
    ids[used] = 0;
    return ids;
}

static u32 ids_bytes(const u16 *ids)
{
    u32 bytes = 0;
    for (; *ids != 0; ids++) bytes += 2;
    return bytes;
}

static void define(struct desk_model *model, u32 kind, u32 id)
{
    u16 skills[SKILLS + 1] = {0}, queues[QUEUES + 1] = {0};
    struct tkd_catalog_entry entry = {.id = id};
    char name[16];
    snprintf(name, sizeof name, "%u", id);
    if (kind != TKD_KIND_QUEUE || below(model, 3) == 0) some_ids(model, skills, SKILLS);
    if (kind == TKD_KIND_QUEUE) entry.strategy = (u8)(1 + (id + below(model, 2)) % 3);
    if (kind == TKD_KIND_AGENT) {
        entry.capacity = below(model, 5);
        entry.all_queues = below(model, 3) == 0;
        some_ids(model, queues, QUEUES);
    }
    rig_entry(model->rig, kind, &entry, name, skills, queues);
}

static void add_create(struct desk_model *model)
{
    struct tkd_ticket_create request = {.channel = 1,
                                        .queue = (u16)(1 + below(model, QUEUES)),
                                        .priority = (u8)(1 + below(model, 4)),
                                        .category = (u16)below(model, CATEGORIES + 1),
                                        .no_routing = below(model, 10) == 0};
    u16 skills[SKILLS + 1] = {0};
    if (below(model, 5) == 0) some_ids(model, skills, SKILLS);
    rig_add_bytes(model->rig, TKD_RECORD_ticket_create, &request,
                  (const void *const[]){"a", NULL, NULL, NULL, NULL, skills},
                  (u32[]){1, 0, 0, 0, 0, ids_bytes(skills)});
}

static void add_update(struct desk_model *model)
{
    static const u32 verbs[] = {TKD_VERB_ASSIGN,   TKD_VERB_CLAIM,   TKD_VERB_RELEASE,  TKD_VERB_RELEASE,
                                TKD_VERB_TRANSFER, TKD_VERB_PEND,    TKD_VERB_RESUME,   TKD_VERB_PRIORITY,
                                TKD_VERB_CATEGORY, TKD_VERB_PAUSE,   TKD_VERB_CONTINUE, TKD_VERB_CONTINUE,
                                TKD_VERB_REOPEN,   TKD_VERB_RESOLVE, TKD_VERB_RESOLVE,  TKD_VERB_RESOLVE,
                                TKD_VERB_CLOSE,    TKD_VERB_CLOSE,   TKD_VERB_CLOSE};
    u32 tickets = (u32)desk_row(model->rig->state)->tickets, verb = verbs[below(model, ARRAY_COUNT(verbs))];
    struct tkd_ticket_update request = {.kind = (u16)verb,
                                        .ticket = tickets - below(model, min_u32(tickets, 40)),
                                        .queue = (u16)(1 + below(model, QUEUES)),
                                        .priority = (u8)(1 + below(model, 4)),
                                        .category = (u16)below(model, CATEGORIES + 1)};
    if (verb != TKD_VERB_TRANSFER || below(model, 4) == 0) request.agent = 1 + below(model, AGENTS);
    rig_add(model->rig, TKD_RECORD_ticket_update, &request, NULL);
}

static void add_presence(struct desk_model *model)
{
    struct tkd_agent_presence request = {.agent = 1 + below(model, AGENTS), .presence = 1 + (below(model, 3) != 0)};
    rig_add(model->rig, TKD_RECORD_agent_presence, &request, NULL);
}

static void step(struct desk_model *model)
{
    static const u16 ops[] = {TKD_OP_TICKET_CREATE, TKD_OP_TICKET_CREATE, TKD_OP_TICKET_CREATE, TKD_OP_AGENT_PRESENCE,
                              TKD_OP_TICKET_UPDATE, TKD_OP_TICKET_UPDATE, TKD_OP_TICKET_UPDATE, TKD_OP_TICKET_UPDATE,
                              TKD_OP_TICKET_UPDATE, TKD_OP_TICKET_UPDATE};
    static const u32 kinds[] = {TKD_KIND_QUEUE, TKD_KIND_CATEGORY, TKD_KIND_AGENT, TKD_KIND_AGENT};
    static const u32 counts[] = {QUEUES, CATEGORIES, AGENTS, AGENTS};
    u32 kind = below(model, ARRAY_COUNT(kinds));
    rig_advance(model->rig, model->rig->now_ms + below(model, 3));
    if (below(model, 50) == 0) {
        define(model, kinds[kind], 1 + below(model, counts[kind]));
        return;
    }
    u16 op = ops[below(model, ARRAY_COUNT(ops))];
    if (desk_row(model->rig->state)->tickets == 0) op = TKD_OP_TICKET_CREATE;
    rig_begin(model->rig, op);
    /* Many in one frame do more than one command may, so that what is left is done by PULSEs. */
    for (u32 records = below(model, 4) ? 1 : 1 + below(model, 12); records > 0; records--) {
        if (op == TKD_OP_TICKET_CREATE) add_create(model);
        if (op == TKD_OP_TICKET_UPDATE) add_update(model);
        if (op == TKD_OP_AGENT_PRESENCE) add_presence(model);
    }
    cr_assert_eq(rig_run(model->rig), TKD_OK);
}

static void run(u64 seed)
{
    struct desk_model model = {.rig = rig_create_small(), .prng = prng_seeded(seed)};
    model.rig->seed = seed;
    rig_beside(model.rig);
    rig_channel(model.rig, 1, "mail");
    rig_entry(model.rig, TKD_KIND_DESK, &(struct tkd_catalog_entry){.id = 1, .archive_after_ms = ENDED_MS}, "desk",
              NULL, NULL);
    for (u32 i = 1; i <= SKILLS; i++) rig_skill(model.rig, i, (char[]){(char)('a' + i), 0});
    for (u32 i = 1; i <= CATEGORIES; i++) define(&model, TKD_KIND_CATEGORY, i);
    for (u32 i = 1; i <= QUEUES; i++) define(&model, TKD_KIND_QUEUE, i);
    for (u32 i = 1; i <= AGENTS; i++) define(&model, TKD_KIND_AGENT, i);
    for (u32 i = 1; i <= STEPS; i++) {
        step(&model);
        if (i % 300 != 0) continue;
        state_validate(model.rig->state);
        rig_compare(model.rig);
    }
    rig_destroy(model.rig);
}

#define SEED(n)                                                                                              \
    Test(routing, seed_##n) { run(n); }
SEED(1) SEED(2) SEED(3) SEED(4) SEED(5) SEED(6)
