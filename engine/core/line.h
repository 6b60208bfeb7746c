/* Who waits: tasks without an agent, in the order in which they are served.
 *
 * A lane holds the waiting tasks of one queue that require one set of skills, so that whoever can take one of
 * a lane's tasks can take any of them, and only heads of lanes need to be compared. Within a lane there is a
 * treap for each priority (Seidel and Aragon, 1996) in the order (entered_ms, ticket id); its shape depends on
 * its members alone. Appending, which is the rule, and taking the first cost O(1) on average.
 */
#ifndef CORE_LINE_H
#define CORE_LINE_H

#include "base/base.h"

struct lane {
    u32 root[TKD_PRIORITY_END];
    u32 first[TKD_PRIORITY_END]; /* task rows */
    u32 last[TKD_PRIORITY_END];
    u32 count;
    u32 next; /* lane of the same queue */
    u16 queue;
    u16 skill_set;
};

struct line_node {
    u32 left, right, parent;
    u32 lane; /* 0: not waiting */
};

struct line {
    struct lane *lanes;      /* from 1 */
    u32 *free_lanes;         /* stack */
    struct line_node *nodes; /* by task row */
    u32 *queue_lanes;        /* first lane of a queue */
    u64 *queues_waiting;     /* a bit a queue that has a lane */
    u32 free_count;
    u32 lanes_used;
    u32 queues_count; /* queues that have a lane */
};

struct state;
void line_push(struct state *state, u32 task);
/* No-op when the task does not wait in a lane. */
void line_remove(struct state *state, u32 task);
static inline bool line_has(const struct line *line, u32 task) { return line->nodes[task].lane != 0; }
/* The first task of a lane, 0 = none. */
u32 lane_head(const struct lane *lane);
/* Is task a served before task b? */
bool line_before(const struct state *state, u32 a, u32 b);
/* The task behind `task` within its lane and priority, 0 = none. */
u32 line_next(const struct state *state, u32 task);
void line_validate(const struct state *state);

#endif
