/* Frames as examples: built member by member, sealed, and listed as text. From them come the worked examples
 * of PROTOCOL.md and the golden vectors in tests/golden. */
#ifndef PROTOCOL_FRAMES_H
#define PROTOCOL_FRAMES_H

#include <stdio.h>

#include "ticketd/client.h"

#define EXAMPLE_BYTES_MAX 8192u

struct example {
    const char *name;
    const char *description;
    union {
        struct tkd_frame header;
        _Alignas(8) u8 bytes[EXAMPLE_BYTES_MAX];
    } frame;
};

/* Each appends to the frame; texts as in tkd_add(). A result has no texts and no prefix. */
void example_begin(struct example *example, u16 op, u16 flags, u64 seq);
void example_add(struct example *example, u32 record, const void *head, const struct tkd_text *texts);
void example_seal(struct example *example);

/* The record kind that the frame's body consists of. */
u32 example_record(const struct tkd_frame *frame);

/* Hand-made frames; false when there is no such one. */
bool example_worked(struct example *example, u32 index);
/* A frame for every record of every op, every member set. */
bool example_members(struct example *example, u32 index);

/* One line for the header and one a record: `name member=value…`, each behind `lead`. The frame must be
 * well-formed. */
void frame_print(FILE *to, const struct tkd_frame *frame, const char *lead);
/* Byte by byte: offset, bytes, member and value. */
void frame_print_bytes(FILE *to, const struct tkd_frame *frame);

/* A golden file: frames as paragraphs of comment lines and hexadecimal bytes. */
typedef bool example_source(struct example *example, u32 index);
void golden_write(FILE *to, const char *title, example_source *source);

#endif
