/* SLA: which policy, which clocks run, when the next card is due. One timer a ticket, one a task. */
#ifndef CORE_SLA_H
#define CORE_SLA_H

#include "base/base.h"
#include "core/ticket.h"

struct state;
/* Brings the clocks of the ticket and its task in line with state and policy as of now, shows the cards that
 * are due, and sets both timers. */
void sla_settle(struct state *state, u32 ticket);
/* The ticket's own priority or category has changed: its clocks are held against the new targets even while they
 * stand. sla_settle() is to follow. */
void sla_retarget(struct state *state, u32 ticket);
/* sla_settle() after a change of the catalog, which so concerns running clocks only. May archive the ticket. */
void sla_sweep(struct state *state, u32 ticket);
/* The ticket's or the task's timer has come. */
void sla_fire_ticket(struct state *state, u32 ticket);
void sla_fire_task(struct state *state, u32 task);
/* Loading: sets the timers of a ticket. false: one should have fired before. */
bool sla_loaded(struct state *state, u32 ticket);
/* For readers: time on a clock as of now; and its deadline, 0 = it stands or has no target. */
u64 clock_ran_ms(const struct clock *clock, u64 now_ms);
u64 clock_due_ms(const struct clock *clock, u64 target_ms);
/* Does a clock run in this state? */
bool sla_runs(u16 states, const struct ticket *ticket);
u64 sla_first_reply_target_ms(const struct state *state, const struct ticket *ticket);
u64 sla_resolution_target_ms(const struct state *state, const struct ticket *ticket);
u64 sla_step_target_ms(const struct state *state, const struct ticket *ticket);

#endif
