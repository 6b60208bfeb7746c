#include "plan.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ticketctl.h"

#define ORDER_STEP 10u

/* ---- Faults ---- */

struct faults {
    const char *file;
    FILE *errors;
    u32 count;
};

static void fault(struct faults *faults, const struct desk_entry *entry, const struct desk_name *at,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

static void fault(struct faults *faults, const struct desk_entry *entry, const struct desk_name *at,
                  const char *format, ...)
{
    if (faults->count++ >= DESK_ERRORS_MAX) return;
    fprintf(faults->errors, "%s:", faults->file);
    if (at->line) fprintf(faults->errors, "%u:%u:", at->line, at->column);
    fprintf(faults->errors, " %s %s: ", tkd_name(TKD_ENUM_KIND, entry->head.kind), entry->name.text);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(faults->errors, format, arguments);
    va_end(arguments);
    fputc('\n', faults->errors);
}

/* ---- Members, as texts that can be compared and shown ---- */

enum form {
    AS_U32,
    AS_PERCENT,
    AS_MS,
    AS_STRATEGY,
    AS_PRIORITIES,
    AS_STATES,
    AS_STATES_WIDE,
    AS_FLAG,
    AS_PARENT,
    AS_LIST,
    AS_NAME
};

#define KIND(name) (1u << TKD_KIND_##name)
#define HEAD(name) (u32) offsetof(struct tkd_catalog_entry, name)

static const struct member {
    const char *name;
    u32 kinds;
    enum form form;
    u32 at; /* in the head, or which list */
} members[] = {
    {"name", KIND(DESK), AS_NAME, 0},
    {"archive_after", KIND(DESK), AS_MS, HEAD(archive_after_ms)},
    {"parent", KIND(CATEGORY) | KIND(QUEUE), AS_PARENT, 0},
    {"order", KIND(POLICY), AS_U32, HEAD(order)},
    {"strategy", KIND(QUEUE), AS_STRATEGY, HEAD(strategy)},
    {"capacity", KIND(AGENT), AS_U32, HEAD(capacity)},
    {"skills", KIND(CATEGORY) | KIND(QUEUE) | KIND(AGENT), AS_LIST, LIST_SKILLS},
    {"queues", KIND(AGENT), AS_LIST, LIST_QUEUES},
    {"all queues", KIND(AGENT), AS_FLAG, HEAD(all_queues)},
    {"step target", KIND(QUEUE), AS_MS, HEAD(step_ms)},
    {"step runs in", KIND(QUEUE), AS_STATES_WIDE, HEAD(states_step)},
    {"priorities", KIND(POLICY), AS_PRIORITIES, HEAD(priorities)},
    {"categories", KIND(POLICY), AS_LIST, LIST_CATEGORIES},
    {"channels", KIND(POLICY), AS_LIST, LIST_CHANNELS},
    {"tiers", KIND(POLICY), AS_LIST, LIST_TIERS},
    {"first reply, urgent", KIND(POLICY), AS_MS, HEAD(first_reply_urgent_ms)},
    {"first reply, high", KIND(POLICY), AS_MS, HEAD(first_reply_high_ms)},
    {"first reply, normal", KIND(POLICY), AS_MS, HEAD(first_reply_normal_ms)},
    {"first reply, low", KIND(POLICY), AS_MS, HEAD(first_reply_low_ms)},
    {"first reply runs in", KIND(POLICY), AS_STATES, HEAD(states_first_reply)},
    {"resolution, urgent", KIND(POLICY), AS_MS, HEAD(resolution_urgent_ms)},
    {"resolution, high", KIND(POLICY), AS_MS, HEAD(resolution_high_ms)},
    {"resolution, normal", KIND(POLICY), AS_MS, HEAD(resolution_normal_ms)},
    {"resolution, low", KIND(POLICY), AS_MS, HEAD(resolution_low_ms)},
    {"resolution runs in", KIND(POLICY), AS_STATES, HEAD(states_resolution)},
    {"yellow share", KIND(QUEUE) | KIND(POLICY), AS_PERCENT, HEAD(yellow_percent)},
    {"yellow lead", KIND(QUEUE) | KIND(POLICY), AS_MS, HEAD(yellow_ms)},
};

static u64 number_of(const struct desk_entry *entry, const struct member *member)
{
    const char *at = (const char *)&entry->head + member->at;
    u32 number32;
    u64 number64;
    u16 number16;
    switch (member->form) {
    case AS_U32:
    case AS_PERCENT:
        memcpy(&number32, at, sizeof(number32));
        return number32;
    case AS_MS:
    case AS_STATES_WIDE:
        memcpy(&number64, at, sizeof(number64));
        return number64;
    case AS_STATES:
        memcpy(&number16, at, sizeof(number16));
        return number16;
    default:
        return *(const u8 *)at;
    }
}

static void write_bits(FILE *to, u64 bits, enum tkd_enum words)
{
    bool first = true;
    for (u32 number = 1; number < 64; number++) {
        if (!(bits >> number & 1)) continue;
        fprintf(to, "%s%s", first ? "" : " ", tkd_name(words, number));
        first = false;
    }
    if (first) fputs("none", to);
}

static void write_value(FILE *to, const struct desk_entry *entry, const struct member *member)
{
    char buffer[DESK_DURATION_BYTES];
    u64 number = member->form == AS_NAME || member->form == AS_PARENT ? 0 : number_of(entry, member);
    switch (member->form) {
    case AS_U32:
        fprintf(to, "%llu", (unsigned long long)number);
        break;
    case AS_PERCENT:
        fprintf(to, number ? "%llu%%" : "none", (unsigned long long)number);
        break;
    case AS_MS:
        fputs(number ? desk_duration(number, buffer) : "none", to);
        break;
    case AS_STRATEGY:
        fputs(tkd_name(TKD_ENUM_STRATEGY, (u32)number), to);
        break;
    case AS_PRIORITIES:
        write_bits(to, number, TKD_ENUM_PRIORITY);
        break;
    case AS_STATES:
    case AS_STATES_WIDE:
        write_bits(to, number, TKD_ENUM_STATE);
        break;
    case AS_FLAG:
        fputs(number ? "yes" : "no", to);
        break;
    case AS_PARENT:
        fputs(entry->parent.text ? entry->parent.text : "none", to);
        break;
    case AS_NAME:
        fputs(entry->name.text, to);
        break;
    case AS_LIST:
        break;
    }
}

static int by_text(const void *left, const void *right)
{
    return strcmp(((const struct desk_name *)left)->text, ((const struct desk_name *)right)->text);
}

static struct desk_name *sorted_names(const struct desk_list *list)
{
    struct desk_name *names = allocate(list->count * sizeof(*names));
    if (!list->count) return names;
    memcpy(names, list->names, list->count * sizeof(*names));
    qsort(names, list->count, sizeof(*names), by_text);
    return names;
}

/* Writes " +a -b" for what is in one list only; false: the same names. */
static bool write_list_difference(FILE *to, const char *title, const struct desk_list *now,
                                  const struct desk_list *want)
{
    struct desk_name *before = sorted_names(now), *after = sorted_names(want);
    u32 i = 0, j = 0;
    bool differs = false;
    while (i < now->count || j < want->count) {
        int order = i == now->count ? 1 : j == want->count ? -1 : strcmp(before[i].text, after[j].text);
        if (order) {
            if (!differs) fputs(title, to);
            fprintf(to, " %c%s", order < 0 ? '-' : '+', order < 0 ? before[i].text : after[j].text);
            differs = true;
        }
        const char *done = order <= 0 ? before[i].text : after[j].text; /* and its repetitions */
        while (i < now->count && !strcmp(before[i].text, done)) i++;
        while (j < want->count && !strcmp(after[j].text, done)) j++;
    }
    free(before);
    free(after);
    return differs;
}

/* "capacity: 5 -> 8; skills: +refund"; "" when nothing differs. */
static char *difference(const struct desk_entry *now, const struct desk_entry *want)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    if (!to) abort(); /* out of memory */
    bool first = true;
    for (u32 i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        const struct member *member = &members[i];
        if (!(member->kinds >> want->head.kind & 1)) continue;
        char title[64];
        snprintf(title, sizeof(title), "%s%s:", first ? "" : "; ", member->name);
        if (member->form == AS_LIST) {
            if (write_list_difference(to, title, &now->lists[member->at], &want->lists[member->at]))
                first = false;
            continue;
        }
        bool same = member->form == AS_NAME     ? !strcmp(now->name.text, want->name.text)
                    : member->form == AS_PARENT ? !strcmp(now->parent.text ? now->parent.text : "",
                                                          want->parent.text ? want->parent.text : "")
                                                : number_of(now, member) == number_of(want, member);
        if (same) continue;
        fputs(title, to);
        fputc(' ', to);
        write_value(to, now, member);
        fputs(" -> ", to);
        write_value(to, want, member);
        first = false;
    }
    fclose(to);
    return text;
}

/* ---- Checks ---- */

/* Does the entry stay or become usable? */
static bool is_known(const struct desk *want, const struct desk *current, bool keep, u32 kind,
                     const char *name)
{
    if (desk_find(want, kind, name)) return true;
    return (keep || !want->sections[kind].present) && desk_find(current, kind, name);
}

static void check_reference(struct faults *faults, const struct desk *want, const struct desk *current,
                            bool keep, const struct desk_entry *entry, u32 kind, const struct desk_name *name)
{
    if (is_known(want, current, keep, kind, name->text)) return;
    const char *nearest = desk_nearest(want, kind, name->text);
    if (!nearest && !want->sections[kind].present) nearest = desk_nearest(current, kind, name->text);
    const char *section = desk_section_name(kind), *word = tkd_name(TKD_ENUM_KIND, kind);
    bool to_be_retired = desk_find(current, kind, name->text) != NULL;
    if (!name->line)
        fault(faults, entry, name,
              "it uses the %s `%s`, which would be retired; keep it in `%s`, or declare this entry in `%s` "
              "without it",
              word, name->text, section, desk_section_name(entry->head.kind));
    else if (to_be_retired)
        fault(faults, entry, name, "the %s `%s` is on the server, but not in the file's `%s`; add it there",
              word, name->text, section);
    else if (nearest)
        fault(faults, entry, name, "unknown %s `%s`; did you mean `%s`?", word, name->text, nearest);
    else
        fault(faults, entry, name, "unknown %s `%s`; declare it in `%s`", word, name->text, section);
}

/* Everything that will be in use afterwards refers only to what will be in use too. */
static void check_references(struct faults *faults, const struct desk *want, const struct desk *current,
                             bool keep)
{
    for (u32 kind = 1; kind < TKD_KIND_END; kind++) {
        bool from_file = want->sections[kind].present;
        const struct desk_section *section = from_file ? &want->sections[kind] : &current->sections[kind];
        for (u32 i = 0; i < section->count; i++) {
            const struct desk_entry *entry = section->entries[i];
            for (u32 list = 0; list < LIST_END; list++)
                for (u32 j = 0; j < entry->lists[list].count; j++)
                    check_reference(faults, want, current, keep, entry, desk_list_target(list),
                                    &entry->lists[list].names[j]);
        }
    }
}

/* ---- Ids and order ---- */

static void give_ids(struct desk *want, const struct desk *current, const struct catalog *catalog)
{
    for (u32 kind = 1; kind < TKD_KIND_END; kind++) {
        const struct catalog_kind *known = &catalog->kinds[kind];
        u32 next = known->count ? known->entries[known->count - 1].head.id + 1 : 1;
        for (u32 i = 0; i < want->sections[kind].count; i++) {
            struct desk_entry *entry = want->sections[kind].entries[i];
            const struct desk_entry *live = desk_find(current, kind, entry->name.text);
            const struct entry *any = live ? NULL : catalog_by_name(catalog, kind, entry->name.text);
            entry->head.id = kind == TKD_KIND_DESK ? 1 : live ? live->head.id : any ? any->head.id : next++;
        }
    }
}

/* Policies keep their order numbers where these ascend already; a new one goes between its neighbours. False:
 * there is no room between two. */
static bool fit_order(struct desk_section *policies, const struct desk *current)
{
    u32 before = 0;
    for (u32 i = 0; i < policies->count; i++) {
        struct desk_entry *entry = policies->entries[i];
        const struct desk_entry *known = desk_find(current, TKD_KIND_POLICY, entry->name.text);
        if (known) {
            if (known->head.order <= before) return false;
            before = entry->head.order = known->head.order;
            continue;
        }
        u32 after = before + 2 * ORDER_STEP;
        for (u32 j = policies->count; j-- > i + 1;) {
            const struct desk_entry *later =
                desk_find(current, TKD_KIND_POLICY, policies->entries[j]->name.text);
            if (later) after = later->head.order;
        }
        if (after < before + 2) return false;
        before = entry->head.order = before + (after - before) / 2;
    }
    return true;
}

/* Equal numbers are looked at by id; a file that lists all policies just so needs no change. */
static bool keeps_order(const struct desk_section *policies, const struct desk *current)
{
    const struct desk_section *known = &current->sections[TKD_KIND_POLICY];
    if (policies->count != known->count) return false;
    for (u32 i = 0; i < known->count; i++)
        if (strcmp(policies->entries[i]->name.text, known->entries[i]->name.text)) return false;
    for (u32 i = 0; i < known->count; i++) policies->entries[i]->head.order = known->entries[i]->head.order;
    return true;
}

static void give_order(struct desk *want, const struct desk *current)
{
    struct desk_section *policies = &want->sections[TKD_KIND_POLICY];
    if (keeps_order(policies, current) || fit_order(policies, current)) return;
    for (u32 i = 0; i < policies->count; i++) policies->entries[i]->head.order = (i + 1) * ORDER_STEP;
}

/* ---- The plan ---- */

static void add_change(struct plan *plan, struct plan_change change)
{
    if (!(plan->count & (plan->count - 1)))
        plan->changes =
            reallocate(plan->changes, (plan->count ? plan->count * 2 : 1) * sizeof(*plan->changes));
    plan->changes[plan->count++] = change;
    plan->counts[change.action]++;
}

static void plan_entry(struct plan *plan, struct desk_entry *want, const struct desk *current,
                       const struct catalog *catalog)
{
    u32 kind = want->head.kind;
    const struct desk_section *section = &current->sections[kind];
    const struct desk_entry *now = desk_find(current, kind, want->name.text);
    if (kind == TKD_KIND_DESK) now = section->count ? section->entries[0] : NULL;
    struct plan_change change = {.kind = kind, .id = want->head.id, .want = want};
    change.now = catalog_by_id(catalog, kind, want->head.id);
    if (now) {
        if (kind == TKD_KIND_DESK && !want->name.line) want->name.text = now->name.text;
        if (kind == TKD_KIND_DESK && !want->head.archive_after_ms)
            want->head.archive_after_ms = now->head.archive_after_ms;
        if (kind == TKD_KIND_QUEUE && !want->head.step_ms &&
            !now->head.step_ms) { /* of no effect: left alone */
            want->head.yellow_ms = now->head.yellow_ms;
            want->head.yellow_percent = now->head.yellow_percent;
            want->head.states_step = now->head.states_step;
        }
        change.members = difference(now, want);
    }
    change.name = want->name.text;
    change.action = now ? PLAN_CHANGE : change.now ? PLAN_REVIVE : PLAN_CREATE;
    if (now && !*change.members)
        free(change.members);
    else
        add_change(plan, change);
}

/* Entries that the file's sections do not name: users first, children before parents. */
static void plan_retirements(struct plan *plan, const struct desk *want, const struct desk *current,
                             const struct catalog *catalog)
{
    for (u32 kind = TKD_KIND_END - 1; kind > TKD_KIND_DESK; kind--) {
        if (!want->sections[kind].present) continue;
        for (u32 i = current->sections[kind].count; i-- > 0;) {
            const struct desk_entry *entry = current->sections[kind].entries[i];
            if (desk_find(want, kind, entry->name.text)) continue;
            add_change(plan, (struct plan_change){.action = PLAN_RETIRE,
                                                  .kind = kind,
                                                  .id = entry->head.id,
                                                  .name = entry->name.text,
                                                  .now = catalog_by_id(catalog, kind, entry->head.id)});
        }
    }
}

struct plan *plan_make(struct desk *want, const struct desk *current, const struct catalog *catalog,
                       bool keep, const char *file, FILE *errors)
{
    struct faults faults = {.file = file, .errors = errors};
    check_references(&faults, want, current, keep);
    if (faults.count) {
        if (faults.count > DESK_ERRORS_MAX)
            fprintf(errors, "%s: and %u more\n", file, faults.count - DESK_ERRORS_MAX);
        return NULL;
    }
    struct plan *plan = allocate(sizeof(*plan));
    plan->version = catalog->version;
    give_ids(want, current, catalog);
    if (want->sections[TKD_KIND_POLICY].present) give_order(want, current);
    for (u32 kind = 1; kind < TKD_KIND_END; kind++)
        for (u32 i = 0; i < want->sections[kind].count; i++)
            plan_entry(plan, want->sections[kind].entries[i], current, catalog);
    if (!keep) plan_retirements(plan, want, current, catalog);
    return plan;
}

void plan_free(struct plan *plan)
{
    if (!plan) return;
    for (u32 i = 0; i < plan->count; i++) free(plan->changes[i].members);
    free(plan->changes);
    free(plan);
}

/* ---- Records ---- */

static u32 id_of(const struct desk *want, const struct desk *current, u32 kind, const char *name)
{
    const struct desk_entry *entry = desk_find(want, kind, name);
    if (!entry) entry = desk_find(current, kind, name);
    return entry ? entry->head.id : 0;
}

static int by_number(const void *left, const void *right)
{
    u16 a = *(const u16 *)left, b = *(const u16 *)right;
    return a < b ? -1 : a > b;
}

/* The list's ids, ascending, without repetitions, little-endian. Returns the bytes. */
static u32 write_ids(const struct desk *want, const struct desk *current, const struct desk_list *list,
                     u32 kind, u8 *to, u32 bytes_max)
{
    u16 *ids = allocate(list->count * sizeof(*ids));
    for (u32 i = 0; i < list->count; i++) ids[i] = (u16)id_of(want, current, kind, list->names[i].text);
    if (list->count) qsort(ids, list->count, sizeof(*ids), by_number);
    u32 bytes = 0;
    for (u32 i = 0; i < list->count && bytes + 2 <= bytes_max; i++) {
        if (i && ids[i] == ids[i - 1]) continue;
        to[bytes++] = (u8)(ids[i] & 0xff);
        to[bytes++] = (u8)(ids[i] >> 8);
    }
    free(ids);
    return bytes;
}

void plan_record(const struct plan_change *change, const struct desk *want, const struct desk *current,
                 struct tkd_catalog_entry *head, struct tkd_text texts[ENTRY_TEXTS],
                 u8 buffer[PLAN_TEXT_BYTES])
{
    static const u32 bytes_max[LIST_END] = {512, 8192, 8192, 512, 128};
    static const u32 text_at[LIST_END] = {ENTRY_SKILLS, ENTRY_QUEUES, ENTRY_CATEGORIES, ENTRY_CHANNELS,
                                          ENTRY_TIERS};
    memset(texts, 0, ENTRY_TEXTS * sizeof(*texts));
    if (!change->want) {
        *head = change->now->head;
        memcpy(texts, change->now->texts, ENTRY_TEXTS * sizeof(*texts));
        head->retired = 1;
    } else {
        const struct desk_entry *entry = change->want;
        *head = entry->head;
        head->parent = entry->parent.text ? id_of(want, current, change->kind, entry->parent.text) : 0;
        texts[ENTRY_NAME] = text_of(entry->name.text);
        for (u32 list = 0; list < LIST_END; list++) {
            u32 bytes = write_ids(want, current, &entry->lists[list], desk_list_target(list), buffer,
                                  bytes_max[list]);
            texts[text_at[list]] = (struct tkd_text){(const char *)buffer, bytes};
            buffer += bytes_max[list];
        }
    }
    head->id = change->id;
    head->kind = (u16)change->kind;
    head->expected_version = 0;
}
