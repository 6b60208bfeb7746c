/* Routing: which agent gets a task, which task gets an agent.
 *
 * Invariant: if a task waits in a queue that routes and an agent is eligible for it, the agent is in the drain
 * set. (One exception: who releases a task is not offered it again until somebody else's turn brings the line
 * up.) The set is empty but when one command could not finish; then newcomers wait, too. Before anybody new gets
 * an agent, what that agent is owed goes first. So newcomers never overtake.
 *
 * A task begins to wait when it enters a queue, is given back, becomes active again, or when its priority or its
 * required skills change meanwhile. If that gives an agent room, those who wait for the agent are served before the
 * task when the order of the line says so, and always when the agent itself gave it back. Then it goes, in this
 * order of the questions: to nobody, because the caller assigns (NO_ROUTING) or members claim (CLAIM), or because
 * others are being served (BEHIND_OTHERS); to the agent who had it before a reopen (PREVIOUS_AGENT) or whom the
 * strategy chooses, once those have been served whom that agent is owed to; else it waits (NOBODY_ELIGIBLE).
 * An agent who gets room takes the first in line of all its queues, again and again; each of them goes to whom the
 * strategy of its queue chooses (FREED_CAPACITY).
 *
 * Agents are bits: eligible = has spare capacity and is present ∧ member ∧ skill ∧ skill …, a few operations
 * a word of 64 agents. The best of them is found with the maximum of each word, so that most words are
 * passed over with one comparison.
 */
#ifndef CORE_ROUTE_H
#define CORE_ROUTE_H

#include "base/base.h"
#include "core/limits.h"

/* Standings of the available agents (0: the others), and the highest of every word, for which those of every eight
 * are kept: so a change looks at sixteen. The highest is chosen. */
struct ranking {
    u64 *agents;
    u64 *eights;
    u64 *words;
};

struct route {
    u64 *available;    /* AGENT_WORDS: present, with spare capacity */
    u64 *present;      /* AGENT_WORDS */
    u64 *everywhere;   /* AGENT_WORDS: serves all queues */
    u64 *members;      /* QUEUES × AGENT_WORDS */
    u64 *skilled;      /* SKILLS × AGENT_WORDS */
    struct ranking least_loaded; /* then by idleness */
    struct ranking longest_idle;
    u32 *load;         /* by agent: tasks of active tickets */
    u32 *held;         /* by agent: all open tasks */
    u32 *waiting;      /* by queue: gauges of open tasks */
    u32 *assigned;
    u32 *suspended;
    u32 drain_count;   /* bits in the drain rows */
    u32 budget;        /* assignments left for this command */
    u32 words;         /* of agents in use */
};

/* Agents to be given waiting work, when one command could not finish; persisted. */
#define DRAIN_ROW_WORDS 15u
#define DRAIN_ROWS ((AGENT_WORDS + DRAIN_ROW_WORDS - 1) / DRAIN_ROW_WORDS)
struct drain {
    u64 id;
    u64 agents[DRAIN_ROW_WORDS];
};

struct state;
/* The task has just begun to wait: assigns it (not to `not_agent`, who has just released it) or lets it wait,
 * and says why in an event. */
void route_task(struct state *state, u32 task, u32 not_agent);
/* Does somebody wait whom the agent would take before this task? */
bool route_owes(const struct state *state, u32 agent, u32 task);
/* The agent may have become able to take more. */
void route_agent(struct state *state, u32 agent);
/* Every available agent, after the catalog has changed. */
void route_all(struct state *state);
/* Goes on with pending drains. */
void route_drain(struct state *state);
/* Loading: what follows from the gauges. */
void route_loaded(struct state *state);
static inline bool route_pending(const struct route *route) { return route->drain_count != 0; }
/* Recomputes what is derived of an agent's presence, load and capacity. */
void route_refresh(struct state *state, u32 agent);
bool route_eligible(const struct state *state, u32 agent, u32 queue, u32 skill_set);
bool route_member(const struct state *state, u32 agent, u32 queue);
void agent_presence(struct state *state, const struct tkd_prefix *record, struct tkd_result *result);

#endif
