/* Damage: at rest (a sector of the log, a page of the store), and by a disk that says of a write to the log
 * that it is done when it was lost, went to another place of the file, or arrived with a wrong bit.
 *
 * One damage is there at a time, and what should stand in its places is known. Damage of the log that did no
 * harm stays, and may be found later. Nothing can tell that the newest write was ever there; so when such a
 * write was the last one of its process, it is put right unseen.
 */
#include <stdio.h>
#include <stdlib.h>

#include "durable/batch.h"
#include "tests/sim/disk.h"
#include "tests/sim/world.h"

#define BLOCK      BLOCK_BYTES
#define PLACES_NEW 2u  /* of the damage that is there: where it should be, and where it is */
#define PLACES_MAX 34u /* and of older ones */

struct place {
    struct inode *inode; /* NULL: it is gone */
    u64 offset;
    u32 bytes;
    u8 *right; /* kept up to date */
};

struct written {
    struct inode *inode;
    u64 offset;
    u64 bytes;
    bool on_disk; /* or only with the kernel, when the process ended: power may still take it */
};

struct damage {
    bool there;
    bool provable; /* something behind it shows that it was there */
    bool known;    /* the process knows of it and runs on */
    bool old;      /* what stands in its places is sound, but old, or another place's */
    struct place places[PLACES_MAX];
    u32 older; /* the next one that makes room */
    u8 *store; /* all of its file as it was before: a start may write over what is damaged */
    u64 store_bytes;
    /* The newest durable write to the log: nothing behind it can tell whether it had been there. Behind it
     * the one before that is on the disk. */
    struct written written[2];
    u64 written_ns;
};
static struct damage damage;

static void place_free(struct place *place)
{
    world_free(place->right);
    *place = (struct place){0};
}

/* There is none any more, but older ones. */
static void damage_end(void)
{
    for (u32 i = 0; i < PLACES_NEW; i++) place_free(&damage.places[i]);
    world_free(damage.store);
    damage.store = NULL;
    damage.there = damage.known = false;
}

void damage_create(void) { damage = (struct damage){.older = PLACES_NEW}; }

void damage_destroy(void)
{
    damage_end();
    for (u32 i = PLACES_NEW; i < PLACES_MAX; i++) place_free(&damage.places[i]);
}

void damage_gone(const struct inode *inode)
{
    for (u32 i = 0; i < 2; i++) {
        if (damage.written[i].inode == inode) damage.written[i].inode = NULL;
    }
    for (u32 i = 0; i < PLACES_MAX; i++) {
        if (damage.places[i].inode == inode) damage.places[i].inode = NULL;
    }
}

void damage_overwritten(const struct inode *inode, u64 offset, u64 bytes, const u8 *data)
{
    for (u32 i = 0; i < PLACES_MAX; i++) {
        const struct place *place = &damage.places[i];
        u64 begin = max_u64(offset, place->offset);
        u64 end = min_u64(offset + bytes, place->offset + place->bytes);
        if (place->inode != inode || begin >= end) continue;
        memcpy(place->right + (begin - place->offset), data + (begin - offset), end - begin);
    }
}

void damage_log_written(struct inode *inode, u64 offset, u64 bytes, bool on_disk)
{
    if (inode->memory_fd != 0) return;
    if (damage.written[0].on_disk) damage.written[1] = damage.written[0];
    damage.written[0] = (struct written){.inode = inode, .offset = offset, .bytes = bytes, .on_disk = on_disk};
    damage.written_ns = world->now_ns;
    if (on_disk) damage.provable = true;
}

/* As it should stand there. */
static void bytes_right(const struct inode *inode, u64 offset, u64 bytes, u8 *to)
{
    memcpy(to, inode->cache + offset, bytes);
    for (u32 i = 0; i < PLACES_MAX; i++) {
        const struct place *place = &damage.places[i];
        u64 begin = max_u64(offset, place->offset),
            end = min_u64(offset + bytes, place->offset + place->bytes);
        if (place->inode == inode && begin < end)
            memcpy(to + (begin - offset), place->right + (begin - place->offset), end - begin);
    }
}

/* ---- Doing it: what stands in the places now is right, but for older damage ---- */

void damage_note(u32 index, struct inode *inode, u64 offset, u32 bytes)
{
    struct place *place = &damage.places[index];
    if (index == 0) damage_end();
    u8 *right = world_alloc(bytes);
    bytes_right(inode, offset, bytes, right);
    *place = (struct place){.inode = inode, .offset = offset, .bytes = bytes, .right = right};
    if (index > 0 || inode->memory_fd == 0) return;
    damage.store_bytes = inode->bytes;
    damage.store = world_alloc(inode->bytes);
    memcpy(damage.store, inode->cache, inode->bytes);
}

/* ... and now it does no more, or it is as it was. */
void damage_done(enum fault kind, bool provable)
{
    damage.there = false;
    damage.provable = provable;
    damage.old = kind == FAULT_STORE_LOST || kind == FAULT_STORE_MISDIRECTED;
    for (u32 i = 0; i < PLACES_NEW; i++) {
        const struct place *place = &damage.places[i];
        if (place->inode == NULL) continue;
        const u8 *now = place->inode->cache + place->offset;
        memcpy(place->inode->durable + place->offset, now, place->bytes);
        damage.there = damage.there || memcmp(place->right, now, place->bytes) != 0;
    }
    if (!damage.there) return;
    fault_count(kind);
    say("%s: %s at %llu", fault_names[kind], disk_path(damage.places[0].inode),
        (unsigned long long)damage.places[0].offset);
}

/* ---- At rest ---- */

/* Of the store: any page, used or not. */
static void page_damage(struct inode *inode)
{
    u64 pages = inode->bytes / BLOCK, page = chance_below(pages), from = chance_below(pages);
    if (chance(1, 4)) page = chance_below(min_u64(pages, 4));
    u8 *at = inode->cache + page * BLOCK;
    damage_note(0, inode, page * BLOCK, BLOCK);
    switch (chance_below(5)) {
    case 0:
        at[chance_below(BLOCK)] ^= (u8)(1u << chance_below(8));
        break;
    case 1:
        at[chance_below(64)] ^= (u8)(1u << chance_below(8)); /* its head, and what follows */
        break;
    case 2:
        memmove(at, inode->cache + from * BLOCK, BLOCK); /* misdirected */
        break;
    case 3:
        memset(at, 0, BLOCK);
        break;
    default:
        for (u32 i = 0; i < BLOCK; i++) at[i] = (u8)chance_below(256);
    }
    damage_done(FAULT_PAGE_DAMAGE, true);
}

static bool in_write(const struct inode *inode, u64 offset, const struct written *written)
{
    return inode == written->inode && offset + BLOCK > written->offset && offset < written->offset + written->bytes;
}

/* The last write can be taken for torn; so can the one before when power takes the last one. */
static bool suits(const struct inode *inode, u64 offset)
{
    return !in_write(inode, offset, &damage.written[0]) &&
           (damage.written[0].on_disk || !in_write(inode, offset, &damage.written[1]));
}

static void sector_damage(struct inode *inode, u64 offset)
{
    damage_note(0, inode, offset, SECTOR);
    u8 *at = inode->cache + offset;
    u64 from = chance_below(inode->bytes / SECTOR) * SECTOR;
    switch (chance_below(3)) {
    case 0:
        at[chance_below(SECTOR)] ^= (u8)(1u << chance_below(8));
        break;
    case 1:
        memmove(at, inode->cache + from, SECTOR); /* misdirected */
        break;
    default:
        memset(at, 0, SECTOR);
    }
    damage_done(FAULT_DAMAGE, true);
}

void disk_damage(void)
{
    struct inode *inode = disk_file_some();
    if (inode == NULL || inode->directory || inode->bytes < BLOCK) return;
    const char *path = disk_path(inode);
    if (strstr(path, "/backups/") != NULL) return;
    if (inode->memory_fd != 0 && world->plan.faults[FAULT_PAGE_DAMAGE]) page_damage(inode);
    if (strstr(path, ".log") == NULL || !world->plan.faults[FAULT_DAMAGE]) return;
    u64 offset = chance_below(inode->bytes / SECTOR) * SECTOR;
    if (chance(1, 2)) offset = chance_below(min_u64(inode->bytes / SECTOR, 16)) * SECTOR;
    if (suits(inode, offset)) sector_damage(inode, offset);
}

u64 disk_log_written_ns(void) { return damage.written_ns; }

void disk_damage_tail(bool newest)
{
    const struct written *written = &damage.written[newest ? 0 : 1];
    if (written->inode != NULL) sector_damage(written->inode, written->offset);
}

/* ---- By a write ---- */

static bool misses(enum fault kind)
{
    return world->plan.faults[kind] && !world->healed && !world->judging && chance(1, world->plan.log_writes);
}

void damage_write(struct inode *inode, u64 offset, u32 bytes, const u8 *data, const u8 *before)
{
    if (damage.there || inode->memory_fd != 0) return;
    enum fault kind = FAULT_LOST_WRITE;
    while (kind <= FAULT_FLIPPED_WRITE && !misses(kind)) kind++;
    if (kind > FAULT_FLIPPED_WRITE) return;
    damage_note(0, inode, offset, bytes);
    if (kind == FAULT_FLIPPED_WRITE) {
        inode->cache[offset + chance_below(bytes)] ^= (u8)(1u << chance_below(8));
    } else {
        u64 other = chance_below((inode->bytes - bytes) / BLOCK + 1) * BLOCK;
        if (kind == FAULT_MISDIRECTED_WRITE) damage_note(1, inode, other, bytes);
        memcpy(inode->cache + offset, before, bytes);
        if (kind == FAULT_MISDIRECTED_WRITE) memcpy(inode->cache + other, data, bytes);
    }
    damage_done(kind, false);
}

/* ---- What becomes of it ---- */

bool disk_damaged(void) { return damage.there; }

bool disk_damaged_store(void)
{
    return damage.there && damage.places[0].inode != NULL && damage.places[0].inode->memory_fd != 0;
}

/* Pages in the middle of a long value have no number of their own: it is named by its first one. A sound page
 * out of place shows where something contradicts it. */
static bool page_named(const struct place *place, const char *error)
{
    const char *at = strstr(error, " page "), *above = strstr(error, " (reached over pages ");
    if (place->inode == NULL) return false;
    if (place->offset < 2 * BLOCK) return strstr(error, "store") != NULL; /* a meta page leads to all others */
    if (at == NULL) return false;
    char *end;
    u64 named = strtoull(at + strlen(" page "), NULL, 10), first = place->offset / BLOCK, number;
    memcpy(&number, place->right, sizeof number);
    if (damage.old || (number != first && named < first)) return true;
    if (named >= first && named * BLOCK < place->offset + place->bytes) return true;
    if (above == NULL) return false;
    for (at = above + strlen(" (reached over pages "); strtoull(at, &end, 10) != first; at = end + 2)
        if (*end != ',') return false;
    return true;
}

/* By its segment, and the offset of the batch whose block it is in. */
static bool batch_named(const struct place *place, const char *error)
{
    const char *name = strrchr(disk_path(place->inode), '/'),
               *proof = strstr(error, ", but it had been durable");
    if (name++ == NULL) return false; /* it has been removed */
    for (const char *at = error; (at = strstr(at, name)) != NULL && (proof == NULL || at < proof); at++) {
        _Alignas(8) u8 block[BLOCK];
        unsigned long long offset;
        if (sscanf(at + strlen(name), " at offset %llu", &offset) != 1) continue;
        if (offset % BLOCK != 0 || offset + BLOCK > place->inode->bytes) continue;
        bytes_right(place->inode, offset, BLOCK, block);
        const struct batch *batch = (const struct batch *)(const void *)block;
        u64 end =
            offset + max_u64(BLOCK, batch->magic == BATCH_MAGIC ? batch_bytes_on_disk(batch->bytes) : 0);
        if (offset < place->offset + place->bytes && place->offset < end) return true;
    }
    return false;
}

/* What only a sum, or one page against another, tells of has no place of its own: any of those that were added up, or
 * either of the two, may be the damaged one. A row is named by its chunk. */
static bool store_told(const char *error)
{
    static const char *const texts[] = {"the store is damaged: chunk ",
                                        "the store is damaged: its rows ",
                                        "the newest events in page ",
                                        "has no place in memory; ",
                                        "there are pages that are neither used nor free",
                                        "it leads to a page that is used elsewhere, or free",
                                        "the counts of a tree are wrong"};
    for (u32 i = 0; i < ARRAY_COUNT(texts); i++)
        if (strstr(error, texts[i]) != NULL) return true;
    return damage.old && strstr(error, "store") != NULL; /* what an old page contradicts */
}

bool disk_damage_named(const char *error)
{
    if (disk_damaged_store() && (store_told(error) || page_named(&damage.places[0], error) ||
                                 page_named(&damage.places[1], error)))
        return true;
    for (u32 i = 0; i < PLACES_MAX; i++)
        if (damage.places[i].inode != NULL && batch_named(&damage.places[i], error)) return true;
    return false;
}

static void place_undo(struct place *place)
{
    if (place->inode != NULL) {
        memcpy(place->inode->cache + place->offset, place->right, place->bytes);
        memcpy(place->inode->durable + place->offset, place->right, place->bytes);
    }
    place_free(place);
}

void disk_damage_known(void) { damage.known = true; }

void disk_damage_forget(void)
{
    if (damage.known) return;
    bool stays = damage.there && !disk_damaged_store();
    if (damage.there) world->tally->damage_harmless++;
    for (u32 i = 0; i < PLACES_NEW && stays; i++) {
        place_undo(&damage.places[damage.older]);
        damage.places[damage.older] = damage.places[i];
        damage.places[i] = (struct place){0};
        damage.older = PLACES_NEW + (damage.older + 1 - PLACES_NEW) % (PLACES_MAX - PLACES_NEW);
    }
    damage_end();
}

static void store_put_back(struct inode *inode)
{
    store_writes_gone(inode); /* what was written to it since is not there any more */
    memset(inode->cache, 0, inode->bytes);
    memcpy(inode->cache, damage.store, damage.store_bytes);
    memcpy(inode->durable, inode->cache, max_u64(inode->bytes, damage.store_bytes));
    memset(inode->dirty, 0, inode->bytes_max / SECTOR);
    inode->bytes = inode->bytes_durable = damage.store_bytes;
}

void disk_damage_undo(void)
{
    struct inode *inode = damage.places[0].inode;
    bool whole = damage.store != NULL && inode != NULL && !damage.known;
    if (whole) store_put_back(inode);
    for (u32 i = 0; i < PLACES_MAX; i++) {
        /* Running on it has gone on from the older meta page. */
        bool meta = damage.known && damage.places[i].offset < 2 * BLOCK;
        if (i >= PLACES_NEW || !(whole || meta)) place_undo(&damage.places[i]);
    }
    damage_end();
}

void disk_damage_settle(void)
{
    if (damage.known) disk_damage_undo();
    if (!damage.there || damage.provable) return;
    say("the write was the last one: put right");
    world->tally->damage_unprovable++;
    disk_damage_undo();
}
