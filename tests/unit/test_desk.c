/* A desk file: what is read, what is written back, and what is said of mistakes. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "ticketctl/desk.h"

static char *faults; /* of the last read */

static struct desk *read_text(const char *text)
{
    size_t bytes;
    free(faults);
    FILE *errors = open_memstream(&faults, &bytes);
    struct desk *desk = desk_read(text, strlen(text), "desk.yaml", errors);
    fclose(errors);
    cr_assert_eq(desk == NULL, *faults != 0, "a fault is explained, and only a fault: %s", faults);
    return desk;
}

static struct desk *read_good(const char *text)
{
    struct desk *desk = read_text(text);
    cr_assert_not_null(desk, "%s", faults);
    return desk;
}

static char *written(const struct desk *desk)
{
    char *text = NULL;
    size_t bytes;
    FILE *file = open_memstream(&text, &bytes);
    cr_assert(desk_write(desk, file));
    fclose(file);
    return text;
}

/* The first fault is this line. */
static void expect_fault(const char *text, const char *fault)
{
    struct desk *desk = read_text(text);
    cr_assert_null(desk, "it was read: %s", text);
    cr_assert(strstr(faults, fault) == faults, "for:\n%s\nwanted: %s\ngot: %s", text, fault, faults);
}

static const char whole[] = "desk:\n"
                            "  name: 售后\n"
                            "  archive_after: 3d\n"
                            "skills: [退款, \"yes\", \"12\"]\n"
                            "channels: [phone, web]\n"
                            "tiers: [vip]\n"
                            "categories:\n"
                            "- name: 物流\n"
                            "- name: 退货\n"
                            "  skills: [退款]\n"
                            "  children:\n"
                            "  - name: 换货\n"
                            "queues:\n"
                            "- name: q1\n"
                            "  strategy: claim\n"
                            "  step: {target: 4h, yellow: 25%, runs_in: [open]}\n"
                            "  children:\n"
                            "  - name: q2\n"
                            "    strategy: least_loaded\n"
                            "    skills: [退款]\n"
                            "agents:\n"
                            "- name: 张伟\n"
                            "  capacity: 8\n"
                            "  queues: ['*']\n"
                            "- name: Bob\n"
                            "  skills: [退款]\n"
                            "  queues: [q1, q2]\n"
                            "sla:\n"
                            "- name: VIP\n"
                            "  match:\n"
                            "    priorities: [urgent, high]\n"
                            "    tiers: [vip]\n"
                            "  targets:\n"
                            "    first_reply: {urgent: 15m, high: 1h30m}\n"
                            "    resolution: {urgent: 8h, low: 1d12h}\n"
                            "  runs_in:\n"
                            "    first_reply: [new, open, pending, on_hold]\n"
                            "    resolution: [open]\n"
                            "  yellow: [25%, 30m]\n"
                            "- name: none\n";

Test(desk, what_is_written_is_what_was_read)
{
    struct desk *desk = read_good(whole);
    char *text = written(desk);
    cr_assert_str_eq(text, whole);
    desk_free(desk);
    free(text);
}

Test(desk, members_arrive_in_the_record)
{
    struct desk *desk = read_good(whole);
    const struct desk_entry *queue = desk_find(desk, TKD_KIND_QUEUE, "q1");
    cr_assert_eq(queue->head.strategy, TKD_STRATEGY_CLAIM);
    cr_assert_eq(queue->head.step_ms, 4 * 3600000u);
    cr_assert_eq(queue->head.yellow_percent, 25);
    cr_assert_eq(queue->head.states_step, 1u << TKD_STATE_OPEN);
    cr_assert_str_eq(desk_find(desk, TKD_KIND_QUEUE, "q2")->parent.text, "q1");
    const struct desk_entry *agent = desk_find(desk, TKD_KIND_AGENT, "张伟");
    cr_assert_eq(agent->head.all_queues, 1);
    cr_assert_eq(agent->head.capacity, 8);
    cr_assert_eq(desk_find(desk, TKD_KIND_AGENT, "Bob")->lists[LIST_QUEUES].count, 2);
    const struct desk_entry *policy = desk_find(desk, TKD_KIND_POLICY, "VIP");
    cr_assert_eq(policy->head.first_reply_urgent_ms, 15 * 60000u);
    cr_assert_eq(policy->head.first_reply_high_ms, 90 * 60000u);
    cr_assert_eq(policy->head.first_reply_normal_ms, 0);
    cr_assert_eq(policy->head.resolution_low_ms, 36 * 3600000u);
    cr_assert_eq(policy->head.priorities, 1u << TKD_PRIORITY_URGENT | 1u << TKD_PRIORITY_HIGH);
    cr_assert_eq(policy->head.states_resolution, 1u << TKD_STATE_OPEN);
    cr_assert_eq(policy->head.yellow_percent, 25);
    cr_assert_eq(policy->head.yellow_ms, 30 * 60000u);
    cr_assert_eq(desk_find(desk, TKD_KIND_DESK, "售后")->head.archive_after_ms, 3 * 86400000u);
    desk_free(desk);
}

Test(desk, defaults_stand_in_the_record)
{
    struct desk *desk =
        read_good("desk:\nqueues: [{name: q}]\nsla: [{name: p, targets: {resolution: 8h}}]\n");
    const struct desk_entry *policy = desk_find(desk, TKD_KIND_POLICY, "p");
    cr_assert_eq(policy->head.resolution_urgent_ms, 8 * 3600000u);
    cr_assert_eq(policy->head.resolution_low_ms, 8 * 3600000u);
    cr_assert_eq(policy->head.states_first_reply, 0, "a clock without target does not run");
    cr_assert_eq(policy->head.states_resolution,
                 1u << TKD_STATE_NEW | 1u << TKD_STATE_OPEN | 1u << TKD_STATE_ON_HOLD);
    const struct desk_entry *queue = desk_find(desk, TKD_KIND_QUEUE, "q");
    cr_assert_eq(queue->head.strategy, TKD_STRATEGY_LEAST_LOADED);
    cr_assert_eq(queue->head.states_step, 1u << TKD_STATE_NEW | 1u << TKD_STATE_OPEN);
    cr_assert_eq(desk->sections[TKD_KIND_DESK].count, 1);
    desk_free(desk);
}

Test(desk, only_sections_of_the_file_are_present)
{
    struct desk *desk = read_good("skills: []\nqueues:\n");
    cr_assert(desk->sections[TKD_KIND_SKILL].present);
    cr_assert(desk->sections[TKD_KIND_QUEUE].present);
    cr_assert_not(desk->sections[TKD_KIND_AGENT].present);
    desk_free(desk);
}

Test(desk, trees_are_written_by_nesting_or_by_parent)
{
    struct desk *desk =
        read_good("categories: [{name: c, parent: b}, {name: b, parent: a}, a, {name: d, children: [e]}]");
    cr_assert_str_eq(desk_find(desk, TKD_KIND_CATEGORY, "c")->parent.text, "b");
    cr_assert_str_eq(desk_find(desk, TKD_KIND_CATEGORY, "e")->parent.text, "d");
    cr_assert_null(desk_find(desk, TKD_KIND_CATEGORY, "d")->parent.text);
    desk_free(desk);
}

Test(desk, a_parent_comes_before_its_children)
{
    struct desk *desk = read_good("categories: [{name: c, parent: b}, {name: b, parent: a}, a]");
    const struct desk_section *section = &desk->sections[TKD_KIND_CATEGORY];
    cr_assert_str_eq(section->entries[0]->name.text, "a");
    cr_assert_str_eq(section->entries[1]->name.text, "b");
    cr_assert_str_eq(section->entries[2]->name.text, "c");
    cr_assert_eq(desk_find(desk, TKD_KIND_CATEGORY, "c"), section->entries[2], "the index follows");
    char *text = written(desk);
    cr_assert_str_eq(text,
                     "categories:\n- name: a\n  children:\n  - name: b\n    children:\n    - name: c\n");
    free(text);
    desk_free(desk);
}

Test(desk, mistakes_are_named_with_their_place)
{
    static const struct {
        const char *text;
        const char *fault;
    } cases[] = {
        {"", "desk.yaml:1:1: a desk is a mapping"},
        {"- a", "desk.yaml:1:1: a desk is a mapping"},
        {"skils: [a]", "desk.yaml:1:1: unknown section `skils`; did you mean `skills`?"},
        {"skills: [a]\nskills: [b]", "desk.yaml:2:1: the section `skills` is given twice"},
        {"skills: [a, b, a]", "desk.yaml:1:16: skill a: declared twice, first in line 1"},
        {"skills: a", "desk.yaml:1:9: a list of skills is wanted here"},
        {"skills: [{nam: a}]", "desk.yaml:1:10: every entry of `skills` needs a `name`"},
        {"skills: ['']", "desk.yaml:1:10: the name is empty"},
        {"skills: [\"a\\tb\"]", "desk.yaml:1:10: the name contains a control character"},
        {"skills: [' a']", "desk.yaml:1:10: the name begins or ends with a blank"},
        {"skills: [\"a\\0b\"]", "desk.yaml:1:10: a name must not contain a NUL"},
        {"queues:\n- name: q\n  stratgy: claim",
         "desk.yaml:3:3: queue q: unknown member `stratgy`; did you mean `strategy`?"},
        {"queues:\n- name: q\n  strategy: clam",
         "desk.yaml:3:13: queue q: unknown strategy `clam`; did you mean `claim`?"},
        {"queues: [{name: q, strategy: claim, strategy: claim}]",
         "desk.yaml:1:37: queue q: `strategy` is given twice"},
        {"queues: [q]", "desk.yaml:1:10: every entry of `queues` needs a `name`"},
        {"queues: [{name: q, parent: p}]", "desk.yaml:1:28: queue q: unknown parent `p`"},
        {"queues: [{name: lager, parent: lagr}]",
         "desk.yaml:1:32: queue lager: unknown parent `lagr`; did you mean `lager`?"},
        {"queues: [{name: q, parent: q}]",
         "desk.yaml:1:28: queue q: `q` is more than 10 levels deep, or it is its own"},
        {"queues: [{name: q, step: {yellow: 25%}}]", "desk.yaml:1:26: queue q: a step needs a `target`"},
        {"queues: [{name: q, step: {target: 8}}]",
         "desk.yaml:1:35: queue q: `8` is no duration; write it with units"},
        {"queues: [{name: q, step: {target: 0m}}]", "desk.yaml:1:35: queue q: `0m` is no time at all"},
        {"queues: [{name: q, step: {target: 200000d}}]",
         "desk.yaml:1:35: queue q: `200000d` is more than 100 years"},
        {"queues: [{name: q, step: {target: 1h, yellow: 0%}}]", "desk.yaml:1:47: queue q: `0%` is no share"},
        {"queues: [{name: q, step: {target: 1h, yellow: 100%}}]",
         "desk.yaml:1:47: queue q: `100%` is no share"},
        {"queues: [{name: q, step: {target: 1h, yellow: 12345%}}]",
         "desk.yaml:1:47: queue q: `12345%` is no share"},
        {"queues: [{name: q, step: {target: 1h, yellow: soon}}]",
         "desk.yaml:1:47: queue q: `soon` is no duration"},
        {"agents: [{name: a, capacity: many}]", "desk.yaml:1:30: agent a: `many` is no number of tasks"},
        {"agents: [{name: a, capacity: -1}]", "desk.yaml:1:30: agent a: `-1` is no number of tasks"},
        {"agents: [{name: a, capacity: 1001}]", "desk.yaml:1:30: agent a: `1001` is no number of tasks"},
        {"agents: [{name: a, queues: ['*', q]}]", "desk.yaml:1:28: agent a: `*` means every queue"},
        {"agents: [{name: a, queues: {q: 1}}]",
         "desk.yaml:1:28: agent a: a name is wanted here, not a mapping"},
        {"sla: [{name: p, match: {priority: urgent}}]",
         "desk.yaml:1:25: policy p: unknown member `priority`; did you mean `priorities`?"},
        {"sla: [{name: p, match: {priorities: urgnt}}]",
         "desk.yaml:1:37: policy p: unknown priority `urgnt`; did you mean `urgent`?"},
        {"sla: [{name: p, runs_in: {resolution: [opn]}}]",
         "desk.yaml:1:40: policy p: unknown state `opn`; did you mean `open`?"},
        {"sla: [{name: p, targets: 8h}]",
         "desk.yaml:1:26: policy p: a mapping (member: value) is wanted here"},
        {"skills: [a]\n---\nskills: [b]", "desk.yaml:3:1: a second document"},
        {"skills: [a", "desk.yaml:2:1: not YAML: "},
        {"skills: [a]\n\tqueues: []", "desk.yaml:2:1: not YAML: "},
        {"skills: [a\xff]", "desk.yaml:1:1: not YAML: "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) expect_fault(cases[i].text, cases[i].fault);
}

Test(desk, all_faults_are_told_up_to_a_bound)
{
    char text[4096] = "skills: [";
    for (u32 i = 0; i < 40; i++) strcat(text, "'', ");
    strcat(text, "a]");
    cr_assert_null(read_text(text));
    u32 lines = 0;
    for (const char *at = faults; *at; at++) lines += *at == '\n';
    cr_assert_eq(lines, DESK_ERRORS_MAX);
}

Test(desk, nesting_and_aliases_are_bounded)
{
    char text[4096] = "categories: ";
    for (u32 i = 0; i < 40; i++) snprintf(text + strlen(text), 64, "[{name: c%u, children: ", i);
    for (u32 i = 0; i < 40; i++) strcat(text, i ? "}]" : "[]}]");
    cr_assert_null(read_text(text));
    cr_assert(strstr(faults, "nested more than 10 levels deep"), "%s", faults);
    /* Each level names the one before ten times: read to the end it would be 10^9 entries. */
    char bomb[4096] = "categories:\n- &l0 {name: a}\n";
    for (u32 i = 1; i < 9; i++) {
        snprintf(bomb + strlen(bomb), 64, "- &l%u {name: n%u, children: [", i, i);
        for (u32 j = 0; j < 10; j++) snprintf(bomb + strlen(bomb), 64, "%s*l%u", j ? ", " : "", i - 1);
        strcat(bomb, "]}\n");
    }
    cr_assert_null(read_text(bomb));
    cr_assert(strstr(faults, "declared twice"), "%s", faults);
}

Test(desk, names_of_120_bytes_are_the_longest)
{
    char text[256] = "skills: [";
    memset(text + 9, 'x', 120);
    strcpy(text + 129, "]");
    desk_free(read_good(text));
    strcpy(text + 129, "x]");
    expect_fault(text, "desk.yaml:1:10: the name is longer than 120 bytes");
}

Test(desk, durations_are_exact)
{
    static const u64 durations_ms[] = {1,       999,      1000,      61000,     3600000,
                                       3600001, 86400000, 129600000, 604800000, 90061001};
    for (size_t i = 0; i < sizeof(durations_ms) / sizeof(durations_ms[0]); i++) {
        char buffer[DESK_DURATION_BYTES];
        u64 parsed_ms = 0;
        cr_assert(desk_duration_parse(desk_duration(durations_ms[i], buffer), &parsed_ms), "%s", buffer);
        cr_assert_eq(parsed_ms, durations_ms[i], "%s", buffer);
    }
    u64 ms;
    cr_assert_not(desk_duration_parse("8", &ms), "a unit is needed");
    cr_assert_not(desk_duration_parse("", &ms));
    cr_assert_not(desk_duration_parse("8x", &ms));
    cr_assert_not(desk_duration_parse("99999999999999999999d", &ms));
}

Test(desk, any_cut_of_a_file_is_read_or_explained)
{
    for (size_t bytes = 0; bytes < sizeof(whole); bytes++) {
        char text[sizeof(whole)];
        memcpy(text, whole, bytes);
        text[bytes] = 0;
        desk_free(read_text(text));
    }
}

Test(desk, any_changed_byte_is_read_or_explained)
{
    u64 random = 42;
    for (u32 round = 0; round < 3000; round++) {
        char text[sizeof(whole)];
        memcpy(text, whole, sizeof(whole));
        for (u32 i = 0; i < 3; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            text[(random >> 33) % (sizeof(whole) - 1)] = (char)(random >> 56 ? random >> 56 : 1);
        }
        desk_free(read_text(text));
    }
}
