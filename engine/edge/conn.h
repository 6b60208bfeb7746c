/* Connections: where bytes come in and go out.
 *
 * Invariants:
 *  - one receive and one send in flight at most, so bytes keep their order;
 *  - no receive is in flight while whole frames wait in the inbox: who does not get served is not read from;
 *  - who has a session always finds a quarter of the receive memory that strangers cannot take;
 *  - a connection stands in at most one of the lists asking, ready, waiting and starved (of both kinds); one that
 * stands in none has a receive in flight, waits for room in its outbox, is parked, or is ending;
 *  - a slot is used again only after its descriptor was closed and every completion has arrived, and under a
 *    new generation: whoever remembers (index, generation) never meets another connection.
 */
#ifndef EDGE_CONN_H
#define EDGE_CONN_H

#include "base/base.h"
#include "base/list.h"
#include "durable/checkpoint.h"
#include "edge/inbox.h"
#include "edge/outbox.h"
#include "port/io.h"

#define CONN_SILENT_MS          5000u /* who holds memory that others need and gets nothing done goes */
#define CONN_SILENT_STOPPING_MS 1000u
#define CONN_LINGER_MS          2000u /* how long a finished connection is given to read its last answers */
#define CONN_LINGER_STOPPING_MS 200u
#define CONN_LINGER_BYTES       LIMIT(16u << 20, 8u << 10)
#define CONNS_SENDS_PER_TURN    LIMIT(512u, 3u)
#define CONNS_BUFFER_BYTES_MIN  LIMIT(8u << 20, 5u << 20) /* two frames, and two pushes, in each half */

enum conn_phase {
    CONN_FREE = 0,
    CONN_OPEN,
    CONN_FINISHING, /* no more requests; ends when everything was sent */
    CONN_LINGERING, /* everything was sent and said; what still arrives is thrown away until the peer ends */
    CONN_CLOSING    /* shut down; waits for completions */
};

struct conns;

struct conn {
    struct io_op receive;
    struct io_op send;
    struct io_op close;
    struct link turn; /* asking, ready, waiting or starved */
    struct link sending;
    struct link stream; /* subscriber: in one of the lists subscribed, lagging and stalled */
    struct inbox in;
    struct outbox out;
    struct conns *conns;
    i32 fd;
    u32 index;
    u32 generation;
    enum conn_phase phase;
    bool greeted;    /* HELLO was answered */
    bool ended;      /* the peer sends no more */
    bool verified;   /* the frame at the inbox's begin was checked */
    bool short_room; /* its next answer waits until something of its outbox was sent, so that is not empty */
    bool parked;     /* a wish is under way; no further frame until it is answered */
    bool stalled;    /* in the list of this name */
    bool granted;    /* the wish is done, with this result */
    i32 wish_result;
    struct checkpoint_request wish;
    u64 held_position; /* end of its last answer held or released */
    u64 progress_ms;   /* when it last got something done */
    u64 linger_ms;     /* since when it is finishing */
    u64 linger_bytes;
    u64 event_next;    /* subscriber: next event to push */
    u64 subscribe_seq; /* subscriber: seq of the request */
};

struct conns_figures {
    u64 accepted;
    u64 refused;
    u64 dropped; /* closed by us for holding memory in silence */
    u64 bytes_in;
    u64 bytes_out;
};

struct conns {
    struct io *io;
    struct conn *slots;
    u64 *sessions; /* by slot: the session attached, 0 = none */
    u8 *buffers;   /* address space of all inboxes and outboxes */
    struct quota in_quota;
    struct quota out_quota;
    u32 count_max;
    u32 count;
    u32 used_slots; /* slots above were never used */
    u32 *free_slots;
    u32 free_count;
    u64 now_ms;                  /* monotonic, of this turn */
    bool stopping;               /* patience is shorter */
    struct link asking;          /* has a question to serve */
    struct link ready;           /* has something else to serve */
    struct link waiting;         /* its command waits for the pipeline */
    struct link starved;         /* waits for buffer memory */
    struct link starved_members; /* the same, with a session */
    struct link sending;         /* has released bytes and no send in flight */
    struct link subscribed;      /* have been shown all there is */
    struct link lagging;         /* are to be shown more */
    struct link stalled;         /* have to read first what they were sent */
    u32 subscribers;             /* in all three */
    struct conns_figures figures;
};

bool conns_create(struct conns *conns, struct io *io, u32 count_max, u64 buffer_bytes, char *error,
                  u32 error_bytes);
/* Every connection must be gone. */
void conns_destroy(struct conns *conns);

/* Takes over an accepted descriptor; NULL: there are as many connections as may be. */
struct conn *conn_open(struct conns *conns, i32 fd);
/* Serve it this turn, unless it already stands in a list. */
void conn_ready(struct conn *conn);
/* Does a question seem to come next? It has not been verified. */
bool conn_asks(const struct conn *conn);
/* Nothing is left to serve: reads on, or ends when the peer has ended. */
void conn_continue(struct conn *conn);
/* Takes no more requests; closes when everything was sent. */
void conn_finish(struct conn *conn);
/* At once. */
void conn_close(struct conn *conn);
/* Bytes below `position` may leave. */
void conn_release(struct conn *conn, u64 position);
/* It waits until there is memory for it. */
void conn_starve(struct conn *conn);
/* The wish of a parked connection is done. */
void conn_granted(struct conn *conn, i32 result);
/* Starts the sends of this turn; true: there are more. */
bool conns_send(struct conns *conns);
/* Once a second: memory back from idle ones, an end for those that block others or do not go. */
void conns_tick(struct conns *conns);
/* Those that waited for memory try again, when some came back. */
void conns_feed(struct conns *conns);

/* Makes it a subscriber, or moves its place in the stream. */
void conn_subscribe(struct conn *conn, u64 event_next);
/* Shows it nothing more until it has read something, or the next tick. */
void conn_stall(struct conn *conn);
/* Binds a session to a connection, which gives up the one it had; who had this session is fenced. */
void conn_attach(struct conn *conn, u64 session);
static inline u64 conn_session(const struct conn *conn) { return conn->conns->sessions[conn->index]; }

#endif
