/* The crash rig: a real ticketd on a real file system, loaded by many clients and killed over and over.
 *
 * A life is one data directory and some hundred rounds. A round starts the server, reads all that is new in
 * the event stream, takes up every session where it stood, loads the desk, and kills it at a random instant.
 * The clients' record is kept here, outside of the server:
 *
 *  - every command carries a text that is its own (`#client.seq.record`), which comes back in exactly one
 * event;
 *  - an answer once given is given again, byte for byte, as long as it is not acknowledged;
 *  - a session stands between what was answered and what was sent, and what lies above has left no trace;
 *  - events are gapless, and whoever reads one again, now or after a kill, reads the same;
 *  - at the end of a life every row, counter and digest is compared with what the events and answers say.
 */
#ifndef CRASH_CRASH_H
#define CRASH_CRASH_H

#include <sys/types.h>

#include "base/base.h"
#include "base/prng.h"

#define CLIENTS      6u
#define WATCHERS     2u
#define QUEUES       4u
#define AGENTS       6u
#define CATEGORIES   3u
#define CUSTOMERS    500u
#define PATH_BYTES   4096u
#define PATIENCE_MS  30000
#define TICKETS_LIFE 40000u /* then tickets are only worked on: so that a start stays short */
#define MARK_MAX     64u    /* bytes of a command's own text */

/* Says what is wrong and how to see it again, and ends the rig. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define REQUIRE(condition, ...)                                                                              \
    do {                                                                                                     \
        if (!(condition)) fail(__VA_ARGS__);                                                                 \
    } while (0)

u64 now_us(void);
/* Between `low` and `high`, every order of magnitude as likely as the others. */
u64 log_uniform(struct prng *prng, u64 low, u64 high);
void *grown(void *items, u64 *capacity, u64 count, u64 item_bytes);

/* ---- The process ---- */

struct server {
    pid_t pid; /* 0: none */
    int errors;
    bool ready;
    bool told;    /* to stop */
    bool stopped; /* and it did, by itself */
    char log[32768];
    u32 log_bytes;
    char tcp[64]; /* PORT */
    const char *durability;
};

void server_init(const char *program, const char *tool);
void server_start(struct server *server);
/* Reads and writes it has made so far: how far a start has come, however fast the machine is. */
u64 server_calls(const struct server *server);
/* Takes what it has logged; returns false when it has ended. */
bool server_listen(struct server *server);
void server_wait_ready(struct server *server);
/* SIGTERM, and whether it has ended since. */
void server_stop(struct server *server);
bool server_has_stopped(struct server *server);
/* SIGKILL, unless it has ended. */
void server_kill(struct server *server);
/* The number behind ` name=` in the log, or 0. */
u64 server_logged(const struct server *server, const char *name);
void server_show_log(const struct server *server);
/* A copy made by BACKUP must be whole. */
void server_check_backup(const char *directory);

/* ---- Connections ---- */

struct peer {
    int fd; /* -1: none */
    u8 *in;
    u64 in_begin, in_end;
    u8 *out;
    u64 out_begin, out_end, out_max;
};

/* A frame under construction. */
struct draft {
    struct tkd_frame *head;
    _Alignas(8) u8 bytes[TKD_FRAME_BYTES_MAX];
};
void draft_begin(struct draft *draft, u16 op, u64 seq);
void *draft_add(struct draft *draft, u16 kind, const void *head, u32 head_bytes, const char *texts,
                u32 texts_bytes);
u32 draft_room(const struct draft *draft);

/* Connects, says HELLO. */
void peer_open(struct peer *peer, const struct server *server, bool tcp);
void peer_close(struct peer *peer);
void peer_put(struct peer *peer, const void *frame, u32 bytes);
/* Sends what the socket takes. */
void peer_flush(struct peer *peer);
/* Takes what has arrived; false at the end of the connection. */
bool peer_pull(struct peer *peer);
/* The next whole frame, verified, or NULL. */
const struct tkd_frame *peer_next(struct peer *peer);
/* One request and its answer; pushed frames are not expected. */
const struct tkd_frame *peer_call(struct peer *peer, struct draft *draft);
const struct tkd_frame *peer_ask(struct peer *peer, u16 op, const void *head, u32 head_bytes);
/* The value of a metric among the answer's rows; 0 when it is not there. */
u64 metric_of(const struct tkd_frame *answer, const char *name);

/* ---- The record ---- */

/* One frame of a session. */
struct command {
    u8 *frame;                  /* as it was sent; NULL once acknowledged */
    struct tkd_result *results; /* NULL: no answer yet */
    u64 *tickets;               /* by record; 0 = not known yet */
    u8 *seen;                   /* by record: its event was seen */
    u64 cause;                  /* op that did it; 0 = not known */
    u16 op;
    u16 count;
    u16 *verbs;
};

struct client {
    struct peer peer;
    struct prng prng;
    u32 number;
    u64 session;
    u32 window;
    struct command *commands; /* by seq */
    u64 commands_max;
    u64 next_seq;
    u64 acked;    /* the highest ack_below sent */
    u64 send_seq; /* next to send on this connection */
    u64 answer_seq;
    u64 answered; /* all below have an answer */
    u64 verified; /* all below were checked against the events */
    u64 last_cause;
    u64 pushed_back; /* a frame was refused for now: everything from here on is sent again; 0 = none */
    u64 *tickets;
    u64 tickets_max;
    u64 tickets_count;
};

struct ticket_record {
    u64 last_event;
    u32 routed;
    u32 updates;
    u32 urges;
    u16 queue;
    u16 category;
    u8 state;
    u8 priority;
};

struct counts {
    u64 events[40];
    u64 verbs[TKD_VERB_END]; /* done or unchanged */
    u64 applied[24];         /* records done, by op */
    u64 cards[4][3];
    u64 cancelled, reopened;
};

/* What the world knows of one desk. */
struct world {
    struct server server;
    struct prng prng;
    struct client clients[CLIENTS];
    struct peer watchers[WATCHERS];
    u64 watched[WATCHERS]; /* next event to see */
    struct peer admin;
    u64 *events; /* hash by seq */
    u64 events_max;
    u64 events_count;
    u64 last_cause;
    struct ticket_record *tickets; /* by number */
    u64 tickets_max;
    u64 tickets_count;
    u64 catalog_version;
    struct counts counts;
};

/* Figures over all lives. */
struct figures {
    u64 kills[8];
    u64 stops;
    u64 commands, records, acknowledged, repeated, pushed_back;
    u64 events, pushed, reread;
    u64 replayed, torn, starts, backups, checkpoints, lives, digests;
    u64 tickets;
};
extern struct figures figures;

/* ---- Parts of a round ---- */

void client_init(struct client *client, u32 number, u64 seed);
void client_free(struct client *client);
/* First connection of a life. */
void client_register(struct world *world, struct client *client);
/* Connects, attaches, and prepares to send everything that is not acknowledged again. */
void client_resume(struct world *world, struct client *client);
/* Thinks of new commands and sends what may be sent. */
void client_send(const struct world *world, struct client *client, bool think);
/* Takes answers; false: the connection has ended. */
bool client_receive(struct world *world, struct client *client);
bool client_quiet(const struct client *client);

/* Thinks of a frame for the client, with its texts. */
void compose(const struct world *world, struct client *client, struct draft *draft);
void compose_catalog(struct draft *draft);
/* No targets; nobody there: then nothing happens any more by itself. */
void compose_calm_catalog(struct draft *draft);
void compose_calm_agents(struct draft *draft);

/* Every event of an answer or a pushed frame; *next is the one that must come. */
void record_events(struct world *world, const struct tkd_frame *frame, u64 *next);
void record_answer(struct world *world, struct client *client, u64 seq);
/* Reads the stream to its end, over a fresh connection. */
void record_catch_up(struct world *world);
/* What was answered is in the events, wholly and once; what was not done is not. */
void record_verify(struct world *world);
/* Compares rows, counters and summary with the record. All is quiet. */
void record_compare(struct world *world);

#endif
