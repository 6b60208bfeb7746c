/* The service: one frame in, one answer out.
 *
 * Invariants:
 *  - every request is answered once, in the order of its connection;
 *  - a frame that does not verify changes nothing; a refused one is answered with the reason in its header;
 *  - answers are written straight into the connection's outbox, for which room is reserved before anything
 *    is done.
 */
#ifndef EDGE_SERVICE_H
#define EDGE_SERVICE_H

#include "base/base.h"
#include "edge/conn.h"
#include "edge/figures.h"
#include "edge/pipeline.h"
#include "edge/reader.h"

struct service {
    struct pipeline pipeline;
    struct reader reader;
    struct figures figures;
    struct store *store;
    u64 store_id;
    u64 shown_seq; /* subscribers in order have been shown events up to here */
};

enum service_verdict {
    SERVICE_ANSWERED = 1,
    SERVICE_WAIT,    /* for the log, the store or deadlines: once more in a later turn */
    SERVICE_NO_ROOM, /* for room in the outbox: once more when something was sent */
    SERVICE_PARKED,  /* for a checkpoint: once more when it was granted */
};

/* Answers the frame, whose header was verified; it stays in the inbox. */
enum service_verdict service_frame(struct service *service, struct conn *conn, const struct tkd_frame *frame);
/* Answers something that cannot be read as a frame, or not be taken. `frame` NULL: nothing of its header can
 * be believed. */
enum service_verdict service_refuse(struct service *service, struct conn *conn, const struct tkd_frame *frame,
                                    enum tkd_status status);
/* An answer for a connection that could not even be taken. */
void service_turn_away(struct tkd_frame *reply, enum tkd_status status);

#endif
