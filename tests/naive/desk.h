/* The naive desk: what the documents say, done in the simplest way. Linear lists, no indexes, no gauges, no log:
 * who holds how much is counted when it is asked, who comes next is looked for among all tickets, a clock is the
 * list of instants at which it began and ceased to run, a report adds up every single fact.
 *
 * It takes the commands that the engine takes and predicts results and events byte for byte; compare.h holds the
 * engine's answers against it. It includes nothing of the engine but the wire, the limits and how a frame is read.
 */
#ifndef NAIVE_DESK_H
#define NAIVE_DESK_H

#include "core/frame.h"
#include "core/limits.h"
#include "core/state.h"

struct naive_block;

/* Zeroed memory, given back when the desk is destroyed. */
struct naive_memory {
    void *(*alloc)(u64 bytes);
    void (*free)(void *memory);
};

struct naive_text {
    const char *at;
    u32 bytes;
};

struct naive_ids {
    const u8 *at; /* u16 each, as they came */
    u32 count;
};

struct naive_skills {
    u64 bits[SKILL_WORDS];
};

/* ---- Catalog: an entry is what its record said ---- */

struct naive_entry {
    struct tkd_catalog_entry head;
    struct naive_text name;
    struct naive_ids skills, queues, categories, channels, tiers;
};

/* Of one kind, in the order of their ids. */
struct naive_entries {
    const struct naive_entry **at;
    u32 count;
};

struct naive_catalog {
    struct naive_entries kinds[TKD_KIND_END];
    u64 version;
    u64 archive_after_ms;
    struct naive_text name;
};

struct naive_seat {
    u32 presence;
    bool owed; /* one command could not finish giving it work */
    u64 last_assigned_ms;
    u64 assignment; /* number of its last assignment, 0 = never */
    u64 solves;
};

/* ---- Tickets ---- */

/* Begins and ends by turns; an odd number: it runs. */
struct naive_clock {
    u64 *turns;
    u32 count;
    u32 room;
    u8 card; /* last one shown */
};

struct naive_ticket {
    u64 id, customer;
    u32 row; /* place in memory; 0: archived */
    u64 created_ms, created_event, last_event, archived_event;
    u64 state_since_ms, solved_ms;
    u64 spent_ms[TKD_STATE_END]; /* in states that it has left */
    struct naive_text address, receiver, key, subject, body;
    struct naive_ids skills;
    u32 version;
    u32 holder; /* of the open task */
    u32 agent;  /* the holder; when it is ended or was reopened: who had it last */
    u16 queue, category, channel, policy, stations, reopens, urges;
    u8 state, priority;
    struct naive_skills needs; /* of the task */
    bool paused, no_routing, replied, solved, open; /* open: it has a task */
    u64 entered_ms, assigned_ms;                    /* of the task */
    struct naive_clock first_reply, resolution, step;
    struct naive_text tags[TICKET_TAGS_MAX]; /* oldest first */
    u32 tags_count;
    struct tkd_ticket archived; /* its numbers when it left memory */
};

struct naive_customer {
    u64 created_ms, last_touch, first_event;
    u32 channel, tier, touches;
    struct naive_text address;
};

/* Something to be counted, with all that it counts for. */
struct naive_fact {
    u64 hour, amount;
    u16 counter;
    u16 members[TKD_DIMENSION_END];
};

/* ---- Sessions ---- */

struct naive_kept {
    const struct tkd_frame *frame; /* a copy; NULL: nothing is kept */
    const struct tkd_result *results;
};

struct naive_session {
    u64 id; /* 0 = free */
    u64 next_seq, ack_below, records, used_ms;
    u32 window;
    bool halted;
    struct naive_text name;
    struct naive_kept kept[SESSION_WINDOW_MAX];
};

/* A growing list of anything. */
struct naive_list {
    void *at;
    u64 count, room;
};

struct naive {
    struct naive_memory memory;
    struct naive_block *blocks;
    u64 op, time_ms, now_ms;
    struct naive_catalog catalog;
    struct naive_seat seats[AGENTS_MAX + 1];
    struct naive_session sessions[SESSIONS_MAX + 1];
    struct naive_list tickets;   /* struct naive_ticket *, by id - 1 */
    struct naive_list rows;      /* struct naive_ticket *, by row - 1: those in memory; NULL = free */
    struct naive_list customers; /* struct naive_customer *, by id - 1 */
    struct naive_list events;    /* const struct tkd_event *, by seq - 1 */
    struct naive_list facts;     /* struct naive_fact */
    struct naive_list sets;      /* struct naive_skills: every one that was ever needed, as far as there is room */
    struct naive_list tag_names; /* struct naive_text: the same of tags */
    u64 memory_bytes;            /* the budget */
    u64 sessions_made, assignments;
    u64 sweep_row; /* tickets from this row on are brought in line with a changed catalog; 0 = none */
    u32 budget;    /* assignments left to one command */
    const struct naive_ticket *arriving; /* is being routed, and so not in line yet */
    u64 creates, by_verb[TKD_VERB_END];
    struct tkd_result *results; /* of the last command */
    u64 first_event;            /* the last command's first */
};

struct naive *naive_create(struct naive_memory memory, u64 memory_bytes);
void naive_destroy(struct naive *desk);
/* What admission answers, room in the event ring apart; EXISTS: the kept results in *reply. */
enum tkd_status naive_admit(const struct naive *desk, const struct tkd_frame *frame, const struct tkd_result **reply);
/* Results and events are in the desk then. Stops the test when the command should not have come now. */
void naive_apply(struct naive *desk, const struct command *command);
/* 0: a PULSE is wanted at once; else the next deadline, U64_NONE = none. */
u64 naive_due(const struct naive *desk);

/* ---- Between its files ---- */

void *naive_alloc(struct naive *desk, u64 bytes);
const void *naive_copy(struct naive *desk, const void *data, u64 bytes);
u64 naive_rows(const struct naive *desk, u32 bytes); /* of a table: how many the budget gives */
/* A new place at the end of the list. */
void *naive_append(struct naive *desk, struct naive_list *list, u64 item_bytes);
struct naive_text naive_text(struct naive *desk, const char *at, u32 bytes);
static inline bool naive_same(struct naive_text a, const char *at, u32 bytes)
{
    return a.bytes == bytes && (bytes == 0 || memcmp(a.at, at, bytes) == 0);
}
u16 naive_id(struct naive_ids ids, u32 index);
bool naive_listed(struct naive_ids ids, u32 id);
/* `at` of the desk's n tickets in memory, in the order of their rows: NULL where there is none. */
static inline struct naive_ticket *naive_row(const struct naive *desk, u64 row)
{
    return ((struct naive_ticket **)desk->rows.at)[row - 1];
}
static inline struct naive_customer *naive_customer(const struct naive *desk, u64 id)
{
    return id == 0 || id > desk->customers.count ? NULL : ((struct naive_customer **)desk->customers.at)[id - 1];
}
struct tkd_event *naive_raise(struct naive *desk, u32 kind, struct naive_ticket *ticket, const void *text, u32 bytes);

/* Catalog. */
const struct naive_entry *naive_entry(const struct naive *desk, u32 kind, u32 id);
const struct naive_entry *naive_live(const struct naive *desk, u32 kind, u32 id);
void naive_catalog_apply(struct naive *desk, const struct tkd_frame *frame);
void naive_catalog_sweep(struct naive *desk);

/* Routing. */
static inline bool naive_active(const struct naive_ticket *ticket)
{
    return ticket->open && !ticket->paused && (ticket->state == TKD_STATE_NEW || ticket->state == TKD_STATE_OPEN);
}
bool naive_waits(const struct naive *desk, const struct naive_ticket *ticket); /* in line */
bool naive_before(const struct naive_ticket *a, const struct naive_ticket *b);
bool naive_serves(const struct naive *desk, u32 agent, u32 queue);
bool naive_eligible(const struct naive *desk, u32 agent, const struct naive_ticket *ticket);
bool naive_present(const struct naive *desk, u32 agent);
u32 naive_load(const struct naive *desk, u32 agent);
u32 naive_waiting(const struct naive *desk, u32 queue); /* tasks without an agent, in line or not */
struct naive_skills naive_skills_of(struct naive_ids ids);
/* Is there room for this set of skills? It is one of the desk's then. */
bool naive_set_fits(struct naive *desk, struct naive_skills set);
/* What the ticket's task needs from now on. */
void naive_needs(struct naive *desk, struct naive_ticket *ticket);
bool naive_owes_work(const struct naive *desk); /* some agent is still to be given work */
void naive_route(struct naive *desk, struct naive_ticket *ticket, u32 not_agent);
bool naive_goes_first(const struct naive *desk, u32 agent, const struct naive_ticket *ticket);
void naive_serve(struct naive *desk, u32 agent);
void naive_serve_all(struct naive *desk);
void naive_serve_owed(struct naive *desk);
void naive_presence(struct naive *desk, const struct tkd_prefix *record, struct tkd_result *result);

/* Tickets. */
struct naive_ticket *naive_ticket(const struct naive *desk, u64 id);
void naive_ticket_create(struct naive *desk, const struct tkd_prefix *record, struct tkd_result *result);
void naive_ticket_update(struct naive *desk, const struct tkd_prefix *record, struct tkd_result *result);
void naive_ticket_give(struct naive *desk, struct naive_ticket *ticket, u32 agent, bool routed);
void naive_ticket_archive(struct naive *desk, struct naive_ticket *ticket);

/* Clocks and deadlines. */
u64 naive_clock_ran_ms(const struct naive_clock *clock, u64 now_ms);
u64 naive_clock_due_ms(const struct naive_clock *clock, u64 at_ms); /* when it reaches at_ms; it must run */
static inline bool naive_clock_runs(const struct naive_clock *clock) { return clock->count % 2 == 1; }
u64 naive_target_ms(const struct naive *desk, const struct naive_ticket *ticket, u32 clock);
void naive_settle_clocks(struct naive *desk, struct naive_ticket *ticket);
void naive_sweep(struct naive *desk, struct naive_ticket *ticket); /* the catalog has changed */
void naive_retarget(struct naive *desk, struct naive_ticket *ticket);
u64 naive_deadline_ms(const struct naive *desk);
u64 naive_fire(struct naive *desk, u64 until_ms);

/* Sessions. */
enum tkd_status naive_session_admit(const struct naive *desk, const struct tkd_frame *frame,
                                    const struct tkd_result **reply);
bool naive_session_room(const struct naive *desk, const struct tkd_frame *frame);
void naive_session_prepare(struct naive *desk, const struct tkd_frame *frame);
void naive_session_keep(struct naive *desk, const struct tkd_frame *frame);
void naive_register(struct naive *desk, const struct tkd_prefix *record, struct tkd_result *result);
void naive_unregister(struct naive *desk, const struct tkd_prefix *record, struct tkd_result *result);

/* Customers. */
u64 naive_customer_of(const struct naive *desk, u32 channel, const char *address, u32 bytes); /* 0 = unknown */
u64 naive_customer_make(struct naive *desk, u32 channel, struct naive_text address);
void naive_touch(struct naive *desk, const struct naive_ticket *ticket, struct tkd_event *event);
void naive_customer_update(struct naive *desk, const struct tkd_prefix *record, struct tkd_result *result);

/* Counters. */
enum naive_counter {
#define NAIVE_COUNTER(type, name, doc) NAIVE_##name,
    TKD_COUNTERS(NAIVE_COUNTER)
#undef NAIVE_COUNTER
        NAIVE_COUNTERS
};
void naive_fact(struct naive *desk, const struct naive_ticket *ticket, u32 counter, u64 amount);
/* All facts added up, by hour and member; returns how many rows. */
u32 naive_recount(const struct naive *desk, struct tkd_report_row *rows, u32 rows_max);

/* Views: records as a query answers them. */
void naive_view_numbers(const struct naive *desk, const struct naive_ticket *ticket, u64 now_ms, struct tkd_ticket *to);
u32 naive_view_tags(const struct naive_ticket *ticket, char *to);

#endif
