#include "tests/sim/answers.h"

#include "core/frame.h"
#include "tests/sim/world.h"

void answers_want(struct answers *answers, const struct tkd_frame *request)
{
    if (answers->count == answers->capacity) {
        answers->capacity = 2 * answers->capacity + 16;
        answers->wanted = world_grow(answers->wanted, answers->capacity * sizeof *answers->wanted);
    }
    answers->wanted[answers->count++] =
        (struct question){.seq = request->seq, .session = request->session, .op = request->op};
}

/* A server that has no room, or stops, says so to whom it has not read anything from. */
static bool turned_away(const struct tkd_frame *frame)
{
    return frame->op == TKD_OP_HELLO && frame->seq == 0 && (frame->status == TKD_BUSY || frame->status == TKD_STOPPING);
}

void answers_check(struct answers *answers, const struct tkd_frame *frame)
{
    if (!(frame->flags & TKD_FLAG_REPLY)) violation("an answer without its flag");
    if (frame->body_checksum != checksum_wire(frame + 1, frame->size - TKD_FRAME_BYTES))
        violation("an answer's body does not verify");
    bool more = frame->flags & TKD_FLAG_MORE, push = frame->flags & TKD_FLAG_PUSH;
    if (!push && more != (frame->ack_below != 0)) violation("an answer that goes on, or not, without its cursor");
    if (answers == NULL || push || turned_away(frame)) return;
    const char *name = tkd_op_info(frame->op)->name;
    if (answers->count == 0) violation("an answer (%s) to no request", name);
    struct question first = answers->wanted[0];
    if (first.op != frame->op || first.seq != frame->seq || first.session != frame->session)
        violation("an answer to seq %llu (%s) where that to seq %llu (%s) was due", (unsigned long long)frame->seq,
                  name, (unsigned long long)first.seq, tkd_op_info(first.op)->name);
    memmove(answers->wanted, answers->wanted + 1, --answers->count * sizeof first);
}

void answers_destroy(struct answers *answers) { world_free(answers->wanted); }
