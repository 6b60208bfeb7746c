/* SLA clocks beside the naive desk: a workload of states, replies and transfers, with policies and queues that change,
 * so that cards are due all the time. */
#include <criterion/criterion.h>

#include "base/prng.h"
#include "tests/support/rig.h"

#define TICKETS_MAX 400u
#define STEPS 1500u
#define POLICIES 3u
#define QUEUES 2u

struct desk_model {
    struct rig *rig;
    struct prng prng;
};

static u64 below(struct desk_model *model, u64 count) { return prng_below(&model->prng, count); }

static u16 some_states(struct desk_model *model) { return (u16)(below(model, 2) ? 0x06 : below(model, 64) << 1); }

static void define_policy(struct desk_model *model, u32 id)
{
    struct tkd_catalog_entry entry = {.id = id,
                                      .kind = TKD_KIND_POLICY,
                                      .order = id,
                                      .states_first_reply = some_states(model),
                                      .states_resolution = some_states(model),
                                      .yellow_percent = below(model, 2) ? (u32)below(model, 101) : 0,
                                      .yellow_ms = below(model, 3) ? 0 : below(model, 3000),
                                      .priorities = (u8)(below(model, 2) ? 0 : below(model, 16) << 1)};
    u64 *reply_ms = &entry.first_reply_urgent_ms, *resolution_ms = &entry.resolution_urgent_ms;
    for (u32 i = 0; i < 4; i++) {
        reply_ms[i] = below(model, 4) ? 1 + below(model, 5000) : 0;
        resolution_ms[i] = below(model, 4) ? 1 + below(model, 20000) : 0;
    }
    u16 category = (u16)below(model, 3), tier = id == POLICIES ? 1 : 0;
    rig_begin(model->rig, TKD_OP_CATALOG_APPLY);
    rig_add_bytes(model->rig, TKD_RECORD_catalog_entry, &entry,
                  (const void *const[]){(char[]){'p', (char)('0' + id)}, NULL, NULL, &category, NULL, &tier},
                  (u32[]){2, 0, 0, category ? 2 : 0, 0, tier ? 2 : 0});
    cr_assert_eq(rig_run(model->rig), TKD_OK);
    cr_assert_eq(model->rig->results[0].status, TKD_OK);
    rig_settle(model->rig);
}

static void define_queue(struct desk_model *model, u32 id)
{
    struct tkd_catalog_entry entry = {.id = id,
                                      .strategy = TKD_STRATEGY_CLAIM,
                                      .step_ms = below(model, 4) ? 1 + below(model, 4000) : 0,
                                      .yellow_percent = below(model, 2) ? (u32)below(model, 101) : 0,
                                      .yellow_ms = below(model, 3) ? 0 : below(model, 1000),
                                      .states_step = below(model, 2) ? 0 : below(model, 16) << 1};
    rig_entry(model->rig, TKD_KIND_QUEUE, &entry, (char[]){'q', (char)('0' + id), 0}, NULL, NULL);
}

static void create(struct desk_model *model)
{
    if (desk_row(model->rig->state)->tickets == TICKETS_MAX) return;
    struct tkd_ticket_create request = {.channel = 1,
                                        .queue = (u16)(1 + below(model, QUEUES)),
                                        .priority = (u8)(1 + below(model, 4)),
                                        .category = (u16)below(model, 4)};
    char address[2] = {(char)('a' + below(model, 4)), 0};
    struct tkd_result result = rig_create_with(model->rig, &request, address, NULL);
    cr_assert_eq(result.status, TKD_OK);
}

static void update(struct desk_model *model)
{
    static const u32 verbs[] = {TKD_VERB_PEND,  TKD_VERB_HOLD,     TKD_VERB_RESUME, TKD_VERB_RESOLVE, TKD_VERB_REOPEN,
                                TKD_VERB_PAUSE, TKD_VERB_CONTINUE, TKD_VERB_REPLY,  TKD_VERB_MESSAGE, TKD_VERB_TRANSFER,
                                TKD_VERB_PRIORITY, TKD_VERB_CATEGORY, TKD_VERB_ASSIGN, TKD_VERB_CLOSE, TKD_VERB_RESUME};
    u64 tickets = desk_row(model->rig->state)->tickets, newest = min_u64(tickets, 30);
    if (tickets == 0) return;
    u64 id = tickets - below(model, newest);
    u32 verb = verbs[below(model, ARRAY_COUNT(verbs))];
    u32 argument = verb == TKD_VERB_ASSIGN ? 1 : 1 + (u32)below(model, verb == TKD_VERB_TRANSFER ? QUEUES : 3);
    rig_verb(model->rig, id, verb, argument, "text");
}

static void step(struct desk_model *model)
{
    u64 what = below(model, 300);
    rig_advance(model->rig, model->rig->now_ms + below(model, below(model, 10) ? 200 : 4000));
    if (what < 60) create(model);
    else if (what < 298) update(model);
    else if (what < 299) define_queue(model, 1 + (u32)below(model, QUEUES));
    else define_policy(model, 1 + (u32)below(model, POLICIES));
}

static void run(u64 seed)
{
    struct desk_model model = {.rig = rig_create_small(), .prng = prng_seeded(seed)};
    model.rig->seed = seed;
    rig_beside(model.rig);
    rig_channel(model.rig, 1, "mail");
    rig_tier(model.rig, 1, "gold");
    rig_category(model.rig, 1, "one", 0);
    rig_category(model.rig, 2, "below one", 1);
    rig_category(model.rig, 3, "three", 0);
    rig_agent(model.rig, 1, "Ada", 0, NULL, NULL);
    for (u32 id = 1; id <= QUEUES; id++) define_queue(&model, id);
    for (u32 id = 1; id <= POLICIES; id++) define_policy(&model, id);
    for (u64 customer = 1; customer <= 2; customer++) {
        struct tkd_customer_update request = {.customer = customer, .tier = 1};
        create(&model);
        rig_begin(model.rig, TKD_OP_CUSTOMER_UPDATE);
        rig_add(model.rig, TKD_RECORD_customer_update, &request, NULL);
        cr_assert_eq(rig_run(model.rig), TKD_OK); /* tickets that are there see it at their next command */
    }
    for (u32 i = 1; i <= STEPS; i++) {
        step(&model);
        if (i % 250 == 0) rig_compare(model.rig);
    }
    state_validate(model.rig->state);
    cr_assert_gt(rig_events(model.rig, TKD_EVENT_CARD), 100, "the workload is too tame");
    rig_destroy(model.rig);
}

#define SEED(n)                                                                                              \
    Test(clocks, seed_##n) { run(n); }
SEED(1) SEED(2) SEED(3) SEED(4) SEED(5) SEED(6)
