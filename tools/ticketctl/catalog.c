#include "catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ticketctl.h"

#define READS_MAX   8u
#define NEAREST_MAX 3u

static void kind_free(struct catalog_kind *kind)
{
    for (u32 i = 0; i < kind->count; i++) {
        free(kind->entries[i].name);
        free(kind->entries[i].row);
    }
    free(kind->entries);
    *kind = (struct catalog_kind){0};
}

void catalog_free(struct catalog *catalog)
{
    if (!catalog) return;
    for (u32 i = 0; i < TKD_KIND_END; i++) kind_free(&catalog->kinds[i]);
    free(catalog);
}

static void entry_add(struct catalog_kind *kind, const struct tkd_prefix *row)
{
    if ((kind->count & (kind->count - 1)) == 0) {
        u32 room = kind->count ? kind->count * 2 : 1;
        kind->entries = reallocate(kind->entries, room * sizeof(struct entry));
    }
    struct entry *entry = &kind->entries[kind->count++];
    memset(entry, 0, sizeof(*entry));
    entry->row = allocate(row->size);
    memcpy(entry->row, row, row->size);
    tkd_read(TKD_RECORD_catalog_entry, entry->row, &entry->head);
    for (u32 i = 0; i < ENTRY_TEXTS; i++)
        entry->texts[i] = tkd_row_text(TKD_RECORD_catalog_entry, entry->row, i);
    entry->name = strndup(entry->texts[ENTRY_NAME].data, entry->texts[ENTRY_NAME].bytes);
}

/* All pages of one kind. `*version`: the catalog's, of the last page that had an entry; 0 = none had. */
static int kind_read(struct tkd_client *client, u16 kind, struct catalog_kind *into, u32 *version,
                     u32 *status)
{
    u64 from = 0;
    do {
        struct tkd_catalog_read request = {.kind = kind, .from = (u32)from};
        struct tkd_answer answer;
        int error =
            tkd_call(client, TKD_OP_CATALOG_READ, 0, TKD_RECORD_catalog_read, &request, NULL, &answer);
        if (error) {
            *status = answer.status;
            return error;
        }
        const struct tkd_prefix *row = NULL;
        bool first = true;
        while ((row = tkd_next_row(&answer, row))) {
            entry_add(into, row);
            const struct entry *entry = &into->entries[into->count - 1];
            if (first) *version = entry->head.expected_version;
            first = false;
        }
        /* A server that does not get on would keep us here for ever. */
        if (answer.cursor != 0 && answer.cursor <= from) return TKD_E_PROTOCOL;
        from = answer.cursor;
    } while (from != 0);
    return 0;
}

/* One pass over all kinds; `*same`: every page was of one version. */
static int catalog_pass(struct tkd_client *client, struct catalog *catalog, bool *same, u32 *status)
{
    *same = true;
    catalog->version = 0;
    for (u16 kind = 1; kind < TKD_KIND_END; kind++) {
        u32 version = 0;
        kind_free(&catalog->kinds[kind]);
        int error = kind_read(client, kind, &catalog->kinds[kind], &version, status);
        if (error) return error;
        if (version == 0) continue;
        if (catalog->version != 0 && version != catalog->version) *same = false;
        catalog->version = version;
    }
    return 0;
}

int catalog_read(struct tkd_client *client, struct catalog **out, u32 *status)
{
    struct catalog *catalog = allocate(sizeof(*catalog));
    bool same = false;
    int error = 0;
    *out = NULL;
    *status = TKD_BUSY;
    /* Somebody may apply a catalog between two of our pages. */
    for (u32 i = 0; i < READS_MAX && !same && !error; i++)
        error = catalog_pass(client, catalog, &same, status);
    if (!error && !same) error = TKD_E_REFUSED;
    if (error) {
        catalog_free(catalog);
        return error;
    }
    *out = catalog;
    return 0;
}

const struct entry *catalog_by_id(const struct catalog *catalog, u32 kind, u32 id)
{
    const struct catalog_kind *entries = &catalog->kinds[kind];
    u32 low = 0, high = entries->count;
    while (low < high) {
        u32 middle = low + (high - low) / 2;
        if (entries->entries[middle].head.id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < entries->count && entries->entries[low].head.id == id ? &entries->entries[low] : NULL;
}

const struct entry *catalog_by_name(const struct catalog *catalog, u32 kind, const char *name)
{
    const struct catalog_kind *entries = &catalog->kinds[kind];
    const struct entry *retired = NULL;
    for (u32 i = 0; i < entries->count; i++) {
        if (strcmp(entries->entries[i].name, name) != 0) continue;
        if (!entries->entries[i].head.retired) return &entries->entries[i];
        retired = &entries->entries[i];
    }
    return retired;
}

const char *catalog_name(struct catalog *catalog, u32 kind, u32 id)
{
    if (id == 0) return "";
    const struct entry *entry = catalog_by_id(catalog, kind, id);
    if (entry) return entry->name;
    char *unnamed = catalog->unnamed[catalog->unnamed_at++ % 8];
    snprintf(unnamed, sizeof(catalog->unnamed[0]), "#%u", id);
    return unnamed;
}

struct near {
    const char *name;
    u32 distance;
};

static void near_add(struct near nearest[NEAREST_MAX], const char *name, u32 distance)
{
    for (u32 i = 0; i < NEAREST_MAX; i++) {
        if (nearest[i].name && nearest[i].distance <= distance) continue;
        memmove(&nearest[i + 1], &nearest[i], (NEAREST_MAX - 1 - i) * sizeof(*nearest));
        nearest[i] = (struct near){name, distance};
        return;
    }
}

static void explain_unknown(const struct catalog *catalog, u32 kind, const char *name)
{
    struct near nearest[NEAREST_MAX + 1] = {0};
    const struct catalog_kind *entries = &catalog->kinds[kind];
    u32 edits_max = (u32)strlen(name) / 2 + 1;
    for (u32 i = 0; i < entries->count; i++) {
        const struct entry *entry = &entries->entries[i];
        if (entry->head.retired) continue;
        bool contains =
            strstr(entry->name, name) != NULL || (*entry->name && strstr(name, entry->name) != NULL);
        u32 distance = contains ? 0 : edit_distance(name, entry->name);
        if (distance <= edits_max) near_add(nearest, entry->name, distance);
    }
    const char *what = tkd_name(TKD_ENUM_KIND, kind);
    if (!nearest[0].name) {
        complain("no %s is named '%s' ('ticketctl export' prints the catalog)", what, name);
        return;
    }
    complain("no %s is named '%s'; near are: '%s'%s%s%s%s%s%s", what, name, nearest[0].name,
             nearest[1].name ? ", '" : "", nearest[1].name ? nearest[1].name : "", nearest[1].name ? "'" : "",
             nearest[2].name ? ", '" : "", nearest[2].name ? nearest[2].name : "",
             nearest[2].name ? "'" : "");
}

u32 catalog_id(const struct catalog *catalog, u32 kind, const char *name)
{
    const struct entry *entry = catalog_by_name(catalog, kind, name);
    u64 id;
    if (!entry && name[0] == '#' && number_parse(name + 1, UINT32_MAX, &id)) {
        entry = catalog_by_id(catalog, kind, (u32)id);
    }
    if (entry) return entry->head.id;
    explain_unknown(catalog, kind, name);
    return 0;
}
