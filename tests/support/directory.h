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

#endif
