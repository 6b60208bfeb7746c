/* The lines of a log, from a file or from standard input. */
#ifndef TICKETCTL_LOGFILE_H
#define TICKETCTL_LOGFILE_H

#include "ticketd/wire.h"

struct logfile {
    int fd;
    u64 bytes_total; /* 0: not known */
    u64 bytes_taken;
    u64 line; /* number of the last line, from 1 */
    char *buffer;
    u32 begin; /* of what is in the buffer and not taken */
    u32 end;
    u32 taken; /* of the buffer, by the last line */
    bool ended;
};

/* "-" is standard input. False: errno says why. */
bool logfile_open(struct logfile *file, const char *path);
void logfile_close(struct logfile *file);
/* The next line that is not blank, without its end; valid until the next call. 1 a line, 0 the end, -1 it
 * cannot be read (errno), -2 the line is longer than DESKLOG_LINE_BYTES_MAX. */
int logfile_next(struct logfile *file, const char **data, u32 *bytes);
/* The line that it gave last will be the next one again. */
void logfile_put_back(struct logfile *file);

#endif
