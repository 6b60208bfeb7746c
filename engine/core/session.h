/* Sessions: every command exactly once (after RIFL, SOSP 2015).
 *
 * A request carries seq and ack_below. seq == next: it is new, applied, and its results are kept. seq below
 * next: it is answered from what was kept, if it is the same request (by hash). Above: a gap. Results below
 * ack_below are dropped. At most `window` results are kept. When no row is free the session used longest ago
 * (by logged time) is evicted; when there is no room to keep results, those with some that were unused for an hour.
 */
#ifndef CORE_SESSION_H
#define CORE_SESSION_H

#include "base/base.h"
#include "core/limits.h"

struct session_slot {
    u64 hash;
    u32 part; /* first reply part */
    u32 count;
};

struct session {
    u64 id; /* serial << 12 | row */
    u64 next_seq;
    u64 ack_below;
    u64 records; /* done with: under the flag STOP without the first refused one and what followed */
    u64 halted;  /* 1: a record was refused under the flag STOP: nothing more with it is taken until REGISTER */
    u64 used_ms;
    u32 window;
    u32 name_bytes;
    char name[128];
    struct session_slot slots[SESSION_WINDOW_MAX]; /* seq % SESSION_WINDOW_MAX */
};

/* Kept results, in pieces. */
#define REPLY_PART_RESULTS 15u
struct reply_part {
    u64 id; /* session row; non-zero */
    u32 next;
    u32 reserved;
    struct tkd_result results[REPLY_PART_RESULTS];
};
_Static_assert(sizeof(struct reply_part) == 256, "reply part");

struct state;
enum tkd_status session_admit(const struct state *state, const struct tkd_frame *frame, const void **reply,
                              u32 *reply_bytes);
void session_register(struct state *state, const struct tkd_prefix *record, struct tkd_result *result);
void session_unregister(struct state *state, const struct tkd_prefix *record, struct tkd_result *result);
/* Is there room to keep the results of a request that the session admits? OK or WINDOW_FULL. */
enum tkd_status session_room(const struct state *state, const struct tkd_frame *frame);
/* Before an admitted request is applied: what it acknowledges goes, and there is room to keep its results. */
void session_prepare(struct state *state, const struct tkd_frame *frame);
/* Keeps the results of an applied request. */
void session_keep(struct state *state, const struct tkd_frame *frame, const struct tkd_result *results);
void sessions_loaded(struct state *state);
u32 session_find(const struct state *state, u64 id);

#endif
