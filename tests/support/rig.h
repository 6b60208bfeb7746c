/* A desk in memory for tests: builds frames, admits and applies them as the edge does, without any I/O. */
#ifndef SUPPORT_RIG_H
#define SUPPORT_RIG_H

#include "core/desk.h"

struct naive;

struct rig {
    struct state_config config;
    struct state *state;
    void *memory;
    u64 memory_bytes;
    u64 now_ms;
    u8 *frame_bytes;               /* the frame being built */
    struct tkd_result results[TKD_RECORDS_MAX];
    bool validate;                 /* after every command */
    bool stuck;                    /* the store takes events only by rig_store() */
    struct naive *naive;           /* takes every frame, too; what it answers must be the same */
    u64 seed;                      /* to be said when it is not */
    /* Every applied command, to be replayed. */
    u8 *log;
    u64 log_used;
    u64 log_max;
    /* The answer of the last query. */
    u8 *rows;
    u32 rows_bytes_max; /* of a page */
    u32 rows_count;
    u64 cursor;
};

struct rig *rig_create(void);
/* With as few rows in every table as there can be. */
struct rig *rig_create_small(void);
/* Of a size that is quickly put back: under TEST_MIN 256 tickets. */
struct rig *rig_create_tiny(void);
/* With few rows, and with the smallest ring of events, which nobody empties. */
struct rig *rig_create_stuck(void);
void rig_store(struct rig *rig);
void rig_destroy(struct rig *rig);
/* From now on, which must be the begin, a naive desk runs beside. */
void rig_beside(struct rig *rig);
/* Compares all of both desks. */
void rig_compare(struct rig *rig);
/* Drops the memory and replays the whole log into a new state. */
void rig_replay(struct rig *rig);
/* A second state of the same configuration, empty and not loaded yet, in `*memory` of rig->memory_bytes. */
struct state *rig_state_create(const struct rig *rig, void **memory);
/* Applies the log from this position on to a state. */
void rig_replay_into(const struct rig *rig, struct state *state, u64 log_at);
/* Goes on with another state, as after a restart. */
void rig_adopt(struct rig *rig, struct state *state, void *memory);
/* A restart: the rows of all tables are loaded into a new state, everything else is derived from them. */
void rig_reload(struct rig *rig);

/* One frame: begin, add records, then run: PULSEs that are due, admission, apply. */
void rig_begin(struct rig *rig, u16 op);
struct tkd_frame *rig_frame(struct rig *rig);
void rig_add(struct rig *rig, u32 record, const void *head, const char *const *texts);
void rig_add_bytes(struct rig *rig, u32 record, const void *head, const void *const *texts, const u32 *bytes);
/* The status of admission; OK: applied, results are in rig->results. */
enum tkd_status rig_run(struct rig *rig);
/* Time passes: everything due up to then fires. */
void rig_advance(struct rig *rig, u64 now_ms);
/* PULSEs until nothing is pending. */
void rig_settle(struct rig *rig);

/* A query with one record; its rows are in rig->rows, then `rig_row()` by number. */
enum tkd_status rig_query(struct rig *rig, u16 op, u32 record, const void *head, const char *const *texts);
const void *rig_row(const struct rig *rig, u32 number);
/* A figure of SUMMARY, 0 when it is not there. */
u64 rig_figure(struct rig *rig, const char *name);

/* Short forms. They assert that the catalog takes the entry. */
void rig_skill(struct rig *rig, u32 id, const char *name);
void rig_channel(struct rig *rig, u32 id, const char *name);
void rig_tier(struct rig *rig, u32 id, const char *name);
void rig_category(struct rig *rig, u32 id, const char *name, u32 parent);
void rig_queue(struct rig *rig, u32 id, const char *name, u32 strategy, u16 skill);
/* Serves `queues` (0-terminated ids; NULL = all) with `skills` (0-terminated or NULL). */
void rig_agent(struct rig *rig, u32 id, const char *name, u32 capacity, const u16 *queues, const u16 *skills);
void rig_entry(struct rig *rig, u32 kind, const struct tkd_catalog_entry *entry, const char *name,
               const u16 *skills, const u16 *queues);
enum tkd_status rig_presence(struct rig *rig, u32 agent, u32 presence);
/* One ticket in a queue; channel 1, address "a". Returns its id. */
u64 rig_create_ticket(struct rig *rig, u32 queue, u32 priority);
struct tkd_result rig_create_with(struct rig *rig, const struct tkd_ticket_create *request, const char *address,
                                  const char *key);
struct tkd_result rig_verb(struct rig *rig, u64 ticket, u32 verb, u32 argument, const char *text);
const struct ticket *rig_ticket(const struct rig *rig, u64 id);
/* Who has it, 0 = nobody. */
u32 rig_holder(const struct rig *rig, u64 id);
/* Events of a kind so far in memory. */
u32 rig_events(const struct rig *rig, u32 kind);
/* The newest event of a kind, NULL = none. */
const struct tkd_event *rig_last_event(const struct rig *rig, u32 kind);
/* A desk to play with: channel 1, queues 1 (least loaded), 2 (longest idle), 3 (claim), agents 1..4 with
 * capacity 2 in all queues, offline. */
void rig_small_desk(struct rig *rig);

#endif
