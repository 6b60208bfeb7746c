#include "core/session.h"

#include "base/mark.h"
#include "core/desk.h"

#define SESSION_ROW_BITS 12
_Static_assert(SESSIONS_MAX < 1u << SESSION_ROW_BITS, "a session's row fits into its id");

static u64 request_hash(const struct tkd_frame *frame)
{
    u64 head[3] = {frame->body_checksum, (u64)frame->op << 32 | frame->flags, (u64)frame->count << 32 | frame->size};
    return hash64(head, sizeof head, frame->time_ms);
}

u32 session_find(const struct state *state, u64 id)
{
    u32 row = (u32)(id & ((1u << SESSION_ROW_BITS) - 1));
    if (row == 0 || !table_used(&state->tables[TABLE_SESSION], row)) return 0;
    return session_row(state, row)->id == id ? row : 0;
}

/* The kept results, put together. */
static enum tkd_status session_replay(const struct state *state, const struct session *session,
                                      const struct tkd_frame *frame, const void **reply, u32 *reply_bytes)
{
    const struct session_slot *slot = &session->slots[frame->seq % SESSION_WINDOW_MAX];
    MARK_IF(slot->hash != request_hash(frame), "other request under a seq that was used");
    if (slot->hash != request_hash(frame)) return TKD_SEQUENCE_REUSED;
    u32 count = 0;
    for (u32 part = slot->part; part != 0; part = reply_row(state, part)->next) {
        u32 some = min_u32(REPLY_PART_RESULTS, slot->count - count);
        memcpy(state->results + count, reply_row(state, part)->results, some * sizeof(struct tkd_result));
        count += some;
    }
    ASSERT(count == slot->count);
    MARK("kept answer given again");
    *reply = state->results;
    *reply_bytes = count * (u32)sizeof(struct tkd_result);
    return TKD_EXISTS;
}

enum tkd_status session_admit(const struct state *state, const struct tkd_frame *frame, const void **reply,
                              u32 *reply_bytes)
{
    u32 row = session_find(state, frame->session);
    MARK_IF(row == 0, "request of a session that is gone");
    if (row == 0) return TKD_SESSION_EXPIRED;
    const struct session *session = session_row(state, row);
    MARK_IF(frame->seq > session->next_seq, "gap in a session's seq");
    if (frame->seq > session->next_seq) return TKD_SEQUENCE_GAP;
    MARK_IF(frame->seq < session->ack_below, "answer asked for again that is no longer kept");
    if (frame->seq < session->ack_below) return TKD_SEQUENCE_FORGOTTEN;
    if (frame->seq < session->next_seq) return session_replay(state, session, frame, reply, reply_bytes);
    MARK_IF(session->halted && frame->flags & TKD_FLAG_STOP, "request of a halted session");
    if (session->halted && frame->flags & TKD_FLAG_STOP) return TKD_HALTED;
    u64 ack_below = max_u64(session->ack_below, min_u64(frame->ack_below, frame->seq));
    MARK_IF(frame->seq - ack_below >= session->window, "window full");
    return frame->seq - ack_below < session->window ? TKD_OK : TKD_WINDOW_FULL;
}

static void slot_drop(struct state *state, u32 row, u64 seq)
{
    struct session_slot *slot = &session_edit(state, row)->slots[seq % SESSION_WINDOW_MAX];
    for (u32 part = slot->part; part != 0;) {
        u32 next = reply_row(state, part)->next;
        table_give(&state->tables[TABLE_REPLY], part);
        part = next;
    }
    *slot = (struct session_slot){0};
}

static u32 parts_of(u32 count) { return (count + REPLY_PART_RESULTS - 1) / REPLY_PART_RESULTS; }

/* Parts that hold the session's answers to seq from `from` up to below `to`. */
static u32 parts_kept(const struct session *session, u64 from, u64 to)
{
    u32 parts = 0;
    for (u64 seq = from; seq < to; seq++) parts += parts_of(session->slots[seq % SESSION_WINDOW_MAX].count);
    return parts;
}

/* Whose kept answers may make room for others'; by now, or, before a command, by the time of the last one. */
static bool session_idle(const struct state *state, u32 row, u32 not_row)
{
    return row != not_row && table_used(&state->tables[TABLE_SESSION], row) &&
           session_row(state, row)->used_ms + SESSION_IDLE_MS <= state->time_ms;
}

static u32 parts_idle(const struct state *state, u32 not_row)
{
    u32 parts = 0;
    for (u32 row = 1; row <= state->tables[TABLE_SESSION].row_last; row++) {
        const struct session *session = session_row(state, row);
        if (session_idle(state, row, not_row)) parts += parts_kept(session, session->ack_below, session->next_seq);
    }
    return parts;
}

/* No session may keep more than its share, so that one that never acknowledges does not stop the others. */
enum tkd_status session_room(const struct state *state, const struct tkd_frame *frame)
{
    u32 row = session_find(state, frame->session);
    ASSERT(row != 0);
    const struct session *session = session_row(state, row);
    const struct table *replies = &state->tables[TABLE_REPLY];
    u64 ack_below = max_u64(session->ack_below, min_u64(frame->ack_below, session->next_seq));
    u32 share = max_u32(replies->rows_max / 16, 2 * parts_of(TKD_RECORDS_MAX)), need = parts_of(frame->count);
    u32 freed = parts_kept(session, session->ack_below, ack_below);
    bool room = need + parts_kept(session, ack_below, session->next_seq) <= share;
    MARK_IF(!room, "session has used up its share of the answers kept");
    if (!room) return TKD_WINDOW_FULL;
    if (need <= table_free(replies) + freed) return TKD_OK;
    bool idle = need <= table_free(replies) + freed + parts_idle(state, row);
    MARK_IF(!idle, "reply space exhausted");
    return idle ? TKD_OK : TKD_WINDOW_FULL;
}

static void session_end(struct state *state, u32 row)
{
    const struct session *session = session_row(state, row);
    for (u64 seq = session->ack_below; seq < session->next_seq; seq++) slot_drop(state, row, seq);
    state->session_names[row] = 0;
    table_give(&state->tables[TABLE_SESSION], row);
}

/* As many as it takes, those used longest ago first; session_room() has seen that there are enough. */
static void session_make_room(struct state *state, u32 parts, u32 not_row)
{
    while (table_free(&state->tables[TABLE_REPLY]) < parts) {
        u32 oldest = 0;
        for (u32 row = 1; row <= state->tables[TABLE_SESSION].row_last; row++) {
            const struct session *session = session_row(state, row);
            if (!session_idle(state, row, not_row) || session->ack_below == session->next_seq) continue;
            if (oldest == 0 || session->used_ms < session_row(state, oldest)->used_ms) oldest = row;
        }
        ASSERT(oldest != 0);
        MARK("session evicted for its answers");
        session_end(state, oldest);
    }
}

/* How many records are done with: all, or under the flag STOP those before the first refused one. */
static u32 records_done(const struct tkd_frame *frame, const struct tkd_result *results)
{
    u32 done = 0;
    if (!(frame->flags & TKD_FLAG_STOP)) return frame->count;
    while (done < frame->count && !status_refused(results[done].status)) done++;
    return done;
}

void session_prepare(struct state *state, const struct tkd_frame *frame)
{
    u32 row = session_find(state, frame->session);
    ASSERT(row != 0);
    struct session *session = session_edit(state, row);
    u64 ack_below = max_u64(session->ack_below, min_u64(frame->ack_below, frame->seq));
    for (; session->ack_below < ack_below; session->ack_below++) slot_drop(state, row, session->ack_below);
    session_make_room(state, parts_of(frame->count), row);
}

void session_keep(struct state *state, const struct tkd_frame *frame, const struct tkd_result *results)
{
    u32 row = session_find(state, frame->session);
    MARK_IF(row == 0, "session gone when its answer was to be kept");
    if (row == 0) return; /* it has ended itself, or made room for another */
    struct session *session = session_edit(state, row);
    ASSERT(frame->seq == session->next_seq);
    u32 first = 0, last = 0;
    for (u32 i = 0; i < frame->count; i += REPLY_PART_RESULTS) {
        u32 part = table_take(&state->tables[TABLE_REPLY]);
        struct reply_part *reply = reply_edit(state, part);
        reply->id = row;
        memcpy(reply->results, results + i, min_u32(REPLY_PART_RESULTS, frame->count - i) * sizeof *results);
        if (first == 0) first = part;
        else reply_edit(state, last)->next = part;
        MARK_IF(first != part, "answer kept in several parts");
        last = part;
    }
    struct session_slot *slot = &session->slots[frame->seq % SESSION_WINDOW_MAX];
    ASSERT(slot->hash == 0 && slot->part == 0);
    *slot = (struct session_slot){.hash = request_hash(frame), .part = first, .count = frame->count};
    session->next_seq++;
    u32 done = records_done(frame, results);
    session->records += done;
    MARK_IF(done < frame->count, "session halted");
    if (done < frame->count) session->halted = 1;
    session->used_ms = state->now_ms;
}

/* Every row is taken: the one used longest ago makes room. */
static void session_evict(struct state *state)
{
    u32 oldest = 1;
    for (u32 row = 2; row <= SESSIONS_MAX; row++)
        if (session_row(state, row)->used_ms < session_row(state, oldest)->used_ms) oldest = row;
    MARK("session evicted");
    session_end(state, oldest);
}

static u64 name_hash(const char *name, u32 bytes) { return bytes == 0 ? 0 : hash64(name, bytes, 0) | 1; }

static u32 session_named(const struct state *state, const char *name, u32 bytes)
{
    if (bytes == 0) return 0;
    u64 hash = name_hash(name, bytes);
    for (u32 row = 1; row <= state->tables[TABLE_SESSION].row_last; row++) {
        if (state->session_names[row] != hash) continue;
        const struct session *session = session_row(state, row);
        if (session->name_bytes == bytes && memcmp(session->name, name, bytes) == 0) return row;
    }
    return 0;
}

void session_register(struct state *state, const struct tkd_prefix *record, struct tkd_result *result)
{
    struct tkd_register request;
    record_head(record, &request, sizeof request);
    if (request.window > SESSION_WINDOW_MAX) {
        result->status = TKD_BAD_VALUE;
        return;
    }
    u32 row = session_named(state, record_texts(record), request.name_bytes);
    if (row != 0) {
        MARK("session registered again by its name");
        session_edit(state, row)->used_ms = state->now_ms;
        session_edit(state, row)->halted = 0;
        *result = (struct tkd_result){.status = TKD_EXISTS, .id = session_row(state, row)->id};
        return;
    }
    if (table_free(&state->tables[TABLE_SESSION]) == 0) session_evict(state);
    row = table_take(&state->tables[TABLE_SESSION]);
    struct session *session = session_edit(state, row);
    session->id = ++desk_edit(state)->sessions << SESSION_ROW_BITS | row;
    session->next_seq = session->ack_below = 1;
    session->window = request.window != 0 ? request.window : SESSION_WINDOW_MAX;
    session->used_ms = state->now_ms;
    session->name_bytes = request.name_bytes;
    memcpy(session->name, record_texts(record), request.name_bytes);
    state->session_names[row] = name_hash(session->name, session->name_bytes);
    *result = (struct tkd_result){.status = TKD_OK, .id = session->id};
}

void session_unregister(struct state *state, const struct tkd_prefix *record, struct tkd_result *result)
{
    struct tkd_session_id request;
    record_head(record, &request, sizeof request);
    u32 row = session_find(state, request.session);
    *result = (struct tkd_result){.status = row == 0 ? TKD_NOT_FOUND : TKD_OK, .id = request.session};
    if (row != 0) session_end(state, row);
}

void sessions_loaded(struct state *state)
{
    for (u32 row = 1; row <= state->tables[TABLE_SESSION].row_last; row++)
        state->session_names[row] = name_hash(session_row(state, row)->name, session_row(state, row)->name_bytes);
}
