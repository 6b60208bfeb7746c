/* The files of the log: DIRECTORY/NNNNNNNNNNNNNNNN.log, numbered in hexadecimal, ascending without gaps, each
 * written once from end to end before it is used. And a window to read through them. */
#ifndef DURABLE_SEGMENT_H
#define DURABLE_SEGMENT_H

#include "base/base.h"
#include "durable/batch.h"

#define SEGMENTS_MAX       65536u
#define SEGMENT_PREPARING  "segment.preparing" /* the name of one that is not filled yet */
#define SEGMENTS_UNUSED    "unused"            /* the name of the file that says so */
#define SEGMENT_FILL_BYTES (1u << 20)          /* of zeros in one write */

struct segment {
    u64 number;
    i32 fd;        /* -1: not open */
    bool direct;   /* O_DIRECT */
    u64 bytes_max; /* of the file */
    u64 bytes;     /* used by batches */
    u64 op_last;   /* last op at or before the end of this segment; 0: no batch is in it */
    u64 op_before; /* last op before this segment */
};

/* A growing list, ascending by number. */
struct segments {
    struct segment *items;
    u32 count;
    u32 capacity;
    bool unused; /* says the directory, see segments_unused_make() */
};

i32 segment_path(char *path, const char *directory, u64 number);
/* Lists the directory and opens each; names that are no segment's are left alone, but unfinished preparations
 * are removed when `write`. */
i32 segments_open(struct segments *segments, const char *directory, bool write, char *error, u32 error_bytes);
void segments_close(struct segments *segments);
/* A log without any batch is one that was lost, unless it says that it was never used: so a new one begins, that of
 * a backup too. Made with the directory, and durable, before there is a store; removed behind the first durable
 * batch. */
i32 segments_unused_make(const char *directory);
i32 segments_unused_remove(const char *directory);
/* false: no memory. */
bool segments_add(struct segments *segments, const struct segment *segment);
void segments_drop_first(struct segments *segments);

/* Makes a zero-filled segment, durable when this returns. */
i32 segment_make(struct segment *segment, const char *directory, u64 number, u64 bytes_max);
/* Zeroes from `offset` to the end, durably. */
i32 segment_wipe(const struct segment *segment, u64 offset);
i32 segment_remove(struct segment *segment, const char *directory);

#define WINDOW_AHEAD_BYTES (8u << 20)

/* A window over the segment being read. */
struct segment_window {
    u8 *buffer;
    u64 bytes_max;
    u64 ahead;   /* how much is read at once */
    u64 segment; /* 0: nothing read */
    u64 offset;
    u64 bytes;
};

i32 window_open(struct segment_window *window, u64 ahead);
void window_close(struct segment_window *window);
/* Makes [offset, offset + bytes) of the segment readable and points to it; reads ahead. NULL: *result says
 * why. */
const void *window_at(struct segment_window *window, const struct segment *segment, u64 offset, u64 bytes,
                      i32 *result);
/* The batch at `offset`, whole and checked; *result < 0 when reading failed. */
enum batch_verdict window_batch(struct segment_window *window, const struct segment *segment, u64 offset,
                                u64 store_id, const struct batch **batch, i32 *result);

#endif
