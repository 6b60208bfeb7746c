/* The desk: all state, and the one function that changes it.
 *
 *     apply(state, command, time) -> results + events
 *
 * Pure and deterministic: no I/O, no clock, no allocation, no randomness, no pointer in a row. The same
 * commands in the same order give the same state, the same events and the same results, bit for bit.
 *
 * How the edge uses it, for every frame that verified (frame.h):
 *     state_admit()      may it run now? a repeated request is answered from the session instead
 *     state_due()        while a deadline or unfinished routing is due before the command's time:
 *                        log and apply a PULSE first (a frame with op PULSE and no records; state_admit()
 *                        it too), bounded work each; with nothing due it only moves the time
 *     wal_append(); state_apply()
 */
#ifndef CORE_STATE_H
#define CORE_STATE_H

#include "base/base.h"
#include "core/event.h"

#define STATE_MACHINE_VERSION 2u

struct state;

struct state_config {
    u64 secret;        /* seeds all hashes; drawn when the store was made, shown to nobody */
    u64 memory_bytes;  /* budget: decides how many rows the tables may have */
    u64 event_ring_bytes;
    bool virtual_clock;
};

/* Address space to reserve (zeroed, touched only as needed) for a state of this configuration. */
u64 state_bytes(const struct state_config *config);
/* Lays the state out in `memory`. */
struct state *state_create(const struct state_config *config, void *memory);

/* ---- Loading. Chunks first, then state_loaded() derives every index; then the log is replayed. ---- */

/* false: no such table, beyond the budget (raise it), or the wrong size. */
bool state_load_chunk(struct state *state, u32 table, u32 chunk, const void *data, u32 bytes);
/* `error` says what does not fit together; false then. */
bool state_loaded(struct state *state, u64 op, u64 time_ms, u64 event_seq, char *error, u32 error_bytes);

/* ---- Commands ---- */

/* What a PULSE does, its time at most the command's: while a catalog change is swept over the tickets, the next
 * SWEEP_ROWS_MAX of them in the order of their rows, at the time of the last command, and no more. Else agents who
 * are still owed work get it, by id, DRAIN_MAX tasks, as of the next deadline if one has come; when that is done,
 * deadlines fire in the order (deadline, ticket, a ticket's own before its task's), PULSE_TIMERS_MAX of them. */
struct command {
    u64 op;        /* state_op() + 1 */
    u64 time_ms;   /* >= state_time() */
    const struct tkd_frame *frame; /* verified; body behind it */
};

/* What to do with a verified command frame:
 * OK: apply it. EXISTS: it was applied before, `*reply` points to the kept results, of `*reply_bytes`
 * (valid until the next apply). Everything else: refuse the frame with this status; nothing is logged.
 * Checks the session's seq and window, room in every table and in the event ring. BUSY: there is no room in
 * the event ring until the store has taken more. */
enum tkd_status state_admit(const struct state *state, const struct tkd_frame *frame, const void **reply,
                            u32 *reply_bytes);
/* Applies one admitted command. Writes count results (16 bytes each) to `results`; returns their bytes. */
u32 state_apply(struct state *state, const struct command *command, void *results);
/* Is a PULSE wanted? 0: at once (routing is unfinished). <= now_ms: a deadline at that time has come; PULSE at
 * any time from it on fires it. Above now_ms: nothing is due, ask again then (it may be earlier than the
 * next deadline). U64_NONE: no deadline at all. A command must not be applied at a time above an unfired
 * deadline; at the same time it may. Only the wheel's hands move. */
u64 state_due(struct state *state, u64 now_ms);
/* May it be the next one: by its op, and its time, before which no deadline is left unless it is a PULSE? */
bool state_follows(struct state *state, const struct command *command);

u64 state_op(const struct state *state);
u64 state_time(const struct state *state);
struct event_log *state_events(struct state *state);
const struct event_log *state_events_read(const struct state *state);
/* Checksum of the state; slow. Full: every row of every table, bit for bit, and the place in log and event
 * stream: equal after recovery. Otherwise only the desk itself, without what depends on how commands were
 * packed into frames and sessions: equal for two desks with the same history. */
u64 state_digest(const struct state *state, bool full);
/* Walks everything and asserts what must hold; for tests, and after recovery in debug builds. */
void state_validate(const struct state *state);
/* Memory that rows, indexes and ring have touched so far, about. */
u64 state_memory_bytes(const struct state *state);
/* Names the pieces of its memory that grow with the number of tickets, always in the same order: what of them is in
 * use, or will be in a moment, and all. */
typedef void state_piece_fn(void *owner, void *memory, u64 used_bytes, u64 bytes);
void state_pieces(const struct state *state, state_piece_fn *piece, void *owner);
/* Names that of rows that are saved while a snapshot runs: it grows fast then, and is not used between two. */
void state_piece_saved(const struct state *state, state_piece_fn *piece, void *owner);
/* Names what loading so many chunks of each table is going to use of them, in its order. */
void state_pieces_of(const struct state *state, const u64 chunks[], void (*piece)(void *owner, void *memory, u64 bytes),
                     void *owner);

/* ---- Snapshot for a checkpoint: the rows as of the op at begin, copied out while the desk goes on. ---- */

void state_snapshot_begin(struct state *state);
/* Fills `buffer` with `struct store_chunk` headers and data (base/chunk.h) up to `bytes_max` (at least
 * 4096), working at most about `chunks_max` chunks. Returns the bytes; `*finished` when nothing is left. */
u64 state_snapshot_slice(struct state *state, void *buffer, u64 bytes_max, u32 chunks_max, bool *finished);
/* Too many rows had to be saved before they changed, and wait for their slice: the edge slows intake down. */
bool state_snapshot_lags(const struct state *state);
bool state_snapshot_running(const struct state *state);
u32 state_snapshot_pending(const struct state *state); /* chunks that are still to be copied */

/* ---- Queries ---- */

/* Runs the query `op` with its verified request record; running clocks are read as of now_ms. Writes rows to
 * `rows`; returns their bytes, sets *count, *cursor (0 = finished) and *status (OK, or why not). Bounded work:
 * a long query ends a page early with a cursor. All queries but STATUS and EVENTS, which are the edge's. */
u32 state_query(const struct state *state, u32 op, const void *record, u64 now_ms,
                const struct event_source *events, void *rows, u32 rows_bytes_max, u32 *count, u64 *cursor,
                enum tkd_status *status);

#endif
