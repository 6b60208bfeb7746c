/* What the disk (disk.c) and the damage done to it (damage.c) share. */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "base/base.h"
#include "tests/sim/world.h"

#define SECTOR     512u
#define PATH_BYTES 128u

struct inode {
    bool used;
    bool directory;
    bool direct; /* opened with O_DIRECT: read past the cache */
    u64 bytes;
    u64 bytes_durable;
    u64 bytes_max; /* allocated here */
    i32 memory_fd; /* holds the cache of a file that may be mapped; 0: of none */
    u8 *cache;
    u8 *durable;
    u8 *dirty;   /* a byte a sector */
    u8 *covered; /* those that were dirty when the last sync began */
};

struct inode *disk_file_some(void); /* NULL: there is none */
const char *disk_path(const struct inode *inode);

void damage_create(void);
void damage_destroy(void);
/* The file is gone, and what was wrong in it. */
void damage_gone(const struct inode *inode);
/* What stands there now is right. */
void damage_overwritten(const struct inode *inode, u64 offset, u64 bytes, const u8 *data);
/* A write to the log that is durable when it is done has arrived: on the disk, or where a reader sees it. */
void damage_log_written(struct inode *inode, u64 offset, u64 bytes, bool on_disk);
/* Now and then it did not, or not so, though the disk says that it did. `before`: what stood there. */
void damage_write(struct inode *inode, u64 offset, u32 bytes, const u8 *data, const u8 *before);

/* Something is about to be wrong in this place (the first one has index 0); and now it is. */
void damage_note(u32 index, struct inode *inode, u64 offset, u32 bytes);
void damage_done(enum fault kind, bool provable);

/* ---- Writes of the store that go wrong (store_writes.c) ---- */

void store_writes_destroy(void);
void store_writes_gone(const struct inode *inode);
/* A page was written over what stood there before; perhaps it has not arrived. */
void store_writes_note(struct inode *inode, u64 offset, u32 bytes, const u8 *data, const u8 *before);

#endif
