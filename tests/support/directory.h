/* A directory of its own for each test, removed with everything in it. */
#ifndef SUPPORT_DIRECTORY_H
#define SUPPORT_DIRECTORY_H

#include "base/base.h"

/* Makes one below $TMPDIR or /tmp; `path` has 4096 bytes. */
void directory_make(char *path);
void directory_remove(const char *path);
/* Copies the files of one directory (not of those in it) to another, which is made. */
void directory_copy(const char *from, const char *to);

/* Whole files. The buffer is the caller's to free. */
u8 *file_slurp(const char *path, u64 *bytes);
void file_spill(const char *path, const void *data, u64 bytes);

/* A file that this process has open, and to which no write succeeds any more: by all its descriptors. */
struct broken_file {
    int fds[8], kept[8];
    unsigned count;
};
void broken_file_make(struct broken_file *broken, const char *path_end);
void broken_file_mend(struct broken_file *broken);
/* Whoever had it open has closed it. */
void broken_file_forget(struct broken_file *broken);

#endif
