#include "edge/pipeline.h"

#include <stdlib.h>

#include "base/mark.h"
#include "core/frame.h"

/* What a PULSE costs beside the events that it raises; unfinished work may touch many rows without any. */
#define PULSE_WORK            8u
#define REFUSED_LOOK_MS       LIMIT(60000u, 1000u)
#define PULSE_WORK_UNFINISHED LIMIT(512u, 16u)

bool pipeline_create(struct pipeline *pipeline, struct state *state, struct wal *wal,
                     struct checkpoint *checkpoint, struct conns *conns, bool virtual_clock)
{
    *pipeline = (struct pipeline){.state = state,
                                  .wal = wal,
                                  .checkpoint = checkpoint,
                                  .conns = conns,
                                  .virtual_clock = virtual_clock,
                                  .marked_op = state_op(state),
                                  .durable_seq = state_events_read(state)->seq_next - 1};
    pipeline->held = calloc(PIPELINE_HELD_MAX, sizeof(*pipeline->held));
    pipeline->marks = calloc(PIPELINE_MARKS_MAX, sizeof(*pipeline->marks));
    return pipeline->held && pipeline->marks;
}

void pipeline_destroy(struct pipeline *pipeline)
{
    free(pipeline->held);
    free(pipeline->marks);
}

/* ---- Applying ---- */

/* Why no new command is taken at all, or OK. A full disk refuses at once, so that what room is left serves the
 * deadlines. What was done before is still answered as done: nobody may hear that it was not. */
static enum tkd_status closed_for(const struct pipeline *pipeline)
{
    if (pipeline->stopping) return TKD_STOPPING;
    return wal_full(pipeline->wal) || checkpoint_full(pipeline->checkpoint) ? TKD_STORAGE_FULL : TKD_OK;
}

/* May a frame of this size be taken now? WAIT or REFUSED if not. */
static enum pipeline_verdict room(struct pipeline *pipeline, u32 frame_bytes, enum tkd_status *status)
{
    if (wal_room(pipeline->wal, frame_bytes)) {
        if (!checkpoint_slow(pipeline->checkpoint) && pipeline_hold_room(pipeline)) return PIPELINE_APPLIED;
    } else if (wal_full(pipeline->wal)) {
        MARK("command refused: log full");
        *status = TKD_STORAGE_FULL;
        return PIPELINE_REFUSED;
    }
    MARK("command waits for log or store");
    pipeline->blocked = true;
    return PIPELINE_WAIT;
}

static u32 apply(struct pipeline *pipeline, const struct tkd_frame *frame, u64 time_ms, void *results)
{
    struct command command = {.op = state_op(pipeline->state) + 1, .time_ms = time_ms, .frame = frame};
    ASSERT(time_ms >= state_time(pipeline->state));
    wal_append(pipeline->wal, command.op, time_ms, frame);
    u32 bytes = state_apply(pipeline->state, &command, results);
    ASSERT(state_op(pipeline->state) == command.op);
    return bytes;
}

/* Logs and applies one PULSE at `time_ms`, which fires what is due by then, or goes on with unfinished
 * routing as far as one command may. false: not now. */
static bool pulse(struct pipeline *pipeline, u64 time_ms, bool unfinished)
{
    struct tkd_frame frame = {
        .magic = TKD_MAGIC, .version = TKD_PROTOCOL_VERSION, .op = TKD_OP_PULSE, .size = TKD_FRAME_BYTES};
    const void *reply;
    u32 reply_bytes;
    if (pipeline->blocked || pipeline->pulse_work_left == 0) return false;
    /* Intake slows down while the store is behind; deadlines do not. */
    if (!wal_room(pipeline->wal, frame.size)) {
        pipeline->blocked = true;
        return false;
    }
    frame_seal(&frame);
    if (state_admit(pipeline->state, &frame, &reply, &reply_bytes) != TKD_OK) {
        pipeline->blocked = true;
        return false;
    }
    u64 events = state_events_read(pipeline->state)->seq_next;
    u32 bytes = apply(pipeline, &frame, time_ms, NULL);
    ASSERT(bytes == 0);
    u64 work = (unfinished ? PULSE_WORK_UNFINISHED : PULSE_WORK) +
               state_events_read(pipeline->state)->seq_next - events;
    pipeline->pulse_work_left = sat_sub(pipeline->pulse_work_left, work);
    pipeline->pulses++;
    return true;
}

/* Fires what is due up to `until_ms`; false: something is left for another turn. */
static bool pulse_until(struct pipeline *pipeline, u64 until_ms)
{
    ASSERT(until_ms >= pipeline->reached_ms);
    pipeline->reached_ms = until_ms;
    for (;;) {
        u64 due_ms = state_due(pipeline->state, until_ms);
        if (due_ms > until_ms) return true;
        MARK_IF(pipeline->blocked || pipeline->pulse_work_left == 0, "deadlines left for another turn");
        if (!pulse(pipeline, until_ms, due_ms == 0)) return false;
    }
}

/* No command may be stamped earlier: the desk has reached this time, or is being brought there. */
static u64 time_min(const struct pipeline *pipeline)
{
    return max_u64(state_time(pipeline->state), pipeline->reached_ms);
}

void pipeline_turn(struct pipeline *pipeline, u64 wall_ms)
{
    MARK_IF(!pipeline->virtual_clock && wall_ms < time_min(pipeline), "wall clock behind the desk's time");
    pipeline->turn_ms = time_min(pipeline);
    if (!pipeline->virtual_clock) pipeline->turn_ms = max_u64(pipeline->turn_ms, wall_ms);
    pipeline->pulse_work_left = PIPELINE_PULSE_WORK_PER_TURN;
    pipeline->blocked = false;
    pulse_until(pipeline, pipeline->turn_ms);
}

/* The time of a new command. REFUSED, or WAIT while deadlines before it are left for another turn. */
static enum pipeline_verdict time_of(struct pipeline *pipeline, const struct tkd_frame *frame, u64 *time_ms,
                                     enum tkd_status *status)
{
    if (pipeline->virtual_clock) {
        *time_ms = max_u64(frame->time_ms, time_min(pipeline));
        MARK_IF(frame->time_ms != 0 && frame->time_ms < *time_ms, "time of a frame goes back");
        if (frame->time_ms != 0 && frame->time_ms < *time_ms) {
            *status = TKD_BAD_TIME;
            return PIPELINE_REFUSED;
        }
        return pulse_until(pipeline, *time_ms) ? PIPELINE_APPLIED : PIPELINE_WAIT;
    }
    if (frame->time_ms != 0) {
        *status = TKD_BAD_TIME;
        return PIPELINE_REFUSED;
    }
    pulse_until(pipeline, pipeline->turn_ms);
    u64 due_ms = state_due(pipeline->state, pipeline->turn_ms);
    *time_ms = max_u64(min_u64(pipeline->turn_ms, due_ms), state_time(pipeline->state));
    MARK_IF(*time_ms < pipeline->turn_ms, "command stamped before deadlines that are left");
    return PIPELINE_APPLIED;
}

/* A refusal does not move the desk's time, but who may be evicted for want of room depends on it. */
static bool time_moved(struct pipeline *pipeline)
{
    if (pipeline->virtual_clock || pipeline->turn_ms < state_time(pipeline->state) + REFUSED_LOOK_MS) return false;
    MARK("time moves before a session is refused");
    return pulse(pipeline, pipeline->turn_ms, false);
}

enum pipeline_verdict pipeline_command(struct pipeline *pipeline, const struct tkd_frame *frame,
                                       void *results, u32 *results_bytes, enum tkd_status *status)
{
    const void *reply = NULL;
    u64 time_ms = 0;
    enum tkd_status closed = closed_for(pipeline);
    if (pipeline->blocked && closed == TKD_OK) return PIPELINE_WAIT;
    *results_bytes = 0;
    *status = state_admit(pipeline->state, frame, &reply, results_bytes);
    if (*status == TKD_WINDOW_FULL && closed == TKD_OK && time_moved(pipeline))
        *status = state_admit(pipeline->state, frame, &reply, results_bytes);
    if (*status == TKD_EXISTS) {
        MARK_IF(closed == TKD_STOPPING, "command of before repeated while stopping");
        memcpy(results, reply, *results_bytes);
        *status = TKD_OK;
        return PIPELINE_REPLAYED;
    }
    if (*status != TKD_OK && *status != TKD_BUSY) return PIPELINE_REFUSED;
    if (closed != TKD_OK) {
        MARK_IF(closed == TKD_STORAGE_FULL, "command refused: no room on the disk");
        MARK_IF(closed == TKD_STOPPING, "command refused: stopping");
        *status = closed;
        return PIPELINE_REFUSED;
    }
    u64 op = state_op(pipeline->state);
    enum pipeline_verdict verdict = time_of(pipeline, frame, &time_ms, status);
    if (verdict != PIPELINE_APPLIED) return verdict;
    /* Deadlines that fired have changed the desk: ask again. */
    if (state_op(pipeline->state) != op) *status = state_admit(pipeline->state, frame, &reply, results_bytes);
    if (*status == TKD_BUSY) {
        pipeline->blocked = true;
        return PIPELINE_WAIT;
    }
    MARK_IF(*status != TKD_OK && *status != TKD_BUSY, "command refused after the deadlines before it");
    if (*status != TKD_OK) return PIPELINE_REFUSED;
    verdict = room(pipeline, frame->size, status);
    if (verdict != PIPELINE_APPLIED) return verdict;
    *results_bytes = apply(pipeline, frame, time_ms, results);
    pipeline->commands++;
    *status = TKD_OK;
    return PIPELINE_APPLIED;
}

/* ---- Holding and releasing ---- */

bool pipeline_hold_room(const struct pipeline *pipeline)
{
    return pipeline->held_end - pipeline->held_begin < PIPELINE_HELD_MAX;
}

void pipeline_hold(struct pipeline *pipeline, struct conn *conn, u64 position, u64 op)
{
    bool waits = conn->out.released != conn->held_position;
    if (!waits && op <= wal_durable_op(pipeline->wal)) {
        conn->held_position = position;
        conn_release(conn, position);
        return;
    }
    conn->held_position = position;
    if (pipeline->held_end > pipeline->held_begin) {
        struct held *last = &pipeline->held[(pipeline->held_end - 1) % PIPELINE_HELD_MAX];
        if (last->op == op && last->conn == conn->index && last->generation == conn->generation) {
            MARK("answer joins the one held before");
            last->position = position;
            return;
        }
    }
    ASSERT(pipeline_hold_room(pipeline));
    pipeline->held[pipeline->held_end++ % PIPELINE_HELD_MAX] =
        (struct held){.op = op, .position = position, .conn = conn->index, .generation = conn->generation};
}

/* Remembers how far the events of the commands applied so far go. */
static void mark(struct pipeline *pipeline)
{
    u64 op = state_op(pipeline->state);
    u64 event_seq = state_events_read(pipeline->state)->seq_next - 1;
    if (op == pipeline->marked_op) return;
    if (pipeline->marks_end - pipeline->marks_begin == PIPELINE_MARKS_MAX) {
        MARK("events of several turns released together");
        pipeline->marks_end--;
    }
    pipeline->marks[pipeline->marks_end++ % PIPELINE_MARKS_MAX] =
        (struct mark){.op = op, .event_seq = event_seq};
    pipeline->marked_op = op;
}

void pipeline_submit(struct pipeline *pipeline)
{
    mark(pipeline);
    wal_submit(pipeline->wal);
    pipeline_release(pipeline);
}

void pipeline_release(struct pipeline *pipeline)
{
    u64 durable_op = wal_durable_op(pipeline->wal);
    while (pipeline->held_begin < pipeline->held_end) {
        const struct held *held = &pipeline->held[pipeline->held_begin % PIPELINE_HELD_MAX];
        if (held->op > durable_op) break;
        pipeline->held_begin++;
        struct conn *conn = &pipeline->conns->slots[held->conn];
        MARK_IF(conn->generation != held->generation || conn->phase == CONN_FREE,
                "answer held for a connection that is gone");
        if (conn->generation == held->generation && conn->phase != CONN_FREE)
            conn_release(conn, held->position);
    }
    while (pipeline->marks_begin < pipeline->marks_end) {
        const struct mark *next = &pipeline->marks[pipeline->marks_begin % PIPELINE_MARKS_MAX];
        if (next->op > durable_op) break;
        pipeline->marks_begin++;
        pipeline->durable_seq = next->event_seq;
    }
}

/* ---- What is left ---- */

bool pipeline_pending(struct pipeline *pipeline)
{
    return !pipeline->blocked && state_due(pipeline->state, pipeline->reached_ms) <= pipeline->reached_ms;
}

u64 pipeline_due_in_ms(struct pipeline *pipeline)
{
    u64 due_ms = state_due(pipeline->state, pipeline->reached_ms);
    if (pipeline->virtual_clock || due_ms == U64_NONE) return U64_NONE;
    return sat_sub(due_ms, pipeline->turn_ms);
}

bool pipeline_settled(const struct pipeline *pipeline)
{
    return pipeline->held_begin == pipeline->held_end && wal_idle(pipeline->wal) &&
           wal_durable_op(pipeline->wal) == state_op(pipeline->state);
}
