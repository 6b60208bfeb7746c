/* A disk that loses a write of the store's pages, puts it in another place of the file, or turns a bit of it,
 * though it says that it is done. The process does not see it as long as its cache keeps the page: until it
 * ends, or the kernel takes the page away.
 *
 * The newest such write is kept, until its places are written again.
 */
#include <stdio.h>

#include "tests/sim/disk.h"
#include "tests/sim/world.h"

#define PAGE       4096u
#define PLACES_MAX 2u

/* What stands on the disk where the cache shows something else. */
struct wrong {
    struct inode *inode; /* NULL: nothing */
    u64 offset;
    u32 bytes;
    u8 *data;
};
static struct wrong wrongs[PLACES_MAX];
static enum fault wrong_kind;

static void wrong_drop(struct wrong *wrong)
{
    world_free(wrong->data);
    *wrong = (struct wrong){0};
}

static void wrong_note(u32 index, struct inode *inode, u64 offset, u32 bytes, const u8 *data)
{
    wrongs[index] = (struct wrong){.inode = inode, .offset = offset, .bytes = bytes, .data = world_alloc(bytes)};
    memcpy(wrongs[index].data, data, bytes);
}

void store_writes_destroy(void)
{
    for (u32 i = 0; i < PLACES_MAX; i++) wrong_drop(&wrongs[i]);
}

void store_writes_gone(const struct inode *inode)
{
    for (u32 i = 0; i < PLACES_MAX; i++) {
        if (wrongs[i].inode == inode) wrong_drop(&wrongs[i]);
    }
}

static void overwritten(const struct inode *inode, u64 offset, u64 bytes)
{
    for (u32 i = 0; i < PLACES_MAX; i++) {
        const struct wrong *wrong = &wrongs[i];
        if (wrong->inode == inode && offset < wrong->offset + wrong->bytes && wrong->offset < offset + bytes)
            wrong_drop(&wrongs[i]);
    }
}

static bool misses(enum fault kind)
{
    return world->plan.faults[kind] && !world->healed && !world->judging && chance(1, world->plan.log_writes);
}

void store_writes_note(struct inode *inode, u64 offset, u32 bytes, const u8 *data, const u8 *before)
{
    overwritten(inode, offset, bytes);
    if (strcmp(disk_path(inode), "/data/store/data.mdb") != 0) return;
    enum fault kind = FAULT_STORE_LOST;
    while (kind <= FAULT_STORE_FLIPPED && !misses(kind)) kind++;
    if (kind > FAULT_STORE_FLIPPED) return;
    store_writes_destroy();
    wrong_kind = kind;
    wrong_note(0, inode, offset, bytes, kind == FAULT_STORE_FLIPPED ? data : before);
    if (kind == FAULT_STORE_FLIPPED) wrongs[0].data[chance_below(bytes)] ^= (u8)(1u << chance_below(8));
    u64 other = chance_below(inode->bytes / PAGE) * PAGE + offset % PAGE;
    if (kind == FAULT_STORE_MISDIRECTED && other != offset && other + bytes <= inode->bytes)
        wrong_note(1, inode, other, bytes, data);
}

void store_writes_appear(void)
{
    if (world->healed || disk_damaged()) return;
    u32 count = 0;
    for (u32 i = 0; i < PLACES_MAX; i++) {
        struct wrong *wrong = &wrongs[i];
        if (wrong->inode != NULL && wrong->offset + wrong->bytes > wrong->inode->bytes) wrong_drop(wrong);
        if (wrong->inode != NULL) damage_note(count++, wrong->inode, wrong->offset, wrong->bytes);
    }
    for (u32 i = 0; i < PLACES_MAX; i++) {
        const struct wrong *wrong = &wrongs[i];
        if (wrong->inode != NULL) memcpy(wrong->inode->cache + wrong->offset, wrong->data, wrong->bytes);
    }
    if (count > 0) damage_done(wrong_kind, true);
    store_writes_destroy();
}
