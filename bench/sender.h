/* A pipelined sender of frames on one connection, with a session of its own or, for queries, without.
 * libticketd opens the connection and the session; from then on whole frames are built in place and sent as
 * they are, so that the generator costs as little as possible beside the server that it measures. */
#ifndef BENCH_SENDER_H
#define BENCH_SENDER_H

#include "core/frame.h"
#include "ticketd/client.h"

#define SENDER_DEPTH_MAX 64u

struct sender;
/* An answer that has arrived and verified. `slot` (0 … depth - 1) is that of its request: sender_slot(). */
typedef void sender_answered(void *owner, struct sender *sender, u32 slot, const struct tkd_frame *answer);

struct sender {
    struct tkd_client *client; /* owns the socket */
    union {
        struct tkd_frame header;
        _Alignas(8) u8 bytes[TKD_FRAME_BYTES_MAX];
    } * frame; /* being built or sent */
    u8 *received;
    u32 received_bytes;
    u32 sent_bytes; /* of the frame */
    bool sending;
    bool watched; /* for room to send the rest */
    u32 index;    /* among its fellows */
    u32 depth;    /* frames in flight at most */
    u32 in_flight;
    u64 session; /* 0: none */
    u64 next_seq;
    u64 answered_seq;               /* all answers up to this have arrived */
    u64 begun_ns[SENDER_DEPTH_MAX]; /* by slot: when it should have been sent */
};

struct senders {
    struct sender *items;
    u32 count;
    int epoll;
    sender_answered *answered;
    void *owner;
};

/* The first `with_session` of them have one. Their names begin with `name`. */
void senders_open(struct senders *senders, const char *address, const char *name, u32 count, u32 with_session,
                  u32 depth, sender_answered *answered, void *owner);
void senders_close(struct senders *senders);
/* Sends and receives what the sockets take and give; waits up to `timeout_us` for something to happen. Dies
 * when a connection breaks or a frame is refused. */
void senders_run(struct senders *senders, u64 timeout_us);
bool senders_idle(const struct senders *senders);

static inline bool sender_free(const struct sender *sender)
{
    return !sender->sending && sender->in_flight < sender->depth;
}
/* Begins a frame; sender_free(). */
void sender_begin(struct sender *sender, u16 op, u64 time_ms);
static inline u32 sender_slot(const struct sender *sender)
{
    return (u32)(sender->next_seq % SENDER_DEPTH_MAX);
}
/* Room for a record of these sizes at the frame's end, NULL when the frame is full; its head's prefix is
 * filled in. The texts and the rest of the head are the caller's. */
void *sender_record(struct sender *sender, u32 head_bytes, u32 texts_bytes, u16 kind);
/* Seals and sends; `begun_ns` 0 = now. */
void sender_send(struct senders *senders, struct sender *sender, u64 begun_ns);

#endif
