/* The unit of the log: one write, one checksum. What the bytes on the disk mean; pure.
 *
 * A batch is a header, `entries` entries (each a header and the client's frame as it came) and zeros up to a
 * whole number of blocks. The chain checksum runs through the entries: that of an entry is the hash of its
 * header and frame, seeded with the one before, so it names everything logged since the log began. A batch
 * repeats the one before its first entry as `previous`.
 *
 * A batch without entries is a mark: it tells that all batches before it are durable.
 */
#ifndef DURABLE_BATCH_H
#define DURABLE_BATCH_H

#include "base/base.h"

#define BATCH_MAGIC        0x314c4157444b54u /* "TKDWAL1" */
#define LOG_FORMAT_VERSION 1u
#define BLOCK_BYTES        4096u
#define BATCH_BYTES_MAX    (16u << 20)

struct batch {
    u64 checksum; /* XXH3 of the `bytes` bytes of the batch behind this member, seeded with its position */
    u64 magic;
    u32 format_version;
    u32 machine_version;
    u64 store_id;
    u64 segment; /* number of the segment and place in it: stale bytes never fit */
    u64 offset;
    u64 seq;         /* 1.. without gaps */
    u64 durable_seq; /* batches up to this were known to be durable when this one was written */
    u64 previous;    /* chain checksum before the first entry */
    u64 first_op;    /* of the first entry; of a mark: the next one to come */
    u32 entries;
    u32 bytes;       /* of header and entries, without the zeros behind */
    u64 reserved[5]; /* 0 */
};
_Static_assert(sizeof(struct batch) == 128, "batch header");

struct batch_entry {
    u64 checksum; /* chain checksum after this entry */
    u64 op;
    u64 time_ms;
    u32 bytes;    /* of the frame behind this; a multiple of 8 */
    u32 reserved; /* 0 */
};
_Static_assert(sizeof(struct batch_entry) == 32, "entry header");

static inline u64 batch_bytes_on_disk(u32 bytes) { return round_up(bytes, BLOCK_BYTES); }

enum batch_verdict {
    BATCH_VALID = 1,
    BATCH_DAMAGED, /* anything that is not a batch of this place: zeros, stale or torn bytes */
    BATCH_SHORT,   /* looks like one, but ends beyond the bytes given */
    BATCH_FOREIGN, /* sound, but of another store */
    BATCH_FORMAT,  /* of another version of this format */
};

/* Where a batch is looked for. */
struct batch_place {
    u64 store_id; /* 0: any */
    u64 segment;
    u64 offset;
    u64 bytes_max; /* up to the segment's end */
};

/* `available` bytes can be read at `batch`. */
enum batch_verdict batch_check(const struct batch *batch, u64 available, const struct batch_place *place);
/* Fills in the checksum and zeroes the rest of the last block. */
void batch_seal(struct batch *batch);

/* Adds an entry behind `entry` (which lies in the batch); returns its chain checksum. `frame` has `bytes`. */
u64 batch_entry_fill(struct batch_entry *entry, u64 previous, u64 op, u64 time_ms, const void *frame,
                     u32 bytes);
u64 batch_entry_checksum(const struct batch_entry *entry, u64 previous);

/* The entries of a valid batch, in order; NULL behind the last one, or when the next one does not fit. */
const struct batch_entry *batch_entry_next(const struct batch *batch, const struct batch_entry *entry);
/* Do the entries fill the batch exactly, with ascending ops? */
bool batch_entries_fit(const struct batch *batch);

#endif
