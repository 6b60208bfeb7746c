#include "desk.h"

#include <stdlib.h>
#include <string.h>

#include "ticketctl.h"
#include "timefmt.h"

#define BLOCK_BYTES 65536u

/* Memory of a desk: blocks that are freed together. */
struct block {
    struct block *before;
    size_t used;
    size_t room;
    _Alignas(16) char bytes[];
};

struct desk *desk_new(void) { return allocate(sizeof(struct desk)); }

void *desk_allocate(struct desk *desk, size_t bytes)
{
    struct block *block = desk->memory;
    size_t wanted = (bytes + 15) & ~(size_t)15;
    if (!block || block->room - block->used < wanted) {
        size_t room = wanted > BLOCK_BYTES ? wanted : BLOCK_BYTES;
        block = allocate(sizeof(*block) + room);
        block->before = desk->memory;
        block->room = room;
        desk->memory = block;
    }
    void *memory = block->bytes + block->used;
    block->used += wanted;
    return memory;
}

const char *desk_text(struct desk *desk, const char *text, size_t bytes)
{
    char *copy = desk_allocate(desk, bytes + 1);
    memcpy(copy, text, bytes);
    copy[bytes] = 0;
    return copy;
}

void desk_free(struct desk *desk)
{
    if (!desk) return;
    for (u32 kind = 0; kind < TKD_KIND_END; kind++) {
        free(desk->sections[kind].entries);
        names_free(&desk->sections[kind].index);
    }
    for (struct block *block = desk->memory; block;) {
        struct block *before = block->before;
        free(block);
        block = before;
    }
    free(desk);
}

struct desk_entry *desk_add(struct desk *desk, u32 kind, struct desk_name name)
{
    struct desk_section *section = &desk->sections[kind];
    if (section->count == section->room) {
        section->room = section->room ? section->room * 2 : 16;
        section->entries = reallocate(section->entries, section->room * sizeof(*section->entries));
    }
    struct desk_entry *entry = desk_allocate(desk, sizeof(*entry));
    entry->head.kind = (u16)kind;
    entry->name = name;
    section->entries[section->count++] = entry;
    names_put(&section->index, name.text, (u32)strlen(name.text), section->count);
    return entry;
}

void desk_list_add(struct desk *desk, struct desk_list *list, struct desk_name name)
{
    u32 count = list->count;
    if (!(count & (count - 1))) { /* a power of two, or 0: full */
        struct desk_name *names = desk_allocate(desk, (count ? count * 2 : 1) * sizeof(*names));
        if (count) memcpy(names, list->names, count * sizeof(*names));
        list->names = names;
    }
    list->names[list->count++] = name;
}

const struct desk_entry *desk_find(const struct desk *desk, u32 kind, const char *name)
{
    const struct desk_section *section = &desk->sections[kind];
    u32 at = names_get(&section->index, name, (u32)strlen(name));
    return at ? section->entries[at - 1] : NULL;
}

const char *desk_nearest(const struct desk *desk, u32 kind, const char *name)
{
    const struct desk_section *section = &desk->sections[kind];
    const char *nearest = NULL;
    u32 best = (u32)strlen(name) / 3 + 2; /* further away it would be a guess */
    for (u32 i = 0; i < section->count; i++) {
        u32 distance = edit_distance(name, section->entries[i]->name.text);
        if (distance >= best) continue;
        best = distance;
        nearest = section->entries[i]->name.text;
    }
    return nearest;
}

/* ---- Trees ---- */

u32 desk_level(const struct desk *desk, const struct desk_entry *entry)
{
    u32 level = 0;
    while (entry && entry->parent.text && level < DESK_TREE_LEVELS_MAX) {
        entry = desk_find(desk, entry->head.kind, entry->parent.text);
        level++;
    }
    return level;
}

void desk_sort_tree(struct desk *desk, u32 kind)
{
    struct desk_section *section = &desk->sections[kind];
    struct desk_entry **sorted = allocate((section->count + 1) * sizeof(*sorted));
    u8 *levels = allocate(section->count + 1);
    for (u32 i = 0; i < section->count; i++) levels[i] = (u8)desk_level(desk, section->entries[i]);
    u32 count = 0;
    for (u32 level = 0; level <= DESK_TREE_LEVELS_MAX; level++)
        for (u32 i = 0; i < section->count; i++)
            if (levels[i] == level) sorted[count++] = section->entries[i];
    free(section->entries);
    free(levels);
    section->entries = sorted;
    section->room = section->count + 1;
    for (u32 i = 0; i < count; i++) {
        const char *name = sorted[i]->name.text;
        names_put(&section->index, name, (u32)strlen(name), i + 1);
    }
}

/* ---- Words ---- */

const char *desk_section_name(u32 kind)
{
    static const char *const names[TKD_KIND_END] = {
        [TKD_KIND_DESK] = "desk",    [TKD_KIND_SKILL] = "skills", [TKD_KIND_CHANNEL] = "channels",
        [TKD_KIND_TIER] = "tiers",   [TKD_KIND_QUEUE] = "queues", [TKD_KIND_CATEGORY] = "categories",
        [TKD_KIND_AGENT] = "agents", [TKD_KIND_POLICY] = "sla",
    };
    return kind < TKD_KIND_END ? names[kind] : NULL;
}

static const struct {
    const char *name;
    u32 target;
    u32 text;
} lists[LIST_END] = {
    [LIST_SKILLS] = {"skills", TKD_KIND_SKILL, ENTRY_SKILLS},
    [LIST_QUEUES] = {"queues", TKD_KIND_QUEUE, ENTRY_QUEUES},
    [LIST_CATEGORIES] = {"categories", TKD_KIND_CATEGORY, ENTRY_CATEGORIES},
    [LIST_CHANNELS] = {"channels", TKD_KIND_CHANNEL, ENTRY_CHANNELS},
    [LIST_TIERS] = {"tiers", TKD_KIND_TIER, ENTRY_TIERS},
};

u32 desk_list_target(enum desk_list_kind list) { return lists[list].target; }

const char *desk_list_name(enum desk_list_kind list) { return lists[list].name; }

static const struct {
    const char *unit;
    u64 ms;
} units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

const char *desk_duration(u64 duration_ms, char buffer[DESK_DURATION_BYTES])
{
    u32 at = 0;
    buffer[0] = 0;
    for (u32 i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        u64 number = duration_ms / units[i].ms;
        duration_ms %= units[i].ms;
        if (!number) continue;
        at += (u32)snprintf(buffer + at, DESK_DURATION_BYTES - at, "%llu%s", (unsigned long long)number,
                            units[i].unit);
    }
    return at ? buffer : "0s";
}

bool desk_duration_parse(const char *text, u64 *duration_ms)
{
    bool has_unit = strspn(text, "0123456789") < strlen(text);
    return has_unit && duration_parse(text, duration_ms);
}

/* ---- From the server ---- */

/* No name for a retired entry: it has no effect any more. */
static struct desk_name name_of_id(struct desk *desk, const struct catalog *catalog, u32 kind, u32 id)
{
    const struct entry *entry = id ? catalog_by_id(catalog, kind, id) : NULL;
    if (!entry || entry->head.retired) return (struct desk_name){0};
    return (struct desk_name){.text = desk_text(desk, entry->name, strlen(entry->name))};
}

static void list_of_ids(struct desk *desk, const struct catalog *catalog, struct desk_list *list, u32 kind,
                        struct tkd_text ids)
{
    for (u32 at = 0; at + 2 <= ids.bytes; at += 2) {
        u32 id = (u8)ids.data[at] | (u32)(u8)ids.data[at + 1] << 8;
        struct desk_name name = name_of_id(desk, catalog, kind, id);
        if (name.text) desk_list_add(desk, list, name);
    }
}

static int by_order(const void *left, const void *right)
{
    const struct desk_entry *a = *(struct desk_entry *const *)left, *b = *(struct desk_entry *const *)right;
    if (a->head.order != b->head.order) return a->head.order < b->head.order ? -1 : 1;
    return a->head.id < b->head.id ? -1 : a->head.id > b->head.id;
}

struct desk *desk_of_catalog(const struct catalog *catalog)
{
    struct desk *desk = desk_new();
    for (u32 kind = 1; kind < TKD_KIND_END; kind++) {
        const struct catalog_kind *from = &catalog->kinds[kind];
        for (u32 i = 0; i < from->count; i++) {
            const struct entry *entry = &from->entries[i];
            if (entry->head.retired) continue;
            struct desk_name name = {.text = desk_text(desk, entry->name, strlen(entry->name))};
            struct desk_entry *to = desk_add(desk, kind, name);
            to->head = entry->head;
            to->parent = name_of_id(desk, catalog, kind, entry->head.parent);
            for (u32 list = 0; list < LIST_END; list++)
                list_of_ids(desk, catalog, &to->lists[list], lists[list].target,
                            entry->texts[lists[list].text]);
        }
        desk->sections[kind].present = desk->sections[kind].count > 0;
    }
    desk_sort_tree(desk, TKD_KIND_CATEGORY);
    desk_sort_tree(desk, TKD_KIND_QUEUE);
    struct desk_section *policies = &desk->sections[TKD_KIND_POLICY];
    if (policies->count) qsort(policies->entries, policies->count, sizeof(*policies->entries), by_order);
    for (u32 i = 0; i < policies->count; i++) {
        const char *name = policies->entries[i]->name.text;
        names_put(&policies->index, name, (u32)strlen(name), i + 1);
    }
    return desk;
}
