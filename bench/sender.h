/* A pipelined sender of command frames in a session of its own. libticketd opens the connection and the
 * session; from then on whole frames are built in place and sent as they are, so that the generator costs as
 * little as possible beside the server that it measures. */
#ifndef BENCH_SENDER_H
#define BENCH_SENDER_H

#include "base/histogram.h"
#include "core/frame.h"
#include "ticketd/client.h"

#define SENDER_DEPTH_MAX 64u

struct sender {
    struct tkd_client *client; /* owns the socket */
    union {
        struct tkd_frame header;
        _Alignas(8) u8 bytes[TKD_FRAME_BYTES_MAX];
    } *frame; /* being built or sent */
    u8 *received;
    u32 received_bytes;
    u32 sent_bytes; /* of the frame */
    bool sending;
    u32 depth; /* frames in flight at most */
    u32 in_flight;
    u64 session;
    u64 next_seq;
    u64 answered_seq; /* all answers up to this have arrived */
    u64 begun_ns[SENDER_DEPTH_MAX]; /* by seq: when it should have been sent */
};

/* What came of the records. */
struct sender_results {
    u64 ok;
    u64 exists;
    u64 refused;
    u64 last_id;
    enum tkd_status refusal; /* the last one */
    struct histogram latency_ns; /* of frames: from when they should have been sent to their answer */
};

void sender_open(struct sender *sender, const char *address, const char *name, u32 depth);
void sender_close(struct sender *sender);

static inline bool sender_free(const struct sender *sender)
{
    return !sender->sending && sender->in_flight < sender->depth;
}
/* Begins a frame; sender_free(). */
void sender_begin(struct sender *sender, u16 op, u64 time_ms);
/* Room for a record of these sizes at the frame's end; its head's prefix is filled in. The texts and the
 * padding are the caller's. */
void *sender_record(struct sender *sender, u32 head_bytes, u32 texts_bytes);
/* Seals and sends; `begun_ns` 0 = now. */
void sender_send(struct sender *sender, u64 begun_ns);

/* Sends and receives what the sockets take and give; waits up to `timeout_us` for something to happen. Dies
 * when a connection breaks or a frame is refused. */
void senders_run(struct sender *senders, u32 count, struct sender_results *results, u64 timeout_us);
bool senders_idle(const struct sender *senders, u32 count);

#endif
