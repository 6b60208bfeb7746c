/* A day at the desk, as its people and customers live it: who comes when, what is asked, how it goes on. Only
 * the plan: what becomes of it decides the server, whose events are heard here and move the plan on.
 *
 * Everything follows from the seed, so the same day can be lived again. */
#ifndef BENCH_DAY_H
#define BENCH_DAY_H

#include "base/prng.h"
#include "ticketd/client.h"

#define DAY_AGENT_QUEUES_MAX 64u
#define DAY_SKILL_WORDS 4u

struct day_skills {
    u64 words[DAY_SKILL_WORDS];
};

struct day_category {
    u32 id;
    u32 parent;
    struct day_skills skills;
};

struct day_queue {
    u32 id;
    struct day_skills skills;
    double share;  /* of the tickets that arrive; all together 1 */
    u32 *members;  /* places in `agents` */
    u32 members_count;
};

struct day_agent {
    u32 id;
    u32 capacity;
    u32 load;     /* tickets that it has in hand */
    u32 claims;   /* and that it claims just now */
    u64 claim_ms; /* when that is */
    struct day_skills skills;
    bool all_queues;
    bool online;
    u16 queues[DAY_AGENT_QUEUES_MAX];
    u32 queues_count;
    u32 begin_hour; /* of the shift */
    u32 end_hour;
};

/* What is known of one ticket. */
struct day_ticket {
    u64 id;
    u32 agent;
    u16 queue;
    u16 category;
    u16 channel;
    u16 turn; /* plans made in another turn of the ticket are void */
    bool replied;
    bool in_hand; /* counts in its agent's load */
};

/* Something that will be done, unless the ticket has taken another turn. */
struct day_plan {
    u64 at_ms;
    u32 ticket;
    u16 turn;
    u16 verb;
};

struct day {
    struct prng prng;
    u64 begin_ms;
    u64 tickets_max;
    u64 arrived;     /* so far */
    u64 handling_ms; /* mean time that an agent has a ticket */
    struct day_queue *queues;
    struct day_agent *agents; /* by ascending id */
    struct day_category *categories;
    u16 *channels;
    u16 *tiers;
    u32 queues_count, agents_count, categories_count, channels_count, tiers_count;
    struct day_ticket *tickets; /* by sequence */
    struct day_plan *plans;     /* a heap, the earliest first */
    u64 plans_count;
    u64 plans_room;
    u64 *regulars; /* customers who will get a tier */
    u32 regulars_count;
    u64 cards_yellow;
    u64 cards_red;
    u64 routed;
    u64 solved;
};

/* Reads the desk's catalog from the server and makes the plan of the day. */
void day_begin(struct day *day, struct tkd_client *client, u64 tickets, u64 begin_ms, u64 seed);
void day_end(struct day *day);

/* How many tickets should have arrived by then. */
u64 day_arrivals(const struct day *day, u64 now_ms);
/* Should this agent be at the desk? */
bool day_present(const struct day *day, const struct day_agent *agent, u64 now_ms);

/* A request that arrives; `texts` has room for those of a ticket_create, their bytes lie in `buffer`. */
struct day_texts {
    char address[64];
    char key[32];
    char subject[160];
    char body[256];
};
void day_arrive(struct day *day, struct tkd_ticket_create *request, struct day_texts *buffer, struct tkd_text *texts);
/* The next thing to be done up to `now_ms`; false when there is none. */
bool day_next(struct day *day, u64 now_ms, struct tkd_ticket_update *update, struct tkd_text *texts);
/* It was refused: some things are tried again later. */
void day_refused(struct day *day, u64 ticket, u16 verb, u64 now_ms);
/* A customer who gets a tier; false when there is none. */
bool day_regular(struct day *day, struct tkd_customer_update *update);
/* Something happened. */
void day_event(struct day *day, const struct tkd_event *event);

#endif
