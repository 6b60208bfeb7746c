/* The server: listeners, the turn of the loop, timers, signals, the way out.
 *
 * One turn: reap completions -> send what is durable, next write of the log -> time, and the deadlines due by
 * then -> serve connections -> log -> push events -> checkpoint slice -> send. Everything is bounded, so a turn is
 * short whatever arrives.
 */
#ifndef EDGE_SERVER_H
#define EDGE_SERVER_H

#include "base/base.h"
#include "durable/recovery.h"
#include "edge/service.h"
#include "port/host.h"
#include "port/net.h"

#define SERVER_LISTENERS_MAX    16u
#define SERVER_FRAMES_PER_TURN  LIMIT(64u, 4u)    /* of one connection */
#define SERVER_SHARE_US         LIMIT(250u, 5u)   /* of one connection in a turn, about */
#define SERVER_SERVE_US         LIMIT(500u, 25u) /* of all: then log, timers and new arrivals have theirs */
#define SERVER_TICK_MS          1000u
#define SERVER_TICK_STOPPING_MS 50u

enum server_phase {
    SERVER_RUNNING = 1,
    SERVER_DRAINING,      /* takes nothing more; what was taken becomes durable and is answered */
    SERVER_CHECKPOINTING, /* the last checkpoint; connections end */
    SERVER_DONE,
    SERVER_FAILED /* log or store failed: nothing more may be said */
};

struct server_config {
    const char *const *listen; /* HOST:PORT */
    u32 listen_count;
    const char *const *unix_paths;
    u32 unix_count;
    u32 connections_max;
    u64 buffer_bytes;
    u64 memory_budget_bytes;
    const char *version;
    const char *durability;
    bool virtual_clock;
};

struct server_listener {
    struct io_op accept;
    struct net_listener net;
    struct server *server;
    bool open;
};

struct server {
    struct io *io;
    struct conns conns;
    struct service service;
    struct checkpoint *checkpoint;
    struct growth *growth;
    struct server_listener listeners[SERVER_LISTENERS_MAX];
    u32 listeners_count;
    struct io_op signal_op;
    struct host_signal signal;
    i32 signal_fd;
    struct io_op timer;
    u64 timer_ns;    /* when it fires */
    u64 tick_ns;     /* when the next tick is due */
    u64 served_ns;   /* the clock behind the last frame: read once for each, because it costs */
    u64 turn_end_ns; /* of the last one */
    struct checkpoint_request last_checkpoint;
    i32 last_checkpoint_result;
    enum server_phase phase;
    bool busy; /* something could go on at once: do not wait */
};

/* `server` stays where it is. The desk is recovered already. 0, or -errno with an explanation. */
i32 server_create(struct server *server, const struct server_config *config, struct io *io, i32 signal_fd,
                  struct recovery *recovery, struct checkpoint *checkpoint, char *error, u32 error_bytes);
/* Serves until it is told to stop. true: all was answered, checkpointed and closed. */
bool server_run(struct server *server);
void server_destroy(struct server *server);

/* The log or the store has failed: the loop ends, and nothing is released any more. */
void server_fail(struct server *server, const char *what);

#endif
