#include "tests/support/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void directory_make(char *path)
{
    const char *base = getenv("TMPDIR");
    snprintf(path, 4096, "%s/ticketd-test-XXXXXX", base != NULL && base[0] != 0 ? base : "/tmp");
    ASSERT(mkdtemp(path) != NULL);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

void directory_remove(const char *path) { ASSERT(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0); }

u8 *file_slurp(const char *path, u64 *bytes)
{
    FILE *file = fopen(path, "rbe");
    ASSERT(file != NULL && fseek(file, 0, SEEK_END) == 0);
    *bytes = (u64)ftell(file);
    rewind(file);
    u8 *data = malloc(*bytes + 1);
    ASSERT(data != NULL && fread(data, 1, *bytes, file) == *bytes);
    fclose(file);
    return data;
}

void file_spill(const char *path, const void *data, u64 bytes)
{
    FILE *file = fopen(path, "wbe");
    ASSERT(file != NULL && fwrite(data, 1, bytes, file) == bytes && fclose(file) == 0);
}

void directory_copy(const char *from, const char *to)
{
    ASSERT(mkdir(to, 0700) == 0);
    DIR *directory = opendir(from);
    ASSERT(directory != NULL);
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        char source[4096], target[4096];
        ASSERT(snprintf(source, sizeof source, "%s/%s", from, entry->d_name) < (int)sizeof source);
        ASSERT(snprintf(target, sizeof target, "%s/%s", to, entry->d_name) < (int)sizeof target);
        struct stat status;
        ASSERT(stat(source, &status) == 0);
        if (!S_ISREG(status.st_mode)) continue;
        u64 bytes;
        u8 *data = file_slurp(source, &bytes);
        file_spill(target, data, bytes);
        free(data);
    }
    closedir(directory);
}

void broken_file_make(struct broken_file *broken, const char *path_end)
{
    char link[64], path[4096];
    broken->count = 0;
    for (int fd = 3; fd < 64; fd++) {
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        ssize_t bytes = readlink(link, path, sizeof(path) - 1);
        path[bytes > 0 ? bytes : 0] = 0;
        size_t length = strlen(path), end = strlen(path_end);
        if (length < end || strcmp(path + length - end, path_end) != 0) continue;
        int kept = fcntl(fd, F_DUPFD_CLOEXEC, 64), read_only = open(path, O_RDONLY | O_CLOEXEC);
        int replaced = dup2(read_only, fd);
        ASSERT(broken->count < 8 && kept >= 0 && read_only >= 0 && replaced == fd);
        broken->fds[broken->count] = fd;
        broken->kept[broken->count++] = kept;
        close(read_only);
    }
    ASSERT(broken->count > 0);
}

void broken_file_mend(struct broken_file *broken)
{
    for (unsigned i = 0; i < broken->count; i++) {
        int replaced = dup2(broken->kept[i], broken->fds[i]);
        ASSERT(replaced == broken->fds[i]);
    }
    broken_file_forget(broken);
}

void broken_file_forget(struct broken_file *broken)
{
    while (broken->count > 0) close(broken->kept[--broken->count]);
}
