#include "roster.h"

#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "ticketctl.h"

static u32 id_of(const struct roster *roster, u32 kind, const char *name)
{
    const struct entry *entry = roster->catalog ? catalog_by_name(roster->catalog, kind, name) : NULL;
    return entry && !entry->head.retired ? entry->head.id : 0;
}

u32 roster_number(struct roster *roster, u32 kind, const char *name)
{
    if (!name) return 0;
    struct roster_kind *names = &roster->kinds[kind];
    u32 bytes = (u32)strlen(name);
    u32 number = names_get(&names->index, name, bytes);
    if (number) return number;
    number = ++names->count;
    if (!(number & (number - 1))) { /* a power of two: full */
        names->names = reallocate(names->names, 2 * number * sizeof(*names->names));
        names->ids = reallocate(names->ids, 2 * number * sizeof(*names->ids));
    }
    names->names[number] = allocate(bytes + 1);
    memcpy(names->names[number], name, bytes);
    names->ids[number] = id_of(roster, kind, name);
    if (!names->ids[number]) names->unknown++;
    names_put(&names->index, name, bytes, number);
    return number;
}

const char *roster_name(const struct roster *roster, u32 kind, u32 number)
{
    return number ? roster->kinds[kind].names[number] : "";
}

u32 roster_id(const struct roster *roster, u32 kind, u32 number)
{
    return number ? roster->kinds[kind].ids[number] : 0;
}

bool roster_has_unknown(const struct roster *roster)
{
    for (u32 kind = 0; kind < TKD_KIND_END; kind++)
        if (roster->kinds[kind].unknown) return true;
    return false;
}

int roster_read(struct roster *roster, struct tkd_client *client, u32 *status)
{
    catalog_free(roster->catalog);
    roster->catalog = NULL;
    *status = 0;
    int error = catalog_read(client, &roster->catalog, status);
    if (error) return error;
    for (u32 kind = 0; kind < TKD_KIND_END; kind++) {
        struct roster_kind *names = &roster->kinds[kind];
        names->unknown = 0;
        for (u32 number = 1; number <= names->count; number++) {
            names->ids[number] = id_of(roster, kind, names->names[number]);
            if (!names->ids[number]) names->unknown++;
        }
    }
    return 0;
}

/* The unknown names as a desk of their own. */
static struct desk *desk_of_unknown(const struct roster *roster)
{
    struct desk *desk = desk_new();
    for (u32 kind = 0; kind < TKD_KIND_END; kind++) {
        const struct roster_kind *names = &roster->kinds[kind];
        for (u32 number = 1; number <= names->count; number++) {
            if (names->ids[number]) continue;
            const char *name = desk_text(desk, names->names[number], strlen(names->names[number]));
            struct desk_entry *entry = desk_add(desk, kind, (struct desk_name){.text = name});
            if (kind == TKD_KIND_QUEUE) entry->head.strategy = TKD_STRATEGY_LEAST_LOADED;
            if (kind == TKD_KIND_AGENT) entry->head.all_queues = 1;
        }
        desk->sections[kind].present = desk->sections[kind].count > 0;
    }
    return desk;
}

int roster_define(struct roster *roster, struct tkd_client *client, u64 time_ms, bool *conflict)
{
    struct desk *want = desk_of_unknown(roster), *current = desk_of_catalog(roster->catalog);
    struct plan *plan = plan_make(want, current, roster->catalog, true, "--define", stderr);
    u32 version;
    int code = plan ? plan_send(client, "replay --define", plan, want, current, time_ms, &version, conflict)
                    : EXIT_REFUSED;
    for (u32 i = 0; code == EXIT_OK && i < plan->count; i++) {
        struct roster_kind *names = &roster->kinds[plan->changes[i].kind];
        names->ids[names_get(&names->index, plan->changes[i].name, (u32)strlen(plan->changes[i].name))] =
            plan->changes[i].id;
        names->unknown--;
    }
    plan_free(plan);
    desk_free(want);
    desk_free(current);
    return code;
}

void roster_free(struct roster *roster)
{
    catalog_free(roster->catalog);
    for (u32 kind = 0; kind < TKD_KIND_END; kind++) {
        struct roster_kind *names = &roster->kinds[kind];
        for (u32 number = 1; number <= names->count; number++) free(names->names[number]);
        free(names->names);
        free(names->ids);
        names_free(&names->index);
    }
    memset(roster, 0, sizeof(*roster));
}
