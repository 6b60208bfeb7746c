/* SLA: which policy, which clocks run, when the next card is due. One timer a ticket, one a task. */
#ifndef CORE_SLA_H
#define CORE_SLA_H

#include "base/base.h"
#include "core/ticket.h"

struct state;
/* The first policy that matches, 0 = none. */
u32 sla_policy_for(const struct state *state, const struct ticket *ticket);
/* Brings the clocks of the ticket and its task in line with state and policy as of now, shows the cards that
 * are due, and sets both timers. */
void sla_settle(struct state *state, u32 ticket);
/* The ticket's or the task's timer has come. */
void sla_fire_ticket(struct state *state, u32 ticket);
void sla_fire_task(struct state *state, u32 task);
/* Loading: sets all timers. */
void sla_loaded(struct state *state);
/* For readers: time on a clock as of now; and its deadline, 0 = it stands or has no target. */
u64 clock_ran_ms(const struct clock *clock, u64 now_ms);
u64 clock_due_ms(const struct clock *clock, u64 target_ms);
/* Does a clock run in this state? */
bool sla_runs(u16 states, const struct ticket *ticket);
u64 sla_first_reply_target_ms(const struct state *state, const struct ticket *ticket);
u64 sla_resolution_target_ms(const struct state *state, const struct ticket *ticket);
u64 sla_step_target_ms(const struct state *state, const struct ticket *ticket);

#endif
