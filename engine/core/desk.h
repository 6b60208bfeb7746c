/* The whole state in one place. Persisted: the tables' rows, nothing else. Derived: everything below them. */
#ifndef CORE_DESK_H
#define CORE_DESK_H

#include "base/base.h"
#include "base/bitset.h"
#include "base/hash.h"
#include "core/catalog.h"
#include "core/columns.h"
#include "core/customer.h"
#include "core/event.h"
#include "core/frame.h"
#include "core/index.h"
#include "core/limits.h"
#include "core/line.h"
#include "core/route.h"
#include "core/session.h"
#include "core/sla.h"
#include "core/snapshot.h"
#include "core/state.h"
#include "core/stats.h"
#include "core/table.h"
#include "core/task.h"
#include "core/ticket.h"
#include "core/wheel.h"

/* The one row of scalars. */
struct desk {
    u64 id;
    u64 tickets;     /* created so far = last sequence */
    u64 sessions;    /* registered so far */
    u64 catalog_version;
    u64 assignments; /* so far: orders agents by idleness */
    u64 archive_after_ms;
    u64 sweep_row;   /* tickets from this row on are brought in line with changed policies; 0 = none */
    u32 name_bytes;
    u32 reserved;
    char name[NAME_BYTES_MAX];
    u64 creates;                      /* create commands accepted, EXISTS not counted */
    u64 by_verb[32];                  /* commands accepted */
    u64 by_state[TKD_STATE_END];      /* tickets now, archived ones included */
    u64 since_sum_ms[TKD_STATE_END];  /* sum of state_since_ms of those */
    u64 ran_ms[TKD_STATE_END];        /* time that ended in the states */
    u64 by_priority[TKD_PRIORITY_END];
    u64 reopens;
    u64 tickets_reopened;
    u64 tickets_ever_solved;
    u64 solves;
    u64 first_resolution_ms;
    u64 full_resolution_ms;
    u64 breached_first_reply[TKD_PRIORITY_END];
    u64 breached_resolution[TKD_PRIORITY_END];
    u64 archived;
};

enum table_number {
    TABLE_NONE,
    TABLE_DESK,
    TABLE_SKILL,
    TABLE_CHANNEL,
    TABLE_TIER,
    TABLE_CATEGORY,
    TABLE_QUEUE,
    TABLE_TALLY,
    TABLE_AGENT,
    TABLE_SEAT,
    TABLE_POLICY,
    TABLE_DRAIN,
    TABLE_SKILL_SET,
    TABLE_TAG,
    TABLE_SESSION,
    TABLE_REPLY,
    TABLE_CUSTOMER,
    TABLE_IDENTITY,
    TABLE_TICKET,
    TABLE_KEY,
    TABLE_LABEL,
    TABLE_TASK,
    TABLE_STATS,
    TABLES
};

struct state {
    struct state_config config;
    struct table tables[TABLES]; /* by table_number; [0] is unused */
    struct snapshot snapshot;
    struct event_log events;

    /* As of the last command. */
    u64 op;
    u64 time_ms;

    /* Of the command being applied. */
    u64 now_ms;
    u64 cause;

    const struct ticket_prepared *prepared; /* of the record being applied */

    /* Derived. */
    u32 *directory;   /* ticket sequence -> row */
    u64 directory_max;
    struct columns columns; /* by sequence, too */
    u32 *key_rows;    /* by ticket row: its key's row */
    struct index names;      /* catalog: hash of kind and name -> kind << 16 | id */
    struct index tags;
    struct index skill_sets;
    struct index identities;
    struct index keys;
    struct index stats;
    struct stats_current *stats_current[STATS_DIMENSIONS]; /* by member */
    u8 *stats_dimensions;                                  /* by row */
    struct stats_sums stats_sums;
    u64 *session_names;      /* by row: hash of the name, 0 = none */
    struct wheel wheel;      /* timers: ticket rows, then task rows */
    struct line line;
    struct route route;
    u32 *policies;           /* in their order; live ones */
    u32 policies_count;
    struct tkd_result *results; /* scratch: a reply gathered from its parts */
    u8 *scratch;                /* SCRATCH_BYTES: texts being put together, rows being saved */
};

#define SCRATCH_BYTES (16u << 20)

/* Typed rows: `ticket_row(state, row)` to read, `ticket_edit(state, row)` to change. */
#define DESK_ROWS(name, NAME, type)                                                                          \
    static inline const struct type *name##_row(const struct state *state, u32 row)                          \
    {                                                                                                        \
        return (const struct type *)state->tables[TABLE_##NAME].rows + row;                                  \
    }                                                                                                        \
    static inline struct type *name##_edit(struct state *state, u32 row)                                     \
    {                                                                                                        \
        table_touch(&state->tables[TABLE_##NAME], row);                                                      \
        return (struct type *)state->tables[TABLE_##NAME].rows + row;                                        \
    }
DESK_ROWS(skill, SKILL, skill)
DESK_ROWS(channel, CHANNEL, channel)
DESK_ROWS(tier, TIER, tier)
DESK_ROWS(category, CATEGORY, category)
DESK_ROWS(queue, QUEUE, queue)
DESK_ROWS(tally, TALLY, tally)
DESK_ROWS(agent, AGENT, agent)
DESK_ROWS(seat, SEAT, seat)
DESK_ROWS(policy, POLICY, policy)
DESK_ROWS(drain, DRAIN, drain)
DESK_ROWS(skill_set, SKILL_SET, skill_set)
DESK_ROWS(tag, TAG, tag)
DESK_ROWS(session, SESSION, session)
DESK_ROWS(reply, REPLY, reply_part)
DESK_ROWS(customer, CUSTOMER, customer)
DESK_ROWS(identity, IDENTITY, identity)
DESK_ROWS(ticket, TICKET, ticket)
DESK_ROWS(key, KEY, ticket_key)
DESK_ROWS(label, LABEL, label)
DESK_ROWS(task, TASK, task)
DESK_ROWS(stats, STATS, stats)
#undef DESK_ROWS

static inline const struct desk *desk_row(const struct state *state)
{
    return table_row(&state->tables[TABLE_DESK], 1);
}
static inline struct desk *desk_edit(struct state *state) { return table_edit(&state->tables[TABLE_DESK], 1); }

static inline u32 ticket_timer(u32 row) { return row; }
static inline u32 task_timer(const struct state *state, u32 row)
{
    return state->tables[TABLE_TICKET].rows_max + 1 + row;
}

/* Is somebody to work on it now? */
static inline bool ticket_active(const struct ticket *ticket)
{
    return (ticket->state == TKD_STATE_NEW || ticket->state == TKD_STATE_OPEN) && !(ticket->flags & TICKET_PAUSED);
}
static inline bool status_refused(u32 status)
{
    return status != TKD_OK && status != TKD_EXISTS && status != TKD_UNCHANGED;
}
static inline bool state_unsolved(u32 state) { return state >= TKD_STATE_NEW && state <= TKD_STATE_ON_HOLD; }

/* Raises an event of the command being applied; `ticket` row 0 = of no ticket. The record's numbers may be
 * filled in until the next one is raised. */
struct tkd_event *event_raise(struct state *state, enum tkd_event_kind kind, u32 ticket, const void *text,
                              u32 text_bytes);
/* The same with the text still to be written, behind the record. */
struct tkd_event *event_open(struct state *state, enum tkd_event_kind kind, u32 ticket, u32 text_bytes);

#endif
