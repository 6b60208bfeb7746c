/* Files and directories, synchronously: for the start, for offline tools and for the few cheap steps (open,
 * rename) that the loop takes itself. Everything returns >= 0 or -errno. */
#ifndef PORT_FILE_H
#define PORT_FILE_H

#include <errno.h>

#include "base/base.h"

#define FILE_BLOCK_BYTES 4096u
#define FILE_PATH_BYTES  4096u

/* The error of a write that found no room; it may succeed later. */
static inline bool file_disk_full(i32 result)
{
    return result == -ENOSPC || result == -EDQUOT || result == -EFBIG;
}

/* Joins two path parts; -ENAMETOOLONG when it does not fit in FILE_PATH_BYTES. */
i32 file_join(char *path, const char *directory, const char *name);

/* Takes DIRECTORY/lock. -EBUSY: somebody holds it, `error` says which pid. Returns the descriptor to keep. */
i32 file_lock(const char *directory, char *error, u32 error_bytes);
/* Only looks: is it held now? 1 yes, 0 no. *pid 0: unknown. */
i32 file_lock_held(const char *directory, u64 *pid);

/* With all parents, the names of all of them durable. 1: made, 0: was there. */
i32 file_make_directory(const char *path);
i32 file_sync_directory(const char *path);
i32 file_sync(i32 fd);
i32 file_exists(const char *path); /* 1 or 0 */
i32 file_remove(const char *path); /* a file or an empty directory; absent is fine */
i32 file_rename(const char *from, const char *to);

/* Opens for reading, and for writing when `write`; makes it when `create`. O_DIRECT when the file system
 * has it (*direct), else plain. */
i32 file_open(const char *path, bool write, bool create, bool *direct);
i32 file_open_directory(const char *path);
void file_close(i32 fd);
i64 file_bytes(i32 fd);
/* Reserves the blocks, so that a full disk shows now. */
i32 file_allocate(i32 fd, u64 bytes);
/* Aligned to FILE_BLOCK_BYTES in all three, for O_DIRECT. A read may be short only at the end of the file;
 * a write never is. */
i64 file_read_at(i32 fd, void *buffer, u64 bytes, u64 offset);
i32 file_write_at(i32 fd, const void *buffer, u64 bytes, u64 offset);

/* Names in a directory in ascending order, without . and .. */
typedef i32 file_name_fn(void *owner, const char *name);
i32 file_names(const char *directory, file_name_fn *fn, void *owner);

/* Page-aligned zeroed memory; NULL when there is none. Large pieces are touched only as they are used. */
void *file_buffer(u64 bytes);
void file_buffer_free(void *buffer, u64 bytes);
/* What lies behind the first 4 MiB of this piece may come in huge pages: fewer faults and look-ups of addresses for
 * what is large, and no byte more for what stays small. */
void file_memory_grows(void *memory, u64 bytes);
/* It comes and goes: a small page at a time. */
void file_memory_scattered(void *memory, u64 bytes);
/* Whole pages of such memory that are not needed for now; what is in them is lost. */
void file_memory_release(void *memory, u64 bytes);
u64 file_random(void); /* of the kernel's; never 0 */
u64 file_pid(void);

#endif
