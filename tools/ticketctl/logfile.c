#include "logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "desklog.h"
#include "ticketctl.h"

#define BUFFER_BYTES (2 * DESKLOG_LINE_BYTES_MAX)

bool logfile_open(struct logfile *file, const char *path)
{
    *file = (struct logfile){.fd = STDIN_FILENO};
    if (strcmp(path, "-")) file->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0) return false;
    struct stat status;
    if (!fstat(file->fd, &status) && S_ISREG(status.st_mode)) file->bytes_total = (u64)status.st_size;
    file->buffer = allocate(BUFFER_BYTES);
    return true;
}

void logfile_close(struct logfile *file)
{
    if (file->fd > STDIN_FILENO) close(file->fd);
    free(file->buffer);
}

/* Reads on; false: an error. */
static bool refill(struct logfile *file)
{
    memmove(file->buffer, file->buffer + file->begin, file->end - file->begin);
    file->end -= file->begin;
    file->begin = 0;
    ssize_t got;
    do got = read(file->fd, file->buffer + file->end, BUFFER_BYTES - file->end);
    while (got < 0 && errno == EINTR);
    if (got < 0) return false;
    if (got == 0) file->ended = true;
    file->end += (u32)got;
    return true;
}

static bool is_blank(const char *data, u32 bytes)
{
    for (u32 i = 0; i < bytes; i++)
        if (data[i] != ' ' && data[i] != '\t') return false;
    return true;
}

/* Takes one line out of the buffer; NULL: there is no whole one. */
static const char *take_line(struct logfile *file, u32 *bytes)
{
    char *data = file->buffer + file->begin;
    char *feed = memchr(data, '\n', file->end - file->begin);
    if (!feed && !(file->ended && file->end > file->begin)) return NULL;
    *bytes = feed ? (u32)(feed - data) : file->end - file->begin;
    file->taken = *bytes + (feed ? 1 : 0);
    file->begin += file->taken;
    file->bytes_taken += file->taken;
    file->line++;
    if (*bytes && data[*bytes - 1] == '\r') --*bytes;
    return data;
}

int logfile_next(struct logfile *file, const char **data, u32 *bytes)
{
    for (;;) {
        *data = take_line(file, bytes);
        if (*data) {
            static const char mark[] = "\xef\xbb\xbf"; /* some editors begin a file with it */
            if (file->line == 1 && *bytes >= 3 && !memcmp(*data, mark, 3)) {
                *data += 3;
                *bytes -= 3;
            }
            if (*bytes > DESKLOG_LINE_BYTES_MAX) return -2;
            if (is_blank(*data, *bytes)) continue;
            return 1;
        }
        if (file->ended) return 0;
        if (file->end - file->begin > DESKLOG_LINE_BYTES_MAX) {
            file->line++;
            return -2;
        }
        if (!refill(file)) return -1;
    }
}

void logfile_put_back(struct logfile *file)
{
    file->begin -= file->taken;
    file->bytes_taken -= file->taken;
    file->line--;
}
