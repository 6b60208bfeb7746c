/* The pipeline: sequence -> admit -> deadlines first -> log ∥ apply -> hold -> release.
 *
 * Invariants:
 *  - every command gets the next op and one time, is appended to the log and applied in the same call: the
 *    log's order is the state's order;
 *  - time never passes an unfired deadline: PULSEs up to the command's time are logged and applied before it,
 *    and when too much is due for one turn, a command is stamped no later than the next deadline;
 *  - an answer leaves only when everything it saw is durable: it is held with the last op applied when it was
 *    made;
 *  - an event is shown to subscribers only when the command that raised it is durable;
 *  - who must wait for the log or the store waits for a completion, never in a loop.
 */
#ifndef EDGE_PIPELINE_H
#define EDGE_PIPELINE_H

#include "base/base.h"
#include "core/state.h"
#include "durable/checkpoint.h"
#include "durable/wal.h"
#include "edge/conn.h"

#define PIPELINE_PULSE_WORK_PER_TURN LIMIT(2048u, 64u) /* events, about */
#define PIPELINE_HELD_MAX            LIMIT(1u << 17, 16u)
#define PIPELINE_MARKS_MAX           LIMIT(1u << 12, 2u)

/* An answer that may leave when `op` is durable: the connection's bytes up to `position`. */
struct held {
    u64 op;
    u64 position;
    u32 conn;
    u32 generation;
};

/* When `op` is durable, so are all events up to `event_seq`. */
struct mark {
    u64 op;
    u64 event_seq;
};

struct pipeline {
    struct state *state;
    struct wal *wal;
    struct checkpoint *checkpoint;
    struct conns *conns;
    bool virtual_clock;
    bool stopping;       /* new commands are refused with STOPPING */
    bool blocked;        /* commands wait in this turn: log, store or held answers are full */
    u64 pulse_work_left; /* in this turn */
    u64 turn_ms;         /* the turn's time */
    u64 reached_ms;      /* deadlines up to here have been asked for: time does not go back behind it */
    struct held *held;
    u64 held_begin;
    u64 held_end;
    struct mark *marks;
    u64 marks_begin;
    u64 marks_end;
    u64 marked_op;
    u64 durable_seq; /* last event that may be shown */
    u64 commands;    /* applied since the start */
    u64 pulses;
};

enum pipeline_verdict {
    PIPELINE_APPLIED = 1, /* results were written */
    PIPELINE_REPLAYED,    /* so were the first results of a repeated request */
    PIPELINE_REFUSED,     /* *status says why; nothing was done */
    PIPELINE_WAIT         /* not now: try again in a later turn */
};

bool pipeline_create(struct pipeline *pipeline, struct state *state, struct wal *wal,
                     struct checkpoint *checkpoint, struct conns *conns, bool virtual_clock);
void pipeline_destroy(struct pipeline *pipeline);

/* A turn begins: its time, and the deadlines that are due by then. */
void pipeline_turn(struct pipeline *pipeline, u64 wall_ms);
/* Takes one verified command frame; `results` has room for its results. */
enum pipeline_verdict pipeline_command(struct pipeline *pipeline, const struct tkd_frame *frame,
                                       void *results, u32 *results_bytes, enum tkd_status *status);
/* The answer that ends at `position` saw the state as of `op` (0: nothing of it). */
void pipeline_hold(struct pipeline *pipeline, struct conn *conn, u64 position, u64 op);
bool pipeline_hold_room(const struct pipeline *pipeline);
/* The turn's commands are through: the log may write them. */
void pipeline_submit(struct pipeline *pipeline);
/* The log has become durable further: releases what waited for it. */
void pipeline_release(struct pipeline *pipeline);

/* Deadlines or routing could be worked on at once. */
bool pipeline_pending(struct pipeline *pipeline);
/* Wall clock: when the next deadline is due, as milliseconds from the turn's time; U64_NONE = never. */
u64 pipeline_due_in_ms(struct pipeline *pipeline);
/* Nothing is applied that is not durable, and every answer was released. */
bool pipeline_settled(const struct pipeline *pipeline);

#endif
