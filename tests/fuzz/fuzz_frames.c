/* Frames into the core: the input is a program of commands, queries, time and checkpoints, made from the
 * schema. After it the desk is valid; of every fourth input the accepted commands are applied again to
 * another desk: equal, bit for bit. */
#include "core/desk.h"
#include "tests/fuzz/desk.h"

#define STEPS_MAX      24u
#define SNAPSHOT_BYTES (64u << 10)

static struct fuzz_desk desk, twin;
static struct tkd_result results[TKD_RECORDS_MAX], again[TKD_RECORDS_MAX];

/* What one input does. */
static struct run {
    struct input input;
    struct state *state;
    u64 now_ms;
    struct fuzz_frame frame;
    u32 last_bytes; /* of the last frame of a session that was applied; its answer is in `again` */
    u64 next_seq;   /* of the session */
    u64 session;
    _Alignas(8) u8 last[FUZZ_FRAME_BYTES_MAX];
} run;

static const u16 commands[] = {TKD_OP_TICKET_CREATE, TKD_OP_TICKET_UPDATE,  TKD_OP_TICKET_UPDATE,
                               TKD_OP_TICKET_UPDATE, TKD_OP_AGENT_PRESENCE, TKD_OP_CUSTOMER_UPDATE,
                               TKD_OP_CATALOG_APPLY, TKD_OP_REGISTER,       TKD_OP_UNREGISTER};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    fuzz_desk_open(&desk, true);
    fuzz_desk_open(&twin, true);
    ASSERT(state_digest(desk.state, true) == state_digest(twin.state, true));
    return 0;
}

/* ---- Commands ---- */

/* The session's last request once more: the first answer; changed: refused. */
static void repeat(void)
{
    if (run.last_bytes == 0) return;
    memcpy(&run.frame, run.last, run.last_bytes);
    enum tkd_status status = fuzz_desk_run(&desk, &run.frame.head, run.now_ms, results);
    if (status == TKD_SESSION_EXPIRED) return;
    ASSERT(status == TKD_EXISTS || status == TKD_SEQUENCE_FORGOTTEN);
    if (status == TKD_EXISTS) ASSERT(memcmp(results, again, run.frame.head.count * sizeof *again) == 0);
    run.frame.head.flags ^= TKD_FLAG_STOP;
    status = fuzz_desk_run(&desk, &run.frame.head, run.now_ms, results);
    ASSERT(status == TKD_SEQUENCE_REUSED || status == TKD_SEQUENCE_FORGOTTEN);
}

static void took(void)
{
    if (run.frame.head.session != run.session) return;
    if (run.frame.head.op == TKD_OP_UNREGISTER || run.frame.head.op == TKD_OP_REGISTER) return;
    run.last_bytes = run.frame.head.size;
    memcpy(run.last, &run.frame, run.last_bytes);
    memcpy(again, results, run.frame.head.count * sizeof *again);
    run.next_seq = run.frame.head.seq + 1;
}

static void command(u32 op)
{
    u32 how = input_u8(&run.input), count = how & 64 ? 2 + input_below(&run.input, 7) : 1;
    fuzz_frame_begin(&run.frame, op);
    for (u32 i = 0; i < count; i++) fuzz_frame_add(&run.frame, tkd_op_info(op)->request, &run.input);
    struct tkd_frame *head = &run.frame.head;
    if (how & 1) {
        head->session = how & 2 ? input_number(&run.input) : run.session;
        head->seq = how & 4 ? input_number(&run.input) : run.next_seq;
        head->ack_below = how & 8 ? input_number(&run.input) : run.next_seq;
    }
    if (how & 16) head->flags = TKD_FLAG_STOP;
    if (how & 32) head->count += input_u8(&run.input);
    frame_seal(head);
    ASSERT(frame_header_check(head, head->size) == TKD_OK);
    if (frame_check(head) != TKD_OK) return;
    if (fuzz_desk_run(&desk, head, run.now_ms, results) == TKD_OK) took();
    for (u32 i = 0; i < head->count && op == TKD_OP_REGISTER; i++) {
        if (results[0].status != TKD_OK) continue;
        run.session = results[0].id;
        run.next_seq = 1;
        run.last_bytes = 0;
    }
}

/* ---- Time, bytes, checkpoints ---- */

/* A frame whose body is the input's bytes. */
static void raw(void)
{
    u32 bytes = input_u8(&run.input) * 8u, op = input_u8(&run.input);
    fuzz_frame_begin(&run.frame, op);
    run.frame.head.count = input_u8(&run.input);
    const u8 *from = input_take(&run.input, &bytes);
    memset(run.frame.body, 0, bytes + 8);
    if (bytes != 0) memcpy(run.frame.body, from, bytes);
    run.frame.head.size += (u32)round_up(bytes, 8);
    frame_seal(&run.frame.head);
    const struct tkd_op_info *info = tkd_op_info(op);
    if (frame_check(&run.frame.head) != TKD_OK || info->class != TKD_CLASS_command) return;
    fuzz_desk_run(&desk, &run.frame.head, run.now_ms, results);
}

static void checkpoint(void)
{
    static _Alignas(8) u8 buffer[SNAPSHOT_BYTES];
    bool finished = false;
    if (!state_snapshot_running(run.state)) state_snapshot_begin(run.state);
    u32 slices = input_u8(&run.input);
    for (u32 i = 0; i < slices && !finished; i++)
        state_snapshot_slice(run.state, buffer, sizeof buffer, 64, &finished);
}

static void step(u32 what)
{
    if (what < 0x60)
        command(commands[what % ARRAY_COUNT(commands)]);
    else if (what < 0x90)
        fuzz_desk_query(&desk, run.state, &run.input, run.now_ms);
    else if (what < 0xb0)
        run.now_ms = min_u64(run.now_ms + min_u64(input_number(&run.input), DAY_MS * 400ull), TIME_MS_MAX);
    else if (what < 0xc0)
        repeat();
    else if (what < 0xd0)
        raw();
    else if (what < 0xd8)
        checkpoint();
    else
        fuzz_desk_pulse(&desk, run.now_ms);
}

/* ---- Judgement ---- */

static void replay(void)
{
    fuzz_desk_reset(&twin);
    fuzz_desk_replay(&twin, &desk, state_op(run.state));
    ASSERT(state_op(twin.state) == state_op(run.state));
    ASSERT(state_digest(twin.state, true) == state_digest(run.state, true));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
    fuzz_desk_reset(&desk);
    run.input = input_of(data, bytes);
    run.state = desk.state;
    run.now_ms = state_time(desk.state);
    run.last_bytes = 0;
    run.session = session_row(desk.state, 1)->id;
    run.next_seq = session_row(desk.state, 1)->next_seq;
    for (u32 i = 0; i < STEPS_MAX && input_left(&run.input) > 0; i++) step(input_u8(&run.input));
    fuzz_desk_pulse(&desk, run.now_ms);
    state_validate(run.state);
    if (bytes % 4 == 0) replay();
    return 0;
}
