#include "durable/segment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "port/file.h"

#define WINDOW_BYTES ((u64)BATCH_BYTES_MAX + WINDOW_AHEAD_BYTES)

i32 segment_path(char *path, const char *directory, u64 number)
{
    char name[32];
    snprintf(name, sizeof name, "%016llx.log", (unsigned long long)number);
    return file_join(path, directory, name);
}

/* ---- The list ---- */

bool segments_add(struct segments *segments, const struct segment *segment)
{
    ASSERT(segments->count == 0 || segments->items[segments->count - 1].number < segment->number);
    if (segments->count == segments->capacity) {
        u32 capacity = segments->capacity == 0 ? 16 : segments->capacity * 2;
        struct segment *items = realloc(segments->items, capacity * sizeof *items);
        if (items == NULL) return false;
        segments->items = items;
        segments->capacity = capacity;
    }
    segments->items[segments->count++] = *segment;
    return true;
}

void segments_drop_first(struct segments *segments)
{
    ASSERT(segments->count > 0);
    segments->count--;
    memmove(segments->items, segments->items + 1, segments->count * sizeof *segments->items);
}

void segments_close(struct segments *segments)
{
    for (u32 i = 0; i < segments->count; i++) file_close(segments->items[i].fd);
    free(segments->items);
    *segments = (struct segments){0};
}

struct listing {
    struct segments *segments;
    const char *directory;
    bool write;
};

static bool name_number(const char *name, u64 *number)
{
    if (strlen(name) != 20 || strcmp(name + 16, ".log") != 0) return false;
    if (strspn(name, "0123456789abcdef") != 16) return false;
    *number = strtoull(name, NULL, 16);
    return *number != 0;
}

static i32 list_one(void *owner, const char *name)
{
    struct listing *listing = owner;
    char path[FILE_PATH_BYTES];
    i32 result = file_join(path, listing->directory, name);
    if (result < 0) return result;
    if (strcmp(name, SEGMENTS_UNUSED) == 0) listing->segments->unused = true;
    if (strstr(name, ".preparing") != NULL) return listing->write ? file_remove(path) : 0;
    struct segment segment = {0};
    if (!name_number(name, &segment.number)) return 0;
    if (listing->segments->count == SEGMENTS_MAX) return -EMFILE;
    segment.fd = file_open(path, listing->write, false, &segment.direct);
    if (segment.fd < 0) return segment.fd;
    i64 bytes = file_bytes(segment.fd);
    if (bytes < 0) result = (i32)bytes;
    segment.bytes_max = bytes < 0 ? 0 : (u64)bytes / BLOCK_BYTES * BLOCK_BYTES;
    /* What a crash left in the page cache only must not be read as if it were durable. */
    if (result == 0 && listing->write) result = file_sync(segment.fd);
    if (result == 0 && !segments_add(listing->segments, &segment)) result = -ENOMEM;
    if (result < 0) file_close(segment.fd);
    return result;
}

i32 segments_open(struct segments *segments, const char *directory, bool write, char *error, u32 error_bytes)
{
    *segments = (struct segments){0};
    i32 result = write ? file_sync_directory(directory) : 0;
    struct listing listing = {.segments = segments, .directory = directory, .write = write};
    if (result == 0) result = file_names(directory, list_one, &listing);
    if (result < 0) {
        snprintf(error, error_bytes,
                 "cannot open the log in %s: %s; remedy: make it accessible for this user, "
                 "with enough open files (ulimit -n)",
                 directory, strerror(-result));
        segments_close(segments);
    }
    return result;
}

/* ---- Was it ever used? ---- */

i32 segments_unused_make(const char *directory)
{
    char path[FILE_PATH_BYTES];
    bool direct;
    i32 result = file_make_directory(directory);
    if (result >= 0) result = file_join(path, directory, SEGMENTS_UNUSED);
    if (result < 0) return result;
    i32 fd = file_open(path, true, true, &direct);
    if (fd < 0) return fd;
    result = file_sync(fd);
    file_close(fd);
    return result < 0 ? result : file_sync_directory(directory);
}

i32 segments_unused_remove(const char *directory)
{
    char path[FILE_PATH_BYTES];
    i32 result = file_join(path, directory, SEGMENTS_UNUSED);
    if (result == 0) result = file_remove(path);
    return result < 0 ? result : file_sync_directory(directory);
}

/* ---- Files ---- */

static i32 fill(i32 fd, u64 offset, u64 end)
{
    void *zeros = file_buffer(SEGMENT_FILL_BYTES);
    if (zeros == NULL) return -ENOMEM;
    i32 result = 0;
    while (result == 0 && offset < end) {
        u64 bytes = min_u64(SEGMENT_FILL_BYTES, end - offset);
        result = file_write_at(fd, zeros, bytes, offset);
        offset += bytes;
    }
    file_buffer_free(zeros, SEGMENT_FILL_BYTES);
    return result == 0 ? file_sync(fd) : result;
}

i32 segment_make(struct segment *segment, const char *directory, u64 number, u64 bytes_max)
{
    char path[FILE_PATH_BYTES], preparing[FILE_PATH_BYTES];
    *segment = (struct segment){.number = number, .fd = -1, .bytes_max = bytes_max};
    i32 result = segment_path(path, directory, number);
    if (result == 0) result = file_join(preparing, directory, SEGMENT_PREPARING);
    if (result < 0) return result;
    segment->fd = file_open(preparing, true, true, &segment->direct);
    if (segment->fd < 0) return segment->fd;
    result = file_allocate(segment->fd, bytes_max);
    if (result == 0) result = fill(segment->fd, 0, bytes_max);
    if (result == 0) result = file_rename(preparing, path);
    if (result == 0) result = file_sync_directory(directory);
    if (result == 0) return 0;
    file_close(segment->fd);
    segment->fd = -1;
    (void)file_remove(preparing);
    return result;
}

i32 segment_wipe(const struct segment *segment, u64 offset)
{
    ASSERT(offset % BLOCK_BYTES == 0);
    return fill(segment->fd, offset, segment->bytes_max);
}

i32 segment_remove(struct segment *segment, const char *directory)
{
    char path[FILE_PATH_BYTES];
    file_close(segment->fd);
    segment->fd = -1;
    i32 result = segment_path(path, directory, segment->number);
    return result < 0 ? result : file_remove(path);
}

/* ---- Reading ---- */

i32 window_open(struct segment_window *window, u64 ahead)
{
    ASSERT(ahead % BLOCK_BYTES == 0 && ahead <= WINDOW_AHEAD_BYTES);
    *window = (struct segment_window){
        .buffer = file_buffer(WINDOW_BYTES), .bytes_max = WINDOW_BYTES, .ahead = ahead};
    return window->buffer == NULL ? -ENOMEM : 0;
}

void window_close(struct segment_window *window)
{
    file_buffer_free(window->buffer, window->bytes_max);
    *window = (struct segment_window){0};
}

const void *window_at(struct segment_window *window, const struct segment *segment, u64 offset, u64 bytes,
                      i32 *result)
{
    ASSERT(offset % BLOCK_BYTES == 0 && bytes <= BATCH_BYTES_MAX && offset + bytes <= segment->bytes_max);
    *result = 0;
    bool inside = window->segment == segment->number && offset >= window->offset &&
                  offset + bytes <= window->offset + window->bytes;
    if (inside) return window->buffer + (offset - window->offset);
    /* What is in the window already is kept. */
    u64 kept = 0;
    if (window->segment == segment->number && offset >= window->offset &&
        offset < window->offset + window->bytes) {
        kept = window->offset + window->bytes - offset;
        memmove(window->buffer, window->buffer + (offset - window->offset), kept);
    }
    u64 wanted =
        min_u64(segment->bytes_max - offset, max_u64(round_up(bytes, BLOCK_BYTES), kept + window->ahead));
    wanted = min_u64(wanted, window->bytes_max);
    window->segment = 0;
    i64 got = file_read_at(segment->fd, window->buffer + kept, wanted - kept, offset + kept);
    if (got >= 0 && (u64)got != wanted - kept) got = -EIO;
    if (got < 0) {
        *result = (i32)got;
        return NULL;
    }
    window->segment = segment->number;
    window->offset = offset;
    window->bytes = wanted;
    return window->buffer;
}

enum batch_verdict window_batch(struct segment_window *window, const struct segment *segment, u64 offset,
                                u64 store_id, const struct batch **batch, i32 *result)
{
    *batch = NULL;
    *result = 0;
    struct batch_place place = {.store_id = store_id, .segment = segment->number, .offset = offset};
    place.bytes_max = sat_sub(segment->bytes_max, offset);
    if (place.bytes_max < BLOCK_BYTES) return BATCH_DAMAGED;
    u64 bytes = BLOCK_BYTES;
    for (;;) {
        *batch = window_at(window, segment, offset, bytes, result);
        if (*batch == NULL) return BATCH_DAMAGED;
        enum batch_verdict verdict = batch_check(*batch, bytes, &place);
        if (verdict != BATCH_SHORT) {
            /* A sound checksum over entries that do not add up was never written by this program. */
            return verdict == BATCH_VALID && !batch_entries_fit(*batch) ? BATCH_DAMAGED : verdict;
        }
        ASSERT(bytes == BLOCK_BYTES);
        bytes = batch_bytes_on_disk((*batch)->bytes);
    }
}
