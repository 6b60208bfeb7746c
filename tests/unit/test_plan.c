/* Plans: what changes between a file and a catalog, by applying them to a catalog in memory. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "ticketctl/plan.h"
#include "ticketctl/ticketctl.h"

static char *faults; /* of the last plan */

/* ---- A catalog that takes records as a server does ---- */

static struct tkd_text copy_of(struct tkd_text text)
{
    char *data = allocate(text.bytes + 1);
    if (text.bytes) memcpy(data, text.data, text.bytes);
    return (struct tkd_text){data, text.bytes};
}

static void put(struct catalog *catalog, const struct tkd_catalog_entry *head, const struct tkd_text *texts)
{
    struct catalog_kind *kind = &catalog->kinds[head->kind];
    struct entry *entry = NULL;
    for (u32 i = 0; i < kind->count; i++)
        if (kind->entries[i].head.id == head->id) entry = &kind->entries[i];
    if (!entry) {
        cr_assert(kind->count == 0 || kind->entries[kind->count - 1].head.id < head->id, "ids ascend");
        kind->entries = reallocate(kind->entries, (kind->count + 1) * sizeof(*entry));
        entry = &kind->entries[kind->count++];
    } /* texts that it had may be those of the record: not freed */
    *entry = (struct entry){.head = *head};
    for (u32 i = 0; i < ENTRY_TEXTS; i++) entry->texts[i] = copy_of(texts[i]);
    entry->name = (char *)(uintptr_t)entry->texts[ENTRY_NAME].data;
}

struct outcome {
    bool planned;
    u32 counts[PLAN_ACTIONS];
    char *members; /* of the first change */
};

/* Plans `text` and applies it. */
static struct outcome apply_text(struct catalog *catalog, const char *text, bool keep)
{
    struct outcome outcome = {0};
    size_t bytes;
    free(faults);
    FILE *errors = open_memstream(&faults, &bytes);
    struct desk *want = desk_read(text, strlen(text), "desk.yaml", errors);
    cr_assert_not_null(want, "%s", text);
    struct desk *current = desk_of_catalog(catalog);
    struct plan *plan = plan_make(want, current, catalog, keep, "desk.yaml", errors);
    fclose(errors);
    outcome.planned = plan != NULL;
    for (u32 i = 0; plan && i < plan->count; i++) {
        static u8 buffer[PLAN_TEXT_BYTES];
        struct tkd_catalog_entry head;
        struct tkd_text texts[ENTRY_TEXTS];
        plan_record(&plan->changes[i], want, current, &head, texts, buffer);
        cr_assert_eq(head.id, plan->changes[i].id);
        put(catalog, &head, texts);
    }
    if (plan) memcpy(outcome.counts, plan->counts, sizeof(outcome.counts));
    if (plan && plan->count && plan->changes[0].members) outcome.members = strdup(plan->changes[0].members);
    plan_free(plan);
    desk_free(want);
    desk_free(current);
    return outcome;
}

static char *exported(const struct catalog *catalog)
{
    char *text = NULL;
    size_t bytes;
    FILE *file = open_memstream(&text, &bytes);
    struct desk *desk = desk_of_catalog(catalog);
    cr_assert(desk_write(desk, file));
    fclose(file);
    desk_free(desk);
    return text;
}

static void expect(struct catalog *catalog, const char *text, u32 created, u32 revived, u32 changed,
                   u32 retired)
{
    struct outcome outcome = apply_text(catalog, text, false);
    cr_assert(outcome.planned, "%s", faults);
    cr_assert_eq(outcome.counts[PLAN_CREATE], created, "created %u: %s", outcome.counts[PLAN_CREATE], text);
    cr_assert_eq(outcome.counts[PLAN_REVIVE], revived, "revived %u: %s", outcome.counts[PLAN_REVIVE], text);
    cr_assert_eq(outcome.counts[PLAN_CHANGE], changed, "changed %u (%s): %s", outcome.counts[PLAN_CHANGE],
                 outcome.members ? outcome.members : "", text);
    cr_assert_eq(outcome.counts[PLAN_RETIRE], retired, "retired %u: %s", outcome.counts[PLAN_RETIRE], text);
    free(outcome.members);
}

static void expect_members(struct catalog *catalog, const char *text, const char *members)
{
    struct outcome outcome = apply_text(catalog, text, false);
    cr_assert(outcome.planned, "%s", faults);
    cr_assert_not_null(outcome.members, "nothing was changed: %s", text);
    cr_assert_str_eq(outcome.members, members);
    free(outcome.members);
}

static void expect_fault(struct catalog *catalog, const char *text, bool keep, const char *fault)
{
    struct outcome outcome = apply_text(catalog, text, keep);
    cr_assert_not(outcome.planned, "planned: %s", text);
    cr_assert(strstr(faults, fault) == faults, "wanted: %s\ngot: %s", fault, faults);
}

static struct catalog *catalog_new(void) { return allocate(sizeof(struct catalog)); }

static const struct entry *entry_of(const struct catalog *catalog, u32 kind, const char *name)
{
    const struct entry *entry = catalog_by_name(catalog, kind, name);
    cr_assert_not_null(entry, "%s", name);
    return entry;
}

/* ---- Tests ---- */

Test(plan, an_export_changes_nothing)
{
    struct catalog *catalog = catalog_new();
    static const char text[] =
        "desk: {name: d}\nskills: [a, b]\nchannels: [web]\ntiers: [vip]\n"
        "categories: [{name: c1, children: [{name: c2, skills: [b]}]}]\n"
        "queues: [{name: q1, step: {target: 1h}, children: [{name: q2, strategy: claim}]}]\n"
        "agents: [{name: x, capacity: 3, queues: ['*']}, {name: y, queues: [q2, q1], skills: [b, a]}]\n"
        "sla: [{name: p1, match: {categories: [c2], channels: [web], tiers: [vip]}, targets: "
        "{resolution: 8h}}, {name: p2, targets: {first_reply: {low: 1d}}, yellow: 10%}]\n";
    expect(catalog, text, 13, 0, 0, 0);
    expect(catalog, text, 0, 0, 0, 0);
    char *first = exported(catalog);
    expect(catalog, first, 0, 0, 0, 0);
    char *second = exported(catalog);
    cr_assert_str_eq(first, second);
    struct catalog *other = catalog_new();
    expect(other, first, 13, 0, 0, 0);
    char *third = exported(other);
    cr_assert_str_eq(first, third, "the same desk on a new server");
}

Test(plan, ids_of_references_are_little_endian_and_ascend)
{
    struct catalog *catalog = catalog_new();
    expect(catalog, "skills: [a, b, c]\nagents: [{name: x, skills: [c, a, c]}]", 4, 0, 0, 0);
    const struct entry *agent = entry_of(catalog, TKD_KIND_AGENT, "x");
    cr_assert_eq(agent->texts[ENTRY_SKILLS].bytes, 4);
    cr_assert_eq(memcmp(agent->texts[ENTRY_SKILLS].data, "\1\0\3\0", 4), 0);
}

Test(plan, only_sections_of_the_file_lose_entries)
{
    struct catalog *catalog = catalog_new();
    expect(catalog, "skills: [a, b]\nchannels: [web, phone]", 4, 0, 0, 0);
    expect(catalog, "channels: [web]", 0, 0, 0, 1);
    cr_assert_eq(entry_of(catalog, TKD_KIND_CHANNEL, "phone")->head.retired, 1);
    cr_assert_eq(entry_of(catalog, TKD_KIND_SKILL, "b")->head.retired, 0);
    expect(catalog, "skills: []", 0, 0, 0, 2);
}

Test(plan, a_retired_name_comes_back_with_its_id)
{
    struct catalog *catalog = catalog_new();
    expect(catalog, "skills: [a, b]", 2, 0, 0, 0);
    expect(catalog, "skills: [a]", 0, 0, 0, 1);
    expect(catalog, "skills: [a, c]", 1, 0, 0, 0);
    cr_assert_eq(entry_of(catalog, TKD_KIND_SKILL, "c")->head.id, 3, "ids are never used again");
    expect(catalog, "skills: [a, b, c]", 0, 1, 0, 0);
    cr_assert_eq(entry_of(catalog, TKD_KIND_SKILL, "b")->head.id, 2);
    cr_assert_eq(entry_of(catalog, TKD_KIND_SKILL, "b")->head.retired, 0);
}

Test(plan, keep_retires_nothing)
{
    struct catalog *catalog = catalog_new();
    expect(catalog, "skills: [a, b]", 2, 0, 0, 0);
    struct outcome outcome = apply_text(catalog, "skills: [c]\nagents: [{name: x, skills: [a]}]", true);
    cr_assert(outcome.planned, "%s", faults);
    cr_assert_eq(outcome.counts[PLAN_RETIRE], 0);
    cr_assert_eq(outcome.counts[PLAN_CREATE], 2);
}

Test(plan, changes_name_their_members)
{
    struct catalog *catalog = catalog_new();
    expect(catalog,
           "skills: [a, b, c]\nqueues: [{name: q}, {name: r}]\nagents: [{name: x, capacity: 3, skills: [a, "
           "b], queues: ['*']}]",
           6, 0, 0, 0);
    expect_members(catalog, "agents: [{name: x, capacity: 5, skills: [c, b], queues: [q]}]",
                   "capacity: 3 -> 5; skills: -a +c; queues: +q; all queues: yes -> no");
    expect_members(
        catalog,
        "queues: [{name: q, strategy: claim, step: {target: 90m, yellow: 10%}, children: [{name: r}]}]",
        "strategy: least_loaded -> claim; step target: none -> 1h30m; yellow share: none -> 10%");
    expect(catalog,
           "queues: [{name: q, strategy: claim, step: {target: 90m, yellow: 10%}, children: [{name: r}]}]", 0,
           0, 0, 0);
    expect_members(catalog,
                   "queues: [{name: r}, {name: q, strategy: claim, step: {target: 90m, yellow: 10%}}]",
                   "parent: q -> none");
    expect(catalog, "sla: [{name: p, targets: {resolution: {urgent: 8h}}, match: {priorities: [urgent]}}]", 1,
           0, 0, 0);
    expect_members(catalog,
                   "sla: [{name: p, targets: {resolution: {urgent: 4h}}, runs_in: {resolution: [open]}}]",
                   "priorities: urgent -> none; resolution, urgent: 8h -> 4h; resolution runs in: new open "
                   "on_hold -> open");
}

Test(plan, the_desk_keeps_what_is_not_given)
{
    struct catalog *catalog = catalog_new();
    expect(catalog, "desk: {name: d, archive_after: 3d}", 1, 0, 0, 0);
    expect(catalog, "desk: {archive_after: 3d}", 0, 0, 0, 0);
    expect(catalog, "desk:", 0, 0, 0, 0);
    expect_members(catalog, "desk: {name: e}", "name: d -> e");
}

Test(plan, references_are_checked_against_file_and_server)
{
    struct catalog *catalog = catalog_new();
    expect(catalog, "skills: [refund, repair]\nqueues: [{name: q, skills: [repair]}]", 3, 0, 0, 0);
    expect_fault(catalog, "agents:\n- name: x\n  skills: [refnd]", false,
                 "desk.yaml:3:12: agent x: unknown skill `refnd`; did you mean `refund`?");
    expect_fault(catalog, "agents: [{name: x, queues: [zzzzzz]}]", false,
                 "desk.yaml:1:29: agent x: unknown queue `zzzzzz`; declare it in `queues`");
    expect_fault(
        catalog, "skills: [repair]\nagents: [{name: x, skills: [refund]}]", false,
        "desk.yaml:2:29: agent x: the skill `refund` is on the server, but not in the file's `skills`");
    expect_fault(catalog, "skills: [refund]", false,
                 "desk.yaml: queue q: it uses the skill `repair`, which would be retired");
    expect(catalog, "agents: [{name: x, skills: [refund]}]", 1, 0, 0, 0);
}

Test(plan, policies_keep_their_order_and_new_ones_find_a_place)
{
    struct catalog *catalog = catalog_new();
    expect(catalog, "sla: [{name: a}, {name: c}]", 2, 0, 0, 0);
    expect(catalog, "sla: [{name: a}, {name: b}, {name: c}]", 1, 0, 0, 0);
    u32 a = entry_of(catalog, TKD_KIND_POLICY, "a")->head.order,
        b = entry_of(catalog, TKD_KIND_POLICY, "b")->head.order;
    u32 c = entry_of(catalog, TKD_KIND_POLICY, "c")->head.order;
    cr_assert(a < b && b < c, "%u %u %u", a, b, c);
    expect(catalog, "sla: [{name: c}, {name: a}, {name: b}]", 0, 0, 3, 0);
    char *text = exported(catalog);
    cr_assert_str_eq(text, "sla:\n- name: c\n- name: a\n- name: b\n");
    for (u32 i = 0; i < 20; i++) { /* until there is no room between two: all are numbered anew */
        char file[1024] = "sla: [{name: c}";
        for (u32 j = 0; j <= i; j++) snprintf(file + strlen(file), 32, ", {name: n%u}", i - j);
        strcat(file, ", {name: a}, {name: b}]");
        struct outcome outcome = apply_text(catalog, file, false);
        cr_assert(outcome.planned);
        cr_assert_eq(outcome.counts[PLAN_CREATE], 1);
        expect(catalog, file, 0, 0, 0, 0);
    }
}

Test(plan, equal_orders_of_another_client_are_left_alone)
{
    struct catalog *catalog = catalog_new();
    for (u32 id = 1; id <= 3; id++) {
        struct tkd_catalog_entry head = {.kind = TKD_KIND_POLICY, .id = id};
        char name[2] = {(char)('a' + id), 0};
        struct tkd_text texts[ENTRY_TEXTS] = {{name, 1}};
        put(catalog, &head, texts);
    }
    char *text = exported(catalog);
    expect(catalog, text, 0, 0, 0, 0);
}

Test(plan, retirements_come_last_and_users_first)
{
    struct catalog *catalog = catalog_new();
    expect(catalog,
           "skills: [a]\nqueues: [{name: q, skills: [a], children: [{name: r}]}]\nagents: [{name: x, queues: "
           "[r]}]",
           4, 0, 0, 0);
    struct desk *want = desk_new(), *current = desk_of_catalog(catalog);
    want->sections[TKD_KIND_SKILL].present = want->sections[TKD_KIND_QUEUE].present = true;
    want->sections[TKD_KIND_AGENT].present = true;
    struct plan *plan = plan_make(want, current, catalog, false, "x", stderr);
    cr_assert_eq(plan->count, 4);
    cr_assert_str_eq(plan->changes[0].name, "x");
    cr_assert_str_eq(plan->changes[1].name, "r");
    cr_assert_str_eq(plan->changes[2].name, "q");
    cr_assert_str_eq(plan->changes[3].name, "a");
}
