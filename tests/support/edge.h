/* The edge in one process, without listeners: a recovered desk on a directory of its own, its pipeline and
 * service, and connections whose other end the test holds. */
#ifndef SUPPORT_EDGE_H
#define SUPPORT_EDGE_H

#include "durable/recovery.h"
#include "edge/service.h"
#include "support/wire.h"

struct edge {
    char directory[4096];
    char backups[4200];
    bool virtual_clock;
    struct io *io;
    struct recovery recovery;
    struct checkpoint *checkpoint;
    struct conns conns;
    struct service service;
    int peers[8]; /* by connection: the test's end */
};

void edge_open(struct edge *edge, bool virtual_clock);
void edge_close(struct edge *edge);
/* A connection that has said HELLO. */
struct conn *edge_connect(struct edge *edge);
/* Lets the service answer a frame that is not in any inbox. */
enum service_verdict edge_frame(struct edge *edge, struct conn *conn, union wire_frame *frame);
/* The last answer written for the connection (sealed, perhaps still held). */
const struct tkd_frame *edge_answer(const struct conn *conn);
/* One turn at this time, without serving. */
void edge_turn(struct edge *edge, u64 wall_ms);
/* Runs the loop until everything applied is durable and released. */
void edge_settle(struct edge *edge);
/* Runs the loop until the connection was sent everything; throws away what arrives at the other end. */
void edge_flush(struct edge *edge, struct conn *conn);
/* Runs the loop, pushing events, until a whole frame has arrived at the other end. */
const struct tkd_frame *edge_receive(struct edge *edge, struct conn *conn);
/* The small catalog of wire_catalog(); tasks in queue 1 have `step_ms`. */
void edge_catalog(struct edge *edge, struct conn *conn, u64 step_ms);
/* `count` creates in one frame; the results. */
const struct tkd_result *edge_create(struct edge *edge, struct conn *conn, u32 count, u64 time_ms);

#endif
