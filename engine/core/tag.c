/* Tags: names interned once, and a list of links a ticket. */
#include "core/desk.h"

#include "base/mark.h"
static u64 tag_hash(const struct state *state, const char *name, u32 bytes)
{
    return hash64(name, bytes, state->config.secret);
}

u32 tag_find(const struct state *state, const char *name, u32 bytes)
{
    u64 hash = tag_hash(state, name, bytes);
    u32 row;
    for (u64 at = index_seek(&state->tags, hash); (row = index_candidate(&state->tags, hash, &at));) {
        const struct tag *tag = tag_row(state, row);
        if (memcmp(tag->name, name, bytes) == 0 && (bytes == TAG_BYTES_MAX || tag->name[bytes] == 0)) return row;
    }
    return 0;
}

static u32 tag_intern(struct state *state, const char *name, u32 bytes)
{
    u32 row = tag_find(state, name, bytes);
    if (row != 0 || table_free(&state->tables[TABLE_TAG]) == 0) return row;
    row = table_take(&state->tables[TABLE_TAG]);
    struct tag *tag = tag_edit(state, row);
    tag->id = row;
    memcpy(tag->name, name, bytes);
    index_insert(&state->tags, tag_hash(state, name, bytes), row);
    return row;
}

void tags_loaded(struct state *state)
{
    for (u32 row = 1; row <= state->tables[TABLE_TAG].row_last; row++) {
        const char *name = tag_row(state, row)->name;
        u32 bytes = 0;
        while (bytes < TAG_BYTES_MAX && name[bytes] != 0) bytes++;
        if (bytes != 0) index_insert(&state->tags, tag_hash(state, name, bytes), row);
    }
}

bool tag_on(const struct state *state, const struct ticket *ticket, u32 tag)
{
    for (u32 at = ticket->labels; at != 0; at = label_row(state, at)->next)
        if (label_row(state, at)->tag == tag) return true;
    return false;
}

enum tkd_status tag_add(struct state *state, u32 row, const char *name, u32 bytes)
{
    u32 count = 0;
    struct ticket *ticket = ticket_edit(state, row);
    for (u32 at = ticket->labels; at != 0; at = label_row(state, at)->next) count++;
    for (u32 i = 0; i < bytes; i++)
        if ((u8)name[i] < ' ') return TKD_BAD_VALUE;
    u32 tag = tag_find(state, name, bytes);
    if (tag != 0 && tag_on(state, ticket, tag)) return TKD_UNCHANGED;
    MARK_IF(count >= TICKET_TAGS_MAX, "too many tags");
    if (count >= TICKET_TAGS_MAX) return TKD_TOO_MANY_TAGS;
    tag = tag_intern(state, name, bytes);
    MARK_IF(tag == 0, "no more tags");
    if (tag == 0) return TKD_CATALOG_FULL;
    u32 at = table_take(&state->tables[TABLE_LABEL]);
    *label_edit(state, at) = (struct label){.ticket = row, .tag = tag, .next = ticket->labels};
    ticket->labels = at;
    columns_tag(state, row);
    return TKD_OK;
}

bool tag_remove(struct state *state, u32 row, const char *name, u32 bytes)
{
    u32 tag = bytes <= TAG_BYTES_MAX ? tag_find(state, name, bytes) : 0;
    u32 before = 0, at = ticket_row(state, row)->labels;
    while (at != 0 && (tag == 0 || label_row(state, at)->tag != tag)) {
        before = at;
        at = label_row(state, at)->next;
    }
    if (at == 0) return false;
    u32 next = label_row(state, at)->next;
    if (before == 0) ticket_edit(state, row)->labels = next;
    else label_edit(state, before)->next = next;
    table_give(&state->tables[TABLE_LABEL], at);
    columns_tag(state, row);
    return true;
}

void tags_remove(struct state *state, u32 row)
{
    u32 at = ticket_row(state, row)->labels;
    ticket_edit(state, row)->labels = 0;
    while (at != 0) {
        u32 next = label_row(state, at)->next;
        table_give(&state->tables[TABLE_LABEL], at);
        at = next;
    }
}
