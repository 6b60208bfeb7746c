/* Random workloads on the engine and on the naive desk: the same answers, events and views after every command, and
 * now and then the same in everything. A seed that fails is said: `make test ONLY=model/test_naive` repeats it. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "tests/support/workload.h"

#define SEEDS 120u
#define STEPS 1000u
#define COMPARE_EVERY 125u

/* More sets of skills than there is room for: of queues, categories and tickets, and of all of them together. */
Test(naive, room_for_sets_of_skills)
{
    struct rig *rig = rig_create_small();
    struct prng prng = prng_seeded(1);
    u32 full[TKD_OP_TICKET_CREATE + 1] = {0};
    rig_beside(rig);
    rig_channel(rig, 1, "mail");
    for (u32 id = 1; id <= 8; id++) rig_skill(rig, id, (char[]){(char)('a' + id), 0});
    rig_queue(rig, 1, "queue", TKD_STRATEGY_LEAST_LOADED, 0);
    rig_category(rig, 1, "category", 0);
    rig_agent(rig, 1, "Ada", 0, NULL, (u16[]){1, 2, 3, 4, 5, 6, 7, 0});
    rig_presence(rig, 1, TKD_PRESENCE_ONLINE);
    for (u32 step = 0; step < 400; step++) {
        static const u16 ids[] = {1, 2, 3, 4, 5, 6, 7, 8};
        u32 first = (u32)prng_below(&prng, 6), bytes = 2 * (1 + (u32)prng_below(&prng, 8 - first));
        bool queue = prng_chance(&prng, 1, 2);
        struct tkd_catalog_entry entry = {.kind = queue ? TKD_KIND_QUEUE : TKD_KIND_CATEGORY,
                                          .id = 1,
                                          .strategy = queue ? TKD_STRATEGY_LEAST_LOADED : 0};
        struct tkd_ticket_create request = {.channel = 1, .queue = 1, .category = (u16)prng_below(&prng, 2)};
        u16 op = prng_chance(&prng, 1, 3) ? TKD_OP_CATALOG_APPLY : TKD_OP_TICKET_CREATE;
        const void *names[] = {queue ? "queue" : "category", ids + first}, *texts[6] = {"a", [5] = ids + first};
        rig_begin(rig, op);
        if (op == TKD_OP_CATALOG_APPLY)
            rig_add_bytes(rig, TKD_RECORD_catalog_entry, &entry,
                          (const void *const[]){names[0], names[1], NULL, NULL, NULL, NULL},
                          (u32[]){queue ? 5 : 8, bytes, 0, 0, 0, 0});
        else
            rig_add_bytes(rig, TKD_RECORD_ticket_create, &request, texts, (u32[]){1, 0, 0, 0, 0, bytes});
        if (rig_run(rig) == TKD_OK) full[op] += rig->results[0].status == TKD_CATALOG_FULL;
        rig_settle(rig);
    }
    rig_compare(rig);
    cr_assert_gt(full[TKD_OP_CATALOG_APPLY], 0);
    rig_destroy(rig);
}

/* Sessions that seldom acknowledge fill the room for answers; those unused for long give theirs up. */
Test(naive, room_for_kept_answers)
{
    struct rig *rig = rig_create_small();
    struct prng prng = prng_seeded(2);
    u64 sessions[8] = {0}, seqs[8], refused = 0, evicted = 0;
    rig_beside(rig);
    rig_agent(rig, 1, "Ada", 0, NULL, NULL);
    for (u32 step = 0; step < 4000; step++) {
        u32 who = step / 40 * 2 % ARRAY_COUNT(sessions) + (u32)prng_below(&prng, 2); /* in turns, two at a time */
        rig_advance(rig, rig->now_ms + prng_below(&prng, SESSION_IDLE_MS / 30));
        if (sessions[who] == 0) {
            rig_begin(rig, TKD_OP_REGISTER);
            rig_add(rig, TKD_RECORD_register, &(struct tkd_register){.window = 0}, (const char *[]){""});
            cr_assert_eq(rig_run(rig), TKD_OK);
            sessions[who] = rig->results[0].id;
            seqs[who] = 1;
            continue;
        }
        rig_begin(rig, TKD_OP_AGENT_PRESENCE);
        rig_frame(rig)->session = sessions[who];
        rig_frame(rig)->seq = seqs[who];
        if (prng_chance(&prng, 1, 30)) rig_frame(rig)->ack_below = seqs[who];
        for (u64 left = prng_below(&prng, 60); left > 0; left--)
            rig_add(rig, TKD_RECORD_agent_presence, &(struct tkd_agent_presence){.agent = 1, .presence = 1}, NULL);
        rig_add(rig, TKD_RECORD_agent_presence, &(struct tkd_agent_presence){.agent = 1, .presence = 2}, NULL);
        enum tkd_status status = rig_run(rig);
        seqs[who] += status == TKD_OK;
        refused += status == TKD_WINDOW_FULL;
        evicted += status == TKD_SESSION_EXPIRED;
        if (status == TKD_SESSION_EXPIRED) sessions[who] = 0;
        if (step % 200 == 0) rig_compare(rig);
    }
    rig_compare(rig);
    cr_assert(refused > 10 && evicted > 10, "%llu refused, %llu evicted", (unsigned long long)refused,
              (unsigned long long)evicted);
    rig_destroy(rig);
}

static void run(u64 seed)
{
    struct workload *workload = workload_create(seed);
    for (u32 step = 1; step <= STEPS; step++) {
        workload_step(workload);
        if (step % COMPARE_EVERY == 0) rig_compare(workload->rig);
        /* Also in the middle of a sweep over the tickets. */
        bool sweeps = desk_row(workload->rig->state)->sweep_row != 0;
        if (step % COMPARE_EVERY == 0 || (sweeps && step % 4 == 0)) rig_reload(workload->rig);
    }
    workload_destroy(workload);
}

ParameterizedTestParameters(naive, seed)
{
    static u64 seeds[SEEDS];
    for (u32 i = 0; i < SEEDS; i++) seeds[i] = 1001 + i;
    return cr_make_param_array(u64, seeds, SEEDS);
}

ParameterizedTest(const u64 *seed, naive, seed) { run(*seed); }
