/* The catalog: all configuration, as rows. Row number = id; retired entries stay, ids are never reused. */
#ifndef CORE_CATALOG_H
#define CORE_CATALOG_H

#include "base/base.h"
#include "core/limits.h"

/* Every catalog row begins like this. */
struct entry {
    u64 id;
    u32 retired;
    u32 name_bytes;
    char name[NAME_BYTES_MAX];
};

struct skill {
    struct entry entry;
};

struct channel {
    struct entry entry;
    u64 tickets; /* created through it so far */
};

struct tier {
    struct entry entry;
};

struct category {
    struct entry entry;
    u32 parent;
    u32 skill_set;
};

struct queue {
    struct entry entry;
    u32 parent;
    u32 skill_set; /* required */
    u64 step_ms;
    u64 yellow_ms;
    u32 yellow_percent;
    u16 states_step; /* bit n: the step clock runs in state n */
    u8 strategy;
    u8 reserved;
};

struct agent {
    struct entry entry;
    u32 capacity; /* 0 = no limit */
    u32 all_queues;
    u64 skills[SKILL_WORDS];
    u64 queues[QUEUE_WORDS];
};

/* What an agent does, apart from its catalog row because it changes all the time. Same row number. */
struct seat {
    u64 id;
    u64 last_assigned_ms;
    u64 assigned_seq; /* desk.assignments at the last assignment: who has waited longest */
    u64 solves;
    u32 presence;
    u32 reserved;
};

/* Totals of a queue since the desk exists. Same row number. */
struct tally {
    u64 id;
    u64 entries;
    u64 solves;
};

struct policy {
    struct entry entry;
    u32 order;
    u32 yellow_percent;
    u64 yellow_ms;
    u64 first_reply_ms[TKD_PRIORITY_END]; /* by priority; 0 = no target */
    u64 resolution_ms[TKD_PRIORITY_END];
    u16 states_first_reply;
    u16 states_resolution;
    u8 priorities; /* bit n; 0 = all */
    u8 any_category;
    u8 any_channel;
    u8 any_tier;
    u64 tiers;
    u64 channels[CHANNEL_WORDS];
    u64 categories[CATEGORY_WORDS];
};

/* An interned set of skills; set 0 is empty. */
struct skill_set {
    u64 id;
    u64 skills[SKILL_WORDS];
};

struct state;

/* All records or none. Writes a result each. */
void catalog_apply(struct state *state, const struct tkd_frame *frame, struct tkd_result *results);
/* The entry if it exists and is not retired. */
bool catalog_live(const struct state *state, u32 kind, u32 id);
/* Up from the entry of a tree: no cycle, not too deep, and above a live entry all are live. */
bool catalog_path_valid(const struct state *state, u32 kind, u32 id);
/* Derived: names, membership, skills; after loading and after a change. */
void catalog_derive(struct state *state);
void catalog_loaded(struct state *state);
/* Goes on with bringing the tickets in line with a changed catalog (desk.sweep_row). */
void catalog_sweep(struct state *state);
/* The set of the skills of two sets. */
u32 skill_set_join(struct state *state, u32 a, u32 b);
/* The set of these ids. */
enum tkd_status skill_set_of_ids(struct state *state, const u8 *ids, u32 bytes, u32 *set);
/* The highest id in use. */
u32 catalog_last(const struct state *state, u32 kind);
const struct entry *catalog_entry_at(const struct state *state, u32 kind, u32 id);
#define CATALOG_ENTRY_BYTES_MAX (32u << 10)
/* Writes an entry as a tkd_catalog_entry record; returns its bytes. */
u32 catalog_entry_write(const struct state *state, u32 kind, u32 id, void *to, u32 bytes_max);

#endif
