/* Desks for the targets: small, set up once, and back to that state after every input at the price of the
 * pages that it touched. And records of any kind, made from the schema as an input says. */
#ifndef FUZZ_DESK_H
#define FUZZ_DESK_H

#include "core/state.h"
#include "tests/fuzz/input.h"

#define FUZZ_FRAME_BYTES_MAX (64u << 10)
#define FUZZ_LOG_BYTES_MAX   (4u << 20)

#define FUZZ_DESK_RUNS_MAX 256u

/* A state in memory whose first contents are kept in a file without a name. Pages that a filled desk uses are
 * copied back after every input, without the kernel; what lies between them is dropped when it was touched. */
struct fuzz_desk {
    struct state *state;
    u8 *memory;
    u8 *first; /* its contents, to be read */
    u64 bytes;
    int fd;
    i64 faults; /* of this process, when it was reset */
    struct fuzz_desk_run {
        u64 begin, end;
    } runs[FUZZ_DESK_RUNS_MAX]; /* that are copied back, ascending */
    u32 runs_count;
    /* Every frame applied since the last reset, each behind its time. */
    u8 *log;
    u32 log_used;
};

/* The frame being built. */
struct fuzz_frame {
    struct tkd_frame head;
    u8 body[FUZZ_FRAME_BYTES_MAX];
};

/* A small desk: a few of everything, tickets that wait, are held, answered, tagged, solved; a session. Or one
 * that nothing was loaded into yet. */
void fuzz_desk_open(struct fuzz_desk *desk, bool filled);
void fuzz_desk_reset(struct fuzz_desk *desk);

void fuzz_frame_begin(struct fuzz_frame *frame, u32 op);
/* One record: what a plain legal one has, changed member by member as the input says. */
void fuzz_frame_add(struct fuzz_frame *frame, u32 record, struct input *input);

/* Deadlines and unfinished work up to then. */
void fuzz_desk_pulse(struct fuzz_desk *desk, u64 now_ms);
/* Admits and, if it may, applies. */
enum tkd_status fuzz_desk_run(struct fuzz_desk *desk, const struct tkd_frame *frame, u64 now_ms,
                              struct tkd_result *results);

/* Asks what the input says; events are read from another desk. The rows of the answer lie one behind the other and
 * fill what was said. */
void fuzz_desk_query(struct fuzz_desk *desk, struct state *events, struct input *input, u64 now_ms);

/* Applies what was applied to another desk, up to this op. */
void fuzz_desk_replay(struct fuzz_desk *desk, const struct fuzz_desk *from, u64 op_last);

#endif
