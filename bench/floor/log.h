/* The log of the floor: batches of whole blocks, written O_DIRECT and durable, one write in flight, over a
 * file whose blocks were all written before; so nothing but the disk decides how long a write takes. */
#ifndef FLOOR_LOG_H
#define FLOOR_LOG_H

#include "port/io.h"

#define LOG_BATCH_BYTES (4u << 20)
#define LOG_FILE_BYTES  (256ull << 20)

struct log {
    struct io *io;
    struct io_op write;
    i32 fd;
    bool direct;   /* O_DIRECT */
    u8 *open;      /* being filled */
    u8 *in_flight; /* being written */
    u32 open_bytes;
    u64 offset;
    void (*written)(void *owner);
    void *owner;
};

/* How a batch is made durable, as a ticketd says it where it has O_DIRECT. */
static inline const char *log_how(const struct log *log) { return log->direct ? "sync" : "fdatasync"; }

void log_open(struct log *log, struct io *io, const char *directory);
static inline bool log_room(const struct log *log, u32 bytes)
{
    return log->open_bytes + bytes <= LOG_BATCH_BYTES;
}
void log_append(struct log *log, const void *data, u32 bytes);
/* Writes what was appended, unless a write is in flight; true: it did. */
bool log_submit(struct log *log);

/* `count` durable writes of 4 KiB, one after the other: the time of each. true: with O_DIRECT. */
bool log_raw(const char *directory, u32 busy_poll_us, u64 *took_ns, u32 count);

#endif
