/* Inside `ticketctl replay`: a desk log on its way into a server.
 *
 * Invariants:
 *  - lines are numbered by their place in the file; every line that is well-formed is one record of the
 *    session, so the server's count of the session's records says where to go on;
 *  - lines are read in whole chunks, and a frame never spans two chunks or two times, so a replay that was
 *    cut anywhere goes on with the same frames as one that was not;
 *  - items [first, next) are sent and unanswered, [next, end) are read and not sent;
 *  - names are defined on a connection of their own while nothing is in flight.
 */
#ifndef TICKETCTL_REPLAY_H
#define TICKETCTL_REPLAY_H

#include "base/base.h"
#include "desklog.h"
#include "logfile.h"
#include "names.h"
#include "progress.h"
#include "roster.h"
#include "ticketctl.h"

#define CHUNK_LINES  LIMIT(8192u, 4u)
#define ITEMS_MAX    LIMIT(65536u, 16u) /* power of two, more than a chunk and what may be in flight */
#define FRAMES_MAX   64u                /* power of two, the largest window */
#define STATUSES_MAX 256u
#define REASON_BYTES 512u

struct replay_item {
    u64 line;
    char *text; /* the line as it was read */
    struct desklog_line what;
    u32 queue; /* numbers of the roster, 0 = none */
    u32 agent;
    u32 category;
    u32 channel; /* of the ticket's key, 0 = the key was not created before */
};

struct replay_frame {
    u64 first; /* item */
    u32 count;
};

struct replay {
    struct ctl *ctl;
    struct tkd_client *client;  /* with the session */
    struct tkd_client *definer; /* NULL until something must be defined */
    struct logfile file;
    struct roster roster;
    struct names keys; /* external key -> number of its channel */
    struct progress progress;
    char session[129];
    bool define;
    bool keep_going;
    bool routing;
    u32 batch;
    u32 window;
    u32 wait_s;

    struct replay_item *items; /* by number % ITEMS_MAX */
    u64 first;
    u64 next;
    u64 end;
    struct replay_frame frames[FRAMES_MAX];
    u64 frames_begin;
    u64 frames_end;
    bool again; /* a frame was not taken: it and those behind it are sent again */
    u64 again_from;
    u32 again_count; /* in a row, without anything applied between */

    u64 read;       /* well-formed lines */
    u64 skip;       /* of those, applied by an earlier run */
    u64 at_ms;      /* of the last one read */
    u64 sent_at_ms; /* of the last one sent */
    bool ended;

    u64 applied;
    u64 refused;
    u64 malformed;
    u64 by_status[STATUSES_MAX];

    bool halted;     /* no more is sent; why: */
    bool ends_badly; /* what was read is sent, then the replay ends; why: */
    int code;
    u64 halt_line;
    char *halt_text;
    char reason[REASON_BYTES];
};

static inline struct replay_item *replay_item(struct replay *replay, u64 number)
{
    return &replay->items[number % ITEMS_MAX];
}

/* Stops at a line at once; only the first call counts. `line` 0: at none. */
void replay_halt(struct replay *replay, int code, u64 line, const char *text, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* Reads up to the end of the chunk. */
void replay_read(struct replay *replay);
/* What is wrong with the names of a line, in `reason`; false: nothing. */
bool replay_name_fault(struct replay *replay, const struct replay_item *item, char reason[REASON_BYTES]);

/* ---- replay_send.c ---- */

/* Sends one frame of the lines that wait. */
void replay_send(struct replay *replay);
/* Takes one answer. */
void replay_receive(struct replay *replay);
/* Takes all answers. */
void replay_drain(struct replay *replay);
/* Connects again, for a while. False: halted. */
bool replay_reconnect(struct replay *replay, struct tkd_client *client);

#endif
