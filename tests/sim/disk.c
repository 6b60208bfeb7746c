/* file.h on a simulated disk.
 *
 * A file has two contents: what a reader sees (page cache) and what is durable; the sectors in which they may
 * differ are known. A sync makes those equal that differed when it began, and no others. A loss of power
 * keeps of every other sector either one, and of a write that was under way any of its sectors. Names are a
 * journal: a sync of their directory makes what was done in it durable; a loss of power keeps the journal up
 * to some point.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hash.h"
#include "port/ahead.h"
#include "port/file.h"
#include "tests/sim/disk.h"
#include "tests/sim/injected.h"
#include "tests/sim/world.h"

#define INODES_MAX   512u
#define NAMES_MAX    512u
#define JOURNAL_MAX  512u
#define FDS_MAX      256u
#define FD_FIRST     10000            /* all below are others' */
#define MAPPED_BYTES ((u64)512 << 20) /* of a file that is mapped, at most */

struct name {
    char path[PATH_BYTES];
    u32 inode;
};

struct names {
    struct name items[NAMES_MAX];
    u32 count;
};

enum journal_kind { JOURNAL_CREATE = 1, JOURNAL_REMOVE, JOURNAL_RENAME };

struct journal {
    enum journal_kind kind;
    char path[PATH_BYTES];
    char to[PATH_BYTES];
    u32 inode;
};

struct disk_write {
    struct disk_write *next;
    u32 inode;
    u64 offset;
    u32 bytes;
    bool durable;
    const void *buffer;
    u8 *data;
};

struct disk {
    struct inode inodes[INODES_MAX];
    struct names names;
    struct names durable;
    struct journal journal[JOURNAL_MAX];
    u32 journal_count;
    u32 fds[FDS_MAX]; /* inode + 1; 0: free */
    bool locked;
    struct disk_write *writes;
};
static struct disk *disk;

void disk_create(void)
{
    disk = world_alloc(sizeof *disk);
    damage_create();
}

static void inode_free(struct inode *inode)
{
    damage_gone(inode);
    store_writes_gone(inode);
    if (inode->memory_fd != 0) {
        munmap(inode->cache, MAPPED_BYTES);
        close(inode->memory_fd);
    } else {
        world_free(inode->cache);
    }
    world_free(inode->durable);
    world_free(inode->dirty);
    world_free(inode->covered);
    *inode = (struct inode){0};
}

static void writes_drop(void)
{
    while (disk->writes != NULL) {
        struct disk_write *write = disk->writes;
        disk->writes = write->next;
        world_free(write->data);
        world_free(write);
    }
}

void disk_destroy(void)
{
    writes_drop();
    for (u32 i = 0; i < INODES_MAX; i++) inode_free(&disk->inodes[i]);
    world_free(disk);
    disk = NULL;
    damage_destroy();
    store_writes_destroy();
}

/* ---- Names ---- */

static struct name *name_find(struct names *names, const char *path)
{
    for (u32 i = 0; i < names->count; i++) {
        if (strcmp(names->items[i].path, path) == 0) return &names->items[i];
    }
    return NULL;
}

static void name_remove(struct names *names, const char *path)
{
    struct name *name = name_find(names, path);
    if (name == NULL) return;
    *name = names->items[--names->count];
}

static void name_put(struct names *names, const char *path, u32 inode)
{
    ASSERT(strlen(path) < PATH_BYTES && names->count < NAMES_MAX);
    name_remove(names, path);
    struct name *name = &names->items[names->count++];
    snprintf(name->path, PATH_BYTES, "%s", path);
    name->inode = inode;
}

/* What lies in a directory goes with it; one rename, so all of it is durable at once. */
static void names_below_move(struct names *names, const char *from, const char *to)
{
    u64 bytes = strlen(from);
    for (u32 i = 0; i < names->count; i++) {
        char *path = names->items[i].path, moved[2 * PATH_BYTES];
        if (strncmp(path, from, bytes) != 0 || path[bytes] != '/') continue;
        snprintf(moved, sizeof moved, "%s%s", to, path + bytes);
        ASSERT(strlen(moved) < PATH_BYTES);
        memcpy(path, moved, strlen(moved) + 1);
    }
}

static void journal_apply(struct names *names, const struct journal *entry)
{
    if (entry->kind == JOURNAL_CREATE) name_put(names, entry->path, entry->inode);
    if (entry->kind == JOURNAL_REMOVE) name_remove(names, entry->path);
    if (entry->kind == JOURNAL_RENAME) {
        name_remove(names, entry->path);
        name_put(names, entry->to, entry->inode);
        names_below_move(names, entry->path, entry->to);
    }
}

static void journal_add(enum journal_kind kind, const char *path, const char *to, u32 inode)
{
    if (disk->journal_count == JOURNAL_MAX) { /* the kernel writes it back some day */
        for (u32 i = 0; i < JOURNAL_MAX; i++) journal_apply(&disk->durable, &disk->journal[i]);
        disk->journal_count = 0;
    }
    struct journal *entry = &disk->journal[disk->journal_count++];
    *entry = (struct journal){.kind = kind, .inode = inode};
    snprintf(entry->path, PATH_BYTES, "%s", path);
    snprintf(entry->to, PATH_BYTES, "%s", to);
    journal_apply(&disk->names, entry);
}

static bool inside(const char *path, const char *directory)
{
    u64 bytes = strlen(directory);
    return strncmp(path, directory, bytes) == 0 && path[bytes] == '/' &&
           strchr(path + bytes + 1, '/') == NULL;
}

static void directory_sync(const char *path)
{
    u32 kept = 0;
    for (u32 i = 0; i < disk->journal_count; i++) {
        if (inside(disk->journal[i].path, path))
            journal_apply(&disk->durable, &disk->journal[i]);
        else
            disk->journal[kept++] = disk->journal[i];
    }
    disk->journal_count = kept;
}

struct inode *disk_file_some(void)
{
    if (disk->names.count == 0) return NULL;
    return &disk->inodes[disk->names.items[chance_below(disk->names.count)].inode];
}

static const char *path_of(u32 inode)
{
    for (u32 i = 0; i < disk->names.count; i++) {
        if (disk->names.items[i].inode == inode) return disk->names.items[i].path;
    }
    return "?";
}

const char *disk_path(const struct inode *inode) { return path_of((u32)(inode - disk->inodes)); }

static bool inode_wanted(u32 inode)
{
    for (u32 i = 0; i < disk->names.count; i++) {
        if (disk->names.items[i].inode == inode) return true;
    }
    for (u32 i = 0; i < disk->durable.count; i++) {
        if (disk->durable.items[i].inode == inode) return true;
    }
    for (u32 i = 0; i < disk->journal_count; i++) {
        if (disk->journal[i].inode == inode) return true;
    }
    for (u32 i = 0; i < FDS_MAX; i++) {
        if (disk->fds[i] == inode + 1) return true;
    }
    return false;
}

static void garbage_collect(void)
{
    for (u32 i = 0; i < INODES_MAX; i++) {
        if (disk->inodes[i].used && !inode_wanted(i)) inode_free(&disk->inodes[i]);
    }
}

static u32 inode_make(bool directory)
{
    garbage_collect();
    u32 number = 0;
    while (number < INODES_MAX && disk->inodes[number].used) number++;
    ASSERT(number < INODES_MAX);
    disk->inodes[number] = (struct inode){.used = true, .directory = directory};
    return number;
}

/* Its cache can be mapped by others. */
static void inode_map(struct inode *inode)
{
    inode->memory_fd = memfd_create("ticketsim", MFD_CLOEXEC);
    ASSERT(inode->memory_fd > 0 && ftruncate(inode->memory_fd, (off_t)MAPPED_BYTES) == 0);
    inode->cache = mmap(NULL, MAPPED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, inode->memory_fd, 0);
    ASSERT(inode->cache != MAP_FAILED);
}

static void inode_resize(struct inode *inode, u64 bytes)
{
    if (bytes > inode->bytes_max) {
        u64 sectors = inode->bytes_max / SECTOR, sectors_now = round_up(bytes, 4096) / SECTOR;
        if (inode->memory_fd != 0) sectors_now = round_up(bytes + bytes / 2, 4096) / SECTOR;
        ASSERT(inode->memory_fd == 0 || sectors_now * SECTOR <= MAPPED_BYTES);
        if (inode->memory_fd == 0) inode->cache = world_grow(inode->cache, sectors_now * SECTOR);
        inode->durable = world_grow(inode->durable, sectors_now * SECTOR);
        inode->dirty = world_grow(inode->dirty, sectors_now);
        inode->covered = world_grow(inode->covered, sectors_now);
        if (inode->memory_fd == 0)
            memset(inode->cache + sectors * SECTOR, 0, (sectors_now - sectors) * SECTOR);
        memset(inode->durable + sectors * SECTOR, 0, (sectors_now - sectors) * SECTOR);
        memset(inode->dirty + sectors, 0, sectors_now - sectors);
        memset(inode->covered + sectors, 0, sectors_now - sectors);
        inode->bytes_max = sectors_now * SECTOR;
    }
    inode->bytes = bytes;
}

/* ---- Sectors ---- */

static void sectors_dirty(struct inode *inode, u64 offset, u64 bytes, const u8 *data)
{
    memcpy(inode->cache + offset, data, bytes);
    damage_overwritten(inode, offset, bytes, data);
    memset(inode->dirty + offset / SECTOR, 1, (offset + bytes - 1) / SECTOR - offset / SECTOR + 1);
}

static void sectors_clean(struct inode *inode, u64 offset, u64 bytes)
{
    u64 begin = offset / SECTOR * SECTOR, end = round_up(offset + bytes, SECTOR);
    memcpy(inode->durable + begin, inode->cache + begin, end - begin);
    memset(inode->dirty + begin / SECTOR, 0, (end - begin) / SECTOR);
}

/* The first dirty sector from `at` on; U64_NONE: none. */
static u64 dirty_next(const struct inode *inode, u64 at)
{
    u64 sectors = inode->bytes_max / SECTOR;
    const u8 *found = at >= sectors ? NULL : memchr(inode->dirty + at, 1, sectors - at);
    return found == NULL ? U64_NONE : (u64)(found - inode->dirty);
}

static void sectors_settle(struct inode *inode)
{
    for (u64 i = dirty_next(inode, 0); i != U64_NONE; i = dirty_next(inode, i + 1))
        if (inode->covered[i]) sectors_clean(inode, i * SECTOR, SECTOR);
    inode->bytes_durable = inode->bytes;
}

/* Of what differs each unit is kept or lost; how likely is drawn once a file. Without power a reader sees it
 * no more. */
static void sectors_gamble(struct inode *inode, bool power)
{
    u64 keep = chance_below(5), unit = world->plan.sector_bytes / SECTOR;
    if (world->plan.power == POWER_WHOLE) keep = chance(1, 2) ? 4 : 0;
    for (u64 i = dirty_next(inode, 0); i != U64_NONE; i = dirty_next(inode, i)) {
        bool kept = power_keeps(keep, i / unit);
        u64 end = i / unit * unit + unit;
        for (; i < end; i++) {
            if (!inode->dirty[i]) continue;
            inode->dirty[i] = 0;
            if (kept)
                memcpy(inode->durable + i * SECTOR, inode->cache + i * SECTOR, SECTOR);
            else if (power)
                memcpy(inode->cache + i * SECTOR, inode->durable + i * SECTOR, SECTOR);
        }
    }
    if (power_keeps(keep, 0)) inode->bytes_durable = inode->bytes;
    if (power) inode->bytes = inode->bytes_durable;
}

/* What has arrived of a write that was not finished; on the disk when power is lost or the disk failed, else
 * only where a reader sees it. */
static void write_torn(const struct disk_write *write, bool on_disk)
{
    struct inode *inode = &disk->inodes[write->inode];
    u64 keep = chance_below(5), unit = world->plan.sector_bytes;
    if (world->plan.power == POWER_WHOLE) keep = chance(1, 2) ? 4 : 0;
    for (u64 at = 0, bytes; at < write->bytes; at += bytes) {
        bytes = min_u64(unit - (write->offset + at) % unit, write->bytes - at);
        if (!power_keeps(keep, at / unit)) continue;
        sectors_dirty(inode, write->offset + at, bytes, write->data + at);
        if (on_disk) sectors_clean(inode, write->offset + at, bytes);
    }
    /* What did not arrive may have stood there before, as the zeros behind a short batch do. */
    bool whole = memcmp(inode->cache + write->offset, write->data, write->bytes) == 0;
    if (write->durable && whole) damage_log_written(inode, write->offset, write->bytes, on_disk);
}

/* ---- Crash ---- */

static void power_loss(void)
{
    u32 kept = (u32)chance_below(disk->journal_count + 1);
    if (world->plan.power == POWER_NOTHING) kept = 0;
    if (world->plan.power == POWER_ALL) kept = disk->journal_count;
    for (u32 i = 0; i < kept; i++) journal_apply(&disk->durable, &disk->journal[i]);
    disk->names = disk->durable;
    for (u32 i = 0; i < INODES_MAX; i++) {
        struct inode *inode = &disk->inodes[i];
        if (!inode->used || inode->directory) continue;
        sectors_gamble(inode, true);
        /* Nor is there what a sync had failed to bring to the disk, whatever the cache has shown since. */
        if (inode->memory_fd != 0 && inode->bytes_max > 0) memcpy(inode->cache, inode->durable, inode->bytes_max);
    }
    disk->journal_count = 0;
}

void disk_crash(bool power)
{
    for (struct disk_write *write = disk->writes; write != NULL; write = write->next)
        write_torn(write, power);
    writes_drop();
    if (power) power_loss();
    memset(disk->fds, 0, sizeof disk->fds);
    disk->locked = false;
    if (power) garbage_collect();
}

/* ---- Room ---- */

u64 disk_room(void)
{
    u64 used = 0;
    for (u32 i = 0; i < disk->names.count; i++) used += disk->inodes[disk->names.items[i].inode].bytes;
    return world->disk_full ? 0 : sat_sub(world->plan.disk_bytes, used);
}

/* ---- Descriptors ---- */

static struct inode *inode_of(i32 fd)
{
    ASSERT(fd >= FD_FIRST && fd < FD_FIRST + (i32)FDS_MAX && disk->fds[fd - FD_FIRST] != 0);
    return &disk->inodes[disk->fds[fd - FD_FIRST] - 1];
}

bool disk_is_file(i32 fd) { return fd >= FD_FIRST && fd < FD_FIRST + (i32)FDS_MAX; }
bool disk_is_directory(i32 fd) { return inode_of(fd)->directory; }

static i32 fd_open(u32 inode)
{
    u32 fd = 0;
    while (fd < FDS_MAX && disk->fds[fd] != 0) fd++;
    ASSERT(fd < FDS_MAX); /* a leak */
    disk->fds[fd] = inode + 1;
    return FD_FIRST + (i32)fd;
}

/* A synchronous call: takes time, and is a step. */
static void step(void)
{
    if (world->judging) return;
    world->now_ns += 10 * US_NS + chance_below(200 * US_NS);
    crash_step();
}

/* ---- Writes and syncs, for the ring and for file.h ---- */

struct disk_write *disk_write_begin(i32 fd, const void *buffer, u32 bytes, u64 offset, bool durable)
{
    struct inode *inode = inode_of(fd);
    ASSERT(inode->memory_fd != 0 || (bytes % 4096 == 0 && offset % 4096 == 0));
    ASSERT(offset + bytes <= inode->bytes);
    struct disk_write *write = world_alloc(sizeof *write);
    *write = (struct disk_write){.next = disk->writes,
                                 .inode = disk->fds[fd - FD_FIRST] - 1,
                                 .offset = offset,
                                 .bytes = bytes,
                                 .durable = durable,
                                 .buffer = buffer,
                                 .data = world_alloc(bytes)};
    memcpy(write->data, buffer, bytes);
    disk->writes = write;
    return write;
}

static void write_unlink(struct disk_write *write)
{
    struct disk_write **link = &disk->writes;
    while (*link != write) link = &(*link)->next;
    *link = write->next;
    world_free(write->data);
    world_free(write);
}

/* What is durable is found again: so are all names on the way to it. */
static void name_check(u32 inode)
{
    const char *path = path_of(inode);
    const struct name *name = name_find(&disk->durable, path);
    if (name == NULL || name->inode != inode) violation("%s is durable, but its name is not", path);
    for (const char *end = path + 1; (end = strchr(end, '/')) != NULL; end++) {
        char directory[PATH_BYTES];
        snprintf(directory, sizeof directory, "%.*s", (int)(end - path), path);
        if (name_find(&disk->durable, directory) == NULL)
            violation("%s is durable, but the name of %s is not", path, directory);
    }
}

/* Nor may a segment come back that was removed behind this one: what is written now does not lead to it. */
static void removed_check(u32 inode)
{
    const char *path = path_of(inode);
    for (u32 i = 0; i < disk->durable.count; i++) {
        const char *other = disk->durable.items[i].path;
        if (strlen(other) == strlen(path) && strncmp(other, path, strlen("/data/log/")) == 0 &&
            strcmp(other, path) > 0 && name_find(&disk->names, other) == NULL)
            violation("%s is durable, but %s, which was removed, may come back", path, other);
    }
}

static bool below(u32 inode, const char *directory)
{
    return strncmp(path_of(inode), directory, strlen(directory)) == 0;
}

static void write_arrived(struct inode *inode, const struct disk_write *write)
{
    u8 *before = world_alloc(write->bytes);
    memcpy(before, inode->cache + write->offset, write->bytes);
    sectors_dirty(inode, write->offset, write->bytes, write->data);
    if (inode->memory_fd != 0) store_writes_note(inode, write->offset, write->bytes, write->data, before);
    if (write->durable) {
        if (below(write->inode, "/data/log/")) {
            name_check(write->inode);
            removed_check(write->inode);
        }
        sectors_clean(inode, write->offset, write->bytes);
        damage_log_written(inode, write->offset, write->bytes, true);
        damage_write(inode, write->offset, write->bytes, write->data, before);
    }
    world_free(before);
}

i32 disk_write_end(struct disk_write *write)
{
    struct inode *inode = &disk->inodes[write->inode];
    i32 result = (i32)write->bytes;
    if (memcmp(write->data, write->buffer, write->bytes) != 0)
        violation("a buffer changed while it was written");
    i32 error = exhaust_call(CALL_WRITE);
    if (error == 0 && fault(FAULT_WRITE_ERROR, 1, 400))
        error = write->durable && chance(1, 4) ? -ENOSPC : -EIO;
    if (error < 0) {
        write_torn(write, true);
        injected_note(CALL_WRITE, path_of(write->inode), error);
        result = error;
    } else {
        write_arrived(inode, write);
    }
    write_unlink(write);
    return result;
}

static i32 inode_sync(struct inode *inode, u32 number)
{
    i32 error = exhaust_call(inode->directory ? CALL_SYNC_DIRECTORY : CALL_SYNC);
    if (error == 0 && fault(FAULT_SYNC_ERROR, 1, 300)) error = -EIO;
    if (error < 0) {
        injected_note(inode->directory ? CALL_SYNC_DIRECTORY : CALL_SYNC, path_of(number), error);
        if (!inode->directory)
            sectors_gamble(inode, false); /* the rest is lost, though a cache still shows it */
        if (inode->direct && inode->bytes_max > 0) memcpy(inode->cache, inode->durable, inode->bytes_max);
        return error;
    }
    if (inode->directory) {
        directory_sync(path_of(number));
        return 0;
    }
    if (below(number, "/data/store/data.mdb")) name_check(number);
    sectors_settle(inode);
    return 0;
}

void disk_sync_begin(i32 fd)
{
    struct inode *inode = inode_of(fd);
    if (inode->bytes_max > 0) memcpy(inode->covered, inode->dirty, inode->bytes_max / SECTOR);
}

i32 disk_sync_end(i32 fd) { return inode_sync(inode_of(fd), disk->fds[fd - FD_FIRST] - 1); }

/* ---- file.h ---- */

i32 file_join(char *path, const char *directory, const char *name)
{
    int length = snprintf(path, FILE_PATH_BYTES, "%s/%s", directory, name);
    return length > 0 && (u32)length < FILE_PATH_BYTES ? 0 : -ENAMETOOLONG;
}

i32 file_lock(const char *directory, char *error, u32 error_bytes)
{
    step();
    i32 failure = exhaust_call(CALL_LOCK);
    if (failure < 0) {
        snprintf(error, error_bytes, "cannot lock %s: %s", directory, strerror(-failure));
        return failure;
    }
    if (disk->locked) {
        snprintf(error, error_bytes, "%s is in use", directory);
        return -EBUSY;
    }
    disk->locked = true;
    return 0; /* a descriptor that is no file's */
}

i32 file_lock_held(const char *directory, u64 *pid)
{
    (void)directory;
    *pid = 1;
    return disk->locked;
}

/* Then its parent is synced; the data directory itself was there before. */
static void directory_make(const char *path)
{
    journal_add(JOURNAL_CREATE, path, "", inode_make(true));
    if (strchr(path + 1, '/') != NULL) step();
    char parent[PATH_BYTES];
    snprintf(parent, sizeof parent, "%.*s", (int)(strrchr(path, '/') - path), path);
    directory_sync(parent);
}

i32 file_make_directory(const char *path)
{
    char part[PATH_BYTES];
    step();
    i32 result = exhaust_call(CALL_MAKE_DIRECTORY);
    if (result < 0) return result;
    for (const char *at = path + 1;; at++) {
        if (*at != '/' && *at != 0) continue;
        snprintf(part, sizeof part, "%.*s", (int)(at - path), path);
        result = 0;
        if (name_find(&disk->names, part) == NULL) {
            directory_make(part);
            result = 1;
        }
        if (*at == 0) return result;
    }
}

i32 file_open_directory(const char *path)
{
    struct name *name = name_find(&disk->names, path);
    i32 error = exhaust_call(CALL_OPEN_DIRECTORY);
    if (error < 0) return error;
    return name == NULL ? -ENOENT : fd_open(name->inode);
}

i32 file_sync_directory(const char *path)
{
    step();
    struct name *name = name_find(&disk->names, path);
    return name == NULL ? -ENOENT : inode_sync(&disk->inodes[name->inode], name->inode);
}

i32 file_exists(const char *path) { return name_find(&disk->names, path) != NULL; }

i32 file_remove(const char *path)
{
    step();
    i32 error = exhaust_call(CALL_REMOVE);
    if (error < 0) return error;
    struct name *name = name_find(&disk->names, path);
    if (name != NULL) journal_add(JOURNAL_REMOVE, path, "", name->inode);
    return 0;
}

i32 file_rename(const char *from, const char *to)
{
    step();
    i32 error = exhaust_call(CALL_RENAME);
    if (error < 0) return error;
    struct name *name = name_find(&disk->names, from);
    if (name == NULL) return -ENOENT;
    journal_add(JOURNAL_RENAME, from, to, name->inode);
    return 0;
}

i32 file_open(const char *path, bool write, bool create, bool *direct)
{
    step();
    i32 error = exhaust_call(CALL_OPEN);
    if (error < 0) return error;
    *direct = true;
    struct name *name = name_find(&disk->names, path);
    if (name != NULL) return fd_open(name->inode);
    if (!create) return -ENOENT;
    ASSERT(write);
    u32 inode = inode_make(false);
    if (strstr(path, ".mdb") != NULL)
        inode_map(&disk->inodes[inode]);
    else
        disk->inodes[inode].direct = true;
    journal_add(JOURNAL_CREATE, path, "", inode);
    return fd_open(inode);
}

void file_close(i32 fd)
{
    if (fd == 0) disk->locked = false;
    if (fd > 0) disk->fds[fd - FD_FIRST] = 0;
}

i64 file_bytes(i32 fd)
{
    i32 error = exhaust_call(CALL_STAT);
    return error < 0 ? error : (i64)inode_of(fd)->bytes;
}

i32 file_allocate(i32 fd, u64 bytes)
{
    step();
    i32 error = exhaust_call(CALL_ALLOCATE);
    if (error < 0) return error;
    struct inode *inode = inode_of(fd);
    if (bytes <= inode->bytes) return 0;
    if (bytes - inode->bytes > disk_room()) {
        injected_note(CALL_ALLOCATE, disk_path(inode), -ENOSPC);
        return -ENOSPC;
    }
    inode_resize(inode, bytes);
    return 0;
}

i64 file_read_at(i32 fd, void *buffer, u64 bytes, u64 offset)
{
    ASSERT(offset % 4096 == 0 && bytes % 4096 == 0);
    return disk_read(fd, buffer, bytes, offset);
}

i64 disk_read(i32 fd, void *buffer, u64 bytes, u64 offset)
{
    step();
    struct inode *inode = inode_of(fd);
    i32 error = world->judging ? 0 : exhaust_call(CALL_READ);
    if (error == 0 && fault(FAULT_READ_ERROR, 1, inode->memory_fd != 0 ? 4000 : 100)) error = -EIO;
    if (error < 0) {
        injected_note(CALL_READ, disk_path(inode), error);
        return error;
    }
    u64 there = min_u64(bytes, sat_sub(inode->bytes, offset));
    if (error > 0 && bytes % 4096 == 0) there -= min_u64(there, 4096);
    memcpy(buffer, inode->cache + offset, there);
    return (i64)there;
}

i32 file_write_at(i32 fd, const void *buffer, u64 bytes, u64 offset)
{
    struct disk_write *write = disk_write_begin(fd, buffer, (u32)bytes, offset, false);
    step();
    i32 result = disk_write_end(write);
    return result < 0 ? result : 0;
}

i32 disk_append(i32 fd, const void *buffer, u32 bytes, u64 offset, bool durable)
{
    struct inode *inode = inode_of(fd);
    if (offset + bytes > inode->bytes) {
        if (offset + bytes - inode->bytes > disk_room()) {
            injected_note(CALL_WRITE, disk_path(inode), -ENOSPC);
            fault_count(FAULT_STORE_FULL);
            return -ENOSPC;
        }
        inode_resize(inode, offset + bytes);
    }
    struct disk_write *write = disk_write_begin(fd, buffer, bytes, offset, durable);
    step();
    return disk_write_end(write);
}

i32 disk_memory(i32 fd) { return inode_of(fd)->memory_fd; }

i32 file_sync(i32 fd)
{
    step();
    disk_sync_begin(fd);
    return disk_sync_end(fd);
}

static int compare_names(const void *a, const void *b) { return strcmp(a, b); }

i32 file_names(const char *directory, file_name_fn *fn, void *owner)
{
    static char names[NAMES_MAX][PATH_BYTES];
    u32 count = 0;
    step();
    i32 error = exhaust_call(CALL_LIST);
    if (error < 0) return error;
    for (u32 i = 0; i < disk->names.count; i++) {
        if (!inside(disk->names.items[i].path, directory)) continue;
        snprintf(names[count++], PATH_BYTES, "%s", strrchr(disk->names.items[i].path, '/') + 1);
    }
    qsort(names, count, PATH_BYTES, compare_names);
    i32 result = 0;
    for (u32 i = 0; i < count && result == 0; i++) result = fn(owner, names[i]);
    return result;
}

void *file_buffer(u64 bytes)
{
    if (exhaust_memory()) return NULL;
    void *buffer =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT(buffer != MAP_FAILED);
    process_memory_add(buffer, bytes);
    return buffer;
}

void file_buffer_free(void *buffer, u64 bytes)
{
    (void)bytes;
    if (buffer != NULL) process_memory_remove(buffer);
}

void file_memory_grows(void *memory, u64 bytes) { (void)memory, (void)bytes; }
void file_memory_scattered(void *memory, u64 bytes) { (void)memory, (void)bytes; }
void file_memory_release(void *memory, u64 bytes) { memset(memory, 0xa5, bytes); } /* nobody needs it */
void ahead_add(void *ahead, void *memory, u64 bytes) { (void)ahead, (void)memory, (void)bytes; }
bool ahead_idle(struct ahead *ahead) { return ahead != NULL; }
void ahead_start(struct ahead *ahead) { (void)ahead; }
void ahead_stop(struct ahead *ahead) { (void)ahead; }

u64 file_random(void) { return 1 + chance_below(U64_NONE); }
u64 file_pid(void) { return 1; }
