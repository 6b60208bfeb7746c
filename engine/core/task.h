/* The task: one handling station of a ticket. The row exists while the task is open; its end is an event. */
#ifndef CORE_TASK_H
#define CORE_TASK_H

#include "base/base.h"
#include "core/ticket.h"

struct task {
    u64 ticket_id;
    u64 entered_ms;  /* the order of the line */
    u64 assigned_ms; /* 0 = nobody has it */
    struct clock step;
    u32 ticket; /* row */
    u16 queue;
    u16 agent;
    u16 station;
    u16 skill_set; /* required in all: queue, category and ticket */
    u8 card_step;
    u8 reserved[11];
};
_Static_assert(sizeof(struct task) == 64, "a task is one cache line");

struct state;
/* The skills that the ticket's task requires in all. */
u32 task_skill_set(struct state *state, const struct ticket *ticket);
/* The ticket enters its queue: opens its next task there. */
void task_enter(struct state *state, u32 ticket);
/* Gives the open task to an agent, by routing or by hand; a new ticket is open from now on. */
void task_give(struct state *state, u32 ticket, u32 agent, bool routed);
/* Takes it from the agent; it waits from now on as if it had just entered. */
void task_take_back(struct state *state, u32 ticket);
/* Opens a task after a reopen, which is no entry. */
void task_reopen(struct state *state, u32 ticket);
/* Ends the open task. */
void task_close(struct state *state, u32 ticket, u32 outcome);

#endif
