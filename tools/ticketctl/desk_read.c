/* YAML to a desk. libyaml gives every node with its place, so every fault can say where it is. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "desk.h"
#include "ticketctl.h"

#define STATES_UNSOLVED                                                                                      \
    (1u << TKD_STATE_NEW | 1u << TKD_STATE_OPEN | 1u << TKD_STATE_PENDING | 1u << TKD_STATE_ON_HOLD)
#define STATES_REQUESTER_WAITS (1u << TKD_STATE_NEW | 1u << TKD_STATE_OPEN | 1u << TKD_STATE_ON_HOLD)
#define STATES_STEP            (1u << TKD_STATE_NEW | 1u << TKD_STATE_OPEN)
#define CAPACITY_MAX           1000u
#define YEAR_MS                (365 * 86400000ull)

struct reader {
    yaml_document_t document;
    struct desk *desk;
    const char *file;
    FILE *errors;
    u32 faults;
    bool has_states_first_reply; /* of the policy being read */
    bool has_states_resolution;
};

/* A member of a mapping: how it is read, and where it goes. */
struct member {
    const char *key;
    void (*read)(struct reader *reader, struct desk_entry *entry, yaml_node_t *value,
                 const struct member *member);
    u32 to; /* offset of a number in the head, or the number of a list */
};

/* ---- Faults ---- */

static void fault(struct reader *reader, const struct desk_entry *entry, const yaml_node_t *node,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

static void fault(struct reader *reader, const struct desk_entry *entry, const yaml_node_t *node,
                  const char *format, ...)
{
    if (reader->faults++ >= DESK_ERRORS_MAX) return;
    yaml_mark_t mark = node ? node->start_mark : (yaml_mark_t){0};
    fprintf(reader->errors, "%s:%zu:%zu: ", reader->file, mark.line + 1, mark.column + 1);
    if (entry && entry->name.text)
        fprintf(reader->errors, "%s %s: ", tkd_name(TKD_ENUM_KIND, entry->head.kind), entry->name.text);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(reader->errors, format, arguments);
    va_end(arguments);
    fputc('\n', reader->errors);
}

/* "; did you mean `x`?", or what there is to choose from. */
static const char *hint_of_member(const struct member *members, const char *key, char hint[256])
{
    u32 best = (u32)strlen(key) / 3 + 2;
    const char *nearest = NULL;
    u32 at = (u32)snprintf(hint, 256, "; possible: ");
    for (const struct member *member = members; member->key; member++) {
        u32 distance = edit_distance(key, member->key);
        if (distance < best) {
            best = distance;
            nearest = member->key;
        }
        if (at < 200)
            at += (u32)snprintf(hint + at, 256 - at, "%s%s", member == members ? "" : ", ", member->key);
    }
    if (nearest) snprintf(hint, 256, "; did you mean `%s`?", nearest);
    return hint;
}

/* The same for the members of an enumeration. */
static const char *hint_of_word(enum tkd_enum words, const char *word, char hint[256])
{
    u32 best = (u32)strlen(word) / 3 + 2;
    const char *nearest = NULL;
    u32 at = (u32)snprintf(hint, 256, "; possible: ");
    for (u32 number = 1; strcmp(tkd_name(words, number), "?"); number++) {
        const char *name = tkd_name(words, number);
        u32 distance = edit_distance(word, name);
        if (distance < best) {
            best = distance;
            nearest = name;
        }
        if (at < 200) at += (u32)snprintf(hint + at, 256 - at, "%s%s", number == 1 ? "" : ", ", name);
    }
    if (nearest) snprintf(hint, 256, "; did you mean `%s`?", nearest);
    return hint;
}

/* ---- Nodes ---- */

static yaml_node_t *node_at(struct reader *reader, int index)
{
    return yaml_document_get_node(&reader->document, index);
}

/* The text of a scalar, or NULL: explained. `what` it should be, for the message. */
static const char *scalar(struct reader *reader, const struct desk_entry *entry, const yaml_node_t *node,
                          const char *what)
{
    if (node->type != YAML_SCALAR_NODE) {
        fault(reader, entry, node, "%s is wanted here, not a %s", what,
              node->type == YAML_SEQUENCE_NODE ? "list" : "mapping");
        return NULL;
    }
    const char *text = (const char *)node->data.scalar.value;
    if (strlen(text) != node->data.scalar.length) {
        fault(reader, entry, node, "%s must not contain a NUL character", what);
        return NULL;
    }
    return text;
}

static bool is_null(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) return false;
    const char *text = (const char *)node->data.scalar.value;
    return !*text || !strcmp(text, "~") || !strcmp(text, "null");
}

/* A name of an entry or of a reference; .text NULL: explained. */
static struct desk_name name_of(struct reader *reader, const struct desk_entry *entry,
                                const yaml_node_t *node)
{
    const char *text = scalar(reader, entry, node, "a name");
    if (!text) return (struct desk_name){0};
    size_t bytes = strlen(text);
    const char *wrong = NULL;
    if (!bytes || is_null(node))
        wrong = "the name is empty";
    else if (bytes > DESK_NAME_BYTES_MAX)
        wrong = "the name is longer than 120 bytes; shorten it";
    else if (text[0] == ' ' || text[bytes - 1] == ' ')
        wrong = "the name begins or ends with a blank; remove it";
    for (size_t i = 0; i < bytes && !wrong; i++)
        if ((u8)text[i] < 0x20 || text[i] == 0x7f) wrong = "the name contains a control character; remove it";
    if (wrong) {
        fault(reader, entry, node, "%s", wrong);
        return (struct desk_name){0};
    }
    return (struct desk_name){.text = desk_text(reader->desk, text, bytes),
                              .line = (u32)node->start_mark.line + 1,
                              .column = (u32)node->start_mark.column + 1};
}

/* The `index`-th value of a list; a single value counts as a list of one. NULL: no more. */
static yaml_node_t *item(struct reader *reader, yaml_node_t *list, u32 index)
{
    if (is_null(list)) return NULL;
    if (list->type != YAML_SEQUENCE_NODE) return index ? NULL : list;
    yaml_node_item_t *at = list->data.sequence.items.start + index;
    return at < list->data.sequence.items.top ? node_at(reader, *at) : NULL;
}

static bool go_on(const struct reader *reader) { return reader->faults < DESK_ERRORS_MAX; }

/* Reads a mapping's members by the table, which ends with a NULL key. */
static void read_members(struct reader *reader, struct desk_entry *entry, yaml_node_t *node,
                         const struct member *members)
{
    if (node->type != YAML_MAPPING_NODE) {
        char hint[256];
        fault(reader, entry, node, "a mapping (member: value) is wanted here%s",
              hint_of_member(members, "", hint));
        return;
    }
    u64 seen = 0;
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top && go_on(reader); pair++) {
        yaml_node_t *key_node = node_at(reader, pair->key), *value = node_at(reader, pair->value);
        const char *key = scalar(reader, entry, key_node, "a member's name");
        if (!key) continue;
        u32 at = 0;
        while (members[at].key && strcmp(members[at].key, key)) at++;
        char hint[256];
        if (!members[at].key)
            fault(reader, entry, key_node, "unknown member `%s`%s", key, hint_of_member(members, key, hint));
        else if (seen >> at & 1)
            fault(reader, entry, key_node, "`%s` is given twice; remove one", key);
        else if (!is_null(value) && members[at].read)
            members[at].read(reader, entry, value, &members[at]);
        if (members[at].key) seen |= 1ull << at;
    }
}

/* ---- Values ---- */

static void *head_at(struct desk_entry *entry, const struct member *member)
{
    return (char *)&entry->head + member->to;
}

static bool duration_of(struct reader *reader, const struct desk_entry *entry, const yaml_node_t *node,
                        u64 *to)
{
    const char *text = scalar(reader, entry, node, "a duration");
    if (!text) return false;
    u64 duration_ms;
    if (!desk_duration_parse(text, &duration_ms)) {
        fault(reader, entry, node, "`%s` is no duration; write it with units: 30m, 8h, 3d, 2h30m", text);
        return false;
    }
    if (!duration_ms || duration_ms > 100 * YEAR_MS) {
        fault(reader, entry, node, "`%s` is %s; leave the member out for none", text,
              duration_ms ? "more than 100 years" : "no time at all");
        return false;
    }
    *to = duration_ms;
    return true;
}

static void read_duration(struct reader *reader, struct desk_entry *entry, yaml_node_t *value,
                          const struct member *member)
{
    duration_of(reader, entry, value, head_at(entry, member));
}

static void read_capacity(struct reader *reader, struct desk_entry *entry, yaml_node_t *value,
                          const struct member *member)
{
    const char *text = scalar(reader, entry, value, "a number");
    u64 number;
    if (!text) return;
    if (!number_parse(text, CAPACITY_MAX, &number)) {
        fault(reader, entry, value, "`%s` is no number of tasks; write 0 (no limit) to %u", text,
              CAPACITY_MAX);
        return;
    }
    *(u32 *)head_at(entry, member) = (u32)number;
}

static void read_strategy(struct reader *reader, struct desk_entry *entry, yaml_node_t *value,
                          const struct member *member)
{
    const char *text = scalar(reader, entry, value, "a strategy");
    if (!text) return;
    u32 strategy = tkd_number(TKD_ENUM_STRATEGY, text);
    char hint[256];
    if (!strategy)
        fault(reader, entry, value, "unknown strategy `%s`%s", text,
              hint_of_word(TKD_ENUM_STRATEGY, text, hint));
    *(u8 *)head_at(entry, member) = (u8)strategy;
}

/* Words of an enumeration as bits. */
static u32 read_bits(struct reader *reader, const struct desk_entry *entry, yaml_node_t *list,
                     enum tkd_enum words, const char *what)
{
    u32 bits = 0;
    yaml_node_t *node;
    for (u32 i = 0; (node = item(reader, list, i)) && go_on(reader); i++) {
        const char *word = scalar(reader, entry, node, what);
        if (!word) continue;
        u32 number = tkd_number(words, word);
        char hint[256];
        if (!number)
            fault(reader, entry, node, "unknown %s `%s`%s", what, word, hint_of_word(words, word, hint));
        bits |= number ? 1u << number : 0;
    }
    return bits;
}

static void read_priorities(struct reader *reader, struct desk_entry *entry, yaml_node_t *value,
                            const struct member *member)
{
    *(u8 *)head_at(entry, member) = (u8)read_bits(reader, entry, value, TKD_ENUM_PRIORITY, "priority");
}

static void read_states(struct reader *reader, struct desk_entry *entry, yaml_node_t *value,
                        const struct member *member)
{
    u32 bits = read_bits(reader, entry, value, TKD_ENUM_STATE, "state");
    if (member->to == offsetof(struct tkd_catalog_entry, states_step)) {
        *(u64 *)head_at(entry, member) = bits;
        return;
    }
    *(u16 *)head_at(entry, member) = (u16)bits;
    if (member->to == offsetof(struct tkd_catalog_entry, states_first_reply))
        reader->has_states_first_reply = true;
    else
        reader->has_states_resolution = true;
}

static void read_list(struct reader *reader, struct desk_entry *entry, yaml_node_t *value,
                      const struct member *member)
{
    yaml_node_t *node;
    for (u32 i = 0; (node = item(reader, value, i)) && go_on(reader); i++) {
        struct desk_name name = name_of(reader, entry, node);
        if (!name.text) continue;
        if (member->to == LIST_QUEUES && !strcmp(name.text, "*"))
            entry->head.all_queues = 1;
        else
            desk_list_add(reader->desk, &entry->lists[member->to], name);
    }
    if (entry->head.all_queues && entry->lists[LIST_QUEUES].count)
        fault(reader, entry, value, "`*` means every queue; name either it or single queues");
}

static void read_parent(struct reader *reader, struct desk_entry *entry, yaml_node_t *value,
                        const struct member *member)
{
    (void)member;
    if (entry->parent.text) {
        fault(reader, entry, value, "the entry is nested below %s already; remove `parent`",
              entry->parent.text);
        return;
    }
    entry->parent = name_of(reader, entry, value);
}

/* "25%", "30m", or a list of both. */
static void read_yellow(struct reader *reader, struct desk_entry *entry, yaml_node_t *value,
                        const struct member *member)
{
    (void)member;
    yaml_node_t *node;
    for (u32 i = 0; (node = item(reader, value, i)) && go_on(reader); i++) {
        const char *text = scalar(reader, entry, node, "a share (25%) or a duration (30m)");
        if (!text) return;
        size_t bytes = strlen(text);
        char digits[4] = {0};
        u64 percent = 0;
        if (!bytes || text[bytes - 1] != '%') {
            duration_of(reader, entry, node, &entry->head.yellow_ms);
            continue;
        }
        if (bytes <= sizeof(digits)) memcpy(digits, text, bytes - 1);
        if (!number_parse(digits, 99, &percent) || !percent)
            fault(reader, entry, node, "`%s` is no share of the target; write 1%% to 99%%", text);
        entry->head.yellow_percent = (u32)percent;
    }
}

#define HEAD(name) (u32) offsetof(struct tkd_catalog_entry, name)

/* Four targets by priority, which lie side by side in the head; one value counts for all. */
static void read_targets_of_clock(struct reader *reader, struct desk_entry *entry, yaml_node_t *value,
                                  const struct member *member)
{
    const struct member by_priority[] = {
        {"urgent", read_duration, member->to},
        {"high", read_duration, member->to + 8},
        {"normal", read_duration, member->to + 16},
        {"low", read_duration, member->to + 24},
        {NULL, NULL, 0},
    };
    if (value->type == YAML_SCALAR_NODE) {
        for (u32 i = 0; i < 4 && !(i && !*(u64 *)head_at(entry, member)); i++)
            read_duration(reader, entry, value, &by_priority[i]);
        return;
    }
    read_members(reader, entry, value, by_priority);
}

static void read_targets(struct reader *reader, struct desk_entry *entry, yaml_node_t *value,
                         const struct member *member)
{
    static const struct member members[] = {
        {"first_reply", read_targets_of_clock, HEAD(first_reply_urgent_ms)},
        {"resolution", read_targets_of_clock, HEAD(resolution_urgent_ms)},
        {NULL, NULL, 0},
    };
    (void)member;
    read_members(reader, entry, value, members);
}

static void read_runs_in(struct reader *reader, struct desk_entry *entry, yaml_node_t *value,
                         const struct member *member)
{
    static const struct member members[] = {
        {"first_reply", read_states, HEAD(states_first_reply)},
        {"resolution", read_states, HEAD(states_resolution)},
        {NULL, NULL, 0},
    };
    (void)member;
    read_members(reader, entry, value, members);
}

static void read_match(struct reader *reader, struct desk_entry *entry, yaml_node_t *value,
                       const struct member *member)
{
    static const struct member members[] = {
        {"priorities", read_priorities, HEAD(priorities)},
        {"categories", read_list, LIST_CATEGORIES},
        {"channels", read_list, LIST_CHANNELS},
        {"tiers", read_list, LIST_TIERS},
        {NULL, NULL, 0},
    };
    (void)member;
    read_members(reader, entry, value, members);
}

static void read_step(struct reader *reader, struct desk_entry *entry, yaml_node_t *value,
                      const struct member *member)
{
    static const struct member members[] = {
        {"target", read_duration, HEAD(step_ms)},
        {"yellow", read_yellow, 0},
        {"runs_in", read_states, HEAD(states_step)},
        {NULL, NULL, 0},
    };
    (void)member;
    read_members(reader, entry, value, members);
    if (!entry->head.step_ms) fault(reader, entry, value, "a step needs a `target`");
    if (!entry->head.states_step)
        fault(reader, entry, value, "`runs_in` of a step needs a state; leave it out for new and open");
}

/* ---- Entries ---- */

/* `name` is read first, `children` last: NULL here. */
static const struct member members_plain[] = {{"name", NULL, 0}, {NULL, NULL, 0}};
static const struct member members_category[] = {
    {"name", NULL, 0}, {"parent", read_parent, 0}, {"skills", read_list, LIST_SKILLS}, {"children", NULL, 0},
    {NULL, NULL, 0},
};
static const struct member members_queue[] = {
    {"name", NULL, 0},
    {"parent", read_parent, 0},
    {"strategy", read_strategy, HEAD(strategy)},
    {"skills", read_list, LIST_SKILLS},
    {"step", read_step, 0},
    {"children", NULL, 0},
    {NULL, NULL, 0},
};
static const struct member members_agent[] = {
    {"name", NULL, 0},
    {"capacity", read_capacity, HEAD(capacity)},
    {"skills", read_list, LIST_SKILLS},
    {"queues", read_list, LIST_QUEUES},
    {NULL, NULL, 0},
};
static const struct member members_policy[] = {
    {"name", NULL, 0},
    {"match", read_match, 0},
    {"targets", read_targets, 0},
    {"runs_in", read_runs_in, 0},
    {"yellow", read_yellow, 0},
    {NULL, NULL, 0},
};

static const struct member *members_of(u32 kind)
{
    switch (kind) {
    case TKD_KIND_CATEGORY:
        return members_category;
    case TKD_KIND_QUEUE:
        return members_queue;
    case TKD_KIND_AGENT:
        return members_agent;
    case TKD_KIND_POLICY:
        return members_policy;
    default:
        return members_plain;
    }
}

static yaml_node_t *member_node(struct reader *reader, yaml_node_t *node, const char *key)
{
    if (node->type != YAML_MAPPING_NODE) return NULL;
    yaml_node_pair_t *top = node->data.mapping.pairs.top;
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < top; pair++) {
        yaml_node_t *key_node = node_at(reader, pair->key);
        if (key_node->type == YAML_SCALAR_NODE && !strcmp((const char *)key_node->data.scalar.value, key))
            return node_at(reader, pair->value);
    }
    return NULL;
}

static bool has_targets(const u64 *by_priority)
{
    return by_priority[0] || by_priority[1] || by_priority[2] || by_priority[3];
}

static void finish_policy(const struct reader *reader, struct desk_entry *entry)
{
    struct tkd_catalog_entry *head = &entry->head;
    bool first_reply = has_targets(&head->first_reply_urgent_ms),
         resolution = has_targets(&head->resolution_urgent_ms);
    if (first_reply && !reader->has_states_first_reply) head->states_first_reply = STATES_UNSOLVED;
    if (resolution && !reader->has_states_resolution) head->states_resolution = STATES_REQUESTER_WAITS;
}

/* Adds the entry of a node below `parent`; NULL: explained. */
static struct desk_entry *read_entry(struct reader *reader, u32 kind, yaml_node_t *node,
                                     struct desk_name parent)
{
    struct desk_entry unnamed = {.head.kind = (u16)kind};
    bool plain = members_of(kind) == members_plain || kind == TKD_KIND_CATEGORY;
    yaml_node_t *name_node =
        node->type == YAML_SCALAR_NODE && plain ? node : member_node(reader, node, "name");
    if (!name_node) {
        fault(reader, NULL, node, "every entry of `%s` needs a `name`", desk_section_name(kind));
        return NULL;
    }
    struct desk_name name = name_of(reader, &unnamed, name_node);
    if (!name.text) return NULL;
    unnamed.name = name;
    const struct desk_entry *first = desk_find(reader->desk, kind, name.text);
    if (first) {
        fault(reader, &unnamed, name_node, "declared twice, first in line %u; names are unique in `%s`",
              first->name.line, desk_section_name(kind));
        return NULL;
    }
    struct desk_entry *entry = desk_add(reader->desk, kind, name);
    entry->parent = parent;
    if (kind == TKD_KIND_QUEUE) {
        entry->head.strategy = TKD_STRATEGY_LEAST_LOADED;
        entry->head.states_step = STATES_STEP;
    }
    reader->has_states_first_reply = reader->has_states_resolution = false;
    if (node != name_node) read_members(reader, entry, node, members_of(kind));
    if (kind == TKD_KIND_POLICY) finish_policy(reader, entry);
    return entry;
}

/* Bounded: by DESK_TREE_LEVELS_MAX, and because names are unique (faults end it). */
static void read_entries(struct reader *reader, u32 kind, yaml_node_t *list, struct desk_name parent,
                         u32 level)
{
    if (list->type != YAML_SEQUENCE_NODE) {
        fault(reader, NULL, list, "a list of %s is wanted here", desk_section_name(kind));
        return;
    }
    if (level == DESK_TREE_LEVELS_MAX) {
        fault(reader, NULL, list, "`%s` is nested more than %u levels deep", desk_section_name(kind),
              DESK_TREE_LEVELS_MAX);
        return;
    }
    yaml_node_t *node;
    for (u32 i = 0; (node = item(reader, list, i)) && go_on(reader); i++) {
        struct desk_entry *entry = read_entry(reader, kind, node, parent);
        if (!entry) continue;
        if (kind == TKD_KIND_POLICY) entry->head.order = i + 1;
        bool tree = kind == TKD_KIND_CATEGORY || kind == TKD_KIND_QUEUE;
        yaml_node_t *children = tree ? member_node(reader, node, "children") : NULL;
        if (children && !is_null(children)) read_entries(reader, kind, children, entry->name, level + 1);
    }
}

/* ---- The file ---- */

static void read_desk_section(struct reader *reader, yaml_node_t *node)
{
    static const struct member members[] = {
        {"name", NULL, 0},
        {"archive_after", read_duration, HEAD(archive_after_ms)},
        {NULL, NULL, 0},
    };
    yaml_node_t *name_node = member_node(reader, node, "name");
    struct desk_name name = {0};
    if (name_node) name = name_of(reader, NULL, name_node);
    if (!name.text) name = (struct desk_name){.text = "desk"}; /* line 0: keep the name it has */
    struct desk_entry *entry = desk_add(reader->desk, TKD_KIND_DESK, name);
    if (!is_null(node)) read_members(reader, entry, node, members);
}

static void read_section(struct reader *reader, const yaml_node_t *key_node, yaml_node_t *value)
{
    const char *key = scalar(reader, NULL, key_node, "a section's name");
    if (!key) return;
    struct member sections[TKD_KIND_END] = {{NULL, NULL, 0}};
    for (u32 kind = 1; kind < TKD_KIND_END; kind++) sections[kind - 1].key = desk_section_name(kind);
    u32 kind = 1;
    while (kind < TKD_KIND_END && strcmp(desk_section_name(kind), key)) kind++;
    if (kind == TKD_KIND_END) {
        char hint[256];
        fault(reader, NULL, key_node, "unknown section `%s`%s", key, hint_of_member(sections, key, hint));
        return;
    }
    if (reader->desk->sections[kind].present) {
        fault(reader, NULL, key_node, "the section `%s` is given twice; join them", key);
        return;
    }
    reader->desk->sections[kind].present = true;
    if (kind == TKD_KIND_DESK)
        read_desk_section(reader, value);
    else if (!is_null(value))
        read_entries(reader, kind, value, (struct desk_name){0}, 0);
}

static void check_parents(struct reader *reader, u32 kind)
{
    struct desk_section *section = &reader->desk->sections[kind];
    for (u32 i = 0; i < section->count; i++) {
        const struct desk_entry *entry = section->entries[i];
        const char *parent = entry->parent.text;
        if (!parent) continue;
        yaml_node_t at = {
            .start_mark = {.line = entry->parent.line - 1u, .column = entry->parent.column - 1u}};
        if (!desk_find(reader->desk, kind, parent)) {
            const char *nearest = desk_nearest(reader->desk, kind, parent);
            fault(reader, entry, &at, "unknown parent `%s`%s%s%s", parent, nearest ? "; did you mean `" : "",
                  nearest ? nearest : "; declare it in the same section", nearest ? "`?" : "");
        } else if (desk_level(reader->desk, entry) == DESK_TREE_LEVELS_MAX) {
            fault(reader, entry, &at, "`%s` is more than %u levels deep, or it is its own ancestor", parent,
                  DESK_TREE_LEVELS_MAX);
        }
    }
    desk_sort_tree(reader->desk, kind);
}

static void read_document(struct reader *reader)
{
    yaml_node_t *root = yaml_document_get_root_node(&reader->document);
    if (!root || root->type != YAML_MAPPING_NODE) {
        fault(reader, NULL, root,
              "a desk is a mapping with the sections desk, skills, channels, tiers, categories, "
              "queues, agents, sla");
        return;
    }
    for (yaml_node_pair_t *pair = root->data.mapping.pairs.start;
         pair < root->data.mapping.pairs.top && go_on(reader); pair++)
        read_section(reader, node_at(reader, pair->key), node_at(reader, pair->value));
    check_parents(reader, TKD_KIND_CATEGORY);
    check_parents(reader, TKD_KIND_QUEUE);
}

static void syntax_fault(struct reader *reader, const yaml_parser_t *parser)
{
    yaml_mark_t mark = parser->problem_mark;
    fprintf(reader->errors, "%s:%zu:%zu: not YAML: %s", reader->file, mark.line + 1, mark.column + 1,
            parser->problem ? parser->problem : "it cannot be read");
    if (parser->context)
        fprintf(reader->errors, " (%s from line %zu)", parser->context, parser->context_mark.line + 1);
    fputc('\n', reader->errors);
    reader->faults++;
}

struct desk *desk_read(const char *text, size_t bytes, const char *file, FILE *errors)
{
    struct reader reader = {.desk = desk_new(), .file = file, .errors = errors};
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) abort(); /* out of memory */
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
    if (!yaml_parser_load(&parser, &reader.document)) {
        syntax_fault(&reader, &parser);
    } else {
        read_document(&reader);
        yaml_document_t second;
        if (go_on(&reader) && !reader.faults && yaml_parser_load(&parser, &second)) {
            yaml_node_t *root = yaml_document_get_root_node(&second);
            if (root)
                fault(&reader, NULL, root, "a second document (---) begins here; a file declares one desk");
            yaml_document_delete(&second);
        } else if (!reader.faults) {
            syntax_fault(&reader, &parser);
        }
        yaml_document_delete(&reader.document);
    }
    yaml_parser_delete(&parser);
    if (!reader.faults) return reader.desk;
    if (reader.faults > DESK_ERRORS_MAX) fprintf(errors, "%s: and more\n", file);
    desk_free(reader.desk);
    return NULL;
}
