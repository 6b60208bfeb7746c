#include "bench/floor/log.h"

#include <stdio.h>
#include <unistd.h>
#include <xxhash.h>

#include "bench/server.h"
#include "port/file.h"

#define HEADER_BYTES 64u

static void done(struct io_op *op, i32 result)
{
    struct log *log = op->owner;
    if (result < 0) die("writing: %s", strerror(-result));
    log->written(log->owner);
}

static i32 file_made(const char *directory, u64 bytes, bool *direct)
{
    char path[FILE_PATH_BYTES];
    if (file_join(path, directory, "floor.log") < 0) die("%s: the path is too long", directory);
    i32 fd = file_open(path, true, true, direct);
    if (fd < 0) die("%s: %s", path, strerror(-fd));
    if (!*direct) fprintf(stderr, "%s: no O_DIRECT here: writes go through the page cache, then fdatasync\n", path);
    unlink(path);
    void *zeros = file_buffer(LOG_BATCH_BYTES);
    if (zeros == NULL) die("no memory");
    for (u64 at = 0; at < bytes; at += LOG_BATCH_BYTES) {
        i32 written = file_write_at(fd, zeros, LOG_BATCH_BYTES, at);
        if (written < 0) die("%s: %s", path, strerror(-written));
    }
    file_buffer_free(zeros, LOG_BATCH_BYTES);
    if (file_sync(fd) < 0) die("%s: cannot be synced", path);
    return fd;
}

void log_open(struct log *log, struct io *io, const char *directory)
{
    log->io = io;
    log->write = (struct io_op){.done = done, .owner = log};
    log->fd = file_made(directory, LOG_FILE_BYTES, &log->direct);
    log->open = file_buffer(LOG_BATCH_BYTES);
    log->in_flight = file_buffer(LOG_BATCH_BYTES);
    if (log->open == NULL || log->in_flight == NULL) die("no memory");
    log->open_bytes = HEADER_BYTES;
}

void log_append(struct log *log, const void *data, u32 bytes)
{
    memcpy(log->open + log->open_bytes, data, bytes);
    log->open_bytes += bytes;
}

bool log_submit(struct log *log)
{
    if (log->write.busy || log->open_bytes == HEADER_BYTES) return false;
    u32 bytes = (u32)round_up(log->open_bytes, FILE_BLOCK_BYTES);
    memset(log->open + log->open_bytes, 0, bytes - log->open_bytes);
    u64 checksum = XXH3_64bits(log->open + sizeof checksum, log->open_bytes - sizeof checksum);
    memcpy(log->open, &checksum, sizeof checksum);
    u8 *batch = log->open;
    log->open = log->in_flight;
    log->in_flight = batch;
    log->open_bytes = HEADER_BYTES;
    if (log->offset + bytes > LOG_FILE_BYTES) log->offset = 0;
    io_write(log->io, &log->write, log->fd, batch, bytes, log->offset, true);
    log->offset += bytes;
    return true;
}

static void nothing(void *owner) { (void)owner; }

bool log_raw(const char *directory, u32 busy_poll_us, u64 *took_ns, u32 count)
{
    struct log log = {.written = nothing};
    struct io *io;
    char error[256];
    if (io_create(&io, error, sizeof error) < 0) die("%s", error);
    io_busy_poll(io, busy_poll_us);
    log_open(&log, io, directory);
    for (u32 i = 0; i < count; i++) {
        u64 begun_ns = now_ns();
        log_append(&log, &begun_ns, sizeof begun_ns);
        log_submit(&log);
        while (log.write.busy) io_run(io, true);
        took_ns[i] = now_ns() - begun_ns;
    }
    io_destroy(io);
    file_close(log.fd);
    file_buffer_free(log.open, LOG_BATCH_BYTES);
    file_buffer_free(log.in_flight, LOG_BATCH_BYTES);
    return log.direct;
}
