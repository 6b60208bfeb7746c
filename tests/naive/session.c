/* Exactly once: a request is done when it carries the next seq, answered again when it was done before. */
#include "tests/naive/desk.h"

static struct naive_session *session_of(struct naive *desk, u64 id)
{
    for (u32 row = 1; row <= SESSIONS_MAX; row++)
        if (id != 0 && desk->sessions[row].id == id) return &desk->sessions[row];
    return NULL;
}

/* "Two requests are the same when op, flags, time_ms, count and body are." */
static bool same_request(const struct tkd_frame *a, const struct tkd_frame *b)
{
    return a->op == b->op && a->flags == b->flags && a->time_ms == b->time_ms && a->count == b->count &&
           a->size == b->size && memcmp(a + 1, b + 1, a->size - TKD_FRAME_BYTES) == 0;
}

enum tkd_status naive_session_admit(const struct naive *desk, const struct tkd_frame *frame,
                                    const struct tkd_result **reply)
{
    const struct naive_session *session = session_of((struct naive *)desk, frame->session);
    if (session == NULL) return TKD_SESSION_EXPIRED;
    if (frame->seq > session->next_seq) return TKD_SEQUENCE_GAP;
    if (frame->seq < session->next_seq) {
        if (frame->seq < session->ack_below) return TKD_SEQUENCE_FORGOTTEN;
        const struct naive_kept *kept = &session->kept[frame->seq % SESSION_WINDOW_MAX];
        if (!same_request(kept->frame, frame)) return TKD_SEQUENCE_REUSED;
        *reply = kept->results;
        return TKD_EXISTS;
    }
    if (session->halted && frame->flags & TKD_FLAG_STOP) return TKD_HALTED;
    u64 unanswered_from = max_u64(session->ack_below, min_u64(frame->ack_below, frame->seq));
    return frame->seq - unanswered_from < session->window ? TKD_OK : TKD_WINDOW_FULL;
}

#define REPLY_BUDGET_BYTES 16384u
#define PART_RESULTS 15u /* results are kept in pieces */

static u64 parts_of(u64 count) { return (count + PART_RESULTS - 1) / PART_RESULTS; }

/* Pieces that hold the session's answers from `seq` on. */
static u64 parts_from(const struct naive_session *session, u64 seq)
{
    u64 parts = 0;
    for (seq = max_u64(seq, session->ack_below); session->id != 0 && seq < session->next_seq; seq++)
        parts += parts_of(session->kept[seq % SESSION_WINDOW_MAX].frame->count);
    return parts;
}

/* "Unused for so long, a session may be evicted for the room that its kept answers take"; as of the last command. */
static bool idle(const struct naive *desk, const struct naive_session *session)
{
    return session->id != 0 && session->used_ms + SESSION_IDLE_MS <= desk->time_ms;
}

/* Is there room to keep the results, and within the session's own share? */
bool naive_session_room(const struct naive *desk, const struct tkd_frame *frame)
{
    const struct naive_session *session = session_of((struct naive *)desk, frame->session);
    u64 rows = naive_rows(desk, REPLY_BUDGET_BYTES), share = max_u64(rows / 16, 2 * parts_of(TKD_RECORDS_MAX));
    u64 need = parts_of(frame->count) + parts_from(session, min_u64(frame->ack_below, session->next_seq));
    u64 others = 0; /* what they keep and need not give up */
    for (u32 row = 1; row <= SESSIONS_MAX; row++)
        if (&desk->sessions[row] != session && !idle(desk, &desk->sessions[row]))
            others += parts_from(&desk->sessions[row], 0);
    return need <= share && need + others <= rows;
}

static u64 parts_of_all(const struct naive *desk)
{
    u64 parts = 0;
    for (u32 row = 1; row <= SESSIONS_MAX; row++) parts += parts_from(&desk->sessions[row], 0);
    return parts;
}

/* Before the records are done, what the request acknowledges is forgotten, and answers of sessions unused for long make
 * room, those used longest ago first. */
void naive_session_prepare(struct naive *desk, const struct tkd_frame *frame)
{
    struct naive_session *own = session_of(desk, frame->session);
    own->ack_below = max_u64(own->ack_below, min_u64(frame->ack_below, frame->seq));
    while (parts_of_all(desk) + parts_of(frame->count) > naive_rows(desk, REPLY_BUDGET_BYTES)) {
        struct naive_session *oldest = NULL;
        for (u32 row = 1; row <= SESSIONS_MAX; row++) {
            struct naive_session *session = &desk->sessions[row];
            if (session == own || !idle(desk, session) || parts_from(session, 0) == 0) continue;
            if (oldest == NULL || session->used_ms < oldest->used_ms) oldest = session;
        }
        ASSERT(oldest != NULL);
        *oldest = (struct naive_session){0};
    }
}

void naive_session_keep(struct naive *desk, const struct tkd_frame *frame)
{
    struct naive_session *session = session_of(desk, frame->session);
    if (session == NULL) return; /* it has ended itself */
    u64 bytes = frame->count * sizeof(struct tkd_result);
    session->kept[frame->seq % SESSION_WINDOW_MAX] = (struct naive_kept){
        .frame = naive_copy(desk, frame, frame->size), .results = naive_copy(desk, desk->results, bytes)};
    session->next_seq++;
    session->used_ms = desk->now_ms;
    for (u32 i = 0; i < frame->count; i++) {
        u32 status = desk->results[i].status;
        if (frame->flags & TKD_FLAG_STOP && status != TKD_OK && status != TKD_EXISTS && status != TKD_UNCHANGED) {
            session->halted = true;
            break;
        }
        session->records++;
    }
}

static struct naive_session *named(struct naive *desk, const char *name, u32 bytes)
{
    for (u32 row = 1; row <= SESSIONS_MAX; row++)
        if (bytes != 0 && desk->sessions[row].id != 0 && naive_same(desk->sessions[row].name, name, bytes))
            return &desk->sessions[row];
    return NULL;
}

/* A free row, the lowest; when there is none, that of the session used longest ago. */
static u32 free_row(struct naive *desk)
{
    u32 oldest = 1;
    for (u32 row = 1; row <= SESSIONS_MAX; row++)
        if (desk->sessions[row].id == 0) return row;
    for (u32 row = 2; row <= SESSIONS_MAX; row++)
        if (desk->sessions[row].used_ms < desk->sessions[oldest].used_ms) oldest = row;
    return oldest;
}

void naive_register(struct naive *desk, const struct tkd_prefix *record, struct tkd_result *result)
{
    struct tkd_register request;
    record_head(record, &request, sizeof request);
    if (request.window > SESSION_WINDOW_MAX) {
        result->status = TKD_BAD_VALUE;
        return;
    }
    struct naive_session *session = named(desk, record_texts(record), request.name_bytes);
    if (session != NULL) {
        session->used_ms = desk->now_ms;
        session->halted = false;
        *result = (struct tkd_result){.status = TKD_EXISTS, .id = session->id};
        return;
    }
    u32 row = free_row(desk);
    desk->sessions[row] = (struct naive_session){.id = ++desk->sessions_made << 12 | row,
                                                 .next_seq = 1,
                                                 .ack_below = 1,
                                                 .used_ms = desk->now_ms,
                                                 .window = request.window != 0 ? request.window : SESSION_WINDOW_MAX,
                                                 .name = naive_text(desk, record_texts(record), request.name_bytes)};
    result->id = desk->sessions[row].id;
}

void naive_unregister(struct naive *desk, const struct tkd_prefix *record, struct tkd_result *result)
{
    struct tkd_session_id request;
    record_head(record, &request, sizeof request);
    struct naive_session *session = session_of(desk, request.session);
    *result = (struct tkd_result){.status = session == NULL ? TKD_NOT_FOUND : TKD_OK, .id = request.session};
    if (session != NULL) *session = (struct naive_session){0};
}
