/* What must be true, kept beside the engine: every command it has logged, which of them somebody was told of,
 * and a second desk that replays them one after another and never crashes. */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include "core/state.h"
#include "durable/recovery.h"

struct state_config; /* of the desk under test */

void oracle_create(const struct state_config *config);
void oracle_destroy(void);

/* A client has sent this frame, or will. Frames are told apart by their bytes. */
u64 oracle_sent(const struct tkd_frame *frame);
/* A client was told that the frame was applied, with these results. */
void oracle_acknowledged(u64 frame_hash, const void *results, u32 bytes);
/* A client was told that the frame was not, and sends it no more. */
void oracle_not_taken(u64 frame_hash);
/* Is it in the log, as far as the process knows? */
bool oracle_applied(u64 frame_hash);
/* A subscriber has seen this event. */
void oracle_seen(const struct tkd_event *event);
u64 oracle_events_shown(void); /* the newest one that anybody has seen */
/* A client was given this answer to a query: what it shows must never be taken back. */
void oracle_shown(const struct tkd_frame *answer);

/* A client was told that this request will never be taken: EXPIRED, FORGOTTEN or REUSED, of its session and
 * seq. */
void oracle_refused(u64 session, u64 seq, u32 status);
/* A client was told that a checkpoint covers this op: the store begins with it, or later, from now on. */
void oracle_checkpointed(u64 op);

/* The process has recovered: compares everything. */
void oracle_recovered(const struct recovery *recovery);
/* The desk, which has recovered, ran undisturbed until then: nothing that was due is left. */
void oracle_deadlines(u64 wall_ms);
u64 oracle_events(void); /* raised by the commands known to be durable */
u64 oracle_commands(void);
/* The newest op that anybody was shown something of. */
u64 oracle_told_op(void);
/* A desk started from a backup; when that was asked for, `op_min` had been told of. */
void oracle_backup(const struct state *backup, u64 op_min);
/* The timers of a desk that was loaded are those of one that never stopped (timers.c). */
bool timers_equal(const struct state *state, const struct state *other);

#endif
