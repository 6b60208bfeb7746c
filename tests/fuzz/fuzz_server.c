/* The whole server with its edge, on the fuzzers' kernel and disk: peers connect, say what the input says in pieces,
 * damaged too, read or do not read, and go; time passes; then SIGTERM. Whatever comes,
 *
 *  - what a peer is sent are whole, sealed frames, and its answers are to its requests, in their order;
 *  - the server stops by itself with everything checkpointed: the next recovery replays nothing, and has its desk. */
#include <signal.h>

#include "core/desk.h"
#include "core/frame.h"
#include "durable/checkpoint.h"
#include "durable/recovery.h"
#include "durable/segment.h"
#include "edge/server.h"
#include "tests/fuzz/disk.h"
#include "tests/fuzz/kernel.h"

#define PEERS         4u
#define CONNS_MAX     3u /* one more is turned away */
#define FIRST_FD      200
#define STREAM_BYTES  (96u << 10)
#define ANSWERS_BYTES (4u << 20)
#define STEPS_MAX     48u
#define BATCH_BYTES   (96u << 10)
#define STORE_ID      77u

static struct fuzz_desk live, served;
static struct store_root root;

static struct peer {
    enum { AWAY, WAITING, CONNECTED, GONE } phase;
    bool ended;   /* says no more */
    bool reset;   /* and its end is an error */
    bool shut;    /* by the server */
    bool stalled; /* does not read */
    bool odd;     /* what it says is not all frames */
    u32 piece;    /* at most so many bytes arrive at once */
    u32 said, heard;
    u64 seqs[STEPS_MAX + 1]; /* of its requests */
    u32 requests, answers;
    u32 told; /* bytes of answers */
    u8 stream[STREAM_BYTES];
    _Alignas(8) u8 answer[ANSWERS_BYTES];
} peers[PEERS];

static struct {
    struct input input;
    u32 steps;
    bool terminated;
    u64 session;
    u64 seq;
} play;

/* ---- What peers say ---- */

static void say(struct peer *peer, const void *data, u32 bytes)
{
    if (peer->phase == AWAY || peer->said + bytes > STREAM_BYTES) return;
    if (bytes != 0) memcpy(peer->stream + peer->said, data, bytes);
    peer->said += bytes;
}

static void say_frame(struct peer *peer, u32 op, u32 count, struct input *input)
{
    static struct fuzz_frame frame;
    const struct tkd_op_info *info = tkd_op_info(op);
    u32 how = input_u8(input);
    fuzz_frame_begin(&frame, op);
    for (u32 i = 0; i < count && info->request != 0; i++) fuzz_frame_add(&frame, info->request, input);
    struct tkd_frame *head = &frame.head;
    head->seq = ++play.seq;
    head->time_ms = live.state->time_ms;
    if (how & 1) head->session = play.session;
    if (how & 2) head->ack_below = head->seq = input_number(input);
    if (how & 4) head->time_ms += input_number(input) % (1ull << 40);
    if (how & 8) head->flags = TKD_FLAG_STOP;
    if (how & 16) head->count += input_u8(input);
    frame_seal(head);
    u32 bytes = head->size; /* whatever the damage makes of it */
    if (how & 32) ((u8 *)&frame)[input_number(input) % bytes] ^= (u8)(1 + input_below(input, 255));
    peer->odd |= (how & 32) != 0 || peer->said + bytes > STREAM_BYTES;
    if (peer->phase != AWAY && !peer->odd) peer->seqs[peer->requests++] = head->seq;
    say(peer, &frame, bytes);
}

static void come(struct peer *peer, struct input *input)
{
    struct input none = {0};
    u32 how = input_u8(input);
    if (peer->phase != AWAY) return;
    peer->phase = WAITING;
    peer->piece = how & 1 ? 1u << (how >> 4) : STREAM_BYTES;
    if (how & 2) return;
    static struct fuzz_frame frame;
    struct tkd_hello hello = {.size = sizeof hello, .head = sizeof hello, .version_min = 1, .version_max = UINT16_MAX};
    fuzz_frame_begin(&frame, TKD_OP_HELLO);
    frame.head.seq = peer->seqs[peer->requests++] = ++play.seq;
    memcpy(frame.body, &hello, sizeof hello);
    frame.head.size += (u32)sizeof hello;
    frame.head.count = 1;
    frame_seal(&frame.head);
    say(peer, &frame, frame.head.size);
    if (how & 4) say_frame(peer, TKD_OP_SUBSCRIBE, 1, &none);
}

static void say_bytes(struct peer *peer, struct input *input)
{
    u32 bytes = input_u8(input);
    const u8 *from = input_take(input, &bytes);
    peer->odd = true;
    say(peer, from, bytes);
}

/* One step of the play; then the end of it. */
static void step(struct input *input)
{
    static const u16 ops[] = {TKD_OP_TICKET_CREATE, TKD_OP_TICKET_UPDATE,   TKD_OP_AGENT_PRESENCE, TKD_OP_ATTACH,
                              TKD_OP_CATALOG_APPLY, TKD_OP_CUSTOMER_UPDATE, TKD_OP_REGISTER,       TKD_OP_UNREGISTER,
                              TKD_OP_HELLO,         TKD_OP_PING,            TKD_OP_SUBSCRIBE,      TKD_OP_CHECKPOINT,
                              TKD_OP_BACKUP,        TKD_OP_STATUS,          TKD_OP_EVENTS,         TKD_OP_TICKET_LIST,
                              TKD_OP_HISTORY,       TKD_OP_TICKET_GET,      TKD_OP_DIGEST,         TKD_OP_REPORT};
    u32 what = input_u8(input);
    struct peer *peer = &peers[what & 3];
    if (peer->phase == AWAY) {
        come(peer, input);
    } else if (what < 0xa0) {
        u32 how = input_u8(input);
        say_frame(peer, ops[how % ARRAY_COUNT(ops)], how >= 0xc0 ? 7 : 1, input);
    } else if (what < 0xb0) {
        say_bytes(peer, input);
    } else if (what < 0xc8) {
        kernel.now_ns += min_u64(input_number(input), 100000) * 1000000;
    } else if (what < 0xd8) {
        peer->stalled = !peer->stalled;
    } else if (what < 0xe8) {
        peer->ended = true;
    } else if (what < 0xf0) {
        peer->ended = peer->reset = true;
    }
}

/* ---- The kernel's side ---- */

static struct peer *peer_of(i32 fd)
{
    ASSERT(fd >= FIRST_FD && fd < FIRST_FD + (i32)PEERS);
    return &peers[fd - FIRST_FD];
}

static i32 on_accept(void)
{
    for (u32 i = 0; i < PEERS; i++) {
        if (peers[i].phase != WAITING) continue;
        peers[i].phase = CONNECTED;
        return FIRST_FD + (i32)i;
    }
    return -EAGAIN;
}

static i32 on_receive(i32 fd, void *buffer, u32 bytes)
{
    struct peer *peer = peer_of(fd);
    u32 left = peer->said - peer->heard;
    ASSERT(peer->phase == CONNECTED && bytes > 0);
    if (peer->shut) return 0;
    if (peer->reset) return -ECONNRESET;
    if (left == 0) return peer->ended ? 0 : -EAGAIN;
    bytes = min_u32(min_u32(bytes, left), peer->piece);
    memcpy(buffer, peer->stream + peer->heard, bytes);
    peer->heard += bytes;
    return (i32)bytes;
}

static i32 on_send(i32 fd, const void *data, u32 bytes)
{
    struct peer *peer = peer_of(fd);
    ASSERT(peer->phase == CONNECTED && bytes > 0);
    if (peer->shut || peer->reset) return -EPIPE;
    if (peer->stalled) return -EAGAIN;
    bytes = min_u32(bytes, max_u32(peer->piece, 61));
    ASSERT(peer->told + bytes <= ANSWERS_BYTES);
    memcpy(peer->answer + peer->told, data, bytes);
    peer->told += bytes;
    return (i32)bytes;
}

static void on_shutdown(i32 fd, bool both)
{
    ASSERT(peer_of(fd)->phase == CONNECTED);
    if (both) peer_of(fd)->shut = true;
}

static i32 on_close(i32 fd)
{
    ASSERT(peer_of(fd)->phase == CONNECTED);
    peer_of(fd)->phase = GONE;
    return 0;
}

/* Asked in every run of the loop: so the play goes on with it. */
static i32 on_signal(void)
{
    if (play.terminated) return -EAGAIN;
    if (play.steps++ < STEPS_MAX && input_left(&play.input) > 0) {
        step(&play.input);
        return -EAGAIN;
    }
    play.terminated = true;
    return SIGTERM;
}

/* ---- Judgement ---- */

/* What a peer was sent: frames; those that are no pushes answer its requests. Where the connection ended in the middle
 * of one, the rest is missing. */
static void judge_peer(struct peer *peer)
{
    for (u32 at = 0; at + TKD_FRAME_BYTES <= peer->told;) {
        const struct tkd_frame *frame = (const void *)(peer->answer + at);
        ASSERT(frame_header_check(frame, peer->told - at) == TKD_OK && frame->flags & TKD_FLAG_REPLY);
        if (frame->size > peer->told - at) return;
        ASSERT(frame->body_checksum == checksum_wire(frame + 1, frame->size - TKD_FRAME_BYTES));
        at += frame->size;
        if (frame->flags & TKD_FLAG_PUSH) continue;
        u32 answer = peer->answers++;
        if (frame->op == TKD_OP_HELLO && (frame->status == TKD_BUSY || frame->status == TKD_STOPPING)) continue;
        ASSERT(peer->odd || (answer < peer->requests && frame->seq == peer->seqs[answer]));
    }
}

static void failed(void *owner, const char *what)
{
    (void)owner, (void)what;
    ASSERT(!"nothing fails here");
}

static void recover(struct recovery *recovery)
{
    static u8 io[8];
    char error[1024];
    struct recovery_config config = {
        .data = "data",
        .state = live.state->config,
        .wal = {
            .segment_bytes = DISK_FILE_BYTES, .batch_bytes = BATCH_BYTES, .durability = WAL_SYNC, .failed = failed}};
    ASSERT(recovery_open(recovery, &config, (struct io *)(void *)io, error, sizeof error) == 0);
}

static void serve(struct recovery *recovery)
{
    static struct server server;
    static const char *const path = "socket";
    char error[1024];
    struct checkpoint_config checkpointing = {
        .log_bytes = 64u << 10, .event_flush_bytes = 4096, .backups = "data/backups", .failed = failed};
    struct server_config config = {.unix_paths = &path,
                                   .unix_count = 1,
                                   .connections_max = CONNS_MAX,
                                   .buffer_bytes = CONNS_BUFFER_BYTES_MIN,
                                   .version = "1",
                                   .durability = "sync",
                                   .virtual_clock = true};
    struct checkpoint *checkpoint =
        checkpoint_create(recovery->state, recovery->wal, recovery->store, NULL, &recovery->root, &checkpointing);
    ASSERT(checkpoint != NULL);
    ASSERT(server_create(&server, &config, NULL, 0, recovery, checkpoint, error, sizeof error) == 0);
    ASSERT(server_run(&server));
    server_destroy(&server);
    checkpoint_destroy(checkpoint);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    fuzz_desk_open(&live, true);
    fuzz_desk_open(&served, false);
    root = (struct store_root){.format_version = STORE_FORMAT_VERSION,
                               .machine_version = STATE_MACHINE_VERSION,
                               .store_id = STORE_ID,
                               .op = state_op(live.state),
                               .time_ms = state_time(live.state),
                               .event_seq = state_events_read(live.state)->seq_next - 1,
                               .virtual_clock = 1,
                               .secret = live.state->config.secret};
    return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
    struct recovery recovery;
    disk_clear(&served);
    disk_checkpoint(live.state, &root);
    disk_add("data/log/" SEGMENTS_UNUSED, 0); /* as a backup */
    kernel_begin(&(struct kernel){.accept = on_accept,
                                  .receive = on_receive,
                                  .send = on_send,
                                  .shutdown = on_shutdown,
                                  .close = on_close,
                                  .signal = on_signal});
    for (u32 i = 0; i < PEERS; i++) memset(&peers[i], 0, offsetof(struct peer, stream));
    memset(&play, 0, sizeof play);
    play.input = input_of(data, bytes);
    play.session = session_row(live.state, 1)->id;
    play.seq = session_row(live.state, 1)->next_seq - 1;
    recover(&recovery);
    serve(&recovery);
    state_validate(recovery.state);
    u64 op = state_op(recovery.state), digest = state_digest(recovery.state, true);
    kernel_end(); /* nothing but the log's timers was still under way */
    recovery_close(&recovery);
    for (u32 i = 0; i < PEERS; i++) judge_peer(&peers[i]);
    recover(&recovery);
    ASSERT(recovery.commands == 0 && state_op(recovery.state) == op);
    ASSERT(state_digest(recovery.state, true) == digest);
    recovery_close(&recovery);
    return 0;
}
