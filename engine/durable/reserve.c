#include "durable/reserve.h"

#include <errno.h>
#include <stdio.h>

#include "base/mark.h"
#include "port/file.h"

enum { RETRY_US = 500000 };

static void fail(struct reserve *reserve, const char *step, i32 result)
{
    char what[FILE_PATH_BYTES + 128];
    snprintf(what, sizeof what, "cannot prepare the next log segment (%s) in %s: %s", step, reserve->directory,
             strerror(-result));
    reserve->failed(reserve->owner, what);
}

static void preparing_remove(const struct reserve *reserve)
{
    char path[FILE_PATH_BYTES];
    if (file_join(path, reserve->directory, SEGMENT_PREPARING) == 0) (void)file_remove(path);
}

/* The disk is full: gives back what was taken and waits; anything else is final. */
static void give_up(struct reserve *reserve, const char *step, i32 result)
{
    if (!file_disk_full(result)) {
        fail(reserve, step, result);
        return;
    }
    MARK("no room for the next segment");
    file_close(reserve->segment.fd);
    reserve->segment.fd = -1;
    preparing_remove(reserve);
    reserve->state = RESERVE_FULL;
    if (!reserve->retry.busy) io_timeout(reserve->io, &reserve->retry, RETRY_US);
}

static void name_it(struct reserve *reserve)
{
    char from[FILE_PATH_BYTES], to[FILE_PATH_BYTES];
    i32 result = file_join(from, reserve->directory, SEGMENT_PREPARING);
    if (result == 0) result = segment_path(to, reserve->directory, reserve->segment.number);
    if (result == 0) result = file_rename(from, to);
    if (result < 0) {
        give_up(reserve, "rename", result);
        return;
    }
    reserve->state = RESERVE_NAMING;
    io_sync(reserve->io, &reserve->op, reserve->directory_fd);
}

static void fill_next(struct reserve *reserve)
{
    if (reserve->filled == reserve->segment.bytes_max) {
        reserve->state = RESERVE_SYNCING;
        io_sync(reserve->io, &reserve->op, reserve->segment.fd);
        return;
    }
    u32 bytes = (u32)min_u64(SEGMENT_FILL_BYTES, reserve->segment.bytes_max - reserve->filled);
    io_write(reserve->io, &reserve->op, reserve->segment.fd, reserve->zeros, bytes, reserve->filled, false);
}

static void step_done(struct io_op *op, i32 result)
{
    struct reserve *reserve = op->owner;
    if (reserve->closing) return;
    switch (reserve->state) {
    case RESERVE_FILLING:
        if (result < 0) {
            give_up(reserve, "write", result);
            return;
        }
        reserve->filled += (u32)result;
        fill_next(reserve);
        return;
    case RESERVE_SYNCING:
        if (result < 0)
            give_up(reserve, "fdatasync", result);
        else
            name_it(reserve);
        return;
    case RESERVE_NAMING:
        if (result < 0) {
            fail(reserve, "fsync of the directory", result);
            return;
        }
        reserve->state = RESERVE_READY;
        reserve->changed(reserve->owner);
        return;
    default:
        ASSERT(!"a step of the reserve in no state for it");
    }
}

static void retry_done(struct io_op *op, i32 result)
{
    struct reserve *reserve = op->owner;
    if (result < 0 || reserve->closing || reserve->state != RESERVE_FULL) return;
    reserve->changed(reserve->owner);
}

static i32 prepare_file(struct reserve *reserve)
{
    char path[FILE_PATH_BYTES];
    i32 result = file_join(path, reserve->directory, SEGMENT_PREPARING);
    if (result < 0) return result;
    result = file_open(path, true, true, &reserve->segment.direct);
    if (result < 0) return result;
    reserve->segment.fd = result;
    return file_allocate(reserve->segment.fd, reserve->segment.bytes_max);
}

static i32 rename_recycled(struct reserve *reserve, const struct segment *recycled)
{
    char from[FILE_PATH_BYTES], to[FILE_PATH_BYTES];
    i32 result = segment_path(from, reserve->directory, recycled->number);
    if (result == 0) result = segment_path(to, reserve->directory, reserve->segment.number);
    return result < 0 ? result : file_rename(from, to);
}

void reserve_begin(struct reserve *reserve, u64 number, u64 bytes_max, const struct segment *recycled)
{
    ASSERT(reserve->state == RESERVE_NONE || reserve->state == RESERVE_FULL);
    reserve->segment = (struct segment){.number = number, .fd = -1, .bytes_max = bytes_max};
    reserve->filled = 0;
    if (recycled != NULL) {
        MARK("segment recycled");
        ASSERT(recycled->bytes_max == bytes_max && recycled->fd >= 0);
        reserve->segment.fd = recycled->fd;
        reserve->segment.direct = recycled->direct;
        i32 result = rename_recycled(reserve, recycled);
        reserve->state = RESERVE_NAMING;
        if (result < 0)
            fail(reserve, "rename", result);
        else
            io_sync(reserve->io, &reserve->op, reserve->directory_fd);
        return;
    }
    i32 result = prepare_file(reserve);
    if (result < 0) {
        give_up(reserve, "allocate", result);
        return;
    }
    reserve->state = RESERVE_FILLING;
    fill_next(reserve);
}

void reserve_adopt(struct reserve *reserve, const struct segment *segment)
{
    ASSERT(reserve->state == RESERVE_NONE && segment->fd >= 0);
    reserve->segment = *segment;
    reserve->state = RESERVE_READY;
}

struct segment reserve_take(struct reserve *reserve)
{
    ASSERT(reserve->state == RESERVE_READY);
    struct segment taken = reserve->segment;
    reserve->segment = (struct segment){.fd = -1};
    reserve->state = RESERVE_NONE;
    return taken;
}

i32 reserve_open(struct reserve *reserve, struct io *io, const char *directory)
{
    reserve->io = io;
    reserve->directory = directory;
    reserve->segment.fd = -1;
    reserve->op = (struct io_op){.done = step_done, .owner = reserve};
    reserve->retry = (struct io_op){.done = retry_done, .owner = reserve};
    reserve->zeros = file_buffer(SEGMENT_FILL_BYTES);
    if (reserve->zeros == NULL) return -ENOMEM;
    reserve->directory_fd = file_open_directory(directory);
    return reserve->directory_fd < 0 ? reserve->directory_fd : 0;
}

void reserve_close(struct reserve *reserve)
{
    reserve->closing = true;
    io_timeout_cancel(reserve->io, &reserve->retry);
    while (reserve->op.busy || reserve->retry.busy) io_run(reserve->io, true);
    if (reserve->state == RESERVE_FILLING || reserve->state == RESERVE_SYNCING) preparing_remove(reserve);
    file_close(reserve->segment.fd);
    file_close(reserve->directory_fd);
    file_buffer_free(reserve->zeros, SEGMENT_FILL_BYTES);
}
