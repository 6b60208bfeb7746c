#include "names.h"

#include <stdlib.h>
#include <string.h>

#include "ticketctl.h"

#define BLOCK_BYTES 65536u

/* FNV-1a: names are short, and come from the person's own file. */
static u32 name_hash(const char *name, u32 bytes)
{
    u64 hash = 0xcbf29ce484222325u;
    for (u32 i = 0; i < bytes; i++) hash = (hash ^ (u8)name[i]) * 0x100000001b3u;
    return (u32)(hash ^ (hash >> 32));
}

static struct names_slot *find_slot(const struct names *names, const char *name, u32 bytes)
{
    u32 at = name_hash(name, bytes) & (names->slots_count - 1);
    for (;;) {
        struct names_slot *slot = &names->slots[at];
        if (!slot->value) return slot;
        if (slot->bytes == bytes && !memcmp(slot->name, name, bytes)) return slot;
        at = (at + 1) & (names->slots_count - 1);
    }
}

u32 names_get(const struct names *names, const char *name, u32 bytes)
{
    return names->slots_count ? find_slot(names, name, bytes)->value : 0;
}

static void grow(struct names *names)
{
    struct names old = *names;
    names->slots_count = old.slots_count ? old.slots_count * 2 : 64;
    names->slots = allocate(names->slots_count * sizeof(*names->slots));
    for (u32 i = 0; i < old.slots_count; i++) {
        const struct names_slot *slot = &old.slots[i];
        if (slot->value) *find_slot(names, slot->name, slot->bytes) = *slot;
    }
    free(old.slots);
}

static const char *keep_text(struct names *names, const char *name, u32 bytes)
{
    if (!names->block || names->block_bytes - names->block_used < bytes) {
        u32 room = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
        char *block = allocate(sizeof(char *) + room);
        memcpy(block, &names->block, sizeof(char *));
        names->block = block;
        names->block_bytes = room;
        names->block_used = 0;
    }
    char *text = names->block + sizeof(char *) + names->block_used;
    memcpy(text, name, bytes);
    names->block_used += bytes;
    return text;
}

void names_put(struct names *names, const char *name, u32 bytes, u32 value)
{
    if (names->used * 4 >= names->slots_count * 3) grow(names);
    struct names_slot *slot = find_slot(names, name, bytes);
    if (!slot->value) {
        slot->name = keep_text(names, name, bytes);
        slot->bytes = bytes;
        names->used++;
    }
    slot->value = value;
}

void names_free(struct names *names)
{
    while (names->block) {
        char *before;
        memcpy(&before, names->block, sizeof(before));
        free(names->block);
        names->block = before;
    }
    free(names->slots);
    memset(names, 0, sizeof(*names));
}
