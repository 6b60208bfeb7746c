/* The ticket: what a customer needs. Its row, its life, and the commands on it.
 *
 * Texts are in events, not in the row: `created_event` holds the request's, and from `last_event` on the
 * history is a chain of events back to it.
 */
#ifndef CORE_TICKET_H
#define CORE_TICKET_H

#include "base/base.h"
#include "base/hash.h"
#include "core/limits.h"

enum ticket_flag {
    TICKET_PAUSED = 1,
    TICKET_NO_ROUTING = 2,
    TICKET_SOLVED_ONCE = 4,
    TICKET_REOPENED_ONCE = 8,
    TICKET_REPLIED = 16,      /* the first-reply clock has stopped for good */
};

/* Time on a clock: what it has run before, and since when it runs (0 = it stands). */
struct clock {
    u64 ran_ms;
    u64 since_ms;
};

struct ticket {
    u64 id; /* partition << 52 | sequence */
    u64 created_ms;
    u64 created_event;
    u64 last_event;
    u64 state_since_ms;
    u64 solved_ms; /* last solve, 0 = never */
    struct clock first_reply;
    struct clock resolution;
    u32 version;
    u32 customer; /* row */
    u32 task;     /* row of the open task, 0 = none */
    u32 agent;    /* who has it, or had it last when it is ended */
    u32 labels;   /* row of the first tag link */
    u16 queue;
    u16 category;
    u16 channel;
    u16 policy;
    u16 stations; /* tasks so far */
    u16 reopens;
    u16 urges;
    u16 skill_set; /* required besides those of queue and category */
    u8 state;
    u8 priority;
    u8 flags;
    u8 card_first_reply; /* 0 none, else the last card shown */
    u8 card_resolution;
    u8 reserved[3];
};
_Static_assert(sizeof(struct ticket) == 128, "the hot row is two cache lines");

#define TICKET_PARTITION_SHIFT 52
#define TICKET_SEQUENCE(id) ((id) & (((u64)1 << TICKET_PARTITION_SHIFT) - 1))

/* An external key on its ticket: unique by the hash over channel, receiver and key. */
struct ticket_key {
    u64 ticket; /* row; non-zero */
    struct hash128 hash;
};

/* A tag on a ticket, in a list. */
struct label {
    u64 ticket; /* row; non-zero */
    u32 tag;    /* row */
    u32 next;
};

struct tag {
    u64 id;
    char name[TAG_BYTES_MAX];
};

struct state;
enum tkd_status tag_add(struct state *state, u32 ticket, const char *name, u32 bytes);
/* false: the ticket has no such tag. */
bool tag_remove(struct state *state, u32 ticket, const char *name, u32 bytes);
void tags_remove(struct state *state, u32 ticket);
void tags_loaded(struct state *state);
/* The tag's row, 0 = never used. */
u32 tag_find(const struct state *state, const char *name, u32 bytes);
bool tag_on(const struct state *state, const struct ticket *ticket, u32 tag);

struct tkd_ticket_create;
struct tkd_ticket_update;

/* What a create looks up, computed and fetched some records ahead: a batch then waits for memory only once. */
struct ticket_prepared {
    struct hash128 identity;
    struct hash128 key;
    bool known; /* the customer is named by its id */
};
void ticket_prepare(const struct state *state, const struct tkd_prefix *record, struct ticket_prepared *prepared);
/* The same for what those look-ups lead to, once they have had time to arrive. */
void ticket_prefetch(const struct state *state, const struct ticket_prepared *prepared);
/* Takes what was prepared from state->prepared. */
void ticket_create(struct state *state, const struct tkd_prefix *record, struct tkd_result *result);
void ticket_update(struct state *state, const struct tkd_prefix *record, struct tkd_result *result);
/* The row of a ticket id, 0 = not in memory. */
u32 ticket_find(const struct state *state, u64 id);
u32 ticket_find_key(const struct state *state, u32 channel, const char *receiver, u32 receiver_bytes,
                    const char *key, u32 key_bytes);
/* For task.c: the state changes, with all gauges. */
void ticket_set_state(struct state *state, u32 row, u32 to);
/* Routing hands the waiting ticket to an agent; the caller settles its clocks. */
void ticket_assign(struct state *state, u32 row, u32 agent);
/* After a change of the catalog: requirements, policy, clocks and timers of one ticket. */
void ticket_sweep(struct state *state, u32 row);
/* Loading: columns, gauges and lines; route_loaded() is to follow. */
void ticket_loaded(struct state *state, u32 row);
/* Texts of a ticket's row for readers. */
struct ticket_texts {
    const char *subject, *key, *address;
    u32 subject_bytes, key_bytes, address_bytes;
};
/* Those of a CREATED event. */
struct ticket_texts ticket_texts_of(const struct tkd_event *created);
/* Writes the ticket as of now_ms as a tkd_ticket record; returns its bytes. */
#define TICKET_RECORD_BYTES_MAX 4096u
u32 ticket_write(const struct state *state, const struct ticket *ticket, const struct ticket_texts *texts, u64 now_ms,
                 u8 *to, u32 bytes_max);
/* A closed ticket leaves memory. */
void ticket_archive(struct state *state, u32 row);

#endif
